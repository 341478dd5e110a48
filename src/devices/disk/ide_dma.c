/* SPDX-License-Identifier: MIT */
/*
 * The bus master of an IDE channel (Programming Interface for Bus Master IDE Controller, revision 1.0): the guest gives the
 * address of a table of memory regions, and the drive's data goes there by itself.
 */
#include <endian.h>
#include <string.h>

#include "devices/disk/ide.h"

enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_CHANNEL = 8 };
enum { START = 0x01, TO_MEMORY = 0x08 };
enum { ACTIVE = 0x01, ERROR = 0x02, INTERRUPT = 0x04, CAPABLE = 0x60 };
#define TABLE_MAX (64u << 10)       /* bytes; a table does not cross 64 KiB */
#define LAST_REGION 0x80000000u

/* --- the table of regions --- */

struct regions {
    const struct ide_channel *channel;
    u32 entry;              /* gpa of the next entry, */
    u32 read;               /* bytes of the table that were read */
    u32 at, len;            /* what is left of the region in use */
    bool last;
};

/* Get to a region with something in it. False: the table is at its end, or not in memory (*bus). */
static bool next_region(struct regions *r, bool *bus)
{
    u32 entry[2];
    if (r->len)
        return true;
    if (r->last || r->read == TABLE_MAX)
        return false;
    *bus = !pci_dma_read(r->channel->master, r->entry, entry, sizeof entry);
    if (*bus)
        return false;
    r->entry += sizeof entry;
    r->read += sizeof entry;
    r->at = le32toh(entry[0]) & ~1u;
    r->len = le32toh(entry[1]) & 0xfffe;
    r->len = r->len ? r->len : 0x10000;
    r->last = le32toh(entry[1]) & LAST_REGION;
    return true;
}

/* --- moving --- */

enum { PIECES = 256 };

/* Pieces of guest memory that the image is read into, or written from, by one call of the host's. */
struct gathered {
    struct iovec piece[PIECES];
    struct { gpa_t gpa; u32 len; } at[PIECES];
    unsigned n;
    u64 len;
};

/* Up to the next page of guest memory; pages that follow one another need not do so in ours. */
static bool gather_page(struct gathered *g, struct regions *r, u64 want, bool to_host)
{
    u64 len = PAGE_SIZE - r->at % PAGE_SIZE;
    len = len < r->len ? len : r->len;
    len = len < want ? len : want;
    u8 *p = pci_dma_ptr(r->channel->master, r->at, len, to_host);
    if (!p)
        return false;
    g->at[g->n].gpa = r->at;
    g->at[g->n].len = len;
    g->piece[g->n++] = (struct iovec){ p, len };
    g->len += len;
    r->at += len;
    r->len -= len;
    return true;
}

/* At most `want` bytes of the guest's regions, and why there are not more. */
static enum ide_dma_end gather(struct gathered *g, struct regions *r, u64 want, bool to_host)
{
    bool bus = false;
    g->n = g->len = 0;
    while (g->n < PIECES && g->len < want) {
        if (!next_region(r, &bus))
            return bus ? DMA_BUS : DMA_SHORT;
        if (!gather_page(g, r, want - g->len, to_host))
            return DMA_BUS;
    }
    return DMA_DONE;
}

static bool move_image(struct ide_drive *d, const struct gathered *g)
{
    bool ok = (d->to_host ? block_readv : block_writev)(d->image, d->pos, g->piece, g->n);
    for (unsigned i = 0; i < g->n && d->to_host; i++)
        pci_dma_written(d->channel->master, g->at[i].gpa, g->at[i].len);
    return ok;
}

static void move_buffer(struct ide_drive *d, const struct gathered *g)
{
    for (unsigned i = 0; i < g->n; d->at += g->at[i].len, i++) {
        memcpy(g->piece[i].iov_base, d->buf + d->at, g->at[i].len);
        pci_dma_written(d->channel->master, g->at[i].gpa, g->at[i].len);
    }
}

/* Some of what is left. */
static enum ide_dma_end move_some(struct ide_drive *d, struct regions *r)
{
    struct gathered g;
    enum ide_dma_end end = gather(&g, r, d->left, d->to_host);
    if (d->from_buffer)
        move_buffer(d, &g);
    else if (!move_image(d, &g))
        return DMA_IMAGE;
    d->pos += g.len;
    d->left -= g.len;
    return end;
}

enum ide_dma_end ide_dma_move(struct ide_drive *d)
{
    struct ide_channel *c = d->channel;
    struct regions r = { .channel = c, .entry = c->bm.table };
    enum ide_dma_end end = DMA_DONE;
    while (d->left && end == DMA_DONE)
        end = move_some(d, &r);
    if (end != DMA_DONE || r.last)
        c->bm.status &= ~ACTIVE;    /* a table with more than the data stays active (1.0, table 2) */
    if (end == DMA_BUS)
        c->bm.status |= ERROR;
    return end;
}

/* --- starting --- */

static bool started(const struct ide_channel *c) { return c->bm.command & START; }

void ide_dma_ready(struct ide_drive *d)
{
    d->status = ST_DRDY | ST_DSC | ST_DRQ;
    d->at = d->end = 0;
    d->dma = true;
    if (started(d->channel))
        ide_later(d, d->left, d->step);
}

/* A drive that waits with its data goes on. */
static void start(struct ide_channel *c)
{
    c->bm.status |= ACTIVE;
    for (int i = 0; i < 2; i++) {
        struct ide_drive *d = &c->drive[i];
        if (d->dma && d->status & ST_DRQ && !c->running)
            ide_later(d, d->left, d->step);
    }
}

/* Stopping in the middle: the drive waits for ever, until it is reset. */
static void write_command(struct ide_channel *c, u8 value)
{
    bool starts = value & ~c->bm.command & START;
    c->bm.command = value & (START | TO_MEMORY);
    if (starts)
        start(c);
    else if (!(value & START))
        c->bm.status &= ~ACTIVE;
}

void ide_dma_interrupt(struct ide_channel *c) { c->bm.status |= INTERRUPT; }

/* --- registers --- */

static struct ide_channel *channel_at(void *dev, u64 offset) { return (struct ide_channel *)dev + (offset >= BM_CHANNEL); }

static u8 read_byte(const struct ide_channel *c, unsigned reg)
{
    if (reg >= BM_TABLE)
        return c->bm.table >> 8 * (reg - BM_TABLE);
    return reg == BM_COMMAND ? c->bm.command : reg == BM_STATUS ? c->bm.status : 0;
}

static void write_byte(struct ide_channel *c, unsigned reg, u8 value)
{
    unsigned shift = 8 * (reg & 3);
    if (reg == BM_COMMAND)
        write_command(c, value);
    else if (reg == BM_STATUS)
        c->bm.status = (c->bm.status & ~(value & (ERROR | INTERRUPT)) & ~CAPABLE) | (value & CAPABLE);
    else if (reg >= BM_TABLE)
        c->bm.table = ((c->bm.table & ~(0xffu << shift)) | (u32)value << shift) & ~3u;
}

static u64 bm_read(void *dev, u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (u64)read_byte(channel_at(dev, offset), (offset + i) % BM_CHANNEL) << 8 * i;
    return value;
}

static void bm_write(void *dev, u64 offset, unsigned size, u64 value)
{
    for (unsigned i = 0; i < size; i++)
        write_byte(channel_at(dev, offset), (offset + i) % BM_CHANNEL, value >> 8 * i);
}

static const char *bm_reg(u64 offset)
{
    return (const char *[]){ "command", "-", "status", "-", "table", "table", "table", "table" }[offset % BM_CHANNEL];
}
const struct bus_ops ide_bm_ports = { bm_read, bm_write, 1, 4, bm_reg };
