/* SPDX-License-Identifier: MIT */
/*
 * Lab 7: what your code is written against. A driver sends frames; the load (load.c) makes them, in batches, and the far end of the wire
 * looks at every one. pci.h finds adapters, virtio.h starts a virtio device; registers and rings are yours.
 */
#ifndef LAB7_H
#define LAB7_H

#include "kernel.h"

enum { FRAME_MAX = 1514, HEADROOM = 16 };

struct driver {
    _Bool (*open)(void);                    /* false: there is no such adapter */
    /* The frame is to be sent, after those that came before. It is the driver's until done() has counted it: nobody touches it, and it does not
     * move. So are HEADROOM bytes in front of it, in which anything may stand. A guest-physical address is a pointer here. When there is no
     * room, wait until there is: as many may come as want to. */
    void (*queue)(u8 *frame, u32 len);
    void (*flush)(void);                    /* what has been queued goes now: the end of a batch */
    u32 (*done)(void);                      /* frames that the adapter has read, since open(). It only grows */
    void (*wait)(u32 count);                /* until done() is at least that. The processor is given away: kernel_idle() */
};

extern const struct driver driver_e1000;    /* e1000.c */
extern const struct driver driver_virtio;   /* virtio.c */

/* --- the load: count frames of `shortest` to `longest` bytes, so many batches of them under way -------- */

void load(const struct driver *d, u32 batch, u32 under_way, u32 count, u32 shortest, u32 longest);
/* The same, each frame sent and waited for, by itself. */
void load_singly(const struct driver *d, u32 count);

#endif
