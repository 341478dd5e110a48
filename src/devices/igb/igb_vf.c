/* SPDX-License-Identifier: MIT */
/* A VF's registers (DS 8.26): its own rings, vectors and mailbox, and a view of the port's link. Nothing here steers another function. */
#include <string.h>

#include "devices/igb/igb.h"

enum { STATS_FROM = 0x0f00, STATS_END = 0x0f80, DCTL_MASK = 0x021f1f1f, SRRCTL_MASK = 0x0e003f7f };

/* --- rings --- */

static struct igb_queue *queue_at(struct igb_vf *v, u32 offset, bool *transmits)
{
    u32 n = offset >> 8 & 15;
    *transmits = offset >= VF_TX_QUEUE;
    if (offset < VF_RX_QUEUE || n - 8 >= IGB_VF_QUEUES || (offset >> 12 != VF_RX_QUEUE >> 12 && offset >> 12 != VF_TX_QUEUE >> 12))
        return NULL;
    return *transmits ? &v->tx[n - 8].q : &v->rx[n - 8];
}

static u32 *queue_word(struct igb_queue *q, u32 offset)
{
    switch (offset & 0xff) {
    case Q_BAL: return &q->bal;
    case Q_BAH: return &q->bah;
    case Q_LEN: return &q->len;
    case Q_SRRCTL: return &q->srrctl;
    case Q_HEAD: return &q->head;
    case Q_DCA: return &q->dca;
    case Q_TAIL: return &q->tail;
    case Q_DCTL: return &q->dctl;
    case Q_PSRTYPE: return &q->psrtype;
    }
    return NULL;
}

static u32 queue_mask(u32 offset)
{
    switch (offset & 0xff) {
    case Q_BAL: return ~0x7fu;
    case Q_LEN: return 0xfff80;
    case Q_SRRCTL: return SRRCTL_MASK | IGB_SRRCTL_DROP;
    case Q_HEAD: case Q_TAIL: return 0xffff;
    case Q_DCTL: return DCTL_MASK;
    }
    return ~0u;
}

static void queue_write(struct igb_vf *v, u32 offset, u32 value)
{
    bool transmits;
    struct igb_queue *q = queue_at(v, offset, &transmits);
    u32 *word = q ? queue_word(q, offset) : NULL, reg = offset & 0xff;
    if (!word)
        return;
    *word = value & queue_mask(offset);
    if (reg != Q_TAIL && reg != Q_DCTL)
        return;
    if (transmits)
        igb_transmit(v);
    else
        igb_uplink_wake(v);
}

/* --- reading --- */

static u32 status(const struct igb_vf *v)
{
    return IGB_STATUS_FD | IGB_STATUS_SPEED_1000 | (v->wire && v->wire->link ? IGB_STATUS_LU : 0);
}

static u32 *stored(struct igb_vf *v, u32 offset)
{
    if (offset - VF_MBMEM < sizeof v->mailbox)
        return &v->mailbox[(offset - VF_MBMEM) / 4];
    if (offset - VF_EITR < sizeof v->eitr)
        return &v->eitr[(offset - VF_EITR) / 4];
    if (offset - STATS_FROM < STATS_END - STATS_FROM)
        return &v->stats[(offset - STATS_FROM) / 4];
    switch (offset) {
    case VF_EIMS: return &v->eims;
    case VF_EIAC: return &v->eiac;
    case VF_EIAM: return &v->eiam;
    case VF_IVAR: return &v->ivar;
    case VF_IVAR_MISC: return &v->ivar_misc;
    }
    bool transmits;
    struct igb_queue *q = queue_at(v, offset, &transmits);
    return q ? queue_word(q, offset) : NULL;
}

u32 igb_vf_read(struct igb_vf *v, u32 offset)
{
    switch (offset) {
    case VF_STATUS: return status(v);
    case VF_FRTIMER: return v->clock ? clock_cycles_to_ns(v->clock, v->clock->now) / 1000 : 0;
    case VF_EICR: return igb_eicr_read(v);
    case VF_MAILBOX: return igb_mailbox_read(v);
    }
    const u32 *word = offset % 4 == 0 ? stored(v, offset) : NULL;
    return word ? *word : 0;
}

/* --- writing --- */

void igb_vf_write(struct igb_vf *v, u32 offset, u32 value)
{
    switch (offset) {
    case VF_CTRL:
        if (value & IGB_CTRL_RST)
            igb_vf_reset(v);
        break;
    case VF_EICS: igb_eics_write(v, value); break;
    case VF_EIMS: igb_eims_write(v, value); break;
    case VF_EIMC: v->eims &= ~value; break;
    case VF_EICR: v->eicr &= ~value; break;
    case VF_MAILBOX: igb_mailbox_write(v, value); break;
    case VF_EIAC: case VF_EIAM: *stored(v, offset) = value & ((1 << IGB_VF_VECTORS) - 1); break;
    case VF_IVAR: case VF_IVAR_MISC: *stored(v, offset) = value & 0x83838383; break;
    default:
        if (offset % 4)
            break;
        if (offset - VF_MBMEM < sizeof v->mailbox || offset - VF_EITR < sizeof v->eitr)
            *stored(v, offset) = value;
        else
            queue_write(v, offset, value);
    }
}

const char *igb_vf_reg_name(u64 offset)
{
    static const struct { u32 offset; const char *name; } names[] = {
        { VF_CTRL, "VTCTRL" }, { VF_STATUS, "VTSTATUS" }, { VF_FRTIMER, "VTFRTIMER" }, { VF_EICS, "VTEICS" }, { VF_EIMS, "VTEIMS" }, { VF_EIMC, "VTEIMC" },
        { VF_EIAC, "VTEIAC" }, { VF_EIAM, "VTEIAM" }, { VF_EICR, "VTEICR" }, { VF_IVAR, "VTIVAR" }, { VF_IVAR_MISC, "VTIVAR_MISC" },
        { VF_MAILBOX, "V2PMAILBOX" }, { VF_RX_QUEUE + Q_TAIL, "RDT0" }, { VF_RX_QUEUE + Q_HEAD, "RDH0" }, { VF_TX_QUEUE + Q_TAIL, "TDT0" },
        { VF_TX_QUEUE + Q_HEAD, "TDH0" }, { VF_RX_QUEUE + Q_DCTL, "RXDCTL0" }, { VF_TX_QUEUE + Q_DCTL, "TXDCTL0" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].offset == offset)
            return names[i].name;
    return offset - VF_MBMEM < 4 * MAILBOX_WORDS ? "VMBMEM" : NULL;
}

static u64 space_read(void *dev, u64 offset, unsigned size) { return igb_vf_read(dev, offset); }
static void space_write(void *dev, u64 offset, unsigned size, u64 value) { igb_vf_write(dev, offset, value); }
const struct bus_ops igb_vf_ops = { space_read, space_write, 4, 4, igb_vf_reg_name };
