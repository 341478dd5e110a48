/* SPDX-License-Identifier: MIT */
/*
 * Another engine for a machine that stands still. What moves is the canonical state of the processors; memory, devices, clock and
 * ledger belong to the machine and stay. What an engine has made for itself (translations, shadow tables, a VM of the host's) is
 * thrown away, and made anew from the state by the next one.
 */
#ifndef EMU_MACHINE_SWITCH_H
#define EMU_MACHINE_SWITCH_H

#include "machine/vm.h"

struct engine_choice {
    const struct engine_ops *ops;       /* one that runs unmodified guests */
    const char *kvm;                    /* as vm_config.kvm; borrowed */
    const struct cpu_accel_ops *accel;  /* as vm_config.accel */
};

/* Not while engine->run() is on the stack: between slices (a timer of the machine's clock may do it), or while the guest is paused.
 * The same engine again is allowed: it starts with nothing. 0, or -1 with *err: then the machine goes on with the engine it had, or,
 * where that does not come back either, is stopped. */
int vm_switch_engine(struct vm *vm, const struct engine_choice *to, struct error *err);

#endif
