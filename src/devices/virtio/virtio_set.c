/* SPDX-License-Identifier: MIT */
/*
 * The machine's virtio devices: one device of the machine holds them all, each a PCI function, or a place in memory and an interrupt line.
 * Such lines are few, the ISA bus's that no other device has; when they are all taken, they are shared: level-triggered, a line is up while
 * any of its devices wants it.
 */
#include <stdlib.h>

#include "devices/block/block.h"
#include "devices/vhost/vhost.h"
#include "devices/virtio/virtio_mmio.h"
#include "devices/virtio/virtio_pci.h"

enum { FIRST_SLOT = 3, SLOTS = 32, LINES = 3 };
#define MMIO_GPA 0xd0000000u        /* behind all memory, and in front of what PCI has */

/* An interrupt line of several devices. */
struct shared_line { const struct irq *wire; u32 raised; };

struct virtio_set {
    struct device dev;
    struct placed { struct virtio *v; struct virtio_pci *function; struct virtio_mmio *registers; } placed[VIRTIO_DEVICES_MAX];  /* one of the two, owned */
    unsigned count;
    struct shared_line line[LINES]; u8 irq[LINES]; unsigned lines;
};

/* --- on the PCI bus --- */

static unsigned free_slot(const struct pci_bus *b)
{
    unsigned slot = FIRST_SLOT;
    while (slot < SLOTS - 1 && b->function[slot << 3])
        slot++;
    return slot;
}

static int add_pci(struct virtio_set *s, struct platform *to, struct virtio *v, const struct virtio_flavor *flavor, unsigned slot, struct error *err)
{
    struct virtio_pci *p = virtio_pci_new(v, flavor, to->shortcuts, err);
    if (!p)
        return -1;
    s->placed[s->count++] = (struct placed){ .v = v, .function = p };
    return pci_add(to->pci, slot ? slot : free_slot(to->pci), 0, &p->function, err);
}

/* --- in memory --- */

static void find_lines(struct virtio_set *s, const struct platform *to)
{
    const struct { u8 irq; bool taken; } candidate[LINES] = { { 5, false }, { 7, to->parallel }, { 3, to->serial[1] } };
    for (unsigned i = 0; i < LINES; i++)
        if (!candidate[i].taken) {
            s->irq[s->lines] = candidate[i].irq;
            s->line[s->lines++] = (struct shared_line){ &to->isa_irq[candidate[i].irq], 0 };
        }
}

static void set_line(void *sink, unsigned device, bool level)
{
    struct shared_line *l = sink;
    l->raised = level ? l->raised | 1u << device : l->raised & ~(1u << device);
    irq_set(l->wire, l->raised);
}

static int add_mmio(struct virtio_set *s, struct platform *to, struct virtio *v, const struct virtio_flavor *flavor, struct error *err)
{
    unsigned n = to->nvirtio_mmio, line = n % s->lines;
    struct virtio_place *at = &to->virtio_mmio[n];
    *at = (struct virtio_place){ MMIO_GPA + n * PAGE_SIZE, VIRTIO_MMIO_LEN, s->irq[line] };
    struct virtio_mmio *m = virtio_mmio_new(v, to, at->gpa, &(struct irq){ set_line, &s->line[line], n }, flavor->no_ioeventfd, err);
    if (!m)
        return -1;
    to->nvirtio_mmio++;
    s->placed[s->count++] = (struct placed){ .v = v, .registers = m };
    return 0;
}

/* --- all of them --- */

static int add(struct virtio_set *s, struct platform *to, struct virtio *v, const struct virtio_flavor *flavor, unsigned slot, struct error *err)
{
    return flavor->mmio ? add_mmio(s, to, v, flavor, err) : add_pci(s, to, v, flavor, slot, err);
}

static int add_nics(struct virtio_set *s, struct platform *to, struct error *err)
{
    for (unsigned i = 0; i < NICS_MAX; i++) {
        const struct nic *n = &to->nic[i];
        unsigned slot = n->slot ? n->slot : FIRST_SLOT + i;
        if (n->model == NIC_VIRTIO && add(s, to, virtio_net_new(to, n), &n->virtio, slot, err))
            return -1;
    }
    return 0;
}

static int add_others(struct virtio_set *s, struct platform *to, struct error *err)
{
    static struct virtio *(*const make[])(const struct platform *to, const struct virtio_slot *slot) = {
        [VIRTIO_BLK] = virtio_blk_new, [VIRTIO_RNG] = virtio_rng_new, [VIRTIO_CONSOLE] = virtio_console_new,
        [VIRTIO_VHOST_BLK] = vhost_blk_new, [VIRTIO_BALLOON] = virtio_balloon_new,
        [VIRTIO_KEYBOARD] = virtio_input_new, [VIRTIO_TABLET] = virtio_input_new,
    };
    for (unsigned i = 0; i < VIRTIO_SLOTS_MAX; i++) {
        const struct virtio_slot *x = &to->virtio[i];
        if (x->model != VIRTIO_NONE && add(s, to, make[x->model](to, x), &x->flavor, x->slot, err))
            return -1;
    }
    return 0;
}

static void set_reset(struct device *d)
{
    struct virtio_set *s = (struct virtio_set *)d;
    for (unsigned i = 0; i < s->count; i++)
        if (s->placed[i].function)
            virtio_pci_power_on(s->placed[i].function);
        else
            virtio_reset(s->placed[i].v);
}

static void set_destroy(struct device *d)
{
    struct virtio_set *s = (struct virtio_set *)d;
    while (s->count) {
        struct placed *p = &s->placed[--s->count];
        virtio_pci_free(p->function);
        virtio_mmio_free(p->registers);
    }
    free(s);
}

/* Adapters have a slot by their number, as those of other makes; the others find what is left. */
static struct device *set_create(struct platform *to, struct error *err)
{
    struct virtio_set *s = device_new(&virtio_set_ops, sizeof *s, err);
    if (s)
        find_lines(s, to);
    if (s && (add_nics(s, to, err) || add_others(s, to, err))) {
        set_destroy(&s->dev);
        return NULL;
    }
    if (s)
        set_reset(&s->dev);
    return s ? &s->dev : NULL;
}

bool virtio_set_balloon(struct device *d, u64 bytes)
{
    struct virtio_set *s = (struct virtio_set *)d;
    bool there = false;
    for (unsigned i = 0; i < s->count; i++)
        there |= virtio_balloon_leave(s->placed[i].v, bytes);
    return there;
}

static void show_queue(const struct virtqueue *q, FILE *out)
{
    fprintf(out, "  queue %u: %s, %u entries, %llu doorbells for %llu chains, %llu interrupts, %llu not wanted\n", q->index,
            !q->enabled ? "off" : q->layout == &vq_packed ? "packed" : "split", q->size, (unsigned long long)q->kicks,
            (unsigned long long)q->chains, (unsigned long long)q->interrupts, (unsigned long long)q->quiet);
}

static void show_place(const struct placed *p, FILE *out)
{
    if (p->function)
        fprintf(out, "%s 00:%02x.0", p->v->ops->name, p->function->function.devfn >> 3);
    else
        fprintf(out, "%s at 0x%llx", p->v->ops->name, (unsigned long long)p->registers->gpa);
}

static void set_info(const struct device *d, FILE *out)
{
    const struct virtio_set *s = (const struct virtio_set *)d;
    for (unsigned i = 0; i < s->count; i++) {
        const struct virtio *v = s->placed[i].v;
        show_place(&s->placed[i], out);
        fprintf(out, ": status %02x%s, features %llx%s%s\n", v->status, v->legacy ? " (legacy)" : "",
                (unsigned long long)v->features, v->broken ? ", broken: " : "", v->broken ? v->broken : "");
        if (v->ops->info)
            v->ops->info(v, out);
        for (unsigned n = 0; n < v->queues; n++)
            show_queue(&v->queue[n], out);
    }
}

const struct device_ops virtio_set_ops = {
    "virtio", "virtio devices on the PCI bus or in memory, as many as -device virtio-.. adds", set_create, set_reset, set_destroy, set_info,
};
