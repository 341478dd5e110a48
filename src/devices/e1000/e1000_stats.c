/* SPDX-License-Identifier: MIT */
/* Statistics (SDM 13.7). Reading a counter clears it, which e1000_regs.c does. Lengths count the frame's checksum. */
#include "devices/e1000/e1000.h"

enum { CRC = 4 };

void e1000_count(struct e1000 *e, u32 offset, u32 n)
{
    u32 *r = e1000_reg(e, offset);
    *r = *r + n < *r ? ~(u32)0 : *r + n;
}

void e1000_count_octets(struct e1000 *e, u32 offset, u32 n)
{
    u32 *low = e1000_reg(e, offset);
    u64 sum = ((u64)low[1] << 32 | low[0]) + n;
    low[0] = sum;
    low[1] = sum >> 32;
}

/* The counters by length: 64, 65-127, 128-255, 256-511, 512-1023, 1024 and more. */
static u32 by_length(u32 first, u32 len)
{
    u32 n = 0;
    for (u32 limit = 64; n < 5 && len > limit; n++)
        limit = n ? 2 * limit + 1 : 127;
    return first + 4 * n;
}

static void count_kind(struct e1000 *e, const u8 *frame, u32 broadcast, u32 multicast)
{
    if (e1000_is_broadcast(frame))
        e1000_count(e, broadcast, 1);
    else if (e1000_is_multicast(frame))
        e1000_count(e, multicast, 1);
}

void e1000_count_sent(struct e1000 *e, const u8 *frame, u32 len)
{
    count_kind(e, frame, E1000_BPTC, E1000_MPTC);
    e1000_count(e, E1000_TPT, 1);
    e1000_count(e, E1000_GPTC, 1);
    e1000_count(e, by_length(E1000_PTC64, len + CRC), 1);
    e1000_count_octets(e, E1000_TOTL, len + CRC);
    e1000_count_octets(e, E1000_GOTCL, len + CRC);
}

void e1000_count_received(struct e1000 *e, const u8 *frame, u32 len)
{
    count_kind(e, frame, E1000_BPRC, E1000_MPRC);
    e1000_count(e, E1000_TPR, 1);
    e1000_count(e, E1000_GPRC, 1);
    e1000_count(e, by_length(E1000_PRC64, len + CRC), 1);
    e1000_count_octets(e, E1000_TORL, len + CRC);
    e1000_count_octets(e, E1000_GORCL, len + CRC);
}
