/* SPDX-License-Identifier: MIT */
/*
 * Doorbells that the kernel counts and this process serves. The guest rings and runs on, and a thread that sleeps on the descriptors brings
 * KVM_RUN back: rings that come until then are one. Devices are served by the processor's thread alone, as always.
 *
 * A guest that halts behind its ring leaves KVM_RUN before the thread has woken: then the descriptors are looked at there.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hwassist/host/host.h"

struct host_bells {
    pthread_t thread;
    int epoll, stop;                    /* stop: an event descriptor */
    atomic_bool rung;                   /* since they were served last */
    _Atomic(struct host_vcpu *) running;
};

/* --- the thread --- */

/* First the mark, then the kick: who clears immediate_exit looks at the mark behind that. */
static void wake(struct host_bells *b)
{
    atomic_store(&b->rung, true);
    struct host_vcpu *h = atomic_load(&b->running);
    if (h) {
        h->run->immediate_exit = 1;
        pthread_kill(h->thread, host_signal());
    }
}

static void *listen_to(void *opaque)
{
    struct host_bells *b = opaque;
    struct epoll_event e;
    int n;
    while ((n = epoll_wait(b->epoll, &e, 1, -1)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0 && e.data.fd == b->stop)
            break;
        if (n > 0)
            wake(b);
    }
    return NULL;
}

/* The thread takes no signals: those are the processor's. */
static bool start_thread(struct host_bells *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&b->thread, NULL, listen_to, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0;
}

/* Edges: a ring is told once, whether or not it has been served when the next comes. */
static bool add(struct host_bells *b, int fd) { return epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.fd = fd }) == 0; }

static void release(struct host_bells *b)
{
    if (b->epoll >= 0)
        close(b->epoll);
    if (b->stop >= 0)
        close(b->stop);
    free(b);
}

static struct host_bells *start(void)
{
    struct host_bells *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    b->stop = eventfd(0, EFD_CLOEXEC);
    if (b->epoll >= 0 && b->stop >= 0 && add(b, b->stop) && start_thread(b))
        return b;
    release(b);
    return NULL;
}

/* --- the processor's side --- */

bool host_bells_hear(struct host_vm *h, int fd)
{
    if (!h->bells)
        h->bells = start();
    return h->bells && (add(h->bells, fd) || errno == EEXIST); /* a queue has two doorbells and one descriptor */
}

void host_bells_forget(struct host_vm *h, int fd)
{
    if (h->bells)
        epoll_ctl(h->bells->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void host_bells_stop(struct host_vm *h)
{
    struct host_bells *b = h->bells;
    u64 one = 1;
    if (!b || write(b->stop, &one, sizeof one) < 0)
        return;
    pthread_join(b->thread, NULL);
    release(b);
    h->bells = NULL;
}

void host_bells_run(struct host_vm *h, struct host_vcpu *v)
{
    if (h->bells)
        atomic_store(&h->bells->running, v);
}

bool host_bells_rung(const struct host_vm *h) { return h->bells && atomic_load_explicit(&h->bells->rung, memory_order_relaxed); }

/* A device that is told may take doorbells back: the list is looked at anew each time. */
void host_bells_serve(struct host_vm *h)
{
    u64 count;
    if (!h->bells)
        return;
    atomic_store(&h->bells->rung, false);
    for (unsigned i = 0; i < h->taken.ndoorbells; i++) {
        const struct doorbell d = h->taken.doorbell[i];
        if (d.rung && read(d.fd, &count, sizeof count) == sizeof count) {
            ledger_charge(&h->vm->ledger, EV_KVMHOST_DOORBELL);
            d.rung(d.opaque);
        }
    }
}
