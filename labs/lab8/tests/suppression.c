/* SPDX-License-Identifier: MIT */
/* A driver that is as fast as the worker. */
#include "world.h"

void guest_main(void) { world_run(BUSY); }
