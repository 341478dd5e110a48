/* SPDX-License-Identifier: MIT */
/* What the registers say about the screen: kind, size, where its rows are in memory, colours, cursor. */
#include <string.h>

#include "devices/display/vga_regs.h"

/* --- colours: attribute -> palette register -> DAC register --- */

static unsigned dac_index(const struct vga *v, unsigned attribute)
{
    enum { USE_SELECT_54 = 0x80 };
    u8 p = v->attr[attribute & v->attr[ATTR_PLANES] & 15] & 0x3f, select = v->attr[ATTR_COLOUR_SELECT];
    if (v->attr[ATTR_MODE] & USE_SELECT_54)
        p = (p & 0x0f) | (select & 3) << 4;
    return p | (select & 0x0c) << 4;
}

static u32 rgb(const struct vga *v, unsigned index)
{
    const u8 *dac = v->dac[index & v->dac_mask];
    bool wide = v->vbe[VBE_ENABLE] & VBE_8BIT_DAC;
    u32 c = 0;
    for (int i = 0; i < 3; i++)
        c = c << 8 | (wide ? dac[i] : (dac[i] << 2 & 0xff) | (dac[i] >> 4 & 3));
    return c;
}

static void fill_palette(const struct vga *v, struct vga_look *l)
{
    bool direct = l->kind == VGA_INDEXED;   /* 256 colours go past the attribute controller's palette */
    for (unsigned i = 0; i < (direct ? 256 : 16); i++)
        l->palette[i] = rgb(v, direct ? i : dac_index(v, i));
}

/* --- VBE --- */

static enum vga_kind vbe_kind(u16 bpp)
{
    static const struct { u16 bpp; enum vga_kind kind; } kinds[] = {
        { 4, VGA_PLANAR }, { 8, VGA_INDEXED }, { 15, VGA_RGB15 }, { 16, VGA_RGB16 }, { 24, VGA_RGB24 }, { 32, VGA_RGB32 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].bpp == bpp)
            return kinds[i].kind;
    return VGA_BLANK;
}

static void look_vbe(const struct vga *v, struct vga_look *l)
{
    l->kind = vbe_kind(v->vbe[VBE_BPP]);
    l->width = v->vbe[VBE_XRES];
    l->height = l->rows = v->vbe[VBE_YRES];
    l->wrap = VGA_VRAM_SIZE;
    l->stride = vbe_bytes(v, v->vbe[VBE_VIRT_WIDTH]);
    l->row_bytes = vbe_bytes(v, l->width);
    u16 x = l->kind == VGA_PLANAR ? v->vbe[VBE_X_OFFSET] & ~7 : v->vbe[VBE_X_OFFSET];
    l->start = ((u64)l->stride * v->vbe[VBE_Y_OFFSET] + vbe_bytes(v, x)) % l->wrap;
    l->split = ~0u;
    l->interlace = 1;
}

/* --- the VGA's own modes --- */

/* Scan lines shown, 1 to 1024: bits 8 and 9 are in the overflow register. */
static unsigned lines_shown(const struct vga *v)
{
    return (v->crtc[CRTC_V_SHOWN] | (v->crtc[CRTC_OVERFLOW] & 0x02) << 7 | (v->crtc[CRTC_OVERFLOW] & 0x40) << 3) + 1;
}

static unsigned line_compare(const struct vga *v)
{
    return v->crtc[CRTC_LINE_COMPARE] | (v->crtc[CRTC_OVERFLOW] & 0x10) << 4 | (v->crtc[CRTC_MAX_SCAN] & 0x40) << 3;
}

static unsigned scan_lines(const struct vga *v) { return (v->crtc[CRTC_MAX_SCAN] & 0x1f) + 1; }
static unsigned doubling(const struct vga *v) { return v->crtc[CRTC_MAX_SCAN] & 0x80 ? 2 : 1; }

/* Rows that each take `lines` scan lines, and which of them the line compare moves to the start of the memory. */
static void count_rows(const struct vga *v, struct vga_look *l, unsigned lines)
{
    l->rows = lines_shown(v) / lines;
    if (!l->rows)
        l->rows = 1;
    l->split = line_compare(v) / lines + 1;
}

static void find_cursor(const struct vga *v, struct vga_look *l)
{
    enum { CURSOR_OFF = 0x20, LINES = 0x1f };
    u16 at = vga_crtc_word(v, CRTC_CURSOR_HIGH);
    l->cursor_first = v->crtc[CRTC_CURSOR_START] & LINES;
    l->cursor_last = v->crtc[CRTC_CURSOR_END] & LINES;
    if (v->crtc[CRTC_CURSOR_START] & CURSOR_OFF || l->cursor_first > l->cursor_last)
        return;
    for (unsigned row = 0; row < l->rows; row++) {
        unsigned column = (u16)(at - (l->start + row * l->stride) / 4);
        if (column < l->columns) {
            l->cursor_row = row;
            l->cursor_column = column;
        }
    }
}

/* Offset in plane 2 of font 0 to 7: eight places in an order of their own. */
static u32 font_offset(unsigned n) { return ((n & 3) << 1 | n >> 2) * VGA_FONT_UNITS; }

static void look_text(const struct vga *v, struct vga_look *l)
{
    u8 map = v->seq[SEQ_CHAR_MAP];
    l->kind = VGA_TEXT;
    l->cell_width = v->seq[SEQ_CLOCKING] & SEQ_8_DOTS ? 8 : 9;
    l->cell_height = scan_lines(v);
    count_rows(v, l, l->cell_height * doubling(v));
    l->width = l->columns * l->cell_width;
    l->height = l->rows * l->cell_height;
    l->row_bytes = 4 * l->columns;
    l->wrap = 2 * VGA_TEXT_SIZE;
    l->font[0] = font_offset((map & 3) | (map >> 2 & 4));
    l->font[1] = font_offset((map >> 2 & 3) | (map >> 3 & 4));
    l->blink = v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
    l->line_graphics = v->attr[ATTR_MODE] & ATTR_MODE_LINE_GRAPHICS;
    find_cursor(v, l);
}

/* CGA's modes put odd lines (or three of four) elsewhere: row-scan counter bits stand in for address bits. */
static void look_interlace(const struct vga *v, struct vga_look *l)
{
    enum { ROW_SCAN_0_IS_ADDRESS_13 = 0x01, BYTE_MODE = 0x40 };
    l->interlace = 1;
    if (v->crtc[CRTC_MODE] & ROW_SCAN_0_IS_ADDRESS_13) {
        count_rows(v, l, scan_lines(v) * doubling(v));
        return;
    }
    l->interlace = scan_lines(v) > 1 ? 2 : 1;
    l->interlace_bytes = v->crtc[CRTC_MODE] & BYTE_MODE ? 4 << 13 : 4 << 12;
    count_rows(v, l, doubling(v));
}

static void look_graphics(const struct vga *v, struct vga_look *l)
{
    u8 mode = v->gfx[GFX_MODE];
    l->kind = mode & GFX_MODE_256 ? VGA_INDEXED : mode & GFX_MODE_CGA ? VGA_CGA : VGA_PLANAR;
    look_interlace(v, l);
    l->width = l->columns * (l->kind == VGA_INDEXED ? 4 : 8);
    l->height = l->rows;
    l->pan = v->attr[ATTR_PAN] & 7;
    if (l->kind == VGA_INDEXED)
        l->pan /= 2;
    l->row_bytes = 4 * (l->columns + (l->pan ? 1 : 0));
    l->wrap = VGA_PLANAR_SIZE;
}

static void look_vga(const struct vga *v, struct vga_look *l)
{
    l->columns = v->crtc[CRTC_H_SHOWN] + 1;
    l->start = 4 * vga_crtc_word(v, CRTC_START_HIGH);
    l->stride = 8 * v->crtc[CRTC_OFFSET];
    l->interlace = 1;
    (v->gfx[GFX_MISC] & GFX_MISC_GRAPHICS ? look_graphics : look_text)(v, l);
}

/* Black, of the same size. */
static void blank(struct vga_look *l)
{
    l->kind = VGA_BLANK;
    l->rows = l->height;
    l->row_bytes = 0;
}

void vga_look(const struct device *d, struct vga_look *l)
{
    const struct vga *v = (const struct vga *)d;
    memset(l, 0, sizeof *l);
    l->cursor_row = l->cursor_column = -1;
    (vbe_on(v) ? look_vbe : look_vga)(v, l);
    if (!vbe_on(v) && (v->seq[SEQ_CLOCKING] & SEQ_SCREEN_OFF || !(v->attr_index & ATTR_SCREEN_ON)))
        blank(l);
    fill_palette(v, l);
}
