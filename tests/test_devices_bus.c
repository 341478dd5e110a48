/* SPDX-License-Identifier: MIT */
/* The bus: who gets which part of an access, in which sizes; what happens where nobody is. */
#include <stdlib.h>

#include "check.h"
#include "devices_rig.h"

/* A device that notes what it is asked. A read gives the offset in each byte, + 0x10 * dev->tag. */
struct probe {
    u8 tag;
    unsigned n;
    struct { bool write; u64 offset, value; unsigned size; } seen[16];
};

static u64 probe_read(void *dev, u64 offset, unsigned size)
{
    struct probe *p = dev;
    u64 value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (u64)(p->tag << 4 | ((offset + i) & 15)) << (8 * i);
    if (p->n < 16) {
        p->seen[p->n].offset = offset;
        p->seen[p->n].size = size;
        p->seen[p->n++].write = false;
    }
    return value;
}

static void probe_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct probe *p = dev;
    if (p->n < 16) {
        p->seen[p->n].offset = offset;
        p->seen[p->n].size = size;
        p->seen[p->n].value = value;
        p->seen[p->n++].write = true;
    }
}

static const char *probe_reg(u64 offset) { return offset == 2 ? "two" : NULL; }
static const struct bus_ops bytes = { probe_read, probe_write, .reg_name = probe_reg };
static const struct bus_ops words = { probe_read, probe_write, 2, 2, probe_reg };
static const struct bus_ops any = { probe_read, probe_write, 1, 4, probe_reg };
static const struct bus_ops dwords = { probe_read, probe_write, 4, 4, probe_reg };
static const struct bus_ops qwords = { probe_read, probe_write, 1, 8, probe_reg };

static void test_split_read(void)
{
    static const struct { const struct bus_ops *ops; u64 offset; unsigned size, calls; u64 value; } t[] = {
        { &bytes, 0, 1, 1, 0x10 }, { &bytes, 0, 2, 2, 0x1110 }, { &bytes, 1, 4, 4, 0x14131211 },
        { &words, 0, 1, 1, 0x10 }, { &words, 1, 1, 1, 0x11 }, { &words, 2, 2, 1, 0x1312 }, { &words, 0, 4, 2, 0x13121110 },
        { &words, 1, 2, 2, 0x1211 }, { &any, 0, 4, 1, 0x13121110 }, { &any, 2, 4, 2, 0x15141312 }, { &any, 1, 2, 2, 0x1211 },
        { &dwords, 3, 1, 1, 0x13 }, { &dwords, 0, 2, 1, 0x1110 }, { &dwords, 4, 4, 1, 0x17161514 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        struct rig r;
        struct probe p = { .tag = 1 };
        rig_init(&r, 1000);
        check_context("row %u", i);
        CHECK_EQ(bus_add_ports(&r.bus, "probe", 0x100, 8, t[i].ops, &p, &r.err), 0);
        CHECK_EQ(bus_io_read(&r.bus, 0x100 + t[i].offset, t[i].size), t[i].value);
        CHECK_EQ(p.n, t[i].calls);
        CHECK_EQ(r.bus.port[0]->reads, 1);
        rig_fini(&r);
    }
}

static void test_split_write(void)
{
    struct rig r;
    struct probe p = { 0 };
    rig_init(&r, 1000);
    bus_add_ports(&r.bus, "probe", 0x100, 8, &words, &p, &r.err);
    out32(&r, 0x100, 0x44332211);
    CHECK_EQ(p.n, 2);
    CHECK_EQ(p.seen[0].value, 0x2211);
    CHECK_EQ(p.seen[1].value, 0x4433);
    CHECK_EQ(p.seen[1].offset, 2);
    out8(&r, 0x103, 0xab);      /* widened: its lane of the word, zeros beside it */
    CHECK_EQ(p.seen[2].offset, 2);
    CHECK_EQ(p.seen[2].size, 2);
    CHECK_EQ(p.seen[2].value, 0xab00);
    CHECK_EQ(r.bus.port[0]->writes, 2);
    rig_fini(&r);
}

/* One access over two devices and a hole. */
static void test_span(void)
{
    struct rig r;
    struct probe a = { .tag = 1 }, b = { .tag = 2 };
    rig_init(&r, 1000);
    bus_add_ports(&r.bus, "a", 0x100, 1, &any, &a, &r.err);
    bus_add_ports(&r.bus, "b", 0x102, 1, &any, &b, &r.err);
    CHECK_EQ(in32(&r, 0x100), 0xff20ff10);
    CHECK_EQ(r.bus.unclaimed_reads, 2);
    CHECK_EQ(in32(&r, 0xfffe), 0xffffffff);     /* wraps around the 64 KiB */
    rig_fini(&r);
}

/* A later registration covers an earlier one, and gives it free again. */
static void test_precedence(void)
{
    struct rig r;
    struct probe a = { .tag = 1 }, b = { .tag = 2 };
    rig_init(&r, 1000);
    bus_add_ports(&r.bus, "a", 0x100, 8, &any, &a, &r.err);
    bus_add_ports(&r.bus, "b", 0x101, 2, &any, &b, &r.err);
    CHECK_EQ(in32(&r, 0x100), 0x13212010);
    bus_remove_ports(&r.bus, 0x101, 1, &b);         /* not its place: nothing happens */
    CHECK_EQ(in32(&r, 0x100), 0x13212010);
    bus_remove_ports(&r.bus, 0x101, 2, &b);
    CHECK_EQ(in32(&r, 0x100), 0x13121110);
    CHECK_EQ(r.bus.nport, 1);
    rig_fini(&r);
}

static void test_unclaimed(void)
{
    struct rig r;
    rig_init(&r, 1000);
    CHECK_EQ(in8(&r, 0x300), 0xff);
    CHECK_EQ(in16(&r, 0x300), 0xffff);
    CHECK_EQ(in32(&r, 0x310), 0xffffffff);
    out32(&r, 0x320, 0);
    CHECK_EQ(r.bus.unclaimed_reads, 3);
    CHECK_EQ(r.bus.unclaimed_writes, 1);
    CHECK_EQ(r.bus.nunclaimed_port, 3);
    CHECK_EQ(r.bus.unclaimed_port[1], 0x310);
    for (unsigned port = 0; port < 100; port++)
        in8(&r, port);
    CHECK_EQ(r.bus.nunclaimed_port, ARRAY_LEN(r.bus.unclaimed_port));
    CHECK(!r.bus.strict_hit);
    r.bus.strict_io = true;
    in8(&r, 0x300);
    CHECK(r.bus.strict_hit);
    rig_fini(&r);
}

static void test_unclaimed_memory(void)
{
    struct rig r;
    rig_init(&r, 1000);
    r.bus.strict_io = true;
    CHECK_EQ(physmap_load(&r.map, 0xe0000000, 4), 0xffffffff);
    physmap_store(&r.map, 0xe0000000, 4, 1);
    CHECK_EQ(r.bus.unclaimed_reads, 1);
    CHECK_EQ(r.bus.unclaimed_writes, 1);
    CHECK(r.bus.strict_hit);
    rig_fini(&r);
}

static void test_mmio(void)
{
    struct rig r;
    struct probe p = { .tag = 1 }, q = { .tag = 2 };
    rig_init(&r, 1000);
    CHECK_EQ(bus_add_mmio(&r.bus, "p", 0xe0000000, 0x1000, &dwords, &p, &r.err), 0);
    CHECK_EQ(bus_add_mmio(&r.bus, "q", 0xe0001000, 0x1000, &qwords, &q, &r.err), 0);
    CHECK_EQ(physmap_load(&r.map, 0xe0000004, 4), 0x17161514);
    CHECK_EQ(physmap_load(&r.map, 0xe0000006, 1), 0x16);
    CHECK_EQ(physmap_load(&r.map, 0xe0000008, 8), 0x1f1e1d1c1b1a1918);
    CHECK_EQ(p.n, 4);
    physmap_store(&r.map, 0xe0001008, 8, 0x8877665544332211);
    CHECK_EQ(q.n, 1);
    CHECK_EQ(q.seen[0].value, 0x8877665544332211);
    CHECK_EQ(r.bus.mmio[0]->reads, 3);
    physmap_store(&r.map, 0xe0000010, 8, 0x8877665544332211);
    CHECK_EQ(p.seen[4].value, 0x44332211);
    CHECK_EQ(p.seen[5].value, 0x88776655);
    CHECK_EQ(p.seen[5].offset, 0x14);
    bus_remove_mmio(&r.bus, 0xe0000000, 0x1000, &p);
    CHECK_EQ(physmap_load(&r.map, 0xe0000004, 4), 0xffffffff);
    rig_fini(&r);
}

/* A device that goes away from within its own write, in the middle of a split access. */
static void leave_ports(void *dev, u64 offset, unsigned size, u64 value) { bus_remove_ports(dev, 0x100, 8, dev); }
static void leave_mmio(void *dev, u64 offset, unsigned size, u64 value) { bus_remove_mmio(dev, 0xe0000000, 0x1000, dev); }

static void test_leave(void)
{
    static const struct bus_ops p = { NULL, leave_ports }, m = { NULL, leave_mmio, 1, 1, NULL };
    struct rig r;
    rig_init(&r, 1000);
    bus_add_ports(&r.bus, "leaver", 0x100, 8, &p, &r.bus, &r.err);
    bus_add_mmio(&r.bus, "leaver", 0xe0000000, 0x1000, &m, &r.bus, &r.err);
    CHECK_EQ(in8(&r, 0x100), 0xff);             /* a device that cannot be read */
    CHECK_EQ(r.bus.unclaimed_reads, 0);
    out32(&r, 0x100, 0);
    physmap_store(&r.map, 0xe0000000, 4, 0);
    CHECK_EQ(r.bus.nport, 0);
    CHECK_EQ(r.bus.nmmio, 0);
    CHECK_EQ(r.bus.unclaimed_writes, 1);        /* what was left of the port write */
    rig_fini(&r);
}

static void test_errors(void)
{
    struct rig r;
    rig_init(&r, 1000);
    CHECK_EQ(bus_add_ports(&r.bus, "odd", 0x100, 3, &words, NULL, &r.err), -1);
    CHECK_CONTAINS(r.err.text, "odd");
    CHECK_EQ(bus_add_ports(&r.bus, "beyond", 0xfff8, 16, &bytes, NULL, &r.err), -1);
    CHECK_CONTAINS(r.err.text, "65,536");
    unsigned added = 0;
    for (unsigned i = 0; i < 300; i++)
        added += bus_add_ports(&r.bus, "many", i, 1, &bytes, NULL, &r.err) == 0;
    CHECK_EQ(added, 255);
    CHECK_CONTAINS(r.err.text, "255");
    rig_fini(&r);
}

static void test_trace(void)
{
    struct rig r;
    struct probe p = { .tag = 1 };
    char *text = NULL;
    size_t len;
    rig_init(&r, 1000);
    r.tracer.on[TRACE_BUS] = r.tracer.on[TRACE_UNCLAIMED] = true;
    r.tracer.out = open_memstream(&text, &len);
    bus_add_ports(&r.bus, "probe", 0x100, 8, &bytes, &p, &r.err);
    in8(&r, 0x102);
    out8(&r, 0x101, 7);
    in16(&r, 0x200);
    fclose(r.tracer.out);
    CHECK_CONTAINS(text, "bus op=read dev=probe addr=0x102 reg=two size=0x1 value=0x12\n");
    CHECK_CONTAINS(text, "bus op=write dev=probe addr=0x101 reg=- size=0x1 value=0x7\n");
    CHECK_CONTAINS(text, "unclaimed op=read port=0x200 size=0x2\n");
    free(text);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "split_read", test_split_read }, { "split_write", test_split_write }, { "span", test_span },
        { "precedence", test_precedence }, { "unclaimed", test_unclaimed }, { "unclaimed_memory", test_unclaimed_memory },
        { "mmio", test_mmio }, { "leave", test_leave }, { "errors", test_errors }, { "trace", test_trace }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_bus", tests);
}
