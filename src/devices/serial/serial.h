/* SPDX-License-Identifier: MIT */
/* COM1 to COM4. A port exists if the platform has a back-end for it; COM1 always does. */
#ifndef EMU_DEVICES_SERIAL_H
#define EMU_DEVICES_SERIAL_H

#include "devices/device.h"

extern const struct device_ops serial_ops;

#endif
