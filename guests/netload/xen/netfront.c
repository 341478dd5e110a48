/* SPDX-License-Identifier: MIT */
/*
 * The fifth path: Xen's split driver (guests/split explains the handshake), with the load's batches. One page with the frame is granted
 * once and named in every request; each page for frames that come is granted once too.
 */
#include "../netload.h"
#include "../../split/split.h"

#include <xen/io/netif.h>

enum { RING = 256, BUFFERS = 128 };

static struct front front;
static union { netif_tx_sring_t sring; u8 page[4096]; } tx_shared __attribute__((aligned(4096)));
static union { netif_rx_sring_t sring; u8 page[4096]; } rx_shared __attribute__((aligned(4096)));
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;
static u8 page[BUFFERS][4096] __attribute__((aligned(4096)));
static u32 page_ref[BUFFERS], frame_ref;

static void send(u32 count, u32 len)
{
    int notify;
    for (u32 i = 0; i < count; i++)
        *RING_GET_REQUEST(&tx, tx.req_prod_pvt++) = (netif_tx_request_t){ .gref = frame_ref, .size = len };
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&tx, notify);
    if (notify)
        event_notify(front.port);
}

static u32 sent(void) { return tx.rsp_cons = tx_shared.sring.rsp_prod; }
static u32 received(void) { return rx_shared.sring.rsp_prod; }

static void want_sent(u32 count)
{
    tx_shared.sring.rsp_event = count;
    xen_mb();
}

static void want_received(u32 count)
{
    rx_shared.sring.rsp_event = count;
    xen_mb();
}

static void offer(u32 count, _Bool first)
{
    int notify;
    for (u32 i = 0; i < count; i++) {
        u32 id = first ? i : RING_GET_RESPONSE(&rx, rx.rsp_cons++)->id;
        if (id >= BUFFERS)
            kernel_panic("netload: an answer to nothing");
        *RING_GET_REQUEST(&rx, rx.req_prod_pvt++) = (netif_rx_request_t){ .id = id, .gref = page_ref[id] };
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&rx, notify);
    if (notify && front.port)
        event_notify(front.port);
}

static void give_back(u32 count) { offer(count, 0); }

static void wait(void) { event_wait(front.port); }

static _Bool open(void)
{
    store_start();
    share_start();
    if (!front_find(&front, "device/vif/0"))
        return 0;
    SHARED_RING_INIT(&tx_shared.sring);
    FRONT_RING_INIT(&tx, &tx_shared.sring, sizeof tx_shared);
    SHARED_RING_INIT(&rx_shared.sring);
    FRONT_RING_INIT(&rx, &rx_shared.sring, sizeof rx_shared);
    frame_ref = share_grant(net_frame, front.domid, 1);
    for (u32 i = 0; i < BUFFERS; i++)
        page_ref[i] = share_grant(page[i], front.domid, 0);
    offer(BUFFERS, 1);
    front_connect(&front, (struct front_node[]){
        { "tx-ring-ref", share_grant(&tx_shared, front.domid, 0) }, { "rx-ring-ref", share_grant(&rx_shared, front.domid, 0) },
        { "request-rx-copy", 1 }, { 0, 0 },
    }, XenbusStateConnected);
    want_sent(0x7fffffff);
    want_received(0x7fffffff);
    return 1;
}

const struct net_path path_pv = { "pv", RING, open, send, sent, want_sent, received, want_received, wait, give_back };
