/* SPDX-License-Identifier: MIT */
/* Every bad image is refused, in one line that says why; damaged at random, it is loaded or refused, and nothing breaks. */
#include "images.h"

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
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "hostile_images", test_hostile_images }, { "random_damage", test_random_damage },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "loaders_hostile", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
