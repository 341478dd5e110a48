/* SPDX-License-Identifier: MIT */
/*
 * `emu compare`: the same guest on several engines, in virtual time, and a table of what happened.
 *
 * compare.c reads the command line and runs the matrix; compare_run.c makes one column: one guest on one engine;
 * report_*.c print a finished comparison: as text, JSON, CSV or an HTML page. A report is a pure function of it: wall time is
 * in none, so that the same input prints the same bytes. compare_against.c holds one against an earlier report.
 */
#ifndef EMU_CLI_COMPARE_H
#define EMU_CLI_COMPARE_H

#include <stdio.h>

#include "base/timeline.h"
#include "machine/vm.h"

enum { COMPARE_MAX_COLUMNS = 12, COMPARE_MAX_OPERATIONS = 64 };

/* One line "@PROGRAM OPERATION COUNT CYCLES" of the guest's console: what it measured by its own clock. */
struct operation { char name[24]; u64 count, cycles; };

/* One guest on one engine. */
struct column {
    char label[24];                     /* as the user spelled it: "kvm:no-ept" */
    const struct engine_ops *engine;    /* NULL: this build has none of that name */
    char hw[64];                        /* behind the colon; "": the engine's default */
    const char *profile;                /* of its own: hw names a processor, and the user no profile; NULL: the comparison's */
    const char *until;                  /* the run ends when the console has said this; NULL: nothing is waited for */
    bool measured;                      /* kvm on the host: cycles by the host's clock, not the profile */
    bool ran;                           /* the guest was started; otherwise `note` says why not */
    int status;                         /* enum exit_status, or a guest's own (odd) */
    char note[256];                     /* why it did not start, or how it ended if not by turning itself off */
    char program[24];                   /* of the @ lines; "": there were none */
    struct operation operation[COMPARE_MAX_OPERATIONS]; unsigned noperations;
    struct ledger ledger;               /* a copy; its clock and observer are NULL */
    struct timeline timeline;           /* its events over virtual time */
    cycles_t now;                       /* virtual time at the end, idle time included */
    u64 wall_ns;                        /* for standard error only */
};

struct comparison {
    const char *guest;                  /* as the user spelled it */
    struct profile profile;
    struct column column[COMPARE_MAX_COLUMNS]; unsigned ncolumns;
};

/* "kvm:no-ept" into label, engine and hw. 0, or -1 with *err (a name that no engine ever had). */
int column_parse(struct column *c, const char *spec, struct error *err);
/* Run `guest` (a file, a directory under guests/, or NATIVE,XEN: one file for each kind) with that configuration. */
void column_run(struct column *c, const char *guest, const struct vm_config *base);
/* Cycles of the guest and of its monitor together, without idle time. */
cycles_t column_cycles(const struct column *c);
/* Take the @ lines out of a console's text. For tests too. */
void column_parse_console(struct column *c, const char *text);
const struct operation *column_operation(const struct column *c, const char *name);

/* Measured figures from the literature for a profile and a program: rows of published.def. */
struct published_row { const char *profile, *program, *operation; u32 native, bt, vt; };
extern const struct published_row published_rows[];
extern const unsigned published_count;
const struct published_row *published_find(const char *profile, const char *program, const char *operation);

enum { REPORT_NARROWEST = 40, REPORT_WIDEST = 100 };
/* For lines of `width` characters: the columns of a table that is wider come in pieces, one below the other. all_reasons: every event instead
 * of each engine's most frequent. */
void report_text(const struct comparison *c, bool all_reasons, unsigned width, FILE *out);
/* One document for all guests each; docs/reports.md describes them. */
void report_json(const struct comparison *c, unsigned n, FILE *out);
void report_csv(const struct comparison *c, unsigned n, FILE *out);
void report_html(const struct comparison *c, unsigned n, FILE *out);
void report_dots(const struct comparison *c, unsigned n, FILE *out);

/* An earlier JSON report, checked to be one; NULL with *err. Pair with json_decref(). */
struct json_t *against_load(const char *path, struct error *err);
/* Print what is counted differently now. How many counts; -1 with *err: the reports have nothing in common. */
int against_report(const struct json_t *then, const char *path, const struct comparison *c, unsigned n, FILE *out, struct error *err);

#endif
