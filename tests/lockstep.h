/* SPDX-License-Identifier: MIT */
/*
 * Two machines, one program: the interpreter's (the referee) and one that runs translated code. They are used again for program
 * after program, and must end in the same state and memory each time. What differs is reported by the shortest program that still
 * shows it.
 */
#ifndef EMU_TESTS_LOCKSTEP_H
#define EMU_TESTS_LOCKSTEP_H

#include "progen.h"

enum lockstep_kind {
    LOCKSTEP_BT,    /* against the engine bt: its monitor's costs make its time another one */
    LOCKSTEP_ACCEL, /* against bare with the translator as accelerator: counts and cycles must agree too */
};

struct lockstep {
    enum lockstep_kind kind;
    struct vm *referee, *translated;
    enum exit_kind end[2];
    u64 programs, unfinished;       /* those that came to no end within the limit are not compared */
    u64 insns, faults, shutdowns;   /* of the referee, to see that programs do something */
};

/* False, with a FAIL, if the machines cannot be had. */
bool lockstep_open(struct lockstep *l, enum lockstep_kind kind);
void lockstep_close(struct lockstep *l);
/* A machine as lockstep_open() makes them: 16 MiB, nothing loaded. */
struct vm *lockstep_machine(const struct engine_ops *engine, bool accelerated);

/* Run p on both to the end. What differs, in a static text, or NULL. */
const char *lockstep_program(struct lockstep *l, const struct progen *p);
/* The same with random interrupts of the run at the same cycle on both, and external interrupts there (LOCKSTEP_ACCEL only). */
const char *lockstep_sliced(struct lockstep *l, const struct progen *p, u64 *random);
/* What differs between two states, in a static text, or NULL. flags: the bits of RFLAGS that are looked at. */
const char *lockstep_states(const struct cpu_state *a, const struct cpu_state *b, u64 flags);
/* Programs from that seed on, each of other features among `features`, until n have run or one differs: a FAIL, with the shortest
 * programs that show it, and false. */
bool lockstep_many(struct lockstep *l, u64 seed, unsigned n, unsigned features);

#endif
