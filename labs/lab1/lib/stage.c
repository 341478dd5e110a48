/* SPDX-License-Identifier: MIT */
/*
 * The stage. The instruction runs as a task of its own (SDM vol. 3, 7.2 and 7.3): entering it loads a whole processor from a TSS, and
 * every exception is a task gate back to us, so all that the instruction did is saved in its TSS, on whatever ring it ran, and
 * no stack of its own is written. Behind it, and at TARGET, stand INT3s.
 */
#include "lab1.h"

#define CODE 0x20000u

struct __attribute__((packed)) table_register { u16 limit; u32 base; };
struct tss { u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, gpr[8], sel[6], ldtr; u16 trap, io_map; };

enum { SEL_STAGE = 0x58, DESCRIPTORS = 12, VECTORS = 32 };
static struct tss stage, guest_task;
static u64 guest_gdt[DESCRIPTORS], monitor_gdt[DESCRIPTORS], guest_idt[VECTORS], monitor_idt[VECTORS], ldt[2];

static u64 descriptor(u32 base, u32 limit, u32 access)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(access & 0xff) << 40 | (u64)(limit >> 16 & 15) << 48 |
           (u64)(access >> 8) << 52 | (u64)(base >> 24) << 56;
}

static void gdt_make(u64 *gdt, u32 user_pages)
{
    gdt[SEL_CODE0 >> 3] = descriptor(0, 0xfffff, 0xc9b);
    gdt[SEL_DATA0 >> 3] = descriptor(0, 0xfffff, 0xc93);
    gdt[SEL_CODE1 >> 3] = descriptor(0, 0xfffff, 0xcbb);
    gdt[SEL_DATA1 >> 3] = descriptor(0, 0xfffff, 0xcb3);
    gdt[SEL_DATA3 >> 3] = descriptor(0, 0xfffff, 0xcf3);
    gdt[SEL_USER >> 3] = descriptor(0, user_pages, 0xcf3);
    gdt[SEL_CONFORMING >> 3] = descriptor(0, 0xfffff, 0xc9f);
    gdt[SEL_LDT >> 3] = descriptor((u32)ldt, sizeof ldt - 1, 0x082);
    gdt[SEL_TSS >> 3] = gdt[SEL_MONITOR_TSS >> 3] = descriptor((u32)&guest_task, sizeof guest_task - 1, 0x089);
    gdt[SEL_STAGE >> 3] = descriptor((u32)&stage, sizeof stage - 1, 0x089);
}

/* Vector 3 may be called from everywhere. */
static void idt_make(u64 *idt)
{
    for (u32 v = 0; v < VECTORS; v++)
        idt[v] = (u64)SEL_STAGE << 16 | (u64)(v == 3 ? 0xe500 : 0x8500) << 32;
}

static void memory_make(const struct specimen *s)
{
    u8 *code = (u8 *)CODE;
    u32 *stack = (u32 *)(STACK_TOP - 32), *memory = (u32 *)OPERAND;
    for (u32 i = 0; i < 0x1000; i++)
        code[i] = i < s->len ? s->code[i] : 0xcc;
    for (u32 i = 0; i < 16; i++)
        stack[i] = i >= 8 && i < 13 ? s->stack[i - 8] : 0;
    for (u32 i = 0; i < 8; i++)
        memory[i] = i < 2 ? s->memory[i] : 0;
}

static void task_make(const struct specimen *s, const struct image *c)
{
    guest_task = (struct tss){ .cr3 = (u32)page_directory, .eip = CODE, .eflags = c->eflags | 2, .ldtr = c->ldtr, .io_map = sizeof guest_task };
    u32 gpr[8] = { s->eax, 0, 0, OPERAND, STACK_TOP, 0, OPERAND + 16, OPERAND + 16 };
    for (u32 i = 0; i < 8; i++)
        guest_task.gpr[i] = gpr[i];
    for (u32 i = 0; i < 6; i++)
        guest_task.sel[i] = c->sel[i];
}

static u32 segment_limit(u16 selector)
{
    u32 limit = 0;
    __asm__("lsl %1, %0" : "+r"(limit) : "r"((u32)selector) : "cc");
    return limit;
}

/* There and back: a task gate may push an error code, and sets NT. */
static void task_enter(u16 tss)
{
    static struct { u32 offset; u16 selector; } far; /* not on the stack, which moves */
    static u32 esp;
    far.selector = tss;
    __asm__ volatile("pushf; pusha; mov %%esp, %1; ljmp *%0; mov %1, %%esp; popa; popf" : "+m"(far), "+m"(esp) : : "memory", "cc");
}

static void cr0_write(u32 value) { __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }
static u32 cr0_read(void)
{
    u32 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static void outcome_take(const struct image *start, struct outcome *o)
{
    u32 eip = guest_task.eip;
    o->trapped = *(u8 *)(eip - 1) != 0xcc || eip < CODE || eip > CODE + 0x1000;
    o->start = o->end = *start;
    o->end.eflags = guest_task.eflags;
    for (u32 i = 0; i < 6; i++) {
        o->end.sel[i] = guest_task.sel[i];
        o->limit[i] = segment_limit(guest_task.sel[i]);
    }
    for (u32 i = 0; i < 8; i++)
        o->gpr[i] = guest_task.gpr[i];
    for (u32 i = 0; i < 16; i++)
        o->stack[i] = ((u32 *)(STACK_TOP - 32))[i];
    for (u32 i = 0; i < 8; i++)
        o->memory[i] = ((u32 *)OPERAND)[i];
}

static void play(const struct image *start, _Bool deprivileged, struct outcome *o)
{
    struct table_register own_gdt, own_idt, gdt = { sizeof guest_gdt - 1, (u32)(deprivileged ? monitor_gdt : guest_gdt) },
                          idt = { sizeof guest_idt - 1, (u32)(deprivileged ? monitor_idt : guest_idt) };
    u32 cr0 = cr0_read();
    u16 own_tr;
    gdt_make(guest_gdt, 0xfffff);
    gdt_make(monitor_gdt, 0xbffff);
    idt_make(guest_idt);
    idt_make(monitor_idt);
    stage.cr3 = (u32)page_directory;
    __asm__ volatile("sgdt %0; sidt %1; str %2" : "=m"(own_gdt), "=m"(own_idt), "=r"(own_tr));
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdt), "m"(idt), "r"(SEL_STAGE) : "memory");
    cr0_write(start->cr0);
    task_enter(deprivileged ? SEL_MONITOR_TSS : SEL_TSS);
    cr0_write(cr0);
    outcome_take(start, o);
    __asm__ volatile("lgdt %0; lidt %1; lldt %w2" : : "m"(own_gdt), "m"(own_idt), "r"(0) : "memory");
    ((u8 *)own_gdt.base)[own_tr + 5] &= ~2u; /* not busy, so that LTR takes it again */
    __asm__ volatile("ltr %0; mov %1, %%fs; mov %1, %%gs" : : "r"(own_tr), "r"(0) : "memory");
}

void stage_run(const struct specimen *s, _Bool deprivileged, struct outcome *o)
{
    struct image c = { .cr0 = cr0_read() & ~CR0_EM, .sel = { SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, SEL_DATA0, SEL_DATA0 }, .ldtr = SEL_LDT, .tr = SEL_TSS };
    if (deprivileged)
        deprivilege(&c);
    memory_make(s);
    task_make(s, &c);
    play(&c, deprivileged, o);
}

void stage_try(const struct specimen *s)
{
    static const char *const names[] = { "same", "traps", "betrays" };
    static struct outcome real, naive;
    stage_run(s, 1, &naive);
    real = naive;
    if (!naive.trapped) /* what traps is not let loose in ring 0: it might halt, or load what it likes */
        stage_run(s, 0, &real);
    enum verdict v = judge(&real, &naive);
    print("@lab1 %s %s\n", s->name, v <= BETRAYS ? names[v] : "?");
}
