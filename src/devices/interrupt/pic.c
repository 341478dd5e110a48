/* SPDX-License-Identifier: MIT */
/*
 * The PC's interrupt controllers: a master 8259A whose input 2 is the output of a slave (IBM PC/AT Technical
 * Reference, System Interrupts), and the chipset's edge/level control registers at 4D0h and 4D1h (82371SB, ELCR).
 */
#include "devices/interrupt/pic.h"

#include <stdlib.h>

#include "devices/interrupt/i8259.h"

#define CASCADE 2

struct pic {
    struct device dev;
    struct intc intc;
    struct i8259 chip[2];       /* master, slave */
    struct irq cpu_intr;
    bool intr;                  /* level of cpu_intr */
    bool slave_intr;            /* level of the slave's output, the master's input 2 */
    const struct tracer *tracer;
    u64 delivered[16], spurious;
};

/* Inputs that may be level triggered: not timer, keyboard, cascade; not RTC and coprocessor. */
static const u8 elcr_writable[2] = { 0xf8, 0xde };

/* Follow the chips' outputs: slave to master, master to processor. */
static void pic_update(struct pic *p)
{
    bool slave = i8259_pending(&p->chip[1]) >= 0;
    if (slave && !p->slave_intr)
        i8259_latch(&p->chip[0], CASCADE);
    p->slave_intr = slave;
    bool intr = i8259_pending(&p->chip[0]) >= 0;
    if (intr == p->intr)
        return;
    p->intr = intr;
    irq_set(&p->cpu_intr, intr);
}

static void pic_set_line(void *sink, unsigned line, bool level)
{
    struct pic *p = sink;
    trace(p->tracer, IRQ, "line=0x%x level=0x%x", line, level);
    i8259_set_line(&p->chip[line / 8], line % 8, level);
    pic_update(p);
}

static struct pic *from_intc(struct intc *i)
{
    return (struct pic *)((char *)i - offsetof(struct pic, intc));
}

static bool pic_pending(struct intc *i)
{
    return from_intc(i)->intr;
}

/* If it still has something, its INT output falls and rises anew, so the master sees an edge. */
static void slave_acknowledged(struct pic *p, const struct i8259 *c)
{
    if (c == &p->chip[1])
        p->slave_intr = false;
}

/* A chip whose request has gone away answers for its input 7, without an in-service bit ("default IR7"). */
static unsigned chip_serve(struct pic *p, struct i8259 *c)
{
    int n = i8259_acknowledge(c);
    p->spurious += n < 0;
    slave_acknowledged(p, c);
    return n < 0 ? 7 : n;
}

static u8 pic_acknowledge(struct intc *i)
{
    struct pic *p = from_intc(i);
    bool spurious_master = i8259_pending(&p->chip[0]) < 0;
    unsigned line = chip_serve(p, &p->chip[0]);
    if (line == CASCADE && !spurious_master)
        line = 8 + chip_serve(p, &p->chip[1]);
    u8 vector = p->chip[line / 8].vector_base | (line & 7);
    p->delivered[line]++;
    trace(p->tracer, IRQ, "ack=0x%x vector=0x%x", line, vector);
    pic_update(p);
    return vector;
}

static u64 chip_port_read(struct pic *p, unsigned chip, u64 offset)
{
    bool polled = p->chip[chip].poll;
    u8 value = i8259_read(&p->chip[chip], offset);
    if (polled)
        slave_acknowledged(p, &p->chip[chip]);
    pic_update(p);
    return value;
}
static void chip_port_write(struct pic *p, unsigned chip, u64 offset, u8 value)
{
    i8259_write(&p->chip[chip], offset, value);
    pic_update(p);
}
static u64 master_read(void *dev, u64 offset, unsigned size) { return chip_port_read(dev, 0, offset); }
static u64 slave_read(void *dev, u64 offset, unsigned size) { return chip_port_read(dev, 1, offset); }
static void master_write(void *dev, u64 offset, unsigned size, u64 v) { chip_port_write(dev, 0, offset, v); }
static void slave_write(void *dev, u64 offset, unsigned size, u64 v) { chip_port_write(dev, 1, offset, v); }

static u64 elcr_read(void *dev, u64 offset, unsigned size)
{
    return ((struct pic *)dev)->chip[offset].elcr;
}

static void elcr_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct pic *p = dev;
    struct i8259 *c = &p->chip[offset];
    c->elcr = value & elcr_writable[offset];
    c->irr = (c->irr & ~c->elcr) | (c->lines & c->elcr);
    pic_update(p);
}

static const char *chip_reg(u64 offset) { return offset ? "mask" : "command"; }
static const char *elcr_reg(u64 offset) { return offset ? "elcr2" : "elcr1"; }
static const struct bus_ops master_ports = { master_read, master_write, .reg_name = chip_reg };
static const struct bus_ops slave_ports = { slave_read, slave_write, .reg_name = chip_reg };
static const struct bus_ops elcr_ports = { elcr_read, elcr_write, .reg_name = elcr_reg };

static void pic_reset(struct device *d)
{
    struct pic *p = (struct pic *)d;
    for (int n = 0; n < 2; n++)
        p->chip[n] = (struct i8259){ .lines = p->chip[n].lines, .lowest = 7 };
    pic_update(p);
}

static void pic_publish(struct pic *p, struct platform *to)
{
    for (unsigned line = 0; line < 16; line++)
        to->isa_irq[line] = (struct irq){ pic_set_line, p, line };
    p->intc = (struct intc){ pic_pending, pic_acknowledge };
    to->intc = &p->intc;
}

static struct device *pic_create(struct platform *to, struct error *err)
{
    struct pic *p = device_new(&pic_ops, sizeof *p, err);
    if (!p)
        return NULL;
    p->cpu_intr = to->cpu_intr;
    p->tracer = to->tracer;
    if (bus_add_ports(to->bus, "pic1", 0x20, 2, &master_ports, p, err) ||
        bus_add_ports(to->bus, "pic2", 0xa0, 2, &slave_ports, p, err) ||
        bus_add_ports(to->bus, "elcr", 0x4d0, 2, &elcr_ports, p, err)) {
        free(p);
        return NULL;
    }
    pic_publish(p, to);
    pic_reset(&p->dev);
    return &p->dev;
}

static void pic_destroy(struct device *d)
{
    free(d);
}

static void pic_info(const struct device *d, FILE *out)
{
    const struct pic *p = (const struct pic *)d;
    for (int n = 0; n < 2; n++) {
        const struct i8259 *c = &p->chip[n];
        fprintf(out, "pic%d: irr=%02x isr=%02x imr=%02x elcr=%02x vectors=%02x..%02x\n", n + 1, c->irr, c->isr, c->imr,
                c->elcr, c->vector_base, c->vector_base + 7);
    }
    for (int line = 0; line < 16; line++)
        if (p->delivered[line])
            fprintf(out, "  irq %d: %llu delivered\n", line, (unsigned long long)p->delivered[line]);
    fprintf(out, "  spurious: %llu\n", (unsigned long long)p->spurious);
}

const struct device_ops pic_ops = {
    "pic", "two 8259A interrupt controllers, IRQ 0 to 15", pic_create, pic_reset, pic_destroy, pic_info,
};
