/* SPDX-License-Identifier: MIT */
/*
 * What a guest program (guests/NAME/NAME.c) is written against. It is a small kernel's inside: console, faults, one
 * user-mode task, page-table entries, a timer. There are two implementations, and comparing them is a lesson:
 *
 *     guests/lib/native   a bare PC: multiboot, ring 0, own descriptor tables, page tables, PIC, PIT, COM1
 *     guests/lib/xen      the same kernel ported to Xen: ring 1, hypercalls, event channels, shared rings
 *
 * The program defines guest_main(). It runs with paging on, interrupts off, and all of its memory mapped by 4-KiB
 * pages. What must cost only its own instruction (reading the clock, a store into a page table) is inline and
 * stands in each implementation's platform.h; the rest is functions.
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* The program. Returning is kernel_exit(0). */
void guest_main(void);

/* What stands behind -append, perhaps with the kernel's name before it. */
const char *kernel_command_line(void);

/* --- console ---------------------------------------------------------------------------------- */

void console_write(const char *text, u32 len);
/* A small printf: %s, %u (u32), %U (u64), %x (u32, hexadecimal), %%. */
void print(const char *format, ...);

/* --- the end ---------------------------------------------------------------------------------- */

/* 0: turn the machine off. Otherwise end with that code, 1 to 127 (emu's exit status is then (code << 1) | 1). */
_Noreturn void kernel_exit(u32 code);
/* Print why, and end with code 99. */
_Noreturn void kernel_panic(const char *why);

/* --- the command line --------------------------------------------------------------------------- */

/* The number behind `key` (as "pages=") in kernel_command_line(), or `otherwise`. */
u32 kernel_argument(const char *key, u32 otherwise);

/* --- faults ----------------------------------------------------------------------------------- */

/* While not 0: a #DE, #UD, #GP or #PF in the kernel continues at this address, with nothing else changed. The handler does no
 * more than that, so that a fault can be timed. While 0: an exception is a panic that prints vector, error and address. */
extern u32 volatile trap_resume;

/* --- user mode -------------------------------------------------------------------------------- */

/* What the user-mode task executes or touches carries these; all other memory is the kernel's. A USER_CODE function
 * may call only other USER_CODE functions, and must be kept from using switch tables or string constants. */
#define USER_CODE __attribute__((section(".user.text"), noinline))
#define USER_DATA __attribute__((section(".user.data")))

/* Run fn(arg) in ring 3 with interrupts as they are, until it makes SYSCALL_EXIT (it must not return). Returns the exit's value. */
u32 user_run(void (*fn)(u32 arg), u32 arg);

/* A system call is INT 0x80, number in EAX, argument in EBX; the result comes in EAX, other registers are kept. */
#define SYSCALL_NULL 0  /* back at once, EAX is 0 */
#define SYSCALL_EXIT 1  /* end of the task; EBX is user_run()'s result */
static inline u32 syscall(u32 number, u32 argument)
{
    u32 result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(argument) : "memory");
    return result;
}

/* --- timer ------------------------------------------------------------------------------------ */

/* Count timer_ticks up, `hz` times a second (20 to 1000), and let interrupts in while kernel_idle() waits. */
void timer_start(u32 hz);
extern u32 volatile timer_ticks;
/* Give the processor away until an interrupt has been handled; interrupts are off again on return. */
void kernel_idle(void);

/* --- inline, in platform.h -------------------------------------------------------------------- */

/* Processor's time-stamp counter. */
static inline u64 rdtsc(void)
{
    u64 t;
    __asm__ volatile("rdtsc" : "=A"(t));
    return t;
}

/*
 * platform.h of each implementation has:
 *
 * pte_t                       a page-table entry
 * PTE_PRESENT PTE_WRITE       its bits
 * pte_t pte_make(page, bits)  the entry that maps `page` (an address in this program) to its own frame
 * void pte_write(page, pte)   store the entry of `page`; stale translations may live on until tlb_flush()
 * void pte_later(page, pte)   the same, but it need not be so before pte_settle(): many entries at a time, as at fork and exit
 * void pte_settle(void)
 * void pte_change(page, pte)  pte_write() and tlb_flush_page() in one, as after a fault
 * void tlb_flush(void)        forget all translations
 * void tlb_flush_page(page)   forget that of one page
 * void cr3_load(void)         load the page-table base, as every switch of address spaces does (here it stays the same)
 * u8 io_in8(port)             read an I/O port
 * void fpu_trap(bool on)      set or clear CR0.TS: the sensitive register that every kernel writes at a task switch
 *
 * For guests/exitcost; what one side lacks is false or NULL there:
 * void io_out8(port, value)   write an I/O port
 * void cpu_identify(void)     CPUID
 * void monitor_call(void)     the cheapest explicit call of the monitor; where there is none, #UD. Uses trap_resume
 * u64 msr_read(n), void msr_write(n, value)
 * void *device_memory(void)   an address where no memory is, which a device could claim
 * bool page_at(page, mib)     map `page` to the frame at that MiB of guest-physical memory: another one than its own
 * bool apic_start(void)       switch the local APIC on
 * void apic_timer(cycles)     an interrupt each so many cycles, counted in apic_interrupts
 * void interrupts_enable(void), interrupts_disable(void)
 * void interrupts_let_in(void)    those that wait already
 * void apic_self_ipi(void)    an interrupt to this processor, counted in apic_interrupts; the handler ends it
 * u32 apic_read_id(void), void apic_write_tpr(u32)
 */
#include "platform.h"

#endif
