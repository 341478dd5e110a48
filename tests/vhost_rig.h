/* SPDX-License-Identifier: MIT */
/* A machine whose virtio device a vhost-user back-end serves (vhost_backend.h), and a driver of our own in front of it. */
#ifndef EMU_TESTS_VHOST_RIG_H
#define EMU_TESTS_VHOST_RIG_H

#include <time.h>
#include <unistd.h>

#include "devices/vhost/vhost.h"
#include "vhost_backend.h"
#include "virtio_driver.h"

#define PLAIN VIRTIO_F_VERSION_1
enum { DISK = 8 << 20, HEADER = VD_DATA, ANSWER = VD_DATA + 0x8000, BUFFER = VD_DATA + 0x10000, PATIENCE_MS = 300 };
#define DISK_FEATURES (VIRTIO_F_VERSION_1 | BIT(2) | BIT(6) | BIT(9) | BIT(12))

static char folder[] = "/tmp/emu-test-vhost-XXXXXX", image[64], path[64];      /* of one test program */

static inline u64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* --- a machine with such a disk --- */

static inline struct vhost *open_backend(unsigned work_ms, struct error *err)
{
    return vhost_new(vhost_user_new(path), path, (struct vhost_patience){ PATIENCE_MS, work_ms }, err);
}

static inline bool start_machine(struct vd *d, unsigned work_ms, unsigned queues)
{
    vd_init(d);
    struct vhost *h = open_backend(work_ms, &d->r.err);
    if (!h)
        return false;
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_VHOST_BLK, .flavor.packed = true, .vhost = h, .queues = queues };
    vd_power_on(d);
    return true;
}

static inline void stop_machine(struct vd *d)
{
    struct vhost *h = d->r.platform.virtio[0].vhost ? d->r.platform.virtio[0].vhost : d->r.platform.nic[0].vhost;
    rig_fini(&d->r);
    vhost_free(h);
}

static inline struct vhost *backend(struct vd *d) { return d->r.platform.virtio[0].vhost ? d->r.platform.virtio[0].vhost : d->r.platform.nic[0].vhost; }

/* As the run loop: virtual time passes, what comes from outside is looked at. */
static inline void let_time_pass(struct vd *d)
{
    struct pollfd fds[20];
    rig_run(&d->r, 100000);
    poll(fds, vhost_fds(backend(d), fds, 20), 2);
    vhost_poll(backend(d));
}

static inline s64 wait_used(struct vd *d, unsigned q, unsigned slots)
{
    u64 end = now_ms() + 10000;
    s64 used;
    while ((used = vd_used(d, q, slots)) < 0 && now_ms() < end)
        let_time_pass(d);
    return used;
}

static inline void ready_disk(struct vd *d, u64 features, u16 size)
{
    check_context("features %llx", (unsigned long long)features);
    CHECK(vd_negotiate(d, features));
    vd_queue(d, 0, size);
    vd_go(d);
}

/* Requests with places of their own, so that several can be under way. */
static inline void send_request(struct vd *d, unsigned n, u32 type, u64 sector, u32 len)
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

static inline u8 answer_of(struct vd *d, unsigned n) { return vd_peek(d, ANSWER + n, 1); }

static inline u8 request(struct vd *d, u32 type, u64 sector, u32 len, s64 *used)
{
    send_request(d, 0, type, sector, len);
    *used = wait_used(d, 0, len ? 3 : 2);
    return answer_of(d, 0);
}

/* --- the program --- */

/* A folder with a disk of zeros in it, for all tests; it is gone afterwards. */
static inline int vhost_main(int argc, char **argv, const char *suite, const struct check *tests)
{
    char command[128];
    if (!mkdtemp(folder))
        return 1;
    snprintf(image, sizeof image, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(command, sizeof command, "truncate -s %d %s", DISK, image);
    int status = system(command) ? 1 : check_main(argc, argv, suite, tests);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}

#endif
