/* SPDX-License-Identifier: MIT */
/* A chart of lines as an SVG file of its own: the horizontal axis doubles from step to step, the vertical one is in percent. */
#ifndef EMU_CLI_PLOT_H
#define EMU_CLI_PLOT_H

#include <stdio.h>

enum { PLOT_POINTS = 16, PLOT_LINES = 4 };

struct plot_line { const char *name; double percent[PLOT_POINTS]; };
struct plot {
    const char *title, *across, *up;        /* across, up: what the axes show */
    double top;                             /* percent at the upper end */
    double band_low, band_high;             /* drawn behind the lines, with its name; 0, 0: none */
    const char *band;
    unsigned x[PLOT_POINTS], nx;            /* each twice the one before */
    struct plot_line line[PLOT_LINES]; unsigned nlines;
};

/* The same plot gives the same bytes. */
void plot_svg(const struct plot *p, FILE *out);

#endif
