/* SPDX-License-Identifier: MIT */
#define FIRST 6
#define LAST 12
#include "experiments.c"
