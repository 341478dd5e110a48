/* SPDX-License-Identifier: MIT */
/* guestcode.h's processor in 64-bit mode: 4-level tables that map the RAM to itself, flat segments, ring 0. */
#ifndef EMU_TESTS_GUEST64_H
#define EMU_TESTS_GUEST64_H

#include "guestcode.h"

/* PML4, page-directory-pointer table, page directory, then page tables of the first 8 MiB: gpa. */
enum { PML4_AT = GUEST_TABLES_AT, PDPT_AT = PML4_AT + PAGE_SIZE, PD_AT = PDPT_AT + PAGE_SIZE, PT_AT = PD_AT + PAGE_SIZE };

static inline u64 guest_peek64(struct guest *g, gpa_t gpa) { return physmap_load(&g->map, gpa, 8); }
static inline void guest_poke64(struct guest *g, gpa_t gpa, u64 value) { physmap_store(&g->map, gpa, 8, value); }

/* As guest_map(), for a page of the first 8 MiB; bits may have bit 63, no execution. */
static inline void guest_map64(struct guest *g, gva_t gva, gpa_t gpa, u64 bits)
{
    guest_poke64(g, PT_AT + (gva >> PAGE_SHIFT) * 8, gpa | bits);
    mmu_invlpg(&g->cpu.mmu, gva);
}

static inline void guest_tables64(struct guest *g)
{
    guest_poke64(g, PML4_AT, PDPT_AT | 7);
    guest_poke64(g, PDPT_AT, PD_AT | 7);
    for (u32 i = 0; i < GUEST_RAM >> 21; i++)
        guest_poke64(g, PD_AT + 8 * i, (PT_AT + i * PAGE_SIZE) | 7);
    for (gva_t a = 0; a < GUEST_RAM; a += PAGE_SIZE)
        guest_map64(g, a, a, 7);
}

static inline void guest_init_long(struct guest *g, const char *model)
{
    struct cpu_state *s = &g->cpu.state;
    guest_init(g, 32);
    g->cpu.model = cpu_model_find(model);
    g->cpu.mmu.phys_bits = g->cpu.model->phys_bits;
    g->cpu.mmu.huge_pages = g->cpu.model->ext_features_edx & CPUID_1GB_PAGES;
    guest_tables64(g);
    s->cr3 = PML4_AT;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    s->cr0 |= CR0_PG | CR0_WP;
    s->seg[CS].attr = (s->seg[CS].attr & ~SEG_DB) | SEG_L;
    cpu_state_changed(&g->cpu);
}

#endif
