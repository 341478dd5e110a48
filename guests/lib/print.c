/* SPDX-License-Identifier: MIT */
/* print(): the same for both implementations, over console_write(). A line goes out in one piece. */
#include "kernel.h"

#include <stdarg.h>

struct line { char text[160]; u32 len; };

static void put(struct line *l, char c)
{
    if (l->len == sizeof l->text) {
        console_write(l->text, l->len);
        l->len = 0;
    }
    l->text[l->len++] = c;
}

static void put_string(struct line *l, const char *s)
{
    while (*s)
        put(l, *s++);
}

/* *n /= base, the remainder is returned. Two 32-bit divides: there is no libgcc here. */
static u32 divide(u64 *n, u32 base)
{
    u32 high = *n >> 32, low = *n, rest = high % base;
    high /= base;
    __asm__("divl %4" : "=a"(low), "=d"(rest) : "a"(low), "d"(rest), "r"(base) : "cc");
    *n = (u64)high << 32 | low;
    return rest;
}

static void put_number(struct line *l, u64 n, u32 base)
{
    char digits[24];
    u32 i = 0;
    do
        digits[i++] = "0123456789abcdef"[divide(&n, base)];
    while (n);
    while (i)
        put(l, digits[--i]);
}

void print(const char *f, ...)
{
    struct line l;
    va_list ap;
    l.len = 0;
    va_start(ap, f);
    for (; *f; f++) {
        if (*f != '%') {
            put(&l, *f);
            continue;
        }
        switch (*++f) {
        case 's': put_string(&l, va_arg(ap, const char *)); break;
        case 'u': put_number(&l, va_arg(ap, u32), 10); break;
        case 'U': put_number(&l, va_arg(ap, u64), 10); break;
        case 'x': put_number(&l, va_arg(ap, u32), 16); break;
        default: put(&l, *f); break;
        }
    }
    va_end(ap);
    console_write(l.text, l.len);
}
