/* SPDX-License-Identifier: MIT */
/* For the tests: machine code of a guest, and a run of it. */
#ifndef LAB5_GUESTCODE_H
#define LAB5_GUESTCODE_H

#include <stdio.h>

#include "lab5.h"

#ifdef __x86_64__
#define OWN_BITS ".code64"
#else
#define OWN_BITS ".code32"
#endif

/* Code of 16 or 32 bits, to be loaded at LOAD_GPA: `here` is the address of what follows it, by name - begin + 0x1000. */
#define GUEST_CODE(name, bits, text) \
    __asm__(".section .rodata\n.globl " #name "_begin, " #name "_end\n.code" #bits "\n" #name "_begin:\n" text "\n" #name "_end:\n" OWN_BITS "\n.text\n"); \
    extern const char name##_begin[], name##_end[];

#define RUN(name, is_flat, low_memory, high_memory) \
    run_guest(#name, &(struct guest){ name##_begin, name##_end - name##_begin, is_flat, low_memory, high_memory })

static inline void run_guest(const char *name, const struct guest *g)
{
    int end = vmm_run(g);
    printf("@lab5 %s ends with %d\n", name, end);
}

#endif
