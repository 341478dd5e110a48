/* SPDX-License-Identifier: MIT */
/* The PF's registers that are about VFs (DS 8.14, 8.10): who may send and receive, which addresses are whose, and the mailboxes' other side. */
#include "devices/igb/igb.h"

static struct igb_vf *vf_of_word(struct igb *p, u32 offset, u32 base, u32 size)
{
    u32 n = (offset - base) / size;
    return offset >= base && n < IGB_VFS_MAX ? &p->vf[n] : NULL;
}

u32 igb_pf_read(struct igb *p, u32 offset)
{
    struct igb_vf *v;
    if (offset % 4 || offset >= PF_REGS_END)
        return 0;
    if ((v = vf_of_word(p, offset, PF_VMBMEM, 4 * MAILBOX_WORDS)))
        return v->mailbox[(offset - PF_VMBMEM) / 4 % MAILBOX_WORDS];
    if ((v = vf_of_word(p, offset, PF_P2VMAILBOX, 4)))
        return igb_p2v_read(v);
    return igb_get(p, offset);
}

static bool clears_by_ones(u32 offset) { return offset == PF_MBVFICR || offset == PF_VFLRE; }

void igb_pf_write(struct igb *p, u32 offset, u32 value)
{
    struct igb_vf *v;
    if (offset % 4 || offset >= PF_REGS_END || offset == PF_STATUS)
        return;
    if ((v = vf_of_word(p, offset, PF_VMBMEM, 4 * MAILBOX_WORDS)))
        v->mailbox[(offset - PF_VMBMEM) / 4 % MAILBOX_WORDS] = value;
    else if ((v = vf_of_word(p, offset, PF_P2VMAILBOX, 4)))
        igb_p2v_write(v, value);
    else if (clears_by_ones(offset))
        p->reg[offset / 4] &= ~value;
    else
        p->reg[offset / 4] = value;
}

static u64 space_read(void *dev, u64 offset, unsigned size) { return igb_pf_read(dev, offset); }
static void space_write(void *dev, u64 offset, unsigned size, u64 value) { igb_pf_write(dev, offset, value); }
const struct bus_ops igb_pf_ops = { space_read, space_write, 4, 4, NULL };
