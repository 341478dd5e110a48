/* SPDX-License-Identifier: MIT */
/*
 * `emu compare [OPTION]... GUEST...`: the command line and the matrix of runs. What describes the machine (-m, -profile,
 * -append, -max-cycles ...) is read by the same code as for a single run, and holds for every engine.
 */
#include "cli/compare.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/words.h"

enum { MAX_GUESTS = 16 };
#define DEFAULT_ENGINES "bare,bt,pv,kvm,kvm:no-ept"
#define DEFAULT_MAX_CYCLES 4000000000u /* 2 virtual seconds at 2 GHz: no guest holds a comparison up for ever */

struct compare {
    struct options options;
    const char *engines;
    bool json, reasons, wall, help;
    const char *guest[MAX_GUESTS]; unsigned nguests;
    struct comparison *result;      /* [nguests], owned */
};

static const char usage[] =
    "Usage: emu compare [OPTION]... GUEST...\n"
    "The same guest on every engine, in virtual time: what was counted, and what it costs.\n"
    "GUEST is a directory such as guests/nano (each engine takes the build of its kind), one file\n"
    "for all engines, or NATIVE,XEN: a file for each kind.\n"
    "\n"
    "  -engines LIST      columns, ENGINE[:FEATURES]; default " DEFAULT_ENGINES "\n"
    "  -profile NAME      cost profile (emu list profiles)\n"
    "  -reasons           every event, instead of each engine's most frequent\n"
    "  -json              one JSON document (docs/compare-json.md)\n"
    "  -wall              wall time of each run, on standard error\n"
    "  -kvm host|model    what a kvm column runs on; default model, which repeats exactly\n"
    "  -max-cycles N      end of each run; default 4000000000\n"
    "and what describes the machine, as -m, -cpu, -append, -initrd, -module: see emu --help-all\n";

/* --- command line ----------------------------------------------------------------------------- */

/* Options of compare alone. True if argv[*i] was one; *i then stands on its last word. */
static bool parse_own(struct compare *c, int argc, char **argv, int *i)
{
    const char *value;
    const struct { const char *name; bool *flag; } flags[] = {
        { "json", &c->json }, { "reasons", &c->reasons }, { "wall", &c->wall }, { "help", &c->help },
    };
    for (unsigned f = 0; f < ARRAY_LEN(flags); f++)
        if (word_is_option(argv[*i], flags[f].name, &value) && !value)
            return *flags[f].flag = true;
    if (!word_is_option(argv[*i], "engines", &value) && !word_is_option(argv[*i], "engine", &value))
        return false;
    c->engines = value ? value : *i + 1 < argc ? argv[++*i] : "";
    return true;
}

/* Sort the words: ours, guests, and the rest, which options_parse() reads. */
static int parse(struct compare *c, int argc, char **argv, struct error *err)
{
    char *rest[argc + 1];
    int nrest = 0;
    rest[nrest++] = argv[0];
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (c->nguests == MAX_GUESTS)
                return error_set(err, "compare: at most %d guests at a time", MAX_GUESTS);
            c->guest[c->nguests++] = argv[i];
        } else if (!parse_own(c, argc, argv, &i)) {
            rest[nrest++] = argv[i];
            if (word_takes_next(argv[i]) && i + 1 < argc)
                rest[nrest++] = argv[++i];
        }
    }
    rest[nrest] = NULL;
    if (options_parse(&c->options, nrest, rest, err))
        return -1;
    if (!c->nguests && !c->help)
        return error_set(err, "compare: no guest is named; try `emu compare guests/nano`");
    return 0;
}

static int parse_engines(struct comparison *k, const char *list, struct error *err)
{
    char copy[256], *save;
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy)
        return error_set(err, "--engines: the list is too long");
    for (char *spec = strtok_r(copy, ",", &save); spec; spec = strtok_r(NULL, ",", &save)) {
        if (k->ncolumns == COMPARE_MAX_COLUMNS)
            return error_set(err, "--engines: at most %d columns", COMPARE_MAX_COLUMNS);
        if (column_parse(&k->column[k->ncolumns++], spec, err))
            return -1;
    }
    return k->ncolumns ? 0 : error_set(err, "--engines: the list is empty; the default is " DEFAULT_ENGINES);
}

/* --- the matrix ------------------------------------------------------------------------------- */

/* On a terminal, one line that says what is running, and goes away. */
static void progress(const struct comparison *k, const struct column *c)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, c ? "\r\033[K%s on %s ..." : "\r\033[K", k->guest, c ? c->label : "");
    fflush(stderr);
}

static void print_wall(const struct comparison *k)
{
    for (unsigned i = 0; i < k->ncolumns; i++)
        if (k->column[i].ran)
            fprintf(stderr, "%s on %s: %.3f s of wall time\n", k->guest, k->column[i].label, k->column[i].wall_ns / 1e9);
}

static int run_guest(struct compare *c, struct comparison *k, const char *guest, struct error *err)
{
    k->guest = guest;
    if (profile_load(&k->profile, c->options.vm.profile, err))
        return -1;
    if (parse_engines(k, c->engines, err))
        return -1;
    for (unsigned i = 0; i < k->ncolumns; i++) {
        progress(k, &k->column[i]);
        column_run(&k->column[i], guest, &c->options.vm);
    }
    progress(k, NULL);
    return 0;
}

static int run_all(struct compare *c, struct error *err)
{
    if (!c->options.vm.max_cycles)
        c->options.vm.max_cycles = DEFAULT_MAX_CYCLES;
    c->result = calloc(c->nguests, sizeof *c->result);
    for (unsigned i = 0; i < c->nguests; i++)
        if (run_guest(c, &c->result[i], c->guest[i], err))
            return -1;
    return 0;
}

/* --- the report ------------------------------------------------------------------------------- */

static void print_text(const struct compare *c)
{
    for (unsigned i = 0; i < c->nguests; i++) {
        if (i)
            putchar('\n');
        report_text(&c->result[i], c->reasons, stdout);
    }
}

static void print_reports(const struct compare *c)
{
    if (c->json)
        report_json(c->result, c->nguests, stdout);
    else
        print_text(c);
    fflush(stdout);
    for (unsigned i = 0; c->wall && i < c->nguests; i++)
        print_wall(&c->result[i]);
}

/* A comparison in which nothing ran has failed: the notes say why. */
static int exit_status(const struct compare *c)
{
    for (unsigned i = 0; i < c->nguests; i++)
        for (unsigned k = 0; k < c->result[i].ncolumns; k++)
            if (c->result[i].column[k].ran)
                return STATUS_POWEROFF;
    return STATUS_USER;
}

static int compare(struct compare *c, int argc, char **argv, struct error *err)
{
    if (parse(c, argc, argv, err))
        return -1;
    if (c->help)
        return fputs(usage, stdout), 0;
    if (run_all(c, err))
        return -1;
    print_reports(c);
    return exit_status(c);
}

static void compare_free(struct compare *c)
{
    for (unsigned i = 0; c->result && i < c->nguests; i++)
        profile_fini(&c->result[i].profile);
    free(c->result);
    options_fini(&c->options);
}

int cli_compare(int argc, char **argv)
{
    struct compare c = { .engines = DEFAULT_ENGINES };
    struct error err = { "" };
    int status = compare(&c, argc, argv, &err);
    compare_free(&c);
    if (status < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    return status < 0 ? STATUS_USER : status;
}
