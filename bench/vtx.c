/* SPDX-License-Identifier: MIT */
/*
 * Speed of the VT-x model: guest instructions per second with --timing=model on guests/build, whose TLB misses are walked for in two
 * dimensions; and, with fast timing, processor time for the same computing (guests/tlb) beside bt's.
 */
#include <stdio.h>
#include <time.h>

#include "bt/bt.h"
#include "cli/report/compare.h"

enum { RUNS = 5, BAR_MIPS = 20, BAR_PERCENT = 110 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Millions of instructions per second of this process's time: the best of some runs, for what disturbs only slows. */
static double mips(const char *spec, const char *guest, const char *words, bool timing)
{
    double best = 0;
    for (unsigned i = 0; i < RUNS; i++) {
        static struct column c;
        struct vm_config config;
        struct error err;
        if (column_parse(&c, spec, &err))
            return 0;
        vm_config_defaults(&config);
        config.accel = &bt_accel;
        config.kvm = "model";
        config.append = words;
        config.timing_model = timing;
        double start = seconds();
        column_run(&c, guest, &config);
        double speed = c.ledger.guest_insns / (seconds() - start) / 1e6;
        if (!c.ran || *c.note)
            return 0;
        best = speed > best ? speed : best;
    }
    return best;
}

int main(void)
{
    double model = mips("kvm", "guests/build", NULL, true);
    double kvm = mips("kvm", "guests/tlb", "kilo=1000000", false), bt = mips("bt", "guests/tlb", "kilo=1000000", false);
    double share = kvm ? 100 * bt / kvm : 1000;
    printf("vtx: --timing=model %.0f million instructions a second (bar %d)\n", model, BAR_MIPS);
    printf("vtx: computing with fast timing: model %.0f, bt %.0f million a second: %.0f %% of bt's time (bar %d)\n", kvm, bt, share, BAR_PERCENT);
    return model < BAR_MIPS || share > BAR_PERCENT;
}
