/* SPDX-License-Identifier: MIT */
/*
 * The port's switch (DS 7.8.3): which VFs a frame is for, by the PF's filters. What one VF sends to another never leaves the adapter.
 * What a VF sends with an address that is not its own is dropped: the host has asked for that (DTXSWC).
 *
 * VFs may be in different machines, each with its own clock and its own end of the cable. Then the cable's speed is divided by those that have
 * something to send at the moment, as the adapter's round robin between pools would do it.
 */
#include "devices/igb/igb.h"
#include "devices/net/net_checksum.h"

enum { ETHERTYPE = 12, VLAN = 0x8100, CRC = 4, TAG = 4, LONGEST_STANDARD = 1522 };

/* --- filters (DS 7.8.3.3) --- */

static bool is_tagged(const u8 *frame, u32 len) { return len >= ETHERTYPE + 4 && net_get16(frame + ETHERTYPE) == VLAN; }

/* The pools that a 48-bit address belongs to. */
static u32 pools_of(const struct igb *p, const u8 *mac)
{
    u32 pools = 0, low = mac[0] | mac[1] << 8 | mac[2] << 16 | (u32)mac[3] << 24, high = mac[4] | mac[5] << 8;
    for (unsigned i = 0; i < PF_RAR_COUNT; i++) {
        u32 rah = igb_get(p, PF_RA + 8 * i + 4);
        if (rah & IGB_RAH_VALID && igb_get(p, PF_RA + 8 * i) == low && (rah & 0xffff) == high)
            pools |= rah >> RAH_POOL_SHIFT & 0xff;
    }
    return pools;
}

static bool in_hash_table(const struct igb *p, const u8 *mac)
{
    u32 hash = mac[4] >> 4 | mac[5] << 4;
    return igb_get(p, PF_MTA + 4 * (hash >> 5 & (PF_MTA_WORDS - 1))) >> (hash & 31) & 1;
}

static u32 pools_with(const struct igb *p, u32 bits)
{
    u32 pools = 0;
    for (unsigned i = 0; i < p->vfs; i++)
        if (igb_get(p, PF_VMOLR + 4 * i) & bits)
            pools |= 1u << i;
    return pools;
}

static u32 by_address(const struct igb *p, const u8 *mac)
{
    static const u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    if (__builtin_memcmp(mac, broadcast, 6) == 0)
        return pools_with(p, VMOLR_BAM);
    u32 pools = pools_of(p, mac);
    return mac[0] & 1 && in_hash_table(p, mac) ? pools | pools_with(p, VMOLR_ROMPE) : pools;
}

static u32 by_vlan(const struct igb *p, const u8 *frame, u32 len)
{
    u32 pools = 0, id;
    if (!is_tagged(frame, len))
        return pools_with(p, VMOLR_AUPE);
    id = net_get16(frame + ETHERTYPE + 2) & 0xfff;
    for (unsigned i = 0; i < PF_VLVF_COUNT; i++) {
        u32 entry = igb_get(p, PF_VLVF + 4 * i);
        if (entry & VLVF_VALID && (entry & 0xfff) == id)
            pools |= entry >> VLVF_POOL_SHIFT & 0xff;
    }
    return pools;
}

static bool too_long(const struct igb *p, unsigned pool, const u8 *frame, u32 len)
{
    u32 vmolr = igb_get(p, PF_VMOLR + 4 * pool), most = vmolr & VMOLR_LPE ? vmolr & VMOLR_RLPML : LONGEST_STANDARD - TAG;
    return len + CRC > most + (is_tagged(frame, len) ? TAG : 0);
}

/* Give it to those of `pools` that are plugged into `wire` (NULL: wherever they are). Returns who was meant. */
static u32 deliver(struct igb *p, u32 pools, const struct net_wire *wire, const u8 *frame, u32 len, bool loopback)
{
    u32 meant = pools & by_address(p, frame) & by_vlan(p, frame, len);
    for (unsigned i = 0; i < p->vfs; i++) {
        struct igb_vf *v = &p->vf[i];
        if (!(meant >> i & 1) || (wire && v->wire != wire))
            continue;
        if (too_long(p, i, frame, len))
            v->filtered++;
        else
            igb_receive(v, frame, len, loopback);
    }
    return meant;
}

/* --- out --- */

static bool is_spoofed(const struct igb_vf *v, const u8 *frame)
{
    bool checked = igb_get(v->port, PF_DTXSWC) >> v->index & 1;
    return checked && !(pools_of(v->port, frame + 6) >> v->index & 1);
}

static bool is_busy(const struct igb *p, const struct igb_uplink *u)
{
    if (!u->wire)
        return false;
    for (unsigned i = 0; i < p->vfs; i++)
        if (p->vf[i].wire == u->wire && igb_tx_waits(&p->vf[i]))
            return true;
    return u->wire->lane[NET_BACKEND].busy_until > u->wire->clock->now;
}

/* The share of the cable that this end has now. */
static void set_speed(const struct igb *p, struct igb_uplink *u)
{
    unsigned n = 1;
    for (unsigned i = 0; i < IGB_VFS_MAX; i++)
        n += &p->uplink[i] != u && is_busy(p, &p->uplink[i]);
    if (u->bits_per_second && u->wire->bits_per_second != u->bits_per_second / n)
        net_set_speed(u->wire, u->bits_per_second / n, u->wire->latency);
}

static struct igb_uplink *uplink_of(struct igb *p, const struct net_wire *w)
{
    for (unsigned i = 0; i < IGB_VFS_MAX; i++)
        if (p->uplink[i].wire == w)
            return &p->uplink[i];
    return NULL;
}

static void count(struct igb_vf *v, u32 len, bool inside)
{
    *igb_stat(v, VF_GPTC) += 1;
    *igb_stat(v, VF_GOTC) += len;
    *igb_stat(v, VF_GPTLBC) += inside;
    *igb_stat(v, VF_GOTLBC) += inside ? len : 0;
}

/* The frame's bits can go as soon as the DMA has brought them. */
static void to_wire(struct igb_vf *v, const u8 *frame, u32 len)
{
    cycles_t ready = v->clock->now + pci_dma_time(&v->function);
    if (!v->wire)
        return;
    set_speed(v->port, uplink_of(v->port, v->wire));
    net_send_after(v->wire, NET_NIC, frame, len, ready);
}

void igb_switch_from_vf(struct igb_vf *from, const u8 *frame, u32 len)
{
    struct igb *p = from->port;
    if (is_spoofed(from, frame)) {
        from->spoofed++;
        p->reg[PF_WVBR / 4] |= 1u << from->index;
        return;
    }
    u32 others = igb_get(p, PF_DTXSWC) & DTXSWC_LOOPBACK ? ~(1u << from->index) : 0;
    u32 meant = deliver(p, others, NULL, frame, len, true);
    count(from, len, meant);
    if (!meant || frame[0] & 1)
        to_wire(from, frame, len);
}

/* --- the cable's ends --- */

static unsigned pools_on(const struct igb_uplink *u)
{
    unsigned n = 0;
    for (unsigned i = 0; i < u->port->vfs; i++)
        n += u->port->vf[i].wire == u->wire;
    return n;
}

/* A full ring holds up the cable only where nobody else is on it; otherwise its frames are dropped. */
static bool end_ready(void *opaque)
{
    const struct igb_uplink *u = opaque;
    for (unsigned i = 0; i < u->port->vfs && pools_on(u) == 1; i++)
        if (u->port->vf[i].wire == u->wire)
            return igb_can_receive(&u->port->vf[i]);
    return true;
}

static void end_receive(void *opaque, const u8 *frame, u32 len)
{
    struct igb_uplink *u = opaque;
    deliver(u->port, ~0u, u->wire, frame, len, false);
}

static void end_room(void *opaque)
{
    struct igb_uplink *u = opaque;
    for (unsigned i = 0; i < u->port->vfs; i++)
        if (u->port->vf[i].wire == u->wire)
            igb_transmit(&u->port->vf[i]);
}

static void end_link(void *opaque, bool up)
{
    struct igb_uplink *u = opaque;
    for (unsigned i = 0; i < u->port->vfs; i++)
        if (u->port->vf[i].wire == u->wire)
            igb_interrupt(&u->port->vf[i], CAUSE_MAIL, 0);  /* VTSTATUS has it */
}

void igb_uplink_take(struct igb_vf *v)
{
    struct igb *p = v->port;
    struct igb_uplink *u = v->wire ? uplink_of(p, v->wire) : NULL;
    if (!v->wire)
        return;
    if (!u) {
        u = uplink_of(p, NULL);
        *u = (struct igb_uplink){ .port = p, .wire = v->wire, .bits_per_second = v->wire->bits_per_second };
        net_attach(v->wire, NET_NIC, &(struct net_end){ end_ready, end_receive, end_room, end_link, u });
    }
    u->users++;
}

void igb_uplink_leave(struct igb_vf *v)
{
    struct igb_uplink *u = v->wire ? uplink_of(v->port, v->wire) : NULL;
    if (!u || --u->users)
        return;
    net_attach(u->wire, NET_NIC, NULL);
    net_set_speed(u->wire, u->bits_per_second, u->wire->latency);
    *u = (struct igb_uplink){ 0 };
}

void igb_uplink_wake(struct igb_vf *v)
{
    if (v->wire)
        net_wake(v->wire, NET_NIC);
}
