/* SPDX-License-Identifier: MIT */
/*
 * The processor: canonical state, paging unit, interpreter, and what a monitor may ask it to intercept.
 *
 * The interpreter is the referee: other ways to run guest code must agree with it. It behaves as the real
 * processor ("hardware policy"); a monitor built on it (pv, the VT-x model) sets intercepts, and cpu_run()
 * then comes back before the intercepted thing happens, with the reason in cpu->stop.
 */
#ifndef EMU_CPU_CPU_H
#define EMU_CPU_CPU_H

#include <setjmp.h>

#include "base/ledger.h"
#include "base/trace.h"
#include "cpu/accel.h"
#include "cpu/cpuid.h"
#include "cpu/decode.h"
#include "cpu/state.h"
#include "mmu/mmu.h"

/* Why cpu_run() came back. State is always at an instruction boundary. */
enum cpu_stop_kind {
    STOP_DEADLINE,   /* clock->now >= deadline */
    STOP_HLT,        /* HLT executed; state.activity = CPU_HALTED, RIP is behind it */
    STOP_SHUTDOWN,   /* triple fault; state.activity = CPU_SHUT_DOWN */
    STOP_ATTENTION,  /* cpu->attention was raised (kick, device wants the run loop) */
    STOP_NMI_WINDOW, /* want_nmi_window was set and an NMI can now be delivered */
    STOP_WINDOW,     /* want_window was set and an interrupt can now be delivered */
    STOP_BREAK,      /* a debugger's breakpoint, watchpoint or step (cpu->debug) */
    STOP_TRAP,       /* intercepted exception or interrupt: stop.trap; not delivered, RIP at the instruction */
    STOP_INTERCEPT,  /* intercepted instruction: stop.icept; not executed */
    STOP_STAGE2,     /* second-stage fault: stop.fault; instruction not executed */
};

/* An event to deliver through the IDT, or one that was intercepted on its way there. Types as in the VM-entry
 * interruption-information field (SDM vol. 3, table 25-17). */
enum trap_type { TRAP_EXTINT = 0, TRAP_NMI = 2, TRAP_FAULT = 3 /* hardware exception */, TRAP_SOFT_INT = 4 /* INT n */, TRAP_ICEBP = 5 /* INT1 */, TRAP_SOFT_EXC = 6 /* INT3, INTO */ };
struct trap {
    u8 vector;
    u8 type;        /* enum trap_type */
    bool has_error;
    u32 error;
    u64 cr2;        /* VEC_PF: faulting gva */
    u64 dr6;        /* VEC_DB: bits to set in DR6 */
    u8 insn_len;    /* TRAP_SOFT_*, TRAP_ICEBP: bytes to skip before pushing the return address */
};

/* Instructions that a monitor may intercept. */
enum intercept {
    ICEPT_CPUID, ICEPT_HLT, ICEPT_IO, ICEPT_RDTSC, ICEPT_RDPMC, ICEPT_RDMSR, ICEPT_WRMSR, ICEPT_INVLPG, ICEPT_INVD, ICEPT_WBINVD,
    ICEPT_CR0_READ, ICEPT_CR0_WRITE, ICEPT_CR3_READ, ICEPT_CR3_WRITE, ICEPT_CR4_READ, ICEPT_CR4_WRITE, ICEPT_CR8_READ, ICEPT_CR8_WRITE,
    ICEPT_CLTS, ICEPT_LMSW, ICEPT_DR, ICEPT_GDTR_IDTR /* SGDT SIDT LGDT LIDT */, ICEPT_LDTR_TR /* SLDT STR LLDT LTR */,
    ICEPT_PAUSE, ICEPT_MWAIT, ICEPT_MONITOR, ICEPT_VMX /* VMCALL and the other VMX instructions */, ICEPT_TASK_SWITCH, ICEPT_XSETBV, ICEPT_RSM,
    ICEPT_COUNT
};
struct icept_info {
    u8 kind;            /* enum intercept */
    u8 insn_len;        /* bytes; RIP still points at the instruction */
    u8 reg;             /* CR/DR moves: general register; LMSW unused */
    u8 cr;              /* CR or DR number */
    bool write;         /* OUT, MOV to CR/DR, WRMSR, LGDT... */
    u16 port; u8 size; bool string, rep, port_imm; /* IO */
    gva_t gva;          /* INVLPG's operand; INS/OUTS's linear address; LMSW's, SGDT's memory operand */
    u16 source;         /* LMSW: the value; TASK_SWITCH: the selector */
    u16 mnemonic;       /* which one of the kind: MN_VMCALL, MN_LGDT... */
};

struct cpu_stop {
    enum cpu_stop_kind kind;
    struct trap trap;
    struct icept_info icept;
    struct mmu_fault fault;
    /* STOP_STAGE2, STOP_TRAP: this trap was being delivered when it happened (IDT-vectoring information) */
    bool vectoring;
    struct trap vectored;
};

#define MSR_APIC_BASE 0x1b
enum { APIC_BASE_BSP = 1 << 8, APIC_BASE_ENABLED = 1 << 11 };

/* What surrounds the processor. All are called synchronously, at the very instruction. */
struct cpu_env {
    u64 (*io_read)(void *o, u16 port, unsigned size);               /* size 1, 2, 4 */
    void (*io_write)(void *o, u16 port, unsigned size, u64 value);
    bool (*msr_read)(void *o, u32 msr, u64 *value);                 /* MSRs the core does not own (APIC...); false: #GP */
    bool (*msr_write)(void *o, u32 msr, u64 value);                 /* IA32_APIC_BASE too, which the core keeps */
    void (*tlb_changed)(void *o, bool all, gva_t gva);              /* CR3/CR0/CR4 write, INVLPG: for who caches translations. NULL: nobody */
};

/* Debugger's breakpoints: kept outside guest memory. */
struct cpu_debug {
    bool step;                          /* stop after one instruction */
    unsigned nbreak; gva_t brk[64];     /* linear addresses of instructions */
    unsigned nwatch; struct { gva_t gva; u32 len; u8 access; } watch[16];
    gva_t hit;                          /* what was hit last: the breakpoint, or the access that a watchpoint saw */
    int hit_watch;                      /* and which watchpoint saw it, -1: none */
};

struct decode_cache;
struct fpu_unit;

struct cpu {
    struct cpu_state state;
    struct mmu mmu;
    const struct cpu_model *model;
    u8 apic_id, threads;            /* for CPUID: its number, and how many logical processors the package has (0: one) */
    const struct cpu_env *env;
    void *env_opaque;
    struct clock *clock;
    struct ledger *ledger;
    const struct tracer *tracer;
    u32 cost[COST_COUNT];           /* cycles by class, from the profile */
    u32 cost_exc, cost_pf, cost_intr, cost_apic, cost_mmio, cost_tlb_ref;
    u32 cost_direct;        /* of an access to a device in the guest's own hands, whatever the engine makes of the others */
    bool timing_model;              /* charge page-walk references too */
    u64 icount;                     /* instructions retired since reset */
    volatile u32 attention;         /* nonzero: leave cpu_run() at the next boundary; set by cpu_kick(), also from signal handlers */
    bool want_window;               /* stop with STOP_WINDOW as soon as an interrupt can be delivered */

    bool want_nmi_window;           /* stop with STOP_NMI_WINDOW as soon as NMIs are not blocked */

    /* what is intercepted; all zero on the bare processor */
    u64 icept;                      /* BIT(enum intercept) */
    u32 icept_exc;                  /* exception vectors 0..31 */
    u32 icept_pf_mask, icept_pf_match; /* #PF only if (error & mask) == match, SDM vol. 3, 25.2 */
    bool icept_soft_int;            /* INT n too (pv: the monitor owns the IDT) */
    const u8 *icept_io_bitmap;      /* 8 KiB, NULL: every port (with ICEPT_IO) */
    const u8 *icept_msr_bitmap;     /* the VMX layout, 4 KiB, NULL: every MSR */

    const struct cpu_accel_ops *accel;  /* NULL: the interpreter alone */
    void *accel_self;
    u32 translation_cache;              /* bytes that a translator of this processor's code may keep; 0: its own choice */
    u32 shadow_spaces;                  /* address spaces of which it may keep shadow page tables; 0: its own choice */

    struct cpu_stop stop;
    struct cpu_debug *debug;        /* NULL when nobody debugs */
    struct { struct trap trap; u64 rip, icount; } recent_exc[3]; /* for the report of a shutdown; [0] is the newest */

    /* private to src/cpu */
    sigjmp_buf unwind;
    struct decode_cache *dcache;
    struct fpu_unit *fpu;
    u64 insn_rip;
    bool delivering; struct trap delivering_trap;
    cycles_t deadline;              /* of cpu_run(): a REP string stops there too */
    u32 mode;                       /* what decoded code depends on, see interp.h */
    u32 taken;                      /* how the last block ended: EXIT_NEXT, EXIT_TAKEN... of interp.h */
    u32 flags;                      /* status flags while specialised instructions run, see fast.h; otherwise they are in rflags */
    struct tlb_entry *tlb;          /* mmu.tlb of the current privilege */
    bool no_fast_memory;            /* data breakpoints, watchpoints or alignment checks: every access takes the slow path */
    u64 pending_dr6;                /* data breakpoints that the current instruction has hit */
    u8 sti_before, movss_before;    /* shadows and RF that the current instruction began with */
    bool rf_before;
    bool watch_hit;                 /* it has hit a debugger's watchpoint */
    u64 break_icount;               /* icount + 1 at the last STOP_BREAK of a breakpoint: go on over it once */
};

/* *c's storage is the caller's. profile gives the costs; the rest may be changed before the first run. 0 or -1. */
int cpu_init(struct cpu *c, const struct cpu_model *model, struct physmap *map, struct clock *clock, struct ledger *ledger,
             const struct profile *profile, const struct tracer *tracer, struct error *err);
void cpu_fini(struct cpu *c);
/* Cycles by class of instruction as cpu_init() took them from the profile: an engine may have changed some. */
void cpu_set_costs(struct cpu *c, const struct profile *p);
/* From now on cpu_run() goes through that accelerator where it can. 0, or -1 with *err: there is none then. cpu_fini() detaches it. */
int cpu_set_accel(struct cpu *c, const struct cpu_accel_ops *accel, struct error *err);
void cpu_reset(struct cpu *c);

/* Replace the whole state (checks nothing): paging unit and caches follow. */
void cpu_set_state(struct cpu *c, const struct cpu_state *s);
/* After state was changed in place (CR0, CR3, CR4, EFER, segments): make the paging unit and caches follow. */
void cpu_state_changed(struct cpu *c);

/* Run until clock->now >= deadline or something stops it. Returns c->stop.kind. */
enum cpu_stop_kind cpu_run(struct cpu *c, cycles_t deadline);
/* Execute exactly one instruction (all of a REP string may be cut after some iterations), and deliver what faults.
 * Returns STOP_DEADLINE when it retired or its fault was delivered, otherwise as cpu_run(). */
enum cpu_stop_kind cpu_step(struct cpu *c);
/* The same, but a REP string goes on with its iterations until clock->now >= deadline. */
enum cpu_stop_kind cpu_step_until(struct cpu *c, cycles_t deadline);
/* The same for who has changed nothing since the last step but general registers, RIP and flags at CPL 0, or status flags elsewhere
 * (translated code): mode and caches need no second look. */
enum cpu_stop_kind cpu_step_again(struct cpu *c, cycles_t deadline);
/* cpu_step() with every intercept and stage 2 lifted: what a monitor's instruction emulator does. Exceptions are
 * returned as STOP_TRAP and not delivered. */
enum cpu_stop_kind cpu_emulate(struct cpu *c);

/* Is there a breakpoint of cpu->debug at RIP that was not reported just now? STOP_BREAK or STOP_DEADLINE. cpu_run() asks this
 * by itself; cpu_step() does not. */
enum cpu_stop_kind cpu_check_break(struct cpu *c);

static inline void cpu_kick(struct cpu *c) { __atomic_store_n(&c->attention, 1, __ATOMIC_RELAXED); }  /* also from other threads */

/* May an external interrupt be delivered now? IF, no shadow, active or halted. */
static inline bool cpu_interruptible(const struct cpu *c)
{
    return c->state.rflags & FLAG_IF && !c->state.sti_shadow && !c->state.movss_shadow && c->state.activity <= CPU_HALTED;
}
/* Deliver an event through the guest's IDT as the processor does (wakes a halted one), with faults on the way turned into
 * double and triple faults. Charges its cost. Returns STOP_DEADLINE when delivered, STOP_SHUTDOWN, or STOP_STAGE2/TRAP when intercepted on the way. */
enum cpu_stop_kind cpu_deliver(struct cpu *c, const struct trap *t);
enum cpu_stop_kind cpu_interrupt(struct cpu *c, u8 vector); /* TRAP_EXTINT */

/* Guest memory by linear address with the guest's own permissions (user: CPL 3). 0, or -1 with *f; a prefix may
 * have been copied. Never raises. */
int cpu_read_linear(struct cpu *c, gva_t gva, void *buf, u64 len, bool user, struct mmu_fault *f);
int cpu_write_linear(struct cpu *c, gva_t gva, const void *buf, u64 len, bool user, struct mmu_fault *f);
/* The same for debuggers and reports: no side effects, ignores permissions; returns bytes copied. */
u64 cpu_peek(struct cpu *c, gva_t gva, void *buf, u64 len);

/* Descriptor at `selector` in the GDT or LDT; 0, or -1 if outside the table or not mapped. */
int cpu_read_descriptor(struct cpu *c, u16 selector, u64 *raw);
/* Fields of a raw descriptor. */
void segment_from_descriptor(struct segment *s, u16 selector, u64 raw);

/* Linear address of the instruction at RIP. */
static inline gva_t cpu_linear_rip(const struct cpu *c)
{
    return state_code_bits(&c->state) == 64 ? c->state.rip : (u32)(c->state.seg[CS].base + c->state.rip);
}

/* CPUID as this model and state give it; the same function serves every engine. */
void cpu_cpuid(const struct cpu *c, u32 leaf, u32 subleaf, u32 out[4]);
u64 cpu_read_tsc(const struct cpu *c);
/* RDMSR/WRMSR by number with the core's and the environment's MSRs; false: #GP(0). */
bool cpu_rdmsr(struct cpu *c, u32 msr, u64 *value);
bool cpu_wrmsr(struct cpu *c, u32 msr, u64 value);
/* MOV to a control register with all of its checks and consequences; false: #GP(0), nothing changed. */
bool cpu_write_cr(struct cpu *c, unsigned cr, u64 value);

/* The report of a stopped processor: registers, code at RIP, the last three exceptions. */
void cpu_report(struct cpu *c, char *buf, size_t size);

#endif
