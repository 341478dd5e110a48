/* SPDX-License-Identifier: MIT */
/* What -serial names: a back-end for a serial port. */
#ifndef EMU_CLI_SERIAL_H
#define EMU_CLI_SERIAL_H

#include "devices/serial/chardev.h"

/* What the terminal's keys do. */
struct serial_keys {
    void (*quit)(void *opaque); /* of Ctrl-A x */
    void *opaque;
    u8 escape;                  /* the key that is Ctrl-A if nothing else is said */
    bool signals;               /* Ctrl-C ends emu, but for mon:stdio */
};

/* "stdio"; "mon:stdio", which also takes keys from a pipe; "stdout" (no input), "none", "null", "vc", "file:NAME". NULL with *err;
 * pair with chardev_close(). */
struct chardev *serial_open(const char *spec, const struct serial_keys *keys, struct error *err);

#endif
