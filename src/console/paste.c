/* SPDX-License-Identifier: MIT */
#include "console/paste.h"

#include <stddef.h>
#include <string.h>

#include "base/types.h"

/* Never longer than what they stand for. */
static const struct { const char *utf8, *ascii; } plain[] = {
    { "\u2018", "'" }, { "\u2019", "'" }, { "\u201a", "'" },   { "\u201c", "\"" }, { "\u201d", "\"" }, { "\u201e", "\"" }, { "\u2013", "-" }, { "\u2014", "--" },
    { "\u2010", "-" }, { "\u2212", "-" }, { "\u2026", "..." }, { "\u00a0", " " },  { "\u202f", " " },  { "\u200b", "" },   { "\ufeff", "" },  { "\r\n", "\n" },
    { "\r", "\n" },
};

/* A first byte and those that continue it. */
static size_t length(const char *at)
{
    size_t n = 1;
    while (n < 4 && (at[0] & 0x80) && (at[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static int find(const char *at)
{
    for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
        if (strncmp(at, plain[i].utf8, strlen(plain[i].utf8)) == 0)
            return i;
    return -1;
}

unsigned paste_to_ascii(char *text)
{
    unsigned left_out = 0;
    char *to = text;
    for (const char *at = text; *at;) {
        int row = find(at);
        if (row >= 0) {
            at += strlen(plain[row].utf8);
            to = (char *)memcpy(to, plain[row].ascii, strlen(plain[row].ascii)) + strlen(plain[row].ascii);
            continue;
        }
        bool key = (*at >= ' ' && *at < 0x7f) || *at == '\n' || *at == '\t';
        size_t n = length(at);
        if (key)
            *to++ = *at;
        left_out += !key;
        at += n;
    }
    *to = 0;
    return left_out;
}
