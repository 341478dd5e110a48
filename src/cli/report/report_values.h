/* SPDX-License-Identifier: MIT */
/* What the reports of a comparison have in common: which columns count, what a row's value is, how a number is written. */
#ifndef EMU_CLI_REPORT_VALUES_H
#define EMU_CLI_REPORT_VALUES_H

#include "cli/report/compare.h"

/* 1234567 -> "1,234,567"; returns buf. */
const char *report_grouped(u64 n, char buf[32]);

/* A row of a table of counts: value(column, row) for each column that ran. */
typedef u64 value_fn(const struct column *c, int row);
u64 value_family_count(const struct column *c, int f);
u64 value_family_cycles(const struct column *c, int f);
u64 value_event_count(const struct column *c, int e);
u64 value_events(const struct column *c, int unused);           /* of all families */
u64 value_guest_insns(const struct column *c, int unused);
u64 value_guest_cycles(const struct column *c, int unused);
u64 value_monitor_cycles(const struct column *c, int unused);
u64 value_cycles(const struct column *c, int unused);           /* both */

/* Is there anything to show in that row? */
bool report_any(const struct comparison *c, value_fn *value, int row);

/* The column that has most operations: its order is the table's. */
const struct column *report_leading(const struct comparison *c);
/* Cycles of one, rounded. */
u64 operation_each(const struct operation *o);

/* The column that overheads are a percentage of, or NULL. */
const struct column *report_baseline(const struct comparison *c);
/* "+25.0 %" or "12.3 x", or "-" where a comparison would mean nothing: another end, other work. Returns buf. */
const char *report_overhead(const struct column *c, const struct column *bare, char buf[32]);

/* The first row that the literature has for this program, under this profile or (profile NULL) any; or NULL. */
const struct published_row *published_first(const char *profile, const char *program);

#endif
