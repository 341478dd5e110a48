/* SPDX-License-Identifier: MIT */
/*
 * A container: the addresses that a guest's devices may use. All of the guest's memory is in it at its guest-physical address, so a driver's
 * DMA works as it is, and nothing else. (Linux: VFIO_SET_IOMMU, VFIO_IOMMU_MAP_DMA.)
 */
#ifndef EMU_DEVICES_VFIO_DMA_H
#define EMU_DEVICES_VFIO_DMA_H

#include "base/ledger.h"
#include "devices/vfio/vfio_host.h"

struct vfio_container {
    struct vfio_host *host;
    struct physmap *map;        /* the guest's */
    struct ledger *ledger;      /* the guest's; NULL: nobody counts */
    bool no_iommu;              /* the guest is the host itself: device addresses are memory addresses */
    u16 domain;                 /* by its place in the host's memory: no two at a time have the same */
    hpa_t base, table;          /* where the guest's memory is; its second-level tables */
};

/* The host's IOMMU is switched on, with tables that allow nothing. */
void vfio_dma_init(struct vfio_host *h);

/* Map all of the guest's RAM. 0 or -1 with *err. Pair with vfio_container_fini(), when it has no devices any more. */
int vfio_container_init(struct vfio_container *c, struct vfio_host *h, struct physmap *map, struct ledger *l, bool no_iommu, struct error *err);
void vfio_container_fini(struct vfio_container *c);

/* The device's accesses go to this container from now on; or to nobody again. */
void vfio_container_attach(struct vfio_container *c, struct host_device *d);
void vfio_container_detach(struct vfio_container *c, struct host_device *d);

/* One page of the container: 0, or -1 when there are no frames. For tests. */
int vfio_container_map(struct vfio_container *c, u64 address, hpa_t hpa, u64 size, u8 perms);

/* An entry of the interrupt table: `posted`, or a vector of the host. */
void vfio_set_irte(struct vfio_host *h, u16 index, u16 source, bool posted, u8 vector);

#endif
