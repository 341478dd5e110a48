/* SPDX-License-Identifier: MIT */
/* Loaders: what a good image becomes, and that every bad one is refused in one line that says why. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "machine/bare.h"
#include "machine/loader.h"

#define MIB (1u << 20)
#define RAM (8 * MIB)

/* --- images made by hand --- */

struct image { u8 data[32768]; u32 size; };

static void put(struct image *i, u32 offset, unsigned size, u64 value) { memcpy(i->data + offset, &value, size); }

enum { ELF_DATA = 0x400, ELF_ENTRY = 0x100004 };

static Elf32_Ehdr *ehdr(struct image *i) { return (Elf32_Ehdr *)i->data; }
static Elf32_Phdr *phdr(struct image *i, int n) { return (Elf32_Phdr *)(i->data + sizeof(Elf32_Ehdr)) + n; }

static void make_elf(struct image *i)
{
    *i = (struct image){ .size = 0x1000 };
    *ehdr(i) = (Elf32_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 }, .e_type = ET_EXEC, .e_machine = EM_386, .e_version = 1,
                             .e_entry = ELF_ENTRY, .e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr),
                             .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1 };
    *phdr(i, 0) = (Elf32_Phdr){ PT_LOAD, ELF_DATA, 0xc0100000, 0x100000, 0x100, 0x1000, PF_R | PF_X, 0x1000 };
    memset(i->data + ELF_DATA, 0x90, 0x100);
}

enum { MB_AT = 0x20 };
static void set_header(struct image *i, u32 at, u32 flags)
{
    put(i, at, 4, 0x1badb002);
    put(i, at + 4, 4, flags);
    put(i, at + 8, 4, -(0x1badb002 + flags));
}

/* Multiboot with addresses in its header: the image is loaded at 1 MiB, bss up to 1 MiB + 4000h. */
static void make_multiboot(struct image *i)
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

static void make_multiboot_elf(struct image *i)
{
    make_elf(i);
    set_header(i, ELF_DATA + 0x20, 3);
}

enum { BZ_SETUP = 5 * 512 };
static void make_bzimage(struct image *i)
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

static void make_flat(struct image *i)
{
    *i = (struct image){ .size = 700 };
    memset(i->data, 0x90, i->size);
}

static void make_boot_sector(struct image *i)
{
    *i = (struct image){ .size = 512 };
    put(i, 510, 2, 0xaa55);
}

/* --- loading --- */

static char folder[] = "/tmp/emu-test-XXXXXX";

static const char *file_at(char path[64], const char *name)
{
    snprintf(path, 64, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[64];
    FILE *f = fopen(file_at(path, name), "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

static struct vm *load_with(const struct image *i, struct vm_config *c, struct error *err)
{
    static char path[64]; /* the vm borrows it */
    write_file("kernel", i->data, i->size);
    c->engine = &bare_engine;
    c->kernel = file_at(path, "kernel");
    return vm_new(c, err);
}

static struct vm *load(const struct image *i, struct error *err)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.ram_size = RAM;
    return load_with(i, &c, err);
}

static const struct cpu_state *state_of(const struct vm *vm) { return &vm->vcpu[0]->cpu.state; }
static u64 mem(struct vm *vm, gpa_t gpa, unsigned size) { return physmap_load(&vm->map, gpa, size); }

static struct vm *must_load(const struct image *i)
{
    struct error err = { "" };
    struct vm *vm = load(i, &err);
    if (!vm)
        FAIL("refused: %s", err.text);
    return vm;
}

/* --- what good images become --- */

static void test_elf(void)
{
    struct image i;
    make_elf(&i);
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    CHECK_EQ(state_of(vm)->rip, ELF_ENTRY);
    CHECK_EQ(state_code_bits(state_of(vm)), 32);
    CHECK_EQ(state_cpl(state_of(vm)), 0);
    CHECK_EQ(state_of(vm)->rflags & FLAG_IF, 0);
    CHECK_EQ(mem(vm, 0x100000, 4), 0x90909090);
    CHECK_EQ(mem(vm, 0x1000fc, 4), 0x90909090);
    CHECK_EQ(mem(vm, 0x100100, 4), 0);
    vm_free(vm);
}

/* A kernel linked at 3 GiB and loaded low is entered where it was loaded, not where it was linked. */
static void test_virtual_entry(void)
{
    struct image i;
    make_elf(&i);
    ehdr(&i)->e_entry = 0xc0100004;
    struct vm *vm = must_load(&i);
    if (vm)
        CHECK_EQ(state_of(vm)->rip, ELF_ENTRY);
    vm_free(vm);
}

/* Bss is zero also where memory held something: as after a reboot. */
static void test_bss_is_cleared_on_reset(void)
{
    struct image i;
    make_elf(&i);
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    physmap_store(&vm->map, 0x100800, 4, 0x12345678);
    physmap_store(&vm->map, 0x100000, 4, 0x12345678);
    vm_reset(vm);
    CHECK_EQ(mem(vm, 0x100800, 4), 0);
    CHECK_EQ(mem(vm, 0x100000, 4), 0x90909090);
    CHECK_EQ(state_of(vm)->rip, ELF_ENTRY);
    vm_free(vm);
}

static void check_string(struct vm *vm, u32 gpa, const char *expected)
{
    char text[128] = "";
    physmap_read(&vm->map, gpa, text, sizeof text - 1);
    CHECK_STR(text, expected);
}

static void check_multiboot_info(struct vm *vm, u32 info)
{
    CHECK_EQ(mem(vm, info, 4), 0x24d); /* memory, cmdline, modules, mmap, name */
    CHECK_EQ(mem(vm, info + 4, 4), 639);
    CHECK_EQ(mem(vm, info + 8, 4), RAM / 1024 - 1024);
    check_string(vm, mem(vm, info + 16, 4), "kernel console=com0 x");
    check_string(vm, mem(vm, info + 64, 4), "emu");
    u32 map = mem(vm, info + 48, 4), end = map + mem(vm, info + 44, 4);
    u64 usable = 0;
    for (; map < end; map += mem(vm, map, 4) + 4)
        if (mem(vm, map + 20, 4) == 1)
            usable += mem(vm, map + 12, 8);
    CHECK_EQ(usable, RAM - MIB + 0x9fc00);
}

static void check_modules(struct vm *vm, u32 info)
{
    char path[64], expected[100];
    CHECK_EQ(mem(vm, info + 20, 4), 2);
    u32 mods = mem(vm, info + 24, 4), first = mem(vm, mods, 4), second = mem(vm, mods + 16, 4);
    CHECK_EQ(first % 4096, 0);
    CHECK_EQ(second % 4096, 0);
    CHECK(first >= 0x104000);
    CHECK(second >= mem(vm, mods + 4, 4));
    CHECK_EQ(mem(vm, mods + 4, 4) - first, 5000);
    CHECK_EQ(mem(vm, mods + 20, 4) - second, 3);
    CHECK_EQ(mem(vm, second, 3), 0x636261);
    snprintf(expected, sizeof expected, "%s --arg one", file_at(path, "module1"));
    check_string(vm, mem(vm, mods + 8, 4), expected);
}

static void test_multiboot(void)
{
    static const u8 big[5000] = { 1 };
    struct image i;
    struct vm_config c;
    struct error err = { "" };
    char path1[64], path2[64], module1[100];
    make_multiboot(&i);
    vm_config_defaults(&c);
    write_file("module1", big, sizeof big);
    write_file("module2", "abc", 3);
    snprintf(module1, sizeof module1, "%s --arg one", file_at(path1, "module1"));
    c.ram_size = RAM;
    c.append = "console=com0 x";
    c.module[c.nmodules++] = module1;
    c.module[c.nmodules++] = file_at(path2, "module2");
    struct vm *vm = load_with(&i, &c, &err);
    if (!vm) {
        FAIL("refused: %s", err.text);
        return;
    }
    const struct cpu_state *s = state_of(vm);
    CHECK_EQ(s->gpr[RAX], 0x2badb002);
    CHECK_EQ(s->rip, 0x100040);
    CHECK_EQ(s->cr0 & (CR0_PE | CR0_PG), CR0_PE);
    CHECK_EQ(mem(vm, 0x100000 + MB_AT, 4), 0x1badb002);
    check_multiboot_info(vm, s->gpr[RBX]);
    check_modules(vm, s->gpr[RBX]);
    vm_free(vm);
}

static void test_multiboot_elf(void)
{
    struct image i;
    make_multiboot_elf(&i);
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    CHECK_EQ(state_of(vm)->gpr[RAX], 0x2badb002);
    CHECK_EQ(state_of(vm)->rip, ELF_ENTRY);
    vm_free(vm);
}

/* A kernel that fills low memory pushes the boot information up, rather than being overwritten. */
static void test_multiboot_in_low_memory(void)
{
    struct image i;
    make_multiboot_elf(&i);
    phdr(&i, 0)->p_paddr = 0x8000;
    phdr(&i, 0)->p_memsz = 0x90000;
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    CHECK(state_of(vm)->gpr[RBX] >= 0x98000);
    vm_free(vm);
}

static void check_boot_params(struct vm *vm, u32 bp)
{
    CHECK_EQ(mem(vm, bp + 0x202, 4), 0x53726448);
    CHECK_EQ(mem(vm, bp + 0x210, 1), 0xff);
    check_string(vm, mem(vm, bp + 0x228, 4), "quiet");
    CHECK_EQ(mem(vm, bp + 6, 1), 3);
    CHECK_EQ(mem(vm, bp + 7, 1), 80);
    CHECK_EQ(mem(vm, bp + 0xe, 1), 25);
    CHECK_EQ(mem(vm, bp + 0xf, 1), 1);
    CHECK_EQ(mem(vm, bp + 0x1e8, 1), 4);
    CHECK_EQ(mem(vm, bp + 0x2d0 + 3 * 20, 8), MIB);
    CHECK_EQ(mem(vm, bp + 0x2d0 + 3 * 20 + 8, 8), RAM - MIB);
    u32 initrd = mem(vm, bp + 0x218, 4);
    CHECK_EQ(mem(vm, bp + 0x21c, 4), 6);
    CHECK_EQ(initrd % 4096, 0);
    CHECK(initrd + 6 <= 0x7fefff + 1);
    CHECK(initrd >= 0x300000);
    check_string(vm, initrd, "initrd");
}

static void test_bzimage(void)
{
    struct image i;
    struct vm_config c;
    struct error err = { "" };
    char path[64];
    make_bzimage(&i);
    vm_config_defaults(&c);
    write_file("initrd", "initrd", 6);
    c.ram_size = RAM;
    c.append = "quiet";
    c.initrd = file_at(path, "initrd");
    struct vm *vm = load_with(&i, &c, &err);
    if (!vm) {
        FAIL("refused: %s", err.text);
        return;
    }
    const struct cpu_state *s = state_of(vm);
    CHECK_EQ(s->rip, 0x100000);
    CHECK_EQ(s->seg[CS].selector, 0x10);
    CHECK_EQ(s->seg[DS].selector, 0x18);
    CHECK_EQ(mem(vm, s->gdtr.base + 0x10, 8), 0x00cf9b000000ffff);
    CHECK_EQ(mem(vm, 0x100000, 4), 0x90909090);
    check_boot_params(vm, s->gpr[RSI]);
    vm_free(vm);
}

static void test_flat(void)
{
    struct image i;
    make_flat(&i);
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    CHECK_EQ(state_of(vm)->rip, 0x100000);
    CHECK_EQ(state_code_bits(state_of(vm)), 32);
    CHECK_EQ(mem(vm, 0x100000 + 696, 4), 0x90909090);
    vm_free(vm);
}

static void test_boot_sector(void)
{
    struct image i;
    make_boot_sector(&i);
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    CHECK_EQ(state_of(vm)->rip, 0x7c00);
    CHECK_EQ(state_of(vm)->seg[CS].base, 0);
    CHECK(state_real(state_of(vm)));
    CHECK_EQ(mem(vm, 0x7dfe, 2), 0xaa55);
    vm_free(vm);
}

static void test_gzip(void)
{
    struct image i, zipped = { .size = sizeof zipped.data };
    make_elf(&i);
    z_stream z = { .next_in = i.data, .avail_in = i.size, .next_out = zipped.data, .avail_out = sizeof zipped.data };
    deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    zipped.size = z.total_out;
    deflateEnd(&z);
    struct vm *vm = must_load(&zipped);
    if (vm)
        CHECK_EQ(state_of(vm)->rip, ELF_ENTRY);
    vm_free(vm);

    struct error err = { "" };
    zipped.size -= 20;
    CHECK(!load(&zipped, &err));
    CHECK_CONTAINS(err.text, "damaged or truncated gzip");
}

static void test_firmware_data(void)
{
    struct image i;
    make_flat(&i);
    struct vm *vm = must_load(&i);
    if (!vm)
        return;
    CHECK_EQ(mem(vm, 0x400, 2), 0x3f8);
    CHECK_EQ(mem(vm, 0x413, 2), 639);
    CHECK_EQ(mem(vm, 0x40e, 2), 0x9fc0);
    CHECK_EQ(mem(vm, 0x44a, 2), 80);
    vm_free(vm);
}

/* --- hostile images --- */

static void elf_cut(struct image *i) { i->size = 20; }
static void elf_no_phdrs(struct image *i) { ehdr(i)->e_phoff = 0xfffffff0; }
static void elf_small_phdrs(struct image *i) { ehdr(i)->e_phentsize = 8; }
static void elf_beyond(struct image *i) { phdr(i, 0)->p_offset = 0xf01; }
static void elf_wrap(struct image *i) { phdr(i, 0)->p_offset = 0xffffff80; }
static void elf_file_larger(struct image *i) { phdr(i, 0)->p_memsz = 0xff; }
static void elf_hole(struct image *i) { phdr(i, 0)->p_paddr = 0xa0000; }
static void elf_into_hole(struct image *i) { phdr(i, 0)->p_paddr = 0x9fff0; }
static void elf_above(struct image *i) { phdr(i, 0)->p_paddr = RAM - 0xfff; }
static void elf_top(struct image *i) { phdr(i, 0)->p_paddr = 0xffffff00; }
static void elf_huge(struct image *i) { phdr(i, 0)->p_memsz = 0xffffffff; }
static void elf_overlap(struct image *i)
{
    ehdr(i)->e_phnum = 2;
    *phdr(i, 1) = *phdr(i, 0);
    phdr(i, 1)->p_paddr += 0xfff;
}
static void elf_many(struct image *i)
{
    ehdr(i)->e_phnum = 100;
    i->size = sizeof i->data;
    for (int n = 1; n < 100; n++)
        *phdr(i, n) = (Elf32_Phdr){ PT_LOAD, 0, 0, 0x200000 + n * 0x1000, 16, 16 };
}
static void elf_64(struct image *i)
{
    Elf64_Ehdr e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 }, .e_machine = EM_X86_64 };
    memcpy(i->data, &e, sizeof e);
}
static void elf_arm(struct image *i) { ehdr(i)->e_machine = EM_ARM; }
static void elf_object(struct image *i) { ehdr(i)->e_phnum = 0; }
static void elf_msb(struct image *i) { i->data[EI_DATA] = ELFDATA2MSB; }

static void mb_flags(struct image *i) { set_header(i, MB_AT, 0x10008); }
static void mb_load_above(struct image *i) { put(i, MB_AT + 16, 4, 0x100000 + MB_AT + 1); }
static void mb_before(struct image *i) { put(i, MB_AT + 16, 4, 0xff000); }
static void mb_cut(struct image *i) { put(i, MB_AT + 20, 4, 0x101001); }
static void mb_end_low(struct image *i) { put(i, MB_AT + 20, 4, 0xfffff); }
static void mb_bss_low(struct image *i) { put(i, MB_AT + 24, 4, 0x100fff); }
static void mb_bss_huge(struct image *i) { put(i, MB_AT + 24, 4, 0xffffffff); }
static void mb_top(struct image *i)
{
    put(i, MB_AT + 12, 4, 0xfffff000 + MB_AT);
    put(i, MB_AT + 16, 4, 0xfffff000);
    put(i, MB_AT + 20, 4, 0);
    put(i, MB_AT + 24, 4, 0);
}
static void mb_header_cut(struct image *i)
{
    i->size = MB_AT + 12;
    set_header(i, MB_AT, 3);
}

static void bz_old(struct image *i) { put(i, 0x206, 2, 0x201); }
static void bz_low(struct image *i) { put(i, 0x211, 1, 0); }
static void bz_cut(struct image *i) { put(i, 0x1f1, 1, 255); }
static void bz_top(struct image *i)
{
    put(i, 0x206, 2, 0x205);
    put(i, 0x214, 4, 0xfffffff0);
}
static void bz_low_memory(struct image *i)
{
    put(i, 0x206, 2, 0x205);
    put(i, 0x214, 4, 0x10800);
}
static void bz_large(struct image *i) { put(i, 0x260, 4, 0xffffffff); }
static void flat_disk(struct image *i)
{
    i->size = 1024;
    put(i, 510, 2, 0xaa55);
}

static const struct { const char *name; void (*make)(struct image *i), (*spoil)(struct image *i); const char *says; } hostile[] = {
    { "elf: cut in the header", make_elf, elf_cut, "truncated" },
    { "elf: program headers outside", make_elf, elf_no_phdrs, "program headers are missing" },
    { "elf: program headers too small", make_elf, elf_small_phdrs, "program headers are damaged" },
    { "elf: segment beyond the file", make_elf, elf_beyond, "beyond its end" },
    { "elf: segment offset wraps", make_elf, elf_wrap, "beyond its end" },
    { "elf: larger in the file", make_elf, elf_file_larger, "damaged" },
    { "elf: in the VGA hole", make_elf, elf_hole, "does not fit" },
    { "elf: into the VGA hole", make_elf, elf_into_hole, "does not fit" },
    { "elf: above memory", make_elf, elf_above, "larger -m" },
    { "elf: at the top of 4 GiB", make_elf, elf_top, "does not fit" },
    { "elf: bss of 4 GiB", make_elf, elf_huge, "does not fit" },
    { "elf: segments overlap", make_elf, elf_overlap, "would overwrite" },
    { "elf: too many segments", make_elf, elf_many, "more than 64" },
    { "elf: 64-bit", make_elf, elf_64, "64-bit kernel" },
    { "elf: for ARM", make_elf, elf_arm, "another processor" },
    { "elf: an object", make_elf, elf_object, "nothing to load" },
    { "elf: big-endian", make_elf, elf_msb, "no x86 machine" },
    { "multiboot: unknown requirement", make_multiboot, mb_flags, "no loader knows" },
    { "multiboot: loads from behind the header", make_multiboot, mb_load_above, "not in the file" },
    { "multiboot: loads from before the file", make_multiboot, mb_before, "not in the file" },
    { "multiboot: data beyond the file", make_multiboot, mb_cut, "truncated" },
    { "multiboot: data ends before it begins", make_multiboot, mb_end_low, "truncated" },
    { "multiboot: bss ends inside the data", make_multiboot, mb_bss_low, "bss before the data" },
    { "multiboot: bss of 4 GiB", make_multiboot, mb_bss_huge, "does not fit" },
    { "multiboot: at the top of 4 GiB", make_multiboot, mb_top, "does not fit" },
    { "multiboot: neither ELF nor addresses", make_multiboot, mb_header_cut, "not an ELF" },
    { "linux: protocol 2.01", make_bzimage, bz_old, "before 2.4" },
    { "linux: zImage", make_bzimage, bz_low, "before 2.4" },
    { "linux: only set-up code", make_bzimage, bz_cut, "truncated" },
    { "linux: at the top of 4 GiB", make_bzimage, bz_top, "has 8" },
    { "linux: over the boot parameters", make_bzimage, bz_low_memory, "would overwrite" },
    { "linux: unpacks to 4 GiB", make_bzimage, bz_large, "try -m" },
    { "flat: a disk image", make_flat, flat_disk, "disk image" },
};

static void test_hostile_images(void)
{
    for (unsigned n = 0; n < ARRAY_LEN(hostile); n++) {
        struct image i;
        struct error err = { "" };
        check_context("%s", hostile[n].name);
        hostile[n].make(&i);
        hostile[n].spoil(&i);
        struct vm *vm = load(&i, &err);
        if (CHECK(!vm)) {
            CHECK_CONTAINS(err.text, hostile[n].says);
            CHECK_CONTAINS(err.text, "kernel: ");
            CHECK(!strchr(err.text, '\n'));
        }
        vm_free(vm);
    }
}

/* Flip bytes of good images: whatever comes out is loaded or refused, and nothing breaks. */
static void test_random_damage(void)
{
    static void (*const make[])(struct image *i) = { make_elf, make_multiboot, make_multiboot_elf, make_bzimage };
    static const u32 interesting[] = { 0x120, MB_AT + 32, ELF_DATA + 0x40, 0x270 };
    u64 random = check_seed();
    char path[64];
    struct image i;
    make_flat(&i);
    struct vm *vm = must_load(&i);
    for (unsigned n = 0; vm && n < 2000; n++) {
        struct error err = { "" };
        make[n % 4](&i);
        for (int flips = 1 + check_random(&random) % 4; flips; flips--)
            i.data[check_random(&random) % interesting[n % 4]] = check_random(&random);
        if (check_random(&random) % 4 == 0)
            i.size = 1 + check_random(&random) % i.size;
        write_file("kernel", i.data, i.size);
        cpu_reset(&vm->vcpu[0]->cpu);
        if (load_kernel(vm, file_at(path, "kernel"), &err))
            CHECK(err.text[0] && !strchr(err.text, '\n'));
    }
    vm_free(vm);
}

/* --- what goes with an image --- */

static void check_refused(const struct image *i, struct vm_config *c, const char *says)
{
    struct error err = { "" };
    struct vm *vm = load_with(i, c, &err);
    check_context("expecting: %s", says);
    CHECK(!vm);
    CHECK_CONTAINS(err.text, says);
    vm_free(vm);
}

static void test_companions(void)
{
    struct image multiboot, linux_image;
    struct vm_config plain, c;
    char path[64], large[64];
    u8 *bytes = calloc(1, RAM);
    make_multiboot(&multiboot);
    make_bzimage(&linux_image);
    write_file("large", bytes, RAM);
    file_at(large, "large");
    vm_config_defaults(&plain);
    plain.ram_size = RAM;

    c = plain, c.module[c.nmodules++] = file_at(path, "missing");
    check_refused(&multiboot, &c, "missing: No such file");
    c = plain, c.module[c.nmodules++] = large;
    check_refused(&multiboot, &c, "module (8192 KiB");
    c = plain, c.initrd = large;
    check_refused(&linux_image, &c, "initrd (8192 KiB");
    c = plain, c.initrd = file_at(path, "missing");
    check_refused(&linux_image, &c, "missing: No such file");
    c = plain, c.append = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789+";
    check_refused(&linux_image, &c, "at most 100");
    c = plain, c.ram_size = 2 * MIB;
    check_refused(&linux_image, &c, "try -m 6");
    free(bytes);
}

static void check_file(const char *path, const char *says)
{
    struct file f;
    struct error err = { "" };
    check_context("%s", path);
    CHECK(file_load(&f, path, &err) == -1);
    CHECK_CONTAINS(err.text, says);
}

static void test_files(void)
{
    char path[64];
    write_file("empty", "", 0);
    check_file(file_at(path, "nowhere"), "No such file");
    check_file(file_at(path, "empty"), "is empty");
    check_file(folder, "is a directory");
    check_file("/dev/zero", "not a regular file");
}

/* --- the view that other loaders take --- */

static void test_elf_notes_and_sections(void)
{
    struct image i;
    struct file f = { i.data, 0, "notes" };
    struct elf e;
    struct error err;
    u64 size = 0;
    make_elf(&i);
    ehdr(&i)->e_phnum = 2;
    *phdr(&i, 1) = (Elf32_Phdr){ PT_NOTE, 0x600, 0, 0, 40, 40 };
    memcpy(i.data + 0x600, &(u32[]){ 4, 4, 5, 0x6e6558, 0xc0000000, 4, 400, 6, 0x6e6558, 0 }, 40); /* the second one is longer than the rest */
    ehdr(&i)->e_shoff = 0x700;
    ehdr(&i)->e_shentsize = sizeof(Elf32_Shdr);
    ehdr(&i)->e_shnum = 3;
    ehdr(&i)->e_shstrndx = 1;
    Elf32_Shdr *s = (Elf32_Shdr *)(i.data + 0x700);
    s[1] = (Elf32_Shdr){ .sh_name = 20, .sh_type = SHT_STRTAB, .sh_offset = 0x900, .sh_size = 12 };
    s[2] = (Elf32_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = 0x980, .sh_size = 7 };
    memcpy(i.data + 0x900, "\0__xen_guest", 12);
    f.size = i.size;
    CHECK(elf_parse(&e, &f, &err) == 0);
    CHECK_EQ(e.nseg, 1);
    CHECK_EQ(e.seg[0].vaddr, 0xc0100000);
    CHECK_EQ(e.nnote, 2);
    CHECK_EQ(e.note[1].descsz, 4); /* cut */
    CHECK_STR(e.note[0].name, "Xen");
    CHECK_EQ(e.note[0].type, 5);
    CHECK(elf_section(&e, "__xen_guest", &size) == NULL); /* the string table ends before the name does */
    s[1].sh_size = 13;
    CHECK(elf_section(&e, "__xen_guest", &size) == i.data + 0x980);
    CHECK_EQ(size, 7);
    i.data[0x600 + 20] = 200; /* a name beyond the end */
    CHECK(elf_parse(&e, &f, &err) == 0);
    CHECK_EQ(e.nnote, 1);
    s[2].sh_offset = i.size - 6;
    CHECK(elf_section(&e, "__xen_guest", &size) == NULL);
    CHECK(elf_section(&e, ".nothing", &size) == NULL);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "elf", test_elf },
        { "virtual_entry", test_virtual_entry },
        { "bss_is_cleared_on_reset", test_bss_is_cleared_on_reset },
        { "multiboot", test_multiboot },
        { "multiboot_elf", test_multiboot_elf },
        { "multiboot_in_low_memory", test_multiboot_in_low_memory },
        { "bzimage", test_bzimage },
        { "flat", test_flat },
        { "boot_sector", test_boot_sector },
        { "gzip", test_gzip },
        { "firmware_data", test_firmware_data },
        { "hostile_images", test_hostile_images },
        { "random_damage", test_random_damage },
        { "companions", test_companions },
        { "files", test_files },
        { "elf_notes_and_sections", test_elf_notes_and_sections },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "loaders", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
