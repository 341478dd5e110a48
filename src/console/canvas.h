/* SPDX-License-Identifier: MIT */
/* A window's pixels, and how a picture gets there: scaled, and only the lines that have changed. Knows no window system. */
#ifndef EMU_CONSOLE_CANVAS_H
#define EMU_CONSOLE_CANVAS_H

#include "base/types.h"

struct canvas {
    u32 *pixels;            /* 0x00RRGGBB */
    unsigned width, height;
    unsigned stride;        /* pixels from one line to the next */
};
struct canvas_rect { unsigned x, y, width, height; };   /* within the canvas */

void canvas_clear(struct canvas *c);
/* Lines first..last of the picture of width x height pixels, which shall fill `place`: each of the canvas's pixels there gets the
 * nearest. Returns the part of the canvas that was drawn. */
struct canvas_rect canvas_draw(struct canvas *c, const u32 *picture, unsigned width, unsigned height, const struct canvas_rect *place, unsigned first, unsigned last);
/* Pixels of 0xAARRGGBB over what is there, their top left corner at (x, y); what does not fit is cut off. */
void canvas_blend(struct canvas *c, const u32 *pixels, unsigned width, unsigned height, int x, int y);

#endif
