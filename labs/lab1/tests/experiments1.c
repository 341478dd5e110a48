/* SPDX-License-Identifier: MIT */
#define FIRST 0
#define LAST 6
#include "experiments.c"
