/* SPDX-License-Identifier: MIT */
/* The paths of a frame through the modelled host, side by side: this table is what `emu bench net` measures. */
#include "devices/net/net_carrier.h"

enum { LINE = 64, PAGE = 4096 };
enum { ZEROCOPY_LEAST = 256, ZEROCOPY_HEAD = 128 };     /* VHOST_GOODCOPY_LEN; and what is copied of each frame, for the stack to look at */

/* What one frame takes. copies: how often its bytes are moved; pins: long ones are not, their pages are held instead. */
struct steps { u8 rings, syscalls, copies, stack, nic; bool pins; };

/*
 * Emulated (QEMU's e1000): transmit copies the frame out of the guest's memory, then write() on the tap copies it into a socket
 * buffer, all by the virtual processor's thread; receive is the I/O thread's: read() from the tap, then into the guest's ring.
 * Virtio, as QEMU serves it without vhost: the I/O thread, woken by an ioeventfd; writev() straight from the guest's memory, but a
 * frame that comes is read() into a buffer first. vhost: one copy each way, and no system call: it is in the kernel already. From Linux
 * 3.8 to 5.2 it was told by default to copy nothing that it sends (vhost_net's experimental_zcopytx).
 */
static const struct { bool threaded_out, threaded_in; enum event wake; struct steps out, in; } paths[NET_PATHS] = {
    [NET_PATH_DIRECT] = { .wake = EV_HOST_WAKE },
    [NET_PATH_EMULATED] = { false, true, EV_HOST_USER_WAKE, { 1, 1, 2, 1, 1 }, { 1, 1, 2, 1, 1 } },
    [NET_PATH_VIRTIO] = { true, true, EV_HOST_USER_WAKE, { 1, 1, 1, 1, 1 }, { 1, 1, 2, 1, 1 } },
    [NET_PATH_VHOST] = { true, true, EV_HOST_WAKE, { 1, 0, 1, 1, 1 }, { 1, 0, 1, 1, 1 } },
    [NET_PATH_VHOST_ZEROCOPY] = { true, true, EV_HOST_WAKE, { 1, 0, 1, 1, 1, true }, { 1, 0, 1, 1, 1 } },
    [NET_PATH_PV] = { false, false, EV_HOST_WAKE, { 0, 0, 0, 1, 1 }, { 0, 0, 0, 1, 1 } },
};

void net_carrier_init(struct net_carrier *c, enum net_path path, struct ledger *ledger)
{
    *c = (struct net_carrier){
        .path = path, .self = { .ledger = ledger, .same_cpu = true }, .thread = { .ledger = ledger, .wake = paths[path].wake },
    };
    c->out = paths[path].threaded_out ? &c->thread : &c->self;
    c->in = paths[path].threaded_in ? &c->thread : &c->self;
}

static void move(struct worker *w, const struct steps *s, u32 len)
{
    bool in_place = s->pins && len >= ZEROCOPY_LEAST;
    u32 copied = in_place ? ZEROCOPY_HEAD : len;
    worker_do(w, EV_HOST_LINE, s->copies * ((copied + LINE - 1) / LINE));
    if (in_place)
        worker_do(w, EV_HOST_PIN, (len + PAGE - 1) / PAGE);
}

static cycles_t carry(struct worker *w, const struct steps *s, u32 len, cycles_t since)
{
    worker_call(w, since);
    worker_do(w, EV_HOST_RING, s->rings);
    worker_do(w, EV_HOST_SYSCALL, s->syscalls);
    move(w, s, len);
    worker_do(w, EV_HOST_STACK, s->stack);
    worker_do(w, EV_HOST_NIC, s->nic);
    return w->until;
}

cycles_t net_carry_out(struct net_carrier *c, u32 len, cycles_t since) { return carry(c->out, &paths[c->path].out, len, since); }
cycles_t net_carry_in(struct net_carrier *c, u32 len, cycles_t since) { return carry(c->in, &paths[c->path].in, len, since); }
