/* SPDX-License-Identifier: MIT */
/*
 * Back-ends for characters: nothing, a buffer (tests), the terminal, a file.
 * Each is heap storage; pair with chardev_close(). One device at a time uses a back-end.
 */
#ifndef EMU_DEVICES_CHARDEV_H
#define EMU_DEVICES_CHARDEV_H

#include "devices/device.h"

/* Output is dropped, no input comes. */
struct chardev *chardev_null_new(void);

/* Output is collected, input is fed. */
struct chardev *chardev_buffer_new(void);
/* All output so far, NUL-ended; *len, if not NULL, gets the length (there may be bytes 0 within). Valid until the next
 * output. */
const char *chardev_buffer_text(const struct chardev *c, size_t *len);
void chardev_buffer_clear(struct chardev *c);
/* Append input and call ready(). */
void chardev_buffer_feed(struct chardev *c, const void *data, size_t len);

enum { CHARDEV_ESCAPE = 0x01 };     /* Ctrl-A */

/* The process's stdin and stdout. A terminal is put into raw mode until chardev_close(), so that Ctrl-C reaches the
 * guest: Ctrl-A x calls quit(opaque), Ctrl-A h prints the keys, Ctrl-A Ctrl-A sends one Ctrl-A. quit may be NULL. NULL with *err. */
struct chardev *chardev_stdio_new(void (*quit)(void *opaque), void *opaque, struct error *err);

/* Of a back-end by chardev_stdio_new(): another key for Ctrl-A; does it also count in what comes through a pipe; do Ctrl-C and
 * its like remain signals for emu? */
struct chardev_keys { u8 escape; bool in_pipes, signals; };
void chardev_stdio_set_keys(struct chardev *c, const struct chardev_keys *keys);
u8 chardev_stdio_escape(const struct chardev *c);

/* Of a back-end by chardev_stdio_new(): Ctrl-A c calls monitor(opaque). */
void chardev_stdio_on_monitor(struct chardev *c, void (*monitor)(void *opaque), void *opaque);
/* From now on what is typed goes to take(opaque, byte), with -1 at its end, and not to the guest; NULL: to the guest again. */
void chardev_stdio_divert(struct chardev *c, void (*take)(void *opaque, int byte), void *opaque);
/* Lend the terminal's input to somebody else, in the mode that it had, or take it back. Output goes on. */
void chardev_stdio_lend(struct chardev *c, bool lent);

/* Output goes to a file, which is created or emptied. NULL with *err. */
struct chardev *chardev_file_new(const char *path, struct error *err);

/* Look for input without waiting, and flush output. For the run loop. NULL is allowed. */
void chardev_poll(struct chardev *c);

/* Restore what was changed and free. The device that used it must be gone, or never use it again. NULL is allowed. */
void chardev_close(struct chardev *c);

#endif
