/* SPDX-License-Identifier: MIT */
/*
 * The host backend: the guest runs on the real processor through /dev/kvm. Devices stay in this process, the interrupt controllers and
 * the PIT too unless -machine kernel_irqchip= says otherwise; virtual time follows the host's.
 */
#ifndef EMU_HWASSIST_HOST_HOST_H
#define EMU_HWASSIST_HOST_HOST_H

#include <linux/kvm.h>
#include <pthread.h>
#include <time.h>

#include "devices/interrupt/apic.h"
#include "hwassist/hwassist.h"
#include "machine/vm.h"

#define HOST_DEVICE "/dev/kvm"
#define HOST_DEVICE_VARIABLE "EMU_KVM_DEVICE"   /* of the environment: another path, to see what is said of one that does not work */
#define HOST_MAX_MSRS 48
#define HOST_MAX_SLOTS 64
#define HOST_MAX_ZONES 8
#define HOST_MAX_LEVELS 24

/* What a KVM may or may not offer, and we use where it does: rows of caps.c. */
enum host_cap {
    HOST_IRQCHIP, HOST_SPLIT_IRQCHIP, HOST_PIT2, HOST_IOEVENTFD, HOST_IRQFD, HOST_COALESCED_MMIO, HOST_READONLY_MEM, HOST_IMMEDIATE_EXIT,
    HOST_GUEST_DEBUG, HOST_SYNC_REGS, HOST_SREGS2, HOST_STATS_FD, HOST_SIGNAL_MSI, HOST_TSC_CONTROL, HOST_CAP_COUNT
};

struct host_slot { gpa_t gpa; u64 size; u8 *hva; u32 flags; }; /* size 0: none */
struct host_zone { gpa_t gpa; u64 size; };

struct host_vm {
    const struct engine_ops *backend;   /* first: see hwassist.h */
    struct vm *vm;
    int kvm_fd, vm_fd;
    size_t run_size;
    int cap[HOST_CAP_COUNT];            /* as KVM_CHECK_EXTENSION says: 0 is no */
    struct host_slot slot[HOST_MAX_SLOTS];
    bool logging;                       /* some slot has a dirty log */
    struct host_zone zone[HOST_MAX_ZONES]; unsigned nzones; /* of coalesced MMIO */
    bool slots_stale;                   /* the memory map, or what is watched of it, changed */
    struct phys_observer observer;
    enum kernel_irqchip irqchip;
    struct host_chips *chips;           /* the kernel's interrupt controllers after reset; NULL: they are ours */
    struct apic_message level[HOST_MAX_LEVELS]; unsigned nlevels; /* split: messages whose EOI the I/O APIC wants to hear of */
    struct shortcuts taken;             /* those that the kernel serves now */
    struct host_bells *bells;           /* listens to those that this process serves; NULL: there are none */
    u64 coalesced, dirty_pages;         /* counted */
};

struct host_vcpu {
    struct vcpu *v;
    struct host_vm *vm;
    int fd;
    struct kvm_run *run;
    timer_t timer; bool has_timer; /* makes KVM_RUN come back at the deadline */
    cycles_t armed;             /* it is set for this deadline; 0: it is not */
    u64 looked_ns;              /* the host's clock when virtual time was last moved on */
    pthread_t thread;           /* that created the vcpu and runs it */
    bool in_kernel;             /* the kernel's copy of the state is newer than cpu.state */
    bool unfinished;            /* an I/O exit whose instruction the next KVM_RUN completes */
    bool debugged;              /* KVM has breakpoints of the debugger's */
    u32 msr[HOST_MAX_MSRS];     /* those that this host's KVM knows */
    unsigned nmsrs;
    u64 interpreted;            /* instructions that KVM would not emulate, counted */
};

/* open.c. path is host_device() but in tests. A descriptor, or -1 with *err: one sentence for each cause. */
const char *host_device(void);
int host_open(const char *path, struct error *err);
/* The sentence for an errno of opening it or of KVM_CREATE_VM. Always -1. */
int host_explain(int errnum, struct error *err);
/* A VM's descriptor from /dev/kvm's, retrying what is only interrupted. */
int host_create_vm(int kvm_fd, struct error *err);

/* caps.c */
void host_find_caps(struct host_vm *h);
static inline int host_can(const struct host_vm *h, enum host_cap c) { return h->cap[c]; }
const char *host_cap_name(enum host_cap c);

/* probe.c: what a trial guest shows. */
struct host_findings {
    double ns;          /* host nanoseconds per instruction of a kernel-mode loop */
    bool paging32;      /* a guest can turn on 32-bit paging. A KVM that is only software (pvm) may refuse it, */
    bool long_mode;     /* and yet let a guest into long mode */
};
/* More than this for an instruction of a loop that needs no exit: the kernel emulates it in software. */
#define HOST_SOFTWARE_NS 50.0
/* 0, or -1 with *err. */
int host_try(struct host_findings *f, struct error *err);
/* "in software, 420.1 ns an instruction, and refuses 32-bit paging, but not 64-bit kernels" */
void host_describe(const struct host_findings *f, char *text, size_t size);

/* params.c: what the vendor's module says of itself: "kvm_intel: ept=Y vpid=Y enable_apicv=N". `root` is "/sys/module" but in tests. */
#define HOST_MODULES "/sys/module"
void host_params(const char *root, char *text, size_t size);

/* slots.c: guest memory as KVM's slots. 0 or -1 with *err. Only what has changed since the last time is touched. */
int host_set_slots(struct host_vm *h, const struct physmap *map, struct error *err);
/* Pages that the guest has written in logged slots since the last time: their observers hear of it. */
void host_sync_dirty(struct host_vm *h);

/* coalesced.c: writes to delayable MMIO, which KVM collects. Flush before anything else that came of the same KVM_RUN. */
void host_set_zones(struct host_vm *h);
void host_flush_coalesced(struct host_vcpu *h);

/* irqchip.c. Before the first vcpu; 0 or -1 with *err. */
int host_irqchip_create(struct host_vm *h, struct error *err);
/* With the first vcpu there. */
void host_irqchip_attach(struct host_vm *h);
void host_irqchip_detach(struct host_vm *h);
void host_irqchip_reset(struct host_vm *h);
/* The routes of the kernel's interrupt lines, level-triggered messages and irqfds, written anew. */
void host_set_routes(struct host_vm *h);

/* shortcuts.c: ioeventfd and irqfd for what the devices offer. */
void host_shortcuts_attach(struct host_vm *h);
void host_shortcuts_detach(struct host_vm *h);
void host_shortcuts_refresh(struct host_vm *h);

/* bells.c: doorbells that the kernel counts and this process serves. Listening begins with the first; false: it cannot. */
bool host_bells_hear(struct host_vm *h, int fd);
void host_bells_forget(struct host_vm *h, int fd);
/* Which processor KVM_RUN is to be brought back of; NULL: none runs. */
void host_bells_run(struct host_vm *h, struct host_vcpu *v);
bool host_bells_rung(const struct host_vm *h);
/* Devices hear of what was rung. */
void host_bells_serve(struct host_vm *h);
/* Before the first of the processors goes. */
void host_bells_stop(struct host_vm *h);

/* debug.c: the debugger's breakpoints in the processor's debug registers. False: the interpreter has to look for them. */
bool host_debug_by_hardware(const struct host_vcpu *h);
void host_set_debug(struct host_vcpu *h);

/* stats.c: KVM_GET_STATS_FD beside our own counts. */
void host_print_stats(const struct vm *vm, FILE *out);
/* One counter of the VM's or the vcpu's descriptor; false: it has none of that name. */
bool host_read_stat(int kvm_object_fd, const char *name, u64 *value);

/* state.c: between the kernel's copy and cpu.state. A push fails (-1, errno) where KVM refuses the state. */
void host_find_msrs(struct host_vcpu *h);
int host_set_cpuid(struct host_vcpu *h, struct error *err);
void host_pull(struct host_vcpu *h);
int host_push(struct host_vcpu *h);

/* run.c */
void host_run(struct vcpu *v, cycles_t deadline, struct exit *e);
void host_step(struct vcpu *v, struct exit *e);
/* Signal that brings KVM_RUN back. */
int host_signal(void);
int host_timer_create(struct host_vcpu *h, struct error *err);

#endif
