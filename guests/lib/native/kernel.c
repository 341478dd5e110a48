/* SPDX-License-Identifier: MIT */
/* Native guest: descriptor tables, paging, serial console, timer, the end. Read kernel_start() first. */
#include "kernel.h"

enum { KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_CODE_SEL = 0x1b, USER_DATA_SEL = 0x23, TSS_SEL = 0x28 };

u32 volatile trap_resume, timer_ticks, apic_interrupts;
u32 cr0_without_ts;

/* --- descriptor tables (SDM vol. 3, 3.4.5, 6.11, 7.2) --------------------------------------------- */

struct __attribute__((packed)) table_register { u16 limit; u32 base; };

/* The 32-bit TSS; only the ring-0 stack is used: where the processor goes from ring 3. */
struct { u32 link, esp0, ss0, unused[22]; u16 trap, io_map; } tss = { .ss0 = KERNEL_DATA, .io_map = sizeof tss };

static u64 gdt[6] = {
    0,
    0x00cf9a000000ffff, /* 0x08 code, ring 0, flat 4 GiB */
    0x00cf92000000ffff, /* 0x10 data, ring 0 */
    0x00cffa000000ffff, /* 0x1b code, ring 3 */
    0x00cff2000000ffff, /* 0x23 data, ring 3 */
};
static u64 idt[0x81];

static void gdt_load(void)
{
    u32 base = (u32)&tss;
    gdt[5] = (sizeof tss - 1) | (u64)(base & 0xffffff) << 16 | (u64)0x89 << 40 | (u64)(base >> 24) << 56;
    struct table_register r = { sizeof gdt - 1, (u32)gdt };
    __asm__ volatile("lgdt %0; ljmp %1, $1f; 1:" : : "m"(r), "i"(KERNEL_CODE) : "memory");
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs" : : "r"(KERNEL_DATA), "r"(0));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SEL));
}

/* An interrupt gate (which turns IF off) that `dpl` and more privileged code may call by INT. */
static void idt_set(u32 vector, void (*entry)(void), u32 dpl)
{
    u32 address = (u32)entry;
    idt[vector] = (address & 0xffff) | KERNEL_CODE << 16 | (u64)(0x8e00 | dpl << 13) << 32 | (u64)(address >> 16) << 48;
}

#define EXCEPTIONS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19)
#define DECLARE(n) void exception_##n(void);
EXCEPTIONS(DECLARE)
void interrupt_timer(void), interrupt_apic(void), interrupt_line(void), interrupt_spurious(void), system_call(void);

static void idt_load(void)
{
#define SET(n) idt_set(n, exception_##n, 0);
    EXCEPTIONS(SET)
    for (u32 v = 0x20; v < 0x30; v++)
        idt_set(v, interrupt_spurious, 0);
    idt_set(0x20, interrupt_timer, 0);
    idt_set(APIC_VECTOR, interrupt_apic, 0);
    idt_set(0x80, system_call, 3);
    struct table_register r = { sizeof idt - 1, (u32)idt };
    __asm__ volatile("lidt %0" : : "m"(r));
}

/* Called by start.S; the stack says the rest. */
_Noreturn void exception_report(const u32 *frame)
{
    u32 cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    print("exception %u, error %x, at %x, cr2 %x\n", frame[0], frame[1], frame[2], cr2);
    kernel_panic("unexpected exception");
}

/* --- paging: as many times 4 MiB one to one as the program needs, user pages where link.ld put them --- */

pte_t page_table[MAPPED_TABLES * 1024] __attribute__((aligned(4096)));
u32 page_directory[1024] __attribute__((aligned(4096)));
extern char user_begin[], user_end[], program_end[];

#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u

static void paging_start(void)
{
    u32 tables = ((u32)program_end >> 22) + 1;
    for (u32 i = 0; i < 1024 * tables; i++) {
        u32 page = i << 12;
        _Bool user = page >= (u32)user_begin && page < (u32)user_end;
        page_table[i] = page | PTE_PRESENT | PTE_WRITE | (user ? PTE_USER : 0);
    }
    for (u32 i = 0; i < tables; i++)
        page_directory[i] = (u32)&page_table[1024 * i] | PTE_PRESENT | PTE_WRITE | PTE_USER;
    u32 cr0;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    cr0_without_ts = (cr0 | CR0_PG | CR0_WP | CR0_NE) & ~CR0_TS;
    cr3_load();
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0_without_ts) : "memory");
}

/* --- console: COM1, a 16550 with its FIFO on -------------------------------------------------- */

enum { COM1 = 0x3f8, UART_LCR = 3, UART_FCR = 2, UART_LSR = 5, LSR_THR_EMPTY = 0x20, FIFO_SIZE = 16 };

static void console_start(void)
{
    io_out8(COM1 + UART_LCR, 0x80);     /* divisor latch: 115200 baud */
    io_out8(COM1 + 0, 1);
    io_out8(COM1 + 1, 0);
    io_out8(COM1 + UART_LCR, 3);        /* 8N1 */
    io_out8(COM1 + UART_FCR, 7);
}

/* When the transmitter is empty, a whole FIFO of characters may follow without asking again. */
void console_write(const char *text, u32 len)
{
    for (u32 i = 0; i < len; i++) {
        if (i % FIFO_SIZE == 0)
            while (!(io_in8(COM1 + UART_LSR) & LSR_THR_EMPTY))
                ;
        io_out8(COM1, text[i]);
    }
}

/* --- interrupts: both PICs at vectors 0x20 to 0x2f, all masked; the PIT when it is wanted -------- */

enum { PIC1 = 0x20, PIC2 = 0xa0, PIT_CHANNEL0 = 0x40, PIT_CONTROL = 0x43, PIT_HZ = 1193182 };

static void pic_start(void)
{
    static const u8 words[][2] = { { PIC1, 0x11 }, { PIC2, 0x11 }, { PIC1 + 1, 0x20 }, { PIC2 + 1, 0x28 },
                                   { PIC1 + 1, 4 }, { PIC2 + 1, 2 }, { PIC1 + 1, 1 }, { PIC2 + 1, 1 },
                                   { PIC1 + 1, 0xff }, { PIC2 + 1, 0xff } };
    for (u32 i = 0; i < sizeof words / sizeof *words; i++)
        io_out8(words[i][0], words[i][1]);
}

void timer_start(u32 hz)
{
    u32 divisor = PIT_HZ / hz;
    io_out8(PIT_CONTROL, 0x34);         /* channel 0, low then high byte, mode 2 */
    io_out8(PIT_CHANNEL0, divisor);
    io_out8(PIT_CHANNEL0, divisor >> 8);
    io_out8(PIC1 + 1, 0xfe);
}

/* --- one device's interrupt line, 3 to 15 ----------------------------------------------------------- */

static void (*line_handler)(void);
static _Bool line_is_second;

/* Both PICs are told of the end when it came through the second. Called by start.S. */
void interrupt_dispatch(void)
{
    line_handler();
    if (line_is_second)
        io_out8(PIC2, 0x20);
    io_out8(PIC1, 0x20);
}

void interrupt_install(u32 line, void (*handler)(void))
{
    line_handler = handler;
    line_is_second = line >= 8;
    idt_set(0x20 + line, interrupt_line, 0);
    io_out8(PIC1 + 1, line_is_second ? (u8)~(1 << 2) : (u8)~(1 << line));
    io_out8(PIC2 + 1, line_is_second ? (u8)~(1 << (line - 8)) : 0xff);
}

/* --- devices' memory: 4 MiB of it, mapped where they are, by one more table ------------------------- */

static pte_t device_table[1024] __attribute__((aligned(4096)));

void *device_map(u32 gpa)
{
    enum { UNCACHED = 1 << 4 };
    for (u32 i = 0; i < 1024; i++)
        device_table[i] = (gpa & 0xffc00000u) + (i << 12) + (UNCACHED | PTE_PRESENT | PTE_WRITE);
    page_directory[gpa >> 22] = (u32)device_table | PTE_PRESENT | PTE_WRITE;
    tlb_flush();
    return (void *)gpa;
}

/* --- the local APIC, mapped where it is by a table of its own; the PIC's interrupts still come, through LINT0 ----- */

static pte_t apic_table[1024] __attribute__((aligned(4096)));

_Bool apic_start(void)
{
    enum { CPUID_APIC = 1 << 9, UNCACHED = 1 << 4, SVR_ENABLED = 0x100, SPURIOUS = 0x2f };
    u32 a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(d & CPUID_APIC))
        return 0;
    apic_table[APIC_BASE >> 12 & 1023] = APIC_BASE | UNCACHED | PTE_PRESENT | PTE_WRITE;
    page_directory[APIC_BASE >> 22] = (u32)apic_table | PTE_PRESENT | PTE_WRITE;
    tlb_flush();
    *apic_register(APIC_SVR) = SVR_ENABLED | SPURIOUS;
    return 1;
}

/* --- the end ---------------------------------------------------------------------------------- */

enum { DEBUG_EXIT = 0xf4, ACPI_PM1A_CONTROL = 0x604, ACPI_SLEEP_S5 = 0x2000 };

_Noreturn void kernel_exit(u32 code)
{
    if (code == 0)
        io_out16(ACPI_PM1A_CONTROL, ACPI_SLEEP_S5);
    io_out8(DEBUG_EXIT, code);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void kernel_panic(const char *why)
{
    print("panic: %s\n", why);
    kernel_exit(99);
}

/* --- the command line, where the loader has put it (multiboot 0.6.96, 3.3): copied before anything is mapped ------ */

enum { MULTIBOOT_CMDLINE = 1 << 2 };
static char command_line[256];

static void command_line_take(const u32 *info)
{
    /* All of it and what is behind, so that how many instructions a guest executes does not depend on the name of its file. */
    const char *from = info[0] & MULTIBOOT_CMDLINE ? (const char *)info[4] : command_line;
    for (u32 i = 0; i < sizeof command_line - 1; i++)
        command_line[i] = from[i];
}

const char *kernel_command_line(void) { return command_line; }

/* Called by start.S on the kernel's stack, as the loader left the machine: ring 0, flat, paging off, interrupts off. */
_Noreturn void kernel_start(const u32 *boot_info)
{
    command_line_take(boot_info);
    gdt_load();
    idt_load();
    pic_start();
    paging_start();
    console_start();
    guest_main();
    kernel_exit(0);
}
