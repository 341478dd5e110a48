/* SPDX-License-Identifier: MIT */
/*
 * The bus: one registration for ports and for MMIO. It finds the device, splits an access to the sizes
 * that the device takes, names it in traces, counts it, and gives all ones where nobody answers.
 */
#ifndef EMU_DEVICES_BUS_H
#define EMU_DEVICES_BUS_H

#include "base/error.h"
#include "base/trace.h"
#include "mmu/physmap.h"

struct bus_ops {
    /* offset from the range's start; size is min_size..max_size bytes. */
    u64 (*read)(void *dev, u64 offset, unsigned size);
    void (*write)(void *dev, u64 offset, unsigned size, u64 value);
    u8 min_size, max_size;                      /* 0: 1 byte only. Larger accesses are split, low part first; smaller ones widened to min_size */
    const char *(*reg_name)(u64 offset);        /* for traces; may be NULL */
};

struct bus_range {
    const char *name;           /* "pit" */
    u64 base, len;
    const struct bus_ops *ops;
    void *dev;
    struct bus *bus;
    u64 reads, writes;          /* counted accesses, as the guest made them */
};

struct bus {
    struct physmap *map;
    const struct tracer *tracer;
    struct bus_range **port;    /* owned; sorted by base */
    unsigned nport;
    struct bus_range **mmio;    /* owned */
    unsigned nmmio;
    u64 unclaimed_reads, unclaimed_writes;
    u16 unclaimed_port[16];     /* the first different ones, for the report */
    unsigned nunclaimed_port;
    bool strict_io;             /* an unclaimed access stops the VM */
    bool strict_hit;
};

void bus_init(struct bus *b, struct physmap *map, const struct tracer *tracer);
void bus_fini(struct bus *b);

/* A later registration over the same ports takes precedence (a device that moves: bus_remove_ports() first). 0 or -1. */
int bus_add_ports(struct bus *b, const char *name, u16 base, u32 len, const struct bus_ops *ops, void *dev, struct error *err);
void bus_remove_ports(struct bus *b, u16 base, u32 len);
int bus_add_mmio(struct bus *b, const char *name, gpa_t base, u64 len, const struct bus_ops *ops, void *dev, struct error *err);
void bus_remove_mmio(struct bus *b, gpa_t base, u64 len);

u64 bus_io_read(struct bus *b, u16 port, unsigned size);
void bus_io_write(struct bus *b, u16 port, unsigned size, u64 value);

#endif
