/* SPDX-License-Identifier: MIT */
/* The display without a processor: the graphics controller by table, pixels against pixels worked out by hand. */
#include "vga_rig.h"

/* --- the graphics controller --- */

/* Planes 0 to 3 hold 00 ff 0f f0 at A0000h, which the latches have; then one write. What planes 0 to 3 hold after it, plane 3 highest. */
static const struct { const char *name; u8 set_reset, enable, rotate, mode, mask, map, value; u32 planes; } writes[] = {
    { "mode 0", 0, 0, 0, 0, 0xff, 15, 0x3c, 0x3c3c3c3c },
    { "map mask", 0, 0, 0, 0, 0xff, 5, 0x3c, 0xf03cff3c },
    { "bit mask", 0, 0, 0, 0, 0x0f, 15, 0x33, 0xf303f303 },
    { "rotate", 0, 0, 3, 0, 0xff, 15, 0x81, 0x30303030 },
    { "and", 0, 0, 0x08, 0, 0xff, 15, 0x3c, 0x300c3c00 },
    { "or", 0, 0, 0x10, 0, 0xff, 15, 0x3c, 0xfc3fff3c },
    { "xor", 0, 0, 0x18, 0, 0xff, 15, 0x3c, 0xcc33c33c },
    { "set/reset", 5, 15, 0, 0, 0xff, 15, 0x3c, 0x00ff00ff },
    { "set/reset of two planes", 1, 3, 0, 0, 0xff, 15, 0x3c, 0x3c3c00ff },
    { "set/reset under the mask", 15, 15, 0, 0, 0x80, 15, 0x00, 0xf08fff80 },
    { "mode 1", 0, 0, 0, 1, 0xff, 15, 0x3c, 0xf00fff00 },
    { "mode 2", 0, 0, 0, 2, 0xff, 15, 0x09, 0xff0000ff },
    { "mode 2 under the mask", 0, 0, 0, 2, 0x0f, 15, 0x06, 0xf00fff00 },
    { "mode 2, xor", 0, 0, 0x18, 2, 0xff, 15, 0x03, 0xf00f00ff },
    { "mode 3", 0x0a, 0, 0, 3, 0xff, 15, 0x18, 0xf807ff00 },
    { "mode 3 rotates the mask", 0x0f, 0, 4, 3, 0xff, 15, 0x0f, 0xf0fffff0 },
};

static u32 read_planes(void)
{
    u32 planes = 0;
    gfx(5, 0);
    for (unsigned p = 0; p < 4; p++) {
        gfx(4, p);
        planes |= (u32)peek(0xa0000) << 8 * p;
    }
    return planes;
}

static void fill_latches(void)
{
    static const u8 bytes[4] = { 0x00, 0xff, 0x0f, 0xf0 };
    set_mode(&mode_12);
    for (unsigned p = 0; p < 4; p++) {
        seq(2, 1 << p);
        poke(0xa0000, bytes[p]);
    }
    peek(0xa0000);
}

static void test_write_modes(void)
{
    start();
    for (unsigned i = 0; i < ARRAY_LEN(writes); i++) {
        fill_latches();
        gfx(0, writes[i].set_reset);
        gfx(1, writes[i].enable);
        gfx(3, writes[i].rotate);
        gfx(5, writes[i].mode);
        gfx(8, writes[i].mask);
        seq(2, writes[i].map);
        poke(0xa0000, writes[i].value);
        check_context("%s", writes[i].name);
        CHECK_EQ(read_planes(), writes[i].planes);
    }
    stop();
}

/* Planes 00 ff 0f f0, from the left: colours 1010 for the left half, 0110 for the right. */
static void test_read_modes(void)
{
    static const struct { u8 compare, care, result; } rows[] = {
        { 0x0a, 15, 0xf0 }, { 0x06, 15, 0x0f }, { 0x0f, 15, 0x00 }, { 0x02, 3, 0xff }, { 0x00, 0, 0xff }, { 0x00, 1, 0xff }, { 0x04, 4, 0x0f },
    };
    start();
    fill_latches();
    CHECK_EQ(read_planes(), 0xf00fff00);
    gfx(5, 0x08);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        check_context("row %u", i);
        gfx(2, rows[i].compare);
        gfx(7, rows[i].care);
        CHECK_EQ(peek(0xa0000), rows[i].result);
    }
    stop();
}

static void test_decoding(void)
{
    start();
    set_mode(&mode_12);
    poke(0xa0005, 0x5a);
    CHECK_EQ(peek(0xa0005), 0x5a);
    CHECK_EQ(peek(0xb0005), 0xff);          /* 64 KiB at A0000h only */
    gfx(6, 0x09);                           /* 32 KiB at B0000h */
    CHECK_EQ(peek(0xa0005), 0xff);
    CHECK_EQ(peek(0xb0005), 0x5a);
    gfx(6, 0x0d);                           /* at B8000h */
    CHECK_EQ(peek(0xb0005), 0xff);
    CHECK_EQ(peek(0xb8005), 0x5a);
    gfx(6, 0x01);                           /* 128 KiB */
    CHECK_EQ(peek(0xa0005), 0x5a);
    out8(&r, 0x3c2, 0xe1);                  /* the processor's access is off */
    CHECK_EQ(peek(0xa0005), 0xff);
    stop();
}

/* The way of a BIOS to a font: planes one after the other at A0000h, while text stands at B8000h. */
static void test_text_and_planes(void)
{
    start();
    physmap_store(&r.map, 0xb8000, 4, 0x1f421f41);
    seq(2, 4);
    seq(4, 6);
    gfx(4, 2);
    gfx(5, 0);
    gfx(6, 4);
    u8 glyph[16];
    vga_font_glyph('A', glyph);
    CHECK_EQ(peek(0xa0000 + 'A' * 32 + 4), glyph[4]);
    poke(0xa0000 + 'A' * 32, 0x81);
    seq(2, 3);
    seq(4, 2);
    gfx(4, 0);
    gfx(5, 0x10);
    gfx(6, 0x0e);
    CHECK_EQ(physmap_load(&r.map, 0xb8000, 4), 0x1f421f41);
    draw();
    CHECK_EQ(pixel(0, 0), 0xffffff);
    CHECK_EQ(pixel(1, 0), 0x0000aa);
    CHECK_EQ(pixel(7, 0), 0xffffff);
    char text[8192];
    vga_text(vga, text, sizeof text);
    CHECK(strncmp(text, "AB\n", 3) == 0);
    stop();
}

/* --- pixels --- */

/* One cell, every pixel: its glyph, the ninth dot. */
static void check_cell(unsigned column, u8 c, u32 fore, u32 back, bool ninth)
{
    u8 glyph[16];
    vga_font_glyph(c, glyph);
    for (unsigned y = 0; y < 16; y++)
        for (unsigned x = 0; x < 9; x++) {
            bool dot = x < 8 ? glyph[y] >> (7 - x) & 1 : ninth && glyph[y] & 1;
            check_context("character %02x at %u,%u", c, x, y);
            if (!CHECK_EQ(pixel(column * 9 + x, y), dot ? fore : back))
                return;
        }
}

static void test_text_pixels(void)
{
    start();
    crtc(0x0a, 0x20);                       /* no cursor */
    static const u16 cells[] = { 0x1f41, 0x4ec4, 0x07db, 0x70b0, 0x2067 };
    for (unsigned i = 0; i < ARRAY_LEN(cells); i++)
        physmap_store(&r.map, 0xb8000 + 2 * i, 2, cells[i]);
    CHECK_EQ(draw(), 400);
    CHECK_EQ(picture.width, 720);
    CHECK_EQ(picture.height, 400);
    check_cell(0, 0x41, 0xffffff, 0x0000aa, false);
    check_cell(1, 0xc4, 0xffff55, 0xaa0000, true);
    check_cell(2, 0xdb, 0xaaaaaa, 0x000000, true);
    check_cell(3, 0xb0, 0x000000, 0xaaaaaa, false);
    check_cell(4, 0x67, 0x000000, 0x00aa00, false);
    seq(1, 0x01);                           /* eight dots a character */
    draw();
    CHECK_EQ(picture.width, 640);
    CHECK_EQ(pixel(8, 7), 0xffff55);
    stop();
}

static void test_cursor_and_blink(void)
{
    unsigned first, last;
    start();
    physmap_store(&r.map, 0xb8000 + 2 * 85, 2, 0x9f20);    /* a blinking blank */
    physmap_store(&r.map, 0xb8000 + 2 * 86, 2, 0x9fdb);    /* a blinking block */
    crtc(0x0f, 80 + 2);
    draw();
    CHECK_EQ(pixel(2 * 9, 16 + 12), 0x000000);              /* the cursor is on lines 13 and 14 */
    CHECK_EQ(pixel(2 * 9, 16 + 13), 0xaaaaaa);
    CHECK_EQ(pixel(2 * 9 + 8, 16 + 14), 0xaaaaaa);
    CHECK_EQ(pixel(2 * 9, 16 + 15), 0x000000);
    CHECK_EQ(pixel(5 * 9, 16), 0x0000aa);
    CHECK_EQ(pixel(6 * 9, 16), 0xffffff);
    CHECK_EQ(vga_picture_update(&picture, vga, false, &first, &last), 16);
    CHECK_EQ(first, 16);
    CHECK_EQ(last, 31);
    CHECK_EQ(pixel(2 * 9, 16 + 13), 0x000000);
    CHECK_EQ(pixel(6 * 9, 16), 0x0000aa);
    attr(0x10, 0x04);                       /* bright backgrounds instead */
    draw();
    CHECK_EQ(pixel(5 * 9, 16), 0x5555ff);
    crtc(0x0f, 0);                          /* the cursor leaves one row and enters another */
    CHECK_EQ(draw(), 32);
    CHECK_EQ(pixel(2 * 9, 16 + 13), 0x000000);
    CHECK_EQ(pixel(0, 13), 0xaaaaaa);
    stop();
}

/* What did not change is not drawn. */
static void test_changes(void)
{
    unsigned first, last;
    start();
    CHECK_EQ(draw(), 400);
    CHECK_EQ(draw(), 0);
    poke(0xb8000 + 160 * 7 + 20, 'x');
    CHECK_EQ(vga_picture_update(&picture, vga, true, &first, &last), 16);
    CHECK_EQ(first, 7 * 16);
    CHECK_EQ(last, 7 * 16 + 15);
    crtc(0x0d, 80);                         /* start address: all of it moves */
    CHECK_EQ(draw(), 400);
    out8(&r, 0x3c8, 7);                     /* a colour */
    out8(&r, 0x3c9, 1);
    CHECK_EQ(draw(), 400);
    CHECK_EQ(draw(), 0);
    seq(1, 0x20);                           /* screen off */
    CHECK_EQ(draw(), 400);
    CHECK_EQ(pixel(0, 6 * 16 + 13), 0);
    CHECK_EQ(picture.width, 720);
    CHECK_EQ(draw(), 0);
    stop();
}

static void test_planar_pixels(void)
{
    start();
    set_mode(&mode_12);
    for (unsigned p = 0; p < 4; p++) {      /* colour 0 to 15 in the first 16 pixels of line 3 */
        seq(2, 1 << p);
        poke(0xa0000 + 3 * 80, (u8[]){ 0x55, 0x33, 0x0f, 0x00 }[p]);
        poke(0xa0000 + 3 * 80 + 1, (u8[]){ 0x55, 0x33, 0x0f, 0xff }[p]);
    }
    draw();
    CHECK_EQ(picture.width, 640);
    CHECK_EQ(picture.height, 480);
    static const u32 colours[16] = { 0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
                                     0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff };
    for (unsigned x = 0; x < 16; x++)
        CHECK_EQ(pixel(x, 3), colours[x]);
    attr(0x13, 2);                          /* panned by two pixels */
    draw();
    CHECK_EQ(pixel(0, 3), 0x00aa00);
    CHECK_EQ(pixel(13, 3), 0xffffff);
    attr(0x13, 0);
    crtc(0x0d, 80);                         /* a line up */
    draw();
    CHECK_EQ(pixel(15, 2), 0xffffff);
    crtc(0x07, 0x2e);                       /* line compare 99 */
    crtc(0x09, 0x00);
    crtc(0x18, 99);
    draw();
    CHECK_EQ(pixel(15, 2), 0xffffff);
    CHECK_EQ(pixel(15, 103), 0xffffff);     /* line 3 of the memory's start */
    CHECK_EQ(pixel(15, 102), 0x000000);
    stop();
}

static void test_256_colours(void)
{
    start();
    set_mode(&mode_13);
    out8(&r, 0x3c8, 200);
    out8(&r, 0x3c9, 0x3f);
    out8(&r, 0x3c9, 0x20);
    out8(&r, 0x3c9, 0x00);
    poke(0xa0000 + 320 * 100 + 17, 200);
    CHECK_EQ(draw(), 200);
    CHECK_EQ(picture.width, 320);
    CHECK_EQ(pixel(17, 100), 0xff8200);
    CHECK_EQ(pixel(18, 100), 0);
    CHECK_EQ(draw(), 0);
    poke(0xa0000 + 320 * 199 + 319, 200);
    CHECK_EQ(draw(), 1);
    CHECK_EQ(pixel(319, 199), 0xff8200);
    seq(4, 0x06);                           /* unchained: plane 1 is the second of four pixels */
    seq(2, 2);
    poke(0xa0000 + 80 * 50, 200);
    draw();
    CHECK_EQ(pixel(1, 50), 0xff8200);
    CHECK_EQ(pixel(0, 50), 0);
    CHECK_EQ(pixel(17, 100), 0xff8200);
    stop();
}

static void test_cga(void)
{
    start();
    set_mode(&mode_4);
    out8(&r, 0x3c8, 0x13);                  /* a BIOS has bright colours there */
    for (unsigned i = 0; i < 15; i++)
        out8(&r, 0x3c9, (u8[]){ 0x15, 0x3f, 0x3f, 0, 0, 0, 0x3f, 0x15, 0x3f, 0, 0, 0, 0x3f, 0x3f, 0x3f }[i]);
    poke(0xb8000 + 80 * 2 + 1, 0x1b);       /* line 4, pixels 4 to 7: 0 1 2 3 */
    poke(0xba000 + 80 * 2, 0xe4);           /* line 5, pixels 0 to 3: 3 2 1 0 */
    draw();
    CHECK_EQ(picture.width, 320);
    CHECK_EQ(picture.height, 200);
    static const u32 colours[4] = { 0x000000, 0x55ffff, 0xff55ff, 0xffffff };
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(pixel(4 + i, 4), colours[i]);
        CHECK_EQ(pixel(i, 5), colours[3 - i]);
    }
    CHECK_EQ(pixel(5, 5), 0);
    stop();
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "write_modes", test_write_modes }, { "read_modes", test_read_modes }, { "decoding", test_decoding },
        { "text_and_planes", test_text_and_planes }, { "text_pixels", test_text_pixels },
        { "cursor_and_blink", test_cursor_and_blink }, { "changes", test_changes },
        { "planar_pixels", test_planar_pixels }, { "256_colours", test_256_colours }, { "cga", test_cga },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vga", tests);
}
