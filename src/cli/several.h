/* SPDX-License-Identifier: MIT */
/* `emu -vm A -vm B`: several machines take turns on one processor, round robin, in virtual time. */
#ifndef EMU_CLI_SEVERAL_H
#define EMU_CLI_SEVERAL_H

#include "base/error.h"

/* Each -vm of the command line names a file with an option a line (without its dash), and `guest=GUEST`; options of the command line itself
 * hold for all. The exit status: the first that is not 0, or -1 with *err. */
int several_run(int argc, char **argv, struct error *err);

#endif
