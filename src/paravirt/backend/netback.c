/* SPDX-License-Identifier: MIT */
/*
 * netback: a wire of domain 0's for the guest. Two rings: on one the guest hands over frames that it wants sent, on
 * the other empty pages for those that come. Frames are copied, by grant copy, either way: for one small page a copy
 * costs less than mapping and unmapping.
 *
 * GNTTABOP_copy takes a list, and netback asks for up to 64 copies with one hypercall (Linux's xenvif_rx_copy, its budget when it sends): all
 * that the guest has put into the ring; and of what comes, all that comes before domain 0 is through with it and gives the processor back.
 */
#include <stdio.h>
#include <string.h>

#include "devices/net/net.h"
#include "devices/net/net_checksum.h"
#include "paravirt/backend/backend.h"

enum { TX, RX };
enum { ETHERNET_HEADER = 14, COPIES_AT_ONCE = 64 };

struct netback {
    struct backend_device head;
    struct net_wire *wire;          /* NULL: no cable */
    u8 mac[6];
    unsigned copies;                /* that are in the list now */
    struct timer through;           /* with what has come: at the same cycle, but before the guest goes on */
};

static bool is_open(const struct netback *b) { return b->head.state == XenbusStateConnected && b->head.ring[RX].page; }

static void charge_copy_of_list(struct netback *n)
{
    if (n->copies++ % COPIES_AT_ONCE == 0)
        charge(n->head.d, EV_PV_DRIVER_CALL);
    charge(n->head.d, EV_PV_GRANT_COPY);
}

/* A granted page's part, copied by the hypervisor at domain 0's wish. */
static bool copy_granted(struct netback *n, u32 ref, u32 offset, u8 *ours, u32 len, bool to_guest)
{
    struct backend_device *b = &n->head;
    u32 mfn;
    charge_copy_of_list(n);
    if (offset + len > PAGE_SIZE || grant_acquire(b->d, DOMID_DRIVER, ref, !to_guest, &mfn) != GNTST_okay)
        return false;
    u8 *theirs = frame_hva(b->d, mfn) + offset;
    memcpy(to_guest ? theirs : ours, to_guest ? ours : theirs, len);
    if (to_guest)
        physmap_written(&b->d->vm->map, maddr(mfn) + offset, len);
    charge_copy(b->d, len);
    grant_release(b->d, ref, !to_guest);
    b->bytes += len;
    return true;
}

/* --- from the guest --- */

/* A guest that counts on the adapter leaves the sum of the pseudo header where the checksum is to be. */
static void fill_checksum(u8 *frame, u32 len)
{
    u32 ip = ETHERNET_HEADER, l4 = ip + (frame[ip] & 15) * 4;
    u32 at = l4 + (frame[ip + 9] == 6 ? 16 : 6);    /* TCP, UDP */
    if (net_get16(frame + 12) == 0x0800 && (frame[ip + 9] == 6 || frame[ip + 9] == 17) && at + 2 <= len)
        net_put16(frame + at, ~net_sum(frame + l4, len - l4));
}

static bool send(struct netback *b, const struct netif_tx_request *r)
{
    u8 frame[PAGE_SIZE];
    if (r->size < ETHERNET_HEADER || r->size > sizeof frame ||
        !copy_granted(b, r->gref, r->offset, frame, r->size, false))
        return false;
    if (r->flags & NETTXF_csum_blank && r->size >= ETHERNET_HEADER + 20)
        fill_checksum(frame, r->size);
    if (b->wire)
        net_send(b->wire, NET_NIC, frame, r->size);
    return true;
}

/* Frames in several pieces, and what goes with them, are not on offer. */
#define NOT_OFFERED (NETTXF_more_data | NETTXF_extra_info)

static void send_all(struct netback *b)
{
    struct ring *ring = &b->head.ring[TX];
    struct netif_tx_request r;
    const char *wrong = NULL;
    b->copies = 0;
    do
        while (!wrong && (!b->wire || net_room(b->wire, NET_NIC)) && ring_take(ring, &r, sizeof r)) {
            wrong = r.flags & NOT_OFFERED ? "it sends a frame in pieces, which was not offered" : NULL;
            bool sent = !wrong && send(b, &r);
            struct netif_tx_response answer = { r.id, sent ? NETIF_RSP_OKAY : NETIF_RSP_ERROR };
            ring_answer(ring, &answer, sizeof answer);
            b->head.requests++;
            b->head.errors += !sent;
        }
    while (!wrong && !ring_overrun(ring) && (!b->wire || net_room(b->wire, NET_NIC)) && ring_rest(ring));
    backend_answered(&b->head, TX);
    if (wrong || ring_overrun(ring))
        backend_fail(&b->head, wrong ? wrong : "its request index is further on than the ring is large");
}

static void on_room(void *opaque)
{
    struct netback *b = opaque;
    if (is_open(b))
        send_all(b);
}

/* --- to the guest --- */

/* Nobody there: frames are lost, as on any wire. There, but without a free page: they wait. */
static bool on_ready(void *opaque)
{
    struct netback *b = opaque;
    return !is_open(b) || ring_waiting(&b->head.ring[RX]) || ring_rest(&b->head.ring[RX]);
}

static void received_all(void *opaque, cycles_t when)
{
    struct netback *b = opaque;
    if (is_open(b))
        backend_answered(&b->head, RX);
}

/* The adapter's interrupt is domain 0's: it is switched to, and back when it has taken all. */
static void begin_receiving(struct netback *b)
{
    if (timer_armed(&b->through))
        return;
    charge_n(b->head.d, EV_PV_DOMAIN_SWITCH, 2);
    b->copies = 0;
    timer_set(b->wire->clock, &b->through, b->wire->clock->now);
}

static void on_receive(void *opaque, const u8 *frame, u32 len)
{
    struct netback *b = opaque;
    struct netif_rx_request r;
    if (!is_open(b) || len > PAGE_SIZE || !ring_take(&b->head.ring[RX], &r, sizeof r)) {
        if (is_open(b) && ring_overrun(&b->head.ring[RX]))
            backend_fail(&b->head, "its request index is further on than the ring is large");
        return;
    }
    begin_receiving(b);
    bool put = copy_granted(b, r.gref, 0, (u8 *)frame, len, true);
    struct netif_rx_response answer = { .id = r.id, .status = put ? (s32)len : NETIF_RSP_ERROR };
    b->head.requests++;
    b->head.errors += !put;
    ring_answer(&b->head.ring[RX], &answer, sizeof answer);
}

static void work(struct backend_device *head)
{
    struct netback *b = (struct netback *)head;
    send_all(b);
    if (b->wire && is_open(b) && ring_waiting(&head->ring[RX]))
        net_wake(b->wire, NET_NIC);
}

/* --- the handshake's contents --- */

static void publish(struct backend_device *head)
{
    struct netback *b = (struct netback *)head;
    char mac[20], path[BACKEND_PATH + 32];
    const u8 *m = b->mac;
    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    store_put(&head->d->xen->store, backend_path(path, head->front, "mac"), "%s", mac);
    backend_put_text(head, "mac", mac);
    backend_put(head, "handle", head->id);
    backend_put(head, "feature-rx-copy", 1);
    backend_put(head, "feature-rx-flip", 0);
    backend_put(head, "feature-sg", 0);
}

static bool connect(struct backend_device *head)
{
    u32 copy;
    return backend_wish(head, "request-rx-copy", &copy) && copy == 1;
}

static void unplug(struct backend_device *head)
{
    struct netback *b = (struct netback *)head;
    if (!b->wire)
        return;
    timer_cancel(b->wire->clock, &b->through);
    net_attach(b->wire, NET_NIC, NULL);
}

bool netback_add(struct domain *d, u32 index, struct net_wire *wire, const u8 mac[6])
{
    static const struct backend_ops ops = {
        .type = "vif", .rings = { "tx-ring-ref", "rx-ring-ref" },
        .slot = { sizeof(struct netif_tx_request), sizeof(struct netif_rx_request) },
        .late = true, .publish = publish, .connect = connect, .work = work, .free = unplug,
    };
    struct netback *b = backend_new(d, &ops, sizeof *b, index);
    if (!b)
        return false;
    b->wire = wire;
    b->through = (struct timer){ .fire = received_all, .opaque = b };
    memcpy(b->mac, mac, sizeof b->mac);
    if (wire)
        net_attach(wire, NET_NIC, &(struct net_end){ on_ready, on_receive, on_room, NULL, b });
    backend_start(&b->head);
    return true;
}
