/* SPDX-License-Identifier: MIT */
/*
 * The hardware task switch (SDM vol. 3, 7.3): the whole processor is stored in one TSS and loaded from another.
 *
 * Up to the commit point a fault belongs to the old task, as if the switch had not begun; behind it, to the new one, whose
 * segments may still be unloaded then.
 */
#include "cpu/descriptor.h"

enum { DR6_BT = 1 << 15 };

/* Where things are in a TSS: SDM vol. 3, figures 7-2 and 7-10. */
struct layout { u8 size, cr3, eip, eflags, gpr, seg, nseg, ldt, min_limit; };
static const struct layout layout16 = { .size = 2, .eip = 14, .eflags = 16, .gpr = 18, .seg = 34, .nseg = 4, .ldt = 42, .min_limit = 43 };
static const struct layout layout32 = { .size = 4, .cr3 = 28, .eip = 32, .eflags = 36, .gpr = 40, .seg = 72, .nseg = 6, .ldt = 96, .min_limit = 103 };

static const struct layout *layout_of(u32 attr_or_type) { return attr_or_type & SYS_32BIT ? &layout32 : &layout16; }
static unsigned seg_stride(const struct layout *l) { return l->size; }

static u32 tss_read(struct cpu *c, const struct segment *tss, unsigned at, unsigned size)
{
    return lin_read_system(c, (u32)(tss->base + at), size);
}

static void tss_write(struct cpu *c, const struct segment *tss, unsigned at, unsigned size, u32 value)
{
    lin_write_system(c, (u32)(tss->base + at), size, value);
}

/* What the new task starts with, read before anything changes. */
struct image {
    u32 cr3, eip, eflags, gpr[8];
    u16 seg[SREG_COUNT], ldt;
    bool debug_trap;
};

static void read_image(struct cpu *c, const struct segment *tss, struct image *m)
{
    const struct layout *l = layout_of(tss->attr);
    *m = (struct image){ 0 };
    m->eip = tss_read(c, tss, l->eip, l->size);
    m->eflags = tss_read(c, tss, l->eflags, l->size);
    for (unsigned i = 0; i < 8; i++)
        m->gpr[i] = tss_read(c, tss, l->gpr + i * l->size, l->size) | (l->size == 2 ? 0xffff0000 : 0);
    for (unsigned i = 0; i < l->nseg; i++)
        m->seg[i] = tss_read(c, tss, l->seg + i * seg_stride(l), 2);
    m->ldt = tss_read(c, tss, l->ldt, 2);
    m->cr3 = l->cr3 ? tss_read(c, tss, l->cr3, 4) : 0;
    m->debug_trap = l->cr3 && tss_read(c, tss, 100, 2) & 1;
}

static void save_image(struct cpu *c, const struct segment *tss, u32 eflags)
{
    const struct layout *l = layout_of(tss->attr);
    const struct cpu_state *s = &c->state;
    tss_write(c, tss, l->eip, l->size, s->rip);
    tss_write(c, tss, l->eflags, l->size, eflags);
    for (unsigned i = 0; i < 8; i++)
        tss_write(c, tss, l->gpr + i * l->size, l->size, s->gpr[i]);
    for (unsigned i = 0; i < l->nseg; i++)
        tss_write(c, tss, l->seg + i * seg_stride(l), 2, s->seg[i].selector);
}

/* --- checks of the new TSS, in the order of SDM vol. 3, table 7-1 --- */

static u64 fetch_tss(struct cpu *c, u16 selector, enum task_switch_by by)
{
    u8 vector = by == TASK_IRET ? VEC_TS : VEC_GP;
    if (selector & 4 || selector_null(selector))
        raise_selector(c, vector, selector);
    u64 raw = descriptor_fetch(c, selector, vector);
    bool busy = desc_type(raw) & SYS_BUSY;
    if (!desc_tss(raw) || busy != (by == TASK_IRET))
        raise_selector(c, vector, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    return raw;
}

static void check_intercept(struct cpu *c, u16 selector, enum task_switch_by by)
{
    static const u16 mnemonic[] = { [TASK_JMP] = MN_JMPF, [TASK_CALL] = MN_CALLF, [TASK_IRET] = MN_IRET, [TASK_INT] = MN_INT };
    struct icept_info info = { .kind = ICEPT_TASK_SWITCH, .source = selector, .mnemonic = mnemonic[by] };
    if (intercepted(c, ICEPT_TASK_SWITCH))
        raise_intercept(c, &info);
}

/* Both TSSs must be there for the writes to come, or a page fault would strike halfway. */
static void probe(struct cpu *c, const struct segment *tss)
{
    lin_probe_write(c, (u32)tss->base, layout_of(tss->attr)->min_limit + 1, false);
}

/* --- the switch --- */

static void leave_old(struct cpu *c, enum task_switch_by by)
{
    u32 eflags = c->state.rflags & ~(u32)(by == TASK_IRET ? FLAG_NT : 0);
    if (by == TASK_JMP || by == TASK_IRET)
        descriptor_clear_type(c, c->state.tr.selector, SYS_BUSY);
    save_image(c, &c->state.tr, eflags);
}

static void enter_tr(struct cpu *c, struct segment *tss, u64 raw, struct image *m, enum task_switch_by by)
{
    if (by == TASK_CALL || by == TASK_INT) {
        tss_write(c, tss, 0, 2, c->state.tr.selector);
        m->eflags |= FLAG_NT;
    }
    if (by != TASK_IRET)
        descriptor_set_type(c, tss->selector, &raw, SYS_BUSY);
    segment_from_descriptor(&c->state.tr, tss->selector, raw);
}

/* Registers first; the segments hold only their selectors until they are checked. */
static void load_registers(struct cpu *c, const struct image *m)
{
    struct cpu_state *s = &c->state;
    bool v86 = m->eflags & FLAG_VM;
    s->rip = m->eip;
    s->rflags = (m->eflags & 0x003f7fd5) | FLAG_FIXED;
    for (unsigned i = 0; i < 8; i++)
        s->gpr[i] = m->gpr[i];
    for (unsigned i = 0; i < SREG_COUNT; i++)
        s->seg[i] = v86 ? segment_v86(m->seg[i]) : segment_null(m->seg[i]);
    s->seg[SS].attr |= v86 ? 0 : (m->seg[CS] & 3) << 5; /* so CPL is known to whatever faults from here on */
    s->ldtr = segment_null(m->ldt);
    s->cr0 |= CR0_TS;
    c->mmu.cr0 = s->cr0;
    s->dr[7] &= ~(u64)0x155; /* L0..L3, LE: local to the old task */
    s->activity = CPU_ACTIVE;
    s->sti_shadow = s->movss_shadow = 0;
}

static void load_cr3(struct cpu *c, const struct layout *l, u32 cr3)
{
    if (l->cr3 && c->state.cr0 & CR0_PG && !cpu_write_cr(c, 3, cr3))
        raise_error(c, VEC_GP, 0);
}

static void load_ldt(struct cpu *c, u16 selector)
{
    if (selector_null(selector))
        return;
    if (selector & 4)
        raise_selector(c, VEC_TS, selector);
    u64 raw = descriptor_fetch(c, selector, VEC_TS);
    if (!desc_system_type(raw, SYS_LDT) || !desc_present(raw))
        raise_selector(c, VEC_TS, selector);
    segment_from_descriptor(&c->state.ldtr, selector, raw);
}

static void load_cs(struct cpu *c, u16 selector)
{
    if (selector_null(selector))
        raise_selector(c, VEC_TS, selector);
    u64 raw = descriptor_fetch(c, selector, VEC_TS);
    unsigned dpl = desc_dpl(raw), rpl = selector_rpl(selector);
    if (!desc_code(raw) || (desc_conforming(raw) ? dpl > rpl : dpl != rpl))
        raise_selector(c, VEC_TS, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    c->state.seg[CS] = descriptor_load(c, selector, raw);
}

static void load_ss(struct cpu *c, u16 selector, unsigned level)
{
    if (selector_null(selector))
        raise_selector(c, VEC_TS, selector);
    u64 raw = descriptor_fetch(c, selector, VEC_TS);
    if (!desc_writable(raw) || desc_dpl(raw) != level || selector_rpl(selector) != level)
        raise_selector(c, VEC_TS, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_SS, selector);
    c->state.seg[SS] = descriptor_load(c, selector, raw);
}

static void load_data(struct cpu *c, unsigned seg, u16 selector, unsigned level)
{
    if (selector_null(selector))
        return;
    u64 raw = descriptor_fetch(c, selector, VEC_TS);
    bool outside = !desc_conforming(raw) && (desc_dpl(raw) < level || desc_dpl(raw) < selector_rpl(selector));
    if (!desc_readable(raw) || outside)
        raise_selector(c, VEC_TS, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    c->state.seg[seg] = descriptor_load(c, selector, raw);
}

static void load_segments(struct cpu *c, const struct image *m)
{
    static const u8 data[] = { DS, ES, FS, GS };
    unsigned level = selector_rpl(m->seg[CS]);
    load_ldt(c, m->ldt);
    if (m->eflags & FLAG_VM)
        return;
    load_cs(c, m->seg[CS]);
    load_ss(c, m->seg[SS], level);
    for (unsigned i = 0; i < ARRAY_LEN(data); i++)
        load_data(c, data[i], m->seg[data[i]], level);
}

static void push_error(struct cpu *c, unsigned size, u32 error)
{
    struct stack k = stack_current(c);
    stack_push(c, &k, size, error);
    stack_commit(c, &k);
}

void task_switch(struct cpu *c, u16 selector, enum task_switch_by by, bool has_error, u32 error)
{
    struct segment tss;
    struct image m;
    u64 raw = fetch_tss(c, selector, by);
    segment_from_descriptor(&tss, selector, raw);
    const struct layout *l = layout_of(tss.attr);
    if (tss.limit < l->min_limit)
        raise_selector(c, VEC_TS, selector);
    check_intercept(c, selector, by);
    probe(c, &c->state.tr);
    probe(c, &tss);
    read_image(c, &tss, &m);
    leave_old(c, by);
    enter_tr(c, &tss, raw, &m, by);
    /* the commit point: from here on the instruction pointer is the new task's, also for faults */
    load_registers(c, &m);
    c->insn_rip = c->state.rip;
    load_cr3(c, l, m.cr3);
    load_segments(c, &m);
    if (has_error)
        push_error(c, l->size, error);
    check_rip(c, &c->state.seg[CS], c->state.rip);
    if (m.debug_trap) /* before the new task's first instruction, SDM vol. 3, 17.3.1.5 */
        raise_debug(c, DR6_BT);
}
