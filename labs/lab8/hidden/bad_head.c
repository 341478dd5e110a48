/* SPDX-License-Identifier: MIT */
/* A ring that makes no sense. */
#include "world.h"

void guest_main(void) { world_run(HEAD); }
