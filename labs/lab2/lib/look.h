/* SPDX-License-Identifier: MIT */
/* How the tests look at pages: by touching them. */
#ifndef LAB2_LOOK_H
#define LAB2_LOOK_H

#include "lab2.h"

/* A number in each page, so that exchanged ones can be told apart; and every translation is in the TLB. */
void pages_number(void);
u32 page_number(u32 i);
/* Does a store into it fault? */
_Bool page_is_readonly(u32 i);
/* "@lab2 WHAT: FIRST-LAST ..." of the pages that are read-only. */
void print_readonly(const char *what);

#endif
