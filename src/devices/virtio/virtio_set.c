/* SPDX-License-Identifier: MIT */
/* The machine's virtio devices: one device of the machine holds them all, each a PCI function. */
#include <stdlib.h>

#include "devices/block/block.h"
#include "devices/vhost/vhost.h"
#include "devices/virtio/virtio_pci.h"

enum { FIRST_SLOT = 3, SLOTS = 32 };

struct virtio_set {
    struct device dev;
    struct virtio_pci *function[NICS_MAX + VIRTIO_SLOTS_MAX];   /* owned */
    unsigned count;
};

static unsigned free_slot(const struct pci_bus *b)
{
    unsigned slot = FIRST_SLOT;
    while (slot < SLOTS - 1 && b->function[slot << 3])
        slot++;
    return slot;
}

static int add(struct virtio_set *s, struct platform *to, struct virtio *v, const struct virtio_flavor *flavor, unsigned slot, struct error *err)
{
    struct virtio_pci *p = virtio_pci_new(v, flavor, err);
    if (!p)
        return -1;
    s->function[s->count++] = p;
    return pci_add(to->pci, slot ? slot : free_slot(to->pci), 0, &p->function, err);
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
        virtio_pci_power_on(s->function[i]);
}

static void set_destroy(struct device *d)
{
    struct virtio_set *s = (struct virtio_set *)d;
    while (s->count)
        virtio_pci_free(s->function[--s->count]);
    free(s);
}

/* Adapters have a slot by their number, as those of other makes; the others find what is left. */
static struct device *set_create(struct platform *to, struct error *err)
{
    struct virtio_set *s = device_new(&virtio_set_ops, sizeof *s, err);
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
        there |= virtio_balloon_leave(s->function[i]->v, bytes);
    return there;
}

static void show_queue(const struct virtqueue *q, FILE *out)
{
    fprintf(out, "  queue %u: %s, %u entries, %llu doorbells for %llu chains, %llu interrupts, %llu not wanted\n", q->index,
            !q->enabled ? "off" : q->layout == &vq_packed ? "packed" : "split", q->size, (unsigned long long)q->kicks,
            (unsigned long long)q->chains, (unsigned long long)q->interrupts, (unsigned long long)q->quiet);
}

static void set_info(const struct device *d, FILE *out)
{
    const struct virtio_set *s = (const struct virtio_set *)d;
    for (unsigned i = 0; i < s->count; i++) {
        const struct virtio_pci *p = s->function[i];
        const struct virtio *v = p->v;
        fprintf(out, "%s 00:%02x.0: status %02x%s, features %llx%s%s\n", v->ops->name, p->function.devfn >> 3, v->status, v->legacy ? " (legacy)" : "",
                (unsigned long long)v->features, v->broken ? ", broken: " : "", v->broken ? v->broken : "");
        if (v->ops->info)
            v->ops->info(v, out);
        for (unsigned n = 0; n < v->queues; n++)
            show_queue(&v->queue[n], out);
    }
}

const struct device_ops virtio_set_ops = {
    "virtio", "virtio devices on the PCI bus, as many as -device virtio-.. adds", set_create, set_reset, set_destroy, set_info,
};
