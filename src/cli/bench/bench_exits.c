/* SPDX-License-Identifier: MIT */
/* `emu bench exits`: each published row of profiles/published.def beside what the model gives, and the host where it is real. */
#include "cli/bench/bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "hwassist/hwassist.h"

enum kind { ROW_SOURCE, ROW_MEASURED, ROW_COMPOSED, ROW_SHARE, ROW_OVERHEAD, ROW_VPID, ROW_COUNTED, ROW_WALK_REFS, ROW_WALK_LOAD, ROW_WALK_SPAN, ROW_MISSING };
struct row {
    enum kind kind;
    const char *table, *what;
    u64 value, high;
    const char *mark;
    unsigned bar;
    const char *profile, *column, *guest, *operation, *other_column, *other; /* COMPOSED: the formula is `operation` */
    enum event event;
    unsigned pages, every;      /* VPID */
    enum bench_timing timing;   /* SHARE, OVERHEAD */
    unsigned dimensions, misses, native, nested; /* WALK_... */
    enum walk_span span;
};

static const struct row rows[] = {
#define SOURCE(t, text) { ROW_SOURCE, t, text },
#define MEASURED(t, w, v, m, bar, p, c, g, o) { ROW_MEASURED, t, w, v, v, m, bar, p, c, g, o },
#define COMPOSED(t, w, v, m, bar, p, f) { ROW_COMPOSED, t, w, v, v, m, bar, p, .operation = f },
#define SHARE(t, w, v, m, bar, c, g, o, c2, o2) { ROW_SHARE, t, w, v, v, m, bar, "curriculum", c, g, o, c2, o2, .timing = BENCH_WALKS },
#define SHARE_UNCACHED(t, w, v, m, bar, c, g, o, c2, o2) { ROW_SHARE, t, w, v, v, m, bar, "curriculum", c, g, o, c2, o2, .timing = BENCH_WALKS_UNCACHED },
#define OVERHEAD(t, w, low, high, m, p, c, g, o) { ROW_OVERHEAD, t, w, low, high, m, 0, p, c, g, o, .timing = BENCH_WALKS },
#define OVERHEAD_UNCACHED(t, w, low, high, m, p, c, g, o) { ROW_OVERHEAD, t, w, low, high, m, 0, p, c, g, o, .timing = BENCH_WALKS_UNCACHED },
#define WALK_REFS(t, w, v, m, bar, d) { ROW_WALK_REFS, t, w, v, v, m, bar, "curriculum", .dimensions = d },
#define WALK_LOAD(w, r, n, v, m) { ROW_WALK_LOAD, "B 7b", w, v, v, m, 0, "curriculum", .misses = r, .native = n, .nested = v },
#define WALK_SPAN(t, w, low, high, m, s) { ROW_WALK_SPAN, t, w, low, high, m, 0, "curriculum", .span = s },
#define VPID(t, w, low, high, m, p, n) { ROW_VPID, t, w, low, high, m, .pages = p, .every = n },
#define COUNTED(t, w, words, m, e) { ROW_COUNTED, t, w, 0, 0, m, 0, "curriculum", "kvm", "exitcost", words, .event = EV_##e },
#define MISSING(t, w, v, m, why) { ROW_MISSING, t, w, v, v, m, .operation = why },
#include "../profiles/published.def"
};

/* --- which rows ---------------------------------------------------------------------------------- */

static bool is_kvm(const char *column) { return !strncmp(column, "kvm", 3); }

/* The engine of a column's name: "kvm:no-ept" is kvm's. */
static bool wanted(const struct bench *b, const char *column)
{
    size_t len = strcspn(column, ":");
    return !b->engine || (strlen(b->engine) == len && !memcmp(b->engine, column, len));
}

/* With -hw the rows of kvm run there, at its costs. */
static const char *column_of(const struct bench *b, const char *column, char buf[80])
{
    if (!b->hw || !is_kvm(column))
        return column;
    snprintf(buf, 80, "kvm:%s", b->hw);
    return buf;
}
static const char *profile_of(const struct bench *b, const struct row *r)
{
    const char *own = b->hw && r->column && is_kvm(r->column) ? hw_profile(b->hw) : NULL;
    return own ? own : r->profile;
}

/* --- one row ------------------------------------------------------------------------------------- */

static void begin(struct bench *b, const struct row *r) { fprintf(b->out, "%-4s %-58s ", r->table, r->what); }

static unsigned skipped(struct bench *b, const char *why)
{
    fprintf(b->out, "%8s %6s  skipped: %s\n", "-", "-", why);
    return 0;
}

/* 0, or 1 if it is beyond the bar. */
static unsigned judged(struct bench *b, u64 published, u64 model, const char *mark, unsigned bar)
{
    double ratio = published ? (double)model / published : 0;
    bool ok = !bar || (bar == FACTOR_2 ? ratio >= 0.5 && ratio <= 2 : ratio >= 1 - bar / 100.0 && ratio <= 1 + bar / 100.0);
    char limit[16] = "";
    if (bar)
        snprintf(limit, sizeof limit, bar == FACTOR_2 ? "x 2" : "%u %%", bar);
    fprintf(b->out, "%8" PRIu64 " %6.2f  %-5s %s%s\n", model, ratio, limit, mark, ok ? "" : "  BEYOND THE BAR");
    return !ok;
}

static unsigned do_measured(struct bench *b, const struct row *r)
{
    char buf[80];
    struct error why;
    u64 cycles;
    if (!wanted(b, r->column))
        return 0;
    begin(b, r);
    fprintf(b->out, "%8" PRIu64 " ", r->value);
    if (!bench_cycles(b, column_of(b, r->column, buf), r->guest, r->operation, profile_of(b, r), BENCH_EVENTS, "model", &cycles, &why))
        return skipped(b, why.text);
    return judged(b, r->value, cycles, r->mark, r->bar);
}

static unsigned do_composed(struct bench *b, const struct row *r)
{
    struct profile p;
    struct error why;
    u64 cycles = 0;
    if (!wanted(b, "kvm"))
        return 0;
    begin(b, r);
    fprintf(b->out, "%8" PRIu64 " ", r->value);
    if (profile_load(&p, r->profile, &why))
        return skipped(b, why.text);
    int bad = formula_eval(r->operation, &p, &cycles, &why);
    profile_fini(&p);
    return bad ? skipped(b, why.text) : judged(b, r->value, cycles, r->mark, r->bar);
}

static unsigned do_share(struct bench *b, const struct row *r)
{
    struct error why;
    u64 part, whole;
    if (!wanted(b, r->column))
        return 0;
    begin(b, r);
    fprintf(b->out, "%8" PRIu64 " ", r->value);
    if (!bench_cycles(b, r->column, r->guest, r->operation, r->profile, r->timing, "model", &part, &why) ||
        !bench_cycles(b, r->other_column, r->guest, r->other, r->profile, r->timing, "model", &whole, &why))
        return skipped(b, why.text);
    return whole ? judged(b, r->value, (100 * part + whole / 2) / whole, r->mark, r->bar) : skipped(b, "nothing to compare with");
}

static unsigned in_band(struct bench *b, const struct row *r, double percent)
{
    fprintf(b->out, "%8.1f %6s  %-5s %s  %s\n", percent, "", "", r->mark, percent < r->value ? "below the band" : percent > r->high ? "above the band" : "in the band");
    return 0;
}

static unsigned do_overhead(struct bench *b, const struct row *r)
{
    struct error why;
    u64 here, bare;
    if (!wanted(b, r->column))
        return 0;
    begin(b, r);
    fprintf(b->out, "%4" PRIu64 "..%-2" PRIu64 " ", r->value, r->high);
    if (!bench_cycles(b, r->column, r->guest, r->operation, r->profile, r->timing, "model", &here, &why) ||
        !bench_cycles(b, "bare", r->guest, r->operation, r->profile, r->timing, "model", &bare, &why))
        return skipped(b, why.text);
    return in_band(b, r, 100.0 * ((double)here - bare) / bare);
}

static unsigned do_vpid(struct bench *b, const struct row *r)
{
    struct error why;
    struct vpid_result v;
    if (b->hw || !wanted(b, "kvm"))
        return 0;
    begin(b, r);
    fprintf(b->out, "%4" PRIu64 "..%-2" PRIu64 " ", r->value, r->high);
    if (!bench_vpid_at(b, r->pages, r->every, &v, &why))
        return skipped(b, why.text);
    return in_band(b, r, v.better);
}

static unsigned do_counted(struct bench *b, const struct row *r)
{
    struct error why;
    if (!wanted(b, r->column))
        return 0;
    const struct column *shadow = bench_run(b, "kvm:no-ept", r->guest, r->profile, BENCH_EVENTS, "model", &why);
    const struct column *ept = bench_run(b, "kvm", r->guest, r->profile, BENCH_EVENTS, "model", &why);
    fprintf(b->out, "%-4s %-30s %-36s ", r->table, r->what, r->operation);
    if (!shadow || !ept)
        return skipped(b, why.text);
    fprintf(b->out, "%8" PRIu64 " %6" PRIu64 "        %s\n", shadow->ledger.count[r->event], ept->ledger.count[r->event], r->mark);
    return 0;
}

/* --- the page walker alone ----------------------------------------------------------------------- */

static unsigned do_walk_refs(struct bench *b, const struct row *r)
{
    const struct walk_setting setting = { .two_dimensions = r->dimensions == 2, .without = WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB };
    struct profile p;
    struct walk_result w;
    struct error why;
    if (b->engine)
        return 0;
    begin(b, r);
    fprintf(b->out, "%8" PRIu64 " ", r->value);
    if (profile_load(&p, r->profile, &why))
        return skipped(b, why.text);
    bool ok = bench_walks(&setting, &p, &w, &why);
    profile_fini(&p);
    return ok ? judged(b, r->value, w.refs / w.walks, r->mark, r->bar) : skipped(b, why.text);
}

static struct walk_load load_of(const struct row *r) { return (struct walk_load){ r->misses / 1e6, r->native / 1e3 }; }

static bool span_of(const struct row *r, enum walk_span what, const struct walk_load *loads, unsigned n, double *low, double *high, struct error *why)
{
    struct profile p;
    if (profile_load(&p, r->profile, why))
        return false;
    bool ok = bench_walk_span(what, loads, n, &p, low, high, why);
    profile_fini(&p);
    return ok;
}

static unsigned do_walk_load(struct bench *b, const struct row *r)
{
    const struct walk_load load = load_of(r);
    char what[64];
    double low, high;
    struct error why;
    if (b->engine)
        return 0;
    snprintf(what, sizeof what, "%s: a perfect TLB's gain, 2-D without caches, %%", r->what);
    fprintf(b->out, "%-4s %-58s %8.1f ", r->table, what, r->nested / 10.0);
    if (!span_of(r, WALK_PERFECT, &load, 1, &low, &high, &why))
        return skipped(b, why.text);
    fprintf(b->out, "%8.1f %6.2f        %s\n", low, low / (r->nested / 10.0), r->mark);
    return 0;
}

static unsigned do_walk_span(struct bench *b, const struct row *r)
{
    struct walk_load loads[ARRAY_LEN(rows)];
    unsigned n = 0;
    double low, high;
    char span[32];
    struct error why;
    if (b->engine)
        return 0;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].kind == ROW_WALK_LOAD)
            loads[n++] = load_of(&rows[i]);
    begin(b, r);
    fprintf(b->out, "%4" PRIu64 "..%-3" PRIu64, r->value, r->high);
    if (!span_of(r, r->span, loads, n, &low, &high, &why))
        return skipped(b, why.text);
    snprintf(span, sizeof span, "%.1f..%.1f", low, high);
    bool apart = high < r->value || low > r->high, within = low >= r->value && high <= r->high;
    fprintf(b->out, "%15s        %s  %s\n", span, r->mark, within ? "in the band" : !apart ? "overlaps the band" : high < r->value ? "below the band" : "above the band");
    return 0;
}

static unsigned do_missing(struct bench *b, const struct row *r)
{
    if (b->engine)
        return 0;
    begin(b, r);
    fprintf(b->out, "%8" PRIu64 " ", r->value);
    return skipped(b, r->operation);
}

static unsigned do_source(struct bench *b, const struct row *r)
{
    static const char native[] = "native", bt[] = "BT", vt[] = "VT";
    unsigned beyond = 0;
    fprintf(b->out, "\n%s: %s\n", r->table, r->what);
    for (unsigned i = 0; !strcmp(r->table, "B 1a") && i < published_count; i++) {
        const struct published_row *p = &published_rows[i];
        const struct { const char *name, *column; u32 value; } cell[] = { { native, "bare", p->native }, { bt, "bt", p->bt }, { vt, "kvm:prescott", p->vt } };
        for (unsigned n = 0; n < ARRAY_LEN(cell); n++) {
            char what[64];
            snprintf(what, sizeof what, "%s, %s", p->operation, cell[n].name);
            struct row m = { ROW_MEASURED, r->table, what, cell[n].value, 0, "P", cell[n].name == vt ? FACTOR_2 : 0, p->profile, cell[n].column, p->program,
                             p->operation };
            beyond += do_measured(b, &m);
        }
    }
    return beyond;
}

/* --- the host ------------------------------------------------------------------------------------ */

/* Where /dev/kvm is real hardware: the same guest there, by the host's own time-stamp counter. */
static void print_host(struct bench *b)
{
    struct error why = { "" };
    char how[200];
    fprintf(b->out, "\nhost: what /dev/kvm of this machine gives, cycles of its time-stamp counter\n");
    if (kvm_choose(NULL, how, sizeof how, &why) != &kvm_host_backend) {
        fprintf(b->out, "host skipped: %s\n", how);
        return;
    }
    const struct column *c = bench_run(b, "kvm", "exitcost", "curriculum", BENCH_EVENTS, "host", &why);
    for (unsigned i = 0; c && i < c->noperations; i++)
        fprintf(b->out, "host %-58s %8s %8" PRIu64 "\n", c->operation[i].name, "", c->operation[i].cycles / c->operation[i].count);
    if (!c)
        fprintf(b->out, "host skipped: %s\n", why.text);
}

unsigned bench_exits(struct bench *b)
{
    static unsigned (*const print[])(struct bench *, const struct row *) = {
        [ROW_SOURCE] = do_source, [ROW_MEASURED] = do_measured, [ROW_COMPOSED] = do_composed, [ROW_SHARE] = do_share,
        [ROW_OVERHEAD] = do_overhead, [ROW_VPID] = do_vpid, [ROW_COUNTED] = do_counted,
        [ROW_WALK_REFS] = do_walk_refs, [ROW_WALK_LOAD] = do_walk_load, [ROW_WALK_SPAN] = do_walk_span, [ROW_MISSING] = do_missing,
    };
    unsigned beyond = 0;
    fprintf(b->out, "%-4s %-58s %8s %8s %6s  %-5s %s\n", "", "cycles, each", "publ.", "model", "ratio", "bar", "mark");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        beyond += print[rows[i].kind](b, &rows[i]);
    print_host(b);
    fprintf(b->out, "\n%u rows beyond their bar\n", beyond);
    return beyond;
}
