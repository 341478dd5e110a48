/* SPDX-License-Identifier: MIT */
/*
 * The translator against the referee: random programs run on the bare processor (interpreted) and under bt, and must end in the
 * same registers, flags, memory and list of faults. EMU_CASES sets how many, EMU_SEED which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "machine/bare.h"
#include "progen.h"

#define FLAGS_COMPARED (FLAG_CF | FLAG_PF | FLAG_ZF | FLAG_SF | FLAG_OF | FLAG_DF | FLAG_IF)
#define LIMIT 100000000   /* cycles: longer than any program here */

static struct vm *machine(const struct engine_ops *engine, const struct cpu_accel_ops *accel)
{
    struct vm_config c;
    struct error err = { "" };
    vm_config_defaults(&c);
    c.engine = engine;
    c.accel = accel;
    c.ram_size = 16 << 20;
    struct vm *vm = vm_new(&c, &err);
    if (!vm)
        FAIL("%s: %s", engine->name, err.text);
    return vm;
}

static enum exit_kind run(struct vm *vm)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    cycles_t deadline = vm->clock.now + LIMIT;
    while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && vm->clock.now < deadline))
        vm->engine->run(vm->vcpu[0], deadline, &e);
    return e.kind;
}

static void describe(const char *who, const struct cpu_state *s, enum exit_kind kind)
{
    char text[4096];
    state_format(s, text, sizeof text);
    fprintf(stderr, "--- %s, ended with %s\n%s\n", who, exit_rows[kind].name, text);
}

/* The first difference in memory, or -1. */
static s64 memory_difference(struct vm *a, struct vm *b)
{
    static const struct { u32 from, to; } parts[] = { { 0, 0xa0000 }, { PROGEN_CODE, PROGEN_COMPARE } };
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
        const u8 *p = physmap_ptr_ro(&a->map, parts[i].from, parts[i].to - parts[i].from), *q = physmap_ptr_ro(&b->map, parts[i].from, parts[i].to - parts[i].from);
        if (memcmp(p, q, parts[i].to - parts[i].from) == 0)
            continue;
        for (u32 n = 0;; n++)
            if (p[n] != q[n])
                return parts[i].from + n;
    }
    return -1;
}

static bool same_state(const struct cpu_state *a, const struct cpu_state *b)
{
    return !memcmp(a->gpr, b->gpr, sizeof a->gpr) && a->rip == b->rip && ((a->rflags ^ b->rflags) & FLAGS_COMPARED) == 0 && a->cr0 == b->cr0 &&
           a->cr2 == b->cr2 && a->cr3 == b->cr3 && !memcmp(a->fpu.xmm, b->fpu.xmm, 8 * 16) && !memcmp(a->fpu.st, b->fpu.st, sizeof a->fpu.st) &&
           a->fpu.fsw == b->fpu.fsw && a->fpu.mxcsr == b->fpu.mxcsr;
}

static bool one_case(struct vm *bare, struct vm *bt, u64 seed, unsigned features, unsigned length)
{
    struct cpu_state a, b;
    progen_build(bare, seed, features, length);
    progen_build(bt, seed, features, length);
    enum exit_kind ka = run(bare), kb = run(bt);
    bare->engine->get_state(bare->vcpu[0], &a);
    bt->engine->get_state(bt->vcpu[0], &b);
    s64 where = memory_difference(bare, bt);
    if (ka == kb && same_state(&a, &b) && where < 0)
        return true;
    describe("bare", &a, ka);
    describe("bt", &b, kb);
    if (where >= 0)
        fprintf(stderr, "memory differs at 0x%llx: bare %02x, bt %02x\n", (unsigned long long)where, *physmap_ptr_ro(&bare->map, where, 1), *physmap_ptr_ro(&bt->map, where, 1));
    FAIL("program %llu with features %u and length %u ends otherwise under bt", (unsigned long long)seed, features, length);
    return false;
}

static unsigned cases(unsigned standard)
{
    const char *s = getenv("EMU_CASES");
    return s ? strtoul(s, NULL, 0) : standard;
}

static void lockstep(unsigned features, unsigned length, unsigned n)
{
    struct vm *bare = machine(&bare_engine, NULL), *bt = machine(&bt_engine, NULL);
    u64 seed = check_seed();
    for (unsigned i = 0; bare && bt && i < cases(n); i++)
        if (!one_case(bare, bt, seed + i, features, length))
            break;
    vm_free(bare);
    vm_free(bt);
}

/* The translator as an accelerator of the bare processor must agree in counts and cycles too. */
static void test_accelerator(void)
{
    struct vm *bare = machine(&bare_engine, NULL), *fast = machine(&bare_engine, &bt_accel);
    u64 seed = check_seed();
    for (unsigned i = 0; bare && fast && i < cases(1000); i++) {
        unsigned features = i % 2 ? PROGEN_ALL : BIT(i / 2 % 8);
        check_context("program %llu, features %u", (unsigned long long)(seed + i), features);
        if (!one_case(bare, fast, seed + i, features, 60) || !CHECK_EQ(bare->ledger.guest_insns, fast->ledger.guest_insns) ||
            !CHECK_EQ(bare->ledger.guest_cycles, fast->ledger.guest_cycles) || !CHECK_EQ(bare->clock.now, fast->clock.now))
            break;
    }
    check_context(NULL);
    vm_free(bare);
    vm_free(fast);
}

/* Whatever the deadlines: both stop at the same instruction of the same cycle. */
static void test_deadlines(void)
{
    struct vm *bare = machine(&bare_engine, NULL), *fast = machine(&bare_engine, &bt_accel);
    u64 seed = check_seed(), random = seed;
    for (unsigned i = 0; bare && fast && i < cases(40); i++) {
        struct exit a = { .kind = EXIT_DEADLINE }, b;
        progen_build(bare, seed + i, PROGEN_ALL, 60);
        progen_build(fast, seed + i, PROGEN_ALL, 60);
        cycles_t limit = bare->clock.now + LIMIT;
        for (cycles_t deadline = bare->clock.now; a.kind != EXIT_HLT && deadline < limit;) {
            deadline = bare->clock.now + 1 + check_random(&random) % 20;
            bare->engine->run(bare->vcpu[0], deadline, &a);
            fast->engine->run(fast->vcpu[0], deadline, &b);
            check_context("program %llu, deadline %llu", (unsigned long long)(seed + i), (unsigned long long)deadline);
            if (!CHECK_EQ(a.kind, b.kind) || !CHECK_EQ(bare->clock.now, fast->clock.now) || !CHECK_EQ(bare->vcpu[0]->cpu.state.rip, fast->vcpu[0]->cpu.state.rip))
                goto out;
        }
    }
out:
    check_context(NULL);
    vm_free(bare);
    vm_free(fast);
}

static void test_registers(void) { lockstep(0, 40, 500); }
static void test_memory(void) { lockstep(PROGEN_MEMORY, 40, 500); }
static void test_flow(void) { lockstep(PROGEN_MEMORY | PROGEN_FLOW, 40, 500); }
static void test_faults(void) { lockstep(PROGEN_MEMORY | PROGEN_FAULTS, 40, 300); }
static void test_strings(void) { lockstep(PROGEN_MEMORY | PROGEN_STRINGS, 40, 300); }
static void test_fpu(void) { lockstep(PROGEN_MEMORY | PROGEN_FPU, 40, 300); }
static void test_selfmod(void) { lockstep(PROGEN_MEMORY | PROGEN_FLOW | PROGEN_SELFMOD, 40, 300); }
static void test_paging(void) { lockstep(PROGEN_MEMORY | PROGEN_FAULTS | PROGEN_PAGING, 60, 300); }
static void test_system(void) { lockstep(PROGEN_MEMORY | PROGEN_SYSTEM, 40, 300); }
static void test_all(void) { lockstep(PROGEN_ALL, 200, 1000); }

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "registers", test_registers }, { "memory", test_memory }, { "flow", test_flow }, { "faults", test_faults }, { "strings", test_strings }, { "fpu", test_fpu },
        { "selfmod", test_selfmod }, { "paging", test_paging }, { "system", test_system }, { "all", test_all }, { "accelerator", test_accelerator },
        { "deadlines", test_deadlines }, { NULL, NULL },
    };
    return check_main(argc, argv, "bt", tests);
}
