/* SPDX-License-Identifier: MIT */
/*
 * The Linux/x86 boot protocol (the kernel's Documentation/arch/x86/boot.rst), entered in 32-bit mode: the real-mode
 * set-up code is skipped, and what it would have found out is written into the boot parameters, the "zero page".
 */
#include <string.h>

#include "machine/firmware.h"
#include "machine/loaders.h"

#define SECTOR 512
#define BOOT_PARAMS_GPA 0x10000
#define GDT_GPA (BOOT_PARAMS_GPA + PAGE_SIZE)
#define CMDLINE_GPA 0x20000
#define DEFAULT_INITRD_MAX 0x37ffffffu /* protocols before 2.03 */
#define MIB ((u64)1 << 20)

/* Offsets in the file, and the same in the boot parameters. */
enum {
    HDR_START = 0x1f1, HDR_SETUP_SECTS = 0x1f1, HDR_BOOT_FLAG = 0x1fe, HDR_JUMP_LENGTH = 0x201, HDR_MAGIC = 0x202, HDR_VERSION = 0x206,
    HDR_TYPE_OF_LOADER = 0x210, HDR_LOADFLAGS = 0x211, HDR_CODE32_START = 0x214, HDR_RAMDISK_IMAGE = 0x218, HDR_RAMDISK_SIZE = 0x21c,
    HDR_CMD_LINE_PTR = 0x228, HDR_INITRD_ADDR_MAX = 0x22c, HDR_CMDLINE_SIZE = 0x238, HDR_PREF_ADDRESS = 0x258, HDR_INIT_SIZE = 0x260,
    HDR_END_MAX = 0x290,
};
/* Offsets in the boot parameters only. */
enum {
    BP_EXT_MEM_K = 0x02, BP_VIDEO_MODE = 0x06, BP_VIDEO_COLS = 0x07, BP_VIDEO_LINES = 0x0e, BP_VIDEO_IS_VGA = 0x0f, BP_VIDEO_POINTS = 0x10,
    BP_ALT_MEM_K = 0x1e0, BP_E820_ENTRIES = 0x1e8, BP_E820_TABLE = 0x2d0,
};
#define LOADED_HIGH 1
#define LOADER_UNKNOWN 0xff

static u64 get(const u8 *p, unsigned offset, unsigned size)
{
    u64 v = 0;
    memcpy(&v, p + offset, size);
    return v;
}
static void put(u8 *p, unsigned offset, unsigned size, u64 v) { memcpy(p + offset, &v, size); }

/* What the header says, with the defaults of older protocols. */
struct boot_header {
    unsigned version;
    u64 setup_bytes;
    u32 load, initrd_max, cmdline_max;
    u64 runtime_end;        /* gpa up to which the kernel unpacks itself */
};

static bool bzimage_match(const struct file *f)
{
    return f->size >= HDR_END_MAX && get(f->data, HDR_BOOT_FLAG, 2) == 0xaa55 && memcmp(f->data + HDR_MAGIC, "HdrS", 4) == 0;
}

static int read_header(struct boot_header *h, const struct file *f, struct error *err)
{
    const u8 *d = f->data;
    unsigned sects = d[HDR_SETUP_SECTS] ? d[HDR_SETUP_SECTS] : 4;
    *h = (struct boot_header){ .version = get(d, HDR_VERSION, 2) };
    h->setup_bytes = (sects + 1) * SECTOR;
    h->load = get(d, HDR_CODE32_START, 4);
    h->initrd_max = h->version >= 0x203 ? get(d, HDR_INITRD_ADDR_MAX, 4) : DEFAULT_INITRD_MAX;
    h->cmdline_max = h->version >= 0x206 ? get(d, HDR_CMDLINE_SIZE, 4) : 255;
    if (h->version < 0x202 || !(d[HDR_LOADFLAGS] & LOADED_HIGH))
        return error_set(err, "%s: is a Linux kernel of before 2.4 (boot protocol %u.%02u); it needs a newer one", f->path, h->version >> 8, h->version & 0xff);
    if (h->setup_bytes >= f->size)
        return error_set(err, "%s: is a truncated Linux kernel: only its set-up code is there", f->path);
    h->runtime_end = (u64)h->load + (f->size - h->setup_bytes);
    u64 unpacked = h->version >= 0x20a ? (u32)get(d, HDR_PREF_ADDRESS, 8) + get(d, HDR_INIT_SIZE, 4) : 0;
    if (unpacked > h->runtime_end)
        h->runtime_end = unpacked;
    return 0;
}

static int check_memory(const struct placer *p, const struct boot_header *h, struct error *err)
{
    u64 ram = p->vm->config.ram_size;
    if (h->runtime_end > ram)
        return error_set(err, "%s: unpacks itself up to %llu MiB, but the machine has %llu; try -m %llu", p->path,
                         (unsigned long long)((h->runtime_end + MIB - 1) / MIB), (unsigned long long)(ram / MIB),
                         (unsigned long long)((2 * h->runtime_end + MIB - 1) / MIB));
    return 0;
}

static void fill_screen_info(u8 *bp)
{
    put(bp, BP_VIDEO_MODE, 1, 3);
    put(bp, BP_VIDEO_COLS, 1, 80);
    put(bp, BP_VIDEO_LINES, 1, 25);
    put(bp, BP_VIDEO_IS_VGA, 1, 1);
    put(bp, BP_VIDEO_POINTS, 2, 16);
}

static void fill_memory(u8 *bp, const struct vm *vm)
{
    struct e820_entry map[FIRMWARE_MAP_MAX];
    unsigned n = firmware_memory_map(vm, map);
    u64 above_kib = (vm->config.ram_size - MIB) >> 10;
    put(bp, BP_EXT_MEM_K, 2, above_kib < 0xfc00 ? above_kib : 0xfc00);
    put(bp, BP_ALT_MEM_K, 4, above_kib);
    put(bp, BP_E820_ENTRIES, 1, n);
    memcpy(bp + BP_E820_TABLE, map, n * sizeof *map);
}

/* The image's own header, as far as it says it reaches. */
static void copy_header(u8 *bp, const struct file *f)
{
    unsigned end = HDR_MAGIC + f->data[HDR_JUMP_LENGTH];
    if (end > HDR_END_MAX)
        end = HDR_END_MAX;
    memcpy(bp + HDR_START, f->data + HDR_START, end - HDR_START);
    put(bp, HDR_TYPE_OF_LOADER, 1, LOADER_UNKNOWN);
}

static int place_cmdline(struct placer *p, const struct boot_header *h, u8 *bp, struct error *err)
{
    const char *line = p->vm->config.append ? p->vm->config.append : "";
    u64 len = strlen(line);
    if (len > h->cmdline_max)
        return error_set(err, "-append: is %llu bytes long; this kernel takes at most %u", (unsigned long long)len, h->cmdline_max);
    put(bp, HDR_CMD_LINE_PTR, 4, CMDLINE_GPA);
    return place_at(p, "command line", CMDLINE_GPA, line, len + 1, len + 1, err);
}

/* As high as the kernel allows, out of the way of its unpacking. */
static int place_initrd(struct placer *p, const struct boot_header *h, u8 *bp, struct error *err)
{
    struct file f;
    gpa_t gpa, high = p->vm->config.ram_size;
    if (!p->vm->config.initrd)
        return 0;
    if (file_load_raw(&f, p->vm->config.initrd, err))
        return -1;
    if (high > (u64)h->initrd_max + 1)
        high = (u64)h->initrd_max + 1;
    int result = place_find_high(p, "initrd", h->runtime_end, high, f.size, PAGE_SIZE, &gpa, err) ||
                 place_at(p, "initrd", gpa, f.data, f.size, f.size, err) ? -1 : 0;
    if (!result) {
        put(bp, HDR_RAMDISK_IMAGE, 4, gpa);
        put(bp, HDR_RAMDISK_SIZE, 4, f.size);
    }
    file_free(&f);
    return result;
}

/* Flat code and data at selectors 10h and 18h, in a table that the kernel may still load from. */
static int place_gdt(struct placer *p, struct error *err)
{
    static const u64 gdt[] = { 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
    p->vm->vcpu[0]->cpu.state.gdtr = (struct dtable){ GDT_GPA, sizeof gdt - 1 };
    return place_at(p, "descriptor table", GDT_GPA, gdt, sizeof gdt, sizeof gdt, err);
}

static int enter(struct placer *p, u32 entry, struct error *err)
{
    struct cpu_state *s = &p->vm->vcpu[0]->cpu.state;
    state_flat32(s, entry, LOADER_STACK);
    for (int i = 0; i < SREG_COUNT; i++)
        s->seg[i].selector = i == CS ? 0x10 : 0x18;
    s->gpr[RSI] = BOOT_PARAMS_GPA;
    return place_gdt(p, err);
}

static int bzimage_load(struct vm *vm, const struct file *f, struct error *err)
{
    struct placer p = { .vm = vm, .path = f->path };
    struct boot_header h;
    u8 bp[PAGE_SIZE] = { 0 };
    if (read_header(&h, f, err) || check_memory(&p, &h, err))
        return -1;
    u64 len = f->size - h.setup_bytes;
    if (place_at(&p, "kernel", h.load, f->data + h.setup_bytes, len, len, err))
        return -1;
    copy_header(bp, f);
    fill_screen_info(bp);
    fill_memory(bp, vm);
    if (place_cmdline(&p, &h, bp, err) || place_initrd(&p, &h, bp, err) ||
        place_at(&p, "boot parameters", BOOT_PARAMS_GPA, bp, sizeof bp, sizeof bp, err))
        return -1;
    return enter(&p, h.load, err);
}

const struct loader bzimage_loader = { "linux", "a Linux kernel (bzImage, boot protocol 2.02 and later), with initrd", bzimage_match, bzimage_load };
