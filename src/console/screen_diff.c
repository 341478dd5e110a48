/* SPDX-License-Identifier: MIT */
#include "console/screen_diff.h"

#include <stdbool.h>
#include <string.h>

static size_t without_blanks(const char *text, size_t len)
{
    while (len && strchr(" \n", text[len - 1]))
        len--;
    return len;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* If the screen scrolled until `top` (a line of known) is its first line: where does the new text begin? NULL: it did not. */
static const char *continues(const char *top, const char *now)
{
    size_t len = without_blanks(top, strlen(top));
    return strncmp(top, now, len) == 0 ? now + len : NULL;
}

/* By the smallest scroll that explains it; if none does, all of it is new. */
static const char *new_text(const char *known, const char *now)
{
    const char *from;
    for (const char *top = known; *top; top = next_line(top))
        if (without_blanks(top, strlen(top)) && (from = continues(top, now)))
            return from;
    return now;
}

const char *screen_find_new(const char *known, const char *now, const char *text)
{
    size_t len = without_blanks(text, strlen(text));
    const char *from = new_text(known, now);
    const char *found = len ? memmem(from, strlen(from), text, len) : from;
    return found ? found + len : NULL;
}
