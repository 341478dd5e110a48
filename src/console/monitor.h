/* SPDX-License-Identifier: MIT */
/* The monitor: commands that look into a machine and steer it. The commands are the rows of monitor.def. */
#ifndef EMU_CONSOLE_MONITOR_H
#define EMU_CONSOLE_MONITOR_H

#include <stdio.h>

#include "console/console.h"

struct monitor;
struct chardev;

/* Without a terminal: whoever has a line calls monitor_run(). NULL: no memory. */
struct monitor *monitor_new(struct console *c);
void monitor_free(struct monitor *m);
/* Carry out one line; the answer goes to `out`. `monitor` is a struct monitor (gdb's qRcmd has it as void *). */
void monitor_run(void *monitor, const char *line, FILE *out);

/* A prompt on the process's stdin and stdout, as a client of the console: with history and completion on a terminal, plain lines
 * otherwise. One in a process. 0 or -1 with *err. */
int monitor_open_terminal(struct monitor *m, struct error *err);
/* The same, where serial port `stdio` (of chardev_stdio_new(), borrowed) has the terminal: Ctrl-A c goes to the prompt and back. With a
 * pipe there, what comes between two Ctrl-A c are the monitor's lines. */
int monitor_share_terminal(struct monitor *m, struct chardev *stdio, struct error *err);
void monitor_close_terminal(struct monitor *m);

#endif
