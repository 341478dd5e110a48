/* SPDX-License-Identifier: MIT */
/* A batch that is larger than the ring. */
#include "lab7.h"

void guest_main(void) { load(&driver_virtio, 2500, 2, 10000, 60, 200); }
