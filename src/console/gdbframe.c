/* SPDX-License-Identifier: MIT */
/* Framing: $body#checksum, escapes, hexadecimal (GDB manual, E.1). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "console/gdbstub.h"

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void begin(struct gdb_framer *f)
{
    f->at = FRAME_BODY;
    f->sum = 0;
    f->len = 0;
    f->overlong = false;
}

static void add(struct gdb_framer *f, u8 byte)
{
    if (f->len < GDB_PACKET)
        f->body[f->len++] = byte;
    else
        f->overlong = true;
}

static enum gdb_frame_event on_idle(struct gdb_framer *f, u8 byte)
{
    if (byte == '$')
        begin(f);
    return byte == 0x03 ? FRAME_INTERRUPT : byte == '-' ? FRAME_RESEND : FRAME_NOTHING;
}

static enum gdb_frame_event on_body(struct gdb_framer *f, u8 byte)
{
    if (byte == '#') {
        f->at = FRAME_SUM1;
        return FRAME_NOTHING;
    }
    if (byte == '$') { /* the rest of the last one was lost */
        begin(f);
        return FRAME_NOTHING;
    }
    f->sum += byte;
    if (byte == '}')
        f->at = FRAME_ESCAPED;
    else
        add(f, byte);
    return FRAME_NOTHING;
}

static enum gdb_frame_event on_escaped(struct gdb_framer *f, u8 byte)
{
    f->sum += byte;
    f->at = FRAME_BODY;
    add(f, byte ^ 0x20);
    return FRAME_NOTHING;
}

static enum gdb_frame_event on_sum1(struct gdb_framer *f, u8 byte)
{
    f->given = (hex_digit(byte) & 0xf) << 4;
    f->at = FRAME_SUM2;
    f->overlong |= hex_digit(byte) < 0;
    return FRAME_NOTHING;
}

static enum gdb_frame_event on_sum2(struct gdb_framer *f, u8 byte)
{
    f->given |= hex_digit(byte) & 0xf;
    f->at = FRAME_IDLE;
    f->body[f->len] = 0;
    return f->overlong || hex_digit(byte) < 0 || f->given != f->sum ? FRAME_BAD : FRAME_PACKET;
}

enum gdb_frame_event gdb_framer_feed(struct gdb_framer *f, u8 byte)
{
    static enum gdb_frame_event (*const on[])(struct gdb_framer *f, u8 byte) = {
        [FRAME_IDLE] = on_idle, [FRAME_BODY] = on_body, [FRAME_ESCAPED] = on_escaped, [FRAME_SUM1] = on_sum1, [FRAME_SUM2] = on_sum2,
    };
    return on[f->at](f, byte);
}

/* --- replies --- */

void gdb_put(struct gdb_text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->text + t->len, sizeof t->text - t->len, fmt, ap);
    va_end(ap);
    t->len += n < (int)(sizeof t->text - t->len) ? n : (int)(sizeof t->text - t->len) - 1;
}

void gdb_put_hex(struct gdb_text *t, const void *bytes, u64 len)
{
    static const char digit[] = "0123456789abcdef";
    const u8 *b = bytes;
    for (u64 i = 0; i < len && t->len + 2 < sizeof t->text; i++) {
        t->text[t->len++] = digit[b[i] >> 4];
        t->text[t->len++] = digit[b[i] & 0xf];
    }
    t->text[t->len] = 0;
}

u64 gdb_put_binary(struct gdb_text *t, const void *bytes, u64 len)
{
    const u8 *b = bytes;
    u64 i = 0;
    for (; i < len && t->len + 2 < sizeof t->text; i++) {
        bool special = b[i] == '#' || b[i] == '$' || b[i] == '}' || b[i] == '*';
        if (special)
            t->text[t->len++] = '}';
        t->text[t->len++] = special ? b[i] ^ 0x20 : b[i];
    }
    t->text[t->len] = 0;
    return i;
}

u64 gdb_from_hex(const char *hex, void *bytes, u64 max)
{
    u64 n = 0;
    for (; n < max && hex_digit(hex[0]) >= 0 && hex_digit(hex[1]) >= 0; hex += 2)
        ((u8 *)bytes)[n++] = hex_digit(hex[0]) << 4 | hex_digit(hex[1]);
    return n;
}
