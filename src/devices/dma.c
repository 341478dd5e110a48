/* SPDX-License-Identifier: MIT */
/*
 * The two 8237A DMA controllers and the page registers, as latches: what is written can be read back as on the chip
 * (Intel 8237A, order number 231466), and no device here asks for a transfer. The second controller's registers stand
 * two ports apart (IBM PC/AT Technical Reference, DMA).
 */
#include <stdlib.h>
#include <string.h>

#include "devices/small.h"

enum { STATUS = 8, SINGLE_MASK = 10, CLEAR_FLIP_FLOP = 12, MASTER_CLEAR = 13, CLEAR_MASK = 14, ALL_MASK = 15 };

struct i8237 {
    u16 latch[8];       /* address and count of each of four channels */
    bool high;          /* the first/last flip-flop: the next access is to the high byte */
    u8 mask;
};

struct dma {
    struct device dev;
    struct i8237 chip[2];
    u8 page[16];
};

static void master_clear(struct i8237 *c)
{
    c->high = false;
    c->mask = 15;
}

static u8 chip_read(struct i8237 *c, unsigned n)
{
    if (n == ALL_MASK)
        return 0xf0 | c->mask;
    if (n >= STATUS)
        return 0;               /* status: no request, no terminal count; temporary register: nothing */
    u8 value = c->high ? c->latch[n] >> 8 : c->latch[n];
    c->high = !c->high;
    return value;
}

static void write_latch(struct i8237 *c, unsigned n, u8 value)
{
    c->latch[n] = c->high ? (c->latch[n] & 0xff) | value << 8 : (c->latch[n] & 0xff00) | value;
    c->high = !c->high;
}

static void chip_write(struct i8237 *c, unsigned n, u8 value)
{
    if (n < STATUS)
        write_latch(c, n, value);
    else if (n == SINGLE_MASK)
        c->mask = value & 4 ? c->mask | BIT(value & 3) : c->mask & ~BIT(value & 3);
    else if (n == CLEAR_FLIP_FLOP)
        c->high = false;
    else if (n == MASTER_CLEAR)
        master_clear(c);
    else if (n == CLEAR_MASK)
        c->mask = 0;
    else if (n == ALL_MASK)
        c->mask = value & 15;
}

static u64 dma1_read(void *dev, u64 offset, unsigned size) { return chip_read(&((struct dma *)dev)->chip[0], offset); }
static void dma1_write(void *dev, u64 offset, unsigned size, u64 v)
{
    chip_write(&((struct dma *)dev)->chip[0], offset, v);
}
static u64 dma2_read(void *dev, u64 offset, unsigned size)
{
    return chip_read(&((struct dma *)dev)->chip[1], offset / 2);
}
static void dma2_write(void *dev, u64 offset, unsigned size, u64 v)
{
    chip_write(&((struct dma *)dev)->chip[1], offset / 2, v);
}
static u64 page_read(void *dev, u64 offset, unsigned size) { return ((struct dma *)dev)->page[offset]; }
static void page_write(void *dev, u64 offset, unsigned size, u64 v) { ((struct dma *)dev)->page[offset] = v; }

static const char *dma1_reg(u64 offset)
{
    static const char *const name[16] = {
        "address0", "count0", "address1", "count1", "address2", "count2", "address3", "count3", "status/command",
        "request", "single-mask", "mode", "clear-flip-flop", "master-clear", "clear-mask", "all-mask",
    };
    return name[offset];
}
static const char *dma2_reg(u64 offset) { return dma1_reg(offset / 2); }
static const struct bus_ops dma1_ports = { dma1_read, dma1_write, .reg_name = dma1_reg };
static const struct bus_ops dma2_ports = { dma2_read, dma2_write, .reg_name = dma2_reg };
static const struct bus_ops page_ports = { page_read, page_write };

static void dma_reset(struct device *d)
{
    struct dma *p = (struct dma *)d;
    memset(p->chip, 0, sizeof p->chip);
    memset(p->page, 0, sizeof p->page);
    for (int n = 0; n < 2; n++)
        master_clear(&p->chip[n]);
}

static void dma_destroy(struct device *d) { free(d); }

/* The page registers leave out 80h, which is the diagnostic port. */
static struct device *dma_create(struct platform *to, struct error *err)
{
    struct dma *p = device_new(&dma_ops, sizeof *p, err);
    if (!p)
        return NULL;
    if (bus_add_ports(to->bus, "dma1", 0x00, 16, &dma1_ports, p, err) ||
        bus_add_ports(to->bus, "dma2", 0xc0, 32, &dma2_ports, p, err) ||
        bus_add_ports(to->bus, "dma-page", 0x81, 15, &page_ports, p, err)) {
        free(p);
        return NULL;
    }
    dma_reset(&p->dev);
    return &p->dev;
}

const struct device_ops dma_ops = {
    "dma", "two 8237A DMA controllers and page registers, as latches", dma_create, dma_reset, dma_destroy, NULL,
};
