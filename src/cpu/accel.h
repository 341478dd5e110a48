/* SPDX-License-Identifier: MIT */
/*
 * A faster way to run guest code than the interpreter, which must not be able to tell the difference: same state, same counts,
 * same cycles at every instruction boundary. Whoever has one (the translator of src/bt) gives this table to cpu_set_accel().
 */
#ifndef EMU_CPU_ACCEL_H
#define EMU_CPU_ACCEL_H

#include "base/clock.h"
#include "base/error.h"

struct cpu;

enum accel_result {
    ACCEL_STEP, /* it ran as far as it could: the interpreter does the instruction at RIP */
    ACCEL_NO,   /* it cannot run this kind of code: the interpreter does it */
};

struct cpu_accel_ops {
    const char *name;
    void *(*attach)(struct cpu *c, struct error *err);  /* NULL with *err: not on this host */
    void (*detach)(void *self);
    /* Run from the processor's state, before the deadline; state, clock, ledger and icount are true on return. */
    enum accel_result (*run)(void *self, cycles_t deadline);
    /* Add lines of its own to what the engine says of itself; may be NULL. */
    void (*info)(const void *self, void *file);
};

#endif
