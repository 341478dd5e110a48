/* SPDX-License-Identifier: MIT */
/* A descriptor is another one when it is read again. */
#include "world.h"

void guest_main(void) { world_run(REREAD); }
