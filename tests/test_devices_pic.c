/* SPDX-License-Identifier: MIT */
/* The two 8259A, driven by ports, wires and INTA. */
#include <stdlib.h>

#include "check.h"
#include "devices/interrupt/pic.h"
#include "devices_rig.h"

enum { EOI = 0x20, SPECIFIC_EOI = 0x60, ROTATE_AUTO = 0x80, ROTATE_EOI = 0xa0, SET_PRIORITY = 0xc0, ROTATE_SPECIFIC = 0xe0 };
enum { READ_IRR = 0x0a, READ_ISR = 0x0b, POLL = 0x0c, SPECIAL_MASK_ON = 0x68, SPECIAL_MASK_OFF = 0x48 };

/* As every PC does it: master at 20h, slave at 28h, cascade at input 2. */
static void start_with(struct rig *r, u8 icw4)
{
    rig_init(r, 1000);
    rig_add(r, &pic_ops);
    static const u8 icw[2][3] = { { 0x11, 0x20, 0x04 }, { 0x11, 0x28, 0x02 } };
    for (int n = 0; n < 2; n++) {
        u16 port = n ? 0xa0 : 0x20;
        out8(r, port, icw[n][0]);
        out8(r, port + 1, icw[n][1]);
        out8(r, port + 1, icw[n][2]);
        out8(r, port + 1, icw4);
    }
}
static void start(struct rig *r) { start_with(r, 0x01); }

static void raise(struct rig *r, unsigned line) { irq_raise(&r->platform.isa_irq[line]); }
static void lower(struct rig *r, unsigned line) { irq_lower(&r->platform.isa_irq[line]); }
static void pulse(struct rig *r, unsigned line) { irq_pulse(&r->platform.isa_irq[line]); }
static u8 ack(struct rig *r) { return r->platform.intc->acknowledge(r->platform.intc); }

static u8 read_reg(struct rig *r, u16 port, u8 ocw3)
{
    out8(r, port, ocw3);
    return in8(r, port);
}

static void test_vectors(void)
{
    struct rig r;
    start(&r);
    for (unsigned line = 0; line < 16; line++) {
        if (line == 2)
            continue;
        check_context("line %u", line);
        CHECK(!r.intr);
        pulse(&r, line);
        CHECK(r.intr);
        CHECK(r.platform.intc->pending(r.platform.intc));
        CHECK_EQ(ack(&r), 0x20 + line);
        CHECK(!r.intr);
        if (line >= 8)
            out8(&r, 0xa0, EOI);
        out8(&r, 0x20, EOI);
        CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0);
        CHECK_EQ(read_reg(&r, 0xa0, READ_ISR), 0);
    }
    rig_fini(&r);
}

/* Priorities: 0, 1, 8..15, 3..7. */
static void test_priority(void)
{
    static const u8 order[] = { 0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7 };
    struct rig r;
    start(&r);
    for (int line = 15; line >= 0; line--)
        if (line != 2)
            raise(&r, line);
    for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
        check_context("turn %u", i);
        CHECK_EQ(ack(&r), 0x20 + order[i]);
        CHECK(!r.intr);             /* everything left is of lower priority */
        if (order[i] >= 8)
            out8(&r, 0xa0, EOI);
        out8(&r, 0x20, EOI);
    }
    CHECK(!r.intr);
    rig_fini(&r);
}

static void test_nesting(void)
{
    struct rig r;
    start(&r);
    pulse(&r, 4);
    CHECK_EQ(ack(&r), 0x24);
    pulse(&r, 4);                   /* its own priority: waits */
    pulse(&r, 6);
    CHECK(!r.intr);
    pulse(&r, 1);                   /* higher: interrupts the handler */
    CHECK(r.intr);
    CHECK_EQ(ack(&r), 0x21);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0x12);
    CHECK_EQ(read_reg(&r, 0x20, READ_IRR), 0x50);
    out8(&r, 0x20, EOI);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0x10);
    CHECK(!r.intr);
    out8(&r, 0x20, SPECIFIC_EOI | 4);
    CHECK_EQ(ack(&r), 0x24);
    out8(&r, 0x20, EOI);
    CHECK_EQ(ack(&r), 0x26);
    rig_fini(&r);
}

static void test_mask(void)
{
    struct rig r;
    start(&r);
    out8(&r, 0x21, 0xfb);
    out8(&r, 0xa1, 0xbf);
    CHECK_EQ(in8(&r, 0x21), 0xfb);
    CHECK_EQ(in8(&r, 0xa1), 0xbf);
    pulse(&r, 3);
    pulse(&r, 9);
    CHECK(!r.intr);
    pulse(&r, 14);
    CHECK_EQ(ack(&r), 0x2e);
    out8(&r, 0xa0, EOI);
    out8(&r, 0x20, EOI);
    out8(&r, 0x21, 0xf3);           /* what was masked was remembered */
    CHECK_EQ(ack(&r), 0x23);
    rig_fini(&r);
}

static void test_edge_and_level(void)
{
    struct rig r;
    start(&r);
    raise(&r, 5);
    CHECK_EQ(ack(&r), 0x25);
    out8(&r, 0x20, EOI);
    CHECK(!r.intr);                 /* still high, but no new edge */
    raise(&r, 5);
    CHECK(!r.intr);                 /* nor by raising what is high */
    lower(&r, 5);
    raise(&r, 5);
    CHECK(r.intr);
    CHECK_EQ(ack(&r), 0x25);
    out8(&r, 0x20, EOI);
    out8(&r, 0x4d0, 0xff);
    out8(&r, 0x4d1, 0xff);
    CHECK_EQ(in8(&r, 0x4d0), 0xf8); /* timer, keyboard and cascade stay edge triggered */
    CHECK_EQ(in8(&r, 0x4d1), 0xde);
    CHECK(r.intr);                  /* level triggered now, and high */
    CHECK_EQ(ack(&r), 0x25);
    CHECK(!r.intr);
    out8(&r, 0x20, EOI);
    CHECK(r.intr);                  /* as long as the device asks */
    lower(&r, 5);
    CHECK(!r.intr);
    raise(&r, 11);
    CHECK_EQ(ack(&r), 0x2b);
    out8(&r, 0xa0, EOI);
    out8(&r, 0x20, EOI);
    CHECK_EQ(ack(&r), 0x2b);
    rig_fini(&r);
}

static void test_spurious(void)
{
    struct rig r;
    start(&r);
    out8(&r, 0x4d0, 0x20);
    raise(&r, 5);
    lower(&r, 5);                   /* goes away before INTA */
    CHECK_EQ(ack(&r), 0x27);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0);
    pulse(&r, 10);                  /* the slave's goes away: master in service, slave answers for its input 7 */
    out8(&r, 0xa1, 0xff);
    CHECK_EQ(ack(&r), 0x2f);
    CHECK_EQ(read_reg(&r, 0xa0, READ_ISR), 0);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0x04);
    rig_fini(&r);
}

static void test_auto_eoi(void)
{
    struct rig r;
    start_with(&r, 0x03);
    pulse(&r, 3);
    pulse(&r, 4);
    CHECK_EQ(ack(&r), 0x23);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0);
    CHECK_EQ(ack(&r), 0x24);
    CHECK(!r.intr);
    pulse(&r, 8);
    pulse(&r, 9);
    CHECK_EQ(ack(&r), 0x28);
    CHECK_EQ(ack(&r), 0x29);        /* the slave asks again by itself */
    out8(&r, 0x20, ROTATE_AUTO);
    pulse(&r, 3);
    pulse(&r, 6);
    CHECK_EQ(ack(&r), 0x23);        /* 3 is lowest now */
    pulse(&r, 3);
    CHECK_EQ(ack(&r), 0x26);
    CHECK_EQ(ack(&r), 0x23);
    rig_fini(&r);
}

static void test_rotation(void)
{
    struct rig r;
    start(&r);
    out8(&r, 0x20, SET_PRIORITY | 4);       /* 5 is highest, 4 lowest */
    pulse(&r, 0);
    pulse(&r, 4);
    pulse(&r, 5);
    CHECK_EQ(ack(&r), 0x25);
    out8(&r, 0x20, ROTATE_EOI);             /* 5 is lowest, 6 highest */
    pulse(&r, 5);
    CHECK_EQ(ack(&r), 0x20);
    out8(&r, 0x20, ROTATE_SPECIFIC | 0);    /* 1 is highest */
    CHECK_EQ(ack(&r), 0x24);
    out8(&r, 0x20, EOI);
    CHECK_EQ(ack(&r), 0x25);
    rig_fini(&r);
}

static void test_special_mask(void)
{
    struct rig r;
    start(&r);
    pulse(&r, 3);
    CHECK_EQ(ack(&r), 0x23);
    pulse(&r, 6);
    CHECK(!r.intr);
    out8(&r, 0x21, 0x08);
    out8(&r, 0x20, SPECIAL_MASK_ON);
    CHECK(r.intr);                          /* 3 is in service but masked: it holds back nobody */
    out8(&r, 0x20, SPECIAL_MASK_OFF);
    CHECK(!r.intr);
    rig_fini(&r);
}

/* With SFNM in the master, a higher request of the slave interrupts a lower one of the slave. */
static void test_special_fully_nested(void)
{
    for (unsigned sfnm = 0; sfnm < 2; sfnm++) {
        struct rig r;
        start_with(&r, sfnm ? 0x11 : 0x01);
        pulse(&r, 12);
        CHECK_EQ(ack(&r), 0x2c);
        pulse(&r, 9);
        CHECK_EQ(r.intr, sfnm);
        pulse(&r, 3);
        CHECK_EQ(r.intr, sfnm);
        if (sfnm)
            CHECK_EQ(ack(&r), 0x29);
        rig_fini(&r);
    }
}

static void test_poll(void)
{
    struct rig r;
    start(&r);
    CHECK_EQ(read_reg(&r, 0x20, POLL), 0);
    pulse(&r, 3);
    out8(&r, 0x20, POLL);
    CHECK_EQ(in8(&r, 0x20), 0x83);
    CHECK(!r.intr);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0x08);   /* a poll acknowledges */
    pulse(&r, 13);
    CHECK_EQ(read_reg(&r, 0xa0, POLL), 0x85);
    rig_fini(&r);
}

/* ICW1 forgets masks, service, edges, modes; ICW3 and ICW4 come only if it says so. */
static void test_icw1(void)
{
    struct rig r;
    start(&r);
    raise(&r, 3);
    ack(&r);
    raise(&r, 4);
    out8(&r, 0x21, 0x10);
    out8(&r, 0x20, SET_PRIORITY | 2);
    out8(&r, 0x20, 0x12);                   /* single, no ICW4 */
    out8(&r, 0x21, 0x47);                   /* the low bits of a vector are not stored */
    CHECK_EQ(in8(&r, 0x21), 0);
    CHECK_EQ(read_reg(&r, 0x20, READ_ISR), 0);
    CHECK_EQ(read_reg(&r, 0x20, READ_IRR), 0);
    out8(&r, 0x21, 0x02);                   /* a mask already */
    CHECK_EQ(in8(&r, 0x21), 0x02);
    CHECK(!r.intr);                         /* lines that were high have to rise anew */
    lower(&r, 4);
    raise(&r, 4);
    CHECK_EQ(ack(&r), 0x44);
    out8(&r, 0x20, 0x1b);                   /* all inputs level triggered, ICW4 follows */
    out8(&r, 0x21, 0x40);
    out8(&r, 0x21, 0x01);
    CHECK_EQ(read_reg(&r, 0x20, READ_IRR), 0x18);
    rig_fini(&r);
}

/* What a boot loader left behind is gone when a kernel has set up both chips: the master does not take the slave's old request, which
 * is still there when the master begins anew, for a new one. */
static void test_left_over(void)
{
    static const u8 icw[2][4] = { { 0x11, 0x20, 0x04, 0x01 }, { 0x11, 0x28, 0x02, 0x01 } };
    struct rig r;
    start(&r);
    pulse(&r, 14);
    CHECK(r.intr);
    for (unsigned step = 0; step < 4; step++)
        for (int n = 0; n < 2; n++)
            out8(&r, (n ? 0xa0 : 0x20) + !!step, icw[n][step]);
    CHECK(!r.intr);
    pulse(&r, 14);
    CHECK_EQ(ack(&r), 0x2e);
    rig_fini(&r);
}

static void test_reset(void)
{
    struct rig r;
    start(&r);
    raise(&r, 3);
    CHECK(r.intr);
    r.device[0]->ops->reset(r.device[0]);
    CHECK(!r.intr);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "vectors", test_vectors }, { "priority", test_priority }, { "nesting", test_nesting }, { "mask", test_mask },
        { "edge_and_level", test_edge_and_level }, { "spurious", test_spurious }, { "auto_eoi", test_auto_eoi },
        { "rotation", test_rotation }, { "special_mask", test_special_mask },
        { "special_fully_nested", test_special_fully_nested }, { "poll", test_poll }, { "icw1", test_icw1 },
        { "left_over", test_left_over }, { "reset", test_reset }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_pic", tests);
}
