/* SPDX-License-Identifier: MIT */
/*
 * A kernel finds out where it wants PCI devices itself, but not how their interrupts are wired: that only firmware knows, which
 * routes the four wires of the south bridge (82371SB, 4.1.10) and notes in each function which line it got. Everything is done as
 * firmware does it, by ports. A student's kernel also expects its adapter to have been placed.
 */
#include "machine/firmware_pci.h"

#include "devices/pci/pci.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, ELCR = 0x4d0, SOUTH_BRIDGE = 1 << 3, PIRQ_ROUTE = 0x60 };
enum { MEMORY_FROM = 0xfe000000, IO_FROM = 0xc000 };    /* within the windows that acpi.c names */

static const u8 route[4] = { FIRMWARE_PCI_IRQ_A, FIRMWARE_PCI_IRQ_A, FIRMWARE_PCI_IRQ_C, FIRMWARE_PCI_IRQ_C };

u8 firmware_pci_irq(unsigned slot, unsigned pin) { return route[pci_pirq_of(slot, pin)]; }

struct places { u32 memory, io; };

static void config_write(struct vm *vm, unsigned devfn, unsigned reg, unsigned size, u32 value)
{
    bus_io_write(&vm->bus, CONFIG_ADDRESS, 4, 0x80000000u | devfn << 8 | (reg & 0xfc));
    bus_io_write(&vm->bus, CONFIG_DATA + (reg & 3), size, value);
}

static u32 align(u32 at, u32 size) { return (at + size - 1) & ~(size - 1); }

static void place_bars(struct vm *vm, const struct pci_function *f, struct places *next)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        u32 size = f->bar[n].size, *at = f->bar[n].io ? &next->io : &next->memory;
        if (!size)
            continue;
        *at = align(*at, size);
        config_write(vm, f->devfn, PCI_BAR0 + 4 * n, 4, *at);
        *at += size;
    }
    config_write(vm, f->devfn, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void route_interrupts(struct vm *vm)
{
    for (unsigned n = 0; n < ARRAY_LEN(route); n++) {
        config_write(vm, SOUTH_BRIDGE, PIRQ_ROUTE + n, 1, route[n]);
        u16 port = ELCR + route[n] / 8;
        bus_io_write(&vm->bus, port, 1, bus_io_read(&vm->bus, port, 1) | 1 << route[n] % 8);    /* PCI's are levels */
    }
}

void firmware_leave_pci(struct vm *vm)
{
    struct places next = { MEMORY_FROM, IO_FROM };
    bool routed = false;
    for (unsigned devfn = 0; vm->platform.pci && devfn < 256; devfn++) {
        const struct pci_function *f = vm->platform.pci->function[devfn];
        if (!f || !(f->config[PCI_INTERRUPT_PIN] || f->assigned))
            continue;
        if (!routed)
            route_interrupts(vm);
        routed = true;
        place_bars(vm, f, &next);
        if (!f->config[PCI_INTERRUPT_PIN])
            continue;           /* a VF has only messages */
        config_write(vm, devfn, PCI_INTERRUPT_LINE, 1, firmware_pci_irq(devfn >> 3, f->config[PCI_INTERRUPT_PIN]));
    }
}
