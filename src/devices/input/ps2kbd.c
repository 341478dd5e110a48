/* SPDX-License-Identifier: MIT */
/* An enhanced keyboard, 101 or 102 keys. It speaks set 2 (the controller translates) or, if asked to, set 1. */
#include "devices/input/ps2.h"

enum { SET_LEDS = 0xed, ECHO = 0xee, SCAN_SET = 0xf0, IDENTIFY = 0xf2, SET_RATE = 0xf3, ENABLE = 0xf4, DISABLE = 0xf5,
       DEFAULTS = 0xf6, ALL_KEYS = 0xf7, ALL_KEYS_END = 0xfa, RESEND = 0xfe, RESET = 0xff };
enum { BREAK = 0xf0, EXTENDED = 0xe0 };

bool ps2_put(struct ps2_queue *q, const u8 *bytes, unsigned n)
{
    if (q->len + n > PS2_QUEUE)
        return false;
    for (unsigned i = 0; i < n; i++)
        q->data[(q->head + q->len++) % PS2_QUEUE] = bytes[i];
    return true;
}

int ps2_get(struct ps2_queue *q)
{
    if (!q->len)
        return -1;
    u8 byte = q->data[q->head];
    q->head = (q->head + 1) % PS2_QUEUE;
    q->len--;
    return byte;
}

static void defaults(struct ps2_keyboard *k)
{
    k->set = 2;
    k->rate = 0x2b;     /* 10.9 a second after 500 ms */
    k->command = 0;
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
    *k = (struct ps2_keyboard){ .scanning = true };
    defaults(k);
}

static void reply(struct ps2_keyboard *k, u8 byte)
{
    k->last = byte;
    ps2_put1(&k->out, byte);
}

/* Commands with an argument */

static void set_leds(struct ps2_keyboard *k, u8 arg)
{
    k->leds = arg & 7;
    reply(k, PS2_ACK);
}

static void set_rate(struct ps2_keyboard *k, u8 arg)
{
    k->rate = arg & 0x7f;
    reply(k, PS2_ACK);
}

static void scan_set(struct ps2_keyboard *k, u8 arg)
{
    if (arg > 2) {
        reply(k, PS2_RESEND);   /* set 3 is not there */
        return;
    }
    reply(k, PS2_ACK);
    if (arg == 0)
        reply(k, k->set);
    else
        k->set = arg;
}

static void argument(struct ps2_keyboard *k, u8 arg)
{
    u8 command = k->command;
    k->command = 0;
    if (command == SET_LEDS)
        set_leds(k, arg);
    else if (command == SCAN_SET)
        scan_set(k, arg);
    else
        set_rate(k, arg);
}

/* Commands without */

static void want_argument(struct ps2_keyboard *k, u8 command)
{
    k->command = command;
    reply(k, PS2_ACK);
}

static void echo(struct ps2_keyboard *k, u8 command) { reply(k, ECHO); }
static void resend(struct ps2_keyboard *k, u8 command) { reply(k, k->last); }
static void acknowledge(struct ps2_keyboard *k, u8 command) { reply(k, PS2_ACK); }

static void identify(struct ps2_keyboard *k, u8 command)
{
    static const u8 id[] = { PS2_ACK, 0xab, 0x83 };
    ps2_put(&k->out, id, sizeof id);
    k->last = 0x83;
}

static void enable(struct ps2_keyboard *k, u8 command)
{
    k->out.len = 0;
    k->scanning = true;
    reply(k, PS2_ACK);
}

static void disable(struct ps2_keyboard *k, u8 command)
{
    k->out.len = 0;
    defaults(k);
    k->scanning = command != DISABLE;
    reply(k, PS2_ACK);
}

static void reset(struct ps2_keyboard *k, u8 command)
{
    static const u8 done[] = { PS2_ACK, PS2_TEST_OK };
    ps2_keyboard_reset(k);
    ps2_put(&k->out, done, sizeof done);
    k->last = PS2_TEST_OK;
}

static void (*const command_fn[256])(struct ps2_keyboard *k, u8 command) = {
    [SET_LEDS] = want_argument, [SCAN_SET] = want_argument, [SET_RATE] = want_argument, [ECHO] = echo, [IDENTIFY] = identify,
    [ENABLE] = enable, [DISABLE] = disable, [DEFAULTS] = disable, [ALL_KEYS ... ALL_KEYS_END] = acknowledge,
    [RESEND] = resend, [RESET] = reset,
};

/* A byte with bit 7 set is a command, even where an argument was due. */
void ps2_keyboard_write(struct ps2_keyboard *k, u8 byte)
{
    if (k->command && byte < 0x80)
        argument(k, byte);
    else if (command_fn[byte])
        command_fn[byte](k, byte);
    else
        reply(k, PS2_RESEND);
}

/* Keys */

static bool pause_key(struct ps2_keyboard *k)
{
    static const u8 set1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    static const u8 set2[] = { 0xe1, 0x14, 0x77, 0xe1, BREAK, 0x14, BREAK, 0x77 };
    return k->set == 1 ? ps2_put(&k->out, set1, sizeof set1) : ps2_put(&k->out, set2, sizeof set2);
}

bool ps2_keyboard_key(struct ps2_keyboard *k, u16 scancode_set1, bool down)
{
    u8 code = scancode_set1 & 0x7f, bytes[3];
    unsigned n = 0;
    if (!k->scanning)
        return true;
    if (scancode_set1 >> 8 == 0xe1)
        return down ? pause_key(k) : true;
    if (scancode_set1 >> 8 == EXTENDED)
        bytes[n++] = EXTENDED;
    if (!down && k->set == 2)
        bytes[n++] = BREAK;
    bytes[n++] = k->set == 2 ? scancode_1_to_2(code) : code | (down ? 0 : 0x80);
    return ps2_put(&k->out, bytes, n);
}
