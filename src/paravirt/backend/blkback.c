/* SPDX-License-Identifier: MIT */
/*
 * blkback: a disk of domain 0's for the guest. A request names up to 11 granted pages, or parts of them by sectors of
 * 512 bytes, or a granted page with a list of up to 256; the disk reads and writes them where they are, so nothing is copied. The price is that each page is
 * mapped and unmapped for it.
 */
#include <string.h>

#include "devices/block/block.h"
#include "paravirt/backend/backend.h"

#define SECTOR 512u
#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR)
#define SEGMENTS_MOST BLKIF_MAX_SEGMENTS_PER_REQUEST
#define INDIRECT_MOST 256u      /* segments that pages of their own may list: half of one page */
#define SECTOR_MOST (BLOCK_SIZE_MAX / SECTOR)
#define VDISK_FLAG_CDROM 1

/* As a 32-bit guest lays them out: "x86_32-abi". */
#pragma pack(push, 4)
struct request32 {
    u8 operation, nr_segments;
    u16 handle;
    u64 id, sector_number;
    struct blkif_request_segment seg[SEGMENTS_MOST];
};
/* More pieces than a slot has room for: they stand in a granted page. */
struct indirect32 {
    u8 operation, indirect_op;
    u16 nr_segments;
    u64 id, sector_number;
    u16 handle;
    u32 grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};
struct response32 { u64 id; u8 operation; s16 status; };
#pragma pack(pop)
_Static_assert(sizeof(struct request32) == 108 && sizeof(struct response32) == 12 &&
               sizeof(struct indirect32) == 56 && INDIRECT_MOST * sizeof(struct blkif_request_segment) <= PAGE_SIZE, "32-bit blkif");

struct blkback {
    struct backend_device head;
    struct block *image;
    bool is_cd;
    char name[8];
};

/* --- the pages of a request --- */

struct pages {
    struct iovec v[INDIRECT_MOST];
    u32 ref[INDIRECT_MOST], mfn[INDIRECT_MOST];
    unsigned n;
    bool readonly;          /* the disk only reads them: the guest writes to the disk */
};

static bool segment_ok(const struct blkif_request_segment *s)
{
    return s->first_sect <= s->last_sect && s->last_sect < SECTORS_PER_PAGE;
}

static void pages_release(struct domain *d, struct pages *p)
{
    if (p->n)
        charge_driver_unmap(d, p->n);
    while (p->n)
        grant_release(d, p->ref[--p->n], p->readonly);
}

static bool pages_map(struct domain *d, struct pages *p, const struct blkif_request_segment *seg, unsigned n)
{
    charge_driver_map(d, n);
    for (unsigned i = 0; i < n; i++) {
        const struct blkif_request_segment *s = &seg[i];
        if (!segment_ok(s) || grant_acquire(d, DOMID_DRIVER, s->gref, p->readonly, &p->mfn[i]) != GNTST_okay)
            return false;
        p->ref[p->n++] = s->gref;
        p->v[i].iov_base = frame_hva(d, p->mfn[i]) + s->first_sect * SECTOR;
        p->v[i].iov_len = (s->last_sect - s->first_sect + 1) * SECTOR;
    }
    return true;
}

static u64 pages_bytes(const struct pages *p)
{
    u64 sum = 0;
    for (unsigned i = 0; i < p->n; i++)
        sum += p->v[i].iov_len;
    return sum;
}

/* --- operations: BLKIF_RSP_* --- */

static s16 transfer(struct blkback *b, u64 sector, const struct blkif_request_segment *seg, unsigned n, bool write)
{
    struct domain *d = b->head.d;
    struct pages p = { .readonly = write };
    u64 at = sector * SECTOR;
    if (!n || sector >= SECTOR_MOST || (write && block_readonly(b->image)))
        return BLKIF_RSP_ERROR;
    bool done = pages_map(d, &p, seg, n);
    if (done)
        done = write ? block_writev(b->image, at, p.v, p.n) : block_readv(b->image, at, p.v, p.n);
    b->head.bytes += done ? pages_bytes(&p) : 0;
    for (unsigned i = 0; !write && i < p.n; i++)
        physmap_written(&d->vm->map, maddr(p.mfn[i]), PAGE_SIZE);
    pages_release(d, &p);
    return done ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

static s16 direct(struct blkback *b, const struct request32 *r, bool write)
{
    return r->nr_segments <= SEGMENTS_MOST ? transfer(b, r->sector_number, r->seg, r->nr_segments, write) : BLKIF_RSP_ERROR;
}

static s16 op_read(struct blkback *b, const struct request32 *r) { return direct(b, r, false); }
static s16 op_write(struct blkback *b, const struct request32 *r) { return direct(b, r, true); }

/* The list is copied before it is looked at: the guest may write into its page meanwhile. */
static s16 op_indirect(struct blkback *b, const struct request32 *slot)
{
    struct domain *d = b->head.d;
    struct blkif_request_segment list[INDIRECT_MOST];
    struct indirect32 r;
    u32 mfn;
    memcpy(&r, slot, sizeof r);
    bool write = r.indirect_op == BLKIF_OP_WRITE;
    if ((!write && r.indirect_op != BLKIF_OP_READ) || r.nr_segments > INDIRECT_MOST)
        return BLKIF_RSP_ERROR;
    charge_driver_map(d, 1);
    if (grant_acquire(d, DOMID_DRIVER, r.grefs[0], true, &mfn) != GNTST_okay)
        return BLKIF_RSP_ERROR;
    memcpy(list, frame_hva(d, mfn), r.nr_segments * sizeof *list);
    charge_driver_unmap(d, 1);
    grant_release(d, r.grefs[0], true);
    return transfer(b, r.sector_number, list, r.nr_segments, write);
}

static s16 op_flush(struct blkback *b, const struct request32 *r)
{
    return block_flush(b->image) ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

/* All that came before is on the disk before this, and this before all that follows. */
static s16 op_barrier(struct blkback *b, const struct request32 *r)
{
    s16 status = op_flush(b, r);
    if (status == BLKIF_RSP_OKAY && r->nr_segments)
        status = op_write(b, r);
    return status == BLKIF_RSP_OKAY ? op_flush(b, r) : status;
}

static void serve(struct blkback *b, const struct request32 *r)
{
    static s16 (*const op[])(struct blkback *, const struct request32 *) = {
        [BLKIF_OP_READ] = op_read, [BLKIF_OP_WRITE] = op_write,
        [BLKIF_OP_WRITE_BARRIER] = op_barrier, [BLKIF_OP_FLUSH_DISKCACHE] = op_flush,
        [BLKIF_OP_INDIRECT] = op_indirect,
    };
    bool known = r->operation < ARRAY_LEN(op) && op[r->operation];
    struct indirect32 in;
    memcpy(&in, r, sizeof in); /* the number of a request stands elsewhere in one with a list */
    struct response32 answer = { r->operation == BLKIF_OP_INDIRECT ? in.id : r->id, r->operation, known ? op[r->operation](b, r) : BLKIF_RSP_EOPNOTSUPP };
    b->head.requests++;
    b->head.errors += answer.status != BLKIF_RSP_OKAY;
    trace(&b->head.d->vm->tracer, XENBUS, "vbd=%u op=%u segments=%u sector=%llu status=%d", b->head.id, r->operation,
          r->nr_segments, (unsigned long long)r->sector_number, answer.status);
    ring_answer(&b->head.ring[0], &answer, sizeof answer);
}

static void work(struct backend_device *head)
{
    struct blkback *b = (struct blkback *)head;
    struct ring *ring = &head->ring[0];
    struct request32 r;
    do
        while (ring_take(ring, &r, sizeof r))
            serve(b, &r);
    while (!ring_overrun(ring) && ring_rest(ring));
    backend_answered(head, 0);
    if (ring_overrun(ring))
        backend_fail(head, "its request index is further on than the ring is large");
}

/* --- the handshake's contents --- */

static void publish(struct backend_device *head)
{
    struct blkback *b = (struct blkback *)head;
    bool readonly = block_readonly(b->image);
    backend_put_text(head, "params", block_path(b->image));
    backend_put_text(head, "type", "file");
    backend_put_text(head, "dev", b->name);
    backend_put_text(head, "mode", readonly ? "r" : "w");
    backend_put(head, "feature-flush-cache", 1);
    backend_put(head, "feature-barrier", 1);
    backend_put(head, "feature-max-indirect-segments", INDIRECT_MOST);
    backend_put(head, "sectors", block_size(b->image) / SECTOR);
    backend_put(head, "sector-size", SECTOR);
    backend_put(head, "info", (b->is_cd ? VDISK_FLAG_CDROM : 0) | (readonly ? VDISK_READONLY : 0));
}

static bool connect(struct backend_device *head)
{
    char path[BACKEND_PATH + 32];
    const char *protocol = store_text(&head->d->xen->store, backend_path(path, head->front, "protocol"));
    return !protocol || strcmp(protocol, XEN_IO_PROTO_ABI_X86_32) == 0;
}

bool blkback_add(struct domain *d, u32 number, const char *name, struct block *image, bool is_cd)
{
    static const struct backend_ops ops = {
        .type = "vbd", .rings = { "ring-ref" }, .slot = { sizeof(struct request32) },
        .publish = publish, .connect = connect, .work = work,
    };
    char path[BACKEND_PATH + 32];
    struct blkback *b = backend_new(d, &ops, sizeof *b, number);
    if (!b)
        return false;
    b->image = image;
    b->is_cd = is_cd;
    strncpy(b->name, name, sizeof b->name - 1);
    store_put(&d->xen->store, backend_path(path, b->head.front, "virtual-device"), "%u", number);
    store_put(&d->xen->store, backend_path(path, b->head.front, "device-type"), "%s", is_cd ? "cdrom" : "disk");
    backend_start(&b->head);
    return true;
}
