/* SPDX-License-Identifier: MIT */
/*
 * How an access finds its device. Ports go through a table of one byte for each of the 65,536 ports; MMIO comes
 * from the guest-physical map, which has already found the range. From there both take the same road: cut the
 * access into pieces that the device takes, call it for each piece, put the pieces together.
 */
#include "devices/bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 65536u
#define MAX_PORT_RANGES 255u

/* The part of an access that one device answers, or that nobody does. */
struct piece {
    struct bus_range *range;    /* NULL: nobody */
    u64 offset;                 /* in the range */
    unsigned size;              /* bytes */
};

static u64 ones(unsigned size)
{
    return size >= 8 ? ~(u64)0 : BIT(8 * size) - 1;
}

static unsigned min_size(const struct bus_range *r)
{
    return r->ops->min_size ? r->ops->min_size : 1;
}

static unsigned max_size(const struct bus_range *r)
{
    return r->ops->max_size ? r->ops->max_size : 1;
}

/* Nobody claims it */

static void remember_port(struct bus *b, u16 port)
{
    for (unsigned i = 0; i < b->nunclaimed_port; i++)
        if (b->unclaimed_port[i] == port)
            return;
    if (b->nunclaimed_port < ARRAY_LEN(b->unclaimed_port))
        b->unclaimed_port[b->nunclaimed_port++] = port;
}

static void count_unclaimed(struct bus *b, bool write)
{
    *(write ? &b->unclaimed_writes : &b->unclaimed_reads) += 1;
    b->strict_hit |= b->strict_io;
}

static void unclaimed_port(struct bus *b, u16 port, unsigned size, bool write)
{
    count_unclaimed(b, write);
    remember_port(b, port);
    trace(b->tracer, UNCLAIMED, "op=%s port=0x%x size=0x%x", write ? "write" : "read", port, size);
}

static void unclaimed_gpa(void *opaque, gpa_t gpa, unsigned size, bool write)
{
    struct bus *b = opaque;
    count_unclaimed(b, write);
    trace(b->tracer, UNCLAIMED, "op=%s gpa=0x%llx size=0x%x", write ? "write" : "read", (unsigned long long)gpa, size);
}

/* One piece, one device */

static void trace_piece(const struct bus_range *r, const char *op, const struct piece *p, u64 value)
{
    const char *reg = r->ops->reg_name ? r->ops->reg_name(p->offset) : NULL;
    trace(r->bus->tracer, BUS, "op=%s dev=%s addr=0x%llx reg=%s size=0x%x value=0x%llx", op, r->name,
          (unsigned long long)(r->base + p->offset), reg ? reg : "-", p->size, (unsigned long long)value);
}

static u64 piece_read(const struct piece *p)
{
    const struct bus_range *r = p->range;
    unsigned least = min_size(r), lane = p->offset % least;
    u64 value;
    if (!r->ops->read)
        value = ones(p->size);
    else if (p->size >= least)
        value = r->ops->read(r->dev, p->offset, p->size) & ones(p->size);
    else
        value = r->ops->read(r->dev, p->offset - lane, least) >> (8 * lane) & ones(p->size);
    if (unlikely(r->bus->tracer->on[TRACE_BUS]))
        trace_piece(r, "read", p, value);
    return value;
}

static void piece_write(const struct piece *p, u64 value)
{
    const struct bus_range *r = p->range;
    unsigned least = min_size(r), lane = p->offset % least;
    if (unlikely(r->bus->tracer->on[TRACE_BUS]))
        trace_piece(r, "write", p, value);
    if (!r->ops->write)
        return;
    if (p->size >= least)
        r->ops->write(r->dev, p->offset, p->size, value);
    else
        r->ops->write(r->dev, p->offset - lane, least, value << (8 * lane)); /* r may be gone afterwards */
}

/* The largest aligned piece at `offset` that the device takes at once. */
static unsigned piece_size(const struct bus_range *r, u64 offset, unsigned left)
{
    unsigned size = max_size(r);
    while (size > left || offset % size || r->len - offset < size)
        size /= 2;
    return size;
}

/* Ports */

static struct bus_range *port_range(const struct bus *b, u16 port)
{
    u8 n = b->port_index[port];
    return n ? b->port[n - 1] : NULL;
}

static struct piece port_piece(const struct bus *b, u16 port, unsigned left)
{
    struct piece p = { .range = port_range(b, port), .size = 1 };
    if (!p.range) {
        while (p.size < left && !port_range(b, port + p.size))
            p.size++;
        return p;
    }
    p.offset = port - p.range->base;
    p.size = piece_size(p.range, p.offset, left);
    for (unsigned i = 1; i < p.size; i++)   /* a later registration may stand in the middle */
        if (b->port_index[(u16)(port + i)] != b->port_index[port])
            return (struct piece){ p.range, p.offset, 1 };
    return p;
}

u64 bus_io_read(struct bus *b, u16 port, unsigned size)
{
    assert(size == 1 || size == 2 || size == 4);
    const struct bus_range *counted = NULL;
    u64 value = 0;
    for (unsigned done = 0; done < size;) {
        u16 at = port + done;
        struct piece p = port_piece(b, at, size - done);
        if (p.range && p.range != counted)
            p.range->reads++;
        counted = p.range;
        if (!p.range)
            unclaimed_port(b, at, p.size, false);
        value |= (p.range ? piece_read(&p) : ones(p.size)) << (8 * done);
        done += p.size;
    }
    return value;
}

void bus_io_write(struct bus *b, u16 port, unsigned size, u64 value)
{
    assert(size == 1 || size == 2 || size == 4);
    const struct bus_range *counted = NULL;
    for (unsigned done = 0; done < size;) {
        u16 at = port + done;
        struct piece p = port_piece(b, at, size - done);
        if (p.range && p.range != counted)
            p.range->writes++;
        counted = p.range;
        if (p.range)
            piece_write(&p, value >> (8 * done) & ones(p.size));
        else
            unclaimed_port(b, at, p.size, true);
        done += p.size;
    }
}

/* MMIO */

static u64 mmio_read(void *opaque, u64 offset, unsigned size)
{
    struct bus_range *r = opaque;
    u64 value = 0;
    r->reads++;
    for (unsigned done = 0, n; done < size; done += n) {
        n = piece_size(r, offset + done, size - done);
        value |= piece_read(&(struct piece){ r, offset + done, n }) << (8 * done);
    }
    return value;
}

/* Is this range still registered? A device may move itself in the middle of a split write. */
static bool mmio_alive(const struct bus *b, const struct bus_range *r)
{
    for (unsigned i = 0; i < b->nmmio; i++)
        if (b->mmio[i] == r)
            return true;
    return false;
}

static void mmio_write(void *opaque, u64 offset, unsigned size, u64 value)
{
    struct bus_range *r = opaque;
    struct bus *b = r->bus;
    r->writes++;
    for (unsigned done = 0, n; done < size && mmio_alive(b, r); done += n) {
        n = piece_size(r, offset + done, size - done);
        piece_write(&(struct piece){ r, offset + done, n }, value >> (8 * done) & ones(n));
    }
}

static const struct mmio_ops bus_mmio_ops = { mmio_read, mmio_write };

/* Registration */

void bus_init(struct bus *b, struct physmap *map, const struct tracer *tracer)
{
    memset(b, 0, sizeof *b);
    b->map = map;
    b->tracer = tracer;
    b->port_index = calloc(PORTS, 1);
    assert(b->port_index);
    if (map) {
        map->on_unclaimed = unclaimed_gpa;
        map->unclaimed_opaque = b;
    }
}

static void free_ranges(struct bus_range **list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void bus_fini(struct bus *b)
{
    if (b->map) {
        b->map->on_unclaimed = NULL;
        b->map->unclaimed_opaque = NULL;
    }
    free_ranges(b->port, b->nport);
    free_ranges(b->mmio, b->nmmio);
    free(b->port_index);
    memset(b, 0, sizeof *b);
}

/* Append a copy of *r to a list. NULL with *err. */
static struct bus_range *append(struct bus_range ***list, unsigned *n, const struct bus_range *r, struct error *err)
{
    if (!r->len || r->len % min_size(r) || min_size(r) > max_size(r)) {
        error_set(err, "%s: a range of 0x%llx bytes does not suit its access sizes", r->name,
                  (unsigned long long)r->len);
        return NULL;
    }
    struct bus_range **longer = realloc(*list, (*n + 1) * sizeof *longer);
    struct bus_range *copy = malloc(sizeof *copy);
    if (longer)
        *list = longer;
    if (!longer || !copy) {
        free(copy);
        error_set(err, "%s: no memory for a bus range", r->name);
        return NULL;
    }
    *copy = *r;
    return (*list)[(*n)++] = copy;
}

static void claim(struct bus *b, unsigned n)
{
    const struct bus_range *r = b->port[n];
    memset(b->port_index + r->base, n + 1, r->len);
}

int bus_add_ports(struct bus *b, const char *name, u16 base, u32 len, const struct bus_ops *ops, void *dev,
                  struct error *err)
{
    if (base + (u64)len > PORTS)
        return error_set(err, "%s: ports 0x%x to 0x%llx: there are 65,536", name, base,
                         base + (unsigned long long)len - 1);
    if (b->nport == MAX_PORT_RANGES)
        return error_set(err, "%s: the bus holds %u port ranges already", name, MAX_PORT_RANGES);
    struct bus_range r = { .name = name, .base = base, .len = len, .ops = ops, .dev = dev, .bus = b };
    if (!append(&b->port, &b->nport, &r, err))
        return -1;
    claim(b, b->nport - 1);
    return 0;
}

static void rebuild_index(struct bus *b)
{
    memset(b->port_index, 0, PORTS);
    for (unsigned i = 0; i < b->nport; i++)
        claim(b, i);
}

/* Take the device's ranges of exactly this place out of a list; the map shows them no more. */
static void remove_ranges(struct bus_range **list, unsigned *n, u64 base, u64 len, const void *dev, struct physmap *map)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < *n; i++) {
        struct bus_range *r = list[i];
        if (r->base != base || r->len != len || r->dev != dev) {
            list[kept++] = r;
            continue;
        }
        if (map)
            physmap_remove_mmio(map, r);
        free(r);
    }
    *n = kept;
}

void bus_remove_ports(struct bus *b, u16 base, u32 len, const void *dev)
{
    remove_ranges(b->port, &b->nport, base, len, dev, NULL);
    rebuild_index(b);
}

int bus_add_mmio(struct bus *b, const char *name, gpa_t base, u64 len, const struct bus_ops *ops, void *dev,
                 struct error *err)
{
    struct bus_range r = { .name = name, .base = base, .len = len, .ops = ops, .dev = dev, .bus = b };
    struct bus_range *added = append(&b->mmio, &b->nmmio, &r, err);
    if (!added)
        return -1;
    if (physmap_add_mmio(b->map, name, base, len, &bus_mmio_ops, added, err) == 0)
        return 0;
    b->nmmio--;
    free(added);
    return -1;
}

void bus_remove_mmio(struct bus *b, gpa_t base, u64 len, const void *dev)
{
    remove_ranges(b->mmio, &b->nmmio, base, len, dev, b->map);
}

bool bus_is_bell(const struct bus *b, gpa_t gpa)
{
    for (unsigned i = 0; i < b->nmmio; i++) {
        const struct bus_range *r = b->mmio[i];
        if (gpa - r->base < r->len && r->ops->bell)
            return r->ops->bell(r->dev, gpa - r->base);
    }
    return false;
}
