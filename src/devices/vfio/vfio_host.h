/* SPDX-License-Identifier: MIT */
/*
 * The modelled host, as far as its devices can be given to guests: cards on PCI buses, the IOMMU before them, and who has what. One host may
 * serve several machines of this process. It is what a host's kernel and its VFIO know; vfio.h is a device in a guest's hands.
 *
 * Topology: card n (from 1 on) is alone on bus n. An 82576 is a PCI Express card below a root port, so each of its functions has a
 * source identifier of its own: the PF NN:00.0, the VFs NN:10.0, NN:10.2, ... 82540EM are conventional PCI: they stand at NN:01.0,
 * NN:02.0 behind a bridge that puts its own identifier (NN:00.0) on what they do. Functions that the IOMMU cannot tell apart are one group.
 */
#ifndef EMU_DEVICES_VFIO_HOST_H
#define EMU_DEVICES_VFIO_HOST_H

#include "devices/igb/igb.h"
#include "devices/iommu/iommu.h"
#include "devices/vfio/host_card.h"

enum { HOST_DEVICES = HOST_CARDS * (1 + IGB_VFS_MAX) };

/* One guest's address space for devices: what VFIO calls a container. */
struct vfio_container;

/* Where the device's last access went to. */
struct host_access { u64 page; struct physmap *map; gpa_t gpa; };

struct host_device {
    const char *name;           /* "82576 VF" */
    const char *driver;         /* the host's, while nobody has it */
    u8 card, devfn;
    u16 group;
    bool alias;                 /* the bridge's identifier stands for it */
    struct igb_vf *vf;          /* NULL: it is made when it is given away */
    bool is_pf;
    struct vfio_container *owner;   /* NULL: the host's own driver */
    struct vfio_device *device; /* what it is in the guest */
    struct host_access last;
};

struct vfio_host {
    struct host_memory memory;
    struct iommu iommu;
    struct pci_root root;       /* of all buses */
    struct pci_bus bus[HOST_CARDS];
    struct igb *igb[HOST_CARDS];
    struct host_card card[HOST_CARDS];
    struct host_device device[HOST_DEVICES];
    unsigned ncards, ndevices, ngroups;
};

/* cards: copied; with n 0 a host that has one of each: an 82576 at 01, an 82540EM at 02, and two that share a bridge at 03. NULL with *err. */
struct vfio_host *vfio_host_new(const struct host_card *cards, unsigned n, struct error *err);
/* Every container must be gone. NULL is allowed. */
void vfio_host_free(struct vfio_host *h);

/* "01:10.0". 0 or -1 with *err. */
int vfio_parse_address(const char *text, u8 *bus, u8 *devfn, struct error *err);
/* NULL with *err: there is no such function; the error says which there are. */
struct host_device *vfio_host_find(struct vfio_host *h, u8 bus, u8 devfn, struct error *err);

/* May this guest have the device? `wanted` are all that it wants. 0, or -1 with *err: it is given away, the host needs it, or its group
 * would be torn apart. */
int vfio_host_check(struct vfio_host *h, const struct host_device *d, struct host_device *const *wanted, unsigned n, struct error *err);

/* What the IOMMU sees it as. */
u16 vfio_source(const struct host_device *d);
/* Devices with their groups, and what the IOMMU has done. */
void vfio_host_print(const struct vfio_host *h, FILE *out);

#endif
