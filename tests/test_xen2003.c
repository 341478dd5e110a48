/* SPDX-License-Identifier: MIT */
/*
 * The tables of 2003: guests/lmbench computes the same everywhere, its rows come in the published order and two thirds of them near the published
 * ratios, and what a paravirtual machine does is counted by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cli/bench/bench.h"
#include "host.h"

static struct bench *bench;
static char out[65536];

static void run(const char *arguments)
{
    char command[300];
    snprintf(command, sizeof command, "timeout 120 %s %s 2>&1 </dev/null", emu(), arguments);
    int status = host_capture(out, sizeof out, command);
    check_context("%s", arguments);
    if (!CHECK_EQ(status, 0))
        printf("%s\n", out);
}

static unsigned times(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

/* --- the rows --- */

static char *table;

/* Made once. */
static void make_table(void)
{
    size_t size;
    if (!table) {
        bench->out = open_memstream(&table, &size);
        CHECK_EQ(bench_xen(bench), 0);
        fclose(bench->out);
    }
    check_context("%s", table);
}

static void test_rows(void)
{
    make_table();
    CHECK_EQ(times(table, "\n3 "), 10);
    CHECK_EQ(times(table, "\n4 "), 7);
    CHECK_EQ(times(table, "\n5 "), 7);
    CHECK_EQ(times(table, "skipped"), 0);
}

/* The only row that is not in the published order is that of a signal's handling, where Xen is no slower and no faster than native. */
static void test_order(void)
{
    make_table();
    CHECK_EQ(times(table, "REVERSED"), 0);
    CHECK_EQ(times(table, "yes "), 23);
    CHECK_EQ(times(table, "equal "), 2);    /* the row, and the line that counts them */
    CHECK_CONTAINS(table, "23 of 24 rows");
}

static double cycles(const char *spec, unsigned spaces, const char *operation)
{
    struct error why = { "" };
    bench->shadow_spaces = spaces;
    const struct column *c = bench_run(bench, spec, "lmbench", "xeon-2003", BENCH_EVENTS, "model", &why);
    const struct operation *o = c ? column_operation(c, operation) : NULL;
    check_context("%s on %s: %s", operation, spec, why.text);
    return CHECK(o) ? (double)o->cycles / o->count : 0;
}

/* Xen has no part in what is only system calls; so they cost the same to the cycle. */
static void test_calls_are_direct(void)
{
    static const char *const calls[] = { "null-call", "null-io", "stat", "open-close", "select", "sig-inst", "sig-hndl", "0K-create" };
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        CHECK(cycles("pv", 0, calls[i]) == cycles("bare", 0, calls[i]));
}

/* A page that was not there costs a translator of the early kind two faults: the guest's own, and the hidden one when the access is done again.
 * The present one interprets the access, and spares the second. */
static void test_hidden_fault_after_a_true_one(void)
{
    struct error why = { "" };
    const struct column *bt = bench_run(bench, "bt", "lmbench", "xeon-2003", BENCH_EVENTS, "model", &why);
    if (!CHECK(bt))
        return;
    const u64 *cost = bt->ledger.cost;
    CHECK(cycles("bt", 1, "page-fault") > cost[EV_BT_TRUE_FAULT] + cost[EV_BT_HIDDEN_FAULT] + cost[EV_BT_IRET]);
    CHECK(cycles("bt", 1, "page-fault") < cost[EV_BT_TRUE_FAULT] + 2 * cost[EV_BT_HIDDEN_FAULT] + cost[EV_BT_IRET]);
    CHECK(cycles("bt", 0, "page-fault") < cycles("bt", 1, "page-fault"));
    CHECK(cycles("bt", 0, "page-fault") > cost[EV_BT_TRUE_FAULT] + cost[EV_BT_IRET]);
}

/* With the shadow tables of one address space, a switch between two processes pays for every page that is touched after it. */
static void test_shadow_spaces(void)
{
    double kept = cycles("bt", 0, "2p/64K"), one = cycles("bt", 1, "2p/64K");
    CHECK(one > kept + 10 * 4260);
    CHECK(cycles("bt", 1, "null-call") == cycles("bt", 0, "null-call"));
}

/* --- the answers --- */

static void answer_of(const char *arguments, char answer[40])
{
    run(arguments);
    const char *at = strstr(out, "answers ");
    CHECK_EQ(times(out, "wrong"), 0);
    CHECK_EQ(times(out, "@lmbench "), 24);
    *answer = 0;
    if (CHECK(at))
        sscanf(at, "%39[^\r\n]", answer);
}

static void test_answers(void)
{
    static const char *const ways[] = {
        "-engine pv guests/lmbench", "-engine bt guests/lmbench", "-engine bt --shadow-spaces=1 guests/lmbench", "-engine kvm -kvm model guests/lmbench",
        "-engine kvm -kvm model --hw=no-ept guests/lmbench", "-engine pv -profile modern guests/lmbench",
    };
    char first[40], other[40];
    answer_of("-engine bare guests/lmbench", first);
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        answer_of(ways[i], other);
        CHECK_STR(other, first);
    }
}

/* --- what is counted --- */

static void test_counters(void)
{
    static const struct { const char *arguments, *names[12]; } guests[] = {
        { "-engine pv -stats guests/lmbench",
          { "pv.mmu-update ", "pv.update-va-mapping ", "pv.multicall ", "pv.multicall-entry ", "pv.direct-trap ", "pv.bounce-pf ", "pv.pt-update ",
            "pv.validate-table ", "pv.release-table ", "pv.cr3 ", "pv.tlb-flush " } },
        { "-engine pv -stats guests/nano", { "pv.emulate-io ", "pv.bounce ", "pv.fpu-taskswitch " } },
        { "-engine pv -stats guests/tick", { "pv.upcall ", "pv.event-pending ", "pv.virq-timer ", "pv.iret " } },
        { "-engine pv -netdev loopback,id=n -device e1000,netdev=n -stats guests/split",
          { "pv.grant-copy ", "pv.domain-switch ", "pv.driver-call ", "pv.driver-upcall ", "pv.copied-line " } },
        { "-engine pv -hda build/counted-disk -stats guests/split", { "pv.grant-map ", "pv.grant-unmap ", "pv.grant-table-op " } },
    };
    CHECK_EQ(system("truncate -s 1M build/counted-disk"), 0);
    for (unsigned i = 0; i < sizeof guests / sizeof *guests; i++) {
        run(guests[i].arguments);
        for (unsigned n = 0; guests[i].names[n]; n++)
            CHECK_CONTAINS(out, guests[i].names[n]);
    }
}

/* Each hypercall by its number, and how long the lists were. */
static void test_batches(void)
{
    unsigned long calls = 0, whole = 0, tenth = 0, most = 0;
    run("-engine pv -stats guests/lmbench");
    const char *at = strstr(out, "   1 mmu_update ");
    CHECK_CONTAINS(out, "hypercalls by number:");
    if (!CHECK(at && sscanf(at, " 1 mmu_update %lu batches of %lu.%lu, at most %lu", &calls, &whole, &tenth, &most) == 4))
        return;
    CHECK(calls > 200);
    CHECK(whole >= 2);
    CHECK_EQ(most, 128);
    CHECK_CONTAINS(out, "  13 multicall ");
    CHECK_CONTAINS(out, "  14 update_va_mapping ");
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rows", test_rows },
        { "order", test_order },
        { "calls are direct", test_calls_are_direct },
        { "a hidden fault after a true one", test_hidden_fault_after_a_true_one },
        { "shadow spaces", test_shadow_spaces },
        { "answers", test_answers },
        { "counters", test_counters },
        { "batches", test_batches },
        { NULL, NULL },
    };
    bench = calloc(1, sizeof *bench);
    int status = check_main(argc, argv, "xen 2003", tests);
    free(bench);
    free(table);
    return status;
}
