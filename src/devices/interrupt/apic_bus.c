/* SPDX-License-Identifier: MIT */
/*
 * The local APICs of all processors, and the messages between them: SDM vol. 3, 11.6 (interprocessor interrupts), 11.11 (MSI).
 *
 * They stand between the 8259A and the processors: what was the controller's wire to the processor becomes the wire to LINT0.
 */
#include "devices/interrupt/lapic.h"

#include <stdlib.h>

enum { ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15, ICR_SHORTHAND = 18 };
enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

struct apic_bus {
    struct device dev;
    struct intc intc;               /* what the run loop asks */
    struct platform to;
    bool (*send)(void *opaque, const struct apic_message *m); /* NULL: the machine's own local APICs */
    void *send_opaque;
    unsigned n;
    struct lapic lapic[];
};

/* --- what the local APICs reach --- */

void apic_bus_intr(struct lapic *l, bool level)
{
    const struct irq *w = &l->bus->to.cpu_intr;
    if (w->set)
        w->set(w->sink, l->index, level);
}

void apic_bus_signal(struct lapic *l, enum cpu_signal s, u8 vector)
{
    if (l->bus->to.cpu_signal)
        l->bus->to.cpu_signal(l->bus->to.machine, l->index, s, vector);
}

void apic_bus_eoi(struct lapic *l, u8 vector)
{
    const struct apic_eoi *e = &l->bus->to.apic_eoi;
    if (e->told)
        e->told(e->ioapic, vector);
}

/* --- messages --- */

static bool deliver(struct lapic *l, const struct apic_message *m)
{
    switch ((enum apic_delivery)m->delivery) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
        return lapic_accept(l, m->vector, m->level);
    case DELIVER_NMI:
        apic_bus_signal(l, CPU_SIGNAL_NMI, 0);
        return true;
    case DELIVER_INIT:
        lapic_reset(l, true);
        apic_bus_signal(l, CPU_SIGNAL_INIT, 0);
        return true;
    case DELIVER_STARTUP:
        apic_bus_signal(l, CPU_SIGNAL_STARTUP, m->vector);
        return true;
    case DELIVER_SMI:       /* there is no system management mode */
    case DELIVER_EXTINT:    /* the 8259A is at LINT0 only */
        break;
    }
    return false;
}

/* Of those that are named, the one that does the least important work; the first among equals (11.6.2.4). */
static bool deliver_lowest(struct apic_bus *b, const struct apic_message *m)
{
    struct lapic *best = NULL;
    for (unsigned i = 0; i < b->n; i++)
        if (b->lapic[i].on && lapic_matches(&b->lapic[i], m) && (!best || lapic_ppr(&b->lapic[i]) < lapic_ppr(best)))
            best = &b->lapic[i];
    return best && deliver(best, m);
}

bool apic_send(struct apic_bus *b, const struct apic_message *m)
{
    bool taken = false;
    trace(b->to.tracer, IRQ, "message=0x%x delivery=%u to=0x%x logical=%u", m->vector, m->delivery, m->destination, m->logical);
    if (b->send)
        return b->send(b->send_opaque, m);
    if (m->delivery == DELIVER_LOWEST)
        return deliver_lowest(b, m);
    for (unsigned i = 0; i < b->n; i++)
        if (b->lapic[i].on && lapic_matches(&b->lapic[i], m))
            taken |= deliver(&b->lapic[i], m);
    return taken;
}

void apic_divert(struct apic_bus *b, bool (*send)(void *opaque, const struct apic_message *m), void *opaque)
{
    b->send = send;
    b->send_opaque = opaque;
}

void apic_tell_eoi(struct apic_bus *b, u8 vector) { apic_bus_eoi(&b->lapic[0], vector); }

/* Address: FEEh, destination, redirection hint, mode. Data: vector, delivery, level and trigger (figures 11-14 and 11-15). */
void apic_send_msi(struct apic_bus *b, u64 address, u32 data)
{
    struct apic_message m = {
        .vector = data, .delivery = data >> 8 & 7, .destination = address >> 12, .logical = address & 4, .level = data & 0x8000,
    };
    if (address >> 20 == LAPIC_GPA >> 20)
        apic_send(b, &m);
}

/* An INIT that only sets the arbitration IDs (level de-asserted) is not one. */
void apic_bus_ipi(struct lapic *from, u32 low, u32 high)
{
    struct apic_bus *b = from->bus;
    unsigned shorthand = low >> ICR_SHORTHAND & 3;
    struct apic_message m = { .vector = low, .delivery = low >> 8 & 7, .destination = high >> 24, .logical = low & ICR_LOGICAL };
    if (m.delivery == DELIVER_INIT && low & ICR_LEVEL && !(low & ICR_ASSERT))
        return;
    if (shorthand == TO_DESTINATION) {
        apic_send(b, &m);
        return;
    }
    trace(b->to.tracer, IRQ, "message=0x%x delivery=%u shorthand=%u", m.vector, m.delivery, shorthand);
    for (unsigned i = 0; i < b->n; i++) {
        bool self = &b->lapic[i] == from;
        if (b->lapic[i].on && (self ? shorthand != TO_OTHERS : shorthand != TO_SELF))
            deliver(&b->lapic[i], &m);
    }
}

void apic_enable(struct apic_bus *b, unsigned cpu, bool on)
{
    b->lapic[cpu].on = on;
    lapic_update(&b->lapic[cpu]);
}

/* --- for a monitor --- */

bool apic_export(struct apic_bus *b, unsigned cpu, u8 page[PAGE_SIZE])
{
    if (!b->lapic[cpu].on)
        return false;
    lapic_to_page(&b->lapic[cpu], page);
    return true;
}

void apic_import(struct apic_bus *b, unsigned cpu, const u8 page[PAGE_SIZE]) { lapic_from_page(&b->lapic[cpu], page); }
cycles_t apic_timer_due(const struct apic_bus *b, unsigned cpu)
{
    const struct timer *t = &b->lapic[cpu].expiry;
    return timer_armed(t) ? t->when : CLOCK_NEVER;
}

bool apic_is_external(const struct apic_bus *b, unsigned cpu) { return lapic_external(&b->lapic[cpu]); }

void apic_ended(struct apic_bus *b, unsigned cpu, u8 vector)
{
    if (b->lapic[cpu].tmr[vector / 32] >> vector % 32 & 1)
        apic_bus_eoi(&b->lapic[cpu], vector);
}

/* --- the processors' side --- */

static struct lapic *of_this_cpu(struct apic_bus *b)
{
    unsigned i = b->to.this_cpu ? *b->to.this_cpu : 0;
    return &b->lapic[i < b->n ? i : 0];
}

/* Registers are the first four of each sixteen bytes (11.4.1). */
static u64 read_register(void *dev, u64 offset, unsigned size)
{
    struct lapic *l = of_this_cpu(dev);
    if (!l->on)
        return ~(u64)0;
    return offset & 0xf ? 0 : lapic_read(l, offset);
}

static void write_register(void *dev, u64 offset, unsigned size, u64 value)
{
    struct lapic *l = of_this_cpu(dev);
    if (l->on && !(offset & 0xf))
        lapic_write(l, offset, value);
}

static const char *register_name(u64 offset)
{
    static const char *const name[] = {
        [0x02] = "id", [0x03] = "version", [0x08] = "tpr", [0x0a] = "ppr", [0x0b] = "eoi", [0x0d] = "ldr", [0x0e] = "dfr", [0x0f] = "svr",
        [0x28] = "esr", [0x30] = "icr-low", [0x31] = "icr-high", [0x32] = "lvt-timer", [0x33] = "lvt-thermal", [0x34] = "lvt-counter",
        [0x35] = "lvt-lint0", [0x36] = "lvt-lint1", [0x37] = "lvt-error", [0x38] = "initial-count", [0x39] = "current-count", [0x3e] = "divide",
    };
    return offset >> 4 < ARRAY_LEN(name) ? name[offset >> 4] : NULL;
}
static const struct bus_ops registers = { read_register, write_register, 4, 4, register_name };

static struct apic_bus *from_intc(struct intc *i) { return (struct apic_bus *)((char *)i - offsetof(struct apic_bus, intc)); }

static bool intc_pending(struct intc *i) { return of_this_cpu(from_intc(i))->intr; }

static u8 intc_acknowledge(struct intc *i)
{
    struct apic_bus *b = from_intc(i);
    struct lapic *l = of_this_cpu(b);
    int vector = lapic_acknowledge(l);
    if (vector < 0)
        return b->to.intc->acknowledge(b->to.intc);
    trace(b->to.tracer, IRQ, "cpu=%u vector=0x%x", l->index, vector);
    return vector;
}

/* --- the device --- */

static void set_lint0(void *sink, unsigned line, bool level)
{
    struct apic_bus *b = sink;
    for (unsigned i = 0; i < b->n; i++)
        lapic_set_lint0(&b->lapic[i], level);
}

/* From the 8259A's own, when it has been made: who is asked for a vector is the local APIC first. */
void apic_bus_stand_before(struct apic_bus *b, struct platform *to)
{
    b->to.intc = to->intc;
    b->to.apic_eoi = to->apic_eoi;
    to->intc = &b->intc;
}

static void bus_reset(struct device *d)
{
    struct apic_bus *b = (struct apic_bus *)d;
    for (unsigned i = 0; i < b->n; i++)
        lapic_reset(&b->lapic[i], false);
}

static void init_lapics(struct apic_bus *b)
{
    for (unsigned i = 0; i < b->n; i++) {
        b->lapic[i].index = i;
        b->lapic[i].bsp = i == 0;
        b->lapic[i].bus = b;
        b->lapic[i].clock = b->to.clock;
    }
}

static struct device *bus_create(struct platform *to, struct error *err)
{
    unsigned n = to->has_apic ? to->ncpus ? to->ncpus : 1 : 0;
    struct apic_bus *b = device_new(&lapic_ops, sizeof *b + n * sizeof b->lapic[0], err);
    if (!b)
        return NULL;
    b->to = *to;
    b->n = n;
    if (!n)
        return &b->dev;
    if (bus_add_mmio(to->bus, "lapic", LAPIC_GPA, LAPIC_SIZE, &registers, b, err)) {
        free(b);
        return NULL;
    }
    init_lapics(b);
    bus_reset(&b->dev);
    b->intc = (struct intc){ intc_pending, intc_acknowledge };
    to->apic = b;
    to->cpu_intr = (struct irq){ set_lint0, b, 0 };
    return &b->dev;
}

static void bus_destroy(struct device *d)
{
    struct apic_bus *b = (struct apic_bus *)d;
    for (unsigned i = 0; i < b->n; i++)
        timer_cancel(b->to.clock, &b->lapic[i].expiry);
    free(b);
}

static void print_set(FILE *out, const char *name, const u32 *set)
{
    fprintf(out, " %s", name);
    for (unsigned n = 0; n < 256; n++)
        if (set[n / 32] >> n % 32 & 1)
            fprintf(out, " %02x", n);
}

static void print_lapic(const struct lapic *l, FILE *out)
{
    fprintf(out, "lapic %u: id %02x%s%s, ldr %02x, tpr %02x, ppr %02x;", l->index, l->id, l->on ? "" : " off", l->svr >> 8 & 1 ? "" : " software-disabled",
            l->ldr >> 24, l->tpr, lapic_ppr(l));
    print_set(out, "irr", l->irr);
    print_set(out, "isr", l->isr);
    fprintf(out, "; timer %05x of %u%s, lint0 %05x; %llu delivered, %llu timer, %llu sent\n", l->lvt[LVT_TIMER], l->initial, l->counting ? "" : " (stopped)",
            l->lvt[LVT_LINT0], (unsigned long long)l->delivered, (unsigned long long)l->timer_expired, (unsigned long long)l->ipis);
}

static void bus_info(const struct device *d, FILE *out)
{
    const struct apic_bus *b = (const struct apic_bus *)d;
    for (unsigned i = 0; i < b->n; i++)
        print_lapic(&b->lapic[i], out);
    if (!b->n)
        fprintf(out, "this processor has none\n");
}

const struct device_ops lapic_ops = {
    "lapic", "the processors' local APICs", bus_create, bus_reset, bus_destroy, bus_info,
};
