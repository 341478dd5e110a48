/* SPDX-License-Identifier: MIT */
#include "lab0.h"

void guest_main(void) { say_hello(); }
