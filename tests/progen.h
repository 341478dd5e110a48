/* SPDX-License-Identifier: MIT */
/*
 * Random guest programs for lockstep tests: 32-bit ring-0 code with paging on, an IDT whose handlers note what faulted and go on at
 * a landing place, and a HLT at the end. Built in guest memory from a seed; the same seed is the same program.
 */
#ifndef EMU_TESTS_PROGEN_H
#define EMU_TESTS_PROGEN_H

#include "machine/vm.h"

/* What a program may contain. */
enum {
    PROGEN_MEMORY = 1,      /* loads, stores, stack */
    PROGEN_FAULTS = 2,      /* page faults, divide errors, invalid opcodes, breakpoints */
    PROGEN_STRINGS = 4,
    PROGEN_FPU = 8,         /* x87, MMX, SSE */
    PROGEN_FLOW = 16,       /* jumps, calls, loops */
    PROGEN_SELFMOD = 32,    /* code that writes code */
    PROGEN_PAGING = 64,     /* page-table edits, INVLPG, CR3 loads */
    PROGEN_SYSTEM = 128,    /* CLI, PUSHF, segment loads, control registers, CPUID */
    PROGEN_ALL = 255,
};

enum {
    PROGEN_CODE = 0x100000,     /* gpa = gva of the program */
    PROGEN_DATA = 0x200000,     /* 1 MiB of data, mapped */
    PROGEN_HOLE = 0x300000,     /* 1 MiB that is not mapped */
    PROGEN_STACK = 0x2f0000,
    PROGEN_COMPARE = 0x400000,  /* gpa up to which memory is compared */
};

/* Write tables, handlers and the program of that seed into vm's memory and set its processor to the first instruction. */
void progen_build(struct vm *vm, u64 seed, unsigned features, unsigned length);

#endif
