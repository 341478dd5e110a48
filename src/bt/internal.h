/* SPDX-License-Identifier: MIT */
/*
 * Inside src/bt: what the translator's files share.
 *
 * Adams and Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization" (ASPLOS 2006),
 * section 3, is the paper to have at hand; Bugnion et al., "Bringing Virtualization to the x86 Architecture with the
 * Original VMware Workstation" (TOCS 2012) tells the memory side.
 */
#ifndef EMU_BT_INTERNAL_H
#define EMU_BT_INTERNAL_H

#include "bt/window.h"

#define ADAPT_AFTER 3           /* faults of one instruction before it is retranslated as a callout */
#define REVERT_AFTER 32         /* callouts in a row that would not have faulted before it is retranslated as it was */

#define MAX_RULES 32
#define FILL_KINDS 6

struct bt_stats {
    u64 units, insns, units_flushed, invalidated, chained, entries, callouts, adapted, reverted, untraced, hidden_faults, windows_made, windows_lost;
    u64 by_rule[MAX_RULES];     /* instructions translated, by enum rule */
    u64 guest_bytes, host_bytes; /* of code, translated */
    u64 flushes;
    u64 left[LEAVE_DEADLINE + 1]; /* the cache was left, by enum leave */
    u64 faults[FILL_KINDS];     /* of memory accesses, by enum fill; the hidden ones are hidden_faults */
    u64 exceptions;             /* faults that were no memory access */
    u64 in_cache[IN_CACHE_COUNT]; /* emulated without leaving */
    u64 callouts_by[MN_COUNT];  /* by mnemonic */
    u64 stepped;                /* plain instructions that the monitor emulated one by one: a single step, a shadow of STI */
};

struct census;

struct bt_vcpu;

/* What translation is for. The monitor's policy: guest kernel code is deprivileged, and what that costs is counted. The hardware
 * policy: behave as the processor would, in state, counts and cycles. */
struct policy {
    bool counts_indirect;                                               /* lookups of indirect targets are counted */
    u32 (*in_cache_cycles)(const struct bt_vcpu *v, enum in_cache what, const struct insn *i);
    u32 (*indirect_cycles)(const struct bt_vcpu *v);
    void (*ran)(struct bt_vcpu *v, u64 cycles);                         /* the cache was left after that many cycles */
    void (*translated)(struct bt_vcpu *v, const struct unit *u);
    void (*hidden_fault)(struct bt_vcpu *v);
    bool (*interrupt_waits)(const struct bt_vcpu *v);                   /* would one be taken if IF were set? */
};

/* The translation cache, the windows, the traces: of all processors of one machine, for a translation holds on each of them, and a
 * window is kept true whoever writes. One thread at a time. */
struct bt {
    struct physmap *map;
    unsigned users;             /* processors */
    struct phys_observer observer;
    u8 *code, *exec;            /* the cache: written through one mapping, run through the other */
    u32 code_size, code_used;
    u32 enter, leave;           /* offsets of the two doors, */
    u32 miss, link, callout;    /* of the ways to the second one, */
    u32 fpu_load, fpu_return;   /* and of what the FPU gate leads to */
    bool bmi2;                  /* the host has SHRX */
    u64 epoch;                  /* of the cache: grows when it is emptied, and every struct link dies */
    struct unit *units; u32 nunits, max_units;  /* in order of host code */
    struct insn_map *maps; u32 nmaps, max_maps;
    struct unit *hash[HASH_SIZE];
    struct unit *page_units[PAGE_HASH];
    struct { u32 base, limit; } code_segment[KEY_CODE_SEGMENTS]; u32 ncode_segments;
    struct code_page *code_page, *free_code_page; u32 ncode_pages, max_code_pages; /* [0] is the one without units */
    struct code_page *code_page_hash[PAGE_HASH];
    u32 *entries;               /* the storage of their tables */
    struct window window[MAX_WINDOWS]; unsigned nwindows; /* that may be used */
    u64 window_clock;
    u64 space_epoch;            /* grows when a window or view changes hands, or a root was written; never 0 */
    struct trace_dep *traces[PAGE_HASH];
    struct rmap *rmap[PAGE_HASH];
    u64 rmaps;
    struct rmap *free_rmap, **rmap_chunks; u32 nrmap_chunks;
    u32 areas;                  /* host areas in all windows */
    u8 *guard;
    struct { u32 eip; u8 needless; } adapted[4096]; /* instructions that became callouts, by hash; eip 0 = none */
    struct { u32 eip; u8 faults; } faulting[1024];
    struct { gpa_t page; u32 writes, patience; } code_writes[1024]; /* by hash of the page; patience 0: none */
    u64 observed;               /* writes to marked pages, counted: did an emulated instruction make one? */
    struct bt_stats stats;
    struct census *census;      /* NULL: nobody wants to know (census.c) */
};

/* What the processor's system state means here; see mode.c. */
struct mode_origin {
    struct segment seg[SREG_COUNT];
    struct dtable gdtr;
    u64 cr0, cr3, cr4, efer, pdpte[4], dr7, rflags, icept, a20_mask;
    const struct stage2 *stage2;
    bool debugged;
};
struct mode {
    struct mode_origin origin;
    u64 epoch;                  /* bt.space_epoch when it was made */
    bool translatable;
    u32 key;
    struct window *window;      /* NULL, and no view: no address space left */
    struct view *view;
    struct segments segments;
};
#define MODES 16

enum core_result {
    CORE_RAN,                   /* context.leave says why it came back */
    CORE_STEP,                  /* there is nothing to run here: the fetch faults, or this instruction is not translated */
    CORE_NOT,                   /* code in this mode is not translated */
};

/* The translator's side of a processor. */
struct bt_vcpu {
    struct context context __attribute__((aligned(64)));
    struct bt *bt;
    struct cpu *cpu;
    const struct policy *policy;
    void *owner;                /* the policy's: the engine's vcpu */
    struct mode mode[MODES];    /* by hash of what changes most */
    struct window *window;
    struct view *view;
    u16 mnemonic;               /* of the instruction for which it left (callouts, faults) */
    struct link *link;          /* the direct jump by which it left, to be chained; NULL: none */
    u64 link_epoch;
    u8 fault;                   /* enum fill: what the fault was that made it leave (LEAVE_FAULT) */
    u32 adapted_eip;            /* hardware policy: an adapted instruction that the interpreter executes now, or 0 */
    u64 adapted_before;
    bool page_fault;            /* it was a memory access (not a division, an invalid opcode) */
};

/* --- looking into struct bt --- */
static inline u32 code_base(const struct bt *b, u32 key) { return b->code_segment[key / KEY_CS].base; }
static inline u32 link_number(const struct bt *b, const struct link *l) { return (l->from - b->units) * 2 + (l - l->from->link); }
static inline struct link *link_by_number(struct bt *b, u32 n) { return &b->units[n / 2].link[n % 2]; }
static inline bool cache_holds(const struct bt *b, u64 rip) { return rip - (u64)b->exec < b->code_size; }

/* --- mode.c --- */
struct mode *mode_settle(struct bt_vcpu *v);    /* of the processor's state as it is; never NULL */

/* --- core.c --- */
/* Heap storage; NULL with *err. */
struct bt_vcpu *core_new(struct cpu *c, const struct policy *policy, void *owner, struct error *err);
void core_free(struct bt_vcpu *v);
/* Run translated code from the processor's state until it comes back, with context.leave and .eip. */
enum core_result core_run(struct bt_vcpu *v, cycles_t deadline);

/* The unit at eip in the address space of the processor's state, translated now if need be. NULL: none can be. */
struct unit *core_unit(struct bt_vcpu *v, u32 eip);

/* --- translate.c --- */
/* Translate the unit at eip, whose first byte is at gpa; NULL if its first instruction cannot be fetched or decoded. May flush the cache. */
struct unit *translate(struct bt_vcpu *v, u32 eip, u32 key, gpa_t gpa);

/* --- segreg.c --- */
void segments_settle(struct segments *g, const struct cpu_state *s, u64 window); /* what code that reads or loads segment registers looks at */

/* --- adapt.c --- */
/* Is the instruction there a callout because it kept faulting? */
bool adapted(const struct bt *b, u32 eip);
/* It faulted once more on a traced page, on a device, or on code: retranslate it as a callout if that is a habit. */
void adapt_fault(struct bt_vcpu *v, u32 eip);
/* An adapted instruction is about to be emulated, and was: if it would not have faulted for a while, make it as it was. */
u64 adapt_before(const struct bt *b);
void adapt_after(struct bt_vcpu *v, u32 eip, u64 before);

/* --- stubs.c --- */
void stubs_emit(struct bt *b);

/* --- fault.c --- */
int fault_init(struct error *err);
void fault_fini(void);
void fault_enter(struct bt_vcpu *v);    /* run translated code from v->context.target until it leaves */

#endif
