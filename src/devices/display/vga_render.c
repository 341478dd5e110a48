/* SPDX-License-Identifier: MIT */
/*
 * Pixels. A row of the screen is a stretch of memory; it is drawn only if that stretch, or what it is looked at through (struct
 * vga_look, the fonts), is another than when it was drawn last. Comparing is a small fraction of drawing, and unlike
 * write-protected pages it costs the guest nothing and no engine anything. Where an engine keeps a log of writes (vga_log.c), rows of a
 * linear mode that it does not name are not even compared.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/display/vga_regs.h"

/* --- memory of a row --- */

static u32 row_offset(const struct vga_look *l, unsigned row)
{
    u32 from = row < l->split ? l->start : 0;
    unsigned n = row < l->split ? row : row - l->split;
    return (from + n / l->interlace * l->stride + n % l->interlace * l->interlace_bytes) % l->wrap;
}

static const u8 *linear_source(const struct vga *v, const struct vga_look *l, unsigned row, u8 *scratch)
{
    u32 from = row_offset(l, row), first = l->wrap - from;
    if (first >= l->row_bytes)
        return v->vram + from;
    memcpy(scratch, v->vram + from, first);
    memcpy(scratch + first, v->vram, l->row_bytes - first);
    return scratch;
}

/* Text is gathered: two bytes a cell, wherever they are now. */
static const u8 *text_source(const struct vga *v, const struct vga_look *l, unsigned row, u8 *scratch)
{
    u32 cell = row_offset(l, row) / 4;
    for (unsigned i = 0; i < l->columns; i++)
        vga_cell(v, cell + i, &scratch[2 * i], &scratch[2 * i + 1]);
    return scratch;
}

static const u8 *row_source(const struct vga *v, const struct vga_look *l, unsigned row, u8 *scratch)
{
    return (l->kind == VGA_TEXT ? text_source : linear_source)(v, l, row, scratch);
}

static unsigned source_bytes(const struct vga_look *l) { return l->kind == VGA_TEXT ? 2 * l->columns : l->row_bytes; }

/* --- one line of n pixels, by kind --- */

static void draw_planar(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const u8 *unit = from + i / 8 * 4;
        unsigned colour = 0, bit = 7 - i % 8;
        for (unsigned p = 0; p < 4; p++)
            colour |= (unit[p] >> bit & 1) << p;
        to[i] = l->palette[colour];
    }
}

/* Four colours: two bits a pixel, the byte of plane 0 before that of plane 1. */
static void draw_cga(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = l->palette[from[i / 8 * 4 + i / 4 % 2] >> (6 - i % 4 * 2) & 3];
}

static void draw_indexed(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = l->palette[from[i]];
}

/* n bits, the highest repeated below, so that all ones are 255. */
static u32 widen(unsigned value, unsigned n) { return (value << (8 - n) | value >> (2 * n - 8)) & 0xff; }

static void draw_rgb15(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned c = from[2 * i] | from[2 * i + 1] << 8;
        to[i] = widen(c >> 10 & 31, 5) << 16 | widen(c >> 5 & 31, 5) << 8 | widen(c & 31, 5);
    }
}

static void draw_rgb16(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned c = from[2 * i] | from[2 * i + 1] << 8;
        to[i] = widen(c >> 11, 5) << 16 | widen(c >> 5 & 63, 6) << 8 | widen(c & 31, 5);
    }
}

static void draw_rgb24(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = from[3 * i] | from[3 * i + 1] << 8 | from[3 * i + 2] << 16;
}

static void draw_rgb32(const struct vga_look *l, const u8 *from, u32 *to, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = from[4 * i] | from[4 * i + 1] << 8 | from[4 * i + 2] << 16;
}

static void draw_blank(const struct vga_look *l, const u8 *from, u32 *to, unsigned n) { memset(to, 0, n * sizeof *to); }

static void (*const draw_line[])(const struct vga_look *l, const u8 *from, u32 *to, unsigned n) = {
    [VGA_BLANK] = draw_blank, [VGA_PLANAR] = draw_planar, [VGA_CGA] = draw_cga, [VGA_INDEXED] = draw_indexed, [VGA_RGB15] = draw_rgb15,
    [VGA_RGB16] = draw_rgb16, [VGA_RGB24] = draw_rgb24, [VGA_RGB32] = draw_rgb32,
};

/* A line is drawn whole, with what panning brings in on the right, and then shifted into the picture. */
static void draw_graphics_row(struct vga_picture *p, const struct vga_look *l, unsigned row, const u8 *from)
{
    draw_line[l->kind](l, from, p->line, l->width + l->pan);
    memcpy(p->pixels + (size_t)row * l->width, p->line + l->pan, l->width * sizeof *p->line);
}

/* --- text --- */

enum { ATTRIBUTE_FONT = 0x08, ATTRIBUTE_BLINK = 0x80 };

struct cell {
    u8 character, attribute;
    bool cursor, blink;     /* it stands here and is shown; blinking characters are shown */
};

static u32 foreground(const struct vga_look *l, const struct cell *c, u32 background)
{
    bool hidden = l->blink && c->attribute & ATTRIBUTE_BLINK && !c->blink;
    return hidden ? background : l->palette[c->attribute & 15];
}

static unsigned dots_of(const struct vga *v, const struct vga_look *l, const struct cell *c, unsigned y)
{
    u32 font = l->font[c->attribute & ATTRIBUTE_FONT ? 1 : 0];
    if (c->cursor && y >= l->cursor_first && y <= l->cursor_last)
        return 0x1ff;
    unsigned dots = v->vram[4 * (font + c->character * 32 + y) + 2] << 1;
    return dots | (l->line_graphics && c->character >> 5 == 6 ? dots >> 1 & 1 : 0);
}

static void draw_cell(const struct vga *v, const struct vga_look *l, const struct cell *c, u32 *to)
{
    u32 back = l->palette[c->attribute >> 4 & (l->blink ? 7 : 15)], fore = foreground(l, c, back);
    for (unsigned y = 0; y < l->cell_height; y++, to += l->width) {
        unsigned dots = dots_of(v, l, c, y);
        for (unsigned x = 0; x < l->cell_width; x++)
            to[x] = dots >> (8 - x) & 1 ? fore : back;
    }
}

static void draw_text_row(struct vga_picture *p, const struct vga *v, const struct vga_look *l, unsigned row, const u8 *from, bool blink)
{
    u32 *to = p->pixels + (size_t)row * l->cell_height * l->width;
    for (unsigned i = 0; i < l->columns; i++, to += l->cell_width) {
        bool cursor = blink && (int)row == l->cursor_row && (int)i == l->cursor_column;
        draw_cell(v, l, &(struct cell){ from[2 * i], from[2 * i + 1], cursor, blink }, to);
    }
}

/* --- the picture --- */

#define FONT_BYTES (4 * VGA_FONT_UNITS)

/* Everything but the cursor decides over every row. */
static bool same_look(const struct vga_look *a, const struct vga_look *b)
{
    return memcmp(a, b, offsetof(struct vga_look, cursor_row)) == 0;
}

static bool same_cursor(const struct vga_look *a, const struct vga_look *b)
{
    return a->cursor_row == b->cursor_row && a->cursor_column == b->cursor_column && a->cursor_first == b->cursor_first &&
           a->cursor_last == b->cursor_last;
}

static void resize(struct vga_picture *p, const struct vga_look *l)
{
    const struct vga_look *was = &p->look;
    if (p->pixels && l->width == was->width && l->height == was->height && l->rows == was->rows && l->row_bytes == was->row_bytes)
        return;
    vga_picture_fini(p);
    p->width = l->width;
    p->height = l->height;
    p->pixels = calloc((size_t)l->width * l->height, sizeof *p->pixels);
    p->saved = calloc(l->rows, l->row_bytes + 1);
    p->saved_font = calloc(2, FONT_BYTES);
    p->scratch = calloc(1, l->row_bytes + 2 * l->columns + 1);
    p->line = calloc(l->width + 8, sizeof *p->line);
}

/* Has a font changed that text is drawn with? Remembers it. */
static bool font_changed(struct vga_picture *p, const struct vga *v, const struct vga_look *l)
{
    bool changed = false;
    for (unsigned i = 0; i < 2 && l->kind == VGA_TEXT; i++) {
        const u8 *font = v->vram + 4 * l->font[i];
        u8 *saved = p->saved_font + i * FONT_BYTES;
        if (memcmp(saved, font, FONT_BYTES) == 0)
            continue;
        memcpy(saved, font, FONT_BYTES);
        changed = true;
    }
    return changed;
}

/* Does a row look different because of blinking, or of the cursor that stood or stands in it? */
static bool row_moves(const struct vga_picture *p, const struct vga_look *l, unsigned row, const u8 *from, bool blink)
{
    if (l->kind != VGA_TEXT)
        return false;
    bool phase = blink != p->blink_shown;
    if ((phase || !same_cursor(l, &p->look)) && ((int)row == l->cursor_row || (int)row == p->look.cursor_row))
        return true;
    for (unsigned i = 0; phase && l->blink && i < l->columns; i++)
        if (from[2 * i + 1] & ATTRIBUTE_BLINK)
            return true;
    return false;
}

static void draw_row(struct vga_picture *p, const struct vga *v, const struct vga_look *l, unsigned row, const u8 *from, bool blink)
{
    if (l->kind == VGA_TEXT)
        draw_text_row(p, v, l, row, from, blink);
    else
        draw_graphics_row(p, l, row, from);
}

/* A row whose bytes nobody has written since the last look. */
static bool row_untouched(const struct vga_picture *p, const struct vga *v, const struct vga_look *l, unsigned row, u64 look)
{
    return look && p->looked && l->row_bytes && !vga_log_written(v, p->looked, row_offset(l, row), l->row_bytes);
}

unsigned vga_picture_update(struct vga_picture *p, const struct device *d, bool blink, unsigned *first, unsigned *last)
{
    const struct vga *v = (const struct vga *)d;
    struct vga_look l;
    vga_look(d, &l);
    u64 look = l.kind == VGA_TEXT || l.kind == VGA_BLANK ? 0 : vga_log_look(v);
    bool all = !p->pixels || !same_look(&l, &p->look);
    if (all)
        resize(p, &l);
    all |= font_changed(p, v, &l);
    unsigned lines = l.kind == VGA_TEXT ? l.cell_height : 1, bytes = source_bytes(&l), changed = 0;
    for (unsigned row = 0; row < l.height / lines; row++) {
        if (!all && row_untouched(p, v, &l, row, look))
            continue;
        const u8 *from = row_source(v, &l, row, p->scratch);
        u8 *saved = p->saved + (size_t)row * (l.row_bytes + 1);
        if (!all && !row_moves(p, &l, row, from, blink) && memcmp(saved, from, bytes) == 0)
            continue;
        memcpy(saved, from, bytes);
        draw_row(p, v, &l, row, from, blink);
        *last = (row + 1) * lines - 1;
        if (!changed)
            *first = row * lines;
        changed += lines;
    }
    p->look = l;
    p->blink_shown = blink;
    p->looked = look;
    return changed;
}

void vga_picture_fini(struct vga_picture *p)
{
    free(p->pixels);
    free(p->saved);
    free(p->saved_font);
    free(p->scratch);
    free(p->line);
    memset(p, 0, sizeof *p);
}
