/* SPDX-License-Identifier: MIT */
/* What a PV kernel's image says of itself: Xen's ELF notes, or the older __xen_guest string. */
#ifndef EMU_PARAVIRT_NOTES_H
#define EMU_PARAVIRT_NOTES_H

#include "machine/loader.h"

struct pv_image {
    u64 virt_base;          /* gva at which pseudo-physical memory begins to be mapped */
    u64 paddr_offset;       /* what the ELF headers' physical addresses have too much */
    u64 entry;              /* gva */
    u64 hypercall_page;     /* gva; 0: none wanted */
};

/* 0, or -1 with *err saying what the image is instead, or what it needs that is not here. `offered`: XENFEAT_* bits. */
int pv_image_parse(struct pv_image *img, const struct elf *e, u32 offered, struct error *err);

#endif
