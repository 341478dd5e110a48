/* SPDX-License-Identifier: MIT */
/*
 * Marks in five forms. A file is written beside its place and renamed, so that whoever reads it, at any moment, finds a
 * whole document: tests that have not run yet are in it with 0 points. No time is in any: the same submission gives the same bytes.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/grade/grade.h"

/* --- terminal --- */

void grade_report_test(const struct grade *g, unsigned i, FILE *out)
{
    const struct grade_test *t = &g->lab->test[i];
    const struct grade_result *r = &g->result[i];
    char line[GRADE_REASON];
    fprintf(out, "  %-4s %3u/%-3u %s%s\n", r->verdict == VERDICT_PASS ? "ok" : "LOST", r->score, t->points, t->name, t->hidden ? " (hidden)" : "");
    if (r->verdict == VERDICT_PASS)
        return;
    const char *s = i && !strcmp(r->reason, r[-1].reason) ? "as before" : r->reason;
    fprintf(out, "       %s", verdict_names[r->verdict]);
    for (const char *before = ": "; *s; before = "\n         ") {
        size_t n = strcspn(s, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, s);
        char clean[3 * GRADE_REASON];
        fprintf(out, "%s%s", before, text_clean(clean, sizeof clean, line));
        s += n + (s[n] == '\n');
    }
    fputc('\n', out);
    fflush(out);
}

void grade_report_console(const json_t *run, FILE *out)
{
    const char *s = json_string_value(json_object_get(run, "console"));
    while (s && *s) {
        int n = strcspn(s, "\n");
        fprintf(out, "    | %.*s\n", n, s);
        s += n + (s[n] == '\n');
    }
}

void grade_report_sum(const struct grade *g, FILE *out)
{
    fprintf(out, "%s: %u of %u points\n", g->name, grade_score(g), grade_points(g));
}

/* --- JSON --- */

/* The reason as valid text, its lines kept. */
static json_t *reason_text(const struct grade_result *r)
{
    char clean[3 * GRADE_REASON + 3], line[GRADE_REASON], *to = clean;
    for (const char *s = r->reason; *s;) {
        size_t n = strcspn(s, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, s);
        text_clean(to, sizeof clean - (to - clean) - 1, line);
        to += strlen(to);
        if (s[n])
            *to++ = '\n';
        s += n + (s[n] == '\n');
    }
    *to = 0;
    return json_string(clean);
}

static json_t *json_test(const struct grade *g, unsigned i)
{
    const struct grade_test *t = &g->lab->test[i];
    const struct grade_result *r = &g->result[i];
    return json_pack("{s:s, s:b, s:i, s:i, s:s, s:o, s:I}", "name", t->name, "hidden", t->hidden, "score", r->score, "max_score", t->points,
                     "verdict", verdict_names[r->verdict], "reason", reason_text(r), "insns", (json_int_t)r->insns);
}

static json_t *make_json(const struct grade *g)
{
    json_t *tests = json_array();
    for (unsigned i = 0; i < g->lab->ntests; i++)
        if (!grade_skips(g, i))
            json_array_append_new(tests, json_test(g, i));
    char name[sizeof g->name];
    return json_pack("{s:s, s:s, s:s, s:b, s:i, s:i, s:o}", "lab", g->lab->name, "submission", text_clean(name, sizeof name, g->name), "fingerprint", g->fingerprint,
                     "complete", g->complete, "score", grade_score(g), "max_score", grade_points(g), "tests", tests);
}

/* --- Gradescope: results.json of its autograder specification --- */

static json_t *gradescope_test(const struct grade *g, unsigned i)
{
    const struct grade_test *t = &g->lab->test[i];
    const struct grade_result *r = &g->result[i];
    char head[64];
    snprintf(head, sizeof head, "%s%s", verdict_names[r->verdict], *r->reason ? ": " : "");
    json_t *reason = reason_text(r), *o = json_pack("{s:s, s:i, s:i, s:s, s:s+, s:s, s:s}", "name", t->name, "score", r->score, "max_score", t->points,
        "status", r->verdict == VERDICT_PASS ? "passed" : "failed", "output", head, json_string_value(reason), "output_format", "text",
        "visibility", t->hidden ? "hidden" : "visible");
    json_decref(reason);
    return o;
}

static json_t *make_gradescope(const struct grade *g)
{
    json_t *tests = json_array();
    for (unsigned i = 0; i < g->lab->ntests; i++)
        if (!grade_skips(g, i))
            json_array_append_new(tests, gradescope_test(g, i));
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "score", grade_score(g), "output", g->complete ? "All tests have run." : "The grader was interrupted: tests that had not run yet have 0 points.",
                     "output_format", "text", "visibility", "visible", "stdout_visibility", "hidden", "tests", tests);
}

/* --- GitHub Classroom: what its reporter (education/autograding-grading-reporter) reads, in base64, from a step's output --- */

static json_t *classroom_test(const struct grade *g, unsigned i)
{
    const struct grade_test *t = &g->lab->test[i];
    const struct grade_result *r = &g->result[i];
    char points[64];
    snprintf(points, sizeof points, "%u/%u %s%s", r->score, t->points, verdict_names[r->verdict], *r->reason ? ": " : "");
    json_t *reason = reason_text(r);
    json_t *o = json_pack("{s:s, s:s, s:i, s:s+}", "name", t->name, "status", r->verdict == VERDICT_PASS ? "pass" : "fail", "score", r->score,
                          "message", points, json_string_value(reason));
    json_decref(reason);
    return o;
}

static json_t *make_classroom(const struct grade *g)
{
    json_t *tests = json_array();
    for (unsigned i = 0; i < g->lab->ntests; i++)
        if (!grade_skips(g, i))
            json_array_append_new(tests, classroom_test(g, i));
    const char *status = !g->complete ? "error" : grade_score(g) == grade_points(g) ? "pass" : "fail";
    return json_pack("{s:i, s:s, s:i, s:o}", "version", 1, "status", status, "max_score", grade_points(g), "tests", tests);
}

/* --- JUnit XML --- */

static void junit_test(const struct grade *g, unsigned i, FILE *f)
{
    const struct grade_result *r = &g->result[i];
    fprintf(f, "  <testcase classname=\"%s\" name=\"", g->lab->name);
    text_xml(g->lab->test[i].name, f);
    if (r->verdict == VERDICT_PASS) {
        fprintf(f, "\"/>\n");
        return;
    }
    const char *tag = r->verdict == VERDICT_WRONG || r->verdict == VERDICT_COUNTS ? "failure" : "error";
    fprintf(f, "\">\n    <%s type=\"%s\" message=\"0 of %u points\">", tag, verdict_names[r->verdict], g->lab->test[i].points);
    json_t *reason = reason_text(r);
    for (const char *s = json_string_value(reason); s && *s;) {     /* text_xml() has no lines */
        char line[3 * GRADE_REASON];
        size_t n = strcspn(s, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, s);
        text_xml(line, f);
        fputs(s[n] ? "\n" : "", f);
        s += n + (s[n] == '\n');
    }
    json_decref(reason);
    fprintf(f, "</%s>\n  </testcase>\n", tag);
}

static void write_junit(const struct grade *g, FILE *f)
{
    unsigned n = 0, failures = 0, errors = 0;
    for (unsigned i = 0; i < g->lab->ntests; i++) {
        enum verdict v = g->result[i].verdict;
        n += !grade_skips(g, i);
        failures += !grade_skips(g, i) && (v == VERDICT_WRONG || v == VERDICT_COUNTS);
        errors += !grade_skips(g, i) && v != VERDICT_PASS && v != VERDICT_WRONG && v != VERDICT_COUNTS;
    }
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
    text_xml(g->lab->title, f);
    fprintf(f, "\" tests=\"%u\" failures=\"%u\" errors=\"%u\">\n", n, failures, errors);
    for (unsigned i = 0; i < g->lab->ntests; i++)
        if (!grade_skips(g, i))
            junit_test(g, i, f);
    fprintf(f, "</testsuite>\n");
}

/* --- files --- */

static void write_document(json_t *o, FILE *f)
{
    json_dumpf(o, f, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fputc('\n', f);
    json_decref(o);
}

static void write_json(const struct grade *g, FILE *f) { write_document(make_json(g), f); }
static void write_gradescope(const struct grade *g, FILE *f) { write_document(make_gradescope(g), f); }
static void write_classroom(const struct grade *g, FILE *f) { write_document(make_classroom(g), f); }

static int write_file(const struct grade *g, const char *path, void (*write)(const struct grade *, FILE *), struct error *err)
{
    char beside[PATH_MAX];
    if (!path)
        return 0;
    if (snprintf(beside, sizeof beside, "%s.part", path) >= (int)sizeof beside)
        return error_set(err, "%s: the name is too long", path);
    FILE *f = fopen(beside, "we");
    if (!f)
        return error_set(err, "%s: %s", beside, strerror(errno));
    write(g, f);
    bool failed = ferror(f);
    if (!fclose(f) && !failed && rename(beside, path) == 0)
        return 0;
    error_set(err, "%s: %s", path, strerror(errno));
    unlink(beside);
    return -1;
}

int grade_report_files(const struct grade *g, struct error *err)
{
    return write_file(g, g->json, write_json, err) || write_file(g, g->junit, write_junit, err) || write_file(g, g->gradescope, write_gradescope, err) ||
           write_file(g, g->classroom, write_classroom, err) ? -1 : 0;
}
