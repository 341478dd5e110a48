/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory, at its own addresses, so that a driver's DMA needs no change. What is mapped is what the guest sees: RAM, and ROM for
 * reading; neither holes nor registers. When that changes, only the pieces that changed are mapped anew, as hypervisors' slots are.
 *
 * The kernel pins every page: it must be there for as long as a device may reach it, and it counts against the limit of locked memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vfio/vfio_kernel.h"

#define MIB (1024.0 * 1024.0)

static int call_map(struct vfio_kernel *k, const struct vfio_kernel_range *r)
{
    struct vfio_iommu_type1_dma_map m = { sizeof m, r->flags, (uintptr_t)r->hva, r->gpa, r->size };
    return VFIO_CALL(k, ioctl, k->container, VFIO_IOMMU_MAP_DMA, &m);
}

static void call_unmap(struct vfio_kernel *k, const struct vfio_kernel_range *r)
{
    struct vfio_iommu_type1_dma_unmap u = { .argsz = sizeof u, .iova = r->gpa, .size = r->size };
    VFIO_CALL(k, ioctl, k->container, VFIO_IOMMU_UNMAP_DMA, &u);
}

static bool same(const struct vfio_kernel_range *a, const struct vfio_kernel_range *b)
{
    return a->gpa == b->gpa && a->size == b->size && a->hva == b->hva && a->flags == b->flags;
}

static bool is_among(const struct vfio_kernel_range *r, const struct vfio_kernel_range *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (same(r, &all[i]))
            return true;
    return false;
}

/* What there should be. Owned by the caller; *n is 0 when there is no memory for it. */
static struct vfio_kernel_range *wanted(const struct physmap *map, unsigned *n)
{
    struct vfio_kernel_range *want = calloc(map->nregions + 1, sizeof *want);
    *n = 0;
    for (unsigned i = 0; want && i < map->nregions; i++) {
        const struct region *r = &map->region[i];
        u32 flags = VFIO_DMA_MAP_FLAG_READ | (r->kind == REGION_RAM ? VFIO_DMA_MAP_FLAG_WRITE : 0);
        if (r->kind != REGION_MMIO)
            want[(*n)++] = (struct vfio_kernel_range){ r->gpa, r->size, r->hva, flags };
    }
    return want;
}

static u64 bytes_of(const struct physmap *map)
{
    u64 bytes = 0;
    for (unsigned i = 0; i < map->nregions; i++)
        bytes += map->region[i].kind == REGION_MMIO ? 0 : map->region[i].size;
    return bytes;
}

static int explain(const struct vfio_kernel *k, const struct vfio_kernel_range *r, int errnum, struct error *err)
{
    u64 need = bytes_of(k->map), limit = VFIO_CALL(k, lockable);
    if (errnum == ENOMEM && limit < need + (64 << 20))
        return error_set(err, "-device vfio-pci: the device's memory must stay where it is: %.0f MiB, but this user may lock only %.0f MiB (RLIMIT_MEMLOCK); "
                              "raise it (ulimit -l %llu in a root shell, or memlock in /etc/security/limits.conf), or give a smaller -m",
                         need / MIB, limit / MIB, (unsigned long long)(need >> 10) + (64 << 10));
    return error_set(err, "-device vfio-pci: the kernel does not map the guest's memory at 0x%llx (0x%llx bytes) for the device: %s",
                     (unsigned long long)r->gpa, (unsigned long long)r->size, strerror(errnum));
}

/* Those that are not wanted any more go first: mappings may not overlap. */
static void drop_others(struct vfio_kernel *k, const struct vfio_kernel_range *want, unsigned n)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < k->nmapped; i++) {
        if (is_among(&k->mapped[i], want, n))
            k->mapped[kept++] = k->mapped[i];
        else
            call_unmap(k, &k->mapped[i]);
    }
    k->nmapped = kept;
}

static int follow(struct vfio_kernel *k, struct error *err)
{
    unsigned n, failed = 0;
    struct vfio_kernel_range *want = wanted(k->map, &n);
    drop_others(k, want, n);
    k->mapped = realloc(k->mapped, (k->nmapped + n + 1) * sizeof *k->mapped);
    for (unsigned i = 0, there = k->nmapped; i < n; i++) {
        if (is_among(&want[i], k->mapped, there))
            continue;
        if (call_map(k, &want[i]) == 0)
            k->mapped[k->nmapped++] = want[i];
        else if (!failed++)
            explain(k, &want[i], errno, err);
    }
    free(want);
    return failed ? -1 : 0;
}

/* A piece that the kernel does not map, the device cannot reach: its accesses there fail in the IOMMU. */
static void on_map_changed(void *opaque)
{
    struct vfio_kernel *k = opaque;
    k->refused += follow(k, NULL) != 0;
}

int vfio_kernel_map(struct vfio_kernel *k, struct error *err)
{
    k->observer = (struct phys_observer){ .map_changed = on_map_changed, .opaque = k };
    physmap_observe(k->map, &k->observer);
    return follow(k, err);
}

void vfio_kernel_unmap(struct vfio_kernel *k)
{
    if (k->observer.map_changed)
        physmap_unobserve(k->map, &k->observer);
    k->observer.map_changed = NULL;
    drop_others(k, NULL, 0);
    free(k->mapped);
    k->mapped = NULL;
}
