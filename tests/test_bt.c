/* SPDX-License-Identifier: MIT */
/*
 * The translator against the referee: random programs run on the bare processor (interpreted) and as translated code, in both of its
 * uses, and must end in the same registers, flags, memory and list of faults. EMU_CASES sets how many, EMU_SEED which.
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "lockstep.h"

enum { BATCH = 2500 /* programs of one pair of machines */ };

enum { SOAK = 20 /* times as many of the great ones in `make soak` */, GREAT = 50000 };

static unsigned cases(unsigned standard)
{
    const char *s = getenv("EMU_CASES");
    return s ? strtoul(s, NULL, 0) : getenv("EMU_SOAK") && standard >= GREAT ? SOAK * standard : standard;
}

static void report(const struct lockstep *l, u64 seed, unsigned done)
{
    fprintf(stderr, "    seed %llu: %u programs; of the last %llu: %llu unfinished, %llu instructions and %.1f faults each, %llu shutdowns\n", (unsigned long long)seed, done,
            (unsigned long long)l->programs, (unsigned long long)l->unfinished, (unsigned long long)(l->insns / l->programs), (double)l->faults / l->programs,
            (unsigned long long)l->shutdowns);
}

static void lockstep(enum lockstep_kind kind, unsigned features, unsigned n)
{
    u64 seed = check_seed();
    for (unsigned done = 0; done < cases(n); done += BATCH) {
        struct lockstep l;
        unsigned batch = cases(n) - done < BATCH ? cases(n) - done : BATCH;
        bool ok = lockstep_open(&l, kind) && lockstep_many(&l, seed + done, batch, features);
        if (ok && getenv("EMU_SOAK"))
            report(&l, seed, done + batch);
        ok = ok && CHECK(l.unfinished < 10 + l.programs / 100) && CHECK(batch < 100 || (l.insns / l.programs > 50 && l.shutdowns < l.programs / 10));
        lockstep_close(&l);
        if (!ok)
            break;
    }
}

static void test_registers(void) { lockstep(LOCKSTEP_BT, 0, 500); }
static void test_memory(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY, 500); }
static void test_flow(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_FLOW, 500); }
static void test_faults(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_FAULTS, 500); }
static void test_strings(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_STRINGS, 500); }
static void test_fpu(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_FPU, 500); }
static void test_selfmod(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_FLOW | PROGEN_SELFMOD, 500); }
static void test_paging(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_FAULTS | PROGEN_PAGING, 500); }
static void test_system(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_SYSTEM, 500); }
static void test_segments(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_SEGMENTS, 500); }
static void test_rings(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_SYSTEM | PROGEN_RINGS, 500); }
static void test_16bit(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_RINGS | PROGEN_16BIT, 500); }
static void test_table(void) { lockstep(LOCKSTEP_BT, PROGEN_MEMORY | PROGEN_TABLE, 500); }
static void test_all(void) { lockstep(LOCKSTEP_BT, PROGEN_ALL, GREAT); }
static void test_accelerator(void) { lockstep(LOCKSTEP_ACCEL, PROGEN_ALL, GREAT); }

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "registers", test_registers }, { "memory", test_memory }, { "flow", test_flow }, { "faults", test_faults }, { "strings", test_strings }, { "fpu", test_fpu },
        { "selfmod", test_selfmod }, { "paging", test_paging }, { "system", test_system }, { "segments", test_segments }, { "rings", test_rings },
        { "16bit", test_16bit }, { "table", test_table }, { "all", test_all }, { "accelerator", test_accelerator }, { NULL, NULL },
    };
    return check_main(argc, argv, "bt", tests);
}
