/* SPDX-License-Identifier: MIT */
/* The network adapter Intel 82540EM without a processor, driven as nobody should. */
#include "e1000_rig.h"

/* --- what nobody should do --- */

static void test_hostile_tx(void)
{
    static struct nic_rig t;
    start(&t);
    start_transmitter(&t, RING);
    set(&t, E1000_TDT, RING + 5);                   /* a tail beyond the ring */
    set(&t, E1000_TDT, 0xffffffff);
    set(&t, E1000_TDH, 0xffff);
    set(&t, E1000_TDT, 3);
    set(&t, E1000_TDLEN, 0);                        /* no ring at all */
    set(&t, E1000_TDH, 0);
    set(&t, E1000_TDT, 1);
    rig_run(&t.r, 1000000);
    CHECK_EQ(t.out.count, 0);
    set(&t, E1000_TDLEN, RING * 16);
    set(&t, E1000_TDH, 0);
    set(&t, E1000_TDBAL, 0xfff00000);               /* a ring where there is no memory, */
    set(&t, E1000_TDT, 5);
    set(&t, E1000_TDBAL, BAR);                      /* in the adapter itself, */
    set(&t, E1000_TDT, 6);
    set(&t, E1000_TDBAH, 0xffffffff);               /* and at the end of all addresses */
    set(&t, E1000_TDBAL, 0xfffffff0);
    set(&t, E1000_TDT, 7);
    rig_run(&t.r, 1000000);
    CHECK_EQ(get(&t, E1000_TDH), 0);
    set(&t, E1000_TDBAH, 0);
    set(&t, E1000_TDBAL, TX_RING);
    put_descriptor(&t, TX_RING, 0, 0xfffffffffffffff0, EOP | RS | 100, 0);     /* data that wraps */
    put_descriptor(&t, TX_RING, 1, BAR, EOP | RS | 100, 0);
    put_descriptor(&t, TX_RING, 2, TX_BUFFERS, RS | 0xffff, 0);                /* a packet without end */
    put_descriptor(&t, TX_RING, 3, TX_BUFFERS, EOP | RS | 0, 0);
    put_descriptor(&t, TX_RING, 4, 0, EOP | 5, 0);                             /* shorter than a header */
    put_descriptor(&t, TX_RING, 5, 0, DEXT | 7 << 20 | 5, 0);                  /* no such type */
    set(&t, E1000_TDT, 6);
    rig_run(&t.r, 1000000);
    CHECK_EQ(get(&t, E1000_TDH), 6);
    CHECK_EQ(t.out.count, 2);
    CHECK_EQ(t.out.data[0][50], 0xff);              /* nobody answered on the bus */
    finish(&t);
}

/* The ring's end is never reached: work goes on in pieces, with time between them, until the driver stops it. */
static void test_hostile_long_ring(void)
{
    static struct nic_rig t;
    enum { SIZE = 0x8000 };
    start(&t);
    set(&t, E1000_TDLEN, SIZE * 16);
    for (unsigned i = 0; i < MIB / 16; i += 1)
        put_descriptor(&t, 0, i, 0, DEXT | DATA | TSE | 0xfffff, 3 << 8);
    put_context(&t, 0, 0xfffff, 1, 7);
    physmap_write(&t.r.map, 0, (struct descriptor[]){ { 14 | 24 << 8 | (u64)(34 | 50 << 8) << 32, DEXT | 7 << 24, 1 << 16 } }, 16);
    set(&t, E1000_TCTL, TCTL_EN);
    set(&t, E1000_TDT, SIZE - 1);
    CHECK(get(&t, E1000_TDH) < 1000);               /* a burst, not all of it */
    CHECK(t.wire->lane[NET_BACKEND].bytes < 4 * NET_QUEUE_BYTES);
    t.out.busy = true;
    rig_run(&t.r, 100000);
    u32 head = get(&t, E1000_TDH);
    rig_run(&t.r, 10000000);
    CHECK_EQ(get(&t, E1000_TDH), head);             /* the wire is full: it waits */
    set(&t, E1000_CTRL, CTRL_RST);                  /* a reset within a transmit */
    t.out.busy = false;
    net_wake(t.wire, NET_BACKEND);
    rig_run(&t.r, 10000000);
    CHECK_EQ(get(&t, E1000_TDH), 0);
    CHECK_EQ(get(&t, E1000_TDT), 0);
    net_set_link(t.wire, false);                    /* nothing holds it up now, but the burst's end */
    for (unsigned i = 0; i < MIB / 16; i++)
        put_descriptor(&t, 0, i, 0, EOP | 60, 0);
    set(&t, E1000_TDLEN, SIZE * 16);
    set(&t, E1000_TCTL, TCTL_EN);
    set(&t, E1000_TDT, SIZE - 1);
    CHECK(get(&t, E1000_TDH) < 1000);
    rig_run(&t.r, 100000000);
    CHECK_EQ(get(&t, E1000_TDH), SIZE - 1);         /* and yet it ends */
    finish(&t);
}

static void test_hostile_context(void)
{
    static struct nic_rig t;
    u64 seed = check_seed();
    start(&t);
    start_transmitter(&t, RING);
    for (unsigned i = 0; i < 20000; i++) {
        u64 a = check_random(&seed), b = check_random(&seed), len = check_random(&seed) % 3000;
        put_descriptor(&t, TX_RING, 0, a, DEXT | (u32)(b & 7) << 24, b >> 32);
        put_descriptor(&t, TX_RING, 1, TX_BUFFERS, DEXT | DATA | (a & 1 ? TSE : 0) | (a & 2 ? VLE : 0) | EOP | RS | len, (u32)(b >> 8));
        put_descriptor(&t, TX_RING, 2, TX_BUFFERS, (u32)a, (u32)b);
        set(&t, E1000_TDH, 0);
        set(&t, E1000_TDT, 3);
        rig_run(&t.r, 20000);
    }
    CHECK(t.out.count > 0);
    finish(&t);
}

/* A context in the middle of a packet is for the next one: this packet goes on as it began. */
static void test_hostile_switch(void)
{
    static struct nic_rig t;
    start(&t);
    start_transmitter(&t, RING);
    put_context(&t, 0, 4000, 1400, 7);
    put_descriptor(&t, TX_RING, 1, TX_BUFFERS, DEXT | DATA | TSE | 1400, 0);
    put_descriptor(&t, TX_RING, 2, 0, DEXT | 7 << 24, 64 << 16);
    put_descriptor(&t, TX_RING, 3, TX_BUFFERS, DEXT | DATA | TSE | EOP | 1400, 0);
    set(&t, E1000_TDT, 4);
    rig_run(&t.r, 1);
    CHECK_EQ(t.out.count, 2);
    CHECK_EQ(t.out.len[0], 1454);
    CHECK_EQ(t.out.len[1], 1400);
    put_context(&t, 4, 0xfffff, 0xffff, 7);         /* a segment larger than any frame */
    for (unsigned i = 5; i < 7; i++)
        put_descriptor(&t, TX_RING, i, 0, DEXT | DATA | TSE | (i == 6 ? EOP : 0) | 0x20000, 0);
    set(&t, E1000_TDT, 7);
    rig_run(&t.r, 1000000);
    CHECK(t.out.count > 10);
    finish(&t);
}

static void test_hostile_rx(void)
{
    static struct nic_rig t;
    start(&t);
    start_receiver(&t, RCTL_EN | RCTL_UPE | RCTL_LPE);
    set(&t, E1000_RDLEN, 0);
    to_guest(&t, guest_mac, 1, 60);
    set(&t, E1000_RDLEN, RING * 16);
    set(&t, E1000_RDT, 1000);
    set(&t, E1000_RDH, 2000);
    rig_run(&t.r, 1000);
    set(&t, E1000_RDH, 0);
    set(&t, E1000_RDBAH, 0xffffffff);
    set(&t, E1000_RDT, 5);
    rig_run(&t.r, 1000);
    set(&t, E1000_RDBAH, 0);
    put_descriptor(&t, RX_RING, 0, 0xffffffffffffffff, 0, 0);   /* a buffer that wraps, */
    put_descriptor(&t, RX_RING, 1, BAR + E1000_CTRL, 0, 0);     /* the adapter itself, */
    put_descriptor(&t, RX_RING, 2, RX_RING, 0, 0);              /* the ring itself */
    for (int i = 0; i < 3; i++)
        to_guest(&t, guest_mac, 1, 1500);
    CHECK_EQ(get(&t, E1000_RDH), 3);
    set(&t, E1000_RCTL, RCTL_EN | RCTL_UPE | 3 << RCTL_BSIZE_SHIFT);
    to_guest(&t, guest_mac, 1, 1500);                           /* six buffers, but there are two */
    CHECK(get(&t, E1000_ICR) & CAUSE_RXO);
    CHECK_EQ(get(&t, E1000_MPC), 1);
    config_write(&t.r, PCI_COMMAND, 2, 3);                      /* no bus master */
    to_guest(&t, guest_mac, 1, 60);
    finish(&t);
}

/* --- nonsense, and two of it --- */

struct fuzz { struct nic_rig t; u64 seed; };

static u64 rnd(struct fuzz *f) { return check_random(&f->seed); }

static u32 some_register(struct fuzz *f)
{
    static const u16 likely_ones[] = { E1000_CTRL, E1000_ICR, E1000_ITR, E1000_ICS, E1000_IMS, E1000_IMC, E1000_RCTL, E1000_TCTL, E1000_RDH, E1000_RDT, E1000_RDLEN,
        E1000_RDTR, E1000_RADV, E1000_TDH, E1000_TDT, E1000_TDLEN, E1000_TIDV, E1000_TADV, E1000_RXCSUM, E1000_MDIC, E1000_EECD, E1000_EERD, E1000_TXDCTL };
    u64 v = rnd(f);
    return v & 1 ? likely_ones[(v >> 8) % ARRAY_LEN(likely_ones)] : (v >> 8) % E1000_SPACE;
}

/* Values that a ring of memory could live with, more often than not. */
static u32 some_value(struct fuzz *f)
{
    u64 v = rnd(f);
    return v & 1 ? (v >> 8) % 300 : v & 2 ? (v >> 8) & 0xfffff : v >> 8;
}

static void step_nonsense(struct fuzz *f)
{
    u64 v = rnd(f), w = rnd(f);
    struct nic_rig *t = &f->t;
    u8 frame[2048];
    switch (v % 12) {
    case 0: case 1: case 2: case 3: set(t, some_register(f), some_value(f)); break;
    case 4: get(t, some_register(f)); break;
    case 5: physmap_store(&t->r.map, BAR + (w & 0x1ffff), 1 << (v >> 8 & 3), w); break;
    case 6: physmap_store(&t->r.map, (w >> 8) % (MIB - 8), 8, rnd(f)); break;
    case 7: put_descriptor(t, TX_RING, w % 64, w >> 32 & 0xfffff, some_value(f) | (u32)(v >> 32 & 0xff) << 24 | (v >> 48 & 1) << 20, w); break;
    case 8: memset(frame, v >> 8, sizeof frame); net_send(t->wire, NET_BACKEND, frame, w % sizeof frame); break;
    case 9: rig_run(&t->r, w % 100000); break;
    case 10: t->out.busy = w & 1; net_wake(t->wire, NET_BACKEND); break;
    default:
        if (w % 50 == 0)
            net_set_link(t->wire, w & 64);
        set(t, E1000_TDBAL, TX_RING);
        set(t, E1000_TDBAH, 0);
        set(t, E1000_TCTL, TCTL_EN);
    }
    if (v >> 40 & 63)
        return;
    if (w % 20 == 0)
        t->r.device[2]->ops->reset(t->r.device[2]);
    config_write(&t->r, PCI_BAR0, 4, BAR);
    config_write(&t->r, PCI_BAR0 + 4, 4, PORTS);
    config_write(&t->r, PCI_COMMAND, 2, 7);
}

static void test_nonsense(void)
{
    static struct fuzz f;
    f.seed = check_seed();
    start(&f.t);
    for (u64 i = 0, n = check_rounds(200000); i < n; i++)
        step_nonsense(&f);
    FILE *null = fopen("/dev/null", "w");
    e1000_ops.info(f.t.r.device[2], null);
    fclose(null);
    finish(&f.t);
}

static void test_two_are_equal(void)
{
    static struct fuzz a, b;
    a.seed = b.seed = check_seed();
    start(&a.t);
    start(&b.t);
    for (unsigned i = 0; i < 20000; i++) {
        step_nonsense(&a);
        step_nonsense(&b);
        if (!CHECK_EQ(a.t.out.count, b.t.out.count) || !CHECK_EQ(clock_deadline(&a.t.r.clock), clock_deadline(&b.t.r.clock)) ||
            !CHECK_EQ(interrupts(&a.t), interrupts(&b.t)))
            break;
    }
    finish(&a.t);
    finish(&b.t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "hostile_tx", test_hostile_tx }, { "hostile_long_ring", test_hostile_long_ring },
        { "hostile_context", test_hostile_context }, { "hostile_switch", test_hostile_switch },
        { "hostile_rx", test_hostile_rx }, { "nonsense", test_nonsense }, { "two_are_equal", test_two_are_equal }, { NULL, NULL },
    };
    return check_main(argc, argv, "e1000 hostile", tests);
}
