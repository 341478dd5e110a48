/* SPDX-License-Identifier: MIT */
/*
 * `emu grade --all`: a directory of submissions. Each is graded by a process of its own, which leaves its marks in FILE.csv.d/NAME.json;
 * the table is made from those. A submission whose marks are complete, and of the same files and tests, is not graded again.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/grade/grade.h"
#include "cli/progress.h"

struct all {
    const struct grade_lab *lab;
    const char *dir, *csv;
    struct dirent **entry; int n;
    struct progress progress;
    bool first;                     /* the first round; what has no mark after it is tried once more */
    unsigned running, done, before; /* before: graded by an earlier run */
    int failed;                     /* submissions without a mark: the grader could not work */
};

/* Directories only, and not through links. */
static bool is_submission(const struct all *a, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", a->dir, name);
    return name[0] != '.' && lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void marks_path(const struct all *a, const char *name, char *path) { snprintf(path, PATH_MAX, "%s.d/%s.json", a->csv, name); }

static json_t *load_marks(const struct all *a, const char *name)
{
    char path[PATH_MAX];
    marks_path(a, name, path);
    return json_load_file(path, 0, NULL);
}

static bool is_done(const struct all *a, struct grade *g, const char *name)
{
    json_t *marks = load_marks(a, name);
    const char *print = json_string_value(json_object_get(marks, "fingerprint"));
    grade_fingerprint(g);
    bool done = json_is_true(json_object_get(marks, "complete")) && print && !strcmp(print, g->fingerprint);
    json_decref(marks);
    return done;
}

/* It ends with its parent: a run that goes on later would grade the same beside it. */
static _Noreturn void grade_in_child(struct grade *g, pid_t parent)
{
    struct error err = { "" };
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(1);
    int status = grade_submission(g, &err);
    if (status)
        fprintf(stderr, "emu: %s: %s\n", g->name, err.text);
    fflush(NULL);
    _exit(status ? 1 : 0);
}

static void reap(struct all *a)
{
    int status;
    if (wait(&status) < 0)
        return;
    a->running--;
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    a->done += ok;
    a->failed += !ok;
    progress_show(&a->progress, "%s: %u of %d submissions graded", a->lab->name, a->done, a->n);
}

static void start(struct all *a, const char *name)
{
    char submission[PATH_MAX], marks[PATH_MAX];
    struct grade *g = calloc(1, sizeof *g);
    snprintf(submission, sizeof submission, "%s/%s", a->dir, name);
    marks_path(a, name, marks);
    *g = (struct grade){ .lab = a->lab, .submission = submission, .json = marks };
    if (is_done(a, g, name)) {
        a->done += a->first;
        a->before += a->first;
    } else {
        fflush(NULL);
        pid_t parent = getpid(), child = fork();
        if (child == 0)
            grade_in_child(g, parent);
        a->running += child > 0;
        a->failed += child < 0;
    }
    free(g);
}

/* --- the table --- */

/* RFC 4180; a leading '=', '+', '-' or '@' would be a formula to a spreadsheet. */
static void csv_text(const char *s, FILE *f)
{
    char clean[600];
    text_clean(clean, sizeof clean, s);
    fputs(strchr("=+-@", clean[0]) && clean[0] ? "\"'" : "\"", f);
    for (const char *c = clean; *c; c++)
        fputs(*c == '"' ? "\"\"" : (char[]){ *c, 0 }, f);
    fputc('"', f);
}

static void csv_row(const struct all *a, const char *name, FILE *f)
{
    json_t *marks = load_marks(a, name), *tests = json_object_get(marks, "tests");
    csv_text(name, f);
    fprintf(f, ",%d,%d,%s", (int)json_integer_value(json_object_get(marks, "score")), (int)json_integer_value(json_object_get(marks, "max_score")),
            json_is_true(json_object_get(marks, "complete")) ? "yes" : "no");
    for (unsigned i = 0; i < a->lab->ntests; i++) {
        const json_t *t = json_array_get(tests, i);
        const char *verdict = json_string_value(json_object_get(t, "verdict"));
        fprintf(f, ",%d,", (int)json_integer_value(json_object_get(t, "score")));
        csv_text(verdict ? verdict : "not run", f);
    }
    fputs("\r\n", f);
    json_decref(marks);
}

static void write_table(const struct all *a, FILE *f)
{
    fputs("submission,score,max_score,complete", f);
    for (unsigned i = 0; i < a->lab->ntests; i++) {
        fputc(',', f);
        csv_text(a->lab->test[i].name, f);
        fputs(",verdict", f);
    }
    fputs("\r\n", f);
    for (int i = 0; i < a->n; i++)
        csv_row(a, a->entry[i]->d_name, f);
}

/* Beside its place, then renamed: the table is whole at every moment. */
static int write_csv(const struct all *a, struct error *err)
{
    char beside[PATH_MAX];
    snprintf(beside, sizeof beside, "%s.d/table.part", a->csv);
    FILE *f = fopen(beside, "we");
    if (!f)
        return error_set(err, "%s: %s", beside, strerror(errno));
    write_table(a, f);
    bool failed = ferror(f);
    return fclose(f) || failed || rename(beside, a->csv) ? error_set(err, "%s: %s", a->csv, strerror(errno)) : 0;
}

static int find_submissions(struct all *a, struct error *err)
{
    int n = scandir(a->dir, &a->entry, NULL, alphasort);
    if (n < 0)
        return error_set(err, "grade: --all %s: %s", a->dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (is_submission(a, a->entry[i]->d_name))
            a->entry[a->n++] = a->entry[i];
        else
            free(a->entry[i]);
    }
    return 0;
}

/* FILE.csv.d for the marks, and in it a place for what is built; a killed run's is emptied. */
static int make_places(const struct all *a, struct error *err)
{
    char marks[PATH_MAX], scratch[PATH_MAX];
    snprintf(marks, sizeof marks, "%s.d", a->csv);
    snprintf(scratch, sizeof scratch, "%s.d/.scratch", a->csv);
    if (mkdir(marks, 0777) && errno != EEXIST)
        return error_set(err, "%s: %s", marks, strerror(errno));
    return grade_build_place(scratch, err);
}

static void grade_round(struct all *a, unsigned jobs)
{
    a->failed = 0;
    for (int i = 0; i < a->n; i++) {
        while (a->running >= jobs)
            reap(a);
        start(a, a->entry[i]->d_name);
    }
    while (a->running)
        reap(a);
}

int grade_all(const struct grade_lab *lab, const char *dir, const char *csv, unsigned jobs, struct error *err)
{
    struct all a = { .lab = lab, .dir = dir, .csv = csv };
    if (find_submissions(&a, err) || make_places(&a, err))
        return -1;
    progress_init(&a.progress, STDERR_FILENO);
    a.first = true;
    grade_round(&a, jobs);
    a.first = false;
    if (a.failed)                   /* a host that was out of memory for a moment, say; nobody watches at night */
        grade_round(&a, jobs);
    progress_end(&a.progress);
    int status = write_csv(&a, err);
    rmdir(getenv("TMPDIR"));        /* empty by now */
    printf("%s: %d submissions graded, %u of them before; %s\n", lab->name, a.n - a.failed, a.before, csv);
    for (int i = 0; i < a.n; i++)
        free(a.entry[i]);
    free(a.entry);
    return status ? -1 : a.failed ? error_set(err, "grade: %d submissions have no mark; run it again", a.failed) : 0;
}
