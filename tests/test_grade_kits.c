/* SPDX-License-Identifier: MIT */
/*
 * emu grade in other people's systems: Gradescope's results.json and autograder, GitHub Classroom's reporter, template and clones; the tree
 * that students see; and a student's first two commands.
 */
#include "tinylab.h"

static bool soaks(void) { return getenv("EMU_SOAK") != NULL; }

/* --- Gradescope's results.json: gradescope-autograders.readthedocs.io, "Autograder Specifications" --- */

static bool is_one_of(const char *s, const char *words)
{
    char word[40];
    snprintf(word, sizeof word, " %.37s ", s);
    return strstr(words, word) != NULL;
}

struct key { const char *name; json_type type; const char *values; }; /* values: NULL, any */
#define VISIBILITIES " hidden after_due_date after_published visible "
#define FORMATS " text html simple_format md ansi "
static const struct key results_keys[] = {
    { "score", JSON_INTEGER }, { "execution_time", JSON_INTEGER }, { "output", JSON_STRING }, { "output_format", JSON_STRING, FORMATS }, { "test_output_format", JSON_STRING, FORMATS },
    { "test_name_format", JSON_STRING, FORMATS }, { "visibility", JSON_STRING, VISIBILITIES }, { "stdout_visibility", JSON_STRING, VISIBILITIES }, { "extra_data", JSON_OBJECT },
    { "tests", JSON_ARRAY }, { "leaderboard", JSON_ARRAY }, { NULL },
};
static const struct key test_keys[] = {
    { "score", JSON_INTEGER }, { "max_score", JSON_INTEGER }, { "status", JSON_STRING, " passed failed " }, { "name", JSON_STRING }, { "name_format", JSON_STRING, FORMATS },
    { "number", JSON_STRING }, { "output", JSON_STRING }, { "output_format", JSON_STRING, FORMATS }, { "tags", JSON_ARRAY }, { "visibility", JSON_STRING, VISIBILITIES },
    { "extra_data", JSON_OBJECT }, { NULL },
};

static void check_keys(json_t *o, const struct key *keys)
{
    const char *name;
    json_t *value;
    json_object_foreach(o, name, value) {
        const struct key *k = keys;
        while (k->name && strcmp(k->name, name))
            k++;
        check_context("key %s", name);
        if (CHECK(k->name != NULL) && CHECK_EQ(json_typeof(value), k->type) && k->values)
            CHECK(is_one_of(json_string_value(value), k->values));
    }
    check_context(NULL);
}

static void check_results(int score)
{
    char path[100];
    size_t i;
    json_t *t, *r;
    int sum = 0;
    snprintf(path, sizeof path, "%s/results.json", folder);
    if (!CHECK((r = json_load_file(path, JSON_REJECT_DUPLICATES, NULL)) != NULL))
        return;
    check_keys(r, results_keys);
    CHECK_EQ(number(r, "score"), score);
    json_array_foreach(json_object_get(r, "tests"), i, t) {
        check_keys(t, test_keys);
        CHECK(number(t, "score") <= number(t, "max_score"));
        CHECK_STR(word(t, "status"), number(t, "score") == number(t, "max_score") ? "passed" : "failed");
        CHECK(strlen(word(t, "output")) < 7000); /* of one test; a whole document stays well below a megabyte */
        sum += number(t, "score");
    }
    CHECK_EQ(sum, score);
    json_decref(r);
}

static void test_gradescope_schema(void)
{
    static const struct { const char *code; int score; } cases[] = {
        { ANSWER " return 7 * x; }", 100 }, { ANSWER " return 42; }", 30 }, { ANSWER " for (;;) print(\"@tiny 42\\n\"); }", 0 },
        { ANSWER " print(\"@\"); for (u32 i = 0; i < 60000; i++) print(i & 1 ? \"\\xff\" : \"\\\"\"); return 0; }", 0 },
        { "#define A int a = b;\n#define B A A A A A A A A A A A A A A A A A A\nvoid f(void) { { B B B B B B B B B B B B B } }\n", 0 },
    };
    NEED_SANDBOX();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dir[100];
        snprintf(dir, sizeof dir, "%s/hostile", folder);
        put_hostile(cases[i].code);
        json_decref(grade(folder, lab, dir));
        check_results(cases[i].score);
    }
}

/* --- Gradescope's autograder --- */

/* A file of the folder, read; the caller's. */
static json_t *read_json(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return json_load_file(path, 0, NULL);
}

static void check_autograder(const char *submission, const char *path, int score, const char *output)
{
    check_context("%s", submission);
    CHECK_EQ(shell("rm -rf %s/ag/submission %s/ag/results && cp -r %s %s/ag/submission && cd %s/ag && PATH=%s$PATH AUTOGRADER=%s/ag ./run_autograder >/dev/null 2>&1", folder, folder,
                   submission, folder, folder, path, folder), 0);
    json_t *r = read_json("ag/results/results.json");
    if (CHECK(r != NULL)) {
        check_keys(r, results_keys);
        CHECK_EQ(number(r, "score"), score);
        CHECK_CONTAINS(word(r, "output"), output);
    }
    json_decref(r);
    check_context(NULL);
}

static void test_gradescope_zip(void)
{
    char reference[100], path[100];
    NEED_SANDBOX();
    if (shell("command -v zip >/dev/null && command -v unzip >/dev/null"))
        SKIP("no zip here, or no unzip");
    if (!CHECK_EQ(shell("tools/gradescope-zip labs/lab2 %s/ag.zip >/dev/null && mkdir -p %s/ag/source %s/bad && cd %s/ag/source && unzip -q %s/ag.zip && mv run_autograder .. && test -x setup.sh && "
                        "test -e emu/labs/lab2/hidden && ! test -e emu/labs/lab2/wrong && ! test -e emu/labs/lab1", folder, folder, folder, folder, folder), 0))
        return;
    if (soaks())
        CHECK_EQ(shell("make -s -C %s/ag/source/emu emu >/dev/null", folder), 0); /* setup.sh without the packages */
    else
        CHECK_EQ(shell("cp %s %s/ag/source/emu/emu", emu(), folder), 0);
    snprintf(reference, sizeof reference, "%s/reference", folder);
    shell("rm -rf %s; tools/lab-starter labs/lab2 %s %s", reference, reference, emu());
    check_autograder(reference, "", 100, "All tests have run.");
    snprintf(path, sizeof path, "%s/bad", folder);
    check_autograder(path, "", 0, "All tests have run."); /* nothing of what is asked for */
    shell("printf '#!/bin/sh\\necho \"bwrap: No permissions; \\\"quoted\\\"\" >&2\\nexit 1\\n' >%s/bad/bwrap; chmod +x %s/bad/bwrap", folder, folder);
    snprintf(path, sizeof path, "%s/bad:", folder);
    check_autograder(reference, path, 0, "Not graded: the autograder could not work here");
    CHECK_EQ(shell("tools/gradescope-zip labs/nowhere %s/x.zip 2>/dev/null", folder), 64);
}

/* --- GitHub Classroom --- */

static void test_classroom_template(void)
{
    CHECK_EQ(shell("tools/classroom template labs/lab2 %s/template teacher/emu >/dev/null", folder), 0);
    CHECK_EQ(shell("cd %s/template && test -e lab2.c && test -e handout.md && ! grep -rq 'begin solution' . && ! test -e hidden", folder), 0);
    CHECK_EQ(shell("cd %s/template/.github/workflows && grep -q '^name: Autograding Tests$' classroom.yml && grep -q 'repository: teacher/emu$' classroom.yml && "
                   "grep -q 'run: emu/tools/classroom run emu/labs/lab2 submission$' classroom.yml && grep -qF 'GRADE_RESULTS: ${{ steps.grade.outputs.result }}' classroom.yml", folder), 0);
    CHECK_EQ(shell("tools/classroom template labs/nowhere %s/x teacher/emu 2>/dev/null", folder), 64);
    CHECK_EQ(shell("tools/classroom 2>/dev/null"), 64);
}

/* Grade as the workflow does; the points that its reporter adds up, and its maximum. */
static int points_by_workflow(const char *submission, int status, int *max)
{
    int sum = 0;
    size_t i;
    json_t *t;
    CHECK_EQ(shell("rm -f %s/output; EMU=%s GITHUB_OUTPUT=%s/output tools/classroom run %s %s >%s/out 2>&1", folder, emu(), folder, lab, submission, folder), status);
    CHECK_EQ(shell("head -n 1 %s/out | grep -q '^::stop-commands::' && test $(grep -c '' %s/output) = 1 && sed 's/^result=//' %s/output | base64 -d >%s/output.json", folder, folder, folder, folder), 0);
    json_t *r = read_json("output.json");
    CHECK_EQ(number(r, "version"), 1);
    *max = number(r, "max_score");
    json_array_foreach(json_object_get(r, "tests"), i, t) {
        CHECK(is_one_of(word(t, "status"), " pass fail "));
        sum += number(t, "score");
    }
    CHECK_STR(word(r, "status"), sum == *max ? "pass" : "fail");
    json_decref(r);
    return sum;
}

static void test_classroom_run(void)
{
    int max;
    char dir[100];
    NEED_SANDBOX();
    CHECK_EQ(points_by_workflow(honest, 0, &max), 30);
    CHECK_EQ(max, 30);      /* the hidden test has no part in it */
    snprintf(dir, sizeof dir, "%s/hostile", folder);
    put_hostile("#line 1 \"::set-output name=result::e30=\"\n" ANSWER " return }");
    CHECK_EQ(points_by_workflow(dir, 1, &max), 0);
    put_hostile(ANSWER " print(\"@x\\n::set-output name=result::e30=\\n\"); return 1; }");
    CHECK_EQ(points_by_workflow(dir, 1, &max), 0);
}

/* Clones with commits before and after the deadline. */
static void test_classroom_all(void)
{
    NEED_SANDBOX();
    if (shell("command -v git >/dev/null"))
        SKIP("no git here");
    put("commit", "#!/bin/sh\ncd $1 && git add -A && GIT_COMMITTER_DATE=\"$2\" git -c user.name=x -c user.email=x@example.org commit -q --date=\"$2\" -m x\n");
    shell("cd %s && mkdir -p clones/early clones/late clones/never && for c in early late never; do git init -q clones/$c; done && cp honest/a.c clones/early && sh commit clones/early 2026-03-01T12:00:00Z && "
          "echo 'wrong!' >clones/early/a.c && sh commit clones/early 2026-03-03T12:00:00Z && cp honest/a.c clones/late && sh commit clones/late 2026-03-02T12:00:01Z", folder);
    CHECK_EQ(shell("EMU=%s tools/classroom all %s %s/clones %s/clones.csv '2026-03-02 12:00 +0000' >%s/out 2>&1", emu(), lab, folder, folder, folder), 0);
    CHECK_EQ(shell("cd %s && grep -q '^\"early\",100,100,yes' clones.csv && grep -q '^\"late\",0,100,yes' clones.csv && grep -q '^\"never\",0,100,yes' clones.csv", folder), 0);
    CHECK_EQ(shell("EMU=%s tools/classroom all %s %s/clones %s/now.csv >%s/out 2>&1", emu(), lab, folder, folder, folder), 0);
    CHECK_EQ(shell("cd %s && grep -q '^\"early\",0,100,yes' now.csv && grep -q '^\"late\",100,100,yes' now.csv", folder), 0);
    CHECK_EQ(shell("tools/classroom all %s %s/clones x.csv 'some day' 2>/dev/null", lab, folder), 64);
}

/* --- what students see, and their first two commands --- */

static void test_course(void)
{
    NEED_SANDBOX();
    if (!CHECK_EQ(shell("rm -rf %s/course && tools/classroom course %s/course >/dev/null", folder, folder), 0))
        return;
    CHECK_EQ(shell("cd %s/course && test -z \"$(ls -d labs/*/hidden labs/*/solution labs/*/wrong .git build emu guests/real 2>/dev/null)\" && ! grep -rq 'begin solution' labs/lab*", folder), 0);
    /* its starter is the one that is cut here; and what needs the reference is left out, not failed */
    CHECK_EQ(shell("%s/course/tools/lab-starter %s/course/labs/lab1 %s/mine && tools/lab-starter labs/lab1 %s/cut && diff -r %s/mine %s/cut", folder, folder, folder, folder, folder, folder), 0);
    CHECK_EQ(shell("%s grade -visible %s/course/labs/lab1 %s/mine >%s/out", emu(), folder, folder, folder), 1);
    CHECK_EQ(shell("grep -q 'of 25 points' %s/out && grep -q '  ok ' %s/out && ! grep -q 'grader failed' %s/out", folder, folder, folder), 0);
}

/* git clone, then make lab1: the second of them. Under EMU_SOAK it also builds, as after a clone. */
static void test_first_green(void)
{
    const char *san = strcmp(emu(), "./emu") ? "SAN=1" : "";
    NEED_SANDBOX();
    if (soaks())
        CHECK_EQ(shell("rm -rf %s/clone && tools/classroom course %s/clone >/dev/null && make -s -C %s/clone lab1 >%s/out 2>&1 && test -e %s/clone/my-lab1/lab1.c", folder, folder, folder, folder, folder), 0);
    else
        CHECK_EQ(shell("env -u MAKEFLAGS -u MAKELEVEL make -s %s lab1 DIR=%s/first >%s/out 2>&1", san, folder, folder), 0);
    CHECK_EQ(shell("grep -q '^  ok ' %s/out && tail -n 1 %s/out | grep -q 'make lab1' || { cat %s/out; false; }", folder, folder, folder), 0);
    if (soaks())
        return;
    /* what the student has written stays */
    CHECK_EQ(shell("echo '/* mine */' >>%s/first/lab1.c; make -s %s lab1 DIR=%s/first >%s/out 2>&1; tail -n 1 %s/first/lab1.c | grep -q mine", folder, san, folder, folder, folder), 0);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "Gradescope's schema", test_gradescope_schema }, { "Gradescope's autograder", test_gradescope_zip }, { "Classroom's template", test_classroom_template },
        { "Classroom's workflow", test_classroom_run }, { "Classroom's clones", test_classroom_all }, { "the students' tree", test_course }, { "first green", test_first_green }, { NULL, NULL },
    };
    if (!make_lab())
        return 1;
    int status = check_main(argc, argv, "grade_kits", tests);
    return shell("rm -rf %s", folder) | status;
}
