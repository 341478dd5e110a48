/* SPDX-License-Identifier: MIT */
/*
 * A device of the modelled host in a guest's hands, as VFIO and QEMU give it away: its registers are the guest's own (no exit), its DMA goes
 * through the IOMMU, its interrupts are remapped or posted. Configuration space and the MSI-X table are trapped, and only they.
 */
#ifndef EMU_DEVICES_VFIO_H
#define EMU_DEVICES_VFIO_H

#include "devices/device.h"

extern const struct device_ops vfio_set_ops;

struct vfio_device;
/* Interrupt message `index` of the host's table has come for it. posted: past the host. */
void vfio_message(struct vfio_device *v, u16 index, bool posted);
/* The level of its interrupt pin on the host's bus has changed. */
void vfio_pin(struct vfio_device *v);

#endif
