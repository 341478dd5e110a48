/* SPDX-License-Identifier: MIT */
/*
 * The console: a page with two rings, shared with the guest, and an event channel that says "look". The hypervisor
 * plays the back-end that xenconsoled is in a real Xen. Indices run freely and are the guest's to forge: a ring that
 * claims to hold more than it can is taken for empty.
 */
#include "paravirt/domain.h"

static struct chardev *backend(struct domain *d)
{
    return d->vm->config.serial[0];
}

static void put_byte(struct domain *d, u8 byte)
{
    struct chardev *c = backend(d);
    if (c && c->write)
        c->write(c, byte);
}

static void drain_output(struct domain *d)
{
    struct xencons_interface *ring = d->console;
    u32 prod = ring->out_prod, cons = ring->out_cons;
    if (prod - cons > sizeof ring->out)
        cons = prod;
    bool moved = cons != prod;
    for (; cons != prod; cons++)
        put_byte(d, ring->out[MASK_XENCONS_IDX(cons, ring->out)]);
    ring->out_cons = cons;
    if (moved)
        event_set_pending(d, d->console_port); /* there is room again */
}

/* Bytes that have come from outside go into the guest's ring as far as there is room. */
static void fill_input(struct domain *d)
{
    struct xencons_interface *ring = d->console;
    struct chardev *c = backend(d);
    u32 prod = ring->in_prod, start = prod;
    int byte;
    while (c && c->read && prod - ring->in_cons < sizeof ring->in && (byte = c->read(c)) >= 0)
        ring->in[MASK_XENCONS_IDX(prod++, ring->in)] = byte;
    ring->in_prod = prod;
    if (prod != start)
        event_set_pending(d, d->console_port);
}

void console_notify(struct domain *d)
{
    drain_output(d);
    fill_input(d);
}

static void on_ready(void *opaque)
{
    struct domain *d = opaque;
    if (d->console) {
        fill_input(d);
        cpu_kick(domain_cpu(d));
    }
}

void console_init(struct domain *d)
{
    struct chardev *c = backend(d);
    d->console_port = event_bind_backend(d, BACKEND_CONSOLE);
    if (c) {
        c->ready = on_ready;
        c->dev = d;
    }
}

void console_fini(struct domain *d)
{
    struct chardev *c = backend(d);
    if (c && c->dev == d) {
        c->ready = NULL;
        c->dev = NULL;
    }
}

/* --- console_io: straight to the hypervisor's own console, for early messages --- */

#define WRITE_MOST 65536 /* bytes of one call */

static s32 console_write(struct domain *d, u32 count, u32 gva)
{
    u8 chunk[128];
    if (count > WRITE_MOST)
        return -XEN_EINVAL;
    for (u32 done = 0, n; done < count; done += n) {
        n = count - done < sizeof chunk ? count - done : sizeof chunk;
        if (copy_from_guest(d, chunk, gva + done, n) < 0)
            return -XEN_EFAULT;
        for (u32 i = 0; i < n; i++)
            put_byte(d, chunk[i]);
    }
    return 0;
}

static s32 console_read(struct domain *d, u32 count, u32 gva)
{
    struct chardev *c = backend(d);
    u32 n = 0;
    int byte;
    if (!guest_range_ok(gva, count))
        return -XEN_EFAULT;
    for (; c && c->read && n < count && n < WRITE_MOST && (byte = c->read(c)) >= 0; n++) {
        u8 b = byte;
        if (copy_to_guest(d, gva + n, &b, 1) < 0)
            return -XEN_EFAULT;
    }
    return n;
}

s32 do_console_io(struct domain *d, const u32 arg[6])
{
    if (arg[0] == CONSOLEIO_write)
        return console_write(d, arg[1], arg[2]);
    if (arg[0] == CONSOLEIO_read)
        return console_read(d, arg[1], arg[2]);
    return -XEN_ENOSYS;
}
