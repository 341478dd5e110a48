/* SPDX-License-Identifier: MIT */
/*
 * The mailbox between a VF and the PF (DS 7.8.2.9.1): sixteen words of memory, and a register on each side by which they take turns. Who
 * wants to write takes the memory (VFU, PFU), and gets it when the other does not hold it. Telling the other gives it back.
 */
#include "devices/igb/igb.h"

enum { READ_CLEARS = MAILBOX_PFSTS | MAILBOX_PFACK | MAILBOX_RSTD, MAIL_NS = 5000 /* until the host's driver has taken its interrupt */ };

static void set(struct igb_vf *v, u32 bits, bool on) { v->mailbox_bits = on ? v->mailbox_bits | bits : v->mailbox_bits & ~bits; }

/* --- the VF's side --- */

u32 igb_mailbox_read(struct igb_vf *v)
{
    u32 value = v->mailbox_bits;
    v->mailbox_bits &= ~READ_CLEARS;
    return value;
}

void igb_mailbox_write(struct igb_vf *v, u32 value)
{
    u32 causes = (value & MAILBOX_REQ ? 1u << v->index : 0) | (value & MAILBOX_ACK ? 1u << MBVF_ACK_SHIFT << v->index : 0);
    set(v, MAILBOX_VFU, value & MAILBOX_VFU && !(v->mailbox_bits & MAILBOX_PFU));
    v->port->reg[PF_MBVFICR / 4] |= causes;
    if (value & MAILBOX_REQ && v->clock)
        timer_set(v->clock, &v->mail, v->clock->now + clock_ns_to_cycles(v->clock, MAIL_NS));
}

/* --- the PF's --- */

u32 igb_p2v_read(const struct igb_vf *v)
{
    return (v->mailbox_bits & MAILBOX_VFU ? P2V_VFU : 0) | (v->mailbox_bits & MAILBOX_PFU ? P2V_PFU : 0);
}

void igb_p2v_write(struct igb_vf *v, u32 value)
{
    if (value & P2V_RVFU)
        set(v, MAILBOX_VFU, false);
    set(v, MAILBOX_PFU, value & P2V_PFU && !(v->mailbox_bits & MAILBOX_VFU));
    v->mailbox_bits |= (value & P2V_STS ? MAILBOX_PFSTS : 0) | (value & P2V_ACK ? MAILBOX_PFACK : 0);
    if (value & (P2V_STS | P2V_ACK))
        igb_interrupt(v, CAUSE_MAIL, 0);
}
