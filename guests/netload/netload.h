/* SPDX-License-Identifier: MIT */
/*
 * A path to the network, as the load sees it: frames go out in batches and come in; each path's driver says how. All counts are
 * since net_open() and only grow. Interrupts are off but in kernel_idle().
 */
#ifndef GUEST_NETLOAD_H
#define GUEST_NETLOAD_H

#include "kernel.h"

#define FRAME_MAX 1514u
#define BUFFER 2048u
#define ADDRESSES 12u

struct net_path {
    const char *name;
    u32 ring;                                   /* frames that can be under way, each direction */
    _Bool (*open)(void);                        /* false: there is no such adapter */
    void (*send)(u32 count, u32 len);           /* the frame net_frame[] so many times, at most `ring` under way: one batch, one doorbell */
    u32 (*sent)(void);                          /* what is done, as memory or registers show */
    void (*want_sent)(u32 count);               /* an interrupt when so many are; may be NULL: there are interrupts anyway */
    u32 (*received)(void);                      /* frames that have come, with their buffers still in use */
    void (*want_received)(u32 count);
    void (*wait)(void);                         /* give the processor away until there is news, perhaps */
    void (*give_back)(u32 count);               /* buffers of the oldest frames, one doorbell if one is needed */
};

extern const struct net_path *const net_paths[];    /* NULL-ended; of this kind of guest */
extern u8 net_frame[BUFFER];                        /* what is sent: addresses, type, data */
extern u32 net_naive;                               /* the driver as a first driver is written, not as one that was made fast */
enum { NET_DYNAMIC = 1 };
extern u32 net_throttle;                            /* most interrupts a second of an adapter that throttles them; NET_DYNAMIC: as Linux would; 0: any */

#endif
