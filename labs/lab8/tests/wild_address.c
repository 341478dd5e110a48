/* SPDX-License-Identifier: MIT */
/* A piece that is half memory. */
#include "world.h"

void guest_main(void) { world_run(ADDRESS); }
