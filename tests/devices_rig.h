/* SPDX-License-Identifier: MIT */
/*
 * A machine without a processor: clock, memory map, bus and the devices that a test adds. The test is the processor:
 * it drives ports. Wires go to a recorder, unless an interrupt controller was added first.
 */
#ifndef EMU_TESTS_DEVICES_RIG_H
#define EMU_TESTS_DEVICES_RIG_H

#include <string.h>

#include "devices/device.h"
#include "devices/serial/chardev.h"

struct rig {
    struct clock clock;
    struct physmap map;
    struct bus bus;
    struct tracer tracer;
    struct platform platform;
    struct device *device[32];
    unsigned ndevices;
    bool level[16];             /* the recorder's wires, */
    unsigned rises[16];         /* how often each rose, */
    cycles_t rose_at[16];       /* and when last */
    bool intr;                  /* the wire to the processor */
    unsigned requests[4];       /* by enum platform_request */
    int request_value;          /* of the last */
    struct error err;
};

static inline void rig_wire(void *sink, unsigned line, bool level)
{
    struct rig *r = sink;
    if (level && !r->level[line]) {
        r->rises[line]++;
        r->rose_at[line] = r->clock.now;
    }
    r->level[line] = level;
}

static inline void rig_intr(void *sink, unsigned line, bool level)
{
    ((struct rig *)sink)->intr = level;
}

static inline void rig_request(void *machine, enum platform_request req, int value)
{
    struct rig *r = machine;
    r->requests[req]++;
    r->request_value = value;
    if (req == REQUEST_A20)
        physmap_set_a20(&r->map, value);
}

static inline void rig_init(struct rig *r, u64 hz)
{
    memset(r, 0, sizeof *r);
    clock_init(&r->clock, hz);
    if (physmap_init(&r->map, 1 << 20, &r->err))
        abort();
    bus_init(&r->bus, &r->map, &r->tracer);
    r->platform = (struct platform){
        .bus = &r->bus, .map = &r->map, .clock = &r->clock, .tracer = &r->tracer, .cpu_intr = { rig_intr, r, 0 },
        .ram_size = 64 << 20, .request = rig_request, .machine = r, .debug_exit_port = 0xf4, .debug_exit_size = 1,
    };
    for (unsigned line = 0; line < 16; line++)
        r->platform.isa_irq[line] = (struct irq){ rig_wire, r, line };
}

static inline struct device *rig_add(struct rig *r, const struct device_ops *ops)
{
    struct device *d = ops->create(&r->platform, &r->err);
    if (!d) {
        fprintf(stderr, "%s: %s\n", ops->name, r->err.text);
        abort();
    }
    return r->device[r->ndevices++] = d;
}

/* First the devices, while the clock and what they are plugged into are there still. */
static inline void rig_drop_devices(struct rig *r)
{
    while (r->ndevices) {
        struct device *d = r->device[--r->ndevices];
        d->ops->destroy(d);
    }
}

static inline void rig_fini(struct rig *r)
{
    rig_drop_devices(r);
    bus_fini(&r->bus);
    physmap_fini(&r->map);
    clock_fini(&r->clock);
}

static inline u8 in8(struct rig *r, u16 port) { return bus_io_read(&r->bus, port, 1); }
static inline u16 in16(struct rig *r, u16 port) { return bus_io_read(&r->bus, port, 2); }
static inline u32 in32(struct rig *r, u16 port) { return bus_io_read(&r->bus, port, 4); }
static inline void out8(struct rig *r, u16 port, u8 v) { bus_io_write(&r->bus, port, 1, v); }
static inline void out16(struct rig *r, u16 port, u16 v) { bus_io_write(&r->bus, port, 2, v); }
static inline void out32(struct rig *r, u16 port, u32 v) { bus_io_write(&r->bus, port, 4, v); }

/* Time passes as in the run loop: from one deadline to the next. */
static inline void rig_run_until(struct rig *r, cycles_t when)
{
    while (clock_deadline(&r->clock) <= when) {
        if (clock_deadline(&r->clock) > r->clock.now)
            r->clock.now = clock_deadline(&r->clock);
        clock_run_due(&r->clock);
    }
    if (when > r->clock.now)
        r->clock.now = when;
}
static inline void rig_run(struct rig *r, cycles_t cycles) { rig_run_until(r, r->clock.now + cycles); }

#endif
