/* SPDX-License-Identifier: MIT */
/* Domain 0's disk, from the front-end's side: the handshake in the store, requests, and front-ends that break every rule. */
#include "pvfront.h"

static void test_offer(void)
{
    WITH_FRONT(f);
    struct store *s = &f.d->xen->store;
    CHECK_STR(store_text(s, FRONT "/backend"), BACK);
    CHECK_STR(store_text(s, BACK "/frontend"), FRONT);
    CHECK_STR(store_text(s, FRONT "/virtual-device"), "51712");
    CHECK_STR(store_text(s, BACK "/dev"), "xvda");
    CHECK_STR(store_text(s, BACK "/mode"), "w");
    CHECK_STR(store_text(s, BACK "/sectors"), "64");
    CHECK_STR(store_text(s, BACK "/sector-size"), "512");
    CHECK_STR(store_text(s, BACK "/feature-flush-cache"), "1");
    CHECK_EQ(front_state(&f, FRONT), XenbusStateInitialising);
    CHECK_EQ(front_state(&f, BACK), XenbusStateInitWait);
    CHECK_STR(store_text(s, "/local/domain/1/device/vif/0/mac"), "52:54:00:12:34:56");
    struct store_node *n;
    CHECK_EQ(store_get(s->root, DOMID_GUEST, FRONT "/state", PERM_WRITE, &n), 0);
    CHECK_EQ(store_get(s->root, DOMID_GUEST, BACK "/state", PERM_READ, &n), 0);
    CHECK_EQ(store_get(s->root, DOMID_GUEST, BACK "/state", PERM_WRITE, &n), EACCES);
    DONE_FRONT(f);
}

static void test_handshake(void)
{
    WITH_FRONT(f);
    struct blk b = blk_connect(&f);
    CHECK_EQ(front_state(&f, BACK), XenbusStateConnected);
    CHECK_EQ(f.d->port[b.port].state, EVTCHNSTAT_interdomain);
    CHECK(peek32(&f, TABLE + RING_REF * 8) & GTF_writing);
    CHECK_STR(audit(&f), "");
    front_put(&f, FRONT, "state", XenbusStateConnected);
    front_put(&f, FRONT, "state", XenbusStateClosing);
    CHECK_EQ(front_state(&f, BACK), XenbusStateClosing);
    CHECK_EQ(f.d->port[b.port].state, EVTCHNSTAT_unbound);
    CHECK(!(peek32(&f, TABLE + RING_REF * 8) & GTF_reading));
    front_put(&f, FRONT, "state", XenbusStateClosed);
    CHECK_EQ(front_state(&f, BACK), XenbusStateClosed);
    front_put(&f, FRONT, "state", XenbusStateInitialised); /* out of order: not before it has started over */
    CHECK_EQ(front_state(&f, BACK), XenbusStateClosed);
    front_put(&f, FRONT, "state", XenbusStateInitialising);
    CHECK_EQ(front_state(&f, BACK), XenbusStateInitWait);
    b = blk_connect(&f);
    CHECK_EQ(front_state(&f, BACK), XenbusStateConnected);
    struct blk_request r = blk_one(BLKIF_OP_READ, 3, DATA_REF, 0, 0);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    store_drop(&f.d->xen->store, FRONT); /* the guest's whole device goes */
    store_run_watches(&f.d->xen->store);
    CHECK_EQ(front_state(&f, BACK), XenbusStateClosed);
    DONE_FRONT(f);
}

static void test_read_write(void)
{
    WITH_FRONT(f);
    struct blk b = blk_connect(&f);
    const u64 *count = f.vm->ledger.count;
    u64 switches = count[EV_PV_DOMAIN_SWITCH], maps = count[EV_PV_GRANT_MAP], unmaps = count[EV_PV_GRANT_UNMAP];
    struct blk_request r = { BLKIF_OP_READ, 2, 0, 42, 10, { { DATA_REF, 7, 7 }, { DATA_REF + 1, 0, 1 } } };
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    CHECK(front_pending(&f, b.port));
    CHECK_EQ(peek32(&f, DATA(0) + 7 * 512), 10);
    CHECK_EQ(peek32(&f, DATA(1)), 11);
    CHECK_EQ(peek32(&f, DATA(1) + 512), 12);
    CHECK_EQ(count[EV_PV_DOMAIN_SWITCH], switches + 2);
    CHECK_EQ(count[EV_PV_GRANT_MAP], maps + 2);
    CHECK_EQ(count[EV_PV_GRANT_UNMAP], unmaps + 2);
    CHECK_EQ(count[EV_PV_COPIED_LINE], 0); /* the disk reads into the guest's pages themselves */
    poke32(&f, DATA(2), 0xabcd);
    r = blk_one(BLKIF_OP_WRITE, 20, DATA_REF + 2, 0, 7);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    r = blk_one(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0);
    r.segs = 0;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    poke32(&f, DATA(2), 0xef01);
    r = blk_one(BLKIF_OP_WRITE_BARRIER, 40, DATA_REF + 2, 0, 0);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    u32 got = 0;
    CHECK(block_read(f.vm->platform.ide[0].image, 20 * 512, &got, 4) && got == 0xabcd);
    CHECK(block_read(f.vm->platform.ide[0].image, 40 * 512, &got, 4) && got == 0xef01);
    CHECK_EQ(peek32(&f, TABLE + DATA_REF * 8) & (GTF_reading | GTF_writing), 0);
    DONE_FRONT(f);
}

/* Many requests for one notification: one switch of domains, and one event back. */
static void test_batch(void)
{
    WITH_FRONT(f);
    struct blk b = blk_connect(&f);
    u64 switches = f.vm->ledger.count[EV_PV_DOMAIN_SWITCH];
    for (u32 i = 0; i < 32; i++) {
        struct blk_request r = blk_one(BLKIF_OP_READ, i, DATA_REF + i / 8, i % 8, i % 8);
        r.id = i;
        blk_put(&b, &r);
    }
    front_notify(&f, b.port);
    for (u32 i = 0; i < 32; i++) {
        CHECK_EQ(blk_get(&b, i), BLKIF_RSP_OKAY);
        CHECK_EQ(peek32(&f, DATA(i / 8) + i % 8 * 512), i);
    }
    CHECK_EQ(f.vm->ledger.count[EV_PV_DOMAIN_SWITCH], switches + 2);
    CHECK(front_pending(&f, b.port));
    CHECK_EQ(b.page->req_event, 33);
    DONE_FRONT(f);
}

static void test_bad_requests(void)
{
    WITH_FRONT(f);
    struct blk b = blk_connect(&f);
    front_grant(&f, 100, GTF_permit_access | GTF_readonly, DATA(0));
    struct { struct blk_request r; s16 status; } bad[] = {
        { blk_one(BLKIF_OP_READ, SECTORS, DATA_REF, 0, 0), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, SECTORS - 1, DATA_REF, 0, 1), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, ~0ull, DATA_REF, 0, 0), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, 1ull << 55, DATA_REF, 0, 0), BLKIF_RSP_ERROR },       /* times 512 wraps to 0 */
        { blk_one(BLKIF_OP_READ, (1ull << 55) - 1, DATA_REF, 0, 7), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, 0, DATA_REF, 3, 2), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, 0, DATA_REF, 0, 8), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, 0, DATA_REF, 255, 255), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_READ, 0, 100, 0, 0), BLKIF_RSP_ERROR },                      /* granted for reading only */
        { blk_one(BLKIF_OP_READ, 0, 5, 0, 0), BLKIF_RSP_ERROR },                        /* not granted */
        { blk_one(BLKIF_OP_READ, 0, 0xffffffff, 0, 0), BLKIF_RSP_ERROR },
        { blk_one(BLKIF_OP_DISCARD, 0, DATA_REF, 0, 0), BLKIF_RSP_EOPNOTSUPP },
        { blk_one(BLKIF_OP_INDIRECT + 1, 0, DATA_REF, 0, 0), BLKIF_RSP_EOPNOTSUPP },
        { blk_one(255, 0, DATA_REF, 0, 0), BLKIF_RSP_EOPNOTSUPP },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("bad request %u", i);
        CHECK_EQ(blk_do(&b, &bad[i].r), bad[i].status);
        CHECK_STR(audit(&f), "");
    }
    struct blk_request r = blk_one(BLKIF_OP_READ, 0, DATA_REF, 0, 0);
    r.segs = 0;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r.segs = 12;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r.segs = 255;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r = (struct blk_request){ BLKIF_OP_READ, 2, 0, 9, 0, { { DATA_REF, 0, 0 }, { 5, 0, 0 } } }; /* the second fails: the first is given back */
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r = blk_one(BLKIF_OP_WRITE, 0, 100, 0, 0); /* what the disk only reads may be granted so */
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    check_context(NULL);
    DONE_FRONT(f);
}

/* A request whose segments stand in a page of their own. */
#pragma pack(push, 4)
struct blk_indirect { u8 op, indirect_op; u16 segs; u64 id, sector; u16 handle; u32 grefs[8]; u8 rest[52]; };
#pragma pack(pop)
_Static_assert(sizeof(struct blk_indirect) == sizeof(struct blk_request), "a slot");

static s16 indirect_do(struct blk *b, u8 op, u16 segs, u32 list_ref, u64 sector)
{
    struct blk_indirect i = { BLKIF_OP_INDIRECT, op, segs, 77, sector, 0, { list_ref } };
    struct blk_request r;
    memcpy(&r, &i, sizeof r);
    blk_put(b, &r);
    front_notify(b->f, b->port);
    return blk_get(b, 77);
}

static void test_indirect(void)
{
    WITH_FRONT(f);
    enum { LIST = DATA_REF + 15, PIECES = 60 };
    CHECK_STR(store_text(&f.d->xen->store, BACK "/feature-max-indirect-segments"), "256");
    struct blk b = blk_connect(&f);
    struct blkif_request_segment list[512];
    for (u32 i = 0; i < 512; i++) /* sector i into sector i % 8 of page i / 8 */
        list[i] = (struct blkif_request_segment){ DATA_REF + i / 8 % 8, i % 8, i % 8 };
    poke(&f, DATA(15), list, sizeof list);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, PIECES, LIST, 2), BLKIF_RSP_OKAY);
    for (u32 i = 0; i < PIECES; i++)
        CHECK_EQ(peek32(&f, DATA(i / 8) + i % 8 * 512), i + 2);
    poke32(&f, DATA(0), 999);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_WRITE, 1, LIST, 5), BLKIF_RSP_OKAY);
    u32 word = 0;
    CHECK(block_read(f.vm->platform.ide[0].image, 5 * 512, &word, 4) && word == 999);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 0, LIST, 0), BLKIF_RSP_ERROR);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 257, LIST, 0), BLKIF_RSP_ERROR);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 0xffff, LIST, 0), BLKIF_RSP_ERROR);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 256, LIST, 0), BLKIF_RSP_ERROR);         /* beyond the disk */
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 1, 400, 0), BLKIF_RSP_ERROR);            /* the list is not granted */
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 1, 0xffffffff, 0), BLKIF_RSP_ERROR);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_INDIRECT, 1, LIST, 0), BLKIF_RSP_ERROR);       /* a list of lists */
    CHECK_EQ(indirect_do(&b, BLKIF_OP_FLUSH_DISKCACHE, 1, LIST, 0), BLKIF_RSP_ERROR);
    list[1].gref = 400;
    list[2].last_sect = 8;
    poke(&f, DATA(15), list, sizeof list);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 2, LIST, 0), BLKIF_RSP_ERROR);
    list[1].gref = DATA_REF;
    poke(&f, DATA(15), list, sizeof list);
    CHECK_EQ(indirect_do(&b, BLKIF_OP_READ, 3, LIST, 0), BLKIF_RSP_ERROR);
    DONE_FRONT(f);
}

static void test_mad_index(void)
{
    static const u32 ahead[] = { 33, 1000, 0x80000000, 0xffffffff };
    for (unsigned i = 0; i < ARRAY_LEN(ahead); i++) {
        WITH_FRONT(f);
        struct blk b = blk_connect(&f);
        b.page->req_prod += ahead[i];
        front_notify(&f, b.port);
        CHECK_EQ(front_state(&f, BACK), XenbusStateClosing);
        CHECK_CONTAINS(store_text(&f.d->xen->store, BACK "/error"), "request index");
        CHECK_EQ(f.d->port[b.port].state, EVTCHNSTAT_unbound);
        front_notify(&f, b.port); /* nobody listens */
        CHECK(!f.d->ended);
        front_put(&f, FRONT, "state", XenbusStateClosed);
        front_put(&f, FRONT, "state", XenbusStateInitialising);
        b = blk_connect(&f);
        struct blk_request r = blk_one(BLKIF_OP_READ, 1, DATA_REF, 0, 0);
        CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY); /* and again, properly */
        DONE_FRONT(f);
    }
}

static void test_bad_handshakes(void)
{
    WITH_FRONT(f);
    static const struct { const char *node, *value; } bad[] = {
        { "ring-ref", "5" }, { "ring-ref", "4294967295" }, { "ring-ref", "99999999999999999999999" }, { "ring-ref", "" }, { "ring-ref", "-1" },
        { "event-channel", "0" }, { "event-channel", "77" }, { "event-channel", "4294967295" }, { "event-channel", "1" },
        { "protocol", "x86_64-abi" }, { "protocol", "" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        char path[128];
        check_context("%s = '%s'", bad[i].node, bad[i].value);
        front_put(&f, FRONT, "ring-ref", RING_REF);
        front_put(&f, FRONT, "event-channel", front_port(&f, DOMID_DRIVER));
        store_put(&f.d->xen->store, FRONT "/protocol", "x86_32-abi");
        snprintf(path, sizeof path, FRONT "/%s", bad[i].node);
        store_put(&f.d->xen->store, path, "%s", bad[i].value);
        front_put(&f, FRONT, "state", XenbusStateInitialised);
        CHECK_EQ(front_state(&f, BACK), XenbusStateClosing);
        CHECK(store_text(&f.d->xen->store, BACK "/error"));
        CHECK_STR(audit(&f), "");
        front_put(&f, FRONT, "state", XenbusStateClosed);
        front_put(&f, FRONT, "state", XenbusStateInitialising);
        CHECK_EQ(front_state(&f, BACK), XenbusStateInitWait);
    }
    u32 loop = front_port(&f, DOMID_SELF); /* made for somebody else */
    front_put(&f, FRONT, "event-channel", loop);
    front_put(&f, FRONT, "state", XenbusStateInitialised);
    CHECK_EQ(front_state(&f, BACK), XenbusStateClosing);
    front_put(&f, FRONT, "state", 77);
    front_put(&f, FRONT, "state", 0xffffffff);
    CHECK(!f.d->ended);
    check_context(NULL);
    DONE_FRONT(f);
}

/* The event channel closed, the ring's grant revoked and the page given away, while requests go on. */
static void test_pulled_away(void)
{
    WITH_FRONT(f);
    struct blk b = blk_connect(&f);
    u32 ring = mfn_of(&f, RING_PAGE);
    poke64(&f, TABLE + RING_REF * 8, 0);
    struct blk_request r = blk_one(BLKIF_OP_READ, 1, DATA_REF, 0, 0);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY); /* still mapped there */
    struct memory_reservation32 m = { .extent_start = OP + 64, .nr_extents = 1, .domid = DOMID_SELF };
    CHECK_EQ(update_va(&f, RING_PAGE, 0), 0);
    poke32(&f, OP + 64, ring);
    poke(&f, OP, &m, sizeof m);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, OP, 0, 0), 1);
    CHECK_EQ(f.d->frame[ring].owner, OWNER_DOMAIN);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    poke(&f, OP, &b.port, 4);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_close, OP, 0, 0), 0);
    poke(&f, OP, &b.port, 4);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, OP, 0, 0), -XEN_EINVAL);
    front_put(&f, FRONT, "state", XenbusStateClosing);
    CHECK_EQ(f.d->frame[ring].owner, OWNER_NOBODY); /* the last use is over */
    CHECK_EQ(front_state(&f, BACK), XenbusStateClosing);
    DONE_FRONT(f);
}

/* A page that is on its way to become a page table cannot be read into. */
static void test_read_into_a_page_table(void)
{
    WITH_FRONT(f);
    struct blk b = blk_connect(&f);
    u32 table = mfn_of(&f, DATA(3));
    CHECK_EQ(update_va(&f, DATA(3), maddr(table) | PTE_P), 0);
    memset(frame_hva(f.d, table), 0, 4096);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, table, 0), 0);
    struct blk_request r = blk_one(BLKIF_OP_READ, 1, DATA_REF + 3, 0, 7);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    CHECK_EQ(peek32(&f, DATA(3)), 0);
    DONE_FRONT(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "offer", test_offer },
        { "handshake", test_handshake },
        { "read-write", test_read_write },
        { "batch", test_batch },
        { "bad-requests", test_bad_requests },
        { "indirect", test_indirect },
        { "mad-index", test_mad_index },
        { "bad-handshakes", test_bad_handshakes },
        { "pulled-away", test_pulled_away },
        { "read-into-a-page-table", test_read_into_a_page_table },
        { NULL, NULL },
    };
    return check_main(argc, argv, "blkback", tests);
}
