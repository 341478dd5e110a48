/* SPDX-License-Identifier: MIT */
/*
 * The display: a VGA with Bochs' display interface, 16 MiB of memory, and a PCI function whose first BAR shows that memory as
 * a linear framebuffer. What is seen is a pure function of its registers and memory: vga_look() says what it is,
 * vga_text() gives it as characters, a vga_picture as pixels.
 */
#ifndef EMU_DEVICES_VGA_H
#define EMU_DEVICES_VGA_H

#include "devices/device.h"

#define VGA_TEXT_GPA 0xb8000u
#define VGA_TEXT_SIZE 0x8000u
#define VGA_LFB_GPA 0xe0000000u     /* where the framebuffer is after power-on, until the guest moves it */

extern const struct device_ops vga_ops;

enum vga_kind { VGA_BLANK, VGA_TEXT, VGA_PLANAR, VGA_CGA, VGA_INDEXED, VGA_RGB15, VGA_RGB16, VGA_RGB24, VGA_RGB32 };

/* What the registers say about the screen. */
struct vga_look {
    enum vga_kind kind;
    unsigned width, height;         /* pixels of the picture: lines that are only repeated count once */
    unsigned columns, rows;         /* text: cells; other kinds: rows == height */
    unsigned cell_width, cell_height;
    unsigned row_bytes;             /* of memory that a row shows */
    u32 start, stride, wrap;        /* bytes: of the first row; from row to row; the memory is a ring of so many */
    unsigned split;                 /* the first row that starts at byte 0 instead (line compare) */
    unsigned interlace, interlace_bytes; /* CGA: so many lines share a row, each so many bytes after the one above */
    unsigned pan;                   /* pixels by which the picture is shifted to the left */
    u32 font[2];                    /* text: offset in plane 2 of the font of attribute bit 3 clear, set */
    bool blink;                     /* text: attribute bit 7 blinks; otherwise it is a bright background */
    bool line_graphics;             /* text: the ninth dot repeats the eighth for C0h to DFh */
    u32 palette[256];               /* 0xRRGGBB */
    int cursor_row, cursor_column;  /* -1: not on the screen, or off */
    u8 cursor_first, cursor_last;   /* its lines in the cell */
};
/* d is the device of vga_ops, here and below. */
void vga_look(const struct device *d, struct vga_look *l);

/* The characters that are seen now, as UTF-8: a line for each row, blanks at their ends taken away, each with a newline; nothing in
 * a graphics mode. NUL-ended within size, lines that do not fit are left out; returns its length. 8 KiB are always enough for 80 x 25. */
size_t vga_text(const struct device *d, char *buf, size_t size);

/* A picture of the screen, kept up to date. Zeroed storage is a picture of nothing; pair with vga_picture_fini(). */
struct vga_picture {
    u32 *pixels;                    /* 0x00RRGGBB, width x height; owned */
    unsigned width, height;
    /* what it was drawn from, so that only what changed is drawn again */
    struct vga_look look;
    bool blink_shown;
    u64 looked;                     /* at the log of what was written; 0: there was none */
    u8 *saved;                      /* the memory of each row; owned */
    u8 *saved_font;                 /* both fonts; owned */
    u8 *scratch;                    /* of a row that wraps around the end of memory; owned */
    u32 *line;                      /* of a row before it is shifted; owned */
};
/* Draw what changed since the last call. blink: the phase in which blinking characters and the cursor are shown. Returns how many
 * lines changed, and which: *first to *last. The guest notices nothing: memory is
 * compared, and watched only where an engine keeps a log of writes anyway. */
unsigned vga_picture_update(struct vga_picture *p, const struct device *d, bool blink, unsigned *first, unsigned *last);
void vga_picture_fini(struct vga_picture *p);

/* Code page 437 to Unicode. */
u16 cp437_to_unicode(u8 c);

/* Our own font of code page 437: 8 x 16, the top row first, bit 7 is on the left. */
void vga_font_glyph(u8 c, u8 rows[16]);

#endif
