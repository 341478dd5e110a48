/* SPDX-License-Identifier: MIT */
/*
 * One local APIC: what it is, without the others. apic_bus.c joins those of all processors.
 * "Software disabled" is SVR's bit; globally off (IA32_APIC_BASE) the interrupt wire passes by it.
 */
#ifndef EMU_DEVICES_LAPIC_H
#define EMU_DEVICES_LAPIC_H

#include "devices/interrupt/apic.h"

#define LAPIC_TIMER_CYCLES 8        /* processor cycles of one cycle of the bus, which the timer counts */
#define LAPIC_SIZE 0x1000

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_COUNTER, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };
enum { LVT_MASKED = 1 << 16, LVT_PERIODIC = 1 << 17 };

struct lapic {
    unsigned index;                 /* of its processor, and the APIC ID after reset */
    bool on;                        /* IA32_APIC_BASE: enabled, and at its usual place */
    bool bsp;
    u8 id, tpr, divide;
    u32 ldr, dfr, svr, icr[2], esr, errors; /* errors: since ESR was written last */
    u32 irr[8], isr[8], tmr[8];
    u32 lvt[LVT_COUNT];
    u32 initial;                    /* of the timer */
    bool counting;
    cycles_t start;                 /* when the present period began */
    struct timer expiry;
    struct clock *clock;
    bool lint0;                     /* level of the wire from the 8259A */
    bool intr;                      /* level of the wire to the processor */
    struct apic_bus *bus;
    u64 delivered, ipis, spurious, timer_expired; /* counted */
};

/* As after RST#: of an INIT too, which leaves the ID (SDM vol. 3, 11.4.7.3). */
void lapic_reset(struct lapic *l, bool init);

u32 lapic_read(struct lapic *l, u32 offset);
void lapic_write(struct lapic *l, u32 offset, u32 value);

/* An interrupt message has come for it. False: it takes none now. */
bool lapic_accept(struct lapic *l, u8 vector, bool level);
/* The wire from the 8259A. */
void lapic_set_lint0(struct lapic *l, bool level);
/* Which vector does the processor get? -1: the 8259A is to be asked. */
int lapic_acknowledge(struct lapic *l);
/* Raise or lower the processor's wire as the registers are now. */
void lapic_update(struct lapic *l);
/* SDM vol. 3, 11.8.3.1: the processor's priority class, which lowest-priority delivery compares too. */
u8 lapic_ppr(const struct lapic *l);
/* All registers at their offsets in a page, and back what a processor changes there by itself. In between, the page has the requests; those
 * that come meanwhile are kept, and join them afterwards. */
void lapic_to_page(struct lapic *l, u8 *page);
void lapic_from_page(struct lapic *l, const u8 *page);
/* Does the 8259A's interrupt reach the processor now? */
bool lapic_external(const struct lapic *l);
/* Does the message's destination name it? (11.6.2) */
bool lapic_matches(const struct lapic *l, const struct apic_message *m);

/* --- of apic_bus.c --- */
void apic_bus_ipi(struct lapic *from, u32 low, u32 high);
void apic_bus_signal(struct lapic *l, enum cpu_signal s, u8 vector);
void apic_bus_intr(struct lapic *l, bool level);
void apic_bus_eoi(struct lapic *l, u8 vector);
/* The 8259A and the I/O APIC are in the platform now: from here on the local APICs answer for the vector. */
void apic_bus_stand_before(struct apic_bus *b, struct platform *to);

#endif
