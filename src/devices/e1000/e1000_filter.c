/* SPDX-License-Identifier: MIT */
/* Which frames come in (SDM 10.1): by address, exactly or by a hash; and by VLAN. */
#include <string.h>

#include "devices/e1000/e1000.h"

enum { RECEIVE_ADDRESSES = 16, MTA_BITS = 4096 };

bool e1000_is_broadcast(const u8 *frame)
{
    static const u8 all_ones[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    return memcmp(frame, all_ones, 6) == 0;
}

bool e1000_is_tagged(const struct e1000 *e, const u8 *frame, u32 len)
{
    return len >= 18 && (u32)(frame[12] << 8 | frame[13]) == (e1000_get(e, E1000_VET) & 0xffff);
}

/* The address bytes lie in RAL and RAH in the order of the wire. */
static bool matches_exactly(const struct e1000 *e, const u8 *frame)
{
    u32 low = frame[0] | frame[1] << 8 | frame[2] << 16 | (u32)frame[3] << 24, high = frame[4] | frame[5] << 8;
    for (u32 i = 0; i < RECEIVE_ADDRESSES; i++) {
        u32 rah = e1000_get(e, E1000_RA + 8 * i + 4);
        if (rah & RAH_AV && (rah & 0xffff) == high && e1000_get(e, E1000_RA + 8 * i) == low)
            return true;
    }
    return false;
}

/* Twelve of the last sixteen bits of the address, RCTL.MO says which, are an index into the table of 4,096 bits. */
static bool matches_hash(const struct e1000 *e, const u8 *frame)
{
    static const u8 shift[4] = { 4, 3, 2, 0 };
    u32 last = frame[4] | frame[5] << 8;
    u32 bit = last >> shift[e1000_get(e, E1000_RCTL) >> RCTL_MO_SHIFT & 3] & (MTA_BITS - 1);
    return e1000_get(e, E1000_MTA + bit / 32 * 4) >> bit % 32 & 1;
}

static bool vlan_passes(const struct e1000 *e, const u8 *frame, u32 len)
{
    if (!(e1000_get(e, E1000_RCTL) & RCTL_VFE) || !e1000_is_tagged(e, frame, len))
        return true;
    u32 vlan = (frame[14] << 8 | frame[15]) & 0xfff;
    return e1000_get(e, E1000_VFTA + vlan / 32 * 4) >> vlan % 32 & 1;
}

static bool address_passes(const struct e1000 *e, const u8 *frame)
{
    u32 rctl = e1000_get(e, E1000_RCTL);
    if (e1000_is_broadcast(frame) && rctl & RCTL_BAM)
        return true;
    if (rctl & (e1000_is_multicast(frame) ? RCTL_MPE : RCTL_UPE))
        return true;
    return matches_exactly(e, frame) || (e1000_is_multicast(frame) && matches_hash(e, frame));
}

bool e1000_wants(const struct e1000 *e, const u8 *frame, u32 len) { return vlan_passes(e, frame, len) && address_passes(e, frame); }
