/* SPDX-License-Identifier: MIT */
/*
 * Several processors: find them (MP table), start them (INIT, start-up IPI), let them count under a lock, and speak to one another by
 * interprocessor interrupts. It ends with status 0 only if all of that came out right.
 */
#include "kernel.h"

enum { LAPIC = 0xfee00000u, REG_ID = 0x20, REG_SVR = 0xf0, REG_ICR_LOW = 0x300, REG_ICR_HIGH = 0x310, REG_TIMER = 0x320, REG_INITIAL = 0x380, REG_DIVIDE = 0x3e0,
       REG_LDR = 0xd0 };
enum { ICR_NMI = 0x400, ICR_INIT = 0x500, ICR_STARTUP = 0x600, ICR_LOGICAL = 0x800, ICR_PENDING = 0x1000, ICR_ASSERT = 0x4000, ICR_LEVEL = 0x8000, ICR_OTHERS = 0xc0000 };
enum { VECTOR_NMI = 2, VECTOR_IPI = 0x40, VECTOR_TIMER = 0x41, VECTOR_SPURIOUS = 0xff };
enum { TRAMPOLINE = 0x7000, MAX = 8, COUNTS = 2000, STACK = 4096 };
enum { COM1 = 0x3f8, COM1_STATUS = 0x3fd, CMOS = 0x70, CMOS_SHUTDOWN = 0x0f, JUMP_TO_467 = 0x0a, POWER = 0x604, DEBUG_EXIT = 0xf4 };

extern u8 trampoline[], trampoline_end[], patched[];
extern u32 trampoline_stack;
void entry_ipi(void), entry_timer(void), entry_nmi(void), entry_spurious(void);

u32 volatile ipis, timer_interrupts, nmis;
static u32 volatile running, counter, per_cpu[MAX], lock, phase, seen;
static u8 stacks[MAX][STACK] __attribute__((aligned(16)));
static u64 idt[256];

/* --- the machine --- */

static void out8(u32 port, u8 v) { __asm__ volatile("outb %0, %w1" : : "a"(v), "Nd"(port)); }
static u8 in8(u32 port)
{
    u8 v;
    __asm__ volatile("inb %w1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static u32 volatile *reg(u32 offset) { return (u32 volatile *)(LAPIC + offset); }
static u32 this_cpu(void) { return *reg(REG_ID) >> 24; }
static void relax(void) { __asm__ volatile("pause" : : : "memory"); }

void console_write(const char *text, u32 len)
{
    for (u32 i = 0; i < len; i++) {
        while (!(in8(COM1_STATUS) & 0x20))
            relax();
        out8(COM1, text[i]);
    }
}

_Noreturn void kernel_exit(u32 code)
{
    if (code == 0)
        __asm__ volatile("outw %w0, %w1" : : "a"(0x2000), "Nd"(POWER));
    out8(DEBUG_EXIT, code);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void check(const char *what, u32 is, u32 should)
{
    if (is == should)
        return;
    print("%s: %u, not %u\n", what, is, should);
    kernel_exit(1);
}

/* Wait until a counter that others move has come so far; interrupts may be on. */
static void await(u32 volatile *value, u32 goal)
{
    while (*value < goal)
        relax();
}

/* --- finding them: MultiProcessor Specification 1.4, chapter 4 --- */

struct floating { char signature[4]; u32 table; u8 length, revision, sum, features[5]; };
struct table { char signature[4]; u16 length; u8 revision, sum; char names[20]; u32 oem; u16 oem_size, entries; u32 lapic; u32 extended; u8 entry[]; };

static u8 sum(const void *bytes, u32 n)
{
    u8 s = 0;
    for (u32 i = 0; i < n; i++)
        s += ((const u8 *)bytes)[i];
    return s;
}

static const struct floating *search(u32 from, u32 len)
{
    for (u32 at = from; at < from + len; at += 16)
        if (*(u32 *)at == 0x5f504d5f /* "_MP_" */ && !sum((void *)at, 16))
            return (const struct floating *)at;
    return 0;
}

static u16 low_word(u32 address)
{
    __asm__("" : "+r"(address)); /* the compiler takes small addresses for mistakes */
    return *(u16 *)address;
}

/* Segment and offset, at 40:67. */
static void warm_reset_vector(u32 to)
{
    u32 address = 0x467;
    __asm__("" : "+r"(address));
    *(u32 volatile *)address = to;
}

static const struct table *find_table(void)
{
    const struct floating *f = search((u32)low_word(0x40e) << 4, 1024);
    if (!f)
        f = search((u32)low_word(0x413) * 1024 - 1024, 1024);
    if (!f)
        f = search(0xf0000, 0x10000);
    const struct table *t = f ? (const struct table *)f->table : 0;
    return t && !sum(t, t->length) ? t : 0;
}

static u32 count_processors(const struct table *t)
{
    const u8 *e = t->entry;
    u32 n = 0;
    for (u32 i = 0; i < t->entries; i++) {
        n += e[0] == 0 && e[3] & 1;
        e += e[0] == 0 ? 20 : 8;
    }
    return n;
}

/* --- starting them: B.4 --- */

static void idt_set(u32 vector, void (*entry)(void))
{
    u32 address = (u32)entry;
    idt[vector] = (address & 0xffff) | 0x08 << 16 | (u64)0x8e00 << 32 | (u64)(address >> 16) << 48;
}

static void processor_start(void)
{
    struct __attribute__((packed)) { u16 limit; u32 base; } r = { sizeof idt - 1, (u32)idt };
    __asm__ volatile("lidt %0" : : "m"(r));
    *reg(REG_LDR) = 1u << (24 + this_cpu());
    *reg(REG_SVR) = 0x100 | VECTOR_SPURIOUS;
}

static void send(u32 to, u32 command)
{
    *reg(REG_ICR_HIGH) = to << 24;
    *reg(REG_ICR_LOW) = command;
    while (*reg(REG_ICR_LOW) & ICR_PENDING)
        relax();
}

static void delay(u32 cycles)
{
    for (u64 start = rdtsc(); rdtsc() - start < cycles;)
        relax();
}

static void start(u32 cpu)
{
    u32 before = running;
    trampoline_stack = (u32)stacks[cpu] + STACK;
    out8(CMOS, CMOS_SHUTDOWN);
    out8(CMOS + 1, JUMP_TO_467);        /* for processors whose INIT is a reset */
    warm_reset_vector(TRAMPOLINE << 12);
    send(cpu, ICR_INIT | ICR_LEVEL | ICR_ASSERT);
    delay(1000);
    send(cpu, ICR_INIT | ICR_LEVEL);
    for (u32 i = 0; i < 2; i++) {
        send(cpu, ICR_STARTUP | TRAMPOLINE >> 12);
        delay(1000);
    }
    await(&running, before + 1);
}

/* --- what they do --- */

static void acquire(void)
{
    u32 taken = 1;
    for (;;) {
        __asm__ volatile("xchg %0, %1" : "+r"(taken), "+m"(lock) : : "memory");
        if (!taken)
            return;
        relax();
    }
}
static void release(void) { __asm__ volatile("movl $0, %0" : "=m"(lock) : : "memory"); }

/* The counter is read, and written some time later: without the lock counts would be lost. */
static void count(void)
{
    u32 me = this_cpu();
    for (u32 i = 0; i < COUNTS; i++) {
        acquire();
        u32 was = counter;
        for (u32 wait = i % 8; wait; wait--)
            relax();
        counter = was + 1;
        release();
        per_cpu[me]++;
    }
}

/* SDM vol. 3, 9.1.3: who executes code that another processor modified first executes a serializing instruction. */
static u32 call_patched(void)
{
    u32 a = 0;
    __asm__ volatile("cpuid" : "+a"(a) : : "ebx", "ecx", "edx", "memory");
    return ((u32(*)(void))patched)();
}

_Noreturn void other_main(void)
{
    processor_start();
    __asm__ volatile("lock incl %0" : "+m"(running));
    await(&phase, 1);
    count();
    __asm__ volatile("lock incl %0" : "+m"(running));
    while (call_patched() != 2)
        relax();
    __asm__ volatile("lock incl %0" : "+m"(seen));
    for (;;)
        __asm__ volatile("sti; hlt");
}

static void count_together(u32 n)
{
    phase = 1;
    count();
    await(&running, 2 * n - 1);
    check("counted under the lock", counter, n * COUNTS);
    for (u32 i = 0; i < n; i++)
        check("counted by one", per_cpu[i], COUNTS);
}

static void patch(u32 n)
{
    delay(100000);                      /* they call what it was for a while */
    check("returned before the patch", call_patched(), 1);
    patched[1] = 2;                     /* mov $2, %eax */
    await(&seen, n - 1);
    check("returned behind the patch", call_patched(), 2);
}

static void interrupt(u32 n)
{
    send(0, ICR_OTHERS | VECTOR_IPI);
    await(&ipis, n - 1);
    for (u32 i = 1; i < n; i++) {
        send(i, VECTOR_IPI);
        send(1u << i, ICR_LOGICAL | VECTOR_IPI);
    }
    await(&ipis, n); /* the two of one processor may have been merged */
    delay(100000);
    send(0, ICR_OTHERS | ICR_NMI);
    await(&nmis, n - 1);
    check("NMIs", nmis, n - 1);
}

static void sleep(void)
{
    *reg(REG_DIVIDE) = 0x0b;            /* by one */
    *reg(REG_TIMER) = VECTOR_TIMER;
    u64 start = rdtsc();
    *reg(REG_INITIAL) = 10000;
    while (!timer_interrupts)
        __asm__ volatile("sti; hlt; cli");
    u32 took = rdtsc() - start;
    check("timer interrupts", timer_interrupts, 1);
    check("slept for less than the timer's time", took < 10000, 0);
}

_Noreturn void first_main(void)
{
    const struct table *t = find_table();
    check("MP table", t != 0, 1);
    u32 n = count_processors(t);
    idt_set(VECTOR_NMI, entry_nmi);
    idt_set(VECTOR_IPI, entry_ipi);
    idt_set(VECTOR_TIMER, entry_timer);
    idt_set(VECTOR_SPURIOUS, entry_spurious);
    processor_start();
    for (u32 i = 0; trampoline + i < trampoline_end; i++)
        ((u8 volatile *)TRAMPOLINE)[i] = trampoline[i];
    running = 1;
    for (u32 i = 1; i < n; i++)
        start(i);
    count_together(n);
    patch(n);
    if (n > 1)
        interrupt(n);
    sleep();
    print("@smp processors %u counted %u\n", n, counter);
    kernel_exit(0);
}
