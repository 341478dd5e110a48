/* SPDX-License-Identifier: MIT */
/* A chain that cannot be sent, among others. */
#include "world.h"

void guest_main(void) { world_run(LENGTH); }
