/* SPDX-License-Identifier: MIT */
/* System control port A of the PS/2: bit 0 resets the processor, bit 1 gates A20 (82371SB, port 92 register). */
#include <stdlib.h>

#include "devices/chipset/small.h"

enum { FAST_RESET = 0x01, A20 = 0x02 };

struct port92 {
    struct device dev;
    struct platform to;
    u8 value;           /* the bits without a meaning here */
};

/* One A20 wire: whoever moved it last (this port or the keyboard controller) is seen by both. */
static u64 port92_read(void *dev, u64 offset, unsigned size)
{
    struct port92 *p = dev;
    bool a20 = p->to.map->a20_mask & BIT(20);
    return p->value | (a20 ? A20 : 0);
}

static void port92_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct port92 *p = dev;
    bool resets = value & ~p->value & FAST_RESET;
    p->value = value & ~A20;
    platform_ask(&p->to, REQUEST_A20, !!(value & A20));
    if (resets)
        platform_ask(&p->to, REQUEST_RESET, 0);
}

static const char *port92_reg(u64 offset) { return "system-control-a"; }
static const struct bus_ops port92_ports = { port92_read, port92_write, .reg_name = port92_reg };

static void port92_reset(struct device *d)
{
    ((struct port92 *)d)->value = 0;
}

static struct device *port92_create(struct platform *to, struct error *err)
{
    struct port92 *p = device_new(&port92_ops, sizeof *p, err);
    if (!p)
        return NULL;
    p->to = *to;
    if (bus_add_ports(to->bus, "port92", 0x92, 1, &port92_ports, p, err)) {
        free(p);
        return NULL;
    }
    return &p->dev;
}

static void port92_destroy(struct device *d) { free(d); }

const struct device_ops port92_ops = {
    "port92", "system control port A: A20 gate, fast reset", port92_create, port92_reset, port92_destroy, NULL,
};
