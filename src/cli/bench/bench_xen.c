/* SPDX-License-Identifier: MIT */
/*
 * `emu bench xen`: lmbench's rows of the Xen paper (profiles/xen-2003.def) beside the same operations of guests/lmbench, as ratios to the bare
 * machine. Nothing published goes into the model's side, and the profile uses no more of the paper than its column of native Linux.
 */
#include "cli/bench/bench.h"

#include <inttypes.h>

#define PROFILE "xeon-2003"
#define TIE 1.1     /* what the paper tells apart by less than a tenth is in no order */
#define FACTOR 2.0
#define SHARE_OF(n) (((n) * 2 + 2) / 3) /* two thirds, rounded up */

/* native, Xen, and a monitor that translates: of 2002, with shadow tables of one address space; and as it became later */
enum { NATIVE, XEN, VMWARE, MONITORS, LATER = MONITORS, SIDES };
static const struct { const char *column; unsigned shadow_spaces; } sides[SIDES] = { { "bare", 0 }, { "pv", 0 }, { "bt", 1 }, { "bt", 0 } };

static const struct row { unsigned table; const char *name, *operation; double us[MONITORS]; } rows[] = {
#define LMBENCH(t, name, operation, l, x, v) { t, name, operation, { l, x, v } },
#include "../profiles/xen-2003.def"
#undef LMBENCH
};

struct tally { unsigned rows, near[MONITORS], both, ordered, equal; };

/* Cycles of one operation on each side. False with *why. */
static bool measure(struct bench *b, const struct row *r, double cycles[SIDES], struct error *why)
{
    for (unsigned s = 0; s < SIDES; s++) {
        b->shadow_spaces = sides[s].shadow_spaces;
        const struct column *c = bench_run(b, sides[s].column, "lmbench", PROFILE, BENCH_EVENTS, "model", why);
        const struct operation *o = c ? column_operation(c, r->operation) : NULL;
        if (!o)
            return c ? error_set(why, "guests/lmbench has no %s", r->operation), false : false;
        cycles[s] = (double)o->cycles / o->count;
    }
    return true;
}

/* 1: in the published order; 0: equal where the paper tells two apart; -1: two are the other way round. */
static int same_order(const double published[MONITORS], const double model[])
{
    int verdict = 1;
    for (unsigned i = 0; i < MONITORS; i++)
        for (unsigned k = 0; k < MONITORS; k++)
            if (published[i] > published[k] * TIE && model[i] <= model[k])
                verdict = model[i] == model[k] && verdict >= 0 ? 0 : -1;
    return verdict;
}

static void print_row(struct bench *b, const struct row *r, const double cycles[SIDES], double hz, struct tally *t)
{
    static const char *const order[] = { "REVERSED", "equal", "yes" };
    bool all = true;
    fprintf(b->out, "%u %-11s %8.2f %8.2f", r->table, r->name, r->us[NATIVE], cycles[NATIVE] / hz * 1e6);
    for (unsigned m = XEN; m < MONITORS; m++) {
        double published = r->us[m] / r->us[NATIVE], model = cycles[m] / cycles[NATIVE], off = model / published;
        bool near = off <= FACTOR && off >= 1 / FACTOR;
        t->near[m] += near;
        all &= near;
        fprintf(b->out, " %8.2f %6.2f %5.2f%c", published, model, off, near ? ' ' : '*');
    }
    int verdict = same_order(r->us, cycles);
    fprintf(b->out, "  %-8s %6.2f\n", order[verdict + 1], cycles[LATER] / cycles[NATIVE]);
    t->rows++;
    t->both += all;
    t->ordered += verdict > 0;
    t->equal += verdict == 0;
}

static unsigned print_tally(struct bench *b, const struct tally *t)
{
    unsigned reversed = t->rows - t->ordered - t->equal;
    fprintf(b->out, "\nwithin a factor of two of the published ratio: Xen %u of %u rows, VMware %u, both %u (bar: %u)\n", t->near[XEN], t->rows, t->near[VMWARE],
            t->both, SHARE_OF(t->rows));
    fprintf(b->out, "in the published order: %u of %u rows; %u equal where the paper tells them apart, %u reversed\n", t->ordered, t->rows, t->equal, reversed);
    return (t->both < SHARE_OF(t->rows)) + (reversed > 0);
}

unsigned bench_xen(struct bench *b)
{
    struct profile p;
    struct error why;
    struct tally t = { 0 };
    if (profile_load(&p, PROFILE, &why)) {
        fprintf(b->out, "skipped: %s\n", why.text);
        return BENCH_FAILED;
    }
    double hz = p.value[COMP_CPU_HZ], cycles[SIDES];
    profile_fini(&p);
    fprintf(b->out, "%-13s %17s %22s %22s\n", "", "native, us", "Xen (pv) : native", "VMware (bt) : native");
    fprintf(b->out, "%-13s %8s %8s %8s %6s %5s  %8s %6s %5s   %-8s %6s\n", "table, row", "publ.", "bare", "publ.", "model", "off", "publ.", "model", "off", "order", "bt now");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        if (!measure(b, &rows[i], cycles, &why)) {
            fprintf(b->out, "skipped: %s\n", why.text);
            return BENCH_FAILED;
        }
        print_row(b, &rows[i], cycles, hz, &t);
    }
    return print_tally(b, &t);
}
