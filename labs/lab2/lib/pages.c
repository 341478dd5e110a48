/* SPDX-License-Identifier: MIT */
#include "lab2.h"

u8 pages[PAGES][4096] __attribute__((aligned(4096)));
