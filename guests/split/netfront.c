/* SPDX-License-Identifier: MIT */
/* The network's front-end: one ring with frames to be sent, one with empty pages for those that come. */
#include "split.h"

#include <xen/io/netif.h>

#define PAGES 8 /* that wait for frames */

static struct front front;
static union { netif_tx_sring_t sring; u8 page[4096]; } tx_shared __attribute__((aligned(4096)));
static union { netif_rx_sring_t sring; u8 page[4096]; } rx_shared __attribute__((aligned(4096)));
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;
static u32 tx_ref, rx_ref, page_ref[PAGES];
static u8 page[PAGES][4096] __attribute__((aligned(4096))), out[4096] __attribute__((aligned(4096)));

static void offer(u32 i)
{
    int notify;
    netif_rx_request_t *r = RING_GET_REQUEST(&rx, rx.req_prod_pvt++);
    r->id = i;
    r->gref = page_ref[i];
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&rx, notify);
    if (notify && front.port)
        event_notify(front.port);
}

_Bool net_open(void)
{
    if (!front_find(&front, "device/vif/0"))
        return 0;
    SHARED_RING_INIT(&tx_shared.sring);
    FRONT_RING_INIT(&tx, &tx_shared.sring, sizeof tx_shared);
    SHARED_RING_INIT(&rx_shared.sring);
    FRONT_RING_INIT(&rx, &rx_shared.sring, sizeof rx_shared);
    tx_ref = share_grant(&tx_shared, front.domid, 0);
    rx_ref = share_grant(&rx_shared, front.domid, 0);
    for (u32 i = 0; i < PAGES; i++) {
        page_ref[i] = share_grant(page[i], front.domid, 0);
        offer(i);
    }
    front_connect(&front, (struct front_node[]){
        { "tx-ring-ref", tx_ref }, { "rx-ring-ref", rx_ref }, { "request-rx-copy", 1 }, { 0, 0 },
    }, XenbusStateConnected);
    return 1;
}

void net_send(const void *frame, u32 len)
{
    int notify, more;
    memcpy(out, frame, len);
    u32 ref = share_grant(out, front.domid, 1);
    netif_tx_request_t *r = RING_GET_REQUEST(&tx, tx.req_prod_pvt++);
    *r = (netif_tx_request_t){ .gref = ref, .size = len };
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&tx, notify);
    if (notify)
        event_notify(front.port);
    for (;;) {
        RING_FINAL_CHECK_FOR_RESPONSES(&tx, more);
        if (more)
            break;
        event_wait(front.port);
    }
    if (RING_GET_RESPONSE(&tx, tx.rsp_cons++)->status != NETIF_RSP_OKAY || !share_revoke(ref))
        kernel_panic("a frame was not sent");
}

u32 net_receive(void *frame)
{
    int more;
    for (;;) {
        RING_FINAL_CHECK_FOR_RESPONSES(&rx, more);
        if (more)
            break;
        event_wait(front.port);
    }
    const netif_rx_response_t *r = RING_GET_RESPONSE(&rx, rx.rsp_cons++);
    u32 id = r->id;
    int len = r->status;
    if (len < 0 || id >= PAGES)
        kernel_panic("a frame did not arrive whole");
    memcpy(frame, page[id] + r->offset, len);
    offer(id);
    return len;
}

void net_close(void)
{
    front_close(&front);
    if (!share_revoke(tx_ref) || !share_revoke(rx_ref))
        kernel_panic("domain 0 still holds the network's rings");
}
