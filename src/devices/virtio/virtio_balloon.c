/* SPDX-License-Identifier: MIT */
/*
 * A balloon (virtio 1.2, 5.5): memory that the guest gives back. The device says how many pages it wants (num_pages), the driver tells by the
 * inflate queue which ones it does not use any more, and by the deflate queue which it takes again. Pages that are given back are the
 * host's: they read as zeros when the guest touches them nonetheless.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/virtio/virtio.h"

enum { INFLATE, DEFLATE, QUEUES };
enum { NUM_PAGES = 0, ACTUAL = 4, CONFIG_SIZE = 8, WORK_NS = 10000, NUMBERS = 256 };
#define F_MUST_TELL_HOST BIT(0)     /* a page is told of before it is used again */
#define F_DEFLATE_ON_OOM BIT(2)

struct virtio_balloon {
    struct virtio v;
    u64 ram_size;
    u64 given, taken;           /* pages, counted */
};

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
        for (u64 i = 0; i < n && q->index == INFLATE; i++)
            give_back(b, page[i]);
        b->taken += q->index == DEFLATE ? n : 0;
    }
}

static bool balloon_work(struct virtio *v, struct virtqueue *q)
{
    struct vq_chain c;
    while (virtqueue_take(q, &c)) {
        take_numbers((struct virtio_balloon *)v, q, &c);
        virtqueue_put(q, &c, 0);
    }
    virtqueue_interrupt(q);
    return true;
}

static void balloon_kicked(struct virtio *v, struct virtqueue *q) { virtio_work_later(q, WORK_NS); }

static bool balloon_config_writable(const struct virtio *v, unsigned offset) { return offset >= ACTUAL; }

static u32 word(const struct virtio *v, unsigned at)
{
    u32 n;
    memcpy(&n, v->config + at, 4);
    return n;
}

static void balloon_reset(struct virtio *v) { memset(v->config + ACTUAL, 0, 4); }

static void balloon_info(const struct virtio *v, FILE *out)
{
    const struct virtio_balloon *b = (const struct virtio_balloon *)v;
    fprintf(out, "  balloon of %llu MiB, wanted %llu MiB; pages given back %llu, taken again %llu\n", (unsigned long long)word(v, ACTUAL) >> 8,
            (unsigned long long)word(v, NUM_PAGES) >> 8, (unsigned long long)b->given, (unsigned long long)b->taken);
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
    return true;
}

struct virtio *virtio_balloon_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_balloon *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    virtio_init(&b->v, &balloon_ops, F_MUST_TELL_HOST | F_DEFLATE_ON_OOM, s->flavor.packed, to);
    b->ram_size = to->ram_size;
    return &b->v;
}
