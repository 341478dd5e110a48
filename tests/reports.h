/* SPDX-License-Identifier: MIT */
/* For tests of reports: emu is run as a program in a folder of the test's own, and its words and files are read. */
#ifndef EMU_TESTS_REPORTS_H
#define EMU_TESTS_REPORTS_H

#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "base/trace_json.h"
#include "check.h"
#include "cli/report/compare.h"
#include "host.h"

static char folder[] = "/tmp/emu-test-XXXXXX";
static char out[1 << 20], err[1 << 16];     /* of the last command */

/* --- small things -------------------------------------------------------------------------------- */

static inline const char *path_of(const char *name)
{
    static char path[4][120];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static inline char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 32 << 20);
    size_t n = f ? fread(text, 1, (32 << 20) - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    return text;
}

static inline void write_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(path_of(name), "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

/* From the test's own place up to the source tree; were the guests built? */
static inline bool go_to_root(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    if (chdir(dirname(exe)))
        return false;
    for (int up = 0; up < 5; up++) {
        if (access("guests/nano/nano.c", R_OK) == 0)
            return access("build/guests/nano.native.elf", R_OK) == 0;
        if (chdir(".."))
            return false;
    }
    return false;
}
#define NEED_GUESTS()                                              \
    if (!go_to_root())                                             \
    SKIP("no images of the guests; run `make guests`")

/* Run `emu ARGS` by the shell; every %s in args is the folder of this test. */
static inline int run(const char *args)
{
    char filled[1024], command[1400];
    snprintf(filled, sizeof filled, args, folder, folder, folder);
    snprintf(command, sizeof command, "timeout 120 %s %s >%s/out 2>%s/err </dev/null", emu(), filled, folder, folder);
    int status = system(command);
    char *text = read_whole(path_of("out"));
    snprintf(out, sizeof out, "%s", text);
    free(text);
    text = read_whole(path_of("err"));
    snprintf(err, sizeof err, "%s", text);
    free(text);
    check_context("emu %s", filled);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static inline char *report(void (*write)(const struct comparison *c, unsigned n, FILE *out), const struct comparison *c)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    write(c, 1, f);
    fclose(f);
    return text;
}

#endif
