/* SPDX-License-Identifier: MIT */
/* A comparison as tables for people: what each operation cost, what was counted, and what it came to. */
#include "cli/report/report_values.h"

#include <string.h>

enum { LABEL = 18, CELL = 11 /* at least */, PUBLISHED_CELL = 8, MOST_FREQUENT = 4, WIDTH = 100 };

/* --- cells ------------------------------------------------------------------------------------ */

/* Columns, until a name of theirs (kvm:sandybridge) needs more. */
static int cell_width(const struct comparison *c)
{
    size_t width = CELL;
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (strlen(c->column[i].label) + 1 > width)
            width = strlen(c->column[i].label) + 1;
    return width;
}

static void cell_text(const struct comparison *c, FILE *out, const char *text) { fprintf(out, "%*s", cell_width(c), text); }

/* A number that its column holds; past that, in millions or more, with one decimal (cut, not rounded). */
static void cell_number(const struct comparison *c, FILE *out, u64 n)
{
    static const struct { u64 one; char letter; } units[] = { { 1000000, 'M' }, { 1000000000, 'G' }, { 1000000000000, 'T' } };
    char whole[32], text[48];
    unsigned u = 0;
    if (n < 100000000)
        return cell_text(c, out, report_grouped(n, whole));
    while (u < 2 && n / units[u].one >= 10000)
        u++;
    snprintf(text, sizeof text, "%s.%u %c", report_grouped(n / units[u].one, whole), (unsigned)(n % units[u].one * 10 / units[u].one), units[u].letter);
    cell_text(c, out, text);
}

static void label(FILE *out, const char *text) { fprintf(out, "%-*s", LABEL, text); }

static void heading(const struct comparison *c, const char *title, FILE *out)
{
    label(out, title);
    for (unsigned i = 0; i < c->ncolumns; i++)
        cell_text(c, out, c->column[i].label);
}

static void row_numbers(const struct comparison *c, const char *name, value_fn *value, int row, FILE *out)
{
    label(out, name);
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran)
            cell_number(c, out, value(&c->column[i], row));
        else
            cell_text(c, out, "-");
    fputc('\n', out);
}

/* --- what the guest measured ------------------------------------------------------------------ */

static void row_operation(const struct comparison *c, const struct operation *o, const char *program, bool published, FILE *out)
{
    label(out, o->name);
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct operation *mine = column_operation(&c->column[i], o->name);
        if (mine)
            cell_number(c, out, operation_each(mine));
        else
            cell_text(c, out, "-");
    }
    const struct published_row *p = published_find(c->profile.name, program, o->name);
    if (published && p)
        fprintf(out, "  |%*u%*u%*u", PUBLISHED_CELL, p->native, PUBLISHED_CELL, p->bt, PUBLISHED_CELL, p->vt);
    fputc('\n', out);
}

static void table_operations(const struct comparison *c, FILE *out)
{
    const struct column *lead = report_leading(c);
    bool published = published_first(c->profile.name, lead->program);
    if (!lead->noperations)
        return;
    if (published)
        fprintf(out, "%*s  |%*s\n", LABEL + cell_width(c) * (int)c->ncolumns, "", 3 * PUBLISHED_CELL, "as published");
    heading(c, "cycles, each", out);
    if (published)
        fprintf(out, "  |%*s%*s%*s", PUBLISHED_CELL, "native", PUBLISHED_CELL, "BT", PUBLISHED_CELL, "VT");
    fputc('\n', out);
    for (unsigned i = 0; i < lead->noperations; i++)
        row_operation(c, &lead->operation[i], lead->program, published, out);
    fputc('\n', out);
}

/* --- what was counted ------------------------------------------------------------------------- */

static void table_families(const struct comparison *c, FILE *out)
{
    heading(c, "events, counted", out);
    fputc('\n', out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (report_any(c, value_family_count, f))
            row_numbers(c, family_rows[f].name, value_family_count, f, out);
    row_numbers(c, "all", value_events, 0, out);
    row_numbers(c, "guest instructions", value_guest_insns, 0, out);
    fputc('\n', out);
}

static void table_reasons(const struct comparison *c, FILE *out)
{
    heading(c, "events, by reason", out);
    fputc('\n', out);
    for (int e = 0; e < EV_COUNT; e++)
        if (report_any(c, value_event_count, e))
            row_numbers(c, event_rows[e].name, value_event_count, e, out);
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
        int len = snprintf(item, sizeof item, "%s%s %s", i ? ", " : "  ", event_rows[e].name, report_grouped(c->ledger.count[e], buf));
        if ((width += len) > WIDTH)
            break;
        fputs(item, out);
    }
    fputc('\n', out);
}

static void lists_frequent(const struct comparison *c, FILE *out)
{
    if (!report_any(c, value_events, 0))
        return;
    fprintf(out, "most frequent\n");
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran && value_events(&c->column[i], 0))
            list_frequent(&c->column[i], out);
    fputc('\n', out);
}

/* --- what it came to -------------------------------------------------------------------------- */

static void row_overhead(const struct comparison *c, FILE *out)
{
    const struct column *bare = report_baseline(c);
    if (!bare || !column_cycles(bare))
        return;
    char text[32];
    label(out, "against bare");
    for (unsigned i = 0; i < c->ncolumns; i++)
        cell_text(c, out, report_overhead(&c->column[i], bare, text));
    fputc('\n', out);
}

static void table_cycles(const struct comparison *c, FILE *out)
{
    heading(c, "cycles, modelled", out);
    fputc('\n', out);
    row_numbers(c, "guest", value_guest_cycles, 0, out);
    row_numbers(c, "monitor", value_monitor_cycles, 0, out);
    for (int f = 0; f < FAMILY_COUNT; f++) {
        char name[LABEL];
        snprintf(name, sizeof name, "  %s", family_rows[f].name);
        if (report_any(c, value_family_cycles, f))
            row_numbers(c, name, value_family_cycles, f, out);
    }
    row_numbers(c, "together", value_cycles, 0, out);
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
    const struct published_row *p = published_first(NULL, report_leading(c)->program);
    if (published_first(c->profile.name, report_leading(c)->program))
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
    if (report_any(c, value_guest_cycles, 0))
        print_tables(c, all_reasons, out);
    print_notes(c, out);
    print_literature(c, out);
}
