/* SPDX-License-Identifier: MIT */
/*
 * vhost-user when something is wrong: the driver makes no sense, or takes its queue away; the back-end dies with requests in its hands,
 * hangs, trickles, and lies in every way that it has.
 */
#include "vhost_rig.h"

/* --- a driver that makes no sense --- */

static void test_hostile_driver(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    s64 used;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 0, 0));
    ready_disk(&d, PLAIN, 8);
    struct vd_piece nowhere[3] = { { HEADER, 16, false }, { VD_RAM - 256, 512, true }, { ANSWER, 1, true } };
    vd_poke(&d, ANSWER, 1, 0xee);
    vd_add(&d, 0, nowhere, 3);
    vd_kick(&d, 0);
    CHECK_EQ(wait_used(&d, 0, 3), 1);
    CHECK_EQ(answer_of(&d, 0), 1);                  /* the request alone fails, and the back-end never saw it */
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    vd_descriptor(&d, d.q[0].desc, HEADER, 16, D_NEXT, 0);      /* goes round */
    vd_poke(&d, d.q[0].driver + 4 + 2 * (d.q[0].avail % 8), 2, 0);
    vd_poke(&d, d.q[0].driver + 2, 2, d.q[0].avail + 1);
    vd_kick(&d, 0);
    CHECK(vd_status(&d) & VIRTIO_NEEDS_RESET);
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    vd_poke(&d, d.q[0].driver + 2, 2, d.q[0].avail + 1000);     /* jumps */
    vd_kick(&d, 0);
    CHECK(vd_status(&d) & VIRTIO_NEEDS_RESET);
    CHECK_EQ(vhost_fds(backend(&d), &(struct pollfd){ 0 }, 1), 0);  /* nobody would answer: an idle machine must not be woken */
    for (unsigned i = 0; i < 50; i++) {             /* reset in the middle of requests */
        ready_disk(&d, PLAIN, 64);
        for (unsigned n = 0; n < 8; n++)
            send_request(&d, n, n % 2, n, 512);
    }
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    stop_machine(&d);
    vb_stop(pid);
}

/* --- a back-end that dies --- */

static void check_written(struct vd *d, unsigned requests)
{
    u8 sector[512];
    FILE *f = fopen(image, "r");
    for (unsigned n = 0; n < requests; n++) {
        fseek(f, 512 * (100 + n), SEEK_SET);
        CHECK_EQ(fread(sector, 1, 512, f), 512);
        CHECK_EQ(*(u32 *)sector, 0xabcd0000 + n);
    }
    fclose(f);
}

static void test_death(void)
{
    enum { REQUESTS = 20 };
    for (unsigned after = 0; after < 6; after++) {
        struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .vice = VB_DIES, .after = after };
        struct vd d;
        u32 seen = 0;
        pid_t pid = vb_start(&b);
        CHECK(start_machine(&d, 5000, 0));
        ready_disk(&d, PLAIN, 128);
        check_context("it dies after %u requests", after);
        for (unsigned n = 0; n < REQUESTS; n++) {
            vd_poke(&d, BUFFER + 0x1000 * n, 8, 0xabcd0000 + n);
            send_request(&d, n, 1, 100 + n, 512);
        }
        while (waitpid(pid, NULL, WNOHANG) == 0)
            let_time_pass(&d);
        for (unsigned i = 0; i < 10; i++)
            let_time_pass(&d);
        CHECK(vhost_waits(backend(&d)));
        b.after += 3;                   /* the next one dies too */
        pid = vb_start(&b);
        while (waitpid(pid, NULL, WNOHANG) == 0)
            let_time_pass(&d);
        b.vice = VB_NONE;
        pid = vb_start(&b);
        for (unsigned n = 0; n < REQUESTS; n++)
            seen += wait_used(&d, 0, 3) >= 0;
        CHECK_EQ(seen, REQUESTS);
        CHECK_EQ(vd_used(&d, 0, 3), -1);                /* none twice */
        for (unsigned n = 0; n < REQUESTS; n++)
            CHECK_EQ(answer_of(&d, n), 0);
        check_written(&d, REQUESTS);
        CHECK_EQ(vd_status(&d), 0xf);
        stop_machine(&d);
        vb_stop(pid);
    }
}

/* It does not come back: requests fail, those of later too, and with a new one the driver has a disk again. */
static void test_gone(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .vice = VB_DIES, .after = 2 };
    struct vd d;
    s64 used;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 200, 0));
    ready_disk(&d, PLAIN, 128);
    for (unsigned n = 0; n < 5; n++)
        send_request(&d, n, 0, n, 512);
    for (unsigned n = 0; n < 5; n++)
        CHECK(wait_used(&d, 0, 3) >= 0);
    for (unsigned n = 2; n < 5; n++)
        CHECK_EQ(answer_of(&d, n), 1);
    CHECK_EQ(request(&d, 0, 0, 512, &used), 1);
    CHECK(!vhost_waits(backend(&d)));
    waitpid(pid, NULL, 0);
    b.vice = VB_NONE;
    pid = vb_start(&b);
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    stop_machine(&d);
    vb_stop(pid);
}

/* --- a message that comes in pieces, while signals come too --- */

static void no_handler(int sig) { }

static void send_in_pieces(int socket, unsigned pause_ms)
{
    struct vhost_message m = { .request = VHOST_USER_GET_FEATURES, .flags = VHOST_VERSION | VHOST_REPLY, .size = 8, .value = 0x1234 };
    const u8 *bytes = (const u8 *)&m;
    for (unsigned i = 0; i < VHOST_HEADER + 8; i += 2, usleep(1000 * pause_ms))
        if (write(socket, bytes + (i < VHOST_HEADER ? i : i - VHOST_HEADER + offsetof(struct vhost_message, value)), 2) != 2)
            _exit(1);
    _exit(0);
}

static void test_signals(void)
{
    struct sigaction quiet = { .sa_handler = no_handler }, before;
    struct vhost_message m;
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t pid = fork();
    if (!pid)
        send_in_pieces(ends[1], 3);
    sigaction(SIGALRM, &quiet, &before);
    ualarm(1000, 1000);
    const char *why = vhost_message_receive(ends[0], &m);
    ualarm(0, 0);
    sigaction(SIGALRM, &before, NULL);
    check_context("%s", why ? why : "");
    CHECK(!why);
    CHECK_EQ(m.value, 0x1234);
    close(ends[0]);
    close(ends[1]);
    waitpid(pid, NULL, 0);
}

/* Each piece comes in time, the whole does not. */
static void test_trickle(void)
{
    struct timeval patience = { 0, 100000 };
    struct vhost_message m;
    u64 begun = now_ms();
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    pid_t pid = fork();
    if (!pid)
        send_in_pieces(ends[1], 80);
    CHECK(vhost_message_receive(ends[0], &m));
    CHECK(now_ms() - begun < 400);
    close(ends[0]);
    close(ends[1]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- a queue that is taken away while the back-end has it --- */

/* By the legacy interface a driver can: page 0. What was under way must not reach the memory of the next driver. */
static void test_queue_taken_away(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .vice = VB_HANGS };
    struct vd d;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 5000, 0));
    ready_disk(&d, PLAIN, 8);
    send_request(&d, 0, 0, 0, 512);
    out16(&d.r, VD_PORTS + 14, 0);
    out32(&d.r, VD_PORTS + 8, 0);
    CHECK(vd_status(&d) & VIRTIO_NEEDS_RESET);
    vb_stop(pid);
    b.vice = VB_NONE;
    pid = vb_start(&b);
    ready_disk(&d, PLAIN, 8);
    vd_poke(&d, ANSWER, 1, 0xee);
    for (unsigned i = 0; i < 20; i++)
        let_time_pass(&d);
    CHECK_EQ(vd_used(&d, 0, 3), -1);
    CHECK_EQ(answer_of(&d, 0), 0xee);
    send_request(&d, 0, 0, 0, 512);
    CHECK_EQ(wait_used(&d, 0, 3), 513);
    stop_machine(&d);
    vb_stop(pid);
}

/* A driver that is ready before its queue is. */
static void test_late_queue(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    s64 used;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 300, 0));
    for (unsigned i = 0; i < 3; i++) {
        CHECK(vd_negotiate(&d, PLAIN));
        vd_go(&d);
        vd_queue(&d, 0, 8);
        CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
        CHECK_EQ(used, 513);
    }
    stop_machine(&d);
    vb_stop(pid);
}

/* --- one that lies --- */

static void test_vices(void)
{
    for (enum vb_vice vice = VB_HANGS; vice < VB_VICES; vice++)
        for (unsigned after = 0; after < (vice < VB_SILENT ? 2 : 16); after += vice < VB_SILENT ? 1 : 3) {
            struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .vice = vice, .after = after };
            struct vd d;
            s64 used;
            pid_t pid = vb_start(&b);
            u64 begun = now_ms();
            check_context("vice %u after %u", vice, after);
            if (start_machine(&d, 250, 0)) {
                ready_disk(&d, PLAIN, 8);
                for (unsigned n = 0; n < 3; n++)
                    CHECK(request(&d, 0, 0, 512, &used) <= 1);      /* done, or refused; but answered */
                vd_set_status(&d, 0);
                CHECK_EQ(vd_status(&d), 0);
                stop_machine(&d);
            } else {
                CHECK(*d.r.err.text);
                rig_fini(&d.r);
            }
            CHECK(now_ms() - begun < 15000);          /* half of the patience that is usual; the host may be busy */
            vb_stop(pid);
        }
}

/* --- nonsense over the socket --- */

static u64 nonsense_seed;

/* An answer that is almost right, or not at all. */
static void babble(struct vb *b, u64 *random)
{
    struct vhost_message m;
    u8 bytes[512];
    while (!vhost_message_receive(b->socket, &m)) {
        u64 r = check_random(random);
        vhost_message_close_fds(&m);
        if (r % 32 == 0)
            return;
        if (!(m.flags & VHOST_NEED_REPLY) && m.request == VHOST_USER_SET_PROTOCOL_FEATURES && r % 8)
            continue;
        m.flags = VHOST_VERSION | VHOST_REPLY;
        m.size = m.request == VHOST_USER_GET_CONFIG ? m.size : 8;
        m.value = m.request == VHOST_USER_GET_FEATURES ? ~(u64)0 : m.request == VHOST_USER_GET_PROTOCOL_FEATURES ? 0xffff : r % 16 ? 0 : r >> 8;
        if (r % 16 == 1)
            ((u8 *)&m)[r >> 8 & 15] ^= 1 << (r >> 16 & 7);
        if (r % 16 == 2) {
            for (unsigned i = 0; i < sizeof bytes; i += 8)
                *(u64 *)(bytes + i) = check_random(random);
            if (write(b->socket, bytes, r >> 32 & 511) < 0)
                return;
            continue;
        }
        if (m.size <= VHOST_PAYLOAD_MAX)
            vhost_message_send(b->socket, &m);
    }
}

static void run_nonsense(struct vb *b)
{
    u64 random = nonsense_seed;
    for (;;) {
        b->socket = accept(b->listener, NULL, NULL);
        babble(b, &random);
        close(b->socket);
    }
}

static void test_nonsense(void)
{
    struct vb b = { .path = path };
    struct vd d;
    unsigned rounds = check_rounds(100), devices = 0;
    nonsense_seed = check_seed() | 1;
    signal(SIGPIPE, SIG_IGN);
    pid_t pid = vb_fork(&b, run_nonsense);
    for (unsigned i = 0; i < rounds; i++) {
        struct error err;
        vd_init(&d);
        struct vhost *h = vhost_new(vhost_user_new(path), path, (struct vhost_patience){ 25, 25 }, &err);
        if (h) {
            devices++;
            d.r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_VHOST_BLK, .vhost = h, .queues = 8 };
            vd_power_on(&d);
            vd_negotiate(&d, PLAIN | (vd_offered(&d) & BIT(12)));
            for (unsigned q = 0; q < 4 && q < vd_get(&d, 18, 2); q++)
                vd_queue(&d, q, 8);
            vd_go(&d);
            send_request(&d, 0, 0, 0, 512);
            for (unsigned n = 0; n < 3; n++)
                let_time_pass(&d);
        }
        rig_fini(&d.r);
        vhost_free(h);
    }
    CHECK(devices > 0);
    vb_stop(pid);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "hostile_driver", test_hostile_driver }, { "death", test_death }, { "gone", test_gone },
        { "queue_taken_away", test_queue_taken_away }, { "late_queue", test_late_queue },
        { "signals", test_signals }, { "trickle", test_trickle }, { "vices", test_vices },
        { "nonsense", test_nonsense }, { NULL, NULL },
    };
    return vhost_main(argc, argv, "vhost_faults", tests);
}
