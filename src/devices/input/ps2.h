/* SPDX-License-Identifier: MIT */
/*
 * What plugs into the keyboard controller: a keyboard and a mouse. Each takes command bytes from the controller and
 * has a queue of bytes for it. Reference: IBM PS/2 Hardware Interface Technical Reference, Keyboard and Mouse sections.
 */
#ifndef EMU_DEVICES_PS2_H
#define EMU_DEVICES_PS2_H

#include "base/types.h"

enum { PS2_ACK = 0xfa, PS2_RESEND = 0xfe, PS2_TEST_OK = 0xaa };

#define PS2_QUEUE 256

struct ps2_queue {
    u8 data[PS2_QUEUE];
    unsigned head, len;
};
bool ps2_put(struct ps2_queue *q, const u8 *bytes, unsigned n);     /* all or nothing */
static inline bool ps2_put1(struct ps2_queue *q, u8 byte) { return ps2_put(q, &byte, 1); }
int ps2_get(struct ps2_queue *q);                                   /* -1: empty */

struct ps2_keyboard {
    struct ps2_queue out;
    u8 command;         /* a command that waits for its argument, 0: none */
    u8 leds, set, rate;
    bool scanning;
    u8 last;            /* last byte sent, for RESEND */
};
void ps2_keyboard_reset(struct ps2_keyboard *k);
void ps2_keyboard_write(struct ps2_keyboard *k, u8 byte);
/* A key as keyboard_key() has it. False: no room. Keys are dropped while scanning is disabled (true). */
bool ps2_keyboard_key(struct ps2_keyboard *k, u16 scancode_set1, bool down);

struct ps2_mouse {
    struct ps2_queue out;
    u8 command;
    u8 rate, resolution;
    bool reporting, remote, wrap, scaling2;
    int dx, dy;         /* not reported yet; up is positive, as the packets have it */
    u8 buttons;
};
void ps2_mouse_reset(struct ps2_mouse *m);
void ps2_mouse_write(struct ps2_mouse *m, u8 byte);
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, unsigned buttons);

/* Scan codes: set 2 as keyboards send them, set 1 as the controller translates them. */
u8 scancode_2_to_1(u8 code);
u8 scancode_1_to_2(u8 code);
/* The key of an ASCII character on a US keyboard (set 1), 0: none; *shift tells whether Shift is held. */
u8 scancode_of_ascii(char c, bool *shift);

#endif
