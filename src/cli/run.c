/* SPDX-License-Identifier: MIT */
/* `emu [OPTION]... GUEST`: from the command line to a machine, and from its end to an exit status. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/trace_json.h"
#include "bt/bt.h"
#include "cli/background.h"
#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/guest_path.h"
#include "cli/losses.h"
#include "cli/options/options.h"
#include "cli/several.h"
#include "cli/signals.h"
#include "cli/stats.h"
#include "cli/terminal.h"
#include "console/gdb.h"
#include "hwassist/hwassist.h"
#include "machine/loader.h"
#include "console/monitor.h"

enum { HOTTEST_UNITS = 20 };

struct run {
    struct options options;
    char kernel[PATH_MAX];
    unsigned nserial;       /* serial ports opened */
    struct chardev *debugcon, *parallel, *virtconsole, *virtport[VIRTIO_PORTS_MAX];
    struct vm *vm;          /* while it runs */
    struct console console;
    struct gdb *gdb;
    struct monitor *monitor;
    struct script *script;
    struct chardev *serial[MAX_SERIAL]; /* as opened; the machine may have the script's taps instead */
    struct display display;
    struct background background;
    struct trace_json *trace_json;
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

/* `emu disk.img`: QEMU's way to name the first disk. */
static void take_disk_image(struct options *o)
{
    struct vm_config *c = &o->vm;
    if (!o->guest || o->kernel || c->ndrives == VM_MAX_DRIVES || !guest_is_disk(o->guest))
        return;
    c->drive[c->ndrives++] = (struct vm_drive){ .file = o->guest, .media = DRIVE_DISK, .index = 0 };
    o->guest = NULL;
}

static int find_guest(struct run *r, struct error *err)
{
    struct vm_config *c = &r->options.vm;
    take_disk_image(&r->options);
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
    if (!r->vm)
        return;
    fprintf(stderr, "\nemu: terminated\n");
    vm_stop(r->vm, STATUS_POWEROFF, "ended from the terminal");
}

/* Others that want the terminal. */
static bool gdb_at_terminal(const struct options *o) { return o->gdb && strncmp(o->gdb, "stdio", 5) == 0; }
static bool text_display(const struct options *o) { return o->display && strcmp(o->display, "text") == 0; }

/* Without a word about it, the first serial port is the terminal, as far as the others leave it. */
static const char *default_serial(const struct options *o)
{
    if (gdb_at_terminal(o) || text_display(o) || o->daemonize)
        return "none";
    return o->monitor ? "stdout" : o->monitor_said ? "stdio" : "mon:stdio";
}

/* The terminal's input can be one's only. */
static int check_terminal(const struct options *o, struct error *err)
{
    unsigned users = gdb_at_terminal(o) + text_display(o) + o->monitor + (o->virtio.console && strstr(o->virtio.console, "stdio"));
    for (unsigned i = 0; i < o->nserial; i++)
        users += strstr(o->serial[i], "stdio") != NULL;
    for (unsigned i = 0; i < o->vm.nvirtports; i++)
        users += o->virtio.port[i] && strstr(o->virtio.port[i], "stdio");
    if (users && o->daemonize)
        return error_set(err, "-daemonize: there will be no terminal; give -serial, -monitor and -gdb others, as -serial file:F");
    return users < 2 ? 0 : error_set(err, "only one of -serial, -monitor, -gdb and -display text can have the terminal; give the others none, stdout, file:F or tcp::PORT");
}

static struct chardev *open_chardev(struct run *r, const char *spec, struct error *err)
{
    const struct options *o = &r->options;
    return serial_open(spec, &(struct serial_keys){ quit, r, o->escape, !o->nographic && o->serial_said }, err);
}

static int open_serials(struct run *r, struct error *err)
{
    if (!r->options.nserial)
        r->options.serial[r->options.nserial++] = default_serial(&r->options);
    if (check_terminal(&r->options, err))
        return -1;
    for (; r->nserial < r->options.nserial; r->nserial++) {
        struct chardev *c = open_chardev(r, r->options.serial[r->nserial], err);
        if (!c)
            return -1;
        r->serial[r->nserial] = r->options.vm.serial[r->nserial] = c;
    }
    return 0;
}

static int open_other(struct run *r, const char *spec, struct chardev **opened, struct chardev **config, struct error *err)
{
    if (!spec)
        return 0;
    *config = *opened = open_chardev(r, spec, err);
    return *opened ? 0 : -1;
}

static int open_ports(struct run *r, struct error *err)
{
    struct options *o = &r->options;
    for (unsigned i = 0; i < o->vm.nvirtports; i++)
        if (open_other(r, o->virtio.port[i], &r->virtport[i], &o->vm.virtport[i].line, err))
            return -1;
    return 0;
}

static int open_others(struct run *r, struct error *err)
{
    struct options *o = &r->options;
    return open_other(r, o->debugcon, &r->debugcon, &o->vm.debugcon, err) || open_other(r, o->parallel, &r->parallel, &o->vm.parallel, err) ||
           open_other(r, o->virtio.console, &r->virtconsole, &o->vm.virtconsole, err) || open_ports(r, err) ? -1 : 0;
}

static void close_serials(struct run *r)
{
    while (r->nserial)
        chardev_close(r->serial[--r->nserial]);
    chardev_close(r->debugcon);
    chardev_close(r->parallel);
    chardev_close(r->virtconsole);
    for (unsigned i = 0; i < VIRTIO_PORTS_MAX; i++)
        chardev_close(r->virtport[i]);
}

/* Who starts a machine from its disks sits before its screen, if there is a screen; who starts a kernel reads its console. */
static void choose_display(struct options *o)
{
    bool screen = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY"), person = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (!o->display && o->vm.bios && screen && person)
        o->display = "auto";
}

static bool has_display(const struct options *o) { return o->display && strcmp(o->display, "none"); }

/* Whoever sits at a terminal or a window, or calls the guest by network, lives in the host's time; everything else in the guest's own, which repeats exactly. */
static void choose_clock(struct options *o)
{
    o->vm.realtime = o->clock == CLOCK_HOST || (o->clock == CLOCK_AUTO && (isatty(STDIN_FILENO) || has_display(o) || network_is_served(&o->vm)));
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
    if (o->stopped && !console_is_served(&r->console))
        return error_set(err, "-S: nobody could start the guest; add -s or -gdb tcp::PORT, or -monitor stdio");
    r->options.vm.find_engine = switch_by_name;
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

static int open_trace_json(struct run *r, struct error *err)
{
    struct options *o = &r->options;
    struct error why;
    if (!o->trace_json)
        return 0;
    r->trace_json = trace_json_open(o->trace_json, o->trace_json_limit, &why);
    if (!r->trace_json)
        return error_set(err, "--trace-json: %s", why.text);
    trace_json_begin(r->trace_json, o->guest ? o->guest : "disks", &o->vm.observer, &o->vm.tracer);
    return 0;
}

/* Also where the run did not come about: the document is always complete. */
static int close_trace_json(struct run *r, int status)
{
    struct error why;
    int failed = trace_json_close(r->trace_json, &why);
    r->trace_json = NULL;
    if (failed)
        fprintf(stderr, "emu: --trace-json: %s\n", why.text);
    return failed && status >= 0 ? STATUS_USER : status;
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
    choose_display(&r->options);
    choose_clock(&r->options);
    return open_serials(r, err) || open_others(r, err) || open_console(r, err) || open_script(r, err) || open_trace_json(r, err) ? -1 : 0;
}

static void dump_translator(const struct run *r, const struct vm *vm)
{
    FILE *out = r->options.dump_bt;
    if (out)
        bt_dump(vm, HOTTEST_UNITS, out == stdout ? terminal_columns(BT_COLUMNS) : BT_COLUMNS, out);
}

/* `emu ... | head`: no mistake of anybody's, and there is nobody to tell. */
static bool reader_left(const struct vm *vm) { return vm->interrupt == SIGPIPE; }

static void report_end(struct run *r, struct vm *vm)
{
    fflush(stdout);
    if (r->options.screen_text)
        screen_text_print(vm, stdout);
    if (!reader_left(vm) && (vm->exit_status == STATUS_STOPPED || vm->exit_status == STATUS_LIMIT))
        fprintf(stderr, "emu: %s\n", vm->reason);
    if (r->options.stats)
        stats_print(vm, stderr);
    dump_translator(r, vm);
}

static bool lost_characters(const struct run *r)
{
    const struct options *o = &r->options;
    bool lost = false;
    for (unsigned i = 0; i < r->nserial; i++)
        lost |= losses_of_chardev("-serial", o->serial[i], r->serial[i]);
    for (unsigned i = 0; i < o->vm.nvirtports; i++)
        lost |= losses_of_chardev("-device virtserialport", o->virtio.port[i], r->virtport[i]);
    return lost | losses_of_chardev("-debugcon", o->debugcon, r->debugcon) | losses_of_chardev("-parallel", o->parallel, r->parallel) |
           losses_of_chardev("-device virtconsole", o->virtio.console, r->virtconsole);
}

/* Whatever the guest or the user wanted in a file of the host, all of it must be there. */
static bool lost_output(const struct run *r)
{
    const struct options *o = &r->options;
    return losses_of_vm(r->vm) | lost_characters(r) | losses_of_file("-D", o->trace_path, o->trace_file) |
           (o->dump_bt != stdout && losses_of_file("-dump-bt", o->dump_path, o->dump_bt));
}

static struct vm *new_vm(struct run *r, struct error *err)
{
    struct vm *vm = vm_new(&r->options.vm, err);
    if (vm && r->options.dump_bt && bt_census_start(vm, err)) {
        vm_free(vm);
        return NULL;
    }
    return vm;
}

/* Which of the two it is, and with what, nobody should have to guess; who asks for the model knows. */
static void say_backend(const struct vm *vm)
{
    char text[512];
    if (vm->engine != &kvm_engine || (vm->config.kvm && !strcmp(vm->config.kvm, "model")))
        return;
    kvm_describe(&vm->config, text, sizeof text);
    fprintf(stderr, "emu: kvm: %s\n", text);
}

/* A measurement of a translator that is not at work should not surprise anybody. */
static void say_interpreted(const struct vm *vm)
{
    if (vm->engine == &bt_engine && vm->config.kernel && kernel_is_64bit(vm->config.kernel))
        fprintf(stderr, "emu: bt: the translator is for 32-bit code: in 64-bit mode the guest is interpreted, without shadow page tables\n");
}

static int run_vm(struct run *r, struct error *err)
{
    signals_install();
    if (background_start(&r->background, r->options.pidfile, r->options.daemonize, err))
        return -1;
    r->vm = new_vm(r, err);
    if (!r->vm)
        return -1;
    say_backend(r->vm);
    say_interpreted(r->vm);
    background_ready(&r->background);
    signals_watch(r->vm);
    console_attach(&r->console, r->vm);
    if (r->script)
        script_attach(r->script, r->vm);
    screenshots_start(&r->options.screenshots, r->vm);
    switches_start(&r->options.switches, r->vm);
    int status = console_run(&r->console, r->options.stopped);
    display_close(&r->display);
    bool shots_kept = screenshots_finish(&r->options.screenshots);
    switches_finish(&r->options.switches);
    report_end(r, r->vm);
    status = script_status(r->script, status);
    status = reader_left(r->vm) ? 128 + SIGPIPE : losses_status(status, lost_output(r));
    if (!shots_kept && status == STATUS_POWEROFF)
        status = STATUS_USER;
    if (r->script)
        script_attach(r->script, NULL);
    signals_watch(NULL);
    if (r->trace_json)
        trace_json_end(r->trace_json);
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
    background_end(&r->background);
    return close_trace_json(r, status);
}

static int do_help(void) { return help_print(), 0; }
static int do_help_all(void) { return help_print_all(), 0; }
static int do_version(void) { return puts("emu 0.1, with the command line of QEMU emulator version 7.2"), 0; }

int cli_run(int argc, char **argv)
{
    static int (*const instead[])(void) = { [ACTION_HELP] = do_help, [ACTION_HELP_ALL] = do_help_all, [ACTION_VERSION] = do_version };
    struct run r = { 0 };
    struct error err = { "" };
    int status = options_parse(&r.options, argc, argv, &err);
    if (status == 0)
        status = r.options.action != ACTION_RUN ? instead[r.options.action]() : r.options.nconf ? several_run(argc, argv, &err) : do_run(&r, &err);
    options_fini(&r.options);
    if (status < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    return status < 0 ? STATUS_USER : status;
}
