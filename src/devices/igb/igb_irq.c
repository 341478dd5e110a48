/* SPDX-License-Identifier: MIT */
/*
 * A VF's three vectors (DS 7.3, 8.26.2). IVAR says which vector a cause goes to; EICR remembers the vectors that have something to say,
 * EIMS lets them through, EITR holds them apart. EIAC clears by sending, EIAM masks by it: so a driver needs to read nothing.
 */
#include "devices/igb/igb.h"

enum { ALL = (1 << IGB_VF_VECTORS) - 1, EITR_SHIFT = 2, EITR_MASK = 0x1fff };

static cycles_t interval(const struct igb_vf *v, unsigned n)
{
    return clock_ns_to_cycles(v->clock, (v->eitr[n] >> EITR_SHIFT & EITR_MASK) * (u64)1000);
}

static void send(struct igb_vf *v, unsigned n)
{
    v->vector[n].next = v->clock->now + interval(v, n);
    if (v->eiam & 1u << n)
        v->eims &= ~(1u << n);
    if (v->eiac & 1u << n)
        v->eicr &= ~(1u << n);
    pci_msix_send(&v->msix, n);
}

/* Whatever may go out now goes; what is too soon waits. */
static void update(struct igb_vf *v, cycles_t after)
{
    for (unsigned n = 0; n < IGB_VF_VECTORS && v->clock; n++) {
        struct igb_vector *x = &v->vector[n];
        if (!(v->eicr & v->eims & 1u << n) || timer_armed(&x->timer))
            continue;
        cycles_t when = x->next > after ? x->next : after;
        if (when > v->clock->now)
            timer_set(v->clock, &x->timer, when);
        else
            send(v, n);
    }
}

static void over(void *opaque, cycles_t when)
{
    struct igb_vector *x = opaque;
    unsigned n = x - x->vf->vector;
    if (x->vf->eicr & x->vf->eims & 1u << n)
        send(x->vf, n);
}

static u8 vector_of(const struct igb_vf *v, enum igb_cause c, unsigned queue)
{
    return c == CAUSE_MAIL ? v->ivar_misc : v->ivar >> (16 * queue + 8 * (c == CAUSE_TX));
}

void igb_interrupt(struct igb_vf *v, enum igb_cause c, unsigned queue)
{
    u8 entry = vector_of(v, c, queue);
    if (!(entry & IGB_IVAR_VALID) || (entry & 3) >= IGB_VF_VECTORS || !v->clock)
        return;
    v->eicr |= 1u << (entry & 3);
    update(v, v->clock->now + pci_dma_time(&v->function));
}

u32 igb_eicr_read(struct igb_vf *v)
{
    u32 value = v->eicr;
    v->eicr = 0;
    return value;
}

void igb_eics_write(struct igb_vf *v, u32 vectors)
{
    v->eicr |= vectors & ALL;
    update(v, 0);
}

void igb_eims_write(struct igb_vf *v, u32 vectors)
{
    v->eims |= vectors & ALL;
    update(v, 0);
}

void igb_irq_init(struct igb_vf *v)
{
    for (unsigned n = 0; n < IGB_VF_VECTORS; n++) {
        v->vector[n].vf = v;
        v->vector[n].timer = (struct timer){ .fire = over, .opaque = &v->vector[n] };
    }
}

void igb_irq_reset(struct igb_vf *v)
{
    for (unsigned n = 0; n < IGB_VF_VECTORS; n++) {
        if (v->clock)
            timer_cancel(v->clock, &v->vector[n].timer);
        v->vector[n].next = 0;
        v->eitr[n] = 0;
    }
    v->eims = v->eicr = v->eiac = v->eiam = v->ivar = v->ivar_misc = 0;
}
