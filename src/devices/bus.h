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
    /* 0: 1 byte. Larger and misaligned accesses are split into aligned pieces, low part first. Smaller ones are
     * widened: a read takes its bytes out of the whole register, a write has zeros in the other bytes. */
    u8 min_size, max_size;
    const char *(*reg_name)(u64 offset);        /* for traces; may be NULL */
    /* Does a write there do no more than wake some thread of the host? Then the host's kernel can do it (KVM_IOEVENTFD). May be NULL. */
    bool (*bell)(const void *dev, u64 offset);
    bool delayable;     /* of MMIO: writes need no answer at once, so a hypervisor may collect them until the guest leaves it for something else */
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
    struct bus_range **port;    /* owned; in order of registration */
    unsigned nport;             /* at most 255 */
    u8 *port_index;             /* owned; for each of the 65,536 ports: 0 nobody, n: port[n - 1] */
    struct bus_range **mmio;    /* owned */
    unsigned nmmio;
    u64 unclaimed_reads, unclaimed_writes;
    u16 unclaimed_port[16];     /* the first different ones, for the report */
    unsigned nunclaimed_port;
    bool strict_io;             /* an unclaimed access stops the VM: */
    bool strict_hit;            /* ... the bus notes it here, the machine looks after each access */
};

/* Also listens to accesses to nothing in *map, which are counted and traced like unclaimed ports. */
void bus_init(struct bus *b, struct physmap *map, const struct tracer *tracer);
void bus_fini(struct bus *b);

/* A later registration over the same ports takes precedence (a device that moves: bus_remove_ports() first). 0 or -1.
 * `name` is not copied. Removing takes away the device's own ranges of exactly this place, whoever else stands there; a device may do it
 * in its own write(). */
int bus_add_ports(struct bus *b, const char *name, u16 base, u32 len, const struct bus_ops *ops, void *dev,
                  struct error *err);
void bus_remove_ports(struct bus *b, u16 base, u32 len, const void *dev);
int bus_add_mmio(struct bus *b, const char *name, gpa_t base, u64 len, const struct bus_ops *ops, void *dev,
                 struct error *err);
void bus_remove_mmio(struct bus *b, gpa_t base, u64 len, const void *dev);
/* See bus_ops.bell. */
bool bus_is_bell(const struct bus *b, gpa_t gpa);

/* One access of the processor, 1, 2 or 4 bytes. It may span devices; each answers for its own ports. */
u64 bus_io_read(struct bus *b, u16 port, unsigned size);
void bus_io_write(struct bus *b, u16 port, unsigned size, u64 value);

#endif
