/* SPDX-License-Identifier: MIT */
/*
 * The I/O APIC: 24 pins that become messages to the processors (82093AA, order number 290566). It listens to the same wires as the
 * 8259A; the guest masks one of the two. What a wire says is "asserted": its polarity is an affair of the board and not modelled.
 */
#include <stdlib.h>

#include "devices/interrupt/lapic.h"

#define VERSION 0x11
#define REG_SELECT 0x00
#define REG_WINDOW 0x10
enum { INDEX_ID = 0, INDEX_VERSION = 1, INDEX_ARBITRATION = 2, INDEX_TABLE = 0x10 };
enum { PIN_LOGICAL = 1 << 11, PIN_REMOTE_IRR = 1 << 14, PIN_LEVEL = 1 << 15, PIN_MASKED = 1 << 16, PIN_WRITABLE = 0x1afff };

struct pin { u32 low; u8 destination; bool asserted; u64 sent; };

struct ioapic {
    struct device dev;
    struct apic_bus *bus;
    struct irq isa[16];             /* the 8259A's inputs */
    u8 select, id;
    struct pin pin[IOAPIC_PINS];
};

static void send(struct ioapic *io, struct pin *p)
{
    struct apic_message m = {
        .vector = p->low, .delivery = p->low >> 8 & 7, .destination = p->destination, .logical = p->low & PIN_LOGICAL, .level = p->low & PIN_LEVEL,
    };
    p->sent++;
    if (apic_send(io->bus, &m) && m.level)
        p->low |= PIN_REMOTE_IRR;
}

/* A level goes out again and again while it is asserted, each time when the one before is done. */
static void follow_level(struct ioapic *io, struct pin *p)
{
    if (p->asserted && (p->low & (PIN_LEVEL | PIN_MASKED | PIN_REMOTE_IRR)) == PIN_LEVEL)
        send(io, p);
}

static void set_pin(struct ioapic *io, unsigned n, bool level)
{
    struct pin *p = &io->pin[n];
    bool rises = level && !p->asserted;
    p->asserted = level;
    if (p->low & PIN_LEVEL)
        follow_level(io, p);
    else if (rises && !(p->low & PIN_MASKED)) /* an edge on a masked pin is lost */
        send(io, p);
}

/* A processor is done with that vector, which came by level. */
static void on_eoi(void *opaque, u8 vector)
{
    struct ioapic *io = opaque;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        struct pin *p = &io->pin[n];
        if (!(p->low & PIN_LEVEL) || (u8)p->low != vector)
            continue;
        p->low &= ~PIN_REMOTE_IRR;
        follow_level(io, p);
    }
}

/* --- registers: an index and a window --- */

static u32 read_index(const struct ioapic *io)
{
    unsigned n = (io->select - INDEX_TABLE) / 2;
    if (io->select >= INDEX_TABLE && n < IOAPIC_PINS)
        return io->select & 1 ? (u32)io->pin[n].destination << 24 : io->pin[n].low;
    switch (io->select) {
    case INDEX_ID:
    case INDEX_ARBITRATION: return (u32)io->id << 24;
    case INDEX_VERSION: return VERSION | (IOAPIC_PINS - 1) << 16;
    default: return 0;
    }
}

/* Made edge triggered, a pin forgets that a level was on its way. */
static void write_low(struct ioapic *io, struct pin *p, u32 value)
{
    p->low = (p->low & PIN_REMOTE_IRR) | (value & PIN_WRITABLE);
    if (!(p->low & PIN_LEVEL))
        p->low &= ~PIN_REMOTE_IRR;
    follow_level(io, p);
}

static void write_index(struct ioapic *io, u32 value)
{
    unsigned n = (io->select - INDEX_TABLE) / 2;
    if (io->select == INDEX_ID)
        io->id = value >> 24 & 0x0f;
    if (io->select < INDEX_TABLE || n >= IOAPIC_PINS)
        return;
    if (io->select & 1)
        io->pin[n].destination = value >> 24;
    else
        write_low(io, &io->pin[n], value);
}

static u64 read_register(void *dev, u64 offset, unsigned size)
{
    const struct ioapic *io = dev;
    if (offset == REG_SELECT)
        return io->select;
    return offset == REG_WINDOW ? read_index(io) : 0;
}

static void write_register(void *dev, u64 offset, unsigned size, u64 value)
{
    struct ioapic *io = dev;
    if (offset == REG_SELECT)
        io->select = value;
    else if (offset == REG_WINDOW)
        write_index(io, value);
}

static const char *register_name(u64 offset) { return offset == REG_SELECT ? "select" : offset == REG_WINDOW ? "window" : NULL; }
static const struct bus_ops registers = { read_register, write_register, 4, 4, register_name };

/* --- wires --- */

/* An ISA interrupt goes to both controllers. The 8259A's cascade is no interrupt, so its pin is the timer's. */
static void set_isa(void *sink, unsigned line, bool level)
{
    struct ioapic *io = sink;
    irq_set(&io->isa[line], level);
    if (line != IOAPIC_PIN_TIMER)
        set_pin(io, line ? line : IOAPIC_PIN_TIMER, level);
}

/* --- the device --- */

static void ioapic_reset(struct device *d)
{
    struct ioapic *io = (struct ioapic *)d;
    io->select = io->id = 0;
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        io->pin[n] = (struct pin){ .low = PIN_MASKED, .asserted = io->pin[n].asserted };
}

static void publish(struct ioapic *io, struct platform *to)
{
    for (unsigned line = 0; line < ARRAY_LEN(io->isa); line++) {
        io->isa[line] = to->isa_irq[line];
        to->isa_irq[line] = (struct irq){ set_isa, io, line };
    }
    to->apic_eoi = (struct apic_eoi){ on_eoi, io };
    apic_bus_stand_before(io->bus, to);
}

static struct device *ioapic_create(struct platform *to, struct error *err)
{
    struct ioapic *io = device_new(&ioapic_ops, sizeof *io, err);
    if (!io || !to->apic)
        return io ? &io->dev : NULL;
    io->bus = to->apic;
    if (bus_add_mmio(to->bus, "ioapic", IOAPIC_GPA, PAGE_SIZE, &registers, io, err)) {
        free(io);
        return NULL;
    }
    publish(io, to);
    ioapic_reset(&io->dev);
    return &io->dev;
}

static void ioapic_destroy(struct device *d) { free(d); }

static void ioapic_info(const struct device *d, FILE *out)
{
    const struct ioapic *io = (const struct ioapic *)d;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        const struct pin *p = &io->pin[n];
        if (p->sent || !(p->low & PIN_MASKED))
            fprintf(out, "ioapic pin %2u: %05x to %02x%s; %llu sent\n", n, p->low, p->destination, p->asserted ? ", asserted" : "", (unsigned long long)p->sent);
    }
}

const struct device_ops ioapic_ops = {
    "ioapic", "I/O APIC: 24 interrupt pins that become messages", ioapic_create, ioapic_reset, ioapic_destroy, ioapic_info,
};
