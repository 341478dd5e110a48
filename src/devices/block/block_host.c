/* SPDX-License-Identifier: MIT */
/* The paths of a disk's request through the modelled host, side by side, as net_carrier.c has those of a frame. */
#include "devices/block/block_host.h"

#include "devices/block/block_backend.h"

/*
 * IDE as QEMU has it: the exit hands the request to the host, and the I/O thread is woken by its end. Rings: a thread is woken by the
 * doorbell, sleeps while the disk works, and is woken again. Two system calls in user space: to hand it over, and to hear of it. No
 * bytes are copied: the disk moves them into the guest's memory (cache=none).
 */
static const struct { bool same_cpu; enum event wake; u8 wakes, rings, syscalls; } paths[BLOCK_PATHS] = {
    [BLOCK_PATH_DIRECT] = { true, EV_HOST_WAKE, 0, 0, 0 },
    [BLOCK_PATH_EMULATED] = { false, EV_HOST_USER_WAKE, 1, 1, 2 },
    [BLOCK_PATH_VIRTIO] = { false, EV_HOST_USER_WAKE, 2, 1, 2 },
    [BLOCK_PATH_VHOST] = { false, EV_HOST_WAKE, 2, 1, 0 },
    [BLOCK_PATH_PV] = { true, EV_HOST_WAKE, 0, 0, 0 },
};

void block_host_init(struct block_host *h, enum block_path path, struct ledger *ledger)
{
    *h = (struct block_host){ .path = path, .worker = { .ledger = ledger, .same_cpu = paths[path].same_cpu, .wake = paths[path].wake } };
}

void block_serve(struct block *b, struct block_host *h) { b->host = h; }

cycles_t block_doorbell(struct block *b)
{
    struct block_host *h = b ? b->host : NULL;
    if (!h || h->worker.same_cpu)
        return 0;
    cycles_t now = worker_now(&h->worker), begun = worker_call(&h->worker, now);
    for (unsigned i = 1; begun > now && i < paths[h->path].wakes; i++)
        worker_do(&h->worker, h->worker.wake, 1);
    return h->worker.until - now;
}

void block_host_request(struct block_host *h)
{
    if (!h || h->path == BLOCK_PATH_DIRECT)
        return;
    if (h->worker.until < worker_now(&h->worker))
        h->worker.until = worker_now(&h->worker);     /* it was called, and is at it now */
    worker_do(&h->worker, EV_HOST_RING, paths[h->path].rings);
    worker_do(&h->worker, EV_HOST_SYSCALL, paths[h->path].syscalls);
    worker_do(&h->worker, EV_HOST_DISK, 1);
}
