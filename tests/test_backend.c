/* SPDX-License-Identifier: MIT */
/*
 * Domain 0's back-ends, from the front-end's side: the handshake in the store, rings in granted pages, disks and
 * networks, and front-ends that break every rule. The front-end is this file, in the guest's memory; at the end one
 * is GRUB's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "devices/block/block.h"
#include "devices/net/net.h"
#include "devices/serial/chardev.h"
#include "paravirt/backend/backend.h"
#include "paravirt/grant.h"
#include "pvfixture.h"

#define WITH(f) struct fixture f; if (!CHECK(machine(&f))) { check_fail(__FILE__, __LINE__, "%s", f.err.text); fixture_close(&f); return; }
#define DONE(f) do { CHECK_STR(audit(&f), ""); fixture_close(&f); unlink(image_path); } while (0)
#define TABLE PAGE(60)      /* the guest's grant table */
#define OP PAGE(61)
#define RING_PAGE PAGE(0)   /* rings: the disk's, or the network's two */
#define RING_PAGE2 PAGE(1)
#define DATA(n) PAGE(8 + (n))
#define RING_REF 8
#define DATA_REF 16
#define FRONT "/local/domain/1/device/vbd/51712"
#define BACK "/local/domain/0/backend/vbd/1/51712"
#define SECTORS 64

static char image_path[] = "/tmp/emu-vbd-XXXXXX";

static void with_devices(struct vm_config *c)
{
    c->drive[0] = (struct vm_drive){ .file = image_path, .media = DRIVE_DISK, .index = -1 };
    c->ndrives = 1;
    c->netdev[0] = (struct vm_netdev){ .type = "loopback", .id = "n0" };
    c->nnetdevs = 1;
    c->nic[0] = (struct vm_nic){ .model = "e1000", .netdev = "n0" };
    c->nnics = 1;
}

/* Sector n of the image begins with n. */
static void make_disk(void)
{
    strcpy(image_path, "/tmp/emu-vbd-XXXXXX");
    int fd = mkstemp(image_path);
    u8 sector[512] = { 0 };
    for (u32 i = 0; i < SECTORS; i++) {
        memcpy(sector, &i, sizeof i);
        CHECK_EQ(write(fd, sector, sizeof sector), sizeof sector);
    }
    close(fd);
}

static void grant(struct fixture *f, u32 ref, u16 flags, u32 gva)
{
    struct grant_entry_v1 e = { flags, DOMID_DRIVER, mfn_of(f, gva) };
    poke(f, TABLE + ref * sizeof e, &e, sizeof e);
}

static bool machine(struct fixture *f)
{
    make_disk();
    if (!fixture_open_machine(f, &good_image, with_devices))
        return false;
    struct gnttab_setup_table32 s = { DOMID_SELF, 1, 0, OP + 64 };
    poke(f, OP, &s, sizeof s);
    CHECK_EQ(call(f, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, OP, 1, 0), 0);
    CHECK_EQ(update_va(f, TABLE, maddr(peek32(f, OP + 64)) | PTE_P | PTE_RW), 0);
    grant(f, RING_REF, GTF_permit_access, RING_PAGE);
    grant(f, RING_REF + 1, GTF_permit_access, RING_PAGE2);
    for (u32 i = 0; i < 16; i++)
        grant(f, DATA_REF + i, GTF_permit_access, DATA(i));
    return true;
}

/* --- the front-end's half of the handshake; the guest's writes, without the ring --- */

static void put(struct fixture *f, const char *end, const char *node, u32 value)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", end, node);
    store_put(&f->d->store, path, "%u", value);
    store_run_watches(&f->d->store);
}

static u32 state(struct fixture *f, const char *end)
{
    char path[128];
    u32 n = 99;
    snprintf(path, sizeof path, "%s/state", end);
    store_number(&f->d->store, path, &n);
    return n;
}

static u32 new_port(struct fixture *f, u16 remote)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = remote };
    poke(f, OP, &a, sizeof a);
    CHECK_EQ(call(f, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, OP, 0, 0), 0);
    return peek32(f, OP + offsetof(struct evtchn_alloc_unbound, port));
}

static void notify(struct fixture *f, u32 port)
{
    poke(f, OP, &port, sizeof port);
    CHECK_EQ(call(f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, OP, 0, 0), 0);
}

static bool pending(struct fixture *f, u32 port)
{
    bool was = f->d->shared->evtchn_pending[port / 32] >> port % 32 & 1;
    f->d->shared->evtchn_pending[port / 32] &= ~(1u << port % 32);
    return was;
}

/* --- a disk --- */

#pragma pack(push, 4)
struct blk_request { u8 op, segs; u16 handle; u64 id, sector; struct blkif_request_segment seg[11]; };
struct blk_response { u64 id; u8 op; s16 status; };
#pragma pack(pop)

struct blk {
    struct fixture *f;
    struct ring_page *page;
    u32 port, rsp_cons;
};

static struct blk blk_connect(struct fixture *f)
{
    struct blk b = { f, (struct ring_page *)frame_hva(f->d, mfn_of(f, RING_PAGE)), new_port(f, DOMID_DRIVER), 0 };
    memset(b.page, 0, 4096);
    b.page->req_event = b.page->rsp_event = 1;
    put(f, FRONT, "ring-ref", RING_REF);
    put(f, FRONT, "event-channel", b.port);
    put(f, FRONT, "state", XenbusStateInitialised);
    return b;
}

static void blk_put(struct blk *b, const struct blk_request *r)
{
    memcpy(b->page->slot + (b->page->req_prod++ & 31) * sizeof *r, r, sizeof *r);
}

static s16 blk_get(struct blk *b, u64 id)
{
    struct blk_response r;
    if (!CHECK(b->rsp_cons != b->page->rsp_prod))
        return -100;
    memcpy(&r, b->page->slot + (b->rsp_cons++ & 31) * sizeof(struct blk_request), sizeof r);
    b->page->rsp_event = b->rsp_cons + 1;
    CHECK_EQ(r.id, id);
    return r.status;
}

static s16 blk_do(struct blk *b, const struct blk_request *r)
{
    blk_put(b, r);
    notify(b->f, b->port);
    return blk_get(b, r->id);
}

static struct blk_request one(u8 op, u64 sector, u32 ref, u8 first, u8 last)
{
    return (struct blk_request){ op, 1, 0, 0x1122334455667788, sector, { { ref, first, last } } };
}

static void test_offer(void)
{
    WITH(f);
    struct store *s = &f.d->store;
    CHECK_STR(store_text(s, FRONT "/backend"), BACK);
    CHECK_STR(store_text(s, BACK "/frontend"), FRONT);
    CHECK_STR(store_text(s, FRONT "/virtual-device"), "51712");
    CHECK_STR(store_text(s, BACK "/dev"), "xvda");
    CHECK_STR(store_text(s, BACK "/mode"), "w");
    CHECK_STR(store_text(s, BACK "/sectors"), "64");
    CHECK_STR(store_text(s, BACK "/sector-size"), "512");
    CHECK_STR(store_text(s, BACK "/feature-flush-cache"), "1");
    CHECK_EQ(state(&f, FRONT), XenbusStateInitialising);
    CHECK_EQ(state(&f, BACK), XenbusStateInitWait);
    CHECK_STR(store_text(s, "/local/domain/1/device/vif/0/mac"), "52:54:00:12:34:56");
    struct store_node *n;
    CHECK_EQ(store_get(s->root, DOMID_GUEST, FRONT "/state", PERM_WRITE, &n), 0);
    CHECK_EQ(store_get(s->root, DOMID_GUEST, BACK "/state", PERM_READ, &n), 0);
    CHECK_EQ(store_get(s->root, DOMID_GUEST, BACK "/state", PERM_WRITE, &n), EACCES);
    DONE(f);
}

static void test_handshake(void)
{
    WITH(f);
    struct blk b = blk_connect(&f);
    CHECK_EQ(state(&f, BACK), XenbusStateConnected);
    CHECK_EQ(f.d->port[b.port].state, EVTCHNSTAT_interdomain);
    CHECK(peek32(&f, TABLE + RING_REF * 8) & GTF_writing);
    CHECK_STR(audit(&f), "");
    put(&f, FRONT, "state", XenbusStateConnected);
    put(&f, FRONT, "state", XenbusStateClosing);
    CHECK_EQ(state(&f, BACK), XenbusStateClosing);
    CHECK_EQ(f.d->port[b.port].state, EVTCHNSTAT_unbound);
    CHECK(!(peek32(&f, TABLE + RING_REF * 8) & GTF_reading));
    put(&f, FRONT, "state", XenbusStateClosed);
    CHECK_EQ(state(&f, BACK), XenbusStateClosed);
    put(&f, FRONT, "state", XenbusStateInitialised); /* out of order: not before it has started over */
    CHECK_EQ(state(&f, BACK), XenbusStateClosed);
    put(&f, FRONT, "state", XenbusStateInitialising);
    CHECK_EQ(state(&f, BACK), XenbusStateInitWait);
    b = blk_connect(&f);
    CHECK_EQ(state(&f, BACK), XenbusStateConnected);
    struct blk_request r = one(BLKIF_OP_READ, 3, DATA_REF, 0, 0);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    store_drop(&f.d->store, FRONT); /* the guest's whole device goes */
    store_run_watches(&f.d->store);
    CHECK_EQ(state(&f, BACK), XenbusStateClosed);
    DONE(f);
}

static void test_read_write(void)
{
    WITH(f);
    struct blk b = blk_connect(&f);
    const u64 *count = f.vm->ledger.count;
    u64 switches = count[EV_PV_DOMAIN_SWITCH], maps = count[EV_PV_GRANT_MAP], unmaps = count[EV_PV_GRANT_UNMAP];
    struct blk_request r = { BLKIF_OP_READ, 2, 0, 42, 10, { { DATA_REF, 7, 7 }, { DATA_REF + 1, 0, 1 } } };
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    CHECK(pending(&f, b.port));
    CHECK_EQ(peek32(&f, DATA(0) + 7 * 512), 10);
    CHECK_EQ(peek32(&f, DATA(1)), 11);
    CHECK_EQ(peek32(&f, DATA(1) + 512), 12);
    CHECK_EQ(count[EV_PV_DOMAIN_SWITCH], switches + 2);
    CHECK_EQ(count[EV_PV_GRANT_MAP], maps + 2);
    CHECK_EQ(count[EV_PV_GRANT_UNMAP], unmaps + 2);
    CHECK_EQ(count[EV_PV_COPIED_LINE], 0); /* the disk reads into the guest's pages themselves */
    poke32(&f, DATA(2), 0xabcd);
    r = one(BLKIF_OP_WRITE, 20, DATA_REF + 2, 0, 7);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    r = one(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0);
    r.segs = 0;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    poke32(&f, DATA(2), 0xef01);
    r = one(BLKIF_OP_WRITE_BARRIER, 40, DATA_REF + 2, 0, 0);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    u32 got = 0;
    CHECK(block_read(f.vm->platform.ide[0].image, 20 * 512, &got, 4) && got == 0xabcd);
    CHECK(block_read(f.vm->platform.ide[0].image, 40 * 512, &got, 4) && got == 0xef01);
    CHECK_EQ(peek32(&f, TABLE + DATA_REF * 8) & (GTF_reading | GTF_writing), 0);
    DONE(f);
}

/* Many requests for one notification: one switch of domains, and one event back. */
static void test_batch(void)
{
    WITH(f);
    struct blk b = blk_connect(&f);
    u64 switches = f.vm->ledger.count[EV_PV_DOMAIN_SWITCH];
    for (u32 i = 0; i < 32; i++) {
        struct blk_request r = one(BLKIF_OP_READ, i, DATA_REF + i / 8, i % 8, i % 8);
        r.id = i;
        blk_put(&b, &r);
    }
    notify(&f, b.port);
    for (u32 i = 0; i < 32; i++) {
        CHECK_EQ(blk_get(&b, i), BLKIF_RSP_OKAY);
        CHECK_EQ(peek32(&f, DATA(i / 8) + i % 8 * 512), i);
    }
    CHECK_EQ(f.vm->ledger.count[EV_PV_DOMAIN_SWITCH], switches + 2);
    CHECK(pending(&f, b.port));
    CHECK_EQ(b.page->req_event, 33);
    DONE(f);
}

static void test_bad_requests(void)
{
    WITH(f);
    struct blk b = blk_connect(&f);
    grant(&f, 100, GTF_permit_access | GTF_readonly, DATA(0));
    struct { struct blk_request r; s16 status; } bad[] = {
        { one(BLKIF_OP_READ, SECTORS, DATA_REF, 0, 0), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, SECTORS - 1, DATA_REF, 0, 1), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, ~0ull, DATA_REF, 0, 0), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, 1ull << 55, DATA_REF, 0, 0), BLKIF_RSP_ERROR },       /* times 512 wraps to 0 */
        { one(BLKIF_OP_READ, (1ull << 55) - 1, DATA_REF, 0, 7), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, 0, DATA_REF, 3, 2), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, 0, DATA_REF, 0, 8), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, 0, DATA_REF, 255, 255), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_READ, 0, 100, 0, 0), BLKIF_RSP_ERROR },                      /* granted for reading only */
        { one(BLKIF_OP_READ, 0, 5, 0, 0), BLKIF_RSP_ERROR },                        /* not granted */
        { one(BLKIF_OP_READ, 0, 0xffffffff, 0, 0), BLKIF_RSP_ERROR },
        { one(BLKIF_OP_DISCARD, 0, DATA_REF, 0, 0), BLKIF_RSP_EOPNOTSUPP },
        { one(BLKIF_OP_INDIRECT, 0, DATA_REF, 0, 0), BLKIF_RSP_EOPNOTSUPP },
        { one(255, 0, DATA_REF, 0, 0), BLKIF_RSP_EOPNOTSUPP },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("bad request %u", i);
        CHECK_EQ(blk_do(&b, &bad[i].r), bad[i].status);
        CHECK_STR(audit(&f), "");
    }
    struct blk_request r = one(BLKIF_OP_READ, 0, DATA_REF, 0, 0);
    r.segs = 0;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r.segs = 12;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r.segs = 255;
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r = (struct blk_request){ BLKIF_OP_READ, 2, 0, 9, 0, { { DATA_REF, 0, 0 }, { 5, 0, 0 } } }; /* the second fails: the first is given back */
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    r = one(BLKIF_OP_WRITE, 0, 100, 0, 0); /* what the disk only reads may be granted so */
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY);
    check_context(NULL);
    DONE(f);
}

static void test_mad_index(void)
{
    static const u32 ahead[] = { 33, 1000, 0x80000000, 0xffffffff };
    for (unsigned i = 0; i < ARRAY_LEN(ahead); i++) {
        WITH(f);
        struct blk b = blk_connect(&f);
        b.page->req_prod += ahead[i];
        notify(&f, b.port);
        CHECK_EQ(state(&f, BACK), XenbusStateClosing);
        CHECK_CONTAINS(store_text(&f.d->store, BACK "/error"), "request index");
        CHECK_EQ(f.d->port[b.port].state, EVTCHNSTAT_unbound);
        notify(&f, b.port); /* nobody listens */
        CHECK(!f.d->ended);
        put(&f, FRONT, "state", XenbusStateClosed);
        put(&f, FRONT, "state", XenbusStateInitialising);
        b = blk_connect(&f);
        struct blk_request r = one(BLKIF_OP_READ, 1, DATA_REF, 0, 0);
        CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_OKAY); /* and again, properly */
        DONE(f);
    }
}

static void test_bad_handshakes(void)
{
    WITH(f);
    static const struct { const char *node, *value; } bad[] = {
        { "ring-ref", "5" }, { "ring-ref", "4294967295" }, { "ring-ref", "99999999999999999999999" }, { "ring-ref", "" }, { "ring-ref", "-1" },
        { "event-channel", "0" }, { "event-channel", "77" }, { "event-channel", "4294967295" }, { "event-channel", "1" },
        { "protocol", "x86_64-abi" }, { "protocol", "" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        char path[128];
        check_context("%s = '%s'", bad[i].node, bad[i].value);
        put(&f, FRONT, "ring-ref", RING_REF);
        put(&f, FRONT, "event-channel", new_port(&f, DOMID_DRIVER));
        store_put(&f.d->store, FRONT "/protocol", "x86_32-abi");
        snprintf(path, sizeof path, FRONT "/%s", bad[i].node);
        store_put(&f.d->store, path, "%s", bad[i].value);
        put(&f, FRONT, "state", XenbusStateInitialised);
        CHECK_EQ(state(&f, BACK), XenbusStateClosing);
        CHECK(store_text(&f.d->store, BACK "/error"));
        CHECK_STR(audit(&f), "");
        put(&f, FRONT, "state", XenbusStateClosed);
        put(&f, FRONT, "state", XenbusStateInitialising);
        CHECK_EQ(state(&f, BACK), XenbusStateInitWait);
    }
    u32 loop = new_port(&f, DOMID_SELF); /* made for somebody else */
    put(&f, FRONT, "event-channel", loop);
    put(&f, FRONT, "state", XenbusStateInitialised);
    CHECK_EQ(state(&f, BACK), XenbusStateClosing);
    put(&f, FRONT, "state", 77);
    put(&f, FRONT, "state", 0xffffffff);
    CHECK(!f.d->ended);
    check_context(NULL);
    DONE(f);
}

/* The event channel closed, the ring's grant revoked and the page given away, while requests go on. */
static void test_pulled_away(void)
{
    WITH(f);
    struct blk b = blk_connect(&f);
    u32 ring = mfn_of(&f, RING_PAGE);
    poke64(&f, TABLE + RING_REF * 8, 0);
    struct blk_request r = one(BLKIF_OP_READ, 1, DATA_REF, 0, 0);
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
    put(&f, FRONT, "state", XenbusStateClosing);
    CHECK_EQ(f.d->frame[ring].owner, OWNER_NOBODY); /* the last use is over */
    CHECK_EQ(state(&f, BACK), XenbusStateClosing);
    DONE(f);
}

/* A page that is on its way to become a page table cannot be read into. */
static void test_read_into_a_page_table(void)
{
    WITH(f);
    struct blk b = blk_connect(&f);
    u32 table = mfn_of(&f, DATA(3));
    CHECK_EQ(update_va(&f, DATA(3), maddr(table) | PTE_P), 0);
    memset(frame_hva(f.d, table), 0, 4096);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, table, 0), 0);
    struct blk_request r = one(BLKIF_OP_READ, 1, DATA_REF + 3, 0, 7);
    CHECK_EQ(blk_do(&b, &r), BLKIF_RSP_ERROR);
    CHECK_EQ(peek32(&f, DATA(3)), 0);
    DONE(f);
}

/* --- a network: what goes into the loopback comes out of it --- */

#define VIF "/local/domain/1/device/vif/0"
#define VIF_BACK "/local/domain/0/backend/vif/1/0"

struct vif {
    struct fixture *f;
    struct ring_page *tx, *rx;
    u32 port, tx_cons, rx_cons;
};

static struct vif vif_connect(struct fixture *f)
{
    struct vif v = { f, (struct ring_page *)frame_hva(f->d, mfn_of(f, RING_PAGE)), (struct ring_page *)frame_hva(f->d, mfn_of(f, RING_PAGE2)),
                     new_port(f, DOMID_DRIVER), 0, 0 };
    memset(v.tx, 0, 4096);
    memset(v.rx, 0, 4096);
    v.tx->req_event = v.tx->rsp_event = v.rx->req_event = v.rx->rsp_event = 1;
    put(f, VIF, "tx-ring-ref", RING_REF);
    put(f, VIF, "rx-ring-ref", RING_REF + 1);
    put(f, VIF, "event-channel", v.port);
    put(f, VIF, "request-rx-copy", 1);
    put(f, VIF, "state", XenbusStateConnected);
    return v;
}

static void vif_send(struct vif *v, u32 ref, u16 offset, u16 flags, u16 id, u16 size)
{
    struct netif_tx_request r = { ref, offset, flags, id, size };
    memcpy(v->tx->slot + (v->tx->req_prod++ & 255) * sizeof r, &r, sizeof r);
    notify(v->f, v->port);
}

static s16 vif_sent(struct vif *v, u16 id)
{
    struct netif_tx_response r = { 0 };
    if (!CHECK(v->tx_cons != v->tx->rsp_prod))
        return -100;
    memcpy(&r, v->tx->slot + (v->tx_cons++ & 255) * sizeof(struct netif_tx_request), sizeof r);
    CHECK_EQ(r.id, id);
    return r.status;
}

static void vif_offer(struct vif *v, u32 ref, u16 id)
{
    struct netif_rx_request r = { .id = id, .gref = ref };
    memcpy(v->rx->slot + (v->rx->req_prod++ & 255) * sizeof r, &r, sizeof r);
}

static s32 vif_got(struct vif *v, u16 id)
{
    struct netif_rx_response r;
    if (!CHECK(v->rx_cons != v->rx->rsp_prod))
        return -100;
    memcpy(&r, v->rx->slot + (v->rx_cons++ & 255) * sizeof r, sizeof r);
    CHECK_EQ(r.id, id);
    return r.status;
}

static void deliver(struct fixture *f)
{
    clock_advance(&f->vm->clock, 10);
    clock_run_due(&f->vm->clock);
}

/* A network waits for state 4: GNU Mach writes what it wishes only behind state 3. */
static void test_late_wishes(void)
{
    WITH(f);
    put(&f, VIF, "state", XenbusStateInitialised);
    CHECK_EQ(state(&f, VIF_BACK), XenbusStateInitWait);
    vif_connect(&f);
    CHECK_EQ(state(&f, VIF_BACK), XenbusStateConnected);
    DONE(f);
}

static void test_echo(void)
{
    WITH(f);
    struct vif v = vif_connect(&f);
    CHECK_EQ(state(&f, VIF_BACK), XenbusStateConnected);
    vif_offer(&v, DATA_REF + 1, 5);
    poke(&f, DATA(0) + 100, "to: me from: me, this is a frame", 33);
    u64 copies = f.vm->ledger.count[EV_PV_GRANT_COPY];
    vif_send(&v, DATA_REF, 100, 0, 77, 60);
    CHECK_EQ(vif_sent(&v, 77), NETIF_RSP_OKAY);
    CHECK(pending(&f, v.port));
    deliver(&f);
    CHECK_EQ(vif_got(&v, 5), 60);
    CHECK(pending(&f, v.port));
    CHECK_EQ(peek64(&f, DATA(1)), peek64(&f, DATA(0) + 100));
    CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_COPY], copies + 2);
    CHECK(f.vm->ledger.count[EV_PV_COPIED_LINE] >= 2);
    DONE(f);
}

/* No page for it: the frame waits on the wire until the guest offers one. */
static void test_no_page_for_a_frame(void)
{
    WITH(f);
    struct vif v = vif_connect(&f);
    vif_send(&v, DATA_REF, 0, 0, 1, 60);
    deliver(&f);
    CHECK_EQ(v.rx->rsp_prod, 0);
    vif_offer(&v, DATA_REF + 1, 9);
    CHECK_EQ(v.rx->req_event, 1); /* it asked to be told */
    notify(&f, v.port);
    deliver(&f);
    CHECK_EQ(vif_got(&v, 9), 60);
    DONE(f);
}

static void test_checksum_is_filled_in(void)
{
    WITH(f);
    struct vif v = vif_connect(&f);
    u8 frame[60] = { [12] = 8, [14] = 0x45, [17] = 46 - 0, [22] = 64, [23] = 17, [26] = 10, [29] = 1, [30] = 10, [33] = 2,
                     [35] = 7, [37] = 9, [39] = 26, [40] = 0x14, [41] = 0x2e /* pseudo header: 10.0.0.1 + 10.0.0.2 + 17 + 26 */ };
    poke(&f, DATA(0), frame, sizeof frame);
    vif_offer(&v, DATA_REF + 1, 1);
    vif_send(&v, DATA_REF, 0, NETTXF_csum_blank, 1, sizeof frame);
    CHECK_EQ(vif_sent(&v, 1), NETIF_RSP_OKAY);
    deliver(&f);
    CHECK_EQ(vif_got(&v, 1), 60);
    /* ports 7 and 9, length 26, the pseudo header's sum: 0x7 + 0x9 + 0x1a + 0x142e = 0x1458 */
    CHECK_EQ(__builtin_bswap16(peek32(&f, DATA(1) + 40)), 0xffff & ~0x1458);
    vif_offer(&v, DATA_REF + 1, 2);
    frame[14] = 0x4f; /* a header that reaches beyond the frame: nothing is written there */
    poke(&f, DATA(0), frame, sizeof frame);
    vif_send(&v, DATA_REF, 0, NETTXF_csum_blank, 2, 40);
    CHECK_EQ(vif_sent(&v, 2), NETIF_RSP_OKAY);
    DONE(f);
}

static void test_bad_frames(void)
{
    WITH(f);
    struct vif v = vif_connect(&f);
    static const struct { u32 ref; u16 offset, size; } bad[] = {
        { DATA_REF, 4090, 60 }, { DATA_REF, 0xffff, 60 }, { DATA_REF, 0, 4097 }, { DATA_REF, 0, 0xffff }, { DATA_REF, 0, 0 }, { DATA_REF, 0, 13 },
        { 5, 0, 60 }, { 0xffffffff, 0, 60 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("bad frame %u", i);
        vif_send(&v, bad[i].ref, bad[i].offset, 0, i, bad[i].size);
        CHECK_EQ(vif_sent(&v, i), NETIF_RSP_ERROR);
    }
    check_context(NULL);
    vif_offer(&v, 5, 3);            /* a page that is not granted */
    vif_send(&v, DATA_REF, 0, 0, 99, 60);
    deliver(&f);
    CHECK_EQ(vif_got(&v, 3), NETIF_RSP_ERROR);
    CHECK_EQ(state(&f, VIF_BACK), XenbusStateConnected);
    CHECK_STR(audit(&f), "");
    vif_send(&v, DATA_REF, 0, NETTXF_more_data, 1, 60);
    CHECK_EQ(state(&f, VIF_BACK), XenbusStateClosing);
    CHECK_CONTAINS(store_text(&f.d->store, VIF_BACK "/error"), "pieces");
    DONE(f);
}

static void test_mad_network_rings(void)
{
    for (unsigned which = 0; which < 2; which++) {
        WITH(f);
        struct vif v = vif_connect(&f);
        (which ? v.rx : v.tx)->req_prod += 257;
        if (which) {
            v.tx->req_prod = 0;
            vif_send(&v, DATA_REF, 0, 0, 1, 60);
            deliver(&f);
        } else
            notify(&f, v.port);
        CHECK_EQ(state(&f, VIF_BACK), XenbusStateClosing);
        deliver(&f);
        CHECK(!f.d->ended);
        DONE(f);
    }
}

/* --- rings and requests at random: answers, errors, a closed device; never anything else --- */

static void scribble(struct fixture *f, struct ring_page *page, u64 *seed)
{
    u32 *word = (u32 *)page;
    unsigned n = check_random(seed) % 4;
    page->req_prod += check_random(seed) % 16 ? check_random(seed) % 5 : check_random(seed);
    for (unsigned i = 0; i < n; i++)
        word[16 + check_random(seed) % 1000] = check_random(seed) % 2 ? check_random(seed) % 64 : check_random(seed);
    if (check_random(seed) % 64 == 0)
        word[check_random(seed) % 4] = check_random(seed);
    if (check_random(seed) % 32 == 0)
        grant(f, check_random(seed) % 64, check_random(seed), PAGE(check_random(seed) % 30));
}

static void start_over(struct fixture *f, const char *front)
{
    put(f, front, "state", XenbusStateClosed);
    put(f, front, "state", XenbusStateInitialising);
    grant(f, RING_REF, GTF_permit_access, RING_PAGE);
    grant(f, RING_REF + 1, GTF_permit_access, RING_PAGE2);
}

static void fuzz(unsigned rounds, bool network)
{
    WITH(f);
    u64 seed = check_seed();
    for (unsigned i = 0; i < rounds && !f.d->ended; i++) {
        start_over(&f, network ? VIF : FRONT);
        struct blk b = { 0 };
        struct vif v = { 0 };
        if (network)
            v = vif_connect(&f);
        else
            b = blk_connect(&f);
        u32 port = network ? v.port : b.port;
        for (unsigned k = 0; k < 40; k++) {
            scribble(&f, network ? v.tx : b.page, &seed);
            if (network)
                scribble(&f, v.rx, &seed);
            notify(&f, port);
            deliver(&f);
        }
        put(&f, network ? VIF : FRONT, "state", check_random(&seed) % 8);
        poke(&f, OP, &port, 4);
        call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_close, OP, 0, 0);
        if (i % 16 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    CHECK(!f.d->ended);
    DONE(f);
}

static unsigned fuzz_rounds(void) { return getenv("EMU_SOAK") ? 50000 : 200; }
static void test_fuzz_disk(void) { fuzz(fuzz_rounds(), false); }
static void test_fuzz_network(void) { fuzz(fuzz_rounds(), true); }

/* --- front-ends that run: a kernel of ours --- */

static void test_split(void)
{
    if (access("build/guests/split.xen.elf", R_OK))
        SKIP("build/guests has no split.xen.elf; run make guests");
    make_disk();
    struct fixture f = { 0 };
    if (CHECK(fixture_machine(&f, "build/guests/split.xen.elf", with_devices))) {
        CHECK_EQ(vm_run(f.vm), STATUS_POWEROFF);
        CHECK_CONTAINS(fixture_output(&f), "disk: 64 sectors; 8 pages written and read back\n");
        CHECK_CONTAINS(fixture_output(&f), "net: 16 frames came back\n");
        const u64 *count = f.vm->ledger.count;
        CHECK_EQ(count[EV_PV_COPIED_LINE], 2 * 16 * 16); /* 1000 bytes there and back; the disk's pages are not copied */
        CHECK_EQ(count[EV_PV_GRANT_COPY], 2 * 16);
        CHECK_EQ(count[EV_PV_GRANT_MAP], 3 + 3 * 8);    /* rings, and three times eight pages */
        CHECK_EQ(count[EV_PV_GRANT_UNMAP], count[EV_PV_GRANT_MAP]);
        CHECK_EQ(state(&f, BACK), XenbusStateClosed);
        CHECK_STR(audit(&f), "");
        u32 word = 0;
        CHECK(block_read(f.vm->platform.ide[0].image, 0, &word, 4) && word);
    }
    fixture_close(&f);
    unlink(image_path);
}

/* --- and a real one: GRUB's --- */

static const char *fs_image;
static void with_file_system(struct vm_config *c)
{
    c->drive[0] = (struct vm_drive){ .file = fs_image, .media = DRIVE_DISK, .index = -1, .readonly = true };
    c->ndrives = 1;
}

static void type_and_wait(struct fixture *f, const char *keys, const char *expect)
{
    chardev_buffer_feed(f->console, keys, strlen(keys));
    for (unsigned i = 0; i < 40 && !strstr(fixture_output(f), expect); i++) {
        f->vm->status = VM_RUNNING;
        f->vm->config.max_cycles += 20000000;
        vm_run(f->vm);
    }
    CHECK_CONTAINS(fixture_output(f), expect);
}

static void test_grub(void)
{
    if (system("tools/fetch-guests grub-i386-xen.bin") != 0)
        SKIP("guests/real/grub-i386-xen.bin cannot be had (tools/fetch-guests grub-i386-xen.bin)");
    if (access("/sbin/mke2fs", X_OK))
        SKIP("mke2fs is missing: apt-get install e2fsprogs");
    char dir[] = "/tmp/emu-fs-XXXXXX", command[512];
    if (!CHECK(mkdtemp(dir)))
        return;
    snprintf(command, sizeof command, "mkdir %s/d && echo 'read through two halves of a driver' > %s/d/poem.txt && truncate -s 4M %s/image && "
             "/sbin/mke2fs -q -t ext2 -d %s/d %s/image", dir, dir, dir, dir, dir);
    CHECK_EQ(system(command), 0);
    char path[64];
    snprintf(path, sizeof path, "%s/image", dir);
    fs_image = path;
    struct fixture f = { 0 };
    if (CHECK(fixture_machine(&f, "guests/real/grub-i386-xen.bin", with_file_system))) {
        f.vm->config.max_cycles = 0;
        type_and_wait(&f, "", "grub> ");
        type_and_wait(&f, "ls\r", "(xen/xvda)");
        type_and_wait(&f, "ls (xen/xvda)/\r", "poem.txt");
        type_and_wait(&f, "cat (xen/xvda)/poem.txt\r", "read through two halves of a driver");
        CHECK_EQ(state(&f, BACK), XenbusStateConnected);
        CHECK(f.vm->ledger.count[EV_PV_GRANT_MAP] > 10);
        CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_MAP], f.vm->ledger.count[EV_PV_GRANT_UNMAP] + 1); /* the ring's page */
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
    /* the same by the command line, typed from a script */
    const char *build = getenv("EMU_BUILD");
    snprintf(command, sizeof command, "%s -engine pv -kernel guests/real/grub-i386-xen.bin -m 64 -snapshot -hda %s --expect 'grub> ' "
             "--then 'cat (xen/xvda)/poem.txt\\n' --expect 'two halves of a driver' > /dev/null",
             build && strstr(build, "san") ? "build/san/emu" : "./emu", path);
    CHECK_EQ(system(command), 0);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_EQ(system(command), 0);
}

/* And GNU Mach's, both of them. */
static void test_gnu_mach(void)
{
    if (system("tools/fetch-guests gnumach-xen") != 0)
        SKIP("guests/real/gnumach-xen cannot be had (tools/fetch-guests gnumach-xen)");
    make_disk();
    struct fixture f = { 0 };
    if (CHECK(fixture_machine(&f, "guests/real/gnumach-xen", with_devices))) {
        vm_run(f.vm);
        CHECK_CONTAINS(fixture_output(&f), "xvd0: dom0's VBD 51712");
        CHECK_CONTAINS(fixture_output(&f), "eth0: dom0's VIF 0 52:54:00:12:34:56");
        CHECK_EQ(state(&f, BACK), XenbusStateConnected);
        CHECK_EQ(state(&f, VIF_BACK), XenbusStateConnected);
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
    unlink(image_path);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "offer", test_offer },
        { "handshake", test_handshake },
        { "read-write", test_read_write },
        { "batch", test_batch },
        { "bad-requests", test_bad_requests },
        { "mad-index", test_mad_index },
        { "bad-handshakes", test_bad_handshakes },
        { "pulled-away", test_pulled_away },
        { "read-into-a-page-table", test_read_into_a_page_table },
        { "late-wishes", test_late_wishes },
        { "echo", test_echo },
        { "no-page-for-a-frame", test_no_page_for_a_frame },
        { "checksum-is-filled-in", test_checksum_is_filled_in },
        { "bad-frames", test_bad_frames },
        { "mad-network-rings", test_mad_network_rings },
        { "fuzz-disk", test_fuzz_disk },
        { "fuzz-network", test_fuzz_network },
        { "split", test_split },
        { "grub", test_grub },
        { "gnu-mach", test_gnu_mach },
        { NULL, NULL },
    };
    return check_main(argc, argv, "back-ends", tests);
}
