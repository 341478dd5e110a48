/* SPDX-License-Identifier: MIT */
/*
 * Adaptation (Adams and Agesen 2006, 3.4): a store that is copied as it is runs at full speed until its page is traced, and
 * then faults each time, at thousands of cycles. An instruction that keeps faulting is retranslated as a callout, which costs
 * hundreds. That is reversible: page tables become data again, and one routine that clears memory serves both.
 */
#include "bt/internal.h"

#include <string.h>

static unsigned slot_of(const struct bt *b, u32 eip) { return (eip ^ eip >> 12) % ARRAY_LEN(b->adapted); }

bool adapted(const struct bt *b, u32 eip) { return eip && b->adapted[slot_of(b, eip)].eip == eip; }

/* The translations of that instruction are no longer what they should be. */
static void retranslate(struct bt_vcpu *v, u32 eip)
{
    struct xlat x;
    struct mmu_fault f;
    u8 perms;
    if (mmu_probe(&v->cpu->mmu, eip, ACCESS_EXEC, v->window->user, &x) == 0 && mmu_second(&v->cpu->mmu, eip, ACCESS_EXEC, &x.gpa, &perms, &f) == 0)
        cache_forget(v->bt, x.gpa, 1);
}

void adapt_fault(struct bt_vcpu *v, u32 eip)
{
    struct bt *b = v->bt;
    unsigned h = (eip ^ eip >> 10) % ARRAY_LEN(b->faulting);
    if (b->faulting[h].eip != eip) {
        b->faulting[h].eip = eip;
        b->faulting[h].faults = 0;
    }
    if (++b->faulting[h].faults < ADAPT_AFTER)
        return;
    b->faulting[h].eip = 0;
    b->adapted[slot_of(b, eip)].eip = eip;
    b->adapted[slot_of(b, eip)].needless = 0;
    b->stats.adapted++;
    retranslate(v, eip);
}

u64 adapt_before(const struct bt *b) { return b->observed + b->map->mmio_accesses; }

void adapt_after(struct bt_vcpu *v, u32 eip, u64 before)
{
    struct bt *b = v->bt;
    unsigned h = slot_of(b, eip);
    if (before != adapt_before(b)) {
        b->adapted[h].needless = 0;
    } else if (++b->adapted[h].needless == REVERT_AFTER) {
        b->adapted[h].eip = 0;
        b->stats.reverted++;
        retranslate(v, eip);
    }
}
