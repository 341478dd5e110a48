/* SPDX-License-Identifier: MIT */
/*
 * What the files that write a unit share: the scanned guest code, the unit in the making, and the small pieces of host code that all of
 * them use. None of these touches the guest's arithmetic flags.
 */
#ifndef EMU_BT_MAKER_H
#define EMU_BT_MAKER_H

#include "bt/emit.h"
#include "bt/rules.h"

struct scan {
    struct insn insn[UNIT_MAX_INSNS];
    enum rule rule[UNIT_MAX_INSNS];
    u32 at[UNIT_MAX_INSNS];     /* eip of each */
    unsigned n, once;           /* how many; `once` of them are one round of a loop, if there are more */
    u32 next;                   /* eip behind the last one */
    bool ends;                  /* by control flow or a callout; otherwise it falls through to `next` */
};

struct maker {
    struct emitter e;
    struct bt *bt;
    struct unit *u;
    struct scan *scan;
    unsigned nlinks;
    u32 string_cycles;          /* of one iteration */
    struct { u32 site; u8 n; } round_exit[UNIT_MAX_INSNS]; unsigned nround_exits;
    u32 fall_through;           /* offset of the exit that the last one's falling through takes */
    u32 code_base;              /* of the code segment: EIP is linear address - code_base */
    bool counts_indirect;
};

#define SEGMENTS(field) ((u32)offsetof(struct segments, field))

static inline u32 offset_of(const struct maker *m) { return m->e.p - m->bt->code; }

/* --- pieces of host code --- */

static inline void load_ctx(struct emitter *e, unsigned reg, u32 field)   /* mov reg64, [r15 + field] */
{
    EMIT(e, 0x49 | (reg & 8) >> 1, 0x8b);
    emit_ctx(e, reg, field);
}

static inline void store_ctx(struct emitter *e, unsigned reg, u32 field)  /* mov [r15 + field], reg64 */
{
    EMIT(e, 0x49 | (reg & 8) >> 1, 0x89);
    emit_ctx(e, reg, field);
}

static inline void mov_r8d_imm(struct emitter *e, u32 v) { EMIT(e, 0x41, 0xb8); emit32(e, v); }

/* Leave for the monitor if r13 is not 0: the load from the guard faults then, and the handler knows where it stands. */
static inline void callout_if_r13(struct emitter *e) { EMIT(e, 0x47, 0x8a, 0x2c, 0xec); }

/* The deadline's test: leave for the monitor if that register is below zero, through r13, which becomes 0 or 255. */
static inline void leave_if_negative(struct maker *m, unsigned reg)
{
    struct emitter *e = &m->e;
    if (m->bt->bmi2) {
        EMIT(e, 0xc4, 0x42, 0x9b, 0xf7, 0xe8 | (reg & 7));   /* shrx r13, reg, r12: by 56 bits, the lowest six of the guard's address */
    } else {
        EMIT(e, 0x4d, 0x89, 0xc5 | (reg & 7) << 3);     /* mov r13, reg */
        EMIT(e, 0x49, 0x0f, 0xcd);                      /* bswap r13: the sign byte comes last */
        EMIT(e, 0x45, 0x0f, 0xb6, 0xed);                /* movzx r13d, r13b */
    }
    callout_if_r13(e);
}

static inline void esp_plus(struct emitter *e, s32 n)
{
    EMIT(e, 0x8d, 0xa4, 0x24);                  /* lea esp, [rsp + n] */
    emit32(e, n);
}

/* --- scan.c --- */
/* Decode the unit at eip. *second: gpa of the second page if its one instruction crosses into it, else 0. */
void scan_unit(struct bt_vcpu *v, struct scan *s, u32 eip, u32 key, gpa_t gpa, gpa_t *second);
bool ends_unit(enum rule r);

/* --- exits.c --- */
void unit_head(struct maker *m);                                        /* charge the unit, and leave when the deadline has passed */
void uncharge(struct maker *m, u32 cycles, unsigned insns);             /* what the head charged for the last ones */
void unit_fpu_gate(struct maker *m);                                    /* behind the head of a unit with x87 or SSE instructions */
void leave_for_callout(struct maker *m);                                /* the last instruction is the monitor's */
void exit_to(struct maker *m, u32 site, u32 eip);                       /* on to guest address eip; site: the rel32 that leads here, 0: emit a jump */
void jump_by_table_to(struct maker *m, u32 eip);                         /* the same by the table, wherever that leads */
void jump_indirect(struct maker *m);                                    /* on to the guest address in r8 */

/* --- address.c: memory operands --- */
void modrm_memory(struct emitter *e, const struct insn *i, unsigned reg);           /* [address] of a direct operand, and that reg field */
void offset_to_r8(struct maker *m, const struct insn *i);                           /* r8d = offset in its segment */
void check_r8(struct maker *m, unsigned seg, unsigned size, bool write);            /* r8d is within the segment, or a callout */
void add_base(struct maker *m, unsigned seg);                                       /* r8d = linear address */
void address_to_r8(struct maker *m, const struct insn *i, unsigned n);              /* all three, for operand n */
void load_r8(struct maker *m, const struct insn *i, unsigned n, unsigned size);     /* r8d = operand n, of 2 (zero-extended) or 4 bytes */
void move_r8(struct maker *m, u8 reg, unsigned size);                               /* reg = r8d or r8w */
void store_r8(struct maker *m, const struct insn *i, unsigned size);                /* its direct memory operand = r8d or r8w */

/* --- plain.c: copied instructions --- */
void legacy_prefixes(struct emitter *e, const struct insn *i);
void body_ident(struct maker *m, const struct insn *i);
void body_incdec(struct maker *m, const struct insn *i);
void body_bit(struct maker *m, const struct insn *i);
void body_lea(struct maker *m, const struct insn *i);

/* --- stack.c --- */
void push_immediate(struct maker *m, u32 value, unsigned size);
void push_r8(struct maker *m, unsigned size);
void peek_r8(struct maker *m, unsigned size);                   /* r8d = the value on top */
void drop_from_stack(struct maker *m, u32 bytes);
void body_push(struct maker *m, const struct insn *i);
void body_pop(struct maker *m, const struct insn *i);
void body_leave(struct maker *m, const struct insn *i);

/* --- flow.c: control flow; next: guest address of the instruction behind --- */
u32 target_of(const struct maker *m, const struct insn *i, u32 next);   /* of a direct jump */
void body_call(struct maker *m, const struct insn *i, u32 next);
void body_ret(struct maker *m, const struct insn *i);
void body_jmp(struct maker *m, const struct insn *i, u32 next);
void body_jcc(struct maker *m, const struct insn *i, u32 next);
void body_jcc_round(struct maker *m, const struct insn *i, unsigned n);
void body_loop(struct maker *m, const struct insn *i, u32 next);

/* --- sensitive.c: emulated in the cache --- */
void count_in_cache(struct maker *m, enum in_cache what);
void body_cli(struct maker *m);
void body_sti(struct maker *m);
void body_pushf(struct maker *m);
void body_popf(struct maker *m);
void body_read_cr(struct maker *m, const struct insn *i);
void body_smsw(struct maker *m, const struct insn *i);
void body_rdtsc(struct maker *m, const struct insn_map *map);

/* --- segreg.c --- */
void body_read_sreg(struct maker *m, const struct insn *i);
void body_load_sreg(struct maker *m, const struct insn *i, u32 next, u32 cycles); /* cycles: what the unit charges for it */

/* --- strings.c --- */
static inline bool repeats(const struct insn *i) { return i->rep || i->repne; }
void body_string(struct maker *m, const struct insn *i, struct insn_map *map);

#endif
