/* SPDX-License-Identifier: MIT */
/* A small kernel: processes, and fork() with copy on write. The same on every machine that it is ported to. */
#include "processes.h"

enum { FRAMES = 300 };

static u8 frames[FRAMES][4096] __attribute__((aligned(4096)));
static u16 users[FRAMES];   /* how many mappings a frame has; a page table has one */
static struct process processes[MAX_PROCESSES], *running;
static u32 cow;

/* --- frames --- */

static u32 number(const u8 *frame) { return (frame - frames[0]) / 4096; }

static void clear(u8 *frame)
{
    for (u32 i = 0; i < 1024; i++)
        ((u32 volatile *)frame)[i] = 0;
}

static u8 *frame_new(void)
{
    for (u32 i = 0; i < FRAMES; i++) {
        if (users[i])
            continue;
        users[i] = 1;
        clear(frames[i]);
        return frames[i];
    }
    kernel_panic("no frame is free");
}

static void frame_put(u8 *frame) { users[number(frame)]--; }

u32 frames_used(void)
{
    u32 n = 0;
    for (u32 i = 0; i < FRAMES; i++)
        n += users[i] > 0;
    return n;
}

u32 cow_faults(void) { return cow; }

/* --- processes --- */

void processes_start(void) { port_start(); }

static struct process *process_slot(void)
{
    for (struct process *p = processes; p < processes + MAX_PROCESSES; p++) {
        if (p->used)
            continue;
        *p = (struct process){ .used = 1 };
        for (u32 i = 0; i < SPACE_TABLES; i++)
            p->space.table[i] = frame_new();
        port_space_create(&p->space);
        return p;
    }
    return 0;
}

struct process *process_new(u32 pages)
{
    struct process *p = process_slot();
    struct mapping m[USER_PAGES];
    for (u32 i = 0; p && i < pages; i++)
        m[i] = (struct mapping){ i, p->frame[i] = frame_new(), 1 };
    if (p)
        port_space_map(&p->space, m, pages);
    return p;
}

struct process *process_fork(struct process *parent)
{
    struct process *p = process_slot();
    port_lazy_begin();
    for (u32 i = 0; p && i < USER_PAGES; i++) {
        struct mapping m = { i, parent->frame[i], 0 };
        if (!m.frame)
            continue;
        p->frame[i] = m.frame;
        users[number(m.frame)]++;
        port_space_map(&parent->space, &m, 1);
        port_space_map(&p->space, &m, 1);
    }
    port_lazy_end();
    return p;
}

/* It shares its pages with its own past. */
void process_save(struct process *p)
{
    port_lazy_begin();
    for (u32 i = 0; i < USER_PAGES; i++) {
        struct mapping m = { i, p->saved[i] = p->frame[i], 0 };
        if (!m.frame)
            continue;
        users[number(m.frame)]++;
        port_space_map(&p->space, &m, 1);
    }
    port_lazy_end();
}

void process_restore(struct process *p)
{
    port_lazy_begin();
    for (u32 i = 0; i < USER_PAGES; i++) {
        struct mapping m = { i, p->saved[i], 1 };
        if (!m.frame)
            continue;
        frame_put(p->frame[i]);
        p->frame[i] = m.frame;
        p->saved[i] = 0;
        port_space_map(&p->space, &m, 1);
    }
    port_lazy_end();
}

static void enter(struct process *p)
{
    if (running == p)
        return;
    if (running)
        running->space.current = 0;
    port_space_switch(p ? &p->space : 0);
    if (p)
        p->space.current = 1;
    running = p;
}

void process_exit(struct process *p)
{
    if (running == p)
        enter(0);
    port_space_destroy(&p->space);
    for (u32 i = 0; i < USER_PAGES; i++)
        if (p->frame[i])
            frame_put(p->frame[i]);
    for (u32 i = 0; i < SPACE_TABLES; i++)
        frame_put(p->space.table[i]);
    p->used = 0;
}

u32 process_run(struct process *p, void (*fn)(u32), u32 arg)
{
    enter(p);
    return user_run(fn, arg);
}

/* --- the page fault: called by entry.S --- */

static u8 *copy_of(const u8 *frame)
{
    u8 *copy = frame_new();
    for (u32 i = 0; i < 1024; i++)
        ((u32 *)copy)[i] = ((const u32 *)frame)[i];
    return copy;
}

void kernel_page_fault(u32 error)
{
    u32 address = port_fault_address(), page = (address - USER_BASE) >> 12;
    if (!running || page >= USER_PAGES || !running->frame[page] || !(error & 2)) {
        print("page fault at %x, error %x\n", address, error);
        kernel_panic("a page fault that nobody expected");
    }
    u8 *frame = running->frame[page];
    if (users[number(frame)] > 1) {
        running->frame[page] = copy_of(frame);
        frame_put(frame);
    }
    cow++;
    port_space_map(&running->space, &(struct mapping){ page, running->frame[page], 1 }, 1);
}

/* --- programs --- */

USER_CODE void user_add(u32 arg)
{
    u32 sum = 0;
    for (u32 i = 0; i < arg >> 16; i++)
        sum += *(u32 volatile *)(USER_BASE + i * 4096) += arg & 0xffff;
    for (;;)
        syscall(SYSCALL_EXIT, sum);
}

USER_CODE void user_sum(u32 arg)
{
    u32 sum = 0;
    for (u32 i = 0; i < arg >> 16; i++)
        sum += *(u32 volatile *)(USER_BASE + i * 4096);
    for (;;)
        syscall(SYSCALL_EXIT, sum);
}
