/* SPDX-License-Identifier: MIT */
/*
 * What the processor sees at A0000h to BFFFFh. Text, mode 13h and the banks of VBE modes are plain RAM, at full speed on every engine.
 * Whatever else the registers ask for goes through the graphics controller, one byte at a time: the latches, the write modes, the logic
 * unit, set/reset, the bit mask, the map mask (IBM Video Subsystem Technical Reference, Graphics Controller).
 */
#include <string.h>

#include "devices/display/vga_regs.h"

#define TEXT_CELLS (VGA_TEXT_SIZE / 2)
#define LINEAR_SIZE 0x10000u

/* A byte of ones for each plane that is named by a bit. */
static u32 planes(unsigned bits)
{
    u32 mask = 0;
    for (unsigned p = 0; p < 4; p++)
        mask |= bits >> p & 1 ? 0xffu << 8 * p : 0;
    return mask;
}

static u32 everywhere(u8 byte) { return byte * 0x01010101u; }

static bool chain_4(const struct vga *v) { return v->seq[SEQ_MEMORY] & SEQ_CHAIN_4; }
static bool odd_even(const struct vga *v) { return v->gfx[GFX_MODE] & GFX_MODE_ODD_EVEN; }

/* --- the way of an access --- */

/* Where the memory is decoded: graphics controller register 6, bits 3-2. */
static const struct { u32 base, size; } decoding[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };

struct place {
    u32 *unit;          /* the four bytes of the planes */
    unsigned planes;    /* bits: those that the address selects */
};

/* Offset from A0000h to a place in the planes. False: nobody answers there. */
static bool decode(const struct vga *v, u32 offset, struct place *p)
{
    unsigned map = v->gfx[GFX_MISC] >> 2 & 3;
    u32 at = offset - decoding[map].base;
    if (!(v->misc & MISC_RAM) || at >= decoding[map].size)
        return false;
    p->planes = chain_4(v) ? 1u << (at & 3) : odd_even(v) ? 5u << (at & 1) : 15;
    at >>= chain_4(v) ? 2 : odd_even(v) ? 1 : 0;
    at = vbe_on(v) ? (at + v->vbe[VBE_BANK] * LINEAR_SIZE) % (VGA_VRAM_SIZE / 4) : at % (VGA_PLANAR_SIZE / 4);
    p->unit = (u32 *)v->vram + at;
    return true;
}

/* Read mode 1: a bit is set where all planes that matter have the colour. */
static u8 compare_colour(const struct vga *v)
{
    u32 differs = (v->latch ^ planes(v->gfx[GFX_COMPARE])) & planes(v->gfx[GFX_DONT_CARE]);
    differs |= differs >> 16;
    return ~(differs | differs >> 8);
}

static unsigned read_plane(const struct vga *v, unsigned selected)
{
    if (chain_4(v))
        return __builtin_ctz(selected);
    return odd_even(v) ? (v->gfx[GFX_READ_MAP] & 2) | (selected >> 1 & 1) : v->gfx[GFX_READ_MAP] & 3;
}

static u64 planes_read(void *dev, u64 offset, unsigned size)
{
    struct vga *v = dev;
    struct place p;
    if (!decode(v, offset, &p))
        return 0xff;
    v->latch = *p.unit;
    if (v->gfx[GFX_MODE] & GFX_MODE_READ_1)
        return compare_colour(v);
    return v->latch >> 8 * read_plane(v, p.planes) & 0xff;
}

/* The logic unit: copy, and, or, xor with the latches; then the bit mask chooses between its result and the latches. */
static u32 combine(const struct vga *v, u32 data, u8 bit_mask)
{
    const u32 result[4] = { data, data & v->latch, data | v->latch, data ^ v->latch };
    u32 mask = everywhere(bit_mask);
    return (result[v->gfx[GFX_ROTATE] >> 3 & 3] & mask) | (v->latch & ~mask);
}

static u8 rotate(const struct vga *v, u8 byte)
{
    unsigned by = v->gfx[GFX_ROTATE] & 7;
    return byte >> by | byte << (8 - by);
}

static u32 write_mode_0(const struct vga *v, u8 byte)
{
    u32 set = planes(v->gfx[GFX_ENABLE_SET_RESET]);
    u32 data = (everywhere(rotate(v, byte)) & ~set) | (planes(v->gfx[GFX_SET_RESET]) & set);
    return combine(v, data, v->gfx[GFX_BIT_MASK]);
}
static u32 write_mode_1(const struct vga *v, u8 byte) { return v->latch; }
static u32 write_mode_2(const struct vga *v, u8 byte) { return combine(v, planes(byte), v->gfx[GFX_BIT_MASK]); }
static u32 write_mode_3(const struct vga *v, u8 byte)
{
    return combine(v, planes(v->gfx[GFX_SET_RESET]), v->gfx[GFX_BIT_MASK] & rotate(v, byte));
}

static void planes_write(void *dev, u64 offset, unsigned size, u64 value)
{
    static u32 (*const mode[4])(const struct vga *v, u8 byte) = { write_mode_0, write_mode_1, write_mode_2, write_mode_3 };
    struct vga *v = dev;
    struct place p;
    if (!decode(v, offset, &p))
        return;
    u32 mask = planes(v->seq[SEQ_MAP_MASK] & p.planes);
    *p.unit = (*p.unit & ~mask) | (mode[v->gfx[GFX_MODE] & GFX_MODE_WRITE](v, value) & mask);
    vga_vram_written(v, (u8 *)p.unit - v->vram, 4);
}

static const struct bus_ops planes_ops = { planes_read, planes_write, .delayable = true };

/* Whoever watches pages of the framebuffer hears of what came another way. */
void vga_vram_written(struct vga *v, u32 offset, u32 len)
{
    if (v->lfb)
        physmap_written(v->map, v->lfb + offset, len);
}

/* --- which window --- */

/* The graphics controller lets a write through as it is. */
static bool plain_writes(const struct vga *v)
{
    return !(v->gfx[GFX_MODE] & (GFX_MODE_WRITE | GFX_MODE_READ_1)) && !v->gfx[GFX_ENABLE_SET_RESET] && !v->gfx[GFX_ROTATE] &&
           v->gfx[GFX_BIT_MASK] == 0xff && v->misc & MISC_RAM;
}

static enum vga_window wanted(const struct vga *v, u32 *base)
{
    unsigned map = v->gfx[GFX_MISC] >> 2 & 3;
    *base = 0;
    if (vbe_on(v) && v->vbe[VBE_BPP] != 4) {
        *base = v->vbe[VBE_BANK] * LINEAR_SIZE % VGA_VRAM_SIZE;
        return WINDOW_LINEAR;
    }
    if (!plain_writes(v) || vbe_on(v))
        return WINDOW_PLANES;
    if (chain_4(v))
        return v->seq[SEQ_MAP_MASK] == 15 && map == 1 ? WINDOW_LINEAR : WINDOW_PLANES;
    bool text = !(v->gfx[GFX_MISC] & GFX_MISC_GRAPHICS) && odd_even(v) && v->seq[SEQ_MAP_MASK] == 3 && !(v->gfx[GFX_READ_MAP] & 2);
    return text && map == 3 ? WINDOW_TEXT : WINDOW_PLANES;
}

static void text_from_planes(struct vga *v)
{
    for (u32 i = 0; i < TEXT_CELLS; i++)
        memcpy(v->text + 2 * i, v->vram + 4 * i, 2);
    physmap_written(v->map, VGA_TEXT_GPA, VGA_TEXT_SIZE);
}

static void text_to_planes(struct vga *v)
{
    for (u32 i = 0; i < TEXT_CELLS; i++)
        memcpy(v->vram + 4 * i, v->text + 2 * i, 2);
    vga_vram_written(v, 0, 4 * TEXT_CELLS);
}

/* Room for these regions was there when the machine was built, so that adding them cannot fail. */
static void enter(struct vga *v, enum vga_window window, u32 base)
{
    v->window = window;
    v->window_base = base;
    if (window == WINDOW_TEXT)
        text_from_planes(v);
    else if (window == WINDOW_PLANES)
        bus_add_mmio(v->bus, "vga-planes", VGA_GPA, VGA_SPAN, &planes_ops, v, NULL);
    else
        physmap_map_ram(v->map, "vga-linear", VGA_GPA, v->vram + base, LINEAR_SIZE, NULL);
}

static void leave(struct vga *v)
{
    if (v->window == WINDOW_TEXT)
        text_to_planes(v);
    else if (v->window == WINDOW_PLANES)
        bus_remove_mmio(v->bus, VGA_GPA, VGA_SPAN, v);
    else
        physmap_remove(v->map, VGA_GPA, LINEAR_SIZE);
}

void vga_update_window(struct vga *v)
{
    u32 base;
    enum vga_window window = wanted(v, &base);
    if (window == v->window && base == v->window_base)
        return;
    leave(v);
    enter(v, window, base);
}

void vga_cell(const struct vga *v, u32 cell, u8 *character, u8 *attribute)
{
    const u8 *at = v->window == WINDOW_TEXT ? v->text + 2 * (cell % TEXT_CELLS) : v->vram + 4 * (cell % TEXT_CELLS);
    *character = at[0];
    *attribute = at[1];
}

/* --- life --- */

static void clear_text(struct vga *v)
{
    for (unsigned i = 0; i < VGA_TEXT_SIZE; i += 2) {
        v->text[i] = ' ';
        v->text[i + 1] = 0x07;
    }
    physmap_written(v->map, VGA_TEXT_GPA, VGA_TEXT_SIZE);
}

/* As a BIOS does for mode 3. */
static void load_font(struct vga *v)
{
    u8 rows[16];
    for (unsigned c = 0; c < 256; c++) {
        vga_font_glyph(c, rows);
        for (unsigned y = 0; y < 16; y++)
            v->vram[4 * (32 * c + y) + 2] = rows[y];
    }
}

int vga_memory_init(struct vga *v, struct error *err)
{
    v->window = WINDOW_TEXT;
    v->vram = physmap_alloc(v->map, "vga", VGA_VRAM_SIZE, err);
    v->text = v->vram ? physmap_add_ram(v->map, "vga-text", VGA_TEXT_GPA, VGA_TEXT_SIZE, err) : NULL;
    return v->text ? 0 : -1;
}

/* The registers are those of mode 3 by now. What is beyond the planes stays, as on a real card. */
void vga_memory_reset(struct vga *v)
{
    vga_update_window(v);
    memset(v->vram, 0, VGA_PLANAR_SIZE);
    load_font(v);
    vga_vram_written(v, 0, VGA_PLANAR_SIZE);
    clear_text(v);
}
