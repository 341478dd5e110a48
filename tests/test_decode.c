/* SPDX-License-Identifier: MIT */
/* The decoder against Capstone over real programs, against itself over random bytes, and the opcode table against its
 * own notation. */
#include "check.h"

#include <capstone/capstone.h>
#include <ctype.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/decode.h"
#include "encode.h"

/* --- Where Capstone and the SDM's names differ on purpose --- */

static const struct { u16 ours; const char *theirs, *reason; } name_differences[] = {
    { MN_MOVS, "movsb movsw movsd movsq", "one id for all sizes" },
    { MN_CMPS, "cmpsb cmpsw cmpsd cmpsq", "one id for all sizes" },
    { MN_STOS, "stosb stosw stosd stosq", "one id for all sizes" },
    { MN_LODS, "lodsb lodsw lodsd lodsq", "one id for all sizes" },
    { MN_SCAS, "scasb scasw scasd scasq", "one id for all sizes" },
    { MN_INS, "insb insw insd", "one id for all sizes" },
    { MN_OUTS, "outsb outsw outsd", "one id for all sizes" },
    { MN_CBW, "cwde cdqe", "one id for all sizes" },
    { MN_CWD, "cdq cqo", "one id for all sizes" },
    { MN_JCXZ, "jecxz jrcxz", "one id for all sizes" },
    { MN_IRET, "iretd iretq", "one id for all sizes" },
    { MN_PUSHA, "pushal pushaw", "one id for all sizes" },
    { MN_POPA, "popal popaw", "one id for all sizes" },
    { MN_PUSHF, "pushfd pushfq", "one id for all sizes" },
    { MN_POPF, "popfd popfq", "one id for all sizes" },
    { MN_RETF, "retfq", "one id for all sizes" },
    { MN_XLAT, "xlatb", "the no-operand spelling" },
    { MN_CALLF, "lcall", "AT&T's name" },
    { MN_JMPF, "ljmp", "AT&T's name" },
    { MN_MOV, "movabs", "AT&T's name for 64-bit immediates and offsets" },
    { MN_SHL, "sal", "two names of one instruction" },
    { MN_NOP, "endbr32 endbr64", "CET, a hint NOP to processors without it" },
    { MN_BSF, "tzcnt", "BMI1: without it F3 is ignored" },
    { MN_BSR, "lzcnt", "ABM: without it F3 is ignored" },
    { MN_PAUSE, "nop", "Capstone forgets the F3 in 16-bit mode" },
    { MN_FNSETPM, "fsetpm", "the waiting spelling" },
    { MN_UD1, "ud2b", "AT&T's name" },
};

/* What Capstone knows and these models lack: invalid here. A trailing * stands for any rest. */
static const struct { const char *names, *set; } later_instructions[] = {
    { "v*", "AVX" },
    { "k*", "AVX-512 mask registers" },
    { "pcmp?str? ptest pminud pminsb pminuw pmaxud pmulld pinsr? pextr? pmovzx* pmovsx* popcnt crc32 roundsd palignr",
      "SSE4" },
    { "bls* bzhi sarx shlx shrx andn bextr tzcnt mulx pdep pext rorx adcx adox", "BMI" },
    { "movbe rdrand rdseed clflushopt clwb", "single features" },
    { "xabort xbegin xend xtest", "TSX" },
    { "xsave* xrstor*", "XSAVE" },
};

/* Where Capstone is wrong: bytes after other prefixes, x for any digit. */
static const struct { const char *bytes, *reason; } capstone_errors[] = {
    { "f0", "takes LOCK before anything; it is #UD but for read-modify-write of memory" },
    { "8e cx", "takes MOV to CS, which is #UD" },
    { "0f ff", "leaves out the ModRM byte of UD0" },
    { "0f b9", "leaves out the ModRM byte of UD1" },
    { "0f ae xx", "knows the fences only with rm = 0 (the processor ignores it), and takes F3 0F AE /5, which is CET's "
                  "INCSSP, for LFENCE" },
    { "0f 1e", "rejects RDSSP, a hint NOP without CET" },
};

/* Rows whose operands Capstone lists otherwise. */
static const struct { u16 ours; const char *reason; } operand_differences[] = {
    { MN_XCHG, "90+r: the other order" },
    { MN_MOV_SREG, "names the 32-bit register of which 16 bits are read" },
    { MN_MOVSXD, "takes the destination for 64 bits wide also without REX.W" },
    { MN_ENTER, "two immediates" },
};

static bool match_name(const char *pattern, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++, name++) {
        if (pattern[i] == '*')
            return true;
        if (!*name || (pattern[i] != '?' && pattern[i] != *name))
            return false;
    }
    return !*name;
}

/* Is name in the blank-separated list? */
static bool name_in(const char *list, const char *name)
{
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (match_name(p, strcspn(p, " "), name))
            return true;
    return false;
}

static bool names_agree(const struct insn *i, const char *theirs)
{
    if (strcmp(mnemonic_names[i->mnemonic], theirs) == 0)
        return true;
    for (unsigned k = 0; k < ARRAY_LEN(name_differences); k++)
        if (name_differences[k].ours == i->mnemonic && name_in(name_differences[k].theirs, theirs))
            return true;
    return false;
}

static bool is_later(const char *name)
{
    for (unsigned k = 0; k < ARRAY_LEN(later_instructions); k++)
        if (name_in(later_instructions[k].names, name))
            return true;
    return false;
}

static bool match_bytes(const char *pattern, const u8 *bytes, size_t n)
{
    for (; n && *pattern; bytes++, n--, pattern += 2 + (pattern[2] == ' ')) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", *bytes);
        if ((pattern[0] != 'x' && pattern[0] != hex[0]) || (pattern[1] != 'x' && pattern[1] != hex[1]))
            return false;
    }
    return !*pattern;
}

static bool is_prefix(u8 b, unsigned bits)
{
    return strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3", b) || (bits == 64 && (b & 0xf0) == 0x40);
}

static bool is_capstone_error(const u8 *bytes, size_t n, unsigned bits)
{
    while (n && is_prefix(*bytes, bits) && *bytes)
        bytes++, n--;
    for (unsigned k = 0; k < ARRAY_LEN(capstone_errors); k++)
        if (match_bytes(capstone_errors[k].bytes, bytes, n))
            return true;
    return false;
}

/* --- Operands against Capstone's --- */

static const char *const gpr_names[5][16] = {
    { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b",
      "r15b" },
    { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w" },
    { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d",
      "r15d" },
    { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" },
    { "ah", "ch", "dh", "bh" },
};

static const char *gpr_name(unsigned reg, unsigned size, bool high8)
{
    return gpr_names[high8 ? 4 : size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3][reg];
}

static const char *address_register(const struct insn *i, int reg)
{
    if (reg == -2)
        return i->adsize == 8 ? "rip" : "eip";
    return reg == -1 ? "" : gpr_name(reg, i->adsize, false);
}

static bool same_register(csh handle, const char *ours, unsigned theirs)
{
    const char *name = theirs == X86_REG_INVALID ? "" : cs_reg_name(handle, theirs);
    /* EIZ and RIZ are Capstone's spelling of "no index" */
    return strcmp(ours, name) == 0 || (!*ours && name_in("eiz riz", name));
}

static bool same_memory(csh handle, const struct insn *i, const x86_op_mem *m)
{
    u64 mask = i->adsize == 8 ? ~(u64)0 : i->adsize == 4 ? 0xffffffff : 0xffff;
    return same_register(handle, address_register(i, i->mem.base), m->base) &&
           same_register(handle, address_register(i, i->mem.index), m->index) &&
           (i->mem.index < 0 || i->mem.scale == m->scale) && (((u64)i->mem.disp ^ (u64)m->disp) & mask) == 0;
}

static bool same_operand(csh handle, const struct insn *i, const struct operand *o, const cs_x86_op *theirs)
{
    char name[16];
    switch (o->kind) {
    case OPD_GPR:
        return theirs->type == X86_OP_REG && same_register(handle, gpr_name(o->reg, o->size, o->high8), theirs->reg);
    case OPD_XMM:
    case OPD_MMX:
        snprintf(name, sizeof name, "%s%u", o->kind == OPD_XMM ? "xmm" : "mm", o->reg);
        return theirs->type == X86_OP_REG && same_register(handle, name, theirs->reg);
    case OPD_MEM:
        return theirs->type == X86_OP_MEM && same_memory(handle, i, &theirs->mem);
    case OPD_IMM:
        return theirs->type == X86_OP_IMM && ((u64)theirs->imm ^ i->imm) << (64 - 8 * o->size) == 0;
    default:
        return true;
    }
}

/* Only where both list as many operands: Capstone lists some implied ones. */
static bool same_operands(csh handle, const struct insn *i, const cs_x86 *x)
{
    unsigned n = 0;
    for (unsigned k = 0; k < ARRAY_LEN(operand_differences); k++)
        if (operand_differences[k].ours == i->mnemonic)
            return true;
    while (n < 4 && i->op[n].kind)
        n++;
    if (n != x->op_count)
        return true;
    for (unsigned k = 0; k < n; k++)
        if (!same_operand(handle, i, &i->op[k], &x->operands[k]))
            return false;
    return true;
}

/* --- The sweep --- */

static void fail_at(const char *what, const u8 *bytes, size_t avail, const struct insn *i, const char *ours,
                    const cs_insn *theirs)
{
    char hex[3 * INSN_MAX + 1] = "";
    for (unsigned k = 0; k < INSN_MAX && k < avail; k++)
        snprintf(hex + 3 * k, 4, "%02x ", bytes[k]);
    FAIL("%s: %s (%u-bit): ours %s %u, Capstone %s %s %u", what, hex, i->bits, ours, i->len,
         theirs ? theirs->mnemonic : "invalid", theirs ? theirs->op_str : "", theirs ? theirs->size : 0);
}

static void check_offsets(const struct insn *i)
{
    bool ordered = i->opcode_off < i->len && (!i->modrm_off || i->modrm_off > i->opcode_off) &&
                   (!i->sib_off || i->sib_off == i->modrm_off + 1) &&
                   (!i->disp_off || i->disp_off + i->disp_size <= i->len) &&
                   (!i->imm_size || i->imm_off + i->imm_size == i->len);
    if (!ordered)
        FAIL("offsets of %s out of order", i->row->encoding);
}

struct sweep { u64 compared, later, errors, operands; };

/* One instruction both ways. Returns the bytes to go on by. */
static unsigned compare_one(csh handle, cs_insn *ci, const u8 *code, size_t avail, unsigned bits, struct sweep *s)
{
    struct insn i;
    const u8 *p = code;
    uint64_t at = 0;
    enum decode_status st = decode_insn(code, avail, bits, &i);
    const char *ours = st ? "invalid" : mnemonic_names[i.mnemonic];
    if (!cs_disasm_iter(handle, &p, &avail, &at, ci)) {
        if (st == DECODE_OK && !is_capstone_error(code, i.len, bits))
            fail_at("Capstone rejects", code, avail, &i, ours, NULL);
        return 1;
    }
    const char *theirs =
        strrchr(ci->mnemonic, ' ') ? strrchr(ci->mnemonic, ' ') + 1 : ci->mnemonic; /* without "rep" and "lock" */
    s->compared++;
    if (st == DECODE_INVALID && is_later(theirs))
        s->later++;
    else if (st == DECODE_OK && i.len == ci->size && names_agree(&i, theirs))
        check_offsets(&i);
    else if (is_capstone_error(code, ci->size, bits))
        s->errors++;
    else
        fail_at("different", code, ci->size, &i, ours, ci);
    return ci->size;
}

static void sweep_names(const u8 *code, size_t size, unsigned bits, struct sweep *s)
{
    csh handle;
    cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
    if (!CHECK(cs_open(CS_ARCH_X86, mode, &handle) == CS_ERR_OK))
        return;
    cs_insn *ci = cs_malloc(handle);
    for (size_t pos = 0; pos < size;)
        pos += compare_one(handle, ci, code + pos, size - pos, bits, s);
    cs_free(ci, 1);
    cs_close(&handle);
}

/* Every operand of every third instruction that both know: detail is what makes Capstone slow. */
static void sweep_operands(const u8 *code, size_t size, unsigned bits, struct sweep *s)
{
    csh handle;
    if (bits == 16 || !CHECK(cs_open(CS_ARCH_X86, bits == 64 ? CS_MODE_64 : CS_MODE_32, &handle) == CS_ERR_OK))
        return;
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    cs_insn *ci = cs_malloc(handle);
    struct insn i;
    for (size_t pos = 0, n = 0; pos < size; pos += i.len, n++) {
        if (decode_insn(code + pos, size - pos, bits, &i) != DECODE_OK) {
            i.len = 1;
            continue;
        }
        const u8 *p = code + pos;
        size_t left = size - pos;
        uint64_t at = 0;
        if (n % 3 || !cs_disasm_iter(handle, &p, &left, &at, ci) || ci->size != i.len)
            continue;
        s->operands++;
        if (!same_operands(handle, &i, &ci->detail->x86))
            fail_at("operands", code + pos, i.len, &i, i.row->operands, ci);
    }
    cs_free(ci, 1);
    cs_close(&handle);
}

static void sweep(const u8 *code, size_t size, unsigned bits, struct sweep *s)
{
    sweep_names(code, size, bits, s);
    sweep_operands(code, size, bits, s);
}

#define SWEEP_ELF(width) \
    static void sweep_elf##width(const u8 *file, size_t size, struct sweep *s) \
    { \
        const Elf##width##_Ehdr *e = (const void *)file; \
        const Elf##width##_Shdr *sh = (const void *)(file + e->e_shoff); \
        for (unsigned n = 0; n < e->e_shnum && e->e_shoff < size; n++) \
            if (sh[n].sh_flags & SHF_EXECINSTR && sh[n].sh_type == SHT_PROGBITS) \
                sweep(file + sh[n].sh_offset, sh[n].sh_size, width, s); \
    }
SWEEP_ELF(32)
SWEEP_ELF(64)

static u32 get32(const u8 *p) { u32 v; memcpy(&v, p, 4); return v; }

/* A Linux boot image: 16-bit setup, then protected-mode code around the compressed payload. */
static void sweep_bzimage(const u8 *file, size_t size, unsigned bits, struct sweep *s)
{
    size_t setup = (file[0x1f1] ? file[0x1f1] + 1u : 5u) * 512, payload = get32(file + 0x248),
           length = get32(file + 0x24c);
    sweep(file + 0x26c, setup - 0x26c, 16, s);
    if (setup + payload + length > size)
        return;
    sweep(file + setup, payload, bits, s);
    sweep(file + setup + payload + length, size - setup - payload - length, bits, s);
}

/* The file, fetched if it is missing; NULL if it cannot be had. */
static u8 *read_guest(const char *name, size_t *size)
{
    char path[256], command[256];
    snprintf(path, sizeof path, "guests/real/%s", name);
    snprintf(command, sizeof command, "tools/fetch-guests %s", name);
    FILE *f = fopen(path, "rb");
    if (!f && system(command) == 0)
        f = fopen(path, "rb");
    if (!f)
        return NULL;
    struct stat st;
    u8 *data = fstat(fileno(f), &st) == 0 ? malloc(st.st_size + 1) : NULL;
    *size = data ? fread(data, 1, st.st_size, f) : 0;
    fclose(f);
    return data;
}

/* At least this many instructions: a sweep that sees nothing must not pass. */
static void sweep_guest(const char *name, unsigned bits, u64 at_least)
{
    size_t size = 0;
    struct sweep s = { 0 };
    u8 *file = read_guest(name, &size);
    if (!file)
        SKIP("%s cannot be fetched", name);
    check_context("%s", name);
    if (memcmp(file, ELFMAG, SELFMAG) != 0)
        sweep_bzimage(file, size, bits, &s);
    else if (file[EI_CLASS] == ELFCLASS64)
        sweep_elf64(file, size, &s);
    else
        sweep_elf32(file, size, &s);
    free(file);
    CHECK(s.compared >= at_least);
    CHECK(s.operands >= at_least / 10);
    CHECK(s.errors < 20 + s.compared / 1000);
    check_context(NULL);
}

static void test_busybox32(void) { sweep_guest("busybox32", 32, 300000); }
static void test_busybox64(void) { sweep_guest("busybox64", 64, 300000); }
static void test_libc32(void) { sweep_guest("libc32.so", 32, 300000); }
static void test_libc64(void) { sweep_guest("libc64.so", 64, 300000); }
static void test_gnumach(void) { sweep_guest("gnumach", 32, 100000); }
static void test_gnumach_xen(void) { sweep_guest("gnumach-xen", 32, 50000); }
static void test_linux32(void) { sweep_guest("linux32", 32, 5000); }
static void test_memtest32(void) { sweep_guest("memtest32.bin", 32, 5000); }
static void test_memtest64(void) { sweep_guest("memtest64.bin", 64, 5000); }

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
        { "rows", test_rows },
        { "mnemonics", test_mnemonics },
        { "flags", test_flags },
        { "sensitive", test_sensitive },
        { "fields", test_fields },
        { "invalid", test_invalid },
        { "disassemble", test_disassemble },
        { "cuts", test_cuts },
        { "busybox32", test_busybox32 },
        { "busybox64", test_busybox64 },
        { "libc32", test_libc32 },
        { "libc64", test_libc64 },
        { "gnumach", test_gnumach },
        { "gnumach_xen", test_gnumach_xen },
        { "linux32", test_linux32 },
        { "memtest32", test_memtest32 },
        { "memtest64", test_memtest64 },
        { NULL, NULL },
    };
    return check_main(argc, argv, "decode", tests);
}
