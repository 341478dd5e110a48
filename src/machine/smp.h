/* SPDX-License-Identifier: MIT */
/*
 * Inside src/machine: several processors on one thread. There is one clock, which every instruction of every processor moves on, so they
 * are to the guest what the threads of one core are: they share its cycles, and take turns. docs/decisions says why.
 */
#ifndef EMU_MACHINE_SMP_H
#define EMU_MACHINE_SMP_H

#include "machine/vm.h"

/* Can this engine and this processor model be several? 0 or -1 with *err. */
int smp_check(const struct vm *vm, struct error *err);
/* The processors have local APICs (and the board an I/O APIC). */
bool vm_has_apic(const struct vm *vm);
/* IA32_APIC_BASE after power-on. */
u64 smp_apic_base(const struct vcpu *v);

/* Power-on: the first processor has been set to its entry, the others wait for a start-up IPI. */
void smp_reset(struct vm *vm);
/* A message for one processor: kept until the run loop looks. */
void smp_signal(struct vcpu *v, enum cpu_signal s, u8 vector);
/* Between turns: INIT and start-up IPIs take effect. */
void smp_take_signals(struct vm *vm);

/* Whose turn is it now? NULL: every processor rests. */
struct vcpu *smp_next(struct vm *vm);
/* It is that processor's turn: until which cycle, if others wait for theirs? */
cycles_t smp_begin_turn(struct vcpu *v);
/* It has halted. */
void smp_halted(struct vcpu *v);
/* Can no timer and no input wake any processor, for none listens? */
bool smp_dead(const struct vm *vm);

#endif
