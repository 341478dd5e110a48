/* SPDX-License-Identifier: MIT */
/* The network adapter Intel 82540EM without a processor, driven by its registers as drivers do it, and as nobody should. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "devices/chipset/small.h"
#include "devices/e1000/e1000.h"
#include "devices/net/net_checksum.h"
#include "devices_rig.h"
#include "wire_recorder.h"

enum { MIB = 1 << 20, BAR = 0xfe000000, PORTS = 0xc000, SLOT = 3 };
enum { TX_RING = 0x10000, RX_RING = 0x20000, TX_BUFFERS = 0x30000, RX_BUFFERS = 0x80000, RING = 8, BUFFER = 2048 };
#define HZ 1000000000u      /* a cycle is a nanosecond */

static const u8 guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

/* --- the adapter --- */

struct nic_rig {
    struct rig r;
    struct net_wire *wire;
    struct seen out;            /* what the adapter sent */
};

static void config_write(struct rig *r, unsigned reg, unsigned size, u32 value)
{
    out32(r, 0xcf8, 0x80000000 | SLOT << 11 | (reg & 0xfc));
    bus_io_write(&r->bus, 0xcfc + (reg & 3), size, value);
}
static u32 config_read(struct rig *r, unsigned reg)
{
    out32(r, 0xcf8, 0x80000000 | SLOT << 11 | reg);
    return in32(r, 0xcfc);
}

static u32 get(struct nic_rig *t, u32 reg) { return physmap_load(&t->r.map, BAR + reg, 4); }
static void set(struct nic_rig *t, u32 reg, u32 value) { physmap_store(&t->r.map, BAR + reg, 4, value); }

static void start(struct nic_rig *t)
{
    struct rig *r = &t->r;
    rig_init(r, HZ);
    physmap_add_ram(&r->map, "ram", 0, MIB, &r->err);
    t->wire = net_new("n0", &r->clock);
    r->platform.nic[0].model = NIC_E1000;
    r->platform.nic[0].wire = t->wire;
    memcpy(r->platform.nic[0].mac, guest_mac, 6);
    rig_add(r, &pci_host_ops);
    rig_add(r, &piix3_ops);
    rig_add(r, &e1000_ops);
    attach(t->wire, NET_BACKEND, &t->out);
    out32(r, 0xcf8, 0x80000000 | 1 << 11 | 0x60);
    out32(r, 0xcfc, 0x0b0a0b0a);
    config_write(r, PCI_BAR0, 4, BAR);
    config_write(r, PCI_BAR0 + 4, 4, PORTS);
    config_write(r, PCI_COMMAND, 2, 7);
}

static void finish(struct nic_rig *t)
{
    rig_drop_devices(&t->r);
    net_free(t->wire);
    rig_fini(&t->r);
}

static bool interrupted(const struct nic_rig *t) { return t->r.level[10] || t->r.level[11]; }
static unsigned interrupts(const struct nic_rig *t) { return t->r.rises[10] + t->r.rises[11]; }

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

struct descriptor { u64 buffer; u32 lower, upper; };
enum { EOP = 1 << 24, RS = 8 << 24, DEXT = 0x20 << 24, TSE = 4 << 24, VLE = 0x40 << 24, DATA = 1 << 20 };

static void put_descriptor(struct nic_rig *t, gpa_t ring, unsigned i, u64 buffer, u32 lower, u32 upper)
{
    struct descriptor d = { buffer, lower, upper };
    physmap_write(&t->r.map, ring + 16 * i, &d, sizeof d);
}
static struct descriptor get_descriptor(struct nic_rig *t, gpa_t ring, unsigned i)
{
    struct descriptor d;
    physmap_read(&t->r.map, ring + 16 * i, &d, sizeof d);
    return d;
}

static void start_transmitter(struct nic_rig *t, u32 size)
{
    set(t, E1000_TDBAL, TX_RING);
    set(t, E1000_TDLEN, size * 16);
    set(t, E1000_TCTL, 0x4010a);
}

static void put_frame(struct nic_rig *t, gpa_t at, u8 first, u32 len)
{
    u8 frame[4096];
    for (u32 i = 0; i < len; i++)
        frame[i] = first + i;
    physmap_write(&t->r.map, at, frame, len);
}

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

/* A TCP packet over IPv4, 14 + 20 + 20 bytes of headers; its checksum field has the pseudo header's sum, without the length if it
 * is to be cut. */
static void make_tcp(u8 *f, u32 payload, bool cut)
{
    memset(f, 0, 54);
    memset(f, 0x22, 12);
    net_put16(f + 12, 0x0800);
    f[14] = 0x45;
    net_put16(f + 16, cut ? 0 : 40 + payload);
    net_put16(f + 18, 0x1000);
    f[22] = 64;
    f[23] = 6;
    net_put32(f + 26, 0x0a00020f);
    net_put32(f + 30, 0x0a000202);
    net_put16(f + 34, 4000);
    net_put16(f + 36, 80);
    net_put32(f + 38, 0xfffffff0);      /* the sequence number wraps */
    f[46] = 5 << 4;
    f[47] = 0x19;                       /* ACK, PSH, FIN */
    u16 sum = net_sum_add(net_sum(f + 26, 8), 6);
    net_put16(f + 50, cut ? sum : net_sum_add(sum, 20 + payload));
    for (u32 i = 0; i < payload; i++)
        f[54 + i] = i * 7;
}

static void put_context(struct nic_rig *t, unsigned i, u32 payload, u32 mss, u32 tucmd)
{
    u64 ip = 14 | 24 << 8 | 33 << 16, l4 = 34 | 50 << 8;
    put_descriptor(t, TX_RING, i, ip | l4 << 32, DEXT | tucmd << 24 | payload, mss << 16 | 54 << 8);
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

/* --- receiving --- */

static void start_receiver(struct nic_rig *t, u32 rctl)
{
    for (unsigned i = 0; i < RING; i++)
        put_descriptor(t, RX_RING, i, RX_BUFFERS + i * BUFFER, 0, 0);
    set(t, E1000_RDBAL, RX_RING);
    set(t, E1000_RDLEN, RING * 16);
    set(t, E1000_RDT, RING - 1);
    set(t, E1000_RCTL, rctl);
}

static void to_guest(struct nic_rig *t, const u8 *to, u8 mark, u32 len)
{
    u8 frame[2048] = { 0 };
    memcpy(frame, to, 6);
    frame[14] = mark;
    net_send(t->wire, NET_BACKEND, frame, len);
    rig_run(&t->r, 1);
}

static const u8 broadcast[6] = { 255, 255, 255, 255, 255, 255 }, stranger[6] = { 2, 0, 0, 0, 0, 1 }, group[6] = { 1, 0, 0x5e, 0, 0x12, 0x34 };

static void read_buffer(struct nic_rig *t, unsigned i, u8 *to, u32 len) { physmap_read(&t->r.map, RX_BUFFERS + i * BUFFER, to, len); }

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
        { "identity", test_identity }, { "eeprom", test_eeprom }, { "phy", test_phy }, { "transmit", test_transmit },
        { "transmit_pieces", test_transmit_pieces }, { "checksum_offload", test_checksum_offload },
        { "segmentation", test_segmentation }, { "vlan_insert", test_vlan_insert }, { "receive", test_receive },
        { "receive_crc", test_receive_crc }, { "filters", test_filters }, { "vlan_receive", test_vlan_receive },
        { "receive_checksum", test_receive_checksum }, { "throttling", test_throttling },
        { "receive_delay", test_receive_delay }, { "hostile_tx", test_hostile_tx },
        { "hostile_long_ring", test_hostile_long_ring }, { "hostile_context", test_hostile_context },
        { "hostile_switch", test_hostile_switch }, { "hostile_rx", test_hostile_rx }, { "nonsense", test_nonsense },
        { "two_are_equal", test_two_are_equal }, { NULL, NULL },
    };
    return check_main(argc, argv, "e1000", tests);
}
