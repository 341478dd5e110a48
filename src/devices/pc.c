/* SPDX-License-Identifier: MIT */
/* The PC's devices in start-up order. The interrupt controller comes first: it publishes the wires of the others. */
#include "devices/device.h"
#include "devices/pic.h"

const struct device_ops *const pc_devices[] = {
    &pic_ops,
    NULL,
};
