/* SPDX-License-Identifier: MIT */
/* A comparison as tables for people: what each operation cost, what was counted, and what it came to. */
#include "cli/compare.h"

#include <inttypes.h>
#include <string.h>

enum { LABEL = 18, CELL = 11, PUBLISHED_CELL = 8, MOST_FREQUENT = 4, WIDTH = 100 };

/* --- cells ------------------------------------------------------------------------------------ */

/* 1234567 -> "1,234,567" */
static const char *grouped(u64 n, char buf[32])
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

static void cell_text(FILE *out, const char *text) { fprintf(out, "%*s", CELL, text); }

/* A number that its column holds; past that, in millions or more, with one decimal (cut, not rounded). */
static void cell_number(FILE *out, u64 n)
{
    static const struct { u64 one; char letter; } units[] = { { 1000000, 'M' }, { 1000000000, 'G' }, { 1000000000000, 'T' } };
    char whole[32], text[48];
    unsigned u = 0;
    if (n < 100000000)
        return cell_text(out, grouped(n, whole));
    while (u < 2 && n / units[u].one >= 10000)
        u++;
    snprintf(text, sizeof text, "%s.%u %c", grouped(n / units[u].one, whole), (unsigned)(n % units[u].one * 10 / units[u].one), units[u].letter);
    cell_text(out, text);
}

static void label(FILE *out, const char *text) { fprintf(out, "%-*s", LABEL, text); }

static void heading(const struct comparison *c, const char *title, FILE *out)
{
    label(out, title);
    for (unsigned i = 0; i < c->ncolumns; i++)
        cell_text(out, c->column[i].label);
}

/* One row of a table of counts: value(column, row) for each that ran. */
typedef u64 value_fn(const struct column *c, int row);

static void row_numbers(const struct comparison *c, const char *name, value_fn *value, int row, FILE *out)
{
    label(out, name);
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran)
            cell_number(out, value(&c->column[i], row));
        else
            cell_text(out, "-");
    fputc('\n', out);
}

/* Is there anything to show in that row? */
static bool any(const struct comparison *c, value_fn *value, int row)
{
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran && value(&c->column[i], row))
            return true;
    return false;
}

/* --- what the guest measured ------------------------------------------------------------------ */

/* The column that has most operations: its order is the table's. */
static const struct column *leading(const struct comparison *c)
{
    const struct column *best = &c->column[0];
    for (unsigned i = 1; i < c->ncolumns; i++)
        if (c->column[i].noperations > best->noperations)
            best = &c->column[i];
    return best;
}

/* The first row that the literature has for this program, under this profile or (profile NULL) any; or NULL. */
static const struct published_row *first_published(const char *profile, const char *program)
{
    for (unsigned i = 0; i < published_count; i++)
        if ((!profile || !strcmp(published_rows[i].profile, profile)) && !strcmp(published_rows[i].program, program))
            return &published_rows[i];
    return NULL;
}

static void row_operation(const struct comparison *c, const struct operation *o, const char *program, bool published, FILE *out)
{
    label(out, o->name);
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct operation *mine = column_operation(&c->column[i], o->name);
        if (mine)
            cell_number(out, (mine->cycles + mine->count / 2) / mine->count);
        else
            cell_text(out, "-");
    }
    const struct published_row *p = published_find(c->profile.name, program, o->name);
    if (published && p)
        fprintf(out, "  |%*u%*u%*u", PUBLISHED_CELL, p->native, PUBLISHED_CELL, p->bt, PUBLISHED_CELL, p->vt);
    fputc('\n', out);
}

static void table_operations(const struct comparison *c, FILE *out)
{
    const struct column *lead = leading(c);
    bool published = first_published(c->profile.name, lead->program);
    if (!lead->noperations)
        return;
    if (published)
        fprintf(out, "%*s  |%*s\n", LABEL + CELL * (int)c->ncolumns, "", 3 * PUBLISHED_CELL, "as published");
    heading(c, "cycles, each", out);
    if (published)
        fprintf(out, "  |%*s%*s%*s", PUBLISHED_CELL, "native", PUBLISHED_CELL, "BT", PUBLISHED_CELL, "VT");
    fputc('\n', out);
    for (unsigned i = 0; i < lead->noperations; i++)
        row_operation(c, &lead->operation[i], lead->program, published, out);
    fputc('\n', out);
}

/* --- what was counted ------------------------------------------------------------------------- */

static u64 family_count(const struct column *c, int f) { return ledger_family_count(&c->ledger, f); }
static u64 family_cycles(const struct column *c, int f) { return ledger_family_cycles(&c->ledger, f); }
static u64 event_count(const struct column *c, int e) { return c->ledger.count[e]; }
static u64 guest_insns(const struct column *c, int unused) { return c->ledger.guest_insns; }
static u64 guest_cycles(const struct column *c, int unused) { return c->ledger.guest_cycles; }
static u64 monitor_cycles(const struct column *c, int unused) { return ledger_event_cycles(&c->ledger); }

static u64 all_events(const struct column *c, int unused)
{
    u64 sum = 0;
    for (int f = 0; f < FAMILY_COUNT; f++)
        sum += ledger_family_count(&c->ledger, f);
    return sum;
}

static void table_families(const struct comparison *c, FILE *out)
{
    heading(c, "events, counted", out);
    fputc('\n', out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (any(c, family_count, f))
            row_numbers(c, family_rows[f].name, family_count, f, out);
    row_numbers(c, "all", all_events, 0, out);
    row_numbers(c, "guest instructions", guest_insns, 0, out);
    fputc('\n', out);
}

static void table_reasons(const struct comparison *c, FILE *out)
{
    heading(c, "events, by reason", out);
    fputc('\n', out);
    for (int e = 0; e < EV_COUNT; e++)
        if (any(c, event_count, e))
            row_numbers(c, event_rows[e].name, event_count, e, out);
    fputc('\n', out);
}

/* The event with the next lower count (or the same and a later row) than `than`; EV_COUNT: no more. */
static int next_frequent(const struct ledger *l, int than)
{
    int best = EV_COUNT;
    for (int e = 0; e < EV_COUNT; e++) {
        bool after = than == EV_COUNT || l->count[e] < l->count[than] || (l->count[e] == l->count[than] && e > than);
        if (l->count[e] && after && (best == EV_COUNT || l->count[e] > l->count[best]))
            best = e;
    }
    return best;
}

static void list_frequent(const struct column *c, FILE *out)
{
    char buf[32];
    int e = EV_COUNT, width = LABEL;
    label(out, c->label);
    for (unsigned i = 0; i < MOST_FREQUENT && (e = next_frequent(&c->ledger, e)) != EV_COUNT; i++) {
        char item[80];
        int len = snprintf(item, sizeof item, "%s%s %s", i ? ", " : "  ", event_rows[e].name, grouped(c->ledger.count[e], buf));
        if ((width += len) > WIDTH)
            break;
        fputs(item, out);
    }
    fputc('\n', out);
}

static void lists_frequent(const struct comparison *c, FILE *out)
{
    if (!any(c, all_events, 0))
        return;
    fprintf(out, "most frequent\n");
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran && all_events(&c->column[i], 0))
            list_frequent(&c->column[i], out);
    fputc('\n', out);
}

/* --- what it came to -------------------------------------------------------------------------- */

/* Only a guest that came to an end of its own, and to the same, did the same work on each engine. */
static bool finished(const struct column *c) { return c->ran && (c->status == STATUS_POWEROFF || c->status & 1); }

/* The column that overheads are a percentage of. */
static const struct column *baseline(const struct comparison *c)
{
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (finished(&c->column[i]) && !strcmp(c->column[i].engine->name, "bare"))
            return &c->column[i];
    return NULL;
}

static void cell_overhead(const struct column *c, const struct column *bare, FILE *out)
{
    char text[32];
    if (!finished(c) || c->status != bare->status || c == bare)
        return cell_text(out, "-");
    double factor = (double)column_cycles(c) / column_cycles(bare);
    if (factor < 10)
        snprintf(text, sizeof text, "%+.1f %%", (factor - 1) * 100);
    else
        snprintf(text, sizeof text, "%.1f x", factor);
    cell_text(out, text);
}

static void row_overhead(const struct comparison *c, FILE *out)
{
    const struct column *bare = baseline(c);
    if (!bare || !column_cycles(bare))
        return;
    label(out, "against bare");
    for (unsigned i = 0; i < c->ncolumns; i++)
        cell_overhead(&c->column[i], bare, out);
    fputc('\n', out);
}

static u64 both_cycles(const struct column *c, int unused) { return column_cycles(c); }

static void table_cycles(const struct comparison *c, FILE *out)
{
    heading(c, "cycles, modelled", out);
    fputc('\n', out);
    row_numbers(c, "guest", guest_cycles, 0, out);
    row_numbers(c, "monitor", monitor_cycles, 0, out);
    for (int f = 0; f < FAMILY_COUNT; f++) {
        char name[LABEL];
        snprintf(name, sizeof name, "  %s", family_rows[f].name);
        if (any(c, family_cycles, f))
            row_numbers(c, name, family_cycles, f, out);
    }
    row_numbers(c, "together", both_cycles, 0, out);
    row_overhead(c, out);
}

/* --- the page --------------------------------------------------------------------------------- */

/* Words of `text`, broken before they pass WIDTH. */
static void print_wrapped(const char *text, FILE *out)
{
    int column = 0;
    for (const char *word = text; *word;) {
        int len = strcspn(word, " ");
        bool fits = column + 1 + len <= WIDTH;
        if (column)
            fputc(fits ? ' ' : '\n', out);
        column = (column && fits ? column + 1 : 0) + len;
        fprintf(out, "%.*s", len, word);
        word += len + strspn(word + len, " ");
    }
    fputc('\n', out);
}

static void print_note(const struct column *c, FILE *out)
{
    char line[sizeof c->label + sizeof c->note + 32];
    snprintf(line, sizeof line, "%s: %s%s", c->label, c->ran ? "" : "did not run: ", c->note);
    if (*c->note)
        print_wrapped(line, out);
    if (c->measured)
        fprintf(out, "%s: on the host's /dev/kvm; its cycles are measured and differ from run to run.\n", c->label);
}

static void print_notes(const struct comparison *c, FILE *out)
{
    for (unsigned i = 0; i < c->ncolumns; i++)
        print_note(&c->column[i], out);
}

/* Where the figures beside the table come from, or how to have them. */
static void print_literature(const struct comparison *c, FILE *out)
{
    const struct published_row *p = first_published(NULL, leading(c)->program);
    if (first_published(c->profile.name, leading(c)->program))
        fprintf(out, "as published: Adams & Agesen, ASPLOS 2006; docs/cost-model.md says where these differ, and why.\n");
    else if (p)
        fprintf(out, "--profile=%s puts the cycles that were measured on that machine beside these.\n", p->profile);
}

static void print_tables(const struct comparison *c, bool all_reasons, FILE *out)
{
    table_operations(c, out);
    table_families(c, out);
    if (all_reasons)
        table_reasons(c, out);
    else
        lists_frequent(c, out);
    table_cycles(c, out);
}

void report_text(const struct comparison *c, bool all_reasons, FILE *out)
{
    fprintf(out, "%s\ncost profile %s: %s\n\n", c->guest, c->profile.name, c->profile.title);
    if (any(c, guest_cycles, 0))
        print_tables(c, all_reasons, out);
    print_notes(c, out);
    print_literature(c, out);
}
