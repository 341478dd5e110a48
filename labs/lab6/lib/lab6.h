/* SPDX-License-Identifier: MIT */
/*
 * Lab 6: what your code is written against. You are the kernel's half of a monitor: a processor with VT-x, EPT and VPID is yours, in VMX
 * operation, its one VMCS current and clear, with nothing in it. Its instructions are functions here; what they do, and what they refuse, is the
 * manual's (SDM vol. 3, chapters 25 to 31).
 */
#ifndef LAB6_H
#define LAB6_H

#include "kernel.h"
#include "vmx.h"

/* --- what is there: the processor ------------------------------------------------------------------ */

/* 0, or the VM-instruction error number (31.4). An entry that failed for the guest's state gives 0 and an exit reason with bit 31. */
int vmread(u32 field, u64 *value);
int vmwrite(u32 field, u64 value);
int vmlaunch(void);
int vmresume(void);
enum { HALTED_FOR_EVER = 100, ABORTED = 101 }; /* further results of an entry: an HLT that does not exit; a VMX abort */
void vmclear(void);
int invept(u32 type, u64 eptp);                 /* 1 single context, 2 all */
int invvpid(u32 type, u16 vpid, u64 gva);       /* 0 an address, 1 a context, 2 all, 3 a context but for globals */
u64 rdmsr(u32 msr);                             /* the capabilities */

/* General registers are not in the VMCS: RAX 0, RCX 1, RDX 2, RBX 3, RSP is, ... */
u64 register_read(u32 number);
void register_write(u32 number, u64 value);

/* --- and its memory -------------------------------------------------------------------------------- */

/* hpa of a page of zeros, for tables of yours; and words in it, or in the guest's memory. */
u64 frame_alloc(void);
u64 host_read(u64 hpa);
void host_write(u64 hpa, u64 value);
/* hpa of the frame that holds the guest's page number n. It is no order in them, and a frame can change: monitor_move(). */
u64 guest_frame(u32 n);

/* --- the guest ------------------------------------------------------------------------------------- */

struct guest {
    _Bool is_long;      /* 64 bits, paging by the tables at cr3, which are there; or protected mode, 32 bits, without paging */
    u32 rip, rsp, cr3;  /* all segments are flat */
    u32 pages;          /* of memory, from gpa 0. Nothing lies behind */
    _Bool lazy;         /* EPT entries are made when they are needed, and no earlier */
    _Bool log;          /* the first store into each page is told: page_dirty() */
};

/* What the guest's CPUID gives: into EAX, EBX, ECX, EDX, in this order. */
void guest_cpuid(u32 leaf, u32 out[4]);
void page_dirty(u32 n);
/* The guest touched a gpa where no memory is. */
void stray(u64 gpa);

/* --- what you write: lab6.c ------------------------------------------------------------------------ */

/* Fill the VMCS, make the EPT. 0, or the first error number. */
int monitor_start(const struct guest *g);

/* Enter, and handle exits: CPUID; EPT violations that mean something, see struct guest; until the end. */
enum {
    END_HLT = 0,        /* it executed HLT */
    END_STRAY = -1,     /* stray() has been called */
    END_STATE = -2,     /* the entry failed for the guest's state */
    END_OTHER = -3,     /* an exit that you do not know */
};                      /* or an error number above 0: VMLAUNCH or VMRESUME failed */
int monitor_run(void);

/* guest_frame(n) is another one since now, with the same contents. The guest, which can be run again, must not use the old one. */
void monitor_move(u32 n);

#endif
