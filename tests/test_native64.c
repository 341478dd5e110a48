/* SPDX-License-Identifier: MIT */
/* The same in 64-bit mode: sixteen registers of 64 bits, REX prefixes, addresses relative to RIP, a base in GS. */
#define NATIVE_BITS 64
#include "test_native.c"
