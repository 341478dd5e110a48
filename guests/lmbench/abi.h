/* SPDX-License-Identifier: MIT */
/*
 * What the kernel and its programs agree on. A system call is INT 0x80: number in EAX, arguments in EBX, ECX, EDX; the result
 * is in EAX, negative if it failed. The programs are the same bytes on every machine: a port is the kernel's affair.
 */
#ifndef LMBENCH_ABI_H
#define LMBENCH_ABI_H

/* SYSTEM_CALL(name, what comes in the arguments) */
#define SYSTEM_CALLS(SYSTEM_CALL) \
    SYSTEM_CALL(getppid, "") \
    SYSTEM_CALL(exit, "code") \
    SYSTEM_CALL(fork, "") \
    SYSTEM_CALL(exec, "path, argument") \
    SYSTEM_CALL(wait, "") \
    SYSTEM_CALL(read, "fd, buffer, bytes") \
    SYSTEM_CALL(write, "fd, buffer, bytes") \
    SYSTEM_CALL(open, "path") \
    SYSTEM_CALL(close, "fd") \
    SYSTEM_CALL(create, "path") \
    SYSTEM_CALL(unlink, "path") \
    SYSTEM_CALL(dup, "fd") \
    SYSTEM_CALL(select, "descriptors, u32 bits[4] to be read from") \
    SYSTEM_CALL(stat, "path, struct file_status *") \
    SYSTEM_CALL(pipe, "u32 fd[2]") \
    SYSTEM_CALL(sigaction, "signal, struct signal_action *new, *old") \
    SYSTEM_CALL(kill, "signal: to the caller itself; 0: only look whether it could be sent") \
    SYSTEM_CALL(sigreturn, "") \
    SYSTEM_CALL(mmap, "fd, pages, writable") \
    SYSTEM_CALL(munmap, "address, pages")

enum system_call {
#define NUMBER(name, arguments) SYS_##name,
    SYSTEM_CALLS(NUMBER)
#undef NUMBER
    SYS_COUNT
};

enum { SIGUSR1 = 10, SIGSEGV = 11, SIGNALS = 32 };
struct signal_action { unsigned handler, restorer, mask, flags; };
struct file_status { unsigned inode, mode, links, owner, group, size, blocks, accessed, modified, changed, spare[6]; };

/* Registers of a program that has entered the kernel, as they lie on the kernel's stack, and in a signal's frame on the program's. */
struct registers { unsigned ebx, ecx, edx, esi, edi, ebp, eax, error, eip, cs, eflags, esp, ss; };

/* A program's file: this, then its pages. Addresses; text is read-only, data private, bss empty. */
enum { PROGRAM_MAGIC = 0x676f7270, PROGRAM_BASE = 0x40000000 };
struct program_header { unsigned magic, entry, text_end, data_end, bss_end; };

/* The library that every program is linked with at its start: text pages that are shared, data pages that are not. */
enum { LIBRARY_BASE = 0x40400000, LIBRARY_TEXT = 96, LIBRARY_DATA = 8 };

enum { MMAP_BASE = 0x40800000, STACK_TOP = 0x7ffff000, STACK_PAGES = 16 };

#endif
