/* SPDX-License-Identifier: MIT */
/*
 * Lab 3: what your code is written against. You are the memory half of a monitor without EPT. The guest has page tables of its own, of two
 * levels (SDM vol. 3, 4.3), in its own memory; the processor must never see them, for they hold guest-physical addresses. It walks tables
 * that you make: shadows.
 *
 *     gva, linear address          the guest's from 40000000H on; what is below belongs to the monitor, in all tables
 *     gpa, guest-physical address  GUEST_BASE to GUEST_BASE + GUEST_SIZE; guest tables hold these
 *     hpa, host-physical address   what the processor needs in the tables that it walks
 */
#ifndef LAB3_H
#define LAB3_H

#include "kernel.h"

/* Entry bits that kernel.h does not name; PTE_PRESENT, PTE_WRITE and PTE_USER are there. */
#define PTE_ACCESSED 0x20u
#define PTE_DIRTY 0x40u
#define FRAME(entry) ((entry) & ~0xfffu)

/* Error code of a page fault, SDM vol. 3, 4.7 */
#define PF_PRESENT 1u   /* a protection, not a missing page */
#define PF_WRITE 2u
#define PF_USER 4u

#define GUEST_BASE 0x1000000u
#define GUEST_SIZE 0x80000u         /* 128 pages */
#define MONITOR_ENTRIES 256u        /* of a page directory: the first GiB is not the guest's */
#define SHADOW_PAGES 24u            /* that you may have at a time */

/* --- what is there --------------------------------------------------------------------------------- */

/* The guest's page at gpa, for you to read and write (A and D bits); a page table is 1024 such words. */
u32 *guest_page(u32 gpa);
/* hpa of that page: what an entry of yours holds. It is not the gpa, and neighbours are no neighbours there. */
u32 host_frame(u32 gpa);
/* A page of zeros for tables of yours; its address is its hpa too. NULL when all SHADOW_PAGES are in use. */
u32 *shadow_page_alloc(void);
/* If the processor walks it, you have to give it another directory before the guest goes on. */
void shadow_page_free(u32 *page);
/* The processor walks this page directory from now on (the monitor's entries are put into it), with an empty TLB. */
void shadow_activate(u32 *directory);
/* The processor's TLB: what it keeps of your tables. (tlb_flush() of kernel.h would load the monitor's CR3.) */
static inline void processor_flush(void) { __asm__ volatile("mov %%cr3, %%eax; mov %%eax, %%cr3" : : : "eax", "memory"); }
static inline void processor_flush_page(u32 gva) { tlb_flush_page((void *)gva); }

/* --- what you write: lab3.c ------------------------------------------------------------------------ */

/* A guest begins; whatever you remember of the last one, and all its pages, are gone. */
void shadow_start(void);

/* The guest loads CR3 with the gpa of its page directory. */
void shadow_cr3_load(u32 cr3);

/* The guest executes INVLPG. */
void shadow_invlpg(u32 gva);

/* The processor met a page fault on your tables while the guest ran. */
struct fault {
    u32 gva, error;         /* where, and the error code that your tables gave */
    u32 guest_error;        /* you write: GUEST_FAULT */
    u32 gpa;                /* you write: TRACED */
};
enum shadow_answer {
    FILLED,                 /* hidden fault: your tables lacked it. You added it, the access is made again; the guest sees nothing */
    TRACED,                 /* a store that the guest's tables allow, into one of its page tables. It will be made for you, at `gpa` */
    GUEST_FAULT,            /* true fault: the guest's own tables forbid it. Its handler gets guest_error */
};
enum shadow_answer shadow_fault(struct fault *f);

/* The word at gpa, in a page for which you answered TRACED, has its new value now. */
void shadow_pte_written(u32 gpa);

#endif
