/* SPDX-License-Identifier: MIT */
/*
 * Inside src/cpu: descriptors, and stacks that are not loaded yet. What exception.c, segment.c, transfer.c and task.c share.
 *
 * A far transfer or the delivery of an exception may fault at every step. So it reads descriptors, checks them and writes its
 * frame to a stack on the side; the processor's registers change last.
 */
#ifndef EMU_CPU_DESCRIPTOR_H
#define EMU_CPU_DESCRIPTOR_H

#include "cpu/internal.h"

/* Types of system segments and gates, SDM vol. 3, table 3-2 */
enum system_type {
    SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL_GATE16 = 4, SYS_TASK_GATE = 5, SYS_INT_GATE16 = 6, SYS_TRAP_GATE16 = 7,
    SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL_GATE32 = 12, SYS_INT_GATE32 = 14, SYS_TRAP_GATE32 = 15,
};
enum { SYS_BUSY = 2, SYS_32BIT = 8 };

/* Fields of a raw descriptor (SDM vol. 3, figure 3-8) and of a gate (figures 5-8 and 6-2). */
static inline unsigned desc_type(u64 raw) { return raw >> 40 & 0xf; }
static inline bool desc_system(u64 raw) { return !(raw >> 44 & 1); }
static inline unsigned desc_dpl(u64 raw) { return raw >> 45 & 3; }
static inline bool desc_present(u64 raw) { return raw >> 47 & 1; }
static inline bool desc_code(u64 raw) { return !desc_system(raw) && desc_type(raw) & SEG_CODE; }
static inline bool desc_conforming(u64 raw) { return desc_code(raw) && desc_type(raw) & SEG_CONFORMING; }
static inline bool desc_readable(u64 raw) { return !desc_system(raw) && (!desc_code(raw) || desc_type(raw) & SEG_RW); }
static inline bool desc_writable(u64 raw) { return !desc_system(raw) && !desc_code(raw) && desc_type(raw) & SEG_RW; }
static inline bool desc_system_type(u64 raw, enum system_type t) { return desc_system(raw) && desc_type(raw) == t; }
static inline bool desc_tss(u64 raw) { return desc_system(raw) && (desc_type(raw) & ~(SYS_BUSY | SYS_32BIT)) == SYS_TSS16; }
static inline u16 gate_selector(u64 raw) { return raw >> 16; }
static inline u32 gate_offset(u64 raw) { return (raw & 0xffff) | (desc_type(raw) & SYS_32BIT ? raw >> 32 & 0xffff0000 : 0); }
static inline unsigned gate_size(u64 raw) { return desc_type(raw) & SYS_32BIT ? 4 : 2; }

/* Call and interrupt gates of IA-32e mode: bits 63..32 of the offset stand in the second half (SDM vol. 3, figures 5-9 and 6-8). */
static inline u64 gate_offset_long(u64 raw, u64 upper) { return gate_offset(raw) | upper << 32; }

static inline bool selector_null(u16 selector) { return !(selector & ~3); }
static inline unsigned selector_rpl(u16 selector) { return selector & 3; }

/* EXT of an error code: what is being delivered came from outside the program (SDM vol. 3, 6.13). */
u32 error_ext(const struct cpu *c);
/* A fault about a selector: its index and TI, and EXT. */
_Noreturn void raise_selector(struct cpu *c, u8 vector, u16 selector);

/* The descriptor that `selector` names; false if it is outside its table. Raises #PF. */
bool descriptor_read(struct cpu *c, u16 selector, u64 *raw);
/* The same; outside: raises `vector` with the selector. */
u64 descriptor_fetch(struct cpu *c, u16 selector, u8 vector);
/* The upper half of a system descriptor of IA-32e mode, which has 16 bytes: raises `vector` if it is outside its table, or has a type
 * where zeros belong (SDM vol. 3, 3.5.2). */
u64 descriptor_fetch_upper(struct cpu *c, u16 selector, u8 vector);
/* Set bits of the type field in memory and in *raw (accessed, busy); or clear them. */
void descriptor_set_type(struct cpu *c, u16 selector, u64 *raw, unsigned bits);
void descriptor_clear_type(struct cpu *c, u16 selector, unsigned bits);
/* A code segment may not say both L and D (SDM vol. 3, 5.2.1): #GP(selector) in IA-32e mode. */
void descriptor_check_code(struct cpu *c, u16 selector, u64 raw);
/* Marks a code or data segment accessed, and gives its loaded form. */
struct segment descriptor_load(struct cpu *c, u16 selector, u64 raw);

/* Is [offset, offset+len) inside the segment? */
bool segment_covers(const struct segment *s, u32 offset, u32 len);
/* What real mode makes of a selector, given what was loaded before; and virtual-8086 mode (SDM vol. 3, 20.1.1, 20.2.1). */
struct segment segment_real(const struct segment *old, u16 selector);
struct segment segment_v86(u16 selector);
struct segment segment_null(u16 selector);
/* A null SS, as 64-bit code has it at CPL `level`: the DPL is what the level is known by. */
struct segment segment_null_stack(u16 selector, unsigned level);

/* The code segment `cs` becomes current with its RPL, and the instruction pointer; checked by the caller. */
void set_cs(struct cpu *c, const struct segment *cs, unsigned cpl, u64 rip);

/* A stack beside the current one. sp moves with each push; nothing else changes. */
struct stack {
    struct segment ss;
    u64 sp;
    bool wide;  /* of 64-bit code: no base, no limit, all of RSP */
    bool user;  /* accesses are made at CPL 3 */
    u16 error;  /* selector for #SS; 0 for the current stack */
};
struct stack stack_current(const struct cpu *c);
/* The stack for privilege level `level`, from the TSS, with the checks of SDM vol. 3, 6.12.1 (#TS, #SS). */
struct stack stack_inner(struct cpu *c, unsigned level);
/* The same in IA-32e mode: RSP for that level, or of the interrupt stack table where ist is 1 to 7; SS is null if the level changes
 * (SDM vol. 3, 6.14.2 to 6.14.5). */
struct stack stack_inner_long(struct cpu *c, unsigned level, unsigned ist);
/* Raises #SS if there is no room for `bytes` more. */
void stack_require(struct cpu *c, const struct stack *k, unsigned bytes);
void stack_push(struct cpu *c, struct stack *k, unsigned size, u64 value);
/* Make it the current one: SS (marked accessed) and ESP. */
void stack_switch(struct cpu *c, const struct stack *k);
/* ESP to k->sp, SS as it is. */
void stack_commit(struct cpu *c, const struct stack *k);
/* A value `offset` bytes above the top of the current stack. */
u64 stack_peek(struct cpu *c, unsigned offset, unsigned size);
void stack_drop(struct cpu *c, unsigned bytes);

/* --- checks of code segments that transfers share --- */
/* #GP(0) unless rip is inside cs; canonical, if that is 64-bit code. */
void check_rip(struct cpu *c, const struct segment *cs, u64 rip);
/* Will that code segment run 64-bit code? */
static inline bool code_is_64(const struct cpu *c, const struct segment *cs) { return state_long(&c->state) && cs->attr & SEG_L; }

/* PUSHF, interrupts, INT in virtual-8086 mode: the flags as a program sees them that has CR4.VME (SDM vol. 3, 20.3). */
bool vme_active(const struct cpu *c); /* VM, VME and IOPL < 3 */
/* Is INT n redirected to the program's own vector table? Reads the bitmap of the TSS (SDM vol. 3, 20.3.3). */
bool vme_redirects(struct cpu *c, u8 vector);

#endif
