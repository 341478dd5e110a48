/* SPDX-License-Identifier: MIT */
/* The gdb stub: GDB's remote serial protocol (GDB manual, appendix E) over TCP or the terminal, as a client of the console. */
#ifndef EMU_CONSOLE_GDB_H
#define EMU_CONSOLE_GDB_H

#include "console/console.h"

struct gdb;

/* "tcp::PORT", "tcp:HOST:PORT" (no host: this machine only) or "stdio", each perhaps with ",arch=i386" or ",arch=x86-64" behind it: listen, and become a client of the console. NULL with *err. */
struct gdb *gdb_open(struct console *c, const char *where, struct error *err);
/* The same with a connection that is there already; *fd is owned from now on. For tests. */
struct gdb *gdb_open_fd(struct console *c, int fd);
/* After console_run(): say how the guest ended, and close. */
void gdb_close(struct gdb *g);
/* The port that it listens on, 0: none. For tests. */
unsigned gdb_port(const struct gdb *g);

/* Where `qRcmd` commands go; the text that run() prints is gdb's answer. NULL: there are none. */
void gdb_set_monitor(struct gdb *g, void (*run)(void *opaque, const char *line, FILE *out), void *opaque);

#endif
