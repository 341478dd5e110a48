/* SPDX-License-Identifier: MIT */
/* Words of the command line, and the line that a load prints. For programs whose numbers are the difference of two runs. */
#ifndef GUEST_WORDS_H
#define GUEST_WORDS_H

#include "kernel.h"

/* Behind KEY= in the command line; NULL: it is not there. */
static inline const char *word_of(const char *key)
{
    for (const char *at = kernel_command_line(); *at; at++) {
        u32 n = 0;
        while (key[n] && at[n] == key[n])
            n++;
        if (!key[n])
            return at + n;
    }
    return 0;
}

static inline u32 word_number(const char *key, u32 otherwise)
{
    const char *s = word_of(key);
    u32 n = 0;
    if (!s)
        return otherwise;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + *s - '0';
    return n;
}

static inline _Bool word_is(const char *s, const char *word)
{
    while (*word && *s == *word)
        s++, word++;
    return !*word && (*s == ' ' || !*s);
}

/* Ten digits, whatever the number: what is printed must cost the same in every run. */
static inline const char *word_digits(u32 n, char text[11])
{
    for (u32 i = 10; i; n /= 10)
        text[--i] = '0' + n % 10;
    text[10] = 0;
    return text;
}

static inline void word_report(const char *program, const char *mode, u32 count, u32 cycles)
{
    char number[11], time[11];
    print("@%s %s %s %s\n", program, mode, word_digits(count, number), word_digits(cycles, time));
}

#endif
