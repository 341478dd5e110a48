/* SPDX-License-Identifier: MIT */
/* What a text mode shows, as characters. */
#include <string.h>

#include "devices/display/vga_regs.h"

enum { MAX_COLUMNS = 256 };

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

/* One row as UTF-8 without the blanks at its end; its length. */
static unsigned row_text(const struct vga *v, const struct vga_look *l, unsigned row, char line[3 * MAX_COLUMNS])
{
    unsigned len = 0, end = 0;
    u32 first = row < l->split ? (l->start + row * l->stride) / 4 : (row - l->split) * l->stride / 4;
    for (unsigned column = 0; column < l->columns; column++) {
        u8 c, attribute;
        vga_cell(v, first + column, &c, &attribute);
        len += put_utf8(line + len, cp437_to_unicode(c));
        if (c != 0 && c != ' ')
            end = len;
    }
    return end;
}

size_t vga_text(const struct device *d, char *buf, size_t size)
{
    const struct vga *v = (const struct vga *)d;
    struct vga_look l;
    char line[3 * MAX_COLUMNS + 1];
    size_t used = 0;
    vga_look(d, &l);
    unsigned rows = l.cell_height ? l.height / l.cell_height : 0;
    for (unsigned row = 0; row < rows; row++) {
        unsigned len = row_text(v, &l, row, line);
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
