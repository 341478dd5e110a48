/* SPDX-License-Identifier: MIT */
/*
 * The south bridge, a multifunction device at 00:01 (82371SB, order number 290550): function 0 is the ISA bridge, which
 * routes the four PCI interrupt wires to ISA interrupts (4.1.10, PIRQRC). Function 1, the IDE interface, is in ide_pci.c;
 * function 3, power management, in power.c.
 */
#include <stdlib.h>

#include "devices/chipset/small.h"
#include "devices/pci/pci.h"

#define SLOT 1
enum { PIRQ_ROUTE = 0x60, ROUTE_OFF = 0x80, ROUTE_IRQ = 0x0f, ROUTE_COUNT = 4 };

struct piix3 {
    struct device dev;
    struct pci_function isa;
    bool pirq[4];           /* levels now */
    u16 driven;             /* ISA interrupts that are held high from here */
    struct irq isa_irq[16];
};

/* Which ISA interrupts do the wires hold? Each wire goes to at most one. */
static u16 wanted(const struct piix3 *p)
{
    u16 lines = 0;
    for (unsigned n = 0; n < ROUTE_COUNT; n++) {
        u8 route = p->isa.config[PIRQ_ROUTE + n];
        if (p->pirq[n] && !(route & ROUTE_OFF))
            lines |= BIT(route & ROUTE_IRQ);
    }
    return lines;
}

static void drive(struct piix3 *p)
{
    u16 now = wanted(p), changed = now ^ p->driven;
    p->driven = now;
    for (unsigned line = 0; line < 16; line++)
        if (changed >> line & 1)
            irq_set(&p->isa_irq[line], now >> line & 1);
}

static void set_pirq(void *sink, unsigned n, bool level)
{
    struct piix3 *p = sink;
    p->pirq[n] = level;
    drive(p);
}

static void isa_written(struct pci_function *f, u8 offset, unsigned size)
{
    if (offset < PIRQ_ROUTE + ROUTE_COUNT && offset + size > PIRQ_ROUTE)
        drive(f->dev);
}

static void make_isa(struct piix3 *p)
{
    struct pci_function *f = &p->isa;
    pci_identify(f, 0x8086, 0x7000, 0x060100, 0x00);
    f->config[PCI_HEADER_TYPE] = 0x80;
    pci_put(f->config, PCI_COMMAND, 2, 0x0007);
    pci_put(f->config, PCI_STATUS, 2, 0x0200);
    for (unsigned n = 0; n < ROUTE_COUNT; n++) {
        f->config[PIRQ_ROUTE + n] = ROUTE_OFF;
        f->writable[PIRQ_ROUTE + n] = ROUTE_OFF | ROUTE_IRQ;
    }
    f->written = isa_written;
    f->dev = p;
}

static void piix3_reset(struct device *d)
{
    struct piix3 *p = (struct piix3 *)d;
    for (unsigned n = 0; n < ROUTE_COUNT; n++)
        p->isa.config[PIRQ_ROUTE + n] = ROUTE_OFF;
    drive(p);
}

static void connect(struct piix3 *p, struct platform *to)
{
    for (unsigned line = 0; line < 16; line++)
        p->isa_irq[line] = to->isa_irq[line];
    for (unsigned n = 0; n < ROUTE_COUNT; n++)
        to->pci->pirq[n] = (struct irq){ set_pirq, p, n };
}

static struct device *piix3_create(struct platform *to, struct error *err)
{
    struct piix3 *p = device_new(&piix3_ops, sizeof *p, err);
    if (!p)
        return NULL;
    make_isa(p);
    if (pci_add(to->pci, SLOT, 0, &p->isa, err)) {
        free(p);
        return NULL;
    }
    connect(p, to);
    return &p->dev;
}

static void piix3_destroy(struct device *d) { free(d); }

static void piix3_info(const struct device *d, FILE *out)
{
    const struct piix3 *p = (const struct piix3 *)d;
    for (unsigned n = 0; n < ROUTE_COUNT; n++) {
        u8 route = p->isa.config[PIRQ_ROUTE + n];
        fprintf(out, "PIRQ%c: %s%u, level %u\n", 'A' + n, route & ROUTE_OFF ? "off, irq " : "irq ", route & ROUTE_IRQ, p->pirq[n]);
    }
}

const struct device_ops piix3_ops = {
    "piix3", "south bridge: routes PCI interrupts to ISA's", piix3_create, piix3_reset, piix3_destroy, piix3_info,
};
