/* SPDX-License-Identifier: MIT */
/*
 * Interrupts (SDM 13.4.17 to 13.4.21). ICR collects causes, IMS says which of them hold the interrupt pin. ITR is the least
 * time between two interrupts, in units of 256 ns: a cause that comes sooner waits for a timer, and then all go together.
 */
#include "devices/e1000/e1000.h"

enum { ITR_UNIT_NS = 256 };

static cycles_t interval(const struct e1000 *e) { return clock_ns_to_cycles(e->clock, (u64)e1000_get(e, E1000_ITR) * ITR_UNIT_NS); }

static void update(struct e1000 *e)
{
    bool wanted = e1000_get(e, E1000_ICR) & e1000_get(e, E1000_IMS);
    if (wanted == e->function.intx)
        return;
    if (wanted && e->clock->now < e->next_interrupt) {
        timer_set(e->clock, &e->throttle, e->next_interrupt);
        return;
    }
    if (wanted)
        e->next_interrupt = e->clock->now + interval(e);
    pci_set_intx(&e->function, wanted);
}

static void throttle_over(void *opaque, cycles_t when) { update(opaque); }

void e1000_cause(struct e1000 *e, u32 causes)
{
    *e1000_reg(e, E1000_ICR) |= causes;
    update(e);
}

/* Reading takes all causes away; without a mask, too, for drivers that poll. */
u32 e1000_icr_read(struct e1000 *e, u32 offset)
{
    u32 causes = e1000_get(e, offset);
    *e1000_reg(e, offset) = 0;
    update(e);
    return causes;
}

void e1000_icr_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) &= ~value;
    update(e);
}

void e1000_ics_write(struct e1000 *e, u32 offset, u32 value) { e1000_cause(e, value & 0x1ffff); }

void e1000_ims_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) |= value & 0x1ffff;
    update(e);
}

void e1000_imc_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, E1000_IMS) &= ~value;
    update(e);
}

void e1000_irq_init(struct e1000 *e) { e->throttle = (struct timer){ .fire = throttle_over, .opaque = e }; }

void e1000_irq_reset(struct e1000 *e)
{
    timer_cancel(e->clock, &e->throttle);
    e->next_interrupt = 0;
    pci_set_intx(&e->function, false);
}
