/* SPDX-License-Identifier: MIT */
/*
 * The control queues of a console with several ports (virtio 1.2, 5.3.6.2). The driver says that it is ready, and hears of each port; of
 * each that it has taken it hears what it is, its name, and that somebody is at the other end. What it has not heard yet is bits of the
 * port: a driver that asks again and again is told once.
 */
#include <endian.h>
#include <string.h>

#include "devices/virtio/virtio_console.h"

enum { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME, EVENTS };
enum { NAME_MAX_LEN = 64, MESSAGES_MAX = 64 };
struct control { u32 id; u16 event, value; };
_Static_assert(sizeof(struct control) == 8 && EVENTS <= 8, "5.3.6.2; and bits of console_port.owed");

/* --- to the driver --- */

static void send(struct virtio_console *c, struct console_port *p, unsigned event)
{
    struct virtqueue *q = &c->v.queue[CONSOLE_CONTROL_IN];
    struct control m = { htole32(p - c->port), htole16(event), htole16(1) };
    u32 name = event == PORT_NAME ? strnlen(p->name, NAME_MAX_LEN) : 0;
    struct vq_chain chain;
    if (!virtqueue_take(q, &chain))
        return;
    bool fits = vq_write(q, &chain, &m, sizeof m) && vq_write(q, &chain, p->name, name);
    virtqueue_put(q, &chain, fits ? sizeof m + name : 0);
}

/* As many as there are places for; a port's in the order of their numbers. */
void console_tell(struct virtio_console *c)
{
    struct virtqueue *q = &c->v.queue[CONSOLE_CONTROL_IN];
    for (struct console_port *p = c->port; p < c->port + c->ports; p++)
        for (unsigned event = 0; event < EVENTS; event++)
            if (p->owed >> event & 1 && virtqueue_available(q)) {
                p->owed &= ~(1u << event);
                send(c, p, event);
            }
    virtqueue_interrupt(q);
}

/* --- from it --- */

static void on_device_ready(struct virtio_console *c, struct console_port *unused, u16 value)
{
    for (unsigned n = 0; value && n < c->ports; n++)
        c->port[n].owed |= 1 << DEVICE_ADD;
}

static void on_port_ready(struct virtio_console *c, struct console_port *p, u16 value)
{
    if (value)
        p->owed |= (p == c->port ? 1 << CONSOLE_PORT : 0) | (p->name ? 1 << PORT_NAME : 0) | (p->line ? 1 << PORT_OPEN : 0);
}

static void on_port_open(struct virtio_console *c, struct console_port *p, u16 value)
{
    p->open = value;
    console_give(p);
}

void console_listen(struct virtio_console *c, struct virtqueue *q)
{
    static void (*const on[EVENTS])(struct virtio_console *c, struct console_port *p, u16 value) = {
        [DEVICE_READY] = on_device_ready, [PORT_READY] = on_port_ready, [PORT_OPEN] = on_port_open,
    };
    struct vq_chain chain;
    struct control m;
    for (unsigned n = 0; n < MESSAGES_MAX && virtqueue_take(q, &chain); n++) {
        bool whole = vq_read(q, &chain, &m, sizeof m);
        virtqueue_put(q, &chain, 0);
        u16 event = le16toh(m.event);
        u32 port = event == DEVICE_READY ? 0 : le32toh(m.id);       /* of the device's own, the number means nothing */
        if (whole && event < EVENTS && on[event] && port < c->ports)
            on[event](c, &c->port[port], le16toh(m.value));
    }
    console_tell(c);
}
