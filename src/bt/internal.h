/* SPDX-License-Identifier: MIT */
/*
 * Inside src/bt: what the translator's files share.
 *
 * While translated code runs, the guest's eight registers and its arithmetic flags live in the host's own. The
 * rest of the host's registers belong to the translator:
 *
 *     r8, r9, r13  scratch within one guest instruction
 *     r10          the directory of the current view, plus DIRECTORY_BIAS: the way from a guest address to its host code (codepage.c)
 *     r11          guest instructions retired since entry
 *     r12          the guard: r12[0] may be read, r12[8 * n] may not, for n from 1 to 65535
 *     r14          virtual cycles left until the deadline
 *     r15          struct context
 *     gs base      the current window: 4 GiB of host addresses that mirror the guest's linear space
 *
 * Adams and Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization" (ASPLOS 2006),
 * section 3, is the paper to have at hand; Bugnion et al., "Bringing Virtualization to the x86 Architecture with the
 * Original VMware Workstation" (TOCS 2012) tells the memory side.
 */
#ifndef EMU_BT_INTERNAL_H
#define EMU_BT_INTERNAL_H

#include "cpu/cpu.h"

#define UNIT_MAX_INSNS 12       /* Adams and Agesen: a unit is a basic block of at most 12 instructions */
#define INDIRECT_STEP (1u << 26)    /* r11 counts indirect transfers from this bit on */
#define MAX_WINDOWS 12
#define MAX_VIEWS 8             /* of a window: translations under different keys */
#define DIRECTORY_BIAS 12       /* its low five bits are a shift count: SHRX by r10 makes a page number of an address */
#define ADAPT_AFTER 3           /* faults of one instruction before it is retranslated as a callout */
#define REVERT_AFTER 32         /* callouts in a row that would not have faulted before it is retranslated as it was */
#define CODE_PATIENCE 8         /* writes to a page with code, wherever they hit, before all of its code is forgotten; */
#define CODE_PATIENCE_MAX 32768 /* next time it takes four times as many */
#define UNTRACE_AFTER 64        /* writes to a traced page that no window has used since: it is a page table no more */

/* Why translated code came back to the monitor. */
enum leave {
    LEAVE_MISS,         /* indirect jump to an address that has no translation in this view yet */
    LEAVE_LINK,         /* direct jump to such an address: to be chained */
    LEAVE_CALLOUT,      /* an instruction that the monitor emulates: the last one of a unit, */
    LEAVE_GUARD,        /* or one that is usually emulated in the cache */
    LEAVE_FAULT,        /* a host fault that is not a mere hidden one: the monitor emulates the instruction */
    LEAVE_DEADLINE,     /* no cycles left */
};

/* What a host fault at a guest address turned out to be. */
enum fill {
    FILL_OK,        /* hidden: the window has the page now */
    FILL_FAULT,     /* true: the guest's own tables refuse it, or it is no memory access at all */
    FILL_MMIO,      /* no memory there */
    FILL_TRACED,    /* a write to a traced page table */
    FILL_CODE,      /* a write to a page that holds translated code */
};

/* Sensitive instructions that kernel code may execute without leaving the cache. */
enum in_cache { IN_CACHE_FLAGS, IN_CACHE_CR, IN_CACHE_RDTSC, IN_CACHE_SREG, IN_CACHE_COUNT };

/* What kernel code in the cache finds out about segment registers. */
struct segments {
    u32 base[SREG_COUNT];
    s64 room[2][SREG_COUNT];    /* bytes that may be read, written, from offset 0; 0 where the interpreter must look */
    u16 selector[SREG_COUNT];   /* what they hold; */
    u64 descriptor[SREG_COUNT]; /* hva of the descriptor that it names, in the window */
    u64 loaded[SREG_COUNT];     /* and what that said when it was loaded */
};

/* What the generated code reads and writes, addressed from r15. */
struct context {
    u64 gpr[8];
    u16 flags;                  /* arithmetic flags, as LAHF and SETO give them: SF ZF AF PF CF above, OF below */
    u64 host_rsp;
    u64 directory;              /* hva of the view's, plus DIRECTORY_BIAS */
    u64 guard;
    s64 budget;
    u64 icount;
    u64 target;                 /* hva of the code to enter */
    u32 leave;                  /* enum leave */
    u32 eip;                    /* guest address to go on at; LEAVE_LINK and LEAVE_CALLOUT: derived from `from` */
    u32 from;                   /* LEAVE_LINK: link_number(); LEAVE_CALLOUT: unit number */
    u32 seg_base[SREG_COUNT];
    const struct segments *segments;
    u64 scratch;
    u64 window, minus_window;   /* base of the window, and its negative: LEA can only add */
    u64 tsc_end;                /* TSC when the budget will be 0 */
    u32 cr[5];                  /* what MOV from a control register gives */
    u32 system_flags;           /* IOPL, NT, AC, ID of the guest */
    u16 interrupt_flag;         /* FLAG_IF or 0 */
    u8 interrupt_waits;         /* 255 if an interrupt would be taken as soon as IF is set, else 0 */
    u64 in_cache[IN_CACHE_COUNT]; /* sensitive instructions emulated without leaving, since entry */
    u8 fpu_loaded;              /* the guest's x87/SSE state is in the host's registers */
    u64 fpu_gate;               /* where a unit with such instructions goes first: hva of the stub that loads the state, or of the one that returns */
    u32 host_mxcsr;
    struct fpu_state *fpu;
};

/* A unit of translation. Keyed by guest-physical address too, so that one serves all address spaces. */
struct unit;
struct link {
    struct unit *from, *to;     /* to: NULL while it leads to the monitor */
    struct link *next;          /* among the links that lead to the same unit */
    u32 eip;                    /* guest target */
    u32 site;                   /* offset in the cache of the rel32 to patch */
    u32 stub;                   /* offset of the code that leaves to the monitor */
};
struct insn_map {
    u16 host;                   /* offset from the unit's start */
    u8 guest;                   /* the same in guest bytes */
    u8 window_regs;             /* string instruction: bit 0 RSI, bit 1 RDI hold host addresses while it executes ... */
    u16 window_at;              /* ... at this offset */
    bool repeats;               /* and it has charged ECX iterations in advance */
    u32 cycles;                 /* of all instructions before it */
    u16 mnemonic;
};
struct unit {
    u32 eip;                    /* guest linear address of the first instruction: CS.base + EIP, here and in all that follows from it */
    gpa_t gpa[2];               /* of the first byte; of the second page's start if it crosses, else 0 */
    u32 key;                    /* enum unit_key: what the translation depends on */
    u16 len;                    /* bytes of guest code */
    u8 ninsns;                  /* with all rounds, if it is a loop that was unrolled */
    u8 nguest;                  /* without */
    u8 ncounted;                /* instructions that the entry charges (a callout at the end is not) */
    bool uses_fpu, dead;
    u32 host, host_len;         /* offset in the cache, length */
    u32 cycles;                 /* charged at entry */
    struct insn_map *map;       /* ninsns of them */
    struct link link[2];
    struct link *incoming;
    struct code_page *page;     /* whose table leads here; NULL: none does (it crosses pages) */
    struct unit *next_hash;     /* units of equal hash */
    struct unit *next_page[2];  /* units on the same guest-physical page */
};
enum unit_key {
    KEY_CPL = 3,
    KEY_FPU = 1 << 2,           /* CR0.EM and TS are clear */
    KEY_SSE = 1 << 3,           /* CR4.OSFXSR is set */
    KEY_DF = 1 << 4,            /* strings run downwards */
    KEY_WATCHED = 1 << 5,       /* RDTSC or reads of control registers are intercepted */
    KEY_CODE16 = 1 << 6,        /* operands and addresses have 16 bits unless a prefix says otherwise */
    KEY_STACK16 = 1 << 7,       /* pushes and pops use SP */
    KEY_REAL = 1 << 8,          /* real or virtual-8086 mode: segments are not from descriptors */
    KEY_SEG = 1 << 9,           /* times 1 << seg (enum sreg): base 0 for ES, CS, SS and DS; writable, and without a limit below the window's */
    KEY_CS = 1 << 16,           /* times the number of the code segment's base and limit (struct bt, code_segment); 0: all of 4 GiB */
    KEY_CODE_SEGMENTS = 256,
};

/* Where the units of one guest page begin in host memory. It holds for every window that shows that guest-physical page at that guest
 * address, under that key. */
struct code_page {
    gpa_t gpa;
    u32 gva_page;
    u32 key;
    u16 live;                   /* entries that lead to a unit */
    u32 *entry;                 /* by byte of the page: hva of the code (it lies below 4 GiB); the miss stub where there is none */
    struct code_page *next;     /* of equal hash, or in the list of free ones */
};

/* From a guest address to its code, in one window under one key: by gva page, the table of a code page. See codepage.c. */
struct view {
    bool used;
    u32 key;
    u64 *directory;             /* 2^20 entries; */
    u64 filled[2048 / 64];      /* bit by page of it: that page is there */
    u64 last_used;
};

/* A window: host mappings of one guest address space under one privilege. It is a shadow page table: filled on
 * hidden faults, kept over CR3 loads, kept true by traces on the guest's page tables. */
struct window {
    bool used, user;
    u32 limit;                  /* last gva that segments reach: those of a guest below a monitor are truncated */
    const struct stage2 *stage2;
    u64 cr0, cr3, cr4, efer, pdpte[4];  /* what the translation depends on */
    u8 *base;                   /* 4 GiB and a guard */
    u32 *frame;                 /* gpa page number by gva page, where present; 2^20 entries */
    u64 *present;               /* bit by gva page: mapped */
    u64 *writable;              /* bit by gva page */
    u64 *code;                  /* bit by gva page: some view leads there */
    struct view view[MAX_VIEWS];
    u64 mapped;                 /* pages */
    u64 last_used;
    gpa_t root;                 /* the page of the top-level table (32-bit paging), or NO_ROOT */
    bool root_changed;          /* it was written since the slots were compared with it, */
    bool root_untraced;         /* or is no longer traced */
    u64 slot_used[16];          /* by entry of the top level: something that it governs is shown, and then it said so: */
    u64 slot[1024];
};
#define NO_ROOT (~(gpa_t)0)
#define ROOT_SPAN 0             /* trace_dep.span_shift of a root */

/* A guest page table page that some window depends on. */
struct trace_dep {
    gpa_t page;
    u32 window;
    u32 va_base;                /* of the page's first entry */
    u8 span_shift, entry_size;
    u16 idle_writes;            /* since a window was last filled through it */
    struct trace_dep *next;
};
struct rmap { u32 window, gva_page; struct rmap *next; };

#define GUARD_SIZE (PAGE_SIZE + 65536 * 8)
#define HASH_SIZE 65536
#define PAGE_HASH 16384

#define MAX_RULES 24
#define FILL_KINDS 5

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
    struct window window[MAX_WINDOWS];
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

/* --- census.c: what is counted for who looks on, at a price --- */
/* How often a unit was entered, however often it was made anew. */
struct heat {
    u64 entered;
    u32 eip;
    u16 key;
    gpa_t gpa;
    struct heat *next;          /* of equal hash */
};
#define CENSUS_HASH 4096
#define CENSUS_MAX (1u << 18)   /* units counted one by one; the others together */
struct census {
    u64 table_jumps;            /* tried, also those that missed */
    u64 nheat;
    struct heat others;
    struct heat *hash[CENSUS_HASH];
};
/* What the code of that unit is to count in; never NULL. b->census is not NULL. */
struct heat *census_heat(struct bt *b, u32 eip, gpa_t gpa, u16 key);
void census_free(struct census *c);
void census_left(struct bt_vcpu *v);                /* the cache was left: why? */
void census_callout(struct bt_vcpu *v);             /* the monitor is about to emulate v->mnemonic */

/* --- cache.c --- */
int cache_init(struct bt *b, u32 size, struct error *err);
void cache_fini(struct bt *b);
void cache_flush(struct bt *b);
struct unit *cache_find(const struct bt *b, u32 eip, gpa_t gpa, u32 key);
struct unit *cache_unit_at(struct bt *b, u64 host_rip); /* NULL outside all units */
void cache_add(struct bt *b, struct unit *u);
void cache_chain(struct bt *b, struct link *l, struct unit *to);
void cache_written(struct bt *b, gpa_t gpa, u64 len);   /* the guest has written there: its code may have changed */
void cache_forget(struct bt *b, gpa_t gpa, u64 len);    /* units of these bytes are not to be used any more */
void cache_kill(struct bt *b, struct unit *u);
static inline u32 code_base(const struct bt *b, u32 key) { return b->code_segment[key / KEY_CS].base; }
static inline u32 link_number(const struct bt *b, const struct link *l) { return (l->from - b->units) * 2 + (l - l->from->link); }
static inline struct link *link_by_number(struct bt *b, u32 n) { return &b->units[n / 2].link[n % 2]; }
static inline bool cache_holds(const struct bt *b, u64 rip) { return rip - (u64)b->exec < b->code_size; }

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

/* --- window.c --- */
int windows_init(struct bt *b, struct error *err);
void windows_fini(struct bt *b);
int window_reserve(struct window *w);                   /* 0, or -1: no address space left */
void window_empty(struct bt *b, struct window *w);
void window_drop(struct bt *b, struct window *w, u32 first, u32 n);    /* forget all that is known of those gva pages */
enum fill window_fill(struct bt *b, struct window *w, struct cpu *c, u32 gva, bool write);
void window_depend(struct bt *b, struct window *w, const struct mmu *u, const struct xlat *x, u32 gva); /* trace what a translation used */
void windows_flush(struct bt *b);
void windows_marked(struct bt *b, gpa_t page, u8 marks);

/* --- space.c --- */
struct window *window_for(struct bt *b, struct cpu *c, u32 limit);  /* the one that fits the processor's state; NULL: no address space left */
void root_depend(struct bt *b, struct window *w, const struct mmu *u, const struct xlat *x, u32 gva);
void root_written(struct bt *b, struct window *w);
void root_lost(struct bt *b, struct window *w);       /* nobody watches it any more */

/* --- traces.c --- */
void trace_root(struct bt *b, struct window *w, gpa_t page);
void untrace_root(struct bt *b, struct window *w, gpa_t page);
/* The window shows what that entry, which governs 2^span_shift bytes around gva, says. */
void trace_entry(struct bt *b, struct window *w, gpa_t entry_gpa, u8 entry_size, u8 span_shift, u32 gva);
void windows_pt_written(struct bt *b, gpa_t gpa, u64 len);
void traces_forget_window(struct bt *b, u32 window);
void traces_fini(struct bt *b);

/* --- codepage.c --- */
int code_pages_init(struct bt *b, u32 count, struct error *err);
void code_pages_fini(struct bt *b);
void code_pages_flush(struct bt *b);    /* no view leads anywhere any more */
struct view *view_for(struct bt *b, struct window *w, u32 key); /* NULL when there is no address space for it */
void views_reset(struct bt *b, struct window *w);
void views_forget_page(struct bt *b, struct window *w, u32 gva_page); /* that page may be another one now */
void views_release(struct window *w);
/* The unit is to be found through that view from now on, and by all that show its page at the same place. False: out of code pages. */
bool view_install(struct bt *b, struct window *w, struct view *v, struct unit *u);
void code_page_forget(struct bt *b, struct unit *u);
#define DIRECTORY_ENTRIES (PAGE_SIZE / sizeof(u64)) /* of one page of a directory */
static inline bool view_knows(const struct view *v, u32 gva_page) { return v->filled[gva_page / DIRECTORY_ENTRIES / 64] >> gva_page / DIRECTORY_ENTRIES % 64 & 1; }
/* A fault at that hva: was it a page of the view's directory that was not there yet? It is now. */
bool view_fault(struct bt *b, struct view *v, u64 hva);
/* hva of the code for eip; that of the miss stub, or 0, where there is none. */
static inline u32 view_lookup(const struct view *v, u32 eip)
{
    if (!view_knows(v, eip >> PAGE_SHIFT))
        return 0;
    return *(const u32 *)(v->directory[eip >> PAGE_SHIFT] + (u64)eip * sizeof(u32));
}

/* --- fault.c --- */
int fault_init(struct error *err);
void fault_fini(void);
void fault_enter(struct bt_vcpu *v);    /* run translated code from v->context.target until it leaves */

#endif
