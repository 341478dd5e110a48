/* SPDX-License-Identifier: MIT */
/* The PS/2 keyboard controller (ports 60h and 64h, IRQ 1 and 12) with a keyboard and a mouse plugged in. */
#ifndef EMU_DEVICES_I8042_H
#define EMU_DEVICES_I8042_H

#include "devices/device.h"

extern const struct device_ops i8042_ops;

/* A key goes down or up. Scan code of set 1, E0h keys as E0xxh (KEY_EXTENDED | xx); KEY_PAUSE has no release.
 * False: the keyboard's buffer is full, the key is lost. d is the i8042 device. */
#define KEY_EXTENDED 0xe000u
#define KEY_PAUSE 0xe11du
bool keyboard_key(struct device *d, u16 scancode_set1, bool down);

/* Type ASCII on a US keyboard, press and release of each key. Returns how many characters were taken: the rest did not
 * fit into the keyboard's buffer and can be typed when the guest has read. A character without a key is skipped. */
size_t keyboard_type(struct device *d, const char *text);

/* Move the mouse (counts, right and down are positive) with these buttons held: bit 0 left, 1 right, 2 middle. */
void mouse_move(struct device *d, int dx, int dy, unsigned buttons);

/* Another device for keys and movements: asked first, and if it takes one (true), the PS/2 devices do not hear of it. Its storage is the
 * caller's, and stays as long as the machine. */
struct key_taker {
    bool (*key)(void *opaque, u16 scancode_set1, bool down);
    bool (*movement)(void *opaque, int dx, int dy, unsigned buttons);
    void *opaque;
    struct key_taker *next;
};
void keyboard_share(struct device *d, struct key_taker *t);

/* Lights: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
u8 keyboard_leds(const struct device *d);

#endif
