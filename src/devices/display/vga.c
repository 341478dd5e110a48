/* SPDX-License-Identifier: MIT */
/*
 * The VGA's registers (IBM Personal System/2 Hardware Interface Technical Reference, Video Subsystem), stored and read back
 * as on the real thing. After reset it is in mode 3 (80 x 25, colour), font and all, as its BIOS would leave it, so that
 * a kernel that was loaded without firmware can write to the screen.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/display/vga_regs.h"

/* Mode 3 with 400 lines: "BIOS video mode tables". */
static const u8 mode3_seq[SEQ_COUNT] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const u8 mode3_crtc[CRTC_COUNT] = {
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
};
static const u8 mode3_gfx[GFX_COUNT] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff };
static const u8 mode3_attr[ATTR_COUNT] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
};
enum { MODE3_MISC = 0x67, PALETTE_SOURCE = 0x20 };

/* Which bits of a register exist. */
static const u8 seq_mask[SEQ_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const u8 gfx_mask[GFX_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };

/* Input status registers: the beam moves with virtual time. 720 x 400 at 70 Hz, 900 dots a line, 449 lines. */

#define DOT_HZ 28322000u
enum { DOTS = 900, DOTS_SHOWN = 720, LINES = 449, LINES_SHOWN = 400, RETRACE_FROM = 412, RETRACE_TO = 414 };
enum { STATUS1_NOT_SHOWN = 0x01, STATUS1_RETRACE = 0x08 };

static u8 input_status_1(const struct vga *v)
{
    u64 dot = clock_cycles_to_ticks(v->clock, v->clock->now, DOT_HZ) % (DOTS * LINES);
    unsigned line = dot / DOTS, column = dot % DOTS;
    bool shown = line < LINES_SHOWN && column < DOTS_SHOWN;
    return (shown ? 0 : STATUS1_NOT_SHOWN) | (line >= RETRACE_FROM && line < RETRACE_TO ? STATUS1_RETRACE : 0);
}

static u64 read_status_1(struct vga *v)
{
    v->attr_data = false;       /* reading it resets the attribute controller's flip-flop */
    return input_status_1(v);
}

/* Attribute controller: address and data take turns at 3C0h */

static void write_attr(struct vga *v, u8 value)
{
    unsigned i = v->attr_index & 0x1f;
    if (!v->attr_data)
        v->attr_index = value & 0x3f;
    else if (i < ATTR_COUNT && !(i < 16 && v->attr_index & PALETTE_SOURCE))
        v->attr[i] = i < 16 ? value & 0x3f : value; /* the palette is locked while it is shown */
    v->attr_data = !v->attr_data;
}

static u64 read_attr_index(struct vga *v) { return v->attr_index; }

static u64 read_attr(struct vga *v)
{
    unsigned i = v->attr_index & 0x1f;
    return i < ATTR_COUNT ? v->attr[i] : 0xff;
}

/* Sequencer, graphics controller, CRT controller: an index register and a data register each */

static u64 read_seq_index(struct vga *v) { return v->seq_index; }
static u64 read_seq(struct vga *v) { return v->seq_index < SEQ_COUNT ? v->seq[v->seq_index] : 0xff; }
static void write_seq_index(struct vga *v, u8 value) { v->seq_index = value; }
static void write_seq(struct vga *v, u8 value)
{
    if (v->seq_index < SEQ_COUNT)
        v->seq[v->seq_index] = value & seq_mask[v->seq_index];
}

static u64 read_gfx_index(struct vga *v) { return v->gfx_index; }
static u64 read_gfx(struct vga *v) { return v->gfx_index < GFX_COUNT ? v->gfx[v->gfx_index] : 0xff; }
static void write_gfx_index(struct vga *v, u8 value) { v->gfx_index = value; }
static void write_gfx(struct vga *v, u8 value)
{
    if (v->gfx_index < GFX_COUNT)
        v->gfx[v->gfx_index] = value & gfx_mask[v->gfx_index];
}

static u64 read_crtc_index(struct vga *v) { return v->crtc_index; }
static u64 read_crtc(struct vga *v) { return v->crtc_index < CRTC_COUNT ? v->crtc[v->crtc_index] : 0xff; }
static void write_crtc_index(struct vga *v, u8 value) { v->crtc_index = value; }

/* Registers 0 to 7 can be protected; of 7 the line compare bit stays writable. */
static void write_crtc(struct vga *v, u8 value)
{
    enum { PROTECT = 0x80, OVERFLOW_REG = 7, LINE_COMPARE_8 = 0x10 };
    unsigned i = v->crtc_index;
    if (i >= CRTC_COUNT)
        return;
    if (i <= OVERFLOW_REG && v->crtc[CRTC_RETRACE_END] & PROTECT) {
        if (i == OVERFLOW_REG)
            v->crtc[i] = (v->crtc[i] & ~LINE_COMPARE_8) | (value & LINE_COMPARE_8);
        return;
    }
    v->crtc[i] = value;
}

/* DAC: red, green and blue take turns at 3C9h, then the index goes on */

static u64 read_dac_mask(struct vga *v) { return v->dac_mask; }
static void write_dac_mask(struct vga *v, u8 value) { v->dac_mask = value; }
static u64 read_dac_state(struct vga *v) { return v->dac_reading ? 3 : 0; }
static u64 read_dac_index(struct vga *v) { return v->dac_write; }

static void start_dac(struct vga *v, u8 index, bool reading)
{
    *(reading ? &v->dac_read : &v->dac_write) = index;
    v->dac_reading = reading;
    v->dac_step = 0;
}
static void write_dac_read_index(struct vga *v, u8 value) { start_dac(v, value, true); }
static void write_dac_write_index(struct vga *v, u8 value) { start_dac(v, value, false); }

static u8 *next_dac(struct vga *v, u8 *index)
{
    u8 *colour = &v->dac[*index][v->dac_step];
    if (++v->dac_step == 3) {
        v->dac_step = 0;
        ++*index;
    }
    return colour;
}
static u64 read_dac(struct vga *v) { return *next_dac(v, &v->dac_read); }
static void write_dac(struct vga *v, u8 value)
{
    *next_dac(v, &v->dac_write) = value & (v->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? 0xff : 0x3f);
}

/* The rest */

static u64 read_input_status_0(struct vga *v) { return 0x10; }     /* the switch sense says: a colour display */
static void write_misc(struct vga *v, u8 value) { v->misc = value; }
static u64 read_misc(struct vga *v) { return v->misc; }
static u64 read_feature(struct vga *v) { return v->feature; }
static void write_feature(struct vga *v, u8 value) { v->feature = value; }
static u64 read_ones(struct vga *v) { return 0xff; }
static void write_nothing(struct vga *v, u8 value) { }

/* Ports 3B0h to 3DFh. */
static const struct {
    const char *name;
    u64 (*read)(struct vga *v);
    void (*write)(struct vga *v, u8 value);
    bool moves_memory;
} reg[48] = {
    [0x04] = { "crtc-index", read_crtc_index, write_crtc_index },
    [0x05] = { "crtc", read_crtc, write_crtc },
    [0x0a] = { "status1/feature", read_status_1, write_feature },
    [0x10] = { "attribute-index", read_attr_index, write_attr },
    [0x11] = { "attribute", read_attr, write_nothing },
    [0x12] = { "status0/misc", read_input_status_0, write_misc, true },
    [0x14] = { "sequencer-index", read_seq_index, write_seq_index },
    [0x15] = { "sequencer", read_seq, write_seq, true },
    [0x16] = { "dac-mask", read_dac_mask, write_dac_mask },
    [0x17] = { "dac-state/read-index", read_dac_state, write_dac_read_index },
    [0x18] = { "dac-write-index", read_dac_index, write_dac_write_index },
    [0x19] = { "dac", read_dac, write_dac },
    [0x1a] = { "feature", read_feature, write_nothing },
    [0x1c] = { "misc", read_misc, write_nothing },
    [0x1e] = { "graphics-index", read_gfx_index, write_gfx_index },
    [0x1f] = { "graphics", read_gfx, write_gfx, true },
    [0x24] = { "crtc-index", read_crtc_index, write_crtc_index },
    [0x25] = { "crtc", read_crtc, write_crtc },
    [0x2a] = { "status1/feature", read_status_1, write_feature },
};

/* The CRT controller and status 1 are at 3Bxh in monochrome, at 3Dxh in colour: misc bit 0 chooses. */
static bool decoded(const struct vga *v, u64 offset)
{
    bool colour = v->misc & 1;
    return reg[offset].read && !(offset < 0x10 && colour) && !(offset >= 0x20 && !colour);
}

static u64 vga_read(void *dev, u64 offset, unsigned size)
{
    struct vga *v = dev;
    return decoded(v, offset) ? reg[offset].read(v) : read_ones(v);
}

static void vga_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct vga *v = dev;
    if (!decoded(v, offset))
        return;
    reg[offset].write(v, value);
    if (reg[offset].moves_memory)
        vga_update_window(v);
}

/* Ranges that leave out the parallel port at 3BCh. */
static u64 mono_read(void *dev, u64 offset, unsigned size) { return vga_read(dev, offset + 4, size); }
static void mono_write(void *dev, u64 offset, unsigned size, u64 value) { vga_write(dev, offset + 4, size, value); }
static u64 colour_read(void *dev, u64 offset, unsigned size) { return vga_read(dev, offset + 0x10, size); }
static void colour_write(void *dev, u64 offset, unsigned size, u64 value) { vga_write(dev, offset + 0x10, size, value); }
static const char *mono_reg(u64 offset) { return reg[offset + 4].name; }
static const char *colour_reg(u64 offset) { return reg[offset + 0x10].name; }
static const struct bus_ops mono_ports = { mono_read, mono_write, .reg_name = mono_reg };
static const struct bus_ops colour_ports = { colour_read, colour_write, .reg_name = colour_reg };

/* The 64 colours of an EGA: bits 2-0 are two thirds of red, green, blue; bits 5-3 the other third. */
static void default_dac(struct vga *v)
{
    memset(v->dac, 0, sizeof v->dac);
    for (int i = 0; i < 64; i++)
        for (int k = 0; k < 3; k++)
            v->dac[i][k] = (i >> (2 - k) & 1) * 0x2a + (i >> (5 - k) & 1) * 0x15;
    v->dac_mask = 0xff;
    v->dac_read = 0;
    start_dac(v, 0, false);
}

static void vga_reset(struct device *d)
{
    struct vga *v = (struct vga *)d;
    v->misc = MODE3_MISC;
    v->feature = 0;
    memcpy(v->seq, mode3_seq, sizeof v->seq);
    memcpy(v->crtc, mode3_crtc, sizeof v->crtc);
    memcpy(v->gfx, mode3_gfx, sizeof v->gfx);
    memcpy(v->attr, mode3_attr, sizeof v->attr);
    v->seq_index = v->crtc_index = v->gfx_index = 0;
    v->attr_index = PALETTE_SOURCE;
    v->attr_data = false;
    v->latch = 0;
    default_dac(v);
    vbe_reset(v);
    vga_memory_reset(v);
}

static struct device *vga_create(struct platform *to, struct error *err)
{
    struct vga *v = device_new(&vga_ops, sizeof *v, err);
    if (!v)
        return NULL;
    v->clock = to->clock;
    v->map = to->map;
    v->bus = to->bus;
    if (vga_log_init(v, err) || vga_memory_init(v, err) || vbe_init(v, to, err) || bus_add_ports(to->bus, "vga", 0x3b4, 8, &mono_ports, v, err) ||
        bus_add_ports(to->bus, "vga", 0x3c0, 32, &colour_ports, v, err)) {
        vga_log_fini(v);
        free(v);
        return NULL;
    }
    vga_reset(&v->dev);
    return &v->dev;
}

static void vga_destroy(struct device *d)
{
    vga_log_fini((struct vga *)d);
    free(d);
}

static void vga_info(const struct device *d, FILE *out)
{
    static const char *const kind[] = { "blank", "text", "16 colours", "CGA", "256 colours", "15 bits", "16 bits", "24 bits", "32 bits" };
    const struct vga *v = (const struct vga *)d;
    struct vga_look l;
    vga_look(d, &l);
    fprintf(out, "%s, %u x %u", kind[l.kind], l.width, l.height);
    if (l.kind == VGA_TEXT)
        fprintf(out, ", %u x %u cells, cursor %d,%d", l.columns, l.rows, l.cursor_row, l.cursor_column);
    fprintf(out, ", framebuffer at %08llx\n", (unsigned long long)v->lfb);
}

const struct device_ops vga_ops = {
    "vga", "VGA with Bochs' display interface, PCI 1234:1111", vga_create, vga_reset, vga_destroy, vga_info,
};
