/* SPDX-License-Identifier: MIT */
/*
 * The kernel's binary statistics: a file descriptor of the VM and one of each vcpu, whose file is a header, a descriptor for each counter
 * (its name, and where its value is), and the values (Documentation/virt/kvm/api.rst, 4.133). Ours stand beside those that mean the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hwassist/host/host.h"

/* Counters of the kernel's, and the event of the ledger that counts the same from this side. */
static const struct { const char *kernel; enum event ours; } pairs[] = {
    { "io_exits", EV_KVMHOST_IO }, { "mmio_exits", EV_KVMHOST_MMIO }, { "halt_exits", EV_KVMHOST_HLT }, { "irq_window_exits", EV_KVMHOST_WINDOW },
    { "signal_exits", EV_KVMHOST_SIGNAL }, { "irq_injections", EV_KVMHOST_INJECT },
};

static const enum event *our_event(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(pairs); i++)
        if (strcmp(pairs[i].kernel, name) == 0)
            return &pairs[i].ours;
    return NULL;
}

/* --- the file --- */

#define MAX_COUNTERS 512
#define MAX_NAME 64

struct counter { char name[MAX_NAME]; u64 value; bool scalar, cumulative; };

static bool read_at(int fd, void *buf, size_t size, u64 at) { return pread(fd, buf, size, at) == (ssize_t)size; }

static bool read_counter(int fd, const struct kvm_stats_header *head, unsigned i, struct counter *c)
{
    union { struct kvm_stats_desc desc; u8 bytes[sizeof(struct kvm_stats_desc) + MAX_NAME]; } d;
    u64 size = sizeof d.desc + head->name_size;
    if (head->name_size > MAX_NAME || !read_at(fd, &d, size, head->desc_offset + i * size))
        return false;
    snprintf(c->name, sizeof c->name, "%.*s", (int)head->name_size, d.desc.name);
    u32 type = d.desc.flags & KVM_STATS_TYPE_MASK;
    c->scalar = d.desc.size == 1;
    c->cumulative = type == KVM_STATS_TYPE_CUMULATIVE;
    return read_at(fd, &c->value, sizeof c->value, head->data_offset + d.desc.offset);
}

/* For each counter of the object, in the kernel's order. */
static void each(int object, void (*visit)(void *opaque, const struct counter *c), void *opaque)
{
    struct kvm_stats_header head;
    struct counter c;
    int fd = ioctl(object, KVM_GET_STATS_FD, NULL);
    if (fd < 0)
        return;
    if (read_at(fd, &head, sizeof head, 0))
        for (unsigned i = 0; i < head.num_desc && i < MAX_COUNTERS && read_counter(fd, &head, i, &c); i++)
            visit(opaque, &c);
    close(fd);
}

/* --- one --- */

struct wish { const char *name; u64 *value; bool found; };

static void look(void *opaque, const struct counter *c)
{
    struct wish *w = opaque;
    if (strcmp(c->name, w->name))
        return;
    *w->value = c->value;
    w->found = true;
}

bool host_read_stat(int kvm_object_fd, const char *name, u64 *value)
{
    struct wish w = { name, value, false };
    each(kvm_object_fd, look, &w);
    return w.found;
}

/* --- all --- */

struct page { const struct vm *vm; FILE *out; };

static void print(void *opaque, const struct counter *c)
{
    const struct page *p = opaque;
    const enum event *ours = our_event(c->name);
    u64 count = ours ? p->vm->ledger.count[*ours] : 0;
    if (!c->scalar || (!c->value && !count))
        return;
    fprintf(p->out, "  %-32s %14" PRIu64, c->name, c->value);
    if (ours)
        fprintf(p->out, "  %s %" PRIu64, event_rows[*ours].name, count);
    fputc('\n', p->out);
}

void host_print_stats(const struct vm *vm, FILE *out)
{
    const struct host_vm *h = vm->engine_data;
    struct page p = { vm, out };
    if (!host_can(h, HOST_STATS_FD))
        return;
    fprintf(out, "the host's kernel counts, and what stands for it in the ledger:\n");
    each(h->vm_fd, print, &p);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        const struct host_vcpu *v = vm->vcpu[i]->engine_data;
        if (vm->nvcpus > 1)
            fprintf(out, " processor %u:\n", i);
        each(v->fd, print, &p);
    }
}
