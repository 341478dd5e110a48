/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the display: vga.c (registers), vga_mem.c (what the processor sees of the memory), vbe.c (Bochs'
 * display interface and the PCI function), vga_look.c (what the registers mean), vga_render.c (pixels), vga_text.c (characters).
 *
 * The memory is four planes. Byte a of plane p is vram[4 * a + p], so that the dword at 4 * a is what the display fetches at
 * once. The chained modes fill it without gaps: in chain 4 the processor's byte n is vram[n], in odd/even its bytes 2n and 2n+1 are
 * vram[4 * n] and vram[4 * n + 1]. (The real chip leaves gaps there, which only a program sees that changes between the two.)
 */
#ifndef EMU_DEVICES_VGA_REGS_H
#define EMU_DEVICES_VGA_REGS_H

#include "devices/display/vga.h"
#include "devices/pci/pci.h"

enum { CRTC_COUNT = 25, SEQ_COUNT = 5, GFX_COUNT = 9, ATTR_COUNT = 21, VBE_COUNT = 11 };

/* Indexes by name, as in the IBM Video Subsystem Technical Reference. */
enum { CRTC_H_SHOWN = 0x01, CRTC_OVERFLOW = 0x07, CRTC_MAX_SCAN = 0x09, CRTC_CURSOR_START = 0x0a, CRTC_CURSOR_END, CRTC_START_HIGH,
       CRTC_START_LOW, CRTC_CURSOR_HIGH, CRTC_CURSOR_LOW, CRTC_RETRACE_END = 0x11, CRTC_V_SHOWN, CRTC_OFFSET, CRTC_MODE = 0x17,
       CRTC_LINE_COMPARE = 0x18 };
enum { SEQ_CLOCKING = 1, SEQ_MAP_MASK, SEQ_CHAR_MAP, SEQ_MEMORY };
enum { SEQ_8_DOTS = 0x01, SEQ_SCREEN_OFF = 0x20, SEQ_CHAIN_4 = 0x08 };
enum { GFX_SET_RESET = 0, GFX_ENABLE_SET_RESET, GFX_COMPARE, GFX_ROTATE, GFX_READ_MAP, GFX_MODE, GFX_MISC, GFX_DONT_CARE, GFX_BIT_MASK };
enum { GFX_MODE_WRITE = 0x03, GFX_MODE_READ_1 = 0x08, GFX_MODE_ODD_EVEN = 0x10, GFX_MODE_CGA = 0x20, GFX_MODE_256 = 0x40 };
enum { GFX_MISC_GRAPHICS = 0x01 };
enum { ATTR_MODE = 0x10, ATTR_MODE_LINE_GRAPHICS = 0x04, ATTR_MODE_BLINK = 0x08, ATTR_PLANES = 0x12, ATTR_PAN, ATTR_COLOUR_SELECT };
enum { ATTR_SCREEN_ON = 0x20 };
enum { MISC_COLOUR = 0x01, MISC_RAM = 0x02 };

/* Bochs' display interface. */
enum { VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT, VBE_X_OFFSET, VBE_Y_OFFSET, VBE_MEMORY };
enum { VBE_ENABLED = 0x01, VBE_GET_CAPS = 0x02, VBE_8BIT_DAC = 0x20, VBE_LFB = 0x40, VBE_NO_CLEAR = 0x80 };

#define VGA_VRAM_SIZE ((u32)16 << 20)
#define VGA_PLANAR_SIZE ((u32)256 << 10)    /* what the VGA itself can address of it */
#define VGA_GPA 0xa0000u
#define VGA_SPAN 0x20000u
#define VGA_FONT_UNITS 8192u                /* of a font in plane 2: 256 characters of 32 lines */

/* What stands at A0000h to BFFFFh. */
enum vga_window {
    WINDOW_TEXT,        /* the 32 KiB of colour text, as RAM: v->text stands for the first 16 Ki bytes of planes 0 and 1 */
    WINDOW_LINEAR,      /* 64 KiB of vram from v->window_base on, as RAM: chain 4, or a bank of a VBE mode */
    WINDOW_PLANES,      /* the planes: each access goes through the graphics controller */
};

struct vga {
    struct device dev;
    u8 misc, feature;
    u8 crtc[CRTC_COUNT], crtc_index;
    u8 seq[SEQ_COUNT], seq_index;
    u8 gfx[GFX_COUNT], gfx_index;
    u8 attr[ATTR_COUNT], attr_index;        /* attr_index: with bit 5, the palette address source */
    bool attr_data;                         /* the flip-flop: the next write to 3C0h is data */
    u8 dac[256][3], dac_mask;               /* six bits a colour; eight if VBE_8BIT_DAC */
    u8 dac_read, dac_write, dac_step;
    bool dac_reading;
    u32 latch;                              /* of the graphics controller: a byte of each plane */
    u16 vbe[VBE_COUNT], vbe_index;
    u8 vbe_low;                             /* the low byte of a data word, before the high one comes */
    enum vga_window window;
    u32 window_base;                        /* WINDOW_LINEAR: offset in vram */
    gpa_t lfb;                              /* where vram is seen as a whole, 0: nowhere */
    struct pci_function pci;
    struct clock *clock;
    struct physmap *map;
    struct bus *bus;
    u8 *vram;                               /* hva */
    u8 *text;                               /* hva of the memory at B8000h */
    struct vga_log *log;                    /* owned */
};

/* A register changed: does the processor see the memory in another way now? */
void vga_update_window(struct vga *v);
/* Memory of a new card: text blank, the font in plane 2. */
int vga_memory_init(struct vga *v, struct error *err);
void vga_memory_reset(struct vga *v);
/* vram was written by the display itself. */
void vga_vram_written(struct vga *v, u32 offset, u32 len);

/* vga_log.c. 0 or -1 with *err. */
int vga_log_init(struct vga *v, struct error *err);
void vga_log_fini(struct vga *v);
/* Look at the log: what was written until now has been found. The number of this look; 0: there is no log. */
u64 vga_log_look(const struct vga *v);
/* Was something of [from, from + len) of vram, which may go around its end, written after that look? */
bool vga_log_written(const struct vga *v, u64 since, u32 from, u32 len);

int vbe_init(struct vga *v, struct platform *to, struct error *err);
void vbe_reset(struct vga *v);
static inline bool vbe_on(const struct vga *v) { return v->vbe[VBE_ENABLE] & VBE_ENABLED; }
/* Bytes that so many pixels of a line take in a VBE mode; with 4 bits a pixel, eight of them are four bytes. */
u32 vbe_bytes(const struct vga *v, u32 pixels);

/* Character and attribute of a cell of text, counted from the start of the memory; it wraps. */
void vga_cell(const struct vga *v, u32 cell, u8 *character, u8 *attribute);

static inline u16 vga_crtc_word(const struct vga *v, unsigned high) { return v->crtc[high] << 8 | v->crtc[high + 1]; }

#endif
