/* SPDX-License-Identifier: MIT */
/* The console's characters, and a register for one in an emergency. */
#include "devices/virtio/virtio_console.h"

#include <stdlib.h>
#include <string.h>

#define F_EMERG_WRITE BIT(2)
enum { MAX_PORTS = 4, EMERG_WRITE = 8, CONFIG_SIZE = 12, WORK_NS = 1000, CHUNK = 512, BURST_MAX = 64 << 10 };

/* The first port's queues are in front of the control queues, the others' behind them (5.3.2). */
struct console_port *console_port_of(struct virtio_console *c, const struct virtqueue *q)
{
    unsigned n = q->index < CONSOLE_CONTROL_IN ? 0 : q->index / 2 - 1;
    return q->index / 2 == CONSOLE_CONTROL_IN / 2 || n >= c->ports ? NULL : &c->port[n];
}

static struct virtqueue *queue_in(const struct console_port *p)
{
    unsigned n = p - p->console->port;
    return &p->console->v.queue[n ? 2 * n + CONSOLE_CONTROL_IN : CONSOLE_IN];
}

/* --- to the guest --- */

/* As much as has been typed, and fits; a character is taken only when there is a place for it. */
static u32 fill(struct console_port *p, struct virtqueue *q, struct vq_chain *c, int first)
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

/* Whoever opens a line hears what is said from then on; a console is always open. */
static bool may_give(const struct console_port *p)
{
    return p->line && (p == p->console->port || p->open);
}

void console_give(struct console_port *p)
{
    struct virtqueue *q = queue_in(p);
    struct vq_chain c;
    while (may_give(p) && virtqueue_available(q)) {
        int first = p->line->read(p->line);
        if (first < 0 || !virtqueue_take(q, &c))
            break;
        virtqueue_put(q, &c, fill(p, q, &c, first));
    }
    virtqueue_interrupt(q);
}

static void line_ready(void *dev) { console_give(dev); }

/* --- from the guest --- */

static u64 show(struct console_port *p, struct virtqueue *q, struct vq_chain *c)
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

static bool show_all(struct console_port *p, struct virtqueue *q)
{
    struct vq_chain c;
    u64 bytes = 0;
    while (bytes < BURST_MAX && virtqueue_take(q, &c)) {
        bytes += show(p, q, &c);
        virtqueue_put(q, &c, 0);
    }
    virtqueue_interrupt(q);
    if (bytes < BURST_MAX)
        return true;
    virtio_work_later(q, WORK_NS);
    return false;
}

/* --- the device --- */

static bool console_work(struct virtio *v, struct virtqueue *q)
{
    struct virtio_console *c = (struct virtio_console *)v;
    struct console_port *p = console_port_of(c, q);
    if (p)
        return show_all(p, q);
    console_listen(c, q);
    virtqueue_interrupt(q);
    return true;
}

static void console_kicked(struct virtio *v, struct virtqueue *q)
{
    struct virtio_console *c = (struct virtio_console *)v;
    struct console_port *p = console_port_of(c, q);
    if (q->index % 2)
        virtio_work_later(q, WORK_NS);
    else if (p)
        console_give(p);
    else
        console_tell(c);
}

static void console_started(struct virtio *v) { console_give(((struct virtio_console *)v)->port); }

static bool console_config_writable(const struct virtio *v, unsigned offset) { return offset >= EMERG_WRITE; }

static void console_config_written(struct virtio *v, unsigned offset, unsigned size)
{
    struct console_port *p = ((struct virtio_console *)v)->port;
    if (offset == EMERG_WRITE && p->line)
        p->line->write(p->line, v->config[EMERG_WRITE]);
    memset(v->config + EMERG_WRITE, 0, CONFIG_SIZE - EMERG_WRITE);
}

static void console_reset(struct virtio *v)
{
    struct virtio_console *c = (struct virtio_console *)v;
    for (unsigned n = 0; n < c->ports; n++) {
        c->port[n].open = false;
        c->port[n].owed = 0;
    }
}

static void console_destroy(struct virtio *v)
{
    struct virtio_console *c = (struct virtio_console *)v;
    for (unsigned n = 0; n < c->ports; n++)
        if (c->port[n].line)
            c->port[n].line->ready = NULL;
}

static const struct virtio_ops console_ops = {
    .name = "virtio-console", .id = VIRTIO_ID_CONSOLE, .pci_class = 0x078000, .queues = CONSOLE_OUT + 1, .queue_size = 128, .config_size = CONFIG_SIZE,
    .started = console_started, .kicked = console_kicked, .work = console_work, .config_writable = console_config_writable,
    .config_written = console_config_written, .reset = console_reset, .destroy = console_destroy,
};

static void add_port(struct virtio_console *c, struct chardev *line, const char *name)
{
    struct console_port *p = &c->port[c->ports++];
    *p = (struct console_port){ .console = c, .line = line, .name = name };
    if (!line)
        return;
    line->ready = line_ready;
    line->dev = p;
}

struct virtio *virtio_console_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_console *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    virtio_init(&c->v, &console_ops, F_EMERG_WRITE | (s->nports ? CONSOLE_F_MULTIPORT : 0), s->flavor.packed, to);
    add_port(c, s->line, NULL);
    for (unsigned n = 0; n < s->nports; n++)
        add_port(c, s->port[n].line, s->port[n].name);
    if (s->nports)
        virtio_set_queues(&c->v, CONSOLE_QUEUES + 2 * s->nports);
    c->v.config[MAX_PORTS] = c->ports;
    return &c->v;
}
