/* SPDX-License-Identifier: MIT */
/*
 * Xen's split devices and a front-end that means harm: rings that change under the back-end because what it reads or receives is written
 * into them; indices that wrap, or begin anywhere; a front-end that leaves while frames are on their way.
 */
#include "pvfront.h"

static struct blk reconnect(struct fixture *f)
{
    front_put(f, FRONT, "state", XenbusStateClosed);
    front_put(f, FRONT, "state", XenbusStateInitialising);
    front_grant(f, RING_REF, GTF_permit_access, RING_PAGE);
    return blk_connect(f);
}

static void check_disk(struct fixture *f)
{
    struct blk b = reconnect(f);
    struct blk_request r = blk_one(BLKIF_OP_READ, 33, DATA_REF, 0, 0);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    CHECK_EQ(peek32(f, DATA(0)), 33);
    CHECK(!f->d->ended);
}

/* Sector n begins with n: read over the head of the ring it is the number of requests made, over its slots it is requests. */
static void test_disk_over_its_ring(void)
{
    WITH_FRONT(f);
    for (u32 n = 0; n < 2 * SECTORS; n++) {
        struct blk b = reconnect(&f);
        u8 part = n / SECTORS ? 1 + n % 7 : 0;
        front_grant(&f, 100, GTF_permit_access, RING_PAGE);
        check_context("sector %u over part %u", n % SECTORS, part);
        for (u32 i = 0; i < 8; i++) {
            struct blk_request r = blk_one(BLKIF_OP_READ, n % SECTORS, i % 2 ? DATA_REF : 100, part, part);
            r.id = i;
            blk_put(&b, &r);
        }
        front_notify(&f, b.port);
        CHECK(!f.d->ended);
        if (!CHECK_STR(audit(&f), ""))
            break;
    }
    check_disk(&f);
    DONE_FRONT(f);
}

#pragma pack(push, 4)
struct blk_indirect { u8 op, indirect_op; u16 segs; u64 id, sector; u16 handle; u32 grefs[8]; u8 rest[52]; };
#pragma pack(pop)

/* The list of a request's pieces is the ring itself, or the page that is read into. */
static void test_lists_that_change(void)
{
    WITH_FRONT(f);
    for (u32 way = 0; way < 2; way++) {
        struct blk b = reconnect(&f);
        struct blk_indirect i = { BLKIF_OP_INDIRECT, BLKIF_OP_READ, 8, 7, 0, 0, { way ? DATA_REF + 3 : 101 } };
        struct blkif_request_segment list[8];
        struct blk_request r;
        front_grant(&f, 101, GTF_permit_access, RING_PAGE);
        for (u32 k = 0; k < 8; k++)
            list[k] = (struct blkif_request_segment){ DATA_REF + 3, k, k };
        poke(&f, DATA(3), list, sizeof list);
        memcpy(&r, &i, sizeof r);
        blk_put(&b, &r);
        front_notify(&f, b.port);
        s16 status = blk_get(&b, 7);
        CHECK_EQ(status, way ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
        if (way)        /* the list was a copy: all eight pieces are there */
            for (u32 k = 0; k < 8; k++)
                CHECK_EQ(peek32(&f, DATA(3) + 512 * k), k);
        CHECK_STR(audit(&f), "");
    }
    check_disk(&f);
    DONE_FRONT(f);
}

/* A front-end that goes on with a ring in use may begin at any index: also just before they wrap. */
static void test_indices_that_wrap(void)
{
    static const u32 from[] = { 0, 31, 32, 0x7fffffff, 0xfffffff0, 0xffffffff };
    WITH_FRONT(f);
    for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
        check_context("from %x", from[i]);
        front_put(&f, FRONT, "state", XenbusStateClosed);
        front_put(&f, FRONT, "state", XenbusStateInitialising);
        struct ring_page *page = (struct ring_page *)frame_hva(f.d, mfn_of(&f, RING_PAGE));
        memset(page, 0, 4096);
        page->req_prod = page->rsp_prod = from[i];
        struct blk b = { &f, page, front_port(&f, DOMID_DRIVER), from[i] };
        front_put(&f, FRONT, "ring-ref", RING_REF);
        front_put(&f, FRONT, "event-channel", b.port);
        front_put(&f, FRONT, "state", XenbusStateInitialised);
        for (u32 n = 0; n < 70; n++) {
            struct blk_request r = blk_one(BLKIF_OP_READ, n % SECTORS, DATA_REF, 0, 0);
            if (!CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY))
                break;
        }
        page->rsp_prod = 0x12345678;        /* the back-end's own: it does not look at it again */
        page->req_event = 0;
        struct blk_request r = blk_one(BLKIF_OP_READ, 3, DATA_REF, 0, 0);
        blk_put(&b, &r);
        front_notify(&f, b.port);
        CHECK_EQ(page->rsp_prod, b.rsp_cons + 1);
    }
    check_disk(&f);
    DONE_FRONT(f);
}

/* --- the network --- */

static struct vif replug(struct fixture *f)
{
    front_put(f, VIF, "state", XenbusStateClosed);
    front_put(f, VIF, "state", XenbusStateInitialising);
    front_grant(f, RING_REF, GTF_permit_access, RING_PAGE);
    front_grant(f, RING_REF + 1, GTF_permit_access, RING_PAGE2);
    return vif_connect(f);
}

static void check_network(struct fixture *f)
{
    struct vif v = replug(f);
    for (u16 i = 0; i < 200; i++)
        vif_offer(&v, DATA_REF + 1, i);
    front_notify(f, v.port);
    for (unsigned i = 0; i < 10; i++)
        front_deliver(f);           /* what was on the wire still */
    v.rx_cons = v.rx->rsp_prod;
    vif_send(&v, DATA_REF, 0, 0, 1, 60);
    CHECK_EQ(vif_sent(&v, 1), NETIF_RSP_OKAY);
    front_deliver(f);
    CHECK_EQ(vif_got(&v, v.rx_cons), 60);
    CHECK(!f->d->ended);
}

/* Frames are received over the rings, and sent out of them: each frame is a new ring. */
static void test_frames_over_rings(void)
{
    WITH_FRONT(f);
    u64 seed = check_seed();
    for (unsigned n = 0; n < 200; n++) {
        struct vif v = replug(&f);
        front_grant(&f, 110, GTF_permit_access, RING_PAGE);
        front_grant(&f, 111, GTF_permit_access, RING_PAGE2);
        for (u32 i = 0; i < 1024; i++)
            poke32(&f, DATA(0) + 4 * i, check_random(&seed) % 3 ? check_random(&seed) % 64 : check_random(&seed));
        for (u16 i = 0; i < 8; i++) {
            vif_offer(&v, 110 + (i + n) % 2, i);
            u16 size = 60 + check_random(&seed) % 1400;
            vif_send(&v, i % 3 ? DATA_REF : 110 + i % 2, 0, 0, i, size);
        }
        front_deliver(&f);
        front_notify(&f, v.port);
        front_deliver(&f);
        CHECK(!f.d->ended);
        if (n % 16 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    check_network(&f);
    DONE_FRONT(f);
}

/* It leaves while frames are on their way: they go nowhere, its pages stay as they are. */
static void test_leaving_with_frames(void)
{
    WITH_FRONT(f);
    struct vif v = vif_connect(&f);
    for (u16 i = 0; i < 8; i++)
        vif_offer(&v, DATA_REF + 1 + i, i);
    for (u16 i = 0; i < 8; i++)
        vif_send(&v, DATA_REF, 0, 0, i, 100);
    front_put(&f, VIF, "state", XenbusStateClosed);
    for (u32 i = 0; i < 8; i++)
        poke32(&f, DATA(1 + i), 0xdeadbeef);
    v.rx->req_prod += 100;
    front_deliver(&f);
    for (u32 i = 0; i < 8; i++)
        CHECK_EQ(peek32(&f, DATA(1 + i)), 0xdeadbeef);
    CHECK_STR(audit(&f), "");
    check_network(&f);
    DONE_FRONT(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "disk-over-its-ring", test_disk_over_its_ring }, { "lists-that-change", test_lists_that_change },
        { "indices-that-wrap", test_indices_that_wrap }, { "frames-over-rings", test_frames_over_rings },
        { "leaving-with-frames", test_leaving_with_frames }, { NULL, NULL },
    };
    return check_main(argc, argv, "hostile_xen", tests);
}
