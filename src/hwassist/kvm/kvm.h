/* SPDX-License-Identifier: MIT */
/*
 * A small KVM: the monitor on the modelled processor. It owns the VMCS, builds EPT or shadow tables, handles exits by a
 * table (exits.def), injects interrupts, and emulates what cannot run directly.
 *
 * While the run loop looks on, cpu.state is the guest's canonical state. vcpu_load() replaces control registers by what the
 * hardware must have (real CR0 has NE, a shadow CR3...), vcpu_put() gives the guest's own back.
 */
#ifndef EMU_HWASSIST_KVM_KVM_H
#define EMU_HWASSIST_KVM_KVM_H

#include "hwassist/hwassist.h"
#include "hwassist/kvm/shadow.h"
#include "hwassist/vmx/vmx.h"
#include "machine/vm.h"

/* Where the interrupt controllers of a PC are, which the monitor has itself. */
#define KVM_LAPIC_GPA ((gpa_t)0xfee00000)
#define KVM_IOAPIC_GPA ((gpa_t)0xfec00000)

/* The guest's control registers, where hardware has others. */
struct guest_crs { u64 cr0, cr3, cr4, efer, pdpte[4]; };

struct kvm_vm {
    const struct engine_ops *backend;   /* first: see hwassist.h */
    u32 features;
    struct hostmem host;
    hpa_t ept_root;                     /* 0 without EPT */
    enum kernel_irqchip irqchip;        /* which interrupt controllers the small KVM has itself; the others are in user space */
    u64 ept_fills, ept_large_fills;
    struct apic_access apic;            /* hpa 0: the processor does not serve the guest's APIC */
    bool ept_stale;                     /* the memory map changed: build anew */
    struct phys_observer observer;
};

/* The wait after a HLT (halt.c). */
struct kvm_halt {
    bool waits;                 /* nothing had come: its thread polls, and then gives the processor away */
    bool owes_entry;            /* HLT's entry happens, and is charged, when it is over */
    cycles_t since, until;      /* it polls from here to there */
    cycles_t window;            /* how long, as it has learned; 0: not at all */
};

struct kvm_vcpu {
    struct vcpu *v;
    struct kvm_vm *vm;
    struct cpu *cpu;
    struct vmx vmx;
    bool loaded;                /* cpu.state is in the hardware's view */
    bool fresh;                 /* cpu.state was replaced from outside: check all of it at the next entry */
    struct guest_crs guest;     /* while loaded */
    struct { bool valid; struct trap trap; } queued; /* to inject at the next entry */
    struct cpu emulator;        /* the monitor's instruction emulator: guest view, no intercepts, no second dimension */
    struct shadow shadow;       /* without EPT */
    struct { gva_t gva; u64 icount; unsigned times; } last_fault; /* the same fault over and over: emulate */
    hpa_t apic_page, posted;    /* virtual-APIC page, posted-interrupt descriptor; 0: none */
    bool apic_on;               /* the guest's APIC is, and the processor serves it */
    bool quiet;                 /* it left the guest last without an exit: as far as the modelled host can see, it runs */
    struct kvm_halt halt;
    bool kicked;                /* an interrupt that waits has made the guest exit already */
    u64 virtual_seen;           /* of vmx.virtual_interrupts, in the ledger */
    bool watched;                   /* an emulated instruction has hit a debugger's watchpoint */
    u64 emulated, stuck;        /* instructions; of them those for a fault that came back: counted */
};

static inline bool kvm_has(const struct kvm_vcpu *k, u32 feature) { return k->vm->features & feature; }

/* setup.c: VMCS of a new vcpu. */
int kvm_setup_vmcs(struct kvm_vcpu *k, struct error *err);

/* halt.c: a halted processor starts to wait, if it does not yet; another machine wants its place, so that it polls no longer; something has
 * come; and it enters the guest. */
void kvm_halt_begin(struct kvm_vcpu *k);
void kvm_halt_disturb(struct kvm_vcpu *k);
void kvm_halt_end(struct kvm_vcpu *k);
void kvm_halt_enter(struct kvm_vcpu *k);

/* views.c */
void kvm_load(struct kvm_vcpu *k);
void kvm_put(struct kvm_vcpu *k);
/* Before an entry: the shadow root, if it must be made anew. */
void kvm_refresh_root(struct kvm_vcpu *k);
/* The guest changed its control registers: *n is its new view of them. */
void kvm_adopt_crs(struct kvm_vcpu *k, const struct guest_crs *n);
struct guest_crs kvm_guest_crs(const struct kvm_vcpu *k);

/* handlers.c: handle the exit that the VMCS tells of. True: enter again; false: *e says what the run loop must know. */
bool kvm_handle_exit(struct kvm_vcpu *k, struct exit *e);

/* inject.c */
void kvm_queue_event(struct kvm_vcpu *k, const struct trap *t);         /* as it is: an event that was interrupted on its way */
void kvm_queue_exception(struct kvm_vcpu *k, u8 vector, bool has_error, u32 error);
void kvm_queue_trap(struct kvm_vcpu *k, const struct trap *t);          /* with the rules of double faults */
/* Before an entry: write the event to inject into the VMCS, or ask for an interrupt window. */
void kvm_prepare_injection(struct kvm_vcpu *k);
/* After an exit: an event whose delivery was cut short goes back into the queue. */
void kvm_requeue_vectored(struct kvm_vcpu *k);

/* emulate.c: the instruction at RIP, by the monitor. What it raises is queued. False: the guest's processor shut down. */
bool kvm_emulate(struct kvm_vcpu *k);
/* The event in the queue is delivered by the monitor (a task gate, a stack on a device). */
bool kvm_emulate_delivery(struct kvm_vcpu *k);
/* The instruction of the current exit is done: RIP moves on. */
void kvm_skip(struct kvm_vcpu *k);
/* Must the guest's present mode be emulated altogether, for want of unrestricted guest? */
bool kvm_needs_emulation(const struct kvm_vcpu *k);
/* Emulate until it need not, or the run loop is needed (*e). True: go on in hardware. */
bool kvm_emulate_mode(struct kvm_vcpu *k, cycles_t deadline, bool step, struct exit *e);

/* apic.c: the guest's APIC in hardware. Around each entry; and: do interrupts reach the guest without an injection? */
int kvm_apic_vm_init(struct kvm_vm *vm, struct vm *machine, struct error *err);
void kvm_apic_vm_fini(struct kvm_vm *vm, struct vm *machine);
void kvm_apic_setup(struct kvm_vcpu *k);
void kvm_apic_enter(struct kvm_vcpu *k);
void kvm_apic_leave(struct kvm_vcpu *k);
bool kvm_apic_delivers(const struct kvm_vcpu *k);
/* timer.c: before an entry. */
void kvm_timer_enter(struct kvm_vcpu *k);

bool kvm_on_apic_access(struct kvm_vcpu *k, struct exit *e);
bool kvm_on_apic_write(struct kvm_vcpu *k, struct exit *e);
bool kvm_on_eoi(struct kvm_vcpu *k, struct exit *e);

/* memory.c: one handler each. What touched a device or a page table is emulated: the instruction, or the delivery of an event. */
bool kvm_emulate_access(struct kvm_vcpu *k, struct exit *e);
bool kvm_on_page_fault(struct kvm_vcpu *k, struct exit *e);
bool kvm_on_ept_violation(struct kvm_vcpu *k, struct exit *e);
bool kvm_on_ept_misconfig(struct kvm_vcpu *k, struct exit *e);
bool kvm_on_invlpg(struct kvm_vcpu *k, struct exit *e);

/* tdp.c: the EPT's contents. */
void kvm_ept_init(struct kvm_vm *vm);
enum tdp_result { TDP_FILLED, TDP_MMIO };
enum tdp_result kvm_ept_fill(struct kvm_vcpu *k, gpa_t gpa, bool write);
void kvm_ept_zap(struct kvm_vm *vm);

/* cr.c */
bool kvm_on_cr_access(struct kvm_vcpu *k, struct exit *e);
/* io.c */
bool kvm_on_io(struct kvm_vcpu *k, struct exit *e);

static inline void kvm_charge(struct kvm_vcpu *k, enum event ev) { ledger_charge(k->cpu->ledger, ev); }

#endif
