/* SPDX-License-Identifier: MIT */
/* Batches of 1000, two under way. */
#include "lab7.h"

void guest_main(void) { load(&driver_virtio, 1000, 2, 10000, 60, 260); }
