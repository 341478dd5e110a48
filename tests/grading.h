/* SPDX-License-Identifier: MIT */
/* For tests of `emu grade`: it is run as a program, and its JSON is read. */
#ifndef EMU_TESTS_GRADING_H
#define EMU_TESTS_GRADING_H

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "check.h"

static inline const char *emu(void)
{
    const char *build = getenv("EMU_BUILD");
    return build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "./emu";
}

/* A shell command's exit status. */
__attribute__((format(printf, 1, 2))) static inline int shell(const char *fmt, ...)
{
    char command[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Grade, and read the marks, which are the caller's; NULL and a failed check if there are none. */
static inline json_t *grade(const char *folder, const char *lab, const char *submission)
{
    char path[300];
    snprintf(path, sizeof path, "%s/marks.json", folder);
    remove(path);
    int status = shell("timeout 300 %s grade -json %s -junit %s/marks.xml -gradescope %s/results.json %s %s >%s/out 2>%s/err </dev/null", emu(), path, folder,
                       folder, lab, submission, folder, folder);
    json_t *marks = json_load_file(path, 0, NULL);
    if (!CHECK(status == 0 || status == 1) || !CHECK(marks != NULL))
        shell("cat %s/out %s/err", folder, folder);
    return marks;
}

static inline const char *word(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
static inline int number(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

static inline json_t *test_named(const json_t *marks, const char *name)
{
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(marks, "tests"), i, t)
        if (strcmp(word(t, "name"), name) == 0)
            return t;
    return NULL;
}

/* bubblewrap may be forbidden where the tests run. */
static inline bool sandbox_works(void) { return shell("bwrap --unshare-all --ro-bind /usr /usr --symlink usr/lib64 /lib64 --symlink usr/lib /lib --proc /proc /usr/bin/true 2>/dev/null") == 0; }
#define NEED_SANDBOX() do { if (!sandbox_works()) SKIP("no bubblewrap here, or no user namespaces for it"); } while (0)

#endif
