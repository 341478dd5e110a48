/* SPDX-License-Identifier: MIT */
/* A path to a disk, as the load sees it: requests of one page each, some at a time. Counts are since open() and only grow. */
#ifndef GUEST_BLKLOAD_H
#define GUEST_BLKLOAD_H

#include "kernel.h"

#define PAGE 4096u
#define PAGE_SECTORS 8u

struct disk_path {
    const char *name;
    u32 ring;                                               /* requests that can be under way */
    _Bool (*open)(void);                                    /* false: there is no such disk */
    void (*submit)(_Bool write, u32 sector, u32 count);     /* that many pages from there on, one doorbell */
    u32 (*done)(void);                                      /* requests that are */
    void (*want)(u32 count);                                /* an interrupt when so many are; NULL: there are interrupts anyway */
    void (*wait)(void);
};

extern const struct disk_path *const disk_paths[];  /* NULL-ended; of this kind of guest */
#define DISK_PAGES 64u
extern u8 disk_page[DISK_PAGES][PAGE];              /* what is written and read; request n has page n % DISK_PAGES */

#endif
