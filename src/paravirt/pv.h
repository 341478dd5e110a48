/* SPDX-License-Identifier: MIT */
/*
 * The face of src/paravirt: an engine that is a small Xen. The guest kernel was ported: it runs in ring 1
 * and asks the hypervisor in ring 0 by hypercall.
 */
#ifndef EMU_PARAVIRT_PV_H
#define EMU_PARAVIRT_PV_H

#include "machine/engine.h"
#include "mmu/mmu.h"

extern const struct engine_ops pv_engine;

/* Several machines with config.neighbor are domains of one Xen. A domain that blocks or yields pauses its vm, so that another may run. */
/* Does it wait for an event or a timer that is not due yet? */
bool pv_waits(const struct vm *vm);
/* How often the processor came to it from another domain, and what of its TLB was lost. False: it is no domain. */
bool pv_switches(const struct vm *vm, u64 *switches, struct tlb_loss *lost);

#endif
