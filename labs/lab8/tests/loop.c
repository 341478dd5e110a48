/* SPDX-License-Identifier: MIT */
/* A chain that bites its tail. */
#include "world.h"

void guest_main(void) { world_run(LOOP); }
