/* SPDX-License-Identifier: MIT */
/*
 * Each lab as teachers need it: the reference gets all points, the starter that is cut from it nearly none, and wrong solutions of
 * the kinds that students write lose the points that their head lines say, for the reason that they say, and no others.
 */
#include <glob.h>
#include <unistd.h>

#include "grading.h"

enum { MIN_WRONG = 8, STARTER_PERCENT = 20 };
static char folder[] = "/tmp/emu-labs-XXXXXX";

static const char *last_part(const char *path) { return strrchr(path, '/') + 1; }

/* build/.../reference and starter, by the tool that teachers use. */
static bool cut(const char *lab)
{
    return CHECK_EQ(shell("tools/lab-starter %s %s/%s/starter", lab, folder, last_part(lab)), 0) &&
           CHECK_EQ(shell("tools/lab-starter %s %s/%s/reference %s", lab, folder, last_part(lab), emu()), 0);
}

static int percent(const json_t *marks) { return number(marks, "max_score") ? 100 * number(marks, "score") / number(marks, "max_score") : -1; }

static int graded(const char *lab, const char *which)
{
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s/%s", folder, last_part(lab), which);
    check_context("%s, %s", lab, which);
    json_t *marks = grade(folder, lab, dir);
    int p = percent(marks);
    if (p != 100 && !strcmp(which, "reference"))
        shell("cat %s/out", folder);
    json_decref(marks);
    return p;
}

/* --- wrong solutions: a program that takes the file's place, or a sed script that makes the mistake in the reference. Its head has the
 * lines "file: NAME" and "expect: TEST | VERDICT | PART OF THE REASON", behind " * " or "# " ------------------------------------- */

static bool is_script(const char *path) { return strcmp(path + strlen(path) - 4, ".sed") == 0; }

/* The comment that a program begins with (behind the one of its license), or all lines of a script. */
static char *read_head(const char *path, char *head, size_t size)
{
    FILE *f = fopen(path, "r");
    head[f ? fread(head, 1, size - 1, f) : 0] = 0;
    if (f)
        fclose(f);
    char *end = is_script(path) ? NULL : strstr(head, "*/\n");
    if (end && (end = strstr(end + 1, " */\n")))
        *end = 0;
    return head;
}

static unsigned check_expectation(const json_t *marks, const char *line)
{
    char name[100], verdict[40], reason[300];
    if (!CHECK_EQ(sscanf(line, " expect: %99[^|]| %39[^|]| %299[^\n]", name, verdict, reason), 3))
        return 0;
    name[strlen(name) - 1] = verdict[strlen(verdict) - 1] = 0;
    const json_t *t = test_named(marks, name);
    if (!t)
        FAIL("there is no test '%s'", name);
    CHECK_STR(word(t, "verdict"), verdict);
    CHECK_EQ(number(t, "score"), 0);
    CHECK_CONTAINS(word(t, "reason"), reason);
    return 1;
}

/* The reference with this one mistake, as a submission. */
static bool make_wrong(const char *lab, const char *path, const char *file, const char *dir)
{
    shell("rm -rf %s; cp -r %s/%s/reference %s", dir, folder, last_part(lab), dir);
    if (!is_script(path))
        return CHECK_EQ(shell("cp %s %s/%s", path, dir, file), 0);
    return CHECK_EQ(shell("sed -f %s %s/%s/reference/%s >%s/%s", path, folder, last_part(lab), file, dir, file), 0) &&
           CHECK_EQ(shell("cmp -s %s/%s/reference/%s %s/%s", folder, last_part(lab), file, dir, file), 1); /* it has found its place */
}

static void check_wrong(const char *lab, const char *path)
{
    char head[8192], file[64] = "", dir[200];
    check_context("%s", path);
    read_head(path, head, sizeof head);
    const char *at = strstr(head, " file: ");
    if (!at || !CHECK_EQ(sscanf(at, " file: %63s", file), 1))
        return FAIL("no line ' * file: NAME'");
    snprintf(dir, sizeof dir, "%s/wrong", folder);
    if (!make_wrong(lab, path, file, dir))
        return;
    json_t *marks = grade(folder, lab, dir);
    unsigned expected = 0, lost = 0;
    for (const char *l = strstr(head, " expect: "); l; l = strstr(l + 1, " expect: "))
        expected += check_expectation(marks, l);
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(marks, "tests"), i, t)
        lost += strcmp(word(t, "verdict"), "pass") != 0;
    CHECK(expected > 0);
    CHECK_EQ(lost, expected);
    json_decref(marks);
}

static void check_lab(const char *lab)
{
    char pattern[200];
    glob_t g;
    if (!cut(lab))
        return;
    CHECK_EQ(graded(lab, "reference"), 100);
    CHECK(graded(lab, "starter") < STARTER_PERCENT);
    snprintf(pattern, sizeof pattern, "%s/wrong/*", lab);
    if (!CHECK_EQ(glob(pattern, 0, NULL, &g), 0))
        return;
    CHECK(g.gl_pathc >= MIN_WRONG);
    for (size_t i = 0; i < g.gl_pathc; i++)
        check_wrong(lab, g.gl_pathv[i]);
    globfree(&g);
    check_context(NULL);
}

static void test_lab0(void) { NEED_SANDBOX(); check_lab("labs/lab0"); }
static void test_lab1(void) { NEED_SANDBOX(); check_lab("labs/lab1"); }
static void test_lab2(void) { NEED_SANDBOX(); check_lab("labs/lab2"); }
static void test_lab3(void) { NEED_SANDBOX(); check_lab("labs/lab3"); }
static void test_lab4(void) { NEED_SANDBOX(); check_lab("labs/lab4"); }
static void test_lab5(void) { NEED_SANDBOX(); check_lab("labs/lab5"); }
static void test_lab6(void) { NEED_SANDBOX(); check_lab("labs/lab6"); }
static void test_lab7(void) { NEED_SANDBOX(); check_lab("labs/lab7"); }
static void test_lab8(void) { NEED_SANDBOX(); check_lab("labs/lab8"); }
static void test_lab9(void) { NEED_SANDBOX(); check_lab("labs/lab9"); }
static void test_lab10(void) { NEED_SANDBOX(); check_lab("labs/lab10"); }

/* The same source, the same output, on the real thing. */
static void test_lab5_host(void)
{
    if (access("/dev/kvm", R_OK | W_OK))
        SKIP("no /dev/kvm here that may be opened");
    CHECK_EQ(shell("tools/lab-starter labs/lab5 %s/host %s && labs/lab5/host/run %s/host >%s/out 2>&1 || { cat %s/out; false; }", folder, emu(), folder, folder, folder), 0);
}

/* No lab is without a test here, or without what teachers and students read. */
static void test_all_are_here(void)
{
    glob_t g;
    if (!CHECK_EQ(glob("labs/lab[0-9]*", 0, NULL, &g), 0))
        return;
    CHECK_EQ(g.gl_pathc, 11);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        check_context("%s", g.gl_pathv[i]);
        CHECK_EQ(shell("grep -q '^.*Goal' %s/handout.md && grep -q '^## Steps' %s/handout.md && grep -q '^## Hints' %s/handout.md", g.gl_pathv[i], g.gl_pathv[i], g.gl_pathv[i]), 0);
        CHECK_EQ(shell("! grep -rqsE 'begin solution|end solution' %s/lib %s/tests", g.gl_pathv[i], g.gl_pathv[i]), 0);
    }
    check_context(NULL);
    globfree(&g);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "all are here", test_all_are_here }, { "lab0", test_lab0 }, { "lab1", test_lab1 }, { "lab2", test_lab2 }, { "lab3", test_lab3 }, { "lab4", test_lab4 }, { "lab5", test_lab5 }, { "lab6", test_lab6 }, { "lab7", test_lab7 }, { "lab8", test_lab8 }, { "lab9", test_lab9 }, { "lab10", test_lab10 }, { "lab5 on the host's KVM", test_lab5_host },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "labs", tests);
    return shell("rm -rf %s", folder) | status;
}
