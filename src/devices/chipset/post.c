/* SPDX-License-Identifier: MIT */
/*
 * Port 80h: power-on self tests write where they have come to, and kernels write there to wait about a microsecond.
 * It is a spare page register of the DMA controllers, so it reads back what was written.
 */
#include <stdlib.h>

#include "devices/chipset/small.h"

struct post {
    struct device dev;
    u8 code;
};

static u64 post_read(void *dev, u64 offset, unsigned size) { return ((struct post *)dev)->code; }
static void post_write(void *dev, u64 offset, unsigned size, u64 value) { ((struct post *)dev)->code = value; }

static const char *post_reg(u64 offset) { return "code"; }
static const struct bus_ops post_ports = { post_read, post_write, .reg_name = post_reg };

static void post_reset(struct device *d) { ((struct post *)d)->code = 0; }
static void post_destroy(struct device *d) { free(d); }
static void post_info(const struct device *d, FILE *out)
{
    fprintf(out, "last code: %02x\n", ((const struct post *)d)->code);
}

static struct device *post_create(struct platform *to, struct error *err)
{
    struct post *p = device_new(&post_ops, sizeof *p, err);
    if (!p)
        return NULL;
    if (bus_add_ports(to->bus, "post", 0x80, 1, &post_ports, p, err)) {
        free(p);
        return NULL;
    }
    return &p->dev;
}

const struct device_ops post_ops = {
    "post", "port 80h: diagnostic codes", post_create, post_reset, post_destroy, post_info,
};
