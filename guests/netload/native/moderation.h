/* SPDX-License-Identifier: MIT */
/*
 * How many interrupts a second an adapter may make: what Intel's drivers of Linux decide (e1000, igbvf; InterruptThrottleRate). Either a
 * fixed rate, 8000 until 2006; or, since then, one that follows the traffic ("dynamic conservative"), anew at each interrupt.
 */
#ifndef GUEST_MODERATION_H
#define GUEST_MODERATION_H

#include "kernel.h"

enum { MODERATION_FIRST = 8000 };

enum moderation_range { RANGE_LOWEST, RANGE_LOW, RANGE_BULK };
struct moderation {
    u32 rate;                               /* interrupts a second, as the adapter has it */
    enum moderation_range in, out;          /* what each direction's traffic is like */
    u32 in_count, in_bytes, out_count, out_bytes;   /* as of the last interrupt */
};

/* An interrupt: how much has gone by since power-on. True: m->rate is a new one, to be told to the adapter. */
_Bool moderation_next(struct moderation *m, u32 in_count, u32 in_bytes, u32 out_count, u32 out_bytes);

#endif
