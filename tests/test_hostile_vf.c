/* SPDX-License-Identifier: MIT */
/*
 * A virtual function of the 82576 in the hands of a driver that means harm, beside a neighbour in another machine: rings, segments, resets, the
 * mailbox, messages. Through all of it the neighbour's memory, the IOMMU's tables and what the host's driver has set for the neighbour stay.
 */
#include "hostile_rig.h"
#include "vf_driver.h"

static const char *const place_a[] = { "01:10.0" }, *const place_b[] = { "01:10.2" };
static const u8 far[6] = { 2, 0, 0, 0, 0, 9 };
enum { CONTEXT = TXD_CONTEXT | TXD_DEXT, PACKET = TXD_DATA | TXD_DEXT | TXD_EOP | TXD_RS };

struct two { struct vfio_host *h; struct vf_rig a, b; struct spy spy; struct guard ram, tables; u64 seed; };

static void start(struct two *t)
{
    struct error err;
    t->h = vfio_host_new(NULL, 0, &err);
    vf_init(&t->a, t->h, place_a, 1);
    vf_power_on(&t->a);
    vf_init(&t->b, t->h, place_b, 1);
    vf_power_on(&t->b);
    vf_open(&t->a);
    vf_open(&t->b);
    spy_on(&t->spy, &t->h->bus[0], &t->a.r.map);
    guard_take(&t->ram, &t->b.r.map, VF_RAM);
    t->tables.size = HOST_FRAMES * PAGE_SIZE;
    t->tables.copy = malloc(t->tables.size);
    memcpy(t->tables.copy, t->h->memory.frames, t->tables.size);
}

static struct igb *port(struct two *t) { return t->h->igb[0]; }

/* What is the neighbour's and the host's: memory, tables, the address, what the host lets it receive. */
static void check_neighbour(struct two *t)
{
    struct igb *p = port(t);
    u32 low = igb_pf_read(p, PF_RA + 16), high = igb_pf_read(p, PF_RA + 20), mac;
    memcpy(&mac, t->b.mac, 4);
    CHECK_EQ(low, mac);
    CHECK_EQ(high & 0xffff, t->b.mac[4] | t->b.mac[5] << 8);
    CHECK(high & IGB_RAH_VALID);
    CHECK_EQ(high >> RAH_POOL_SHIFT & 0xff, 2);
    CHECK_EQ(igb_pf_read(p, PF_VMOLR + 4), VMOLR_BAM | VMOLR_AUPE | 1522);
    CHECK(igb_pf_read(p, PF_VFTE) & igb_pf_read(p, PF_VFRE) & 2);
    for (unsigned i = 0; i < PF_VLVF_COUNT; i++)
        CHECK(!(igb_pf_read(p, PF_VLVF + 4 * i) >> VLVF_POOL_SHIFT & 2));
    CHECK_EQ(guard_changed(&t->ram, &t->b.r.map, 0, 0), VF_RAM);
    CHECK(memcmp(t->tables.copy, t->h->memory.frames, t->tables.size) == 0);
}

static void finish(struct two *t)
{
    guard_drop(&t->ram);
    guard_drop(&t->tables);
    vf_fini(&t->a);
    vf_fini(&t->b);
    vfio_host_free(t->h);
}

/* Any descriptor. */
static void put(struct vf_rig *v, u64 first, u32 command, u32 last)
{
    gpa_t at = VF_TX + v->made++ % VF_RING * IGB_DESCRIPTOR;
    vf_poke(v, at, 8, first);
    vf_poke(v, at + 8, 4, command);
    vf_poke(v, at + 12, 4, last);
}
static void put_context(struct vf_rig *v, u32 ethernet, u32 ip, u32 l4, u32 mss, u32 kind)
{
    put(v, ip | ethernet << 9, CONTEXT | kind, l4 << 8 | mss << 16);
}

static void go(struct vf_rig *v)
{
    vf_put(v, VF_TX_QUEUE + Q_TAIL, v->made % VF_RING);
    vf_wait(v);
    CHECK_EQ(vf_get(v, VF_TX_QUEUE + Q_HEAD), v->made % VF_RING);
}

static void make_header(struct vf_rig *v)
{
    physmap_write(&v->r.map, VF_DATA, far, 6);
    physmap_write(&v->r.map, VF_DATA + 6, v->mac, 6);
}

/* A frame of its own at VF_DATA, bytes that count. */
static void make_frame(struct vf_rig *v)
{
    for (u32 i = 0; i < 0x10000; i++)
        vf_poke(v, VF_DATA + i, 1, i);
    make_header(v);
}

/* --- rings --- */

static void test_rings_that_are_none(void)
{
    static const struct { u32 length, head, tail; } row[] = { { 128, 8, 0 }, { 128, 0, 8 }, { 128, 0xffff, 0xffff }, { 0, 0, 1 }, { 127, 0, 1 }, { 0xfff80, 0xfff8, 1 } };
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    vf_put(v, VF_TX_QUEUE + Q_LEN, ~0u);
    CHECK_EQ(vf_get(v, VF_TX_QUEUE + Q_LEN), 0xfff80);
    vf_put(v, VF_RX_QUEUE + Q_BAL, 0x123456ff);
    CHECK_EQ(vf_get(v, VF_RX_QUEUE + Q_BAL), 0x12345680);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(row); i++) {
        u32 ring = i % 2 ? VF_RX_QUEUE : VF_TX_QUEUE;
        check_context("row %u of ring %x", i / 2, ring);
        vf_open(v);
        vf_wait(v);         /* what has waited on the wire comes */
        u64 accesses = t.spy.accesses;
        vf_put(v, ring + Q_LEN, row[i / 2].length);
        vf_put(v, ring + Q_HEAD, row[i / 2].head);
        vf_put(v, ring + Q_TAIL, row[i / 2].tail);
        if (i % 2)
            net_send(v->wire, NET_BACKEND, (u8[60]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 60);
        vf_wait(v);
        CHECK_EQ(t.spy.accesses, accesses);
    }
    vf_put(v, VF_TX_QUEUE + 0x200 + Q_TAIL, 5);         /* rings that a VF has not */
    vf_put(v, VF_RX_QUEUE + 0xf00 + Q_LEN, 128);
    vf_put(v, VF_TX_QUEUE + 0x200 + Q_DCTL, IGB_DCTL_ENABLE);
    vf_wait(v);
    check_neighbour(&t);
    finish(&t);
}

/* Where the tables lead nowhere: a record, and nothing is read or written. */
static void test_places_that_are_none(void)
{
    static const u64 base[] = { ~(u64)0xff, VF_RAM, VF_RAM - 0x80 + BIT(40), VF_BAR_AT, 0xfee00000, BIT(48), HOST_FRAMES_HPA + BIT(40), HOST_GUEST_SPAN, 2 * HOST_GUEST_SPAN };
    static struct two t;
    struct guard own;
    start(&t);
    struct vf_rig *v = &t.a;
    guard_take(&own, &v->r.map, VF_RAM);
    for (unsigned i = 0; i < ARRAY_LEN(base); i++) {
        u64 faults = t.h->iommu.faults;
        check_context("%llx", (unsigned long long)base[i]);
        for (u32 ring = VF_RX_QUEUE; ring <= VF_TX_QUEUE; ring += VF_TX_QUEUE - VF_RX_QUEUE) {
            vf_put(v, ring + Q_BAL, base[i]);
            vf_put(v, ring + Q_BAH, base[i] >> 32);
            vf_put(v, ring + Q_HEAD, 0);
            vf_put(v, ring + Q_TAIL, 1);
        }
        net_send(v->wire, NET_BACKEND, (u8[60]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 60);
        vf_wait(v);
        CHECK(t.h->iommu.faults >= faults + 2);
        CHECK_EQ(vf_get(v, VF_TX_QUEUE + Q_HEAD), 0);
        CHECK_EQ(vf_get(v, VF_RX_QUEUE + Q_HEAD), 0);
    }
    CHECK_EQ(guard_changed(&own, &v->r.map, 0, 0), VF_RAM);
    CHECK(iommu_read(&t.h->iommu, DMAR_FSTS, 4) & FSTS_OVERFLOW);
    guard_drop(&own);
    check_neighbour(&t);
    finish(&t);
}

/* --- segmentation and sums --- */

static void test_segments_that_are_none(void)
{
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    make_frame(v);
    put(v, VF_DATA, PACKET | TXD_TSE | 100, TXD_IXSM | TXD_TXSM | 1 << TXD_IDX_SHIFT);  /* a context that never came: segments of 16 bytes */
    go(v);
    CHECK(v->frames <= 1);                              /* the others begin in mid-frame: with no address of its own */
    v->frames = 0;
    put_context(v, 127, 511, 255, 1000, TXC_IPV4 | TXC_TCP);
    put(v, VF_DATA, PACKET | TXD_TSE | 100, TXD_IXSM | TXD_TXSM);                       /* 100 bytes, of which 893 are the header */
    go(v);
    CHECK_EQ(v->frames, 1);
    CHECK_EQ(v->frame_len, 100);
    put(v, VF_DATA, PACKET | TXD_TSE, TXD_IXSM | TXD_TXSM);                             /* nothing */
    put(v, VF_DATA, TXD_DATA | TXD_DEXT | TXD_TSE | 10, 0);
    put(v, VF_DATA + 10, PACKET | TXD_TSE | 3, 0);                                      /* less than an Ethernet header */
    go(v);
    CHECK_EQ(v->frames, 1);
    put_context(v, 14, 20, 20, 0, TXC_IPV4 | TXC_TCP);                                  /* segments of no bytes: 16 */
    put(v, VF_DATA, PACKET | TXD_TSE | (54 + 160), TXD_IXSM | TXD_TXSM);
    go(v);
    CHECK_EQ(v->frames, 11);
    CHECK_EQ(v->frame_len, 70);
    put_context(v, 14, 20, 20, 0xffff, TXC_IPV4 | TXC_TCP);                             /* segments larger than any frame */
    for (unsigned i = 0; i < 3; i++)
        put(v, VF_DATA, TXD_DATA | TXD_DEXT | TXD_TSE | (i == 2 ? TXD_EOP : 0) | 0xffff, 0);
    go(v);
    check_neighbour(&t);
    finish(&t);
}

static void test_sums_beyond_the_frame(void)
{
    static const struct { u32 ethernet, ip, kind; bool inside; } row[] = {
        { 14, 20, TXC_IPV4 | TXC_TCP, true }, { 127, 511, TXC_IPV4 | TXC_TCP, false }, { 14, 70, TXC_TCP, false }, { 14, 69, TXC_TCP, false }, { 127, 0, TXC_IPV4 | TXC_SCTP, false },
        { 95, 0, TXC_IPV4 | TXC_SCTP, false }, { 14, 100, 0, false },
    };
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    make_frame(v);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        u8 before[100];
        check_context("row %u", i);
        physmap_read(&v->r.map, VF_DATA, before, 100);
        put_context(v, row[i].ethernet, row[i].ip, 0, 0, row[i].kind);
        put(v, VF_DATA, PACKET | 100, TXD_IXSM | TXD_TXSM);
        go(v);
        CHECK_EQ(v->frames, i + 1);
        CHECK_EQ(v->frame_len, 100);
        CHECK_EQ(memcmp(v->frame, before, 100) == 0, !row[i].inside);
    }
    check_neighbour(&t);
    finish(&t);
}

static void test_packet_without_end(void)
{
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    make_frame(v);
    for (unsigned n = 0; n < 3 * VF_RING; n++) {
        put(v, VF_DATA, TXD_DATA | TXD_DEXT | (n % 2 ? 0xffff : 0), 0);
        go(v);
    }
    put(v, VF_DATA, PACKET | 60, 0);                    /* its end: dropped */
    go(v);
    CHECK_EQ(v->frames, 0);
    put(v, VF_DATA, PACKET | 60, 0);
    go(v);
    CHECK_EQ(v->frames, 1);
    CHECK_EQ(v->frame_len, 60);
    check_neighbour(&t);
    finish(&t);
}

/* --- reset within a packet, and within a message --- */

static void test_reset_within(void)
{
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    struct guard own;
    make_frame(v);
    put_context(v, 14, 20, 20, 1000, TXC_IPV4 | TXC_TCP);
    put(v, VF_DATA, TXD_DATA | TXD_DEXT | TXD_TSE | 500, 0);
    vf_put(v, VF_TX_QUEUE + Q_TAIL, v->made % VF_RING);
    vf_put(v, VF_MAILBOX, MAILBOX_VFU);
    vf_put(v, VF_MBMEM, MSG_VF_SET_VLAN | 1 << MSG_INFO_SHIFT);
    vf_put(v, VF_MBMEM + 4, 77);
    vf_put(v, VF_MAILBOX, MAILBOX_REQ);
    vf_put(v, VF_CTRL, IGB_CTRL_RST);                   /* before the host has looked */
    guard_take(&own, &v->r.map, VF_RAM);
    vf_wait(v);
    CHECK_EQ(guard_changed(&own, &v->r.map, 0, 0), VF_RAM);
    guard_drop(&own);
    CHECK_EQ(vf_get(v, VF_MBMEM), 0);
    for (unsigned i = 0; i < PF_VLVF_COUNT; i++)
        CHECK_EQ(igb_pf_read(port(&t), PF_VLVF + 4 * i), 0);
    vf_open(v);
    make_frame(v);
    put(v, VF_DATA, PACKET | 60, 0);
    go(v);
    CHECK_EQ(v->frames, 1);
    CHECK_EQ(v->frame_len, 60);
    check_neighbour(&t);
    finish(&t);
}

/* --- the mailbox --- */

/* Messages of every kind, those that there are not too; whatever they ask, they ask for this VF. */
static void test_messages(void)
{
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    for (u32 kind = 0; kind < 0x400; kind++) {
        u32 msg[4] = { kind * (kind & 1 ? 1 : 0x10001), 0x04030200, 0x0605, 0xffffffff };
        check_context("message %x", msg[0]);
        u32 answer = vf_ask(v, msg, 4);
        CHECK(answer & (MSG_ACK | MSG_NACK));
        if ((msg[0] & 0xffff) == MSG_VF_RESET)
            vf_open(v);
        else
            CHECK_EQ(!(answer & MSG_NACK), (msg[0] & 0xffff) >= MSG_VF_SET_MAC && (msg[0] & 0xffff) <= MSG_VF_SET_VLAN && answer & MSG_ACK);
    }
    vf_open(v);
    check_neighbour(&t);
    finish(&t);
}

/* Addresses that are nobody's. */
static void test_addresses(void)
{
    static const u8 mac[][6] = { { 0, 0, 0, 0, 0, 0 }, { 1, 0, 0, 0, 0, 0 }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 3, 0x33, 0, 0, 0, 1 } };
    static struct two t;
    start(&t);
    for (unsigned i = 0; i < ARRAY_LEN(mac); i++) {
        u32 msg[3] = { MSG_VF_SET_MAC };
        memcpy(msg + 1, mac[i], 6);
        check_context("address %u", i);
        CHECK_EQ(vf_ask(&t.a, msg, 3), MSG_VF_SET_MAC | MSG_NACK | MSG_CTS);
    }
    vf_send(&t.a, t.b.mac, 60, 1);      /* it has its own still */
    vf_wait(&t.a);
    CHECK_EQ(t.b.r.platform.vfio[0].device->vf->rx[0].head, 1);
    memcpy(t.ram.copy, t.b.r.map.base, VF_RAM);
    check_neighbour(&t);
    finish(&t);
}

/* All VLANs there are: the table is full, which is said; leaving gives it back, so does a reset. */
static void test_vlans(void)
{
    static struct two t;
    u32 taken = 0;
    start(&t);
    for (u32 id = 0; id < 4096; id += 3)
        taken += !!(vf_ask(&t.a, (u32[]){ MSG_VF_SET_VLAN | 1 << MSG_INFO_SHIFT, id }, 2) & MSG_ACK);
    CHECK_EQ(taken, PF_VLVF_COUNT);
    check_neighbour(&t);
    CHECK(vf_ask(&t.b, (u32[]){ MSG_VF_SET_VLAN | 1 << MSG_INFO_SHIFT, 3 }, 2) & MSG_ACK);     /* shared with the neighbour, whose it stays */
    vf_open(&t.a);
    u32 entries = 0;
    for (unsigned i = 0; i < PF_VLVF_COUNT; i++)
        entries += !!(igb_pf_read(port(&t), PF_VLVF + 4 * i) & VLVF_VALID);
    CHECK_EQ(entries, 1);
    CHECK(vf_ask(&t.b, (u32[]){ MSG_VF_SET_VLAN, 3 }, 2) & MSG_ACK);
    check_context("%s", "after all");
    memcpy(t.ram.copy, t.b.r.map.base, VF_RAM);
    check_neighbour(&t);
    finish(&t);
}

/* The memory of the mailbox has one holder. Who keeps it gets no answer; who asks without holding it is answered; bits of the PF's stay. */
static void test_mailbox_lock(void)
{
    static struct two t;
    start(&t);
    struct vf_rig *v = &t.a;
    vf_put(v, VF_MAILBOX, MAILBOX_VFU | MAILBOX_PFU | MAILBOX_PFSTS | MAILBOX_PFACK | MAILBOX_RSTD);
    CHECK_EQ(vf_get(v, VF_MAILBOX), MAILBOX_VFU);
    vf_put(v, VF_MBMEM, MSG_VF_RESET);
    vf_put(v, VF_MAILBOX, MAILBOX_REQ | MAILBOX_VFU);
    vf_wait(v);
    CHECK(!(vf_get(v, VF_MAILBOX) & MAILBOX_PFSTS));
    CHECK_EQ(vf_get(v, VF_MBMEM), MSG_VF_RESET);        /* nobody wrote there */
    vf_put(v, VF_MAILBOX, MAILBOX_REQ);                 /* without holding it */
    vf_wait(v);
    CHECK(vf_get(v, VF_MAILBOX) & MAILBOX_PFSTS);
    for (unsigned i = 0; i < 1000; i++)                 /* a flood of requests is one request */
        vf_put(v, VF_MAILBOX, MAILBOX_REQ | MAILBOX_ACK);
    vf_wait(v);
    for (u32 at = 0; at < 0x100; at++)                  /* all the mailbox has are sixteen words */
        vf_put(v, VF_MBMEM + 4 * at, ~0u);
    vf_open(v);
    check_neighbour(&t);
    finish(&t);
}

/* --- messages as DMA, and interrupts of others --- */

static void test_interrupts_of_others(void)
{
    static struct two t;
    u8 frame[60] = { 0 };
    start(&t);
    struct vf_rig *v = &t.a;
    memcpy(frame, v->mac, 6);
    for (unsigned n = 0; n < IGB_VF_VECTORS; n++) {     /* its own table says: the neighbour's, or the host's */
        vf_poke(v, v->bar + IGB_VF_SPACE + 16 * n, 4, 0xfee00010 | (IGB_VF_VECTORS + n) << 5);
        vf_poke(v, v->bar + IGB_VF_SPACE + 16 * n + 4, 4, 0xffffffff);
        vf_poke(v, v->bar + IGB_VF_SPACE + 16 * n + 8, 4, 0xffffffff);
    }
    for (u64 i = 0; i < VF_RING - 1; i++)               /* and frames are to be written where messages go */
        vf_poke(v, VF_RX + i * IGB_DESCRIPTOR, 8, 0xfee00010 + 4 * i);
    u64 faults = t.h->iommu.faults;
    unsigned host = t.b.host_interrupts;
    for (unsigned i = 0; i < 10; i++)
        net_send(v->wire, NET_BACKEND, frame, sizeof frame);
    vf_put(v, VF_EICS, ~0u);
    vf_wait(v);
    CHECK_EQ(t.h->iommu.faults, faults + 10);
    CHECK_EQ(t.b.host_interrupts, host);
    CHECK_EQ(t.b.r.platform.vfio[0].device->vf->eicr, 0);
    check_neighbour(&t);
    finish(&t);
}

/* --- rings that change --- */

static unsigned looks;
static void spoil_descriptor(struct spy *s, u64 address, u64 len, bool write)
{
    looks += !write && address == VF_TX;
    for (unsigned i = 0; i < 4 && looks && address != VF_TX; i++)
        physmap_store(s->map, VF_TX + 4 * i, 4, ~0u);
}

static void test_read_once(void)
{
    static struct two t;
    start(&t);
    make_frame(&t.a);
    looks = 0;
    t.spy.before = spoil_descriptor;
    put(&t.a, VF_DATA, TXD_DATA | TXD_DEXT | TXD_EOP | 100, 0);
    go(&t.a);
    CHECK_EQ(looks, 1);
    CHECK_EQ(t.a.frames, 1);
    CHECK_EQ(t.a.frame_len, 100);
    finish(&t);
}

/* --- nonsense with some sense --- */

static u64 rnd(struct two *t) { return check_random(&t->seed); }

static void flip(struct spy *s, u64 address, u64 len, bool write)
{
    struct two *t = s->opaque;
    u64 v = rnd(t);
    if (v % 16 == 0)
        physmap_store(s->map, (v >> 8 & 1 ? VF_TX : v >> 9 & 1 ? VF_RX : VF_DATA) + (v >> 16) % 1024, 1 << (v >> 10) % 4, rnd(t) >> (v >> 40) % 64);
}

static void some_message(struct two *t)
{
    u64 v = rnd(t), w = rnd(t);
    struct vf_rig *a = &t->a;
    if (v & 7)
        vf_put(a, VF_MAILBOX, MAILBOX_VFU);
    vf_put(a, VF_MBMEM, v >> 8 & 15 ? (v >> 16 & 7) | (u32)(w & 3) << MSG_INFO_SHIFT : v >> 16);
    vf_put(a, VF_MBMEM + 4, w >> 8 & 0xfffffffe);
    vf_put(a, VF_MBMEM + 8, w >> 40);
    vf_put(a, VF_MAILBOX, v >> 4 & 7 ? MAILBOX_REQ : v >> 32 & 0xff);
}

static void some_descriptor(struct two *t)
{
    u64 v = rnd(t), w = rnd(t);
    struct vf_rig *a = &t->a;
    if (v % 8 == 0)
        put_context(a, w & 0x7f, w >> 8 & 0x1ff, w >> 20 & 0xff, w >> 32, w >> 48 & 0x1c00);
    else
        put(a, v & 0xf00 ? VF_DATA + (v >> 16 & 3 ? 0 : (v >> 20) % 0x1000) : w, TXD_DATA | (u32)(w >> 24 & 0xff) << 24 | (v >> 40 & 1 ? w % 2000 : w & 0xffff), w >> 8);
    if (v >> 44 & 1)
        vf_put(a, VF_TX_QUEUE + Q_TAIL, a->made % VF_RING);
}

static void some_register(struct two *t)
{
    static const u32 places[] = { VF_CTRL, VF_EICS, VF_EIMS, VF_EIMC, VF_EIAC, VF_EIAM, VF_EICR, VF_EITR, VF_IVAR, VF_IVAR_MISC, VF_RX_QUEUE + Q_TAIL, VF_RX_QUEUE + Q_HEAD,
        VF_RX_QUEUE + Q_SRRCTL, VF_RX_QUEUE + Q_LEN, VF_TX_QUEUE + Q_HEAD, VF_TX_QUEUE + Q_LEN, VF_TX_QUEUE + Q_DCTL, VF_TX_QUEUE + Q_BAL, VF_RX_QUEUE + Q_BAH };
    u64 v = rnd(t);
    vf_put(&t->a, places[v % ARRAY_LEN(places)], v >> 32 >> (v >> 8) % 32);
}

static void some_frame(struct two *t)
{
    u64 v = rnd(t);
    u8 frame[1700];
    memset(frame, v, sizeof frame);
    memcpy(frame, t->a.mac, 6);
    net_send(t->a.wire, NET_BACKEND, frame, 14 + (v >> 8) % 1600);
}

static void test_fuzz(void)
{
    static void (*const steps[8])(struct two *t) = { some_descriptor, some_descriptor, some_descriptor, some_descriptor, some_message, some_register, some_frame, some_frame };
    static struct two t;
    u64 sent = 0;
    start(&t);
    t.seed = check_seed();
    t.spy.before = flip;
    t.spy.opaque = &t;
    t.b.r.platform.vfio[0].device->vf->rx[0].dctl = 0;      /* the neighbour listens to nobody: its memory is as it was */
    for (u64 i = 0, rounds = check_rounds(30000); i < rounds; i++) {
        u64 v = rnd(&t);
        if (i % 128 == 0) {
            t.spy.before = NULL;
            sent += t.a.frames;
            vf_put(&t.a, VF_CTRL, IGB_CTRL_RST);
            vf_wait(&t.a);
            vf_open(&t.a);
            t.a.frames = 0;
            make_header(&t.a);
            t.spy.before = flip;
        }
        steps[v % 8](&t);
        if (v >> 8 & 1)
            rig_run(&t.a.r, (v >> 16) % 50000);
        if (i % 4096 == 0)
            check_neighbour(&t);
    }
    check_neighbour(&t);
    CHECK(sent > 20);
    finish(&t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rings_that_are_none", test_rings_that_are_none }, { "places_that_are_none", test_places_that_are_none },
        { "segments_that_are_none", test_segments_that_are_none }, { "sums_beyond_the_frame", test_sums_beyond_the_frame },
        { "packet_without_end", test_packet_without_end }, { "reset_within", test_reset_within }, { "messages", test_messages },
        { "addresses", test_addresses }, { "vlans", test_vlans }, { "mailbox_lock", test_mailbox_lock },
        { "interrupts_of_others", test_interrupts_of_others }, { "read_once", test_read_once }, { "fuzz", test_fuzz }, { NULL, NULL },
    };
    return check_main(argc, argv, "hostile_vf", tests);
}
