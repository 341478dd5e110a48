/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a kernel that is booted without firmware (ACPI specification 6.5, chapters 5, 6 and 20):
 *
 *     root pointer (RSDP) -> RSDT -> FADT -> DSDT, FACS
 *                                 -> MADT, where the processors have local APICs
 *
 * The FADT says where src/devices/chipset/power.c has its registers. The DSDT holds bytes of AML, the language that the guest's
 * kernel interprets; written as ASL they would be
 *
 *     Name (\_S5, Package () { 0, 0, 0, 0 })          // the sleep type that turns the machine off
 *     Scope (\_SB) { Device (PCI0) {
 *         Name (_HID, EisaId ("PNP0A03"))             // a PCI host bridge, and what it hands on
 *         Name (_CRS, ResourceTemplate () { ... })
 *         Name (_PRT, Package () {                    // which interrupt each pin of each slot is on:
 *             Package () { 0x0001FFFF, 0, 0, 10 },    // slot, pin (0 is INTA#), no link device, interrupt
 *             ... })
 *     } }
 *     Scope (\_SB) { Device (VIO0) {                  // each virtio device that is on no bus
 *         Name (_HID, "LNRO0005")
 *         Name (_UID, 0)
 *         Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadWrite, ...) Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { ... } })
 *     } }
 *
 * The interrupts are ISA's, whichever controller the guest uses: firmware_leave_pci() has put the wires there.
 */
#include "machine/acpi.h"

#include <string.h>

#include "devices/interrupt/apic.h"
#include "machine/firmware_pci.h"
#include "machine/smp.h"

#define SCI_IRQ 9
#define PCI_SLOTS 32
#define TABLE(name) struct __attribute__((packed)) name

/* --- the tables, as they lie in memory (5.2) --- */

TABLE(header) {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem[6], oem_table[8];
    u32 oem_revision;
    char creator[4];
    u32 creator_revision;
};

TABLE(rsdp) {
    char signature[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt;                       /* gpa */
};

TABLE(rsdt) {
    struct header h;
    u32 fadt, madt;                 /* gpa; the length leaves out what is not there */
};

TABLE(fadt) {                       /* of ACPI 1.0: 116 bytes */
    struct header h;
    u32 facs, dsdt;                 /* gpa */
    u8 interrupt_model, reserved0;
    u16 sci_irq;
    u32 smi_command;                /* 0: the machine is in ACPI mode from power-on */
    u8 acpi_enable, acpi_disable, s4_bios, reserved1;
    u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1; /* ports; 0: none */
    u8 pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len, gpe0_len, gpe1_len, gpe1_base, reserved2;
    u16 c2_latency, c3_latency, flush_size, flush_stride;   /* latencies above 100 and 1000 us: no such states */
    u8 duty_offset, duty_width, day_alarm, month_alarm, century, reserved3[3];
    u32 flags;
};
_Static_assert(sizeof(struct fadt) == 116, "as ACPI 1.0 has it");

TABLE(facs) {
    char signature[4];
    u32 length, hardware_signature, waking_vector, global_lock, flags;
    u8 reserved[40];
};

/* The MADT's entries (5.2.12): what processors and interrupt controllers there are. */
TABLE(madt_processor) { u8 type, length, acpi_id, apic_id; u32 flags; };
TABLE(madt_ioapic) { u8 type, length, id, reserved; u32 gpa, first_interrupt; };
TABLE(madt_override) { u8 type, length, bus, source; u32 interrupt; u16 flags; };
TABLE(madt_nmi) { u8 type, length, acpi_id; u16 flags; u8 lint; };
enum { MADT_PROCESSOR = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_NMI = 4 };
enum { MADT_PC_AT = 1 /* there are 8259As too */, PROCESSOR_ENABLED = 1, BUS_DEFAULT = 0, LEVEL_ACTIVE_HIGH = 0x0d };
static const u8 level_irqs[] = { SCI_IRQ, FIRMWARE_PCI_IRQ_A, FIRMWARE_PCI_IRQ_C };

TABLE(madt) {
    struct header h;
    u32 lapic;                      /* gpa */
    u32 flags;
    struct madt_ioapic ioapic;
    struct madt_override timer, level[ARRAY_LEN(level_irqs)];
    struct madt_nmi nmi;
    struct madt_processor processor[VM_MAX_VCPUS]; /* the length leaves out what is not there */
};

enum { FLAG_WBINVD = 1 << 0, FLAG_C1 = 1 << 2, FLAG_NO_POWER_BUTTON = 1 << 4, FLAG_NO_SLEEP_BUTTON = 1 << 5, FLAG_NO_FIXED_RTC = 1 << 6 };
enum { CMOS_CENTURY = 0x32 };
enum { PM1_EVENT = 0x600, PM1_CONTROL = 0x604, PM_TIMER = 0x608 }; /* src/devices/chipset/power.c */

/* --- AML (20.2) --- */

struct aml {
    u8 byte[4096];
    unsigned len;
};

enum { AML_ZERO = 0x00, AML_BYTE = 0x0a, AML_DWORD = 0x0c, AML_STRING = 0x0d, AML_NAME = 0x08, AML_SCOPE = 0x10, AML_BUFFER = 0x11, AML_PACKAGE = 0x12,
       AML_EXTENDED = 0x5b, AML_DEVICE = 0x82 };

static void emit(struct aml *a, const void *bytes, unsigned n)
{
    memcpy(a->byte + a->len, bytes, n);
    a->len += n;
}
static void emit_byte(struct aml *a, u8 byte) { emit(a, &byte, 1); }
static void emit_text(struct aml *a, const char *text) { emit(a, text, strlen(text)); }

static void emit_name(struct aml *a, const char *name)
{
    emit_byte(a, AML_NAME);
    emit_text(a, name);
}

/* What has a length holds everything up to its end(); the length is written in two bytes, and counts them. */
static unsigned begin(struct aml *a, u8 op)
{
    emit_byte(a, op);
    a->len += 2;
    return a->len - 2;
}

static void end(struct aml *a, unsigned start)
{
    unsigned length = a->len - start;
    a->byte[start] = 1 << 6 | (length & 15);
    a->byte[start + 1] = length >> 4;
}

static void emit_s5(struct aml *a)
{
    static const u8 zeros[4] = { AML_ZERO, AML_ZERO, AML_ZERO, AML_ZERO }; /* PM1a's sleep type, PM1b's, two reserved */
    emit_name(a, "_S5_");
    unsigned package = begin(a, AML_PACKAGE);
    emit_byte(a, sizeof zeros);
    emit(a, zeros, sizeof zeros);
    end(a, package);
}

/* Resources (6.4): address windows that the bridge hands on, and its own ports. */
TABLE(window16) { u8 tag; u16 length; u8 type, flags, type_flags; u16 granularity, min, max, translation, size; };
TABLE(window32) { u8 tag; u16 length; u8 type, flags, type_flags; u32 granularity, min, max, translation, size; };
TABLE(ports) { u8 tag, decode16; u16 min, max; u8 align, size; };
enum { WINDOW_MEMORY, WINDOW_IO, WINDOW_BUS };
enum { MIN_AND_MAX_FIXED = 0x0c, ENTIRE_RANGE = 3, MEMORY_WRITABLE = 1 };
#define WINDOW16(t, tf, from, to) { 0x88, sizeof(struct window16) - 3, t, MIN_AND_MAX_FIXED, tf, 0, from, to, 0, (to) - (from) + 1 }
#define WINDOW32(t, tf, from, to) { 0x87, sizeof(struct window32) - 3, t, MIN_AND_MAX_FIXED, tf, 0, from, to, 0, (to) - (from) + 1 }

static const TABLE(bridge_resources) {
    struct window16 bus;
    struct ports configuration;
    struct window16 io_low, io_high;
    struct window32 vga, memory;
    u8 end[2];
} bridge_resources = {
    .bus = WINDOW16(WINDOW_BUS, 0, 0, 0xff),
    .configuration = { 0x47, 1, 0xcf8, 0xcf8, 1, 8 },
    .io_low = WINDOW16(WINDOW_IO, ENTIRE_RANGE, 0, 0xcf7),
    .io_high = WINDOW16(WINDOW_IO, ENTIRE_RANGE, 0xd00, 0xffff),
    .vga = WINDOW32(WINDOW_MEMORY, MEMORY_WRITABLE, 0xa0000, 0xbffff),
    .memory = WINDOW32(WINDOW_MEMORY, MEMORY_WRITABLE, 0xe0000000, 0xfebfffff),
    .end = { 0x79, 0 },
};

static void emit_route(struct aml *a, unsigned slot, unsigned pin)
{
    u32 address = slot << 16 | 0xffff;
    unsigned package = begin(a, AML_PACKAGE);
    emit_byte(a, 4);
    emit_byte(a, AML_DWORD);
    emit(a, &address, sizeof address);
    emit_byte(a, AML_BYTE);
    emit_byte(a, pin);
    emit_byte(a, AML_ZERO);
    emit_byte(a, AML_BYTE);
    emit_byte(a, firmware_pci_irq(slot, pin + 1));
    end(a, package);
}

static void emit_routing(struct aml *a)
{
    emit_name(a, "_PRT");
    unsigned package = begin(a, AML_PACKAGE);
    emit_byte(a, 4 * (PCI_SLOTS - 1));
    for (unsigned n = 4; n < 4 * PCI_SLOTS; n++) /* slot 0 is the bridge itself */
        emit_route(a, n / 4, n % 4);
    end(a, package);
}

static void emit_bridge(struct aml *a)
{
    static const u8 pnp0a03[] = { AML_DWORD, 0x41, 0xd0, 0x0a, 0x03 }; /* three letters of five bits, four hexadecimal digits */
    unsigned scope = begin(a, AML_SCOPE);
    emit_text(a, "\\_SB_");
    emit_byte(a, AML_EXTENDED);
    unsigned device = begin(a, AML_DEVICE);
    emit_text(a, "PCI0");
    emit_name(a, "_HID");
    emit(a, pnp0a03, sizeof pnp0a03);
    emit_name(a, "_CRS");
    unsigned buffer = begin(a, AML_BUFFER);
    emit_byte(a, AML_BYTE);
    emit_byte(a, sizeof bridge_resources);
    emit(a, &bridge_resources, sizeof bridge_resources);
    end(a, buffer);
    emit_routing(a);
    end(a, device);
    end(a, scope);
}

/* What no bus shows: registers in memory, and an interrupt (6.4.3.4, 6.4.3.6). */
TABLE(place_resources) {
    struct __attribute__((packed)) { u8 tag; u16 length; u8 writable; u32 gpa, size; } memory;
    struct __attribute__((packed)) { u8 tag; u16 length; u8 flags, count; u32 number; } interrupt;
    u8 end[2];
};
enum { CONSUMER = 1 << 0, SHARED = 1 << 3 };    /* of an interrupt; edges and active low would be bits too */

static void emit_place(struct aml *a, unsigned n, const struct virtio_place *at)
{
    const struct place_resources r = { { 0x86, sizeof r.memory - 3, 1, at->gpa, at->len }, { 0x89, sizeof r.interrupt - 3, CONSUMER | SHARED, 1, at->irq }, { 0x79, 0 } };
    emit_byte(a, AML_EXTENDED);
    unsigned device = begin(a, AML_DEVICE);
    emit_text(a, "VIO");
    emit_byte(a, "0123456789ABCDEF"[n]);
    emit_name(a, "_HID");
    emit_byte(a, AML_STRING);
    emit(a, "LNRO0005", sizeof "LNRO0005");
    emit_name(a, "_UID");
    emit_byte(a, AML_BYTE);
    emit_byte(a, n);
    emit_name(a, "_CRS");
    unsigned buffer = begin(a, AML_BUFFER);
    emit_byte(a, AML_BYTE);
    emit_byte(a, sizeof r);
    emit(a, &r, sizeof r);
    end(a, buffer);
    end(a, device);
}

static void emit_places(struct aml *a, const struct platform *p)
{
    _Static_assert(VIRTIO_DEVICES_MAX <= 16, "one hexadecimal digit");
    unsigned scope = begin(a, AML_SCOPE);
    emit_text(a, "\\_SB_");
    for (unsigned n = 0; n < p->nvirtio_mmio; n++)
        emit_place(a, n, &p->virtio_mmio[n]);
    end(a, scope);
}

/* --- all of them, one behind the other --- */

struct tables {
    struct rsdp rsdp __attribute__((aligned(16)));
    struct facs facs __attribute__((aligned(64)));
    struct rsdt rsdt __attribute__((aligned(16)));
    struct fadt fadt __attribute__((aligned(16)));
    struct madt madt __attribute__((aligned(16)));
    struct dsdt { struct header h; struct aml aml; } dsdt __attribute__((aligned(16)));
};
#define GPA_OF(member) (ACPI_GPA + (u32)offsetof(struct tables, member))

/* The byte that makes the sum of them all zero. */
static u8 checksum(const void *bytes, unsigned n)
{
    u8 sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += ((const u8 *)bytes)[i];
    return -sum;
}

/* When all else of the table is written. */
static void finish(struct header *h, const char *signature, u32 length)
{
    *h = (struct header){ .length = length, .revision = 1, .oem_revision = 1, .creator_revision = 1 };
    memcpy(h->signature, signature, sizeof h->signature);
    memcpy(h->oem, "EMU   ", sizeof h->oem);
    memcpy(h->oem_table, "EMU PC  ", sizeof h->oem_table);
    memcpy(h->creator, "EMU ", sizeof h->creator);
    h->checksum = checksum(h, length);
}

static void make_rsdp(struct rsdp *r)
{
    *r = (struct rsdp){ .signature = "RSD PTR ", .oem = "EMU   ", .rsdt = GPA_OF(rsdt) };
    r->checksum = checksum(r, sizeof *r);
}

static void make_fadt(struct fadt *f)
{
    *f = (struct fadt){
        .facs = GPA_OF(facs), .dsdt = GPA_OF(dsdt), .sci_irq = SCI_IRQ,
        .pm1a_event = PM1_EVENT, .pm1_event_len = 4, .pm1a_control = PM1_CONTROL, .pm1_control_len = 2,
        .pm_timer = PM_TIMER, .pm_timer_len = 4, .c2_latency = 101, .c3_latency = 1001, .century = CMOS_CENTURY,
        .flags = FLAG_WBINVD | FLAG_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON | FLAG_NO_FIXED_RTC,
    };
    finish(&f->h, "FACP", sizeof *f);
}

static void make_madt(struct madt *m, unsigned processors)
{
    *m = (struct madt){
        .lapic = LAPIC_GPA, .flags = MADT_PC_AT,
        .ioapic = { MADT_IOAPIC, sizeof m->ioapic, 0, 0, IOAPIC_GPA, 0 },
        .timer = { MADT_OVERRIDE, sizeof m->timer, 0, 0, IOAPIC_PIN_TIMER, BUS_DEFAULT },
        .nmi = { MADT_NMI, sizeof m->nmi, 0xff /* every processor's */, BUS_DEFAULT, 1 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(level_irqs); i++)
        m->level[i] = (struct madt_override){ MADT_OVERRIDE, sizeof m->level[i], 0, level_irqs[i], level_irqs[i], LEVEL_ACTIVE_HIGH };
    for (unsigned i = 0; i < processors; i++)
        m->processor[i] = (struct madt_processor){ MADT_PROCESSOR, sizeof m->processor[i], i, i, PROCESSOR_ENABLED };
    finish(&m->h, "APIC", offsetof(struct madt, processor) + processors * sizeof m->processor[0]);
}

static void make_dsdt(struct dsdt *d, const struct platform *p)
{
    emit_s5(&d->aml);
    emit_bridge(&d->aml);
    if (p->nvirtio_mmio)
        emit_places(&d->aml, p);
    finish(&d->h, "DSDT", offsetof(struct dsdt, aml) + d->aml.len);
}

void acpi_leave_tables(struct vm *vm)
{
    struct tables t;
    memset(&t, 0, sizeof t);
    make_rsdp(&t.rsdp);
    t.facs = (struct facs){ .signature = "FACS", .length = sizeof t.facs };
    t.rsdt.fadt = GPA_OF(fadt);
    t.rsdt.madt = GPA_OF(madt);
    finish(&t.rsdt.h, "RSDT", vm_has_apic(vm) ? sizeof t.rsdt : offsetof(struct rsdt, madt));
    make_fadt(&t.fadt);
    if (vm_has_apic(vm))
        make_madt(&t.madt, vm->nvcpus);
    make_dsdt(&t.dsdt, &vm->platform);
    physmap_write(&vm->map, ACPI_GPA, &t, sizeof t);
}
