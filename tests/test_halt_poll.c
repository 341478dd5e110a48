/* SPDX-License-Identifier: MIT */
/*
 * KVM's polling after HLT (src/hwassist/kvm/halt.c), seen from a guest that waits for frames: how long they let it wait says whether it is
 * worth while. Every number of wake-ups and polls here is exact.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "cli/bench/bench_load.h"

enum { FRAME = 60 };

static char source[32];

/* A virtual function, and somebody who sends so many frames a second. */
static int plug(const struct load *l, struct vm_config *c, struct error *err)
{
    struct vm_netdev *d = &c->netdev[c->nnetdevs++];
    *d = (struct vm_netdev){ .type = "wire", .id = "wire" };
    d->word[d->nwords++] = source;
    c->vfio[c->nvfios++] = (struct vm_vfio){ .host = "01:10.0", .netdev = "wire" };
    return 0;
}

static const struct load_path path = { "vf", "", "kvm", "netload", "vf", plug };

static bool measure(struct load_result *r, const char *engine, unsigned a_second, u32 count)
{
    snprintf(source, sizeof source, "peer=source:%u@%u", FRAME, a_second);
    load_run(&(struct load){ &path, engine, "rx", FRAME, 1, count }, r);
    check_context("%s, %u frames a second: %s", engine, a_second, r->why);
    return CHECK(r->ran);
}

/* What happened in the second half of 2 * COUNT waits: the window has been found by then. */
static void check_steady(const char *engine, unsigned a_second, u64 hits, u64 misses, u64 wakes, bool busy)
{
    static struct load_result r;
    if (!measure(&r, engine, a_second, 64))
        return;
    CHECK_EQ(r.ledger.count[EV_KVM_HLT], 64);
    CHECK_EQ(r.ledger.count[EV_KVM_POLL_HIT], hits);
    CHECK_EQ(r.ledger.count[EV_KVM_POLL_MISS], misses);
    CHECK_EQ(r.ledger.count[EV_KVM_WAKE], wakes);
    CHECK_EQ(r.ledger.polled > r.cycles / 2, busy);
    CHECK_EQ(r.ledger.polled > 0, hits + misses > 0);
}

static void test_short_waits(void) { check_steady("kvm", 20000, 64, 0, 0, true); }

/* 250 us is longer than the longest window: nothing is ever tried. */
static void test_long_waits(void) { check_steady("kvm", 4000, 0, 0, 64, false); }

static void test_switched_off(void)
{
    check_steady("kvm:no-halt-poll", 20000, 0, 0, 64, false);
    check_steady("kvm:ept,vpid,ug", 20000, 0, 0, 64, false);
}

/* Who waits 70 us sleeps the first time, polls for 10, 20 and 40 us in vain, and for 80 us, from then on, with success. A measurement is the
 * second half of its waits. */
static void test_window_grows(void)
{
    static const struct { u32 count; u64 hits, misses; } rows[] = { { 1, 0, 1 }, { 2, 0, 2 }, { 4, 4, 0 }, { 32, 32, 0 } };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        static struct load_result r;
        if (!measure(&r, "kvm", 14000, rows[i].count))
            return;
        CHECK_EQ(r.ledger.count[EV_KVM_POLL_HIT], rows[i].hits);
        CHECK_EQ(r.ledger.count[EV_KVM_POLL_MISS], rows[i].misses);
        CHECK_EQ(r.ledger.count[EV_KVM_WAKE], rows[i].misses);
    }
}

/* What is gained is the time of the wake-up, and what it costs is the processor. */
static void test_latency_for_work(void)
{
    static struct load_result with, without;
    strcpy(source, "peer=echo");
    load_run(&(struct load){ &path, "kvm", "pingpong", FRAME, 1, 64 }, &with);
    load_run(&(struct load){ &path, "kvm:no-halt-poll", "pingpong", FRAME, 1, 64 }, &without);
    if (!CHECK(with.ran && without.ran))
        return;
    CHECK_EQ(without.ledger.count[EV_KVM_WAKE], 64);
    CHECK_EQ(with.ledger.count[EV_KVM_WAKE], 0);
    CHECK_EQ(without.cycles - with.cycles, without.ledger.cycles[EV_KVM_WAKE]);
    CHECK(with.ledger.polled > 0);
    CHECK_EQ(without.ledger.polled, 0);
    /* each HLT costs a whole exit, in two parts */
    CHECK_EQ(with.ledger.cycles[EV_KVM_HLT], 64 * (with.ledger.cost[EV_KVM_MSR]));
    CHECK_EQ(without.ledger.cycles[EV_KVM_HLT], with.ledger.cycles[EV_KVM_HLT]);
}

static void test_repeats(void)
{
    static struct load_result a, b;
    if (!measure(&a, "kvm", 9000, 64) || !measure(&b, "kvm", 9000, 64))
        return;
    CHECK_EQ(a.cycles, b.cycles);
    CHECK(memcmp(&a.ledger, &b.ledger, sizeof a.ledger) == 0);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "short_waits", test_short_waits }, { "long_waits", test_long_waits }, { "switched_off", test_switched_off },
        { "window_grows", test_window_grows }, { "latency_for_work", test_latency_for_work }, { "repeats", test_repeats }, { NULL, NULL },
    };
    return check_main(argc, argv, "halt poll", tests);
}
