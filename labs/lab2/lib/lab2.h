/* SPDX-License-Identifier: MIT */
/*
 * Lab 2: what your code is written against. The kernel of guests/lib/xen is already ported to Xen; its memory management asks the
 * hypervisor for one page-table entry at a time. You write the part that asks for many.
 */
#ifndef LAB2_H
#define LAB2_H

#include "kernel.h"

#define PAGES 256u
extern u8 pages[PAGES][4096];       /* all are mapped, writable, when your code begins */

/* --- what you write: lab2.c ------------------------------------------------------------------------ */

/* Make `n` pages from pages[first] on read-only, or writable again; present in both cases. When it returns, the processor must
 * know: no stale translation may be left. Nothing else may change. */
void protect(u32 first, u32 n, _Bool writable);

/* The contents of pages[a] and pages[b] change places, for each of n pairs, without a byte being copied: their entries are exchanged.
 * What may be written stays: a read-only page is read-only with its new contents. */
struct pair { u32 a, b; };
void exchange(const struct pair *pairs, u32 n);

/* As fork() does it: make those pages read-only whose bit in `dirty` is set (bit i of dirty[i / 32]), no others. */
void write_protect_dirty(const u32 dirty[PAGES / 32]);

#endif
