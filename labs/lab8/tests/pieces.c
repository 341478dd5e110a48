/* SPDX-License-Identifier: MIT */
/* Chains that are cut in all ways. */
#include "world.h"

void guest_main(void) { world_run(PIECES); }
