/* SPDX-License-Identifier: MIT */
/* A VGA on a rig of devices, and modes as a BIOS sets them. */
#ifndef EMU_TESTS_VGA_RIG_H
#define EMU_TESTS_VGA_RIG_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices/display/vga.h"
#include "devices/pci/pci.h"
#include "devices_rig.h"

static struct rig r;
static struct device *vga;
static struct vga_picture picture;

static inline void start(void)
{
    rig_init(&r, 1000);
    rig_add(&r, &pci_host_ops);
    vga = rig_add(&r, &vga_ops);
}

static inline void stop(void)
{
    vga_picture_fini(&picture);
    rig_fini(&r);
    check_context(NULL);
}

/* --- modes, as a BIOS sets them --- */

struct mode { u8 misc, seq[4], crtc[25], gfx[9], attr[21]; };

static const struct mode mode_12 = {
    0xe3, { 0x01, 0x0f, 0x00, 0x06 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff },
    { 0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff },
    { 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0, 0x0f, 0, 0 },
};
static const struct mode mode_13 = {
    0x63, { 0x01, 0x0f, 0x00, 0x0e },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff },
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0, 0x0f, 0, 0 },
};
static const struct mode mode_4 = {
    0x63, { 0x09, 0x03, 0x00, 0x02 },
    { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff },
    { 0, 0, 0, 0, 0, 0x30, 0x0f, 0x00, 0xff },
    { 0x00, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x03, 0, 0 },
};

static inline void seq(u8 i, u8 value) { out16(&r, 0x3c4, value << 8 | i); }
static inline void gfx(u8 i, u8 value) { out16(&r, 0x3ce, value << 8 | i); }
static inline void crtc(u8 i, u8 value) { out16(&r, 0x3d4, value << 8 | i); }
static inline void attr(u8 i, u8 value)
{
    in8(&r, 0x3da);
    out8(&r, 0x3c0, i);
    out8(&r, 0x3c0, value);
    out8(&r, 0x3c0, 0x20);
}

static inline void poke(u32 gpa, u8 value) { physmap_store(&r.map, gpa, 1, value); }
static inline u8 peek(u32 gpa) { return physmap_load(&r.map, gpa, 1); }

static inline void set_mode(const struct mode *m)
{
    for (u32 i = 0; i < 256 << 10; i += 8)  /* as a BIOS does: without what text and font left there */
        physmap_store(&r.map, VGA_LFB_GPA + i, 8, 0);
    for (u32 i = 0; i < VGA_TEXT_SIZE; i += 8)
        physmap_store(&r.map, VGA_TEXT_GPA + i, 8, 0);
    out8(&r, 0x3c2, m->misc);
    for (unsigned i = 0; i < 4; i++)
        seq(i + 1, m->seq[i]);
    crtc(0x11, 0);
    for (unsigned i = 0; i < 25; i++)
        crtc(i, m->crtc[i]);
    for (unsigned i = 0; i < 9; i++)
        gfx(i, m->gfx[i]);
    for (unsigned i = 0; i < 21; i++)
        attr(i, m->attr[i]);
}

/* Draw; how many lines changed. */
static inline unsigned draw(void)
{
    unsigned first, last;
    return vga_picture_update(&picture, vga, true, &first, &last);
}
static inline u32 pixel(unsigned x, unsigned y) { return x < picture.width && y < picture.height ? picture.pixels[y * picture.width + x] : 0xdeadbeef; }

#endif
