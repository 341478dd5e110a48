/* SPDX-License-Identifier: MIT */
#include "bt/bt.h"
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/trace_json.h"
#include "cli/accepted.h"
#include "cli/drives.h"
#include "cli/nearest.h"
#include "hwassist/hwassist.h"

int parse_number(const char *text, u64 *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return isdigit((unsigned char)*text) && !*end && !errno ? 0 : -1;
}

int parse_size(const char *text, u64 *bytes)
{
    static const struct { const char *suffix; unsigned shift; } units[] = { { "", 20 }, { "K", 10 }, { "M", 20 }, { "G", 30 } };
    char *end;
    errno = 0;
    u64 n = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || errno)
        return -1;
    for (unsigned i = 0; i < ARRAY_LEN(units); i++)
        if (strcasecmp(end, units[i].suffix) == 0)
            return __builtin_mul_overflow(n, BIT(units[i].shift), bytes) ? -1 : 0;
    return -1;
}

/* --- one handler an option --- */

/* The argument must be one of a list, ended by NULL. */
static int check_choice(const char *option, const char *arg, const char *const *choices, struct error *err)
{
    char list[128] = "";
    for (const char *const *c = choices; *c; c++) {
        if (strcmp(arg, *c) == 0)
            return 0;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", c == choices ? "" : c[1] ? ", " : " or ", *c);
    }
    return error_set(err, "-%s %s: give %s", option, arg, list);
}
#define CHOICE(option, ...) check_choice(option, arg, (const char *const[]){ __VA_ARGS__, NULL }, err)

typedef int option_fn(struct options *o, const char *arg, struct error *err);
#define OPTION(id, name, alias, arg, basic, help) static option_fn opt_##id;
#include "cli/options.def"
#undef OPTION

static int opt_kernel(struct options *o, const char *arg, struct error *err)
{
    o->guest = arg;
    o->kernel = true;
    return 0;
}
static int opt_initrd(struct options *o, const char *arg, struct error *err)
{
    o->vm.initrd = arg;
    return 0;
}
static int opt_append(struct options *o, const char *arg, struct error *err)
{
    o->vm.append = arg;
    return 0;
}
static int opt_module(struct options *o, const char *arg, struct error *err)
{
    if (o->vm.nmodules == VM_MAX_MODULES)
        return error_set(err, "-module: at most %d modules", VM_MAX_MODULES);
    o->vm.module[o->vm.nmodules++] = arg;
    return 0;
}
/* One more drive from "KEY=VALUE,..", copied because it is cut into words. */
static int add_drive(struct options *o, const char *spec, struct error *err)
{
    unsigned n = o->vm.ndrives;
    if (n == VM_MAX_DRIVES)
        return error_set(err, "-drive: at most %d drives", VM_MAX_DRIVES);
    o->drive_spec[n] = strdup(spec);
    o->vm.ndrives++;
    return drive_parse(&o->vm.drive[n], o->drive_spec[n], err);
}
static int opt_drive(struct options *o, const char *arg, struct error *err) { return add_drive(o, arg, err); }

/* A file's name may hold commas here. */
static int add_image(struct options *o, const char *file, enum drive_media media, int index, struct error *err)
{
    if (o->vm.ndrives == VM_MAX_DRIVES)
        return error_set(err, "%s: at most %d drives", file, VM_MAX_DRIVES);
    o->vm.drive[o->vm.ndrives++] = (struct vm_drive){ .file = file, .media = media, .index = index };
    return 0;
}
static int opt_hda(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 0, err); }
static int opt_hdb(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 1, err); }
static int opt_hdc(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 2, err); }
static int opt_hdd(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 3, err); }
static int opt_cdrom(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_CDROM, -1, err); }
static int opt_fda(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_FLOPPY, 0, err); }
static int opt_fdb(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_FLOPPY, 1, err); }
static int opt_snapshot(struct options *o, const char *arg, struct error *err)
{
    o->vm.snapshot = true;
    return 0;
}
static int opt_boot(struct options *o, const char *arg, struct error *err)
{
    if (boot_parse(o->boot, &o->vm.boot_menu, arg, err))
        return -1;
    o->vm.boot = *o->boot ? o->boot : NULL;
    return 0;
}
static int opt_bios(struct options *o, const char *arg, struct error *err)
{
    o->vm.bios = arg;
    return 0;
}
static int opt_L(struct options *o, const char *arg, struct error *err)
{
    o->vm.firmware_dir = arg;
    return 0;
}
static int opt_debugcon(struct options *o, const char *arg, struct error *err)
{
    o->debugcon = arg;
    return 0;
}
static int opt_m(struct options *o, const char *arg, struct error *err)
{
    if (strncmp(arg, "size=", 5) == 0)
        arg += 5;
    if (parse_size(arg, &o->vm.ram_size) || !o->vm.ram_size)
        return error_set(err, "-m %s: is no size of memory; give MiB, or a number with K, M or G, as -m 256", arg);
    return 0;
}
/* QEMU's -accel has words behind the name, and its translator is whichever engine is best here. */
static int opt_engine(struct options *o, const char *arg, struct error *err)
{
    snprintf(o->engine_name, sizeof o->engine_name, "%.*s", (int)strcspn(arg, ",:"), arg);
    o->engine = strcmp(o->engine_name, "tcg") ? o->engine_name : NULL;
    return 0;
}
static int opt_enable_kvm(struct options *o, const char *arg, struct error *err) { return opt_engine(o, "kvm", err); }
static int opt_profile(struct options *o, const char *arg, struct error *err)
{
    o->vm.profile = arg;
    o->profile_said = true;
    return 0;
}
static int opt_serial(struct options *o, const char *arg, struct error *err)
{
    if (o->nserial == MAX_SERIAL)
        return error_set(err, "-serial: a PC has at most %d serial ports", MAX_SERIAL);
    o->serial_said = true;
    o->serial[o->nserial++] = arg;
    return 0;
}
static int opt_parallel(struct options *o, const char *arg, struct error *err)
{
    o->parallel = strcmp(arg, "none") && strcmp(arg, "null") && strcmp(arg, "vc") ? arg : NULL;
    return 0;
}
static int opt_echr(struct options *o, const char *arg, struct error *err)
{
    u64 key;
    if (parse_number(arg, &key) || key > 127)
        return error_set(err, "-echr %s: give the number of a key, as 20 for Ctrl-T", arg);
    o->escape = key;
    return 0;
}

/* QEMU's other kinds of windows are this one; what stands behind a comma is about how they draw. */
static int opt_display(struct options *o, const char *arg, struct error *err)
{
    static const struct { const char *given, *kind; } kinds[] = {
        { "none", "none" }, { "sdl", "sdl" }, { "text", "text" }, { "auto", "auto" }, { "gtk", "sdl" }, { "cocoa", "sdl" }, { "curses", "text" },
    };
    size_t len = strcspn(arg, ",");
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (strlen(kinds[i].given) == len && memcmp(arg, kinds[i].given, len) == 0) {
            o->display = kinds[i].kind;
            return 0;
        }
    return error_set(err, "-display %s: give none, sdl, text or auto", arg);
}
static int opt_curses(struct options *o, const char *arg, struct error *err) { return opt_display(o, "text", err); }
static int opt_screenshot_at(struct options *o, const char *arg, struct error *err) { return screenshots_add(&o->screenshots, arg, err); }
static int opt_vga(struct options *o, const char *arg, struct error *err)
{
    if (strcmp(arg, "std"))
        fprintf(stderr, "emu: -vga %s: the display is always std, a VGA with Bochs' display interface\n", arg);
    return 0;
}
static int opt_nographic(struct options *o, const char *arg, struct error *err)
{
    o->nographic = true;
    o->display = "none";
    return 0;
}

static int set_exit_property(struct options *o, const char *property, struct error *err)
{
    u64 n;
    const char *value = strchr(property, '=');
    if (!value || parse_number(value + 1, &n))
        return error_set(err, "-device isa-debug-exit: '%s' is not iobase=PORT or iosize=BYTES", property);
    if (strncmp(property, "iobase=", 7) == 0 && n <= 0xffff)
        o->vm.debug_exit_port = n;
    else if (strncmp(property, "iosize=", 7) == 0 && n >= 1 && n <= 4)
        o->vm.debug_exit_size = n;
    else
        return error_set(err, "-device isa-debug-exit: '%s': iobase is a port up to 0xffff, iosize 1 to 4 bytes", property);
    return 0;
}

static int take_debug_exit(struct options *o, const char *arg, struct error *err)
{
    char copy[128], *save, *word;
    snprintf(copy, sizeof copy, "%s", arg);
    strtok_r(copy, ",", &save);
    o->vm.debug_exit_port = 0x501; /* QEMU's, where nothing else is said */
    o->vm.debug_exit_size = 2;
    while ((word = strtok_r(NULL, ",", &save)))
        if (set_exit_property(o, word, err))
            return -1;
    return 0;
}

static int opt_device(struct options *o, const char *arg, struct error *err)
{
    if (network_is_adapter(arg))
        return network_take_device(&o->network, &o->vm, arg, err);
    if (virtio_is_device(arg))
        return virtio_take_device(&o->virtio, &o->vm, arg, err);
    if (strncmp(arg, "isa-debug-exit", strcspn(arg, ",")) == 0 && strcspn(arg, ",") == strlen("isa-debug-exit"))
        return take_debug_exit(o, arg, err);
    return error_set(err, "-device %s: only e1000, virtio-net-pci, virtio-blk-pci, virtio-rng-pci, virtconsole and isa-debug-exit can be set up; the machine's other devices are always there (emu list devices)", arg);
}
static int opt_netdev(struct options *o, const char *arg, struct error *err) { return network_take_netdev(&o->network, &o->vm, arg, err); }
static int opt_nic(struct options *o, const char *arg, struct error *err) { return network_take_nic(&o->network, &o->vm, arg, err); }
static int opt_net(struct options *o, const char *arg, struct error *err) { return network_take_net(&o->network, &o->vm, arg, err); }
static int opt_object(struct options *o, const char *arg, struct error *err) { return network_take_object(&o->network, &o->vm, arg, err); }
static int opt_pcap(struct options *o, const char *arg, struct error *err) { return network_take_pcap(&o->network, &o->vm, arg, err); }

static int opt_no_reboot(struct options *o, const char *arg, struct error *err)
{
    o->vm.no_reboot = true;
    return 0;
}
static int opt_max_seconds(struct options *o, const char *arg, struct error *err)
{
    char *end;
    o->vm.max_seconds = strtod(arg, &end);
    if (end == arg || *end || !isfinite(o->vm.max_seconds) || o->vm.max_seconds <= 0)
        return error_set(err, "-max-seconds %s: give a number of seconds above 0", arg);
    return 0;
}
static int opt_max_cycles(struct options *o, const char *arg, struct error *err)
{
    if (parse_number(arg, &o->vm.max_cycles) || !o->vm.max_cycles)
        return error_set(err, "-max-cycles %s: give a number of cycles above 0", arg);
    return 0;
}

static int opt_gdb(struct options *o, const char *arg, struct error *err)
{
    o->gdb = strcmp(arg, "none") ? arg : NULL;
    return 0;
}
static int opt_p(struct options *o, const char *arg, struct error *err)
{
    snprintf(o->gdb_port, sizeof o->gdb_port, "tcp::%s", arg);
    return opt_gdb(o, o->gdb_port, err);
}
static int opt_s(struct options *o, const char *arg, struct error *err) { return opt_gdb(o, "tcp::1234", err); }
static int opt_S(struct options *o, const char *arg, struct error *err)
{
    o->stopped = true;
    return 0;
}

static int add_step(struct options *o, enum script_kind kind, const char *text, struct error *err)
{
    struct script_plan *p = &o->script;
    if (p->count == SCRIPT_MAX)
        return error_set(err, "--expect, --then, --type: at most %d together", SCRIPT_MAX);
    if (!*text || strlen(text) > 500)
        return error_set(err, "--expect, --then, --type: give a text of 1 to 500 characters");
    p->step[p->count].kind = kind;
    p->step[p->count++].text = text;
    return 0;
}
static int opt_expect(struct options *o, const char *arg, struct error *err) { return add_step(o, SCRIPT_EXPECT, arg, err); }
static int opt_type(struct options *o, const char *arg, struct error *err) { return add_step(o, SCRIPT_TYPE, arg, err); }
static int opt_then(struct options *o, const char *arg, struct error *err)
{
    const struct script_plan *p = &o->script;
    if (!p->count || p->step[p->count - 1].kind != SCRIPT_EXPECT)
        return error_set(err, "--then %s: must stand behind an --expect, as in --expect login: --then 'root\\n'", arg);
    return add_step(o, SCRIPT_THEN, arg, err);
}

static int opt_D(struct options *o, const char *arg, struct error *err)
{
    if (o->trace_file)
        fclose(o->trace_file);
    o->trace_file = fopen(arg, "w");
    if (!o->trace_file)
        return error_set(err, "-D %s: %s", arg, strerror(errno));
    o->vm.tracer.out = o->trace_file;
    return 0;
}
static int opt_trace(struct options *o, const char *arg, struct error *err) { return trace_enable(&o->vm.tracer, arg, err); }

static int opt_trace_json(struct options *o, const char *arg, struct error *err)
{
    o->trace_json = arg;
    return 0;
}
static int opt_trace_json_limit(struct options *o, const char *arg, struct error *err)
{
    if (parse_number(arg, &o->trace_json_limit) || !o->trace_json_limit)
        return error_set(err, "-trace-json-limit %s: give a number of elements above 0", arg);
    return 0;
}

/* QEMU's log items, and the trace points that show the same. */
static const struct { const char *item, *traces; } log_items[] = {
    { "in_asm", "insn" }, { "int", "exc" },          { "exec", "bt" },           { "cpu", "insn" },       { "cpu_reset", "mode" }, { "pcall", "mode" },
    { "op", "bt" },       { "out_asm", "bt" },       { "guest_errors", "unclaimed" }, { "unimp", "unclaimed" }, { "mmu", "shadow" },     { "page", "shadow" },
};

static int enable_log_item(struct options *o, const char *item, struct error *err)
{
    if (strncmp(item, "trace:", 6) == 0)
        return trace_enable(&o->vm.tracer, item + 6, err);
    for (unsigned i = 0; i < ARRAY_LEN(log_items); i++)
        if (strcmp(item, log_items[i].item) == 0)
            return trace_enable(&o->vm.tracer, log_items[i].traces, err);
    if (trace_enable(&o->vm.tracer, item, NULL))
        return error_set(err, "-d %s: no such log item; `emu list traces` prints the names of ours", item);
    return 0;
}

static int opt_d(struct options *o, const char *arg, struct error *err)
{
    char copy[256], *save;
    snprintf(copy, sizeof copy, "%s", arg);
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save))
        if (enable_log_item(o, item, err))
            return -1;
    return 0;
}

static int opt_stats(struct options *o, const char *arg, struct error *err)
{
    o->stats = true;
    return 0;
}
static int opt_dump_bt(struct options *o, const char *arg, struct error *err)
{
    if (o->dump_bt && o->dump_bt != stdout)
        fclose(o->dump_bt);
    o->dump_bt = strcmp(arg, "-") ? fopen(arg, "w") : stdout;
    return o->dump_bt ? 0 : error_set(err, "-dump-bt %s: %s", arg, strerror(errno));
}
static int opt_screen_text(struct options *o, const char *arg, struct error *err)
{
    o->screen_text = true;
    return 0;
}
static int opt_cpu(struct options *o, const char *arg, struct error *err)
{
    o->vm.cpu_model = arg;
    if (!cpu_model_find(arg))
        return error_set(err, "-cpu %s: no processor model is called so; `emu list cpus` prints them", arg);
    return 0;
}
/* The number behind `key` in a list of key=value; 0: it is not there. */
static u64 smp_value(const char *list, const char *key)
{
    char number[16];
    u64 n;
    const char *p = strstr(list, key);
    if (!p)
        return 0;
    p += strlen(key);
    snprintf(number, sizeof number, "%.*s", (int)strcspn(p, ","), p);
    return parse_number(number, &n) ? 0 : n;
}

/* How many processors share a socket. All of them, unless told otherwise: they are threads of one core. */
static u64 smp_share(u64 n, const char *list)
{
    u64 cores = smp_value(list, ",cores="), threads = smp_value(list, ",threads="), sockets = smp_value(list, ",sockets=");
    u64 share = cores || threads ? (cores ? cores : 1) * (threads ? threads : 1) : sockets ? (n + sockets - 1) / sockets : n;
    return share < n ? share : n;
}

/* Behind a comma: how they sit in sockets and cores. */
static int opt_smp(struct options *o, const char *arg, struct error *err)
{
    u64 n;
    char count[16];
    if (strncmp(arg, "cpus=", 5) == 0)
        arg += 5;
    snprintf(count, sizeof count, "%.*s", (int)strcspn(arg, ","), arg);
    if (parse_number(count, &n) || n < 1 || n > VM_MAX_VCPUS)
        return error_set(err, "-smp %s: a machine has 1 to %u processors", arg, VM_MAX_VCPUS);
    o->vm.smp = n;
    o->vm.package_cpus = smp_share(n, arg);
    return 0;
}

/* "pc", "pc-i440fx-7.2", "accel=kvm", or what has no meaning for this machine, as "usb=off". */
static int set_machine(struct options *o, const char *arg, struct error *err)
{
    const char *value = strchr(arg, '=');
    if (strncmp(arg, "accel=", 6) == 0)
        return opt_engine(o, value + 1, err);
    if (strncmp(arg, "type=", 5) == 0)
        arg += 5;
    else if (value) {
        fprintf(stderr, "emu: -machine %s makes no difference here\n", arg);
        return 0;
    }
    return strncmp(arg, "pc-i440fx", 9) == 0 ? 0 : CHOICE("machine", "pc");
}

static int opt_machine(struct options *o, const char *arg, struct error *err)
{
    char copy[128], *save;
    snprintf(copy, sizeof copy, "%s", arg);
    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (set_machine(o, word, err))
            return -1;
    return 0;
}
/* The host's clock comes into the guest only where it is asked for: otherwise every run sees the same. */
static int set_rtc_base(struct options *o, const char *when, struct error *err)
{
    struct tm tm = { .tm_mday = 1 };
    time_t now = time(NULL);
    if (strcmp(when, "utc") == 0)
        o->vm.rtc_base = now;
    else if (strcmp(when, "localtime") == 0)
        o->vm.rtc_base = now + localtime_r(&now, &tm)->tm_gmtoff;
    else {
        const char *end = strptime(when, strchr(when, 'T') ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d", &tm);
        if (!end || *end)
            return error_set(err, "-rtc base=%s: give a date, as 2006-06-17T16:01:21, or utc or localtime", when);
        o->vm.rtc_base = timegm(&tm);
    }
    return 0;
}

/* clock= and driftfix= are about catching up with the host, which virtual time need not. */
static int opt_rtc(struct options *o, const char *arg, struct error *err)
{
    char copy[128], *save;
    snprintf(copy, sizeof copy, "%s", arg);
    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (strncmp(word, "base=", 5) == 0 && set_rtc_base(o, word + 5, err))
            return -1;
        if (strncmp(word, "base=", 5) && strncmp(word, "clock=", 6) && strncmp(word, "driftfix=", 9))
            return error_set(err, "-rtc %s: give base=WHEN", word);
    }
    return 0;
}

static int opt_pidfile(struct options *o, const char *arg, struct error *err)
{
    o->pidfile = arg;
    return 0;
}
static int opt_daemonize(struct options *o, const char *arg, struct error *err)
{
    o->daemonize = true;
    return 0;
}
static int opt_kvm(struct options *o, const char *arg, struct error *err)
{
    o->vm.kvm = arg;
    return CHOICE("kvm", "host", "model");
}
static int opt_hw(struct options *o, const char *arg, struct error *err)
{
    o->vm.hw = arg;
    return 0;
}
static int opt_vm(struct options *o, const char *arg, struct error *err)
{
    if (o->nconf == MAX_MACHINES)
        return error_set(err, "-vm: at most %d machines", MAX_MACHINES);
    o->conf[o->nconf++] = arg;
    return 0;
}
static int opt_timing(struct options *o, const char *arg, struct error *err)
{
    o->vm.timing_model = strcmp(arg, "model") == 0;
    return CHOICE("timing", "events", "model");
}
static int opt_exec(struct options *o, const char *arg, struct error *err)
{
    o->vm.accel = strcmp(arg, "interpret") == 0 ? NULL : &bt_accel;
    return CHOICE("exec", "translate", "interpret");
}
static int opt_bt_cache(struct options *o, const char *arg, struct error *err)
{
    u64 size;
    if (parse_size(arg, &size) || size < 4 << 20 || size > 1 << 30)
        return error_set(err, "-bt-cache %s: give 4M to 1G, as -bt-cache 64M", arg);
    o->vm.translation_cache = size;
    return 0;
}
static int opt_clock(struct options *o, const char *arg, struct error *err)
{
    o->clock = strcmp(arg, "host") == 0 ? CLOCK_HOST : CLOCK_VIRTUAL;
    return CHOICE("clock", "host", "virtual");
}
static int opt_strict_io(struct options *o, const char *arg, struct error *err)
{
    o->vm.strict_io = true;
    return 0;
}
static int opt_monitor(struct options *o, const char *arg, struct error *err)
{
    if (strncmp(arg, "vc", 2) == 0 || strcmp(arg, "null") == 0)
        arg = "none"; /* a window has no pages beside the guest's screen */
    o->monitor = strcmp(arg, "stdio") == 0;
    o->monitor_said = true;
    return CHOICE("monitor", "stdio", "none");
}
static int opt_help(struct options *o, const char *arg, struct error *err)
{
    o->action = ACTION_HELP;
    return 0;
}
static int opt_help_all(struct options *o, const char *arg, struct error *err)
{
    o->action = ACTION_HELP_ALL;
    return 0;
}
static int opt_version(struct options *o, const char *arg, struct error *err)
{
    o->action = ACTION_VERSION;
    return 0;
}

/* --- the parser --- */

const struct option_row option_rows[] = {
#define OPTION(id, name, alias, arg, basic, help) { name, alias, arg, basic, help },
#include "cli/options.def"
#undef OPTION
};
const unsigned option_count = ARRAY_LEN(option_rows);

static option_fn *const handlers[] = {
#define OPTION(id, name, alias, arg, basic, help) opt_##id,
#include "cli/options.def"
#undef OPTION
};
_Static_assert(ARRAY_LEN(handlers) == ARRAY_LEN(option_rows), "one handler a row");

static bool spelled(const char *name, const char *text, size_t len) { return name && strlen(name) == len && memcmp(name, text, len) == 0; }

/* Row of the option `text` of `len` characters, or -1. */
static int find_option(const char *text, size_t len)
{
    for (unsigned i = 0; i < option_count; i++)
        if (spelled(option_rows[i].name, text, len) || spelled(option_rows[i].alias, text, len))
            return i;
    return -1;
}

static int unknown_option(const char *given, const char *name, struct error *err)
{
    struct nearest near;
    nearest_init(&near, name);
    for (unsigned i = 0; i < option_count; i++)
        nearest_offer(&near, option_rows[i].name);
    if (near.best)
        return error_set(err, "%s: no such option; did you mean -%s? (emu --help-all lists them)", given, near.best);
    return error_set(err, "%s: no such option; emu --help-all lists them", given);
}

/* An option of QEMU's that is no option here, or nobody's. */
static int parse_accepted(const char *given, const char *name, size_t len, const char *arg, int argc, char **argv, int *i, struct error *err)
{
    const struct accepted_row *r = accepted_find(name, len, NULL);
    if (!r)
        return unknown_option(given, name, err);
    if (r->arg && !arg && *i + 1 < argc)
        arg = argv[++*i];
    r = accepted_find(name, len, arg);
    return r ? accepted_take(r, arg, err) : error_set(err, "%s %s: this machine has none", given, arg);
}

/* Parse the option at argv[*i] and move *i over its argument. */
static int parse_option(struct options *o, int argc, char **argv, int *i, struct error *err)
{
    const char *given = argv[*i], *name = given + 1 + (given[1] == '-');
    size_t len = strcspn(name, "=");
    const char *arg = name[len] ? name + len + 1 : NULL;
    int row = find_option(name, len);
    if (row < 0)
        return parse_accepted(given, name, len, arg, argc, argv, i, err);
    if (option_rows[row].arg && !arg) {
        if (*i + 1 >= argc)
            return error_set(err, "%s: needs an argument: -%s %s", given, option_rows[row].name, option_rows[row].arg);
        arg = argv[++*i];
    } else if (!option_rows[row].arg && arg) {
        return error_set(err, "%s: takes no argument", given);
    }
    return handlers[row](o, arg, err);
}

static int parse_guest(struct options *o, const char *arg, struct error *err)
{
    if (o->guest)
        return error_set(err, "%s: the guest is already %s; only one can be run (compare runs one on all engines)", arg, o->guest);
    o->guest = arg;
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
    *o = (struct options){ 0 };
    vm_config_defaults(&o->vm);
    o->vm.accel = &bt_accel;
    o->escape = CHARDEV_ESCAPE;
    o->trace_json_limit = TRACE_JSON_LIMIT;
    for (int i = 1; i < argc; i++) {
        bool option = argv[i][0] == '-' && argv[i][1];
        if (option ? parse_option(o, argc, argv, &i, err) : parse_guest(o, argv[i], err))
            return -1;
    }
    if (!o->profile_said && hw_profile(o->vm.hw))
        o->vm.profile = hw_profile(o->vm.hw);
    return 0;
}

void options_fini(struct options *o)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++)
        free(o->drive_spec[i]);
    network_fini(&o->network);
    virtio_fini_options(&o->virtio);
    if (o->trace_file)
        fclose(o->trace_file);
    o->trace_file = NULL;
    if (o->dump_bt && o->dump_bt != stdout)
        fclose(o->dump_bt);
    o->dump_bt = NULL;
    screenshots_fini(&o->screenshots);
}
