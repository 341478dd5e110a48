/* SPDX-License-Identifier: MIT */
/* Loaders: what a good image becomes, what goes with it, and the view of ELF that other loaders take. */
#include <zlib.h>

#include "images.h"

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
        { "elf", test_elf }, { "virtual_entry", test_virtual_entry },
        { "bss_is_cleared_on_reset", test_bss_is_cleared_on_reset }, { "multiboot", test_multiboot },
        { "multiboot_elf", test_multiboot_elf }, { "multiboot_in_low_memory", test_multiboot_in_low_memory },
        { "bzimage", test_bzimage }, { "flat", test_flat }, { "boot_sector", test_boot_sector },
        { "gzip", test_gzip }, { "firmware_data", test_firmware_data }, { "companions", test_companions },
        { "files", test_files }, { "elf_notes_and_sections", test_elf_notes_and_sections },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "loaders", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
