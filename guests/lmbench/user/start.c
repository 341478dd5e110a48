/* SPDX-License-Identifier: MIT */
/* Where every program begins: linked with the library, then main(). One file holds three programs; the argument says which. */
#include "program.h"

extern char text_end[], data_end[], bss_end[];
void _start(void);

__attribute__((section(".header"), used)) static const struct program_header header = {
    PROGRAM_MAGIC, (unsigned)_start, (unsigned)text_end, (unsigned)data_end, (unsigned)bss_end,
};

unsigned answers;

/* A symbol's hash as in the System V ABI, chapter 5. */
static unsigned elf_hash(const unsigned char *name, unsigned len)
{
    unsigned h = 0;
    while (len--) {
        h = (h << 4) + *name++;
        unsigned high = h & 0xf0000000;
        h = (h ^ high >> 24) & ~high;
    }
    return h;
}

/* As a dynamic linker does at a program's start: names are looked up all over the library's text, what is found is
 * written into its data. */
static void link_library(void)
{
    enum { SYMBOLS = 400, PAGES_READ = 40, PAGES_WRITTEN = 4, NAME = 12 };
    unsigned *slot = (unsigned *)(LIBRARY_BASE + LIBRARY_TEXT * 4096);
    for (unsigned i = 0; i < SYMBOLS; i++) {
        const unsigned char *page = (unsigned char *)LIBRARY_BASE + i * 7 % PAGES_READ * 4096;
        unsigned h = elf_hash(page + i * NAME % 4000, NAME);
        slot[i % PAGES_WRITTEN * 1024 + i / PAGES_WRITTEN] += h;
        answers += h;
    }
}

/* What a library does around the system call: locks, handlers, buffers, the list of what is to be done at the end. */
static void touch_data(unsigned first, unsigned pages)
{
    volatile unsigned *data = (unsigned *)(LIBRARY_BASE + LIBRARY_TEXT * 4096);
    for (unsigned i = first; i < first + pages; i++)
        data[i * 1024 + 1023]++;
}

int fork(void)
{
    int pid = call0(SYS_fork);
    touch_data(0, 4);
    return pid;
}

void exit(int code)
{
    touch_data(2, 4);
    call1(SYS_exit, code);
}

void _start(void)
{
    unsigned argument;
    __asm__ volatile("" : "=a"(argument));
    link_library();
    static void (*const program[])(void) = { lmbench, hello, shell };
    program[argument % 3]();
    exit(0);
}
