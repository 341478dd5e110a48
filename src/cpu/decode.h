/* SPDX-License-Identifier: MIT */
/*
 * The decoder: bytes to struct insn, by the rows of opcodes.def.
 *
 * The same result feeds the interpreter (which asks what), the translator (which also asks
 * where each byte is), the paravirt lint and the test generators.
 */
#ifndef EMU_CPU_DECODE_H
#define EMU_CPU_DECODE_H

#include "cpu/state.h"

#define INSN_MAX 15 /* bytes, SDM vol. 2, 2.3.11 */

enum mnemonic {
    MN_INVALID,
#define MNEMONIC(id, name) MN_##id,
#include "cpu/mnemonics.def"
#undef MNEMONIC
    MN_COUNT
};
extern const char *const mnemonic_names[MN_COUNT]; /* lower case, as Intel spells them: "add" */

/* What virtualization makes of an instruction (Popek and Goldberg 1974; Robin and Irvine 2000). */
enum insn_class {
    CLASS_PLAIN,        /* behaves alike at every privilege level: may be copied */
    CLASS_CONTROL,      /* near control flow */
    CLASS_STRING,       /* may repeat */
    CLASS_PRIVILEGED,   /* faults below ring 0 (or by IOPL): trap-and-emulate would do */
    CLASS_SENSITIVE,    /* reads or depends on privileged state and does not fault: why x86 needed more */
    CLASS_SYSTEM,       /* enters or leaves the kernel, or traps by design: INT, SYSENTER, VMCALL */
};

/* What it costs: selects the insn.* component of the profile. Same order as in components.def. */
enum cost_class {
    COST_PLAIN, COST_BRANCH, COST_CALL, COST_MUL, COST_DIV, COST_STRING, COST_FP, COST_FPDIV, COST_FLAGS, COST_SEG, COST_FAR,
    COST_SYSCALL, COST_SYSRET, COST_IN, COST_OUT, COST_CR, COST_CR3, COST_INVLPG, COST_SERIAL, COST_RDTSC, COST_MSR, COST_HLT,
    COST_COUNT
};

/* The instruction-set extension that CPUID must offer for the row to exist. */
enum isa { ISA_386, ISA_486, ISA_586, ISA_CMOV, ISA_FPU, ISA_MMX, ISA_FXSR, ISA_SSE, ISA_SSE2, ISA_SSE3, ISA_SSSE3, ISA_SYSENTER, ISA_SYSCALL, ISA_RDTSCP, ISA_64, ISA_VMX };

/* One row of opcodes.def. */
struct opcode {
    const char *encoding;   /* "0F B6 /r": the SDM's notation */
    u16 mnemonic;
    const char *operands;   /* the SDM's letters: "Gv,Eb" */
    u8 class, cost, isa;
    u16 flags_read;         /* FLAG_* bits in EFLAGS positions (status flags, DF, IF...) */
    u16 flags_written;      /* set to a defined value */
    u16 flags_undefined;    /* left undefined by the SDM */
    u8 attr;                /* OPATTR_* */
};
enum { OPATTR_LOCK = 1 /* LOCK allowed with a memory destination */, OPATTR_NO64 = 2, OPATTR_ONLY64 = 4, OPATTR_FORCE64 = 8, OPATTR_DEFAULT64 = 16 };
extern const struct opcode opcode_rows[];
extern const unsigned opcode_count;

enum operand_kind {
    OPD_NONE,
    OPD_GPR,    /* reg 0..15; high8: AH..BH, with reg 0..3 */
    OPD_MEM,    /* insn.mem; size is that of the access */
    OPD_IMM,    /* insn.imm, sign- or zero-extended as the row says to 64 bits; the second of two (ENTER's): insn.imm2 */
    OPD_REL,    /* insn.imm: displacement from the next instruction */
    OPD_FAR,    /* insn.imm: offset, insn.imm2: selector */
    OPD_SREG, OPD_CR, OPD_DR,
    OPD_ST, OPD_MMX, OPD_XMM,
    /* The implied memory of string instructions and XLAT is not an operand: OPD_NONE in its place; its segment is insn.mem.seg. */
};
struct operand {
    u8 kind;
    u8 size;    /* bytes: 1, 2, 4, 8, 10, 16...; 0 where there is none (LEA's, INVLPG's memory) or too many (FXSAVE's) */
    u8 reg;
    bool high8;
};

struct insn {
    const struct opcode *row;
    u16 mnemonic;       /* enum mnemonic */
    u8 len;             /* bytes */
    u8 bits;            /* 16, 32 or 64: mode it was decoded for */
    u8 opsize;          /* effective operand size in bytes: 2, 4, 8; 1 for byte forms */
    u8 adsize;          /* effective address size in bytes: 2, 4, 8 */
    u8 rex;             /* 0 or 0x40..0x4f */
    bool lock, rep, repne, opsize_prefix, adsize_prefix; /* prefixes seen (rep = F3, repne = F2), also where they are mandatory ones */
    u8 seg_override;    /* enum sreg of a segment prefix, or SEG_NONE */
    struct operand op[4]; /* in Intel's order: destination first */
    struct {
        u8 seg;         /* enum sreg after defaults and overrides */
        s8 base, index; /* enum gpr, or -1; base -2: RIP-relative */
        u8 scale;       /* 1, 2, 4, 8 */
        s64 disp;
    } mem;
    u64 imm, imm2;
    /* where things are in bytes[], for who copies or rewrites it; 0 = absent but for opcode */
    u8 bytes[INSN_MAX];
    u8 opcode_off;      /* first byte after legacy and REX prefixes: 0F of a two-byte opcode */
    u8 modrm_off, sib_off, disp_off, disp_size, imm_off, imm_size;
    u8 modrm;           /* valid if modrm_off */
};

enum decode_status {
    DECODE_OK,
    DECODE_SHORT,   /* more bytes are needed than `avail` */
    DECODE_INVALID, /* no such instruction: #UD. out->len is what was looked at */
    DECODE_TOO_LONG /* over 15 bytes: #GP */
};

/* Decode the instruction at bytes[0..avail) for a code segment of `bits` (16, 32, 64). Reads nothing beyond
 * avail, keeps no state. Does not look at CPUID features: the row's isa says what is needed. */
enum decode_status decode_insn(const u8 *bytes, size_t avail, unsigned bits, struct insn *out);

/* Intel syntax through Capstone, "add eax, dword ptr [ebx]", for traces and dumps. Returns buf. */
const char *disassemble(const u8 *bytes, size_t avail, unsigned bits, gva_t at, char *buf, size_t size);

#endif
