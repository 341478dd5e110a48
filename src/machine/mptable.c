/* SPDX-License-Identifier: MIT */
/*
 * MultiProcessor Specification 1.4, chapter 4: a floating pointer, found by search, and the table that it points to. What firmware of this
 * board would have left: processors, two buses, the I/O APIC, and which of its pins each interrupt is on.
 */
#include "machine/mptable.h"

#include <string.h>

#include "devices/interrupt/apic.h"
#include "machine/firmware_pci.h"
#include "machine/smp.h"

#define TABLE(name) struct __attribute__((packed)) name
#define ISA_IRQS 16
#define PCI_SLOTS 32

TABLE(floating) { char signature[4]; u32 table; u8 length /* of 16 bytes */, revision, checksum, features[5]; };
TABLE(header) {
    char signature[4];
    u16 length;
    u8 revision, checksum;
    char oem[8], product[12];
    u32 oem_table;
    u16 oem_size, entries;
    u32 lapic;
    u16 extended_length;
    u8 extended_checksum, reserved;
};
TABLE(processor_entry) { u8 type, apic_id, version, flags; u32 signature, features, reserved[2]; };
TABLE(bus_entry) { u8 type, id; char name[6]; };
TABLE(ioapic_entry) { u8 type, id, version, flags; u32 gpa; };
TABLE(interrupt_entry) { u8 type, kind; u16 flags; u8 bus, source, destination, pin; };

enum { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_IO_INTERRUPT, MP_LOCAL_INTERRUPT };
enum { PROCESSOR_USABLE = 1, PROCESSOR_BOOTS = 2, IOAPIC_USABLE = 1 };
enum { KIND_INT = 0, KIND_NMI = 1, KIND_EXTINT = 3, AS_BUS = 0, LEVEL_ACTIVE_HIGH = 0x0d, EVERYBODY = 0xff };
enum { BUS_PCI, BUS_ISA };

/* The table in the making; the longest has 8 processors and 139 interrupts. */
struct maker {
    struct floating floating __attribute__((aligned(16)));
    TABLE(table) { struct header h; u8 bytes[4096]; } table;
    unsigned used;
};

static void add(struct maker *m, const void *entry, unsigned size)
{
    memcpy(m->table.bytes + m->used, entry, size);
    m->used += size;
    m->table.h.entries++;
}

static void add_processors(struct maker *m, const struct vm *vm)
{
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        u32 cpuid[4];
        cpu_cpuid(&vm->vcpu[i]->cpu, 1, 0, cpuid);
        add(m, &(struct processor_entry){ MP_PROCESSOR, i, 0x14, PROCESSOR_USABLE | (i ? 0 : PROCESSOR_BOOTS), cpuid[0], cpuid[3], { 0 } }, sizeof(struct processor_entry));
    }
}

static void add_buses(struct maker *m)
{
    add(m, &(struct bus_entry){ MP_BUS, BUS_PCI, "PCI   " }, sizeof(struct bus_entry));
    add(m, &(struct bus_entry){ MP_BUS, BUS_ISA, "ISA   " }, sizeof(struct bus_entry));
    add(m, &(struct ioapic_entry){ MP_IOAPIC, 0, 0x11, IOAPIC_USABLE, IOAPIC_GPA }, sizeof(struct ioapic_entry));
}

static void add_interrupt(struct maker *m, u16 flags, u8 bus, u8 source, u8 pin)
{
    add(m, &(struct interrupt_entry){ MP_IO_INTERRUPT, KIND_INT, flags, bus, source, 0, pin }, sizeof(struct interrupt_entry));
}

static bool is_pci(unsigned irq) { return irq == FIRMWARE_PCI_IRQ_A || irq == FIRMWARE_PCI_IRQ_C; }

/* A PCI source is slot and pin (D.3). */
static void add_interrupts(struct maker *m)
{
    for (unsigned n = 4; n < 4 * PCI_SLOTS; n++)
        add_interrupt(m, LEVEL_ACTIVE_HIGH, BUS_PCI, n, firmware_pci_irq(n / 4, n % 4 + 1));
    for (unsigned irq = 0; irq < ISA_IRQS; irq++)
        if (irq != IOAPIC_PIN_TIMER && !is_pci(irq))
            add_interrupt(m, AS_BUS, BUS_ISA, irq, irq ? irq : IOAPIC_PIN_TIMER);
    add(m, &(struct interrupt_entry){ MP_LOCAL_INTERRUPT, KIND_EXTINT, AS_BUS, BUS_ISA, 0, 0, 0 }, sizeof(struct interrupt_entry));
    add(m, &(struct interrupt_entry){ MP_LOCAL_INTERRUPT, KIND_NMI, AS_BUS, BUS_ISA, 0, EVERYBODY, 1 }, sizeof(struct interrupt_entry));
}

/* The byte that makes the sum of them all zero. */
static u8 checksum(const void *bytes, unsigned n)
{
    u8 sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += ((const u8 *)bytes)[i];
    return -sum;
}

static void finish(struct maker *m)
{
    struct header *h = &m->table.h;
    memcpy(h->signature, "PCMP", 4);
    memcpy(h->oem, "EMU     ", sizeof h->oem);
    memcpy(h->product, "EMU PC      ", sizeof h->product);
    h->length = sizeof *h + m->used;
    h->revision = 4;
    h->lapic = LAPIC_GPA;
    h->checksum = checksum(h, h->length);
    m->floating = (struct floating){ .signature = "_MP_", .table = MPTABLE_GPA + offsetof(struct maker, table), .length = 1, .revision = 4 };
    m->floating.checksum = checksum(&m->floating, sizeof m->floating);
}

void mptable_leave(struct vm *vm)
{
    struct maker m;
    if (!vm_has_apic(vm))
        return;
    memset(&m, 0, sizeof m);
    add_processors(&m, vm);
    add_buses(&m);
    add_interrupts(&m);
    finish(&m);
    physmap_write(&vm->map, MPTABLE_GPA, &m, offsetof(struct maker, table) + m.table.h.length);
}
