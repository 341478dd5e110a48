/* SPDX-License-Identifier: MIT */
/* All loads on all paths, and the tables of `emu bench net` and `emu bench blk`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench_load.h"

enum { REASONS_SHOWN = 5 };

/* --- which, and running them --- */

static bool wanted(const struct bench *b, const struct load_path *p) { return !b->path || !strcmp(b->path, "all") || !strcmp(b->path, p->name); }

static bool known(const struct load_bench *what, const char *name)
{
    for (unsigned i = 0; i < what->npaths; i++)
        if (!strcmp(what->paths[i].name, name))
            return true;
    return !strcmp(name, "all");
}

static void say_paths(const struct load_bench *what, const char *name)
{
    fprintf(stderr, "emu: bench %s: no path is called '%s'; there are all", what->name, name);
    for (unsigned i = 0; i < what->npaths; i++)
        fprintf(stderr, ", %s", what->paths[i].name);
    fputc('\n', stderr);
}

/* On another engine than its own only what runs the same kind of guest: a path of Xen's is no path elsewhere, and bare is bare. */
static const char *engine_of(const struct bench *b, const struct load_path *p)
{
    bool fixed = !strcmp(p->engine, "pv") || !strcmp(p->engine, "bare");
    if (!b->engine || !strcmp(b->engine, p->engine))
        return p->engine;
    return fixed || !strcmp(b->engine, "pv") || !strcmp(b->engine, "bare") ? NULL : b->engine;
}

static void run_kind(struct load_results *all, const struct load_path *p, const char *engine, const struct load_kind *k)
{
    for (unsigned i = 0; k->batch[i] && all->count < LOAD_RESULTS; i++) {
        if (i && ((p->most && k->batch[i] > p->most) || (p->ends && k->batch[i + 1])))
            continue;
        struct load_result *r = &all->result[all->count++];
        load_run(&(struct load){ p, engine, k->mode, k->size, k->batch[i], k->batch[i] < 16 && k->count > 2048 ? 2048 : k->count, all->image }, r);
        r->kind = k;
    }
}

static void run_all(struct bench *b, struct load_results *all)
{
    for (unsigned i = 0; i < all->bench->npaths; i++) {
        const struct load_path *p = &all->bench->paths[i];
        const char *engine = engine_of(b, p);
        if (!engine || !wanted(b, p))
            continue;
        for (const struct load_kind *k = all->bench->kinds; k->name; k++)
            run_kind(all, p, engine, k);
    }
}

/* --- each load --- */

static void print_reasons(const struct load_result *r, FILE *out)
{
    bool shown[EV_COUNT] = { false };
    for (unsigned n = 0; n < REASONS_SHOWN; n++) {
        unsigned most = EV_COUNT;
        for (unsigned e = 0; e < EV_COUNT; e++)
            if (load_is_exit(e) && !shown[e] && r->ledger.count[e] && (most == EV_COUNT || r->ledger.count[e] > r->ledger.count[most]))
                most = e;
        if (most == EV_COUNT)
            return;
        shown[most] = true;
        fprintf(out, "%s%s %.4g", n ? ", " : "  ", event_rows[most].name, (double)r->ledger.count[most] / r->operations);
    }
}

static void print_result(const struct load_results *all, const struct load_result *r, FILE *out)
{
    double n = r->operations ? r->operations : 1;
    fprintf(out, "%-15s %-5s %6u ", r->path->name, r->engine, r->batch);
    if (!r->ran) {
        fprintf(out, "skipped: %s\n", r->why);
        return;
    }
    fprintf(out, "%8.4f %8.4f %9.0f %7.3f %8.2f %6.1f", load_exits(r) / n, load_user(r) / n, load_rate(r), load_gbits(all, r), load_us(r), load_cpu(r));
    print_reasons(r, out);
    fputc('\n', out);
}

static void print_kind(const struct load_results *all, const struct load_kind *k, FILE *out)
{
    const struct load_path *skipped = NULL;
    fprintf(out, "\n%s\n%-15s %-5s %6s %8s %8s %9s %7s %8s %6s  exits by reason, each %s\n", k->help, "path", "on", "batch", "exits", "to user", "a second", "Gb/s",
            "us each", "cpu %", all->bench->noun);
    for (unsigned i = 0; i < all->count; i++) {
        const struct load_result *r = &all->result[i];
        if (r->kind != k || (!r->ran && r->path == skipped))
            continue;
        skipped = r->ran ? NULL : r->path;
        print_result(all, r, out);
    }
}

/* --- what was published --- */

static unsigned print_claim(const struct load_results *all, const struct load_claim *c, FILE *out)
{
    const struct load_result *r = load_find(all, c->path, c->kind, c->batch);
    char band[32];
    if (!r)
        return 0;
    fprintf(out, "%-3s %-15s %-46s %11s ", c->source, c->path, c->text, load_band(c, band));
    if (!r->ran) {
        fprintf(out, "%10s  skipped: %s\n", "-", r->why);
        return 0;
    }
    double value = load_claim_value(all, c, r), edge = value < c->band.low ? c->band.low : c->band.high;
    bool met = load_claim_met(c, value);
    fprintf(out, "%10.3f", value);
    if (!load_claim_has_bar(c))
        fprintf(out, "  (no bar)\n");
    else if (met)
        fprintf(out, "  met\n");
    else
        fprintf(out, "  NOT MET: x %.2f\n", edge ? value / edge : value);
    return !met;
}

static unsigned print_claims(const struct load_results *all, FILE *out)
{
    unsigned open = 0;
    fprintf(out, "\npublished, and what came out (within 15 %%, DMA within 10 %%, counts exactly)\n%-3s %-15s %-46s %11s %10s\n", "", "path", "", "published", "here");
    for (const struct load_claim *c = all->bench->claims; c->source; c++)
        open += print_claim(all, c, out);
    if (open)
        fprintf(out, "\n%u figure%s not met; docs/paths.md says why\n", open, open == 1 ? "" : "s");
    return open;
}

/* --- all of it --- */

static bool write_page(struct bench *b, const struct load_results *all)
{
    FILE *f = b->html ? fopen(b->html, "w") : NULL;
    if (!b->html)
        return true;
    if (f)
        bench_load_page(all, f);
    bool lost = !f || ferror(f);
    lost |= f && fclose(f);
    if (lost)
        fprintf(stderr, "emu: bench: --html %s: %s\n", b->html, strerror(errno));
    return !lost;
}

unsigned bench_paths(struct bench *b, const struct load_bench *what)
{
    struct load_results *all = calloc(1, sizeof *all);
    unsigned open = 0;
    if (b->path && !known(what, b->path)) {
        say_paths(what, b->path);
        free(all);
        return BENCH_FAILED;
    }
    all->bench = what;
    if (what->prepare && !what->prepare(all->image)) {
        fprintf(stderr, "emu: bench %s: %s: %s\n", what->name, all->image, strerror(errno));
        free(all);
        return BENCH_FAILED;
    }
    run_all(b, all);
    if (what->prepare)
        unlink(all->image);
    if (b->json) {
        bench_load_json(all, b->out);
    } else {
        fprintf(b->out, "%s; profile curriculum\n", what->title);
        for (const struct load_kind *k = what->kinds; k->name; k++)
            print_kind(all, k, b->out);
        open = what->claims->source ? print_claims(all, b->out) : 0;
    }
    if (!write_page(b, all))
        open = BENCH_FAILED;
    free(all);
    return open;
}
