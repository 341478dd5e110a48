/* SPDX-License-Identifier: MIT */
/*
 * Why the translator exists: each sensitive or privileged instruction of a guest kernel, executed three times.
 *
 *   - in ring 0 by the interpreter: what the guest's authors expect;
 *   - in ring 0 by the translator (engine bt, and as the accelerator): must be exactly that;
 *   - naively deprivileged, as a monitor without a translator would: the same bytes in ring 1 or 3 on the monitor's own tables. Either
 *     it traps (then trap-and-emulate would do), or it betrays the monitor silently: no fault, and another result.
 *
 * Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor" (USENIX Security 2000),
 * count 17 of the latter. The table below finds them again by experiment, and no other in class SENSITIVE but INT n, whose gate's DPL stops it.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "lockstep.h"
#include "machine/bare.h"
#include "progen_world.h"

/* --- the table --- */

enum kind { TRAPS, BETRAYS };

/* Where the monitor's own things are in the deprivileged run, and what the guest thinks that it has. */
enum { MONITOR_GDT = 0xa000, MONITOR_IDT = 0xb000, TARGET = W_CODE + 0x800, OPERAND = W_DATA + 0x40, ESP_AT = W_STACK - 0x100 };

struct row {
    const char *encoding, *operands;    /* the row of opcodes.def */
    const char *code; u8 len;
    enum kind kind;
    u8 ring;                            /* of the deprivileged run */
    const char *name;                   /* as Robin and Irvine list it; NULL: it is not on their list */
    u32 eax, stack[5], memory[2];       /* operands: EAX, what ESP points at, what EBX points at */
    const char *what;                   /* goes wrong, or stops it */
};
#define CODE(s) s, sizeof(s) - 1
#define IRET_FLAGS (FLAG_FIXED | FLAG_CF)

static const struct row rows[] = {
    { "9C", "", CODE("\x9c"), BETRAYS, 1, "PUSHF", .what = "IF is the monitor's, always set, where the guest has cleared its own" },
    { "9D", "", CODE("\x9d"), BETRAYS, 1, "POPF", .stack = { FLAG_FIXED | FLAG_CF | FLAG_ID | FLAG_AC }, .what = "IF is left as it is, and nobody is told" },
    { "0F 01 /0", "Ms", CODE("\x0f\x01\x03"), BETRAYS, 3, "SGDT", .what = "base and limit of the monitor's GDT" },
    { "0F 01 /1", "Ms", CODE("\x0f\x01\x0b"), BETRAYS, 3, "SIDT", .what = "base and limit of the monitor's IDT (the \"red pill\")" },
    { "0F 00 /0", "Rv/Mw", CODE("\x0f\x00\xc0"), BETRAYS, 3, "SLDT", .what = "the monitor has no LDT" },
    { "0F 00 /1", "Rv/Mw", CODE("\x0f\x00\xc8"), BETRAYS, 3, "STR", .what = "the monitor's task register" },
    { "0F 01 /4", "Rv/Mw", CODE("\x0f\x01\xe0"), BETRAYS, 3, "SMSW", .what = "CR0.TS is the monitor's, who is lazy with the FPU" },
    { "0F 02 /r", "Gv,Ew", CODE("\x0f\x02\xc8"), BETRAYS, 1, "LAR", .eax = SEL_DATA0, .what = "DPL 0 < CPL 1: ZF is clear, the segment looks absent" },
    { "0F 03 /r", "Gv,Ew", CODE("\x0f\x03\xc8"), BETRAYS, 1, "LSL", .eax = SEL_BASED, .what = "the limit is truncated to keep the guest out of the monitor" },
    { "0F 00 /4", "Ew", CODE("\x0f\x00\xe0"), BETRAYS, 1, "VERR", .eax = SEL_DATA0, .what = "DPL 0 < CPL 1: not readable" },
    { "0F 00 /5", "Ew", CODE("\x0f\x00\xe8"), BETRAYS, 1, "VERW", .eax = SEL_DATA0, .what = "DPL 0 < CPL 1: not writable" },
    { "8C /r", "Rv/Mw,Sw", CODE("\x8c\xc8"), BETRAYS, 1, "MOV", .what = "RPL of CS is 1" },
    { "8E /r", "Sw,Ew", CODE("\x8e\xd8"), BETRAYS, 1, "MOV", .eax = SEL_BASED, .what = "the truncated descriptor is loaded" },
    { "06", "ES", CODE("\x06"), BETRAYS, 1, "PUSH", .what = "the selector's RPL is not 0" },
    { "0E", "CS", CODE("\x0e"), BETRAYS, 1, "PUSH", .what = "the selector's RPL is not 0" },
    { "16", "SS", CODE("\x16"), BETRAYS, 1, "PUSH", .what = "the selector's RPL is not 0" },
    { "1E", "DS", CODE("\x1e"), BETRAYS, 1, "PUSH", .what = "the selector's RPL is not 0" },
    { "0F A0", "FS", CODE("\x0f\xa0"), BETRAYS, 1, "PUSH", .what = "the selector's RPL is not 0" },
    { "0F A8", "GS", CODE("\x0f\xa8"), BETRAYS, 1, "PUSH", .what = "the selector's RPL is not 0" },
    { "07", "ES", CODE("\x07"), BETRAYS, 1, "POP", .stack = { SEL_BASED }, .what = "the truncated descriptor is loaded" },
    { "17", "SS", CODE("\x17"), BETRAYS, 1, "POP", .stack = { SEL_DATA1 }, .what = "RPL 1 fits the CPL, where ring 0 would have had #GP" },
    { "1F", "DS", CODE("\x1f"), BETRAYS, 1, "POP", .stack = { SEL_BASED }, .what = "the truncated descriptor is loaded" },
    { "0F A1", "FS", CODE("\x0f\xa1"), BETRAYS, 1, "POP", .stack = { SEL_BASED }, .what = "the truncated descriptor is loaded" },
    { "0F A9", "GS", CODE("\x0f\xa9"), BETRAYS, 1, "POP", .stack = { SEL_BASED }, .what = "the truncated descriptor is loaded" },
    { "C4 /r", "Gz,Mp", CODE("\xc4\x0b"), BETRAYS, 1, "MOV", .memory = { 7, SEL_BASED }, .what = "as MOV to ES" },
    { "C5 /r", "Gz,Mp", CODE("\xc5\x0b"), BETRAYS, 1, "MOV", .memory = { 7, SEL_BASED }, .what = "as MOV to DS" },
    { "0F B2 /r", "Gv,Mp", CODE("\x0f\xb2\x0b"), BETRAYS, 1, "MOV", .memory = { 7, SEL_DATA1 }, .what = "as POP SS" },
    { "0F B4 /r", "Gv,Mp", CODE("\x0f\xb4\x0b"), BETRAYS, 1, "MOV", .memory = { 7, SEL_BASED }, .what = "as MOV to FS" },
    { "0F B5 /r", "Gv,Mp", CODE("\x0f\xb5\x0b"), BETRAYS, 1, "MOV", .memory = { 7, SEL_BASED }, .what = "as MOV to GS" },
    { "9A", "Ap", CODE("\x9a\x00\x08\x10\x00\x70\x00"), BETRAYS, 1, "CALL", .what = "the return address on the stack has RPL 1" },
    { "FF /3", "Mp", CODE("\xff\x1b"), BETRAYS, 1, "CALL", .memory = { TARGET, SEL_CONFORMING }, .what = "the return address on the stack has RPL 1" },
    { "EA", "Ap", CODE("\xea\x00\x08\x10\x00\x70\x00"), BETRAYS, 1, "JMP", .what = "RPL of CS becomes 1" },
    { "FF /5", "Mp", CODE("\xff\x2b"), BETRAYS, 1, "JMP", .memory = { TARGET, SEL_CONFORMING }, .what = "RPL of CS becomes 1" },
    { "CB", "", CODE("\xcb"), BETRAYS, 1, "RET", .stack = { TARGET, SEL_CODE1, ESP_AT - 64, SEL_DATA1 }, .what = "to ring 1 is to the same ring: SS and ESP stay on the stack" },
    { "CA", "Iw", CODE("\xca\x04\x00"), BETRAYS, 1, "RET", .stack = { TARGET, SEL_CODE1, 0, ESP_AT - 64, SEL_DATA1 }, .what = "as RET" },
    { "CF", "", CODE("\xcf"), BETRAYS, 1, "RET", .stack = { TARGET, SEL_CODE3, IRET_FLAGS, ESP_AT - 64, SEL_DATA3 }, .what = "IF and IOPL of the image are ignored" },
    { "CD", "Ib", CODE("\xcd\x11"), TRAPS, 1, "INT", .what = "the gate's DPL is 0: #GP; through an open gate it would be the monitor's own" },

    { "FA", "", CODE("\xfa"), TRAPS, 1, NULL, .what = "IOPL" },
    { "FB", "", CODE("\xfb"), TRAPS, 1, NULL, .what = "IOPL" },
    { "E4", "AL,Ib", CODE("\xe4\x61"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "E5", "eAX,Ib", CODE("\xe5\x44"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "EC", "AL,DX", CODE("\xec"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "ED", "eAX,DX", CODE("\xed"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "E6", "Ib,AL", CODE("\xe6\x84"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "E7", "Ib,eAX", CODE("\xe7\x44"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "EE", "DX,AL", CODE("\xee"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "EF", "DX,eAX", CODE("\xef"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "6C", "Yb,DX", CODE("\x6c"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "6D", "Yz,DX", CODE("\x6d"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "6E", "DX,Xb", CODE("\x6e"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "6F", "DX,Xz", CODE("\x6f"), TRAPS, 1, NULL, .what = "IOPL and the bitmap" },
    { "0F 00 /2", "Ew", CODE("\x0f\x00\xd0"), TRAPS, 1, NULL, .eax = SEL_LDT, .what = "CPL" },
    { "0F 00 /3", "Ew", CODE("\x0f\x00\xd8"), TRAPS, 1, NULL, .eax = 0xb8, .what = "CPL" },
    { "0F 01 /2", "Ms", CODE("\x0f\x01\x13"), TRAPS, 1, NULL, .memory = { W_GDT << 16 | 0xbf, W_GDT >> 16 }, .what = "CPL" },
    { "0F 01 /3", "Ms", CODE("\x0f\x01\x1b"), TRAPS, 1, NULL, .memory = { W_IDT << 16 | 0xff, W_IDT >> 16 }, .what = "CPL" },
    { "0F 01 /6", "Ew", CODE("\x0f\x01\xf0"), TRAPS, 1, NULL, .eax = 0x3b, .what = "CPL" },
    { "0F 01 /7", "M", CODE("\x0f\x01\x3b"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 06", "", CODE("\x0f\x06"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 20 /r", "Ry,Cy", CODE("\x0f\x20\xc1"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 22 /3", "Cy,Ry", CODE("\x0f\x22\xd8"), TRAPS, 1, NULL, .eax = W_PD2, .what = "CPL" },
    { "0F 22 /r", "Cy,Ry", CODE("\x0f\x22\xd0"), TRAPS, 1, NULL, .eax = 0x1234, .what = "CPL" },
    { "0F 21 /r", "Ry,Dy", CODE("\x0f\x21\xf9"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 23 /r", "Dy,Ry", CODE("\x0f\x23\xc0"), TRAPS, 1, NULL, .eax = 0x1234, .what = "CPL" },
    { "F4", "", CODE("\xf4"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 08", "", CODE("\x0f\x08"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 09", "", CODE("\x0f\x09"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 31", "", CODE("\x0f\x31"), TRAPS, 1, NULL, .what = "CR4.TSD, which a monitor may set" },
    { "0F 01 F9", "", CODE("\x0f\x01\xf9"), TRAPS, 1, NULL, .what = "CR4.TSD" },
    { "0F 33", "", CODE("\x0f\x33"), TRAPS, 1, NULL, .what = "CR4.PCE" },
    { "0F 32", "", CODE("\x0f\x32"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 30", "", CODE("\x0f\x30"), TRAPS, 1, NULL, .what = "CPL" },
    { "0F 35", "", CODE("\x0f\x35"), TRAPS, 1, NULL, .what = "CPL" },
    { "NP 0F 01 C8", "", CODE("\x0f\x01\xc8"), TRAPS, 1, NULL, .what = "#UD: this processor has none" },
    { "NP 0F 01 C9", "", CODE("\x0f\x01\xc9"), TRAPS, 1, NULL, .what = "#UD: this processor has none" },
};

static bool is_timed(const struct row *r) { return strcmp(r->encoding, "0F 31") == 0 || strcmp(r->encoding, "0F 01 F9") == 0; }

/* --- the stage --- */

/* A processor that has all of the rows. */
static struct vm *sensitive_machine(const struct engine_ops *engine, bool accelerated)
{
    struct vm *vm = lockstep_machine(engine, accelerated);
    if (vm)
        vm->vcpu[0]->cpu.model = cpu_model_find("westmere");
    return vm;
}

static void set_segment(struct cpu *c, unsigned s, u16 selector)
{
    u64 raw = 0;
    if (CHECK(cpu_read_descriptor(c, selector, &raw) == 0))
        segment_from_descriptor(&c->state.seg[s], selector, raw);
}

/* Memory: the world of progen.h, but wherever control may go there is HLT. */
static void put_stage(struct vm *vm, const struct row *r)
{
    static struct progen p;
    u8 halts[0x1000];
    progen_make(&p, 1, 0, 0, 0);
    memset(halts, 0xf4, sizeof halts);
    progen_load(&p, vm);
    physmap_write(&vm->map, W_HANDLERS, halts, sizeof halts);
    physmap_write(&vm->map, W_CODE, halts, sizeof halts);
    physmap_write(&vm->map, W_CODE, r->code, r->len);
    physmap_write(&vm->map, ESP_AT, r->stack, sizeof r->stack);
    physmap_write(&vm->map, OPERAND, r->memory, sizeof r->memory);
    physmap_store(&vm->map, W_GDT + 0xb8, 8, 0x0000890060000067 | (u64)(W_TSS >> 16) << 32); /* a TSS that is free, for LTR */
}

/* The guest kernel's own idea of the processor: ring 0, interrupts off, its own tables. */
static void set_guest_state(struct vm *vm, const struct row *r)
{
    struct cpu *c = &vm->vcpu[0]->cpu;
    struct cpu_state s = c->state;
    s.rip = W_CODE;
    s.rflags = FLAG_FIXED;
    s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP;
    s.cr4 = 0;
    s.cr3 = W_PD;
    s.gpr[RAX] = r->eax;
    s.gpr[RBX] = OPERAND;
    s.gpr[RCX] = 0x174;
    s.gpr[RDX] = 0x84;
    s.gpr[RSI] = s.gpr[RDI] = OPERAND + 0x20;
    s.gpr[RSP] = ESP_AT;
    s.activity = CPU_ACTIVE;
    vm->engine->set_state(vm->vcpu[0], &s);
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        set_segment(c, seg, seg == CS ? SEL_CODE0 : SEL_DATA0);
    s = c->state;
    vm->engine->set_state(vm->vcpu[0], &s);
}

/* What is really in the processor while a naive monitor runs that kernel deprivileged. */
static void set_monitor_state(struct vm *vm, const struct row *r)
{
    struct cpu *c = &vm->vcpu[0]->cpu;
    u8 idt[W_VECTORS * 8];
    u16 code = r->ring == 1 ? SEL_CODE1 : SEL_CODE3, data = r->ring == 1 ? SEL_DATA1 : SEL_DATA3;
    for (u32 n = 0; n < 0x18; n++) {
        u64 raw = physmap_load(&vm->map, W_GDT + 8 * n, 8);
        if (n == SEL_BASED >> 3)
            raw &= ~(u64)0x1000; /* limits are truncated: the monitor lies behind */
        physmap_store(&vm->map, MONITOR_GDT + 8 * n, 8, raw);
    }
    physmap_read(&vm->map, W_IDT, idt, sizeof idt);
    physmap_write(&vm->map, MONITOR_IDT, idt, sizeof idt);
    c->state.gdtr = (struct dtable){ MONITOR_GDT, 0xbf };
    c->state.idtr = (struct dtable){ MONITOR_IDT, W_VECTORS * 8 - 1 };
    c->state.ldtr = (struct segment){ .attr = SEG_UNUSABLE };
    c->state.tr.selector = 0xb8;
    c->state.rflags |= FLAG_IF;
    c->state.cr0 |= CR0_TS;
    c->state.cr4 |= CR4_TSD;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        set_segment(c, seg, seg == CS ? code : data);
    struct cpu_state s = c->state;
    vm->engine->set_state(vm->vcpu[0], &s);
}

/* --- outcomes --- */

struct outcome {
    struct cpu_state s;
    bool faulted;               /* it stands at a handler of an exception */
    u8 memory[0x400];           /* around the stack pointer, and the operands */
};

static void take_outcome(struct vm *vm, struct outcome *o)
{
    vm->engine->get_state(vm->vcpu[0], &o->s);
    o->faulted = o->s.rip >= W_HANDLERS && o->s.rip < W_HANDLERS + 0x1000;
    physmap_read(&vm->map, ESP_AT - 0x100, o->memory, 0x200);
    physmap_read(&vm->map, OPERAND - 0x20, o->memory + 0x200, 0x200);
}

/* Runs to the next HLT. */
static void run_in_ring0(struct vm *vm, const struct row *r, struct outcome *o)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    put_stage(vm, r);
    set_guest_state(vm, r);
    cycles_t deadline = vm->clock.now + 1000000;
    while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && vm->clock.now < deadline))
        vm->engine->run(vm->vcpu[0], deadline, &e);
    CHECK_EQ(e.kind, EXIT_HLT);
    take_outcome(vm, o);
}

/* One instruction, so that what follows does not blur what it did. */
static void step_in_ring0(struct vm *vm, const struct row *r, struct outcome *o)
{
    put_stage(vm, r);
    set_guest_state(vm, r);
    cpu_step(&vm->vcpu[0]->cpu);
    take_outcome(vm, o);
}

static void run_deprivileged(struct vm *vm, const struct row *r, struct outcome *o)
{
    put_stage(vm, r);
    set_guest_state(vm, r);
    set_monitor_state(vm, r);
    cpu_step(&vm->vcpu[0]->cpu);
    take_outcome(vm, o);
    o->faulted = o->faulted || o->s.rip == W_CODE;
}

/* Could a guest that goes on tell the two apart? It sees registers, memory, its flags, and what its segment registers do. */
static const char *guest_sees(const struct outcome *real, const struct outcome *naive)
{
    static const char *const names[] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    for (int n = 0; n < 8; n++)
        if (real->s.gpr[n] != naive->s.gpr[n])
            return names[n];
    if (memcmp(real->memory, naive->memory, sizeof real->memory))
        return "memory";
    return NULL;
}

/* The processor's part of it: what an instruction that writes no register was for. */
static const char *processor_shows(const struct row *r, const struct outcome *real, const struct outcome *naive)
{
    if ((real->s.rflags ^ naive->s.rflags) & FLAG_ZF)
        return "ZF";
    if (strcmp(r->encoding, "9D") == 0 || strcmp(r->encoding, "CF") == 0)
        return (real->s.rflags ^ naive->s.rflags) & FLAG_IF ? "IF" : NULL;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++) {
        u16 loaded = naive->s.seg[seg].selector;
        if (loaded == SEL_BASED && real->s.seg[seg].selector == loaded && real->s.seg[seg].limit != naive->s.seg[seg].limit)
            return "the segment's limit";
        if (seg == SS && real->faulted && loaded == SEL_DATA1)
            return "no #GP";
        if (seg == CS && (loaded & ~3) == SEL_CONFORMING && loaded != real->s.seg[CS].selector)
            return "RPL of CS";
    }
    return NULL;
}

/* --- tests --- */

static void test_translated(void)
{
    struct vm *bare = sensitive_machine(&bare_engine, false), *bt = sensitive_machine(&bt_engine, false), *fast = sensitive_machine(&bare_engine, true);
    for (unsigned i = 0; bare && bt && fast && i < ARRAY_LEN(rows); i++) {
        struct outcome a, b, c;
        check_context("%s %s", rows[i].encoding, rows[i].operands);
        run_in_ring0(bare, &rows[i], &a);
        run_in_ring0(bt, &rows[i], &b);
        run_in_ring0(fast, &rows[i], &c);
        if (is_timed(&rows[i])) { /* the machine's own time, which differs by what ran before */
            a.s.gpr[RAX] = b.s.gpr[RAX] = c.s.gpr[RAX] = a.s.gpr[RDX] = b.s.gpr[RDX] = c.s.gpr[RDX] = 0;
        }
        const char *x = lockstep_states(&a.s, &b.s, ~(u64)0), *y = x ? x : lockstep_states(&a.s, &c.s, ~(u64)0);
        if (y)
            FAIL("%s by %s: %s", rows[i].encoding, x ? "bt" : "the accelerator", y);
        CHECK(progen_difference(bare, bt) < 0);
        CHECK(progen_difference(bare, fast) < 0);
    }
    check_context(NULL);
    vm_free(bare);
    vm_free(bt);
    vm_free(fast);
}

static void test_deprivileged(void)
{
    struct vm *vm = sensitive_machine(&bare_engine, false);
    for (unsigned i = 0; vm && i < ARRAY_LEN(rows); i++) {
        struct outcome real, naive;
        const struct row *r = &rows[i];
        check_context("%s %s in ring %u: %s", r->encoding, r->operands, r->ring, r->what);
        step_in_ring0(vm, r, &real);
        run_deprivileged(vm, r, &naive);
        if (r->kind == TRAPS) {
            CHECK(naive.faulted);
            continue;
        }
        const char *seen = guest_sees(&real, &naive);
        seen = seen ? seen : processor_shows(r, &real, &naive);
        if (CHECK(!naive.faulted) && CHECK(seen != NULL) && getenv("EMU_VERBOSE"))
            printf("    %-8s ring %u: %s shows it: %s\n", r->name, r->ring, seen, r->what);
    }
    check_context(NULL);
    vm_free(vm);
}

/* The snippet is what its row says; every row of the two classes has one; and the silent ones are as many as the paper's. */
static void test_complete(void)
{
    const char *names[32];
    unsigned nnames = 0;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct insn d;
        check_context("%s %s", rows[i].encoding, rows[i].operands);
        CHECK_EQ(decode_insn((const u8 *)rows[i].code, rows[i].len, 32, &d), DECODE_OK);
        CHECK_STR(d.row->encoding, rows[i].encoding);
        CHECK_STR(d.row->operands, rows[i].operands);
        CHECK_EQ(d.row->class == CLASS_SENSITIVE, rows[i].name != NULL);
        if (rows[i].kind != BETRAYS)
            continue;
        unsigned n = 0;
        while (n < nnames && strcmp(names[n], rows[i].name))
            n++;
        if (n == nnames)
            names[nnames++] = rows[i].name;
    }
    check_context(NULL);
    CHECK_EQ(nnames, 17);
    for (unsigned k = 0; k < opcode_count; k++) {
        const struct opcode *o = &opcode_rows[k];
        bool found = false;
        if ((o->class != CLASS_SENSITIVE && o->class != CLASS_PRIVILEGED) || o->attr & OPATTR_ONLY64 || o->isa == ISA_64 || o->isa == ISA_VMX)
            continue; /* what no 32-bit guest of this processor has is #UD in every ring */
        for (unsigned i = 0; i < ARRAY_LEN(rows) && !found; i++)
            found = strcmp(rows[i].encoding, o->encoding) == 0 && strcmp(rows[i].operands, o->operands) == 0;
        if (!found)
            FAIL("opcodes.def: %s %s %s is %s and has no test here", o->encoding, mnemonic_names[o->mnemonic], o->operands,
                 o->class == CLASS_SENSITIVE ? "sensitive" : "privileged");
    }
}

/* CPUID is class SYSTEM: it never traps, and names the processor below. Here on the real one. */
static void test_cpuid(void)
{
    static const struct row cpuid = { "0F A2", "", CODE("\x0f\xa2"), BETRAYS, 3, "CPUID", .eax = 1, .what = "the host's model" };
    struct vm *bare = sensitive_machine(&bare_engine, false), *bt = sensitive_machine(&bt_engine, false);
    struct outcome a, b;
    u32 host[4] = { 0 };
    run_in_ring0(bare, &cpuid, &a);
    run_in_ring0(bt, &cpuid, &b);
    const char *what = lockstep_states(&a.s, &b.s, ~(u64)0);
    if (what)
        FAIL("CPUID under bt: %s", what);
    __get_cpuid(1, &host[0], &host[1], &host[2], &host[3]);
    CHECK(host[0] != (u32)b.s.gpr[RAX] || host[2] != (u32)b.s.gpr[RCX] || host[3] != (u32)b.s.gpr[RDX]);
    vm_free(bare);
    vm_free(bt);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "translated", test_translated }, { "deprivileged", test_deprivileged }, { "complete", test_complete }, { "cpuid", test_cpuid }, { NULL, NULL },
    };
    return check_main(argc, argv, "bt_sensitive", tests);
}
