/* SPDX-License-Identifier: MIT */
/* Machines with one virtio device each, for its tests: a disk, an adapter, or something small. */
#ifndef EMU_TESTS_VIRTIO_RIGS_H
#define EMU_TESTS_VIRTIO_RIGS_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "devices/net/net.h"
#include "devices/net/net_checksum.h"
#include "virtio_driver.h"

#define PLAIN VIRTIO_F_VERSION_1
static const u64 layouts[] __attribute__((unused)) = {
    PLAIN, PLAIN | VIRTIO_F_INDIRECT_DESC, PLAIN | VIRTIO_F_RING_PACKED, PLAIN | VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC,
    PLAIN | VIRTIO_F_EVENT_IDX, PLAIN | VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
};

/* --- a disk --- */

enum { DISK = 8 << 20, HEADER = VD_DATA, ANSWER = VD_DATA + 0x100, BUFFER = VD_DATA + 0x1000 };
static char image[] __attribute__((unused)) = "/tmp/emu-test-virtio-XXXXXX";

static inline void start_disk(struct vd *d, unsigned flags)
{
    vd_init(d);
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_BLK, .flavor.packed = true, .serial = "number 1",
                                                    .image = block_open(image, flags | BLOCK_SNAPSHOT, &d->r.err) };
    vd_power_on(d);
}

static inline void stop_disk(struct vd *d)
{
    struct block *b = d->r.platform.virtio[0].image;
    rig_fini(&d->r);
    block_close(b);
}

static inline void ready_disk(struct vd *d, u64 features, u16 size)
{
    check_context("features %llx", (unsigned long long)features);
    CHECK(vd_negotiate(d, features));
    vd_queue(d, 0, size);
    vd_go(d);
}

/* A disk that all tests of a program share. 0, or -1. */
static inline int make_image(void)
{
    int fd = mkstemp(image);
    return fd < 0 || ftruncate(fd, DISK) || close(fd) ? -1 : 0;
}

/* --- something small --- */

static inline void start_slot(struct vd *d, enum virtio_model model, struct chardev *line, u64 seed)
{
    vd_init(d);
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = model, .line = line, .seed = seed, .flavor.packed = true };
    vd_power_on(d);
}

/* --- an adapter, and what is at its wire's other end --- */

struct far { u8 frame[64][NET_FRAME_MAX]; u32 len[64]; unsigned count; };

static inline void take_frame(void *opaque, const u8 *frame, u32 len)
{
    struct far *f = opaque;
    memcpy(f->frame[f->count % 64], frame, len);
    f->len[f->count++ % 64] = len;
}

static struct far far __attribute__((unused));

static inline void start_net(struct vd *d)
{
    vd_init(d);
    struct net_wire *w = net_new("n", &d->r.clock);
    far.count = 0;
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = take_frame, .opaque = &far });
    d->r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .wire = w, .virtio.packed = true };
    vd_power_on(d);
}

static inline void stop_net(struct vd *d)
{
    struct net_wire *w = d->r.platform.nic[0].wire;
    rig_drop_devices(&d->r);
    net_free(w);
    rig_fini(&d->r);
}

static inline void ready_net(struct vd *d, u64 features)
{
    check_context("features %llx", (unsigned long long)features);
    CHECK(vd_negotiate(d, features));
    for (unsigned n = 0; n < 3; n++)
        vd_queue(d, n, 64);
    vd_go(d);
}

#endif
