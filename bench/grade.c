/* SPDX-License-Identifier: MIT */
/*
 * How long the grader takes: the reference solution of each lab, one after another, on a host that has bubblewrap. The bars are a
 * minute for one lab and ten for all. What a class takes is the same times its number, through the processors: most submissions
 * run no longer than the reference.
 */
#include <glob.h>
#include <string.h>

#include "process.h"

enum { MAX_LAB_SECONDS = 60, MAX_SECONDS = 600, CLASS = 200 };

static int shell(const char *format, const char *lab)
{
    char command[512];
    snprintf(command, sizeof command, format, lab);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Wall seconds of one grading; -1: not all points. */
static double grade_reference(const char *lab)
{
    if (shell("rm -rf build/bench/reference && tools/lab-starter %s build/bench/reference ./emu", lab))
        return -1;
    double begin = seconds(CLOCK_MONOTONIC);
    if (shell("./emu grade %s build/bench/reference >build/bench/grade.log 2>&1", lab))
        return shell("cat build/bench/grade.log # %s", lab), -1;
    return seconds(CLOCK_MONOTONIC) - begin;
}

int main(void)
{
    glob_t g;
    double sum = 0, longest = 0;
    int status = 0;
    if (shell("bwrap --unshare-all --ro-bind / / %s 2>/dev/null", "/usr/bin/true")) {
        puts("bench grade: no bubblewrap here, or no user namespaces for it: nothing is graded");
        return 0;
    }
    if (glob("labs/lab[0-9]*", 0, NULL, &g))
        return 1;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        double took = grade_reference(g.gl_pathv[i]);
        printf("grade: the reference of %s: %.1f s\n", g.gl_pathv[i], took);
        status |= took < 0;
        sum += took;
        longest = took > longest ? took : longest;
    }
    globfree(&g);
    printf("grade: a class of %d in the longest lab, two at a time: about %.0f minutes\n", CLASS, CLASS * longest / 2 / 60);
    return status | bar("references of all labs, one after another", "s", sum, true, MAX_SECONDS, 120) |
           bar("reference of the longest lab", "s", longest, true, MAX_LAB_SECONDS, 10);
}
