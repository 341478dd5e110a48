/* SPDX-License-Identifier: MIT */
/* A virtio network adapter by a driver of our own: checksums and segments on the way out, buffers and filters on the way in. */
#include "devices/virtio/virtio_net.h"
#include "virtio_rigs.h"

enum { F_CSUM = 1 << 0, F_GUEST_CSUM = 1 << 1, F_TSO4 = 1 << 11, F_MERGE = 1 << 15, F_CONTROL = 1 << 17 | 1 << 18, IP = 14, TCP = 34, PAYLOAD = 54 };

/* Ethernet, IPv4, TCP, and bytes that count; TCP's checksum holds the pseudo header's sum as drivers leave it. */
static void make_packet(u8 *f, u32 payload)
{
    static const u8 head[] = { 0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 9, 9, 9, 8, 0, 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2,
                               0x10, 0, 0, 80, 0, 0, 0, 100, 0, 0, 0, 1, 0x50, 0x19, 0x10, 0, 0, 0, 0, 0 };
    _Static_assert(sizeof head == PAYLOAD, "headers");
    memcpy(f, head, sizeof head);
    for (u32 i = 0; i < payload; i++)
        f[PAYLOAD + i] = i * 7;
    net_put16(f + IP + 2, 40 + payload);
    net_put16(f + IP + 10, ~net_sum(f + IP, 20));
    net_put16(f + TCP + 16, net_sum_add(net_sum(f + IP + 12, 8), 6 + 20 + payload));
}

static void send(struct vd *d, u8 flags, u8 gso, u16 mss, u16 start, u16 offset, const u8 *f, u32 len)
{
    u8 header[12] = { flags, gso, 0, 0, mss & 0xff, mss >> 8, start & 0xff, start >> 8, offset };
    physmap_write(&d->r.map, HEADER, header, 12);
    physmap_write(&d->r.map, BUFFER, f, len);
    struct vd_piece p[3] = { { HEADER, 12, false }, { BUFFER, len / 2, false }, { BUFFER + len / 2, len - len / 2, false } };
    CHECK_EQ(vd_exchange(d, 1, p, 3), 0);
}

static void test_transmit(void)
{
    static u8 f[NET_FRAME_MAX];
    struct net_ip ip;
    struct vd d;
    start_net(&d);
    ready_net(&d, PLAIN | F_CSUM | F_TSO4);
    make_packet(f, 100);
    send(&d, 1, 0, 0, TCP, 16, f, PAYLOAD + 100);
    CHECK_EQ(far.count, 1);
    CHECK(net_check_ip(far.frame[0], far.len[0], &ip) && ip.ip_ok && ip.l4_ok);
    make_packet(f, 3500);
    send(&d, 1, 1, 1460, TCP, 16, f, PAYLOAD + 3500);
    CHECK_EQ(far.count, 4);
    u32 at = 0;
    for (unsigned i = 1; i < 4; i++) {
        u32 part = i < 3 ? 1460 : 580;
        CHECK_EQ(far.len[i], PAYLOAD + part);
        CHECK(net_check_ip(far.frame[i], far.len[i], &ip) && ip.ip_ok && ip.l4_ok);
        CHECK_EQ(net_get32(far.frame[i] + TCP + 4), 100 + at);
        CHECK_EQ(net_get16(far.frame[i] + IP + 4), 0x1234 + i - 1);
        CHECK_EQ(far.frame[i][TCP + 13], i < 3 ? 0x10 : 0x19);
        CHECK(memcmp(far.frame[i] + PAYLOAD, f + PAYLOAD + at, part) == 0);
        at += part;
    }
    /* what a driver should not say: the packet is dropped, and the next one goes */
    send(&d, 1, 0, 0, 5000, 16, f, 200);
    send(&d, 1, 0, 0, 190, 200, f, 200);
    send(&d, 1, 4, 1460, TCP, 16, f, 4000);     /* IPv6, which it is not, and was not negotiated */
    send(&d, 1, 1, 1460, TCP, 16, f, 40);       /* no room for TCP's header */
    f[TCP + 12] = 0xf0;
    send(&d, 1, 1, 1460, TCP, 16, f, PAYLOAD + 2);
    CHECK_EQ(far.count, 4);
    make_packet(f, 5);
    send(&d, 0, 0, 0, 0, 0, f, PAYLOAD + 5);
    CHECK_EQ(far.count, 5);
    CHECK_EQ(vd_status(&d), 0xf);
    stop_net(&d);
}

static void test_receive(void)
{
    static u8 f[2000];
    struct vd d;
    start_net(&d);
    struct net_wire *w = d.r.platform.nic[0].wire;
    make_packet(f, 446);
    net_put16(f + TCP + 16, ~net_sum(f + TCP, 466));
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        ready_net(&d, layouts[i] | F_MERGE | F_GUEST_CSUM);
        net_send(w, NET_BACKEND, f, 500);       /* waits for buffers: 512 bytes with the header */
        vd_wait(&d);
        for (unsigned n = 0; n < 3; n++)
            vd_add(&d, 0, &(struct vd_piece){ BUFFER + 0x1000 * n, 200, true }, 1);
        vd_kick(&d, 0);
        vd_wait(&d);
        CHECK_EQ(vd_used(&d, 0, 1), 200);
        CHECK_EQ(vd_used(&d, 0, 1), 200);
        CHECK_EQ(vd_used(&d, 0, 1), 112);
        CHECK_EQ(vd_peek(&d, BUFFER + 10, 2), 3);
        CHECK_EQ(vd_peek(&d, BUFFER, 1), 2);    /* DATA_VALID */
        CHECK_EQ(vd_peek(&d, BUFFER + 0x1000, 1), f[188]);
        CHECK_EQ(vd_peek(&d, BUFFER + 0x2000 + 111, 1), f[499]);
        vd_add(&d, 0, &(struct vd_piece){ BUFFER, 200, true }, 1);      /* too small: dropped, and the buffer stays */
        net_send(w, NET_BACKEND, f, 500);
        vd_wait(&d);
        CHECK_EQ(vd_used(&d, 0, 1), (u64)-1);
        net_send(w, NET_BACKEND, f, 100);
        vd_wait(&d);
        CHECK_EQ(vd_used(&d, 0, 1), 112);
    }
    stop_net(&d);
}

static u8 control(struct vd *d, u8 class, u8 command, const void *data, u32 len)
{
    u8 head[2] = { class, command };
    physmap_write(&d->r.map, HEADER, head, 2);
    physmap_write(&d->r.map, BUFFER, data, len);
    struct vd_piece p[3] = { { HEADER, 2, false }, { BUFFER, len, false }, { ANSWER, 1, true } };
    vd_poke(d, ANSWER, 1, 0xee);
    CHECK_EQ(vd_exchange(d, 2, p, 3), 1);
    return vd_peek(d, ANSWER, 1);
}

static bool arrives(struct vd *d, const char *address)
{
    u8 f[60] = { 0 };
    memcpy(f, address, 6);
    vd_add(d, 0, &(struct vd_piece){ BUFFER + 0x1000, 100, true }, 1);
    vd_kick(d, 0);
    net_send(d->r.platform.nic[0].wire, NET_BACKEND, f, sizeof f);
    vd_wait(d);
    return vd_used(d, 0, 1) == 72;
}

static void test_filter(void)
{
    static const u8 table[] = { 1, 0, 0, 0, 2, 0, 0, 0, 0, 7, 1, 0, 0, 0, 1, 0, 0, 0, 0, 9 };
    struct vd d;
    start_net(&d);
    ready_net(&d, PLAIN | F_CONTROL);
    CHECK(arrives(&d, "\2\0\0\0\0\5"));         /* promiscuous until told otherwise */
    CHECK_EQ(control(&d, 0, 0, "\0", 1), 0);
    CHECK(!arrives(&d, "\2\0\0\0\0\5"));
    CHECK(arrives(&d, "\x52\x54\0\1\2\3"));
    CHECK(arrives(&d, "\xff\xff\xff\xff\xff\xff"));
    CHECK(!arrives(&d, "\1\0\0\0\0\x9"));
    CHECK_EQ(control(&d, 1, 0, table, sizeof table), 0);
    CHECK(arrives(&d, "\1\0\0\0\0\x9"));
    CHECK(arrives(&d, "\2\0\0\0\0\7"));
    CHECK(!arrives(&d, "\2\0\0\0\0\x8"));
    CHECK_EQ(control(&d, 1, 1, "\2\0\0\0\0\x8", 6), 0);
    CHECK(arrives(&d, "\2\0\0\0\0\x8"));
    CHECK_EQ(control(&d, 0, 5, "\1", 1), 0);
    CHECK(!arrives(&d, "\xff\xff\xff\xff\xff\xff"));
    CHECK_EQ(control(&d, 0, 9, "\1", 1), 1);
    CHECK_EQ(control(&d, 1, 0, "\xff\xff\xff\xff", 4), 1);
    CHECK_EQ(control(&d, 9, 9, "\1", 1), 1);
    stop_net(&d);
}

/* The plug is pulled: the configuration changes, and says so. */
static void test_link(void)
{
    struct vd d;
    start_net(&d);
    ready_net(&d, PLAIN | 1 << 16);
    u8 generation = vd_get(&d, 21, 1);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 6, 2), 1);
    net_set_link(d.r.platform.nic[0].wire, false);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 6, 2), 0);
    CHECK(vd_get(&d, 21, 1) != generation);
    CHECK(vd_pin(&d));
    CHECK_EQ(vd_get(&d, VD_ISR, 1), 2);
    stop_net(&d);
}

/* --- several pairs of queues --- */

static void test_pairs(void)
{
    struct vd d;
    vd_init(&d);
    struct net_wire *w = net_new("n", &d.r.clock);
    far.count = 0;
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = take_frame, .opaque = &far });
    d.r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .wire = w, .pairs = 2 };
    vd_power_on(&d);
    CHECK(vd_offered(&d) & BIT(22));
    CHECK_EQ(vd_get(&d, VD_CONFIG + 8, 2), 2);
    ready_net(&d, PLAIN | F_CONTROL);           /* a driver that knows of one pair has the control queue behind it */
    CHECK_EQ(vd_get(&d, 18, 2), 5);
    vd_poke(&d, HEADER, 2, 4);
    vd_poke(&d, HEADER + 2, 2, 2);
    struct vd_piece command[3] = { { HEADER, 2, false }, { HEADER + 2, 2, false }, { ANSWER, 1, true } };
    CHECK_EQ(vd_exchange(&d, 2, command, 3), 1);
    CHECK_EQ(vd_peek(&d, ANSWER, 1), 1);        /* and may not have two */
    CHECK(vd_negotiate(&d, PLAIN | F_CONTROL | BIT(22)));
    for (unsigned q = 0; q < 4; q++)
        vd_queue(&d, q, 64);
    vd_go(&d);
    u8 f[100];
    for (unsigned i = 0; i < 20; i++)
        for (unsigned q = 0; q < 4; q += 2)
            vd_add(&d, q, &(struct vd_piece){ BUFFER, 2000, true }, 1);
    make_packet(f, 20);
    for (unsigned i = 0; i < 10; i++)
        net_send(w, NET_BACKEND, f, PAYLOAD + 20);
    vd_wait(&d);
    for (unsigned i = 0; i < 10; i++)
        CHECK(vd_used(&d, 0, 1) > 0);           /* until the driver says otherwise: the first pair */
    CHECK_EQ(vd_used(&d, 2, 1), -1);
    for (unsigned q = 1; q < 4; q += 2) {       /* all transmit */
        unsigned before = far.count;
        vd_poke(&d, HEADER, 8, 0);
        vd_poke(&d, HEADER + 8, 4, 0);
        physmap_write(&d.r.map, BUFFER, f, PAYLOAD + 20);
        struct vd_piece p[2] = { { HEADER, 12, false }, { BUFFER, PAYLOAD + 20, false } };
        CHECK_EQ(vd_exchange(&d, q, p, 2), 0);
        CHECK_EQ(far.count, before + 1);
    }
    rig_fini(&d.r);
    net_free(w);
}

/* Whichever queue found the wire full goes on when it has room again, also one that the driver does not receive by. */
static bool open_now;
static bool is_open(void *opaque) { return open_now; }

static void test_full_wire(void)
{
    struct vd d;
    u8 f[60] = { 0 };
    vd_init(&d);
    struct net_wire *w = net_new("n", &d.r.clock);
    far.count = 0;
    open_now = false;
    net_attach(w, NET_BACKEND, &(struct net_end){ .ready = is_open, .receive = take_frame, .opaque = &far });
    d.r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .wire = w, .pairs = 2 };
    vd_power_on(&d);
    CHECK(vd_negotiate(&d, PLAIN | BIT(22)));
    for (unsigned q = 0; q < 4; q++)
        vd_queue(&d, q, 64);
    vd_go(&d);
    while (net_room(w, NET_NIC))
        net_send(w, NET_NIC, f, sizeof f);
    struct vd_piece p[2] = { { HEADER, 12, false }, { BUFFER, 60, false } };
    vd_poke(&d, HEADER, 8, 0);
    vd_poke(&d, HEADER + 8, 4, 0);
    vd_add(&d, 3, p, 2);
    vd_kick(&d, 3);
    vd_wait(&d);
    CHECK_EQ(vd_used(&d, 3, 2), -1);
    open_now = true;
    net_wake(w, NET_BACKEND);
    vd_wait(&d);
    CHECK_EQ(vd_used(&d, 3, 2), 0);
    CHECK_EQ(far.count, NET_QUEUE_FRAMES + 1);
    rig_fini(&d.r);
    net_free(w);
}

/* Of a wire that takes time, the driver may know how fast it is; of another, nobody does. */
static void test_speed(void)
{
    struct net_wire *w;
    struct vd d;
    start_net(&d);
    CHECK(!(vd_offered(&d) & NET_F_SPEED_DUPLEX));
    stop_net(&d);
    vd_init(&d);
    w = net_new("n", &d.r.clock);
    net_set_speed(w, 10000000000, 0);
    d.r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .wire = w };
    vd_power_on(&d);
    CHECK(vd_offered(&d) & NET_F_SPEED_DUPLEX);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 12, 4), 10000);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 16, 1), 1);
    stop_net(&d);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "transmit", test_transmit }, { "receive", test_receive }, { "filter", test_filter }, { "link", test_link }, { "pairs", test_pairs },
        { "full_wire", test_full_wire },
        { "speed", test_speed }, { NULL, NULL },
    };
    return check_main(argc, argv, "virtio_net", tests);
}
