/* SPDX-License-Identifier: MIT */
/* Tests that run programs of the host: which emu is it, and what did a command say? */
#ifndef EMU_TESTS_HOST_H
#define EMU_TESTS_HOST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* The emu of the build that is tested, from the top of the tree. */
static inline const char *emu(void)
{
    const char *build = getenv("EMU_BUILD");
    return build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "./emu";
}

/* Run a command by the shell; what it prints goes to out[size], as far as there is room. Its exit status, or -1. */
static inline int host_capture(char *out, size_t size, const char *command)
{
    FILE *p = popen(command, "r");
    size_t n = p ? fread(out, 1, size - 1, p) : 0;
    out[n] = 0;
    int status = p ? pclose(p) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
