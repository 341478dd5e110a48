/* SPDX-License-Identifier: MIT */
/* Inside src/machine: what devices and processors reach of the machine around them. */
#ifndef EMU_MACHINE_WIRING_H
#define EMU_MACHINE_WIRING_H

#include "machine/vm.h"

extern const struct cpu_env wiring_cpu_env; /* opaque: the vcpu */

/* Fill in vm->platform before the devices are created. */
void wiring_init_platform(struct vm *vm);
/* After the interrupt controllers have published their wires, before the other devices take them. */
void wiring_relay_irqs(struct vm *vm);
/* For struct clock: a device has set an earlier timer than the guest runs up to. */
void wiring_deadline_moved(void *vm);

#endif
