/* SPDX-License-Identifier: MIT */
/* The small devices of the PC, a port or two each; every one has a file of its name. */
#ifndef EMU_DEVICES_SMALL_H
#define EMU_DEVICES_SMALL_H

#include "devices/device.h"

extern const struct device_ops port92_ops;      /* A20 gate and fast reset */
extern const struct device_ops debugexit_ops;   /* ends the run with an exit status */
extern const struct device_ops debugcon_ops;    /* port E9h: a byte written is a byte printed */
extern const struct device_ops power_ops;       /* ACPI PM1a and Bochs' shutdown port */
extern const struct device_ops hotplug_ops;     /* ACPI events, and devices that come and go: none */
extern const struct device_ops post_ops;        /* port 80h: diagnostic codes, and everybody's delay */
extern const struct device_ops dma_ops;         /* the two 8237A and their page registers */
extern const struct device_ops piix3_ops;       /* the south bridge: PCI interrupts to ISA's */
extern const struct device_ops fwcfg_ops;       /* what firmware asks the machine; contents by fwcfg.h */
extern const struct device_ops fdc_ops;         /* the floppy controller with its drives */

extern const struct device_ops parallel_ops;    /* a printer port */

#endif
