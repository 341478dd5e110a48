/* SPDX-License-Identifier: MIT */
/*
 * LAR, LSL, VERR, VERW, ARPL: questions about a selector that answer in ZF and never fault for what it names (SDM vol. 3,
 * 5.10). They are sensitive but not privileged: they show a program the real descriptor tables.
 */
#include "cpu/descriptor.h"
#include "cpu/system.h"

static void set_zf(struct cpu *c, bool on)
{
    c->state.rflags = (c->state.rflags & ~(u64)FLAG_ZF) | (on ? FLAG_ZF : 0);
}

/* The descriptor, if there is one and it may be seen from this level with this RPL. */
static bool visible(struct cpu *c, u16 selector, u64 *raw)
{
    if (selector_null(selector) || !descriptor_read(c, selector, raw))
        return false;
    return desc_conforming(*raw) || (desc_dpl(*raw) >= cpl(c) && desc_dpl(*raw) >= selector_rpl(selector));
}

/* IA-32e mode has no types of 16 bits and no task gates (SDM vol. 2, LAR, table 3-53). */
static bool type_in(const struct cpu *c, u64 raw, u32 system_types)
{
    const u32 gone = BIT(SYS_TSS16) | BIT(SYS_TSS16_BUSY) | BIT(SYS_CALL_GATE16) | BIT(SYS_TASK_GATE);
    if (state_long(&c->state))
        system_types &= ~gone;
    return !desc_system(raw) || system_types >> desc_type(raw) & 1;
}

#define LSL_TYPES (BIT(SYS_TSS16) | BIT(SYS_LDT) | BIT(SYS_TSS16_BUSY) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY))
#define LAR_TYPES (LSL_TYPES | BIT(SYS_CALL_GATE16) | BIT(SYS_TASK_GATE) | BIT(SYS_CALL_GATE32))

void exec_lar(struct cpu *c, const struct insn *i)
{
    u64 raw;
    require_protected(c);
    bool ok = visible(c, opd_read(c, i, 1), &raw) && type_in(c, raw, LAR_TYPES);
    if (ok)
        gpr_set(c, i->op[0].reg, i->opsize, raw >> 32 & (i->opsize == 2 ? 0xff00 : 0x00ffff00));
    set_zf(c, ok);
}

void exec_lsl(struct cpu *c, const struct insn *i)
{
    u64 raw;
    struct segment s;
    require_protected(c);
    u16 selector = opd_read(c, i, 1);
    bool ok = visible(c, selector, &raw) && type_in(c, raw, LSL_TYPES);
    if (ok) {
        segment_from_descriptor(&s, selector, raw);
        gpr_set(c, i->op[0].reg, i->opsize, s.limit);
    }
    set_zf(c, ok);
}

void exec_verr(struct cpu *c, const struct insn *i)
{
    u64 raw;
    require_protected(c);
    set_zf(c, visible(c, opd_read(c, i, 0), &raw) && desc_readable(raw));
}

void exec_verw(struct cpu *c, const struct insn *i)
{
    u64 raw;
    require_protected(c);
    set_zf(c, visible(c, opd_read(c, i, 0), &raw) && desc_writable(raw));
}

void exec_arpl(struct cpu *c, const struct insn *i)
{
    require_protected(c);
    u16 dest = opd_read(c, i, 0), source = opd_read(c, i, 1);
    bool raise_rpl = selector_rpl(dest) < selector_rpl(source);
    if (raise_rpl)
        opd_write(c, i, 0, (dest & ~3) | selector_rpl(source));
    set_zf(c, raise_rpl);
}
