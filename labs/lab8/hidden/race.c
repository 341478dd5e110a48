/* SPDX-License-Identifier: MIT */
/* A chain that is made just before the worker goes to sleep. */
#include "world.h"

void guest_main(void) { world_run(RACE); }
