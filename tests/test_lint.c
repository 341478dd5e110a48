/* SPDX-License-Identifier: MIT */
/* emu lint: what of a kernel would notice that it is not in ring 0. On images made here, on our guests' two builds, on GNU Mach's two. */
#include <elf.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cpu/decode.h"

/* --- running it --- */

static char output[1 << 20];

static int lint(const char *arguments)
{
    char command[512];
    const char *build = getenv("EMU_BUILD");
    bool san = build && strstr(build, "san");
    snprintf(command, sizeof command, "%s lint %s 2>&1", san ? "build/san/emu" : "./emu", arguments);
    FILE *p = popen(command, "r");
    size_t n = p ? fread(output, 1, sizeof output - 1, p) : 0;
    output[n] = 0;
    int status = p ? pclose(p) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Of the only image: "wrong" or "shows", or -1. */
static json_int_t number(const char *image, const char *key)
{
    char arguments[300];
    snprintf(arguments, sizeof arguments, "-json -all %s", image);
    lint(arguments);
    json_t *all = json_loads(output, 0, NULL);
    json_t *value = json_object_get(json_array_get(all, 0), key);
    json_int_t n = value ? json_integer_value(value) : -1;
    json_decref(all);
    return n;
}

/* --- an image with the sections and symbols that a test wants --- */

struct made { const u8 *code; u32 len; const Elf32_Sym *symbol; u32 symbols; const char *strings; u32 strings_len; };

static char path[] = "/tmp/emu-lint-XXXXXX";

static void make(const struct made *m)
{
    static u8 file[8192];
    memset(file, 0, sizeof file);
    Elf32_Ehdr h = { .e_ident = ELFMAG "\1\1\1", .e_type = ET_EXEC, .e_machine = EM_386, .e_version = 1, .e_ehsize = sizeof h, .e_phoff = 64,
                     .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1 };
    Elf32_Phdr p = { .p_type = PT_LOAD, .p_offset = 4096, .p_vaddr = 0x1000, .p_filesz = m->len, .p_memsz = m->len, .p_flags = PF_R | PF_X };
    Elf32_Shdr s[4] = {
        { 0 }, { .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_addr = 0x1000, .sh_offset = 4096, .sh_size = m->len },
        { .sh_type = SHT_SYMTAB, .sh_offset = 1024, .sh_size = m->symbols * sizeof(Elf32_Sym), .sh_link = 3 },
        { .sh_type = SHT_STRTAB, .sh_offset = 2048, .sh_size = m->strings_len },
    };
    if (m->symbols) {
        h.e_shoff = 512;
        h.e_shentsize = sizeof *s;
        h.e_shnum = 4;
        memcpy(file + 512, s, sizeof s);
        memcpy(file + 1024, m->symbol, m->symbols * sizeof(Elf32_Sym));
        memcpy(file + 2048, m->strings, m->strings_len);
    }
    memcpy(file, &h, sizeof h);
    memcpy(file + 64, &p, sizeof p);
    memcpy(file + 4096, m->code, m->len);
    strcpy(path, "/tmp/emu-lint-XXXXXX");
    int fd = mkstemp(path);
    CHECK_EQ(write(fd, file, sizeof file), sizeof file);
    close(fd);
}

static void test_findings(void)
{
    static const u8 code[] = { 0x90, 0x9d, 0x0f, 0x01, 0x08, 0xfa, 0x0f, 0x01, 0xe0, 0x8e, 0xd8, 0xc3 };
    make(&(struct made){ code, sizeof code });
    CHECK_EQ(lint(path), 1);
    CHECK_CONTAINS(output, "00001001");
    CHECK_CONTAINS(output, "popfd");
    CHECK_CONTAINS(output, "sidt");
    CHECK_CONTAINS(output, "smsw");
    CHECK(!strstr(output, "cli "));     /* it traps */
    CHECK(!strstr(output, "mov "));     /* it works in ring 1 */
    CHECK_CONTAINS(output, "7 instructions in 12 bytes of code (no symbols: data in it is read as code): 3 go wrong in ring 1, 1 only show it (-all lists them)");
    char arguments[64];
    snprintf(arguments, sizeof arguments, "-all %s", path);
    lint(arguments);
    CHECK_CONTAINS(output, "mov ds, ");
    unlink(path);
}

static void test_clean(void)
{
    static const u8 code[] = { 0x90, 0xfa, 0xf4, 0xc3 };
    make(&(struct made){ code, sizeof code });
    CHECK_EQ(lint(path), 0);
    CHECK_CONTAINS(output, "0 go wrong");
    unlink(path);
}

/* Symbols: where data lies, where code begins again, and what it is called. */
static void test_symbols(void)
{
    static const u8 code[] = { 0xc3, 0x9d, 0x9d, 0x9d, 0xb8, 0x9c, 0x9c };
    static const char strings[] = "\0table\0begin\0odd";
    static const Elf32_Sym symbol[] = {
        { 0 },
        { 7, 0x1000, 1, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1 },
        { 1, 0x1001, 3, ELF32_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 1 },  /* three bytes that look like POPF */
        { 13, 0x1005, 0, ELF32_ST_INFO(STB_GLOBAL, STT_NOTYPE), 0, 1 }, /* in the midst of what would be MOV */
        { 9999, 0x1006, 0, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1 }, /* a name beyond the table */
    };
    make(&(struct made){ code, sizeof code, symbol, 5, strings, sizeof strings });
    CHECK_EQ(lint(path), 1);
    CHECK_CONTAINS(output, "2 go wrong");
    CHECK_CONTAINS(output, "odd+0x0");
    CHECK_CONTAINS(output, "odd+0x1");
    CHECK(!strstr(output, "popfd"));
    unlink(path);
}

static void test_json(void)
{
    static const u8 code[] = { 0x9c, 0xc3 };
    make(&(struct made){ code, sizeof code });
    char arguments[64];
    snprintf(arguments, sizeof arguments, "-json %s", path);
    CHECK_EQ(lint(arguments), 1);
    json_t *all = json_loads(output, 0, NULL);
    json_t *finding = json_array_get(json_object_get(json_array_get(all, 0), "findings"), 0);
    if (CHECK(finding)) {
        CHECK_STR(json_string_value(json_object_get(finding, "mnemonic")), "pushf");
        CHECK_STR(json_string_value(json_object_get(finding, "verdict")), "wrong");
        CHECK_EQ(json_integer_value(json_object_get(finding, "address")), 0x1000);
    }
    json_decref(all);
    unlink(path);
}

/* No row of the class is without a reason. */
static void test_every_sensitive_instruction_has_a_reason(void)
{
    static const u8 code[] = { 0x9c, 0x9d, 0x9a, 0, 0, 0, 0, 0, 0, 0xea, 0, 0, 0, 0, 0, 0, 0xca, 0, 0, 0xcb, 0xcd, 0x80, 0xcf, 0x8c, 0xd8, 0x8e, 0xd8,
                               0x06, 0x07, 0xc4, 0x00, 0xc5, 0x00, 0x0f, 0xb2, 0x00, 0x0f, 0xb4, 0x00, 0x0f, 0xb5, 0x00, 0x0f, 0x00, 0xc0,
                               0x0f, 0x00, 0xc8, 0x0f, 0x00, 0xe0, 0x0f, 0x00, 0xe8, 0x0f, 0x02, 0xc0, 0x0f, 0x03, 0xc0, 0x0f, 0x01, 0x00,
                               0x0f, 0x01, 0x08, 0x0f, 0x01, 0xe0 };
    bool seen[MN_COUNT] = { false };
    struct insn i;
    for (u32 at = 0; at < sizeof code; at += i.len) {
        CHECK_EQ(decode_insn(code + at, sizeof code - at, 32, &i), DECODE_OK);
        CHECK_EQ(i.row->class, CLASS_SENSITIVE);
        seen[i.mnemonic] = true;
    }
    for (unsigned r = 0; r < opcode_count; r++)
        if (opcode_rows[r].class == CLASS_SENSITIVE && !seen[opcode_rows[r].mnemonic])
            FAIL("%s is not among the instructions of this test", mnemonic_names[opcode_rows[r].mnemonic]);
    make(&(struct made){ code, sizeof code });
    char arguments[64];
    snprintf(arguments, sizeof arguments, "-all %s", path);
    lint(arguments);
    CHECK(!strstr(output, "is sensitive"));
    unlink(path);
}

static void test_command_line(void)
{
    CHECK_EQ(lint(""), 64);
    CHECK_CONTAINS(output, "emu lint guests/nano");
    CHECK_EQ(lint("--help"), 0);
    CHECK_CONTAINS(output, "Usage: emu lint");
    CHECK_EQ(lint("--frobnicate x"), 64);
    CHECK_EQ(lint("/no/such/kernel"), 64);
    CHECK_EQ(lint("README.md"), 64);
    CHECK_CONTAINS(output, "vmlinux");
    CHECK_EQ(lint("/dev/null"), 64);
}

/* --- real kernels: the port has fewer than the original --- */

static void compare(const char *native, const char *ported)
{
    json_int_t a = number(native, "wrong"), b = number(ported, "wrong");
    check_context("%s %lld, %s %lld", native, (long long)a, ported, (long long)b);
    CHECK(a > 0 && b >= 0 && b < a);
    CHECK(number(native, "shows") > number(ported, "shows"));
    check_context(NULL);
}

static void test_nano(void)
{
    if (access("build/guests/nano.native.elf", R_OK) || access("build/guests/nano.xen.elf", R_OK))
        SKIP("build/guests has no nano; run make guests");
    compare("build/guests/nano.native.elf", "build/guests/nano.xen.elf");
    CHECK_EQ(lint("guests/nano"), 1);
    CHECK_CONTAINS(output, "nano.native.elf");
    CHECK_CONTAINS(output, "nano.xen.elf");
    CHECK_CONTAINS(output, "user_run+0x");
}

static void test_gnu_mach(void)
{
    if (system("tools/fetch-guests gnumach gnumach-xen") != 0)
        SKIP("GNU Mach cannot be had (tools/fetch-guests gnumach gnumach-xen)");
    compare("guests/real/gnumach", "guests/real/gnumach-xen");
    CHECK_EQ(lint("guests/real/gnumach"), 1);
    CHECK_CONTAINS(output, "sldt");
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "findings", test_findings },
        { "clean", test_clean },
        { "symbols", test_symbols },
        { "json", test_json },
        { "every-sensitive-instruction-has-a-reason", test_every_sensitive_instruction_has_a_reason },
        { "command-line", test_command_line },
        { "nano", test_nano },
        { "gnu-mach", test_gnu_mach },
        { NULL, NULL },
    };
    return check_main(argc, argv, "lint", tests);
}
