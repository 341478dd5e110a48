/* SPDX-License-Identifier: MIT */
/* Two columns of text, each wrapped to its width. */
#include <stdarg.h>
#include <string.h>

#include "bt/show.h"

#define SEPARATOR " | "

void columns_init(struct columns *c, unsigned width, FILE *out)
{
    unsigned room = (width < 60 ? 60 : width) - strlen(SEPARATOR);
    c->out = out;
    c->left = room * 45 / 100;
    c->right = room - c->left;
    c->text[0][0] = c->text[1][0] = 0;
}

/* Where to break a line that is longer than the width: behind the last space, but not within its indentation. */
static unsigned break_of(const char *line, unsigned width)
{
    unsigned indent = strspn(line, " "), at = width;
    while (at > indent && line[at] != ' ')
        at--;
    return at > indent ? at : width;
}

static void append(char *to, size_t size, const char *line, unsigned len)
{
    size_t used = strlen(to);
    if (used + len + 2 > size)
        return;
    memcpy(to + used, line, len);
    strcpy(to + used + len, "\n");
}

void columns_add(struct columns *c, int side, unsigned hang, const char *fmt, ...)
{
    char line[512], rest[512 + 64];
    unsigned width = side ? c->right : c->left;
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    while (strlen(line) > width) {
        unsigned at = break_of(line, width);
        append(c->text[side], sizeof c->text[side], line, at);
        snprintf(rest, sizeof rest, "%*s%s", (int)hang, "", line + at + strspn(line + at, " "));
        memcpy(line, rest, sizeof line - 1);
    }
    append(c->text[side], sizeof c->text[side], line, strlen(line));
}

void columns_flush(struct columns *c)
{
    const char *left = c->text[0], *right = c->text[1];
    while (*left || *right) {
        int n = strcspn(left, "\n"), k = strcspn(right, "\n");
        fprintf(c->out, k ? "%-*.*s" SEPARATOR "%.*s\n" : "%-*.*s |\n", (int)c->left, n, left, k, right);
        left += n + (left[n] == '\n');
        right += k + (right[k] == '\n');
    }
    c->text[0][0] = c->text[1][0] = 0;
}
