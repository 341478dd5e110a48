/* SPDX-License-Identifier: MIT */
#include "hwassist/vmx/vapic.h"

#include <string.h>

#include "hwassist/vmx/vmx.h"

/* --- what is virtualized (30.4.2, 30.4.3) --- */

#define REG(offset) BIT((offset) >> 4 & 63)
#define SPAN(first, last) ((BIT(((last) >> 4 & 63) + 1) - 1) & ~(BIT((first) >> 4 & 63) - 1))

/* One bit for each sixteen bytes of the page. */
static const u64 only_tpr[4] = { REG(VAPIC_TPR) };
static const u64 all_reads[4] = { REG(0x20) | REG(0x30) | REG(0x80) | REG(0xb0) | REG(0xd0) | REG(0xe0) | REG(0xf0) | SPAN(0x100, 0x280) | SPAN(0x300, 0x370) |
                                  REG(0x380) | REG(0x3e0) };
static const u64 all_writes[4] = { REG(0x20) | REG(0x80) | REG(0xb0) | REG(0xd0) | REG(0xe0) | REG(0xf0) | REG(0x280) | SPAN(0x300, 0x370) | REG(0x380) |
                                   REG(0x3e0) };
static const u64 delivery_writes[4] = { REG(VAPIC_TPR) | REG(VAPIC_EOI) | REG(VAPIC_ICR) };

static bool primary(const struct vmx *x, u32 bit) { return vmcs_get(&x->vmcs, VMCSI_PROC_CONTROLS) & bit; }
static bool secondary(const struct vmx *x, u32 bit) { return primary(x, PROC_SECONDARY) && vmcs_get(&x->vmcs, VMCSI_PROC2_CONTROLS) & bit; }

const u64 *vapic_readable(const struct vmx *x)
{
    return !primary(x, PROC_TPR_SHADOW) ? NULL : secondary(x, PROC2_APIC_REGISTERS) ? all_reads : only_tpr;
}

const u64 *vapic_writable(const struct vmx *x)
{
    if (!primary(x, PROC_TPR_SHADOW))
        return NULL;
    return secondary(x, PROC2_APIC_REGISTERS) ? all_writes : secondary(x, PROC2_VIRTUAL_INTERRUPTS) ? delivery_writes : only_tpr;
}

u64 vapic_qualification(u32 offset, enum mmu_access a, bool delivering)
{
    enum { LINEAR_READ, LINEAR_WRITE, LINEAR_FETCH, LINEAR_DELIVERY };
    static const u8 kind[] = { [ACCESS_READ] = LINEAR_READ, [ACCESS_WRITE] = LINEAR_WRITE, [ACCESS_EXEC] = LINEAR_FETCH };
    return (offset & 0xfff) | (delivering ? LINEAR_DELIVERY : kind[a]) << 12;
}

/* --- the page --- */

static u8 *page(const struct vmx *x) { return (u8 *)hostmem_table(x->host, vmcs_get(&x->vmcs, VMCSI_VIRTUAL_APIC_ADDR)); }

u32 vapic_read(const struct vmx *x, u32 offset)
{
    u32 value = 0;
    if (page(x) && offset <= PAGE_SIZE - sizeof value)
        memcpy(&value, page(x) + offset, sizeof value);
    return value;
}

void vapic_write(struct vmx *x, u32 offset, u32 value)
{
    if (page(x) && offset <= PAGE_SIZE - sizeof value)
        memcpy(page(x) + offset, &value, sizeof value);
}

/* Sets of vectors: 32 in each register. */
static void set_vector(struct vmx *x, u32 set, u8 v) { vapic_write(x, set + v / 32 * 16, vapic_read(x, set + v / 32 * 16) | BIT(v % 32)); }
static void clear_vector(struct vmx *x, u32 set, u8 v) { vapic_write(x, set + v / 32 * 16, vapic_read(x, set + v / 32 * 16) & ~(u32)BIT(v % 32)); }

static u8 highest(const struct vmx *x, u32 set)
{
    for (int i = 7; i >= 0; i--) {
        u32 bits = vapic_read(x, set + i * 16);
        if (bits)
            return 32 * i + 31 - __builtin_clz(bits);
    }
    return 0;
}

/* Guest interrupt status: the requests and the service of the highest priority. */
static u8 rvi(const struct vmx *x) { return vmcs_get(&x->vmcs, VMCSI_GUEST_INTR_STATUS); }
static u8 svi(const struct vmx *x) { return vmcs_get(&x->vmcs, VMCSI_GUEST_INTR_STATUS) >> 8; }
static void set_status(struct vmx *x, u8 r, u8 s) { vmcs_set(&x->vmcs, VMCSI_GUEST_INTR_STATUS, r | s << 8); }
static u8 higher(u8 a, u8 b) { return a > b ? a : b; }

/* --- virtual interrupts (30.1.3, 30.2) --- */

static void virtualize_ppr(struct vmx *x)
{
    u32 tpr = vapic_read(x, VAPIC_TPR) & 0xff;
    vapic_write(x, VAPIC_PPR, tpr >> 4 >= svi(x) >> 4 ? tpr : svi(x) & 0xf0);
}

bool vapic_delivers(const struct vmx *x) { return secondary(x, PROC2_VIRTUAL_INTERRUPTS); }

bool vapic_recognized(const struct vmx *x)
{
    return vapic_delivers(x) && rvi(x) >> 4 > (vapic_read(x, VAPIC_PPR) & 0xff) >> 4;
}

/* Something has changed that may make one recognized: it is delivered between two instructions, when the guest can take it. */
static void evaluate(struct vmx *x)
{
    if (!vapic_recognized(x))
        return;
    x->cpu->want_window = true;
    cpu_kick(x->cpu);
}

enum cpu_stop_kind vapic_deliver(struct vmx *x)
{
    u8 v = rvi(x);
    set_vector(x, VAPIC_ISR, v);
    vapic_write(x, VAPIC_PPR, v & 0xf0);
    clear_vector(x, VAPIC_IRR, v);
    set_status(x, highest(x, VAPIC_IRR), v);
    x->virtual_interrupts++;
    trace(x->cpu->tracer, VMX, "virtual interrupt vector=0x%x", v);
    return cpu_interrupt(x->cpu, v);
}

/* An exit behind the instruction that is being executed: at the next boundary. */
static void exit_behind(struct vmx *x, enum vmx_reason reason, u64 qualification)
{
    x->behind = (struct pending_exit){ true, reason, qualification };
    cpu_kick(x->cpu);
}

static u8 vtpr_class(const struct vmx *x) { return (vapic_read(x, VAPIC_TPR) & 0xff) >> 4; }

void vapic_enter(struct vmx *x)
{
    bool by_hand = primary(x, PROC_TPR_SHADOW) && secondary(x, PROC2_APIC_ACCESSES) && !vapic_delivers(x);
    if (vapic_delivers(x))
        virtualize_ppr(x);
    if (by_hand && vtpr_class(x) < (vmcs_get(&x->vmcs, VMCSI_TPR_THRESHOLD) & 15))
        exit_behind(x, REASON_TPR_THRESHOLD, 0); /* 27.7.7 */
}

/* --- writes (30.1.2 to 30.1.5) --- */

static void virtualize_tpr(struct vmx *x)
{
    if (vapic_delivers(x)) {
        virtualize_ppr(x);
        evaluate(x);
    } else if (vtpr_class(x) < (vmcs_get(&x->vmcs, VMCSI_TPR_THRESHOLD) & 15)) {
        exit_behind(x, REASON_TPR_THRESHOLD, 0);
    }
}

static bool eoi_exits(const struct vmx *x, u8 v) { return vmcs_get(&x->vmcs, VMCSI_EOI_EXIT_BITMAP0 + v / 64) >> v % 64 & 1; }

static void virtualize_eoi(struct vmx *x)
{
    u8 v = svi(x);
    vapic_write(x, VAPIC_EOI, 0);
    clear_vector(x, VAPIC_ISR, v);
    set_status(x, rvi(x), highest(x, VAPIC_ISR));
    virtualize_ppr(x);
    if (eoi_exits(x, v))
        exit_behind(x, REASON_EOI, v);
    else
        evaluate(x);
}

/* An edge-triggered fixed interrupt to oneself, by shorthand, idle, with a legal vector. */
static bool is_self_ipi(u32 icr) { return (icr & ~(u32)0x4800) >> 8 == 0x400 && (icr & 0xff) >= 16; }

static void virtualize_self_ipi(struct vmx *x, u8 v)
{
    set_vector(x, VAPIC_IRR, v);
    set_status(x, higher(rvi(x), v), svi(x));
    evaluate(x);
}

static void written(struct vmx *x, u32 reg)
{
    if (reg == VAPIC_TPR)
        virtualize_tpr(x);
    else if (reg == VAPIC_EOI && vapic_delivers(x))
        virtualize_eoi(x);
    else if (reg == VAPIC_ICR && vapic_delivers(x) && is_self_ipi(vapic_read(x, VAPIC_ICR)))
        virtualize_self_ipi(x, vapic_read(x, VAPIC_ICR));
    else if (reg == VAPIC_ICR_HIGH)
        vapic_write(x, reg, vapic_read(x, reg) & 0xff000000);
    else
        exit_behind(x, REASON_APIC_WRITE, reg);
}

/* --- the window --- */

static u64 read_window(void *opaque, u64 offset, unsigned size)
{
    const struct apic_access *a = opaque;
    u64 value = 0;
    const u8 *p = a->current ? page(a->current) : NULL;
    if (p && offset + size <= PAGE_SIZE)
        memcpy(&value, p + offset, size);
    return value;
}

static void write_window(void *opaque, u64 offset, unsigned size, u64 value)
{
    struct apic_access *a = opaque;
    u8 *p = a->current ? page(a->current) : NULL;
    if (!p || offset + size > PAGE_SIZE)
        return;
    memcpy(p + offset, &value, size);
    a->current->virtual_writes++;
    written(a->current, offset & ~(u64)0xf);
}

const struct mmio_ops vapic_window_ops = { read_window, write_window };

/* --- posted interrupts (30.6) --- */

bool posted_request(struct posted *d, u8 vector)
{
    bool was_on = d->control & POSTED_ON;
    d->pir[vector / 64] |= BIT(vector % 64);
    d->control |= POSTED_ON;
    return !was_on;
}

static struct posted *descriptor(const struct vmx *x)
{
    hpa_t at = vmcs_get(&x->vmcs, VMCSI_POSTED_INTR_DESC);
    u64 *frame = hostmem_table(x->host, at);
    return frame ? (struct posted *)((u8 *)frame + (at & ~PAGE_MASK)) : NULL;
}

bool vapic_notified(struct vmx *x, u8 vector)
{
    struct posted *d = descriptor(x);
    bool on = vmcs_get(&x->vmcs, VMCSI_PIN_CONTROLS) & PIN_POSTED;
    if (!on || !d || vector != vmcs_get(&x->vmcs, VMCSI_POSTED_INTR_VECTOR))
        return false;
    d->control &= ~(u64)POSTED_ON;
    for (unsigned v = 0; v < 256; v++) {
        if (!(d->pir[v / 64] >> v % 64 & 1))
            continue;
        set_vector(x, VAPIC_IRR, v);
        set_status(x, higher(rvi(x), v), svi(x));
        x->posted_interrupts++;
    }
    memset(d->pir, 0, sizeof d->pir);
    evaluate(x);
    return true;
}
