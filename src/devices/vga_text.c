/* SPDX-License-Identifier: MIT */
/* What is seen: text memory from the start address on, cursor, colours. */
#include <string.h>

#include "devices/vga_regs.h"

static u16 crtc_word(const struct vga *v, unsigned high)
{
    return v->crtc[high] << 8 | v->crtc[high + 1];
}

/* Address, in character cells from the start of the memory, of a row's first cell. It wraps with the memory. */
static unsigned row_start(const struct vga *v, unsigned row)
{
    unsigned stride = v->crtc[CRTC_OFFSET] ? v->crtc[CRTC_OFFSET] * 2 : VGA_COLUMNS;
    return crtc_word(v, CRTC_START_HIGH) + row * stride;
}

static const u8 *cell(const struct vga *v, unsigned row, unsigned column)
{
    return v->text + (row_start(v, row) + column) * 2 % VGA_TEXT_SIZE;
}

static unsigned put_utf8(char *to, u16 c)
{
    if (c < 0x80) {
        to[0] = c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = 0xc0 | c >> 6;
        to[1] = 0x80 | (c & 0x3f);
        return 2;
    }
    to[0] = 0xe0 | c >> 12;
    to[1] = 0x80 | (c >> 6 & 0x3f);
    to[2] = 0x80 | (c & 0x3f);
    return 3;
}

/* One line as UTF-8 without the blanks at its end; its length. */
static unsigned row_text(const struct vga *v, unsigned row, char line[3 * VGA_COLUMNS])
{
    unsigned len = 0, end = 0;
    for (unsigned column = 0; column < VGA_COLUMNS; column++) {
        u8 c = *cell(v, row, column);
        len += put_utf8(line + len, cp437_to_unicode(c));
        if (c != 0 && c != ' ')
            end = len;
    }
    return end;
}

size_t vga_text(const struct device *d, char *buf, size_t size)
{
    const struct vga *v = (const struct vga *)d;
    char line[3 * VGA_COLUMNS + 1];
    size_t used = 0;
    for (unsigned row = 0; row < VGA_ROWS; row++) {
        unsigned len = row_text(v, row, line);
        line[len++] = '\n';
        if (used + len >= size)
            break;
        memcpy(buf + used, line, len);
        used += len;
    }
    if (size)
        buf[used] = 0;
    return used;
}

/* Cursor */

static void find_cursor(const struct vga *v, struct vga_screen *s)
{
    enum { CURSOR_OFF = 0x20, LINES = 0x1f };
    u16 at = crtc_word(v, CRTC_CURSOR_HIGH);
    s->cursor_first = v->crtc[CRTC_CURSOR_START] & LINES;
    s->cursor_last = v->crtc[CRTC_CURSOR_END] & LINES;
    s->cursor_row = s->cursor_column = -1;
    if (v->crtc[CRTC_CURSOR_START] & CURSOR_OFF || s->cursor_first > s->cursor_last)
        return;
    for (unsigned row = 0; row < VGA_ROWS; row++) {
        unsigned column = (u16)(at - row_start(v, row));
        if (column < VGA_COLUMNS) {
            s->cursor_row = row;
            s->cursor_column = column;
        }
    }
}

/* Colours: attribute -> palette register -> DAC register, of six bits a colour */

static unsigned dac_index(const struct vga *v, unsigned attribute)
{
    enum { USE_SELECT_54 = 0x80 };
    u8 p = v->attr[attribute & v->attr[ATTR_PLANES] & 15] & 0x3f, select = v->attr[ATTR_COLOUR_SELECT];
    if (v->attr[ATTR_MODE] & USE_SELECT_54)
        p = (p & 0x0f) | (select & 3) << 4;
    return (p | (select & 0x0c) << 4) & v->dac_mask;
}

static u32 rgb(const u8 dac[3])
{
    u32 c = 0;
    for (int i = 0; i < 3; i++)
        c = c << 8 | dac[i] << 2 | dac[i] >> 4;
    return c;
}

void vga_screen(const struct device *d, struct vga_screen *s)
{
    const struct vga *v = (const struct vga *)d;
    for (unsigned row = 0; row < VGA_ROWS; row++) {
        for (unsigned column = 0; column < VGA_COLUMNS; column++) {
            s->character[row][column] = cell(v, row, column)[0];
            s->attribute[row][column] = cell(v, row, column)[1];
        }
    }
    for (unsigned i = 0; i < 16; i++)
        s->palette[i] = rgb(v->dac[dac_index(v, i)]);
    s->blink = v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
    s->blank = v->seq[SEQ_CLOCKING] & SEQ_SCREEN_OFF || !(v->attr_index & 0x20);
    find_cursor(v, s);
}
