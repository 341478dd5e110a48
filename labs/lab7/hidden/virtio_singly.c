/* SPDX-License-Identifier: MIT */
/* One frame after the other. */
#include "lab7.h"

void guest_main(void) { load_singly(&driver_virtio, 300); }
