/* SPDX-License-Identifier: MIT */
/*
 * The modelled host's devices in a guest's hands: the 82576's virtual functions by a driver of our own, the switch, the IOMMU on the way of
 * their DMA, interrupts posted and through the host, groups; and two machines on one adapter, one of them hostile.
 */
#include <stdlib.h>

#include "vf_driver.h"

static const u8 far[6] = { 0x02, 0, 0, 0, 0, 1 }, all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const char *const vf0[] = { "01:10.0" }, *const vf1[] = { "01:10.2" }, *const both[] = { "01:10.0", "01:10.2" };

static struct vfio_host *new_host(void)
{
    struct error err;
    struct vfio_host *h = vfio_host_new(NULL, 0, &err);
    CHECK(h);
    return h;
}

struct bench { struct vfio_host *h; struct vf_rig v; };

static void start(struct bench *b, const char *const *places, unsigned n)
{
    b->h = new_host();
    vf_init(&b->v, b->h, places, n);
    vf_power_on(&b->v);
    vf_open(&b->v);
}

static void stop(struct bench *b)
{
    vf_fini(&b->v);
    vfio_host_free(b->h);
}

/* --- the data path --- */

static void test_send(void)
{
    struct bench b;
    start(&b, vf0, 1);
    vf_send(&b.v, far, 100, 0x5a);
    vf_wait(&b.v);
    CHECK_EQ(b.v.frames, 1);
    CHECK_EQ(b.v.frame_len, 100);
    CHECK_EQ(b.v.frame[50], 0x5a);
    CHECK(memcmp(b.v.frame + 6, b.v.mac, 6) == 0);
    CHECK_EQ(vf_peek(&b.v, VF_TX + 12, 4) & TXD_DD, TXD_DD);
    CHECK_EQ(vf_get(&b.v, VF_TX_QUEUE + Q_HEAD), 1);
    CHECK_EQ(vf_get(&b.v, VF_GPTC), 1);
    stop(&b);
}

static void test_receive(void)
{
    struct bench b;
    u8 frame[300];
    gpa_t data = 0;
    start(&b, vf0, 1);
    memset(frame, 0x33, sizeof frame);
    memcpy(frame, b.v.mac, 6);
    net_send(b.v.wire, NET_BACKEND, frame, sizeof frame);
    vf_wait(&b.v);
    CHECK_EQ(vf_take(&b.v, &data), sizeof frame);
    CHECK_EQ(vf_peek(&b.v, data + 100, 1), 0x33);
    memcpy(frame, far, 6);              /* somebody else's */
    net_send(b.v.wire, NET_BACKEND, frame, sizeof frame);
    vf_wait(&b.v);
    CHECK_EQ(vf_take(&b.v, &data), 0);
    memcpy(frame, all, 6);
    net_send(b.v.wire, NET_BACKEND, frame, sizeof frame);
    vf_wait(&b.v);
    CHECK_EQ(vf_take(&b.v, &data), sizeof frame);
    CHECK_EQ(vf_get(&b.v, VF_MPRC), 1);
    stop(&b);
}

/* Past the host, or through it: as the engine can. */
static void test_interrupts(void)
{
    for (int posting = 0; posting < 2; posting++) {
        struct bench b;
        b.h = new_host();
        vf_init(&b.v, b.h, vf0, 1);
        b.v.posting = posting;
        vf_power_on(&b.v);
        vf_open(&b.v);
        u64 posted = b.v.ledger.count[EV_IRQ_POSTED], remapped = b.v.ledger.count[EV_IRQ_REMAPPED];
        unsigned host = b.v.host_interrupts;
        vf_send(&b.v, far, 60, 0);
        vf_wait(&b.v);
        CHECK_EQ(b.v.ledger.count[EV_IRQ_POSTED] - posted, posting);
        CHECK_EQ(b.v.ledger.count[EV_IRQ_REMAPPED] - remapped, !posting);
        CHECK_EQ(b.v.host_interrupts - host, !posting);
        stop(&b);
    }
}

/* EITR holds a vector's interrupts apart; EIMC keeps them back. */
static void test_throttling(void)
{
    struct bench b;
    start(&b, vf0, 1);
    u64 before = b.v.ledger.count[EV_IRQ_POSTED];
    vf_put(&b.v, VF_EITR + 4, 100 << 2);
    for (unsigned n = 0; n < 10; n++) {
        vf_send(&b.v, far, 60, n);
        rig_run(&b.v.r, 10000);
    }
    vf_wait(&b.v);
    CHECK(b.v.ledger.count[EV_IRQ_POSTED] - before <= 3);
    CHECK(b.v.ledger.count[EV_IRQ_POSTED] - before >= 1);
    before = b.v.ledger.count[EV_IRQ_POSTED];
    vf_put(&b.v, VF_EIMC, 7);
    vf_send(&b.v, far, 60, 0);
    vf_wait(&b.v);
    CHECK_EQ(b.v.ledger.count[EV_IRQ_POSTED], before);
    vf_put(&b.v, VF_EIMS, 7);
    vf_wait(&b.v);
    CHECK_EQ(b.v.ledger.count[EV_IRQ_POSTED], before + 1);
    stop(&b);
}

/* --- DMA and what it costs (figures.md, A2: 50 ns without an IOMMU, 150 with one, of which the walk is 80) --- */

static void test_cost(void)
{
    for (int bare = 0; bare < 2; bare++) {
        struct bench b;
        b.h = new_host();
        vf_init(&b.v, b.h, vf0, 1);
        b.v.r.platform.no_iommu = bare;
        vf_power_on(&b.v);
        vf_open(&b.v);
        u64 dma = b.v.ledger.count[EV_DMA] + b.v.ledger.count[EV_DMA_REMAPPED], walks = b.v.ledger.count[EV_IOMMU_WALK];
        for (unsigned n = 0; n < 50; n++)
            vf_send(&b.v, far, 60, n);
        vf_wait(&b.v);
        dma = b.v.ledger.count[EV_DMA] + b.v.ledger.count[EV_DMA_REMAPPED] - dma;
        CHECK_EQ(dma, 150);             /* a descriptor, its buffer, and its DD bit, of each frame */
        CHECK_EQ(b.v.frames, 50);
        CHECK_EQ(!b.v.ledger.count[EV_DMA_REMAPPED], bare);
        CHECK_EQ(b.v.ledger.count[EV_IOMMU_WALK] - walks, bare ? 0 : 2); /* the ring's page and the buffer's, once each */
        CHECK_EQ(b.v.r.clock.now, b.v.r.clock.now);
        stop(&b);
    }
}

/* The wire's first bit waits for the DMA: with the IOMMU by what the IOMMU takes. */
static void test_latency(void)
{
    cycles_t took[2];
    for (int bare = 0; bare < 2; bare++) {
        struct bench b;
        b.h = new_host();
        vf_init(&b.v, b.h, vf0, 1);
        b.v.r.platform.no_iommu = bare;
        vf_power_on(&b.v);
        vf_open(&b.v);
        vf_send(&b.v, far, 60, 1);      /* fills the IOTLB */
        vf_wait(&b.v);
        cycles_t from = b.v.r.clock.now;
        unsigned frames = b.v.frames;
        vf_send(&b.v, far, 60, 2);
        while (b.v.frames == frames)
            rig_run(&b.v.r, 1);
        took[bare] = b.v.r.clock.now - from;
        stop(&b);
    }
    CHECK_EQ(took[1], 2 * 50);          /* the descriptor, then the buffer */
    CHECK_EQ(took[0], 2 * 70);
}

/* Nothing is written outside the tables, and who tried is recorded. */
static void test_fault(void)
{
    struct bench b;
    u8 frame[60] = { 0 };
    start(&b, vf0, 1);
    vf_give(&b.v, 0x80000000, 60);      /* no RAM of the guest's */
    vf_wait(&b.v);
    CHECK_EQ(b.h->iommu.faults, 1);
    u64 high = iommu_read(&b.h->iommu, DMAR_FRCD + 8, 8);
    CHECK_EQ(iommu_read(&b.h->iommu, DMAR_FRCD, 8), 0x80000000);
    CHECK_EQ(high & 0xffff, 0x0180);    /* 01:10.0 */
    CHECK_EQ(high >> 32 & 0xff, IOMMU_NO_READ);
    CHECK(high & FRCD_FAULT && high & FRCD_READ);
    CHECK(iommu_read(&b.h->iommu, DMAR_FSTS, 4) & FSTS_PENDING);
    iommu_write(&b.h->iommu, DMAR_FRCD + 8, 8, FRCD_FAULT);
    CHECK(!(iommu_read(&b.h->iommu, DMAR_FSTS, 4) & FSTS_PENDING));
    for (u32 n = 0; n < VF_RING - 1; n++)   /* and a receive ring whose buffers are the host's */
        vf_poke(&b.v, VF_RX + n * IGB_DESCRIPTOR, 8, HOST_FRAMES_HPA + 0x40000000 + n * 4096);
    memcpy(frame, b.v.mac, 6);
    net_send(b.v.wire, NET_BACKEND, frame, sizeof frame);
    vf_wait(&b.v);
    CHECK_EQ(b.h->iommu.faults, 2);
    CHECK(!(iommu_read(&b.h->iommu, DMAR_FRCD + 16 + 8, 8) & FRCD_READ));
    CHECK_EQ(b.v.ledger.count[EV_IOMMU_FAULT], 2);
    stop(&b);
}

/* --- the mailbox and the switch --- */

static void test_mailbox(void)
{
    struct bench b;
    start(&b, vf0, 1);
    u32 set_mac[3] = { MSG_VF_SET_MAC }, add_vlan[2] = { MSG_VF_SET_VLAN | 1 << MSG_INFO_SHIFT, 5 }, bad[1] = { 0x77 };
    memcpy(set_mac + 1, (u8[]){ 2, 1, 2, 3, 4, 5 }, 6);
    CHECK_EQ(vf_ask(&b.v, set_mac, 3), MSG_VF_SET_MAC | MSG_ACK | MSG_CTS);
    set_mac[1] |= 1;                    /* a multicast address */
    CHECK_EQ(vf_ask(&b.v, set_mac, 3), MSG_VF_SET_MAC | MSG_NACK | MSG_CTS);
    CHECK_EQ(vf_ask(&b.v, add_vlan, 2), add_vlan[0] | MSG_ACK | MSG_CTS);
    CHECK_EQ(vf_ask(&b.v, bad, 1), 0x77 | MSG_NACK | MSG_CTS);
    CHECK_EQ(vf_ask(&b.v, (u32[]){ MSG_VF_SET_LPE, 20000 }, 2), MSG_VF_SET_LPE | MSG_NACK | MSG_CTS);
    vf_put(&b.v, VF_MAILBOX, MAILBOX_VFU);  /* whoever holds the memory keeps the PF out */
    vf_put(&b.v, VF_MAILBOX, MAILBOX_REQ | MAILBOX_VFU);
    vf_wait(&b.v);
    CHECK(!(vf_get(&b.v, VF_MAILBOX) & MAILBOX_PFSTS));
    stop(&b);
}

static void test_spoof(void)
{
    struct bench b;
    start(&b, vf0, 1);
    b.v.mac[5] ^= 0x10;
    vf_send(&b.v, far, 60, 0);
    vf_wait(&b.v);
    CHECK_EQ(b.v.frames, 0);
    CHECK_EQ(b.h->igb[0]->vf[0].spoofed, 1);
    stop(&b);
}

/* From one VF to another inside the adapter: the wire does not see it. */
static void test_inside(void)
{
    struct bench b;
    u8 other[6];
    start(&b, both, 2);
    memcpy(other, b.v.mac, 6);
    b.v.bar = VF_BAR_AT + VF_STEP;      /* the second, with the same rings' places: the first is not used any more */
    vf_open(&b.v);
    CHECK(memcmp(other, b.v.mac, 6));
    vf_send(&b.v, other, 80, 9);
    vf_wait(&b.v);
    CHECK_EQ(b.v.frames, 0);
    CHECK_EQ(b.h->igb[0]->vf[0].rx[0].head, 1);
    CHECK_EQ(b.h->igb[0]->vf[0].stats[(VF_GPRLBC - 0xf00) / 4], 1);
    vf_send(&b.v, all, 80, 9);          /* to everybody: both */
    vf_wait(&b.v);
    CHECK_EQ(b.v.frames, 1);
    CHECK_EQ(b.h->igb[0]->vf[0].rx[0].head, 2);
    stop(&b);
}

/* --- two machines --- */

struct two { struct vfio_host *h; struct vf_rig a, b; };

static void start_two(struct two *t)
{
    t->h = new_host();
    vf_init(&t->a, t->h, vf0, 1);
    vf_power_on(&t->a);
    vf_init(&t->b, t->h, vf1, 1);
    vf_power_on(&t->b);
    vf_open(&t->a);
    vf_open(&t->b);
}

static void stop_two(struct two *t)
{
    vf_fini(&t->a);
    vf_fini(&t->b);
    vfio_host_free(t->h);
}

static void test_machines_talk(void)
{
    struct two t;
    gpa_t data = 0;
    start_two(&t);
    vf_send(&t.a, t.b.mac, 200, 0x77);
    vf_wait(&t.a);
    CHECK_EQ(vf_take(&t.b, &data), 200);
    CHECK_EQ(vf_peek(&t.b, data + 100, 1), 0x77);
    CHECK_EQ(t.a.frames + t.b.frames, 0);
    stop_two(&t);
}

/* Every address that a driver can say: of the other's memory, the host's, the tables'. */
static void test_hostile_neighbour(void)
{
    static const u64 wanted[] = { HOST_GUEST_SPAN, HOST_GUEST_SPAN + VF_DATA, 2 * HOST_GUEST_SPAN, 2 * HOST_GUEST_SPAN + VF_DATA, VF_RAM, HOST_FRAMES_HPA + HOST_GUEST_SPAN,
                                  BIT(47), BIT(48), ~(u64)0 - 4095, 0xfee00000, 0xfffff000 };
    struct two t;
    static u8 before[VF_RAM], tables[HOST_FRAMES * PAGE_SIZE];
    u8 frame[60] = { 0 };
    start_two(&t);
    memset(physmap_ptr(&t.b.r.map, VF_DATA, 4096), 0xee, 4096);
    memcpy(before, physmap_ptr(&t.b.r.map, 0, VF_RAM), VF_RAM);
    memcpy(tables, t.h->memory.frames, sizeof tables);
    memcpy(frame, t.a.mac, 6);
    for (unsigned i = 0; i < ARRAY_LEN(wanted); i++) {
        u64 faults = t.h->iommu.faults;
        vf_poke(&t.a, VF_RX + i * IGB_DESCRIPTOR, 8, wanted[i]);
        net_send(t.a.wire, NET_BACKEND, frame, sizeof frame);
        vf_wait(&t.a);
        CHECK_EQ(t.h->iommu.faults, faults + 1);
        unsigned frames = t.a.frames;
        vf_give(&t.a, wanted[i], 60);   /* what could not be read is ones: no address of its own, so it is not even sent */
        vf_wait(&t.a);
        CHECK_EQ(t.h->iommu.faults, faults + 2);
        CHECK_EQ(t.a.frames, frames);
    }
    CHECK(memcmp(before, physmap_ptr(&t.b.r.map, 0, VF_RAM), VF_RAM) == 0);
    CHECK(memcmp(tables, t.h->memory.frames, sizeof tables) == 0);
    vf_send(&t.b, far, 60, 1);          /* and the neighbour goes on */
    vf_wait(&t.b);
    CHECK_EQ(t.b.frames, 1);
    stop_two(&t);
}

/* Both always have something to send: each gets half of the cable. Alone, one gets it all. */
static void send_for_20_ms(struct two *t, bool together)
{
    for (unsigned slice = 0; slice < 200; slice++) {
        struct vf_rig *of[2] = { &t->a, &t->b };
        for (unsigned i = 0; i < 1u + together; i++) {
            for (unsigned n = 0; n < 40 && (of[i]->made + 1) % VF_RING != vf_get(of[i], VF_TX_QUEUE + Q_HEAD); n++)
                vf_send(of[i], far, 1514, n);
            rig_run(&of[i]->r, 100000);
        }
        if (!together)
            rig_run(&t->b.r, 100000);
    }
}

static void share(bool together, u32 *a, u32 *b)
{
    struct two t;
    t.h = new_host();
    vf_init(&t.a, t.h, vf0, 1);
    vf_init(&t.b, t.h, vf1, 1);
    net_set_speed(t.a.wire, 1000000000, 0);
    net_set_speed(t.b.wire, 1000000000, 0);
    vf_power_on(&t.a);
    vf_power_on(&t.b);
    vf_open(&t.a);
    vf_open(&t.b);
    send_for_20_ms(&t, together);
    *a = t.a.frames;
    *b = t.b.frames;
    stop_two(&t);
}

static void test_halves(void)
{
    u32 alone, none, half, other;
    share(false, &alone, &none);
    share(true, &half, &other);
    check_context("20 ms of 1 Gb/s are 1651 frames of 1514 bytes: alone %u, with the other %u and %u", alone, half, other);
    CHECK(alone > 1600 && alone <= 1652 && !none);
    CHECK(half > 800 && half < 870);
    CHECK(other > 800 && other < 870);
    CHECK(half + other <= 1720);
}

/* --- who may have what --- */

static int check_one(struct vfio_host *h, const char *const *places, unsigned n, const char *needle)
{
    struct host_device *d[4];
    struct error err = { "" };
    int r = 0;
    for (unsigned i = 0; i < n; i++) {
        u8 bus, devfn;
        CHECK_EQ(vfio_parse_address(places[i], &bus, &devfn, &err), 0);
        d[i] = vfio_host_find(h, bus, devfn, &err);
        CHECK(d[i]);
    }
    for (unsigned i = 0; i < n && !r; i++)
        r = vfio_host_check(h, d[i], d, n, &err);
    if (needle)
        CHECK(strstr(err.text, needle));
    return r;
}

static void test_groups(void)
{
    static const char *const half[] = { "03:01.0" }, *const whole[] = { "03:01.0", "03:02.0" }, *const pf[] = { "01:00.0" }, *const alone[] = { "02:01.0" };
    struct bench b;
    struct error err;
    u8 bus, devfn;
    start(&b, vf0, 1);
    CHECK_EQ(check_one(b.h, half, 1, "IOMMU group"), -1);
    CHECK_EQ(check_one(b.h, whole, 2, NULL), 0);
    CHECK_EQ(check_one(b.h, alone, 1, NULL), 0);
    CHECK_EQ(check_one(b.h, pf, 1, "physical function"), -1);
    CHECK_EQ(check_one(b.h, vf0, 1, "another machine"), -1);
    CHECK_EQ(check_one(b.h, vf1, 1, NULL), 0);
    CHECK(!vfio_host_find(b.h, 9, 0, &err) && strstr(err.text, "there are"));
    CHECK_EQ(vfio_parse_address("1:2", &bus, &devfn, &err), -1);
    CHECK_EQ(vfio_parse_address("01:20.0", &bus, &devfn, &err), -1);
    CHECK_EQ(vfio_source(&b.h->device[b.h->ndevices - 1]), 0x0300); /* behind the bridge: the bridge's */
    stop(&b);
}

/* A device that was given back can be given away again, and its old addresses lead nowhere. */
static void test_give_back(void)
{
    struct bench b;
    start(&b, vf0, 1);
    vf_send(&b.v, far, 60, 0);
    vf_wait(&b.v);
    vf_fini(&b.v);
    bool walked;
    hpa_t hpa;
    CHECK_EQ(iommu_translate(&b.h->iommu, 0x0180, VF_DATA, false, &hpa, &walked), IOMMU_NO_CONTEXT);
    CHECK(!b.h->device[1].last.map);    /* nor is that machine's memory known any more */
    vf_init(&b.v, b.h, vf0, 1);
    vf_power_on(&b.v);
    vf_open(&b.v);
    vf_send(&b.v, far, 60, 0);
    vf_wait(&b.v);
    CHECK_EQ(b.v.frames, 1);
    stop(&b);
}

/* What a guest has asked of the PF, sent and counted ends with its driver, or with it: the next one finds nothing of it. */
static void test_nothing_left(void)
{
    static const u32 add_vlan[2] = { MSG_VF_SET_VLAN | 1 << MSG_INFO_SHIFT, 5 };
    static const u8 mine[6] = { 2, 1, 2, 3, 4, 5 };
    struct bench b;
    u8 mac[6];
    start(&b, vf0, 1);
    struct igb *p = b.h->igb[0];
    memcpy(mac, b.v.mac, 6);
    CHECK_EQ(vf_ask(&b.v, add_vlan, 2), add_vlan[0] | MSG_ACK | MSG_CTS);
    CHECK(igb_pf_read(p, PF_VLVF) & VLVF_VALID);
    vf_open(&b.v);                              /* its driver begins again */
    CHECK_EQ(igb_pf_read(p, PF_VLVF), 0);
    CHECK_EQ(vf_ask(&b.v, add_vlan, 2), add_vlan[0] | MSG_ACK | MSG_CTS);
    u32 set_mac[3] = { MSG_VF_SET_MAC };
    memcpy(set_mac + 1, mine, 6);
    CHECK_EQ(vf_ask(&b.v, set_mac, 3), MSG_VF_SET_MAC | MSG_ACK | MSG_CTS);
    memcpy(b.v.mac, mine, 6);
    vf_send(&b.v, far, 60, 0);
    vf_wait(&b.v);
    CHECK_EQ(vf_get(&b.v, VF_GPTC), 1);
    vf_put(&b.v, VF_MAILBOX, MAILBOX_REQ);      /* nobody has looked yet */
    vf_fini(&b.v);
    CHECK_EQ(igb_pf_read(p, PF_VLVF), 0);
    CHECK_EQ(igb_pf_read(p, PF_RA + 8) & 0xff, mac[0]);
    CHECK_EQ(igb_pf_read(p, PF_MBVFICR), 0);
    vf_init(&b.v, b.h, vf0, 1);
    vf_power_on(&b.v);
    CHECK_EQ(vf_get(&b.v, VF_GPTC), 0);
    stop(&b);
}

/* A host outlives any number of guests: tables, domains and entries for interrupts are used again. */
static void test_many_guests(void)
{
    struct bench b;
    start(&b, both, 2);
    for (unsigned i = 0; i < 200; i++) {
        vf_fini(&b.v);
        vf_init(&b.v, b.h, both, 2);
        vf_power_on(&b.v);
        check_context("guest %u: %s", i, b.v.r.err.text);
        if (!CHECK_EQ(b.v.r.ndevices, 2))
            return;
    }
    vf_open(&b.v);
    vf_send(&b.v, far, 60, 0);
    vf_wait(&b.v);
    CHECK_EQ(b.v.frames, 1);
    CHECK(b.v.ledger.count[EV_IRQ_POSTED] > 0);
    CHECK_EQ(b.h->iommu.faults, 0);
    stop(&b);
}

/* The emulated adapter's own code as the host's: its registers, its pin, its DMA through the IOMMU. */
static void test_82540em(void)
{
    static const char *const place[] = { "02:01.0" };
    struct bench b;
    b.h = new_host();
    vf_init(&b.v, b.h, place, 1);
    vf_power_on(&b.v);
    struct vf_rig *v = &b.v;
    v->bar = VF_BAR_AT;
    CHECK_EQ(vf_get(v, 0x5400), 0x54211b00);    /* RAL0 */
    vf_put(v, 0x3800, VF_TX);                   /* TDBAL, TDLEN, TCTL.EN, IMS */
    vf_put(v, 0x3808, 128);
    vf_put(v, 0x0000, 0x40);
    vf_put(v, 0x0400, 2);
    vf_put(v, 0x00d0, 1);
    rig_run(&v->r, 3000000000);                 /* negotiation */
    vf_poke(v, VF_TX, 8, VF_DATA);
    vf_poke(v, VF_TX + 8, 8, 0x0b000040);       /* EOP, IFCS, RS */
    vf_put(v, 0x3818, 1);
    vf_wait(v);
    CHECK_EQ(v->frames, 1);
    CHECK(v->r.level[10] || v->r.level[11] || v->r.level[12] || v->r.level[13]);
    CHECK_EQ(v->ledger.count[EV_DMA_REMAPPED], 3);
    vf_get(v, 0x00c0);                          /* ICR: the pin falls */
    CHECK(!(v->r.level[10] || v->r.level[11] || v->r.level[12] || v->r.level[13]));
    stop(&b);
}

/* --- nonsense --- */

static u64 rnd(u64 *seed) { return check_random(seed); }

static u32 some_register(u64 *seed)
{
    static const u32 places[] = { VF_CTRL, VF_EICS, VF_EIMS, VF_EIAC, VF_IVAR, VF_MAILBOX, VF_MBMEM, VF_TX_QUEUE, VF_RX_QUEUE, VF_TX_QUEUE + 0x100, VF_EITR };
    return rnd(seed) % 3 ? places[rnd(seed) % ARRAY_LEN(places)] + rnd(seed) % 12 * 4 : rnd(seed) % IGB_VF_SPACE;
}

static void nonsense_step(struct two *t, u64 *seed)
{
    struct vf_rig *v = rnd(seed) & 1 ? &t->a : &t->b;
    u8 frame[1600];
    switch (rnd(seed) % 8) {
    case 0: physmap_store(&v->r.map, v->bar + some_register(seed), 1 << rnd(seed) % 4, rnd(seed)); break;
    case 1: physmap_load(&v->r.map, v->bar + some_register(seed), 1 << rnd(seed) % 4); break;
    case 2: vf_put(v, some_register(seed) & ~3u, rnd(seed) % 0x400); break;
    case 3: vf_poke(v, (rnd(seed) & 1 ? VF_TX : VF_RX) + rnd(seed) % 1024, 8, rnd(seed) >> rnd(seed) % 64); break;
    case 4: igb_pf_write(t->h->igb[0], rnd(seed) % PF_SPACE, rnd(seed) >> rnd(seed) % 32); break;
    case 5: vf_config_put(v, 16, rnd(seed) % 256 & ~3u, 4, rnd(seed)); break;
    case 6: rig_run(&v->r, rnd(seed) % 20000); break;
    case 7:
        memset(frame, rnd(seed), sizeof frame);
        memcpy(frame, rnd(seed) & 1 ? v->mac : all, 6);
        net_send(v->wire, NET_BACKEND, frame, rnd(seed) % sizeof frame);
    }
}

static void test_nonsense(void)
{
    u64 seed = check_seed(), rounds = check_rounds(20);
    for (u64 i = 0; i < rounds; i++) {
        struct two t;
        start_two(&t);
        for (unsigned n = 0; n < 2000; n++)
            nonsense_step(&t, &seed);
        stop_two(&t);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "send", test_send }, { "receive", test_receive }, { "interrupts", test_interrupts }, { "throttling", test_throttling }, { "cost", test_cost },
        { "latency", test_latency }, { "fault", test_fault }, { "mailbox", test_mailbox }, { "spoof", test_spoof }, { "inside", test_inside },
        { "machines_talk", test_machines_talk }, { "hostile_neighbour", test_hostile_neighbour }, { "halves", test_halves }, { "groups", test_groups },
        { "give_back", test_give_back }, { "nothing_left", test_nothing_left }, { "many_guests", test_many_guests },
        { "82540em", test_82540em }, { "nonsense", test_nonsense }, { NULL, NULL },
    };
    return check_main(argc, argv, "vfio", tests);
}
