/* SPDX-License-Identifier: MIT */
/*
 * vhost-user: a back-end of our own and qemu-storage-daemon serve a disk and a network, seen through a driver of our own; the back-end
 * dies with requests in its hands, hangs, and lies in every way that it has.
 */
#include <time.h>
#include <unistd.h>

#include "devices/vhost/vhost.h"
#include "vhost_backend.h"
#include "virtio_driver.h"

#define PLAIN VIRTIO_F_VERSION_1
enum { DISK = 8 << 20, HEADER = VD_DATA, ANSWER = VD_DATA + 0x8000, BUFFER = VD_DATA + 0x10000, PATIENCE_MS = 300 };
#define DISK_FEATURES (VIRTIO_F_VERSION_1 | BIT(2) | BIT(6) | BIT(9) | BIT(12))

static char folder[] = "/tmp/emu-test-vhost-XXXXXX", image[64], path[64];

static u64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* --- a machine with such a disk --- */

static struct vhost *open_backend(unsigned work_ms, struct error *err)
{
    return vhost_new(vhost_user_new(path), path, (struct vhost_patience){ PATIENCE_MS, work_ms }, err);
}

static bool start_machine(struct vd *d, unsigned work_ms, unsigned queues)
{
    vd_init(d);
    struct vhost *h = open_backend(work_ms, &d->r.err);
    if (!h)
        return false;
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_VHOST_BLK, .flavor.packed = true, .vhost = h, .queues = queues };
    vd_power_on(d);
    return true;
}

static void stop_machine(struct vd *d)
{
    struct vhost *h = d->r.platform.virtio[0].vhost ? d->r.platform.virtio[0].vhost : d->r.platform.nic[0].vhost;
    rig_fini(&d->r);
    vhost_free(h);
}

static struct vhost *backend(struct vd *d) { return d->r.platform.virtio[0].vhost ? d->r.platform.virtio[0].vhost : d->r.platform.nic[0].vhost; }

/* As the run loop: virtual time passes, what comes from outside is looked at. */
static void let_time_pass(struct vd *d)
{
    struct pollfd fds[20];
    rig_run(&d->r, 100000);
    poll(fds, vhost_fds(backend(d), fds, 20), 2);
    vhost_poll(backend(d));
}

static s64 wait_used(struct vd *d, unsigned q, unsigned slots)
{
    u64 end = now_ms() + 10000;
    s64 used;
    while ((used = vd_used(d, q, slots)) < 0 && now_ms() < end)
        let_time_pass(d);
    return used;
}

static void ready_disk(struct vd *d, u64 features, u16 size)
{
    check_context("features %llx", (unsigned long long)features);
    CHECK(vd_negotiate(d, features));
    vd_queue(d, 0, size);
    vd_go(d);
}

/* Requests with places of their own, so that several can be under way. */
static void send_request(struct vd *d, unsigned n, u32 type, u64 sector, u32 len)
{
    gpa_t header = HEADER + 16 * n, answer = ANSWER + n;
    struct vd_piece p[3] = { { header, 16, false }, { BUFFER + 0x1000 * n, len, type == 0 }, { answer, 1, true } };
    vd_poke(d, header, 8, type);
    vd_poke(d, header + 8, 8, sector);
    vd_poke(d, answer, 1, 0xee);
    if (!len)
        p[1] = p[2];
    vd_add(d, 0, p, len ? 3 : 2);
    vd_kick(d, 0);
}

static u8 answer_of(struct vd *d, unsigned n) { return vd_peek(d, ANSWER + n, 1); }

static u8 request(struct vd *d, u32 type, u64 sector, u32 len, s64 *used)
{
    send_request(d, 0, type, sector, len);
    *used = wait_used(d, 0, len ? 3 : 2);
    return answer_of(d, 0);
}

/* --- a well-behaved back-end --- */

static void exercise(struct vd *d)
{
    static const u64 layouts[] = { PLAIN, PLAIN | VIRTIO_F_INDIRECT_DESC, PLAIN | VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC,
                                   PLAIN | VIRTIO_F_EVENT_IDX, PLAIN | VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX };
    s64 used;
    CHECK_EQ(vd_get(d, VD_CONFIG, 4), DISK / 512);
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        ready_disk(d, layouts[i] | BIT(9), 8);
        for (unsigned n = 0; n < 30; n++) {
            vd_poke(d, BUFFER, 8, 0x1111 * (n + 1) + i);
            CHECK_EQ(request(d, 1, n, 512, &used), 0);
            vd_poke(d, BUFFER, 8, 0);
            CHECK_EQ(request(d, 0, n, 512, &used), 0);
            CHECK_EQ(used, 513);
            if (!CHECK_EQ(vd_peek(d, BUFFER, 8), 0x1111 * (n + 1) + i))
                return;
        }
        CHECK_EQ(request(d, 4, 0, 0, &used), 0);
        CHECK_EQ(request(d, 99, 0, 512, &used), 2);
        CHECK_EQ(vd_status(d), 0xf);
    }
}

static void test_disk(void)
{
    for (int ack = 0; ack < 2; ack++) {
        struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .no_reply_ack = !ack };
        struct vd d;
        pid_t pid = vb_start(&b);
        if (CHECK(start_machine(&d, 0, 0)))
            exercise(&d);
        stop_machine(&d);
        vb_stop(pid);
    }
}

/* Two queues, each with a request of its own. */
static void test_queues(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 0, 2));
    CHECK(vd_offered(&d) & BIT(12));
    CHECK_EQ(vd_get(&d, VD_CONFIG + 34, 2), 2);
    CHECK(vd_negotiate(&d, PLAIN | BIT(12)));
    CHECK_EQ(vd_get(&d, 18, 2), 2);
    for (unsigned q = 0; q < 2; q++)
        vd_queue(&d, q, 8);
    vd_go(&d);
    for (unsigned q = 0; q < 2; q++) {
        struct vd_piece p[3] = { { HEADER + 16 * q, 16, false }, { BUFFER, 512, true }, { ANSWER + q, 1, true } };
        vd_poke(&d, HEADER + 16 * q, 8, 0);
        vd_poke(&d, HEADER + 16 * q + 8, 8, q);
        vd_poke(&d, ANSWER + q, 1, 0xee);
        vd_add(&d, q, p, 3);
        vd_kick(&d, q);
    }
    for (unsigned q = 0; q < 2; q++) {
        CHECK_EQ(wait_used(&d, q, 3), 513);
        CHECK_EQ(answer_of(&d, q), 0);
    }
    stop_machine(&d);
    vb_stop(pid);
}

/* One that says more in the disk's configuration than it serves. */
static void test_fewer_queues(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .queues = 1 };
    struct vd d;
    s64 used;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 0, 4));
    CHECK_EQ(vd_get(&d, VD_CONFIG + 34, 2), 1);
    ready_disk(&d, PLAIN | BIT(12), 8);
    CHECK_EQ(vd_get(&d, 18, 2), 1);
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    stop_machine(&d);
    vb_stop(pid);
}

/* What the back-end writes is seen by those who watch the page, before the guest sees the answer. */
static unsigned heard;
static void hear(void *opaque, gpa_t gpa, u64 len)
{
    struct vd *d = opaque;
    heard += gpa >= BUFFER && gpa < BUFFER + 512 && vd_peek(d, d->q[0].device + 2, 2) == d->q[0].used;
}

static void test_watched_pages(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    s64 used;
    struct phys_observer o = { .marks = MARK_CODE, .written = hear, .opaque = &d };
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 0, 0));
    ready_disk(&d, PLAIN, 8);
    physmap_observe(&d.r.map, &o);
    physmap_mark(&d.r.map, BUFFER, MARK_CODE);
    heard = 0;
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    CHECK(heard > 0);
    physmap_unobserve(&d.r.map, &o);
    stop_machine(&d);
    vb_stop(pid);
}

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

/* --- a network --- */

static void test_network(void)
{
    struct vb b = { .path = path, .features = VIRTIO_F_VERSION_1 | BIT(15) };
    struct vd d;
    u8 frame[12 + 600], back[sizeof frame];
    pid_t pid = vb_start(&b);
    vd_init(&d);
    struct vhost *h = open_backend(0, &d.r.err);
    if (!CHECK(h != NULL))
        return;
    d.r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 2, 0, 0, 0, 0, 1 }, .slot = 3, .vhost = h };
    vd_power_on(&d);
    CHECK_EQ(vd_offered(&d) & (BIT(0) | BIT(1) | BIT(11)), 0);     /* what the back-end cannot do is not offered */
    CHECK(vd_offered(&d) & BIT(15));
    CHECK(vd_negotiate(&d, PLAIN | BIT(15) | BIT(5) | BIT(16)));
    for (unsigned q = 0; q < 2; q++)
        vd_queue(&d, q, 16);
    vd_go(&d);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 6, 2), 1);                      /* link up */
    for (unsigned n = 0; n < 40; n++) {
        vd_add(&d, 0, &(struct vd_piece){ BUFFER, 2048, true }, 1);
        vd_kick(&d, 0);
        memset(frame, 0, 12);
        for (unsigned i = 12; i < sizeof frame; i++)
            frame[i] = i * 7 + n;
        physmap_write(&d.r.map, HEADER, frame, sizeof frame);
        struct vd_piece p[2] = { { HEADER, 12, false }, { HEADER + 12, sizeof frame - 12, false } };
        vd_add(&d, 1, p, 2);
        vd_kick(&d, 1);
        CHECK(wait_used(&d, 1, 2) >= 0);
        CHECK_EQ(wait_used(&d, 0, 1), sizeof frame);
        physmap_read(&d.r.map, BUFFER, back, sizeof back);
        if (!CHECK(memcmp(frame + 12, back + 12, sizeof frame - 12) == 0))
            break;
    }
    stop_machine(&d);
    vb_stop(pid);
}

/* --- qemu-storage-daemon --- */

static pid_t start_daemon(const char *format, const char *file)
{
    static char command[600];
    snprintf(command, sizeof command, "exec qemu-storage-daemon --blockdev driver=file,filename=%s,node-name=f --blockdev driver=%s,file=f,node-name=d "
             "--export type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=%s,writable=on,num-queues=2", file, format, path);
    unlink(path);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < 500 && access(path, F_OK); i++)
        usleep(10000);
    return pid;
}

static void with_daemon(const char *format)
{
    char file[80], command[200];
    struct vd d;
    if (system("qemu-storage-daemon --version >/dev/null 2>&1 && qemu-img --version >/dev/null 2>&1"))
        SKIP("qemu-storage-daemon and qemu-img are not installed (packages qemu-system-common and qemu-utils)");
    snprintf(file, sizeof file, "%s/disk.%s", folder, format);
    snprintf(command, sizeof command, "qemu-img create -q -f %s %s 8M", format, file);
    CHECK_EQ(system(command), 0);
    pid_t pid = start_daemon(format, file);
    if (CHECK(start_machine(&d, 0, 2))) {
        exercise(&d);
        ready_disk(&d, PLAIN, 128);
        for (unsigned n = 0; n < 20; n++)
            send_request(&d, n, 1, 200 + n, 512);
        vb_stop(pid);                   /* in mid-work */
        for (unsigned i = 0; i < 5; i++)
            let_time_pass(&d);
        pid = start_daemon(format, file);
        for (unsigned n = 0; n < 20; n++)
            CHECK(wait_used(&d, 0, 3) >= 0);
        for (unsigned n = 0; n < 20; n++)
            CHECK_EQ(answer_of(&d, n), 0);
    } else {
        FAIL("%s", d.r.err.text);
    }
    stop_machine(&d);
    vb_stop(pid);
    snprintf(command, sizeof command, "qemu-img check -q %s 2>/dev/null", file);
    CHECK(strcmp(format, "raw") == 0 || system(command) == 0);
}

static void test_daemon_raw(void) { with_daemon("raw"); }
static void test_daemon_qcow2(void) { with_daemon("qcow2"); }

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
    unsigned rounds = getenv("EMU_SOAK") ? 20000 : 100, devices = 0;
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
        { "disk", test_disk }, { "queues", test_queues }, { "fewer_queues", test_fewer_queues }, { "watched_pages", test_watched_pages }, { "hostile_driver", test_hostile_driver },
        { "death", test_death }, { "gone", test_gone }, { "queue_taken_away", test_queue_taken_away }, { "late_queue", test_late_queue },
        { "signals", test_signals }, { "trickle", test_trickle }, { "vices", test_vices },
        { "network", test_network },
        { "daemon_raw", test_daemon_raw }, { "daemon_qcow2", test_daemon_qcow2 }, { "nonsense", test_nonsense }, { NULL, NULL },
    };
    char command[128];
    if (!mkdtemp(folder))
        return 1;
    snprintf(image, sizeof image, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(command, sizeof command, "truncate -s %d %s", DISK, image);
    int status = system(command) ? 1 : check_main(argc, argv, "vhost", tests);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
