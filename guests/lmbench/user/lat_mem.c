/* SPDX-License-Identifier: MIT */
/* Files in memory: mapped, touched, unmapped. lmbench's lat_mmap and lat_pagefault. */
#include "program.h"

enum { FILE_PAGES = 512, PART = 10, COUNT = 10 };
static int fd;

static volatile char *map(unsigned writable) { return (volatile char *)call3(SYS_mmap, fd, FILE_PAGES, writable); }
static void unmap(volatile char *at) { call2(SYS_munmap, (unsigned)at, FILE_PAGES); }

/* A tenth of the file is touched. */
static void map_touch_unmap(void)
{
    volatile char *at = map(1);
    for (unsigned i = 0; i < FILE_PAGES / PART; i++)
        at[i * 4096] = i;
    unmap(at);
}

static u64 touch_all(void)
{
    volatile char *at = map(0);
    u64 start = rdtsc();
    for (unsigned i = 0; i < FILE_PAGES; i++)
        answers += at[i * 4096];
    u64 cycles = rdtsc() - start;
    unmap(at);
    return cycles;
}

void measure_memory(void)
{
    fd = call1(SYS_open, (unsigned)"/tmp/file");
    report("mmap", COUNT, cycles_of(map_touch_unmap, COUNT), 0);
    touch_all();
    report("page-fault", FILE_PAGES, touch_all(), 0);
    call1(SYS_close, fd);
}
