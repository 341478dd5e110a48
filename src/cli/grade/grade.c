/* SPDX-License-Identifier: MIT */
/* `emu grade LAB SUBMISSION`, and one submission from the first test to the last. */
#include "cli/grade/grade.h"

#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/grade/grade_sandbox.h"
#include "cli/options/options.h"
#include "cli/words.h"

enum { STATUS_POINTS_LOST = 1, MAX_JOBS = 64 };

static const char usage[] =
    "Usage: emu grade [OPTION]... LAB SUBMISSION\n"
    "       emu grade --all DIR [-j N] [-csv FILE] LAB\n"
    "Build and run a submission (a directory) against the tests of a lab such as labs/lab1, and print\n"
    "points, with the reason for each one that is lost. Status 0: all points; 1: not all.\n"
    "\n"
    "  -visible           only the tests that students have\n"
    "  -console           also what each test's guest prints\n"
    "  -json FILE         the marks as one JSON document, written anew after every test\n"
    "  -junit FILE        as JUnit XML\n"
    "  -gradescope FILE   as Gradescope's results.json\n"
    "  -classroom FILE    as GitHub Classroom's reporter reads them\n"
    "  -all DIR           every directory in DIR is a submission; done ones are not graded again\n"
    "  -csv FILE          with -all: one line each; default grades.csv. Marks are in FILE.d/\n"
    "  -j N               with -all: so many at a time; default 1\n";

struct words { const char *json, *junit, *gradescope, *classroom, *all, *csv, *jobs, *place[2]; unsigned nplaces; bool visible, console, help; };

/* --- one submission --- */

/* What ran last. Tests that ask the same run for other things need no second one: it would be the same bytes. */
struct last_run { const struct grade_test *test; json_t *document; };

static bool is_same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool is_same_run(const struct grade_test *a, const struct grade_test *b)
{
    return a && is_same(a->main, b->main) && is_same(a->engine, b->engine) && is_same(a->replace, b->replace) && is_same(a->service, b->service) &&
           a->max_insns == b->max_insns && !a->answer == !b->answer;
}

static void forget_run(struct last_run *last)
{
    json_decref(last->document);
    *last = (struct last_run){ NULL, NULL };
}

/* Build it and run it. False: it came to no run, and r says why. */
static bool make_run(struct grade *g, struct grade_build *b, const struct grade_test *t, struct grade_result *r, struct last_run *last)
{
    char image[PATH_MAX];
    struct error err = { "" };
    forget_run(last);
    int failed = grade_build_image(b, g, t, image, &err);
    if (failed) {
        r->verdict = failed < 0 ? VERDICT_GRADER : failed == 1 ? VERDICT_COMPILE : VERDICT_MEMORY;
        snprintf(r->reason, sizeof r->reason, "%s", failed < 0 ? err.text : b->words);
        return false;
    }
    last->document = grade_run(image, t, r);
    last->test = last->document ? t : NULL;
    return last->document != NULL;
}

static void run_test(struct grade *g, struct grade_build *b, const struct grade_test *t, struct grade_result *r, struct last_run *last)
{
    if (b->failed) {
        r->verdict = VERDICT_COMPILE;
        snprintf(r->reason, sizeof r->reason, "%s", b->words);
        return;
    }
    if (!grade_runs(t)) {
        grade_judge_paper(g, t, r);
        return;
    }
    if (!is_same_run(last->test, t) && !make_run(g, b, t, r, last))
        return;
    (t->answer ? grade_judge_answer : grade_judge)(g, t, last->document, r);
    if (g->show_console)
        grade_report_console(last->document, stdout);
}

/* A grader that failed has given no mark: the submission is to be graded again. */
static bool all_judged(const struct grade *g)
{
    for (unsigned i = 0; i < g->lab->ntests; i++)
        if (g->result[i].verdict == VERDICT_GRADER)
            return false;
    return true;
}

static int run_tests(struct grade *g, struct grade_build *b, struct last_run *last, struct error *err)
{
    for (unsigned i = 0; i < g->lab->ntests; i++) {
        if (grade_skips(g, i))
            continue;
        run_test(g, b, &g->lab->test[i], &g->result[i], last);
        if (sandbox_signal()) {     /* its run was cut short: no verdict */
            g->result[i] = (struct grade_result){ VERDICT_NOT_RUN };
            grade_report_files(g, NULL);
            return error_set(err, "grade: interrupted; %u tests have been run", i);
        }
        if (g->tell)
            g->tell(g, i);
        if (grade_report_files(g, err))
            return -1;
    }
    g->complete = all_judged(g);
    if (grade_report_files(g, err))
        return -1;
    return g->complete ? 0 : error_set(err, "grade: %s: not every test could be run (grader failed); grade it again", g->name);
}

static void name_submission(struct grade *g)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", g->submission);
    snprintf(g->name, sizeof g->name, "%.127s", basename(copy));
}

int grade_submission(struct grade *g, struct error *err)
{
    struct grade_build b;
    name_submission(g);
    grade_fingerprint(g);
    if (grade_report_files(g, err) || grade_build_init(&b, g->lab, err))
        return -1;
    struct last_run last = { NULL, NULL };
    int status = grade_build_submission(&b, g, err) || run_tests(g, &b, &last, err) ? -1 : 0;
    forget_run(&last);
    grade_build_fini(&b);
    return status;
}

/* Students have no hidden tests, nor the reference in whose company some visible ones put their file. */
bool grade_skips(const struct grade *g, unsigned i)
{
    char path[PATH_MAX + 280];
    const struct grade_test *t = &g->lab->test[i];
    if (!g->visible_only || !(t->hidden || t->replace))
        return false;
    snprintf(path, sizeof path, "%s/solution/%.255s", g->lab->dir, t->replace ? t->replace : "");
    return t->hidden || access(path, R_OK) != 0;
}

unsigned grade_score(const struct grade *g)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < g->lab->ntests; i++)
        sum += g->result[i].score;
    return sum;
}

unsigned grade_points(const struct grade *g)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < g->lab->ntests; i++)
        if (!grade_skips(g, i))
            sum += g->lab->test[i].points;
    return sum;
}

/* --- command line --- */

static int parse(struct words *w, int argc, char **argv, struct error *err)
{
    const struct { const char *name, **to; } texts[] = {
        { "json", &w->json }, { "junit", &w->junit }, { "gradescope", &w->gradescope }, { "classroom", &w->classroom }, { "all", &w->all }, { "csv", &w->csv }, { "j", &w->jobs },
    };
    const struct { const char *name; bool *to; } flags[] = { { "visible", &w->visible }, { "console", &w->console }, { "help", &w->help }, { "h", &w->help } };
    for (int i = 1; i < argc; i++) {
        const char *value;
        unsigned k = 0, f = 0;
        while (f < ARRAY_LEN(flags) && !word_is_option(argv[i], flags[f].name, &value))
            f++;
        if (f < ARRAY_LEN(flags)) {
            *flags[f].to = true;
            continue;
        }
        while (k < ARRAY_LEN(texts) && !word_is_option(argv[i], texts[k].name, &value))
            k++;
        if (k < ARRAY_LEN(texts)) {
            *texts[k].to = value ? value : i + 1 < argc ? argv[++i] : NULL;
            if (!*texts[k].to)
                return error_set(err, "grade: -%s: an argument is missing; see emu grade --help", texts[k].name);
        } else if (argv[i][0] == '-' || w->nplaces == 2) {
            return error_set(err, "grade: '%s' is not understood; see emu grade --help", argv[i]);
        } else {
            w->place[w->nplaces++] = argv[i];
        }
    }
    if (w->all && (w->visible || w->console || w->json || w->junit || w->gradescope || w->classroom))
        return error_set(err, "grade: -visible, -console, -json, -junit, -gradescope and -classroom are for one submission, not for -all");
    if (!w->help && w->nplaces != (w->all ? 1 : 2))
        return error_set(err, "grade: give a lab and a submission, as in `emu grade labs/lab1 build/labs/lab1/starter`");
    return 0;
}

static void tell(const struct grade *g, unsigned test) { grade_report_test(g, test, stdout); }

/* A name that leads nowhere is no submission of nothing. */
static int check_submission(const char *dir, struct error *err)
{
    struct stat st;
    if (stat(dir, &st) || (S_ISDIR(st.st_mode) && access(dir, R_OK | X_OK)))
        return error_set(err, "grade: %s: %s; give the directory of a submission", dir, strerror(errno));
    return S_ISDIR(st.st_mode) ? 0 : error_set(err, "grade: %s: is no directory; a submission is a directory with the files that the lab names", dir);
}

static int grade_one(const struct words *w, const struct grade_lab *lab, struct error *err)
{
    struct grade *g = calloc(1, sizeof *g);
    char place[PATH_MAX];   /* the user may name it by a link, or as "." */
    *g = (struct grade){ .lab = lab, .submission = realpath(w->place[1], place) ? place : w->place[1], .visible_only = w->visible, .show_console = w->console, .tell = tell, .json = w->json, .junit = w->junit,
                         .gradescope = w->gradescope, .classroom = w->classroom };
    sandbox_catch_signals();
    printf("%s: %s\n", lab->name, lab->title);
    int status = grade_submission(g, err);
    if (status == 0) {
        grade_report_sum(g, stdout);
        status = grade_score(g) == grade_points(g) ? 0 : STATUS_POINTS_LOST;
    }
    free(g);
    return status;
}

static int grade_lab(const struct words *w, struct error *err)
{
    struct grade_lab *lab = calloc(1, sizeof *lab);
    u64 jobs = 1;
    int status = -1;
    if (w->jobs && (parse_number(w->jobs, &jobs) || jobs < 1 || jobs > MAX_JOBS))
        error_set(err, "grade: -j %s: give 1 to %d", w->jobs, MAX_JOBS);
    else if (grade_lab_load(lab, w->place[0], err) == 0) {
        if (!sandbox_probe(err) && (w->all || !check_submission(w->place[1], err)))
            status = w->all ? grade_all(lab, w->all, w->csv ? w->csv : "grades.csv", jobs, err) : grade_one(w, lab, err);
        grade_lab_fini(lab);
    }
    free(lab);
    return status;
}

int cli_grade(int argc, char **argv)
{
    struct words w = { 0 };
    struct error err = { "" };
    int status = parse(&w, argc, argv, &err);
    if (status == 0 && w.help)
        return fputs(usage, stdout), 0;
    if (status == 0)
        status = grade_lab(&w, &err);
    if (status < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    if (sandbox_signal()) {         /* whoever called sees the signal, as ever */
        fflush(NULL);
        signal(sandbox_signal(), SIG_DFL);
        raise(sandbox_signal());
    }
    return status < 0 ? STATUS_USER : status;
}
