/* SPDX-License-Identifier: MIT */
#include "lockstep.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "machine/bare.h"

#define LIMIT 3000000   /* cycles of the referee: longer than any program that comes to an end; */
#define PATIENCE 30     /* a monitor may take so many times longer, */
#define UNFINISHED 300000 /* but for one that does not end and is not compared, not as long */

struct vm *lockstep_machine(const struct engine_ops *engine, bool accelerated)
{
    struct vm_config c;
    struct error err = { "" };
    vm_config_defaults(&c);
    c.engine = engine;
    c.accel = accelerated ? &bt_accel : NULL;
    c.ram_size = 16 << 20;
    struct vm *vm = vm_new(&c, &err);
    if (!vm)
        FAIL("%s: %s", engine->name, err.text);
    return vm;
}

static bool new_machines(struct lockstep *l)
{
    l->referee = lockstep_machine(&bare_engine, false);
    l->translated = lockstep_machine(l->kind == LOCKSTEP_BT ? &bt_engine : &bare_engine, l->kind == LOCKSTEP_ACCEL);
    if (!l->referee || !l->translated)
        return false;
    progen_prepare(l->referee);
    progen_prepare(l->translated);
    return true;
}

bool lockstep_open(struct lockstep *l, enum lockstep_kind kind)
{
    *l = (struct lockstep){ .kind = kind };
    return new_machines(l);
}

void lockstep_close(struct lockstep *l)
{
    vm_free(l->referee);
    vm_free(l->translated);
}

/* --- what must agree --- */

#define FSW_C1 0x200 /* what FXTRACT of an empty register and FUCOMI make of it depends on more than their operands */
#define FIELD(f) { #f, offsetof(struct cpu_state, f), sizeof(((struct cpu_state *)0)->f) }
#define SEGMENT(s) FIELD(s.selector), FIELD(s.base), FIELD(s.limit), FIELD(s.attr)
static const struct { const char *name; u16 offset, size; } fields[] = {
    FIELD(rip), FIELD(gpr[RAX]), FIELD(gpr[RCX]), FIELD(gpr[RDX]), FIELD(gpr[RBX]), FIELD(gpr[RSP]), FIELD(gpr[RBP]), FIELD(gpr[RSI]), FIELD(gpr[RDI]),
    SEGMENT(seg[CS]), SEGMENT(seg[SS]), SEGMENT(seg[DS]), SEGMENT(seg[ES]), SEGMENT(seg[FS]), SEGMENT(seg[GS]), SEGMENT(ldtr), SEGMENT(tr),
    FIELD(gdtr.base), FIELD(gdtr.limit), FIELD(idtr.base), FIELD(idtr.limit), FIELD(cr0), FIELD(cr2), FIELD(cr3), FIELD(cr4), FIELD(efer), FIELD(dr),
    FIELD(sysenter_cs), FIELD(sysenter_esp), FIELD(sysenter_eip), FIELD(activity), FIELD(sti_shadow), FIELD(movss_shadow), FIELD(nmi_blocked),
    FIELD(fpu.fcw), FIELD(fpu.ftw), FIELD(fpu.mxcsr), FIELD(fpu.st), FIELD(fpu.xmm),
};

const char *lockstep_states(const struct cpu_state *a, const struct cpu_state *b, u64 flags)
{
    static char text[160];
    if ((a->rflags ^ b->rflags) & flags) {
        snprintf(text, sizeof text, "rflags: 0x%" PRIx64 " and 0x%" PRIx64 ", of 0x%" PRIx64, a->rflags, b->rflags, flags);
        return text;
    }
    if ((a->fpu.fsw ^ b->fpu.fsw) & ~FSW_C1) {
        snprintf(text, sizeof text, "fpu.fsw: 0x%x and 0x%x", a->fpu.fsw, b->fpu.fsw);
        return text;
    }
    for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
        const u8 *p = (const u8 *)a + fields[i].offset, *q = (const u8 *)b + fields[i].offset;
        u64 x = 0, y = 0;
        if (memcmp(p, q, fields[i].size) == 0)
            continue;
        unsigned n = fields[i].size < 8 ? fields[i].size : 8, at = 0;
        while (memcmp(p + at, q + at, n) == 0)
            at += n;
        memcpy(&x, p + at, n);
        memcpy(&y, q + at, n);
        snprintf(text, sizeof text, "%s (byte %u): 0x%" PRIx64 " and 0x%" PRIx64, fields[i].name, at, x, y);
        return text;
    }
    return NULL;
}

static const char *memory_differs(struct lockstep *l)
{
    static char text[120];
    s64 at = progen_difference(l->referee, l->translated);
    if (at < 0)
        return NULL;
    at &= ~(s64)3;
    snprintf(text, sizeof text, "memory at 0x%" PRIx64 ": 0x%08" PRIx64 " and 0x%08" PRIx64, at, physmap_load(&l->referee->map, at, 4), physmap_load(&l->translated->map, at, 4));
    return text;
}

static const char *counts_differ(struct lockstep *l, const u64 began[4])
{
    static char text[160];
    const struct vm *a = l->referee, *b = l->translated;
    u64 insns[2] = { a->vcpu[0]->cpu.icount - began[0], b->vcpu[0]->cpu.icount - began[1] }, cycles[2] = { a->clock.now - began[2], b->clock.now - began[3] };
    if (insns[0] == insns[1] && (cycles[0] == cycles[1] || l->kind == LOCKSTEP_BT))
        return NULL;
    snprintf(text, sizeof text, "counts: %" PRIu64 " and %" PRIu64 " instructions, %" PRIu64 " and %" PRIu64 " cycles", insns[0], insns[1], cycles[0], cycles[1]);
    return text;
}

static void note_counts(const struct lockstep *l, u64 began[4])
{
    began[0] = l->referee->vcpu[0]->cpu.icount;
    began[1] = l->translated->vcpu[0]->cpu.icount;
    began[2] = l->referee->clock.now;
    began[3] = l->translated->clock.now;
}

/* --- running --- */

static enum exit_kind run_until(struct vm *vm, cycles_t deadline)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && vm->clock.now < deadline))
        vm->engine->run(vm->vcpu[0], deadline, &e);
    return e.kind;
}

static const char *compare(struct lockstep *l, u64 flags)
{
    struct cpu_state a, b;
    static char text[80];
    if (l->end[0] != l->end[1]) {
        snprintf(text, sizeof text, "the end: %s and %s", exit_rows[l->end[0]].name, exit_rows[l->end[1]].name);
        return text;
    }
    l->referee->engine->get_state(l->referee->vcpu[0], &a);
    l->translated->engine->get_state(l->translated->vcpu[0], &b);
    const char *what = lockstep_states(&a, &b, flags);
    return what ? what : memory_differs(l);
}

static void load(struct lockstep *l, const struct progen *p, u64 began[4])
{
    progen_load(p, l->referee);
    progen_load(p, l->translated);
    note_counts(l, began);
}

/* New machines: what the old ones have in memory is not the same any more. */
static const char *start_anew(struct lockstep *l)
{
    vm_free(l->referee);
    vm_free(l->translated);
    return new_machines(l) ? NULL : "no new machines";
}

/* They have come to an end. A processor that shut down stands wherever it was, flags undefined. */
static const char *verdict(struct lockstep *l, const u64 began[4])
{
    l->programs++;
    l->insns += l->referee->vcpu[0]->cpu.icount - began[0];
    l->faults += 48 - physmap_load(&l->referee->map, 0x5004, 4);
    l->shutdowns += l->end[0] == EXIT_SHUTDOWN;
    if (l->end[0] == EXIT_DEADLINE) {
        l->unfinished++;
        return start_anew(l);
    }
    const char *what = compare(l, l->end[0] == EXIT_SHUTDOWN ? ~(u64)(FLAG_STATUS | FLAG_RF) : ~(u64)0);
    return what ? what : counts_differ(l, began);
}

const char *lockstep_program(struct lockstep *l, const struct progen *p)
{
    u64 began[4];
    load(l, p, began);
    l->end[0] = run_until(l->referee, l->referee->clock.now + LIMIT);
    l->end[1] = run_until(l->translated, l->translated->clock.now + (l->end[0] == EXIT_DEADLINE ? UNFINISHED : l->kind == LOCKSTEP_BT ? PATIENCE * LIMIT : LIMIT));
    return verdict(l, began);
}

const char *lockstep_sliced(struct lockstep *l, const struct progen *p, u64 *random)
{
    u64 began[4];
    load(l, p, began);
    l->end[0] = l->end[1] = EXIT_DEADLINE;
    for (unsigned i = 0; i < 5000 && l->end[0] == EXIT_DEADLINE; i++) {
        cycles_t slice = 1 + check_random(random) % (i % 4 ? 20 : 400);
        struct cpu *a = &l->referee->vcpu[0]->cpu, *b = &l->translated->vcpu[0]->cpu;
        l->end[0] = run_until(l->referee, l->referee->clock.now + slice);
        l->end[1] = run_until(l->translated, l->translated->clock.now + slice);
        const char *what = a->state.rip != b->state.rip || l->end[0] != l->end[1] ? compare(l, ~(u64)FLAG_STATUS) : counts_differ(l, began);
        if (what)
            return what;
        if (l->end[0] == EXIT_DEADLINE && i % 8 == 7 && cpu_interruptible(a) && cpu_interruptible(b)) {
            a->state.rflags = b->state.rflags &= ~(u64)FLAG_STATUS; /* one of them may be undefined */
            cpu_interrupt(a, 0x80);
            cpu_interrupt(b, 0x80);
        }
    }
    return verdict(l, began);
}

/* --- explaining --- */

/* Do they differ in the last of these programs, on new machines? */
static bool differs(enum lockstep_kind kind, const struct progen *p, unsigned n)
{
    struct lockstep l;
    bool ok = lockstep_open(&l, kind), found = false;
    for (unsigned i = 0; ok && i < n; i++)
        found = lockstep_program(&l, &p[i]) != NULL;
    lockstep_close(&l);
    return found;
}

/* Leave out one piece after the other, as long as it still differs. Returns how many programs are left: one that has no pieces is none. */
static unsigned shrink(enum lockstep_kind kind, struct progen *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        for (unsigned i = 0; i < p[k].npieces; i++) {
            struct progen was = p[k];
            if (!(was.keep >> i & 1))
                continue;
            progen_make(&p[k], was.seed, was.features, was.npieces, was.keep & ~BIT(i));
            if (!differs(kind, p, n))
                p[k] = was;
        }
    }
    return n;
}

/* Leave out whole programs of the history. */
static unsigned shorten(enum lockstep_kind kind, struct progen *p, unsigned n)
{
    for (unsigned step = n / 2; step; step /= 2) {
        for (unsigned k = 0; k + step < n;) {
            struct progen *q = malloc(n * sizeof *q);
            memcpy(q, p, k * sizeof *q);
            memcpy(q + k, p + k + step, (n - k - step) * sizeof *q);
            if (differs(kind, q, n - step)) {
                n -= step;
                memcpy(p, q, n * sizeof *q);
            } else {
                k += step;
            }
            free(q);
        }
    }
    return n;
}

/* The first cycle after which the accelerated processor is another than the interpreter; 0: none. */
static cycles_t first_difference(const struct progen *p, char *what, size_t size)
{
    cycles_t low = 0, high = LIMIT;
    *what = 0;
    while (high - low > 1) {
        struct lockstep l;
        u64 began[4];
        cycles_t middle = (low + high) / 2;
        if (!lockstep_open(&l, LOCKSTEP_ACCEL))
            return 0;
        load(&l, p, began);
        l.end[0] = run_until(l.referee, l.referee->clock.now + middle);
        l.end[1] = run_until(l.translated, l.translated->clock.now + middle);
        const char *w = compare(&l, ~(u64)FLAG_STATUS);
        if (!w)
            w = counts_differ(&l, began);
        if (w)
            snprintf(what, size, "%s", w);
        lockstep_close(&l);
        *(w ? &high : &low) = middle;
    }
    return *what ? high : 0;
}

static void print_at(struct vm *vm, u32 eip)
{
    u8 bytes[INSN_MAX];
    char text[96];
    u64 n = cpu_peek(&vm->vcpu[0]->cpu, eip, bytes, sizeof bytes);
    fprintf(stderr, "    %08x  %s\n", eip, disassemble(bytes, n, 32, eip, text, sizeof text));
}

static void print_program(const struct progen *p)
{
    char text[96];
    fprintf(stderr, "program at %08x, cr0 %" PRIx64 ", cr3 %" PRIx64 ", cr4 %" PRIx64 ", flags %" PRIx64 ":\n", p->at, p->state.cr0, p->state.cr3, p->state.cr4, p->state.rflags);
    for (unsigned i = 0; i <= p->npieces; i++) {
        u32 from = i ? p->piece[i] : 0, to = i == p->npieces ? p->len : p->piece[i ? i + 1 : 1];
        if (i < p->npieces && !(p->keep >> i & 1) && i)
            continue;
        fprintf(stderr, "  %s\n", i < p->npieces ? p->name[i] : "end");
        for (u32 at = from; at < to;) {
            struct insn d;
            unsigned len = decode_insn(p->code + at, p->len - at, 32, &d) == DECODE_OK ? d.len : 1;
            fprintf(stderr, "    %08x  %s\n", p->at + at, disassemble(p->code + at, len, 32, p->at + at, text, sizeof text));
            at += len;
        }
    }
}

static void print_state(const char *who, struct vm *vm)
{
    char text[4096];
    struct cpu_state s;
    vm->engine->get_state(vm->vcpu[0], &s);
    state_format(&s, text, sizeof text);
    fprintf(stderr, "--- %s\n%s\n", who, text);
}

/* Both at the first instruction after which they differ. */
static void print_place(const struct progen *p)
{
    char what[200];
    struct lockstep l;
    u64 began[4];
    cycles_t at = first_difference(p, what, sizeof what);
    if (!at || !lockstep_open(&l, LOCKSTEP_ACCEL)) {
        fprintf(stderr, "the accelerated processor does not differ: it is the engine's own\n");
        return;
    }
    load(&l, p, began);
    run_until(l.referee, began[2] + at - 1);
    fprintf(stderr, "first difference in cycle %" PRIu64 ": %s. The instruction:\n", at, what);
    print_at(l.referee, cpu_linear_rip(&l.referee->vcpu[0]->cpu));
    lockstep_close(&l);
}

static void print_end(enum lockstep_kind kind, const struct progen *p, unsigned n)
{
    struct lockstep l;
    const char *what = NULL;
    bool ok = lockstep_open(&l, kind);
    for (unsigned i = 0; ok && i < n; i++)
        what = lockstep_program(&l, &p[i]);
    fprintf(stderr, "it differs in %s\n", what ? what : "nothing: only with interrupts and deadlines of the run");
    print_state("interpreter", l.referee);
    print_state(kind == LOCKSTEP_BT ? "bt" : "accelerated", l.translated);
    lockstep_close(&l);
    if (what && n == 1)
        print_place(p);
}

static unsigned features_of(u64 seed, unsigned among)
{
    u64 r = (seed + 1) * 0x9e3779b97f4a7c15u;
    check_random(&r);
    unsigned chosen = check_random(&r) >> 20;
    return (r & 7) == 0 ? among : (chosen | BIT(r >> 40 & 15) | PROGEN_MEMORY) & among;
}

/* Program number i of a batch. */
static void make(struct progen *p, u64 seed, unsigned i, unsigned features)
{
    progen_make(p, seed + i, features_of(seed + i, features), 4 + (seed + i) % 13, ~(u64)0);
}

/* The shortest history, of the programs first..last of the batch, after which they differ. */
static void explain(enum lockstep_kind kind, u64 seed, unsigned last, unsigned features)
{
    unsigned n = 1;
    struct progen *p = malloc((last + 1) * sizeof *p);
    for (unsigned i = 0; i <= last; i++)
        make(&p[i], seed, i, features);
    struct progen *from = p + last;
    while (!differs(kind, from, n) && n <= last) {
        n = n * 2 > last + 1 ? last + 1 : n * 2;
        from = p + last + 1 - n;
    }
    n = shrink(kind, from, shorten(kind, from, n));
    fprintf(stderr, "what is needed: %u program%s\n", n, n > 1 ? "s, one after another" : "");
    for (unsigned i = 0; i < n; i++)
        print_program(&from[i]);
    print_end(kind, from, n);
    free(p);
}

bool lockstep_many(struct lockstep *l, u64 seed, unsigned n, unsigned features)
{
    static struct progen p;
    u64 random = seed | 1;
    for (unsigned i = 0; i < n; i++) {
        make(&p, seed, i, features);
        const char *what = l->kind == LOCKSTEP_ACCEL && i % 8 == 0 ? lockstep_sliced(l, &p, &random) : lockstep_program(l, &p);
        if (!what)
            continue;
        FAIL("program %u from seed %" PRIu64 " on (features 0x%x, %u pieces): %s", i, seed, p.features, p.npieces, what);
        explain(l->kind, seed, i, features);
        return false;
    }
    return true;
}
