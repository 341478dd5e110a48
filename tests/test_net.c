/* SPDX-License-Identifier: MIT */
/* The network without a processor: wires, back-ends and captures. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "devices/net/net_backend.h"
#include "devices/net/net_checksum.h"
#include "devices/net/net_pcap.h"
#include "wire_recorder.h"

#define HZ 1000000000u      /* a cycle is a nanosecond */

static void test_wire(void)
{
    struct clock c;
    static struct seen s;
    u8 frame[100] = { 1, 2, 3 };
    clock_init(&c, HZ);
    struct net_wire *w = net_new("w", &c);
    net_send(w, NET_NIC, frame, 60);        /* nobody is there */
    CHECK_EQ(w->lane[NET_BACKEND].dropped, 1);
    attach(w, NET_BACKEND, &s);
    net_send(w, NET_NIC, frame, 10);
    CHECK_EQ(s.count, 0);                   /* never from within net_send() */
    frame[0] = 9;
    net_send(w, NET_NIC, frame, 100);
    run_clock(&c, 1);
    CHECK_EQ(s.count, 2);
    CHECK_EQ(s.len[0], NET_FRAME_MIN);
    CHECK_EQ(s.data[0][0], 1);
    CHECK_EQ(s.data[0][10], 0);
    CHECK_EQ(s.data[1][0], 9);
    CHECK_EQ(s.len[1], 100);
    net_send(w, NET_NIC, frame, 0);
    net_send(w, NET_NIC, frame, NET_FRAME_MAX + 1);
    CHECK_EQ(w->lane[NET_BACKEND].dropped, 3);
    net_set_link(w, false);
    CHECK_EQ(s.link, 0);
    net_send(w, NET_NIC, frame, 60);
    net_set_link(w, true);
    run_clock(&c, 1);
    CHECK_EQ(s.count, 2);
    net_free(w);
    clock_fini(&c);
}

static void test_wire_pressure(void)
{
    struct clock c;
    static struct seen s, sender;
    u8 frame[60] = { 0 };
    unsigned sent = 0;
    clock_init(&c, HZ);
    struct net_wire *w = net_new("w", &c);
    attach(w, NET_BACKEND, &s);
    attach(w, NET_NIC, &sender);
    s.busy = true;
    for (; net_room(w, NET_NIC) && sent < 100000; sent++)
        net_send(w, NET_NIC, frame, 60);
    CHECK_EQ(sent, NET_QUEUE_FRAMES);
    net_send(w, NET_NIC, frame, 60);
    CHECK_EQ(w->lane[NET_BACKEND].dropped, 1);
    run_clock(&c, 1000);
    CHECK_EQ(s.count, 0);
    CHECK_EQ(sender.rooms, 0);
    s.busy = false;
    net_wake(w, NET_BACKEND);
    run_clock(&c, 1000);
    CHECK_EQ(s.count, sent);
    CHECK_EQ(sender.rooms, 1);
    net_free(w);
    clock_fini(&c);
}

/* 10 Gb/s: 125 bytes take 100 ns, and the signal 50 ns. */
static void test_wire_speed(void)
{
    struct clock c;
    static struct seen s;
    u8 frame[125] = { 0 };
    clock_init(&c, HZ);
    struct net_wire *w = net_new("w", &c);
    attach(w, NET_BACKEND, &s);
    net_set_speed(w, 10000000000u, 50);
    for (int i = 0; i < 3; i++)
        net_send(w, NET_NIC, frame, 125);
    run_clock(&c, 1000);
    CHECK_EQ(s.count, 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(s.when[i], 150 + 100 * i);
    net_free(w);
    clock_fini(&c);
}

static void test_hub(void)
{
    struct clock c;
    struct error err;
    struct net_room room = { NULL };
    static struct seen s[3];
    struct net_wire *w[3];
    struct net_backend *b[3];
    const char *one[] = { "hubid=1" }, *other[] = { "hubid=2" };
    u8 frame[60] = { 7 };
    clock_init(&c, HZ);
    for (int i = 0; i < 3; i++) {
        w[i] = net_new("w", &c);
        b[i] = net_hub_ops.open(w[i], &room, i == 2 ? other : one, 1, &err);
        attach(w[i], NET_NIC, &s[i]);
    }
    net_send(w[0], NET_NIC, frame, 60);
    run_clock(&c, 10);
    CHECK_EQ(s[0].count, 0);
    CHECK_EQ(s[1].count, 1);
    CHECK_EQ(s[2].count, 0);
    for (int i = 0; i < 3; i++)
        b[i]->ops->close(b[i]);
    CHECK(room.hubs == NULL);
    for (int i = 0; i < 3; i++)
        net_free(w[i]);
    clock_fini(&c);
}

static void test_pcap(void)
{
    struct clock c;
    struct error err;
    static struct seen s;
    char path[] = "/tmp/emu-test-pcap-XXXXXX";
    struct { u32 file[6], head[4]; u8 data[32]; u32 head2[4]; } got;
    u8 frame[64] = { 0xab };
    clock_init(&c, HZ);
    struct net_wire *w = net_new("w", &c);
    attach(w, NET_BACKEND, &s);
    close(mkstemp(path));
    struct net_pcap *p = net_pcap_open(w, path, 1000, 32, &err);
    c.now = 2 * (cycles_t)HZ + 5;
    net_send(w, NET_NIC, frame, 64);
    net_send(w, NET_NIC, frame, 64);
    net_free(w);
    net_pcap_close(p);
    FILE *f = fopen(path, "rb");
    CHECK_EQ(fread(&got, 1, sizeof got, f), sizeof got);
    fclose(f);
    unlink(path);
    CHECK_EQ(got.file[0], 0xa1b23c4d);
    CHECK_EQ(got.file[1], 4 << 16 | 2);
    CHECK_EQ(got.file[5], 1);
    CHECK_EQ(got.head[0], 1002);
    CHECK_EQ(got.head[1], 5);
    CHECK_EQ(got.head[2], 32);
    CHECK_EQ(got.head2[3], 64);
    CHECK_EQ(got.data[0], 0xab);
    clock_fini(&c);
}

static void test_checksum(void)
{
    static const u8 rfc1071[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };    /* its example: ddf2 */
    u8 bytes[300];
    u64 seed = check_seed();
    CHECK_EQ(net_sum(rfc1071, 8), 0xddf2);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = check_random(&seed);
    for (u32 len = 0; len <= sizeof bytes; len++) {
        u32 sum = 0;
        for (u32 i = 0; i < len; i++)
            sum += bytes[i] << (i & 1 ? 0 : 8);
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        check_context("%u bytes", len);
        CHECK_EQ(net_sum(bytes, len), sum);
    }
}

/* --- the user-mode network, without sockets: all of it is in this process --- */

static const u8 guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

static u32 make_udp(u8 *f, u32 from, u32 to, u16 from_port, u16 to_port, const void *data, u32 len)
{
    memset(f, 0, 42);
    memset(f, 0xff, 6);
    memcpy(f + 6, guest_mac, 6);
    net_put16(f + 12, 0x0800);
    f[14] = 0x45;
    net_put16(f + 16, 28 + len);
    f[22] = 64;
    f[23] = 17;
    net_put32(f + 26, from);
    net_put32(f + 30, to);
    net_put16(f + 24, ~net_sum(f + 14, 20));
    net_put16(f + 34, from_port);
    net_put16(f + 36, to_port);
    net_put16(f + 38, 8 + len);
    memcpy(f + 42, data, len);
    return 42 + len;
}

static u32 make_discover(u8 *f)
{
    u8 bootp[300] = { 1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78 };
    static const u8 options[] = { 99, 130, 83, 99, 53, 1, 1, 255 };
    memcpy(bootp + 28, guest_mac, 6);
    memcpy(bootp + 236, options, sizeof options);
    return make_udp(f, 0, 0xffffffff, 68, 67, bootp, sizeof bootp);
}

static void test_user(void)
{
    struct clock c;
    struct error err = { "" };
    struct net_room room = { NULL };
    static struct seen s;
    u8 frame[600];
    char folder[] = "/tmp/emu-test-tftp-XXXXXX", option[80], path[80];
    if (!mkdtemp(folder))
        SKIP("no folder for files");
    snprintf(option, sizeof option, "tftp=%s", folder);
    snprintf(path, sizeof path, "%s/kernel", folder);
    FILE *f = fopen(path, "w");
    fputs("boot me", f);
    fclose(f);
    const char *words[] = { "net=10.7.0.0/16", "bootfile=/kernel", option };
    clock_init(&c, HZ);
    struct net_wire *w = net_new("w", &c);
    struct net_backend *b = net_user_ops.open(w, &room, words, 3, &err);
    if (!b)
        SKIP("%s", err.text);
    attach(w, NET_NIC, &s);

    net_send(w, NET_NIC, frame, make_discover(frame));
    run_clock(&c, 1000);
    CHECK_EQ(s.count, 1);
    CHECK_EQ(net_get32(s.data[0] + 42 + 16), 0x0a07000f);       /* yiaddr: number 15 */
    CHECK_EQ(net_get32(s.data[0] + 42 + 20), 0x0a070002);       /* siaddr: the host */
    CHECK_STR((char *)s.data[0] + 42 + 108, "/kernel");

    static const char request[] = "\0\1/kernel\0octet";
    net_send(w, NET_NIC, frame, make_udp(frame, 0x0a07000f, 0x0a070002, 1000, 69, request, sizeof request));
    run_clock(&c, 1000);
    CHECK_EQ(s.count, 2);
    CHECK_EQ(net_get32(s.data[1] + 42), 0x00030001);            /* DATA, block 1 */
    CHECK(memcmp(s.data[1] + 46, "boot me", 7) == 0);
    CHECK(!b->ops->waits(b));                                   /* nobody outside was asked */
    b->ops->close(b);
    net_free(w);
    CHECK_EQ(clock_deadline(&c), CLOCK_NEVER);
    clock_fini(&c);
    unlink(path);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "wire", test_wire }, { "wire_pressure", test_wire_pressure }, { "wire_speed", test_wire_speed },
        { "hub", test_hub }, { "pcap", test_pcap }, { "checksum", test_checksum }, { "user", test_user },
        { NULL, NULL },
    };
    return check_main(argc, argv, "net", tests);
}
