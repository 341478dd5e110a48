/* SPDX-License-Identifier: MIT */
/* Signals: Ctrl-C and SIGTERM end a run in order; a crash of the emulator itself leaves a report that can be acted on. */
#ifndef EMU_CLI_SIGNALS_H
#define EMU_CLI_SIGNALS_H

#include "machine/vm.h"

/* From now on signals are about this vm, NULL: about none. */
void signals_watch(struct vm *vm);

#endif
