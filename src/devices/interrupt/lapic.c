/* SPDX-License-Identifier: MIT */
/*
 * The registers of a local APIC (SDM vol. 3, chapter 11), as a xAPIC has them: version 14h, six LVT entries, no TSC-deadline mode.
 *
 * Nothing runs between accesses: the timer's count is computed from the cycle at which its period began, and one timer event stands
 * for the next expiry that anybody can notice. A periodic timer whose interrupt still waits (or is masked) sets none, so a
 * guest cannot flood the machine with expiries that it does not take.
 */
#include "devices/interrupt/lapic.h"

#include <string.h>

#define VERSION (0x14 | (LVT_COUNT - 1) << 16)
#define SVR_ENABLED 0x100
#define FLAT 0xfu
#define LOWEST_VECTOR 16                /* below are exceptions: illegal for fixed delivery */
enum { ERROR_SEND_VECTOR = 1 << 5, ERROR_RECEIVED_VECTOR = 1 << 6, ERROR_REGISTER = 1 << 7 };
enum { DELIVERY_SHIFT = 8, DELIVERY_MASK = 7 };
enum { REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a, REG_EOI = 0x0b, REG_LDR = 0x0d, REG_DFR = 0x0e,
       REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28, REG_ICR_LOW = 0x30, REG_ICR_HIGH = 0x31, REG_LVT = 0x32,
       REG_INITIAL = 0x38, REG_CURRENT = 0x39, REG_DIVIDE = 0x3e, REG_COUNT = 0x40 }; /* offset / 16 */

static bool enabled(const struct lapic *l) { return l->on && l->svr & SVR_ENABLED; }

/* --- sets of vectors --- */

static void set_bit(u32 *set, u8 n) { set[n / 32] |= BIT(n % 32); }
static void clear_bit(u32 *set, u8 n) { set[n / 32] &= ~(u32)BIT(n % 32); }
static bool has_bit(const u32 *set, u8 n) { return set[n / 32] >> n % 32 & 1; }

/* -1: the set is empty. */
static int highest(const u32 *set)
{
    for (int i = 7; i >= 0; i--)
        if (set[i])
            return 32 * i + 31 - __builtin_clz(set[i]);
    return -1;
}

/* --- priorities (11.8.3) --- */

u8 lapic_ppr(const struct lapic *l)
{
    int serving = highest(l->isr);
    u8 class = serving < 0 ? 0 : serving & 0xf0;
    return (l->tpr & 0xf0) >= class ? l->tpr : class;
}

/* The vector that interrupts what the processor does now, or -1. */
static int deliverable(const struct lapic *l)
{
    int n = enabled(l) ? highest(l->irr) : -1;
    return n >= 0 && (n & 0xf0) > (lapic_ppr(l) & 0xf0) ? n : -1;
}

static u8 delivery_of(u32 lvt) { return lvt >> DELIVERY_SHIFT & DELIVERY_MASK; }

/* Does the 8259A's interrupt reach the processor? Through LINT0 as ExtINT; and past an APIC that is off, on the first processor. */
bool lapic_external(const struct lapic *l)
{
    u32 lint0 = l->lvt[LVT_LINT0];
    return l->lint0 && (l->on ? !(lint0 & LVT_MASKED) && delivery_of(lint0) == DELIVER_EXTINT : l->bsp);
}

void lapic_update(struct lapic *l)
{
    bool intr = lapic_external(l) || deliverable(l) >= 0;
    if (intr == l->intr)
        return;
    l->intr = intr;
    apic_bus_intr(l, intr);
}

/* --- the timer (11.5.4) --- */

/* Divide configuration: bits 3, 1 and 0 are an exponent less one; all set divides by one. */
static cycles_t tick(const struct lapic *l)
{
    unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);
    return (cycles_t)LAPIC_TIMER_CYCLES << ((code + 1) & 7);
}
static cycles_t period(const struct lapic *l) { return l->initial * tick(l); }
static bool periodic(const struct lapic *l) { return l->lvt[LVT_TIMER] & LVT_PERIODIC; }

static u32 current_count(const struct lapic *l)
{
    cycles_t elapsed = l->clock->now - l->start;
    if (!l->counting || (elapsed >= period(l) && !periodic(l)))
        return 0;
    return l->initial - elapsed % period(l) / tick(l);
}

/* Would an expiry be noticed? One that recurs is only if it can be taken, or be a new error. */
static bool expiry_matters(const struct lapic *l)
{
    u32 lvt = l->lvt[LVT_TIMER];
    bool waits = (u8)lvt < LOWEST_VECTOR ? l->errors & ERROR_RECEIVED_VECTOR : has_bit(l->irr, lvt);
    return l->counting && (!periodic(l) || (enabled(l) && !(lvt & LVT_MASKED) && !waits));
}

static void follow_timer(struct lapic *l)
{
    if (!expiry_matters(l)) {
        timer_cancel(l->clock, &l->expiry);
    } else if (!timer_armed(&l->expiry)) {
        if (periodic(l))
            l->start += (l->clock->now - l->start) / period(l) * period(l);
        timer_set(l->clock, &l->expiry, l->start + period(l));
    }
}

static void raise_lvt(struct lapic *l, enum lapic_lvt which)
{
    if (!(l->lvt[which] & LVT_MASKED))
        lapic_accept(l, l->lvt[which], false);
}

static void on_expiry(void *opaque, cycles_t when)
{
    struct lapic *l = opaque;
    l->timer_expired++;
    if (periodic(l))
        l->start = when;
    else
        l->counting = false;
    raise_lvt(l, LVT_TIMER);
    follow_timer(l);
}

static void write_initial(struct lapic *l, u32 value)
{
    timer_cancel(l->clock, &l->expiry);
    l->initial = value;
    l->counting = value != 0;
    l->start = l->clock->now;
    follow_timer(l);
}

/* What is left to count stays, at the new pace. */
static void write_divide(struct lapic *l, u32 value)
{
    u32 left = current_count(l);
    timer_cancel(l->clock, &l->expiry);
    l->divide = value & 0x0b;
    l->start = l->clock->now - (l->initial - left) * tick(l);
    follow_timer(l);
}

/* --- errors (11.5.3): collected, and shown by ESR once it is written --- */

static void note_error(struct lapic *l, u32 error)
{
    bool fresh = !(l->errors & error);
    u32 lvt = l->lvt[LVT_ERROR];
    l->errors |= error;
    if (fresh && !(lvt & LVT_MASKED) && (u8)lvt >= LOWEST_VECTOR) /* an illegal vector of its own would only be one more error */
        lapic_accept(l, lvt, false);
}

/* --- interrupts that come --- */

bool lapic_accept(struct lapic *l, u8 vector, bool level)
{
    if (!enabled(l))
        return false;
    if (vector < LOWEST_VECTOR) {
        note_error(l, ERROR_RECEIVED_VECTOR);
        return false;
    }
    set_bit(l->irr, vector);
    (level ? set_bit : clear_bit)(l->tmr, vector);
    lapic_update(l);
    return true;
}

bool lapic_matches(const struct lapic *l, const struct apic_message *m)
{
    if (m->destination == APIC_EVERYBODY)
        return true;
    if (!m->logical)
        return m->destination == l->id;
    u8 mine = l->ldr >> 24;
    if (l->dfr >> 28 == FLAT)
        return mine & m->destination;
    return (mine ^ m->destination) < 0x10 && mine & m->destination & 0x0f;
}

void lapic_set_lint0(struct lapic *l, bool level)
{
    bool rises = level && !l->lint0;
    u32 lvt = l->lvt[LVT_LINT0];
    l->lint0 = level;
    if (rises && l->on && !(lvt & LVT_MASKED)) {
        if (delivery_of(lvt) == DELIVER_FIXED)
            lapic_accept(l, lvt, false);
        else if (delivery_of(lvt) == DELIVER_NMI)
            apic_bus_signal(l, CPU_SIGNAL_NMI, 0);
    }
    lapic_update(l);
}

int lapic_acknowledge(struct lapic *l)
{
    if (lapic_external(l))
        return -1;
    int vector = deliverable(l);
    if (vector < 0) { /* it has gone away: the spurious vector, which is not in service (11.9) */
        l->spurious++;
        return l->svr & 0xff;
    }
    l->delivered++;
    clear_bit(l->irr, vector);
    set_bit(l->isr, vector);
    lapic_update(l);
    follow_timer(l);
    return vector;
}

static void end_of_interrupt(struct lapic *l)
{
    int vector = highest(l->isr);
    if (vector < 0)
        return;
    clear_bit(l->isr, vector);
    if (has_bit(l->tmr, vector))
        apic_bus_eoi(l, vector);
    lapic_update(l);
}

/* --- registers --- */

static const u32 lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = LVT_MASKED | LVT_PERIODIC | 0xff,
    [LVT_THERMAL] = LVT_MASKED | 0x7ff,
    [LVT_COUNTER] = LVT_MASKED | 0x7ff,
    [LVT_LINT0] = LVT_MASKED | 0xa7ff,
    [LVT_LINT1] = LVT_MASKED | 0xa7ff,
    [LVT_ERROR] = LVT_MASKED | 0xff,
};

static void write_lvt(struct lapic *l, enum lapic_lvt which, u32 value)
{
    value &= lvt_writable[which];
    l->lvt[which] = value | (l->svr & SVR_ENABLED ? 0 : LVT_MASKED);
    if (which == LVT_TIMER)
        follow_timer(l);
    lapic_update(l);
}

/* 11.4.7.2: software-disabled it masks all of its own sources; what it already has stays. */
static void write_svr(struct lapic *l, u32 value)
{
    l->svr = value & 0x1ff;
    for (unsigned i = 0; i < LVT_COUNT && !(value & SVR_ENABLED); i++)
        l->lvt[i] |= LVT_MASKED;
    follow_timer(l);
    lapic_update(l);
}

static void write_esr(struct lapic *l)
{
    l->esr = l->errors;
    l->errors = 0;
    follow_timer(l);
}

static void write_icr(struct lapic *l, u32 value)
{
    u8 delivery = delivery_of(value);
    l->icr[0] = value & 0xccfff;
    l->ipis++;
    if (delivery <= DELIVER_LOWEST && (u8)value < LOWEST_VECTOR)
        note_error(l, ERROR_SEND_VECTOR);
    else
        apic_bus_ipi(l, l->icr[0], l->icr[1]);
}

u32 lapic_read(struct lapic *l, u32 offset)
{
    u32 r = offset >> 4;
    if (r >= REG_ISR && r < REG_ISR + 8)
        return l->isr[r - REG_ISR];
    if (r >= REG_TMR && r < REG_TMR + 8)
        return l->tmr[r - REG_TMR];
    if (r >= REG_IRR && r < REG_IRR + 8)
        return l->irr[r - REG_IRR];
    if (r >= REG_LVT && r < REG_LVT + LVT_COUNT)
        return l->lvt[r - REG_LVT];
    switch (r) {
    case REG_ID: return (u32)l->id << 24;
    case REG_VERSION: return VERSION;
    case REG_TPR: return l->tpr;
    case REG_APR:
    case REG_PPR: return lapic_ppr(l);
    case REG_EOI: return 0;
    case REG_LDR: return l->ldr;
    case REG_DFR: return l->dfr;
    case REG_SVR: return l->svr;
    case REG_ESR: return l->esr;
    case REG_ICR_LOW: return l->icr[0];
    case REG_ICR_HIGH: return l->icr[1];
    case REG_INITIAL: return l->initial;
    case REG_CURRENT: return current_count(l);
    case REG_DIVIDE: return l->divide;
    }
    note_error(l, ERROR_REGISTER);
    return 0;
}

void lapic_write(struct lapic *l, u32 offset, u32 value)
{
    u32 r = offset >> 4;
    if (r >= REG_LVT && r < REG_LVT + LVT_COUNT) {
        write_lvt(l, r - REG_LVT, value);
        return;
    }
    switch (r) {
    case REG_ID: l->id = value >> 24; break;
    case REG_TPR: l->tpr = value; lapic_update(l); break;
    case REG_EOI: end_of_interrupt(l); break;
    case REG_LDR: l->ldr = value & 0xff000000; break;
    case REG_DFR: l->dfr = value | 0x0fffffff; break;
    case REG_SVR: write_svr(l, value); break;
    case REG_ESR: write_esr(l); break;
    case REG_ICR_LOW: write_icr(l, value); break;
    case REG_ICR_HIGH: l->icr[1] = value & 0xff000000; break;
    case REG_INITIAL: write_initial(l, value); break;
    case REG_DIVIDE: write_divide(l, value); break;
    default: note_error(l, ERROR_REGISTER);
    }
}

/* --- as a page --- */

void lapic_to_page(struct lapic *l, u8 *page)
{
    static const struct { u16 first, last; } spans[] = {
        { REG_ID, REG_VERSION }, { REG_TPR, REG_TPR }, { REG_PPR, REG_PPR }, { REG_LDR, REG_SVR }, { REG_ISR, REG_ESR },
        { REG_ICR_LOW, REG_LVT + LVT_COUNT - 1 }, { REG_INITIAL, REG_INITIAL }, { REG_DIVIDE, REG_DIVIDE },
    };
    for (unsigned i = 0; i < ARRAY_LEN(spans); i++) {
        for (u32 r = spans[i].first; r <= spans[i].last; r++) {
            u32 value = lapic_read(l, r << 4);
            memcpy(page + (r << 4), &value, sizeof value);
        }
    }
    memset(l->irr, 0, sizeof l->irr);
    lapic_update(l);
}

void lapic_from_page(struct lapic *l, const u8 *page)
{
    u32 requests;
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&l->isr[i], page + ((REG_ISR + i) << 4), 4);
        memcpy(&requests, page + ((REG_IRR + i) << 4), 4);
        l->irr[i] |= requests;
    }
    l->tpr = page[REG_TPR << 4];
    memcpy(&l->icr[1], page + (REG_ICR_HIGH << 4), 4);
    lapic_update(l);
    follow_timer(l);
}

/* --- reset --- */

/* The first processor's LINT0 passes the 8259A's interrupts, as firmware for this board leaves it ("virtual wire mode",
 * MultiProcessor Specification 1.4, 3.6.2.2), so that a guest that knows no APIC finds an AT. */
void lapic_reset(struct lapic *l, bool init)
{
    timer_cancel(l->clock, &l->expiry);
    *l = (struct lapic){
        .index = l->index, .on = init ? l->on : true, .bsp = l->bsp, .id = init ? l->id : l->index, .dfr = ~0u, .svr = 0xff,
        .expiry = { .fire = on_expiry, .opaque = l }, .clock = l->clock, .lint0 = l->lint0, .intr = l->intr, .bus = l->bus,
    };
    for (unsigned i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = LVT_MASKED;
    if (l->bsp && !init)
        l->lvt[LVT_LINT0] = DELIVER_EXTINT << DELIVERY_SHIFT;
    lapic_update(l);
}
