/* SPDX-License-Identifier: MIT */
/* The small kernel's face, for the tests. */
#ifndef LAB4_PROCESSES_H
#define LAB4_PROCESSES_H

#include "lab4.h"

#define MAX_PROCESSES 6u
struct process { struct space space; u8 *frame[USER_PAGES], *saved[USER_PAGES]; _Bool used; };

void processes_start(void);
/* A process with `pages` pages of zeros. NULL: there are too many. */
struct process *process_new(u32 pages);
/* The same memory, until one of them stores into it. */
struct process *process_fork(struct process *parent);
void process_exit(struct process *p);
/* What is in its memory now is kept, once; and comes back, once. */
void process_save(struct process *p);
void process_restore(struct process *p);
/* Run fn(arg) in ring 3 in that process; what it exits with. */
u32 process_run(struct process *p, void (*fn)(u32), u32 arg);

/* Programs: add `arg` to the first word of each of the first pages (their number is in arg's upper half); the sum of these words. */
void user_add(u32 arg);
void user_sum(u32 arg);
#define ARG(pages, value) ((pages) << 16 | (value))

u32 frames_used(void);  /* pages that hold contents now */
u32 cow_faults(void);   /* until now */

#endif
