/* SPDX-License-Identifier: MIT */
/* A driver for virtio-blk (virtio 1.2, 5.2): a request is three descriptors, and which ones is fixed for each place. */
#include "../../netload/native/virtio.h"
#include "../blkload.h"

enum { IN = 0, OUT = 1, PLACES = DISK_PAGES };

static struct vring ring[1];
static struct { u32 type, reserved; u64 sector; } volatile header[PLACES];
static u8 volatile answer[PLACES];
static u32 made, finished;

static void submit(_Bool write, u32 sector, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        u32 at = made++ % PLACES;
        header[at].type = write ? OUT : IN;
        header[at].sector = sector + i * PAGE_SECTORS;
        ring->descriptor[3 * at + 1].flags = VIRTIO_NEXT | (write ? 0 : VIRTIO_WRITE);
        vring_offer(ring, 3 * at);
    }
    vring_kick(ring);
}

static u32 done(void) { return finished += (u16)(ring->used.index - (u16)finished); }
static void want(u32 count) { vring_want(ring, count); }

static _Bool open(void)
{
    if (!virtio_start(0x1001, 0x1042, 0, ring, 1) || ring->size < 3 * PLACES)
        return 0;
    for (u32 i = 0; i < PLACES; i++) {
        ring->descriptor[3 * i] = (struct vring_descriptor){ (u32)&header[i], sizeof header[i], VIRTIO_NEXT, 3 * i + 1 };
        ring->descriptor[3 * i + 1] = (struct vring_descriptor){ (u32)disk_page[i], PAGE, VIRTIO_NEXT, 3 * i + 2 };
        ring->descriptor[3 * i + 2] = (struct vring_descriptor){ (u32)&answer[i], 1, VIRTIO_WRITE, 0 };
    }
    vring_want(ring, 0x8000);
    return 1;
}

const struct disk_path path_virtio = { "virtio", PLACES, open, submit, done, want, kernel_idle };
