/* SPDX-License-Identifier: MIT */
/* A console (virtio 1.2, 5.3) with one port: a queue for each direction, and a register for a character in an emergency. */
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/virtio.h"

#define F_EMERG_WRITE BIT(2)
enum { QUEUE_IN, QUEUE_OUT, QUEUES };
enum { EMERG_WRITE = 8, CONFIG_SIZE = 12, WORK_NS = 1000, CHUNK = 512, BURST_MAX = 64 << 10 };

struct virtio_console {
    struct virtio v;
    struct chardev *line;           /* NULL: nobody is there */
};

/* --- to the guest --- */

/* As much as has been typed, and fits; a character is taken only when there is a place for it. */
static u32 fill(struct virtio_console *p, struct virtqueue *q, struct vq_chain *c, int first)
{
    u32 len = 0;
    for (int byte = first; byte >= 0; byte = len < c->writable_len && len < CHUNK ? p->line->read(p->line) : -1) {
        u8 one = byte;
        if (!vq_write(q, c, &one, 1))
            break;
        len++;
    }
    return len;
}

static void give(struct virtio_console *p)
{
    struct virtqueue *q = &p->v.queue[QUEUE_IN];
    struct vq_chain c;
    while (p->line && virtqueue_available(q)) {
        int first = p->line->read(p->line);
        if (first < 0 || !virtqueue_take(q, &c))
            break;
        virtqueue_put(q, &c, fill(p, q, &c, first));
    }
    virtqueue_interrupt(q);
}

static void line_ready(void *dev) { give(dev); }

/* --- from the guest --- */

static u64 show(struct virtio_console *p, struct virtqueue *q, struct vq_chain *c)
{
    u8 text[CHUNK];
    u64 left = c->readable_len < BURST_MAX ? c->readable_len : BURST_MAX, shown = left;
    for (u64 n; left; left -= n) {
        n = left < sizeof text ? left : sizeof text;
        if (!vq_read(q, c, text, n))
            break;
        for (u64 i = 0; i < n && p->line; i++)
            p->line->write(p->line, text[i]);
    }
    return shown;
}

static bool console_work(struct virtio *v, struct virtqueue *q)
{
    struct vq_chain c;
    u64 bytes = 0;
    while (bytes < BURST_MAX && virtqueue_take(q, &c)) {
        bytes += show((struct virtio_console *)v, q, &c);
        virtqueue_put(q, &c, 0);
    }
    virtqueue_interrupt(q);
    if (bytes < BURST_MAX)
        return true;
    virtio_work_later(q, WORK_NS);
    return false;
}

static void console_kicked(struct virtio *v, struct virtqueue *q)
{
    if (q->index == QUEUE_IN)
        give((struct virtio_console *)v);
    else
        virtio_work_later(q, WORK_NS);
}

static void console_started(struct virtio *v) { give((struct virtio_console *)v); }

static bool console_config_writable(const struct virtio *v, unsigned offset) { return offset >= EMERG_WRITE; }

static void console_config_written(struct virtio *v, unsigned offset, unsigned size)
{
    struct virtio_console *p = (struct virtio_console *)v;
    if (offset == EMERG_WRITE && p->line)
        p->line->write(p->line, v->config[EMERG_WRITE]);
    memset(v->config + EMERG_WRITE, 0, CONFIG_SIZE - EMERG_WRITE);
}

static void console_destroy(struct virtio *v)
{
    struct virtio_console *p = (struct virtio_console *)v;
    if (p->line)
        p->line->ready = NULL;
}

static const struct virtio_ops console_ops = {
    .name = "virtio-console", .id = VIRTIO_ID_CONSOLE, .pci_class = 0x078000, .queues = QUEUES, .queue_size = 128, .config_size = CONFIG_SIZE,
    .started = console_started, .kicked = console_kicked, .work = console_work, .config_writable = console_config_writable,
    .config_written = console_config_written, .destroy = console_destroy,
};

struct virtio *virtio_console_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_console *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    virtio_init(&p->v, &console_ops, F_EMERG_WRITE, s->flavor.packed, to);
    p->line = s->line;
    if (p->line) {
        p->line->ready = line_ready;
        p->line->dev = p;
    }
    return &p->v;
}
