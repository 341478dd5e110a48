/* SPDX-License-Identifier: MIT */
/*
 * A balloon (virtio 1.2, 5.5): memory that the guest gives back. The device says how many pages it wants (num_pages), the driver tells by the
 * inflate queue which ones it does not use any more, and by the deflate queue which it takes again. Pages that are given back are the
 * host's: they read as zeros when the guest touches them nonetheless.
 *
 * Two more queues, if the driver wants them: statistics of its memory, which it brings when its last ones are given back to it, as
 * each time that the balloon is blown up or let down; and a report of pages that are free just now (5.5.6.8), which the host takes and the
 * guest may use again without a word.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/virtio/virtio.h"

enum kind { INFLATE, DEFLATE, STATISTICS, REPORT, QUEUES };
enum { NUM_PAGES = 0, ACTUAL = 4, CONFIG_SIZE = 8, WORK_NS = 10000, NUMBERS = 256, PIECES = 64, REPORT_MAX = 128 << 20 /* bytes in one go */ };
#define F_MUST_TELL_HOST BIT(0)     /* a page is told of before it is used again */
#define F_STATS_VQ BIT(1)
#define F_DEFLATE_ON_OOM BIT(2)
#define F_REPORTING BIT(5)

/* 5.5.6.4: statistics come as pairs of a tag and a number, in any order. */
static const char *const statistic[] = { "swapped in", "swapped out", "major faults", "minor faults", "free", "total", "available", "caches" };
struct pair { u16 tag; u64 value; } __attribute__((packed));
enum { STAT_FREE = 4, STATS = ARRAY_LEN(statistic) };

struct virtio_balloon {
    struct virtio v;
    u64 ram_size;
    u64 given, taken, reported; /* pages, counted */
    struct vq_chain held;       /* with the statistics that came last; */
    bool holds;                 /* it has not been given back */
    u64 stat[STATS]; u32 known; /* numbers, and which of them, by bits */
};

/* Which queues there are depends on what the driver knows of; who is not there leaves no gap. */
static enum kind kind_of(const struct virtqueue *q)
{
    return q->index >= STATISTICS && !virtio_has(q->v, F_STATS_VQ) ? (enum kind)(q->index + 1) : (enum kind)q->index;
}

/* Page numbers are of 4096 bytes whatever the guest's pages are (5.5.6). Where nothing is, nothing is given back. */
static void give_back(struct virtio_balloon *b, u32 page)
{
    gpa_t gpa = (gpa_t)page << PAGE_SHIFT;
    u8 *at = b->v.transport->memory(b->v.port, gpa, PAGE_SIZE, true);
    if (!at)
        return;
    if ((uintptr_t)at % PAGE_SIZE || madvise(at, PAGE_SIZE, MADV_REMOVE))
        memset(at, 0, PAGE_SIZE);
    b->v.transport->written(b->v.port, gpa, PAGE_SIZE);
    b->given++;
}

static void take_numbers(struct virtio_balloon *b, struct virtqueue *q, struct vq_chain *c)
{
    u32 page[NUMBERS];
    for (u64 left = c->readable_len / 4 < NUMBERS * 16 ? c->readable_len / 4 : NUMBERS * 16, n; left; left -= n) {
        n = left < NUMBERS ? left : NUMBERS;
        if (!vq_read(q, c, page, n * 4))
            return;
        for (u64 i = 0; i < n && kind_of(q) == INFLATE; i++)
            give_back(b, page[i]);
        b->taken += kind_of(q) == DEFLATE ? n : 0;
    }
}

static void release(void *at, u64 len)
{
    if ((uintptr_t)at % PAGE_SIZE || len % PAGE_SIZE || madvise(at, len, MADV_REMOVE))
        memset(at, 0, len);
}

/* What is free now, as much of it as is memory. Returns its bytes. */
static u64 take_report(struct virtio_balloon *b, struct virtqueue *q, struct vq_chain *c)
{
    struct iovec piece[PIECES];
    struct vq_cursor from = c->out;
    u64 got, all = 0;
    for (unsigned n; all < REPORT_MAX && (n = vq_map(q, c, true, piece, PIECES, REPORT_MAX - all, &got)); all += got)
        for (unsigned i = 0; i < n; i++)
            release(piece[i].iov_base, piece[i].iov_len);
    vq_written(q, c, from, all);
    b->reported += all >> PAGE_SHIFT;
    return all;
}

/* --- statistics --- */

static void note_statistics(struct virtio_balloon *b, struct virtqueue *q)
{
    struct pair p;
    b->known = 0;
    for (unsigned n = 0; n < 2 * STATS && vq_read(q, &b->held, &p, sizeof p); n++)
        if (p.tag < STATS) {
            b->stat[p.tag] = p.value;
            b->known |= 1u << p.tag;
        }
}

/* A driver that brings another one gets the last back. */
static void hold_statistics(struct virtio_balloon *b, struct virtqueue *q)
{
    struct vq_chain old;
    do {
        if (b->holds) {
            old = b->held;
            virtqueue_put(q, &old, 0);
        }
        b->holds = virtqueue_take(q, &b->held);
        if (b->holds)
            note_statistics(b, q);
    } while (b->holds && virtqueue_available(q)); /* what is there may not be had: the turn is over */
}

static void ask_for_statistics(struct virtio_balloon *b)
{
    struct virtqueue *q = &b->v.queue[STATISTICS];
    if (!b->holds || !virtio_running(&b->v))
        return;
    b->holds = false;
    virtqueue_put(q, &b->held, 0);
    virtqueue_interrupt(q);
}

/* --- the device --- */

/* Returns the bytes that were given back for a while. */
static u64 serve(struct virtio_balloon *b, struct virtqueue *q, struct vq_chain *c)
{
    u64 bytes = 0;
    if (kind_of(q) == REPORT)
        bytes = take_report(b, q, c);
    else
        take_numbers(b, q, c);
    virtqueue_put(q, c, 0);
    return bytes;
}

static bool balloon_work(struct virtio *v, struct virtqueue *q)
{
    struct virtio_balloon *b = (struct virtio_balloon *)v;
    struct vq_chain c;
    u64 bytes = 0;
    if (kind_of(q) == STATISTICS && virtqueue_available(q))
        hold_statistics(b, q);
    while (kind_of(q) != STATISTICS && bytes < REPORT_MAX && virtqueue_take(q, &c))
        bytes += serve(b, q, &c);
    virtqueue_interrupt(q);
    if (bytes >= REPORT_MAX)
        virtio_work_later(q, WORK_NS);
    return bytes < REPORT_MAX;
}

static void balloon_kicked(struct virtio *v, struct virtqueue *q) { virtio_work_later(q, WORK_NS); }

static bool balloon_config_writable(const struct virtio *v, unsigned offset) { return offset >= ACTUAL; }

static u32 word(const struct virtio *v, unsigned at)
{
    u32 n;
    memcpy(&n, v->config + at, 4);
    return n;
}

static void balloon_reset(struct virtio *v)
{
    struct virtio_balloon *b = (struct virtio_balloon *)v;
    memset(v->config + ACTUAL, 0, 4);
    b->holds = false;
    b->known = 0;
}

static void balloon_info(const struct virtio *v, FILE *out)
{
    const struct virtio_balloon *b = (const struct virtio_balloon *)v;
    fprintf(out, "  balloon of %llu MiB, wanted %llu MiB; pages given back %llu, taken again %llu, free for a while %llu\n", (unsigned long long)word(v, ACTUAL) >> 8,
            (unsigned long long)word(v, NUM_PAGES) >> 8, (unsigned long long)b->given, (unsigned long long)b->taken, (unsigned long long)b->reported);
    for (unsigned i = 0; i < STATS; i++)
        if (b->known >> i & 1)
            fprintf(out, i >= STAT_FREE ? "  %s %llu KiB\n" : "  %s %llu\n", statistic[i], (unsigned long long)b->stat[i] >> (i >= STAT_FREE ? 10 : 0));
}

static const struct virtio_ops balloon_ops = {
    .name = "virtio-balloon", .id = VIRTIO_ID_BALLOON, .pci_class = 0x00ff00, .queues = QUEUES, .queue_size = 128, .config_size = CONFIG_SIZE,
    .kicked = balloon_kicked, .work = balloon_work, .config_writable = balloon_config_writable, .reset = balloon_reset, .info = balloon_info,
};

bool virtio_balloon_leave(struct virtio *v, u64 bytes)
{
    if (v->ops != &balloon_ops)
        return false;
    u64 ram = ((struct virtio_balloon *)v)->ram_size;
    u32 pages = bytes < ram ? (ram - bytes) >> PAGE_SHIFT : 0;
    memcpy(v->config + NUM_PAGES, &pages, 4);
    virtio_config_changed(v);
    ask_for_statistics((struct virtio_balloon *)v);
    return true;
}

struct virtio *virtio_balloon_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_balloon *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    virtio_init(&b->v, &balloon_ops, F_MUST_TELL_HOST | F_STATS_VQ | F_DEFLATE_ON_OOM | F_REPORTING, s->flavor.packed, to);
    b->ram_size = to->ram_size;
    return &b->v;
}
