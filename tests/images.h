/* SPDX-License-Identifier: MIT */
/* Images made by hand, one of each kind that the loaders know, and a machine that loads them. */
#ifndef EMU_TESTS_IMAGES_H
#define EMU_TESTS_IMAGES_H

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "machine/bare.h"
#include "machine/loader.h"

#define MIB (1u << 20)
#define RAM (8 * MIB)

/* --- images made by hand --- */

struct image { u8 data[32768]; u32 size; };

static inline void put(struct image *i, u32 offset, unsigned size, u64 value) { memcpy(i->data + offset, &value, size); }

enum { ELF_DATA = 0x400, ELF_ENTRY = 0x100004 };

static inline Elf32_Ehdr *ehdr(struct image *i) { return (Elf32_Ehdr *)i->data; }
static inline Elf32_Phdr *phdr(struct image *i, int n) { return (Elf32_Phdr *)(i->data + sizeof(Elf32_Ehdr)) + n; }

static inline void make_elf(struct image *i)
{
    *i = (struct image){ .size = 0x1000 };
    *ehdr(i) = (Elf32_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 }, .e_type = ET_EXEC, .e_machine = EM_386, .e_version = 1,
                             .e_entry = ELF_ENTRY, .e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr),
                             .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1 };
    *phdr(i, 0) = (Elf32_Phdr){ PT_LOAD, ELF_DATA, 0xc0100000, 0x100000, 0x100, 0x1000, PF_R | PF_X, 0x1000 };
    memset(i->data + ELF_DATA, 0x90, 0x100);
}

enum { MB_AT = 0x20 };
static inline void set_header(struct image *i, u32 at, u32 flags)
{
    put(i, at, 4, 0x1badb002);
    put(i, at + 4, 4, flags);
    put(i, at + 8, 4, -(0x1badb002 + flags));
}

/* Multiboot with addresses in its header: the image is loaded at 1 MiB, bss up to 1 MiB + 4000h. */
static inline void make_multiboot(struct image *i)
{
    *i = (struct image){ .size = 0x1000 };
    memset(i->data, 0x90, i->size);
    set_header(i, MB_AT, 0x10003);
    put(i, MB_AT + 12, 4, 0x100000 + MB_AT);
    put(i, MB_AT + 16, 4, 0x100000);
    put(i, MB_AT + 20, 4, 0x101000);
    put(i, MB_AT + 24, 4, 0x104000);
    put(i, MB_AT + 28, 4, 0x100040);
}

static inline void make_multiboot_elf(struct image *i)
{
    make_elf(i);
    set_header(i, ELF_DATA + 0x20, 3);
}

enum { BZ_SETUP = 5 * 512 };
static inline void make_bzimage(struct image *i)
{
    *i = (struct image){ .size = BZ_SETUP + 0x800 };
    memset(i->data + BZ_SETUP, 0x90, 0x800);
    put(i, 0x1f1, 1, 4);
    put(i, 0x1fe, 2, 0xaa55);
    put(i, 0x201, 1, 0x66);
    memcpy(i->data + 0x202, "HdrS", 4);
    put(i, 0x206, 2, 0x20f);
    put(i, 0x211, 1, 1);
    put(i, 0x214, 4, 0x100000);
    put(i, 0x22c, 4, 0x7fffff - 0x1000);
    put(i, 0x238, 4, 100);
    put(i, 0x258, 8, 0x100000);
    put(i, 0x260, 4, 0x200000);
}

static inline void make_flat(struct image *i)
{
    *i = (struct image){ .size = 700 };
    memset(i->data, 0x90, i->size);
}

static inline void make_boot_sector(struct image *i)
{
    *i = (struct image){ .size = 512 };
    put(i, 510, 2, 0xaa55);
}

/* --- loading --- */

static char folder[] = "/tmp/emu-test-XXXXXX";

static inline const char *file_at(char path[64], const char *name)
{
    snprintf(path, 64, "%s/%s", folder, name);
    return path;
}

static inline void write_file(const char *name, const void *data, size_t size)
{
    char path[64];
    FILE *f = fopen(file_at(path, name), "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

static inline struct vm *load_with(const struct image *i, struct vm_config *c, struct error *err)
{
    static char path[64]; /* the vm borrows it */
    write_file("kernel", i->data, i->size);
    c->engine = &bare_engine;
    c->kernel = file_at(path, "kernel");
    return vm_new(c, err);
}

static inline struct vm *load(const struct image *i, struct error *err)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.ram_size = RAM;
    return load_with(i, &c, err);
}

static inline const struct cpu_state *state_of(const struct vm *vm) { return &vm->vcpu[0]->cpu.state; }
static inline u64 mem(struct vm *vm, gpa_t gpa, unsigned size) { return physmap_load(&vm->map, gpa, size); }

static inline struct vm *must_load(const struct image *i)
{
    struct error err = { "" };
    struct vm *vm = load(i, &err);
    if (!vm)
        FAIL("refused: %s", err.text);
    return vm;
}

#endif
