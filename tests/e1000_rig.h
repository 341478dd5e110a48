/* SPDX-License-Identifier: MIT */
/* An adapter 82540EM on a bus, with memory for its rings and us at the other end of its wire: what its tests have in common. */
#ifndef EMU_TESTS_E1000_RIG_H
#define EMU_TESTS_E1000_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "devices/chipset/small.h"
#include "devices/e1000/e1000.h"
#include "devices/net/net_checksum.h"
#include "devices_rig.h"
#include "wire_recorder.h"

enum { MIB = 1 << 20, BAR = 0xfe000000, PORTS = 0xc000, SLOT = 3 };
enum { TX_RING = 0x10000, RX_RING = 0x20000, TX_BUFFERS = 0x30000, RX_BUFFERS = 0x80000, RING = 8, BUFFER = 2048 };
#define HZ 1000000000u      /* a cycle is a nanosecond */
static const u8 guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

struct nic_rig {
    struct rig r;
    struct net_wire *wire;
    struct seen out;            /* what the adapter sent */
};

static inline void config_write(struct rig *r, unsigned reg, unsigned size, u32 value)
{
    out32(r, 0xcf8, 0x80000000 | SLOT << 11 | (reg & 0xfc));
    bus_io_write(&r->bus, 0xcfc + (reg & 3), size, value);
}
static inline u32 config_read(struct rig *r, unsigned reg)
{
    out32(r, 0xcf8, 0x80000000 | SLOT << 11 | reg);
    return in32(r, 0xcfc);
}

static inline u32 get(struct nic_rig *t, u32 reg) { return physmap_load(&t->r.map, BAR + reg, 4); }
static inline void set(struct nic_rig *t, u32 reg, u32 value) { physmap_store(&t->r.map, BAR + reg, 4, value); }

static inline void start(struct nic_rig *t)
{
    struct rig *r = &t->r;
    rig_init(r, HZ);
    physmap_add_ram(&r->map, "ram", 0, MIB, &r->err);
    t->wire = net_new("n0", &r->clock);
    r->platform.nic[0].model = NIC_E1000;
    r->platform.nic[0].wire = t->wire;
    memcpy(r->platform.nic[0].mac, guest_mac, 6);
    rig_add(r, &pci_host_ops);
    rig_add(r, &piix3_ops);
    rig_add(r, &e1000_ops);
    attach(t->wire, NET_BACKEND, &t->out);
    out32(r, 0xcf8, 0x80000000 | 1 << 11 | 0x60);
    out32(r, 0xcfc, 0x0b0a0b0a);
    config_write(r, PCI_BAR0, 4, BAR);
    config_write(r, PCI_BAR0 + 4, 4, PORTS);
    config_write(r, PCI_COMMAND, 2, 7);
}

static inline void finish(struct nic_rig *t)
{
    rig_drop_devices(&t->r);
    net_free(t->wire);
    rig_fini(&t->r);
}

static inline bool interrupted(const struct nic_rig *t) { return t->r.level[10] || t->r.level[11]; }
static inline unsigned interrupts(const struct nic_rig *t) { return t->r.rises[10] + t->r.rises[11]; }

/* --- sending --- */

struct descriptor { u64 buffer; u32 lower, upper; };
enum { EOP = 1 << 24, RS = 8 << 24, DEXT = 0x20 << 24, TSE = 4 << 24, VLE = 0x40 << 24, DATA = 1 << 20 };

static inline void put_descriptor(struct nic_rig *t, gpa_t ring, unsigned i, u64 buffer, u32 lower, u32 upper)
{
    struct descriptor d = { buffer, lower, upper };
    physmap_write(&t->r.map, ring + 16 * i, &d, sizeof d);
}
static inline struct descriptor get_descriptor(struct nic_rig *t, gpa_t ring, unsigned i)
{
    struct descriptor d;
    physmap_read(&t->r.map, ring + 16 * i, &d, sizeof d);
    return d;
}

static inline void start_transmitter(struct nic_rig *t, u32 size)
{
    set(t, E1000_TDBAL, TX_RING);
    set(t, E1000_TDLEN, size * 16);
    set(t, E1000_TCTL, 0x4010a);
}

static inline void put_frame(struct nic_rig *t, gpa_t at, u8 first, u32 len)
{
    u8 frame[4096];
    for (u32 i = 0; i < len; i++)
        frame[i] = first + i;
    physmap_write(&t->r.map, at, frame, len);
}

/* A TCP packet over IPv4, 14 + 20 + 20 bytes of headers; its checksum field has the pseudo header's sum, without the length if it
 * is to be cut. */
static inline void make_tcp(u8 *f, u32 payload, bool cut)
{
    memset(f, 0, 54);
    memset(f, 0x22, 12);
    net_put16(f + 12, 0x0800);
    f[14] = 0x45;
    net_put16(f + 16, cut ? 0 : 40 + payload);
    net_put16(f + 18, 0x1000);
    f[22] = 64;
    f[23] = 6;
    net_put32(f + 26, 0x0a00020f);
    net_put32(f + 30, 0x0a000202);
    net_put16(f + 34, 4000);
    net_put16(f + 36, 80);
    net_put32(f + 38, 0xfffffff0);      /* the sequence number wraps */
    f[46] = 5 << 4;
    f[47] = 0x19;                       /* ACK, PSH, FIN */
    u16 sum = net_sum_add(net_sum(f + 26, 8), 6);
    net_put16(f + 50, cut ? sum : net_sum_add(sum, 20 + payload));
    for (u32 i = 0; i < payload; i++)
        f[54 + i] = i * 7;
}

static inline void put_context(struct nic_rig *t, unsigned i, u32 payload, u32 mss, u32 tucmd)
{
    u64 ip = 14 | 24 << 8 | 33 << 16, l4 = 34 | 50 << 8;
    put_descriptor(t, TX_RING, i, ip | l4 << 32, DEXT | tucmd << 24 | payload, mss << 16 | 54 << 8);
}

/* --- receiving --- */

static inline void start_receiver(struct nic_rig *t, u32 rctl)
{
    for (unsigned i = 0; i < RING; i++)
        put_descriptor(t, RX_RING, i, RX_BUFFERS + i * BUFFER, 0, 0);
    set(t, E1000_RDBAL, RX_RING);
    set(t, E1000_RDLEN, RING * 16);
    set(t, E1000_RDT, RING - 1);
    set(t, E1000_RCTL, rctl);
}

static inline void to_guest(struct nic_rig *t, const u8 *to, u8 mark, u32 len)
{
    u8 frame[2048] = { 0 };
    memcpy(frame, to, 6);
    frame[14] = mark;
    net_send(t->wire, NET_BACKEND, frame, len);
    rig_run(&t->r, 1);
}

static const u8 broadcast[6] = { 255, 255, 255, 255, 255, 255 }, stranger[6] = { 2, 0, 0, 0, 0, 1 }, group[6] = { 1, 0, 0x5e, 0, 0x12, 0x34 };

static inline void read_buffer(struct nic_rig *t, unsigned i, u8 *to, u32 len) { physmap_read(&t->r.map, RX_BUFFERS + i * BUFFER, to, len); }

#endif
