/* SPDX-License-Identifier: MIT */
/* What the programs share. They know the kernel by abi.h only. */
#ifndef LMBENCH_PROGRAM_H
#define LMBENCH_PROGRAM_H

#include "../abi.h"

typedef unsigned long long u64;
enum program { LMBENCH, HELLO, SHELL };
void lmbench(void), hello(void), shell(void);
/* As a C library has them: they work on the library's data too. */
int fork(void);
void exit(int code);
extern unsigned answers;    /* computed on the way: the same on every machine */

static inline int call3(unsigned number, unsigned a, unsigned b, unsigned c)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
static inline int call2(unsigned number, unsigned a, unsigned b) { return call3(number, a, b, 0); }
static inline int call1(unsigned number, unsigned a) { return call3(number, a, 0, 0); }
static inline int call0(unsigned number) { return call3(number, 0, 0, 0); }

static inline u64 rdtsc(void)
{
    u64 t;
    __asm__ volatile("rdtsc" : "=A"(t));
    return t;
}

/* lat_proc.c, lat_ctx.c, lat_mem.c: the groups of rows. */
void measure_calls(void), measure_signals(void), measure_processes(void), measure_switches(void), measure_memory(void);
/* "@lmbench NAME COUNT CYCLES" */
void report(const char *name, unsigned count, u64 cycles, u64 less);
/* The cycles of n times one thing, after some times in advance. */
u64 cycles_of(void (*thing)(void), unsigned n);
void wrong(const char *what);   /* say so and end: an answer is not what it must be */

#endif
