/* SPDX-License-Identifier: MIT */
/* A VGA in text mode: 32 KiB of memory at B8000h, which is ordinary RAM of the map, and all the registers. */
#ifndef EMU_DEVICES_VGA_H
#define EMU_DEVICES_VGA_H

#include "devices/device.h"

#define VGA_TEXT_GPA 0xb8000u
#define VGA_TEXT_SIZE 0x8000u
#define VGA_COLUMNS 80
#define VGA_ROWS 25

extern const struct device_ops vga_ops;

/* The 80 x 25 characters that are seen now, as UTF-8: 25 lines, blanks at their ends taken away, each with a newline.
 * NUL-ended within size; returns its length. 8 KiB are always enough. d is the device of vga_ops. */
size_t vga_text(const struct device *d, char *buf, size_t size);

/* What a window draws. */
struct vga_screen {
    u8 character[VGA_ROWS][VGA_COLUMNS], attribute[VGA_ROWS][VGA_COLUMNS];  /* code page 437 */
    bool blink;                     /* attribute bit 7 blinks; otherwise it is a bright background */
    bool blank;                     /* the sequencer or the attribute controller has turned the screen off */
    int cursor_row, cursor_column;  /* -1: not on the screen, or off */
    u8 cursor_first, cursor_last;   /* scan lines of 16 */
    u32 palette[16];                /* 0xRRGGBB */
};
void vga_screen(const struct device *d, struct vga_screen *s);

/* Code page 437 to Unicode. */
u16 cp437_to_unicode(u8 c);

#endif
