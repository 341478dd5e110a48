/* SPDX-License-Identifier: MIT */
/*
 * The host's driver of the PF, as far as VFs need one: what Linux's igb does for its igbvf. It enables the VFs, decides which addresses
 * are whose, and answers their mailboxes. It touches the adapter by registers only.
 */
#include <string.h>

#include "devices/igb/igb.h"

enum { HASHES_MAX = 30, MAX_FRAME = 9728 };

/* --- filters --- */

static void set_address(struct igb *p, unsigned vf, const u8 mac[6])
{
    u32 low, high = mac[4] | mac[5] << 8;
    memcpy(&low, mac, 4);
    igb_pf_write(p, PF_RA + 8 * (vf + 1), low);
    igb_pf_write(p, PF_RA + 8 * (vf + 1) + 4, high | 1u << (RAH_POOL_SHIFT + vf) | IGB_RAH_VALID);
}

/* The PF's own MAC, with another last byte. */
static void own_address(const struct igb *p, unsigned vf, u8 mac[6])
{
    memcpy(mac, p->mac, 6);
    mac[5] += vf + 1;
}

/* Its administrator has not forbidden it: a VF may have another address, but no multicast one, and not that of nobody. */
static bool on_set_mac(struct igb *p, unsigned vf, const u32 *msg)
{
    static const u8 nobody[6];
    u8 mac[6];
    memcpy(mac, msg + 1, 6);
    if (mac[0] & 1 || !memcmp(mac, nobody, 6) || msg[0] >> MSG_INFO_SHIFT & 0xff)
        return false;
    set_address(p, vf, mac);
    return true;
}

/* The hash table is the port's: a VF that has asked for any of it gets what any VF has asked for. */
static bool on_multicast(struct igb *p, unsigned vf, const u32 *msg)
{
    unsigned n = msg[0] >> MSG_INFO_SHIFT & 0xff;
    u16 hash[HASHES_MAX];
    memcpy(hash, msg + 1, sizeof hash);
    for (unsigned i = 0; i < n && i < HASHES_MAX; i++) {
        u32 at = PF_MTA + 4 * (hash[i] >> 5 & (PF_MTA_WORDS - 1));
        igb_pf_write(p, at, igb_pf_read(p, at) | 1u << (hash[i] & 31));
    }
    u32 at = PF_VMOLR + 4 * vf;
    igb_pf_write(p, at, n ? igb_pf_read(p, at) | VMOLR_ROMPE : igb_pf_read(p, at) & ~(u32)VMOLR_ROMPE);
    return true;
}

/* Entry n of the VLAN table is the VF's too, or not any more; without pools it is free. */
static void set_vlan(struct igb *p, u32 n, unsigned vf, bool in)
{
    u32 at = PF_VLVF + 4 * n, pool = 1u << (VLVF_POOL_SHIFT + vf), entry = in ? igb_pf_read(p, at) | pool : igb_pf_read(p, at) & ~pool;
    igb_pf_write(p, at, entry >> VLVF_POOL_SHIFT & 0xff ? entry : 0);
}

static bool on_vlan(struct igb *p, unsigned vf, const u32 *msg)
{
    u32 id = msg[1] & 0xfff, add = msg[0] >> MSG_INFO_SHIFT & 0xff, pool = 1u << (VLVF_POOL_SHIFT + vf), free = PF_VLVF_COUNT;
    for (u32 i = 0; i < PF_VLVF_COUNT; i++) {
        u32 entry = igb_pf_read(p, PF_VLVF + 4 * i);
        if (!(entry & VLVF_VALID)) {
            free = free == PF_VLVF_COUNT ? i : free;
        } else if ((entry & 0xfff) == id) {
            set_vlan(p, i, vf, add);
            return true;
        }
    }
    if (add && free < PF_VLVF_COUNT)
        igb_pf_write(p, PF_VLVF + 4 * free, id | pool | VLVF_VALID);
    return !add || free < PF_VLVF_COUNT;
}

static bool on_long_packets(struct igb *p, unsigned vf, const u32 *msg)
{
    u32 at = PF_VMOLR + 4 * vf;
    if (msg[1] > MAX_FRAME)
        return false;
    igb_pf_write(p, at, (igb_pf_read(p, at) & ~(u32)VMOLR_RLPML) | VMOLR_LPE | msg[1]);
    return true;
}

/* --- reset --- */

/* Whoever had it, and whatever he has asked for. */
static void restore(struct igb *p, unsigned vf)
{
    u8 mac[6];
    for (u32 i = 0; i < PF_VLVF_COUNT; i++)
        set_vlan(p, i, vf, false);
    own_address(p, vf, mac);
    set_address(p, vf, mac);
    igb_pf_write(p, PF_VMOLR + 4 * vf, VMOLR_BAM | VMOLR_AUPE | 1522);
}

static void answer(struct igb *p, unsigned vf, const u32 *msg, unsigned words)
{
    igb_pf_write(p, PF_P2VMAILBOX + 4 * vf, P2V_PFU);
    if (!(igb_pf_read(p, PF_P2VMAILBOX + 4 * vf) & P2V_PFU))
        return;                 /* the VF holds the memory: it will time out and ask again */
    for (unsigned i = 0; i < words; i++)
        igb_pf_write(p, PF_VMBMEM + 64 * vf + 4 * i, msg[i]);
    igb_pf_write(p, PF_P2VMAILBOX + 4 * vf, P2V_STS);
}

static void on_reset(struct igb *p, unsigned vf)
{
    u32 msg[3] = { MSG_VF_RESET | MSG_ACK }, bit = 1u << vf;
    u8 mac[6];
    restore(p, vf);
    igb_pf_write(p, PF_VFTE, igb_pf_read(p, PF_VFTE) | bit);
    igb_pf_write(p, PF_VFRE, igb_pf_read(p, PF_VFRE) | bit);
    own_address(p, vf, mac);
    memcpy(msg + 1, mac, sizeof mac);
    answer(p, vf, msg, 3);
}

/* --- mail --- */

static bool (*const handler[])(struct igb *p, unsigned vf, const u32 *msg) = {
    [MSG_VF_SET_MAC] = on_set_mac, [MSG_VF_SET_MULTICAST] = on_multicast, [MSG_VF_SET_VLAN] = on_vlan, [MSG_VF_SET_LPE] = on_long_packets,
};

static void on_message(struct igb *p, unsigned vf)
{
    u32 msg[MAILBOX_WORDS];
    for (unsigned i = 0; i < MAILBOX_WORDS; i++)
        msg[i] = igb_pf_read(p, PF_VMBMEM + 64 * vf + 4 * i);
    igb_pf_write(p, PF_P2VMAILBOX + 4 * vf, P2V_ACK);
    u32 kind = msg[0] & 0xffff;
    if (kind == MSG_VF_RESET) {
        on_reset(p, vf);
        return;
    }
    bool done = kind < ARRAY_LEN(handler) && handler[kind] && handler[kind](p, vf, msg);
    msg[0] = (msg[0] & ~(MSG_ACK | MSG_NACK)) | MSG_CTS | (done ? MSG_ACK : MSG_NACK);
    answer(p, vf, msg, 1);
}

void igb_host_serve(struct igb *p)
{
    u32 reset = igb_pf_read(p, PF_VFLRE), mail = igb_pf_read(p, PF_MBVFICR);
    igb_pf_write(p, PF_VFLRE, reset);
    igb_pf_write(p, PF_MBVFICR, mail);
    for (unsigned vf = 0; vf < p->vfs; vf++) {
        if (reset & 1u << vf)
            restore(p, vf);
        if (mail & 1u << vf)
            on_message(p, vf);
    }
}

/* --- start --- */

int igb_host_start(struct igb *p, unsigned vfs, struct error *err)
{
    igb_pf_write(p, PF_DTXSWC, DTXSWC_LOOPBACK | (DTXSWC_MAC_SPOOF * 0xffu));
    igb_pf_write(p, PF_VT_CTL, IGB_VFS_MAX << 7 /* default pool: the PF's */ | 1);
    if (igb_sriov_write(p, SRIOV_NUM_VFS, 2, vfs, err) || igb_sriov_write(p, SRIOV_CONTROL, 2, SRIOV_VF_ENABLE | SRIOV_VF_MSE, err))
        return -1;
    igb_host_serve(p);      /* all have been reset */
    return 0;
}
