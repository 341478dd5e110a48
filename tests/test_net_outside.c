/* SPDX-License-Identifier: MIT */
/* Wires that lead out of this process: sockets to another emulator (two ends in this process here), and an interface of the host's. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "devices/net/net_backend.h"
#include "devices/net/net_checksum.h"
#include "wire_recorder.h"

static char folder[] = "/tmp/emu-test-outside-XXXXXX";

/* --- one end: a wire, its back-end, a recorder where the adapter would be --- */

struct end { struct net_wire *wire; struct net_backend *backend; struct seen seen; };

static bool open_end(struct end *e, struct clock *c, const struct net_backend_ops *ops, const char *words)
{
    static char text[2][400];
    static unsigned turn;
    struct net_room room = { 0 };
    struct error err;
    const char *word[16];
    unsigned n = 0;
    char *copy = text[turn++ % 2], *save;
    snprintf(copy, sizeof text[0], "%s", words);
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
        word[n++] = w;
    e->wire = net_new("n", c);
    attach(e->wire, NET_NIC, &e->seen);
    e->backend = ops->open(e->wire, &room, word, n, &err);
    if (e->backend)
        return true;
    check_context("%s", err.text);
    net_free(e->wire);
    return false;
}

static void close_end(struct end *e)
{
    e->backend->ops->close(e->backend);
    net_free(e->wire);
}

static void turn(struct clock *c, struct end *a, struct end *b)
{
    a->backend->ops->poll(a->backend);
    if (b)
        b->backend->ops->poll(b->backend);
    run_clock(c, 1000);
}

static void fill(u8 *frame, u32 len, unsigned n)
{
    for (u32 i = 0; i < len; i++)
        frame[i] = i * 3 + n;
}

/* Frames of all sizes both ways, in order, none lost. */
static void exchange(struct clock *c, struct end *a, struct end *b, u32 longest)
{
    static u8 frame[NET_FRAME_MAX];
    for (unsigned n = 0; n < 400; n++) {
        u32 len = n % 50 == 7 ? longest : 60 + n * 4;
        struct end *from = n % 3 ? a : b, *to = n % 3 ? b : a;
        unsigned before = to->seen.count;
        fill(frame, len, n);
        net_send(from->wire, NET_NIC, frame, len);
        for (unsigned i = 0; i < 10000 && to->seen.count == before; i++)
            turn(c, a, b);
        CHECK_EQ(to->seen.count, before + 1);
        CHECK_EQ(to->seen.len[before % 64], len);
        if (!CHECK(memcmp(to->seen.data[before % 64], frame, len < 2048 ? len : 2048) == 0))
            return;
    }
    for (unsigned n = 0; n < 500; n++) {        /* more than fits at once */
        fill(frame, 1514, n);
        net_send(a->wire, NET_NIC, frame, 1514);
    }
    unsigned before = b->seen.count;
    for (unsigned i = 0; i < 100000 && b->seen.count < before + 500; i++)
        turn(c, a, b);
    CHECK_EQ(b->seen.count, before + 500);
}

static void pair(const struct net_backend_ops *ops, const char *first, const char *second, u32 longest)
{
    struct clock c;
    struct end a, b;
    clock_init(&c, 1000000000);
    if (CHECK(open_end(&a, &c, ops, first)) && CHECK(open_end(&b, &c, ops, second))) {
        exchange(&c, &a, &b, longest);
        struct pollfd fds[4];
        CHECK_EQ(a.backend->ops->fds(a.backend, fds, 4), 1);
        CHECK(a.backend->ops->waits(a.backend));
        run_clock(&c, 10000000000);
        CHECK(!a.backend->ops->waits(a.backend));
        close_end(&b);
        close_end(&a);
    }
    clock_fini(&c);
}

static void test_stream(void)
{
    char first[200], second[200];
    snprintf(first, sizeof first, "server=on,addr.type=unix,addr.path=%s/s", folder);
    snprintf(second, sizeof second, "server=off,addr.type=unix,addr.path=%s/s", folder);
    pair(&net_stream_ops, first, second, NET_FRAME_MAX);
    snprintf(first, sizeof first, "%s/s", folder);
    CHECK(access(first, F_OK) != 0);        /* taken away again */
}

/* Any port of a few; somebody may have the first. */
static void test_socket(void)
{
    for (unsigned port = 23170; port < 23190; port++) {
        char first[64], second[64];
        struct clock c;
        struct end a;
        clock_init(&c, 1000000000);
        snprintf(first, sizeof first, "listen=127.0.0.1:%u", port);
        snprintf(second, sizeof second, "connect=localhost:%u", port);
        bool had = open_end(&a, &c, &net_socket_ops, first);
        if (had)
            close_end(&a);
        clock_fini(&c);
        if (!had)
            continue;
        pair(&net_socket_ops, first, second, NET_FRAME_MAX);
        return;
    }
    SKIP("no port of the loopback interface can be had");
}

static void test_socket_pair(void)
{
    int fds[2];
    char first[32], second[32];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    snprintf(first, sizeof first, "fd=%d", fds[0]);
    snprintf(second, sizeof second, "fd=%d", fds[1]);
    pair(&net_socket_ops, first, second, NET_FRAME_MAX);
}

static void test_dgram(void)
{
    char first[300], second[300];
    snprintf(first, sizeof first, "local.type=unix,local.path=%s/a,remote.type=unix,remote.path=%s/b", folder, folder);
    snprintf(second, sizeof second, "local.type=unix,local.path=%s/b,remote.type=unix,remote.path=%s/a", folder, folder);
    struct clock c;
    struct end a, b;
    u8 frame[1514];
    clock_init(&c, 1000000000);
    if (CHECK(open_end(&a, &c, &net_dgram_ops, first)) && CHECK(open_end(&b, &c, &net_dgram_ops, second))) {
        for (unsigned n = 0; n < 100; n++) {
            fill(frame, sizeof frame, n);
            net_send(a.wire, NET_NIC, frame, sizeof frame);
            for (unsigned i = 0; i < 100 && b.seen.count == n; i++)
                turn(&c, &a, &b);
            CHECK_EQ(b.seen.count, n + 1);
            CHECK(memcmp(b.seen.data[n % 64], frame, sizeof frame) == 0);
        }
        close_end(&b);
        for (unsigned n = 0; n < 10; n++) {     /* nobody is there: they are lost */
            net_send(a.wire, NET_NIC, frame, sizeof frame);
            turn(&c, &a, NULL);
        }
        close_end(&a);
    }
    clock_fini(&c);
}

/* The one that connects comes back after the other was gone. */
static void test_stream_again(void)
{
    char first[200], second[200];
    struct clock c;
    struct end a, b;
    clock_init(&c, 1000000000);
    snprintf(first, sizeof first, "server=on,addr.type=unix,addr.path=%s/s", folder);
    snprintf(second, sizeof second, "server=off,addr.type=unix,addr.path=%s/s", folder);
    CHECK(open_end(&a, &c, &net_stream_ops, first));
    CHECK(open_end(&b, &c, &net_stream_ops, second));
    exchange(&c, &a, &b, 9000);
    close_end(&a);
    for (unsigned i = 0; i < 10; i++)
        turn(&c, &b, NULL);
    CHECK(open_end(&a, &c, &net_stream_ops, first));
    for (unsigned i = 0; i < 20; i++) {
        usleep(10000);
        turn(&c, &a, &b);
    }
    exchange(&c, &a, &b, 9000);
    close_end(&a);
    close_end(&b);
    clock_fini(&c);
}

/* --- a peer that sends what it likes, cut as it likes --- */

static void test_stream_nonsense(void)
{
    u64 random = check_seed() | 1;
    unsigned rounds = getenv("EMU_SOAK") ? 20000 : 200;
    for (unsigned round = 0; round < rounds; round++) {
        int fds[2];
        char words[32];
        struct clock c;
        struct end a;
        clock_init(&c, 1000000000);
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        snprintf(words, sizeof words, "fd=%d", fds[0]);
        CHECK(open_end(&a, &c, &net_socket_ops, words));
        for (unsigned i = 0; i < 30; i++) {
            u8 bytes[3000];
            u64 r = check_random(&random);
            u32 len = r % 7 ? (r >> 8) % 2500 : r >> 32;
            fill(bytes, sizeof bytes, i);
            net_put32(bytes, len);
            u32 n = r >> 56 & 1 ? 4 + len : (r >> 40) % sizeof bytes;
            if (send(fds[1], bytes, n < sizeof bytes ? n : sizeof bytes, MSG_NOSIGNAL) < 0)
                break;
            net_send(a.wire, NET_NIC, bytes, 60 + r % 1000);
            turn(&c, &a, NULL);
        }
        close(fds[1]);
        turn(&c, &a, NULL);
        close_end(&a);
        clock_fini(&c);
    }
}

/* --- a peer that never stops, while nobody takes its frames --- */

static void test_flood(void)
{
    u8 message[10] = { 0, 0, 0, 6 };
    int fds[2], there = 0;
    char words[32];
    struct clock c;
    struct end a;
    clock_init(&c, 1000000000);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    snprintf(words, sizeof words, "fd=%d", fds[0]);
    CHECK(open_end(&a, &c, &net_socket_ops, words));
    net_set_link(a.wire, false);
    for (unsigned i = 0; i < 200; i++)
        CHECK_EQ(send(fds[1], message, sizeof message, MSG_NOSIGNAL), sizeof message);
    a.backend->ops->poll(a.backend);
    CHECK_EQ(ioctl(fds[0], FIONREAD, &there), 0);
    CHECK(there > 0);                   /* one look takes a bounded number, so the machine goes on */
    CHECK(there < 2000);
    close(fds[1]);
    close_end(&a);
    clock_fini(&c);
}

/* --- an interface that goes away --- */

static void test_tap_gone(void)
{
    int fds[2];
    char words[32];
    struct clock c;
    struct end a;
    struct pollfd p;
    u8 frame[60] = { 0 };
    clock_init(&c, 1000000000);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    snprintf(words, sizeof words, "fd=%d", fds[0]);
    CHECK(open_end(&a, &c, &net_tap_ops, words));
    CHECK_EQ(a.backend->ops->fds(a.backend, &p, 1), 1);
    close(fds[1]);
    a.backend->ops->poll(a.backend);
    CHECK_EQ(a.backend->ops->fds(a.backend, &p, 1), 0);     /* otherwise an idle machine would be woken for ever */
    net_send(a.wire, NET_NIC, frame, sizeof frame);
    turn(&c, &a, NULL);
    close_end(&a);
    clock_fini(&c);
}

/* --- a file that is in the way --- */

static void test_file_in_the_way(void)
{
    static const struct { const struct net_backend_ops *ops; const char *words; } ends[] = {
        { &net_stream_ops, "server=on,addr.type=unix,addr.path=%s" },
        { &net_dgram_ops, "local.type=unix,local.path=%s,remote.type=unix,remote.path=/nowhere" },
    };
    char path[200], words[400];
    snprintf(path, sizeof path, "%s/letter", folder);
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        struct clock c;
        struct end a;
        close(open(path, O_CREAT | O_WRONLY, 0600));
        clock_init(&c, 1000000000);
        snprintf(words, sizeof words, ends[i].words, path);
        CHECK(!open_end(&a, &c, ends[i].ops, words));
        CHECK_EQ(access(path, F_OK), 0);            /* it is no socket, but somebody's */
        unlink(path);
        clock_fini(&c);
    }
}

/* --- mistakes --- */

static void test_mistakes(void)
{
    static const struct { const struct net_backend_ops *ops; const char *words, *says; } wrong[] = {
        { &net_socket_ops, "", "leads nowhere" }, { &net_socket_ops, "listen=:0,connect=127.0.0.1:1", "give only one" },
        { &net_socket_ops, "listen=1234", "is not HOST:PORT" }, { &net_socket_ops, "fd=777", "no open descriptor" },
        { &net_socket_ops, "connect=127.0.0.1:1", "nobody listens" }, { &net_stream_ops, "server=maybe", "-netdev stream: server=maybe: give on or off" },
        { &net_stream_ops, "addr.type=unix", "leads nowhere" }, { &net_stream_ops, "addr.type=unix,addr.path=/nonexistent/s", "nobody listens" },
        { &net_stream_ops, "server=on,addr.type=unix,addr.path=/nonexistent/s", "cannot be had" }, { &net_dgram_ops, "local.type=unix", "leads nowhere" },
        { &net_tap_ops, "ifname=a-name-that-is-too-long", "at most 15" }, { &net_tap_ops, "script=/etc/up", "no scripts" }, { &net_tap_ops, "fd=777", "no open" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        struct clock c;
        struct net_room room = { 0 };
        struct error err = { "" };
        char copy[200], *save;
        const char *word[8];
        unsigned n = 0;
        clock_init(&c, 1000000000);
        struct net_wire *w = net_new("n", &c);
        snprintf(copy, sizeof copy, "%s", wrong[i].words);
        for (char *x = strtok_r(copy, ",", &save); x; x = strtok_r(NULL, ",", &save))
            word[n++] = x;
        check_context("%s %s", wrong[i].ops->name, wrong[i].words);
        CHECK(wrong[i].ops->open(w, &room, word, n, &err) == NULL);
        CHECK_CONTAINS(err.text, wrong[i].says);
        net_free(w);
        clock_fini(&c);
    }
}

/* --- an interface of the host's, in a network of this process's own --- */

static bool own_network(void)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    char map[32];
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return false;
    const char *const file[] = { "/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map" };
    for (unsigned i = 0; i < 3; i++) {
        int fd = open(file[i], O_WRONLY);
        int len = i == 0 ? snprintf(map, sizeof map, "deny") : snprintf(map, sizeof map, "0 %u 1", i == 1 ? uid : gid);
        bool ok = fd >= 0 && write(fd, map, len) == len;
        close(fd);
        if (!ok)
            return false;
    }
    return true;
}

static bool set_up_interface(const char *name, const char *address)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r = { 0 };
    struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;
    strcpy(r.ifr_name, name);
    a->sin_family = AF_INET;
    inet_pton(AF_INET, address, &a->sin_addr);
    bool ok = ioctl(s, SIOCSIFADDR, &r) == 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0;
    r.ifr_flags |= IFF_UP;
    ok = ok && ioctl(s, SIOCSIFFLAGS, &r) == 0;
    close(s);
    return ok;
}

enum { TAP_OK, TAP_NONE = 77 };

/* The host's kernel asks who has 10.9.0.2, is told, and sends a datagram, which comes back to a socket of the host's. */
static int tap_conversation(void)
{
    static const u8 mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7) };
    struct clock c;
    struct end e;
    u8 answer[1514];
    char text[16] = "";
    clock_init(&c, 1000000000);
    if (!own_network() || access("/dev/net/tun", R_OK | W_OK) || !open_end(&e, &c, &net_tap_ops, "ifname=tap9,script=no"))
        return TAP_NONE;
    if (!set_up_interface("tap9", "10.9.0.1"))
        return 1;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    if (sendto(s, "hello", 5, 0, (struct sockaddr *)&to, sizeof to) != 5)
        return 2;
    for (unsigned i = 0, seen = 0; i < 5000 && recv(s, text, sizeof text, 0) != 5; i++) {
        usleep(500);
        turn(&c, &e, NULL);
        for (; seen < e.seen.count; seen++) {
            const u8 *f = e.seen.data[seen % 64];
            u32 len = e.seen.len[seen % 64];
            memcpy(answer, f, sizeof answer);
            memcpy(answer, f + 6, 6);
            memcpy(answer + 6, mac, 6);
            if (net_get16(f + 12) == 0x806 && f[41] == 2) {     /* ARP (RFC 826) */
                answer[21] = 2;
                memcpy(answer + 22, mac, 6);
                memcpy(answer + 28, f + 38, 4);
                memcpy(answer + 32, f + 22, 10);
                net_send(e.wire, NET_NIC, answer, len);
            } else if (net_get16(f + 12) == 0x800 && f[23] == 17 && f[33] == 2) {   /* UDP: back to where it came from */
                memcpy(answer + 26, f + 30, 4);
                memcpy(answer + 30, f + 26, 4);
                memcpy(answer + 34, f + 36, 2);
                memcpy(answer + 36, f + 34, 2);
                net_send(e.wire, NET_NIC, answer, len);
            }
        }
    }
    close_end(&e);
    clock_fini(&c);
    return strcmp(text, "hello") ? 3 : TAP_OK;
}

static void test_tap(void)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(tap_conversation());
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == TAP_NONE)
        SKIP("this host lets nobody make a network namespace with an interface in it (unshare -Urn, /dev/net/tun)");
    CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "stream", test_stream }, { "socket", test_socket }, { "socket_pair", test_socket_pair }, { "dgram", test_dgram },
        { "stream_again", test_stream_again }, { "stream_nonsense", test_stream_nonsense }, { "flood", test_flood }, { "tap_gone", test_tap_gone }, { "file_in_the_way", test_file_in_the_way },
        { "mistakes", test_mistakes }, { "tap", test_tap },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "net_outside", tests);
    rmdir(folder);
    return status;
}
