/* SPDX-License-Identifier: MIT */
/*
 * The emulated adapter (82540EM) and a driver that means harm: rings where none can be, lengths that are none, segmentation by headers that the
 * packet does not have, a reset within a packet, rings that change under the adapter's eyes. What is sent is what was in memory, or nothing.
 */
#include <stdio.h>

#include "devices/chipset/small.h"
#include "devices/e1000/e1000.h"
#include "hostile_rig.h"
#include "wire_recorder.h"

enum { MIB = 1 << 20, BAR = 0xfe000000, TX = 0x10000, RX = 0x20000, DATA_AT = 0x30000, BUFFERS = 0x80000, RING = 64 };
enum { EOP = 1 << 24, IC = 4 << 24, RS = 8 << 24, DEXT = 0x20 << 24, TSE = 4 << 24, VLE = 0x40 << 24, TYPE_DATA = 1 << 20 };

struct nic_rig { struct rig r; struct net_wire *wire; struct seen out; struct spy spy; u64 seed; u32 tail; };

static void config_put(struct nic_rig *t, unsigned reg, unsigned size, u32 value)
{
    out32(&t->r, 0xcf8, 0x80000000 | 3 << 11 | (reg & 0xfc));
    bus_io_write(&t->r.bus, 0xcfc + (reg & 3), size, value);
}

static u32 get(struct nic_rig *t, u32 reg) { return physmap_load(&t->r.map, BAR + reg, 4); }
static void set(struct nic_rig *t, u32 reg, u32 value) { physmap_store(&t->r.map, BAR + reg, 4, value); }

static void rings_on(struct nic_rig *t)
{
    set(t, E1000_TDBAL, TX);
    set(t, E1000_TDBAH, 0);
    set(t, E1000_TDLEN, RING * DESCRIPTOR);
    set(t, E1000_TDH, 0);
    set(t, E1000_TCTL, TCTL_EN);
    set(t, E1000_RDBAL, RX);
    set(t, E1000_RDBAH, 0);
    set(t, E1000_RDLEN, RING * DESCRIPTOR);
    set(t, E1000_RDH, 0);
    set(t, E1000_RCTL, RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_LPE);
    for (unsigned i = 0; i < RING; i++)
        physmap_store(&t->r.map, RX + DESCRIPTOR * i, 8, BUFFERS + 2048 * i);
    set(t, E1000_RDT, RING - 1);
    t->tail = 0;
}

static void start(struct nic_rig *t)
{
    struct rig *r = &t->r;
    memset(t, 0, sizeof *t);
    rig_init(r, 1000000000);
    physmap_add_ram(&r->map, "ram", 0, MIB, &r->err);
    t->wire = net_new("n0", &r->clock);
    r->platform.nic[0].model = NIC_E1000;
    r->platform.nic[0].wire = t->wire;
    struct pci_bus *bus = pci_host_bus(rig_add(r, &pci_host_ops));
    rig_add(r, &piix3_ops);
    rig_add(r, &e1000_ops);
    attach(t->wire, NET_BACKEND, &t->out);
    spy_on(&t->spy, bus, &r->map);
    config_put(t, PCI_BAR0, 4, BAR);
    config_put(t, PCI_COMMAND, 2, 7);
    rings_on(t);
    for (u32 i = 0; i < 0x10000; i += 4)
        physmap_store(&r->map, DATA_AT + i, 4, 0x40302010 + i);
}

static void finish(struct nic_rig *t)
{
    rig_drop_devices(&t->r);
    net_free(t->wire);
    rig_fini(&t->r);
}

static void put(struct nic_rig *t, u64 buffer, u32 lower, u32 upper)
{
    gpa_t at = TX + DESCRIPTOR * (t->tail % RING);
    physmap_store(&t->r.map, at, 8, buffer);
    physmap_store(&t->r.map, at + 8, 4, lower);
    physmap_store(&t->r.map, at + 12, 4, upper);
    t->tail = (t->tail + 1) % RING;
}

/* What a context says: where sums begin and go, bytes of the header, of a segment. */
static void put_context(struct nic_rig *t, u8 ip, u8 ip_at, u8 l4, u8 l4_at, u8 header, u16 mss, u8 command)
{
    put(t, (u64)(l4 | l4_at << 8) << 32 | ip | ip_at << 8, DEXT | (u32)command << 24, header << 8 | (u32)mss << 16);
}

static void go(struct nic_rig *t)
{
    set(t, E1000_TDT, t->tail);
    rig_run(&t->r, 1000000);
    CHECK_EQ(get(t, E1000_TDH), t->tail);
}

/* --- rings --- */

/* Registers keep only what a ring can be: a base of 16 bytes, a length of 128. Head and tail beyond it: no work, and nothing is touched. */
static void test_rings_that_are_none(void)
{
    static struct nic_rig t;
    static const struct { u32 length, head, tail; } row[] = { { 128, 8, 0 }, { 128, 0, 8 }, { 128, 0xffff, 0xffff }, { 0, 0, 1 }, { 127, 0, 1 }, { 0xfff80, 0xfff8, 1 } };
    start(&t);
    set(&t, E1000_TDLEN, ~0u);
    CHECK_EQ(get(&t, E1000_TDLEN), 0xfff80);
    set(&t, E1000_RDLEN, 0xff);
    CHECK_EQ(get(&t, E1000_RDLEN), 0x80);
    set(&t, E1000_TDBAL, 0x1234567f);
    CHECK_EQ(get(&t, E1000_TDBAL), 0x12345670);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(row); i++) {
        const u32 by = i % 2 ? 0 : E1000_TDBAL - E1000_RDBAL;
        check_context("row %u, %s", i / 2, i % 2 ? "receive" : "transmit");
        rings_on(&t);
        u64 accesses = t.spy.accesses;
        set(&t, E1000_RDLEN + by, row[i / 2].length);
        set(&t, E1000_RDH + by, row[i / 2].head);
        set(&t, E1000_RDT + by, row[i / 2].tail);
        if (i % 2)
            net_send(t.wire, NET_BACKEND, (u8[100]){ 2 }, 100);
        rig_run(&t.r, 100000);
        CHECK_EQ(t.spy.accesses, accesses);
        set(&t, E1000_RCTL, 0);         /* what waits on the wire is swallowed */
        rig_run(&t.r, 100000);
    }
    finish(&t);
}

/* Rings and buffers at the end of all addresses, beyond RAM, in the registers: it stands still, or reads ones. */
static void test_places_that_are_none(void)
{
    static const struct { u32 high, low; } base[] = { { ~0u, 0xffffff00 }, { 0, MIB - 8 }, { 0, MIB }, { 0, BAR }, { 0x80000000, 0 }, { 0, 0xfee00000 } };
    static struct nic_rig t;
    struct guard g;
    start(&t);
    guard_take(&g, &t.r.map, MIB);
    for (unsigned i = 0; i < ARRAY_LEN(base); i++) {
        check_context("%x%08x", base[i].high, base[i].low);
        set(&t, E1000_TDBAH, base[i].high);
        set(&t, E1000_TDBAL, base[i].low);
        set(&t, E1000_TDH, 1);
        set(&t, E1000_TDT, 5);
        set(&t, E1000_RDBAH, base[i].high);
        set(&t, E1000_RDBAL, base[i].low);
        set(&t, E1000_RDH, 1);
        set(&t, E1000_RDT, 5);
        net_send(t.wire, NET_BACKEND, (u8[100]){ 2 }, 100);
        rig_run(&t.r, 100000);
        CHECK_EQ(get(&t, E1000_TDH), 1);
        CHECK_EQ(get(&t, E1000_RDH), 1);
        CHECK_EQ(t.out.count, 0);
    }
    CHECK_EQ(guard_changed(&g, &t.r.map, 0, 0), MIB);
    guard_drop(&g);
    rings_on(&t);
    put(&t, ~(u64)0 - 50, EOP | RS | 100, 0);               /* wraps */
    put(&t, MIB - 50, EOP | RS | 100, 0);                   /* ends beyond RAM */
    put(&t, BAR, EOP | RS | 100, 0);
    go(&t);
    CHECK_EQ(t.out.count, 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK(t.out.len[i] == 100 && t.out.data[i][99] == 0xff);
    finish(&t);
}

/* --- segmentation and sums --- */

/* Segments of a packet whose header is longer than all of it, of nothing at all, and by a context that never came. */
static void test_segments_that_are_none(void)
{
    static struct nic_rig t;
    start(&t);
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | EOP | RS | 100, 0x300);       /* no context: segments of 16 bytes, no header */
    go(&t);
    CHECK(t.out.count <= 7);
    for (unsigned i = 0; i < t.out.count; i++)
        CHECK_EQ(t.out.len[i], NET_FRAME_MIN);      /* padded */
    t.out.count = 0;
    put_context(&t, 14, 24, 34, 50, 255, 1460, 7);
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | EOP | RS | 100, 0x300);       /* 100 bytes, of which 255 are the header */
    go(&t);
    CHECK_EQ(t.out.count, 1);
    CHECK_EQ(t.out.len[0], 100);
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | EOP | RS, 0x300);             /* nothing */
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | 10, 0x300);                   /* less than an Ethernet header, in pieces */
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | EOP | RS | 3, 0x300);
    go(&t);
    CHECK_EQ(t.out.count, 1);
    put_context(&t, 14, 24, 34, 50, 54, 0, 7);                              /* segments of no bytes: 16 */
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | EOP | RS | (54 + 160), 0x300);
    go(&t);
    CHECK_EQ(t.out.count, 1 + 10);
    CHECK_EQ(t.out.len[1], 70);
    finish(&t);
}

/* Sums from beyond the frame, to beyond it, and over its end: the frame goes as it is. */
static void test_sums_beyond_the_frame(void)
{
    static const struct { u8 from, at; } row[] = { { 100, 20 }, { 255, 255 }, { 14, 99 }, { 14, 100 }, { 99, 98 }, { 14, 255 } };
    static struct nic_rig t;
    start(&t);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        u8 before[100];
        bool inside = row[i].from < 100 && row[i].at + 2 <= 100;
        check_context("from %u at %u", row[i].from, row[i].at);
        physmap_read(&t.r.map, DATA_AT, before, 100);
        t.out.count = 0;
        put_context(&t, row[i].from, row[i].at, row[i].from, row[i].at, 0, 0, 0);
        put(&t, DATA_AT, DEXT | TYPE_DATA | EOP | RS | 100, 0x300);
        put(&t, DATA_AT, EOP | IC | RS | 100 | (u32)row[i].at << 16, row[i].from << 8);     /* and the legacy way */
        go(&t);
        CHECK_EQ(t.out.count, 2);
        for (unsigned k = 0; k < 2; k++)
            CHECK_EQ(memcmp(t.out.data[k], before, 100) == 0, !inside);
    }
    finish(&t);
}

/* A packet without end is dropped at its end, however it comes; and the next one is whole. */
static void test_packet_without_end(void)
{
    static struct nic_rig t;
    start(&t);
    for (unsigned n = 0; n < 3 * RING; n++) {
        put(&t, DATA_AT, n % 3 ? RS | 0xffff : DEXT | TYPE_DATA | RS | 0xfffff, 0);
        go(&t);
    }
    put(&t, DATA_AT, EOP | RS | 60, 0);
    go(&t);
    CHECK_EQ(t.out.count, 0);
    put(&t, DATA_AT, EOP | RS | 60, 0);
    go(&t);
    CHECK_EQ(t.out.count, 1);
    CHECK_EQ(t.out.len[0], 60);
    finish(&t);
}

/* --- reset within --- */

/* Within a packet, a burst, a receive: nothing of before is sent, received or told of after it. */
static void test_reset_within(void)
{
    static struct nic_rig t;
    start(&t);
    put_context(&t, 14, 24, 34, 50, 54, 100, 7);
    put(&t, DATA_AT, DEXT | TYPE_DATA | TSE | 150, 0x300);          /* no end yet */
    go(&t);
    CHECK_EQ(t.out.count, 0);
    set(&t, E1000_IMS, ~0u);
    set(&t, E1000_TIDV, 100);
    set(&t, E1000_RDTR, 100);
    put(&t, DATA_AT, 0x80u << 24 | RS | 60, 0);                     /* an interrupt that is delayed */
    net_send(t.wire, NET_BACKEND, (u8[100]){ 2 }, 100);
    set(&t, E1000_TDT, t.tail);
    rig_run(&t.r, 1);
    set(&t, E1000_CTRL, CTRL_RST);
    t.out.count = 0;
    struct guard g;
    guard_take(&g, &t.r.map, MIB);
    rig_run(&t.r, 10000000);
    CHECK_EQ(get(&t, E1000_ICR), 0);
    CHECK(!t.r.level[10] && !t.r.level[11]);
    CHECK_EQ(guard_changed(&g, &t.r.map, 0, 0), MIB);
    guard_drop(&g);
    rings_on(&t);
    put(&t, DATA_AT + 0x1000, EOP | RS | 60, 0);
    go(&t);
    CHECK_EQ(t.out.count, 1);
    CHECK_EQ(t.out.len[0], 60);
    finish(&t);
}

/* --- rings that change --- */

static unsigned looks;
static void spoil_descriptor(struct spy *s, u64 address, u64 len, bool write)
{
    if (!write && address >= TX && address < TX + RING * DESCRIPTOR)
        looks++;
    else
        for (unsigned i = 0; i < 4; i++)        /* as soon as anything else is read */
            physmap_store(s->map, TX + 4 * i, 4, ~0u);
}

static void test_read_once(void)
{
    static struct nic_rig t;
    start(&t);
    looks = 0;
    t.spy.before = spoil_descriptor;
    put(&t, DATA_AT, EOP | 100, 0);
    go(&t);
    CHECK_EQ(looks, 1);
    CHECK_EQ(t.out.count, 1);
    CHECK_EQ(t.out.len[0], 100);
    CHECK_EQ(t.out.data[0][0], 0x10);
    finish(&t);
}

/* What it sends it receives, into the rings themselves: each frame is a new ring. */
static void test_loop_over_rings(void)
{
    static struct nic_rig t;
    start(&t);
    for (u32 i = 0; i < 0x800; i += 4)
        physmap_store(&t.r.map, DATA_AT + i, 4, i * 2654435761u);
    set(&t, E1000_RCTL, get(&t, E1000_RCTL) | 3 << RCTL_LBM_SHIFT);
    for (unsigned i = 0; i < RING; i++)
        physmap_store(&t.r.map, RX + DESCRIPTOR * i, 8, i % 2 ? TX : RX);
    for (unsigned n = 0; n < RING - 1; n++)
        put(&t, DATA_AT + 16 * n, EOP | RS | 1024, 0);
    set(&t, E1000_TDT, t.tail);
    rig_run(&t.r, 10000000);
    set(&t, E1000_CTRL, CTRL_RST);
    rings_on(&t);
    t.out.count = 0;
    put(&t, DATA_AT, EOP | RS | 60, 0);
    go(&t);
    CHECK_EQ(t.out.count, 1);
    finish(&t);
}

/* --- nonsense with some sense: descriptors as drivers write them, each with something wrong, while memory changes at each look --- */

static u64 rnd(struct nic_rig *t) { return check_random(&t->seed); }

static void flip(struct spy *s, u64 address, u64 len, bool write)
{
    struct nic_rig *t = s->opaque;
    u64 v = rnd(t);
    if (v % 16 == 0)
        physmap_store(s->map, (v >> 8 & 1 ? TX : v >> 9 & 1 ? RX : DATA_AT) + (v >> 16) % 1024, 1 << (v >> 10) % 4, rnd(t) >> (v >> 40) % 64);
}

static void put_something(struct nic_rig *t)
{
    u64 v = rnd(t), w = rnd(t);
    u64 buffer = w & 15 ? DATA_AT + (w >> 8) % 0x10000 : w >> (w >> 8) % 64;
    u32 len = v & 1 ? (v >> 8) % 2000 : v & 2 ? (v >> 8) & 0xfffff : (v >> 8) % 64;
    switch (v >> 32 & 3) {
    case 0: put_context(t, w, w >> 8, w >> 16, w >> 24, w >> 32 & 0x3f, w >> 40, w >> 56); break;
    case 1: put(t, buffer, (u32)(v >> 40 & 0xff) << 24 | (len & 0xffff) | (u32)(w >> 16 & 0xff) << 16, w >> 24); break;
    default: put(t, buffer, DEXT | TYPE_DATA | (u32)(v >> 40 & 0xcf) << 24 | len, w >> 24); break;
    }
}

static void step(struct nic_rig *t)
{
    static const u16 registers[] = { E1000_TDH, E1000_TDT, E1000_RDH, E1000_RDT, E1000_RCTL, E1000_TCTL, E1000_CTRL, E1000_RXCSUM, E1000_TIDV, E1000_RDTR, E1000_TDLEN, E1000_RDLEN,
                                     E1000_IMS, E1000_ITR, E1000_TXDCTL, E1000_VET };
    u64 v = rnd(t);
    u8 frame[4096];
    if (v % 16 < 10)
        put_something(t);
    if (v % 16 < 4)
        set(t, E1000_TDT, t->tail);
    if (v % 16 == 10)
        set(t, registers[(v >> 8) % ARRAY_LEN(registers)], v >> 32 >> (v >> 16) % 32);
    if (v % 16 == 11)
        rings_on(t);
    if (v % 16 == 12) {
        memset(frame, v >> 8, sizeof frame);
        net_send(t->wire, NET_BACKEND, frame, 14 + (v >> 16) % 4000);
    }
    if (v % 16 == 13)
        physmap_store(&t->r.map, RX + (v >> 8) % 1024, 8, v >> 32);
    if (v % 16 == 14) {
        t->out.busy = v & 256;
        net_wake(t->wire, NET_BACKEND);
    }
    if (v >> 60 == 0)
        rig_run(&t->r, (v >> 8) % 200000);
}

static void test_fuzz(void)
{
    static struct nic_rig t;
    start(&t);
    t.seed = check_seed();
    t.spy.before = flip;
    t.spy.opaque = &t;
    for (u64 i = 0, rounds = check_rounds(60000); i < rounds; i++)
        step(&t);
    CHECK(t.out.count > 200);
    CHECK(get(&t, E1000_TPR) + t.spy.accesses > 1000);
    finish(&t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rings_that_are_none", test_rings_that_are_none }, { "places_that_are_none", test_places_that_are_none },
        { "segments_that_are_none", test_segments_that_are_none }, { "sums_beyond_the_frame", test_sums_beyond_the_frame },
        { "packet_without_end", test_packet_without_end }, { "reset_within", test_reset_within }, { "read_once", test_read_once },
        { "loop_over_rings", test_loop_over_rings }, { "fuzz", test_fuzz }, { NULL, NULL },
    };
    return check_main(argc, argv, "hostile_nic", tests);
}
