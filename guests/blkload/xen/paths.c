/* SPDX-License-Identifier: MIT */
/* Xen's split driver, with the load's batches; each page is granted once. */
#include "../../split/split.h"
#include "../blkload.h"

#include <xen/io/blkif.h>

enum { RING = 32 };

static struct front front;
static union { blkif_sring_t sring; u8 page[4096]; } shared __attribute__((aligned(4096)));
static blkif_front_ring_t ring;
static u32 page_ref[RING];

static void submit(_Bool write, u32 sector, u32 count)
{
    int notify;
    for (u32 i = 0; i < count; i++) {
        blkif_request_t *r = RING_GET_REQUEST(&ring, ring.req_prod_pvt++);
        r->operation = write ? BLKIF_OP_WRITE : BLKIF_OP_READ;
        r->nr_segments = 1;
        r->handle = 0;
        r->id = i;
        r->sector_number = sector + i * PAGE_SECTORS;
        r->seg[0] = (struct blkif_request_segment){ .gref = page_ref[i], .first_sect = 0, .last_sect = PAGE_SECTORS - 1 };
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring, notify);
    if (notify)
        event_notify(front.port);
}

static u32 done(void) { return ring.rsp_cons = shared.sring.rsp_prod; }

static void want(u32 count)
{
    shared.sring.rsp_event = count;
    xen_mb();
}

static void wait(void) { event_wait(front.port); }

static _Bool open(void)
{
    store_start();
    share_start();
    if (!front_find(&front, "device/vbd/51712"))
        return 0;
    SHARED_RING_INIT(&shared.sring);
    FRONT_RING_INIT(&ring, &shared.sring, sizeof shared);
    for (u32 i = 0; i < RING; i++)
        page_ref[i] = share_grant(disk_page[i], front.domid, 0);
    front_connect(&front, (struct front_node[]){ { "ring-ref", share_grant(&shared, front.domid, 0) }, { 0, 0 } }, XenbusStateInitialised);
    want(0x7fffffff);
    return 1;
}

static const struct disk_path path_pv = { "pv", RING, open, submit, done, want, wait };
const struct disk_path *const disk_paths[] = { &path_pv, 0 };
