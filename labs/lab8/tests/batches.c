/* SPDX-License-Identifier: MIT */
/* Batches of ten, one piece each. */
#include "world.h"

void guest_main(void) { world_run(BATCHES); }
