/* SPDX-License-Identifier: MIT */
/*
 * Power management of the south bridge, function 3 of a 82371AB (order number 290562): its block of ports stands at 600h, and
 * also where firmware puts it (PMBA).
 *
 * Ways to turn the machine off: SLP_EN in the ACPI PM1a control register, where firmware of emulated PIIX4 chipsets
 * puts it (port 604h; B004h in older ones), and the word "Shutdown" at Bochs' port 8900h. The block at 600h also has PM1a
 * status and enable, and the ACPI timer (ACPI specification, 4.8.3).
 */
#include <stdlib.h>

#include "devices/chipset/small.h"
#include "devices/pci/pci.h"

#define PM_TIMER_HZ 3579545u

enum { SLP_EN = 0x2000, SLP_TYP_SHIFT = 10, SLP_TYP_MASK = 7, SCI_EN = 0x0001 };
enum { PM1_STATUS = 0, PM1_ENABLE = 2, PM1_CONTROL = 4, PM_TIMER = 8 };

struct power {
    struct device dev;
    struct platform to;
    u16 enable, control;
    struct pci_function function;
    u16 base;                   /* where firmware has put the block, 0: nowhere */
    unsigned spelled;           /* letters of "Shutdown" seen so far */
};

/* S5 is sleep type 0 in these chipsets' tables; 5 is what many small kernels write. */
static void write_control(struct power *p, u16 value)
{
    unsigned type = value >> SLP_TYP_SHIFT & SLP_TYP_MASK;
    p->control = value & ~SLP_EN;
    if (value & SLP_EN && (type == 0 || type == 5))
        platform_ask(&p->to, REQUEST_POWEROFF, 0);
}

/* Two-byte registers; status bits are never set, so writing ones to clear them does nothing. */
static u64 power_read(void *dev, u64 offset, unsigned size)
{
    struct power *p = dev;
    u32 timer = clock_cycles_to_ticks(p->to.clock, p->to.clock->now, PM_TIMER_HZ) & 0xffffff;
    switch (offset) {
    case PM1_ENABLE: return p->enable;
    case PM1_CONTROL: return p->control;
    case PM_TIMER: return timer & 0xffff;
    case PM_TIMER + 2: return timer >> 16;
    default: return 0;
    }
}

static void power_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct power *p = dev;
    if (offset == PM1_ENABLE)
        p->enable = value;
    else if (offset == PM1_CONTROL)
        write_control(p, value);
}

static u64 old_read(void *dev, u64 offset, unsigned size) { return ((struct power *)dev)->control; }
static void old_write(void *dev, u64 offset, unsigned size, u64 value) { write_control(dev, value); }

static u64 bochs_read(void *dev, u64 offset, unsigned size) { return 0; }

static void bochs_write(void *dev, u64 offset, unsigned size, u64 value)
{
    static const char word[] = "Shutdown";
    struct power *p = dev;
    if ((u8)value != word[p->spelled])
        p->spelled = 0;
    if ((u8)value == word[p->spelled])
        p->spelled++;
    if (word[p->spelled])
        return;
    p->spelled = 0;
    platform_ask(&p->to, REQUEST_POWEROFF, 0);
}

static const char *power_reg(u64 offset)
{
    static const char *const name[6] = { "pm1-status", "pm1-enable", "pm1-control", NULL, "pm-timer", "pm-timer-high" };
    return offset / 2 < ARRAY_LEN(name) ? name[offset / 2] : NULL;
}
static const char *old_reg(u64 offset) { return "pm1-control"; }
static const char *bochs_reg(u64 offset) { return "shutdown"; }
static const struct bus_ops power_ports = { power_read, power_write, 2, 2, power_reg };
static const struct bus_ops old_ports = { old_read, old_write, 2, 2, old_reg };
static const struct bus_ops bochs_ports = { bochs_read, bochs_write, .reg_name = bochs_reg };

/* --- the PCI function --- */

#define FIXED_BASE 0x600
#define BLOCK_SIZE 12
enum { PMBA = 0x40, PMBA_BITS = 0xffc0, PMREGMISC = 0x80, PMIOSE = 1, DEVACTB_HIGH = 0x5b, SMI_DONE = 0x02 };

static void move_block(struct power *p, u16 base)
{
    if (p->base == base)
        return;
    if (p->base)
        bus_remove_ports(p->to.bus, p->base, BLOCK_SIZE, p);
    p->base = base && bus_add_ports(p->to.bus, "power", base, BLOCK_SIZE, &power_ports, p, NULL) == 0 ? base : 0;
}

static void function_written(struct pci_function *f, u8 offset, unsigned size)
{
    struct power *p = f->dev;
    u16 base = f->config[PMREGMISC] & PMIOSE ? pci_get(f->config, PMBA, 2) & PMBA_BITS : 0;
    move_block(p, base == FIXED_BASE ? 0 : base);
}

/* System management mode is not there: the bit by which firmware knows that it has been set up is set. */
static void make_function(struct power *p)
{
    struct pci_function *f = &p->function;
    pci_identify(f, 0x8086, 0x7113, 0x068000, 0x03);
    pci_put(f->config, PCI_STATUS, 2, 0x0280);
    pci_put(f->config, PMBA, 4, FIXED_BASE | 1);
    pci_put(f->writable, PMBA, 2, PMBA_BITS);
    f->config[PMREGMISC] = f->writable[PMREGMISC] = PMIOSE;
    f->config[DEVACTB_HIGH] = SMI_DONE;
    f->config[PCI_INTERRUPT_PIN] = 1;
    f->config[PCI_INTERRUPT_LINE] = 9;
    f->written = function_written;
    f->dev = p;
}

static void power_reset(struct device *d)
{
    struct power *p = (struct power *)d;
    p->enable = 0;
    move_block(p, 0);
    make_function(p);
    p->control = SCI_EN;
    p->spelled = 0;
}

static struct device *power_create(struct platform *to, struct error *err)
{
    struct power *p = device_new(&power_ops, sizeof *p, err);
    if (!p)
        return NULL;
    p->to = *to;
    if (bus_add_ports(to->bus, "power", FIXED_BASE, BLOCK_SIZE, &power_ports, p, err) ||
        bus_add_ports(to->bus, "power", 0xb004, 2, &old_ports, p, err) ||
        bus_add_ports(to->bus, "bochs-shutdown", 0x8900, 1, &bochs_ports, p, err) ||
        (to->pci && pci_add(to->pci, 1, 3, &p->function, err))) {
        free(p);
        return NULL;
    }
    power_reset(&p->dev);
    return &p->dev;
}

static void power_destroy(struct device *d) { free(d); }

const struct device_ops power_ops = {
    "power", "ACPI power control and timer, Bochs' shutdown port", power_create, power_reset, power_destroy, NULL,
};
