/* SPDX-License-Identifier: MIT */
/* `emu [OPTION]... GUEST`: from the command line to a machine, and from its end to an exit status. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/guest_path.h"
#include "cli/options.h"
#include "cli/signals.h"
#include "cli/stats.h"
#include "console/gdb.h"
#include "console/monitor.h"

struct run {
    struct options options;
    char kernel[PATH_MAX];
    unsigned nserial;       /* serial ports opened */
    struct chardev *debugcon;
    struct vm *vm;          /* while it runs */
    struct console console;
    struct gdb *gdb;
    struct monitor *monitor;
    struct script *script;
    struct chardev *serial[MAX_SERIAL]; /* as opened; the machine may have the script's taps instead */
    struct display display;
};

static int choose_engine(struct run *r, struct error *err)
{
    const char *name = r->options.engine;
    if (name && strcmp(name, "auto")) {
        r->options.vm.engine = engine_find(name, err);
        return r->options.vm.engine ? 0 : -1;
    }
    r->options.vm.engine = engine_auto();
    if (name)
        fprintf(stderr, "emu: --engine=auto: %s, %s\n", r->options.vm.engine->name, r->options.vm.engine->help);
    return 0;
}

static int find_guest(struct run *r, struct error *err)
{
    struct vm_config *c = &r->options.vm;
    if (!r->options.guest && (c->ndrives || c->bios)) {
        c->bios = c->bios ? c->bios : VM_BIOS;
        return 0;
    }
    if (!r->options.guest)
        return error_set(err, "no guest is named; try `emu guests/hello`, or emu --help");
    c->bios = NULL;                 /* the kernel is entered without it */
    c->kernel = r->kernel;
    return guest_path(r->options.guest, c->engine, r->kernel, sizeof r->kernel, err);
}

/* Ctrl-A x on the terminal. */
static void quit(void *run)
{
    struct run *r = run;
    if (r->vm)
        vm_interrupt(r->vm, SIGINT);
}

/* Others that want the terminal. */
static bool gdb_at_terminal(const struct options *o) { return o->gdb && strncmp(o->gdb, "stdio", 5) == 0; }
static bool text_display(const struct options *o) { return o->display && strcmp(o->display, "text") == 0; }

/* Without a word about it, the first serial port is the terminal, as far as the others leave it. */
static const char *default_serial(const struct options *o)
{
    return gdb_at_terminal(o) || text_display(o) ? "none" : o->monitor ? "stdout" : "mon:stdio";
}

/* The terminal's input can be one's only. */
static int check_terminal(const struct options *o, struct error *err)
{
    unsigned users = gdb_at_terminal(o) + text_display(o) + o->monitor;
    for (unsigned i = 0; i < o->nserial; i++)
        users += strstr(o->serial[i], "stdio") != NULL;
    return users < 2 ? 0 : error_set(err, "only one of -serial, -monitor, -gdb and -display text can have the terminal; give the others none, stdout, file:F or tcp::PORT");
}

static int open_serials(struct run *r, struct error *err)
{
    if (!r->options.nserial)
        r->options.serial[r->options.nserial++] = default_serial(&r->options);
    if (check_terminal(&r->options, err))
        return -1;
    for (; r->nserial < r->options.nserial; r->nserial++) {
        struct chardev *c = serial_open(r->options.serial[r->nserial], quit, r, err);
        if (!c)
            return -1;
        r->serial[r->nserial] = r->options.vm.serial[r->nserial] = c;
    }
    return 0;
}

static int open_debugcon(struct run *r, struct error *err)
{
    if (!r->options.debugcon)
        return 0;
    r->options.vm.debugcon = r->debugcon = serial_open(r->options.debugcon, quit, r, err);
    return r->debugcon ? 0 : -1;
}

static void close_serials(struct run *r)
{
    while (r->nserial)
        chardev_close(r->serial[--r->nserial]);
    chardev_close(r->debugcon);
}

static bool has_display(const struct options *o) { return o->display && strcmp(o->display, "none"); }

/* Whoever sits at a terminal or a window lives in the host's time; everything else in the guest's own, which repeats exactly. */
static void choose_clock(struct options *o)
{
    o->vm.realtime = o->clock == CLOCK_HOST || (o->clock == CLOCK_AUTO && (isatty(STDIN_FILENO) || has_display(o)));
}

/* Who can look into the guest and steer it. */
static int open_console(struct run *r, struct error *err)
{
    const struct options *o = &r->options;
    r->monitor = monitor_new(&r->console);
    if (!r->monitor || (o->monitor && monitor_open_terminal(r->monitor, err)))
        return -1;
    for (unsigned i = 0; i < r->nserial; i++)
        if (strcmp(o->serial[i], "mon:stdio") == 0 && monitor_share_terminal(r->monitor, r->serial[i], err))
            return -1;
    if (o->gdb && !(r->gdb = gdb_open(&r->console, o->gdb, err)))
        return -1;
    if (o->display && display_open(&r->display, &r->console, o->display, err))
        return -1;
    if (r->gdb)
        gdb_set_monitor(r->gdb, monitor_run, r->monitor);
    if (o->stopped && !r->console.nclients)
        return error_set(err, "-S: nobody could start the guest; add -s or -gdb tcp::PORT, or -monitor stdio");
    console_configure(&r->console, &r->options.vm);
    return 0;
}

static int open_script(struct run *r, struct error *err)
{
    if (!r->options.script.count)
        return 0;
    r->script = script_new(&r->options.script);
    if (!r->script)
        return error_set(err, "--expect: no memory");
    for (unsigned i = 0; i < r->nserial; i++)
        r->options.vm.serial[i] = script_tap(r->script, i, r->serial[i]);
    return 0;
}

/* A guest that ended well before it said what was expected has not passed. */
static int script_status(const struct script *s, int status)
{
    const char *missing = s ? script_missing(s) : NULL;
    if (!missing)
        return status;
    fprintf(stderr, "emu: --expect: the guest never showed '%s'\n", missing);
    return status == STATUS_POWEROFF ? STATUS_LIMIT : status;
}

static void close_console(struct run *r)
{
    gdb_close(r->gdb);
    r->gdb = NULL;
    display_close(&r->display);
    if (r->monitor)
        monitor_close_terminal(r->monitor);
    monitor_free(r->monitor);
    r->monitor = NULL;
    console_attach(&r->console, NULL);
}

static int prepare(struct run *r, struct error *err)
{
    if (choose_engine(r, err) || find_guest(r, err))
        return -1;
    choose_clock(&r->options);
    return open_serials(r, err) || open_debugcon(r, err) || open_console(r, err) || open_script(r, err) ? -1 : 0;
}

static void report_end(struct run *r, struct vm *vm)
{
    fflush(stdout);
    if (r->options.screen_text)
        screen_text_print(vm, stdout);
    if (vm->exit_status == STATUS_STOPPED || vm->exit_status == STATUS_LIMIT)
        fprintf(stderr, "emu: %s\n", vm->reason);
    if (r->options.stats)
        stats_print(vm, stderr);
}

static int run_vm(struct run *r, struct error *err)
{
    signals_install();
    r->vm = vm_new(&r->options.vm, err);
    if (!r->vm)
        return -1;
    signals_watch(r->vm);
    console_attach(&r->console, r->vm);
    if (r->script)
        script_attach(r->script, r->vm);
    screenshots_start(&r->options.screenshots, r->vm);
    int status = console_run(&r->console, r->options.stopped);
    display_close(&r->display);
    screenshots_finish(&r->options.screenshots);
    report_end(r, r->vm);
    status = script_status(r->script, status);
    if (r->script)
        script_attach(r->script, NULL);
    signals_watch(NULL);
    close_console(r);
    vm_free(r->vm);
    r->vm = NULL;
    return status;
}

static int do_run(struct run *r, struct error *err)
{
    int status = prepare(r, err) ? -1 : run_vm(r, err);
    close_console(r);
    close_serials(r);
    script_free(r->script);
    return status;
}

static int do_help(void) { return help_print(), 0; }
static int do_help_all(void) { return help_print_all(), 0; }
static int do_version(void) { return puts("emu 0.1"), 0; }

int cli_run(int argc, char **argv)
{
    static int (*const instead[])(void) = { [ACTION_HELP] = do_help, [ACTION_HELP_ALL] = do_help_all, [ACTION_VERSION] = do_version };
    struct run r = { 0 };
    struct error err = { "" };
    int status = options_parse(&r.options, argc, argv, &err);
    if (status == 0)
        status = r.options.action == ACTION_RUN ? do_run(&r, &err) : instead[r.options.action]();
    options_fini(&r.options);
    if (status < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    return status < 0 ? STATUS_USER : status;
}
