/* SPDX-License-Identifier: MIT */
/* From the window system's keys to the PC's: by place on the keyboard, so that the guest's own layout holds. */
#ifndef EMU_CONSOLE_KEYMAP_H
#define EMU_CONSOLE_KEYMAP_H

#include "base/types.h"

/* SDL's scancode (a usage of the USB HID keyboard page) to set 1 as keyboard_key() takes it; 0: a PC has no such key. */
u16 keymap_set1(unsigned sdl_scancode);

#endif
