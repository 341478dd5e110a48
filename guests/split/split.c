/* SPDX-License-Identifier: MIT */
/* Both halves of two drivers at work: pages to a disk and back, frames to a wire that leads back. */
#include "split.h"

#define BATCH 32u
#define FRAMES 16u
#define FRAME 1000u

static u8 pages[BATCH][4096] __attribute__((aligned(4096))), frame[4096], echo[4096];

static void fill(u8 *to, u32 len, u32 seed)
{
    for (u32 i = 0; i < len; i++)
        to[i] = seed = seed * 1103515245 + 12345;
}

static void check(const u8 *what, u32 len, u32 seed, const char *complaint)
{
    for (u32 i = 0; i < len; i++)
        if (what[i] != (u8)(seed = seed * 1103515245 + 12345))
            kernel_panic(complaint);
}

static void disk_test(void)
{
    void *page[BATCH];
    u32 count = disk_sectors() / 8 < BATCH ? disk_sectors() / 8 : BATCH;
    for (u32 i = 0; i < count; i++) {
        fill(pages[i], 4096, i);
        page[i] = pages[i];
    }
    u64 start = rdtsc();
    disk_transfer(1, 0, page, count);
    disk_flush();
    print("@split disk-write %u %U\n", count, rdtsc() - start);
    for (u32 i = 0; i < count; i++)
        memset(pages[i], 0, 4096);
    start = rdtsc();
    disk_transfer(0, 0, page, count);
    print("@split disk-read %u %U\n", count, rdtsc() - start);
    for (u32 i = 0; i < count; i++)
        check(pages[i], 4096, i, "the disk holds something else than was written");
    start = rdtsc();
    for (u32 i = 0; i < count; i++)
        disk_transfer(0, i * 8, page + i, 1);
    print("@split disk-read-singly %u %U\n", count, rdtsc() - start);
    print("disk: %u sectors; %u pages written and read back\n", disk_sectors(), count);
    disk_close();
}

static void net_test(void)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < FRAMES; i++) {
        fill(frame, FRAME, i);
        net_send(frame, FRAME);
        if (net_receive(echo) != FRAME)
            kernel_panic("a frame came back with another length");
        check(echo, FRAME, i, "a frame came back changed");
    }
    print("@split echo %u %U\n", FRAMES, rdtsc() - start);
    print("net: %u frames came back\n", FRAMES);
    net_close();
}

void guest_main(void)
{
    store_start();
    share_start();
    if (disk_open())
        disk_test();
    else
        print("no disk; add -hda FILE\n");
    if (net_open())
        net_test();
    else
        print("no network; add -netdev loopback,id=n -device e1000,netdev=n\n");
}
