/* SPDX-License-Identifier: MIT */
/* The 8254 interval timer with its three channels, and port 61h. */
#ifndef EMU_DEVICES_PIT_H
#define EMU_DEVICES_PIT_H

#include "devices/device.h"

#define PIT_HZ 1193182u     /* 14.31818 MHz / 12 */

extern const struct device_ops pit_ops;

#endif
