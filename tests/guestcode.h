/* SPDX-License-Identifier: MIT */
/*
 * A tiny harness for tests of the processor: RAM, one processor, bytes at an address, run until HLT.
 *
 *     struct guest g;
 *     guest_init(&g, 32);                                  // 16: real mode, 32: flat protected mode, ring 0
 *     GUEST_CODE(&g, "\x01\xd8" "\xf4");                   // add eax, ebx; hlt
 *     g.cpu.state.gpr[RAX] = 1;
 *     CHECK_EQ(guest_run(&g), STOP_HLT);
 *     guest_fini(&g);
 *
 * Each class of instruction costs one cycle, so that virtual time can be told from the code.
 */
#ifndef EMU_TESTS_GUESTCODE_H
#define EMU_TESTS_GUESTCODE_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cpu/cpu.h"

enum {
    GUEST_CODE_AT = 0x1000,     /* gpa = gva where code is put and RIP points; in real mode 0000:1000 */
    GUEST_DATA_AT = 0x8000,     /* DS, ES and SS have base 0, so this is free for data */
    GUEST_STACK_AT = 0x7000,    /* initial ESP */
    GUEST_TABLES_AT = 0x100000, /* page directory, then page tables of the first 8 MiB */
    GUEST_RAM = 8 << 20,
};

struct guest {
    struct physmap map;
    u8 *ram;
    struct clock clock;
    struct profile profile;
    struct ledger ledger;
    struct tracer tracer;
    struct cpu_env env;
    struct cpu cpu;
    u16 out_port; u32 out_value; unsigned outs;     /* last OUT and how many */
    u32 in_value;                                   /* what IN gives */
};

static inline u64 guest_io_read(void *o, u16 port, unsigned size) { return ((struct guest *)o)->in_value; }
static inline void guest_io_write(void *o, u16 port, unsigned size, u64 value)
{
    struct guest *g = o;
    g->out_port = port;
    g->out_value = value;
    g->outs++;
}
static inline bool guest_no_msr_read(void *o, u32 msr, u64 *value) { return false; }
static inline bool guest_no_msr_write(void *o, u32 msr, u64 value) { return false; }

/* bits: 16 (real mode) or 32 (flat, ring 0, paging off). The model has every 32-bit feature. */
static inline void guest_init(struct guest *g, unsigned bits)
{
    struct error err = { "" };
    struct cpu_state s;
    memset(g, 0, sizeof *g);
    for (int i = 0; i < COMP_COUNT; i++)
        g->profile.value[i] = 1;
    g->profile.value[COMP_CPU_HZ] = 1000000000;
    g->env = (struct cpu_env){ guest_io_read, guest_io_write, guest_no_msr_read, guest_no_msr_write, NULL };
    clock_init(&g->clock, g->profile.value[COMP_CPU_HZ]);
    const struct cpu_model *model = cpu_model_find("core2");
    if (physmap_init(&g->map, GUEST_RAM, &err) < 0 || !(g->ram = physmap_add_ram(&g->map, "ram", 0, GUEST_RAM, &err)) ||
        ledger_init(&g->ledger, &g->clock, &g->profile, &err) < 0 ||
        cpu_init(&g->cpu, model, &g->map, &g->clock, &g->ledger, &g->profile, &g->tracer, &err) < 0) {
        fprintf(stderr, "guest_init: %s\n", err.text);
        exit(1);
    }
    g->cpu.env = &g->env;
    g->cpu.env_opaque = g;
    state_flat32(&s, GUEST_CODE_AT, GUEST_STACK_AT);
    if (bits == 16) {
        state_reset(&s);
        s.seg[CS].base = s.seg[CS].selector = 0;
        s.rip = GUEST_CODE_AT;
        s.gpr[RSP] = GUEST_STACK_AT;
    }
    cpu_set_state(&g->cpu, &s);
}

static inline void guest_fini(struct guest *g)
{
    cpu_fini(&g->cpu);
    clock_fini(&g->clock);
    physmap_fini(&g->map);
}

/* Bytes to any gpa, as a loader writes them. */
static inline void guest_put(struct guest *g, gpa_t gpa, const void *bytes, size_t len)
{
    physmap_write(&g->map, gpa, bytes, len);
}
#define GUEST_CODE(g, literal) guest_put((g), GUEST_CODE_AT, (literal), sizeof(literal) - 1)

static inline u32 guest_peek32(struct guest *g, gpa_t gpa) { return physmap_load(&g->map, gpa, 4); }
static inline void guest_poke32(struct guest *g, gpa_t gpa, u32 value) { physmap_store(&g->map, gpa, 4, value); }

/* One page of the 32-bit page tables: gva -> gpa with PTE bits (1 present, 2 writable, 4 user); 0 unmaps. INVLPG included. */
static inline void guest_map(struct guest *g, gva_t gva, gpa_t gpa, u32 bits)
{
    guest_poke32(g, GUEST_TABLES_AT + PAGE_SIZE + (gva >> PAGE_SHIFT) * 4, gpa | bits);
    mmu_invlpg(&g->cpu.mmu, gva);
}

/* Turn paging on, the RAM mapped to itself by 4 KiB pages, writable, also for the user. */
static inline void guest_paging(struct guest *g)
{
    for (u32 i = 0; i < GUEST_RAM >> 22; i++)
        guest_poke32(g, GUEST_TABLES_AT + 4 * i, (GUEST_TABLES_AT + (1 + i) * PAGE_SIZE) | 7);
    for (gva_t a = 0; a < GUEST_RAM; a += PAGE_SIZE)
        guest_map(g, a, a, 7);
    g->cpu.state.cr3 = GUEST_TABLES_AT;
    g->cpu.state.cr0 |= CR0_PG | CR0_WP;
    cpu_state_changed(&g->cpu);
}

/* Run until it stops, at most a million cycles (then STOP_DEADLINE). */
static inline enum cpu_stop_kind guest_run(struct guest *g) { return cpu_run(&g->cpu, g->clock.now + 1000000); }

#endif
