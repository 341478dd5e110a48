/* SPDX-License-Identifier: MIT */
/*
 * Loaders: put a guest image into memory and set the first processor to its entry.
 * Images are hostile: every offset and length in them is checked before use.
 */
#ifndef EMU_MACHINE_LOADER_H
#define EMU_MACHINE_LOADER_H

#include "machine/vm.h"

/* A whole file in memory. */
struct file { u8 *data; u64 size; const char *path; };
/* 0, or -1 with *err ("FILE: No such file; ..."). Gunzips a gzip file, within a bound. path is borrowed. Pair with file_free(). */
int file_load(struct file *f, const char *path, struct error *err);
/* The same without looking inside: an initrd is the guest's to unpack. */
int file_load_raw(struct file *f, const char *path, struct error *err);
void file_free(struct file *f);

struct loader {
    const char *name, *help;
    /* Is it of this kind? Looks only at bytes; never fails. */
    bool (*match)(const struct file *f);
    /* Load into vm->map, set vm->vcpu[0]->cpu.state. 0 or -1 with *err. */
    int (*load)(struct vm *vm, const struct file *f, struct error *err);
};

/* In probe order, NULL-ended: multiboot, bzImage, ELF, flat. */
extern const struct loader *const loaders[];

/* Find the loader and use it. */
int load_kernel(struct vm *vm, const char *path, struct error *err);

/* Does it want a processor with long mode: a Linux kernel with a 64-bit entry, or an ELF file for x86-64? Looks at its first bytes;
 * false for what cannot be read. */
bool kernel_is_64bit(const char *path);

/* ELF for others (pv's domain builder): a checked view. */
struct elf_segment { u64 vaddr, paddr, filesz, memsz, offset; u32 flags; };
struct elf_note { const char *name; u32 namesz, type, descsz; const u8 *desc; };
struct elf {
    const struct file *file;
    bool is64;
    u16 machine;
    u64 entry;
    unsigned nseg; struct elf_segment seg[64];      /* PT_LOAD, bounds checked against the file */
    unsigned nnote; struct elf_note note[64];       /* of all PT_NOTE and SHT_NOTE, bounds checked */
};
bool elf_match(const struct file *f);
int elf_parse(struct elf *e, const struct file *f, struct error *err);
/* Where it holds code: sections that are executable, or, where there are none, such segments. How many, at most `max`. */
struct elf_code { u64 addr, size; const u8 *bytes; };
unsigned elf_find_code(const struct elf *e, struct elf_code *code, unsigned max);
/* Symbols that are code or data, by address; names are borrowed from the file. *n 0: it was stripped. The array is the caller's to
 * free(); NULL when there is none, or no memory. */
struct elf_symbol { u64 addr, size; const char *name; bool is_data; };
struct elf_symbol *elf_read_symbols(const struct elf *e, unsigned *n);
/* Contents of a section by name, or NULL (the old __xen_guest string). */
const u8 *elf_section(const struct elf *e, const char *name, u64 *size);

#endif
