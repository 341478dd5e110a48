/* SPDX-License-Identifier: MIT */
/* Inside src/mmu: what the paging unit needs of the page walk beside mmu_walk() and mmu_probe(). */
#ifndef EMU_MMU_WALK_H
#define EMU_MMU_WALK_H

#include "mmu/mmu.h"

/* Read and check the four PAE page-directory pointers at cr3. False: one is malformed, or u->pdpte_fault is set. */
bool walk_load_pdptes(struct mmu *u, u64 cr3, u64 pdpte[4]);

#endif
