/* SPDX-License-Identifier: MIT */
/*
 * What the modelled host does for a request of a disk: whose thread, and what it costs (base/worker.h). Only for images that the user wants
 * it of (-drive served=): otherwise a disk's time is the device's alone. The device asks nothing but when somebody begins.
 */
#ifndef EMU_DEVICES_BLOCK_HOST_H
#define EMU_DEVICES_BLOCK_HOST_H

#include "base/worker.h"

struct block;

enum block_path {
    BLOCK_PATH_DIRECT,      /* the disk is the machine's own */
    BLOCK_PATH_EMULATED,    /* registers in user space; the I/O thread hears of the end */
    BLOCK_PATH_VIRTIO,      /* rings served by the I/O thread */
    BLOCK_PATH_VHOST,       /* ... by a thread of the host's kernel */
    BLOCK_PATH_PV,          /* domain 0 on the same processor */
    BLOCK_PATHS
};

struct block_host {
    enum block_path path;
    struct worker worker;
};

void block_host_init(struct block_host *h, enum block_path path, struct ledger *ledger);
/* The image's requests are the host's work from now on; *h is the caller's and stays as long as the image. */
void block_serve(struct block *b, struct block_host *h);
/* A request was made: the cycles until its answer, beside the disk's own time. 0 where no host is modelled. */
cycles_t block_doorbell(struct block *b);
/* For block.c: one request is carried out. */
void block_host_request(struct block_host *h);

#endif
