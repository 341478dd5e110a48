/* SPDX-License-Identifier: MIT */
/* Inside the HTML report: the page is report_html.c, its charts report_svg.c, its looks report_style.def. */
#ifndef EMU_CLI_REPORT_HTML_H
#define EMU_CLI_REPORT_HTML_H

#include "cli/report/report_values.h"

/* Where the cycles went, and what was counted: one bar an engine, on one scale. */
void svg_cycles(const struct comparison *c, FILE *out);
void svg_counts(const struct comparison *c, FILE *out);
/* One engine's cycles: engine, family, event, each as wide as its share. */
void svg_breakdown(const struct column *c, FILE *out);
/* One engine's events over virtual time; the chart is `whole` cycles wide. */
void svg_timeline(const struct column *c, cycles_t whole, u64 hz, FILE *out);
/* "4.73 ms", by the profile's clock; returns buf. */
const char *report_duration(cycles_t cycles, u64 hz, char buf[32]);

#endif
