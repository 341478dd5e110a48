/* SPDX-License-Identifier: MIT */
/*
 * What gdb and the monitor have in common: breakpoints that never touch guest memory, stopping and going on, and the guest's
 * registers and memory as they are at this moment, whatever the engine.
 */
#ifndef EMU_CONSOLE_DEBUGGER_H
#define EMU_CONSOLE_DEBUGGER_H

#include "machine/vm.h"

/* Whose a breakpoint is: each sees and removes only its own. */
enum break_owner { OWNER_GDB_SOFT, OWNER_GDB_HARD, OWNER_MONITOR };

enum stop_why { WHY_ASKED, WHY_BREAKPOINT, WHY_WATCHPOINT, WHY_STEPPED, WHY_ENDED };

struct debugger {
    struct vm *vm;
    struct cpu_debug points;        /* what the processor looks for */
    u8 break_owner[64], watch_owner[16]; /* of points.brk[], points.watch[] */
    struct mmu mmu;                 /* for looking at memory: the engine's own is left alone */
    bool asked;                     /* debugger_pause() was called since the guest last went on */
    unsigned goes;                  /* how often it was told to go on */
    bool irqs;                      /* deliver interrupts while stepping; otherwise they wait */
    enum stop_why why;              /* the last stop */
    gva_t watch_gva;                /* WHY_WATCHPOINT: where the watched range begins */
    u8 watch_access;                /* and what is watched: ACCESS_READ, ACCESS_WRITE or 2 for both */
};

void debugger_init(struct debugger *d, struct vm *vm);
void debugger_fini(struct debugger *d);

/* --- points --- */

/* 0, or -1 when the table is full. The same point twice is one. */
int debugger_add_break(struct debugger *d, enum break_owner owner, gva_t gva);
int debugger_add_watch(struct debugger *d, enum break_owner owner, gva_t gva, u32 len, u8 access);
/* 0, or -1 when there is none such. */
int debugger_remove_break(struct debugger *d, enum break_owner owner, gva_t gva);
int debugger_remove_watch(struct debugger *d, enum break_owner owner, gva_t gva, u32 len, u8 access);
/* Whatever is at gva; false: nothing. */
bool debugger_remove_at(struct debugger *d, enum break_owner owner, gva_t gva);
void debugger_remove_all(struct debugger *d, enum break_owner owner);

/* --- stop and go --- */

void debugger_pause(struct debugger *d);
void debugger_continue(struct debugger *d);
/* Go on over a breakpoint at the very place where the guest stands. */
void debugger_pass_break(struct debugger *d);
/* One instruction. Interrupts wait meanwhile, unless d->irqs. */
void debugger_step(struct debugger *d);
/* After vm_run(): fill in why. */
void debugger_note_stop(struct debugger *d);

/* --- looking and changing. The guest should be stopped --- */

void debugger_get_state(struct debugger *d, struct cpu_state *s);
void debugger_set_state(struct debugger *d, const struct cpu_state *s);
/* Linear address to physical with the guest's tables, whatever their permissions. False: not mapped. */
bool debugger_translate(struct debugger *d, gva_t gva, gpa_t *gpa);
/* Memory by linear (or physical) address; permissions are ignored, devices are not touched. Bytes that could be copied. */
u64 debugger_read(struct debugger *d, gva_t gva, void *buf, u64 len);
u64 debugger_write(struct debugger *d, gva_t gva, const void *buf, u64 len);
u64 debugger_read_physical(struct debugger *d, gpa_t gpa, void *buf, u64 len);
u64 debugger_write_physical(struct debugger *d, gpa_t gpa, const void *buf, u64 len);

#endif
