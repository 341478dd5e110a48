/* SPDX-License-Identifier: MIT */
/*
 * A driver for virtio-net (virtio 1.2, 5.1): a frame is one descriptor, the header in front of it in the same buffer. Whether QEMU's
 * thread or a vhost worker serves the rings is not to be seen from here: the two paths have one driver.
 */
#include "../netload.h"
#include "virtio.h"

enum { RX, TX, RINGS, HEADER = 12, F_MAC = 1 << 5 };

static struct vring ring[RINGS];
static u8 out[BUFFER] __attribute__((aligned(4096))), buffers[256][BUFFER] __attribute__((aligned(4096)));
static u32 frames_made, frames_sent, frames_got;

static void send(u32 count, u32 len)
{
    struct vring *r = &ring[TX];
    for (u32 i = 0; i < count; i++) {
        u32 at = frames_made++ & (r->size - 1);
        r->descriptor[at].len = HEADER + len;
        vring_offer(r, at);
    }
    vring_kick(r);
}

/* Counts modulo 2^16 become ones that only grow. */
static u32 grow(u32 count, u16 index) { return count + (u16)(index - (u16)count); }

static u32 sent(void) { return frames_sent = grow(frames_sent, ring[TX].used.index); }
static void want_sent(u32 count) { vring_want(&ring[TX], count); }
static u32 received(void) { return frames_got = grow(frames_got, ring[RX].used.index); }
static void want_received(u32 count) { vring_want(&ring[RX], count); }

/* The device uses a split ring's buffers in the order of their coming (it says so by nothing, but one queue has one worker). */
static void give_back(u32 count)
{
    static u32 given;
    struct vring *r = &ring[RX];
    for (; count; count--)
        vring_offer(r, r->used.ring[given++ & (r->size - 1)].id);
    vring_kick(r);
}

static _Bool open(void)
{
    if (!virtio_start(0x1000, 0x1041, F_MAC, ring, RINGS))
        return 0;
    for (u32 i = 0; i < sizeof out - HEADER; i++)
        out[HEADER + i] = net_frame[i];
    for (u32 i = 0; i < ring[TX].size; i++)
        ring[TX].descriptor[i].buffer = (u32)out;
    for (u32 i = 0; i < ring[RX].size && i < 256; i++) {
        ring[RX].descriptor[i].buffer = (u32)buffers[i];
        ring[RX].descriptor[i].len = BUFFER;
        ring[RX].descriptor[i].flags = VIRTIO_WRITE;
        vring_offer(&ring[RX], i);
    }
    vring_want(&ring[TX], 0x8000);      /* nothing is wanted yet */
    vring_want(&ring[RX], 0x8000);
    vring_kick(&ring[RX]);
    return 1;
}

const struct net_path path_virtio = {
    "virtio", 1024, open, send, sent, want_sent, received, want_received, kernel_idle, give_back,
};
