/* SPDX-License-Identifier: MIT */
/* The specialised instructions once more, for 64-bit mode: see fast.h. */
#define FAST_WIDE

#include "cpu/fast_alu.c"
#include "cpu/fast_flow.c"
#include "cpu/fast_move.c"
#undef ROW
#include "cpu/fast_shift.c"
