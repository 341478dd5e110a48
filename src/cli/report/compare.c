/* SPDX-License-Identifier: MIT */
/*
 * `emu compare [OPTION]... GUEST...`: the command line and the matrix of runs. What describes the machine (-m, -profile,
 * -append, -max-cycles ...) is read by the same code as for a single run, and holds for every engine.
 */
#include "cli/report/compare.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/trace_json.h"
#include "cli/commands.h"
#include "cli/guest_path.h"
#include "cli/options/options.h"
#include "cli/progress.h"
#include "cli/report/report_values.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "hwassist/hwassist.h"

enum { MAX_GUESTS = 16, STATUS_DIFFERS = 1 /* of --against; odd, but here no guest's */ };
#define DEFAULT_ENGINES "bare,bt,pv,kvm,kvm:no-ept"
#define DEFAULT_MAX_CYCLES 4000000000u /* 2 virtual seconds at 2 GHz: no guest holds a comparison up for ever */

struct compare {
    struct options options;
    const char *engines;
    bool json, reasons, wall, help;
    const char *json_file, *csv, *html, *svg, *against, *sort, *until;    /* NULL: not asked for */
    json_t *earlier;                /* of --against, owned */
    struct trace_json *trace;       /* NULL: none */
    struct progress progress;
    bool failed;                    /* a report could not be written; it has been said */
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
    "  -sort KEY          columns by cycles, events, instructions or name; default as in LIST\n"
    "  -json              one JSON document instead of the tables; -json=FILE: beside them\n"
    "  -csv FILE          the counts and cycles for a spreadsheet\n"
    "  -html FILE         one page with charts (docs/reports.md describes all of these)\n"
    "  -svg FILE          what each operation costs, as a picture\n"
    "  -against FILE      what is counted differently than in an earlier JSON report; status 1 if so\n"
    "  -trace-json FILE   events over virtual time, for Perfetto or chrome://tracing\n"
    "  -wall              wall time of each run, on standard error\n"
    "  -kvm host|model    what a kvm column runs on; default model, which repeats exactly\n"
    "  -max-cycles N      end of each run; default 4000000000\n"
    "  -until TEXT        end of each run: the guest's console has said TEXT\n"
    "and what describes the machine, as -m, -cpu, -append, -initrd, -module: see emu --help-all\n";

/* --- command line ----------------------------------------------------------------------------- */

/* Options of compare alone. True if argv[*i] was one; *i then stands on its last word. */
static bool parse_own(struct compare *c, int argc, char **argv, int *i)
{
    const char *value;
    const struct { const char *name; bool *flag; } flags[] = {
        { "json", &c->json }, { "reasons", &c->reasons }, { "wall", &c->wall }, { "help", &c->help }, { "h", &c->help },
    };
    const struct { const char *name; const char **text; } words[] = {
        { "engines", &c->engines }, { "engine", &c->engines }, { "csv", &c->csv }, { "html", &c->html }, { "svg", &c->svg },
        { "against", &c->against }, { "sort", &c->sort }, { "until", &c->until },
    };
    for (unsigned f = 0; f < ARRAY_LEN(flags); f++)
        if (word_is_option(argv[*i], flags[f].name, &value) && !value)
            return *flags[f].flag = true;
    if (word_is_option(argv[*i], "json", &value))
        return (c->json_file = value) != NULL;
    for (unsigned w = 0; w < ARRAY_LEN(words); w++)
        if (word_is_option(argv[*i], words[w].name, &value))
            return (*words[w].text = value ? value : *i + 1 < argc ? argv[++*i] : "") != NULL;
    return false;
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

/* --- the order of columns ----------------------------------------------------------------------- */

static const struct { const char *key; value_fn *value; } orders[] = {
    { "cycles", value_cycles }, { "events", value_events }, { "instructions", value_guest_insns }, { "name", NULL },
};

static int check_sort(const char *key, struct error *err)
{
    for (unsigned i = 0; i < ARRAY_LEN(orders); i++)
        if (!key || strcmp(orders[i].key, key) == 0)
            return 0;
    return error_set(err, "--sort %s: give cycles, events, instructions or name", key);
}

/* What did not run comes last; equals stay as they were. */
static bool before(const struct column *a, const struct column *b, value_fn *value)
{
    if (a->ran != b->ran)
        return a->ran;
    return value ? a->ran && value(a, 0) < value(b, 0) : strcmp(a->label, b->label) < 0;
}

static void sort_columns(struct comparison *k, const char *key)
{
    value_fn *value = NULL;
    for (unsigned i = 0; key && i < ARRAY_LEN(orders); i++)
        if (strcmp(orders[i].key, key) == 0)
            value = orders[i].value;
    for (unsigned n = 1; key && n < k->ncolumns; n++) {
        for (unsigned i = n; i && before(&k->column[i], &k->column[i - 1], value); i--) {
            struct column swap = k->column[i];
            k->column[i] = k->column[i - 1];
            k->column[i - 1] = swap;
        }
    }
}

/* --- the matrix ------------------------------------------------------------------------------- */

static void print_wall(const struct comparison *k)
{
    for (unsigned i = 0; i < k->ncolumns; i++)
        if (k->column[i].ran)
            fprintf(stderr, "%s on %s: %.3f s of wall time\n", k->guest, k->column[i].label,
                    k->column[i].wall_ns / 1e9);
}

static void run_column(struct compare *c, const struct comparison *k, struct column *column)
{
    struct vm_config config = c->options.vm;
    char name[400];
    snprintf(name, sizeof name, "%s on %s", k->guest, column->label);
    progress_show(&c->progress, "%s (%u of %u) ...", name, (unsigned)(column - k->column) + 1, k->ncolumns);
    if (c->progress.on)
        config.observer = &c->progress.observer;
    if (c->trace)
        trace_json_begin(c->trace, name, &config.observer, &config.tracer);
    column_run(column, k->guest, &config);
    if (c->trace)
        trace_json_end(c->trace);
}

static int run_guest(struct compare *c, struct comparison *k, const char *guest, struct error *err)
{
    k->guest = guest;
    if (profile_load(&k->profile, c->options.vm.profile, err))
        return -1;
    if (parse_engines(k, c->engines, err))
        return -1;
    for (unsigned i = 0; i < k->ncolumns; i++) {
        k->column[i].until = c->until && *c->until ? c->until : NULL;
        k->column[i].profile = c->options.profile_said ? NULL : hw_profile(k->column[i].hw);
        run_column(c, k, &k->column[i]);
    }
    sort_columns(k, c->sort);
    return 0;
}

/* Said once, rather than by each engine. */
static int check_guests(const struct compare *c, struct error *err)
{
    for (unsigned i = 0; i < c->nguests; i++)
        if (!strchr(c->guest[i], ',') && guest_check(c->guest[i], err))
            return -1;
    return 0;
}

static int run_all(struct compare *c, struct error *err)
{
    int status = check_guests(c, err);
    if (!c->options.vm.max_cycles)
        c->options.vm.max_cycles = DEFAULT_MAX_CYCLES;
    c->result = calloc(c->nguests, sizeof *c->result);
    progress_init(&c->progress, STDERR_FILENO);
    for (unsigned i = 0; i < c->nguests && !status; i++)
        status = run_guest(c, &c->result[i], c->guest[i], err);
    progress_end(&c->progress);
    return status;
}

/* --- the report ------------------------------------------------------------------------------- */

static void print_text(const struct compare *c)
{
    unsigned width = terminal_width(REPORT_NARROWEST, REPORT_WIDEST);
    for (unsigned i = 0; i < c->nguests; i++) {
        if (i)
            putchar('\n');
        report_text(&c->result[i], c->reasons, width, stdout);
    }
}

/* Said at once: the other reports are still written, and the tables have been. */
static void failed(struct compare *c, const char *option, const char *path)
{
    fprintf(stderr, "emu: %s%s%s: %s\n", option, *path ? " " : "", path, strerror(errno));
    c->failed = true;
}

static void write_file(struct compare *c, const char *option, const char *path,
                       void (*report)(const struct comparison *c, unsigned n, FILE *out))
{
    FILE *f = path ? fopen(path, "w") : NULL;
    if (path && !f)
        return failed(c, option, path);
    if (!f)
        return;
    report(c->result, c->nguests, f);
    bool lost = fflush(f) || ferror(f);
    if (lost)
        failed(c, option, path);
    if (fclose(f) && !lost)
        failed(c, option, path);
}

static void print_reports(struct compare *c)
{
    if (c->json)
        report_json(c->result, c->nguests, stdout);
    else
        print_text(c);
    write_file(c, "--json", c->json_file, report_json);
    write_file(c, "--csv", c->csv, report_csv);
    write_file(c, "--html", c->html, report_html);
    write_file(c, "--svg", c->svg, report_dots);
    for (unsigned i = 0; c->wall && i < c->nguests; i++)
        print_wall(&c->result[i]);
}

static void open_trace(struct compare *c)
{
    struct error err;
    if (!c->options.trace_json ||
        (c->trace = trace_json_open(c->options.trace_json, c->options.trace_json_limit, &err)))
        return;
    fprintf(stderr, "emu: --trace-json: %s\n", err.text);
    c->failed = true;
}

static void close_trace(struct compare *c)
{
    struct error err;
    if (trace_json_close(c->trace, &err)) {
        fprintf(stderr, "emu: --trace-json: %s\n", err.text);
        c->failed = true;
    }
    c->trace = NULL;
}

static bool any_ran(const struct comparison *k)
{
    for (unsigned i = 0; i < k->ncolumns; i++)
        if (k->column[i].ran)
            return true;
    return false;
}

/* A guest that ran nowhere has failed: the notes say why. */
static int exit_status(const struct compare *c)
{
    for (unsigned i = 0; i < c->nguests; i++)
        if (!any_ran(&c->result[i]))
            return STATUS_USER;
    return STATUS_POWEROFF;
}

/* 0, 1: something is counted differently than then, or -1 with *err. */
static int judge(struct compare *c, struct error *err)
{
    FILE *out = c->json ? stderr : stdout;
    int differ = c->earlier ? against_report(c->earlier, c->against, c->result, c->nguests, out, err) : 0;
    fflush(out);
    return differ > 0 ? STATUS_DIFFERS : differ;
}

static int prepare(struct compare *c, int argc, char **argv, struct error *err)
{
    if (parse(c, argc, argv, err) || check_sort(c->sort, err))
        return -1;
    if (c->help || !c->against)
        return 0;
    c->earlier = against_load(c->against, err);
    return c->earlier ? 0 : -1;
}

static int compare(struct compare *c, int argc, char **argv, struct error *err)
{
    if (prepare(c, argc, argv, err))
        return -1;
    if (c->help)
        return fputs(usage, stdout), 0;
    open_trace(c);
    int status = run_all(c, err);
    close_trace(c);
    if (status)
        return -1;
    print_reports(c);
    status = judge(c, err);
    if (status < 0 || c->failed)
        return status < 0 ? -1 : STATUS_USER;
    return status ? status : exit_status(c);
}

static void compare_free(struct compare *c)
{
    for (unsigned i = 0; c->result && i < c->nguests; i++)
        profile_fini(&c->result[i].profile);
    free(c->result);
    json_decref(c->earlier);
    options_fini(&c->options);
}

int cli_compare(int argc, char **argv)
{
    struct compare c = { .engines = DEFAULT_ENGINES };
    struct error err = { "" };
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of that write */
    int status = compare(&c, argc, argv, &err);
    compare_free(&c);
    if (status < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    return status < 0 ? STATUS_USER : status;
}
