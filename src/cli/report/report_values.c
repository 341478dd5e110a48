/* SPDX-License-Identifier: MIT */
#include "cli/report/report_values.h"

#include <inttypes.h>
#include <string.h>

const char *report_grouped(u64 n, char buf[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n), out = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            buf[out++] = ',';
        buf[out++] = digits[i];
    }
    buf[out] = 0;
    return buf;
}

u64 value_family_count(const struct column *c, int f) { return ledger_family_count(&c->ledger, f); }
u64 value_family_cycles(const struct column *c, int f) { return ledger_family_cycles(&c->ledger, f); }
u64 value_event_count(const struct column *c, int e) { return c->ledger.count[e]; }
u64 value_guest_insns(const struct column *c, int unused) { return c->ledger.guest_insns; }
u64 value_guest_cycles(const struct column *c, int unused) { return c->ledger.guest_cycles; }
u64 value_monitor_cycles(const struct column *c, int unused) { return ledger_event_cycles(&c->ledger); }
u64 value_cycles(const struct column *c, int unused) { return column_cycles(c); }

u64 value_events(const struct column *c, int unused)
{
    u64 sum = 0;
    for (int f = 0; f < FAMILY_DEVICE; f++)
        sum += ledger_family_count(&c->ledger, f);
    return sum;
}

bool report_any(const struct comparison *c, value_fn *value, int row)
{
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran && value(&c->column[i], row))
            return true;
    return false;
}

const struct column *report_leading(const struct comparison *c)
{
    const struct column *best = &c->column[0];
    for (unsigned i = 1; i < c->ncolumns; i++)
        if (c->column[i].noperations > best->noperations)
            best = &c->column[i];
    return best;
}

u64 operation_each(const struct operation *o)
{
    u64 half = o->count / 2, rest = o->cycles % o->count;
    return o->cycles / o->count + (rest >= o->count - half && rest); /* to the nearest, without overflow */
}

/* Only a guest that came to an end of its own, and to the same, did the same work on each engine. */
static bool finished(const struct column *c) { return c->ran && (c->status == STATUS_POWEROFF || c->status & 1); }

const struct column *report_baseline(const struct comparison *c)
{
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (finished(&c->column[i]) && !strcmp(c->column[i].engine->name, "bare"))
            return &c->column[i];
    return NULL;
}

const char *report_overhead(const struct column *c, const struct column *bare, char buf[32])
{
    strcpy(buf, "-");
    if (!bare || !column_cycles(bare) || !finished(c) || c->status != bare->status || c == bare)
        return buf;
    double factor = (double)column_cycles(c) / column_cycles(bare);
    if (factor < 10)
        snprintf(buf, 32, "%+.1f %%", (factor - 1) * 100);
    else
        snprintf(buf, 32, "%.1f x", factor);
    return buf;
}

const struct published_row *published_first(const char *profile, const char *program)
{
    for (unsigned i = 0; i < published_count; i++)
        if ((!profile || !strcmp(published_rows[i].profile, profile)) && !strcmp(published_rows[i].program, program))
            return &published_rows[i];
    return NULL;
}
