/* SPDX-License-Identifier: MIT */
/* Lab 9, first half: an IOMMU's tables, and who may have what. handout.md says what is to be done. */
#include "lab9.h"

/*** begin solution ***/
enum { LEVELS = 4, NOBODY = -1 };

static u64 root, tables[VMS];               /* hpa; of a machine's second level, 0: not yet made */
static signed char owner[DEVICES] = { NOBODY, NOBODY, NOBODY, NOBODY };

static u32 domain_of(u32 vm) { return vm + 1; } /* 0 is kept for caches that tag nothing by it (VT-d 9.3) */

/* --- tables --- */

static u64 context_entry(u16 source)
{
    u64 at = root + 16 * (source >> 8);
    if (!(host_read(at) & PRESENT))
        host_write(at, frame_alloc() | PRESENT);
    return (host_read(at) & ~0xfffull) + 16 * (source & 0xff);
}

static u64 leaf(u64 top, u64 gpa)
{
    u64 table = top;
    for (u32 level = LEVELS;; level--) {
        u64 at = table + (gpa >> (3 + 9 * level) & 511) * 8;
        if (level == 1)
            return at;
        if (!host_read(at))
            host_write(at, frame_alloc() | SL_READ | SL_WRITE);
        table = host_read(at) & ~0xfffull;
    }
}

static void map_memory(u32 vm)
{
    tables[vm] = frame_alloc();
    for (u32 i = 0; i < PAGES; i++)
        host_write(leaf(tables[vm], (u64)i << 12), guest_frame(vm, i) | SL_READ | (i < PAGES - ROM_PAGES ? SL_WRITE : 0));
}

/* --- what is remembered of them --- */

static void forget_translations(u32 vm) { iommu_write(IOTLB, 8, IOTLB_IVT | (u64)KIND_DOMAIN << 60 | (u64)domain_of(vm) << 32); }

static void forget_domain(u32 vm)
{
    iommu_write(CCMD, 8, CCMD_ICC | (u64)KIND_DOMAIN << 61 | domain_of(vm));
    forget_translations(vm);
}

/* --- who may have what --- */

static _Bool is_wanted(u32 d, const u32 *device, u32 n)
{
    for (u32 i = 0; i < n; i++)
        if (device[i] == d)
            return 1;
    return 0;
}

static int check(const u32 *device, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        if (owner[device[i]] != NOBODY)
            return REFUSED_OWNED;
        for (u32 d = 0; d < DEVICES; d++)
            if (devices[d].group == devices[device[i]].group && !is_wanted(d, device, n))
                return REFUSED_GROUP;
    }
    return 0;
}
/*** instead ***
*** end solution ***/

void iommu_start(void)
{
    /*** begin solution ***/
    root = frame_alloc();
    iommu_write(RTADDR, 8, root);
    iommu_write(GCMD, 4, GCMD_SRTP);
    iommu_write(CCMD, 8, CCMD_ICC | (u64)KIND_GLOBAL << 61);
    iommu_write(IOTLB, 8, IOTLB_IVT | (u64)KIND_GLOBAL << 60);
    iommu_write(GCMD, 4, GCMD_TE);
    /*** instead ***
    iommu_write(GCMD, 4, 0); // your code here
    *** end solution ***/
}

int vm_assign(u32 vm, const u32 *device, u32 n)
{
    /*** begin solution ***/
    int refused = check(device, n);
    if (refused)
        return refused;
    if (!tables[vm])
        map_memory(vm);
    for (u32 i = 0; i < n; i++) {
        u64 at = context_entry(devices[device[i]].source);
        owner[device[i]] = vm;
        host_write(at + 8, WIDTH_4_LEVELS | domain_of(vm) << DOMAIN_SHIFT);
        host_write(at, tables[vm] | PRESENT);       /* present at last */
    }
    forget_domain(vm);
    /*** instead ***
    (void)vm, (void)device, (void)n; // your code here
    *** end solution ***/
    return 0;
}

void vm_protect(u32 vm, u32 page, _Bool read)
{
    /*** begin solution ***/
    u64 at = leaf(tables[vm], (u64)page << 12);
    host_write(at, read ? host_read(at) & ~(u64)SL_WRITE : 0);
    forget_translations(vm);
    /*** instead ***
    (void)vm, (void)page, (void)read; // your code here
    *** end solution ***/
}

void vm_release(u32 vm)
{
    /*** begin solution ***/
    for (u32 d = 0; d < DEVICES; d++)
        if (owner[d] == (int)vm) {
            owner[d] = NOBODY;
            host_write(context_entry(devices[d].source), 0);
        }
    forget_domain(vm);
    /*** instead ***
    (void)vm; // your code here
    *** end solution ***/
}
