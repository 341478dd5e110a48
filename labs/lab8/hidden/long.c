/* SPDX-License-Identifier: MIT */
/* More chains than an index of 16 bits can count. */
#include "world.h"

void guest_main(void) { world_run(LONG); }
