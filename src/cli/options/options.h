/* SPDX-License-Identifier: MIT */
/* The command line: rows of options.def, parsed into what to do. */
#ifndef EMU_CLI_OPTIONS_H
#define EMU_CLI_OPTIONS_H

#include <stdio.h>

#include "cli/options/chardevs.h"
#include "cli/options/network.h"
#include "cli/options/serial.h"
#include "cli/options/switches.h"
#include "cli/options/vfio.h"
#include "cli/options/virtio.h"
#include "console/display.h"
#include "console/script.h"
#include "machine/vm.h"

enum { MAX_SERIAL = 4, MAX_MACHINES = 8 };
enum action { ACTION_RUN, ACTION_HELP, ACTION_HELP_ALL, ACTION_VERSION };
enum clock_choice { CLOCK_AUTO, CLOCK_HOST, CLOCK_VIRTUAL };

struct options {
    enum action action;
    struct vm_config vm;            /* strings are borrowed from argv */
    const char *engine;             /* NULL or "auto": choose */
    char engine_name[32];           /* where -accel's argument had more than a name */
    const char *conf[MAX_MACHINES]; unsigned nconf; /* -vm: several machines, each described by a file */
    bool profile_said;              /* by the user; otherwise a processor named by -hw brings its own */
    const char *guest;              /* kernel or positional argument, as given */
    bool kernel;                    /* it is -kernel's */
    const char *serial[MAX_SERIAL]; unsigned nserial;
    bool serial_said;              /* by the user, not by default */
    char *drive_spec[VM_MAX_DRIVES]; /* owned; NULL where -hda or its like named the drive */
    struct network_options network;
    struct virtio_options virtio;
    struct chardev_options chardevs;
    struct vfio_options vfio;
    char boot[8];
    const char *debugcon;           /* NULL: nowhere */
    const char *display;            /* "none", "sdl", "text", "auto"; NULL: nothing was said */
    const char *parallel;           /* as -serial's; NULL: there is no printer port */
    int escape;                     /* the terminal's key for emu */
    bool nographic;                 /* Ctrl-C on the terminal is the guest's even without mon: */
    const char *pidfile;            /* NULL: none */
    bool daemonize;
    struct screenshots screenshots;
    struct switches switches;
    char gdb_port[16];              /* of -p */
    const char *gdb;                /* where gdb may attach, NULL: nowhere */
    bool stopped;                   /* -S */
    bool monitor, monitor_said;     /* a prompt on the terminal; -monitor was given, so -nographic's serial port has none */
    struct script_plan script;
    enum clock_choice clock;
    bool stats, screen_text;
    FILE *trace_file;               /* owned */
    FILE *dump_bt;                  /* owned, or stdout; NULL: none */
    const char *trace_path, *dump_path;
    const char *trace_json;         /* NULL: none */
    u64 trace_json_limit;
};

struct option_row { const char *name, *alias, *arg; bool basic; const char *help; };
extern const struct option_row option_rows[];
extern const unsigned option_count;

/* Parse argv[1..]. 0 or -1 with *err. Pair with options_fini(), also after a failure. */
int options_parse(struct options *o, int argc, char **argv, struct error *err);
void options_fini(struct options *o);

/* "256", "256M", "1G", "512K" (no suffix: MiB), in bytes; whole text must be used. 0 or -1. */
int parse_size(const char *text, u64 *bytes);
/* A decimal, 0x or octal number; whole text must be used. 0 or -1. */
int parse_number(const char *text, u64 *value);

#endif
