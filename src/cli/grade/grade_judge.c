/* SPDX-License-Identifier: MIT */
/* From what a guest did to a verdict. Whatever is not exactly what the test asks for scores nothing. */
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/grade/grade.h"
#include "cli/grade/grade_sandbox.h"

#define DOCUMENT_BYTES (1u << 20)

/* The fuse: many times what the slowest guests take, which flush their TLB at every third instruction. It never makes a mark: limits are
 * guest instructions, so that a slow host fails nobody. */
static unsigned fuse_seconds(u64 max_insns) { return 120 + max_insns / 1000000; }

static void decide(struct grade_result *r, enum verdict v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void decide(struct grade_result *r, enum verdict v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->reason, sizeof r->reason, fmt, ap);
    va_end(ap);
    r->verdict = v;
}

/* --- running --- */

/* The emulator, and the directory where it looks for its cost profiles. */
static int find_emulator(char *exe, char *profiles, size_t size)
{
    static const char *const places[] = { "profiles", "../share/emu/profiles", "../profiles", "../../profiles", "../../../profiles" };
    ssize_t n = readlink("/proc/self/exe", exe, size - 1);
    if (n < 0)
        return -1;
    exe[n] = 0;
    int dir = strrchr(exe, '/') - exe;
    for (unsigned i = 0; i < ARRAY_LEN(places); i++)
        if (snprintf(profiles, size, "%.*s/%s", dir, exe, places[i]) < (int)size && access(profiles, X_OK) == 0)
            return 0;
    return -1;
}

static json_t *run_worker(const char *image, const struct grade_test *t, char *out, struct grade_result *r)
{
    char exe[PATH_MAX], profiles[PATH_MAX], max[24];
    enum sandbox_end end;
    int status;
    struct error err = { "" };
    if (find_emulator(exe, profiles, sizeof exe))
        return decide(r, VERDICT_GRADER, "the emulator does not find itself"), NULL;
    snprintf(max, sizeof max, "%" PRIu64, t->max_insns);
    const char *argv[] = { "/emu/emu", "grade-worker", t->engine, "/image", max, t->service, NULL };
    struct sandbox s = { .argv = argv, .bind = { { exe, "/emu/emu" }, { profiles, "/emu/profiles" }, { image, "/image" } }, .nbinds = 3,
                         .cpu_seconds = fuse_seconds(t->max_insns), .out = out, .size = DOCUMENT_BYTES };
    if (sandbox_run(&s, &end, &status, &err))
        return decide(r, VERDICT_GRADER, "%s", err.text), NULL;
    json_t *run = json_loads(out, 0, NULL);
    if (run && end == SANDBOX_EXITED && status == 0)
        return run;
    json_decref(run);
    if (end == SANDBOX_CPU)
        decide(r, VERDICT_GRADER, "%u seconds of processor time were not enough for %" PRIu64 " guest instructions: this host is too slow, or it is a bug of emu",
               fuse_seconds(t->max_insns), t->max_insns);
    else if (end == SANDBOX_SIGNALED && status == 9)
        decide(r, VERDICT_GRADER, "the emulator was killed: the host has no memory left");
    else
        decide(r, VERDICT_GRADER, "the emulator ended with status %d: %.300s", status, out);
    return NULL;
}

json_t *grade_run(const char *image, const struct grade_test *t, struct grade_result *r)
{
    char *out = calloc(1, DOCUMENT_BYTES);
    json_t *run = out ? run_worker(image, t, out, r) : NULL;
    free(out);
    return run;
}

/* --- how it ended --- */

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* The last two lines of the console, which often say why. */
static void last_lines(const json_t *run, char *lines, size_t size)
{
    const char *s = text(run, "console"), *end = s + strlen(s);
    while (end > s && end[-1] == '\n')
        end--;
    const char *start = end;
    for (unsigned n = 0; start > s && (n += start[-1] == '\n') < 2;)
        start--;
    snprintf(lines, size, "%.*s", (int)(end - start), start);
    for (char *c = lines; *c; c++)
        *c = *c == '\n' ? '|' : *c;
}

/* True if it turned itself off; otherwise the verdict is made. */
static bool ended_well(const struct grade_test *t, const json_t *run, struct grade_result *r)
{
    char line[200];
    int status = json_integer_value(json_object_get(run, "status"));
    const char *over = text(run, "over");
    last_lines(run, line, sizeof line);
    r->insns = json_integer_value(json_object_get(run, "insns"));
    if (*text(run, "refused"))
        decide(r, VERDICT_MEMORY, "the program cannot be loaded: %s", text(run, "refused"));
    else if (strcmp(over, "flood") == 0)
        decide(r, VERDICT_FLOOD, "more than %d KiB of output", GRADE_CONSOLE >> 10);
    else if (*over)
        decide(r, VERDICT_TIMEOUT, "still running after %" PRIu64 " guest instructions; it ended with \"%s\"", t->max_insns, line);
    else if (status & 1)
        decide(r, VERDICT_CRASH, "the guest ended with code %d; its console with \"%s\"", status >> 1, line);
    else if (status)
        decide(r, VERDICT_CRASH, "%s; it ended with \"%s\"", text(run, "reason"), line);
    else
        return true;
    return false;
}

/* --- what it said --- */

/* "@count NAME NUMBER": what a lab's own machinery has counted. */
static bool is_count(const char *line) { return strncmp(line, "@count ", 7) == 0; }

/* The next line that is compared: of a console those with '@', of a file of expectations all but comments. NULL at the end. */
static const char *next_line(const char **s, bool console, char *line, size_t size)
{
    while (**s) {
        size_t n = strcspn(*s, "\n");
        snprintf(line, size, "%.*s", (int)n, *s);
        *s += n + ((*s)[n] == '\n');
        if (console ? line[0] == '@' && !is_count(line) : line[0] && line[0] != '#')
            return line;
    }
    return NULL;
}

static bool said_what_was_expected(const char *expected, const char *console, struct grade_result *r)
{
    char a[200], b[200];
    for (unsigned n = 1;; n++) {
        const char *want = next_line(&expected, false, a, sizeof a), *seen = next_line(&console, true, b, sizeof b);
        if (!want && !seen)
            return true;
        if (want && seen && strcmp(want, seen) == 0)
            continue;
        if (!want)
            decide(r, VERDICT_WRONG, "line %u: nothing more was expected, seen \"%s\"", n, seen);
        else
            decide(r, VERDICT_WRONG, seen ? "line %u: expected \"%s\", seen \"%s\"" : "line %u: expected \"%s\", seen the end of the output", n, want, seen);
        return false;
    }
}

static bool check_output(const struct grade *g, const struct grade_test *t, const json_t *run, struct grade_result *r)
{
    size_t len;
    struct error err = { "" };
    char *expected = grade_take_file(g->lab->dir, t->expect, &len, &err);
    if (!expected)
        return decide(r, VERDICT_GRADER, "%s", err.text), false;
    bool ok = said_what_was_expected(expected, text(run, "console"), r);
    free(expected);
    return ok;
}

/* --- what it cost --- */

/* -1: there is no such line, or more than one: a submission may have said the others. */
static s64 count_said(const char *console, const char *name)
{
    char line[200], said[64];
    s64 n, value = -1;
    for (unsigned lines = 0; *console; console += strcspn(console, "\n"), console += *console == '\n') {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(console, "\n"), console);
        if (sscanf(line, "@count %63s %" SCNd64, said, &n) == 2 && strcmp(said, name) == 0)
            value = ++lines == 1 && n >= 0 ? n : -1;
    }
    return value;
}

static s64 count(const json_t *run, const char *pattern)
{
    const char *event;
    json_t *n;
    s64 sum = 0;
    if (strcmp(pattern, "insns") == 0 || strcmp(pattern, "monitor") == 0)
        return json_integer_value(json_object_get(run, pattern));
    if (pattern[0] == '@')
        return count_said(text(run, "console"), pattern + 1);
    json_object_foreach(json_object_get(run, "counts"), event, n)
        if (fnmatch(pattern, event, FNM_EXTMATCH) == 0)
            sum += json_integer_value(n);
    return sum;
}

static bool check_counts(const struct grade_test *t, const json_t *run, struct grade_result *r)
{
    for (const struct grade_limit *l = t->limit; l < t->limit + t->nlimits; l++) {
        s64 n = count(run, l->event);
        if (n < 0)
            return decide(r, VERDICT_COUNTS, "%s: not said exactly once, on a line \"@count %s NUMBER\"", l->what, l->event + 1), false;
        if (l->max >= 0 && n > l->max)
            return decide(r, VERDICT_COUNTS, "%s: %" PRId64 " expected at most, seen %" PRId64 ": %" PRId64 " too many", l->what, l->max, n, n - l->max), false;
        if (l->min >= 0 && n < l->min)
            return decide(r, VERDICT_COUNTS, "%s: %" PRId64 " expected at least, seen %" PRId64, l->what, l->min, n), false;
    }
    return true;
}

void grade_judge(const struct grade *g, const struct grade_test *t, const json_t *run, struct grade_result *r)
{
    if (!ended_well(t, run, r) || (t->expect && !check_output(g, t, run, r)) || !check_counts(t, run, r))
        return;
    r->verdict = VERDICT_PASS;
    r->score = t->points;
}

/* --- a number of a sheet --- */

void grade_judge_answer(const struct grade *g, const struct grade_test *t, const json_t *run, struct grade_result *r)
{
    size_t len;
    s64 value;
    struct error err = { "" };
    if (!ended_well(t, run, r)) {
        r->verdict = VERDICT_GRADER;
        return;
    }
    char *answers = grade_take_file(g->submission, t->sheet, &len, &err);
    s64 truth = count(run, t->limit[0].event);
    if (!answers)
        decide(r, VERDICT_WRONG, "%s", err.text);
    else if (!grade_find_answer(answers, t->answer, &value))
        decide(r, VERDICT_WRONG, "%s has no line \"%s = NUMBER\"", t->sheet, t->answer);
    else if (t->factor && !grade_is_near(value, truth, t->factor))
        decide(r, VERDICT_WRONG, "%s = %" PRId64 " is more than %u times too %s", t->answer, value, t->factor, value > truth ? "large" : "small");
    else if (!t->factor && value != truth)
        decide(r, VERDICT_WRONG, "%s = %" PRId64 " is not what happens; count again (`emu compare --reasons`)", t->answer, value);
    else
        *r = (struct grade_result){ VERDICT_PASS, t->points, r->insns, "" };
    free(answers);
}
