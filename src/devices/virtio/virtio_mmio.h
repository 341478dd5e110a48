/* SPDX-License-Identifier: MIT */
/*
 * Virtio over MMIO (virtio 1.2, 4.2): half a KiB of registers and an interrupt line, without any bus. Nothing finds such a device by
 * looking; somebody tells where it is (acpi.c). It has no messages: an interrupt is a level, and its driver reads what it is about and
 * acknowledges it, two accesses more than MSI-X. Version 2 of the registers alone: the older one had no feature bits above 31.
 */
#ifndef EMU_DEVICES_VIRTIO_MMIO_H
#define EMU_DEVICES_VIRTIO_MMIO_H

#include "devices/virtio/virtio_select.h"

enum { VIRTIO_MMIO_LEN = 0x200, VIRTIO_MMIO_CONFIG = 0x100 };

struct virtio_mmio {
    struct virtio_select select;    /* select.v: owned */
    struct bus *bus;
    struct irq wire;
    gpa_t gpa;
    bool no_ioeventfd;              /* a doorbell goes to the emulator itself, not to whom it wakes */
    u8 status;                      /* InterruptStatus: bit 0 a queue, bit 1 the configuration */
};

/* Registers at `gpa`, VIRTIO_MMIO_LEN of them. Takes *v over, also when it fails. NULL with *err. */
struct virtio_mmio *virtio_mmio_new(struct virtio *v, const struct platform *to, gpa_t gpa, const struct irq *wire, bool no_ioeventfd, struct error *err);
void virtio_mmio_free(struct virtio_mmio *m);   /* NULL is allowed */

#endif
