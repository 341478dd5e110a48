/* SPDX-License-Identifier: MIT */
/*
 * The face of src/paravirt: an engine that is a small Xen. The guest kernel was ported: it runs in ring 1
 * and asks the hypervisor in ring 0 by hypercall.
 */
#ifndef EMU_PARAVIRT_PV_H
#define EMU_PARAVIRT_PV_H

#include "machine/engine.h"

extern const struct engine_ops pv_engine;

#endif
