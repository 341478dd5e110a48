/* SPDX-License-Identifier: MIT */
/* The machine itself: engine, processors, memory, clocks, limits. One handler an option, in the order of options.def. */
#include "cli/options/option_handlers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bt/bt.h"
#include "hwassist/hwassist.h"

int opt_m(struct options *o, const char *arg, struct error *err)
{
    if (strncmp(arg, "size=", 5) == 0)
        arg += 5;
    if (parse_size(arg, &o->vm.ram_size) || !o->vm.ram_size)
        return error_set(err, "-m %s: is no size of memory; give MiB, or a number with K, M or G, as -m 256", arg);
    return 0;
}

/* QEMU's -accel has words behind the name, and its translator is whichever engine is best here. */
int opt_engine(struct options *o, const char *arg, struct error *err)
{
    snprintf(o->engine_name, sizeof o->engine_name, "%.*s", (int)strcspn(arg, ",:"), arg);
    o->engine = strcmp(o->engine_name, "tcg") ? o->engine_name : NULL;
    return 0;
}
int opt_enable_kvm(struct options *o, const char *arg, struct error *err) { return opt_engine(o, "kvm", err); }
int opt_profile(struct options *o, const char *arg, struct error *err)
{
    o->vm.profile = arg;
    o->profile_said = true;
    return 0;
}

int opt_no_reboot(struct options *o, const char *arg, struct error *err)
{
    o->vm.no_reboot = true;
    return 0;
}
int opt_max_seconds(struct options *o, const char *arg, struct error *err)
{
    char *end;
    o->vm.max_seconds = strtod(arg, &end);
    if (end == arg || *end || !isfinite(o->vm.max_seconds) || o->vm.max_seconds <= 0)
        return error_set(err, "-max-seconds %s: give a number of seconds above 0", arg);
    return 0;
}
int opt_max_cycles(struct options *o, const char *arg, struct error *err)
{
    if (parse_number(arg, &o->vm.max_cycles) || !o->vm.max_cycles)
        return error_set(err, "-max-cycles %s: give a number of cycles above 0", arg);
    return 0;
}
int opt_cpu(struct options *o, const char *arg, struct error *err)
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
int opt_smp(struct options *o, const char *arg, struct error *err)
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

static int set_irqchip(struct options *o, const char *arg, struct error *err)
{
    o->vm.kernel_irqchip = strcmp(arg, "on") == 0 ? IRQCHIP_ON : strcmp(arg, "split") == 0 ? IRQCHIP_SPLIT : IRQCHIP_OFF;
    o->vm.model_irqchip = o->vm.kernel_irqchip;
    return CHOICE("machine kernel_irqchip", "on", "split", "off");
}

/* "pc", "pc-i440fx-7.2", "accel=kvm", or what has no meaning for this machine, as "usb=off". */
static int set_machine(struct options *o, const char *arg, struct error *err)
{
    const char *value = strchr(arg, '=');
    if (strncmp(arg, "accel=", 6) == 0)
        return opt_engine(o, value + 1, err);
    if (strncmp(arg, "kernel_irqchip=", 15) == 0 || strncmp(arg, "kernel-irqchip=", 15) == 0)
        return set_irqchip(o, value + 1, err);
    if (strncmp(arg, "type=", 5) == 0)
        arg += 5;
    else if (value) {
        fprintf(stderr, "emu: -machine %s makes no difference here\n", arg);
        return 0;
    }
    return strncmp(arg, "pc-i440fx", 9) == 0 ? 0 : CHOICE("machine", "pc");
}

int opt_machine(struct options *o, const char *arg, struct error *err)
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
int opt_rtc(struct options *o, const char *arg, struct error *err)
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
int opt_kvm(struct options *o, const char *arg, struct error *err)
{
    o->vm.kvm = arg;
    return CHOICE("kvm", "host", "model");
}
int opt_switch_engine_at(struct options *o, const char *arg, struct error *err) { return switches_add(&o->switches, arg, err); }
int opt_hw(struct options *o, const char *arg, struct error *err)
{
    o->vm.hw = arg;
    return hw_check(arg, err);
}
int opt_vm(struct options *o, const char *arg, struct error *err)
{
    if (o->nconf == MAX_MACHINES)
        return error_set(err, "-vm: at most %d machines", MAX_MACHINES);
    o->conf[o->nconf++] = arg;
    return 0;
}
int opt_timing(struct options *o, const char *arg, struct error *err)
{
    static const struct { const char *name; bool model; u8 without; } timings[] = {
        { "events" }, { "model", true }, { "model,no-pwc", true, WITHOUT_WALK_CACHE }, { "model,no-ntlb", true, WITHOUT_NESTED_TLB },
        { "model,no-pwc,no-ntlb", true, WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB },
    };
    for (unsigned i = 0; i < ARRAY_LEN(timings); i++) {
        if (strcmp(arg, timings[i].name))
            continue;
        o->vm.timing_model = timings[i].model;
        o->vm.without_caches = timings[i].without;
        return 0;
    }
    return error_set(err, "-timing %s: events or model; model,no-pwc, model,no-ntlb and model,no-pwc,no-ntlb take the page walker's caches away", arg);
}
int opt_exec(struct options *o, const char *arg, struct error *err)
{
    o->vm.accel = strcmp(arg, "interpret") == 0 ? NULL : &bt_accel;
    return CHOICE("exec", "translate", "interpret");
}
int opt_bt_cache(struct options *o, const char *arg, struct error *err)
{
    u64 size;
    if (parse_size(arg, &size) || size < 4 << 20 || size > 1 << 30)
        return error_set(err, "-bt-cache %s: give 4M to 1G, as -bt-cache 64M", arg);
    o->vm.translation_cache = size;
    return 0;
}
int opt_shadow_spaces(struct options *o, const char *arg, struct error *err)
{
    u64 n;
    if (parse_number(arg, &n) || !n || n > 6)
        return error_set(err, "-shadow-spaces %s: give 1 to 6", arg);
    o->vm.shadow_spaces = n;
    return 0;
}
int opt_clock(struct options *o, const char *arg, struct error *err)
{
    o->clock = strcmp(arg, "host") == 0 ? CLOCK_HOST : CLOCK_VIRTUAL;
    return CHOICE("clock", "host", "virtual");
}
int opt_strict_io(struct options *o, const char *arg, struct error *err)
{
    o->vm.strict_io = true;
    return 0;
}
