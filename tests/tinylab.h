/* SPDX-License-Identifier: MIT */
/* A lab of two tests, one of them hidden, in a folder of its own under /tmp, and submissions for it. */
#ifndef EMU_TESTS_TINYLAB_H
#define EMU_TESTS_TINYLAB_H

#include <unistd.h>

#include "grading.h"

static char folder[] = "/tmp/emu-grade-test-XXXXXX";
static char lab[80], honest[80];
#define ANSWER "#include \"tiny.h\"\nu32 answer(u32 x) {" /* what a submission begins with */

static inline void put(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void put(const char *path, const char *fmt, ...)
{
    char full[300];
    va_list ap;
    snprintf(full, sizeof full, "%s/%s", folder, path);
    FILE *f = fopen(full, "w");
    va_start(ap, fmt);
    if (!f || vfprintf(f, fmt, ap) < 0 || fclose(f))
        abort();
    va_end(ap);
}

/* The submission is one function, whose results are expected to be 42 and 1764. */
static inline bool make_lab(void)
{
    if (!mkdtemp(folder))
        return false;
    snprintf(lab, sizeof lab, "%s/labs/tiny", folder);
    snprintf(honest, sizeof honest, "%s/honest", folder);
    if (shell("mkdir -p %s/lib %s/tests %s/hidden %s/solution %s && ln -s $PWD/guests %s/guests", lab, lab, lab, lab, honest, folder))
        return false;
    put("labs/tiny/lib/tiny.h", "#include \"kernel.h\"\nu32 answer(u32 x);\n");
    put("labs/tiny/tests/seen.c", "#include \"tiny.h\"\nvoid guest_main(void) { print(\"@tiny %%u\\n\", answer(6)); }\n");
    put("labs/tiny/tests/seen.expect", "@tiny 42\n");
    put("labs/tiny/hidden/secret.c", "#include \"tiny.h\"\nvoid guest_main(void) { print(\"@tiny %%u\\n\", answer(252)); } /* SECRET */\n");
    put("labs/tiny/hidden/secret.expect", "@tiny 1764\n");
    put("labs/tiny/solution/a.c", "#include \"tiny.h\"\nu32 answer(u32 x) { return 7 * x; }\n");
    put("honest/a.c", "#include \"tiny.h\"\nu32 answer(u32 x) { return 7 * x; }\n");
    put("labs/tiny/lab.json", "{ \"title\": \"Tiny\", \"files\": [\"a.c\"], \"tests\": ["
        "{ \"name\": \"seen\", \"points\": 30, \"main\": \"tests/seen.c\", \"expect\": \"tests/seen.expect\", \"max_insns\": 3000000 },"
        "{ \"name\": \"unseen\", \"points\": 70, \"hidden\": true, \"main\": \"hidden/secret.c\", \"expect\": \"hidden/secret.expect\", \"max_insns\": 3000000 } ] }");
    return true;
}

static inline void check_honest(void)
{
    json_t *marks = grade(folder, lab, honest);
    CHECK_EQ(number(marks, "score"), 100);
    json_decref(marks);
}

/* LAB in the code is the lab's place on the host. */
static inline void put_hostile(const char *code)
{
    char path[100];
    snprintf(path, sizeof path, "%s/hostile/a.c", folder);
    shell("rm -rf %s/hostile; mkdir %s/hostile", folder, folder);
    FILE *f = fopen(path, "w");
    for (const char *c = code; *c; c++) {
        if (strncmp(c, "LAB", 3) == 0)
            fputs(lab, f), c += 2;
        else
            fputc(*c, f);
    }
    fclose(f);
}

#endif
