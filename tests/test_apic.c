/* SPDX-License-Identifier: MIT */
/* Local APICs, I/O APIC and interrupt messages of PCI, driven by registers, wires and time: SDM vol. 3, chapter 11. */
#include <stdlib.h>

#include "check.h"
#include "devices/interrupt/apic.h"
#include "devices/interrupt/pic.h"
#include "devices/pci/pci_msi.h"
#include "devices_rig.h"

enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280,
       ICR = 0x300, ICR2 = 0x310, TIMER = 0x320, LINT0 = 0x350, LVT_ERROR = 0x370, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0 };
enum { MASKED = 1 << 16, PERIODIC = 1 << 17, EXTINT = 0x700, ON = 0x1ff };
enum { FIXED = 0x000, LOWEST = 0x100, NMI = 0x400, INIT = 0x500, STARTUP = 0x600, LOGICAL = 0x800, ASSERT = 0x4000, LEVEL = 0x8000 };
enum { SELF = 1 << 18, ALL = 2 << 18, OTHERS = 3 << 18 };
#define CPUS 4
#define TICK 8u /* cycles of the bus */

struct board {
    struct rig r;
    unsigned cpu;               /* who makes the accesses */
    bool intr[CPUS];
    unsigned signals[CPUS][3];
    u8 vector[CPUS];            /* of the last start-up IPI */
};

static void on_intr(void *sink, unsigned cpu, bool level) { ((struct board *)sink)->intr[cpu] = level; }

static void on_signal(void *machine, unsigned cpu, enum cpu_signal s, u8 vector)
{
    struct board *b = (struct board *)((char *)machine - offsetof(struct board, r));
    b->signals[cpu][s]++;
    b->vector[cpu] = vector;
}

static void power_on(struct board *b, unsigned cpus)
{
    memset(b, 0, sizeof *b);
    rig_init(&b->r, 1000000);
    struct platform *p = &b->r.platform;
    p->has_apic = true;
    p->ncpus = cpus;
    p->this_cpu = &b->cpu;
    p->cpu_intr = (struct irq){ on_intr, b, 0 };
    p->cpu_signal = on_signal;
    rig_add(&b->r, &lapic_ops);
    rig_add(&b->r, &pic_ops);
    rig_add(&b->r, &ioapic_ops);
}

static u32 get(struct board *b, u32 reg) { return physmap_load(&b->r.map, LAPIC_GPA + reg, 4); }
static void set(struct board *b, u32 reg, u32 value) { physmap_store(&b->r.map, LAPIC_GPA + reg, 4, value); }
static void set_of(struct board *b, unsigned cpu, u32 reg, u32 value)
{
    b->cpu = cpu;
    set(b, reg, value);
    b->cpu = 0;
}
static u32 get_of(struct board *b, unsigned cpu, u32 reg)
{
    b->cpu = cpu;
    u32 value = get(b, reg);
    b->cpu = 0;
    return value;
}
static u8 ack_of(struct board *b, unsigned cpu)
{
    b->cpu = cpu;
    u8 vector = b->r.platform.intc->acknowledge(b->r.platform.intc);
    b->cpu = 0;
    return vector;
}
static void send(struct board *b, u8 to, u32 command)
{
    set(b, ICR2, (u32)to << 24);
    set(b, ICR, command);
}
static bool waits(struct board *b, unsigned cpu, u8 vector) { return get_of(b, cpu, IRR + vector / 32 * 16) >> vector % 32 & 1; }
static void switch_on(struct board *b)
{
    for (unsigned i = 0; i < b->r.platform.ncpus; i++)
        set_of(b, i, SVR, ON);
    set(b, LINT0, MASKED);          /* the 8259A's interrupts stay out of it */
}
static void pin_write(struct board *b, unsigned index, u32 value)
{
    physmap_store(&b->r.map, IOAPIC_GPA, 4, index);
    physmap_store(&b->r.map, IOAPIC_GPA + 0x10, 4, value);
}
static u32 pin_read(struct board *b, unsigned index)
{
    physmap_store(&b->r.map, IOAPIC_GPA, 4, index);
    return physmap_load(&b->r.map, IOAPIC_GPA + 0x10, 4);
}
static void route(struct board *b, unsigned pin, u8 to, u32 low)
{
    pin_write(b, 0x11 + 2 * pin, (u32)to << 24);
    pin_write(b, 0x10 + 2 * pin, low);
}

/* --- registers --- */

static void test_reset(void)
{
    struct board b;
    power_on(&b, 2);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(get_of(&b, i, ID), i << 24);
        CHECK_EQ(get_of(&b, i, VERSION), 0x50014);
        CHECK_EQ(get_of(&b, i, SVR), 0xff);
        CHECK_EQ(get_of(&b, i, DFR), 0xffffffff);
        CHECK_EQ(get_of(&b, i, TIMER), MASKED);
        CHECK_EQ(get_of(&b, i, LINT0), i ? MASKED : EXTINT);
    }
    rig_fini(&b.r);
}

/* A guest that knows no APIC finds an AT: the 8259A's interrupt reaches the first processor, and only that. */
static void test_virtual_wire(void)
{
    struct board b;
    power_on(&b, 2);
    out8(&b.r, 0x20, 0x11), out8(&b.r, 0x21, 0x20), out8(&b.r, 0x21, 4), out8(&b.r, 0x21, 1);
    irq_raise(&b.r.platform.isa_irq[3]);
    CHECK(b.intr[0] && !b.intr[1]);
    CHECK_EQ(ack_of(&b, 0), 0x23);
    CHECK(!b.intr[0]);
    out8(&b.r, 0x20, 0x20);
    irq_lower(&b.r.platform.isa_irq[3]);
    set(&b, SVR, ON);
    set(&b, LINT0, MASKED | EXTINT);
    irq_raise(&b.r.platform.isa_irq[3]);
    CHECK(!b.intr[0]);
    apic_enable(b.r.platform.apic, 0, false); /* off, it is as if it were not there */
    CHECK(b.intr[0]);
    CHECK_EQ(get(&b, ID), 0xffffffff);
    rig_fini(&b.r);
}

static void test_priority(void)
{
    struct board b;
    power_on(&b, 1);
    switch_on(&b);
    send(&b, 0, 0x31);
    CHECK(b.intr[0]);
    set(&b, TPR, 0x30);
    CHECK(!b.intr[0]);              /* the same class is held back */
    CHECK_EQ(get(&b, PPR), 0x30);
    send(&b, 0, 0x42);
    CHECK_EQ(ack_of(&b, 0), 0x42);
    CHECK_EQ(get(&b, PPR), 0x40);
    CHECK_EQ(get(&b, ISR + 0x20), 4);
    set(&b, TPR, 0);
    CHECK(!b.intr[0]);
    send(&b, 0, 0x55);              /* nested */
    CHECK_EQ(ack_of(&b, 0), 0x55);
    set(&b, EOI, 0);
    CHECK_EQ(get(&b, PPR), 0x40);
    CHECK(!b.intr[0]);
    set(&b, EOI, 0);
    CHECK(b.intr[0]);
    CHECK_EQ(ack_of(&b, 0), 0x31);
    set(&b, EOI, 0);
    set(&b, EOI, 0);                /* one too many */
    CHECK_EQ(get(&b, PPR), 0);
    CHECK_EQ(ack_of(&b, 0), 0xff);  /* nothing there: the spurious vector, */
    CHECK_EQ(get(&b, ISR + 0x70), 0); /* which is not in service */
    rig_fini(&b.r);
}

/* Software-disabled: no fixed interrupts, all of its own sources masked; INIT, NMI and start-up get through. */
static void test_disabled(void)
{
    struct board b;
    power_on(&b, 2);
    send(&b, 1, 0x40);
    CHECK(!waits(&b, 1, 0x40));
    send(&b, 1, NMI);
    CHECK_EQ(b.signals[1][CPU_SIGNAL_NMI], 1);
    set(&b, TIMER, 0x50);
    CHECK_EQ(get(&b, TIMER), MASKED | 0x50);
    set(&b, SVR, ON);
    set(&b, TIMER, 0x50);
    CHECK_EQ(get(&b, TIMER), 0x50);
    set(&b, SVR, 0xff);
    CHECK_EQ(get(&b, TIMER), MASKED | 0x50);
    rig_fini(&b.r);
}

static void test_errors(void)
{
    struct board b;
    power_on(&b, 1);
    switch_on(&b);
    set(&b, LVT_ERROR, 0x60);
    send(&b, 0, 0x0f);              /* to be sent: an illegal vector */
    CHECK(waits(&b, 0, 0x60));
    CHECK_EQ(get(&b, ESR), 0);      /* not before it is written */
    set(&b, ESR, 0);
    CHECK_EQ(get(&b, ESR), 0x20);
    apic_send_msi(b.r.platform.apic, LAPIC_GPA, 0x03);
    get(&b, 0x3f0);                 /* no such register */
    set(&b, ESR, 0);
    CHECK_EQ(get(&b, ESR), 0xc0);
    set(&b, ESR, 0);
    CHECK_EQ(get(&b, ESR), 0);
    rig_fini(&b.r);
}

/* --- messages --- */

/* Who gets a message? A bit for each processor. */
static unsigned who(struct board *b, u8 to, u32 command)
{
    unsigned got = 0;
    send(b, to, command | 0x70);
    for (unsigned i = 0; i < CPUS; i++)
        if (waits(b, i, 0x70)) {
            got |= 1u << i;
            CHECK_EQ(ack_of(b, i), 0x70);
            set_of(b, i, EOI, 0);
        }
    return got;
}

static void test_destinations(void)
{
    struct board b;
    power_on(&b, CPUS);
    switch_on(&b);
    for (unsigned i = 0; i < CPUS; i++) {
        CHECK_EQ(who(&b, i, FIXED), 1u << i);
        set_of(&b, i, LDR, 1u << (24 + i));
    }
    CHECK_EQ(who(&b, 9, FIXED), 0);
    CHECK_EQ(who(&b, 0xff, FIXED), 0xf);
    CHECK_EQ(who(&b, 0x05, LOGICAL), 0x5);
    CHECK_EQ(who(&b, 0x30, LOGICAL), 0);
    CHECK_EQ(who(&b, 0, SELF), 0x1);
    CHECK_EQ(who(&b, 0, ALL), 0xf);
    CHECK_EQ(who(&b, 0, OTHERS), 0xe);
    set_of(&b, 1, TPR, 0x20);
    set_of(&b, 2, TPR, 0x10);
    CHECK_EQ(who(&b, 0x06, LOGICAL | LOWEST), 0x4);
    CHECK_EQ(who(&b, 0x0f, LOGICAL | LOWEST), 0x1);
    for (unsigned i = 0; i < CPUS; i++) { /* clusters of two */
        set_of(&b, i, DFR, 0);
        set_of(&b, i, LDR, (i / 2 << 4 | 1u << i % 2) << 24);
    }
    CHECK_EQ(who(&b, 0x03, LOGICAL), 0x3);
    CHECK_EQ(who(&b, 0x12, LOGICAL), 0x8);
    CHECK_EQ(who(&b, 0x23, LOGICAL), 0);
    rig_fini(&b.r);
}

static void test_startup(void)
{
    struct board b;
    power_on(&b, 2);
    switch_on(&b);
    set_of(&b, 1, TPR, 0x20);
    send(&b, 1, INIT | LEVEL | ASSERT);
    CHECK_EQ(b.signals[1][CPU_SIGNAL_INIT], 1);
    CHECK_EQ(get_of(&b, 1, TPR), 0);
    CHECK_EQ(get_of(&b, 1, SVR), 0xff);
    send(&b, 1, INIT | LEVEL);      /* de-assert is none */
    CHECK_EQ(b.signals[1][CPU_SIGNAL_INIT], 1);
    send(&b, 1, STARTUP | 0x9a);
    CHECK_EQ(b.signals[1][CPU_SIGNAL_STARTUP], 1);
    CHECK_EQ(b.vector[1], 0x9a);
    CHECK_EQ(b.signals[0][CPU_SIGNAL_INIT] + b.signals[0][CPU_SIGNAL_STARTUP], 0);
    rig_fini(&b.r);
}

/* --- timer --- */

static void test_one_shot(void)
{
    static const struct { u8 code; unsigned by; } divide[] = { { 0xb, 1 }, { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 0xa, 128 } };
    for (unsigned i = 0; i < ARRAY_LEN(divide); i++) {
        struct board b;
        cycles_t due = 100 * TICK * divide[i].by;
        check_context("by %u", divide[i].by);
        power_on(&b, 1);
        switch_on(&b);
        set(&b, DIVIDE, divide[i].code);
        set(&b, TIMER, 0x41);
        rig_run(&b.r, 777);
        set(&b, INITIAL, 100);
        CHECK_EQ(clock_deadline(&b.r.clock), 777 + due);
        rig_run(&b.r, due / 2);
        CHECK_EQ(get(&b, CURRENT), 50);
        rig_run(&b.r, due / 2 - 1);
        CHECK(!b.intr[0]);
        CHECK_EQ(get(&b, CURRENT), 1);
        rig_run(&b.r, 1);
        CHECK(b.intr[0]);
        CHECK_EQ(get(&b, CURRENT), 0);
        CHECK_EQ(ack_of(&b, 0), 0x41);
        CHECK_EQ(clock_deadline(&b.r.clock), CLOCK_NEVER);
        rig_fini(&b.r);
    }
    check_context(NULL);
}

/* Expiries stay on the grid of the first, however late they are taken; what waits already is one. */
static void test_periodic(void)
{
    struct board b;
    power_on(&b, 1);
    switch_on(&b);
    set(&b, DIVIDE, 0xb);
    set(&b, TIMER, PERIODIC | 0x41);
    set(&b, INITIAL, 125);          /* 1000 cycles */
    rig_run(&b.r, 1000);
    CHECK(b.intr[0]);
    CHECK_EQ(clock_deadline(&b.r.clock), CLOCK_NEVER); /* the next would not be noticed */
    rig_run(&b.r, 2300);
    CHECK_EQ(get(&b, CURRENT), 125 - 300 / TICK);
    CHECK_EQ(ack_of(&b, 0), 0x41);
    set(&b, EOI, 0);
    CHECK_EQ(clock_deadline(&b.r.clock), 4000);
    rig_run(&b.r, 700);
    CHECK(b.intr[0]);
    CHECK_EQ(ack_of(&b, 0), 0x41);
    set(&b, EOI, 0);
    set(&b, DIVIDE, 0);             /* what is left is counted at half the pace */
    rig_run(&b.r, 1999);
    CHECK(!b.intr[0]);
    rig_run(&b.r, 1);
    CHECK(b.intr[0]);
    set(&b, INITIAL, 0);
    CHECK_EQ(get(&b, CURRENT), 0);
    rig_fini(&b.r);
}

/* A timer that expires with every tick costs nothing while nobody takes it. */
static void test_flood(void)
{
    static const u32 lvt[] = { PERIODIC | 0x41, PERIODIC | MASKED | 0x41, PERIODIC | 0x03 };
    for (unsigned i = 0; i < ARRAY_LEN(lvt); i++) {
        struct board b;
        power_on(&b, 1);
        switch_on(&b);
        set(&b, DIVIDE, 0xb);
        set(&b, TIMER, lvt[i]);
        set(&b, INITIAL, 1);
        rig_run(&b.r, 1000);
        CHECK_EQ(clock_deadline(&b.r.clock), CLOCK_NEVER);
        rig_fini(&b.r);
    }
}

/* --- I/O APIC --- */

static void test_edge(void)
{
    struct board b;
    power_on(&b, 2);
    switch_on(&b);
    CHECK_EQ(pin_read(&b, 1), 0x170011);
    irq_raise(&b.r.platform.isa_irq[4]);
    irq_lower(&b.r.platform.isa_irq[4]);
    route(&b, 4, 1, 0x54);
    CHECK(!b.intr[1]);              /* the edge on the masked pin is lost */
    irq_raise(&b.r.platform.isa_irq[4]);
    CHECK(b.intr[1]);
    CHECK_EQ(ack_of(&b, 1), 0x54);
    set_of(&b, 1, EOI, 0);
    CHECK(!b.intr[1]);              /* it is still high, and that is nothing new */
    route(&b, 2, 0, 0x52);
    irq_raise(&b.r.platform.isa_irq[0]);
    CHECK_EQ(ack_of(&b, 0), 0x52);  /* IRQ 0 is at pin 2 */
    rig_fini(&b.r);
}

static void test_level(void)
{
    struct board b;
    power_on(&b, 1);
    switch_on(&b);
    irq_raise(&b.r.platform.isa_irq[11]);
    route(&b, 11, 0, LEVEL | 0x5b);
    CHECK(b.intr[0]);
    CHECK_EQ(pin_read(&b, 0x10 + 22) & 0x4000, 0x4000);
    CHECK_EQ(ack_of(&b, 0), 0x5b);
    CHECK_EQ(get(&b, TMR + 0x20), 1u << 0x1b);
    CHECK(!b.intr[0]);
    set(&b, EOI, 0);
    CHECK(b.intr[0]);               /* it is still asserted: once more */
    CHECK_EQ(ack_of(&b, 0), 0x5b);
    irq_lower(&b.r.platform.isa_irq[11]);
    set(&b, EOI, 0);
    CHECK(!b.intr[0]);
    CHECK_EQ(pin_read(&b, 0x10 + 22), LEVEL | 0x5b);
    rig_fini(&b.r);
}

/* --- MSI, MSI-X --- */

static void function_written(struct pci_function *f, u8 offset, unsigned size) { pci_msix_written(f->dev); }

static void test_msi(void)
{
    struct board b;
    struct pci_function f = { .written = function_written };
    struct pci_msi m;
    struct pci_msix x;
    power_on(&b, 2);
    switch_on(&b);
    rig_add(&b.r, &pci_host_ops);
    f.dev = &x;
    pci_identify(&f, 0x1234, 0x5678, 0xff0000, 0);
    pci_msi_add(&m, &f, 0x50, 4);
    pci_msix_add(&x, &f, 0x70, 1, 3);
    CHECK_EQ(pci_add(b.r.platform.pci, 5, 0, &f, &b.r.err), 0);
    CHECK_EQ(f.config[0x34], 0x70);
    CHECK_EQ(f.config[0x71], 0x50);
    CHECK_EQ(f.config[0x51], 0);

    u32 at = 0x80002800;
#define CONFIG(reg, size, value) (out32(&b.r, 0xcf8, at | ((reg) & 0xfc)), bus_io_write(&b.r.bus, 0xcfc + ((reg) & 3), size, value))
    CONFIG(0x54, 4, 0xfee01000);
    CONFIG(0x5c, 2, 0x61);
    CONFIG(0x52, 2, 0x0011);        /* on, two of the four vectors */
    pci_msi_send(&m, 1);
    CHECK(!b.intr[1]);              /* no bus master */
    CONFIG(0x04, 2, 6);
    pci_msi_send(&m, 3);
    CHECK_EQ(ack_of(&b, 1), 0x61);
    CONFIG(0x52, 2, 0);
    pci_msi_send(&m, 0);
    CHECK(!b.intr[1]);
    set_of(&b, 1, EOI, 0);

    CONFIG(0x14, 4, 0xe0000000);
    const gpa_t table = 0xe0000000;
    CHECK_EQ(physmap_load(&b.r.map, table + 12, 4), 1);
    physmap_store(&b.r.map, table + 32, 4, 0xfee00000);
    physmap_store(&b.r.map, table + 40, 4, 0x62);
    CONFIG(0x72, 2, 0x8000);
    pci_msix_send(&x, 2);
    CHECK(!b.intr[0]);
    CHECK_EQ(physmap_load(&b.r.map, table + 0x800, 4), 4);
    physmap_store(&b.r.map, table + 44, 4, 0);
    CHECK_EQ(ack_of(&b, 0), 0x62);  /* it had waited */
    CHECK_EQ(physmap_load(&b.r.map, table + 0x800, 4), 0);
    set(&b, EOI, 0);
    CONFIG(0x72, 2, 0xc000);        /* all masked */
    pci_msix_send(&x, 2);
    CHECK(!b.intr[0]);
    CONFIG(0x72, 2, 0x8000);
    CHECK_EQ(ack_of(&b, 0), 0x62);
    pci_msix_send(&x, 3);           /* there is no such vector */
    pci_msix_reset(&x);
    CHECK(!pci_msix_enabled(&x));
    rig_fini(&b.r);
}

/* --- any nonsense --- */

static void poke(struct board *b, u64 *random)
{
    static const u8 size[4] = { 1, 2, 4, 8 };
    u64 v = check_random(random);
    gpa_t gpa = (v & 1 ? LAPIC_GPA : IOAPIC_GPA) + (v >> 8 & (v & 2 ? 0x3f0 : 0xfff));
    u32 value = v >> 32;
    b->cpu = v >> 20 & 3;
    if (v & 4)
        physmap_store(&b->r.map, gpa, size[v >> 4 & 3], v & 8 ? value & 0x1ffff : value);
    else
        physmap_load(&b->r.map, gpa, size[v >> 4 & 3]);
    irq_set(&b->r.platform.isa_irq[v >> 24 & 15], v >> 28 & 1);
    if (!(v >> 40 & 7))
        b->r.platform.intc->acknowledge(b->r.platform.intc);
    rig_run(&b->r, v >> 44 & 0xfff);
}

static void test_nonsense(void)
{
    u64 random = check_seed();
    struct board b;
    power_on(&b, CPUS);
    for (unsigned i = 0; i < 200000; i++)
        poke(&b, &random);
    for (unsigned i = 0; i < CPUS; i++) { /* and it still works */
        set_of(&b, i, SVR, ON);
        set_of(&b, i, TPR, 0);
        set_of(&b, i, ID, i << 24);
    }
    for (unsigned n = 0; n < 256; n++) {
        if (b.intr[1])
            ack_of(&b, 1);
        set_of(&b, 1, EOI, 0);
    }
    set_of(&b, 1, INITIAL, 0);
    send(&b, 1, 0xf1);
    CHECK(waits(&b, 1, 0xf1));
    rig_fini(&b.r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "reset", test_reset }, { "virtual_wire", test_virtual_wire }, { "priority", test_priority }, { "disabled", test_disabled },
        { "errors", test_errors }, { "destinations", test_destinations }, { "startup", test_startup }, { "one_shot", test_one_shot },
        { "periodic", test_periodic }, { "flood", test_flood }, { "edge", test_edge }, { "level", test_level }, { "msi", test_msi },
        { "nonsense", test_nonsense }, { NULL, NULL },
    };
    return check_main(argc, argv, "apic", tests);
}
