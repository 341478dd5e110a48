/* SPDX-License-Identifier: MIT */
/*
 * The modelled wire, the modelled host in front of it, and the load that `emu bench net` puts on each path: arithmetic of the wire, what
 * is charged for a frame, and counts of exits that must be exact, and the same in each run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli/bench/bench_load.h"
#include "cli/report/report_curve.h"
#include "devices/net/net_wire.h"

#define HZ 2000000000u      /* two cycles a nanosecond, as the profile curriculum */
enum { FULL = 1514, SMALL = 60, LATENCY = 2000 /* a microsecond */ };

/* --- a wire by itself, with us in the adapter's place --- */

struct rig {
    struct clock clock;
    struct profile profile;
    struct ledger ledger;
    struct net_room room;
    struct net_wire *wire;
    struct net_backend *backend;
    unsigned received, rooms;
    cycles_t last;
    u8 frame[FULL];
};

static void take(void *opaque, const u8 *frame, u32 len)
{
    struct rig *r = opaque;
    r->received++;
    r->last = r->clock.now;
    memcpy(r->frame, frame, len < FULL ? len : FULL);
}

static void room(void *opaque) { ((struct rig *)opaque)->rooms++; }

static void start(struct rig *r, enum net_path path, const char *const *words, unsigned n)
{
    struct error err = { "" };
    memset(r, 0, sizeof *r);
    clock_init(&r->clock, HZ);
    CHECK_EQ(profile_load(&r->profile, "curriculum", &err), 0);
    CHECK_EQ(ledger_init(&r->ledger, &r->clock, &r->profile, &err), 0);
    r->room.ledger = &r->ledger;
    r->wire = net_new("w", &r->clock);
    r->backend = net_wire_ops.open(r->wire, &r->room, words, n, &err);
    CHECK_STR(err.text, "");
    net_wire_serve(r->backend, path);
    net_attach(r->wire, NET_NIC, &(struct net_end){ .receive = take, .room = room, .opaque = r });
}

static void stop(struct rig *r)
{
    net_wire_ops.close(r->backend);
    net_free(r->wire);
    clock_fini(&r->clock);
    profile_fini(&r->profile);
}

static void run(struct rig *r, cycles_t until)
{
    while (clock_deadline(&r->clock) <= until) {
        if (clock_deadline(&r->clock) > r->clock.now)
            r->clock.now = clock_deadline(&r->clock);
        clock_run_due(&r->clock);
    }
    r->clock.now = until > r->clock.now ? until : r->clock.now;
}

static struct net_wire_counts counts(const struct rig *r)
{
    struct net_wire_counts c;
    CHECK(net_wire_counts(r->backend, &c));
    return c;
}

/* --- arithmetic --- */

/* As long as there is room, for so many cycles: how many frames came to the other side? */
static u64 flood(struct rig *r, u32 len, cycles_t cycles)
{
    u8 frame[FULL] = { 0 };
    cycles_t end = r->clock.now + cycles;
    while (r->clock.now < end) {
        while (net_room(r->wire, NET_NIC))
            net_send(r->wire, NET_NIC, frame, len);
        run(r, clock_deadline(&r->clock) < end ? clock_deadline(&r->clock) : end);
    }
    return counts(r).frames;
}

/* A frame takes its bytes and 24 more; 10 Gb/s are 812,743 frames of 1514 bytes a second, 14,880,952 of 60. */
static void test_line_rate(void)
{
    static const struct { const char *speed; u32 len; u64 a_second; } rates[] = {
        { "speed=10G", FULL, 812743 }, { "speed=10G", SMALL, 14880952 }, { "speed=1G", FULL, 81274 }, { "speed=100M", FULL, 8127 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        struct rig r;
        start(&r, NET_PATH_DIRECT, (const char *const[]){ rates[i].speed, "latency=0" }, 2);
        check_context("%s, %u bytes", rates[i].speed, rates[i].len);
        CHECK_EQ(flood(&r, rates[i].len, HZ / 10), rates[i].a_second / 10);
        stop(&r);
    }
    check_context(NULL);
}

static void test_latency(void)
{
    struct rig r;
    u8 frame[FULL] = { 0 };
    start(&r, NET_PATH_DIRECT, (const char *const[]){ "peer=echo", "latency=1us" }, 2);
    for (unsigned i = 0; i < 12; i++)
        frame[i] = i;
    net_send(r.wire, NET_NIC, frame, FULL);
    run(&r, HZ / 1000);
    cycles_t bits = (1538 * 8 * (u64)HZ + 9999999999u) / 10000000000u;
    CHECK_EQ(counts(&r).first, bits + LATENCY);
    CHECK_EQ(r.last, 2 * (bits + LATENCY));
    CHECK_EQ(r.received, 1);
    CHECK_EQ(r.frame[0], 6);        /* the addresses have changed places */
    CHECK_EQ(r.frame[6], 0);
    stop(&r);
}

static void test_source(void)
{
    struct rig r;
    u8 frame[SMALL] = { 2, [6] = 0x52 };
    start(&r, NET_PATH_DIRECT, (const char *const[]){ "peer=source:1514@1000" }, 1);
    run(&r, HZ / 100);
    CHECK_EQ(r.received, 0);        /* it does not know yet to whom */
    net_send(r.wire, NET_NIC, frame, SMALL);
    run(&r, HZ / 100 + HZ / 10);
    CHECK(r.received == 100 || r.received == 99);
    CHECK_EQ(r.frame[0], 0x52);
    stop(&r);
    start(&r, NET_PATH_DIRECT, (const char *const[]){ "peer=source:1514" }, 1);
    net_send(r.wire, NET_NIC, frame, SMALL);
    run(&r, HZ / 10);
    CHECK(r.received >= 81270 && r.received <= 81274);
    stop(&r);
}

static void test_refused(void)
{
    static const char *const words[] = { "speed=0", "speed=10T", "speed=", "latency=1m", "latency=x", "latency=18446744073709552us", "peer=nobody", "peer=source", "peer=source:59", "peer=source:1514@x",
                                         "peer=source:20000", "peer=source:4294967356", "vhost=maybe", "zerocopy=maybe", "zerocopy=on", "colour=red" };
    struct clock clock;
    struct net_room room = { 0 };
    clock_init(&clock, HZ);
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        struct error err = { "" };
        struct net_wire *w = net_new("w", &clock);
        check_context("%s", words[i]);
        CHECK(net_wire_ops.open(w, &room, &words[i], 1, &err) == NULL);
        CHECK_CONTAINS(err.text, "-netdev wire");
        net_free(w);
    }
    check_context(NULL);
    clock_fini(&clock);
}

/* --- the host --- */

/* A worker that sleeps is woken; one that is busy takes what comes as its next; on the same processor time goes by. */
static void test_worker(void)
{
    struct rig r;
    start(&r, NET_PATH_DIRECT, NULL, 0);
    u64 wake = r.ledger.cost[EV_HOST_WAKE], ring = r.ledger.cost[EV_HOST_RING];
    struct worker w = { .ledger = &r.ledger, .wake = EV_HOST_WAKE };
    CHECK(wake && ring);
    CHECK_EQ(worker_call(&w, 1000), 1000 + wake);
    worker_do(&w, EV_HOST_RING, 3);
    CHECK_EQ(w.until, 1000 + wake + 3 * ring);
    CHECK_EQ(worker_call(&w, 1001), w.until);               /* it is at it still */
    CHECK_EQ(worker_call(&w, w.until), w.until);
    CHECK_EQ(w.wakes, 1);
    CHECK_EQ(worker_call(&w, w.until + 1), 1000 + 2 * wake + 3 * ring + 1);
    CHECK_EQ(r.clock.now, 0);
    CHECK_EQ(r.ledger.count[EV_HOST_RING], 3);
    CHECK_EQ(r.ledger.cycles[EV_HOST_WAKE], 2 * wake);
    struct worker self = { .ledger = &r.ledger, .same_cpu = true };
    worker_call(&self, 0);
    worker_do(&self, EV_HOST_RING, 2);
    CHECK_EQ(r.clock.now, 2 * ring);
    CHECK(!worker_busy(&self));
    stop(&r);
}

/* What is charged for a full frame out: 1514 bytes are 24 lines. */
static void test_charges(void)
{
    static const struct { enum net_path path; const char *words[2]; u64 wakes, user_wakes, rings, syscalls, lines, pins, stack, nic; bool time; } rows[] = {
        { NET_PATH_DIRECT, { "vhost=off" }, 0, 0, 0, 0, 0, 0, 0, 0, false },
        { NET_PATH_EMULATED, { "vhost=off" }, 0, 0, 1, 1, 48, 0, 1, 1, true },
        { NET_PATH_VIRTIO, { "vhost=off" }, 0, 1, 1, 1, 24, 0, 1, 1, false },
        { NET_PATH_VIRTIO, { "vhost=on" }, 1, 0, 1, 0, 24, 0, 1, 1, false },
        { NET_PATH_VIRTIO, { "vhost=on", "zerocopy=on" }, 1, 0, 1, 0, 2, 1, 1, 1, false },   /* but for its first 128 bytes */
        { NET_PATH_EMULATED, { "vhost=on" }, 0, 0, 1, 1, 48, 0, 1, 1, true },      /* there are no rings that it could serve */
        { NET_PATH_PV, { "vhost=off" }, 0, 0, 0, 0, 0, 0, 1, 1, true },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig r;
        u8 frame[FULL] = { 0 };
        check_context("row %u", i);
        start(&r, rows[i].path, rows[i].words, rows[i].words[1] ? 2 : 1);
        net_send(r.wire, NET_NIC, frame, FULL);
        CHECK_EQ(r.clock.now > 0, rows[i].time);
        CHECK_EQ(r.ledger.count[EV_HOST_WAKE], rows[i].wakes);
        CHECK_EQ(r.ledger.count[EV_HOST_USER_WAKE], rows[i].user_wakes);
        CHECK_EQ(r.ledger.count[EV_HOST_RING], rows[i].rings);
        CHECK_EQ(r.ledger.count[EV_HOST_SYSCALL], rows[i].syscalls);
        CHECK_EQ(r.ledger.count[EV_HOST_LINE], rows[i].lines);
        CHECK_EQ(r.ledger.count[EV_HOST_PIN], rows[i].pins);
        CHECK_EQ(r.ledger.count[EV_HOST_STACK], rows[i].stack);
        CHECK_EQ(r.ledger.count[EV_HOST_NIC], rows[i].nic);
        stop(&r);
    }
    check_context(NULL);
}

/* A short frame is copied all the same, and what comes always is. */
static void test_zero_copy(void)
{
    static const struct { u32 len; u64 lines, pins; } rows[] = { { SMALL, 1, 0 }, { 255, 4, 0 }, { 256, 2, 1 }, { FULL, 2, 1 }, { 9014, 2, 3 } };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig r;
        static const u8 frame[9014] = { 1 };
        check_context("%u bytes", rows[i].len);
        start(&r, NET_PATH_VIRTIO, (const char *const[]){ "vhost=on", "zerocopy=on" }, 2);
        net_send(r.wire, NET_NIC, frame, rows[i].len);
        CHECK_EQ(r.ledger.count[EV_HOST_LINE], rows[i].lines);
        CHECK_EQ(r.ledger.count[EV_HOST_PIN], rows[i].pins);
        stop(&r);
    }
    check_context("what comes");
    struct rig r;
    u8 frame[FULL] = { 1 };
    start(&r, NET_PATH_VIRTIO, (const char *const[]){ "vhost=on", "zerocopy=on" }, 2);
    net_send(r.wire, NET_BACKEND, frame, FULL);
    run(&r, HZ / 1000);
    CHECK_EQ(r.ledger.count[EV_HOST_LINE], 24);
    CHECK_EQ(r.ledger.count[EV_HOST_PIN], 0);
    stop(&r);
    check_context(NULL);
}

/* The slowest sets the pace. On a wire of 1 Tb/s that is the worker: its cost of a frame, and no wake-up in between. */
static void test_worker_sets_the_pace(void)
{
    struct rig r;
    start(&r, NET_PATH_VIRTIO, (const char *const[]){ "vhost=on", "speed=1000G", "latency=0" }, 3);
    const u64 *cost = r.ledger.cost;
    u64 each = cost[EV_HOST_RING] + 24 * cost[EV_HOST_LINE] + cost[EV_HOST_STACK] + cost[EV_HOST_NIC];
    u64 frames = flood(&r, FULL, HZ / 100), most = HZ / 100 / each;
    CHECK(frames <= most && frames >= most - most / 100);
    CHECK_EQ(r.ledger.count[EV_HOST_WAKE], 1);
    stop(&r);
    start(&r, NET_PATH_VIRTIO, (const char *const[]){ "vhost=on", "latency=0" }, 2);     /* and on one of 10 Gb/s, the wire */
    CHECK(flood(&r, FULL, HZ / 100) >= 8120);
    CHECK(r.ledger.count[EV_HOST_WAKE] < 8127 / 256);      /* woken by half a queue, not by each frame */
    stop(&r);
}

/* --- whole machines --- */

static const struct load_path *path(const struct load_bench *b, const char *name)
{
    for (unsigned i = 0; i < b->npaths; i++)
        if (!strcmp(b->paths[i].name, name))
            return &b->paths[i];
    return NULL;
}

static bool measure(struct load_result *r, const char *name, const char *engine, const char *mode, u32 size, u32 batch, u32 count)
{
    load_run(&(struct load){ path(&bench_net_loads, name), engine, mode, size, batch, count }, r);
    check_context("%s on %s, %s in batches of %u: %s", name, engine, mode, batch, r->why);
    return CHECK(r->ran);
}

/* The curriculum's driver: seven accesses of registers, each an exit, and a window for the interrupt. */
static void test_exits_naive(void)
{
    static struct load_result r;
    if (!measure(&r, "e1000-naive", "kvm", "tx", FULL, 1, 64))
        return;
    CHECK_EQ(r.operations, 64);
    CHECK_EQ(r.ledger.count[EV_KVM_MMIO], 5 * 64);          /* STATUS, TDH, TDT; ICR, TDH */
    CHECK_EQ(r.ledger.count[EV_KVM_IO_KERNEL], 2 * 64);     /* both interrupt controllers */
    CHECK_EQ(r.ledger.count[EV_KVM_INJECT], 64);
    CHECK(load_exits(&r) >= 7 * 64);
    CHECK_EQ(r.ledger.count[EV_HOST_SYSCALL], 64);
}

/* Linux's way: TDT for each frame, and so many interrupts a second, each of five accesses; a frame there and back is held up by them. */
static void test_exits_throttled(void)
{
    static struct load_result r;
    if (!measure(&r, "e1000-throttled", "kvm", "tx", FULL, 1, 2048))
        return;
    u64 interrupts = r.ledger.count[EV_KVM_INJECT];
    CHECK(interrupts * r.hz / r.cycles >= 7700 && interrupts * r.hz / r.cycles <= 8050);
    CHECK_EQ(r.ledger.count[EV_KVM_MMIO], 2048 + 5 * interrupts);       /* ICR, IMC, STATUS, IMS, STATUS */
    CHECK_EQ(r.ledger.count[EV_KVM_IO_KERNEL], 2 * interrupts);
    if (!measure(&r, "e1000-throttled", "kvm", "pingpong", SMALL, 1, 64))
        return;
    CHECK_EQ(r.ledger.count[EV_KVM_INJECT], 64);
    CHECK_EQ(r.ledger.count[EV_KVM_MMIO], 7 * 64);                      /* TDT and RDT too: more than seven exits a packet */
    CHECK(load_us(&r) > 124 && load_us(&r) < 126);
    if (measure(&r, "e1000-dynamic", "kvm", "pingpong", SMALL, 1, 64))  /* it sees that somebody waits: 20,000 a second */
        CHECK(load_us(&r) > 49 && load_us(&r) < 51);
}

/* The adapter sees to it that no more come, however many frames there are; the plain driver takes one for each that finds it asleep. */
static void test_moderated_vf(void)
{
    static struct load_result r;
    if (measure(&r, "vf-dynamic", "kvm", "rx", FULL, 64, 2048)) {
        double a_second = (double)r.ledger.count[EV_KVM_HLT] * r.hz / r.cycles;
        CHECK(a_second >= 4000 && a_second <= 9100);
    }
    if (measure(&r, "vf", "kvm", "rx", FULL, 64, 2048))
        CHECK(r.ledger.count[EV_KVM_HLT] > 1000);
    if (measure(&r, "vf-dynamic", "kvm", "pingpong", SMALL, 1, 64))
        CHECK(load_us(&r) > 49 && load_us(&r) < 51);
}

/* One doorbell and one waking a batch, however large it is; and of the rings' servers one is in user space. */
static void test_exits_rings(void)
{
    static const char *const names[] = { "virtio", "vhost" };
    for (unsigned i = 0; i < 2; i++) {
        static struct load_result r;
        if (!measure(&r, names[i], "kvm", "tx", FULL, 1024, 4096))
            return;
        CHECK_EQ(r.operations, 4096);
        CHECK_EQ(load_exits(&r), 2 * 4);
        CHECK_EQ(r.ledger.count[EV_KVM_IOEVENTFD], 4);
        CHECK_EQ(r.ledger.count[EV_KVM_HLT], 4);
        CHECK_EQ(r.ledger.count[EV_KVM_MMIO] + r.ledger.count[EV_KVM_IO_USER], 0);
        CHECK_EQ(r.ledger.count[EV_HOST_RING], 4096);
        CHECK_EQ(r.ledger.count[EV_HOST_SYSCALL], i ? 0 : 4096);
        CHECK_EQ(load_user(&r) == 0, i == 1);
    }
}

/* Its registers are its own: it leaves the guest to sleep, and for nothing else. Its DMA goes through the IOMMU. */
static void test_exits_vf(void)
{
    static struct load_result r;
    if (!measure(&r, "vf", "kvm", "tx", FULL, 256, 2048))
        return;
    CHECK_EQ(load_data_exits(&r), 0);
    CHECK_EQ(load_user(&r), 0);
    CHECK_EQ(load_exits(&r), 2048 / 256);
    CHECK_EQ(r.ledger.count[EV_DMA], 0);
    CHECK(r.ledger.count[EV_DMA_REMAPPED] >= 2 * 2048);     /* a descriptor and its frame */
    CHECK(r.ledger.count[EV_IOMMU_WALK] * 100 < r.ledger.count[EV_DMA_REMAPPED]);
    CHECK_EQ(ledger_family_count(&r.ledger, FAMILY_HOST), 0);
}

/* A frame there and back: two exits by rings, more than ten by registers. */
static void test_round_trip(void)
{
    static struct load_result r;
    if (measure(&r, "vhost", "kvm", "pingpong", SMALL, 1, 64)) {
        CHECK_EQ(r.ledger.count[EV_KVM_IOEVENTFD], 64);
        CHECK_EQ(r.ledger.count[EV_KVM_HLT], 64);
        CHECK_EQ(r.ledger.count[EV_HOST_WAKE], 128);
        CHECK_EQ(load_exits(&r), 128);
    }
    if (measure(&r, "e1000-naive", "kvm", "pingpong", SMALL, 1, 64))
        CHECK(load_data_exits(&r) >= 12 * 64);
}

/* Every path on every engine that can carry it: all frames are there. */
static void test_engines(void)
{
    static const struct { const char *path, *engine; } rows[] = {
        { "e1000-naive", "bare" }, { "e1000-naive", "bt" }, { "e1000-naive", "kvm" }, { "e1000-naive", "kvm:no-ept" }, { "e1000", "bt" },
        { "e1000", "bare" }, { "e1000-throttled", "bare" }, { "e1000-throttled", "bt" }, { "e1000-dynamic", "kvm:no-ept" }, { "vf-dynamic", "kvm" }, { "vhost-zerocopy", "bt" }, { "virtio", "bare" }, { "virtio", "bt" }, { "virtio", "kvm:no-ept" }, { "vhost", "bt" }, { "vhost", "kvm:no-pi" }, { "vf", "kvm" },
        { "vf", "kvm:no-pi" }, { "bare", "bare" }, { "pv", "pv" },
    };
    static const char *const modes[] = { "tx", "rx", "pingpong" };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned m = 0; m < ARRAY_LEN(modes); m++) {
            static struct load_result r;
            if (!measure(&r, rows[i].path, rows[i].engine, modes[m], SMALL, 8, 64))
                continue;
            CHECK_EQ(r.operations, 64);
            CHECK(r.cycles > 0);
            if (m != 1)
                CHECK_EQ(r.frames, 64);
        }
}

/* The same input, the same counters, bit for bit. */
static void test_repeats(void)
{
    static struct load_result a, b;
    static const struct { const char *path, *engine; } rows[] = { { "e1000", "kvm" }, { "virtio", "kvm" }, { "vhost", "bt" }, { "pv", "pv" } };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        if (!measure(&a, rows[i].path, rows[i].engine, "rx", FULL, 16, 256) || !measure(&b, rows[i].path, rows[i].engine, "rx", FULL, 16, 256))
            return;
        CHECK_EQ(a.cycles, b.cycles);
        CHECK(memcmp(&a.ledger, &b.ledger, sizeof a.ledger) == 0);
    }
}

/* --- disks --- */

static bool measure_disk(struct load_result *r, const char *name, const char *engine, const char *mode, u32 batch, u32 count)
{
    char image[64];
    CHECK(bench_blk_loads.prepare(image));
    load_run(&(struct load){ path(&bench_blk_loads, name), engine, mode, 4096, batch, count, image }, r);
    unlink(image);
    check_context("disk %s on %s, %s in batches of %u: %s", name, engine, mode, batch, r->why);
    return CHECK(r->ran);
}

static void test_disk_exits(void)
{
    static struct load_result r;
    if (measure_disk(&r, "ide", "kvm", "read", 1, 32)) {
        CHECK_EQ(r.ledger.count[EV_KVM_IO_USER], 11 * 32);      /* seven for the drive, four for the bus master */
        CHECK_EQ(r.ledger.count[EV_KVM_IO_KERNEL], 2 * 32);
        CHECK_EQ(r.ledger.count[EV_HOST_DISK], 32);
        CHECK_EQ(r.ledger.count[EV_HOST_USER_WAKE], 32);
    }
    if (measure_disk(&r, "virtio", "kvm", "write", 16, 32)) {
        CHECK_EQ(load_exits(&r), 2 * 2);
        CHECK_EQ(r.ledger.count[EV_KVM_IOEVENTFD], 2);
        CHECK_EQ(r.ledger.count[EV_HOST_SYSCALL], 2 * 32);
        CHECK_EQ(r.ledger.count[EV_HOST_USER_WAKE], 2 * 2);     /* by the doorbell, and by the disk */
    }
    if (measure_disk(&r, "vhost", "kvm", "read", 16, 32)) {
        CHECK_EQ(load_exits(&r), 2 * 2);
        CHECK_EQ(load_user(&r), 0);
        CHECK_EQ(r.ledger.count[EV_HOST_WAKE], 2 * 2);
        CHECK_EQ(r.ledger.count[EV_HOST_DISK], 32);
    }
}

static void test_disk_engines(void)
{
    static const struct { const char *path, *engine; } rows[] = {
        { "ide", "bare" }, { "ide", "bt" }, { "ide", "kvm:no-ept" }, { "virtio", "bt" }, { "virtio", "bare" }, { "vhost", "bt" }, { "vhost", "kvm:no-ept" }, { "pv", "pv" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        static struct load_result a, b;
        if (!measure_disk(&a, rows[i].path, rows[i].engine, "read", 8, 32) || !measure_disk(&b, rows[i].path, rows[i].engine, "read", 8, 32))
            continue;
        CHECK_EQ(a.operations, 32);
        CHECK_EQ(a.cycles, b.cycles);
        CHECK(memcmp(&a.ledger, &b.ledger, sizeof a.ledger) == 0);
        CHECK_EQ(a.ledger.count[EV_HOST_DISK], strcmp(rows[i].engine, "bare") ? 32 : 0);
    }
}

/* --- the curves and the report --- */

/* No path is faster than its wire, and a batch never has more exits each than a smaller one. */
static void test_curves(void)
{
    static const u32 batches[] = { 1, 8, 64, 512 };
    static struct load_result r;
    double before = 1e9;
    for (unsigned i = 0; i < ARRAY_LEN(batches); i++) {
        if (!measure(&r, "vhost", "kvm", "tx", FULL, batches[i], 4096))
            return;
        double exits = (double)load_exits(&r) / r.operations, a_second = (double)r.frames * r.hz / r.frame_cycles;
        CHECK(exits <= before);
        CHECK(a_second <= 812743 * 1.001);
        before = exits;
    }
    CHECK(before < 0.01);
}

/* The page's charts have a curve for each path that is no variant of another, and no room for more. */
static void test_page(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < bench_net_loads.npaths; i++)
        n += !bench_net_loads.paths[i].ends;
    CHECK(n <= CURVES_MAX);
    CHECK(bench_net_loads.npaths > n);
}

/* A path that is not in this build is said so, not left out. */
static void test_report(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct bench *b = calloc(1, sizeof *b);
    b->out = out;
    b->path = "vhost";
    bench_net(b);
    fflush(out);
    CHECK_CONTAINS(text, "kvm.ioeventfd");
    CHECK_CONTAINS(text, "minimal, none to user space");
    b->path = "nowhere";
    CHECK_EQ(bench_net(b), BENCH_FAILED);
    fclose(out);
    free(text);
    free(b);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "line_rate", test_line_rate }, { "latency", test_latency }, { "source", test_source }, { "refused", test_refused }, { "worker", test_worker },
        { "charges", test_charges }, { "zero_copy", test_zero_copy }, { "worker_sets_the_pace", test_worker_sets_the_pace }, { "exits_naive", test_exits_naive },
        { "exits_throttled", test_exits_throttled }, { "moderated_vf", test_moderated_vf }, { "exits_rings", test_exits_rings }, { "exits_vf", test_exits_vf }, { "round_trip", test_round_trip }, { "engines", test_engines }, { "repeats", test_repeats },
        { "disk_exits", test_disk_exits },
        { "disk_engines", test_disk_engines }, { "curves", test_curves }, { "page", test_page }, { "report", test_report }, { NULL, NULL },
    };
    return check_main(argc, argv, "netload", tests);
}
