/* SPDX-License-Identifier: MIT */
/*
 * The two 8237A DMA controllers and the page registers (Intel 8237A, order number 231466). The second controller's registers
 * stand two ports apart (IBM PC/AT Technical Reference, DMA). Transfers happen on the 8-bit channels, of which the floppy
 * controller has number 2, all at once; memory to memory, 16-bit channels and requests by software do nothing.
 */
#include "devices/chipset/dma.h"

#include <stdlib.h>
#include <string.h>

#include "devices/chipset/small.h"

enum { STATUS = 8, SINGLE_MASK = 10, MODE = 11, CLEAR_FLIP_FLOP = 12, MASTER_CLEAR = 13, CLEAR_MASK = 14, ALL_MASK = 15 };
enum { MODE_TYPE = 0x0c, TYPE_TO_MEMORY = 0x04, TYPE_FROM_MEMORY = 0x08, MODE_AUTO = 0x10, MODE_DOWN = 0x20 };

struct i8237 {
    u16 now[8];         /* address and count of each of four channels, */
    u16 base[8];        /* and as they were written */
    bool high;          /* the first/last flip-flop: the next access is to the high byte */
    u8 mask;
    u8 mode[4];
    u8 ended;           /* status: channels that have counted to their end */
};

struct dma {
    struct device dev;
    struct i8237 chip[2];
    u8 page[16];
    struct physmap *map;
};

static void master_clear(struct i8237 *c)
{
    c->high = false;
    c->mask = 15;
    c->ended = 0;
}

/* Reading the status clears it. */
static u8 read_status(struct i8237 *c)
{
    u8 value = c->ended;
    c->ended = 0;
    return value;
}

static u8 chip_read(struct i8237 *c, unsigned n)
{
    if (n == ALL_MASK)
        return 0xf0 | c->mask;
    if (n >= STATUS)
        return n == STATUS ? read_status(c) : 0;
    u8 value = c->high ? c->now[n] >> 8 : c->now[n];
    c->high = !c->high;
    return value;
}

static void write_latch(struct i8237 *c, unsigned n, u8 value)
{
    c->base[n] = c->high ? (c->base[n] & 0xff) | value << 8 : (c->base[n] & 0xff00) | value;
    c->now[n] = c->base[n];
    c->high = !c->high;
}

static void chip_write(struct i8237 *c, unsigned n, u8 value)
{
    if (n < STATUS)
        write_latch(c, n, value);
    else if (n == SINGLE_MASK)
        c->mask = value & 4 ? c->mask | BIT(value & 3) : c->mask & ~BIT(value & 3);
    else if (n == MODE)
        c->mode[value & 3] = value;
    else if (n == CLEAR_FLIP_FLOP)
        c->high = false;
    else if (n == MASTER_CLEAR)
        master_clear(c);
    else if (n == CLEAR_MASK)
        c->mask = 0;
    else if (n == ALL_MASK)
        c->mask = value & 15;
}

/* --- transfers --- */

/* Where the next byte goes: the page registers stand in no order. */
static gpa_t channel_gpa(const struct dma *p, unsigned n)
{
    static const u8 page[4] = { 0x87, 0x83, 0x81, 0x82 };
    return (gpa_t)p->page[page[n] - 0x81] << 16 | p->chip[0].now[2 * n];
}

/* One byte has gone: the count passes 0 to FFFFh at the end. */
static void count_byte(struct i8237 *c, unsigned n)
{
    c->now[2 * n] += c->mode[n] & MODE_DOWN ? -1 : 1;
    if (c->now[2 * n + 1]-- != 0)
        return;
    c->ended |= BIT(n);
    if (c->mode[n] & MODE_AUTO)
        memcpy(&c->now[2 * n], &c->base[2 * n], 2 * sizeof c->now[0]);
    else
        c->mask |= BIT(n);
}

u32 dma_transfer(struct dma *p, unsigned channel, u8 *buf, u32 len, bool to_memory, bool *ended)
{
    struct i8237 *c = &p->chip[0];
    u8 type = to_memory ? TYPE_TO_MEMORY : TYPE_FROM_MEMORY;
    u32 done = 0;
    *ended = false;
    for (; done < len && !*ended && !(c->mask >> channel & 1) && (c->mode[channel] & MODE_TYPE) == type; done++) {
        if (to_memory)
            physmap_write(p->map, channel_gpa(p, channel), buf + done, 1);
        else
            physmap_read(p->map, channel_gpa(p, channel), buf + done, 1);
        *ended = c->now[2 * channel + 1] == 0;
        count_byte(c, channel);
    }
    return done;
}

/* --- registers --- */

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
    p->map = to->map;
    if (bus_add_ports(to->bus, "dma1", 0x00, 16, &dma1_ports, p, err) ||
        bus_add_ports(to->bus, "dma2", 0xc0, 32, &dma2_ports, p, err) ||
        bus_add_ports(to->bus, "dma-page", 0x81, 15, &page_ports, p, err)) {
        free(p);
        return NULL;
    }
    dma_reset(&p->dev);
    to->dma = p;
    return &p->dev;
}

const struct device_ops dma_ops = {
    "dma", "two 8237A DMA controllers and page registers", dma_create, dma_reset, dma_destroy, NULL,
};
