/* SPDX-License-Identifier: MIT */
/*
 * The host backend: the guest runs on the real processor through /dev/kvm. Interrupt controller, timer and all other
 * devices stay in this process; virtual time follows the host's.
 */
#ifndef EMU_HWASSIST_HOST_HOST_H
#define EMU_HWASSIST_HOST_HOST_H

#include <linux/kvm.h>
#include <pthread.h>
#include <time.h>

#include "hwassist/hwassist.h"
#include "machine/vm.h"

#define HOST_DEVICE "/dev/kvm"
#define HOST_MAX_MSRS 32

struct host_vm {
    const struct engine_ops *backend;   /* first: see hwassist.h */
    int kvm_fd, vm_fd;
    size_t run_size;
    unsigned nslots;                    /* memory slots that are set */
    bool slots_stale;                   /* the memory map changed */
    struct phys_observer observer;
};

struct host_vcpu {
    struct vcpu *v;
    struct host_vm *vm;
    int fd;
    struct kvm_run *run;
    timer_t timer; bool has_timer; /* makes KVM_RUN come back at the deadline */
    pthread_t thread;           /* that created the vcpu and runs it */
    bool in_kernel;             /* the kernel's copy of the state is newer than cpu.state */
    bool unfinished;            /* an I/O exit whose instruction the next KVM_RUN completes */
    u32 msr[HOST_MAX_MSRS];     /* those that this host's KVM knows */
    unsigned nmsrs;
    u64 interpreted;            /* instructions that KVM would not emulate, counted */
};

/* open.c. path is HOST_DEVICE but in tests. A descriptor, or -1 with *err: one sentence for each cause. */
int host_open(const char *path, struct error *err);
/* The sentence for an errno of opening it or of KVM_CREATE_VM. Always -1. */
int host_explain(int errnum, struct error *err);
/* A VM's descriptor from /dev/kvm's, retrying what is only interrupted. */
int host_create_vm(int kvm_fd, struct error *err);

/* probe.c: what a trial guest shows. */
struct host_findings {
    double ns;          /* host nanoseconds per instruction of a kernel-mode loop */
    bool paging32;      /* a guest can turn on 32-bit paging. A KVM that is only software (pvm) may refuse it */
};
/* More than this for an instruction of a loop that needs no exit: the kernel emulates it in software. */
#define HOST_SOFTWARE_NS 50.0
/* 0, or -1 with *err. */
int host_try(struct host_findings *f, struct error *err);

/* slots.c: guest memory as KVM's slots. 0 or -1 with *err. */
int host_set_slots(struct host_vm *h, const struct physmap *map, struct error *err);

/* state.c: between the kernel's copy and cpu.state. */
void host_find_msrs(struct host_vcpu *h);
int host_set_cpuid(struct host_vcpu *h, struct error *err);
void host_pull(struct host_vcpu *h);
void host_push(struct host_vcpu *h);

/* run.c */
void host_run(struct vcpu *v, cycles_t deadline, struct exit *e);
void host_step(struct vcpu *v, struct exit *e);
/* Signal that brings KVM_RUN back. */
int host_signal(void);
int host_timer_create(struct host_vcpu *h, struct error *err);

#endif
