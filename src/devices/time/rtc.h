/* SPDX-License-Identifier: MIT */
/* The MC146818 real-time clock with its CMOS RAM, ports 70h and 71h, IRQ 8. */
#ifndef EMU_DEVICES_RTC_H
#define EMU_DEVICES_RTC_H

#include "devices/device.h"

extern const struct device_ops rtc_ops;

#endif
