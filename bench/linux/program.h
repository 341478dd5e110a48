/* SPDX-License-Identifier: MIT */
/*
 * What the measured programs share: 32-bit Linux programs without a library, so that the very same file runs natively on the host,
 * in a Linux guest under emu, and in one under any other emulator.
 *
 * A program is a list of parts, which run in turn. The clock of a guest is not the host's, so nobody here looks at one:
 * each part prints a line when it begins and one when it ends, and whoever reads the lines (bench/linux.c) takes the time.
 *
 *     @begin sieve
 *     @end sieve 656200
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef int s32;

struct part {
    const char *name;
    u32 (*run)(void);       /* returns something that depends on all of its work */
};
extern const struct part parts[]; /* the program's; ended by a NULL name */

void *memset(void *d, int c, u32 n);
void *memcpy(void *d, const void *s, u32 n);

/* The kernel's numbers (arch/x86/entry/syscalls/syscall_32.tbl). The old mmap takes its six arguments from memory. */
enum { SYS_EXIT = 1, SYS_FORK = 2, SYS_READ = 3, SYS_WRITE = 4, SYS_CLOSE = 6, SYS_WAITPID = 7, SYS_EXECVE = 11, SYS_GETPID = 20, SYS_PIPE = 42,
       SYS_OLD_MMAP = 90, SYS_MUNMAP = 91 };

static inline s32 linux_call(u32 nr, u32 a, u32 b, u32 c)
{
    s32 r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return r;
}

#endif
