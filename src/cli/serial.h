/* SPDX-License-Identifier: MIT */
/* What -serial names: a back-end for a serial port. */
#ifndef EMU_CLI_SERIAL_H
#define EMU_CLI_SERIAL_H

#include "devices/chardev.h"

/* "stdio", "mon:stdio", "stdout" (no input), "none", "null", "file:NAME". quit(opaque) is called by Ctrl-A x on a terminal. NULL with *err;
 * pair with chardev_close(). */
struct chardev *serial_open(const char *spec, void (*quit)(void *opaque), void *opaque, struct error *err);

#endif
