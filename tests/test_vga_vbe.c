/* SPDX-License-Identifier: MIT */
/* The display without a processor: Bochs' registers and its large modes, the PCI function, nonsense. */
#include "vga_rig.h"

/* --- Bochs' display interface --- */

enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY };

static void dispi(u16 i, u16 value)
{
    out16(&r, 0x1ce, i);
    out16(&r, 0x1cf, value);
}
static u16 read_dispi(u16 i)
{
    out16(&r, 0x1ce, i);
    return in16(&r, 0x1cf);
}
static void vbe_mode(u16 x, u16 y, u16 bpp, u16 flags)
{
    dispi(ENABLE, 0);
    dispi(XRES, x);
    dispi(YRES, y);
    dispi(BPP, bpp);
    dispi(ENABLE, 1 | flags);
}

static void test_dispi_registers(void)
{
    start();
    CHECK_EQ(read_dispi(ID), 0xb0c5);
    dispi(ID, 0xb0c0);
    CHECK_EQ(read_dispi(ID), 0xb0c0);
    dispi(ID, 0xb0c6);
    CHECK_EQ(read_dispi(ID), 0xb0c0);
    CHECK_EQ(in16(&r, 0x1d0), 0xb0c0);
    CHECK_EQ(read_dispi(MEMORY), 256);
    CHECK_EQ(read_dispi(77), 0);
    dispi(ENABLE, 2);                       /* GETCAPS */
    CHECK_EQ(read_dispi(XRES), 2560);
    CHECK_EQ(read_dispi(YRES), 1600);
    CHECK_EQ(read_dispi(BPP), 32);
    vbe_mode(1024, 768, 16, 0);
    CHECK_EQ(read_dispi(ENABLE), 1);
    CHECK_EQ(read_dispi(VIRT_WIDTH), 1024);
    CHECK_EQ(read_dispi(VIRT_HEIGHT), (16 << 20) / 2048);
    dispi(XRES, 640);                       /* not while it is on */
    CHECK_EQ(read_dispi(XRES), 1024);
    dispi(VIRT_WIDTH, 2048);
    CHECK_EQ(read_dispi(VIRT_WIDTH), 2048);
    CHECK_EQ(read_dispi(VIRT_HEIGHT), (16 << 20) / 4096);
    dispi(VIRT_WIDTH, 512);
    CHECK_EQ(read_dispi(VIRT_WIDTH), 2048);
    static const u16 bad[][3] = { { 0, 480, 8 }, { 640, 0, 8 }, { 640, 480, 0 }, { 640, 480, 12 }, { 4000, 480, 8 }, { 640, 2000, 8 }, { 2560, 1600, 32 + 1 } };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("bad mode %u", i);
        vbe_mode(bad[i][0], bad[i][1], bad[i][2], 0);
        CHECK_EQ(read_dispi(ENABLE) & 1, 0);
    }
    stop();
}

/* One pixel of each depth, through the framebuffer and through the bank. */
static void test_vbe_pixels(void)
{
    static const struct { u16 bpp; u32 bytes, value, rgb; } depths[] = {
        { 15, 2, 0x7c1f, 0xff00ff }, { 15, 2, 0x0210, 0x008484 }, { 16, 2, 0xf81f, 0xff00ff }, { 16, 2, 0x0410, 0x008284 },
        { 24, 3, 0x123456, 0x123456 }, { 32, 4, 0xff654321, 0x654321 },
    };
    start();
    for (unsigned i = 0; i < ARRAY_LEN(depths); i++) {
        check_context("%u bits, %x", depths[i].bpp, depths[i].value);
        vbe_mode(800, 600, depths[i].bpp, 0x40);
        u32 at = (800 * 301 + 7) * depths[i].bytes;
        physmap_write(&r.map, VGA_LFB_GPA + at, &depths[i].value, depths[i].bytes);
        draw();
        CHECK_EQ(picture.width, 800);
        CHECK_EQ(picture.height, 600);
        CHECK_EQ(pixel(7, 301), depths[i].rgb);
        CHECK_EQ(pixel(6, 301), 0);
        CHECK_EQ(pixel(8, 301), 0);
        dispi(BANK, at >> 16);
        CHECK_EQ(peek(0xa0000 + (at & 0xffff)), depths[i].value & 0xff);
        physmap_store(&r.map, 0xa0000 + (at & 0xffff), 1, 0);
        CHECK_EQ(peek(VGA_LFB_GPA + at), 0);
        CHECK_EQ(draw(), 1);
    }
    stop();
}

static void test_vbe_scrolling(void)
{
    start();
    vbe_mode(640, 480, 8, 0x60);            /* with a DAC of 8 bits */
    out8(&r, 0x3c8, 5);
    out8(&r, 0x3c9, 0x81);
    out8(&r, 0x3c9, 0x42);
    out8(&r, 0x3c9, 0x03);
    dispi(VIRT_WIDTH, 800);
    poke(VGA_LFB_GPA + 800 * 500 + 100, 5);
    draw();
    CHECK_EQ(pixel(100, 479), 0);
    dispi(Y_OFFSET, 400);
    dispi(X_OFFSET, 90);
    draw();
    CHECK_EQ(pixel(10, 100), 0x814203);
    dispi(ENABLE, 0);
    dispi(ENABLE, 0x81);                    /* on again, not cleared; offsets are new */
    dispi(VIRT_WIDTH, 800);
    dispi(Y_OFFSET, 400);
    draw();
    CHECK_EQ(pixel(100, 100) != 0, 1);
    vbe_mode(640, 480, 8, 0);               /* cleared */
    draw();
    for (unsigned y = 0; y < 480; y++)
        CHECK_EQ(pixel(100, y), 0);
    vbe_mode(800, 600, 4, 0);               /* planes */
    seq(4, 6);
    seq(2, 6);
    gfx(5, 0);
    gfx(6, 5);
    gfx(8, 0xff);
    poke(0xa0000 + 100 * 2 + 1, 0x80);
    draw();
    CHECK_EQ(pixel(8, 2), 0xaa5500);
    CHECK_EQ(pixel(9, 2), 0);
    stop();
}

static void pci_write(u8 reg, u32 value)
{
    out32(&r, 0xcf8, 0x80001000 | reg);
    out32(&r, 0xcfc, value);
}
static u32 pci_read(u8 reg)
{
    out32(&r, 0xcf8, 0x80001000 | reg);
    return in32(&r, 0xcfc);
}

static void test_pci(void)
{
    start();
    CHECK_EQ(pci_read(0), 0x11111234);
    CHECK_EQ(pci_read(8) >> 8, 0x030000);
    CHECK_EQ(pci_read(0x10), VGA_LFB_GPA | 8);
    pci_write(0x10, 0xffffffff);
    CHECK_EQ(pci_read(0x10), 0xff000008);   /* 16 MiB */
    pci_write(0x10, 0xd0000000);
    poke(0xd0123456, 0x77);
    CHECK_EQ(peek(0xd0123456), 0x77);
    CHECK_EQ(peek(VGA_LFB_GPA + 0x123456), 0xff);
    pci_write(4, 0);                        /* memory off */
    CHECK_EQ(peek(0xd0123456), 0xff);
    pci_write(4, 2);
    CHECK_EQ(peek(0xd0123456), 0x77);
    vga->ops->reset(vga);
    CHECK_EQ(peek(VGA_LFB_GPA + 0x123456), 0x77);
    stop();
}

/* --- nonsense --- */

static u64 seed;
static u64 rnd(void) { return check_random(&seed); }

static void random_register(void)
{
    static const u16 pairs[] = { 0x3c4, 0x3ce, 0x3d4, 0x3ce, 0x3d4 };
    u64 v = rnd();
    if (v % 8 < 5)
        out16(&r, pairs[v % 8 % ARRAY_LEN(pairs)], (v >> 8 & 0xff) << 8 | (v >> 16) % 0x1a);
    else if (v % 8 < 7)
        out8(&r, 0x3c0 + (v >> 8) % 32, v >> 16);
    else
        pci_write((v >> 8) % 16 * 4, v >> 16);
}

/* Sizes that often make a mode, and often do not. */
static void random_dispi(void)
{
    u64 v = rnd();
    static const u16 bpps[] = { 4, 8, 15, 16, 24, 32, 0, 5 };
    if (v % 4 == 0)
        vbe_mode((v >> 8) % 3000, (v >> 20) % 1700, bpps[v >> 32 & 7], v >> 40 & 0xe0);
    else
        dispi((v >> 8) % 12, v >> 16);
}

static void random_memory(void)
{
    u64 v = rnd();
    u32 gpa = v & 1 ? 0xa0000 + (v >> 8) % 0x20010 : VGA_LFB_GPA + (v >> 8) % 0x1000010;
    if (v & 2)
        physmap_store(&r.map, gpa, 1 << (v >> 2 & 3), rnd());
    else
        physmap_load(&r.map, gpa, 1 << (v >> 2 & 3));
}

static void random_picture(void)
{
    unsigned first, last;
    static char text[8192];
    if (vga_picture_update(&picture, vga, rnd() & 1, &first, &last))
        CHECK(first <= last && last < picture.height);
    vga_text(vga, text, rnd() % sizeof text);
}

static void test_nonsense(void)
{
    start();
    seed = check_seed();
    for (unsigned i = 0; i < 100000; i++) {
        unsigned what = rnd() % 128;
        (what < 40 ? random_register : what < 44 ? random_dispi : what < 127 ? random_memory : random_picture)();
        if (i % 5000 == 4999)
            vga->ops->reset(vga);
    }
    vga->ops->reset(vga);
    draw();
    CHECK_EQ(picture.width, 720);
    stop();
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "dispi_registers", test_dispi_registers }, { "vbe_pixels", test_vbe_pixels },
        { "vbe_scrolling", test_vbe_scrolling }, { "pci", test_pci }, { "nonsense", test_nonsense },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vga_vbe", tests);
}
