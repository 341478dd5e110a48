/* SPDX-License-Identifier: MIT */
/*
 * What each operation costs under each engine, as one picture: a row an operation, a dot an engine, on a scale on which each step is ten times
 * the one before, since a system call under one monitor and a port under another are four powers of ten apart.
 *
 * A file of its own, to be shown by a page that knows nothing of it: so it brings its own colours (those of report_style.def) and paper.
 */
#include <math.h>

#include "base/text.h"
#include "cli/report/report_values.h"

enum { WIDTH = 640, LEFT = 120, RIGHT = 40, TOP = 44, ROW = 32, FOOT = 64, RADIUS = 5, APART = 5 /* so that equal ones are all seen */, LOOKS = 6 };

/* Told apart without colour too: by shape. */
static const struct { const char *colour; char shape; } looks[LOOKS] = {
    { "#6b7280", 'o' }, { "#d55e00", 's' }, { "#0072b2", 'd' }, { "#009e73", 'o' }, { "#cc79a7", 's' }, { "#e69f00", 'd' },
};

static unsigned powers(const struct comparison *c, const struct column *lead)
{
    u64 most = 1;
    for (unsigned o = 0; o < lead->noperations; o++)
        for (unsigned i = 0; i < c->ncolumns; i++) {
            const struct operation *mine = column_operation(&c->column[i], lead->operation[o].name);
            if (mine && operation_each(mine) > most)
                most = operation_each(mine);
        }
    return ceil(log10(most + 1));
}

static double x_of(u64 cycles, unsigned npowers) { return LEFT + (WIDTH - LEFT - RIGHT) * log10(cycles ? cycles : 1) / npowers; }

static void dot(double x, double y, unsigned look, FILE *out)
{
    const char *colour = looks[look % LOOKS].colour;
    switch (looks[look % LOOKS].shape) {
    case 'o': fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>", x, y, RADIUS, colour); break;
    case 's': fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"%s\"/>", x - 4.5, y - 4.5, 9, 9, colour); break;
    default: fprintf(out, "<path d=\"M%.1f %.1fl6 6l-6 6l-6 -6z\" fill=\"%s\"/>", x, y - 6, colour); break;
    }
}

static void words(double x, double y, const char *anchor, const char *text, FILE *out)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    text_xml(text, out);
    fputs("</text>\n", out);
}

static void scale(unsigned npowers, double bottom, FILE *out)
{
    u64 cycles = 1;
    for (unsigned p = 0; p <= npowers; p++, cycles *= 10) {
        char number[32];
        fprintf(out, "<path d=\"M%.1f %dV%.1f\" stroke=\"#d0d7de\"/>", x_of(cycles, npowers), TOP - 12, bottom);
        words(x_of(cycles, npowers), TOP - 18, "middle", report_grouped(cycles, number), out);
    }
}

static void row(const struct comparison *c, const struct operation *o, double y, unsigned npowers, FILE *out)
{
    words(LEFT - 10, y + 5, "end", o->name, out);
    fprintf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#eceff2\"/>", LEFT, y, WIDTH - RIGHT);
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct operation *mine = column_operation(&c->column[i], o->name);
        char number[32];
        if (!mine)
            continue;
        fputs("<g><title>", out);
        text_xml(c->column[i].label, out);
        fprintf(out, ": %s cycles</title>", report_grouped(operation_each(mine), number));
        dot(x_of(operation_each(mine), npowers), y + APART * (i - (c->ncolumns - 1) / 2.0), i, out);
        fputs("</g>\n", out);
    }
}

/* One chart: of the first guest that measured something. */
void report_dots(const struct comparison *c, unsigned n, FILE *out)
{
    const struct column *lead = report_leading(c);
    unsigned npowers = powers(c, lead);
    double bottom = TOP + ROW * lead->noperations;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" font-family=\"system-ui, sans-serif\" font-size=\"14\" fill=\"#1a1a1a\" role=\"img\">\n"
                 "<title>Cycles of each operation, by engine</title>\n<rect width=\"%d\" height=\"%.0f\" fill=\"#fff\"/>\n",
            WIDTH, bottom + FOOT, WIDTH, bottom + FOOT);
    scale(npowers, bottom, out);
    for (unsigned o = 0; o < lead->noperations; o++)
        row(c, &lead->operation[o], TOP + ROW * (o + .5), npowers, out);
    for (unsigned i = 0; i < c->ncolumns; i++) {
        double x = LEFT + (double)(WIDTH - LEFT - 20) * i / c->ncolumns;
        dot(x, bottom + 22, i, out);
        words(x + 12, bottom + 27, "start", c->column[i].label, out);
    }
    words(LEFT, bottom + 52, "start", "cycles, each; every step to the right is ten times as many", out);
    fputs("</svg>\n", out);
}
