/* SPDX-License-Identifier: MIT */
/*
 * Ports where a byte written is a byte printed, and a read tells by E9h that they are there: E9h of Bochs, on COM1's back-end;
 * and 402h, where SeaBIOS tells what it does, if the user wants to hear it.
 */
#include <stdlib.h>

#include "devices/chipset/small.h"

struct debugcon {
    struct device dev;
    struct chardev *back;       /* NULL: stderr */
    struct chardev *firmware;   /* NULL: nobody listens */
};

static u64 debugcon_read(void *dev, u64 offset, unsigned size) { return 0xe9; }

static void debugcon_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct debugcon *c = dev;
    if (c->back)
        c->back->write(c->back, value);
    else
        putc((int)value, stderr);
}

static void firmware_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct debugcon *c = dev;
    c->firmware->write(c->firmware, value);
}

static const char *debugcon_reg(u64 offset) { return "character"; }
static const struct bus_ops debugcon_ports = { debugcon_read, debugcon_write, .reg_name = debugcon_reg };
static const struct bus_ops firmware_ports = { debugcon_read, firmware_write, .reg_name = debugcon_reg };

static void debugcon_reset(struct device *d) { }
static void debugcon_destroy(struct device *d) { free(d); }

static struct device *debugcon_create(struct platform *to, struct error *err)
{
    struct debugcon *c = device_new(&debugcon_ops, sizeof *c, err);
    if (!c)
        return NULL;
    c->back = to->serial[0];
    c->firmware = to->debugcon;
    if (bus_add_ports(to->bus, "debugcon", 0xe9, 1, &debugcon_ports, c, err) ||
        (c->firmware && bus_add_ports(to->bus, "firmware-log", 0x402, 1, &firmware_ports, c, err))) {
        free(c);
        return NULL;
    }
    return &c->dev;
}

const struct device_ops debugcon_ops = {
    "debugcon", "ports E9h and 402h: a byte written is a byte printed", debugcon_create, debugcon_reset, debugcon_destroy, NULL,
};
