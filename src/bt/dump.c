/* SPDX-License-Identifier: MIT */
/* What the translator did, in numbers: the lines of `info bt` and --stats, and the whole of --dump-bt. */
#include <inttypes.h>
#include <stdlib.h>

#include "bt/census.h"
#include "bt/show.h"
#include "machine/vm.h"

static double percent(u64 part, u64 whole) { return whole ? 100.0 * part / whole : 0.0; }

static u64 sum(const u64 *n, unsigned count)
{
    u64 total = 0;
    while (count--)
        total += n[count];
    return total;
}

/* --- callouts --- */

/* The mnemonics that were called out for, the most frequent first. Returns how many. */
static unsigned sort_callouts(const struct bt_stats *s, u16 *order)
{
    unsigned n = 0;
    for (unsigned m = 0; m < MN_COUNT; m++) {
        unsigned at = n;
        if (!s->callouts_by[m])
            continue;
        for (; at > 0 && s->callouts_by[order[at - 1]] < s->callouts_by[m]; at--)
            order[at] = order[at - 1];
        order[at] = m;
        n++;
    }
    return n;
}

/* Forms of MOV, PUSH and POP that are sensitive are instructions of their own. */
static const char *name_of(u16 mnemonic)
{
    static const struct { u16 mnemonic; const char *name; } names[] = {
        { MN_INVALID, "not fetched" }, { MN_MOV_CR, "mov cr" },     { MN_MOV_DR, "mov dr" },
        { MN_MOV_SREG, "mov sreg" },   { MN_PUSH_SREG, "push sreg" }, { MN_POP_SREG, "pop sreg" },
    };
    for (unsigned n = 0; n < ARRAY_LEN(names); n++)
        if (names[n].mnemonic == mnemonic)
            return names[n].name;
    return mnemonic_names[mnemonic];
}

static void print_callouts(const struct bt_stats *s, FILE *out)
{
    u16 order[MN_COUNT];
    unsigned n = sort_callouts(s, order);
    for (unsigned k = 0; k < n; k++)
        fprintf(out, "%s%-11s %11" PRIu64, k % 4 == 0 ? (k ? "\n  " : "  ") : "  ", name_of(order[k]), s->callouts_by[order[k]]);
    fputs(n ? "\n" : "  none\n", out);
}

/* --- the short form --- */

void bt_summary(const struct bt_vcpu *v, FILE *out)
{
    const struct bt_stats *s = &v->bt->stats;
    fprintf(out, "translator: %" PRIu64 " units of %" PRIu64 " instructions, %.1f %% of them identical; %" PRIu64 " chained; %" PRIu64 " invalidated; %" PRIu64 " adapted\n", s->units,
            s->insns, percent(s->by_rule[RULE_IDENT], s->insns), s->chained, s->invalidated, s->adapted);
    fprintf(out, "translator: %" PRIu64 " entries of the cache, %" PRIu64 " callouts, %" PRIu64 " hidden faults; %" PRIu64 " windows made\n", s->entries, s->callouts, s->hidden_faults,
            s->windows_made);
    fprintf(out, "translator: callouts by instruction:\n");
    print_callouts(s, out);
}

/* --- the long form --- */

static void print_translated(const struct bt_stats *s, FILE *out)
{
    u64 in_cache = sum(s->by_rule + RULE_CLI, RULE_LOAD_SREG - RULE_CLI + 1), callout = s->by_rule[RULE_CALLOUT], ident = s->by_rule[RULE_IDENT];
    fprintf(out, "translated   %" PRIu64 " units, %" PRIu64 " instructions: %.1f %% IDENT, %.1f %% rewritten, %.1f %% in cache, %.1f %% callout\n", s->units, s->insns,
            percent(ident, s->insns), percent(s->insns - ident - in_cache - callout, s->insns), percent(in_cache, s->insns), percent(callout, s->insns));
    fprintf(out, "code         %" PRIu64 " bytes of the guest's became %" PRIu64 " of the host's, x %.1f\n", s->guest_bytes, s->host_bytes,
            s->guest_bytes ? (double)s->host_bytes / s->guest_bytes : 0.0);
}

static void print_cache(const struct bt *b, FILE *out)
{
    const struct bt_stats *s = &b->stats;
    fprintf(out, "cache        %u of %u KiB used; %" PRIu64 " units invalidated, %" PRIu64 " lost in %" PRIu64 " flushes\n", (b->code_used + 1023) >> 10, b->code_size >> 10,
            s->invalidated, s->units_flushed, s->flushes);
    fprintf(out, "adaptation   %" PRIu64 " instructions became callouts, %" PRIu64 " went back; %" PRIu64 " pages are traced no more\n", s->adapted, s->reverted, s->untraced);
    fprintf(out, "windows      %" PRIu64 " made, %" PRIu64 " given up\n", s->windows_made, s->windows_lost);
}

static void print_ways(const struct bt_stats *s, FILE *out)
{
    fprintf(out, "entered      %" PRIu64 " times by the monitor\n", s->entries);
    fprintf(out, "left         for %" PRIu64 " jumps to chain, %" PRIu64 " misses of the jump table, %" PRIu64 " callouts, %" PRIu64 " faults, %" PRIu64 " deadlines\n", s->left[LEAVE_LINK],
            s->left[LEAVE_MISS], s->left[LEAVE_CALLOUT], s->left[LEAVE_FAULT], s->left[LEAVE_DEADLINE]);
    if (s->stepped)
        fprintf(out, "stepped      %" PRIu64 " times through plain code (RF is set, or a shadow; an iteration of a string is one)\n", s->stepped);
    fprintf(out, "faults       %" PRIu64 " hidden, %" PRIu64 " true, %" PRIu64 " on traced tables, %" PRIu64 " on code, %" PRIu64 " on devices, %" PRIu64 " exceptions\n", s->hidden_faults,
            s->faults[FILL_FAULT], s->faults[FILL_TRACED], s->faults[FILL_CODE], s->faults[FILL_MMIO], s->exceptions);
}

static void print_transfers(const struct bt *b, FILE *out)
{
    const struct bt_stats *s = &b->stats;
    if (!b->census) {
        fprintf(out, "transfers    %" PRIu64 " exits chained; how often each is taken is not counted in this run\n", s->chained);
        return;
    }
    u64 table = b->census->table_jumps - s->left[LEAVE_MISS], arrivals = census_entered(b->census) + s->left[LEAVE_DEADLINE];
    fprintf(out, "transfers    %" PRIu64 " chained (by %" PRIu64 " exits), %" PRIu64 " by the jump table, %" PRIu64 " by the monitor\n", arrivals - table - s->entries, s->chained, table,
            s->entries);
}

static void print_in_cache(const struct bt_vcpu *v, FILE *out)
{
    u64 n[IN_CACHE_COUNT];
    for (unsigned k = 0; k < IN_CACHE_COUNT; k++)
        n[k] = v->bt->stats.in_cache[k] + v->context.in_cache[k];
    fprintf(out, "in cache     %" PRIu64 " CLI, STI, PUSHF, POPF, %" PRIu64 " reads of CR0 to CR4, %" PRIu64 " RDTSC, %" PRIu64 " segment registers\n", n[IN_CACHE_FLAGS],
            n[IN_CACHE_CR], n[IN_CACHE_RDTSC], n[IN_CACHE_SREG]);
}

void bt_dump(const struct vm *vm, unsigned hottest, unsigned columns, FILE *out)
{
    const struct bt_vcpu *v = bt_of(vm);
    if (!v)
        return;
    fprintf(out, "translator of engine %s, profile %s\n", vm->engine->name, vm->profile.name);
    if (!v->bt->stats.units) {
        fprintf(out, "nothing was translated: the guest ran on the host's processor, or in modes and segments that are interpreted\n");
        return;
    }
    print_translated(&v->bt->stats, out);
    print_cache(v->bt, out);
    print_ways(&v->bt->stats, out);
    print_transfers(v->bt, out);
    print_in_cache(v, out);
    fprintf(out, "translation  %" PRIu64 " cycles\n", vm->ledger.cycles[EV_BT_TRANSLATE]);
    fprintf(out, "callouts by instruction, %" PRIu64 " in all:\n", v->bt->stats.callouts);
    print_callouts(&v->bt->stats, out);
    if (v->bt->census)
        bt_dump_hottest(vm, hottest, columns, out);
}

/* --- the hottest --- */

/* One line each, before they are shown in full. */
static void print_ranking(const struct bt *b, struct heat *const *sorted, unsigned n, u64 all, FILE *out)
{
    fprintf(out, "\nunits by how often they were entered, of %" PRIu64 ":\n", b->census->nheat);
    for (unsigned k = 0; k < n; k++)
        fprintf(out, "  %3u. %08x ring %u %14" PRIu64 " times %6.2f %%\n", k + 1, sorted[k]->eip, sorted[k]->key & KEY_CPL, sorted[k]->entered, percent(sorted[k]->entered, all));
}

static void print_hot(const struct bt *b, unsigned rank, const struct heat *h, u64 all, unsigned columns, FILE *out)
{
    const struct unit *u = cache_find(b, h->eip, h->gpa, h->key);
    fprintf(out, "\n%u. entered %" PRIu64 " times, %.1f %% of all\n", rank, h->entered, percent(h->entered, all));
    if (u)
        show_unit(b, u, columns, out);
    else
        fprintf(out, "unit %08x, ring %u: its code has changed or gone since\n", h->eip, h->key & KEY_CPL);
}

void bt_dump_hottest(const struct vm *vm, unsigned hottest, unsigned columns, FILE *out)
{
    const struct bt *b = bt_of(vm) ? bt_of(vm)->bt : NULL;
    struct heat **sorted = b && b->census ? census_sorted(b->census) : NULL;
    unsigned n = 0;
    if (!sorted)
        return;
    u64 all = census_entered(b->census);
    while (n < hottest && n < b->census->nheat && sorted[n]->entered)
        n++;
    if (n > 1)
        print_ranking(b, sorted, n, all, out);
    for (unsigned k = 0; k < n; k++)
        print_hot(b, k + 1, sorted[k], all, columns, out);
    if (b->census->others.entered)
        fprintf(out, "\n%" PRIu64 " entries of further units, which were too many to be counted one by one\n", b->census->others.entered);
    free(sorted);
}
