/* SPDX-License-Identifier: MIT */
/*
 * What translated code and the monitor share.
 *
 * While translated code runs, the guest's eight registers and its arithmetic flags live in the host's own. The
 * rest of the host's registers belong to the translator:
 *
 *     r8, r9, r13  scratch within one guest instruction
 *     r10          the directory of the current view, plus DIRECTORY_BIAS: the way from a guest address to its host code (codepage.c)
 *     r11          guest instructions retired since entry
 *     r12          the guard: r12[0] may be read, r12[8 * n] may not, for n from 1 to 65535
 *     r14          virtual cycles left until the deadline
 *     r15          struct context
 *     gs base      the current window: 4 GiB of host addresses that mirror the guest's linear space
 */
#ifndef EMU_BT_CONTEXT_H
#define EMU_BT_CONTEXT_H

#include "cpu/cpu.h"

#define GUARD_SIZE (PAGE_SIZE + 65536 * 8)
#define DIRECTORY_BIAS 12       /* its low five bits are a shift count: SHRX by r10 makes a page number of an address */

/* Why translated code came back to the monitor. */
enum leave {
    LEAVE_MISS,         /* indirect jump to an address that has no translation in this view yet */
    LEAVE_LINK,         /* direct jump to such an address: to be chained */
    LEAVE_CALLOUT,      /* an instruction that the monitor emulates: the last one of a unit, */
    LEAVE_GUARD,        /* or one that is usually emulated in the cache */
    LEAVE_FAULT,        /* a host fault that is not a mere hidden one: the monitor emulates the instruction */
    LEAVE_DEADLINE,     /* no cycles left */
};

/* Sensitive instructions that kernel code may execute without leaving the cache. */
enum in_cache { IN_CACHE_FLAGS, IN_CACHE_CR, IN_CACHE_RDTSC, IN_CACHE_SREG, IN_CACHE_COUNT };

/* What kernel code in the cache finds out about segment registers. */
struct segments {
    u32 base[SREG_COUNT];
    s64 room[2][SREG_COUNT];    /* bytes that may be read, written, from offset 0; 0 where the interpreter must look */
    u16 selector[SREG_COUNT];   /* what they hold; */
    u64 descriptor[SREG_COUNT]; /* hva of the descriptor that it names, in the window */
    u64 loaded[SREG_COUNT];     /* and what that said when it was loaded */
};

/* What the generated code reads and writes, addressed from r15. */
struct context {
    u64 gpr[8];
    u16 flags;                  /* arithmetic flags, as LAHF and SETO give them: SF ZF AF PF CF above, OF below */
    u64 host_rsp;
    u64 directory;              /* hva of the view's, plus DIRECTORY_BIAS */
    u64 guard;
    s64 budget;
    u64 icount;
    u64 target;                 /* hva of the code to enter */
    u32 leave;                  /* enum leave */
    u32 eip;                    /* guest address to go on at; LEAVE_LINK and LEAVE_CALLOUT: derived from `from` */
    u32 from;                   /* LEAVE_LINK: link_number(); LEAVE_CALLOUT: unit number */
    u32 seg_base[SREG_COUNT];
    const struct segments *segments;
    u64 scratch;
    u64 window, minus_window;   /* base of the window, and its negative: LEA can only add */
    u64 tsc_end;                /* TSC when the budget will be 0 */
    u32 cr[5];                  /* what MOV from a control register gives */
    u32 system_flags;           /* IOPL, NT, AC, ID of the guest */
    u16 interrupt_flag;         /* FLAG_IF or 0 */
    u8 interrupt_waits;         /* 255 if an interrupt would be taken as soon as IF is set, else 0 */
    u64 in_cache[IN_CACHE_COUNT]; /* sensitive instructions emulated without leaving, since entry */
    u8 fpu_loaded;              /* the guest's x87/SSE state is in the host's registers */
    u64 fpu_gate;               /* where a unit with such instructions goes first: hva of the stub that loads the state, or of the one that returns */
    u32 host_mxcsr;
    struct fpu_state *fpu;
};

#endif
