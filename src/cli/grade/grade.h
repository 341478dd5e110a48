/* SPDX-License-Identifier: MIT */
/*
 * `emu grade`: a lab, a submission, and points with a reason for each one that was lost.
 *
 * Student code is compiled in a sandbox and runs only as a guest: it reaches the host neither way. What it says is compared here,
 * outside of both, so no guest holds an expected answer and no guest can write a score. The way of one submission:
 *
 *     grade_lab.c      labs/labN/lab.json: files, tests, points
 *     grade_build.c    the files that the lab names are taken, compiled, linked with each test's main program
 *     grade_worker.c   one image runs in the sandbox, in virtual time, up to a number of guest instructions
 *     grade_judge.c    its console and its counts against the test: a verdict, a reason
 *     grade_paper.c    what is handed in beside code: sheets of numbers, texts
 *     grade_report.c   terminal, JSON, JUnit XML, Gradescope, GitHub Classroom; written anew after every test
 *     grade_all.c      a directory of submissions
 */
#ifndef EMU_CLI_GRADE_H
#define EMU_CLI_GRADE_H

#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "base/types.h"

enum {
    GRADE_MAX_TESTS = 64, GRADE_MAX_FILES = 8, GRADE_MAX_LIMITS = 4,
    GRADE_CONSOLE = 64 << 10,       /* bytes of a guest's console that are kept; more is a flood */
    GRADE_REASON = 2000,            /* bytes that a report says of one test */
    GRADE_SOURCE = 256 << 10,       /* bytes of one submitted file */
};

struct json_t;

/* All but PASS score 0. */
enum verdict {
    VERDICT_NOT_RUN, VERDICT_PASS, VERDICT_WRONG, VERDICT_COUNTS, VERDICT_TIMEOUT, VERDICT_MEMORY, VERDICT_CRASH, VERDICT_FLOOD,
    VERDICT_COMPILE, VERDICT_GRADER, VERDICT_COUNT
};
extern const char *const verdict_names[VERDICT_COUNT];

/* How often events may happen: those whose names match a shell pattern, together; "insns": guest instructions; "monitor": cycles of all that
 * is not the guest's;
 * "@NAME": what the guest's console says in its one line "@count NAME NUMBER". */
struct grade_limit { const char *event, *what; /* for people */ s64 min, max; /* -1: any */ };

struct grade_test {
    const char *name, *main, *expect, *engine;
    const char *service;            /* what the guest may ask of the grader: grade_service.h; NULL: nothing */
    const char *replace;            /* a submitted file whose place the reference solution's takes; NULL: none */
    const char *answer;             /* of `sheet`: this key's value is the number of `counts` that guest `main` makes */
    const char *sheet;              /* a submitted file of such values; default answers.txt */
    u32 factor;                     /* how many times larger or smaller the answer may be; 0: not at all */
    const char *order;              /* a sheet, whose values stand in the same order as those of `sheet`, all but for... */
    u32 percent;                    /* ...so many per cent of the pairs that do. Nothing runs */
    u32 words;                      /* `sheet` is a text of at least so many. Nothing runs */
    unsigned points;
    bool hidden;
    u64 max_insns;                  /* of the guest */
    struct grade_limit limit[GRADE_MAX_LIMITS]; unsigned nlimits;
};

struct grade_lab {
    char dir[PATH_MAX], name[64];
    char root[PATH_MAX];            /* where guests/ and labs/ are */
    struct json_t *json;            /* owns all strings */
    const char *title;
    const char *file[GRADE_MAX_FILES]; unsigned nfiles;
    struct grade_test test[GRADE_MAX_TESTS]; unsigned ntests;
};
/* 0, or -1 with *err that names the file and the key. Pair with grade_lab_fini(). */
int grade_lab_load(struct grade_lab *lab, const char *dir, struct error *err);
void grade_lab_fini(struct grade_lab *lab);

struct grade_result { enum verdict verdict; unsigned score; u64 insns; char reason[GRADE_REASON]; };

/* One submission's marks. */
struct grade {
    const struct grade_lab *lab;
    const char *submission;
    char name[128];                 /* the last part of its path */
    char fingerprint[20];           /* of the submitted files, the lab, and the libraries */
    bool visible_only, show_console;
    bool complete;                  /* no test is left */
    struct grade_result result[GRADE_MAX_TESTS];
    const char *json, *junit, *gradescope, *classroom; /* files to write, NULL: none */
    void (*tell)(const struct grade *g, unsigned test); /* after each; NULL: nobody */
};
/* Grade it. 0, or -1 with *err: the grader could not work, which is no mark at all. */
int grade_submission(struct grade *g, struct error *err);
/* A test that this grading leaves out: with visible_only what students do not have. */
bool grade_skips(const struct grade *g, unsigned test);
unsigned grade_score(const struct grade *g);
unsigned grade_points(const struct grade *g);
/* Of what the lab's files, guests/lib and those of this submission are. A missing file counts as empty. */
void grade_fingerprint(struct grade *g);

/* --- building --- */

struct grade_build {
    char scratch[PATH_MAX];         /* removed at the end; in it: in/ sources, out/ what the sandbox wrote, lib/ trusted objects */
    int lock;                       /* on it, as long as somebody uses it; -1: none */
    bool failed;                    /* the submission does not compile, and no test of its own can run */
    char words[GRADE_REASON];       /* the compiler's */
};
/* A scratch directory; those that killed graders of this user have left beside it are removed. 0, or -1 with *err. Pair with grade_build_fini(). */
int grade_build_init(struct grade_build *b, const struct grade_lab *lab, struct error *err);
void grade_build_fini(struct grade_build *b);
/* From now on scratch directories are made in this one, which is made; what a killed grader left in it is removed. 0, or -1 with *err. */
int grade_build_place(const char *dir, struct error *err);
/* Take the submission's files, and compile them for each kind of guest that the lab's tests need; what is wrong with them is in b->failed and b->words. -1: the sandbox failed. */
int grade_build_submission(struct grade_build *b, const struct grade *g, struct error *err);
/* The image of one test, into path. 1: it does not build, 2: it is too large, see b->words. -1 with *err. */
int grade_build_image(struct grade_build *b, const struct grade *g, const struct grade_test *t, char *path, struct error *err);
/* One submitted file: a regular file, not through a link, of at most GRADE_SOURCE bytes. malloc()ed and NUL-ended, or NULL with *err. */
char *grade_take_file(const char *dir, const char *name, size_t *len, struct error *err);

/* --- running --- */

/* The inner process: runs an image and prints what happened as JSON. argv: "grade-worker" ENGINE IMAGE MAX_INSNS [SERVICE]. */
int cli_grade_worker(int argc, char **argv);
/* Run an image in the sandbox; the worker's document, or NULL with *r saying why there is none. */
struct json_t *grade_run(const char *image, const struct grade_test *t, struct grade_result *r);
/* The test's verdict from that document; `answer` is the submission's own number where the test asks for one. */
void grade_judge(const struct grade *g, const struct grade_test *t, const struct json_t *run, struct grade_result *r);
/* A test that needs no run: of how sheets agree, or of a text. */
bool grade_runs(const struct grade_test *t);
void grade_judge_paper(const struct grade *g, const struct grade_test *t, struct grade_result *r);
/* The number that a sheet has for a key. */
bool grade_find_answer(const char *text, const char *key, s64 *value);
bool grade_is_near(s64 value, s64 truth, u32 factor);
/* A test about a number of a sheet. */
void grade_judge_answer(const struct grade *g, const struct grade_test *t, const struct json_t *run, struct grade_result *r);

/* --- reports --- */

void grade_report_test(const struct grade *g, unsigned test, FILE *out);
/* What the guest of a run printed, indented. */
void grade_report_console(const struct json_t *run, FILE *out);
void grade_report_sum(const struct grade *g, FILE *out);
/* Whatever files were asked for; each is whole at every moment. 0, or -1 with *err. */
int grade_report_files(const struct grade *g, struct error *err);

/* Every directory in dir is a submission. Their marks and the scratch lie in FILE.csv.d/. */
int grade_all(const struct grade_lab *lab, const char *dir, const char *csv, unsigned jobs, struct error *err);

#endif
