/* SPDX-License-Identifier: MIT */
/*
 * Random guest programs for lockstep tests: pieces of 32-bit code (and 16-bit code between them) with paging on, tables of every
 * kind around them, and handlers that note what faulted and go on at a landing place. All of a program comes from its seed.
 *
 * Each piece has a random source of its own, so that a failing program can be made again without some of its pieces.
 */
#ifndef EMU_TESTS_PROGEN_H
#define EMU_TESTS_PROGEN_H

#include "machine/vm.h"

/* What a program may contain. */
enum {
    PROGEN_MEMORY = 1,      /* loads, stores, stack */
    PROGEN_FAULTS = 2,      /* page faults, divide errors, invalid opcodes, breakpoints, single steps */
    PROGEN_STRINGS = 4,
    PROGEN_FPU = 8,         /* x87, MMX, SSE */
    PROGEN_FLOW = 16,       /* jumps, calls, loops */
    PROGEN_SELFMOD = 32,    /* code that writes code, also through aliases */
    PROGEN_PAGING = 64,     /* page-table edits, aliases, INVLPG, CR3 loads, CR0.WP */
    PROGEN_SYSTEM = 128,    /* CLI, PUSHF, control registers, CPUID, descriptor tables */
    PROGEN_SEGMENTS = 256,  /* segments with bases and limits, loads of good and bad selectors */
    PROGEN_RINGS = 512,     /* IRET, INT, SYSENTER, SYSEXIT, call gates: rings 0, 1 and 3 */
    PROGEN_16BIT = 1024,    /* 16-bit code and stack segments */
    PROGEN_TABLE = 2048,    /* any harmless row of opcodes.def */
    PROGEN_ALL = 4095,
    PROGEN_FEATURES = 12,
};

#define PROGEN_MAX_PIECES 64

struct progen {
    u64 seed;
    unsigned features, npieces;
    u64 keep;                               /* bit by piece: the others are left out */
    struct cpu_state state;                 /* in which it begins */
    u32 at;                                 /* gva of the first byte */
    unsigned len;
    u32 piece[PROGEN_MAX_PIECES + 1];       /* offset of each in code */
    const char *name[PROGEN_MAX_PIECES];
    u8 code[0x3000];
};

/* Make the program of that seed. keep: ~0 for all of its pieces. */
void progen_make(struct progen *p, u64 seed, unsigned features, unsigned npieces, u64 keep);
/* Once in the life of a machine: wherever a program may stray to in the first 4 MiB, it comes to its end. */
void progen_prepare(struct vm *vm);
/* Put it, its tables and its data into vm's memory, where only what differs is written, and set the processor to its beginning. */
void progen_load(const struct progen *p, struct vm *vm);
/* The first gpa at which the memories of two machines differ, among what programs write; -1: none. */
s64 progen_difference(struct vm *a, struct vm *b);

#endif
