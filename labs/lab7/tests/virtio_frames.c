/* SPDX-License-Identifier: MIT */
/* Frames of all lengths. */
#include "lab7.h"

void guest_main(void) { load(&driver_virtio, 10, 2, 500, 60, 1514); }
