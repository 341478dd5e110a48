/* SPDX-License-Identifier: MIT */
/*
 * Lab 1: what your code is written against. A stage executes one instruction twice: as a kernel's authors expect it, in ring 0 with
 * the kernel's own tables, and as a naive monitor would run that kernel, in ring 1 with the monitor's tables.
 */
#ifndef LAB1_H
#define LAB1_H

#include "kernel.h"

/* --- the stage's descriptors: the same selectors in the guest's GDT and in the monitor's ---------- */
enum {
    SEL_CODE0 = 0x08, SEL_DATA0 = 0x10,     /* flat, DPL 0 */
    SEL_CODE1 = 0x19, SEL_DATA1 = 0x21,     /* flat, DPL 1; these selectors carry RPL 1 */
    SEL_DATA3 = 0x2b,                       /* flat, DPL 3 */
    SEL_USER = 0x30,                        /* data, DPL 3, 4 GiB; the monitor has cut it to 3 GiB, for it lives above */
    SEL_CONFORMING = 0x38,                  /* conforming code, DPL 0 */
    SEL_LDT = 0x40,                         /* the guest's LDT */
    SEL_TSS = 0x48, SEL_MONITOR_TSS = 0x50, /* the guest's task, and the one that the monitor runs it in */
};
#define TARGET 0x20800u     /* where a far transfer may go: INT3s are there, which end the experiment */
#define STACK_TOP 0x21800u  /* ESP before the instruction */
#define OPERAND 0x22000u    /* EBX before the instruction */

/* --- an experiment ----------------------------------------------------------------------------- */
struct specimen {
    const char *name;       /* as Robin and Irvine have it: PUSHF, LAR, MOV, ... */
    u8 code[8], len;        /* the instruction's bytes */
    u32 eax;
    u32 stack[5];           /* what ESP points at: stack[0] is popped first */
    u32 memory[2];          /* what EBX points at */
};

/* What is in the processor when the instruction starts. */
struct image {
    u32 eflags, cr0;
    u16 sel[6];             /* by number: ES CS SS DS FS GS */
    u16 ldtr, tr;
};
enum { ES, CS, SS, DS, FS, GS };
#define EFLAGS_CF 0x1u
#define EFLAGS_PF 0x4u
#define EFLAGS_AF 0x10u
#define EFLAGS_ZF 0x40u
#define EFLAGS_SF 0x80u
#define EFLAGS_IF 0x200u
#define EFLAGS_DF 0x400u
#define EFLAGS_OF 0x800u
#define EFLAGS_IOPL 0x3000u
#define CR0_EM 4u

/* What came of it. */
struct outcome {
    _Bool trapped;          /* an exception: the monitor gets control. The rest is then of no account */
    struct image start, end;
    u32 limit[6];           /* of the segments in end.sel, in bytes less one */
    u32 gpr[8];             /* EAX ECX EDX EBX ESP EBP ESI EDI */
    u32 stack[16];          /* from STACK_TOP - 32 */
    u32 memory[8];          /* from OPERAND */
};

enum verdict { SAME, TRAPS, BETRAYS };

/* --- what you write ------------------------------------------------------------------------------ */

/* lab1.c. *c is what the guest kernel believes to be in the processor. Make it what a naive monitor really loads. */
void deprivilege(struct image *c);
/* lab1.c. The same instruction in ring 0, and deprivileged. */
enum verdict judge(const struct outcome *real, const struct outcome *naive);
/* experiments.c. One for each of the paper's 17, in the order of the handout. */
extern const struct specimen experiments[17];

/* --- the stage -------------------------------------------------------------------------------- */

/* Both runs; prints "@lab1 NAME VERDICT". */
void stage_try(const struct specimen *s);
/* One run. */
void stage_run(const struct specimen *s, _Bool deprivileged, struct outcome *o);

#endif
