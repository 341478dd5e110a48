/* SPDX-License-Identifier: MIT */
/* More frames than an index of 16 bits can count. */
#include "lab7.h"

void guest_main(void) { load(&driver_virtio, 500, 2, 70000, 60, 80); }
