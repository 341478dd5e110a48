/* SPDX-License-Identifier: MIT */
#define FIRST 12
#define LAST 17
#include "experiments.c"
