/* SPDX-License-Identifier: MIT */
/* The surroundings of random programs: what lies where, and which descriptors there are. gva = gpa below 4 MiB. */
#ifndef EMU_TESTS_PROGEN_WORLD_H
#define EMU_TESTS_PROGEN_WORLD_H

#include "progen.h"

enum {
    W_GDT = 0x1000, W_LDT = 0x1800, W_IDT = 0x2000, W_HANDLERS = 0x3000, W_COMMON = 0x3a00, W_SYSENTER = 0x3e00, W_GATE = 0x3f00,
    W_LANDING = 0x4000,             /* where to go on after a fault: the one page below 1 MiB that user code may write */
    W_LOG_NEXT = 0x5000, W_FAULTS_LEFT = 0x5004, W_LOG = 0x5020, W_LOG_END = 0x5c00,
    W_TSS = 0x6000, W_STACK0 = 0x8000 /* for entries to ring 0, downwards */,
    W_PD = 0x10000, W_PT = 0x11000, W_PD2 = 0x12000, W_PT2 = 0x13000, W_LOW_END = 0x14000,
    W_CODE = 0x100000, W_CODE_END = 0x104000,
    W_VARIANTS = 0x140000,          /* four pages with the same function, each its own result */
    W_DATA = 0x200000, W_DATA_END = 0x204000,
    W_GAMES = 0x220000, W_GAMES_END = 0x228000, /* pages whose table entries programs edit */
    W_STACK = 0x230000, W_STACK_LOW = 0x22f000, W_STACK_END = 0x231000,
    W_HOLE = 0x300000,              /* nothing mapped from here to 4 MiB */
    W_ALIAS = 0x800000,             /* the first 4 MiB again, by the same page table */
    W_LARGE = 0xc00000,             /* and by a page of 4 MiB, if CR4.PSE is set */
    W_FAULTS = 48,                  /* so many, and the program ends */
};

/* Selectors. SYSENTER and SYSEXIT want the first four in this order. */
enum {
    SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23, SEL_TSS = 0x28, SEL_CODE16 = 0x30, SEL_CODE16_3 = 0x3b,
    SEL_DATA16 = 0x43 /* 16-bit stack or data, 64 KiB from W_DATA */, SEL_BASED = 0x4b /* base W_DATA, 16 KiB */, SEL_DOWN = 0x53 /* expand-down */,
    SEL_READ_ONLY = 0x5b, SEL_ABSENT = 0x63, SEL_LDT = 0x68, SEL_CONFORMING = 0x70, SEL_CODE1 = 0x79, SEL_DATA1 = 0x81, SEL_GATE = 0x8b,
    SEL_GATE2 = 0x93 /* with two parameters */, SEL_EXECUTE_ONLY = 0x9b, SEL_CODE_LIMITED = 0xa0, SEL_DATA16_0 = 0xa8, SEL_LOCAL = 0x07 /* in the LDT */,
    SEL_STACK16 = 0xb0 /* ring 0, 16-bit, base W_STACK_LOW - 64 KiB + 4 KiB */,
};

/* Handlers: INT 80h comes back, INT 81h ends the program, INT 82h goes on in ring 0. */
enum { INT_BACK = 0x80, INT_END = 0x81, INT_RING0 = 0x82, W_VECTORS = 0x83 };

/* The memory in which every program begins, but for its code: gpa 0 up to W_HOLE. Built once. */
const u8 *world_image(void);

#endif
