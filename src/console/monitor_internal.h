/* SPDX-License-Identifier: MIT */
/* Inside the monitor. */
#ifndef EMU_CONSOLE_MONITOR_INTERNAL_H
#define EMU_CONSOLE_MONITOR_INTERNAL_H

#include "console/monitor.h"

struct monitor {
    struct console *console;
    unsigned steps;             /* still to do behind the current one */
    bool waits;                 /* of plain input: the next line is for when the guest has stopped */
    struct chardev *shared;     /* the serial port that has the terminal when the prompt has not; NULL: none */
    bool piped;                 /* and that is a pipe: it hands on what comes behind Ctrl-A c */
    bool away, leaving;         /* and it has it now; it gets it behind this line */
    bool terminal, editing, ended; /* a prompt is open; with libedit; and its input is over */
    char line[512]; unsigned len; /* of plain input: what there is of the next line */
};

typedef void monitor_fn(struct monitor *m, char *args, FILE *out);

struct monitor_command {
    const char *name, *alias, *args, *help;
    monitor_fn *run;
};
extern const struct monitor_command monitor_commands[];
extern const unsigned monitor_command_count;

struct monitor_info_row {
    const char *name, *help;
    void (*print)(struct monitor *m, FILE *out);
};
extern const struct monitor_info_row monitor_info_rows[];
extern const unsigned monitor_info_count;

/* The machine, or NULL with a line to `out` while there is none. */
struct vm *monitor_vm(struct monitor *m, FILE *out);
/* "stopped at ring 0, 0008:00101234: mov eax, ebx" */
void monitor_print_place(struct monitor *m, FILE *out);

/* Evaluate all of `text`. False with a line to `out`. */
bool monitor_evaluate(struct monitor *m, const char *text, u64 *value, FILE *out);

monitor_fn monitor_info, monitor_x, monitor_xp, monitor_print, monitor_sendkey, monitor_type, monitor_mouse_move, monitor_balloon;

#endif
