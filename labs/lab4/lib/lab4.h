/* SPDX-License-Identifier: MIT */
/*
 * Lab 4: a small kernel and what it is ported by. lib/processes.c is the kernel: processes with memory of their own, fork() with copy on write.
 * It touches no register and no page table; whatever the machine must be asked for is below. lib/native.c is the port to a bare PC.
 * Yours is the port to Xen.
 */
#ifndef LAB4_H
#define LAB4_H

#include "kernel.h"

/* A process's memory: user pages from USER_BASE on. The kernel's own memory is mapped in every space. */
#define USER_BASE 0x40000000u
#define USER_PAGES 64u

#define SPACE_TABLES 4u
struct space {
    u8 *table[SPACE_TABLES];    /* pages of the kernel's, zeroed, for you to make tables of; how many you need is your affair */
    _Bool current;              /* the processor is in it: kept by the kernel */
};

/* What a user page shall be: `frame` is an address in the kernel, of the page with its contents; NULL: nothing is there. */
struct mapping { u32 page; /* 0 to USER_PAGES - 1 */ u8 *frame; _Bool writable; };

/* --- what you write: lab4.c ------------------------------------------------------------------------ */

/* Once, first: from now on a page fault enters page_fault_entry (in lib/entry.S, for code of the kernel's privilege). */
void port_start(void);
/* Where the fault was that has just come (CR2, on a bare PC). */
u32 port_fault_address(void);

/* Tables for a space with the kernel's memory and no user page. */
void port_space_create(struct space *s);
/* The processor is in that space from now on; NULL: in the one that the kernel started in. */
void port_space_switch(struct space *s);
/* The tables of a space that is not current go; its pages are ordinary, writable pages of the kernel's again. */
void port_space_destroy(struct space *s);
/* Change n user pages of a space, which may be the current one: then no stale translation may be left. */
void port_space_map(struct space *s, const struct mapping *m, u32 n);

/* Between these, the kernel promises not to touch memory whose mapping it has changed: port_space_map() may put off what it does,
 * but everything must be done, in order, when port_lazy_end() returns. */
void port_lazy_begin(void);
void port_lazy_end(void);

/* Text for the console; it may be long. When it returns all of it must be with the other side, or on its way there. */
void port_console(const char *text, u32 len);

#endif
