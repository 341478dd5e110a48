/* SPDX-License-Identifier: MIT */
/*
 * The modelled processor's VMX operation: VM entry, non-root operation, VM exit (SDM vol. 3, chapters 25 to 28). It knows nothing
 * of the monitor above it, which uses the VMCS and vmx_enter() as it would use the hardware.
 */
#ifndef EMU_HWASSIST_VMX_VMX_H
#define EMU_HWASSIST_VMX_VMX_H

#include "cpu/cpu.h"
#include "hwassist/vmx/caps.h"
#include "hwassist/vmx/ept.h"
#include "hwassist/vmx/vapic.h"
#include "hwassist/vmx/vmcs.h"

enum vmx_reason {
#define REASON(id, number, name) REASON_##id = number,
#include "hwassist/vmx/reasons.def"
#undef REASON
    REASON_COUNT
};
#define REASON_ENTRY_FAILURE BIT(31) /* set beside the basic reason when the entry itself failed */
extern const char *const vmx_reason_names[REASON_COUNT]; /* NULL: a number that is not used */

/* Interruption-information fields, SDM vol. 3, tables 25-17 and 25-20 */
enum { INTR_VECTOR = 0xff, INTR_TYPE_SHIFT = 8, INTR_ERROR_VALID = 1 << 11 };
#define INTR_VALID BIT(31)

/* Exit qualification of a control-register access, SDM vol. 3, table 28-3 */
enum cr_access { CR_ACCESS_WRITE, CR_ACCESS_READ, CR_ACCESS_CLTS, CR_ACCESS_LMSW };

/* An exit that comes behind the instruction which caused it, as a trap does (SDM vol. 3, 30.4.3.3). */
struct pending_exit { bool valid; enum vmx_reason reason; u64 qualification; };

struct vmx {
    struct vmcs vmcs;           /* the current VMCS */
    struct vmx_caps caps;
    struct cpu *cpu;
    struct hostmem *host;
    struct ept ept;
    struct host_view host_view; /* in its place when EPT is not enabled */
    u64 exits[REASON_COUNT];    /* by basic reason, counted */
    u64 entries, tlb_flushes;   /* flushes for want of VPID */
    struct apic_access *apic;   /* of the machine; NULL: it has none */
    struct pending_exit behind;
    u64 virtual_interrupts, posted_interrupts, virtual_writes; /* without an exit: counted */
    cycles_t timer_end;         /* when the preemption timer reaches 0; CLOCK_NEVER: it is off */
    bool aborted;               /* a VMX abort (28.7): the processor is shut down */
    bool root;                  /* in VMX operation: VMXON was executed */
    hpa_t vmxon_region, current; /* the current VMCS's region, or VMX_NO_REGION */
    u16 vpid; hpa_t tagged_tables; /* of what the TLB holds: its VPID, 0: none was enabled; and its EPT's root */
    bool inside;                /* left without an exit, for the emulator's own business: going on is no VM entry */
    u8 io_bitmap[2 * PAGE_SIZE];/* both halves side by side, read anew when a control was written */
};

enum vmx_outcome {
    VMX_EXIT,       /* VM exit: the VMCS says why */
    VMX_FAIL,       /* VMLAUNCH or VMRESUME failed: VM-instruction error field */
    VMX_DEADLINE,   /* the emulator's own business, invisible to a monitor: virtual time is up */
    VMX_ATTENTION,  /* somebody kicked the processor */
    VMX_HALTED,     /* HLT, which does not exit, waits for an interrupt */
    VMX_DEBUG,      /* a debugger's breakpoint or step */
    VMX_ABORT,      /* a VM exit could not be completed: the abort indicator says why (28.7) */
};

/* --- VMX instructions (operation.c). 0: VMsucceed; a VM-instruction error: VMfailValid; or one of these. --- */

enum { VMFAIL_INVALID = -1, VMX_UNDEFINED = -2 /* #UD */ };
#define VMX_NO_REGION (~(hpa_t)0)
/* IA32_VMX_BASIC's VMCS revision identifier: what must stand at the beginning of each region. */
#define VMCS_REVISION 0x454d55
int vmx_vmxon(struct vmx *x, hpa_t region);
int vmx_vmxoff(struct vmx *x);
int vmx_vmclear(struct vmx *x, hpa_t region);
int vmx_vmptrld(struct vmx *x, hpa_t region);
int vmx_vmptrst(const struct vmx *x, hpa_t *region);
enum { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum { INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL, INVVPID_KEEP_GLOBALS };
int vmx_invept(struct vmx *x, u64 type, u64 eptp, u64 reserved);
int vmx_invvpid(struct vmx *x, u64 type, u64 vpid, gva_t gva);
/* What every monitor does at its start: regions with the revision identifier, VMXON, VMCLEAR, VMPTRLD. */
int vmx_begin(struct vmx *x);

/* Storage is the caller's; cpu and host outlive it. Not in VMX operation yet. */
void vmx_init(struct vmx *x, struct cpu *cpu, struct hostmem *host, u32 features);

/* VMLAUNCH or VMRESUME, then guest execution until something ends it. step: one instruction at most. */
enum vmx_outcome vmx_enter(struct vmx *x, bool launch, cycles_t deadline, bool step);
/* Leave VMX non-root operation for good: no intercepts, no second dimension. For a monitor that lends the processor out. */
void vmx_leave(struct vmx *x);

/* --- between the files of this folder --- */

/* Checks of VM entry, SDM vol. 3, 27.2 and 27.3: a table for each group, in the manual's order, ended by a NULL name. */
struct vmx_check { const char *name; bool (*ok)(const struct vmx *x); u8 qualification; /* of guest state: 27.8 */ };
extern const struct vmx_check vmx_control_checks[], vmx_event_checks[], vmx_host_checks[], vmx_guest_checks[];
extern const struct vmx_check vmx_segment_checks[], vmx_v86_checks[], vmx_protected_checks[]; /* in any mode; in virtual-8086 mode; in any other */
/* The first that fails, or NULL. */
static inline const struct vmx_check *vmx_first_failing(const struct vmx *x, const struct vmx_check *c)
{
    while (c->name && c->ok(x))
        c++;
    return c->name ? c : NULL;
}
/* Its name, or NULL. */
const char *vmx_check_controls(const struct vmx *x);
const char *vmx_check_host(const struct vmx *x);
bool vmx_eptp_ok(const struct vmx *x, u64 eptp);
/* IA32_PAT: eight memory types, of which 2, 3 and those over 7 are none. Bits of IA32_EFER that there are. */
bool vmx_pat_ok(u64 pat);
#define EFER_BITS (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
/* Does a region of the host's memory with this revision identifier lie there? */
bool vmx_is_vmcs(const struct vmx *x, hpa_t at);
/* Segment registers of the guest: 27.3.1.2. */
const char *vmx_check_segments(const struct vmx *x);
const char *vmx_check_guest(const struct vmx *x, u64 *qualification);
const char *vmx_check_event(const struct vmx *x);

/* Execution controls to what cpu_run() intercepts. */
void vmx_derive_intercepts(struct vmx *x);
/* What ends the guest's run as soon as it can take an interrupt, or an NMI: the window controls, or a virtual interrupt. */
void vmx_want_windows(struct vmx *x);

/* MSR lists: what loading or storing one of them fails with. VM entry: number of the entry, from 1; 0: all is well (27.4). VM exit: the
 * abort indicator, or 0 (28.4, 28.6, 28.7). */
unsigned vmx_load_entry_msrs(struct vmx *x);
enum vmx_abort { ABORT_NONE = 0, ABORT_STORE_MSRS = 1, ABORT_LOAD_MSRS = 4 };
enum vmx_abort vmx_exit_msrs(struct vmx *x);

/* What cpu_run() stopped for: a VM exit (recorded), the emulator's business, or nothing, the processor goes on. */
enum vmx_next { NEXT_RESUME, NEXT_LEAVE };
enum vmx_next vmx_on_stop(struct vmx *x, enum cpu_stop_kind kind, enum vmx_outcome *outcome);
/* An instruction that stopped; intercepted ones may turn out not to exit. */
enum vmx_next vmx_on_intercept(struct vmx *x, enum vmx_outcome *outcome);
/* Record a VM exit. */
void vmx_exit(struct vmx *x, enum vmx_reason reason, u64 qualification, unsigned insn_len);
void vmx_record_vectoring(struct vmx *x);

/* The instruction of len bytes at RIP is done: by the processor itself, or (at no cost but the exit's) by a monitor in its place. */
static inline void vmx_retire(struct cpu *c, unsigned len, cycles_t cycles)
{
    struct cpu_state *s = &c->state;
    s->rip += len;
    if (state_code_bits(s) != 64)
        s->rip = (u32)s->rip;
    s->rflags &= ~(u64)FLAG_RF;
    s->sti_shadow = s->movss_shadow = 0;
    c->icount++;
    ledger_guest(c->ledger, 1, cycles);
}

#endif
