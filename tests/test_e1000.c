/* SPDX-License-Identifier: MIT */
/* The network adapter Intel 82540EM without a processor, driven by its registers as drivers do it: identity, EEPROM, PHY, sending. */
#include "e1000_rig.h"

static void test_identity(void)
{
    static struct nic_rig t;
    start(&t);
    CHECK_EQ(config_read(&t.r, 0), 0x100e8086);
    CHECK_EQ(config_read(&t.r, 8) >> 16, 0x0200);
    CHECK_EQ(config_read(&t.r, 0x3c) >> 8 & 0xff, 1);
    CHECK_EQ(get(&t, E1000_STATUS), 0x83);      /* what courses let students read: full duplex, link, 1000 Mb/s */
    CHECK_EQ(get(&t, E1000_RA), 0x12005452);
    CHECK_EQ(get(&t, E1000_RA + 4), 0x80005634);
    out32(&t.r, PORTS, E1000_RA);
    CHECK_EQ(in32(&t.r, PORTS + 4), 0x12005452);
    out32(&t.r, PORTS, E1000_ITR);
    out32(&t.r, PORTS + 4, 77);
    CHECK_EQ(get(&t, E1000_ITR), 77);
    CHECK_EQ(get(&t, 0x1f000), 0);
    set(&t, E1000_RA, 0);
    set(&t, E1000_CTRL, CTRL_RST);
    CHECK_EQ(get(&t, E1000_CTRL) & CTRL_RST, 0);
    CHECK_EQ(get(&t, E1000_RA), 0x12005452);
    CHECK_EQ(get(&t, E1000_ITR), 0);
    finish(&t);
}

static u16 read_eerd(struct nic_rig *t, unsigned word)
{
    set(t, E1000_EERD, word << 8 | 1);
    CHECK(get(t, E1000_EERD) & 0x10);
    return get(t, E1000_EERD) >> 16;
}

static void microwire_clock(struct nic_rig *t, bool bit)
{
    u32 v = 0x42 | (bit ? 4 : 0);       /* REQ, CS, DI */
    set(t, E1000_EECD, v);
    set(t, E1000_EECD, v | 1);
    set(t, E1000_EECD, v);
}

static u16 read_microwire(struct nic_rig *t, unsigned word)
{
    u16 value = 0;
    unsigned command = 6 << 6 | word;
    set(t, E1000_EECD, 0x40);
    CHECK(get(t, E1000_EECD) & 0x80);   /* granted */
    for (int i = 8; i >= 0; i--)
        microwire_clock(t, command >> i & 1);
    CHECK_EQ(get(t, E1000_EECD) & 8, 0);
    for (int i = 0; i < 16; i++) {
        microwire_clock(t, 0);
        value = value << 1 | (get(t, E1000_EECD) >> 3 & 1);
    }
    set(t, E1000_EECD, 0);
    return value;
}

static void test_eeprom(void)
{
    static struct nic_rig t;
    u16 sum = 0;
    start(&t);
    for (unsigned i = 0; i < 64; i++) {
        u16 word = read_eerd(&t, i);
        sum += word;
        check_context("word %u", i);
        CHECK_EQ(read_microwire(&t, i), word);
    }
    CHECK_EQ(sum, 0xbaba);
    CHECK_EQ(read_eerd(&t, 0), 0x5452);
    CHECK_EQ(read_eerd(&t, 2), 0x5634);
    CHECK_EQ(read_eerd(&t, 200), 0xffff);
    finish(&t);
}

static u32 mdic(struct nic_rig *t, unsigned op, unsigned phy, unsigned reg, u16 data)
{
    set(t, E1000_MDIC, op << 26 | phy << 21 | reg << 16 | data);
    CHECK(get(t, E1000_MDIC) >> 28 & 1);
    return get(t, E1000_MDIC);
}

static void test_phy(void)
{
    static struct nic_rig t;
    start(&t);
    CHECK_EQ(mdic(&t, 2, 1, 2, 0) & 0xffff, 0x0141);
    CHECK_EQ(mdic(&t, 2, 1, 3, 0) & 0xffff, 0x0c20);
    CHECK(mdic(&t, 2, 2, 2, 0) >> 30 & 1);                  /* no PHY there */
    CHECK(mdic(&t, 2, 1, 1, 0) & 4);
    mdic(&t, 1, 1, 9, 0x1234);
    CHECK_EQ(mdic(&t, 2, 1, 9, 0) & 0xffff, 0x1200);
    set(&t, E1000_IMS, CAUSE_LSC);
    mdic(&t, 1, 1, 0, 0x9140);                              /* reset: negotiates anew */
    CHECK_EQ(get(&t, E1000_STATUS) & STATUS_LU, 0);
    CHECK_EQ(get(&t, E1000_ICR), CAUSE_LSC);
    rig_run(&t.r, 10000000);
    CHECK(get(&t, E1000_STATUS) & STATUS_LU);
    CHECK(interrupted(&t));
    CHECK_EQ(get(&t, E1000_ICR), CAUSE_LSC);
    CHECK(!interrupted(&t));
    net_set_link(t.wire, false);
    CHECK(interrupted(&t));
    CHECK_EQ(mdic(&t, 2, 1, 1, 0) & 4, 0);
    finish(&t);
}

/* --- sending --- */

/* As students do it: 64 frames through a ring of 8, one at a time, and the status of each descriptor. */
static void test_transmit(void)
{
    static struct nic_rig t;
    start(&t);
    start_transmitter(&t, RING);
    for (unsigned i = 0; i < 64; i++) {
        put_frame(&t, TX_BUFFERS, i, 60 + i);
        put_descriptor(&t, TX_RING, i % RING, TX_BUFFERS, EOP | RS | (60 + i), 0);
        set(&t, E1000_TDT, (i + 1) % RING);
        CHECK_EQ(get_descriptor(&t, TX_RING, i % RING).upper & 1, 1);
        CHECK_EQ(get(&t, E1000_TDH), (i + 1) % RING);
    }
    rig_run(&t.r, 1);
    CHECK_EQ(t.out.count, 64);
    for (unsigned i = 0; i < 64; i++) {
        CHECK_EQ(t.out.len[i], 60 + i);
        CHECK_EQ(t.out.data[i][0], i);
        CHECK_EQ(t.out.data[i][59 + i], (u8)(59 + 2 * i));
    }
    CHECK_EQ(get(&t, E1000_ICR), CAUSE_TXDW | CAUSE_TXQE);
    CHECK_EQ(get(&t, E1000_TPT), 64);
    CHECK_EQ(get(&t, E1000_TPT), 0);            /* reading clears */
    CHECK(!interrupted(&t));                    /* nothing was unmasked */
    finish(&t);
}

/* Several buffers make one packet; without TCTL.EN nothing goes. */
static void test_transmit_pieces(void)
{
    static struct nic_rig t;
    start(&t);
    start_transmitter(&t, RING);
    set(&t, E1000_TCTL, 0);
    for (unsigned i = 0; i < 3; i++) {
        put_frame(&t, TX_BUFFERS + 100 * i, 50 * i, 50);
        put_descriptor(&t, TX_RING, i, TX_BUFFERS + 100 * i, (i == 2 ? EOP | RS : 0) | 50, 0);
    }
    set(&t, E1000_TDT, 3);
    rig_run(&t.r, 1000);
    CHECK_EQ(t.out.count, 0);
    set(&t, E1000_TCTL, TCTL_EN);
    rig_run(&t.r, 1000);
    CHECK_EQ(t.out.count, 1);
    CHECK_EQ(t.out.len[0], 150);
    for (unsigned i = 0; i < 150; i++)
        CHECK_EQ(t.out.data[0][i], i);
    finish(&t);
}

static void check_sums(const u8 *frame, u32 len)
{
    struct net_ip found;
    CHECK(net_check_ip(frame, len, &found) && found.ip_ok && found.has_l4 && found.l4_ok);
}

static void test_checksum_offload(void)
{
    static struct nic_rig t;
    u8 frame[200];
    start(&t);
    start_transmitter(&t, RING);
    make_tcp(frame, 101, false);
    physmap_write(&t.r.map, TX_BUFFERS, frame, 155);
    put_context(&t, 0, 0, 0, 3);
    put_descriptor(&t, TX_RING, 1, TX_BUFFERS, DEXT | DATA | EOP | RS | 155, 3 << 8);
    set(&t, E1000_TDT, 2);
    rig_run(&t.r, 1);
    CHECK_EQ(t.out.count, 1);
    check_sums(t.out.data[0], t.out.len[0]);
    /* the old way: CSS and CSO in the descriptor */
    put_descriptor(&t, TX_RING, 2, TX_BUFFERS, EOP | TSE /* here: IC */ | 50 << 16 | 155, 34 << 8);
    set(&t, E1000_TDT, 3);
    rig_run(&t.r, 1);
    CHECK(memcmp(t.out.data[1] + 34, t.out.data[0] + 34, 121) == 0);
    finish(&t);
}

static void test_segmentation(void)
{
    static struct nic_rig t;
    static u8 frame[6000];
    enum { PAYLOAD = 3500, MSS = 1000 };
    start(&t);
    start_transmitter(&t, RING);
    make_tcp(frame, PAYLOAD, true);
    physmap_write(&t.r.map, TX_BUFFERS, frame, 54 + PAYLOAD);
    put_context(&t, 0, PAYLOAD, MSS, 7);
    put_descriptor(&t, TX_RING, 1, TX_BUFFERS, DEXT | DATA | TSE | 54, 3 << 8);
    put_descriptor(&t, TX_RING, 2, TX_BUFFERS + 54, DEXT | DATA | TSE | 2000, 3 << 8);
    put_descriptor(&t, TX_RING, 3, TX_BUFFERS + 2054, DEXT | DATA | TSE | EOP | RS | 1500, 3 << 8);
    set(&t, E1000_TDT, 4);
    rig_run(&t.r, 1);
    CHECK_EQ(t.out.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        const u8 *f = t.out.data[i];
        u32 payload = i < 3 ? MSS : 500;
        check_context("segment %u", i);
        CHECK_EQ(t.out.len[i], 54 + payload);
        CHECK_EQ(net_get16(f + 16), 40 + payload);
        CHECK_EQ(net_get16(f + 18), 0x1000 + i);
        CHECK_EQ(net_get32(f + 38), 0xfffffff0 + i * MSS);
        CHECK_EQ(f[47], i < 3 ? 0x10 : 0x19);
        CHECK(memcmp(f + 54, frame + 54 + i * MSS, payload) == 0);
        check_sums(f, t.out.len[i]);
    }
    CHECK_EQ(get(&t, E1000_TSCTC), 1);
    finish(&t);
}

static void test_vlan_insert(void)
{
    static struct nic_rig t;
    start(&t);
    start_transmitter(&t, RING);
    set(&t, E1000_CTRL, CTRL_VME);
    put_frame(&t, TX_BUFFERS, 0, 60);
    put_descriptor(&t, TX_RING, 0, TX_BUFFERS, VLE | EOP | 60, 0x2005u << 16);
    set(&t, E1000_TDT, 1);
    rig_run(&t.r, 1);
    CHECK_EQ(t.out.len[0], 64);
    CHECK_EQ(net_get32(t.out.data[0] + 12), 0x81002005);
    CHECK_EQ(t.out.data[0][16], 12);
    finish(&t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "identity", test_identity }, { "eeprom", test_eeprom }, { "phy", test_phy }, { "transmit", test_transmit },
        { "transmit_pieces", test_transmit_pieces }, { "checksum_offload", test_checksum_offload },
        { "segmentation", test_segmentation }, { "vlan_insert", test_vlan_insert }, { NULL, NULL },
    };
    return check_main(argc, argv, "e1000", tests);
}
