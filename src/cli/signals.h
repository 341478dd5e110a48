/* SPDX-License-Identifier: MIT */
/* Signals: Ctrl-C and SIGTERM end a run in order; a crash of the emulator itself leaves a report that can be acted on. */
#ifndef EMU_CLI_SIGNALS_H
#define EMU_CLI_SIGNALS_H

#include "machine/vm.h"

/* Install the handlers; before any vm_new(), so that an engine that takes signals of its own passes on the rest. */
void signals_install(void);
/* From now on signals are about this vm, NULL: about none. */
void signals_watch(struct vm *vm);

#endif
