/* SPDX-License-Identifier: MIT */
/* A batch that is larger than any ring. */
#include "lab7.h"

void guest_main(void) { load(&driver_e1000, 3000, 2, 9000, 60, 200); }
