/* SPDX-License-Identifier: MIT */
/* labs/labN/lab.json, read and checked. labs/README.md says what stands in it. */
#include "cli/grade/grade.h"

#include <fnmatch.h>
#include <jansson.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ledger.h"
#include "cli/engines.h"
#include "cli/grade/grade_service.h"

#define DEFAULT_MAX_INSNS 20000000u

const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_NOT_RUN] = "not run", [VERDICT_PASS] = "pass", [VERDICT_WRONG] = "wrong answer", [VERDICT_COUNTS] = "counts",
    [VERDICT_TIMEOUT] = "time-out", [VERDICT_MEMORY] = "out of memory", [VERDICT_CRASH] = "crash", [VERDICT_FLOOD] = "output flood",
    [VERDICT_COMPILE] = "does not compile", [VERDICT_GRADER] = "grader failed",
};

/* A name within the lab or a submission: no way out of it. */
static bool is_plain_path(const char *s) { return *s && *s != '/' && !strstr(s, ".."); }

static int bad(const struct grade_lab *lab, struct error *err, const char *where, const char *what)
{
    return error_set(err, "%s/lab.json: %s: %s", lab->dir, where, what);
}

static const char *text(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }

static bool event_exists(const char *pattern)
{
    for (int e = 0; e < EV_COUNT; e++)
        if (fnmatch(pattern, event_rows[e].name, FNM_EXTMATCH) == 0)
            return true;
    return false;
}

static s64 bound(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

static u32 at_least_0(const json_t *o, const char *key) { return bound(o, key) > 0 && bound(o, key) < 1000000 ? bound(o, key) : 0; }

/* "counts": { "pv.mmu-update": { "min": 1, "max": 16 } } */
static int read_limits(const struct grade_lab *lab, struct grade_test *t, json_t *counts, struct error *err)
{
    const char *event;
    json_t *range;
    json_object_foreach(counts, event, range) {
        if (t->nlimits == GRADE_MAX_LIMITS)
            return bad(lab, err, t->name, "too many counts");
        if (strcmp(event, "insns") && strcmp(event, "monitor") && event[0] != '@' && !event_exists(event))
            return bad(lab, err, event, "no event has that name; see `emu list events`");
        t->limit[t->nlimits++] = (struct grade_limit){ event, text(range, "what") ? text(range, "what") : event, bound(range, "min"), bound(range, "max") };
    }
    return 0;
}

static int check_test(const struct grade_lab *lab, const struct grade_test *t, struct error *err)
{
    if (t->name && !grade_runs(t))
        return t->order && (t->percent < 1 || t->percent > 100) ? bad(lab, err, t->name, "an order needs a percentage") : 0;
    if (!t->name || !t->main || !is_plain_path(t->main) || (t->expect && !is_plain_path(t->expect)))
        return bad(lab, err, t->name ? t->name : "tests", "each test needs a name, a main program (a path within the lab) and points");
    if (!t->expect && !t->nlimits)
        return bad(lab, err, t->name, "neither \"expect\" nor \"counts\": the test could not fail");
    if (t->answer && t->nlimits != 1)
        return bad(lab, err, t->name, "an answer is one event's count");
    if (t->service && !service_find(t->service))
        return bad(lab, err, t->service, "there is no such service; see src/cli/grade/grade_service.h");
    return engine_find(t->engine, err) ? 0 : -1;
}

static int read_test(struct grade_lab *lab, json_t *o, struct error *err)
{
    struct grade_test *t = &lab->test[lab->ntests];
    if (lab->ntests == GRADE_MAX_TESTS)
        return bad(lab, err, "tests", "too many");
    s64 max = bound(o, "max_insns"), points = bound(o, "points");
    const char *engine = text(o, "engine");
    *t = (struct grade_test){ .name = text(o, "name"), .main = text(o, "main"), .expect = text(o, "expect"), .replace = text(o, "replace"),
                              .answer = text(o, "answer"), .service = text(o, "service"), .engine = engine ? engine : "bare", .hidden = json_is_true(json_object_get(o, "hidden")),
                              .sheet = text(o, "sheet") ? text(o, "sheet") : "answers.txt", .order = text(o, "order"),
                              .factor = at_least_0(o, "factor"), .percent = at_least_0(o, "percent"), .words = at_least_0(o, "words"), .points = points > 0 ? points : 0, .max_insns = max > 0 ? max : DEFAULT_MAX_INSNS };
    if (read_limits(lab, t, json_object_get(o, "counts"), err) || check_test(lab, t, err))
        return -1;
    lab->ntests++;
    return 0;
}

static int read_files(struct grade_lab *lab, struct error *err)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(lab->json, "files"), i, name) {
        const char *s = json_string_value(name);
        if (lab->nfiles == GRADE_MAX_FILES || !s || !is_plain_path(s) || strchr(s, '/'))
            return bad(lab, err, "files", "names without a directory, and not many");
        lab->file[lab->nfiles++] = s;
    }
    return lab->nfiles ? 0 : bad(lab, err, "files", "what is to be submitted is not named");
}

static int read_all(struct grade_lab *lab, struct error *err)
{
    size_t i;
    json_t *test;
    lab->title = text(lab->json, "title");
    if (!lab->title)
        return bad(lab, err, "title", "there is none");
    if (read_files(lab, err))
        return -1;
    json_array_foreach(json_object_get(lab->json, "tests"), i, test)
        if (read_test(lab, test, err))
            return -1;
    return lab->ntests ? 0 : bad(lab, err, "tests", "there are none");
}

int grade_lab_load(struct grade_lab *lab, const char *dir, struct error *err)
{
    char path[PATH_MAX + 16];
    json_error_t why;
    memset(lab, 0, sizeof *lab);
    if (!realpath(dir, lab->dir))
        return error_set(err, "grade: there is no lab %s; labs are labs/lab0, labs/lab1, ...", dir);
    snprintf(path, sizeof path, "%s", lab->dir);
    snprintf(lab->name, sizeof lab->name, "%.63s", basename(path));
    snprintf(path, sizeof path, "%s/lab.json", lab->dir);
    if (access(path, F_OK))
        return error_set(err, "grade: %s: is no lab, for it has no lab.json; labs are labs/lab0, labs/lab1, ...", dir);
    snprintf(path, sizeof path, "%s/../..", lab->dir);
    if (!realpath(path, lab->root))
        return error_set(err, "grade: %s: no such directory", path);
    snprintf(path, sizeof path, "%s/lab.json", lab->dir);
    lab->json = json_load_file(path, 0, &why);
    if (!lab->json)
        return error_set(err, "grade: %s: line %d: %s", path, why.line, why.text);
    if (read_all(lab, err)) {
        grade_lab_fini(lab);
        return -1;
    }
    return 0;
}

void grade_lab_fini(struct grade_lab *lab)
{
    json_decref(lab->json);
    lab->json = NULL;
}
