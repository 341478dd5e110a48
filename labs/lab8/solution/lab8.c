/* SPDX-License-Identifier: MIT */
/* Lab 8: a vhost worker. handout.md says what is to be done. */
#include "lab8.h"

static struct setup ring;
static int kick, call;
/*** begin solution ***/
static u16 next_available, next_used, told;     /* counts modulo 2^16; told: next_used when last the guest was, or need not be, interrupted */
static u8 packet[HEADER + FRAME_MAX];
/*** instead ***
*** end solution ***/

void vhost_start(const struct setup *s)
{
    ring = *s;
    kick = eventfd();
    call = eventfd();
    /*** begin solution ***/
    kvm_ioeventfd(kick, &(struct ioeventfd){ s->doorbell, 2, 1, s->queue });
    kvm_irqfd(call, s->gsi);
    /*** instead ***
    kvm_irqfd(call, s->gsi); // your code here: and the doorbell
    *** end solution ***/
}

static u16 read16(u64 gpa)
{
    u16 value = 0;
    guest_read(gpa, &value, 2);
    return value;
}

/*** begin solution ***/
static void write16(u64 gpa, u16 value) { guest_write(gpa, &value, 2); }

static u64 used_event(void) { return ring.available + 4 + 2 * ring.size; }
static u64 avail_event(void) { return ring.used + 4 + 8 * ring.size; }

/* --- one chain --- */

enum chain { CHAIN_SEND, CHAIN_DROP, CHAIN_BROKEN };

/* The next piece; *len: bytes of the packet up to it. */
static _Bool take_piece(const struct descriptor *d, u32 *len)
{
    if (d->flags & F_WRITE || d->len > sizeof packet - *len || !guest_read(d->address, packet + *len, d->len))
        return 0;
    *len += d->len;
    return 1;
}

static enum chain refuse(enum broken why)
{
    ring_broken(why);
    return CHAIN_BROKEN;
}

/* Each descriptor is copied once, whole, and only the copy is believed. */
static enum chain read_chain(u16 head, u32 *len)
{
    struct descriptor d = { .flags = F_NEXT, .next = head };
    _Bool good = 1;
    *len = 0;
    if (head >= ring.size)
        return refuse(BROKEN_HEAD);
    for (u32 n = 0; d.flags & F_NEXT; n++) {
        if (d.next >= ring.size)
            return refuse(BROKEN_NEXT);
        if (n == ring.size)
            return refuse(BROKEN_LOOP);
        guest_read(ring.descriptors + 16 * d.next, &d, sizeof d);
        good = good && take_piece(&d, len);
    }
    return good && *len >= HEADER + FRAME_MIN ? CHAIN_SEND : CHAIN_DROP;
}

/* The element first, then the index that shows it. */
static void give_back(u16 head)
{
    struct used_element e = { head, 0 };
    guest_write(ring.used + 4 + 8 * (next_used % ring.size), &e, sizeof e);
    write16(ring.used + 2, ++next_used);
}

/* 2.7.10: has it passed the guest's event since the guest was told last? */
static void interrupt(void)
{
    u16 event = read16(used_event()), before = told;
    told = next_used;
    if ((u16)(next_used - event - 1) < (u16)(next_used - before))
        eventfd_signal(call);
}

/* --- many --- */

static _Bool serve_one(void)
{
    u16 head = read16(ring.available + 4 + 2 * (next_available % ring.size));
    u32 len;
    enum chain c = read_chain(head, &len);
    if (c == CHAIN_BROKEN)
        return 0;
    next_available++;
    if (c == CHAIN_SEND)
        wire_send(packet + HEADER, len - HEADER);
    give_back(head);
    interrupt();
    return 1;
}

/* All that there is. False: the ring is broken. */
static _Bool serve(void)
{
    for (u16 waiting; (waiting = read16(ring.available + 2) - next_available);) {
        if (waiting > ring.size)
            return ring_broken(BROKEN_INDEX), 0;
        if (!serve_one())
            return 0;
    }
    return 1;
}
/*** instead ***
*** end solution ***/

void vhost_worker(void)
{
    /*** begin solution ***/
    do {
        do {
            if (!serve())
                return;
            write16(avail_event(), next_available);     /* ring from now on; but what came until now did not ring */
        } while (read16(ring.available + 2) != next_available);
    } while (eventfd_wait(kick));
    /*** instead ***
    while (eventfd_wait(kick))
        read16(ring.available + 2); // your code here: serve what there is
    *** end solution ***/
}
