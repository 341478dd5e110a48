/* SPDX-License-Identifier: MIT */
/* The decoder against Capstone, over real programs. */
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
#include "decoding.h"

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
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "busybox32", test_busybox32 }, { "busybox64", test_busybox64 }, { "libc32", test_libc32 },
        { "libc64", test_libc64 }, { "gnumach", test_gnumach }, { "gnumach_xen", test_gnumach_xen },
        { "linux32", test_linux32 }, { "memtest32", test_memtest32 }, { "memtest64", test_memtest64 },
        { NULL, NULL },
    };
    return check_main(argc, argv, "decode", tests);
}
