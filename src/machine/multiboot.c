/* SPDX-License-Identifier: MIT */
/*
 * Multiboot 1 (Multiboot Specification 0.6.96): the header is somewhere in the first 8 KiB of the image and says what the
 * kernel wants; EAX and EBX tell the kernel where the information structure is. Modules are further files, such as
 * the first servers of a microkernel.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/firmware.h"
#include "machine/loaders.h"

#define HEADER_MAGIC 0x1badb002
#define LOADER_MAGIC 0x2badb002     /* in EAX at the entry */
#define SEARCH_BYTES 8192
#define INFO_LOW 0x10000            /* gpa from which the information is put, clear of BIOS data and the stack */
#define KERNEL_LOW 0x100000         /* gpa from which modules are put */

/* Header flags, 3.1.2 */
enum { WANT_PAGE_ALIGNED = 1 << 0, WANT_MEMORY = 1 << 1, WANT_VIDEO = 1 << 2, MUST_UNDERSTAND = 0xffff, HAS_ADDRESSES = 1 << 16 };
/* Information flags, 3.3 */
enum { INFO_MEMORY = 1 << 0, INFO_CMDLINE = 1 << 2, INFO_MODULES = 1 << 3, INFO_MMAP = 1 << 6, INFO_NAME = 1 << 9 };

struct header { u32 magic, flags, checksum, header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; };
struct module { u32 start, end, string, reserved; };
struct mmap_entry { u32 size; struct e820_entry e; } __attribute__((packed));
struct info {
    u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
    u32 drives_length, drives_addr, config_table, boot_loader_name, apm_table, vbe[4];
};

static u32 read32(const struct file *f, u64 offset)
{
    u32 v = 0;
    if (offset + 4 <= f->size)
        memcpy(&v, f->data + offset, 4);
    return v;
}

/* File offset of the header, or -1. */
static s64 find_header(const struct file *f)
{
    for (u64 at = 0; at + 12 <= f->size && at + 12 <= SEARCH_BYTES; at += 4)
        if (read32(f, at) == HEADER_MAGIC && read32(f, at) + read32(f, at + 4) + read32(f, at + 8) == 0)
            return at;
    return -1;
}

static bool multiboot_match(const struct file *f) { return find_header(f) >= 0; }

/* The header itself says where the bytes go (the "a.out kludge"). */
static int place_by_addresses(struct placer *p, const struct file *f, u64 at, const struct header *h, struct error *err)
{
    u64 before = (u64)h->header_addr - h->load_addr; /* bytes of the image in front of the header */
    if (h->load_addr > h->header_addr || before > at)
        return error_set(err, "%s: its multiboot header gives a load address that is not in the file", f->path);
    u64 start = at - before, len = f->size - start;
    if (h->load_end_addr) {
        if (h->load_end_addr < h->load_addr || h->load_end_addr - h->load_addr > len)
            return error_set(err, "%s: is truncated: its multiboot header announces more bytes than there are", f->path);
        len = h->load_end_addr - h->load_addr;
    }
    u64 memsz = len;
    if (h->bss_end_addr) {
        if (h->bss_end_addr < h->load_addr || h->bss_end_addr - h->load_addr < len)
            return error_set(err, "%s: its multiboot header ends the bss before the data", f->path);
        memsz = h->bss_end_addr - h->load_addr;
    }
    return place_at(p, "image", h->load_addr, f->data + start, len, memsz, err);
}

static int place_kernel(struct placer *p, const struct file *f, u32 *entry, struct error *err)
{
    struct header h = { 0 };
    u64 at = find_header(f);
    memcpy(&h, f->data + at, f->size - at < sizeof h ? f->size - at : sizeof h);
    if (h.flags & MUST_UNDERSTAND & ~(WANT_PAGE_ALIGNED | WANT_MEMORY | WANT_VIDEO))
        return error_set(err, "%s: its multiboot header requires features that no loader knows (flags 0x%x)", f->path, h.flags);
    if (!(h.flags & HAS_ADDRESSES))
        return elf_place(p, f, entry, err);
    *entry = h.entry_addr;
    return place_by_addresses(p, f, at, &h, err);
}

/* --- modules --- */

/* "file args": the file's name is the first word. */
static int load_module(struct placer *p, const char *spec, struct module *m, struct error *err)
{
    char path[4096];
    struct file f;
    gpa_t gpa;
    size_t len = strcspn(spec, " ");
    if (len >= sizeof path)
        return error_set(err, "-module: the file name is too long");
    memcpy(path, spec, len);
    path[len] = 0;
    if (file_load(&f, path, err))
        return -1;
    int result = place_find_low(p, "module", KERNEL_LOW, p->vm->config.ram_size, f.size, PAGE_SIZE, &gpa, err) ||
                 place_at(p, "module", gpa, f.data, f.size, f.size, err) ? -1 : 0;
    if (!result)
        *m = (struct module){ gpa, gpa + f.size, 0, 0 };
    file_free(&f);
    return result;
}

/* --- the information structure, with all that it points to in one block behind it --- */

struct block { u8 *data; u32 len; gpa_t gpa; };

/* Append bytes; returns their gpa. The block was made large enough. */
static u32 append(struct block *b, const void *data, u32 len)
{
    u32 at = b->len;
    memcpy(b->data + at, data, len);
    b->len += len;
    return b->gpa + at;
}

static u32 append_memory_map(struct block *b, const struct vm *vm, u32 *length)
{
    struct e820_entry map[FIRMWARE_MAP_MAX];
    unsigned n = firmware_memory_map(vm, map);
    u32 at = b->gpa + b->len;
    for (unsigned i = 0; i < n; i++)
        append(b, &(struct mmap_entry){ sizeof map[i], map[i] }, sizeof(struct mmap_entry));
    *length = n * sizeof(struct mmap_entry);
    return at;
}

static u32 append_string(struct block *b, const char *s) { return append(b, s, strlen(s) + 1); }

/* The kernel's own name and the user's words, as the command line that kernels expect. */
static u32 append_cmdline(struct block *b, const struct vm *vm)
{
    const char *slash = strrchr(vm->config.kernel, '/'), *name = slash ? slash + 1 : vm->config.kernel;
    u32 at = append(b, name, strlen(name));
    if (vm->config.append) {
        append(b, " ", 1);
        append(b, vm->config.append, strlen(vm->config.append));
    }
    append(b, "", 1);
    return at;
}

static const char loader_name[] = "emu";

static u32 block_size(const struct vm *vm)
{
    u64 n = sizeof(struct info) + FIRMWARE_MAP_MAX * sizeof(struct mmap_entry) + vm->config.nmodules * sizeof(struct module) + sizeof loader_name;
    n += strlen(vm->config.kernel) + 2 + (vm->config.append ? strlen(vm->config.append) : 0);
    for (unsigned i = 0; i < vm->config.nmodules; i++)
        n += strlen(vm->config.module[i]) + 1;
    return n;
}

static void fill_block(struct block *b, const struct vm *vm, struct module *module)
{
    struct info info = { .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_NAME };
    b->len = sizeof info;
    info.mem_lower = FIRMWARE_LOW_END >> 10;
    info.mem_upper = (vm->config.ram_size >> 10) - 1024;
    info.mmap_addr = append_memory_map(b, vm, &info.mmap_length);
    info.mods_count = vm->config.nmodules;
    for (unsigned i = 0; i < vm->config.nmodules; i++)
        module[i].string = append_string(b, vm->config.module[i]);
    info.cmdline = append_cmdline(b, vm);
    info.boot_loader_name = append_string(b, loader_name);
    info.mods_addr = append(b, module, vm->config.nmodules * sizeof *module);
    memcpy(b->data, &info, sizeof info);
}

static int place_info(struct placer *p, struct module *module, u32 *info_gpa, struct error *err)
{
    u32 size = block_size(p->vm);
    struct block b = { .data = calloc(1, size) };
    int result = -1;
    if (place_find_low(p, "boot information", INFO_LOW, FIRMWARE_LOW_END, size, 16, &b.gpa, NULL) == 0 ||
        place_find_low(p, "boot information", KERNEL_LOW, p->vm->config.ram_size, size, 16, &b.gpa, err) == 0) {
        fill_block(&b, p->vm, module);
        result = place_at(p, "boot information", b.gpa, b.data, b.len, size, err);
        *info_gpa = b.gpa;
    }
    free(b.data);
    return result;
}

static int multiboot_load(struct vm *vm, const struct file *f, struct error *err)
{
    struct placer p = { .vm = vm, .path = f->path };
    struct module module[VM_MAX_MODULES];
    u32 entry, info_gpa;
    if (place_kernel(&p, f, &entry, err))
        return -1;
    for (unsigned i = 0; i < vm->config.nmodules; i++)
        if (load_module(&p, vm->config.module[i], &module[i], err))
            return -1;
    if (place_info(&p, module, &info_gpa, err))
        return -1;
    struct cpu_state *s = &vm->vcpu[0]->cpu.state;
    state_flat32(s, entry, LOADER_STACK);
    s->gpr[RAX] = LOADER_MAGIC;
    s->gpr[RBX] = info_gpa;
    return 0;
}

const struct loader multiboot_loader = { "multiboot", "Multiboot 1, with modules", multiboot_match, multiboot_load };
