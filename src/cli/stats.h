/* SPDX-License-Identifier: MIT */
/* What one run leaves to be read: --stats and --screen-text. */
#ifndef EMU_CLI_STATS_H
#define EMU_CLI_STATS_H

#include <stdio.h>

#include "machine/vm.h"

/* Counts first (exact), then cycles (a model, of the named profile), wall time last. */
void stats_print(const struct vm *vm, FILE *out);
/* What the VGA text screen shows, 80 by 25. */
void screen_text_print(const struct vm *vm, FILE *out);

#endif
