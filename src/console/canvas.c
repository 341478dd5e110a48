/* SPDX-License-Identifier: MIT */
#include "console/canvas.h"

#include <string.h>

static u32 *at(const struct canvas *c, unsigned x, unsigned y) { return c->pixels + (size_t)y * c->stride + x; }

void canvas_clear(struct canvas *c)
{
    for (unsigned y = 0; y < c->height; y++)
        memset(at(c, 0, y), 0, c->width * sizeof *c->pixels);
}

/* The usual scales cost no division: 1 is a copy, a whole number repeats. */
static void draw_line(u32 *to, unsigned to_width, const u32 *from, unsigned width)
{
    unsigned scale = to_width / width;
    if (to_width == width)
        memcpy(to, from, width * sizeof *to);
    else if (scale * width == to_width)
        for (unsigned x = 0; x < width; x++)
            for (unsigned i = 0; i < scale; i++)
                *to++ = from[x];
    else
        for (u64 x = 0, step = ((u64)width << 32) / to_width; to_width--; x += step)
            *to++ = from[x >> 32];
}

struct canvas_rect canvas_draw(struct canvas *c, const u32 *picture, unsigned width, unsigned height, const struct canvas_rect *place, unsigned first, unsigned last)
{
    unsigned from = (u64)first * place->height / height, to = ((u64)(last + 1) * place->height + height - 1) / height, drawn = height;
    for (unsigned y = from; y < to; y++) {
        unsigned line = (u64)y * height / place->height;
        u32 *there = at(c, place->x, place->y + y);
        if (line == drawn)
            memcpy(there, at(c, place->x, place->y + y - 1), place->width * sizeof *there);
        else
            draw_line(there, place->width, picture + (size_t)line * width, width);
        drawn = line;
    }
    return (struct canvas_rect){ place->x, place->y + from, place->width, to - from };
}

/* Two of the three colours at once; their sums stay apart. */
static u32 blend(u32 below, u32 above)
{
    u32 alpha = above >> 24, rest = 255 - alpha;
    u32 red_blue = ((above & 0xff00ff) * alpha + (below & 0xff00ff) * rest) >> 8 & 0xff00ff;
    u32 green = ((above >> 8 & 0xff) * alpha + (below >> 8 & 0xff) * rest) / 255;
    return alpha == 255 ? above & 0xffffff : red_blue | green << 8;
}

void canvas_blend(struct canvas *c, const u32 *pixels, unsigned width, unsigned height, int x, int y)
{
    for (unsigned i = 0; i < height; i++)
        for (unsigned j = 0; j < width; j++) {
            unsigned cx = x + j, cy = y + i;    /* a negative one is a very large one */
            if (cx < c->width && cy < c->height)
                *at(c, cx, cy) = blend(*at(c, cx, cy), pixels[(size_t)i * width + j]);
        }
}
