/* SPDX-License-Identifier: MIT */
/* A device that the kernel has given: what it consists of, its registers, its interrupts as event descriptors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/vfio/vfio_kernel.h"

static int device_call(const struct vfio_kernel_device *d, unsigned long request, void *arg) { return VFIO_CALL(d->kernel, ioctl, d->fd, request, arg); }

/* --- what it consists of --- */

static int take_region(struct vfio_kernel_device *d, unsigned n, struct error *err)
{
    struct vfio_region_info info = { .argsz = sizeof info, .index = n };
    if (device_call(d, VFIO_DEVICE_GET_REGION_INFO, &info) < 0) {
        if (n != VFIO_PCI_CONFIG_REGION_INDEX) /* as for VGA's, where it has none */
            return 0;
        return error_set(err, "-device vfio-pci,host=%s: its configuration space cannot be had: %s", d->address, strerror(errno));
    }
    d->region[n] = (struct vfio_kernel_region){ .size = info.size, .offset = info.offset, .flags = info.flags };
    return 0;
}

static void take_interrupt(struct vfio_kernel_device *d, unsigned n)
{
    struct vfio_irq_info info = { .argsz = sizeof info, .index = n };
    if (device_call(d, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 && info.flags & VFIO_IRQ_INFO_EVENTFD) {
        d->irq[n].count = info.count < VFIO_EVENTS_MAX ? info.count : VFIO_EVENTS_MAX;
        d->irq[n].flags = info.flags;
    }
}

int vfio_kernel_look(struct vfio_kernel_device *d, struct error *err)
{
    struct vfio_device_info info = { .argsz = sizeof info };
    if (device_call(d, VFIO_DEVICE_GET_INFO, &info) < 0 || !(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
        return error_set(err, "-device vfio-pci,host=%s: is no PCI device", d->address);
    d->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
    for (unsigned n = 0; n < VFIO_PCI_NUM_REGIONS && n < info.num_regions; n++)
        if (take_region(d, n, err))
            return -1;
    for (unsigned n = 0; n < VFIO_PCI_NUM_IRQS && n < info.num_irqs; n++)
        take_interrupt(d, n);
    return 0;
}

/* --- mapping --- */

/* A piece from the kernel, less the hole, which is a page or more. */
static int map_piece(struct vfio_kernel_device *d, struct vfio_kernel_region *r, u64 from, u64 to, struct error *err)
{
    int prot = (r->flags & VFIO_REGION_INFO_FLAG_READ ? PROT_READ : 0) | (r->flags & VFIO_REGION_INFO_FLAG_WRITE ? PROT_WRITE : 0);
    if (from >= to || r->nareas == VFIO_AREAS_MAX)
        return 0;
    void *at = VFIO_CALL(d->kernel, mmap, to - from, prot, d->fd, r->offset + from);
    if (at == MAP_FAILED)
        return error_set(err, "-device vfio-pci,host=%s: 0x%llx bytes of its registers cannot be mapped: %s", d->address, (unsigned long long)(to - from), strerror(errno));
    r->area[r->nareas++] = (struct vfio_kernel_area){ from, to - from, at };
    return 0;
}

static int map_around(struct vfio_kernel_device *d, struct vfio_kernel_region *r, u64 from, u64 size, u64 hole, u64 hole_size, struct error *err)
{
    u64 to = (from + size) & PAGE_MASK, first = hole & PAGE_MASK, behind = (hole + hole_size + ~PAGE_MASK) & PAGE_MASK;
    from = (from + ~PAGE_MASK) & PAGE_MASK;
    if (!hole_size || first >= to || behind <= from)
        return map_piece(d, r, from, to, err);
    return map_piece(d, r, from, first, err) || map_piece(d, r, behind, to, err) ? -1 : 0;
}

/* The kernel's list of what can be mapped; capabilities are chained by their offsets from the head. NULL: it has none. */
static const struct vfio_region_info_cap_sparse_mmap *find_sparse(const struct vfio_region_info *info, u32 len)
{
    for (u32 at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0, seen = 0; at >= sizeof *info && at + 16 <= len && seen < 64; seen++) {
        const struct vfio_region_info_cap_sparse_mmap *c = (const void *)((const u8 *)info + at);
        if (c->header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP && c->nr_areas <= (len - at - sizeof *c) / sizeof c->areas[0])
            return c;
        at = c->header.next;
    }
    return NULL;
}

/* The region's description once more, with room for its capabilities. NULL: it cannot be had. */
static struct vfio_region_info *describe(struct vfio_kernel_device *d, unsigned n, u32 *len)
{
    struct vfio_region_info head = { .argsz = sizeof head, .index = n }, *whole;
    if (device_call(d, VFIO_DEVICE_GET_REGION_INFO, &head) < 0)
        return NULL;
    *len = head.argsz > sizeof head && head.argsz <= 65536 ? head.argsz : sizeof head;
    whole = calloc(1, *len);
    if (!whole)
        return NULL;
    *whole = (struct vfio_region_info){ .argsz = *len, .index = n };
    if (device_call(d, VFIO_DEVICE_GET_REGION_INFO, whole) == 0)
        return whole;
    free(whole);
    return NULL;
}

int vfio_kernel_map_region(struct vfio_kernel_device *d, unsigned n, u64 hole, u64 size, struct error *err)
{
    struct vfio_kernel_region *r = &d->region[n];
    u32 len;
    int status = 0;
    struct vfio_region_info *info = r->flags & VFIO_REGION_INFO_FLAG_MMAP ? describe(d, n, &len) : NULL;
    const struct vfio_region_info_cap_sparse_mmap *sparse = info ? find_sparse(info, len) : NULL;
    if (!info)
        return 0;
    for (u32 i = 0; sparse && i < sparse->nr_areas && status == 0; i++)
        if (sparse->areas[i].offset < r->size && sparse->areas[i].size <= r->size - sparse->areas[i].offset)
            status = map_around(d, r, sparse->areas[i].offset, sparse->areas[i].size, hole, size, err);
    if (!sparse)
        status = map_around(d, r, 0, r->size, hole, size, err);
    free(info);
    return status;
}

void vfio_kernel_close_device(struct vfio_kernel_device *d)
{
    if (d->fd < 0)
        return;
    for (unsigned n = 0; n < VFIO_PCI_NUM_REGIONS; n++) {
        struct vfio_kernel_region *r = &d->region[n];
        while (r->nareas) {
            r->nareas--;
            VFIO_CALL(d->kernel, munmap, r->area[r->nareas].at, r->area[r->nareas].size);
        }
    }
    VFIO_CALL(d->kernel, close, d->fd);
    d->fd = -1;
}

/* --- registers --- */

static volatile void *mapped(const struct vfio_kernel_region *r, u64 offset, unsigned size)
{
    for (unsigned i = 0; i < r->nareas; i++)
        if (offset >= r->area[i].offset && offset - r->area[i].offset + size <= r->area[i].size)
            return r->area[i].at + (offset - r->area[i].offset);
    return NULL;
}

static bool can_reach(const struct vfio_kernel_device *d, unsigned n, u64 offset, u64 len)
{
    return d->fd >= 0 && offset < d->region[n].size && len <= d->region[n].size - offset;
}

bool vfio_kernel_read(struct vfio_kernel_device *d, unsigned n, u64 offset, void *buf, size_t len)
{
    return can_reach(d, n, offset, len) && VFIO_CALL(d->kernel, pread, d->fd, buf, len, d->region[n].offset + offset) == (ssize_t)len;
}

/* One load of the processor each: a register may do something when it is read, and cares how wide. */
u64 vfio_kernel_load(struct vfio_kernel_device *d, unsigned n, u64 offset, unsigned size)
{
    u64 value = 0;
    const volatile void *at = can_reach(d, n, offset, size) ? mapped(&d->region[n], offset, size) : NULL;
    if (!at)
        return vfio_kernel_read(d, n, offset, &value, size) ? value : ~(u64)0;
    return size == 1 ? *(const volatile u8 *)at : size == 2 ? *(const volatile u16 *)at : size == 4 ? *(const volatile u32 *)at : *(const volatile u64 *)at;
}

void vfio_kernel_store(struct vfio_kernel_device *d, unsigned n, u64 offset, unsigned size, u64 value)
{
    if (!can_reach(d, n, offset, size))
        return;
    volatile void *at = mapped(&d->region[n], offset, size);
    if (!at)
        VFIO_CALL(d->kernel, pwrite, d->fd, &value, size, d->region[n].offset + offset);
    else if (size == 1)
        *(volatile u8 *)at = value;
    else if (size == 2)
        *(volatile u16 *)at = value;
    else if (size == 4)
        *(volatile u32 *)at = value;
    else
        *(volatile u64 *)at = value;
}

/* --- interrupts --- */

int vfio_kernel_set_events(struct vfio_kernel_device *d, unsigned index, const int *fd, unsigned n, struct error *err)
{
    struct { struct vfio_irq_set head; int fd[VFIO_EVENTS_MAX]; } set = {
        .head = { .argsz = sizeof set.head + n * sizeof(int), .index = index, .count = n,
                  .flags = VFIO_IRQ_SET_ACTION_TRIGGER | (n ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE) },
    };
    if (n > d->irq[index].count)
        return error_set(err, "-device vfio-pci,host=%s: it has %u interrupts of index %u, not %u", d->address, d->irq[index].count, index, n);
    if (n)
        memcpy(set.fd, fd, n * sizeof(int));
    if (device_call(d, VFIO_DEVICE_SET_IRQS, &set) < 0)
        return error_set(err, "-device vfio-pci,host=%s: %u interrupts of index %u cannot be turned %s: %s", d->address, n, index, n ? "on" : "off", strerror(errno));
    return 0;
}

void vfio_kernel_unmask_pin(struct vfio_kernel_device *d)
{
    struct vfio_irq_set set = { .argsz = sizeof set, .index = VFIO_PCI_INTX_IRQ_INDEX, .count = 1, .flags = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_NONE };
    device_call(d, VFIO_DEVICE_SET_IRQS, &set);
}

void vfio_kernel_reset(struct vfio_kernel_device *d)
{
    if (d->can_reset && d->fd >= 0)
        device_call(d, VFIO_DEVICE_RESET, NULL);
}
