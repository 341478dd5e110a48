/* SPDX-License-Identifier: MIT */
/* A chart of curves for the HTML pages: both axes may be logarithmic, each point has a title, and the legend names each curve. */
#ifndef EMU_CLI_REPORT_CURVE_H
#define EMU_CLI_REPORT_CURVE_H

#include <stdbool.h>
#include <stdio.h>

enum { CURVES_MAX = 8, CURVE_POINTS = 12 };

struct curve { const char *name; unsigned n; double x[CURVE_POINTS], y[CURVE_POINTS]; };

struct curve_chart {
    const char *title, *x_label, *y_label;
    bool log_y;                     /* x always is; what is 0 then stands at the lower edge */
    double least;                   /* of a logarithmic y: the lower edge */
    unsigned n;
    struct curve curve[CURVES_MAX];
};

void svg_curves(const struct curve_chart *c, FILE *out);
/* The looks of all pages, within <head>. */
void report_style(FILE *out);

#endif
