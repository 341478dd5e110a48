/* SPDX-License-Identifier: MIT */
/*
 * For tests of the processor's system side: one descriptor table with one descriptor of each kind, a handler that halts for each
 * vector, a task segment; one instruction at a time with every exception intercepted. Guests are those of guestcode.h.
 */
#ifndef EMU_TESTS_DESCRIPTORS_H
#define EMU_TESTS_DESCRIPTORS_H

#include "guestcode.h"

enum { GDT_AT = 0x2000, IDT_AT = 0x2800, TSS_AT = 0x3000, TSS2_AT = 0x3400, TSS16_AT = 0x3800, LDT_AT = 0x3a00, HANDLERS_AT = 0x5000, RING0_STACK = 0x6000 };

/* Selectors of the table */
enum {
    S_CODE0 = 0x08, S_DATA0 = 0x10, S_CODE3 = 0x18, S_DATA3 = 0x20, S_TSS = 0x28, S_LDT = 0x30, S_CONFORM = 0x38, S_RODATA = 0x40,
    S_ABSENT = 0x48, S_CALL = 0x50, S_TASK = 0x58, S_TSS2 = 0x60, S_XONLY = 0x68, S_CODE16 = 0x70, S_CODE1 = 0x78, S_DATA1 = 0x80,
    S_TSS16 = 0x88, S_NPCODE = 0x90, S_CALL_NP = 0x98, S_CALL_TO0 = 0xa0, S_TASK_NP = 0xa8, S_SMALLTSS = 0xb0, S_NPTSS = 0xb8,
    S_NPLDT = 0xc0, S_CALL_NULL = 0xc8, S_CALL_DATA = 0xd0, S_CALL_BEYOND = 0xd8, S_CALL16 = 0xe0, S_SMALLCODE = 0xe8, S_DOWN = 0xf0,
    S_BEYOND = 0x200, GDT_LIMIT = 0x1ff, S_LOCAL = 0x04 /* first of the LDT */
};

static inline u64 descriptor(u32 base, u32 limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 0xf) << 48 | (u64)flags << 52 |
           (u64)(base >> 24) << 56;
}

static inline u64 gate(u16 selector, u32 offset, unsigned access, unsigned count)
{
    return (offset & 0xffff) | (u64)selector << 16 | (u64)count << 32 | (u64)access << 40 | (u64)(offset >> 16) << 48;
}

static inline void set_descriptor(struct guest *g, u16 selector, u64 raw) { guest_put(g, GDT_AT + (selector & ~7), &raw, 8); }
static inline u8 access_byte(struct guest *g, u16 selector) { return g->ram[GDT_AT + (selector & ~7) + 5]; }
static inline void set_gate(struct guest *g, unsigned vector, u64 raw) { guest_put(g, IDT_AT + vector * 8, &raw, 8); }

static inline void fill_gdt(struct guest *g)
{
    static const struct { u16 selector; u32 base, limit; u8 access, flags; } segment[] = {
        { S_CODE0, 0, 0xfffff, 0x9a, 0xc }, { S_DATA0, 0, 0xfffff, 0x92, 0xc }, { S_CODE3, 0, 0xfffff, 0xfa, 0xc }, { S_DATA3, 0, 0xfffff, 0xf2, 0xc },
        { S_TSS, TSS_AT, 0x3ff, 0x8b, 0 }, { S_LDT, LDT_AT, 0x1f, 0x82, 0 }, { S_CONFORM, 0, 0xfffff, 0x9e, 0xc }, { S_RODATA, 0, 0xfffff, 0x90, 0xc },
        { S_ABSENT, 0, 0xfffff, 0x12, 0xc }, { S_TSS2, TSS2_AT, 0x67, 0x89, 0 }, { S_XONLY, 0, 0xfffff, 0x98, 0xc }, { S_CODE16, 0, 0xffff, 0x9a, 0 },
        { S_CODE1, 0, 0xfffff, 0xba, 0xc }, { S_DATA1, 0, 0xfffff, 0xb2, 0xc }, { S_TSS16, TSS16_AT, 0x2b, 0x81, 0 }, { S_NPCODE, 0, 0xfffff, 0x1a, 0xc },
        { S_SMALLTSS, TSS2_AT, 0x66, 0x89, 0 }, { S_NPTSS, TSS2_AT, 0x67, 0x09, 0 }, { S_NPLDT, LDT_AT, 0x1f, 0x02, 0 },
        { S_SMALLCODE, 0, 0x1fff, 0x9a, 4 }, { S_DOWN, 0, 0x7fff, 0x96, 4 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(segment); i++)
        set_descriptor(g, segment[i].selector, descriptor(segment[i].base, segment[i].limit, segment[i].access, segment[i].flags));
    set_descriptor(g, S_CALL, gate(S_CODE0, HANDLERS_AT, 0xec, 2));
    set_descriptor(g, S_CALL16, gate(S_CODE0, HANDLERS_AT, 0xe4, 1));
    set_descriptor(g, S_CALL_NP, gate(S_CODE0, HANDLERS_AT, 0x6c, 0));
    set_descriptor(g, S_CALL_TO0, gate(S_CODE0, HANDLERS_AT, 0x8c, 0));
    set_descriptor(g, S_CALL_NULL, gate(0, HANDLERS_AT, 0xec, 0));
    set_descriptor(g, S_CALL_DATA, gate(S_DATA0, HANDLERS_AT, 0xec, 0));
    set_descriptor(g, S_CALL_BEYOND, gate(S_BEYOND, HANDLERS_AT, 0xec, 0));
    set_descriptor(g, S_TASK, gate(S_TSS2, 0, 0xe5, 0));
    set_descriptor(g, S_TASK_NP, gate(S_TSS2, 0, 0x65, 0));
    set_descriptor(g, S_BEYOND, descriptor(0, 0xfffff, 0x9a, 0xc)); /* a good one, but behind the limit */
    u64 local = descriptor(0, 0xfffff, 0x92, 0xc);
    guest_put(g, LDT_AT, &local, 8);
    guest_put(g, LDT_AT + 0x20, &local, 8);
}

/* Each vector has a handler of its own, which halts. */
static inline void fill_idt(struct guest *g)
{
    for (unsigned v = 0; v < 64; v++) {
        set_gate(g, v, gate(S_CODE0, HANDLERS_AT + v * 16, 0x8e, 0));
        guest_put(g, HANDLERS_AT + v * 16, "\xf4", 1);
    }
}

static inline void set_segment(struct guest *g, unsigned seg, u16 selector)
{
    u64 raw;
    memcpy(&raw, g->ram + GDT_AT + (selector & ~7), 8);
    segment_from_descriptor(&g->cpu.state.seg[seg], selector, raw);
    g->cpu.state.seg[seg].attr |= SEG_ACCESSED;
}

static inline void set_ring(struct guest *g, unsigned ring)
{
    static const u16 code[] = { S_CODE0, S_CODE1 | 1, 0, S_CODE3 | 3 }, data[] = { S_DATA0, S_DATA1 | 1, 0, S_DATA3 | 3 };
    g->cpu.state.rflags &= ~(u64)FLAG_VM;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        set_segment(g, seg, seg == CS ? code[ring] : data[ring]);
    cpu_state_changed(&g->cpu);
}

/* A program of the 8086, at linear 0x1000 */
static inline void set_v86(struct guest *g, unsigned iopl)
{
    struct cpu_state *s = &g->cpu.state;
    s->rflags = FLAG_FIXED | FLAG_VM | iopl << 12;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        s->seg[seg] = (struct segment){ .selector = 0, .base = 0, .limit = 0xffff, .attr = 0xf3 };
    cpu_state_changed(&g->cpu);
}

static inline void start(struct guest *g, unsigned ring)
{
    struct cpu_state *s = &g->cpu.state;
    guest_init(g, 32);
    fill_gdt(g);
    fill_idt(g);
    s->gdtr = (struct dtable){ GDT_AT, GDT_LIMIT };
    s->idtr = (struct dtable){ IDT_AT, 64 * 8 - 1 };
    segment_from_descriptor(&s->tr, S_TSS, descriptor(TSS_AT, 0x3ff, 0x8b, 0));
    segment_from_descriptor(&s->ldtr, S_LDT, descriptor(LDT_AT, 0x1f, 0x82, 0));
    guest_poke32(g, TSS_AT + 4, RING0_STACK);
    guest_poke32(g, TSS_AT + 8, S_DATA0);
    guest_poke32(g, TSS_AT + 12, RING0_STACK + 0x800);
    guest_poke32(g, TSS_AT + 16, S_DATA1 | 1);
    guest_poke32(g, TSS_AT + 100, 104u << 16); /* I/O bitmap */
    memset(g->ram + TSS_AT + 104, 0xff, 0x200);
    set_ring(g, ring);
}

/* --- one instruction with all exceptions intercepted: vector << 16 | error, or NONE --- */

enum { NONE = -1 };
#define FAULT(vector, error) ((int)((vector) << 16 | (error)))

static inline int step_bytes(struct guest *g, const void *code, unsigned len)
{
    guest_put(g, GUEST_CODE_AT, code, len);
    g->cpu.state.rip = GUEST_CODE_AT;
    g->cpu.icept_exc = ~0u;
    enum cpu_stop_kind why = cpu_step(&g->cpu);
    g->cpu.icept_exc = 0;
    if (why != STOP_TRAP)
        return NONE;
    CHECK_EQ(g->cpu.state.rip, GUEST_CODE_AT);
    return FAULT(g->cpu.stop.trap.vector, g->cpu.stop.trap.has_error ? g->cpu.stop.trap.error : 0);
}
#define STEP(g, literal) step_bytes((g), (literal), sizeof(literal) - 1)

/* Let a fault be delivered: to which handler did it come? -1: it did not halt in one. */
static inline int run_to_handler(struct guest *g)
{
    if (guest_run(g) != STOP_HLT || g->cpu.state.rip < HANDLERS_AT)
        return -1;
    return (int)(g->cpu.state.rip - HANDLERS_AT) / 16;
}
static inline u32 stack32(struct guest *g, unsigned n) { return guest_peek32(g, g->cpu.state.seg[SS].base + (u32)g->cpu.state.gpr[RSP] + 4 * n); }

#endif
