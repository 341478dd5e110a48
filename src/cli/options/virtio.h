/* SPDX-License-Identifier: MIT */
/* What -device virtio-blk-pci, virtio-rng-pci, virtio-serial-pci, virtconsole and virtserialport say. */
#ifndef EMU_CLI_VIRTIO_H
#define EMU_CLI_VIRTIO_H

#include "machine/vm.h"

/* Zeroed storage to begin with. */
struct virtio_options {
    char *text[VIRTIO_SLOTS_MAX + VIRTIO_PORTS_MAX]; unsigned ntexts;  /* owned: what the configuration points into */
    bool serial_mmio;               /* consoles that follow are in memory, as the virtio-serial-device before them */
    const char *port[VIRTIO_PORTS_MAX]; /* where the console's other ports are; NULL: nowhere */
    const char *console;            /* where the console is, as -serial's; NULL: nowhere */
};

bool virtio_is_device(const char *arg);
/* Takes one -device into the configuration. 0 or -1 with *err. */
int virtio_take_device(struct virtio_options *o, struct vm_config *c, const char *arg, struct error *err);
/* packed=, disable-legacy= and disable-modern=, which all virtio devices have. 0 or -1 with *err. */
int virtio_take_flavor(struct virtio_flavor *f, const char *key, const char *value, struct error *err);
void virtio_fini_options(struct virtio_options *o);

#endif
