/* SPDX-License-Identifier: MIT */
/*
 * Few small packets since the last interrupt: somebody waits for an answer. Much data in large ones: nobody does. In between it is
 * as it was. The thresholds are the drivers' own (e1000_update_itr(), igbvf_update_itr()), found by their makers on real traffic.
 */
#include "moderation.h"

enum { JUMBO = 8000, LARGE = 2000, FULL = 1200 };

static enum moderation_range from_lowest(u32 packets, u32 bytes)
{
    if (bytes / packets > JUMBO)
        return RANGE_BULK;
    return packets < 5 && bytes > 512 ? RANGE_LOW : RANGE_LOWEST;
}

static enum moderation_range from_low(u32 packets, u32 bytes)
{
    u32 size = bytes / packets;
    if (bytes <= 10000)
        return size > LARGE ? RANGE_BULK : packets <= 2 && bytes < 512 ? RANGE_LOWEST : RANGE_LOW;
    if (packets < 10 || size > FULL)
        return RANGE_BULK;
    return packets > 35 ? RANGE_LOWEST : RANGE_LOW;
}

static enum moderation_range from_bulk(u32 packets, u32 bytes)
{
    if (bytes > 25000)
        return packets > 35 ? RANGE_LOW : RANGE_BULK;
    return bytes < 6000 ? RANGE_LOW : RANGE_BULK;
}

/* Conservative: 70,000 interrupts a second, the lowest range's, are not on offer. */
static enum moderation_range next(enum moderation_range now, u32 packets, u32 bytes)
{
    static enum moderation_range (*const from[])(u32 packets, u32 bytes) = { from_lowest, from_low, from_bulk };
    enum moderation_range range = packets ? from[now](packets, bytes) : now;
    return range == RANGE_LOWEST ? RANGE_LOW : range;
}

_Bool moderation_next(struct moderation *m, u32 in_count, u32 in_bytes, u32 out_count, u32 out_bytes)
{
    u32 before = m->rate;
    m->in = next(m->in, in_count - m->in_count, in_bytes - m->in_bytes);
    m->out = next(m->out, out_count - m->out_count, out_bytes - m->out_bytes);
    m->in_count = in_count, m->in_bytes = in_bytes, m->out_count = out_count, m->out_bytes = out_bytes;
    u32 rate = m->in == RANGE_BULK || m->out == RANGE_BULK ? 4000 : 20000;
    if (rate > before && before + rate / 4 < rate)
        rate = before + rate / 4;       /* up in steps, down at once */
    m->rate = rate;
    return rate != before;
}
