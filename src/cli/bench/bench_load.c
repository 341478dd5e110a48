/* SPDX-License-Identifier: MIT */
#include "cli/bench/bench_load.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "devices/net/net_wire.h"

#define PROFILE "curriculum"
#define LONGEST_RUN 40000000000u /* virtual cycles */

/* --- one run --- */

struct run { struct column column; struct net_wire_counts wire; };

static int run_once(const struct load *l, u32 count, struct run *run, struct error *err)
{
    struct vm_config config;
    struct column *c = &run->column;
    char words[200], path[PATH_MAX + 64];
    if (column_parse(c, l->engine, err))
        return -1;
    vm_config_defaults(&config);
    config.profile = PROFILE;
    config.wire_counts = &run->wire;
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

static void subtract(struct load_result *r, const struct run *longer, const struct run *shorter)
{
    const struct column *more = &longer->column, *less = &shorter->column;
    struct ledger *l = &r->ledger;
    *l = more->ledger;
    for (unsigned e = 0; e < EV_COUNT; e++) {
        l->count[e] -= less->ledger.count[e];
        l->cycles[e] -= less->ledger.cycles[e];
    }
    l->guest_insns -= less->ledger.guest_insns;
    l->guest_cycles -= less->ledger.guest_cycles;
    l->polled -= less->ledger.polled;
    r->operations = more->operation[0].count - less->operation[0].count;
    r->cycles = more->operation[0].cycles - less->operation[0].cycles;
    r->frames = longer->wire.frames - shorter->wire.frames;
    r->frame_cycles = longer->wire.last - shorter->wire.last;
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
    struct run *c = calloc(2, sizeof *c);
    struct error err = { "" };
    *r = (struct load_result){ .path = l->path, .engine = l->engine, .size = l->size, .batch = l->batch, .hz = profile_hz(PROFILE) };
    if (c && run_once(l, l->count, &c[0], &err) == 0 && run_once(l, 2 * l->count, &c[1], &err) == 0)
        subtract(r, &c[1], &c[0]);
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

static bool is_user(enum event e) { return costs(e, "mon.user"); }
static bool is_data(enum event e) { return load_is_exit(e) && event_rows[e].family != FAMILY_IDLE; }

static u64 sum(const struct load_result *r, bool (*wanted)(enum event e))
{
    u64 n = 0;
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (wanted(e))
            n += r->ledger.count[e];
    return n;
}

u64 load_exits(const struct load_result *r) { return sum(r, load_is_exit); }
u64 load_data_exits(const struct load_result *r) { return sum(r, is_data); }
u64 load_user(const struct load_result *r) { return sum(r, is_user); }

static double seconds(cycles_t cycles, u64 hz) { return cycles && hz ? (double)cycles / hz : 1; }

/* What is sent counts when it has come: until then it may lie in a queue of the host. */
double load_rate(const struct load_result *r)
{
    bool sent = r->kind && !strcmp(r->kind->mode, "tx") && r->frames;
    return sent ? r->frames / seconds(r->frame_cycles, r->hz) : r->operations / seconds(r->cycles, r->hz);
}

double load_gbits(const struct load_results *all, const struct load_result *r) { return load_rate(r) * (r->size + all->bench->overhead) * 8 / 1e9; }
double load_us(const struct load_result *r) { return r->operations ? 1e6 * seconds(r->cycles, r->hz) / r->operations : 0; }

double load_cpu(const struct load_result *r)
{
    u64 busy = r->ledger.guest_cycles + ledger_event_cycles(&r->ledger) + r->ledger.polled;
    return r->cycles ? 100.0 * busy / r->cycles : 0;
}

/* --- claims --- */

const struct load_result *load_find(const struct load_results *all, const char *path, const char *kind, u32 batch)
{
    for (unsigned i = 0; i < all->count; i++) {
        const struct load_result *r = &all->result[i];
        if (r->batch == batch && !strcmp(r->path->name, path) && !strcmp(r->kind->name, kind))
            return r;
    }
    return NULL;
}

/* Throughput beside what the wire can carry. */
static double loss(const struct load_results *all, const struct load_result *r)
{
    double lost = 100 * (1 - load_gbits(all, r) / all->bench->wire_gbits);
    return lost > 0 ? lost : 0;
}

/* One access of the device to memory, as the events of this run are priced: all that went past the IOMMU; one through it that it had to walk for. */
static double dma_ns(const struct load_result *r, bool missed)
{
    const struct ledger *l = &r->ledger;
    bool happened = missed ? l->count[EV_IOMMU_WALK] && l->count[EV_DMA_REMAPPED] : l->count[EV_DMA];
    u64 cycles = missed ? l->cost[EV_DMA_REMAPPED] + l->cost[EV_IOMMU_WALK] : l->cost[EV_DMA];
    return happened && r->hz ? 1e9 * cycles / r->hz : 0;
}

static double iotlb_hits(const struct load_result *r)
{
    u64 all = r->ledger.count[EV_DMA_REMAPPED];
    return all ? 100.0 * (all - r->ledger.count[EV_IOMMU_WALK]) / all : 0;
}

double load_claim_value(const struct load_results *all, const struct load_claim *c, const struct load_result *r)
{
    double n = r->operations ? r->operations : 1;
    switch (c->what) {
    case CLAIM_EXITS: return load_exits(r) / n;
    case CLAIM_EXITS_PER_BATCH: return load_exits(r) / n * r->batch;
    case CLAIM_DATA_EXITS: return load_data_exits(r) / n;
    case CLAIM_USER: return load_user(r) / n;
    case CLAIM_KRATE: return load_rate(r) / 1000;
    case CLAIM_GBITS: return load_gbits(all, r);
    case CLAIM_US: return load_us(r);
    case CLAIM_CPU: return load_cpu(r);
    case CLAIM_LOSS: return loss(all, r);
    case CLAIM_DMA_NS: return dma_ns(r, false);
    case CLAIM_DMA_MISS_NS: return dma_ns(r, true);
    case CLAIM_IOTLB_HITS: return iotlb_hits(r);
    }
    return 0;
}

bool load_claim_has_bar(const struct load_claim *c) { return !c->aside && c->what != CLAIM_LOSS && c->what != CLAIM_IOTLB_HITS; }

bool load_claim_met(const struct load_claim *c, double value)
{
    double slack = c->what <= CLAIM_USER ? 0 : c->what >= CLAIM_DMA_NS ? 0.1 : 0.15;
    return !load_claim_has_bar(c) || (value >= (1 - slack) * c->band.low && value <= (1 + slack) * c->band.high);
}

const char *load_band(const struct load_claim *c, char buf[32])
{
    snprintf(buf, 32, c->band.low == c->band.high ? "%g" : "%g to %g", c->band.low, c->band.high);
    return buf;
}
