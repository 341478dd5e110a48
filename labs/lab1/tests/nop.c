/* SPDX-License-Identifier: MIT */
/* An instruction that tells a guest nothing. What you begin with is right about it already. */
#include "lab1.h"

static const struct specimen nop = { "NOP", { 0x90 }, 1 };

void guest_main(void) { stage_try(&nop); }
