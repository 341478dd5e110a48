/* SPDX-License-Identifier: MIT */
/* The disk's front-end: requests that name granted pages, in a ring of 32. */
#include "split.h"

#include <xen/io/blkif.h>

static struct front front;
static u32 sectors, ring_ref;
static union { blkif_sring_t sring; u8 page[4096]; } shared __attribute__((aligned(4096)));
static blkif_front_ring_t ring;

_Bool disk_open(void)
{
    char path[128];
    if (!front_find(&front, "device/vbd/51712")) /* xvda */
        return 0;
    SHARED_RING_INIT(&shared.sring);
    FRONT_RING_INIT(&ring, &shared.sring, sizeof shared);
    ring_ref = share_grant(&shared, front.domid, 0);
    front_connect(&front, (struct front_node[]){ { "ring-ref", ring_ref }, { 0, 0 } }, XenbusStateInitialised);
    sectors = store_read_number(store_join(path, front.back, "sectors"));
    return 1;
}

u32 disk_sectors(void) { return sectors; }

static void request(u8 operation, u32 sector, u32 ref, u32 id)
{
    blkif_request_t *r = RING_GET_REQUEST(&ring, ring.req_prod_pvt++);
    r->operation = operation;
    r->nr_segments = ref ? 1 : 0;
    r->handle = 0;
    r->id = id;
    r->sector_number = sector;
    r->seg[0] = (struct blkif_request_segment){ .gref = ref, .first_sect = 0, .last_sect = 7 };
}

/* Hand over what was put into the ring, once for all, and wait for as many answers. */
static void run(u32 count)
{
    int notify, more;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring, notify);
    if (notify)
        event_notify(front.port);
    while (count) {
        while (count && RING_HAS_UNCONSUMED_RESPONSES(&ring)) {
            const blkif_response_t *r = RING_GET_RESPONSE(&ring, ring.rsp_cons++);
            if (r->status != BLKIF_RSP_OKAY)
                kernel_panic("the disk failed");
            count--;
        }
        RING_FINAL_CHECK_FOR_RESPONSES(&ring, more);
        if (count && !more)
            event_wait(front.port);
    }
}

void disk_transfer(_Bool write, u32 sector, void *const *page, u32 count)
{
    u32 ref[32];
    for (u32 i = 0; i < count; i++) {
        ref[i] = share_grant(page[i], front.domid, write);
        request(write ? BLKIF_OP_WRITE : BLKIF_OP_READ, sector + i * 8, ref[i], i);
    }
    run(count);
    for (u32 i = 0; i < count; i++)
        if (!share_revoke(ref[i]))
            kernel_panic("domain 0 still holds a page of the disk's");
}

void disk_flush(void)
{
    request(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0);
    run(1);
}

void disk_close(void)
{
    front_close(&front);
    if (!share_revoke(ring_ref))
        kernel_panic("domain 0 still holds the disk's ring");
}
