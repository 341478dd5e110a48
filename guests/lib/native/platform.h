/* SPDX-License-Identifier: MIT */
/* The inline half of kernel.h on a bare PC: here each of these is one instruction, or two. */
#ifndef GUEST_PLATFORM_H
#define GUEST_PLATFORM_H

/* Two-level paging (SDM vol. 3, 4.3): low memory is mapped one to one, by tables that lie one behind the other. A program has 15 MiB. */
#define MAPPED_TABLES 4
typedef u32 pte_t;
#define PTE_PRESENT 1u
#define PTE_WRITE 2u
#define PTE_USER 4u
#define PTE_USED 0x60u  /* accessed and dirty, as kernels write entries that they are about to use */
extern pte_t page_table[MAPPED_TABLES * 1024];

static inline pte_t pte_make(const void *page, u32 bits) { return (u32)page | bits | (bits & PTE_PRESENT ? PTE_USED : 0); }

static inline void pte_write(const void *page, pte_t pte)
{
    ((pte_t volatile *)page_table)[(u32)page >> 12] = pte;
}

static inline void pte_later(const void *page, pte_t pte) { pte_write(page, pte); }
static inline void pte_settle(void) { }

extern u32 page_directory[1024];
static inline void cr3_load(void) { __asm__ volatile("mov %0, %%cr3" : : "r"(page_directory) : "memory"); }
static inline void tlb_flush(void) { cr3_load(); }
static inline void tlb_flush_page(const void *page) { __asm__ volatile("invlpg %0" : : "m"(*(const char *)page) : "memory"); }
static inline void pte_change(const void *page, pte_t pte)
{
    pte_write(page, pte);
    tlb_flush_page(page);
}

static inline u8 io_in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void io_out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void io_out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }

static inline void io_out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u32 io_in32(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* A device's interrupt line at the PICs, 3 to 15; one at a time. The handler need not tell the PICs. */
void interrupt_install(u32 line, void (*handler)(void));
/* The 4 MiB around that guest-physical address become reachable, uncached; one such place. */
void *device_map(u32 gpa);

/* The value that CR0 has without TS; CR0 is written, not read and written, as kernels with a copy of it do. */
extern u32 cr0_without_ts;
#define CR0_TS 8u
static inline void fpu_trap(_Bool on)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0_without_ts | (on ? CR0_TS : 0)) : "memory");
}

static inline void interrupts_enable(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void interrupts_disable(void) { __asm__ volatile("cli" : : : "memory"); }

/* What waits comes now; none comes afterwards. */
static inline void interrupts_let_in(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }

static inline void cpu_identify(void)
{
    u32 a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

/* KVM answers a number that it does not know with an error, at once. */
static inline void monitor_call(void)
{
    u32 number = ~0u;
    __asm__ volatile("movl $1f, %0; vmcall; 1:" : "=m"(trap_resume), "+a"(number) : : "memory");
}

static inline u64 msr_read(u32 msr)
{
    u64 value;
    __asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
    return value;
}
static inline void msr_write(u32 msr, u64 value) { __asm__ volatile("wrmsr" : : "A"(value), "c"(msr)); }

/* In text mode VGA does not answer here. */
static inline void *device_memory(void) { return (void *)0xa0000; }

static inline _Bool page_at(const void *page, u32 mib)
{
    pte_write(page, mib << 20 | PTE_PRESENT | PTE_WRITE);
    return 1;
}

/* Local APIC, SDM vol. 3, chapter 11: registers at their usual place, interrupts at APIC_VECTOR. */
enum { APIC_BASE = 0xfee00000u, APIC_ID = 0x20, APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_SVR = 0xf0, APIC_ICR = 0x300, APIC_VECTOR = 0x40 };
extern u32 volatile apic_interrupts;
_Bool apic_start(void);
static inline u32 volatile *apic_register(u32 offset) { return (u32 volatile *)(APIC_BASE + offset); }
static inline u32 apic_read_id(void) { return *apic_register(APIC_ID); }
static inline void apic_write_tpr(u32 value) { *apic_register(APIC_TPR) = value; }
/* Periodic, at APIC_VECTOR; the timer counts one in eight cycles. */
enum { APIC_LVT_TIMER = 0x320, APIC_INITIAL = 0x380, APIC_DIVIDE = 0x3e0 };
static inline void apic_timer(u32 cycles)
{
    *apic_register(APIC_DIVIDE) = 0xb;  /* by one */
    *apic_register(APIC_LVT_TIMER) = 0x20000 | APIC_VECTOR;
    *apic_register(APIC_INITIAL) = cycles / 8;
}
static inline void apic_self_ipi(void) { *apic_register(APIC_ICR) = 0x40000 | APIC_VECTOR; }

#endif
