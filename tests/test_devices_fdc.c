/* SPDX-License-Identifier: MIT */
/* The floppy controller without drives: what a driver's probe finds. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "devices/chipset/small.h"
#include "devices_rig.h"

enum { DOR = 0x3f2, MSR = 0x3f4, FIFO = 0x3f5, IRQ = 6 };

static void begin(struct rig *r)
{
    rig_init(r, 1000000000);
    rig_add(r, &fdc_ops);
    out8(r, DOR, 0x0c); /* out of reset, interrupts on */
}

/* Bytes of a result phase; how many there were. */
static unsigned results(struct rig *r, u8 *bytes, unsigned max)
{
    unsigned n = 0;
    while ((in8(r, MSR) & 0xd0) == 0xd0 && n < max)
        bytes[n++] = in8(r, FIFO);
    return n;
}

static unsigned command(struct rig *r, const char *bytes, unsigned len, u8 *result)
{
    for (unsigned i = 0; i < len; i++) {
        CHECK_EQ(in8(r, MSR) & 0xc0, 0x80);
        out8(r, FIFO, bytes[i]);
    }
    return results(r, result, 16);
}

static void test_reset_interrupts(void)
{
    struct rig r;
    u8 res[16];
    rig_init(&r, 1000000000);
    rig_add(&r, &fdc_ops);
    CHECK_EQ(in8(&r, MSR), 0); /* held in reset */
    out8(&r, DOR, 0x0c);
    CHECK(r.level[IRQ]);
    for (unsigned drive = 0; drive < 4; drive++) {
        CHECK_EQ(command(&r, "\x08", 1, res), 2);
        CHECK_EQ(res[0], 0xc0 | drive);
    }
    CHECK(!r.level[IRQ]);
    CHECK_EQ(command(&r, "\x08", 1, res), 1); /* nothing more to tell */
    CHECK_EQ(res[0], 0x80);
    rig_fini(&r);
}

static void test_commands(void)
{
    static const struct { const char *name, *bytes; unsigned len, results; u8 first; bool interrupts; } cases[] = {
        { "version", "\x10", 1, 1, 0x90, false },
        { "specify", "\x03\xaf\x02", 3, 0, 0, false },
        { "configure", "\x13\x00\x1a\x00", 4, 0, 0, false },
        { "lock", "\x94", 1, 1, 0x10, false },
        { "unlock", "\x14", 1, 1, 0x00, false },
        { "dumpreg", "\x0e", 1, 10, 0, false },
        { "sense drive", "\x04\x05", 2, 1, 0x05, false },
        { "read data", "\xe6\x01\x00\x00\x01\x02\x12\x1b\xff", 9, 7, 0x41, true },
        { "read id", "\x4a\x00", 2, 7, 0x40, true },
        { "no command", "\x1f", 1, 1, 0x80, false },
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        u8 res[16] = { 0 };
        check_context("%s", cases[i].name);
        begin(&r);
        for (int n = 0; n < 4; n++)
            command(&r, "\x08", 1, res);
        unsigned rises = r.rises[IRQ];
        CHECK_EQ(command(&r, cases[i].bytes, cases[i].len, res), cases[i].results);
        if (cases[i].results)
            CHECK_EQ(res[0], cases[i].first);
        CHECK_EQ(r.rises[IRQ] - rises, cases[i].interrupts);
        CHECK(!r.level[IRQ]); /* reading the result lowers it */
        rig_fini(&r);
    }
}

static void test_recalibrate_finds_no_drive(void)
{
    struct rig r;
    u8 res[16];
    begin(&r);
    command(&r, "\x07\x01", 2, res);
    CHECK(r.level[IRQ]);
    CHECK_EQ(command(&r, "\x08", 1, res), 2);
    CHECK_EQ(res[0], 0x71); /* abnormal, seek end, no track 0 signal, drive 1 */
    command(&r, "\x0f\x02\x21", 3, res);
    CHECK_EQ(command(&r, "\x08", 1, res), 2);
    CHECK_EQ(res[0], 0x22);
    CHECK_EQ(res[1], 0x21);
    rig_fini(&r);
}

static void test_without_interrupts(void)
{
    struct rig r;
    rig_init(&r, 1000000000);
    rig_add(&r, &fdc_ops);
    out8(&r, DOR, 0x04);
    CHECK_EQ(r.rises[IRQ], 0);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "reset_interrupts", test_reset_interrupts },
        { "commands", test_commands },
        { "recalibrate_finds_no_drive", test_recalibrate_finds_no_drive },
        { "without_interrupts", test_without_interrupts },
        { NULL, NULL },
    };
    return check_main(argc, argv, "devices_fdc", tests);
}
