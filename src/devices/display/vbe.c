/* SPDX-License-Identifier: MIT */
/*
 * Bochs' display interface ("dispi"): an index port and a data port of 16 bits, through which VGA BIOSes and drivers of many systems set
 * modes of any size. And the PCI function 1234:1111 that it goes with, whose BAR 0 is the display's memory.
 */
#include <string.h>

#include "devices/display/vga_regs.h"

enum { ID_FIRST = 0xb0c0, ID_LAST = 0xb0c5 };
enum { MAX_XRES = 2560, MAX_YRES = 1600, MAX_BPP = 32 };
enum { PCI_SLOT = 2 };

u32 vbe_bytes(const struct vga *v, u32 pixels)
{
    return v->vbe[VBE_BPP] == 4 ? (pixels + 7) / 8 * 4 : pixels * ((v->vbe[VBE_BPP] + 7u) / 8);
}

static u32 line_bytes(const struct vga *v) { return vbe_bytes(v, v->vbe[VBE_VIRT_WIDTH]); }

/* How many lines of the virtual width there are in memory. */
static u16 lines_in_memory(const struct vga *v)
{
    u32 lines = VGA_VRAM_SIZE / line_bytes(v);
    return lines < 0xffff ? lines : 0xffff;
}

static bool bpp_exists(u16 bpp) { return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32; }

static bool mode_fits(const struct vga *v)
{
    u16 x = v->vbe[VBE_XRES], y = v->vbe[VBE_YRES];
    return x >= 8 && x <= MAX_XRES && y && y <= MAX_YRES && bpp_exists(v->vbe[VBE_BPP]) && (u64)vbe_bytes(v, x) * y <= VGA_VRAM_SIZE;
}

static void clear_screen(struct vga *v)
{
    u32 bytes = line_bytes(v) * v->vbe[VBE_YRES];
    memset(v->vram, 0, bytes);
    vga_vram_written(v, 0, bytes);
}

/* A mode that does not fit is not entered. */
static void write_enable(struct vga *v, u16 value)
{
    bool was = vbe_on(v);
    v->vbe[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GET_CAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NO_CLEAR);
    if (!(value & VBE_ENABLED) || was)
        return;
    if (!mode_fits(v)) {
        v->vbe[VBE_ENABLE] &= ~VBE_ENABLED;
        return;
    }
    v->vbe[VBE_VIRT_WIDTH] = v->vbe[VBE_XRES];
    v->vbe[VBE_VIRT_HEIGHT] = lines_in_memory(v);
    v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = v->vbe[VBE_BANK] = 0;
    vga_update_window(v);   /* text that was on the screen goes to the planes first */
    if (!(value & VBE_NO_CLEAR))
        clear_screen(v);
}

static void write_id(struct vga *v, u16 value)
{
    if (value >= ID_FIRST && value <= ID_LAST)
        v->vbe[VBE_ID] = value;
}

/* The mode itself stands still while it is shown. */
static void write_mode(struct vga *v, u16 value)
{
    if (!vbe_on(v))
        v->vbe[v->vbe_index] = value;
}

static void write_bank(struct vga *v, u16 value) { v->vbe[VBE_BANK] = value % (VGA_VRAM_SIZE >> 16); }

static void write_virt_width(struct vga *v, u16 value)
{
    u16 before = v->vbe[VBE_VIRT_WIDTH];
    if (!vbe_on(v) || value < v->vbe[VBE_XRES])
        return;
    v->vbe[VBE_VIRT_WIDTH] = value & ~7;
    if (lines_in_memory(v) < v->vbe[VBE_YRES])
        v->vbe[VBE_VIRT_WIDTH] = before;
    v->vbe[VBE_VIRT_HEIGHT] = lines_in_memory(v);
}

static void write_offset(struct vga *v, u16 value) { v->vbe[v->vbe_index] = value; }

static void (*const vbe_write[VBE_COUNT])(struct vga *v, u16 value) = {
    [VBE_ID] = write_id, [VBE_XRES] = write_mode, [VBE_YRES] = write_mode, [VBE_BPP] = write_mode, [VBE_ENABLE] = write_enable,
    [VBE_BANK] = write_bank, [VBE_VIRT_WIDTH] = write_virt_width, [VBE_X_OFFSET] = write_offset, [VBE_Y_OFFSET] = write_offset,
};

/* What GETCAPS gives in place of the mode: the largest values. */
static const u16 capability[VBE_COUNT] = { [VBE_XRES] = MAX_XRES, [VBE_YRES] = MAX_YRES, [VBE_BPP] = MAX_BPP };

static u16 read_data(const struct vga *v)
{
    unsigned i = v->vbe_index;
    if (i >= VBE_COUNT)
        return 0;
    return v->vbe[VBE_ENABLE] & VBE_GET_CAPS && capability[i] ? capability[i] : v->vbe[i];
}

/* Index at 1CEh; data at 1CFh, an odd address, and at 1D0h. The bus cuts a word at 1CFh into its bytes: the low one is kept until
 * the high one is there. */
enum { PORT_BASE = 0x1ce, PORT_COUNT = 4, DATA_LOW = 1, DATA_HIGH = 2 };

static u64 vbe_port_read(void *dev, u64 offset, unsigned size)
{
    const struct vga *v = dev;
    if (offset == 0)
        return v->vbe_index;
    return size == 1 && offset == DATA_HIGH ? read_data(v) >> 8 : read_data(v);
}

static void write_data(struct vga *v, u16 value)
{
    if (v->vbe_index < VBE_COUNT && vbe_write[v->vbe_index])
        vbe_write[v->vbe_index](v, value);
    vga_update_window(v);
}

static void vbe_port_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct vga *v = dev;
    if (offset == 0)
        v->vbe_index = value;
    else if (offset == DATA_LOW)
        v->vbe_low = value;
    else if (offset == DATA_HIGH)
        write_data(v, size == 2 ? value : value << 8 | v->vbe_low);
}

static const char *vbe_reg(u64 offset) { return offset ? "dispi" : "dispi-index"; }
static const struct bus_ops vbe_ports = { vbe_port_read, vbe_port_write, 1, 2, vbe_reg };

/* --- PCI --- */

enum { COMMAND_MEMORY = 0x02, BAR_PREFETCHABLE = 0x08 };

static u32 config_dword(const struct pci_function *f, u8 at)
{
    u32 value = 0;
    for (unsigned i = 4; i-- > 0;)
        value = value << 8 | f->config[at + i];
    return value;
}

/* Show the memory where BAR 0 says. */
static void bar_written(struct pci_function *f, u8 offset, unsigned size)
{
    struct vga *v = f->dev;
    gpa_t wanted = f->config[PCI_COMMAND] & COMMAND_MEMORY ? config_dword(f, PCI_BAR0) & ~(VGA_VRAM_SIZE - 1) : 0;
    if (wanted == v->lfb)
        return;
    if (v->lfb)
        physmap_remove(v->map, v->lfb, VGA_VRAM_SIZE);
    v->lfb = wanted && physmap_map_ram(v->map, "vga-framebuffer", wanted, v->vram, VGA_VRAM_SIZE, NULL) == 0 ? wanted : 0;
}

static void fill_config(struct pci_function *f)
{
    memset(f->config, 0, sizeof f->config);
    memset(f->writable, 0, sizeof f->writable);
    pci_identify(f, 0x1234, 0x1111, 0x030000, 0x02);
    pci_put(f->config, PCI_COMMAND, 2, COMMAND_MEMORY | 1);
    pci_put(f->writable, PCI_COMMAND, 2, COMMAND_MEMORY | 1);
    pci_put(f->config, PCI_SUBSYSTEM_VENDOR, 4, 0x11001af4);
    pci_put(f->config, PCI_BAR0, 4, VGA_LFB_GPA | BAR_PREFETCHABLE);
    pci_put(f->writable, PCI_BAR0, 4, ~(VGA_VRAM_SIZE - 1));
    pci_put(f->writable, PCI_INTERRUPT_LINE, 1, 0xff);
}

/* --- life --- */

void vbe_reset(struct vga *v)
{
    memset(v->vbe, 0, sizeof v->vbe);
    v->vbe[VBE_ID] = ID_LAST;
    v->vbe[VBE_MEMORY] = VGA_VRAM_SIZE >> 16;
    v->vbe_index = v->vbe_low = 0;
    fill_config(&v->pci);
    bar_written(&v->pci, PCI_BAR0, 4);
}

int vbe_init(struct vga *v, struct platform *to, struct error *err)
{
    v->pci.dev = v;
    v->pci.written = bar_written;
    if (to->pci && pci_add(to->pci, PCI_SLOT, 0, &v->pci, err))
        return -1;
    return bus_add_ports(to->bus, "vbe", PORT_BASE, PORT_COUNT, &vbe_ports, v, err);
}
