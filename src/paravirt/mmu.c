/* SPDX-License-Identifier: MIT */
/* Hypercalls of the memory management unit: mmu_update, update_va_mapping, mmuext_op. */
#include <string.h>

#include "paravirt/domain.h"

#define BATCH_MOST 65536            /* entries of one call */

/* The domain that a call is about: only the caller's own may be named. */
static int check_domid(u32 domid)
{
    domid &= 0xffff;
    return domid == DOMID_SELF ? 0 : domid >= DOMID_FIRST_RESERVED ? -XEN_ESRCH : -XEN_EPERM;
}

/* --- mmu_update --- */

static int plain_write(struct domain *d, u32 mfn, unsigned slot, u64 val)
{
    int rc = frame_get_type(d, mfn, TYPE_WRITABLE);
    if (rc < 0)
        return rc;
    physmap_store(&d->vm->map, maddr(mfn) + slot * 8, 8, val);
    frame_put_type(d, mfn);
    return 0;
}

static int pt_update(struct domain *d, u64 ptr, u64 val, bool keep_ad)
{
    u64 mfn = ptr >> PAGE_SHIFT;
    unsigned slot = ptr >> 3 & (PTES - 1);
    struct frame *f = frame_of_guest(d, mfn);
    if (!f || ptr & 7)
        return -XEN_EINVAL;
    if (f->type_count && f->type >= TYPE_L1 && f->type <= TYPE_L3)
        return table_write(d, mfn, slot, val, keep_ad);
    return plain_write(d, mfn, slot, val);
}

static int m2p_update(struct domain *d, u64 ptr, u64 pfn)
{
    u64 mfn = ptr >> PAGE_SHIFT;
    struct frame *f = frame_of_guest(d, mfn);
    if (!f || f->owner != OWNER_DOMAIN)
        return -XEN_EINVAL;
    d->m2p[mfn] = pfn;
    return 0;
}

static int update_one(struct domain *d, const struct mmu_update *u)
{
    u64 ptr = u->ptr & ~(u64)3;
    switch (u->ptr & 3) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return pt_update(d, ptr, u->val, false);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return pt_update(d, ptr, u->val, true);
    }
    return m2p_update(d, ptr, u->val);
}

/* Copy and carry out a list of requests, until one fails or the time is over. *done counts those that succeeded. */
static int run_list(struct domain *d, u32 gva, u32 count, u32 size, int (*one)(struct domain *, const void *), u32 *done)
{
    u8 request[sizeof(struct mmu_update)];
    for (*done = 0; *done < count && !d->ended; ++*done, gva += size) {
        if (copy_from_guest(d, request, gva, size) < 0)
            return -XEN_EFAULT;
        int rc = one(d, request);
        if (rc < 0)
            return rc;
        if (*done + 1 < count && hypercall_must_pause(d)) {
            ++*done;
            break;
        }
    }
    return 0;
}

static s32 batch(struct domain *d, const u32 arg[6], u32 size, int (*one)(struct domain *, const void *))
{
    u32 count = arg[1] & ~PREEMPTED, done = 0, before = 0;
    int rc = check_domid(arg[3]);
    if (rc < 0)
        return rc;
    if (count > BATCH_MOST)
        return -XEN_EINVAL;
    if (!guest_range_ok(arg[0], (u64)count * size))
        return -XEN_EFAULT;
    if (arg[1] & PREEMPTED && arg[2] && copy_from_guest(d, &before, arg[2], sizeof before) < 0)
        return -XEN_EFAULT;
    rc = run_list(d, arg[0], count, size, one, &done);
    if (arg[2] && copy_to_guest(d, arg[2], &(u32){ before + done }, sizeof before) < 0)
        return -XEN_EFAULT;
    if (rc == 0 && done < count && !d->ended)
        return hypercall_pause(d, (u32[6]){ arg[0] + done * size, (count - done) | PREEMPTED, arg[2], arg[3] });
    return rc;
}

static int update_one_request(struct domain *d, const void *request)
{
    struct mmu_update u;
    memcpy(&u, request, sizeof u);
    return update_one(d, &u);
}

s32 do_mmu_update(struct domain *d, const u32 arg[6])
{
    return batch(d, arg, sizeof(struct mmu_update), update_one_request);
}

/* --- update_va_mapping --- */

static void invlpg(struct domain *d, u32 gva)
{
    charge(d, EV_PV_INVLPG);
    mmu_invlpg(&domain_cpu(d)->mmu, gva);
}

/* Flag values of one processor: LOCAL, MULTI and ALL are the same. */
static int flush_after(struct domain *d, u32 gva, u32 flags)
{
    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_NONE:
        return 0;
    case UVMF_TLB_FLUSH:
        tlb_flush(d);
        return 0;
    case UVMF_INVLPG:
        invlpg(d, gva);
        return 0;
    }
    return -XEN_EINVAL;
}

s32 do_update_va_mapping(struct domain *d, const u32 arg[6])
{
    u32 gva = arg[0], mfn;
    unsigned slot;
    int rc = table_find_l1(d, gva, &mfn, &slot);
    if (rc == 0)
        rc = table_write(d, mfn, slot, arg[1] | (u64)arg[2] << 32, false);
    int flushed = flush_after(d, gva, arg[3]);
    return rc < 0 ? rc : flushed;
}

/* --- mmuext_op --- */

static int pin(struct domain *d, u32 mfn, enum frame_type type)
{
    int rc = frame_get_type(d, mfn, type);
    if (rc < 0)
        return rc;
    if (d->frame[mfn].pinned) {
        frame_put_type(d, mfn);
        return -XEN_EINVAL;
    }
    d->frame[mfn].pinned = true;
    return 0;
}

static int ext_pin_l1(struct domain *d, const struct mmuext_op32 *op) { return pin(d, op->arg1, TYPE_L1); }
static int ext_pin_l2(struct domain *d, const struct mmuext_op32 *op) { return pin(d, op->arg1, TYPE_L2); }
static int ext_pin_l3(struct domain *d, const struct mmuext_op32 *op) { return pin(d, op->arg1, TYPE_L3); }

static int ext_unpin(struct domain *d, const struct mmuext_op32 *op)
{
    struct frame *f = frame_of_guest(d, op->arg1);
    if (!f || !f->pinned)
        return -XEN_EINVAL;
    f->pinned = false;
    frame_put_type(d, op->arg1);
    return 0;
}

static int ext_new_baseptr(struct domain *d, const struct mmuext_op32 *op)
{
    u32 old = d->v.base_mfn;
    int rc = frame_get_type(d, op->arg1, TYPE_L3);
    if (rc < 0)
        return rc;
    charge(d, EV_PV_CR3);
    ldt_unmap(d);
    base_switch(d, op->arg1);
    frame_put_type(d, old);
    return 0;
}

static int ext_tlb_flush(struct domain *d, const struct mmuext_op32 *op)
{
    tlb_flush(d);
    return 0;
}

static int ext_invlpg(struct domain *d, const struct mmuext_op32 *op)
{
    if (op->arg1 < XEN_VIRT_START)
        invlpg(d, op->arg1);
    return 0;
}

/* Caches may be flushed only by who drives hardware. */
static int ext_flush_cache(struct domain *d, const struct mmuext_op32 *op) { return -XEN_EACCES; }

static int ext_set_ldt(struct domain *d, const struct mmuext_op32 *op)
{
    u32 base = op->arg1, ents = op->arg2;
    struct cpu *c = domain_cpu(d);
    if (ents > 8192 || base & ~PAGE_MASK || !guest_range_ok(base, (u64)ents * 8))
        return -XEN_EINVAL;
    ldt_unmap(d);
    d->v.ldt_base = base;
    d->v.ldt_ents = ents;
    c->state.ldtr = (struct segment){ .attr = SEG_UNUSABLE };
    if (ents)
        c->state.ldtr = (struct segment){ .selector = XEN_TSS_SELECTOR + 8, .base = LDT_VIRT, .limit = ents * 8 - 1, .attr = SEG_P | 2 };
    return 0;
}

static int ext_clear_page(struct domain *d, const struct mmuext_op32 *op)
{
    int rc = frame_get_type(d, op->arg1, TYPE_WRITABLE);
    if (rc < 0)
        return rc;
    memset(frame_hva(d, op->arg1), 0, PAGE_SIZE);
    physmap_written(&d->vm->map, maddr(op->arg1), PAGE_SIZE);
    frame_put_type(d, op->arg1);
    return 0;
}

static int ext_copy_page(struct domain *d, const struct mmuext_op32 *op)
{
    if (!frame_of_guest(d, op->arg2))
        return -XEN_EINVAL;
    int rc = frame_get_type(d, op->arg1, TYPE_WRITABLE);
    if (rc < 0)
        return rc;
    memmove(frame_hva(d, op->arg1), frame_hva(d, op->arg2), PAGE_SIZE);
    physmap_written(&d->vm->map, maddr(op->arg1), PAGE_SIZE);
    frame_put_type(d, op->arg1);
    return 0;
}

static int ext_one(struct domain *d, const void *request)
{
    static int (*const handler[])(struct domain *, const struct mmuext_op32 *) = {
        [MMUEXT_PIN_L1_TABLE] = ext_pin_l1, [MMUEXT_PIN_L2_TABLE] = ext_pin_l2, [MMUEXT_PIN_L3_TABLE] = ext_pin_l3,
        [MMUEXT_UNPIN_TABLE] = ext_unpin, [MMUEXT_NEW_BASEPTR] = ext_new_baseptr,
        [MMUEXT_TLB_FLUSH_LOCAL] = ext_tlb_flush, [MMUEXT_TLB_FLUSH_MULTI] = ext_tlb_flush, [MMUEXT_TLB_FLUSH_ALL] = ext_tlb_flush,
        [MMUEXT_INVLPG_LOCAL] = ext_invlpg, [MMUEXT_INVLPG_MULTI] = ext_invlpg, [MMUEXT_INVLPG_ALL] = ext_invlpg,
        [MMUEXT_FLUSH_CACHE] = ext_flush_cache, [MMUEXT_FLUSH_CACHE_GLOBAL] = ext_flush_cache,
        [MMUEXT_SET_LDT] = ext_set_ldt, [MMUEXT_CLEAR_PAGE] = ext_clear_page, [MMUEXT_COPY_PAGE] = ext_copy_page,
    };
    struct mmuext_op32 op;
    memcpy(&op, request, sizeof op);
    if (op.cmd >= ARRAY_LEN(handler) || !handler[op.cmd])
        return -XEN_ENOSYS;
    int rc = handler[op.cmd](d, &op);
    trace(&d->vm->tracer, HYPERCALL, "mmuext=%u arg1=0x%x arg2=0x%x result=%d", op.cmd, op.arg1, op.arg2, rc);
    return rc;
}

s32 do_mmuext_op(struct domain *d, const u32 arg[6])
{
    return batch(d, arg, sizeof(struct mmuext_op32), ext_one);
}
