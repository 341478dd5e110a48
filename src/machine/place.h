/* SPDX-License-Identifier: MIT */
/*
 * Inside src/machine: putting the pieces of a guest into memory. Addresses come from hostile images, so every piece is
 * checked against RAM and against the pieces that are there already.
 */
#ifndef EMU_MACHINE_PLACE_H
#define EMU_MACHINE_PLACE_H

#include "machine/loader.h"

#define PLACE_MAX 128

struct placer {
    struct vm *vm;
    const char *path;           /* of the kernel, for messages */
    unsigned n;
    struct { const char *what; gpa_t gpa; u64 len; } piece[PLACE_MAX];
};

/* Copy `filesz` bytes to gpa and zero up to `memsz`. 0, or -1 with *err: not wholly in RAM, or over another piece. */
int place_at(struct placer *p, const char *what, gpa_t gpa, const void *data, u64 filesz, u64 memsz, struct error *err);

/* Where would `len` bytes fit, at a multiple of `align` (a power of two) within [low, high) and clear of all pieces? */
int place_find_low(const struct placer *p, const char *what, gpa_t low, gpa_t high, u64 len, u64 align, gpa_t *gpa, struct error *err);  /* the lowest such */
int place_find_high(const struct placer *p, const char *what, gpa_t low, gpa_t high, u64 len, u64 align, gpa_t *gpa, struct error *err); /* the highest */

#endif
