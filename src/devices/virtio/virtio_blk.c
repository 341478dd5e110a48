/* SPDX-License-Identifier: MIT */
/*
 * A disk (virtio 1.2, 5.2). A request is one chain: a header, the data, and a byte for the answer at the end. The doorbell is answered
 * at once by silence: the requests are served some microseconds later, all that have come by then, with one interrupt for them.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/block.h"
#include "devices/block/block_host.h"
#include "devices/virtio/virtio.h"

#define F_SEG_MAX BIT(2)
#define F_GEOMETRY BIT(4)
#define F_RO BIT(5)
#define F_BLK_SIZE BIT(6)
#define F_FLUSH BIT(9)
#define F_TOPOLOGY BIT(10)
#define F_CONFIG_WCE BIT(11)         /* the driver may turn the write cache off */
#define F_MQ BIT(12)
#define F_DISCARD BIT(13)
#define F_WRITE_ZEROES BIT(14)

enum { REQUEST_IN = 0, REQUEST_OUT = 1, REQUEST_FLUSH = 4, REQUEST_GET_ID = 8, REQUEST_DISCARD = 11, REQUEST_WRITE_ZEROES = 13, REQUESTS };
enum answer { ANSWER_OK, ANSWER_IOERR, ANSWER_UNSUPPORTED };
enum { SECTOR = 512, QUEUE_SIZE = 256, PIECES = 64, ID_LEN = 20, UNMAP = 1 };
enum { DATA_MAX = 64 << 20, BURST_MAX = 16 << 20, ZEROES_MAX = 32 << 20 };     /* bytes of a request; of what is served at once; to be zeroed */
enum { COMMAND_NS = 10000, BYTES_PER_US = 1000 };     /* as an IDE disk has it, so that the path is what differs */

/* 5.2.4, little-endian, as it lies in virtio.config[]. */
struct config {
    u64 capacity;
    u32 size_max, seg_max;
    u16 cylinders; u8 heads, sectors;
    u32 blk_size;
    u8 physical_block_exp, alignment_offset; u16 min_io_size; u32 opt_io_size;
    u8 writeback, unused; u16 num_queues;
    u32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
    u32 max_write_zeroes_sectors, max_write_zeroes_seg;
    u8 write_zeroes_may_unmap, unused1[3];
};
_Static_assert(sizeof(struct config) <= VIRTIO_CONFIG_MAX && offsetof(struct config, write_zeroes_may_unmap) == 56, "5.2.4");

enum { WRITEBACK = offsetof(struct config, writeback) };

struct header { u32 type, reserved; u64 sector; };
struct range { u64 sector; u32 sectors, flags; };       /* of a discard */

struct virtio_blk {
    struct virtio v;
    struct block *image;            /* NULL for a disk without one */
    char id[ID_LEN];
    cycles_t busy_until;
};

struct request {
    struct virtio_blk *b;
    struct virtqueue *q;
    struct vq_chain *c;
    u64 sector;
    u64 len;                        /* bytes of data, without header and answer */
    u32 written;                    /* bytes of the writable part */
};

/* --- the kinds of request --- */

static bool in_image(const struct request *r, u64 sector, u64 len)
{
    return !(len % SECTOR) && sector <= block_size(r->b->image) / SECTOR && len <= block_size(r->b->image) - sector * SECTOR;
}

static enum answer move(struct request *r, bool to_guest)
{
    struct iovec piece[PIECES];
    u64 at = r->sector * SECTOR, got = 0;
    if (r->len > DATA_MAX || !in_image(r, r->sector, r->len))
        return ANSWER_IOERR;
    for (u64 left = r->len; left; left -= got, at += got) {
        struct vq_cursor from = r->c->out;
        unsigned n = vq_map(r->q, r->c, to_guest, piece, PIECES, left, &got);
        if (!n || !(to_guest ? block_readv : block_writev)(r->b->image, at, piece, n))
            return ANSWER_IOERR;
        if (to_guest)
            vq_written(r->q, r->c, from, got);
        r->written += to_guest ? got : 0;
    }
    return ANSWER_OK;
}

static enum answer do_in(struct request *r)
{
    r->len = r->c->writable_len - 1;
    return move(r, true);
}

/* Without a cache, what is answered is on the disk (5.2.6.2). */
static bool writes_through(const struct virtio_blk *b) { return virtio_has(&b->v, F_CONFIG_WCE) && !b->v.config[WRITEBACK]; }

static enum answer do_out(struct request *r)
{
    r->len = r->c->readable_len - sizeof(struct header);
    if (block_readonly(r->b->image) || move(r, false) != ANSWER_OK)
        return ANSWER_IOERR;
    return !writes_through(r->b) || block_flush(r->b->image) ? ANSWER_OK : ANSWER_IOERR;
}

static enum answer do_flush(struct request *r) { return block_flush(r->b->image) ? ANSWER_OK : ANSWER_IOERR; }

static enum answer do_get_id(struct request *r)
{
    if (r->c->writable_len - 1 < ID_LEN || !vq_write(r->q, r->c, r->b->id, ID_LEN))
        return ANSWER_IOERR;
    r->written = ID_LEN;
    return ANSWER_OK;
}

/* One range, as the configuration says. */
static enum answer zero(struct request *r, bool discard)
{
    struct range x;
    if (block_readonly(r->b->image) || r->c->readable_len != sizeof(struct header) + sizeof x || !vq_read(r->q, r->c, &x, sizeof x))
        return ANSWER_IOERR;
    u64 sector = le64toh(x.sector), len = (u64)le32toh(x.sectors) * SECTOR;
    u32 flags = le32toh(x.flags);
    if (flags & ~UNMAP || (discard && flags))
        return ANSWER_UNSUPPORTED;
    if (len > ZEROES_MAX || !in_image(r, sector, len))
        return ANSWER_IOERR;
    r->len = len;
    return block_zero(r->b->image, sector * SECTOR, len, discard || flags & UNMAP) ? ANSWER_OK : ANSWER_IOERR;
}

static enum answer do_discard(struct request *r) { return zero(r, true); }
static enum answer do_write_zeroes(struct request *r) { return zero(r, false); }

static enum answer (*const requests[REQUESTS])(struct request *r) = {
    [REQUEST_IN] = do_in, [REQUEST_OUT] = do_out, [REQUEST_FLUSH] = do_flush, [REQUEST_GET_ID] = do_get_id,
    [REQUEST_DISCARD] = do_discard, [REQUEST_WRITE_ZEROES] = do_write_zeroes,
};

/* --- serving --- */

static enum answer answer(struct request *r)
{
    struct header h;
    if (!vq_read(r->q, r->c, &h, sizeof h))
        return ANSWER_IOERR;
    u32 type = le32toh(h.type);
    r->sector = le64toh(h.sector);
    return type < REQUESTS && requests[type] ? requests[type](r) : ANSWER_UNSUPPORTED;
}

/* Returns the bytes that were moved. A chain without a place for the answer is none (5.2.6). */
static u64 serve(struct virtio_blk *b, struct virtqueue *q, struct vq_chain *c)
{
    struct request r = { .b = b, .q = q, .c = c };
    if (c->readable_len < sizeof(struct header) || !c->writable_len) {
        virtio_break(&b->v, "a request has no header, or no place for its answer");
        return 0;
    }
    bool answered = vq_write_last(q, c, answer(&r));
    virtqueue_put(q, c, r.written + answered);
    return r.len <= DATA_MAX ? r.len : 0;
}

static void serve_later(struct virtio_blk *b, struct virtqueue *q)
{
    const struct clock *clock = b->v.clock;
    virtio_work_later(q, COMMAND_NS + clock_cycles_to_ns(clock, block_doorbell(b->image)) + (b->busy_until > clock->now ? clock_cycles_to_ns(clock, b->busy_until - clock->now) : 0));
}

static bool blk_work(struct virtio *v, struct virtqueue *q)
{
    struct virtio_blk *b = (struct virtio_blk *)v;
    struct vq_chain c;
    u64 bytes = 0;
    while (bytes < BURST_MAX && virtqueue_take(q, &c))
        bytes += serve(b, q, &c);
    b->busy_until = v->clock->now + clock_ns_to_cycles(v->clock, bytes * 1000 / BYTES_PER_US);
    virtqueue_interrupt(q);
    if (bytes < BURST_MAX)
        return true;
    serve_later(b, q);      /* the guest's turn first */
    return false;
}

static void blk_kicked(struct virtio *v, struct virtqueue *q) { serve_later((struct virtio_blk *)v, q); }

/* --- its life --- */

static bool blk_config_writable(const struct virtio *v, unsigned offset) { return offset == WRITEBACK && virtio_has(v, F_CONFIG_WCE); }

/* What was written before with a cache is on the disk when it is off. */
static void blk_config_written(struct virtio *v, unsigned offset, unsigned size)
{
    v->config[WRITEBACK] &= 1;
    if (!v->config[WRITEBACK])
        block_flush(((struct virtio_blk *)v)->image);
}

/* What the driver was told is written stays so, whatever happens next. */
static void blk_reset(struct virtio *v)
{
    struct virtio_blk *b = (struct virtio_blk *)v;
    b->busy_until = 0;
    v->config[WRITEBACK] = 1;
    block_flush(b->image);
}

static void blk_info(const struct virtio *v, FILE *out)
{
    const struct virtio_blk *b = (const struct virtio_blk *)v;
    fprintf(out, "  disk, %llu bytes%s: %s (%s)\n", (unsigned long long)block_size(b->image), block_readonly(b->image) ? ", read-only" : "",
            block_path(b->image), block_kind(b->image));
    if (*block_trouble(b->image))
        fprintf(out, "  the host refused: %s\n", block_trouble(b->image));
}

static const struct virtio_ops blk_ops = {
    .name = "virtio-blk", .id = VIRTIO_ID_BLOCK, .pci_class = 0x010000, .queues = 1, .queue_size = QUEUE_SIZE, .config_size = 60,
    .kicked = blk_kicked, .work = blk_work, .config_writable = blk_config_writable, .config_written = blk_config_written, .reset = blk_reset, .info = blk_info,
};

static void describe(struct virtio_blk *b)
{
    u64 sectors = block_size(b->image) / SECTOR, cylinders = sectors / (16 * 63);
    struct config c = {
        .capacity = htole64(sectors), .seg_max = htole32(QUEUE_SIZE - 2),
        .cylinders = htole16(cylinders < 16383 ? cylinders : 16383), .heads = 16, .sectors = 63, .blk_size = htole32(SECTOR), .writeback = 1,
        .num_queues = htole16(b->v.queues), .max_discard_sectors = htole32(ZEROES_MAX / SECTOR), .max_discard_seg = htole32(1),
        .discard_sector_alignment = htole32(1), .max_write_zeroes_sectors = htole32(ZEROES_MAX / SECTOR),
        .max_write_zeroes_seg = htole32(1), .write_zeroes_may_unmap = 1,
    };
    memcpy(b->v.config, &c, sizeof c);
}

struct virtio *virtio_blk_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_blk *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    u64 writes = block_readonly(s->image) ? F_RO : F_DISCARD | F_WRITE_ZEROES;
    virtio_init(&b->v, &blk_ops, F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE | writes, s->flavor.packed, to);
    b->image = s->image;
    if (s->queues > 1) {
        virtio_set_queues(&b->v, s->queues);
        b->v.offered |= F_MQ;
    }
    if (s->serial)
        memcpy(b->id, s->serial, strnlen(s->serial, ID_LEN));
    describe(b);
    return &b->v;
}
