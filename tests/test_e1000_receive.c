/* SPDX-License-Identifier: MIT */
/* The network adapter Intel 82540EM without a processor: what it receives, and when it interrupts. */
#include "e1000_rig.h"

/* As students do it: poll the status, give the descriptor back. The ring holds seven frames, the wire the others. */
static void test_receive(void)
{
    static struct nic_rig t;
    u8 data[2048];
    start(&t);
    start_receiver(&t, RCTL_EN | RCTL_BAM | RCTL_SECRC);
    for (unsigned i = 0; i < 20; i++)
        to_guest(&t, guest_mac, i, 60 + i);
    CHECK_EQ(get(&t, E1000_RDH), RING - 1);
    for (unsigned i = 0; i < 20; i++) {
        struct descriptor d = get_descriptor(&t, RX_RING, i % RING);
        check_context("frame %u", i);
        CHECK_EQ(d.upper & 3, 3);               /* DD, EOP */
        CHECK_EQ(d.lower & 0xffff, 60 + i);
        read_buffer(&t, i % RING, data, 60);
        CHECK_EQ(data[14], i);
        put_descriptor(&t, RX_RING, i % RING, RX_BUFFERS + i % RING * BUFFER, 0, 0);
        set(&t, E1000_RDT, i % RING);
        rig_run(&t.r, 1);
    }
    CHECK(get(&t, E1000_ICR) & CAUSE_RXT0);
    CHECK_EQ(get(&t, E1000_GPRC), 20);
    finish(&t);
}

/* The checksum of the frame follows it, unless it is stripped; a frame may take several buffers. */
static void test_receive_crc(void)
{
    static struct nic_rig t;
    u8 data[1600];
    u32 crc;
    start(&t);
    start_receiver(&t, RCTL_EN | 3 << RCTL_BSIZE_SHIFT);    /* 256 bytes */
    to_guest(&t, guest_mac, 5, 600);
    CHECK_EQ(get(&t, E1000_RDH), 3);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(get_descriptor(&t, RX_RING, i).upper & 3, i == 2 ? 3 : 1);
        read_buffer(&t, i, data + 256 * i, 256);
    }
    CHECK_EQ(get_descriptor(&t, RX_RING, 2).lower & 0xffff, 604 - 512);
    memcpy(&crc, data + 600, 4);
    CHECK_EQ(crc, crc32(0, data, 600));
    finish(&t);
}

static bool comes_in(struct nic_rig *t, const u8 *to, u32 len)
{
    u32 before = get(t, E1000_RDH);
    to_guest(t, to, 0, len);
    u32 now = get(t, E1000_RDH);
    set(t, E1000_RDT, (now + RING - 1) % RING);
    return now != before;
}

static void test_filters(void)
{
    static struct nic_rig t;
    start(&t);
    start_receiver(&t, RCTL_EN);
    CHECK(comes_in(&t, guest_mac, 60));
    CHECK(!comes_in(&t, stranger, 60));
    CHECK(!comes_in(&t, broadcast, 60));
    CHECK(!comes_in(&t, group, 60));
    set(&t, E1000_MTA + 4 * (0x341 >> 5), 1u << (0x341 & 31));      /* bits 47:36 of 1234h as they are on the wire */
    CHECK(comes_in(&t, group, 60));
    set(&t, E1000_RA + 8, 0x00000002);
    set(&t, E1000_RA + 12, 0x80000100);
    CHECK(comes_in(&t, stranger, 60));
    set(&t, E1000_RA + 12, 0x00000100);                             /* not valid */
    CHECK(!comes_in(&t, stranger, 60));
    set(&t, E1000_RCTL, RCTL_EN | RCTL_UPE | RCTL_BAM);
    CHECK(comes_in(&t, stranger, 60));
    CHECK(comes_in(&t, broadcast, 60));
    CHECK(comes_in(&t, guest_mac, 1518));
    CHECK(!comes_in(&t, guest_mac, 1519));
    CHECK_EQ(get(&t, E1000_ROC), 1);
    set(&t, E1000_RCTL, RCTL_EN | RCTL_LPE);
    CHECK(comes_in(&t, guest_mac, 1519));
    set(&t, E1000_RCTL, 0);
    CHECK(!comes_in(&t, guest_mac, 60));
    finish(&t);
}

static void test_vlan_receive(void)
{
    static struct nic_rig t;
    u8 frame[64] = { 0 }, data[60];
    start(&t);
    start_receiver(&t, RCTL_EN | RCTL_VFE | RCTL_SECRC);
    set(&t, E1000_CTRL, CTRL_VME);
    memcpy(frame, guest_mac, 6);
    net_put32(frame + 12, 0x81002005);
    frame[18] = 0xaa;
    net_send(t.wire, NET_BACKEND, frame, 64);
    rig_run(&t.r, 1);
    CHECK_EQ(get(&t, E1000_RDH), 0);
    set(&t, E1000_VFTA, 1 << 5);
    net_send(t.wire, NET_BACKEND, frame, 64);
    rig_run(&t.r, 1);
    CHECK_EQ(get(&t, E1000_RDH), 1);
    struct descriptor d = get_descriptor(&t, RX_RING, 0);
    CHECK_EQ(d.lower & 0xffff, 60);
    CHECK_EQ(d.upper, 0x20050000 | 0x0f);       /* the tag; DD, EOP, IXSM, VP */
    read_buffer(&t, 0, data, 60);
    CHECK_EQ(data[14], 0xaa);
    finish(&t);
}

static void test_receive_checksum(void)
{
    static struct nic_rig t;
    u8 frame[200];
    start(&t);
    start_receiver(&t, RCTL_EN | RCTL_UPE);
    set(&t, E1000_RXCSUM, RXCSUM_IPOFL | RXCSUM_TUOFL);
    make_tcp(frame, 100, false);
    net_put16(frame + 24, ~net_sum(frame + 14, 20));
    net_put16(frame + 50, ~net_sum(frame + 34, 120));
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            frame[60] ^= 1;
        if (i == 2)
            frame[26] ^= 1;
        net_send(t.wire, NET_BACKEND, frame, 154);
    }
    rig_run(&t.r, 1);
    CHECK_EQ(get_descriptor(&t, RX_RING, 0).upper & 0xffff, 0x0063);    /* DD, EOP, both checked */
    CHECK_EQ(get_descriptor(&t, RX_RING, 1).upper & 0xffff, 0x2063);    /* TCPE */
    CHECK_EQ(get_descriptor(&t, RX_RING, 2).upper >> 8 & 0xff & 0x40, 0x40);    /* IPE */
    finish(&t);
}

/* --- interrupts --- */

static void test_throttling(void)
{
    static struct nic_rig t;
    start(&t);
    set(&t, E1000_ITR, 1000);           /* 256 us */
    set(&t, E1000_IMS, CAUSE_RXT0);
    rig_run(&t.r, 1000);
    set(&t, E1000_ICS, CAUSE_RXT0);
    CHECK(interrupted(&t));
    cycles_t first = t.r.clock.now;
    get(&t, E1000_ICR);
    CHECK(!interrupted(&t));
    for (int i = 0; i < 10; i++) {
        rig_run(&t.r, 10000);
        set(&t, E1000_ICS, CAUSE_RXT0);
        CHECK(!interrupted(&t));
    }
    rig_run(&t.r, 300000);
    CHECK(interrupted(&t));
    CHECK_EQ(interrupts(&t), 2);
    CHECK_EQ(t.r.rose_at[10] > t.r.rose_at[11] ? t.r.rose_at[10] : t.r.rose_at[11], first + 256000);
    set(&t, E1000_IMC, CAUSE_RXT0);
    CHECK(!interrupted(&t));
    finish(&t);
}

/* RDTR is counted from the last frame, RADV from the first. */
static void test_receive_delay(void)
{
    static struct nic_rig t;
    start(&t);
    start_receiver(&t, RCTL_EN);
    set(&t, E1000_IMS, CAUSE_RXT0);
    set(&t, E1000_RDTR, 10);            /* 10.24 us */
    for (int i = 0; i < 3; i++) {
        to_guest(&t, guest_mac, 0, 60);
        rig_run(&t.r, 9000);
        CHECK(!interrupted(&t));
    }
    rig_run(&t.r, 2000);
    CHECK(interrupted(&t));
    get(&t, E1000_ICR);
    set(&t, E1000_RADV, 15);            /* 15.36 us */
    for (int i = 0; i < 2; i++) {
        to_guest(&t, guest_mac, 0, 60);
        rig_run(&t.r, 9000);
    }
    CHECK(interrupted(&t));
    finish(&t);
}

/* With IDE a sent frame is told of TIDV after the last one, and at the latest TADV after the first. Without it, at once. */
static void test_transmit_delay(void)
{
    static struct nic_rig t;
    enum { TIDV = 8, TADV = 32, UNIT = 1024 };
    const u32 IDE = 0x80u << 24;
    start(&t);
    start_transmitter(&t, RING);
    set(&t, E1000_IMS, CAUSE_TXDW);
    set(&t, E1000_TIDV, TIDV);
    set(&t, E1000_TADV, TADV);
    cycles_t first = t.r.clock.now;
    for (unsigned i = 0; i < 6; i++) {      /* one in 7 us: five start the short delay anew */
        put_descriptor(&t, TX_RING, i, TX_BUFFERS, EOP | RS | IDE | 60, 0);
        set(&t, E1000_TDT, i + 1);
        CHECK_EQ(interrupts(&t), i * 7000 >= TADV * UNIT);
        rig_run(&t.r, 7000);
    }
    CHECK_EQ(interrupts(&t), 1);
    CHECK_EQ(t.r.rose_at[10] > t.r.rose_at[11] ? t.r.rose_at[10] : t.r.rose_at[11], first + TADV * UNIT);
    get(&t, E1000_ICR);
    rig_run(&t.r, 100000);
    get(&t, E1000_ICR);
    put_descriptor(&t, TX_RING, 6, TX_BUFFERS, EOP | RS | IDE | 60, 0);
    set(&t, E1000_TDT, 7);
    rig_run(&t.r, TIDV * UNIT - 1);
    CHECK(!interrupted(&t));
    rig_run(&t.r, 1);
    CHECK(interrupted(&t));
    get(&t, E1000_ICR);
    put_descriptor(&t, TX_RING, 7, TX_BUFFERS, EOP | RS | 60, 0);
    set(&t, E1000_TDT, 0);
    CHECK(interrupted(&t));
    finish(&t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "receive", test_receive }, { "receive_crc", test_receive_crc }, { "filters", test_filters },
        { "vlan_receive", test_vlan_receive }, { "receive_checksum", test_receive_checksum },
        { "throttling", test_throttling }, { "receive_delay", test_receive_delay },
        { "transmit_delay", test_transmit_delay }, { NULL, NULL },
    };
    return check_main(argc, argv, "e1000 receive", tests);
}
