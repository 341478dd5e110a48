/* SPDX-License-Identifier: MIT */
#ifndef LAB8_WORLD_H
#define LAB8_WORLD_H

#include "lab8.h"

/* Serve the guest whose driver works by that script, to the end. */
enum script { BATCHES, PIECES, BUSY, RACE, CONTROL, LONG, LOOP, HEAD, NEXT, INDEX, ADDRESS, LENGTH, WRAP, SHORT, WRITABLE, REREAD };
void world_run(u32 script);

#endif
