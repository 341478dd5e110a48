/* SPDX-License-Identifier: MIT */
/*
 * A back-end of vhost-user that means harm, beyond the vices of vhost_backend.h: slow answers, descriptors that nobody asked for, lies in what
 * it says it is, and the guest's memory, all of which it has. And a driver that means harm, in front of a back-end that is none of its kind.
 */
#include <dirent.h>
#include <time.h>

#include "devices/vhost/vhost.h"
#include "devices/vhost/vhost_ring.h"
#include "hostile_rig.h"
#include "vhost_backend.h"
#include "virtio_driver.h"

enum { DISK = 1 << 20, HEADER = VD_DATA, ANSWER = VD_DATA + 0x8000, BUFFER = VD_DATA + 0x10000, PATIENCE_MS = 100 };
#define PLAIN VIRTIO_F_VERSION_1
#define DISK_FEATURES (VIRTIO_F_VERSION_1 | BIT(2) | BIT(6) | BIT(9) | BIT(12))

static char folder[] = "/tmp/emu-test-hostile-XXXXXX", image[64], path[64];

/* --- a machine with such a disk --- */

static bool start_machine(struct vd *d, unsigned answer_ms, unsigned work_ms, unsigned queues)
{
    vd_init(d);
    struct vhost *h = vhost_new(vhost_user_new(path), path, (struct vhost_patience){ answer_ms, work_ms }, &d->r.err);
    if (!h)
        return false;
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_VHOST_BLK, .flavor.packed = true, .vhost = h, .queues = queues };
    vd_power_on(d);
    return true;
}

static struct vhost *backend(struct vd *d) { return d->r.platform.virtio[0].vhost; }

static void stop_machine(struct vd *d)
{
    struct vhost *h = backend(d);
    rig_fini(&d->r);
    vhost_free(h);
}

static void let_time_pass(struct vd *d)
{
    struct pollfd fds[20];
    rig_run(&d->r, 100000);
    poll(fds, vhost_fds(backend(d), fds, 20), 1);
    vhost_poll(backend(d));
}

static void ready(struct vd *d, u64 features, unsigned queues)
{
    CHECK(vd_negotiate(d, features));
    for (unsigned q = 0; q < queues; q++)
        vd_queue(d, q, 8);
    vd_go(d);
}

/* The answer's byte; eeh: none came. */
static u8 request(struct vd *d, u32 type, u64 sector)
{
    struct vd_piece p[3] = { { HEADER, 16, false }, { BUFFER, 512, type == 0 }, { ANSWER, 1, true } };
    u64 end = vhost_host_ms() + 5000;
    vd_poke(d, HEADER, 8, type);
    vd_poke(d, HEADER + 8, 8, sector);
    vd_poke(d, ANSWER, 1, 0xee);
    vd_add(d, 0, p, 3);
    vd_kick(d, 0);
    while (vd_used(d, 0, 3) < 0 && vhost_host_ms() < end)
        let_time_pass(d);
    return vd_peek(d, ANSWER, 1);
}

/* --- slow --- */

/* Each answer comes just in time. All of them together would take for ever. */
static void run_slow(struct vb *b)
{
    struct vhost_message m;
    b->size = DISK;
    b->socket = accept(b->listener, NULL, NULL);
    while (!vhost_message_receive(b->socket, &m)) {
        if (m.request != VHOST_USER_SET_PROTOCOL_FEATURES)      /* which nobody waits for */
            usleep(b->after * 1000);
        vb_obey(b, &m);
    }
}

static void test_slow_answers(void)
{
    struct vb b = { .path = path, .features = DISK_FEATURES, .after = 120 };
    struct vd d;
    pid_t pid = vb_fork(&b, run_slow);
    if (!CHECK(start_machine(&d, 2 * PATIENCE_MS, 300, 4))) {
        FAIL("%s", d.r.err.text);
        return;
    }
    u64 begun = vhost_host_ms();
    ready(&d, PLAIN | BIT(12), 4);
    CHECK(vhost_host_ms() - begun < 14 * PATIENCE_MS);      /* 26 messages would be 3,120 ms */
    CHECK(!strstr(vhost_trouble(backend(&d)), "closed"));
    vb_stop(pid);
    b.after = 0;
    b.disk = image;
    pid = vb_start(&b);                                     /* the next one is quick: the driver has its disk */
    CHECK_EQ(request(&d, 0, 0), 0);
    stop_machine(&d);
    vb_stop(pid);
}

/* --- descriptors --- */

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* As many as go into a message and more, in answers that are otherwise right or cut off. */
static void run_generous(struct vb *b)
{
    for (;;) {
        struct vhost_message m;
        b->socket = accept(b->listener, NULL, NULL);
        b->messages = 0;
        while (!vhost_message_receive(b->socket, &m)) {
            union { struct cmsghdr header; u8 room[CMSG_SPACE(32 * sizeof(int))]; } control = { .header = { CMSG_LEN(32 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
            for (unsigned i = 0; i < 32; i++)
                ((int *)CMSG_DATA(&control.header))[i] = b->socket;
            u32 answer[5] = { m.request, VHOST_VERSION | VHOST_REPLY, 8 };
            struct iovec v = { answer, b->messages++ % 2 ? 20 : 5 };
            struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
            vhost_message_close_fds(&m);
            if (sendmsg(b->socket, &h, MSG_NOSIGNAL) < 0)
                break;
        }
        close(b->socket);
    }
}

static void test_descriptors_come_back(void)
{
    struct vb b = { .path = path };
    struct vd d;
    pid_t pid = vb_fork(&b, run_generous);
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 50; i++) {
        CHECK(!start_machine(&d, PATIENCE_MS / 5, 100, 1));
        rig_fini(&d.r);
    }
    CHECK_EQ(open_descriptors(), before);
    vb_stop(pid);
}

/* Connections that come and go, while a driver works: nothing stays open, nothing grows. */
static void test_connections_come_back(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 1000, 2000, 1));
    ready(&d, PLAIN, 1);
    CHECK_EQ(request(&d, 0, 0), 0);
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 20; i++) {
        vb_stop(pid);
        pid = vb_start(&b);
        CHECK_EQ(request(&d, 0, 0), 0);
    }
    CHECK_EQ(open_descriptors(), before);
    stop_machine(&d);
    vb_stop(pid);
}

/* --- lies --- */

/* What it says it is: queues without number, features that are none, a configuration of ones, or of another size than its own. */
static u64 lie;
static void run_liar(struct vb *b)
{
    for (;;) {
        struct vhost_message m;
        b->socket = accept(b->listener, NULL, NULL);
        while (!vhost_message_receive(b->socket, &m)) {
            bool wants_ack = m.flags & VHOST_NEED_REPLY;
            vhost_message_close_fds(&m);
            if (m.request == VHOST_USER_GET_CONFIG) {
                memset(&m.config, lie & 1 ? 0xff : 0, m.size);
                vb_answer(b, &m, m.size);
            } else if (wants_ack || m.size == 0 || m.request == VHOST_USER_GET_VRING_BASE) {
                m.value = wants_ack ? 0 : m.request == VHOST_USER_GET_QUEUE_NUM ? lie >> 8 : lie & 2 ? ~(u64)0 : VIRTIO_F_VERSION_1 | VHOST_F_PROTOCOL_FEATURES | BIT(12);
                m.value |= m.request == VHOST_USER_GET_PROTOCOL_FEATURES ? 0xffffffff : 0;
                if (m.request != VHOST_USER_SET_OWNER || wants_ack)
                    vb_answer(b, &m, 8);
            }
        }
        close(b->socket);
    }
}

static void test_liar(void)
{
    static const u64 queues[] = { 0, 1, 15, 16, 17, 255, 256, 65536, ~(u64)0 >> 8 };
    unsigned devices = 0;
    for (unsigned i = 0; i < 4 * ARRAY_LEN(queues); i++) {
        struct vb b = { .path = path };
        struct vd d;
        lie = queues[i / 4] << 8 | i % 4;
        check_context("lie %llx", (unsigned long long)lie);
        pid_t pid = vb_fork(&b, run_liar);
        if (start_machine(&d, PATIENCE_MS, 50, VIRTIO_DISK_QUEUES)) {
            devices++;
            CHECK(vd_get(&d, 18, 2) >= 1 && vd_get(&d, 18, 2) <= VIRTIO_DISK_QUEUES);
            u64 offered = vd_offered(&d);
            CHECK(!(offered & ~(DISK_FEATURES | BIT(1) | BIT(4) | BIT(5) | BIT(10) | BIT(13) | BIT(14) | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED)));
            ready(&d, PLAIN, 1);
            CHECK(request(&d, 0, 0) == 1);      /* it never serves: in the end the request fails */
            stop_machine(&d);
        } else {
            rig_fini(&d.r);
        }
        vb_stop(pid);
    }
    CHECK(devices > 8);
}

/* --- the guest's memory --- */

/* Serves, and writes all over the rings of the driver, which it has no business with, and its own used ring. */
static void run_scribbler(struct vb *b)
{
    struct stat st;
    u64 seed = check_seed();
    b->image = open(b->disk, O_RDWR);
    b->size = fstat(b->image, &st) == 0 ? st.st_size : 0;
    for (;;) {
        b->socket = accept(b->listener, NULL, NULL);
        memset(b->ring, 0, sizeof b->ring);
        if (fork() == 0) {
            while (!b->regions || !b->ring[0].on) {
                struct vhost_message m;
                if (vhost_message_receive(b->socket, &m))
                    _exit(0);
                vb_obey(b, &m);
            }
            for (u64 n = 0; n < 20000000; n++) {
                u64 v = check_random(&seed);
                u8 *at = v & 7 ? b->mapped[0] + VD_RINGS + (v >> 8) % (8 * VD_RING_STEP) : b->ring[0].used + (v >> 8) % 64;
                *(volatile u8 *)at = v >> 40;
            }
            _exit(0);
        }
        close(b->socket);
    }
}

static void test_scribbler(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    u64 rounds = check_rounds(30);
    for (u64 i = 0; i < rounds; i++) {
        struct vd d;
        pid_t pid = vb_fork(&b, run_scribbler);
        if (start_machine(&d, 1000, 50, 1)) {
            ready(&d, PLAIN | (i & 1 ? VIRTIO_F_RING_PACKED : 0) | (i & 2 ? VIRTIO_F_INDIRECT_DESC : 0), 1);
            for (unsigned n = 0; n < 40; n++) {
                vd_add(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } }, 3);
                vd_kick(&d, 0);
                let_time_pass(&d);
            }
            vd_set_status(&d, 0);
            CHECK_EQ(vd_status(&d), 0);
            stop_machine(&d);
        } else {
            rig_fini(&d.r);
        }
        vb_stop(pid);
    }
}

/* --- the ring between us --- */

/* One entry of its used ring is one thing, then another, all the time: whichever it is, it is looked at once. */
static void change_id(void *opaque)
{
    const struct vhost_ring *r = opaque;
    volatile u32 *pair = (volatile u32 *)(vhost_ring_used(r) + 4);
    for (unsigned i = 0;; i++) {
        pair[0] = (u32[]){ 0, 0x12345678, 0xffffffff, 1023, 1024 }[i % 5];
        pair[1] = i;
    }
}

static void test_used_ring_changes(void)
{
    struct vhost_ring ring = { 0 };
    struct vhost_pending *p;
    u32 written;
    unsigned done = 0, lied = 0;
    struct virtqueue *q = calloc(1, sizeof *q);
    u8 *shared = mmap(NULL, VHOST_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(vhost_ring_init(&ring, q, shared, NULL));
    pid_t changer = stranger_start(change_id, &ring);
    volatile u16 *index = (volatile u16 *)(vhost_ring_used(&ring) + 2);
    for (unsigned i = 0; i < 200000; i++) {
        struct vhost_pending *mine = calloc(1, sizeof *mine);
        *mine = (struct vhost_pending){ .submitted = true, .head = 0, .slots = 1, .chain.writable_len = 7 };
        ring.by_head[0] = mine;
        ring.pendings = 1;
        ring.used = 0;
        *index = 1;
        int n = vhost_ring_done(&ring, &p, &written);
        CHECK(n == -1 || (n == 1 && p == mine && written <= 7));
        done += n > 0;
        lied += n < 0;
        free(mine);
    }
    stranger_stop(changer);
    CHECK(done > 0 && lied > 0);
    ring.by_head[0] = NULL;
    vhost_ring_fini(&ring);
    munmap(shared, VHOST_RING_BYTES);
    free(q);
}

/* --- a driver that is ahead all the time, or whose requests are impossible: the machine gets its turn --- */

static void stay_ahead(struct spy *s, u64 address, u64 len, bool write)
{
    struct vd *d = s->opaque;
    vd_poke(d, d->q[0].driver + 2, 2, vd_peek(d, d->q[0].device + 2, 2) + 4);
}

static int work_for_a_while(struct vd *d)
{
    struct spy spy;
    spy_on(&spy, pci_host_bus(d->r.device[0]), &d->r.map);
    for (unsigned n = 0; n < 8; n++) {
        vd_descriptor(d, d->q[0].desc + 16 * n, n % 2 ? ANSWER : VD_RAM, 1, n % 2 ? D_WRITE : D_NEXT, n + 1);   /* from nowhere */
        vd_poke(d, d->q[0].driver + 4 + 2 * n, 2, n & 6);
    }
    spy.before = stay_ahead;
    spy.opaque = d;
    vd_kick(d, 0);
    for (unsigned i = 0; i < 5; i++)
        let_time_pass(d);
    return vd_peek(d, d->q[0].device + 2, 2) > 1 ? 0 : 1;
}

static bool comes_back(struct vd *d)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(work_for_a_while(d));
    for (unsigned i = 0; i < 500 && waitpid(pid, &status, WNOHANG) == 0; i++)
        usleep(10000);
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0;
    stranger_stop(pid);
    return false;
}

static void test_never_for_ever(void)
{
    struct vb b = { .path = path, .disk = image, .features = DISK_FEATURES };
    struct vd d;
    pid_t pid = vb_start(&b);
    CHECK(start_machine(&d, 1000, 50, 1));
    ready(&d, PLAIN, 1);
    check_context("served");
    CHECK(comes_back(&d));
    vb_stop(pid);
    unlink(path);
    ready(&d, PLAIN, 1);
    CHECK_EQ(request(&d, 0, 0), 1);     /* given up */
    check_context("given up");
    CHECK(comes_back(&d));
    stop_machine(&d);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "slow_answers", test_slow_answers }, { "descriptors_come_back", test_descriptors_come_back },
        { "connections_come_back", test_connections_come_back }, { "liar", test_liar }, { "scribbler", test_scribbler },
        { "used_ring_changes", test_used_ring_changes }, { "never_for_ever", test_never_for_ever }, { NULL, NULL },
    };
    char command[128];
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return 1;
    snprintf(image, sizeof image, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(command, sizeof command, "truncate -s %d %s", DISK, image);
    int status = system(command) ? 1 : check_main(argc, argv, "hostile_vhost", tests);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
