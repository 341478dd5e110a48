/* SPDX-License-Identifier: MIT */
/* The decoder against itself: random bytes, cut anywhere; the opcode table against its own rows and against what was published; single instructions. */
#include "check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/decode.h"
#include "decoding.h"
#include "encode.h"

/* --- Random bytes --- */

static const unsigned all_bits[] = { 16, 32, 64 };

/* Bytes that mostly are instructions: now and then prefixes and two-byte opcodes. */
static void random_bytes(u64 *seed, u8 *b, size_t n)
{
    static const u8 favourites[] = {
        0x0f, 0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x48, 0x45, 0x64, 0x0f, 0x0f, 0x38, 0xd9, 0x80
    };
    for (size_t i = 0; i < n; i++) {
        u64 r = check_random(seed);
        b[i] = r >> 8 & 3 ? r & 0xff : favourites[(r >> 16) % ARRAY_LEN(favourites)];
    }
}

/* end is followed by an inaccessible page: with n bytes before it, a decoder that reads on dies. */
static void check_cuts(const u8 *b, u8 *end, unsigned bits)
{
    struct insn whole, cut;
    memcpy(end - 16, b, 16);
    enum decode_status st = decode_insn(end - 16, 16, bits, &whole);
    if (st == DECODE_TOO_LONG)
        CHECK(whole.len == INSN_MAX);
    for (unsigned n = 0; n <= 16; n++) {
        memcpy(end - n, b, n);
        enum decode_status got = decode_insn(end - n, n, bits, &cut);
        enum decode_status want = n < whole.len || (st == DECODE_TOO_LONG && n < INSN_MAX) ? DECODE_SHORT : st;
        if (got != want || cut.len > n || (got == DECODE_OK && (cut.len != whole.len || cut.row != whole.row))) {
            FAIL("%02x %02x %02x %02x %02x %02x cut to %u of %u, %u-bit: status %d, not %d", b[0], b[1], b[2], b[3],
                 b[4], b[5], n, whole.len, bits, got, want);
            return;
        }
    }
}

static void test_cuts(void)
{
    u64 seed = check_seed();
    u8 b[16], *map = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mprotect(map + PAGE_SIZE, PAGE_SIZE, PROT_NONE) == 0);
    for (unsigned n = 0; n < 60000; n++) {
        random_bytes(&seed, b, sizeof b);
        check_cuts(b, map + PAGE_SIZE, all_bits[n % 3]);
    }
    munmap(map, 2 * PAGE_SIZE);
}

/* --- The table --- */

/* Rows that only the 64-bit mode has, or that need a REX prefix. */
static bool row_exists_in(const struct opcode *o, unsigned bits)
{
    bool only64 = o->attr & OPATTR_ONLY64 || strstr(o->encoding, "REX.");
    return bits == 64 ? !(o->attr & OPATTR_NO64) : !only64;
}

static bool row_finds_itself(const struct opcode *o, unsigned bits)
{
    u8 bytes[INSN_MAX];
    struct insn i;
    bool found = false;
    for (unsigned n = 0; n < 8 * 8 * 2; n++) {
        encode_row(o, n & 7, n >> 3 & 7, n >> 6 ? 3 : 0, bytes);
        if (decode_insn(bytes, sizeof bytes, bits, &i) == DECODE_OK && i.row == o) {
            found = true;
            check_offsets(&i);
        }
    }
    return found;
}

static void test_rows(void)
{
    for (unsigned r = 0; r < opcode_count; r++)
        for (unsigned b = 0; b < ARRAY_LEN(all_bits); b++)
            if (row_exists_in(&opcode_rows[r], all_bits[b]) != row_finds_itself(&opcode_rows[r], all_bits[b]))
                FAIL("row %s %s in %u-bit mode", opcode_rows[r].encoding, mnemonic_names[opcode_rows[r].mnemonic],
                     all_bits[b]);
}

static void test_mnemonics(void)
{
    static bool used[MN_COUNT];
    for (unsigned r = 0; r < opcode_count; r++)
        used[opcode_rows[r].mnemonic] = true;
    for (unsigned m = MN_INVALID + 1; m < MN_COUNT; m++)
        if (!used[m])
            FAIL("no row for %s", mnemonic_names[m]);
    CHECK_EQ(MN_JG - MN_JO, 15);
    CHECK_EQ(MN_SETG - MN_SETO, 15);
    CHECK_EQ(MN_CMOVG - MN_CMOVO, 15);
}

/* A flag is never both written and undefined. */
static void test_flags(void)
{
    for (unsigned r = 0; r < opcode_count; r++)
        if (opcode_rows[r].flags_written & opcode_rows[r].flags_undefined)
            FAIL("flags of row %s", opcode_rows[r].encoding);
}

/* Robin and Irvine's list, with IRET as a return and LDS..LSS as moves to segment registers. */
static void test_sensitive(void)
{
    static const u16 list[] = {
        MN_SGDT, MN_SIDT, MN_SLDT, MN_SMSW,      MN_STR,      MN_PUSHF,    MN_POPF, MN_LAR,
        MN_LSL,  MN_VERR, MN_VERW, MN_PUSH_SREG, MN_POP_SREG, MN_MOV_SREG, MN_LDS,  MN_LES,
        MN_LFS,  MN_LGS,  MN_LSS,  MN_CALLF,     MN_JMPF,     MN_RETF,     MN_INT,  MN_IRET,
    };
    for (unsigned r = 0; r < opcode_count; r++) {
        bool listed = false;
        for (unsigned k = 0; k < ARRAY_LEN(list); k++)
            listed |= opcode_rows[r].mnemonic == list[k];
        if (listed != (opcode_rows[r].class == CLASS_SENSITIVE))
            FAIL("class of row %s %s", opcode_rows[r].encoding, mnemonic_names[opcode_rows[r].mnemonic]);
    }
}

/* --- Single instructions --- */

static struct insn decode(const char *hex, unsigned bits)
{
    u8 b[INSN_MAX];
    unsigned n = 0;
    struct insn i;
    for (; *hex; hex += 2 + (hex[2] == ' '))
        b[n++] = strtoul((char[3]){ hex[0], hex[1] }, NULL, 16);
    check_context("%s", hex);
    CHECK_EQ(decode_insn(b, n, bits, &i), DECODE_OK);
    CHECK_EQ(i.len, n);
    return i;
}

static void test_fields(void)
{
    struct insn i = decode("64 8b 44 88 f0", 32); /* mov eax, fs:[eax + ecx*4 - 16] */
    CHECK(i.mem.seg == FS && i.mem.base == RAX && i.mem.index == RCX && i.mem.scale == 4 && i.mem.disp == -16);
    CHECK(i.opcode_off == 1 && i.modrm_off == 2 && i.sib_off == 3 && i.disp_off == 4 && i.disp_size == 1 &&
          i.imm_size == 0);
    i = decode("66 c7 46 02 34 12", 32); /* mov word [esi + 2], 0x1234 */
    CHECK(i.opsize == 2 && i.op[0].size == 2 && i.imm == 0x1234 && i.imm_off == 4 && i.imm_size == 2);
    i = decode("83 c4 f0", 32); /* add esp, -16 */
    CHECK(i.imm == (u64)-16 && i.imm_size == 1 && i.op[1].size == 4);
    i = decode("88 e0", 32); /* mov al, ah */
    CHECK(i.op[1].high8 && i.op[1].reg == RAX && i.opsize == 1);
    i = decode("40 88 e0", 64); /* mov al, spl */
    CHECK(!i.op[1].high8 && i.op[1].reg == RSP);
    i = decode("8b 05 10 00 00 00", 64); /* mov eax, [rip + 16] */
    CHECK(i.mem.base == -2 && i.mem.disp == 16 && i.adsize == 8);
    i = decode("49 b8 88 77 66 55 44 33 22 11", 64); /* mov r8, imm64 */
    CHECK(i.op[0].reg == R8 && i.imm == 0x1122334455667788 && i.imm_size == 8);
    i = decode("9a 78 56 34 12 10 00", 32); /* call 0x10:0x12345678 */
    CHECK(i.mnemonic == MN_CALLF && i.imm == 0x12345678 && i.imm2 == 0x10 && i.imm_size == 6);
    i = decode("c8 20 00 01", 32); /* enter 32, 1 */
    CHECK(i.imm == 32 && i.imm2 == 1);
    i = decode("67 a0 34 12", 32); /* mov al, [0x1234] by 16-bit address */
    CHECK(i.adsize == 2 && i.mem.disp == 0x1234 && i.disp_size == 2 && i.mem.base == -1);
    i = decode("67 8b 42 fe", 32); /* mov eax, [bp + si - 2] */
    CHECK(i.mem.seg == SS && i.mem.base == RBP && i.mem.index == RSI && i.mem.disp == -2);
    i = decode("36 f3 a4", 32); /* rep movs from ss */
    CHECK(i.mnemonic == MN_MOVS && i.rep && i.opsize == 1 && i.mem.seg == SS && i.op[0].kind == OPD_NONE);
    i = decode("55", 64); /* push rbp */
    CHECK(i.opsize == 8 && i.op[0].size == 8);
    i = decode("41 90", 64);
    CHECK(i.mnemonic == MN_XCHG && i.op[0].reg == R8);
}

static void test_invalid(void)
{
    static const struct { unsigned bits; u8 b[16]; enum decode_status want; } cases[] = {
        { 32, { 0xf0, 0x89, 0x00 }, DECODE_INVALID },       /* lock mov */
        { 32, { 0xf0, 0x01, 0xc0 }, DECODE_INVALID },       /* lock add eax, eax */
        { 32, { 0xf0, 0x01, 0x00 }, DECODE_OK },            /* lock add [eax], eax */
        { 32, { 0x8e, 0xc8 }, DECODE_INVALID },             /* mov cs, ax */
        { 32, { 0x0f, 0x20, 0xc8 }, DECODE_INVALID },       /* mov eax, cr1 */
        { 32, { 0x8d, 0xc0 }, DECODE_INVALID },             /* lea eax, eax */
        { 32, { 0x62, 0xc0 }, DECODE_INVALID },             /* bound of a register: EVEX */
        { 32, { 0xc5, 0xf8, 0x77 }, DECODE_INVALID },       /* vzeroupper */
        { 64, { 0x06 }, DECODE_INVALID },                   /* push es */
        { 64, { 0x60 }, DECODE_INVALID },                   /* pusha */
        { 32, { 0x0f, 0x05 }, DECODE_INVALID },             /* syscall */
        { 32, { 0xff, 0xff }, DECODE_INVALID },
        { 32, { [0 ... 13] = 0x66, [14] = 0x90 }, DECODE_OK },
        { 32, { [0 ... 14] = 0x66, [15] = 0x90 }, DECODE_TOO_LONG },
    };
    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        struct insn i;
        check_context("case %u", k);
        CHECK_EQ(decode_insn(cases[k].b, sizeof cases[k].b, cases[k].bits, &i), cases[k].want);
    }
}

static void test_disassemble(void)
{
    char buf[100], tiny[4];
    CHECK_STR(disassemble((const u8 *)"\x03\x03", 2, 32, 0, buf, sizeof buf), "add eax, dword ptr [ebx]");
    CHECK_STR(disassemble((const u8 *)"\xeb\xfe", 2, 32, 0x1000, buf, sizeof buf), "jmp 0x1000");
    CHECK_STR(disassemble((const u8 *)"\xff\xff", 2, 32, 0, buf, sizeof buf), "db 0xff");
    CHECK_STR(disassemble((const u8 *)"", 0, 32, 0, buf, sizeof buf), "(no bytes)");
    CHECK_STR(disassemble((const u8 *)"\x90", 1, 16, 0, tiny, sizeof tiny), "nop");
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rows", test_rows }, { "mnemonics", test_mnemonics }, { "flags", test_flags },
        { "sensitive", test_sensitive }, { "fields", test_fields }, { "invalid", test_invalid },
        { "disassemble", test_disassemble }, { "cuts", test_cuts },
        { NULL, NULL },
    };
    return check_main(argc, argv, "decode_table", tests);
}
