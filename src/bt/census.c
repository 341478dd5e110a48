/* SPDX-License-Identifier: MIT */
/*
 * Counting for who looks on. What is counted when the cache is left costs nothing that one could measure, and always happens.
 * How often a unit is entered, and how often a jump goes by the table, only generated code can know: it counts in memory, and is made
 * to do so only where there is a census (--dump-bt). What is left is a difference:
 *
 *     chained transfers = units entered or turned away at their head - entries by the monitor - jumps by the table that hit
 */
#include <stdlib.h>

#include "bt/census.h"
#include "bt/show.h"
#include "machine/vm.h"

struct heat *census_heat(struct bt *b, u32 eip, gpa_t gpa, u32 key)
{
    struct census *c = b->census;
    struct heat **head = &c->hash[(eip ^ eip >> 12 ^ gpa >> 12 ^ key) % CENSUS_HASH];
    for (struct heat *h = *head; h; h = h->next)
        if (h->eip == eip && h->gpa == gpa && h->key == key)
            return h;
    struct heat *h = c->nheat < CENSUS_MAX ? malloc(sizeof *h) : NULL;
    if (!h)
        return &c->others;
    *h = (struct heat){ .eip = eip, .gpa = gpa, .key = key, .next = *head };
    c->nheat++;
    return *head = h;
}

void census_free(struct census *c)
{
    for (unsigned i = 0; c && i < CENSUS_HASH; i++) {
        for (struct heat *h = c->hash[i], *next; h; h = next) {
            next = h->next;
            free(h);
        }
    }
    free(c);
}

static void left_by_fault(struct bt_vcpu *v)
{
    if (v->page_fault || v->fault != FILL_FAULT)
        v->bt->stats.faults[v->fault]++;
    else
        v->bt->stats.exceptions++;
}

void census_callout(struct bt_vcpu *v)
{
    v->bt->stats.callouts++;
    v->bt->stats.callouts_by[v->mnemonic]++;
}

void census_left(struct bt_vcpu *v)
{
    v->bt->stats.left[v->context.leave]++;
    if (v->context.leave == LEAVE_FAULT)
        left_by_fault(v);
    else if (v->context.leave == LEAVE_CALLOUT)
        census_callout(v);
}

/* --- reading it --- */

/* The most entered first; among equals by address, so that the order repeats. */
static int hotter(const void *a, const void *b)
{
    const struct heat *x = *(struct heat *const *)a, *y = *(struct heat *const *)b;
    if (x->entered != y->entered)
        return x->entered > y->entered ? -1 : 1;
    if (x->eip != y->eip)
        return x->eip < y->eip ? -1 : 1;
    if (x->gpa != y->gpa)
        return x->gpa < y->gpa ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

struct heat **census_sorted(const struct census *c)
{
    struct heat **sorted = malloc((c->nheat + 1) * sizeof *sorted);
    u64 n = 0;
    for (unsigned i = 0; sorted && i < CENSUS_HASH; i++)
        for (struct heat *h = c->hash[i]; h; h = h->next)
            sorted[n++] = h;
    if (sorted)
        qsort(sorted, n, sizeof *sorted, hotter);
    return sorted;
}

u64 census_entered(const struct census *c)
{
    u64 sum = c->others.entered;
    for (unsigned i = 0; i < CENSUS_HASH; i++)
        for (const struct heat *h = c->hash[i]; h; h = h->next)
            sum += h->entered;
    return sum;
}

/* --- the face --- */

struct bt_vcpu *bt_of(const struct vm *vm)
{
    const struct vcpu *v = vm->vcpu[0];
    if (vm->engine == &bt_engine)
        return v->engine_data;
    return v->cpu.accel == &bt_accel ? v->cpu.accel_self : NULL;
}

void bt_only_to_show(struct vm *vm)
{
    if (bt_of(vm))
        bt_of(vm)->bt->bmi2 = true;
}

int bt_census_start(struct vm *vm, struct error *err)
{
    struct bt_vcpu *v = bt_of(vm);
    if (!v)
        return error_set(err, "--dump-bt: engine %s translates nothing in this run; try --engine=bt, or --exec=translate", vm->engine->name);
    if (v->bt->census)
        return 0;
    v->bt->census = calloc(1, sizeof *v->bt->census);
    cache_flush(v->bt); /* what is there already does not count */
    v->bt->stats.flushes = v->bt->stats.units_flushed = 0;
    return v->bt->census ? 0 : error_set(err, "--dump-bt: no memory to count in");
}
