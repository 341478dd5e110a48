/* SPDX-License-Identifier: MIT */
/* The registers of the descriptor tables: GDTR, IDTR, LDTR, TR (SDM vol. 3, 2.4). */
#include <string.h>

#include "cpu/descriptor.h"
#include "cpu/system.h"

static void check_intercept(struct cpu *c, const struct insn *i, enum intercept kind, bool write)
{
    if (intercepted(c, kind)) {
        struct icept_info info = icept_operand(c, i, kind, write);
        raise_intercept(c, &info);
    }
}

/* With a 16-bit operand the base has 24 bits, as the 80286 had (SDM vol. 2, LGDT, SGDT). */
static u64 base_mask(const struct insn *i)
{
    return i->opsize == 2 ? 0xffffff : i->bits == 64 ? ~(u64)0 : 0xffffffff;
}
static unsigned base_size(const struct insn *i) { return i->bits == 64 ? 8 : 4; }

static void store_table(struct cpu *c, const struct insn *i, const struct dtable *t)
{
    check_intercept(c, i, ICEPT_GDTR_IDTR, false);
    u64 at = ea_offset(c, i), base = t->base & base_mask(i);
    u8 image[10];
    memcpy(image, &t->limit, 2);
    memcpy(image + 2, &base, 8);
    seg_write_bytes(c, i->mem.seg, at, image, 2 + base_size(i));
}

void exec_sgdt(struct cpu *c, const struct insn *i) { store_table(c, i, &c->state.gdtr); }
void exec_sidt(struct cpu *c, const struct insn *i) { store_table(c, i, &c->state.idtr); }

static void load_table(struct cpu *c, const struct insn *i, struct dtable *t)
{
    require_ring0(c);
    check_intercept(c, i, ICEPT_GDTR_IDTR, true);
    u64 at = ea_offset(c, i);
    u16 limit = seg_read(c, i->mem.seg, at, 2);
    u64 base = seg_read(c, i->mem.seg, at + 2, base_size(i)) & base_mask(i);
    if (i->bits == 64 && !gva_canonical(base))
        raise_error(c, VEC_GP, 0);
    *t = (struct dtable){ .base = base, .limit = limit };
}

void exec_lgdt(struct cpu *c, const struct insn *i) { load_table(c, i, &c->state.gdtr); }
void exec_lidt(struct cpu *c, const struct insn *i) { load_table(c, i, &c->state.idtr); }

static void store_selector(struct cpu *c, const struct insn *i, u16 selector)
{
    require_protected(c);
    check_intercept(c, i, ICEPT_LDTR_TR, false);
    if (i->op[0].kind == OPD_GPR)
        gpr_set(c, i->op[0].reg, i->opsize, selector);
    else
        seg_write(c, i->mem.seg, ea_offset(c, i), 2, selector);
}

void exec_sldt(struct cpu *c, const struct insn *i) { store_selector(c, i, c->state.ldtr.selector); }
void exec_str(struct cpu *c, const struct insn *i) { store_selector(c, i, c->state.tr.selector); }

/* In IA-32e mode the descriptors of LDT and TSS have 16 bytes: bits 63..32 of the base stand in the second half (SDM vol. 3, 7.2.3). */
static struct segment load_system_segment(struct cpu *c, u16 selector, u64 raw)
{
    struct segment s;
    segment_from_descriptor(&s, selector, raw);
    if (!state_long(&c->state))
        return s;
    s.base |= descriptor_fetch_upper(c, selector, VEC_GP) << 32;
    if (!gva_canonical(s.base))
        raise_selector(c, VEC_GP, selector);
    return s;
}

void exec_lldt(struct cpu *c, const struct insn *i)
{
    require_protected(c);
    require_ring0(c);
    check_intercept(c, i, ICEPT_LDTR_TR, true);
    u16 selector = opd_read(c, i, 0);
    if (selector_null(selector)) {
        c->state.ldtr = segment_null(selector);
        return;
    }
    if (selector & 4)
        raise_selector(c, VEC_GP, selector);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    if (!desc_system_type(raw, SYS_LDT))
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    c->state.ldtr = load_system_segment(c, selector, raw);
}

void exec_ltr(struct cpu *c, const struct insn *i)
{
    require_protected(c);
    require_ring0(c);
    check_intercept(c, i, ICEPT_LDTR_TR, true);
    u16 selector = opd_read(c, i, 0);
    if (selector_null(selector))
        raise_error(c, VEC_GP, 0);
    if (selector & 4)
        raise_selector(c, VEC_GP, selector);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    if (!desc_tss(raw) || desc_type(raw) & SYS_BUSY || (state_long(&c->state) && !(desc_type(raw) & SYS_32BIT)))
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    struct segment tr = load_system_segment(c, selector, raw);
    descriptor_set_type(c, selector, &raw, SYS_BUSY);
    c->state.tr = tr;
    c->state.tr.attr |= SYS_BUSY;
}
