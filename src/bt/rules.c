/* SPDX-License-Identifier: MIT */
#include "bt/rules.h"

/* Rewriting rules by instruction; what is not listed is IDENT if it is plain, CALLOUT if not. */
static const struct { enum rule rule; const char *why; } special[MN_COUNT] = {
    [MN_INC] = { RULE_INCDEC, "40..47 are REX prefixes in 64-bit mode" },
    [MN_DEC] = { RULE_INCDEC, "48..4F are REX prefixes in 64-bit mode" },
    [MN_LEA] = { RULE_LEA, "no access: no window" },
    [MN_PUSH] = { RULE_PUSH, "a 64-bit push moves RSP by 8" },
    [MN_POP] = { RULE_POP, "a 64-bit pop moves RSP by 8" },
    [MN_LEAVE] = { RULE_LEAVE, "a 64-bit leave pops 8 bytes" },
    [MN_CALL] = { RULE_CALL, "pushes the guest's return address, not the cache's" },
    [MN_RET] = { RULE_RET, "the guest's return address finds its translation" },
    [MN_JMP] = { RULE_JMP, "guest target" },
    [MN_JCXZ] = { RULE_LOOP, "guest target" },
    [MN_LOOP] = { RULE_LOOP, "guest target" },
    [MN_LOOPE] = { RULE_LOOP, "guest target" },
    [MN_LOOPNE] = { RULE_LOOP, "guest target" },
    [MN_CPUID] = { RULE_CALLOUT, "the guest sees its own model" },
    [MN_RDTSC] = { RULE_RDTSC, "virtual time" },
    [MN_RDTSCP] = { RULE_CALLOUT, "virtual time" },
    [MN_RDPMC] = { RULE_CALLOUT, "virtual counters" },
    [MN_XGETBV] = { RULE_CALLOUT, "the guest sees its own model" },
    /* sensitive, and frequent in kernels: emulated in the cache */
    [MN_CLI] = { RULE_CLI, "virtual interrupt flag" },
    [MN_STI] = { RULE_STI, "virtual interrupt flag" },
    [MN_PUSHF] = { RULE_PUSHF, "real arithmetic flags, virtual system flags" },
    [MN_POPF] = { RULE_POPF, "real arithmetic flags, virtual system flags" },
    [MN_MOV_CR] = { RULE_READ_CR, "virtual control registers" },
    [MN_SMSW] = { RULE_SMSW, "virtual control registers" },
    [MN_PUSH_SREG] = { RULE_READ_SREG, "virtual segment registers" },
    [MN_POP_SREG] = { RULE_LOAD_SREG, "virtual segment registers" },
    [MN_MOV_SREG] = { RULE_LOAD_SREG, "virtual segment registers" },
    [MN_MOVS] = { RULE_STRING, "the window's addresses are 64-bit" },
    [MN_STOS] = { RULE_STRING, "the window's addresses are 64-bit" },
    [MN_LODS] = { RULE_STRING, "the window's addresses are 64-bit" },
    [MN_SCAS] = { RULE_STRING, "the window's addresses are 64-bit" },
    [MN_CMPS] = { RULE_STRING, "the window's addresses are 64-bit" },
    [MN_CLD] = { RULE_NOTHING, "translations depend on the direction" },
    [MN_STD] = { RULE_NOTHING, "translations depend on the direction" },
    [MN_BT] = { RULE_BIT, "a bit string: may reach out of the window" },
    [MN_BTS] = { RULE_BIT, "a bit string: may reach out of the window" },
    [MN_BTR] = { RULE_BIT, "a bit string: may reach out of the window" },
    [MN_BTC] = { RULE_BIT, "a bit string: may reach out of the window" },
    /* plain, but with implicit operands or image formats that 64-bit mode has otherwise */
    [MN_PUSHA] = { RULE_CALLOUT, "not in 64-bit mode" },
    [MN_POPA] = { RULE_CALLOUT, "not in 64-bit mode" },
    [MN_ENTER] = { RULE_CALLOUT, "stack frame in 64-bit form" },
    [MN_XLAT] = { RULE_CALLOUT, "implicit memory operand" },
    [MN_MASKMOVQ] = { RULE_CALLOUT, "implicit memory operand" },
    [MN_MASKMOVDQU] = { RULE_CALLOUT, "implicit memory operand" },
    [MN_FXSAVE] = { RULE_CALLOUT, "the image differs in 64-bit mode" },
    [MN_FXRSTOR] = { RULE_CALLOUT, "the image differs in 64-bit mode" },
    [MN_FNSAVE] = { RULE_CALLOUT, "stores the instruction pointer" },
    [MN_FRSTOR] = { RULE_CALLOUT, "loads the instruction pointer" },
    [MN_FNSTENV] = { RULE_CALLOUT, "stores the instruction pointer" },
    [MN_FLDENV] = { RULE_CALLOUT, "loads the instruction pointer" },
};

/* Why the rest of what is not plain leaves, for people. */
static const char *const reasons[MN_COUNT] = {
    [MN_IN] = "the port is a virtual device's",
    [MN_OUT] = "the port is a virtual device's",
    [MN_INS] = "the port is a virtual device's",
    [MN_OUTS] = "the port is a virtual device's",
    [MN_HLT] = "an idle guest gives the processor back",
    [MN_INT] = "through the guest's IDT, not the host's",
    [MN_INT3] = "through the guest's IDT, not the host's",
    [MN_INTO] = "through the guest's IDT, not the host's",
    [MN_IRET] = "loads virtual IF, IOPL and privilege",
    [MN_SYSENTER] = "enters the guest's kernel, not the host's",
    [MN_SYSEXIT] = "changes the virtual privilege",
    [MN_MOV_SREG] = "selectors are virtual: a real one would show the ring",
    [MN_PUSH_SREG] = "selectors are virtual: a real one would show the ring",
    [MN_POP_SREG] = "loads a descriptor of the guest's tables",
    [MN_LDS] = "loads a descriptor of the guest's tables",
    [MN_LES] = "loads a descriptor of the guest's tables",
    [MN_LFS] = "loads a descriptor of the guest's tables",
    [MN_LGS] = "loads a descriptor of the guest's tables",
    [MN_LSS] = "loads a descriptor of the guest's tables",
    [MN_CALLF] = "loads a descriptor of the guest's tables",
    [MN_JMPF] = "loads a descriptor of the guest's tables",
    [MN_RETF] = "loads a descriptor of the guest's tables",
    [MN_LAR] = "looks into the guest's descriptor tables",
    [MN_LSL] = "looks into the guest's descriptor tables",
    [MN_VERR] = "looks into the guest's descriptor tables",
    [MN_VERW] = "looks into the guest's descriptor tables",
    [MN_LGDT] = "a virtual table register",
    [MN_LIDT] = "a virtual table register",
    [MN_LLDT] = "a virtual table register",
    [MN_LTR] = "a virtual table register",
    [MN_SGDT] = "would show the host's table, and not fault",
    [MN_SIDT] = "would show the host's table, and not fault",
    [MN_SLDT] = "would show the host's table, and not fault",
    [MN_STR] = "would show the host's task, and not fault",
    [MN_SMSW] = "would show the host's CR0, and not fault",
    [MN_LMSW] = "virtual control registers",
    [MN_CLTS] = "virtual control registers",
    [MN_MOV_DR] = "virtual debug registers",
    [MN_INVLPG] = "the window must forget the page",
    [MN_RDMSR] = "virtual model-specific registers",
    [MN_WRMSR] = "virtual model-specific registers",
    [MN_WBINVD] = "the host's caches are not the guest's",
    [MN_INVD] = "the host's caches are not the guest's",
};

static const char *reason_of(u16 mnemonic) { return reasons[mnemonic] ? reasons[mnemonic] : "depends on privileged state"; }

static bool is_condition(u16 mnemonic) { return mnemonic >= MN_JO && mnemonic <= MN_JG; }

bool has_memory(const struct insn *i)
{
    for (int n = 0; n < 4; n++)
        if (i->op[n].kind == OPD_MEM)
            return true;
    return false;
}

static bool high_byte(const struct operand *o) { return o->kind == OPD_GPR && o->high8; }

/* An operand that is not reached directly goes through r8, with the segment's base and limit. */
static bool memory_ok(const struct insn *i, u32 key, const char **why)
{
    if (!has_memory(i) || reached_directly(i, key))
        return true;
    const char *before = *why;
    *why = "AH to BH cannot stand beside r8";
    if (high_byte(&i->op[0]) || high_byte(&i->op[1]))
        return false;
    *why = "of unknown length, in a segment with a limit";
    for (int n = 0; n < 4; n++)
        if (i->op[n].kind == OPD_MEM && !i->op[n].size && i->mnemonic != MN_LEA && !key_has_segment(key, i->mem.seg))
            return false;
    *why = before;
    return true;
}

/* Is the extension that it belongs to switched on in the guest? If not it must fault: the interpreter does that. */
static bool extension_ok(const struct insn *i, u32 key)
{
    switch (i->row->isa) {
    case ISA_FPU: case ISA_MMX:
        return key & KEY_FPU;
    case ISA_SSE: case ISA_SSE2: case ISA_SSE3: case ISA_SSSE3:
        return (key & (KEY_FPU | KEY_SSE)) == (KEY_FPU | KEY_SSE);
    case ISA_CMOV:
        return i->row->cost != COST_FP || key & KEY_FPU; /* FCMOVcc, FCOMI */
    case ISA_386: case ISA_486: case ISA_586:
        return true;
    default:
        return false;
    }
}

/* BT with a register reaches 256 MiB to both sides of its address; all other forms are plain. */
static enum rule bit_rule(const struct insn *i, u32 key)
{
    if (i->op[0].kind != OPD_MEM || i->op[1].kind != OPD_GPR)
        return RULE_IDENT;
    return i->opsize == 4 && (reached_directly(i, key) || (i->mem.seg >= FS && key_has_segment(key, i->mem.seg))) && __builtin_cpu_supports("bmi2") ? RULE_BIT : RULE_CALLOUT;
}

static enum rule direction_rule(const struct insn *i, u32 key)
{
    return (i->mnemonic == MN_STD) == !!(key & KEY_DF) ? RULE_NOTHING : RULE_CALLOUT;
}

/* Strings: upwards only (downwards they could leave the window at its lower end), through the flat segments. */
static bool string_ok(const struct insn *i, u32 key, const char **why)
{
    bool flat = key_has_segment(key, ES) && i->mem.seg < FS && key_has_segment(key, i->mem.seg);
    if (i->adsize == 4 && !(key & KEY_DF) && flat)
        return true;
    *why = "backwards, with 16-bit addresses, or in a segment with base or limit";
    return false;
}

/* In-cache emulation is for ring 0: elsewhere these may fault. */
static bool in_cache_ok(const struct insn *i, u32 key, const char **why)
{
    bool watched = key & KEY_WATCHED && (i->mnemonic == MN_MOV_CR || i->mnemonic == MN_SMSW || i->mnemonic == MN_RDTSC);
    if (key & KEY_CPL)
        *why = "emulated in the cache for ring 0 only";
    else if (watched)
        *why = "a monitor wants to know of it";
    if (key & KEY_CPL || watched)
        return false;
    if ((i->mnemonic == MN_PUSHF && !plain_stack(i, key)) || (i->mnemonic == MN_POPF && (!plain_stack(i, key) || key & KEY_DF))) {
        *why = "only on the flat 32-bit stack, and strings upwards";
        return false;
    }
    if (i->mnemonic == MN_SMSW && i->op[0].kind == OPD_MEM && !reached_directly(i, key)) {
        *why = "no register left for a base";
        return false;
    }
    if (i->mnemonic == MN_MOV_CR)
        return i->op[0].kind == OPD_GPR && i->op[1].reg <= 4 && i->op[1].reg != 1;
    return true;
}

/* MOV is one mnemonic for both directions. */
static enum rule sreg_rule(const struct insn *i, u32 key, const char **why)
{
    bool load = i->op[0].kind == OPD_SREG && i->mnemonic != MN_PUSH_SREG;
    unsigned seg = i->op[i->mnemonic == MN_MOV_SREG && !load].reg;
    bool stack = i->mnemonic != MN_MOV_SREG;
    bool through_r8 = i->op[0].kind == OPD_MEM && !reached_directly(i, key);
    if (!memory_ok(i, key, why))
        return RULE_CALLOUT;
    *why = key & KEY_CPL ? "only kernel code is worth it" : load && seg == SS ? "holds interrupts back" : "no descriptor, 16-bit stack, no such register, or none left for a base";
    if (key & (KEY_CPL | KEY_REAL) || seg >= SREG_COUNT || (stack && !plain_stack(i, key)) || (load && (seg == CS || seg == SS)) || (!load && through_r8))
        return RULE_CALLOUT;
    *why = load ? "compared with what it holds" : "virtual segment registers";
    return load ? RULE_LOAD_SREG : RULE_READ_SREG;
}

/* Stack and control flow that the simple forms would get wrong. */
static bool flow_ok(const struct insn *i, enum rule r, u32 key, const char **why)
{
    bool memory = i->op[0].kind == OPD_MEM;
    *why = "only on the flat 32-bit stack, and without ESP or a base in the address";
    if (r == RULE_LEAVE || (r == RULE_POP && memory))
        return plain_stack(i, key) && !(memory && (i->mem.base == RSP || !reached_directly(i, key)));
    *why = "CX has no such form in 64-bit mode";
    return r != RULE_LOOP || i->adsize == 4;
}

enum rule rule_for(const struct insn *i, u32 key, const char **why)
{
    const char *unused = "";
    enum rule r = i->row->class == CLASS_PLAIN ? RULE_IDENT : RULE_CALLOUT;
    if (!why)
        why = &unused;
    else
        *why = r == RULE_CALLOUT ? reason_of(i->mnemonic) : "";
    if (special[i->mnemonic].why) {
        r = special[i->mnemonic].rule;
        *why = special[i->mnemonic].why;
    }
    if (is_condition(i->mnemonic)) {
        r = RULE_JCC;
        *why = "guest target";
    }
    if (r == RULE_NOTHING)
        return direction_rule(i, key);
    if (r == RULE_BIT)
        r = bit_rule(i, key);
    if (r == RULE_CALLOUT)
        return r;
    if (r == RULE_STRING)
        return string_ok(i, key, why) ? r : RULE_CALLOUT;
    if (r == RULE_LOAD_SREG || r == RULE_READ_SREG)
        return sreg_rule(i, key, why);
    if (r >= RULE_CLI && r <= RULE_RDTSC)
        return in_cache_ok(i, key, why) ? r : RULE_CALLOUT;
    if (!memory_ok(i, key, why))
        return RULE_CALLOUT;
    if (r == RULE_IDENT && (i->row->attr & OPATTR_NO64 || !extension_ok(i, key))) {
        *why = "not here or not in 64-bit mode";
        return RULE_CALLOUT;
    }
    const char *flow = *why;
    if (r >= RULE_PUSH && !flow_ok(i, r, key, why))
        return RULE_CALLOUT;
    *why = flow;
    return r;
}
