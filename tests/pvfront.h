/* SPDX-License-Identifier: MIT */
/*
 * Front-ends for tests of src/paravirt/backend: a domain with a disk of 64 sectors and a network that leads back, the front-end's half of
 * the handshake, and rings in the guest's memory. What the guest would write into the store is written there directly.
 */
#ifndef EMU_TESTS_PVFRONT_H
#define EMU_TESTS_PVFRONT_H

#include "pvtest.h"

#include "devices/block/block.h"
#include "devices/net/net.h"
#include "paravirt/backend/backend.h"

#define WITH_FRONT(f) struct fixture f; if (!CHECK(front_machine(&f))) { check_fail(__FILE__, __LINE__, "%s", f.err.text); fixture_close(&f); return; }
#define DONE_FRONT(f) do { CHECK_STR(audit(&f), ""); fixture_close(&f); unlink(disk_image); } while (0)
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
#define VIF "/local/domain/1/device/vif/0"
#define VIF_BACK "/local/domain/0/backend/vif/1/0"

extern char disk_image[];            /* of the machine that was made last */
void front_devices(struct vm_config *c);
void front_make_disk(void);
/* Rings granted at RING_REF, sixteen pages of data at DATA_REF. */
bool front_machine(struct fixture *f);
void front_grant(struct fixture *f, u32 ref, u16 flags, u32 gva);
void front_put(struct fixture *f, const char *end, const char *node, u32 value);
u32 front_state(struct fixture *f, const char *end);
u32 front_port(struct fixture *f, u16 remote);
void front_notify(struct fixture *f, u32 port);
/* Was it? It is no more. */
bool front_pending(struct fixture *f, u32 port);

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
struct blk blk_connect(struct fixture *f);
void blk_put(struct blk *b, const struct blk_request *r);
s16 blk_get(struct blk *b, u64 id);
s16 blk_do(struct blk *b, const struct blk_request *r);
struct blk_request blk_one(u8 op, u64 sector, u32 ref, u8 first, u8 last);

/* --- a network: what goes into the loopback comes out of it --- */

struct vif {
    struct fixture *f;
    struct ring_page *tx, *rx;
    u32 port, tx_cons, rx_cons;
};
struct vif vif_connect(struct fixture *f);
void vif_put(struct vif *v, u32 ref, u16 offset, u16 flags, u16 id, u16 size);   /* nobody is told yet */
void vif_send(struct vif *v, u32 ref, u16 offset, u16 flags, u16 id, u16 size);
s16 vif_sent(struct vif *v, u16 id);
void vif_offer(struct vif *v, u32 ref, u16 id);
s32 vif_got(struct vif *v, u16 id);
/* The wire gets its turn. */
void front_deliver(struct fixture *f);

#endif
