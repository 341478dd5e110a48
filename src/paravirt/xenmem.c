/* SPDX-License-Identifier: MIT */
/*
 * Machine memory: the frame table, Xen's own frames, and what of them appears in every address space.
 *
 * From 0xF5800000 on, each page directory of L3 slot 3 holds Xen's entries:
 *
 *     F5800000  machine-to-physical table: readable in ring 1, written by nobody but Xen
 *     FF000000  private: GDT, LDT, IDT, TSS. The processor must find them by linear address; the guest's
 *               segments end at F6800000, so it cannot even name them
 */
#include <stdlib.h>
#include <string.h>

#include "paravirt/domain.h"

#define M2P_PER_PAGE ((u32)(PAGE_SIZE / sizeof(u32)))
#define XEN_FIXED_PAGES 64      /* tables, GDT, IDT, TSS, shared_info, grant table, and a few to spare */
#define LOWEST_MFN 0x100        /* below 1 MiB the PC has other things than memory */
#define PTE_XEN (PTE_P | PTE_A | PTE_D)

u8 *frame_hva(struct domain *d, u32 mfn)
{
    return physmap_ptr(&d->vm->map, maddr(mfn), PAGE_SIZE);
}

/* Collect the machine frames that are RAM, in ascending order. */
static void pool_fill(struct domain *d, const struct region *r)
{
    for (u64 mfn = r->gpa >> PAGE_SHIFT; mfn < (r->gpa + r->size) >> PAGE_SHIFT; mfn++)
        if (mfn >= LOWEST_MFN && mfn < d->nframes)
            d->pool[d->npool++] = mfn;
}

static u64 highest_ram(const struct physmap *m)
{
    u64 end = 0;
    for (unsigned i = 0; i < m->nregions; i++)
        if (m->region[i].kind == REGION_RAM && !mfn_is_foreign(m->region[i].gpa >> PAGE_SHIFT) && m->region[i].gpa + m->region[i].size > end)
            end = m->region[i].gpa + m->region[i].size;
    return end;
}

static int frames_init(struct domain *d, struct error *err)
{
    const struct physmap *m = &d->vm->map;
    u64 max = (u64)ARRAY_LEN(d->xen_l1_m2p) * PTES * M2P_PER_PAGE;
    u64 frames = highest_ram(m) >> PAGE_SHIFT;
    d->nframes = frames < max ? frames : max;
    d->frame = calloc(d->nframes + 1, sizeof *d->frame);
    d->pool = calloc(d->nframes + 1, sizeof *d->pool);
    if (!d->frame || !d->pool)
        return error_set(err, "not enough memory for a frame table of %u pages", d->nframes);
    for (unsigned i = 0; i < m->nregions; i++)
        if (m->region[i].kind == REGION_RAM)
            pool_fill(d, &m->region[i]);
    d->m2p_pages = (d->nframes + M2P_PER_PAGE - 1) / M2P_PER_PAGE;
    d->npool_xen = d->m2p_pages + XEN_FIXED_PAGES;
    if (d->npool < d->npool_xen + 512)
        return error_set(err, "%llu MiB of memory are too little for Xen and a domain; try -m 64",
                         (unsigned long long)(d->vm->config.ram_size >> 20));
    return 0;
}

u32 xenmem_alloc(struct domain *d)
{
    if (d->xen_used == d->npool_xen)
        return 0;
    u32 mfn = d->pool[d->xen_used++];
    d->frame[mfn].owner = OWNER_XEN;
    memset(frame_hva(d, mfn), 0, PAGE_SIZE);
    return mfn;
}

/* The M2P table must be one array for us as well: its frames come first and are contiguous. */
static int m2p_init(struct domain *d, struct error *err)
{
    u32 first = d->pool[0];
    d->m2p = (u32 *)physmap_ptr(&d->vm->map, maddr(first), (u64)d->m2p_pages << PAGE_SHIFT);
    if (!d->m2p)
        return error_set(err, "no contiguous memory for a machine-to-physical table of %u pages", d->m2p_pages);
    for (u32 i = 0; i < d->m2p_pages; i++)
        xenmem_alloc(d);
    memset(d->m2p, 0xff, (u64)d->m2p_pages << PAGE_SHIFT);
    return 0;
}

static void m2p_map(struct domain *d)
{
    u64 *pte = NULL;
    for (u32 i = 0; i < d->m2p_pages; i++) {
        if (i % PTES == 0) {
            u32 l1 = xenmem_alloc(d);
            pte = (u64 *)frame_hva(d, l1);
            d->xen_l1_m2p[i / PTES] = l1;
            d->xen_l2[i / PTES] = maddr(l1) | PTE_P | PTE_RW | PTE_A;
        }
        pte[i % PTES] = maddr(d->pool[i]) | (PTE_XEN & ~PTE_D);
    }
}

void private_map(struct domain *d, u32 gva, u32 mfn)
{
    d->private_pte[gva >> PAGE_SHIFT & (PTES - 1)] = mfn ? maddr(mfn) | PTE_XEN | PTE_RW : 0;
    mmu_invlpg(&domain_cpu(d)->mmu, gva);
}

static u8 *private_page(struct domain *d, u32 gva)
{
    u32 mfn = xenmem_alloc(d);
    private_map(d, gva, mfn);
    return frame_hva(d, mfn);
}

/* Flat segments as descriptors: the guest's end where the hypervisor's private part begins. */
static u64 flat_descriptor(unsigned dpl, bool code, u32 end)
{
    u64 limit = (end - 1) >> PAGE_SHIFT;
    u64 access = SEG_P | SEG_S | SEG_RW | SEG_ACCESSED | dpl << 5 | (code ? SEG_CODE : 0);
    return (limit & 0xffff) | (limit >> 16) << 48 | access << 40 | (u64)0xc << 52;
}

static void gdt_init(struct domain *d)
{
    d->zero_mfn = xenmem_alloc(d);
    for (unsigned i = 0; i < FIRST_RESERVED_GDT_PAGE; i++)
        private_map(d, GDT_VIRT + i * PAGE_SIZE, d->zero_mfn);
    d->gdt_own = private_page(d, GDT_VIRT + FIRST_RESERVED_GDT_BYTE);
    u64 *gdt = (u64 *)d->gdt_own;
    gdt[(XEN_RING0_CS >> 3) - FIRST_RESERVED_GDT_ENTRY] = flat_descriptor(0, true, 0);
    gdt[(XEN_RING0_DS >> 3) - FIRST_RESERVED_GDT_ENTRY] = flat_descriptor(0, false, 0);
    gdt[(FLAT_RING1_CS >> 3) - FIRST_RESERVED_GDT_ENTRY] = flat_descriptor(1, true, GUEST_SEGMENT_END);
    gdt[(FLAT_RING1_DS >> 3) - FIRST_RESERVED_GDT_ENTRY] = flat_descriptor(1, false, GUEST_SEGMENT_END);
    gdt[(FLAT_RING3_CS_32 >> 3) - FIRST_RESERVED_GDT_ENTRY] = flat_descriptor(3, true, GUEST_SEGMENT_END);
    gdt[(FLAT_RING3_DS_32 >> 3) - FIRST_RESERVED_GDT_ENTRY] = flat_descriptor(3, false, GUEST_SEGMENT_END);
}

static void private_init(struct domain *d)
{
    d->xen_l1_private = xenmem_alloc(d);
    d->private_pte = (u64 *)frame_hva(d, d->xen_l1_private);
    d->xen_l2[(PRIVATE_VIRT >> 21 & 511) - XEN_FIRST_L2_SLOT] = maddr(d->xen_l1_private) | PTE_P | PTE_RW | PTE_A;
    gdt_init(d);
    d->idt = private_page(d, IDT_VIRT);
    d->tss = private_page(d, TSS_VIRT);
}

int xenmem_init(struct domain *d, struct error *err)
{
    if (frames_init(d, err) < 0 || m2p_init(d, err) < 0)
        return -1;
    m2p_map(d);
    private_init(d);
    d->l3_copy_mfn = xenmem_alloc(d);
    d->shared_mfn = xenmem_alloc(d);
    d->frame[d->shared_mfn] = (struct frame){ .owner = OWNER_SHARED, .allocated = true };
    d->shared = (shared_info32 *)frame_hva(d, d->shared_mfn);
    return 0;
}

void xenmem_fini(struct domain *d)
{
    free(d->frame);
    free(d->pool);
}
