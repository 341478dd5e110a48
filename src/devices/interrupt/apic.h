/* SPDX-License-Identifier: MIT */
/*
 * The interrupt system of a multiprocessor PC (SDM vol. 3, chapter 11): a local APIC in each processor, an I/O APIC, and the
 * messages between them. Devices know only wires, and functions that send MSIs only the address and the data of a write.
 */
#ifndef EMU_DEVICES_APIC_H
#define EMU_DEVICES_APIC_H

#include "devices/device.h"

#define LAPIC_GPA 0xfee00000u       /* each processor sees its own local APIC there */
#define IOAPIC_GPA 0xfec00000u
#define IOAPIC_PINS 24
#define IOAPIC_PIN_TIMER 2          /* where IRQ 0 is; the other ISA interrupts are at the pin of their number */

/* SDM vol. 3, 11.6.1 */
enum apic_delivery { DELIVER_FIXED = 0, DELIVER_LOWEST = 1, DELIVER_SMI = 2, DELIVER_NMI = 4, DELIVER_INIT = 5, DELIVER_STARTUP = 6, DELIVER_EXTINT = 7 };
#define APIC_EVERYBODY 0xff

struct apic_message {
    u8 vector;
    u8 delivery;                    /* enum apic_delivery */
    u8 destination;
    bool logical;                   /* by LDR rather than by APIC ID */
    bool level;                     /* level triggered: its EOI is told to the I/O APIC */
};

struct apic_bus;

/* To every processor that the message names. True: somebody has taken it. */
bool apic_send(struct apic_bus *b, const struct apic_message *m);
/* From now on messages of devices and of the I/O APIC go there instead: somebody else has the processors' local APICs. NULL: to the local
 * APICs of the machine again. */
void apic_divert(struct apic_bus *b, bool (*send)(void *opaque, const struct apic_message *m), void *opaque);
/* Somebody else's local APIC is done with a level-triggered interrupt. */
void apic_tell_eoi(struct apic_bus *b, u8 vector);
/* A device's write of `data` at `address` (FEExxxxxh): SDM vol. 3, 11.11. Other addresses are dropped. */
void apic_send_msi(struct apic_bus *b, u64 address, u32 data);
/* IA32_APIC_BASE of that processor has been written: is its APIC on, and where it was? */
void apic_enable(struct apic_bus *b, unsigned cpu, bool on);

/* For a monitor that lets hardware serve a guest's local APIC from a page of memory: all registers go there; task priority, requests and
 * interrupts in service come back. False: that APIC is off. */
bool apic_export(struct apic_bus *b, unsigned cpu, u8 page[PAGE_SIZE]);
void apic_import(struct apic_bus *b, unsigned cpu, const u8 page[PAGE_SIZE]);
/* When that processor's local APIC makes its next timer interrupt: virtual cycles, CLOCK_NEVER: none is due. */
cycles_t apic_timer_due(const struct apic_bus *b, unsigned cpu);
/* Is it the 8259A that wants the processor, past the local APIC's own requests? */
bool apic_is_external(const struct apic_bus *b, unsigned cpu);
/* That interrupt's end, which the hardware has done in the page, is told to the I/O APIC if it is level triggered. */
void apic_ended(struct apic_bus *b, unsigned cpu, u8 vector);

/* One of each; they are made in this order, with the 8259A between them. Without platform.has_apic they are not there. */
extern const struct device_ops lapic_ops, ioapic_ops;

#endif
