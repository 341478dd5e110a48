/* SPDX-License-Identifier: MIT */
/*
 * KVM_RUN. The processor's thread is within a port's or an MMIO register's access when the monitor has its turn, and goes on with the answer
 * at the next KVM_RUN: as with the kernel's KVM, which completes the instruction then.
 */
#include <errno.h>
#include <string.h>

#include "cli/grade/grade_kvm.h"
#include "hwassist/kvm/kvm.h"

#define SLICE ((cycles_t)1 << 20)
enum { PAGE_INSNS = 200 /* to compare a page, or to copy it: some 100 ns */ };
#define ENTRY_FAILURE_GUEST_STATE 0x80000021u  /* as VT-x reports it: reason 33, with the failure bit */

static struct vcpu *vcpu(const struct labkvm *k) { return k->vm->vcpu[0]; }

/* --- the machine's memory is the asking guest's: copied before, and back after. Nobody else runs meanwhile. --- */

/* The asking guest may have laid something over its memory since it made the slot: what is not memory is left alone. */
static void copy_page(struct labkvm *k, struct physmap *to, gpa_t to_gpa, const struct physmap *from, gpa_t from_gpa)
{
    service_charge(k->service, PAGE_INSNS);
    const u8 *old = physmap_ptr(to, to_gpa, PAGE_SIZE), *new = physmap_ptr(from, from_gpa, PAGE_SIZE);
    if (old && new && memcmp(old, new, PAGE_SIZE))
        physmap_write(to, to_gpa, new, PAGE_SIZE);
}

static void memory_in(struct labkvm *k)
{
    for (const struct labkvm_slot *s = k->slot; s < k->slot + LABKVM_SLOTS; s++)
        for (u64 at = 0; at < s->size; at += PAGE_SIZE)
            copy_page(k, &k->vm->map, s->gpa + at, k->service->memory, s->user + at);
    service_read(k->service, k->run_at, k->shared.page, LABKVM_RUN_SIZE);
}

static void memory_out(struct labkvm *k)
{
    for (const struct labkvm_slot *s = k->slot; s < k->slot + LABKVM_SLOTS; s++)
        for (u64 at = 0; at < s->size; at += PAGE_SIZE)
            copy_page(k, k->service->memory, s->user + at, &k->vm->map, s->gpa + at);
    service_write(k->service, k->run_at, k->shared.page, LABKVM_RUN_SIZE);
}

/* --- turns --- */

/* The processor's: give the monitor its turn, and wait for the next KVM_RUN. */
static void yield(struct labkvm *k, u32 reason)
{
    struct kvm_run *r = &k->shared.run;
    const struct cpu *c = &vcpu(k)->cpu;
    if (k->ending)
        return;
    r->exit_reason = reason;
    r->if_flag = !!(c->state.rflags & FLAG_IF);
    r->ready_for_interrupt_injection = cpu_interruptible(c) && k->vector < 0;
    r->cr8 = c->state.cr8;
    r->apic_base = c->state.apic_base;
    sem_post(&k->answer);
    while (sem_wait(&k->turn) && errno == EINTR)
        ;
}

/* The same within an access. Behind its instruction the loop below looks at what the monitor wants. */
static void yield_within(struct labkvm *k, u32 reason)
{
    yield(k, reason);
    cpu_kick(&vcpu(k)->cpu);
}

/* --- ports --- */

static u8 *port_data(struct labkvm *k) { return k->shared.page + LABKVM_PIO_OFFSET; }

static void exit_io(struct labkvm *k, bool out, u16 port, unsigned size, u32 count)
{
    struct kvm_run *r = &k->shared.run;
    r->io.direction = out ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
    r->io.size = size;
    r->io.port = port;
    r->io.count = count;
    r->io.data_offset = LABKVM_PIO_OFFSET;
    yield_within(k, KVM_EXIT_IO);
}

/* The items that a REP OUTS has put out so far: it may be left in the middle, by a fault of its source or by a trap behind an iteration,
 * and whatever comes then comes behind them. */
static void give_gathered(struct labkvm *k)
{
    u32 count = k->gathered;
    k->gathered = 0;
    if (count)
        exit_io(k, true, k->gathered_port, k->gathered_size, count);
}

static u64 port_read(void *opaque, u64 port, unsigned size)
{
    struct labkvm *k = opaque;
    u64 value = 0;
    give_gathered(k);
    if (k->ending)
        return 0;
    memset(port_data(k), 0, size);
    exit_io(k, false, port, size, 1);
    memcpy(&value, port_data(k), size);
    return value;
}

/* How many items of a REP OUTS come after this one. The emulator does one iteration after the other; KVM tells of many at once. */
static u64 outs_to_come(const struct labkvm *k)
{
    const struct kvm_vcpu *v = vcpu(k)->engine_data;
    u64 q = vmcs_get(&v->vmx.vmcs, VMCSI_EXIT_QUALIFICATION);
    bool rep_string = vmcs_get(&v->vmx.vmcs, VMCSI_EXIT_REASON) == REASON_IO && q >> 4 & 1 && q >> 5 & 1;
    const struct cpu_state *s = &v->emulator.state;
    u64 left = state_code_bits(s) == 16 ? (u16)s->gpr[RCX] : state_code_bits(s) == 32 ? (u32)s->gpr[RCX] : s->gpr[RCX];
    return rep_string && left ? left - 1 : 0;
}

static void port_write(void *opaque, u64 port, unsigned size, u64 value)
{
    struct labkvm *k = opaque;
    u32 room = (LABKVM_RUN_SIZE - LABKVM_PIO_OFFSET) / 2 / size;
    if (port != k->gathered_port || size != k->gathered_size)
        give_gathered(k);
    k->gathered_port = port;
    k->gathered_size = size;
    memcpy(port_data(k) + k->gathered++ * size, &value, size);
    if (!outs_to_come(k) || k->gathered == room)
        give_gathered(k);
}

const struct bus_ops labkvm_port_ops = { .read = port_read, .write = port_write, .max_size = 4 };

/* --- MMIO --- */

static void exit_mmio(struct labkvm *k, u64 gpa, unsigned size, bool write)
{
    struct kvm_run *r = &k->shared.run;
    r->mmio.phys_addr = gpa;
    r->mmio.len = size;
    r->mmio.is_write = write;
    k->within_mmio = true;
    yield_within(k, KVM_EXIT_MMIO);
    k->within_mmio = false;
}

static u64 mmio_read(void *opaque, u64 offset, unsigned size)
{
    struct labkvm_hole *h = opaque;
    struct labkvm *k = h->kvm;
    u64 value = 0;
    give_gathered(k);
    if (k->ending)
        return 0;
    memset(k->shared.run.mmio.data, 0, 8);
    exit_mmio(k, h->gpa + offset, size, false);
    memcpy(&value, k->shared.run.mmio.data, size);
    return value;
}

static void mmio_write(void *opaque, u64 offset, unsigned size, u64 value)
{
    struct labkvm_hole *h = opaque;
    give_gathered(h->kvm);
    memcpy(h->kvm->shared.run.mmio.data, &value, 8);
    exit_mmio(h->kvm, h->gpa + offset, size, true);
}

const struct mmio_ops labkvm_mmio_ops = { mmio_read, mmio_write };

/* --- interrupts: the one that KVM_INTERRUPT has brought --- */

static bool has_interrupt(struct intc *i) { return ((struct labkvm *)i)->vector >= 0; }

static u8 acknowledge(struct intc *i)
{
    struct labkvm *k = (struct labkvm *)i;
    u8 vector = k->vector;
    k->vector = -1;
    vcpu(k)->intr = false;
    return vector;
}

void labkvm_take_wire(struct labkvm *k)
{
    k->intc = (struct intc){ has_interrupt, acknowledge };
    k->vm->intc = &k->intc;
}

/* --- the processor's loop --- */

static bool can_interrupt(const struct labkvm *k) { return cpu_interruptible(&vcpu(k)->cpu); }

static void fail_entry(struct labkvm *k)
{
    k->shared.run.fail_entry.hardware_entry_failure_reason = ENTRY_FAILURE_GUEST_STATE;
    k->vector = -1;
    yield(k, KVM_EXIT_FAIL_ENTRY);
}

static void internal_error(struct labkvm *k)
{
    k->shared.run.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    k->shared.run.internal.ndata = 0;
    yield(k, KVM_EXIT_INTERNAL_ERROR);
}

static void on_hlt(struct labkvm *k)
{
    vcpu(k)->cpu.state.activity = CPU_ACTIVE; /* the next KVM_RUN goes on behind it */
    yield(k, KVM_EXIT_HLT);
}

static void on_stopped(struct labkvm *k, const struct exit *e)
{
    (strncmp(e->stopped.reason, "VM entry", 8) ? internal_error : fail_entry)(k);
}

static void once(struct labkvm *k)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    struct vcpu *v = vcpu(k);
    v->intr = k->vector >= 0;
    v->intr_window = !v->intr && k->shared.run.request_interrupt_window;
    k->vm->engine->run(v, k->vm->clock.now + SLICE, &e);
    v->intr = v->intr_window = false;
    if (v->cpu.state.activity == CPU_HALTED) /* also where a kick ended the run behind it */
        e.kind = EXIT_HLT;
    give_gathered(k);
    switch (e.kind) {
    case EXIT_HLT: on_hlt(k); break;
    case EXIT_SHUTDOWN: yield(k, KVM_EXIT_SHUTDOWN); break;
    case EXIT_STOPPED: on_stopped(k, &e); break;
    default:
        if (service_over(k->service))
            yield(k, KVM_EXIT_INTR);
    }
}

static void *processor(void *opaque)
{
    struct labkvm *k = opaque;
    while (sem_wait(&k->turn) && errno == EINTR)
        ;
    while (!k->ending) {
        if (k->shared.run.immediate_exit)
            yield(k, KVM_EXIT_INTR);
        else if (k->vector >= 0 && !can_interrupt(k))
            fail_entry(k); /* SDM vol. 3, 27.3.1.4: to inject an interrupt RFLAGS.IF must be 1, and nothing may block it */
        else if (k->vector < 0 && k->shared.run.request_interrupt_window && can_interrupt(k))
            yield(k, KVM_EXIT_IRQ_WINDOW_OPEN);
        else
            once(k);
    }
    return NULL;
}

static int start(struct labkvm *k)
{
    if (k->has_thread)
        return 0;
    sem_init(&k->turn, 0, 0);
    sem_init(&k->answer, 0, 0);
    k->has_thread = pthread_create(&k->thread, NULL, processor, k) == 0;
    return k->has_thread ? 0 : -1;
}

s32 labkvm_run(struct labkvm *k)
{
    if (!k->run_at || start(k))
        return k->run_at ? -ENOMEM : -EFAULT;
    memory_in(k);
    sem_post(&k->turn);
    while (sem_wait(&k->answer) && errno == EINTR)
        ;
    memory_out(k);
    return k->shared.run.exit_reason == KVM_EXIT_INTR ? -EINTR : 0;
}

void labkvm_end(struct labkvm *k)
{
    if (!k->has_thread)
        return;
    k->ending = true;
    sem_post(&k->turn);
    pthread_join(k->thread, NULL);
    sem_destroy(&k->turn);
    sem_destroy(&k->answer);
}
