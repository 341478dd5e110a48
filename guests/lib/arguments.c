/* SPDX-License-Identifier: MIT */
/* The guest's command line: words like pages=64. */
#include "kernel.h"

/* Behind `key` at the beginning of `text`; NULL: it does not begin so. */
static const char *behind(const char *text, const char *key)
{
    while (*key)
        if (*text++ != *key++)
            return 0;
    return text;
}

u32 kernel_argument(const char *key, u32 otherwise)
{
    const char *line = kernel_command_line();
    for (const char *at = line; *at; at++) {
        const char *digits = at == line || at[-1] == ' ' ? behind(at, key) : 0;
        u32 n = 0;
        if (!digits)
            continue;
        for (; *digits >= '0' && *digits <= '9'; digits++)
            n = 10 * n + *digits - '0';
        return n;
    }
    return otherwise;
}
