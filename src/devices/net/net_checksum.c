/* SPDX-License-Identifier: MIT */
#include "devices/net/net_checksum.h"

#include <string.h>

/* RFC 1071, 2: the sum may be made in any byte order, eight bytes at a time, and folded and swapped at the end. */
u16 net_sum(const u8 *data, u32 len)
{
    u64 sum = 0;
    for (; len >= 4; data += 4, len -= 4) {
        u32 word;
        memcpy(&word, data, 4);
        sum += word;
    }
    u32 rest = 0;
    memcpy(&rest, data, len);
    sum += rest;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return __builtin_bswap16(sum);
}

enum { TYPE_IPV4 = 0x0800, TYPE_VLAN = 0x8100, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, FRAGMENT = 0x3fff };

/* The sum over the pseudo header: addresses, protocol, length (RFC 9293, 3.1). */
static u16 pseudo_sum(const u8 *ip, u32 l4_len) { return net_sum_add(net_sum(ip + 12, 8), net_sum_add(ip[9], l4_len)); }

static bool carries_sum(const u8 *ip, const u8 *l4, u32 l4_len)
{
    if (net_get16(ip + 6) & FRAGMENT)
        return false;
    return (ip[9] == PROTOCOL_TCP && l4_len >= 20) || (ip[9] == PROTOCOL_UDP && l4_len >= 8 && net_get16(l4 + 6));
}

bool net_check_ip(const u8 *frame, u32 len, struct net_ip *found)
{
    u32 at = len >= 18 && net_get16(frame + 12) == TYPE_VLAN ? 18 : 14;
    const u8 *ip = frame + at;
    if (len < at + 20 || net_get16(ip - 2) != TYPE_IPV4 || *ip >> 4 != 4)
        return false;
    u32 header = (*ip & 15) * 4, total = net_get16(ip + 2);
    if (header < 20 || total < header || at + total > len)
        return false;
    *found = (struct net_ip){ .ip_ok = net_sum(ip, header) == 0xffff, .has_l4 = carries_sum(ip, ip + header, total - header) };
    if (found->has_l4)
        found->l4_ok = net_sum_add(net_sum(ip + header, total - header), pseudo_sum(ip, total - header)) == 0xffff;
    return true;
}
