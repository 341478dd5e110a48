/* SPDX-License-Identifier: MIT */
/* Guest memory for KVM: each region of RAM or ROM is a slot, mapped straight from the memfd, and so is a window onto a real device's
 * registers. Other MMIO has none, so it exits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

/* --- what there should be --- */

static bool is_watched(const struct physmap *map, const struct region *r)
{
    for (u64 page = 0; page < r->size; page += PAGE_SIZE)
        if (physmap_marks(map, r->gpa + page) & MARK_DIRTY_LOG)
            return true;
    return false;
}

static bool somebody_logs(const struct physmap *map)
{
    for (const struct phys_observer *o = map->observers; o; o = o->next)
        if (o->marks & MARK_DIRTY_LOG)
            return true;
    return false;
}

static struct host_slot slot_of(const struct host_vm *h, const struct physmap *map, const struct region *r)
{
    u32 rom = r->kind == REGION_ROM && host_can(h, HOST_READONLY_MEM) ? KVM_MEM_READONLY : 0;
    u32 log = r->kind == REGION_RAM && somebody_logs(map) && is_watched(map, r) ? KVM_MEM_LOG_DIRTY_PAGES : 0;
    return (struct host_slot){ r->gpa, r->size, r->hva, rom | log };
}

static bool same(const struct host_slot *a, const struct host_slot *b)
{
    return a->gpa == b->gpa && a->size == b->size && a->hva == b->hva && a->flags == b->flags;
}

/* --- what there is --- */

static int set_slot(struct host_vm *h, unsigned n, const struct host_slot *s)
{
    struct kvm_userspace_memory_region k = { n, s->flags, s->gpa, s->size, (uintptr_t)s->hva };
    if (ioctl(h->vm_fd, KVM_SET_USER_MEMORY_REGION, &k) < 0)
        return -1;
    h->slot[n] = *s;
    return 0;
}

/* Those that are not wanted any more go first: slots may not overlap. */
static void drop_others(struct host_vm *h, const struct host_slot *want, unsigned n)
{
    static const struct host_slot none;
    for (unsigned i = 0; i < HOST_MAX_SLOTS; i++) {
        bool keep = !h->slot[i].size;
        for (unsigned k = 0; k < n && !keep; k++)
            keep = same(&h->slot[i], &want[k]);
        if (!keep)
            set_slot(h, i, &none);
    }
}

static bool is_set(const struct host_vm *h, const struct host_slot *s)
{
    for (unsigned i = 0; i < HOST_MAX_SLOTS; i++)
        if (h->slot[i].size && same(&h->slot[i], s))
            return true;
    return false;
}

static int add_slot(struct host_vm *h, const struct host_slot *s)
{
    for (unsigned i = 0; i < HOST_MAX_SLOTS; i++)
        if (!h->slot[i].size)
            return set_slot(h, i, s);
    errno = ENOSPC;
    return -1;
}

int host_set_slots(struct host_vm *h, const struct physmap *map, struct error *err)
{
    struct host_slot want[HOST_MAX_SLOTS];
    unsigned n = 0;
    host_sync_dirty(h); /* a slot that goes takes its log along */
    h->logging = false;
    for (unsigned i = 0; i < map->nregions; i++) {
        if (map->region[i].kind == REGION_MMIO && !map->region[i].hva)
            continue;
        if (n == HOST_MAX_SLOTS)
            return error_set(err, "guest memory is in more than %d pieces; try --kvm=model", HOST_MAX_SLOTS);
        want[n] = slot_of(h, map, &map->region[i]);
        h->logging |= want[n++].flags & KVM_MEM_LOG_DIRTY_PAGES;
    }
    drop_others(h, want, n);
    for (unsigned i = 0; i < n; i++)
        if (!is_set(h, &want[i]) && add_slot(h, &want[i]) < 0)
            return error_set(err, "/dev/kvm refuses guest memory at 0x%llx: %s; try a smaller -m, or --kvm=model", (unsigned long long)want[i].gpa, strerror(errno));
    h->slots_stale = false;
    return 0;
}

/* --- dirty log --- */

static void report(struct host_vm *h, const struct host_slot *s, const u64 *bitmap)
{
    for (u64 page = 0; page < s->size / PAGE_SIZE; page++) {
        if (!(bitmap[page / 64] >> page % 64 & 1))
            continue;
        h->dirty_pages++;
        physmap_written(&h->vm->map, s->gpa + page * PAGE_SIZE, PAGE_SIZE);
    }
}

static void sync_slot(struct host_vm *h, unsigned n)
{
    const struct host_slot s = h->slot[n]; /* an observer may change the map */
    u64 *bitmap = calloc((s.size / PAGE_SIZE + 63) / 64, sizeof *bitmap);
    struct kvm_dirty_log log = { .slot = n, .dirty_bitmap = bitmap };
    if (bitmap && ioctl(h->vm_fd, KVM_GET_DIRTY_LOG, &log) == 0)
        report(h, &s, bitmap);
    free(bitmap);
}

void host_sync_dirty(struct host_vm *h)
{
    for (unsigned i = 0; h->logging && i < HOST_MAX_SLOTS; i++)
        if (h->slot[i].flags & KVM_MEM_LOG_DIRTY_PAGES)
            sync_slot(h, i);
}
