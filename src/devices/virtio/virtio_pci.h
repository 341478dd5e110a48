/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI (virtio 1.2, 4.1): a transitional function has both interfaces. The modern one is areas of one memory BAR, which
 * vendor capabilities point to; the legacy one (0.9.5) is ports. They are two views of one device; the first word of a driver decides.
 */
#ifndef EMU_DEVICES_VIRTIO_PCI_H
#define EMU_DEVICES_VIRTIO_PCI_H

#include "devices/pci/pci_msi.h"
#include "devices/virtio/virtio_select.h"

#define VIRTIO_NO_VECTOR 0xffff

/* Event descriptors, one a queue, and where they are offered; 0: nowhere. */
struct virtio_pci_bells { int fd[VIRTIO_QUEUES_MAX]; unsigned count; u32 modern, legacy; };

struct virtio_pci {
    struct pci_function function;
    struct pci_msix msix;
    struct virtio *v;               /* owned */
    bool no_ioeventfd;              /* a doorbell goes to the emulator itself, not to whom it wakes */
    struct shortcuts *shortcuts;    /* NULL: nobody could take them up */
    struct virtio_pci_bells bells;
    u8 isr;                         /* 4.1.4.5: bit 0 a queue, bit 1 the configuration */
    u16 config_vector, queue_vector[VIRTIO_QUEUES_MAX];
    struct virtio_select select;
};

/* Takes *v over, also when it fails. shortcuts: see platform. NULL with *err. */
struct virtio_pci *virtio_pci_new(struct virtio *v, const struct virtio_flavor *flavor, struct shortcuts *shortcuts, struct error *err);
void virtio_pci_free(struct virtio_pci *p);     /* NULL is allowed */
/* As after RST#. */
void virtio_pci_power_on(struct virtio_pci *p);

/* Reading the ISR clears it, and the interrupt pin. */
u8 virtio_pci_take_isr(struct virtio_pci *p);
/* A vector that there is not is none (4.1.5.1.2). */
u16 virtio_pci_vector(const struct virtio_pci *p, u16 vector);

/* The common configuration of the modern interface (4.1.4.3): one byte of a read; a write takes a whole field. */
enum { VIRTIO_PCI_COMMON_SIZE = 56 };
u8 virtio_pci_common_read(struct virtio_pci *p, u64 offset);
void virtio_pci_common_write(struct virtio_pci *p, u64 offset, unsigned size, u32 value);
const char *virtio_pci_common_name(u64 offset);

enum { VIRTIO_PCI_BAR_LEGACY = 0, VIRTIO_PCI_BAR_MODERN = 4, VIRTIO_PCI_NOTIFY_AT = 3 * PAGE_SIZE, VIRTIO_PCI_NOTIFY_STEP = 4 };
enum { VIRTIO_PCI_LEGACY_PORTS = 128, VIRTIO_PCI_LEGACY_NOTIFY = 16 };
extern const struct bus_ops virtio_pci_legacy_ops;     /* dev is the struct virtio_pci */

/* virtio_pci_bells.c: BARs may have moved; and the function goes away. */
void virtio_pci_place_bells(struct virtio_pci *p);
void virtio_pci_take_bells(struct virtio_pci *p);

#endif
