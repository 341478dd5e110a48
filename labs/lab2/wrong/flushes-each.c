/* SPDX-License-Identifier: MIT */
/*
 * Every entry of the batch flushes.
 * file: lab2.c
 * expect: 256 pages with 8 flushes | counts | TLB flushes: 8 expected at most, seen 258: 250 too many
 */
/* Lab 2: many page-table entries in few hypercalls. handout.md says what is to be done. */
#include "lab2.h"

/* A queue of calls: each update_va_mapping is one entry of a multicall (Xen's public/xen.h), and only the last one flushes. */
enum { QUEUE = 128 };
static struct multicall_entry queue[QUEUE];
static u32 queued;

static void queue_flush(void)
{
    if (!queued)
        return;
    queue[queued - 1].args[3] = UVMF_TLB_FLUSH | UVMF_LOCAL;
    hypercall2(__HYPERVISOR_multicall, queue, queued);
    queued = 0;
}

static void queue_entry(const void *page, pte_t pte)
{
    if (queued == QUEUE)
        queue_flush();
    queue[queued++] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping, .args = { (u32)page, pte, pte >> 32, UVMF_TLB_FLUSH | UVMF_LOCAL } };
}

/* Which frame holds which page's contents: exchange() moves them. */
static u64 frame_of[PAGES];
static _Bool readonly[PAGES];

static void frames_start(void)
{
    for (u32 i = 0; !frame_of[PAGES - 1] && i < PAGES; i++)
        frame_of[i] = pte_make(pages[i], 0);
}

static void queue_page(u32 i)
{
    queue_entry(pages[i], frame_of[i] | PTE_PRESENT | (readonly[i] ? 0 : PTE_WRITE));
}

void protect(u32 first, u32 n, _Bool writable)
{
    frames_start();
    for (u32 i = first; i < first + n; i++) {
        readonly[i] = !writable;
        queue_page(i);
    }
    queue_flush();
}

void exchange(const struct pair *pairs, u32 n)
{
    frames_start();
    for (u32 k = 0; k < n; k++) {
        u32 a = pairs[k].a, b = pairs[k].b;
        u64 frame = frame_of[a];
        frame_of[a] = frame_of[b];
        frame_of[b] = frame;
        queue_page(a);
        queue_page(b);
    }
    queue_flush();
}

void write_protect_dirty(const u32 dirty[PAGES / 32])
{
    frames_start();
    for (u32 i = 0; i < PAGES; i++) {
        if (!(dirty[i / 32] >> (i % 32) & 1))
            continue;
        readonly[i] = 1;
        queue_page(i);
    }
    queue_flush();
}
