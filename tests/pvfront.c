/* SPDX-License-Identifier: MIT */
#include "pvfront.h"

char disk_image[] = "/tmp/emu-vbd-XXXXXX";

void front_devices(struct vm_config *c)
{
    c->drive[0] = (struct vm_drive){ .file = disk_image, .media = DRIVE_DISK, .index = -1 };
    c->ndrives = 1;
    c->netdev[0] = (struct vm_netdev){ .type = "loopback", .id = "n0" };
    c->nnetdevs = 1;
    c->nic[0] = (struct vm_nic){ .model = "e1000", .netdev = "n0" };
    c->nnics = 1;
}

/* Sector n of the image begins with n. */
void front_make_disk(void)
{
    strcpy(disk_image, "/tmp/emu-vbd-XXXXXX");
    int fd = mkstemp(disk_image);
    u8 sector[512] = { 0 };
    for (u32 i = 0; i < SECTORS; i++) {
        memcpy(sector, &i, sizeof i);
        CHECK_EQ(write(fd, sector, sizeof sector), sizeof sector);
    }
    close(fd);
}

void front_grant(struct fixture *f, u32 ref, u16 flags, u32 gva)
{
    struct grant_entry_v1 e = { flags, DOMID_DRIVER, mfn_of(f, gva) };
    poke(f, TABLE + ref * sizeof e, &e, sizeof e);
}

bool front_machine(struct fixture *f)
{
    front_make_disk();
    if (!fixture_open_machine(f, &good_image, front_devices))
        return false;
    struct gnttab_setup_table32 s = { DOMID_SELF, 1, 0, OP + 64 };
    poke(f, OP, &s, sizeof s);
    CHECK_EQ(call(f, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, OP, 1, 0), 0);
    CHECK_EQ(update_va(f, TABLE, maddr(peek32(f, OP + 64)) | PTE_P | PTE_RW), 0);
    front_grant(f, RING_REF, GTF_permit_access, RING_PAGE);
    front_grant(f, RING_REF + 1, GTF_permit_access, RING_PAGE2);
    for (u32 i = 0; i < 16; i++)
        front_grant(f, DATA_REF + i, GTF_permit_access, DATA(i));
    return true;
}

/* --- the front-end's half of the handshake; the guest's writes, without the ring --- */

void front_put(struct fixture *f, const char *end, const char *node, u32 value)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", end, node);
    store_put(&f->d->xen->store, path, "%u", value);
    store_run_watches(&f->d->xen->store);
}

u32 front_state(struct fixture *f, const char *end)
{
    char path[128];
    u32 n = 99;
    snprintf(path, sizeof path, "%s/state", end);
    store_number(&f->d->xen->store, path, &n);
    return n;
}

u32 front_port(struct fixture *f, u16 remote)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = remote };
    poke(f, OP, &a, sizeof a);
    CHECK_EQ(call(f, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, OP, 0, 0), 0);
    return peek32(f, OP + offsetof(struct evtchn_alloc_unbound, port));
}

void front_notify(struct fixture *f, u32 port)
{
    poke(f, OP, &port, sizeof port);
    CHECK_EQ(call(f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, OP, 0, 0), 0);
}

bool front_pending(struct fixture *f, u32 port)
{
    bool was = f->d->shared->evtchn_pending[port / 32] >> port % 32 & 1;
    f->d->shared->evtchn_pending[port / 32] &= ~(1u << port % 32);
    return was;
}

/* --- a disk --- */

struct blk blk_connect(struct fixture *f)
{
    struct blk b = { f, (struct ring_page *)frame_hva(f->d, mfn_of(f, RING_PAGE)), front_port(f, DOMID_DRIVER), 0 };
    memset(b.page, 0, 4096);
    b.page->req_event = b.page->rsp_event = 1;
    front_put(f, FRONT, "ring-ref", RING_REF);
    front_put(f, FRONT, "event-channel", b.port);
    front_put(f, FRONT, "state", XenbusStateInitialised);
    return b;
}

void blk_put(struct blk *b, const struct blk_request *r)
{
    memcpy(b->page->slot + (b->page->req_prod++ & 31) * sizeof *r, r, sizeof *r);
}

s16 blk_get(struct blk *b, u64 id)
{
    struct blk_response r;
    if (!CHECK(b->rsp_cons != b->page->rsp_prod))
        return -100;
    memcpy(&r, b->page->slot + (b->rsp_cons++ & 31) * sizeof(struct blk_request), sizeof r);
    b->page->rsp_event = b->rsp_cons + 1;
    CHECK_EQ(r.id, id);
    return r.status;
}

s16 blk_do(struct blk *b, const struct blk_request *r)
{
    blk_put(b, r);
    front_notify(b->f, b->port);
    return blk_get(b, r->id);
}

struct blk_request blk_one(u8 op, u64 sector, u32 ref, u8 first, u8 last)
{
    return (struct blk_request){ op, 1, 0, 0x1122334455667788, sector, { { ref, first, last } } };
}

/* --- a network: what goes into the loopback comes out of it --- */

struct vif vif_connect(struct fixture *f)
{
    struct vif v = { f, (struct ring_page *)frame_hva(f->d, mfn_of(f, RING_PAGE)), (struct ring_page *)frame_hva(f->d, mfn_of(f, RING_PAGE2)),
                     front_port(f, DOMID_DRIVER), 0, 0 };
    memset(v.tx, 0, 4096);
    memset(v.rx, 0, 4096);
    v.tx->req_event = v.tx->rsp_event = v.rx->req_event = v.rx->rsp_event = 1;
    front_put(f, VIF, "tx-ring-ref", RING_REF);
    front_put(f, VIF, "rx-ring-ref", RING_REF + 1);
    front_put(f, VIF, "event-channel", v.port);
    front_put(f, VIF, "request-rx-copy", 1);
    front_put(f, VIF, "state", XenbusStateConnected);
    return v;
}

void vif_put(struct vif *v, u32 ref, u16 offset, u16 flags, u16 id, u16 size)
{
    struct netif_tx_request r = { ref, offset, flags, id, size };
    memcpy(v->tx->slot + (v->tx->req_prod++ & 255) * sizeof r, &r, sizeof r);
}

void vif_send(struct vif *v, u32 ref, u16 offset, u16 flags, u16 id, u16 size)
{
    vif_put(v, ref, offset, flags, id, size);
    front_notify(v->f, v->port);
}

s16 vif_sent(struct vif *v, u16 id)
{
    struct netif_tx_response r = { 0 };
    if (!CHECK(v->tx_cons != v->tx->rsp_prod))
        return -100;
    memcpy(&r, v->tx->slot + (v->tx_cons++ & 255) * sizeof(struct netif_tx_request), sizeof r);
    CHECK_EQ(r.id, id);
    return r.status;
}

void vif_offer(struct vif *v, u32 ref, u16 id)
{
    struct netif_rx_request r = { .id = id, .gref = ref };
    memcpy(v->rx->slot + (v->rx->req_prod++ & 255) * sizeof r, &r, sizeof r);
}

s32 vif_got(struct vif *v, u16 id)
{
    struct netif_rx_response r;
    if (!CHECK(v->rx_cons != v->rx->rsp_prod))
        return -100;
    memcpy(&r, v->rx->slot + (v->rx_cons++ & 255) * sizeof r, sizeof r);
    CHECK_EQ(r.id, id);
    return r.status;
}

void front_deliver(struct fixture *f)
{
    clock_advance(&f->vm->clock, 10);
    clock_run_due(&f->vm->clock);
}
