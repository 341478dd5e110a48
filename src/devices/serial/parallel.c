/* SPDX-License-Identifier: MIT */
/*
 * A printer port (IEEE 1284, compatibility mode) at 378h: data, status, control. A character is taken when the strobe goes on, and
 * is acknowledged at once: the printer is never busy. It is there only if the user wants one; otherwise the ports read all ones,
 * which small kernels that write to it in passing take as "ready".
 */
#include <stdlib.h>

#include "devices/chipset/small.h"

enum { DATA, STATUS, CONTROL };
enum { STATUS_NOT_BUSY = 0x80, STATUS_NO_ACK = 0x40, STATUS_SELECTED = 0x10, STATUS_NO_ERROR = 0x08 };
enum { CONTROL_STROBE = 0x01, CONTROL_UNUSED = 0xc0 };

struct parallel {
    struct device dev;
    u8 data, control;
    struct chardev *back;
};

static u64 parallel_read(void *dev, u64 offset, unsigned size)
{
    struct parallel *p = dev;
    if (offset == DATA)
        return p->data;
    return offset == STATUS ? STATUS_NOT_BUSY | STATUS_NO_ACK | STATUS_SELECTED | STATUS_NO_ERROR | 7 : p->control | CONTROL_UNUSED;
}

static void parallel_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct parallel *p = dev;
    if (offset == DATA)
        p->data = value;
    if (offset != CONTROL)
        return;
    if (value & ~p->control & CONTROL_STROBE)
        p->back->write(p->back, p->data);
    p->control = value & ~CONTROL_UNUSED;
}

static const char *parallel_reg(u64 offset)
{
    static const char *const name[] = { "data", "status", "control" };
    return name[offset];
}
static const struct bus_ops parallel_ports = { parallel_read, parallel_write, 1, 1, parallel_reg };

static void parallel_reset(struct device *d)
{
    struct parallel *p = (struct parallel *)d;
    p->data = 0;
    p->control = 0x0c;  /* initialized and selected, no strobe */
}

static void parallel_destroy(struct device *d) { free(d); }

static struct device *parallel_create(struct platform *to, struct error *err)
{
    struct parallel *p = device_new(&parallel_ops, sizeof *p, err);
    if (!p)
        return NULL;
    p->back = to->parallel;
    parallel_reset(&p->dev);
    if (p->back && bus_add_ports(to->bus, "parallel", 0x378, 3, &parallel_ports, p, err)) {
        free(p);
        return NULL;
    }
    return &p->dev;
}

const struct device_ops parallel_ops = { "parallel", "printer port at 378h, if -parallel names one", parallel_create, parallel_reset, parallel_destroy, NULL };
