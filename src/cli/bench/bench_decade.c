/* SPDX-License-Identifier: MIT */
/* `emu bench decade`: the same two guests on each processor of the table of generations. Columns are cycles, as the guest measured them. */
#include <inttypes.h>

#include "cli/bench/bench.h"
#include "hwassist/hwassist.h"

static const char *const operations[] = { "cpuid", "in-kernel", "out-user", "cr3write", "ptemod-np-p", "first-touch", "apic-tpr", "self-ipi" };

static void print_round_trip(struct bench *b, const char *profile)
{
    struct profile p;
    struct error why;
    if (profile_load(&p, profile, &why)) {
        fprintf(b->out, "%7s", "-");
        return;
    }
    fprintf(b->out, "%7" PRIu64, p.value[COMP_VMX_EXIT] + p.value[COMP_VMX_ENTRY]);
    profile_fini(&p);
}

/* Without an entry and exit the same work takes what the bare machine takes: the rest is overhead. */
static void print_churn(struct bench *b, const char *spec, const char *profile)
{
    struct error why;
    u64 here, bare;
    if (bench_cycles(b, spec, "churn", "process", profile, BENCH_WALKS, "model", &here, &why) &&
        bench_cycles(b, "bare", "churn", "process", profile, BENCH_WALKS, "model", &bare, &why))
        fprintf(b->out, "%7.1f%%", 100.0 * ((double)here - bare) / bare);
    else
        fprintf(b->out, "%8s", "-");
}

static void print_row(struct bench *b, const char *name, const char *launch)
{
    char spec[64];
    snprintf(spec, sizeof spec, "kvm:%s", name);
    fprintf(b->out, "%-12s%-7s", name, launch);
    print_round_trip(b, name);
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++) {
        struct error why;
        u64 cycles;
        if (bench_cycles(b, spec, "exitcost", operations[i], name, BENCH_EVENTS, "model", &cycles, &why))
            fprintf(b->out, "%12" PRIu64, cycles);
        else
            fprintf(b->out, "%12s", "-");
    }
    print_churn(b, spec, name);
    fputc('\n', b->out);
}

unsigned bench_decade(struct bench *b)
{
    const char *name, *launch;
    fprintf(b->out, "%-12s%-7s%7s", "processor", "launch", "trip");
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++)
        fprintf(b->out, "%12s", operations[i]);
    fprintf(b->out, "%8s\n", "churn");
    for (unsigned i = 0; hw_generation(i, &name, &launch); i++)
        print_row(b, name, launch);
    return 0;
}
