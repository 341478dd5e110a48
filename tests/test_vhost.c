/* SPDX-License-Identifier: MIT */
/* vhost-user: a back-end of our own and qemu-storage-daemon serve a disk and a network, seen through a driver of our own. */
#include "vhost_rig.h"

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

/* One frame there and back by a pair of queues. False: nothing came back. */
static bool echo(struct vd *d, unsigned pair, u8 seed)
{
    u8 frame[12 + 100] = { 0 }, back[sizeof frame];
    for (unsigned i = 12; i < sizeof frame; i++)
        frame[i] = i * 7 + seed;
    physmap_write(&d->r.map, HEADER, frame, sizeof frame);
    vd_add(d, 2 * pair, &(struct vd_piece){ BUFFER + 0x1000 * pair, 2048, true }, 1);
    vd_kick(d, 2 * pair);
    vd_add(d, 2 * pair + 1, &(struct vd_piece){ HEADER, sizeof frame, false }, 1);
    vd_kick(d, 2 * pair + 1);
    for (unsigned i = 0; i < 30 && vd_peek(d, d->q[2 * pair].device + 2, 2) == d->q[2 * pair].used; i++)
        let_time_pass(d);
    if (vd_used(d, 2 * pair, 1) != sizeof frame || wait_used(d, 2 * pair + 1, 1) < 0)
        return false;
    physmap_read(&d->r.map, BUFFER + 0x1000 * pair, back, sizeof back);
    return memcmp(frame + 12, back + 12, sizeof frame - 12) == 0;
}

static u8 command_pairs(struct vd *d, u16 pairs)
{
    struct vd_piece p[3] = { { HEADER + 0x1000, 2, false }, { HEADER + 0x1002, 2, false }, { ANSWER, 1, true } };
    vd_poke(d, HEADER + 0x1000, 2, 4);          /* class MQ, command PAIRS_SET */
    vd_poke(d, HEADER + 0x1002, 2, pairs);
    vd_poke(d, ANSWER, 1, 0xee);
    vd_add(d, 4, p, 3);
    vd_kick(d, 4);
    return wait_used(d, 4, 3) == 1 ? vd_peek(d, ANSWER, 1) : 0xee;
}

/* Two pairs of queues: the second is served from when the driver says that it uses it, and again after the back-end has died. */
static void test_pairs(void)
{
    struct vb b = { .path = path, .features = VIRTIO_F_VERSION_1 | BIT(22), .queues = 2 };
    struct vd d;
    pid_t pid = vb_start(&b);
    vd_init(&d);
    struct vhost *h = open_backend(0, &d.r.err);
    if (!CHECK(h != NULL))
        return;
    d.r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .slot = 3, .vhost = h, .pairs = 4 };
    vd_power_on(&d);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 8, 2), 2);      /* the user wants four, the back-end has two */
    for (unsigned round = 0; round < 2; round++) {
        check_context("round %u", round);
        CHECK(vd_negotiate(&d, PLAIN | BIT(17) | BIT(22)));
        for (unsigned q = 0; q < 5; q++)
            vd_queue(&d, q, 16);
        vd_go(&d);
        CHECK(echo(&d, 0, 1));
        CHECK(!echo(&d, 1, 2));                     /* not yet */
        CHECK_EQ(command_pairs(&d, 3), 1);
        CHECK_EQ(command_pairs(&d, 2), 0);
        CHECK_EQ(wait_used(&d, 3, 1), 0);           /* what was waiting goes now */
        CHECK_EQ(wait_used(&d, 2, 1), 112);
        CHECK(echo(&d, 1, 3));
        vb_stop(pid);
        pid = vb_start(&b);
        for (unsigned i = 0; i < 60; i++)
            let_time_pass(&d);
        CHECK(echo(&d, 0, 4));
        CHECK(echo(&d, 1, 5));
    }
    CHECK(vd_negotiate(&d, PLAIN | BIT(17)));       /* without MQ the third queue is for commands: it is not the back-end's */
    for (unsigned q = 0; q < 3; q++)
        vd_queue(&d, q, 16);
    vd_go(&d);
    CHECK(echo(&d, 0, 6));
    struct vd_piece p[3] = { { HEADER + 0x1000, 2, false }, { HEADER + 0x1002, 1, false }, { ANSWER, 1, true } };
    vd_poke(&d, HEADER + 0x1000, 4, 0x010000);
    vd_poke(&d, ANSWER, 1, 0xee);
    vd_add(&d, 2, p, 3);
    vd_kick(&d, 2);
    CHECK_EQ(wait_used(&d, 2, 3), 1);
    stop_machine(&d);
    vb_stop(pid);
}

/* --- the back-end's channel --- */

/* The disk grows: the driver gets an interrupt, and reads the new size. */
static void test_grows(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    s64 used;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 0, 2));
    for (unsigned round = 1; round < 3; round++) {
        ready_disk(&d, PLAIN, 8);
        u8 generation = vd_get(&d, 21, 1);
        CHECK_EQ(request(&d, 1, VB_GROW_SECTOR, 512, &used), 0);
        for (unsigned i = 0; i < 30 && vd_get(&d, 21, 1) == generation; i++)
            let_time_pass(&d);
        CHECK(vd_get(&d, VD_ISR, 1) & 2);
        CHECK_EQ(vd_get(&d, VD_CONFIG, 4), (DISK + round * VB_GROW_BYTES) / 512);
        CHECK_EQ(vd_get(&d, VD_CONFIG + 34, 2), 2);     /* queues stay as they are */
        CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    }
    stop_machine(&d);
    vb_stop(pid);
}

/* What nobody asked for ends the connection; the next one serves. */
static void test_channel_nonsense(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES, .says = 99 };
    struct vd d;
    s64 used;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 0, 0));
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(request(&d, 1, VB_GROW_SECTOR, 512, &used), 0);
    for (unsigned i = 0; i < 30 && !*vhost_trouble(backend(&d)); i++)
        let_time_pass(&d);
    CHECK_CONTAINS(vhost_trouble(backend(&d)), "channel");
    CHECK_EQ(request(&d, 0, 0, 512, &used), 0);
    CHECK_EQ(vd_get(&d, VD_CONFIG, 4), DISK / 512);
    stop_machine(&d);
    vb_stop(pid);
}

/* --- qemu-storage-daemon --- */

/* A socket is there before somebody listens to it. */
static bool listens(void)
{
    struct error err;
    struct vhost *h = open_backend(0, &err);
    vhost_free(h);
    return h;
}

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
    for (unsigned i = 0; i < 500 && !listens(); i++)
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

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "disk", test_disk }, { "queues", test_queues }, { "fewer_queues", test_fewer_queues },
        { "watched_pages", test_watched_pages }, { "network", test_network }, { "pairs", test_pairs }, { "grows", test_grows }, { "channel_nonsense", test_channel_nonsense },
        { "daemon_raw", test_daemon_raw },
        { "daemon_qcow2", test_daemon_qcow2 }, { NULL, NULL },
    };
    return vhost_main(argc, argv, "vhost", tests);
}
