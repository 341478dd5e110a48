/* SPDX-License-Identifier: MIT */
/*
 * Lab 8: the machine that a vhost worker serves, seen from the host's kernel: memory, eventfds, what KVM connects them to, a wire. Its guest is a
 * driver by a script (grade_vhost_driver.c), which runs while the worker sleeps, and, where the script says so, between two frames.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grade/grade_vhost.h"

enum { COPY_MAX = 64 << 10, FRAME_ROOM = 4096 };

/* --- memory --- */

u8 *labvhost_at(struct labvhost *v, u64 gpa, u64 len) { return len <= VHOST_MEMORY && gpa <= VHOST_MEMORY - len ? v->memory + gpa : NULL; }

static void do_read(struct service *s, struct labvhost *v, struct service_request *r)
{
    const u8 *p = r->fd >= 0 && r->fd <= COPY_MAX ? labvhost_at(v, r->number, r->fd) : NULL;
    r->result = p && service_write(s, r->arg, p, r->fd) ? 0 : -1;
    if (p)
        driver_was_read(v, r->number, r->fd);
}

static void do_write(struct service *s, struct labvhost *v, struct service_request *r)
{
    u8 *p = r->fd >= 0 && r->fd <= COPY_MAX ? labvhost_at(v, r->number, r->fd) : NULL;
    if (p)
        driver_is_written(v, r->number, r->fd);
    r->result = p && service_read(s, r->arg, p, r->fd) ? 0 : -1;
    if (p)
        driver_was_written(v, r->number, r->fd);
}

/* --- events --- */

static bool is_event(const struct labvhost *v, s32 fd) { return fd >= 0 && fd < (s32)v->nevents; }

static void do_eventfd(struct service *s, struct labvhost *v, struct service_request *r) { r->result = v->nevents < VHOST_EVENTS ? (s32)v->nevents++ : -1; }

/* KVM_IOEVENTFD: number: address, arg: bytes | match << 8 | value << 32. */
static void do_ioeventfd(struct service *s, struct labvhost *v, struct service_request *r)
{
    if (!is_event(v, r->fd) || v->nioevents == VHOST_EVENTS) {
        r->result = -1;
        return;
    }
    v->ioevent[v->nioevents++] = (struct labioevent){ r->number, (u8)r->arg, r->arg >> 8 & 1, r->arg >> 32, r->fd };
}

static void do_irqfd(struct service *s, struct labvhost *v, struct service_request *r)
{
    r->result = is_event(v, r->fd) ? 0 : -1;
    if (r->result == 0)
        v->event[r->fd].gsi = r->number;
}

static void do_signal(struct service *s, struct labvhost *v, struct service_request *r)
{
    if (!is_event(v, r->fd))
        r->result = -1;
    else if (v->event[r->fd].gsi)
        driver_interrupt(v, v->event[r->fd].gsi);
    else
        v->event[r->fd].count++;
}

void labvhost_doorbell(struct labvhost *v, u64 gpa, unsigned size, u64 data)
{
    for (unsigned i = 0; i < v->nioevents; i++) {
        const struct labioevent *e = &v->ioevent[i];
        if (e->gpa == gpa && (!e->size || e->size == size) && (!e->match || e->data == data)) {
            v->kicks++;
            v->event[e->fd].count++;
            return;
        }
    }
    v->to_user++;
}

/* 1: it was signalled; 0: the machine is over. */
static void do_wait(struct service *s, struct labvhost *v, struct service_request *r)
{
    if (!is_event(v, r->fd)) {
        r->result = -1;
        return;
    }
    while (!v->event[r->fd].count && driver_turn(v, VHOST_ALL))
        ;
    r->result = v->event[r->fd].count && !v->broken;
    v->stuck |= !r->result && !driver_is_done(v) && !v->broken;
    v->event[r->fd].count = 0;
}

/* --- the wire --- */

static void do_send(struct service *s, struct labvhost *v, struct service_request *r)
{
    u8 frame[FRAME_ROOM];
    r->result = r->fd >= 0 && r->fd <= FRAME_ROOM && service_read(s, r->arg, frame, r->fd) ? 0 : -1;
    v->frames++;
    v->spoiled += r->result || !driver_expects(v, frame, r->fd);
    driver_turn(v, v->script->pace);
}

static void do_broken(struct service *s, struct labvhost *v, struct service_request *r) { v->broken = v->broken ? v->broken : r->number ? r->number : VHOST_ALL; }

static void do_setup(struct service *s, struct labvhost *v, struct service_request *r)
{
    const struct vhost_setup setup = driver_start(v, r->number);
    r->result = service_write(s, r->arg, &setup, sizeof setup) ? 0 : -1;
}

static void call(struct service *s, struct service_request *r)
{
    static void (*const calls[])(struct service *s, struct labvhost *v, struct service_request *r) = {
        do_setup, do_read, do_write, do_eventfd, do_ioeventfd, do_irqfd, do_signal, do_wait, do_send, do_broken,
    };
    struct labvhost *v = s->self;
    if (r->op < ARRAY_LEN(calls) && (v->script || r->op == 0))
        calls[r->op](s, v, r);
    else
        r->result = -1;
}

/* --- its life, and what is said of it --- */

static void say(struct service *s, char *to, size_t size)
{
    static const char *const why[] = { "", "the index", "a head", "a next", "a loop" };
    const struct labvhost *v = s->self;
    int n;
    if (v->broken)
        n = snprintf(to, size, "@vhost refused: %s, %s\n", v->broken < ARRAY_LEN(why) ? why[v->broken] : "something else",
                     v->spoiled ? "behind spoiled frames" : v->frames ? "behind good frames" : "before any frame");
    else
        n = snprintf(to, size, "@vhost %u frames, %u spoiled\n@vhost %u chains back, %u of them wrongly\n@vhost %s\n", v->frames, v->spoiled, v->back, v->wrong,
                     v->stuck ? "stuck: both sides sleep" : driver_is_done(v) ? "the driver is done" : "the driver is not done");
    snprintf(to + n, size - n, "@count user %u\n@count kicks %u\n@count interrupts %u\n", v->to_user, v->kicks, v->interrupts);
}

static int start(struct service *s, struct error *err)
{
    struct labvhost *v = s->self = calloc(1, sizeof *v);
    if (v && (v->memory = calloc(1, VHOST_MEMORY)))
        return 0;
    free(v);
    return error_set(err, "grade: no memory for the modelled machine");
}

static void end(struct service *s)
{
    struct labvhost *v = s->self;
    free(v->memory);
    free(v);
}

const struct service_ops service_vhost = { .name = "vhost", .start = start, .call = call, .end = end, .say = say };
