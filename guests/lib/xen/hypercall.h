/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: number in EAX, arguments in EBX, ECX, EDX, ESI, EDI. The guest calls a stub in a page that the
 * hypervisor has filled, one of 32 bytes for each number, so that only the hypervisor knows how it is entered.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040600
#include <xen/xen.h>

extern char hypercall_page[4096];

#define HYPERCALL_ASM(nr) "call hypercall_page + " HYPERCALL_TEXT(nr) " * 32"
#define HYPERCALL_TEXT(nr) HYPERCALL_TEXT_(nr)
#define HYPERCALL_TEXT_(nr) #nr

#define hypercall1(nr, a) ({ \
    long r_, a_ = (long)(a); \
    __asm__ volatile(HYPERCALL_ASM(nr) : "=a"(r_), "+b"(a_) : : "memory"); r_; })
#define hypercall2(nr, a, b) ({ \
    long r_, a_ = (long)(a), b_ = (long)(b); \
    __asm__ volatile(HYPERCALL_ASM(nr) : "=a"(r_), "+b"(a_), "+c"(b_) : : "memory"); r_; })
#define hypercall3(nr, a, b, c) ({ \
    long r_, a_ = (long)(a), b_ = (long)(b), c_ = (long)(c); \
    __asm__ volatile(HYPERCALL_ASM(nr) : "=a"(r_), "+b"(a_), "+c"(b_), "+d"(c_) : : "memory"); r_; })
#define hypercall4(nr, a, b, c, d) ({ \
    long r_, a_ = (long)(a), b_ = (long)(b), c_ = (long)(c), d_ = (long)(d); \
    __asm__ volatile(HYPERCALL_ASM(nr) : "=a"(r_), "+b"(a_), "+c"(b_), "+d"(c_), "+S"(d_) : : "memory"); r_; })

#endif
