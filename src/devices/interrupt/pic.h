/* SPDX-License-Identifier: MIT */
/* The pair of 8259A interrupt controllers of the PC. Its create() puts sixteen wires and the intc into the platform. */
#ifndef EMU_DEVICES_PIC_H
#define EMU_DEVICES_PIC_H

#include "devices/device.h"

extern const struct device_ops pic_ops;

#endif
