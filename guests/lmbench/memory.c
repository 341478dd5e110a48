/* SPDX-License-Identifier: MIT */
/* Frames: an array of pages in the kernel's own memory, so that each can be reached at its one address. */
#include "os.h"

u8 pool[POOL_PAGES][PAGE] __attribute__((aligned(PAGE)));
static u16 refs[POOL_PAGES], unused[POOL_PAGES];
static u32 nunused;

static u32 number_of(const void *page) { return ((const u8 *)page - pool[0]) / PAGE; }

void memory_start(void)
{
    while (nunused < POOL_PAGES) {
        unused[nunused] = POOL_PAGES - 1 - nunused;
        nunused++;
    }
}

void *page_new(void)
{
    if (!nunused)
        kernel_panic("no page left");
    u32 n = unused[--nunused];
    refs[n] = 1;
    return pool[n];
}

void *page_new_zeroed(void)
{
    void *page = page_new(), *to = page;
    u32 words = PAGE / 4;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(0) : "memory");
    return page;
}

void *page_new_copy(const void *of)
{
    void *page = page_new();
    copy_words(page, of, PAGE);
    return page;
}

void page_get(const void *page) { refs[number_of(page)]++; }
u32 page_refs(const void *page) { return refs[number_of(page)]; }

void page_put(const void *page)
{
    u32 n = number_of(page);
    if (--refs[n] == 0)
        unused[nunused++] = n;
}
