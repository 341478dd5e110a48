/* SPDX-License-Identifier: MIT */
/* The PC's devices in start-up order. The interrupt controller comes first: it publishes the wires of the others;
 * so does the host bridge the PCI bus. */
#include "devices/chipset/small.h"
#include "devices/device.h"
#include "devices/disk/ide.h"
#include "devices/display/vga.h"
#include "devices/e1000/e1000.h"
#include "devices/input/i8042.h"
#include "devices/interrupt/apic.h"
#include "devices/interrupt/pic.h"
#include "devices/pci/pci.h"
#include "devices/serial/serial.h"
#include "devices/time/pit.h"
#include "devices/time/rtc.h"
#include "devices/vfio/vfio.h"
#include "devices/vfio/vfio_real.h"
#include "devices/virtio/virtio.h"

const struct device_ops *const pc_devices[] = {
    &lapic_ops,     /* between the 8259A and the processors: first, */
    &pic_ops,
    &ioapic_ops,    /* beside it: before the other devices take their wires */
    &pit_ops,
    &rtc_ops,
    &i8042_ops,
    &serial_ops,
    &parallel_ops,
    &pci_host_ops,
    &piix3_ops,
    &vga_ops,
    &ide_ops,
    &e1000_ops,
    &virtio_set_ops,
    &vfio_set_ops,
    &vfio_real_ops,
    &fwcfg_ops,
    &dma_ops,
    &fdc_ops,
    &post_ops,
    &port92_ops,
    &power_ops,
    &hotplug_ops,
    &debugexit_ops,
    &debugcon_ops,
    NULL,
};
