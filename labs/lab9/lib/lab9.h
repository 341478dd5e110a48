/* SPDX-License-Identifier: MIT */
/*
 * Lab 9: what your code is written against. You are the half of a host's kernel that gives devices away (VFIO, and the IOMMU's driver); and then, in
 * attack.c, a guest that has got one.
 */
#ifndef LAB9_H
#define LAB9_H

#include "kernel.h"

/* --- the IOMMU: VT-d, chapter 10 (registers), 9 (tables), 3 (translation) ---------------------------- */

u64 iommu_read(u32 offset, u32 bytes);              /* 4 or 8 */
void iommu_write(u32 offset, u32 bytes, u64 value);
enum { GCMD = 0x18, GSTS = 0x1c, RTADDR = 0x20, CCMD = 0x28, IVA = 0x100, IOTLB = 0x108, FRCD = 0x200 /* 8 records of 16 bytes */ };
#define GCMD_TE (1u << 31)                          /* translation is on */
#define GCMD_SRTP (1u << 30)                        /* take the root table that RTADDR names */
#define CCMD_ICC (1ull << 63)                       /* forget contexts; of which kind << 61; device << 16, domain */
#define IOTLB_IVT (1ull << 63)                      /* forget translations; of which kind << 60; domain << 32; by page: IVA first */
enum { KIND_GLOBAL = 1, KIND_DOMAIN = 2, KIND_FINER = 3 /* one device's, one page's */ };
enum { SL_READ = 1, SL_WRITE = 2, PRESENT = 1, WIDTH_4_LEVELS = 2, DOMAIN_SHIFT = 8 /* in the second word of a context entry */ };

/* hpa of a page of zeros, for a table; and words in it. */
u64 frame_alloc(void);
u64 host_read(u64 hpa);
void host_write(u64 hpa, u64 value);

/* --- the host's devices ------------------------------------------------------------------------------ */

enum { DEVICES = 4 };
struct device { const char *name; u16 source; /* bus << 8 | device and function, as the IOMMU sees it */ u16 group; };
extern const struct device devices[DEVICES];

/* --- its guests -------------------------------------------------------------------------------------- */

enum { VMS = 2, PAGES = 64, ROM_PAGES = 4 /* the last ones: devices may read them */ };
/* hpa of the frame that holds a machine's page. There is no order in them. */
u64 guest_frame(u32 vm, u32 page);

/* --- what you write: lab9.c -------------------------------------------------------------------------- */

/* The IOMMU is on, and nobody may do anything. Called once, at first. */
void iommu_start(void);

/*
 * The machine gets these n devices, and with them its memory becomes reachable by DMA, at its guest-physical addresses; and nothing else does.
 * 0; or nothing has happened, and it is refused:
 */
enum { REFUSED_GROUP = -1 /* a group would be torn apart */, REFUSED_OWNED = -2 /* a device is another machine's, or already this one's */ };
int vm_assign(u32 vm, const u32 *device, u32 n);

/* The host takes a page back. When this returns, no device reaches it any more; or only by reading, where write is false. */
void vm_protect(u32 vm, u32 page, _Bool read);

/* The machine is gone: its devices are the host's, and reach nothing. */
void vm_release(u32 vm);

/* --- the other side: attack.c ------------------------------------------------------------------------ */

/* What the guest can do with its function, by programming it: 0, or the adapter hears of an abort. `len` is at most 8192. */
int dma_read(u64 address, void *to, u32 len);
int dma_write(u64 address, const void *from, u32 len);

/* What it has guessed or heard of the host's memory. */
#define HOST_KERNEL_HPA 0x80000ull
#define HOST_TABLES_HPA 0x100000ull
#define NEIGHBOUR_HPA 0x200000000ull

/* You are machine 0, with memory as above: try to reach what you must not, each way that you can think of. */
void attack(void);

#endif
