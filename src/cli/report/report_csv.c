/* SPDX-License-Identifier: MIT */
/*
 * A comparison as comma-separated values (RFC 4180), one fact a row, for spreadsheets and data frames:
 * guest,profile,engine,kind,name,family,count,cycles. docs/reports.md describes the kinds.
 */
#include "cli/report/compare.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* Quoted where it must be. A word that a spreadsheet would take for a formula gets an apostrophe before it. */
static void field(const char *text, FILE *out)
{
    char clean[4096];
    text_clean(clean, sizeof clean, text);
    if (*clean && strchr("=+-@", *clean))
        memmove(clean + 1, clean, strnlen(clean, sizeof clean - 2) + 1), clean[0] = '\'';
    clean[sizeof clean - 1] = 0;
    if (!strpbrk(clean, ",\"")) {
        fputs(clean, out);
        return;
    }
    putc('"', out);
    for (const char *s = clean; *s; s++) {
        if (*s == '"')
            putc('"', out);
        putc(*s, out);
    }
    putc('"', out);
}

static void row_head(const struct comparison *k, const struct column *c, const char *kind, const char *name,
                     const char *family, FILE *out)
{
    const char *const fields[] = { k->guest, k->profile.name, c->label, kind, name, family };
    for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
        field(fields[i], out);
        putc(',', out);
    }
}

static void row(const struct comparison *k, const struct column *c, const char *kind, const char *name,
                const char *family, u64 count, u64 cycles, FILE *out)
{
    row_head(k, c, kind, name, family, out);
    fprintf(out, "%" PRIu64 ",%" PRIu64 "\r\n", count, cycles);
}

/* A row with one of the two numbers, or none. */
static void row_single(const struct comparison *k, const struct column *c, const char *kind, const char *name,
                       const char *numbers, FILE *out)
{
    row_head(k, c, kind, name, "", out);
    fprintf(out, "%s\r\n", numbers);
}

static void rows_run(const struct comparison *k, const struct column *c, FILE *out)
{
    char numbers[64];
    row(k, c, "guest", "instructions", "", c->ledger.guest_insns, c->ledger.guest_cycles, out);
    for (int e = 0; e < EV_COUNT; e++)
        if (c->ledger.count[e])
            row(k, c, "event", event_rows[e].name, family_rows[event_rows[e].family].name, c->ledger.count[e],
                c->ledger.cycles[e], out);
    for (unsigned i = 0; i < c->noperations; i++)
        row(k, c, "operation", c->operation[i].name, "", c->operation[i].count, c->operation[i].cycles, out);
    snprintf(numbers, sizeof numbers, ",%" PRIu64, column_cycles(c));
    row_single(k, c, "run", "together", numbers, out);
    snprintf(numbers, sizeof numbers, ",%" PRIu64, c->now);
    row_single(k, c, "run", "virtual time", numbers, out);
    snprintf(numbers, sizeof numbers, "%d,", c->status);
    row_single(k, c, "run", "status", numbers, out);
}

void report_csv(const struct comparison *c, unsigned n, FILE *out)
{
    fputs("guest,profile,engine,kind,name,family,count,cycles\r\n", out);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < c[i].ncolumns; k++) {
            const struct column *column = &c[i].column[k];
            if (column->ran)
                rows_run(&c[i], column, out);
            if (*column->note)
                row_single(&c[i], column, "note", column->note, ",", out);
        }
    }
}
