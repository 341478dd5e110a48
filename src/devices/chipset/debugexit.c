/* SPDX-License-Identifier: MIT */
/*
 * A port that ends the run: writing v makes (v << 1) | 1 the exit status of emu, so that a test kernel can say good
 * or bad. The convention is QEMU's isa-debug-exit. Port and size are the user's.
 */
#include <stdlib.h>

#include "devices/chipset/small.h"

struct debugexit {
    struct device dev;
    struct platform to;
};

static u64 debugexit_read(void *dev, u64 offset, unsigned size) { return 0; }

/* The bus has split a wider write; only the lowest bits can become a status anyway. */
static void debugexit_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct debugexit *e = dev;
    if (offset == 0)
        platform_ask(&e->to, REQUEST_EXIT, (int)((value << 1 | 1) & 0xff));
}

static const char *debugexit_reg(u64 offset) { return "exit"; }
static const struct bus_ops debugexit_ports = { debugexit_read, debugexit_write, 1, 4, debugexit_reg };

static void debugexit_reset(struct device *d) { }
static void debugexit_destroy(struct device *d) { free(d); }

static struct device *debugexit_create(struct platform *to, struct error *err)
{
    struct debugexit *e = device_new(&debugexit_ops, sizeof *e, err);
    if (!e)
        return NULL;
    e->to = *to;
    if (to->debug_exit_size &&
        bus_add_ports(to->bus, "debug-exit", to->debug_exit_port, to->debug_exit_size, &debugexit_ports, e, err)) {
        free(e);
        return NULL;
    }
    return &e->dev;
}

const struct device_ops debugexit_ops = {
    "debug-exit", "a port whose write ends the run with a status", debugexit_create, debugexit_reset,
    debugexit_destroy, NULL,
};
