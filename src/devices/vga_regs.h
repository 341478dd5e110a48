/* SPDX-License-Identifier: MIT */
/* Between vga.c (registers) and vga_text.c (what is seen). */
#ifndef EMU_DEVICES_VGA_REGS_H
#define EMU_DEVICES_VGA_REGS_H

#include "devices/vga.h"

enum { CRTC_COUNT = 25, SEQ_COUNT = 5, GFX_COUNT = 9, ATTR_COUNT = 21 };

/* Indexes by name, as in the IBM Video Subsystem Technical Reference. */
enum { CRTC_CURSOR_START = 0x0a, CRTC_CURSOR_END, CRTC_START_HIGH, CRTC_START_LOW, CRTC_CURSOR_HIGH, CRTC_CURSOR_LOW,
       CRTC_RETRACE_END = 0x11, CRTC_OFFSET = 0x13 };
enum { SEQ_CLOCKING = 1, SEQ_SCREEN_OFF = 0x20 };
enum { ATTR_MODE = 0x10, ATTR_MODE_BLINK = 0x08, ATTR_PLANES = 0x12, ATTR_COLOUR_SELECT = 0x14 };

struct vga {
    struct device dev;
    u8 misc, feature;
    u8 crtc[CRTC_COUNT], crtc_index;
    u8 seq[SEQ_COUNT], seq_index;
    u8 gfx[GFX_COUNT], gfx_index;
    u8 attr[ATTR_COUNT], attr_index;        /* attr_index: with bit 5, the palette address source */
    bool attr_data;                         /* the flip-flop: the next write to 3C0h is data */
    u8 dac[256][3], dac_mask;               /* six bits a colour */
    u8 dac_read, dac_write, dac_step;
    bool dac_reading;
    struct clock *clock;
    struct physmap *map;
    u8 *text;                               /* hva of the memory at B8000h */
};

#endif
