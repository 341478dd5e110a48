/* SPDX-License-Identifier: MIT */
/* Which specialised function fits an instruction, and its operands as host addresses. See interp.h and fast.h. */
#include "cpu/fast.h"

static const u64 zero; /* where there is no base or index register */

const struct op *fast_slow(struct cpu *c, const struct op *o, u32 flags)
{
    c->flags = flags;
    return o;
}

/* The block's end, reached by falling through. */
const struct op *fast_end(struct cpu *c, const struct op *o, u32 flags)
{
    u64 rip = c->state.rip + o->offset;
    c->state.rip = mode_bits(c->mode) == 64 ? rip : (u32)rip;
    c->taken = EXIT_NEXT;
    c->flags = flags;
    return o;
}

/* LAHF's byte is the low byte of RFLAGS. */
void fast_flags_in(struct cpu *c) { c->flags = (c->state.rflags & 0xff) << 8 | (c->state.rflags & FLAG_OF ? FAST_OF : 0); }

void fast_flags_out(struct cpu *c)
{
    u32 status = (c->flags >> 8 & FLAG_STATUS & 0xff) | (c->flags & FAST_OF ? FLAG_OF : 0);
    c->state.rflags = (c->state.rflags & ~(u64)FLAG_STATUS) | status;
}

/* --- operands --- */

static void *register_address(struct cpu *c, const struct operand *r)
{
    return (u8 *)&c->state.gpr[r->reg] + r->high8;
}

/* While ops run, state.rip stays at the block's start: an address relative to RIP is one relative to that. */
static void place_memory(struct cpu *c, struct op *o, const struct insn *i)
{
    bool by_rip = i->mem.base == -2, has_base = i->bits != 64 || i->mem.seg >= FS;
    o->base = i->mem.base >= 0 ? &c->state.gpr[i->mem.base] : by_rip ? &c->state.rip : &zero;
    o->index = i->mem.index >= 0 ? &c->state.gpr[i->mem.index] : &zero;
    o->scale = i->mem.scale > 1 ? __builtin_ctz(i->mem.scale) : 0;
    o->disp = i->mem.disp + (by_rip ? o->offset + o->len : 0);
    o->segment = has_base ? &c->state.seg[i->mem.seg].base : &zero;
}

/* Immediates of 64-bit code are as wide as the operand, and lie where another kind of operand would be. */
static const void *place_wide_immediate(struct op *o, const struct insn *i)
{
    if (i->op[0].kind == OPD_MEM) {
        o->wide_m = i->imm;
        return &o->wide_m;
    }
    o->wide = i->imm;
    return &o->wide;
}

/* What this operand is into o: the first is the destination, others are sources. */
static void place_operand(struct cpu *c, struct op *o, const struct insn *i, unsigned n)
{
    const struct operand *p = &i->op[n];
    switch (p->kind) {
    case OPD_GPR:
        if (n == 0)
            o->dst = register_address(c, p);
        if (n == 1 || (n == 0 && i->op[1].kind == OPD_NONE))
            o->src = register_address(c, p);
        break;
    case OPD_IMM:
        o->imm = i->imm;
        if (n < 2)
            o->src = i->bits == 64 ? place_wide_immediate(o, i) : &o->imm;
        break;
    case OPD_REL:
        o->imm = o->offset + o->len + i->imm;
        break;
    case OPD_MEM:
        place_memory(c, o, i);
        break;
    default:
        break;
    }
}

/* --- choosing --- */

static enum fast_form form_of(const struct insn *i)
{
    enum { G = OPD_GPR, M = OPD_MEM, I = OPD_IMM };
    static const struct { u8 kind[3], form; } forms[] = {
        { { G, G }, FORM_RR }, { { G, I }, FORM_RR }, { { G, M }, FORM_RM }, { { M, G }, FORM_MR }, { { M, I }, FORM_MR },
        { { G }, FORM_R }, { { M }, FORM_M }, { { 0 }, FORM_NONE }, { { OPD_REL }, FORM_REL }, { { I }, FORM_I },
        { { G, G, I }, FORM_RRI }, { { G, M, I }, FORM_RMI },
    };
    for (unsigned k = 0; k < ARRAY_LEN(forms); k++)
        if (i->op[0].kind == forms[k].kind[0] && i->op[1].kind == forms[k].kind[1] && i->op[2].kind == forms[k].kind[2])
            return forms[k].form;
    return FORM_OTHER;
}

/* Which of a row's functions: by the size of what is written. MOVZX and MOVSX differ by the size of what they read too. */
static int size_index(const struct insn *i)
{
    bool extends = i->mnemonic == MN_MOVZX || i->mnemonic == MN_MOVSX, register_or_memory = i->op[0].kind == OPD_GPR || i->op[0].kind == OPD_MEM;
    unsigned size = register_or_memory ? i->op[0].size : i->opsize;
    if (extends)
        return size < 4 ? -1 : (i->op[1].size >> 1) + (size == 8 ? 2 : 0);
    return size == 1 || size == 2 || size == 4 || size == 8 ? __builtin_ctz(size) : -1;
}

static fast_fn *find(const struct fast_row *rows, const struct insn *i)
{
    enum fast_form form = form_of(i);
    int index = size_index(i);
    for (const struct fast_row *r = rows; r->mnemonic; r++)
        if (r->mnemonic == i->mnemonic && r->form == form && index >= 0)
            return r->run[index];
    return NULL;
}

static bool uses_memory(const struct insn *i)
{
    return i->op[0].kind == OPD_MEM || i->op[1].kind == OPD_MEM;
}

/* As a displacement from the block's start, which is less than a page away? */
static bool is_near(s64 distance) { return distance == (s32)distance && distance < INT32_MAX - (s64)(2 * PAGE_SIZE); }

/* Specialised functions know only flat memory with addresses as wide as the code. */
static bool memory_fits(const struct insn *i, u32 mode)
{
    unsigned adsize = mode_bits(mode) == 64 ? 8 : 4;
    return !uses_memory(i) || (i->adsize == adsize && mode_flat(mode, i->mem.seg) && (adsize == 4 || is_near(i->mem.disp)));
}

static bool flow_fits(const struct insn *i, u32 mode)
{
    if (mode_bits(mode) == 64)
        return mode_flat(mode, SS) && i->opsize == 8 && i->adsize == 8 && (i->op[0].kind != OPD_REL || is_near(i->imm));
    return mode_bits(mode) == 32 && mode & MODE_FLAT_CODE && mode & MODE_STACK32 && mode_flat(mode, SS) && i->opsize == 4 &&
           i->adsize == 4;
}

static fast_fn *choose(const struct insn *i, u32 mode)
{
    static const struct fast_row *const rows[2][4] = {
        { fast_alu_rows, fast_shift_rows, fast_move_rows, fast_flow_rows },
        { fast_alu_rows_wide, fast_shift_rows_wide, fast_move_rows_wide, fast_flow_rows_wide },
    };
    const struct fast_row *const *r = rows[mode_bits(mode) == 64];
    fast_fn *run = NULL;
    bool repeat = (i->rep || i->repne) && i->row->class != CLASS_CONTROL; /* REP RET is a RET */
    if (i->lock || repeat || !memory_fits(i, mode))
        return NULL;
    for (unsigned k = 0; k < 3 && !run; k++)
        run = find(r[k], i);
    return run || !flow_fits(i, mode) ? run : find(r[3], i);
}

void fast_specialise(struct cpu *c, struct op *o, const struct insn *i, u32 mode)
{
    fast_fn *run = choose(i, mode);
    o->run = run ? run : fast_slow;
    o->imm = 0;
    for (unsigned n = 0; n < 3; n++)
        place_operand(c, o, i, n);
}
