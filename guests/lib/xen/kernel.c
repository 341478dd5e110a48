/* SPDX-License-Identifier: MIT */
/* Xen guest: trap table, shared pages, console ring, event channels, the end. Read kernel_start() first. */
#include "kernel.h"

#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

u32 volatile trap_resume, timer_ticks;
const u32 *machine_frame;
u32 base_frame;

/* Its frame is exchanged for the one that Xen shares with us. */
static union { struct shared_info info; u8 page[4096]; } shared __attribute__((aligned(4096)));
struct shared_info *const xen_shared = &shared.info;
const struct start_info *xen_start;
static struct xencons_interface *console;
static evtchn_port_t console_port, timer_port;

/* --- traps: Xen owns the real IDT; this is what it consults --------------------------------------- */

#define EXCEPTIONS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19)
#define DECLARE(n) void exception_##n(void);
EXCEPTIONS(DECLARE)
void system_call(void), event_entry(void), failsafe_entry(void);

static void traps_start(void)
{
#define ENTRY(n) { n, 0, FLAT_KERNEL_CS, (unsigned long)exception_##n },
    static const struct trap_info table[] = {
        EXCEPTIONS(ENTRY)
        { 0x80, 3, FLAT_KERNEL_CS, (unsigned long)system_call },
        { 0, 0, 0, 0 },
    };
    hypercall1(__HYPERVISOR_set_trap_table, table);
    hypercall4(__HYPERVISOR_set_callbacks, FLAT_KERNEL_CS, event_entry, FLAT_KERNEL_CS, failsafe_entry);
}

/* Called by start.S; the stack says the rest. */
_Noreturn void exception_report(const u32 *frame)
{
    print("exception %u, error %x, at %x, cr2 %x\n", frame[0], frame[1], frame[2], (u32)shared.info.vcpu_info[0].arch.cr2);
    kernel_panic("unexpected exception");
}

/* --- paging: Xen has made the tables; user pages get their U bit ---------------------------------- */

extern char user_begin[], user_end[];

static void paging_start(void)
{
    for (char *page = user_begin; page < user_end; page += 4096)
        pte_write(page, pte_make(page, PTE_PRESENT | PTE_WRITE | PTE_USER));
    tlb_flush();
}

/* The address of the machine frame's contents, for those that the domain was given at its start. */
static u64 *table_at(u64 entry) { return (u64 *)(VIRT_BASE + (machine_to_phys_mapping[(u32)(entry >> 12)] << 12)); }

/* Machine address of the entry that maps `page`: what mmu_update is told. */
static u64 pte_machine_address(const void *page)
{
    u32 address = (u32)page;
    u64 *level3 = (u64 *)xen_start->pt_base, *level2 = table_at(level3[address >> 30]);
    return (level2[address >> 21 & 511] & ~(u64)0xfff) + 8 * (address >> 12 & 511);
}

static struct { u32 n; struct mmu_update update[128]; } queue;

void pte_settle(void)
{
    if (queue.n)
        hypercall4(__HYPERVISOR_mmu_update, queue.update, queue.n, 0, DOMID_SELF);
    queue.n = 0;
}

void pte_later(const void *page, pte_t pte)
{
    if (queue.n == sizeof queue.update / sizeof *queue.update)
        pte_settle();
    queue.update[queue.n++] = (struct mmu_update){ pte_machine_address(page) | MMU_NORMAL_PT_UPDATE, pte };
}

static void shared_info_map(const struct start_info *start)
{
    pte_write(&shared, (u64)start->shared_info | PTE_PRESENT | PTE_WRITE);
    tlb_flush();
}

/* --- console: a ring of bytes, and an event channel that says "look" ------------------------------ */

static void event_op(u32 command, void *argument)
{
    hypercall2(__HYPERVISOR_event_channel_op, command, argument);
}

static void console_start(const struct start_info *start)
{
    u32 frame = machine_to_phys_mapping[start->console.domU.mfn];
    console = (void *)(VIRT_BASE + (frame << 12));
    console_port = start->console.domU.evtchn;
}

static void console_kick(void)
{
    struct evtchn_send send = { console_port };
    event_op(EVTCHNOP_send, &send);
}

void console_write(const char *text, u32 len)
{
    XENCONS_RING_IDX volatile *consumed = &console->out_cons;
    for (u32 i = 0; i < len; i++) {
        while (console->out_prod - *consumed == sizeof console->out)
            console_kick();
        console->out[MASK_XENCONS_IDX(console->out_prod, console->out)] = text[i];
        __asm__ volatile("" : : : "memory"); /* the byte before the index */
        console->out_prod++;
    }
    console_kick();
}

/* --- events: what interrupts are on a bare PC ------------------------------------------------- */

static u32 take(xen_ulong_t volatile *word)
{
    u32 all = 0;
    __asm__ volatile("xchg %0, %1" : "+r"(all), "+m"(*word) : : "memory");
    return all;
}

static void event_handle(u32 port)
{
    if (port == timer_port)
        timer_ticks++;
}

/* Called by start.S, with events masked. */
void event_upcall(void)
{
    struct vcpu_info *v = &shared.info.vcpu_info[0];
    v->evtchn_upcall_pending = 0;
    __asm__ volatile("" : : : "memory");
    for (u32 words = take(&v->evtchn_pending_sel); words; words &= words - 1) {
        u32 w = __builtin_ctz(words);
        u32 ports = shared.info.evtchn_pending[w] & ~shared.info.evtchn_mask[w];
        shared.info.evtchn_pending[w] &= ~ports;
        for (; ports; ports &= ports - 1)
            event_handle(w * 32 + __builtin_ctz(ports));
    }
}

void timer_start(u32 hz)
{
    struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER };
    struct vcpu_set_periodic_timer period = { 1000000000u / hz };
    event_op(EVTCHNOP_bind_virq, &bind);
    timer_port = bind.port;
    struct evtchn_unmask unmask = { timer_port };
    event_op(EVTCHNOP_unmask, &unmask);
    hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, &period);
}

/* Blocking unmasks events; the upcall has been made when the hypercall returns. */
void kernel_idle(void)
{
    hypercall2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
    shared.info.vcpu_info[0].evtchn_upcall_mask = 1;
}

/* --- the end ---------------------------------------------------------------------------------- */

enum { DEBUG_EXIT = 0xf4 };

_Noreturn void kernel_exit(u32 code)
{
    struct sched_shutdown shutdown = { code ? SHUTDOWN_crash : SHUTDOWN_poweroff };
    if (code)
        __asm__ volatile("outb %0, %1" : : "a"((u8)code), "Nd"((u16)DEBUG_EXIT));
    for (;;)
        hypercall2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown);
}

_Noreturn void kernel_panic(const char *why)
{
    print("panic: %s\n", why);
    kernel_exit(99);
}

/* Ports are left to ring 1 as far as Xen is asked for; it emulates each access. */
static void ports_start(void)
{
    struct physdev_set_iopl iopl = { 1 };
    hypercall2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl);
}

/* Called by start.S on the kernel's stack, as Xen started the domain: ring 1, flat, paging on, events masked. */
const char *kernel_command_line(void) { return (const char *)xen_start->cmd_line; }

_Noreturn void kernel_start(const struct start_info *start)
{
    xen_start = start;
    machine_frame = (const u32 *)start->mfn_list;
    base_frame = machine_frame[(start->pt_base - VIRT_BASE) >> 12];
    traps_start();
    shared_info_map(start);
    console_start(start);
    paging_start();
    ports_start();
    guest_main();
    kernel_exit(0);
}
