/* SPDX-License-Identifier: MIT */
/* Between grade_kvm.c (what the ioctls are), grade_kvm_state.c (registers), and grade_kvm_run.c (KVM_RUN, its exits). */
#ifndef EMU_CLI_GRADE_KVM_H
#define EMU_CLI_GRADE_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>

#include "cli/grade/grade_service.h"
#include "machine/vm.h"

enum { LABKVM_SLOTS = 8, LABKVM_HOLES = LABKVM_SLOTS + 1, LABKVM_RUN_SIZE = 3 * 4096, LABKVM_PIO_OFFSET = 4096 };
#define LABKVM_GPA_END BIT(36)

struct labkvm_slot { u64 gpa, size, user; };
struct labkvm_hole { struct labkvm *kvm; u64 gpa, size; };

/* One machine with one processor, which lives on a thread of its own: KVM_RUN gives it the turn, its exits give it back. The two never run
 * at the same time. */
struct labkvm {
    struct intc intc;                       /* first */
    struct service *service;
    struct vm *vm;                          /* NULL: KVM_CREATE_VM has not come */
    bool has_vcpu;
    struct labkvm_slot slot[LABKVM_SLOTS];
    struct labkvm_hole hole[LABKVM_HOLES];  /* where no slot is: MMIO */
    u64 run_at;                             /* struct kvm_run, in the asking guest; 0: not mapped */
    int vector;                             /* KVM_INTERRUPT's; -1: none */
    union { struct kvm_run run; u8 page[LABKVM_RUN_SIZE]; } shared; /* the processor's copy */
    bool within_mmio;                       /* the processor waits in the middle of an MMIO access */
    u32 gathered;                           /* items of a REP OUTS that are in it, of one port and size */
    u16 gathered_port; u8 gathered_size;
    pthread_t thread; bool has_thread, ending;
    sem_t turn, answer;
};

/* 0, or an error as KVM gives it: -errno. */
s32 labkvm_get_regs(struct labkvm *k, struct kvm_regs *r);
s32 labkvm_set_regs(struct labkvm *k, const struct kvm_regs *r);
s32 labkvm_get_sregs(struct labkvm *k, struct kvm_sregs *r);
s32 labkvm_set_sregs(struct labkvm *k, const struct kvm_sregs *r);

s32 labkvm_run(struct labkvm *k);
void labkvm_end(struct labkvm *k);
extern const struct bus_ops labkvm_port_ops;    /* on struct labkvm */
extern const struct mmio_ops labkvm_mmio_ops;   /* on struct labkvm_hole */
void labkvm_take_wire(struct labkvm *k);        /* when the machine is made: its interrupts */

#endif
