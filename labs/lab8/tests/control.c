/* SPDX-License-Identifier: MIT */
/* Another queue has the same doorbell. */
#include "world.h"

void guest_main(void) { world_run(CONTROL); }
