/* SPDX-License-Identifier: MIT */
/*
 * What specialised instructions are made of: see interp.h for what they may do.
 *
 * The files fast_*.c are compiled twice: for 16- and 32-bit code, and once more, with FAST_WIDE, for 64-bit code (fast_wide.c), where
 * addresses have 64 bits, segments but FS and GS no base, and operands of 8 bytes come in.
 *
 * Flags travel from op to op in a register, in the form in which the host's LAHF and SETO give them: bits 8..15
 * are SF:ZF:0:AF:0:PF:1:CF, bit 0 is OF. The host's own instruction computes them, so they are right by construction.
 */
#ifndef EMU_CPU_FAST_H
#define EMU_CPU_FAST_H

#include "cpu/interp.h"

enum { FAST_OF = 1, FAST_CF = 1 << 8, FAST_PF = 1 << 10, FAST_AF = 1 << 12, FAST_ZF = 1 << 14, FAST_SF = 1 << 15 };

/* What the operands are. */
enum fast_form { FORM_RR /* register; register or immediate */, FORM_RM, FORM_MR, FORM_R, FORM_M, FORM_NONE, FORM_REL, FORM_I, FORM_RRI, FORM_RMI, FORM_OTHER };

/* One row: the functions for operands (the first one) of 1, 2, 4 and 8 bytes. */
struct fast_row {
    u16 mnemonic;
    u8 form;
    fast_fn *run[4];
};
extern const struct fast_row fast_alu_rows[], fast_shift_rows[], fast_move_rows[], fast_flow_rows[]; /* ended by mnemonic 0 */
extern const struct fast_row fast_alu_rows_wide[], fast_shift_rows_wide[], fast_move_rows_wide[], fast_flow_rows_wide[];

#ifdef FAST_WIDE
#define FAST_ROWS(name) name##_wide
#define IF_WIDE(...) __VA_ARGS__
typedef u64 fast_word;          /* an address, an offset, a word of the stack */
#else
#define FAST_ROWS(name) name
#define IF_WIDE(...)
typedef u32 fast_word;
#endif
typedef fast_word fast_mem __attribute__((aligned(1)));

#define FAST(name) static const struct op *name(struct cpu *c, const struct op *o, u32 flags)
#define NEXT return o[1].run(c, o + 1, flags)
#define GIVE_UP return fast_slow(c, o, flags)

/* Guest memory may lie at any address. */
typedef u8 t8;
typedef u16 t16 __attribute__((aligned(1)));
typedef u32 t32 __attribute__((aligned(1)));
typedef u64 t64 __attribute__((aligned(1)));
typedef s32 st32 __attribute__((aligned(1)));
typedef s16 st16 __attribute__((aligned(1)));

/* Registers narrower than 32 bits keep their upper part; 32-bit ones clear it (SDM vol. 1, 3.4.1.1). */
static inline void put8(void *reg, u8 v) { *(u8 *)reg = v; }
static inline void put16(void *reg, u16 v) { *(u16 *)reg = v; }
static inline void put32(void *reg, u32 v) { *(u64 *)reg = v; }
static inline void put64(void *reg, u64 v) { *(u64 *)reg = v; }

static inline fast_word fast_offset(const struct op *o) { return *o->base + (*o->index << o->scale) + (s32)o->disp; }

/* Host address of size bytes at a linear address, or NULL. */
static inline void *fast_linear(const struct cpu *c, fast_word gva, unsigned size, enum mmu_access a)
{
    const struct tlb_entry *e = &c->tlb[(gva >> PAGE_SHIFT) % TLB_ENTRIES];
    bool hit = e->tag[a] == (gva & (fast_word)PAGE_MASK) && (size == 1 || (gva & ~(fast_word)PAGE_MASK) <= PAGE_SIZE - size);
    return likely(hit) ? (void *)(gva + e->addend) : NULL;
}

/* The same for the memory operand. */
static inline void *fast_memory(const struct cpu *c, const struct op *o, unsigned size, enum mmu_access a)
{
    return fast_linear(c, fast_offset(o) + (fast_word)*o->segment, size, a);
}

static inline void *fast_stack(const struct cpu *c, fast_word sp, enum mmu_access a)
{
    fast_word base = 0;
#ifndef FAST_WIDE
    base = c->state.seg[SS].base;
#endif
    return fast_linear(c, sp + base, sizeof(fast_word), a);
}

/* The conditions, in the order of the condition code (SDM vol. 1, appendix B); their negations are made from them. */
#define COND_O (flags & FAST_OF)
#define COND_B (flags & FAST_CF)
#define COND_E (flags & FAST_ZF)
#define COND_BE (flags & (FAST_CF | FAST_ZF))
#define COND_S (flags & FAST_SF)
#define COND_P (flags & FAST_PF)
#define COND_L ((flags >> 15 ^ flags) & 1)
#define COND_LE (COND_L || COND_E)
#define FAST_CONDITIONS(X) \
    X(O, COND_O) X(NO, !COND_O) X(B, COND_B) X(AE, !COND_B) X(E, COND_E) X(NE, !COND_E) X(BE, COND_BE) X(A, !COND_BE) \
    X(S, COND_S) X(NS, !COND_S) X(P, COND_P) X(NP, !COND_P) X(L, COND_L) X(GE, !COND_L) X(LE, COND_LE) X(G, !(COND_LE))

#endif
