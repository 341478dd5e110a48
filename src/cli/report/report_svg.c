/* SPDX-License-Identifier: MIT */
/*
 * The charts of the HTML report, as inline SVG. Places and widths are percentages, heights and letters are pixels: a chart
 * fits a phone and a projector without scaling its words. Words that do not fit their cell are cut by it; the <title> of
 * each part (a tooltip, and what a screen reader says) has all of them.
 */
#include "cli/report/report_html.h"

#include <inttypes.h>

#include "base/text.h"

enum { BAR_HEIGHT = 30, CELL_HEIGHT = 26, TIMELINE_HEIGHT = 110 };

#define LABEL_SHARE 4.0     /* a cell narrower than this, in percent, carries no words */

static double percent(u64 part, u64 whole) { return whole ? 100.0 * part / whole : 0; }

const char *report_duration(cycles_t cycles, u64 hz, char buf[32])
{
    static const struct { double seconds; const char *unit; } units[] = {
        { 1, "s" }, { 1e-3, "ms" }, { 1e-6, "µs" }, { 0, "ns" },
    };
    double s = hz ? (double)cycles / hz : 0;
    unsigned u = 0;
    while (u < 3 && s < units[u].seconds)
        u++;
    snprintf(buf, 32, "%.*f %s", s ? 2 : 0, s / (u < 3 ? units[u].seconds : 1e-9), units[u].unit);
    return buf;
}

/* --- a rectangle with words in it ------------------------------------------------------------------ */

struct cell {
    double x, width;        /* percent */
    int y, height;          /* pixels */
    const char *look;       /* CSS class: f-io, f-guest, ... */
    const char *label;
};

/* The title has been written behind cell_open(). */
static void cell_open(const struct cell *c, FILE *out)
{
    fprintf(out, "<svg x=\"%.3f%%\" y=\"%d\" width=\"%.3f%%\" height=\"%d\"><g class=\"%s\"><title>", c->x, c->y,
            c->width, c->height, c->look);
}

static void cell_close(const struct cell *c, FILE *out)
{
    fputs("</title><rect width=\"100%\" height=\"100%\"/>", out);
    if (c->width >= LABEL_SHARE) {
        fprintf(out, "<text x=\"5\" y=\"%d\">", c->height / 2 + 5);
        text_xml(c->label, out);
        fputs("</text>", out);
    }
    fputs("</g></svg>\n", out);
}

static void words(const char *what, u64 count, const char *noun, FILE *out)
{
    char n[32];
    fprintf(out, "%s%s %s", what, report_grouped(count, n), noun);
}

/* --- bars ------------------------------------------------------------------------------------------ */

static void family_look(int f, char look[16]) { snprintf(look, 16, "f-%s", family_rows[f].name); }

/* One part of a bar; returns where the next begins. */
static double bar_part(const struct column *c, const char *name, const char *look, u64 value, u64 scale, double x,
                       const char *noun, FILE *out)
{
    struct cell cell = { x, percent(value, scale), 0, BAR_HEIGHT, look, name };
    if (!value)
        return x;
    cell_open(&cell, out);
    text_xml(c->label, out);
    words(": ", value, noun, out);
    fprintf(out, ", %s", name);
    cell_close(&cell, out);
    return x + cell.width;
}

static void bar(const struct column *c, value_fn *family, u64 guest, u64 whole, u64 scale, const char *noun, FILE *out)
{
    char n[32], look[16];
    double x = 0;
    fputs("<div class=\"bar\"><span class=\"name\">", out);
    text_xml(c->label, out);
    fprintf(out, "</span> <span class=\"sum\">%s</span>\n", whole ? report_grouped(whole, n) : "none");
    if (!whole) {
        fputs("</div>\n", out);
        return;
    }
    fprintf(out, "<svg role=\"img\" width=\"100%%\" height=\"%d\" aria-label=\"", BAR_HEIGHT);
    text_xml(c->label, out);
    fprintf(out, ": %s %s\">\n", n, noun);
    x = bar_part(c, "guest", "f-guest", guest, scale, x, noun, out);
    for (int f = 0; f < FAMILY_COUNT; f++) {
        family_look(f, look);
        x = bar_part(c, family_rows[f].name, look, family(c, f), scale, x, noun, out);
    }
    fputs("</svg></div>\n", out);
}

static u64 most(const struct comparison *c, value_fn *value)
{
    u64 max = 0;
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran && value(&c->column[i], 0) > max)
            max = value(&c->column[i], 0);
    return max;
}

void svg_cycles(const struct comparison *c, FILE *out)
{
    u64 scale = most(c, value_cycles);
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran)
            bar(&c->column[i], value_family_cycles, c->column[i].ledger.guest_cycles, column_cycles(&c->column[i]),
                scale, "cycles", out);
}

void svg_counts(const struct comparison *c, FILE *out)
{
    u64 scale = most(c, value_events);
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran)
            bar(&c->column[i], value_family_count, 0, value_events(&c->column[i], 0), scale, "events", out);
}

/* --- the breakdown: three rows, each cell above the cells that it consists of ------------------------ */

/* level: 0 engine, 1 family, 2 event; path: what stands above it, for the title. */
static void breakdown_cell(const struct column *c, int level, double x, const char *look, const char *path,
                           const char *name, u64 count, u64 cycles, FILE *out)
{
    u64 whole = column_cycles(c);
    struct cell cell = { x, percent(cycles, whole), level * CELL_HEIGHT, CELL_HEIGHT, look, name };
    if (!cycles)
        return;
    cell_open(&cell, out);
    text_xml(c->label, out);
    fprintf(out, "%s%s%s", *path ? " › " : "", path, level ? " › " : "");
    if (level)
        fputs(name, out);
    words(": ", cycles, "cycles", out);
    fprintf(out, " (%.1f %%)", percent(cycles, whole));
    if (count)
        words(", counted ", count, "", out);
    cell_close(&cell, out);
}

static double breakdown_family(const struct column *c, int f, double x, FILE *out)
{
    char look[16];
    double at = x;
    family_look(f, look);
    breakdown_cell(c, 1, x, look, "", family_rows[f].name, ledger_family_count(&c->ledger, f),
                   ledger_family_cycles(&c->ledger, f), out);
    for (int e = 0; e < EV_COUNT; e++) {
        if (event_rows[e].family != (enum family)f)
            continue;
        breakdown_cell(c, 2, at, look, family_rows[f].name, event_rows[e].name, c->ledger.count[e], c->ledger.cycles[e],
                       out);
        at += percent(c->ledger.cycles[e], column_cycles(c));
    }
    return at;
}

void svg_breakdown(const struct column *c, FILE *out)
{
    char n[32];
    double x = percent(c->ledger.guest_cycles, column_cycles(c));
    fprintf(out, "<svg class=\"flame\" role=\"img\" width=\"100%%\" height=\"%d\" aria-label=\"", 3 * CELL_HEIGHT);
    text_xml(c->label, out);
    fprintf(out, ": %s cycles by family and event\">\n", report_grouped(column_cycles(c), n));
    breakdown_cell(c, 0, 0, "f-all", "", c->label, 0, column_cycles(c), out);
    breakdown_cell(c, 1, 0, "f-guest", "", "guest", 0, c->ledger.guest_cycles, out);
    breakdown_cell(c, 2, 0, "f-guest", "guest", "instructions", c->ledger.guest_insns, c->ledger.guest_cycles, out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        x = breakdown_family(c, f, x, out);
    fputs("</svg>\n", out);
}

/* --- events over time: a bar a slice, families on top of each other ---------------------------------- */

static void slice_title(const struct timeline *t, unsigned slice, u64 hz, FILE *out)
{
    char n[32];
    const char *comma = "";
    fprintf(out, "<title>from %s: ", report_duration(slice * timeline_slice(t), hz, n));
    for (int f = 0; f < FAMILY_COUNT; f++) {
        if (!t->count[slice][f])
            continue;
        fprintf(out, "%s%s %s", comma, family_rows[f].name, report_grouped(t->count[slice][f], n));
        comma = ", ";
    }
    fputs("</title>", out);
}

static void slice_bar(const struct timeline *t, unsigned slice, cycles_t whole, u64 max, u64 hz, FILE *out)
{
    double base = TIMELINE_HEIGHT, x = percent(slice * timeline_slice(t), whole),
        width = percent(timeline_slice(t), whole);
    fputs("<g>", out);
    slice_title(t, slice, hz, out);
    for (int f = 0; f < FAMILY_COUNT; f++) {
        double height = (double)TIMELINE_HEIGHT * t->count[slice][f] / max;
        base -= height;
        if (t->count[slice][f])
            fprintf(out, "<rect class=\"f-%s\" x=\"%.3f%%\" y=\"%.2f\" width=\"%.3f%%\" height=\"%.2f\"/>",
                    family_rows[f].name, x, base, width, height);
    }
    fputs("</g>\n", out);
}

void svg_timeline(const struct column *c, cycles_t whole, u64 hz, FILE *out)
{
    const struct timeline *t = &c->timeline;
    u64 max = timeline_highest(t);
    char n[32], slice[32];
    fprintf(out, "<svg class=\"timeline\" role=\"img\" width=\"100%%\" height=\"%d\" aria-label=\"", TIMELINE_HEIGHT);
    text_xml(c->label, out);
    fprintf(out, ": events over virtual time, at most %s in %s\">\n", report_grouped(max, n),
            report_duration(timeline_slice(t), hz, slice));
    for (unsigned i = 0; i < t->used; i++)
        if (timeline_slice_sum(t, i))
            slice_bar(t, i, whole, max, hz, out);
    fputs("</svg>\n", out);
}
