/* SPDX-License-Identifier: MIT */
#include "program.h"

/* gcc may make calls of these out of loops */
void *memset(void *d, int c, u32 n)
{
    for (u8 *p = d; n; n--)
        *p++ = c;
    return d;
}
void *memcpy(void *d, const void *s, u32 n)
{
    for (u8 *p = d; n; n--)
        *p++ = *(const u8 *)s, s = (const u8 *)s + 1;
    return d;
}

static u32 append(char *line, u32 at, const char *s)
{
    while (*s)
        line[at++] = *s++;
    return at;
}

static u32 append_number(char *line, u32 at, u32 n)
{
    char text[12];
    u32 len = 0;
    do
        text[len++] = '0' + n % 10;
    while (n /= 10);
    while (len)
        line[at++] = text[--len];
    return at;
}

/* One write a line: the reader's clock is stopped by a whole line. */
static void say(const char *what, const char *name, const u32 *result)
{
    char line[80];
    u32 len = append(line, append(line, 0, what), name);
    if (result)
        len = append_number(line, append(line, len, " "), *result);
    line[len++] = '\n';
    linux_call(SYS_WRITE, 1, (u32)line, len);
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* argv: names of the parts to run; none: all. */
static int chosen(const struct part *p, char *const *argv)
{
    if (!argv[0] || !argv[1])
        return 1;
    for (argv++; *argv; argv++)
        if (same(*argv, p->name))
            return 1;
    return 0;
}

static __attribute__((used, regparm(1))) void run_parts(char *const *argv)
{
    for (const struct part *p = parts; p->name; p++) {
        if (!chosen(p, argv))
            continue;
        say("@begin ", p->name, 0);
        u32 result = p->run();
        say("@end ", p->name, &result);
    }
    linux_call(SYS_EXIT, 0, 0, 0);
}

/* The stack of a new program: argc, then argv[]. */
__asm__(".globl _start\n_start: lea 4(%esp), %eax\n and $-16, %esp\n call run_parts\n");
