/* SPDX-License-Identifier: MIT */
/* Batches of 64, two under way. */
#include "lab7.h"

void guest_main(void) { load(&driver_e1000, 64, 2, 4096, 60, 200); }
