/* SPDX-License-Identifier: MIT */
/*
 * The virtual APIC, SDM vol. 3, chapter 30: the guest's local APIC as a page of memory, of which the processor itself serves what it can.
 *
 *     TPR shadow                   reads and writes of the task priority
 *     APIC-register virtualization reads of all registers; a write is done in the page, and then exits
 *     virtual-interrupt delivery   also EOI and IPIs to oneself, and interrupts go through the guest's IDT without a VM entry
 *     posted interrupts            interrupts come while the guest runs, by a descriptor and a notification vector
 *
 * Guests reach it through the APIC-access page: whatever gpa the monitor maps there.
 */
#ifndef EMU_HWASSIST_VMX_VAPIC_H
#define EMU_HWASSIST_VMX_VAPIC_H

#include "cpu/cpu.h"
#include "hwassist/vmx/hostmem.h"

struct vmx;

/* Registers in the page, by offset: as in the local APIC. */
enum { VAPIC_ID = 0x20, VAPIC_TPR = 0x80, VAPIC_PPR = 0xa0, VAPIC_EOI = 0xb0, VAPIC_ISR = 0x100, VAPIC_TMR = 0x180, VAPIC_IRR = 0x200, VAPIC_ICR = 0x300,
       VAPIC_ICR_HIGH = 0x310 };

/* Posted-interrupt descriptor, SDM vol. 3, table 30-1: 256 bits of requests, then ON. 64 bytes, aligned. */
struct posted { u64 pir[4]; u64 control; u64 unused[3]; };
#define POSTED_ON 1

/* The APIC-access page of a machine: its frame, and on whose behalf it is accessed (entries set it). The window is where accesses that are
 * virtualized end up in the physmap; whoever makes the page adds it there with vapic_window_ops and this as `opaque`. */
struct apic_access { hpa_t hpa; struct vmx *current; };
extern const struct mmio_ops vapic_window_ops;
static inline gpa_t vapic_window(hpa_t apic_access) { return apic_access | BIT(51); }

/* Which registers may be accessed without an exit, one bit each; NULL: none. By the controls. */
const u64 *vapic_readable(const struct vmx *x);
const u64 *vapic_writable(const struct vmx *x);

/* A register of the page; one that lies outside the model's memory reads as 0. */
u32 vapic_read(const struct vmx *x, u32 offset);
void vapic_write(struct vmx *x, u32 offset, u32 value);

/* Virtual interrupts: is delivery on; is one recognized (30.2.1); deliver it (30.2.2). */
bool vapic_delivers(const struct vmx *x);
bool vapic_recognized(const struct vmx *x);
enum cpu_stop_kind vapic_deliver(struct vmx *x);
/* VM entry: PPR virtualization (27.3.2.5), and the exit of a task priority that is below the threshold already. */
void vapic_enter(struct vmx *x);

/* Another agent posts an interrupt: true if a notification must be sent. */
bool posted_request(struct posted *d, u8 vector);
/* An external interrupt with this vector has come while the guest runs: was it the notification (30.6)? Then it is dealt with. */
bool vapic_notified(struct vmx *x, u8 vector);

/* SDM vol. 3, table 28-6: offset and kind of access. */
u64 vapic_qualification(u32 offset, enum mmu_access a, bool delivering);

#endif
