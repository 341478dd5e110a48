/* SPDX-License-Identifier: MIT */
/*
 * The PC's interval timer: counter 0 raises IRQ 0, counter 1 used to refresh memory, counter 2 sounds the speaker and
 * is gated by port 61h (IBM PC/AT Technical Reference, System Timers and Diagnostic Checkpoint Port).
 *
 * The tick is derived from the cycle since power-on, never added up, so that edges do not drift. One timer event per
 * rising edge of counter 0: nobody but the interrupt controller listens, and it takes rising edges only.
 */
#include "devices/time/pit.h"

#include <stdlib.h>

#include "devices/time/i8254.h"

enum { PORT61_GATE2 = 0x01, PORT61_WRITABLE = 0x0f, PORT61_REFRESH = 0x10, PORT61_OUT2 = 0x20 };
enum { READ_BACK = 3, READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };
#define REFRESH_TICKS 18    /* the refresh request's period, 15 us; bit 4 toggles with each */

struct pit {
    struct device dev;
    struct i8254 counter[3];
    u8 port61;
    struct timer rise;          /* of counter 0's OUT */
    struct clock *clock;
    struct irq irq0;
    u64 edges;
};

static u64 ticks_now(const struct pit *p)
{
    return clock_cycles_to_ticks(p->clock, p->clock->now, PIT_HZ);
}

/* Counter 0 was touched: show its level, and wait for its next rising edge. */
static void follow_out0(struct pit *p, bool out)
{
    u64 rise = i8254_next_rise(&p->counter[0], ticks_now(p));
    irq_set(&p->irq0, out);
    if (rise == I8254_NEVER)
        timer_cancel(p->clock, &p->rise);
    else
        timer_set(p->clock, &p->rise, clock_ticks_to_cycles(p->clock, rise, PIT_HZ));
}

static void touched(struct pit *p, unsigned n)
{
    if (n == 0)
        follow_out0(p, i8254_out(&p->counter[0], ticks_now(p)));
}

/* OUT rose. Edges that passed unseen (time moved far at once) have become one, as they would in the controller. */
static void out0_rises(void *opaque, cycles_t when)
{
    struct pit *p = opaque;
    p->edges++;
    irq_lower(&p->irq0);
    follow_out0(p, true);
}

static void read_back(struct pit *p, u8 command)
{
    for (unsigned n = 0; n < 3; n++) {
        if (!(command & 2 << n))
            continue;
        if (!(command & READ_BACK_NO_COUNT))
            i8254_latch_count(&p->counter[n], ticks_now(p));
        if (!(command & READ_BACK_NO_STATUS))
            i8254_latch_status(&p->counter[n], ticks_now(p));
    }
}

static void write_control(struct pit *p, u8 value)
{
    unsigned n = value >> 6;
    if (n == READ_BACK) {
        read_back(p, value);
        return;
    }
    i8254_write_control(&p->counter[n], ticks_now(p), value);
    if (value & 0x30)
        touched(p, n);
}

static void pit_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct pit *p = dev;
    if (offset == 3) {
        write_control(p, value);
        return;
    }
    i8254_write(&p->counter[offset], ticks_now(p), value);
    touched(p, offset);
}

static u64 pit_read(void *dev, u64 offset, unsigned size)
{
    struct pit *p = dev;
    return offset == 3 ? 0xff : i8254_read(&p->counter[offset], ticks_now(p));
}

static u64 port61_read(void *dev, u64 offset, unsigned size)
{
    struct pit *p = dev;
    u64 now = ticks_now(p);
    bool refresh = now / REFRESH_TICKS & 1;
    return p->port61 | (refresh ? PORT61_REFRESH : 0) | (i8254_out(&p->counter[2], now) ? PORT61_OUT2 : 0);
}

static void port61_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct pit *p = dev;
    p->port61 = value & PORT61_WRITABLE;
    i8254_set_gate(&p->counter[2], ticks_now(p), value & PORT61_GATE2);
}

static const char *pit_reg(u64 offset)
{
    static const char *const name[] = { "counter0", "counter1", "counter2", "control" };
    return name[offset];
}
static const char *port61_reg(u64 offset) { return "port61"; }
static const struct bus_ops pit_ports = { pit_read, pit_write, .reg_name = pit_reg };
static const struct bus_ops port61 = { port61_read, port61_write, .reg_name = port61_reg };

static void pit_reset(struct device *d)
{
    struct pit *p = (struct pit *)d;
    for (int n = 0; n < 3; n++)
        i8254_reset(&p->counter[n]);
    p->port61 = 0;
    i8254_set_gate(&p->counter[2], ticks_now(p), false);
    touched(p, 0);
}

static struct device *pit_create(struct platform *to, struct error *err)
{
    struct pit *p = device_new(&pit_ops, sizeof *p, err);
    if (!p)
        return NULL;
    p->clock = to->clock;
    p->irq0 = to->isa_irq[0];
    p->rise = (struct timer){ .fire = out0_rises, .opaque = p };
    if (bus_add_ports(to->bus, "pit", 0x40, 4, &pit_ports, p, err) ||
        bus_add_ports(to->bus, "pit", 0x61, 1, &port61, p, err)) {
        free(p);
        return NULL;
    }
    pit_reset(&p->dev);
    return &p->dev;
}

static void pit_destroy(struct device *d)
{
    struct pit *p = (struct pit *)d;
    timer_cancel(p->clock, &p->rise);
    free(p);
}

static void pit_info(const struct device *d, FILE *out)
{
    const struct pit *p = (const struct pit *)d;
    for (int n = 0; n < 3; n++)
        fprintf(out, "counter %d: mode %d count %u%s gate %d\n", n, p->counter[n].mode, p->counter[n].count,
                p->counter[n].counting ? "" : " (not loaded)", p->counter[n].gate);
    fprintf(out, "rising edges of IRQ 0: %llu\n", (unsigned long long)p->edges);
}

const struct device_ops pit_ops = {
    "pit", "8254 interval timer, IRQ 0, and port 61h", pit_create, pit_reset, pit_destroy, pit_info,
};
