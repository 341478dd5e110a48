/* SPDX-License-Identifier: MIT */
#include "cli/bench/bench_load.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "cli/bench/bench.h"

#define LONGEST_RUN 40000000000u /* virtual cycles */

/* --- one run --- */

static int run_once(const struct load *l, u32 count, struct column *c, struct error *err)
{
    struct vm_config config;
    char words[200], path[PATH_MAX + 64];
    if (column_parse(c, l->engine, err))
        return -1;
    vm_config_defaults(&config);
    config.profile = l->profile ? l->profile : "curriculum";
    config.accel = &bt_accel;
    config.kvm = "model";
    config.max_cycles = LONGEST_RUN;
    snprintf(words, sizeof words, "path=%s mode=%s frame=%u batch=%u count=%u", l->path->words, l->mode, l->size, l->batch, count);
    config.append = words;
    bench_find_guest(l->path->guest, path, sizeof path);
    if (l->path->plug(l, &config, err))
        return -1;
    column_run(c, path, &config);
    return c->ran && !*c->note && c->noperations ? 0 : error_set(err, "%s", *c->note ? c->note : "the guest said nothing");
}

/* --- the difference of two --- */

static void subtract(struct load_result *r, const struct column *more, const struct column *less)
{
    struct ledger *l = &r->ledger;
    *l = more->ledger;
    for (unsigned e = 0; e < EV_COUNT; e++) {
        l->count[e] -= less->ledger.count[e];
        l->cycles[e] -= less->ledger.cycles[e];
    }
    l->guest_insns -= less->ledger.guest_insns;
    l->guest_cycles -= less->ledger.guest_cycles;
    r->operations = more->operation[0].count - less->operation[0].count;
    r->cycles = more->operation[0].cycles - less->operation[0].cycles;
    r->ran = true;
}

static u64 profile_hz(const char *name)
{
    struct profile p;
    if (profile_load(&p, name, NULL))
        return 1;
    u64 hz = p.value[COMP_CPU_HZ];
    profile_fini(&p);
    return hz;
}

void load_run(const struct load *l, struct load_result *r)
{
    struct column *c = calloc(2, sizeof *c);
    struct error err = { "" };
    memset(r, 0, sizeof *r);
    if (c && run_once(l, l->count, &c[0], &err) == 0 && run_once(l, 2 * l->count, &c[1], &err) == 0)
        subtract(r, &c[1], &c[0]);
    r->hz = profile_hz(l->profile ? l->profile : "curriculum");
    snprintf(r->why, sizeof r->why, "%.255s", err.text);
    free(c);
}

/* --- what it says --- */

/* A monitor's exit is known by its formula: the component that brings the processor out of the guest is part of it. */
static bool costs(enum event e, const char *component) { return strstr(event_rows[e].formula, component) != NULL; }

bool load_is_exit(enum event e)
{
    return event_rows[e].family != FAMILY_HOST && (costs(e, "vmx.exit") || costs(e, "bt.trap") || costs(e, "bt.callout") || costs(e, "xen.transition"));
}

bool load_is_user(enum event e) { return costs(e, "mon.user"); }

static u64 sum(const struct load_result *r, bool (*wanted)(enum event e))
{
    u64 n = 0;
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (wanted(e))
            n += r->ledger.count[e];
    return n;
}

static bool is_idle(enum event e) { return load_is_exit(e) && event_rows[e].family == FAMILY_IDLE; }

u64 load_exits(const struct load_result *r) { return sum(r, load_is_exit); }
u64 load_user(const struct load_result *r) { return sum(r, load_is_user); }
u64 load_idle(const struct load_result *r) { return sum(r, is_idle); }

static double seconds(const struct load_result *r) { return r->cycles && r->hz ? (double)r->cycles / r->hz : 1; }
double load_rate(const struct load_result *r) { return r->operations / seconds(r); }
double load_gbits(const struct load_result *r, u32 bytes_each) { return load_rate(r) * bytes_each * 8 / 1e9; }
double load_us(const struct load_result *r) { return r->operations ? 1e6 * seconds(r) / r->operations : 0; }

double load_cpu(const struct load_result *r)
{
    u64 busy = r->ledger.guest_cycles + ledger_event_cycles(&r->ledger);
    return r->cycles ? 100.0 * busy / r->cycles : 0;
}
