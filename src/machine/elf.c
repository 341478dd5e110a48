/* SPDX-License-Identifier: MIT */
/* ELF images (System V ABI, chapters 4 and 5): a checked view of one, and the loader for 32-bit kernels without any other header. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "machine/loaders.h"

static bool in_file(const struct file *f, u64 offset, u64 len) { return offset <= f->size && len <= f->size - offset; }

bool elf_match(const struct file *f) { return f->size >= SELFMAG && memcmp(f->data, ELFMAG, SELFMAG) == 0; }

/* The headers in their 64-bit form, whichever they are in the file. */
struct headers { u64 phoff, shoff; u16 phnum, phentsize, shnum, shentsize, shstrndx; };

#define COPY_EHDR(T)                                                                                                   \
    do {                                                                                                               \
        const T *eh = (const T *)f->data;                                                                              \
        *h = (struct headers){ eh->e_phoff, eh->e_shoff, eh->e_phnum, eh->e_phentsize, eh->e_shnum, eh->e_shentsize, eh->e_shstrndx }; \
        e->machine = eh->e_machine;                                                                                    \
        e->entry = eh->e_entry;                                                                                        \
    } while (0)

static int parse_header(struct elf *e, struct headers *h, struct error *err)
{
    const struct file *f = e->file;
    if (!elf_match(f))
        return error_set(err, "%s: is not an ELF file", f->path);
    if (f->size < sizeof(Elf32_Ehdr) || (f->data[EI_CLASS] == ELFCLASS64 && f->size < sizeof(Elf64_Ehdr)))
        return error_set(err, "%s: is a truncated ELF file", f->path);
    if (f->data[EI_DATA] != ELFDATA2LSB || (f->data[EI_CLASS] != ELFCLASS32 && f->data[EI_CLASS] != ELFCLASS64))
        return error_set(err, "%s: is an ELF file of no x86 machine", f->path);
    e->is64 = f->data[EI_CLASS] == ELFCLASS64;
    if (e->is64)
        COPY_EHDR(Elf64_Ehdr);
    else
        COPY_EHDR(Elf32_Ehdr);
    if (h->phnum && h->phentsize < (e->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
        return error_set(err, "%s: its ELF program headers are damaged", f->path);
    if (!in_file(f, h->phoff, (u64)h->phnum * h->phentsize))
        return error_set(err, "%s: is a truncated ELF file: its program headers are missing", f->path);
    return 0;
}

static Elf64_Phdr read_phdr(const struct elf *e, const struct headers *h, unsigned i)
{
    const u8 *at = e->file->data + h->phoff + (u64)i * h->phentsize;
    Elf64_Phdr p;
    Elf32_Phdr n;
    if (e->is64) {
        memcpy(&p, at, sizeof p);
        return p;
    }
    memcpy(&n, at, sizeof n);
    return (Elf64_Phdr){ n.p_type, n.p_flags, n.p_offset, n.p_vaddr, n.p_paddr, n.p_filesz, n.p_memsz, n.p_align };
}

static Elf64_Shdr read_shdr(const struct elf *e, const struct headers *h, unsigned i)
{
    const u8 *at = e->file->data + h->shoff + (u64)i * h->shentsize;
    Elf64_Shdr s;
    Elf32_Shdr n;
    if (e->is64) {
        memcpy(&s, at, sizeof s);
        return s;
    }
    memcpy(&n, at, sizeof n);
    return (Elf64_Shdr){ n.sh_name, n.sh_type, n.sh_flags, n.sh_addr, n.sh_offset, n.sh_size, n.sh_link, n.sh_info, n.sh_addralign, n.sh_entsize };
}

/* Section headers are not needed to run: if they are not all there, the file counts as having none. */
static unsigned section_count(const struct elf *e, const struct headers *h)
{
    u64 least = e->is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    return h->shentsize >= least && in_file(e->file, h->shoff, (u64)h->shnum * h->shentsize) ? h->shnum : 0;
}

static int add_segment(struct elf *e, const Elf64_Phdr *p, struct error *err)
{
    const struct file *f = e->file;
    if (e->nseg == ARRAY_LEN(e->seg))
        return error_set(err, "%s: has more than %zu ELF segments", f->path, ARRAY_LEN(e->seg));
    if (!in_file(f, p->p_offset, p->p_filesz))
        return error_set(err, "%s: is a truncated ELF file: segment %u reaches beyond its end", f->path, e->nseg);
    if (p->p_filesz > p->p_memsz)
        return error_set(err, "%s: its ELF segment %u is larger in the file than in memory: the image is damaged", f->path, e->nseg);
    e->seg[e->nseg++] = (struct elf_segment){ p->p_vaddr, p->p_paddr, p->p_filesz, p->p_memsz, p->p_offset, p->p_flags };
    return 0;
}

static u64 round4(u64 n) { return (n + 3) & ~(u64)3; }

/* The same note is met in a segment and in its section. */
static bool have_note(const struct elf *e, const u8 *desc)
{
    for (unsigned i = 0; i < e->nnote; i++)
        if (e->note[i].desc == desc)
            return true;
    return false;
}

/* Notes of [offset, offset+len); what is malformed ends the list. A descriptor that is longer than the rest is cut: that of
 * GRUB's Xen image is, and every loader takes it. */
static void add_notes(struct elf *e, u64 offset, u64 len)
{
    if (!in_file(e->file, offset, len))
        return;
    for (u64 end = offset + len; e->nnote < ARRAY_LEN(e->note) && end - offset >= sizeof(Elf32_Nhdr);) {
        Elf32_Nhdr n;
        memcpy(&n, e->file->data + offset, sizeof n);
        u64 name = offset + sizeof n, desc = name + round4(n.n_namesz), next = desc + round4(n.n_descsz);
        if (desc >= end || !n.n_namesz || e->file->data[name + n.n_namesz - 1])
            return;
        if (n.n_descsz > end - desc)
            n.n_descsz = end - desc;
        const u8 *at = e->file->data + desc;
        if (!have_note(e, at))
            e->note[e->nnote++] = (struct elf_note){ (const char *)e->file->data + name, n.n_namesz, n.n_type, n.n_descsz, at };
        offset = next < end ? next : end;
    }
}

int elf_parse(struct elf *e, const struct file *f, struct error *err)
{
    struct headers h;
    *e = (struct elf){ .file = f };
    if (parse_header(e, &h, err))
        return -1;
    for (unsigned i = 0; i < h.phnum; i++) {
        Elf64_Phdr p = read_phdr(e, &h, i);
        if (p.p_type == PT_LOAD && p.p_memsz && add_segment(e, &p, err))
            return -1;
        if (p.p_type == PT_NOTE)
            add_notes(e, p.p_offset, p.p_filesz);
    }
    for (unsigned i = 0, n = section_count(e, &h); i < n; i++) {
        Elf64_Shdr s = read_shdr(e, &h, i);
        if (s.sh_type == SHT_NOTE)
            add_notes(e, s.sh_offset, s.sh_size);
    }
    return 0;
}

/* Is the string at `offset` of the section header string table `name`? */
static bool section_named(const struct elf *e, const Elf64_Shdr *strings, u64 offset, const char *name)
{
    u64 len = strlen(name) + 1;
    return in_file(e->file, strings->sh_offset, strings->sh_size) && offset <= strings->sh_size && len <= strings->sh_size - offset &&
           memcmp(e->file->data + strings->sh_offset + offset, name, len) == 0;
}

const u8 *elf_section(const struct elf *e, const char *name, u64 *size)
{
    struct elf copy = { .file = e->file };
    struct headers h;
    if (parse_header(&copy, &h, NULL))
        return NULL;
    unsigned n = section_count(&copy, &h);
    if (h.shstrndx >= n)
        return NULL;
    Elf64_Shdr strings = read_shdr(&copy, &h, h.shstrndx);
    for (unsigned i = 0; i < n; i++) {
        Elf64_Shdr s = read_shdr(&copy, &h, i);
        if (s.sh_type != SHT_NOBITS && section_named(&copy, &strings, s.sh_name, name) && in_file(e->file, s.sh_offset, s.sh_size)) {
            *size = s.sh_size;
            return e->file->data + s.sh_offset;
        }
    }
    return NULL;
}

/* --- for who reads the code without running it --- */

static bool is_code(const Elf64_Shdr *s) { return s->sh_flags & SHF_EXECINSTR && s->sh_type == SHT_PROGBITS && s->sh_size; }

unsigned elf_find_code(const struct elf *e, struct elf_code *code, unsigned max)
{
    struct elf copy = { .file = e->file };
    struct headers h;
    unsigned n = 0, sections = parse_header(&copy, &h, NULL) ? 0 : section_count(&copy, &h);
    for (unsigned i = 0; i < sections && n < max; i++) {
        Elf64_Shdr s = read_shdr(&copy, &h, i);
        if (is_code(&s) && in_file(e->file, s.sh_offset, s.sh_size))
            code[n++] = (struct elf_code){ s.sh_addr, s.sh_size, e->file->data + s.sh_offset };
    }
    for (unsigned i = 0, found = n; !found && i < e->nseg && n < max; i++)
        if (e->seg[i].flags & PF_X && e->seg[i].filesz)
            code[n++] = (struct elf_code){ e->seg[i].vaddr, e->seg[i].filesz, e->file->data + e->seg[i].offset };
    return n;
}

static Elf64_Sym read_symbol(const struct elf *e, u64 offset)
{
    Elf64_Sym s;
    Elf32_Sym n;
    if (e->is64) {
        memcpy(&s, e->file->data + offset, sizeof s);
        return s;
    }
    memcpy(&n, e->file->data + offset, sizeof n);
    return (Elf64_Sym){ n.st_name, n.st_info, n.st_other, n.st_shndx, n.st_value, n.st_size };
}

/* A name that ends within the table of strings, or NULL. */
static const char *string_at(const struct elf *e, const Elf64_Shdr *strings, u64 at)
{
    if (!in_file(e->file, strings->sh_offset, strings->sh_size) || at >= strings->sh_size)
        return NULL;
    const char *s = (const char *)e->file->data + strings->sh_offset + at;
    return *s && memchr(s, 0, strings->sh_size - at) ? s : NULL;
}

static int by_address(const void *a, const void *b)
{
    const struct elf_symbol *s = a, *t = b;
    return s->addr != t->addr ? (s->addr > t->addr) - (s->addr < t->addr) : strcmp(s->name, t->name);
}

static struct elf_symbol *take_symbols(const struct elf *e, const Elf64_Shdr *table, const Elf64_Shdr *strings, unsigned *n)
{
    u64 size = e->is64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym), count = table->sh_size / size;
    struct elf_symbol *all = in_file(e->file, table->sh_offset, table->sh_size) ? calloc(count + 1, sizeof *all) : NULL;
    for (u64 i = 0; all && i < count; i++) {
        Elf64_Sym s = read_symbol(e, table->sh_offset + i * size);
        unsigned type = ELF64_ST_TYPE(s.st_info);
        const char *name = string_at(e, strings, s.st_name);
        if (name && s.st_shndx != SHN_UNDEF && s.st_shndx != SHN_ABS && type <= STT_FUNC)
            all[(*n)++] = (struct elf_symbol){ s.st_value, s.st_size, name, type == STT_OBJECT };
    }
    if (all)
        qsort(all, *n, sizeof *all, by_address);
    return all;
}

struct elf_symbol *elf_read_symbols(const struct elf *e, unsigned *n)
{
    struct elf copy = { .file = e->file };
    struct headers h;
    unsigned sections = parse_header(&copy, &h, NULL) ? 0 : section_count(&copy, &h);
    *n = 0;
    for (unsigned i = 0; i < sections; i++) {
        Elf64_Shdr table = read_shdr(&copy, &h, i);
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= sections)
            continue;
        Elf64_Shdr strings = read_shdr(&copy, &h, table.sh_link);
        return take_symbols(&copy, &table, &strings, n);
    }
    return NULL;
}

/* Kernels linked for a high half name their entry by its virtual address: the address where it was loaded is meant. */
static u32 physical_entry(const struct elf *e)
{
    for (unsigned i = 0; i < e->nseg; i++)
        if (e->entry >= e->seg[i].vaddr && e->entry - e->seg[i].vaddr < e->seg[i].memsz)
            return e->entry - e->seg[i].vaddr + e->seg[i].paddr;
    return e->entry;
}

int elf_place(struct placer *p, const struct file *f, u32 *entry, struct error *err)
{
    struct elf e;
    if (elf_parse(&e, f, err))
        return -1;
    if (e.is64 || e.machine != EM_386)
        return error_set(err, "%s: is %s; this machine runs 32-bit x86 kernels", f->path, e.is64 ? "a 64-bit kernel" : "for another processor");
    if (!e.nseg)
        return error_set(err, "%s: has nothing to load (a relocatable object? link it first)", f->path);
    for (unsigned i = 0; i < e.nseg; i++) {
        const struct elf_segment *s = &e.seg[i];
        if (place_at(p, "ELF segment", s->paddr, f->data + s->offset, s->filesz, s->memsz, err))
            return -1;
    }
    *entry = physical_entry(&e);
    return 0;
}

static int elf_load(struct vm *vm, const struct file *f, struct error *err)
{
    struct placer p = { .vm = vm, .path = f->path };
    u32 entry;
    if (elf_place(&p, f, &entry, err))
        return -1;
    state_flat32(&vm->vcpu[0]->cpu.state, entry, LOADER_STACK);
    return 0;
}

const struct loader elf_loader = { "elf", "a 32-bit ELF executable, loaded by its physical addresses", elf_match, elf_load };
