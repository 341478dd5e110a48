/* SPDX-License-Identifier: MIT */
/*
 * emu grade for a whole class: the same bytes every time, alone, in twos and under load; whole documents at every moment; a grader that is
 * killed loses nothing, and when it goes on it does nothing twice. Under EMU_SOAK: 100 gradings, and 200 submissions.
 */
#include <glob.h>
#include <time.h>

#include "tinylab.h"

static bool soaks(void) { return getenv("EMU_SOAK") != NULL; }

/* --- the same mark every time --- */

/* Grade a lab's reference once more; whether all three documents and the terminal say what they said first. */
static bool is_same_again(const char *lab, unsigned i)
{
    char reference[100];
    snprintf(reference, sizeof reference, "%s/reference", folder);
    json_decref(grade(folder, lab, reference));
    return CHECK_EQ(shell("cat %s/marks.json %s/marks.xml %s/results.json %s/out >%s/same/%u; cmp %s/same/0 %s/same/%u", folder, folder, folder, folder, folder, i, folder, folder, i), 0);
}

static void test_repeats(void)
{
    NEED_SANDBOX();
    unsigned n = soaks() ? 100 : 3;
    shell("rm -rf %s/same %s/reference; mkdir %s/same; tools/lab-starter labs/lab2 %s/reference %s", folder, folder, folder, folder, emu());
    for (unsigned i = 0; i < n && is_same_again("labs/lab2", i); i++)
        ;
}

/* What a slow machine would change if anything could: three that do nothing but take its processors and its disk's cache. */
static void test_under_load(void)
{
    NEED_SANDBOX();
    unsigned n = soaks() ? 20 : 2;
    shell("rm -rf %s/same %s/reference; mkdir %s/same; tools/lab-starter labs/lab3 %s/reference %s", folder, folder, folder, folder, emu());
    if (!is_same_again("labs/lab3", 0))
        return;
    shell("for i in 1 2 3; do timeout 600 sh -c 'while :; do head -c 20M /dev/zero >%s/load'$i'; done' & echo $!; done >%s/pids", folder, folder);
    for (unsigned i = 1; i < n && is_same_again("labs/lab3", i); i++)
        ;
    shell("kill $(cat %s/pids) 2>/dev/null; rm -f %s/load*", folder, folder);
}

/* --- interruption --- */

/* Killed in its second test: what the first earned is there, in whole documents. */
static void test_killed(void)
{
    NEED_SANDBOX();
    shell("rm -rf %s/labs/slow; cp -r %s %s/labs/slow; sed -i 's/3000000/300000000000/g' %s/labs/slow/lab.json", folder, lab, folder, folder);
    put_hostile(ANSWER " while (x > 100) __asm__ volatile(\"\"); return 7 * x; }");
    CHECK_EQ(shell("TMPDIR=%s %s grade -json %s/killed.json -gradescope %s/killed-results.json %s/labs/slow %s/hostile >/dev/null 2>&1 & pid=$!; "
                   "for i in $(seq 600); do grep -qs '\"verdict\": \"pass\"' %s/killed.json && break; sleep 0.1; done; kill -9 $pid; wait $pid 2>/dev/null; true", folder, emu(), folder, folder, folder, folder, folder), 0);
    char path[100];
    snprintf(path, sizeof path, "%s/killed.json", folder);
    json_t *marks = json_load_file(path, 0, NULL);
    CHECK_EQ(number(marks, "score"), 30);
    CHECK(json_is_false(json_object_get(marks, "complete")));
    CHECK_STR(word(test_named(marks, "unseen"), "verdict"), "not run");
    json_decref(marks);
    CHECK_EQ(shell("grep -q 'was interrupted' %s/killed-results.json", folder), 0);
}

static int all(void)
{
    return shell("TMPDIR=%s timeout 300 %s grade --all %s/class -j 2 -csv %s/class.csv %s >%s/out 2>&1", folder, emu(), folder, folder, lab, folder);
}

static void test_all(void)
{
    NEED_SANDBOX();
    shell("rm -rf %s/class*; mkdir %s/class; cd %s/class && cp -r ../honest ada && cp -r ../honest '=cmd()' && mkdir loop empty && ln -s ../honest linked && echo x >file", folder, folder, folder);
    put("class/loop/a.c", "%s", ANSWER " for (;;) ; }");
    CHECK_EQ(all(), 0);
    CHECK_EQ(shell("grep -q '^\"ada\",100,100,yes,30,\"pass\",70,\"pass\"' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"loop\",0,100,yes,0,\"time-out\",0,\"time-out\"' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"empty\",0,100,yes,0,\"does not compile\"' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q \"^\\\"'=cmd()\\\",100\" %s/class.csv", folder), 0);
    CHECK_EQ(shell("test $(wc -l <%s/class.csv) = 5", folder), 0);
    /* what is done is taken as it is; what is not whole, or has changed, is graded again */
    shell("cp %s/class.csv %s/before.csv; cd %s/class.csv.d && sed -i 's/\"score\": 100/\"score\": 99/' ada.json && echo '{' >loop.json && touch -d 2000-01-01 empty.json", folder, folder, folder);
    put("class/empty/a.c", "%s", ANSWER " return 7 * x; }");
    CHECK_EQ(all(), 0);
    CHECK_EQ(shell("grep -q '^\"ada\",99,' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"loop\",0,100,yes' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"empty\",100,' %s/class.csv", folder), 0);
}

/* --- a class --- */

static void make_class(const char *lab, unsigned n)
{
    CHECK_EQ(shell("rm -rf %s/class* && tests/make_class.sh %s %u %s/class %s", folder, lab, n, folder, emu()), 0);
}

/* Grade folder/class into folder/class.csv; its last line is in folder/out. */
static int grade_class(const char *lab, unsigned jobs)
{
    return shell("timeout 3600 %s grade --all %s/class -j %u -csv %s/class.csv %s >%s/out 2>&1", emu(), folder, jobs, folder, lab, folder);
}

/* One at a time and two at a time: the same table, the same documents. */
static void test_parallel(void)
{
    NEED_SANDBOX();
    make_class("labs/lab2", soaks() ? 24 : 3);
    CHECK_EQ(grade_class("labs/lab2", 1), 0);
    shell("mv %s/class.csv %s/one.csv; rm -rf %s/one; mv %s/class.csv.d %s/one", folder, folder, folder, folder, folder);
    CHECK_EQ(grade_class("labs/lab2", 2), 0);
    CHECK_EQ(shell("cmp %s/class.csv %s/one.csv && diff -r %s/class.csv.d %s/one", folder, folder, folder, folder), 0);
}

/* Every document that is there can be read. */
static void check_whole(void)
{
    char pattern[100];
    glob_t g;
    snprintf(pattern, sizeof pattern, "%s/class.csv.d/*.json", folder);
    if (!CHECK_EQ(glob(pattern, 0, NULL, &g), 0))
        return;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        json_t *marks = json_load_file(g.gl_pathv[i], 0, NULL);
        CHECK(marks != NULL);
        json_decref(marks);
    }
    globfree(&g);
}

/* Killed with SIGKILL, as often as it takes to have seen it at different places, then let alone. */
static void test_resume(void)
{
    NEED_SANDBOX();
    unsigned n = soaks() ? 24 : 5, kills = soaks() ? 8 : 2;
    make_class("labs/lab2", n);
    for (unsigned i = 0; i < kills; i++) {
        check_context("kill %u", i);
        /* once one more is complete */
        shell("done=$(grep -ls '\"complete\": true' %s/class.csv.d/*.json | wc -l); %s grade --all %s/class -j 2 -csv %s/class.csv labs/lab2 >/dev/null 2>&1 & pid=$!; "
              "for i in $(seq 600); do test $(grep -ls '\"complete\": true' %s/class.csv.d/*.json | wc -l) -gt ${done:-0} && break; sleep 0.1; done; kill -9 $pid; wait $pid 2>/dev/null; "
              "grep -ls '\"complete\": true' %s/class.csv.d/*.json | xargs stat -c '%%n %%y' >%s/finished", folder, emu(), folder, folder, folder, folder, folder);
        check_whole();
    }
    check_context(NULL);
    CHECK_EQ(grade_class("labs/lab2", 2), 0);
    CHECK_EQ(shell("test $(grep -c ',yes,' %s/class.csv) = %u", folder, n), 0);
    /* what was done is as it was, to the nanosecond, and was counted so */
    CHECK_EQ(shell("test -s %s/finished && cut -d' ' -f1 %s/finished | xargs stat -c '%%n %%y' | cmp - %s/finished", folder, folder, folder), 0);
    CHECK_EQ(shell("grep -q \", $(wc -l <%s/finished) of them before;\" %s/out", folder, folder), 0);
    /* nothing is left behind, and the marks are those of a run that nobody disturbed */
    CHECK(shell("test -e %s/class.csv.d/.scratch", folder) != 0);
    shell("mv %s/class.csv %s/resumed.csv; rm -rf %s/resumed; mv %s/class.csv.d %s/resumed", folder, folder, folder, folder, folder);
    CHECK_EQ(grade_class("labs/lab2", 2), 0);
    CHECK_EQ(shell("cmp %s/class.csv %s/resumed.csv && diff -r %s/class.csv.d %s/resumed", folder, folder, folder, folder), 0);
}

/* A host that fails for a moment: bwrap's second call, the first that matters, finds no memory. What had no mark is tried once more. */
static void test_second_round(void)
{
    NEED_SANDBOX();
    shell("rm -rf %s/class* %s/calls %s/bin; mkdir -p %s/class %s/bin && cp -r %s %s/class/one && cp -r %s %s/class/two", folder, folder, folder, folder, folder, honest, folder, honest, folder);
    put("bin/bwrap", "#!/bin/sh\necho >>%s/calls\ntest $(wc -l <%s/calls) != 2 || { echo bwrap: Cannot allocate memory; exit 1; }\nexec /usr/bin/bwrap \"$@\"\n", folder, folder);
    CHECK_EQ(shell("chmod +x %s/bin/bwrap; PATH=%s/bin:$PATH %s grade --all %s/class -csv %s/class.csv %s >%s/out 2>&1", folder, folder, emu(), folder, folder, lab, folder), 0);
    CHECK_EQ(shell("test $(grep -c ',100,100,yes' %s/class.csv) = 2 && grep -q 'one: .*Cannot allocate memory' %s/out && grep -q '2 submissions graded, 0 of them before' %s/out", folder, folder, folder), 0);
}

/* Overnight is 8 hours; the longest lab has twice the work of this one. */
static void test_200(void)
{
    enum { CLASS = 200, NIGHT = 8 * 3600 / 2 };
    NEED_SANDBOX();
    if (!soaks())
        SKIP("200 submissions take some minutes: EMU_SOAK=1");
    make_class("labs/lab3", CLASS);
    time_t begin = time(NULL);
    CHECK_EQ(grade_class("labs/lab3", 2), 0);
    time_t took = time(NULL) - begin;
    printf("    200 submissions of lab3 on two processors: %ld s\n", (long)took);
    CHECK(took < NIGHT);
    CHECK_EQ(shell("test $(grep -c ',yes,' %s/class.csv) = %d", folder, CLASS), 0);
    /* each as its model: all points for the reference, few for starters, never all for one that is wrong */
    CHECK_EQ(shell("for s in %s/class/*; do row=$(grep \"^\\\"$(basename $s)\\\"\" %s/class.csv); case $(cat $s/model),$row in reference,*,100,100,*) ;; reference,*|*,100,100,*) echo \"$(cat $s/model): $row\"; exit 1 ;; esac; done", folder, folder), 0);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "repeats", test_repeats }, { "under load", test_under_load }, { "killed", test_killed }, { "all", test_all }, { "parallel", test_parallel }, { "resume", test_resume },
        { "second round", test_second_round }, { "200", test_200 }, { NULL, NULL },
    };
    if (!make_lab())
        return 1;
    int status = check_main(argc, argv, "grade_class", tests);
    return shell("rm -rf %s", folder) | status;
}
