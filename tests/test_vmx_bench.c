/* SPDX-License-Identifier: MIT */
/*
 * What exits cost: the published rows and their bars, the decade of processors, shadow paging against EPT, and that a guest costs the
 * same translated and interpreted.
 */
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "cli/bench/bench.h"
#include "hwassist/hwassist.h"
#include "hwassist/kvm/kvm.h"

static struct bench *bench;

static struct bench *fresh(void)
{
    free(bench);
    bench = calloc(1, sizeof *bench);
    return bench;
}

static unsigned times(const char *text, const char *what)
{
    unsigned n = 0;
    while ((text = strstr(text, what))) {
        n++;
        text++;
    }
    return n;
}

static u64 cycles_of(const char *spec, const char *guest, const char *operation, const char *profile)
{
    struct error why = { "" };
    u64 cycles = 0;
    if (!bench_cycles(bench, spec, guest, operation, profile, BENCH_EVENTS, "model", &cycles, &why))
        FAIL("%s on %s: %s", guest, spec, why.text);
    return cycles;
}

/* --- the published rows --- */

static void test_exits(void)
{
    struct bench *b = fresh();
    char *text = NULL;
    size_t size;
    b->out = open_memstream(&text, &size);
    CHECK_EQ(bench_exits(b), 0);
    fclose(b->out);
    CHECK_EQ(times(text, "BEYOND"), 0);
    CHECK(times(text, "\nA1   ") >= 6);
    CHECK(times(text, "\nA2   ") >= 6);
    CHECK_EQ(times(text, "\nB 1a "), 27);
    CHECK(times(text, "\nB 2  ") >= 6);
    CHECK(times(text, "\nhost ") >= 1);
    CHECK_EQ(times(text, "did not"), 0);
    free(text);
}

/* A bar can be missed: another processor's costs do not fit the Pentium 4's rows. */
static void test_bars(void)
{
    struct bench *b = fresh();
    char *text = NULL;
    size_t size;
    b->out = open_memstream(&text, &size);
    b->engine = "kvm";
    b->hw = "haswell";
    CHECK(bench_exits(b) > 3);
    fclose(b->out);
    CHECK(times(text, "BEYOND THE BAR") > 3);
    CHECK_EQ(times(text, ", BT "), 0);
    free(text);
}

/* The rows of 1a in the order of their cost, as published: only rows that are told apart by more than a quarter count. */
static void test_order_of_1a(void)
{
    fresh();
    u64 model[16];
    for (unsigned i = 0; i < published_count; i++)
        model[i] = cycles_of("kvm:prescott", "nano", published_rows[i].operation, "p4-2006");
    for (unsigned i = 0; i < published_count; i++)
        for (unsigned k = 0; k < published_count; k++)
            if (published_rows[i].vt > 1.5 * published_rows[k].vt && model[i] <= model[k])
                FAIL("%s should cost more than %s", published_rows[i].operation, published_rows[k].operation);
}

/* --- processors by name --- */

static void test_generations(void)
{
    struct profile p;
    struct error err;
    const char *name, *launch;
    unsigned n = 0;
    for (; hw_generation(n, &name, &launch); n++) {
        u32 features;
        check_context("%s", name);
        CHECK_EQ(vmx_features_parse(name, &features, &err), 0);
        CHECK_STR(hw_profile(name), name);
        if (CHECK_EQ(profile_load(&p, name, &err), 0))
            profile_fini(&p);
    }
    CHECK_EQ(n, 10);
    CHECK_STR(hw_profile("2005"), "prescott");
    CHECK_STR(hw_profile("2008,no-vpid"), "nehalem");
    CHECK(!hw_profile("ept,vpid") && !hw_profile(NULL) && !hw_profile(""));
}

/* What each step of the decade took away. */
static void test_decade(void)
{
    fresh();
    u64 prescott = cycles_of("kvm:prescott", "exitcost", "cpuid", "prescott"), penryn = cycles_of("kvm:penryn", "exitcost", "cpuid", "penryn");
    CHECK(prescott > 2 * penryn);
    CHECK(cycles_of("kvm:penryn", "exitcost", "cr3write", "penryn") > 1000);
    CHECK_EQ(cycles_of("kvm:nehalem", "exitcost", "cr3write", "nehalem"), 100);
    CHECK(cycles_of("kvm:penryn", "exitcost", "ptemod-same", "penryn") > 1000);
    CHECK(cycles_of("kvm:nehalem", "exitcost", "ptemod-same", "nehalem") < 10);
}

/* --- shadow paging against EPT --- */

static void test_ept_takes_memory_exits(void)
{
    struct error why = { "" };
    fresh();
    const struct column *shadow = bench_run(bench, "kvm:no-ept", "churn", "curriculum", BENCH_EVENTS, "model", &why);
    const struct column *ept = bench_run(bench, "kvm", "churn", "curriculum", BENCH_EVENTS, "model", &why);
    if (!CHECK(shadow && ept))
        return;
    u64 before = ledger_family_count(&shadow->ledger, FAMILY_MEM) - shadow->ledger.count[EV_KVM_PT_PREFILL];
    u64 after = ledger_family_count(&ept->ledger, FAMILY_MEM);
    CHECK(before > 4000);
    CHECK(100 * after <= 5 * before);
}

/* What was switched on the side is as it was. */
static void test_other_exits_stay(void)
{
    struct error why = { "" };
    fresh();
    const struct column *shadow = bench_run(bench, "kvm:no-ept", "exitcost", "curriculum", BENCH_EVENTS, "model", &why);
    const struct column *ept = bench_run(bench, "kvm", "exitcost", "curriculum", BENCH_EVENTS, "model", &why);
    static const enum event same[] = { EV_KVM_CPUID, EV_KVM_VMCALL, EV_KVM_MSR, EV_KVM_IO_KERNEL, EV_KVM_MMIO };
    for (unsigned i = 0; shadow && ept && i < ARRAY_LEN(same); i++) {
        check_context("%s", event_rows[same[i]].name);
        CHECK_EQ(shadow->ledger.count[same[i]], ept->ledger.count[same[i]]);
    }
}

/* --- VPID --- */

/* Two machines on one processor: nothing is lost with VPID as long as both working sets fit, everything without; and what that saves at
 * virtio's rate of exits is in the band of A5. Larger sets save more. */
static void test_vpid(void)
{
    struct vpid_result small, middle, large;
    struct error why = { "" };
    fresh();
    if (!CHECK(bench_vpid_at(bench, 16, 40000, &small, &why) && bench_vpid_at(bench, 64, 40000, &middle, &why) &&
               bench_vpid_at(bench, 1024, 40000, &large, &why)))
        return;
    CHECK_EQ((int)middle.lost_without, 100);
    CHECK(middle.lost_with < 5 && large.lost_with > 90);
    CHECK(middle.better > 2 && middle.better < 10); /* below A5's band: docs/vtx.md */
    CHECK(small.better < middle.better && middle.better < large.better);
    CHECK(middle.misses_without > 10 * middle.misses_with);
}

/* --- whole systems --- */

static double overhead(const char *spec, const char *guest, const char *operation)
{
    struct error why = { "" };
    u64 here = 0, bare = 1;
    check_context("%s on %s", guest, spec);
    CHECK(bench_cycles(bench, spec, guest, operation, "curriculum", BENCH_WALKS, "model", &here, &why));
    CHECK(bench_cycles(bench, "bare", guest, operation, "curriculum", BENCH_WALKS, "model", &bare, &why));
    return 100.0 * ((double)here - bare) / bare;
}

/* What of A5 the guests reach; docs/vtx.md says what of the rest. */
static void test_overheads(void)
{
    fresh();
    double bt = overhead("bt", "build", "job"), pv = overhead("pv", "build", "job"), ept = overhead("kvm", "build", "job");
    double shadow = overhead("kvm:no-ept,no-vpid", "build", "job"), churn = overhead("kvm:no-ept,no-vpid", "churn", "process");
    CHECK(bt >= 10 && bt <= 30);
    CHECK(pv >= 2 && pv <= 10);
    CHECK(ept > 0.5 && ept < 5 && 2 * ept <= shadow + 0.5);
    CHECK(churn >= 20 && overhead("kvm:no-vpid", "churn", "process") < 2);
    CHECK(churn > overhead("bt", "churn", "process") && overhead("bt", "churn", "process") > overhead("pv", "churn", "process"));
}

/* Xen is asked once for many entries. */
static void test_batches(void)
{
    struct error why = { "" };
    fresh();
    const struct column *c = bench_run(bench, "pv", "churn", "curriculum", BENCH_EVENTS, "model", &why);
    if (!CHECK(c))
        return;
    CHECK(c->ledger.count[EV_PV_HC_MMU_UPDATE] < 100);
    CHECK(c->ledger.count[EV_PV_PT_UPDATE] > 4000);
    CHECK(c->ledger.count[EV_PV_PT_UPDATE] > 2 * c->ledger.count[EV_PV_HC_UPDATE_VA]);
}

/* --- interrupts, step by step --- */

static u64 interrupt_exits(const struct ledger *l)
{
    static const enum event exits[] = { EV_KVM_EXTINT, EV_KVM_PREEMPTION, EV_KVM_INTR_WINDOW, EV_KVM_EOI, EV_KVM_INJECT };
    u64 n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(exits); i++)
        n += l->count[exits[i]];
    return n;
}

/* The local APIC's timer rains on a guest that works. Each feature takes its exits away; posted interrupts the last; and nothing else
 * changes: the guest's other exits, and that it gets its interrupts. */
static void test_interrupts(void)
{
    static const char *const steps[] = { "kvm:no-tpr", "kvm:no-apicv", "kvm:no-pi", "kvm" };
    static const enum event same[] = { EV_KVM_CPUID, EV_KVM_CR_ACCESS, EV_KVM_IO_KERNEL, EV_KVM_MMIO, EV_KVM_CR3, EV_KVM_PF_HIDDEN };
    const struct column *c[ARRAY_LEN(steps)];
    struct error why = { "" };
    fresh();
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        c[i] = bench_run(bench, steps[i], "interrupts", "curriculum", BENCH_EVENTS, "model", &why);
        if (!c[i]) {
            FAIL("%s: %s", steps[i], why.text);
            return;
        }
    }
    CHECK(interrupt_exits(&c[0]->ledger) > 2000 && c[0]->ledger.count[EV_KVM_APIC] > 2000);
    CHECK(c[2]->ledger.count[EV_KVM_PREEMPTION] > 1000);
    CHECK_EQ(c[2]->ledger.count[EV_KVM_APIC] + c[2]->ledger.count[EV_KVM_INJECT], 0);
    CHECK_EQ(interrupt_exits(&c[3]->ledger), 0);
    CHECK(c[3]->ledger.count[EV_KVM_POSTED] > 1000);
    CHECK_EQ(c[3]->ledger.count[EV_KVM_POSTED], c[3]->ledger.count[EV_KVM_VIRTUAL_INTR]);
    for (unsigned e = 0; e < ARRAY_LEN(same); e++) {
        check_context("%s", event_rows[same[e]].name);
        CHECK_EQ(c[3]->ledger.count[same[e]], c[2]->ledger.count[same[e]]);
    }
    for (unsigned i = 1; i < ARRAY_LEN(steps); i++)
        CHECK(column_operation(c[i], "work")->cycles <= column_operation(c[i - 1], "work")->cycles);
}

/* --- the translator below changes nothing --- */

static void run_counts(const char *hw, const char *guest, const struct cpu_accel_ops *accel, u64 counts[EV_COUNT])
{
    struct vm_config config;
    struct column c;
    struct error err;
    CHECK_EQ(column_parse(&c, "kvm", &err), 0);
    vm_config_defaults(&config);
    config.accel = accel;
    config.hw = hw;
    config.kvm = "model";
    column_run(&c, guest, &config);
    CHECK(c.ran);
    memcpy(counts, c.ledger.count, sizeof c.ledger.count);
}

static void test_translated_alike(void)
{
    static const char *const guests[] = { "guests/exitcost", "guests/churn", "guests/interrupts" }, *const hw[] = { "all", "no-ept", "2005" };
    static u64 translated[EV_COUNT], interpreted[EV_COUNT];
    for (unsigned g = 0; g < ARRAY_LEN(guests); g++) {
        for (unsigned h = 0; h < ARRAY_LEN(hw); h++) {
            run_counts(hw[h], guests[g], &bt_accel, translated);
            run_counts(hw[h], guests[g], NULL, interpreted);
            for (unsigned e = 0; e < EV_COUNT; e++) {
                bool timing = event_rows[e].family == FAMILY_IO; /* the console is polled while it sends */
                check_context("%s, --hw=%s, %s", guests[g], hw[h], event_rows[e].name);
                if (!timing)
                    CHECK_EQ(translated[e], interpreted[e]);
            }
        }
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "exits", test_exits },
        { "bars", test_bars },
        { "order_of_1a", test_order_of_1a },
        { "generations", test_generations },
        { "decade", test_decade },
        { "ept_takes_memory_exits", test_ept_takes_memory_exits },
        { "other_exits_stay", test_other_exits_stay },
        { "vpid", test_vpid },
        { "overheads", test_overheads },
        { "batches", test_batches },
        { "interrupts", test_interrupts },
        { "translated_alike", test_translated_alike },
        { NULL, NULL },
    };
    int status = check_main(argc, argv, "vmx bench", tests);
    free(bench);
    return status;
}
