/* SPDX-License-Identifier: MIT */
/* What a guest has moved over its devices, and what a MiB of that cost in exits: for -stats. */
#ifndef EMU_CLI_MOVED_H
#define EMU_CLI_MOVED_H

#include "machine/vm.h"

/* Nothing, if less than a MiB was moved: a figure for each MiB would say nothing then. */
void moved_print(const struct vm *vm, FILE *out);

#endif
