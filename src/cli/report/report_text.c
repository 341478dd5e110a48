/* SPDX-License-Identifier: MIT */
/* A comparison as tables for people: what each operation cost, what was counted, and what it came to. */
#include "cli/report/report_values.h"

#include <string.h>

enum { LABEL = 18, CELL = 11 /* at least */, PUBLISHED_CELL = 8, PUBLISHED = 3 + 3 * PUBLISHED_CELL, MOST_FREQUENT = 4 };

/* What is being written: a table whose columns do not fit side by side comes in pieces, one below the other. */
struct page {
    const struct comparison *c;
    FILE *out;
    int width;                  /* characters in a line */
    int label;                  /* of which the rows' names take so many */
    unsigned from, to;          /* the columns of this piece */
    bool published;             /* and beside them what others have measured */
};

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

static void cell_text(const struct page *p, const char *text) { fprintf(p->out, "%*s", cell_width(p->c), text); }

/* A number that its column holds; past that, in millions or more, with one decimal (cut, not rounded). */
static void cell_number(const struct page *p, u64 n)
{
    static const struct { u64 one; char letter; } units[] = { { 1000000, 'M' }, { 1000000000, 'G' }, { 1000000000000, 'T' } };
    char whole[32], text[48];
    unsigned u = 0;
    if (n < 100000000)
        return cell_text(p, report_grouped(n, whole));
    while (u < 2 && n / units[u].one >= 10000)
        u++;
    snprintf(text, sizeof text, "%s.%u %c", report_grouped(n / units[u].one, whole), (unsigned)(n % units[u].one * 10 / units[u].one), units[u].letter);
    cell_text(p, text);
}

static void label(const struct page *p, const char *text) { fprintf(p->out, "%-*s", p->label, text); }

static void heading(const struct page *p, const char *title)
{
    label(p, title);
    for (unsigned i = p->from; i < p->to; i++)
        cell_text(p, p->c->column[i].label);
}

static void row_numbers(const struct page *p, const char *name, value_fn *value, int row)
{
    label(p, name);
    for (unsigned i = p->from; i < p->to; i++)
        if (p->c->column[i].ran)
            cell_number(p, value(&p->c->column[i], row));
        else
            cell_text(p, "-");
    fputc('\n', p->out);
}

/* --- pieces ----------------------------------------------------------------------------------- */

/* How many columns stand side by side: as many in each piece, and at least one. */
static unsigned columns_a_piece(const struct page *p)
{
    int fit = (p->width - p->label) / cell_width(p->c);
    unsigned n = p->c->ncolumns, most = fit > 1 ? fit : 1, pieces = (n + most - 1) / most;
    return pieces ? (n + pieces - 1) / pieces : 1;
}

static int piece_width(const struct page *p) { return p->label + cell_width(p->c) * (int)(p->to - p->from); }

/* The whole of a table, with an empty line between its pieces. What was published stands beside the last columns, or by itself. */
static void in_pieces(struct page *p, bool published, void (*table)(const struct page *p))
{
    unsigned step = columns_a_piece(p), n = p->c->ncolumns;
    for (p->from = 0; p->from < n; p->from = p->to) {
        if (p->from)
            fputc('\n', p->out);
        p->to = p->from + step < n ? p->from + step : n;
        p->published = published && p->to == n && piece_width(p) + PUBLISHED <= p->width;
        published &= !p->published;
        table(p);
    }
    p->published = published;
    if (!published)
        return;
    fputc('\n', p->out);
    table(p);
}

/* --- what the guest measured ------------------------------------------------------------------ */

static void row_operation(const struct page *p, const struct operation *o, const char *program)
{
    label(p, o->name);
    for (unsigned i = p->from; i < p->to; i++) {
        const struct operation *mine = column_operation(&p->c->column[i], o->name);
        if (mine)
            cell_number(p, operation_each(mine));
        else
            cell_text(p, "-");
    }
    const struct published_row *r = published_find(p->c->profile.name, program, o->name);
    if (p->published && r)
        fprintf(p->out, "  |%*u%*u%*u", PUBLISHED_CELL, r->native, PUBLISHED_CELL, r->bt, PUBLISHED_CELL, r->vt);
    fputc('\n', p->out);
}

static void table_operations(const struct page *p)
{
    const struct column *lead = report_leading(p->c);
    if (p->published)
        fprintf(p->out, "%*s  |%*s\n", piece_width(p), "", 3 * PUBLISHED_CELL, "as published");
    heading(p, "cycles, each");
    if (p->published)
        fprintf(p->out, "  |%*s%*s%*s", PUBLISHED_CELL, "native", PUBLISHED_CELL, "BT", PUBLISHED_CELL, "VT");
    fputc('\n', p->out);
    for (unsigned i = 0; i < lead->noperations; i++)
        row_operation(p, &lead->operation[i], lead->program);
}

/* --- what was counted ------------------------------------------------------------------------- */

static void table_families(const struct page *p)
{
    heading(p, "events, counted");
    fputc('\n', p->out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (report_any(p->c, value_family_count, f))
            row_numbers(p, family_rows[f].name, value_family_count, f);
    row_numbers(p, "all", value_events, 0);
    row_numbers(p, "guest instructions", value_guest_insns, 0);
}

static void table_reasons(const struct page *p)
{
    heading(p, "events, by reason");
    fputc('\n', p->out);
    for (int e = 0; e < EV_COUNT; e++)
        if (report_any(p->c, value_event_count, e))
            row_numbers(p, event_rows[e].name, value_event_count, e);
}

/* Some events have longer names than all else. */
static int longest_reason(const struct comparison *c)
{
    int longest = LABEL;
    for (int e = 0; e < EV_COUNT; e++)
        if (report_any(c, value_event_count, e) && (int)strlen(event_rows[e].name) > longest)
            longest = strlen(event_rows[e].name);
    return longest;
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

static void list_frequent(const struct page *p, const struct column *c)
{
    char buf[32];
    int e = EV_COUNT, column = LABEL;
    label(p, c->label);
    for (unsigned i = 0; i < MOST_FREQUENT && (e = next_frequent(&c->ledger, e)) != EV_COUNT; i++) {
        char item[80];
        int len = snprintf(item, sizeof item, "%s %s", event_rows[e].name, report_grouped(c->ledger.count[e], buf));
        bool fits = column + 3 + len <= p->width;   /* ", " before it, and a comma behind */
        fputs(i ? fits ? ", " : "," : "  ", p->out);
        if (i && !fits)
            fprintf(p->out, "\n%*s", LABEL + 2, "");
        fputs(item, p->out);
        column = (i && !fits ? LABEL : column) + 2 + len;
    }
    fputc('\n', p->out);
}

static void lists_frequent(const struct page *p)
{
    if (!report_any(p->c, value_events, 0))
        return;
    fprintf(p->out, "most frequent\n");
    for (unsigned i = 0; i < p->c->ncolumns; i++)
        if (p->c->column[i].ran && value_events(&p->c->column[i], 0))
            list_frequent(p, &p->c->column[i]);
    fputc('\n', p->out);
}

/* --- what it came to -------------------------------------------------------------------------- */

static void row_overhead(const struct page *p)
{
    const struct column *bare = report_baseline(p->c);
    if (!bare || !column_cycles(bare))
        return;
    char text[32];
    label(p, "against bare");
    for (unsigned i = p->from; i < p->to; i++)
        cell_text(p, report_overhead(&p->c->column[i], bare, text));
    fputc('\n', p->out);
}

static void table_cycles(const struct page *p)
{
    heading(p, "cycles, modelled");
    fputc('\n', p->out);
    row_numbers(p, "guest", value_guest_cycles, 0);
    row_numbers(p, "monitor", value_monitor_cycles, 0);
    for (int f = 0; f < FAMILY_COUNT; f++) {
        char name[LABEL];
        snprintf(name, sizeof name, "  %s", family_rows[f].name);
        if (report_any(p->c, value_family_cycles, f))
            row_numbers(p, name, value_family_cycles, f);
    }
    row_numbers(p, "together", value_cycles, 0);
    row_overhead(p);
}

/* --- the page --------------------------------------------------------------------------------- */

/* Words of `text`, broken before they pass the width. */
static void print_wrapped(const struct page *p, const char *text)
{
    FILE *out = p->out;
    int column = 0;
    for (const char *word = text; *word;) {
        int len = strcspn(word, " ");
        bool fits = column + 1 + len <= p->width;
        if (column)
            fputc(fits ? ' ' : '\n', out);
        column = (column && fits ? column + 1 : 0) + len;
        fprintf(out, "%.*s", len, word);
        word += len + strspn(word + len, " ");
    }
    fputc('\n', out);
}

static void print_note(const struct page *p, const struct column *c)
{
    char line[sizeof c->label + sizeof c->note + 32];
    snprintf(line, sizeof line, "%s: %s%s", c->label, c->ran ? "" : "did not run: ", c->note);
    if (*c->note)
        print_wrapped(p, line);
    snprintf(line, sizeof line, "%s: on the host's /dev/kvm; its cycles are measured and differ from run to run.", c->label);
    if (c->measured)
        print_wrapped(p, line);
}

static void print_notes(const struct page *p)
{
    for (unsigned i = 0; i < p->c->ncolumns; i++)
        print_note(p, &p->c->column[i]);
}

/* Where the figures beside the table come from, or how to have them. */
static void print_literature(const struct page *p)
{
    char line[160] = "as published: Adams & Agesen, ASPLOS 2006; docs/cost-model.md says where these differ, and why.";
    const struct published_row *r = published_first(NULL, report_leading(p->c)->program);
    bool beside = published_first(p->c->profile.name, report_leading(p->c)->program);
    if (!beside && r)
        snprintf(line, sizeof line, "--profile=%s puts the cycles that were measured on that machine beside these.", r->profile);
    if (beside || r)
        print_wrapped(p, line);
}

static void print_tables(struct page *p, bool all_reasons)
{
    const struct column *lead = report_leading(p->c);
    if (lead->noperations) {
        in_pieces(p, published_first(p->c->profile.name, lead->program), table_operations);
        fputc('\n', p->out);
    }
    in_pieces(p, false, table_families);
    fputc('\n', p->out);
    p->label = all_reasons ? longest_reason(p->c) : LABEL;
    if (all_reasons) {
        in_pieces(p, false, table_reasons);
        fputc('\n', p->out);
    } else {
        lists_frequent(p);
    }
    p->label = LABEL;
    in_pieces(p, false, table_cycles);
}

void report_text(const struct comparison *c, bool all_reasons, unsigned width, FILE *out)
{
    struct page p = { .c = c, .out = out, .width = width, .label = LABEL };
    char title[400];
    snprintf(title, sizeof title, "cost profile %s: %s", c->profile.name, c->profile.title);
    fprintf(out, "%s\n", c->guest);
    print_wrapped(&p, title);
    fputc('\n', out);
    if (report_any(c, value_guest_cycles, 0))
        print_tables(&p, all_reasons);
    print_notes(&p);
    print_literature(&p);
}
