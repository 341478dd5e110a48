/* SPDX-License-Identifier: MIT */
/*
 * The same load on every path to a disk, by pages of 4096 bytes one after another:
 *
 *     path=virtio mode=read batch=16 count=256
 *
 * As guests/netload: the line is "@blkload MODE COUNT CYCLES", and its caller runs it twice.
 */
#include "blkload.h"
#include "words.h"

#define DISK_SECTORS 16384u     /* of which the load makes use: 8 MiB */

u8 disk_page[DISK_PAGES][PAGE] __attribute__((aligned(4096)));

static void wait_until(const struct disk_path *p, u32 target)
{
    if ((int)(p->done() - target) >= 0)
        return;
    if (p->want)
        p->want(target);
    interrupts_let_in();
    while ((int)(p->done() - target) < 0)
        p->wait();
}

static void run(const struct disk_path *p, _Bool write, u32 batch, u32 count)
{
    u32 piece = batch < p->ring ? batch : p->ring;
    for (u32 done = 0, n; done < count; done += n) {
        n = count - done < piece ? count - done : piece;
        p->submit(write, done * PAGE_SECTORS % DISK_SECTORS, n);
        wait_until(p, done + n);
    }
}

void guest_main(void)
{
    const char *path = word_of("path="), *mode = word_of("mode=");
    u32 batch = word_number("batch=", 1), count = word_number("count=", 64);
    _Bool write = mode && word_is(mode, "write");
    for (const struct disk_path *const *p = disk_paths; *p; p++) {
        if ((path && !word_is(path, (*p)->name)) || !(*p)->open())
            continue;
        u64 start = rdtsc();
        run(*p, write, batch ? batch : 1, count ? count : 1);
        word_report("blkload", write ? "write" : "read", count, rdtsc() - start);
        return;
    }
    print("blkload: there is no such disk; add -drive file=F,if=virtio,snapshot=on\n");
    kernel_exit(1);
}
