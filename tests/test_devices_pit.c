/* SPDX-License-Identifier: MIT */
/* The 8254: counts and outputs of every mode at exact ticks, and IRQ 0 at exact cycles. */
#include <stdlib.h>

#include "check.h"
#include "devices/time/i8254.h"
#include "devices/time/pit.h"
#include "devices_rig.h"

#define TICK 4      /* cycles, where the clock is made to fit */

static void start(struct rig *r)
{
    rig_init(r, PIT_HZ * TICK);
    rig_add(r, &pit_ops);
    rig_run(r, 1000 * TICK);
}
static void ticks(struct rig *r, u64 n) { rig_run(r, n * TICK); }

static void program(struct rig *r, unsigned n, unsigned mode, bool bcd, u16 count)
{
    out8(r, 0x43, n << 6 | 0x30 | mode << 1 | bcd);
    out8(r, 0x40 + n, count);
    out8(r, 0x40 + n, count >> 8);
}

static u16 latched(struct rig *r, unsigned n)
{
    out8(r, 0x43, n << 6);
    u8 low = in8(r, 0x40 + n);
    return in8(r, 0x40 + n) << 8 | low;
}

static bool out2(struct rig *r) { return in8(r, 0x61) & 0x20; }
static void gate2(struct rig *r, bool on) { out8(r, 0x61, on); }

/* For each mode: OUT at ticks 0, 1, 2... after the count was written ('H' and 'L'), as in the data sheet's drawings. In modes
 * 1 and 5 GATE rises at tick 0. */
static void test_waveforms(void)
{
    static const struct { unsigned mode; u16 count; const char *out; } t[] = {
        { 0, 4, "LLLLLHHHHHHH" }, { 1, 3, "HLLLHHHHHHHH" }, { 2, 3, "HHHLHHLHHLHH" }, { 2, 4, "HHHHLHHHLHHH" },
        { 3, 4, "HHHLLHHLLHHL" }, { 3, 5, "HHHHLLHHHLLH" }, { 4, 3, "HHHHLHHHHHHH" }, { 5, 3, "HHHHLHHHHHHH" },
        { 0, 1, "LLHHHHHHHHHH" }, { 6, 3, "HHHLHHLHHLHH" }, { 7, 4, "HHHLLHHLLHHL" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        struct rig r;
        char got[13] = "";
        bool triggered = t[i].mode == 1 || t[i].mode == 5;
        start(&r);
        gate2(&r, !triggered);
        program(&r, 2, t[i].mode, false, t[i].count);
        gate2(&r, true);
        for (int k = 0; k < 12; k++, ticks(&r, 1))
            got[k] = out2(&r) ? 'H' : 'L';
        check_context("mode %u count %u", t[i].mode, t[i].count);
        CHECK_STR(got, t[i].out);
        rig_fini(&r);
    }
}

/* The count that is read n ticks after it was loaded. */
static void test_counts(void)
{
    static const struct { unsigned mode; bool bcd; u16 count; u64 after; u16 read; } t[] = {
        { 0, 0, 1000, 0, 1000 }, { 0, 0, 1000, 1, 999 }, { 0, 0, 1000, 1000, 0 }, { 0, 0, 1000, 1001, 0xffff },
        { 0, 0, 0, 1, 0xffff }, { 0, 1, 0x1000, 1, 0x0999 }, { 0, 1, 0x1000, 1001, 0x9999 }, { 0, 1, 0, 1, 0x9999 },
        { 2, 0, 1000, 0, 1000 }, { 2, 0, 1000, 999, 1 }, { 2, 0, 1000, 1000, 1000 }, { 2, 0, 1000, 2500, 500 },
        { 2, 0, 0, 1, 0xffff }, { 2, 1, 0x0100, 1, 0x0099 }, { 2, 0, 1000, 1000000001, 999 },
        { 3, 0, 1000, 1, 998 }, { 3, 0, 1000, 499, 2 }, { 3, 0, 1000, 500, 1000 }, { 3, 0, 1000, 501, 998 },
        { 3, 0, 1001, 0, 1000 }, { 3, 0, 1001, 500, 0 }, { 3, 0, 1001, 501, 1000 }, { 3, 0, 1001, 1000, 2 }, { 3, 0, 1001, 1001, 1000 },
        { 4, 0, 1000, 10, 990 }, { 4, 0, 1000, 1001, 0xffff },
    };
    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        struct rig r;
        start(&r);
        gate2(&r, true);
        program(&r, 2, t[i].mode, t[i].bcd, t[i].count);
        ticks(&r, 1 + t[i].after);
        check_context("row %u: mode %u count %x after %llu", i, t[i].mode, t[i].count, (unsigned long long)t[i].after);
        CHECK_EQ(latched(&r, 2), t[i].read);
        rig_fini(&r);
    }
}

static void test_latch(void)
{
    struct rig r;
    start(&r);
    program(&r, 0, 2, false, 5000);
    ticks(&r, 101);
    out8(&r, 0x43, 0x00);
    ticks(&r, 100);
    out8(&r, 0x43, 0x00);                       /* the first latch counts until it was read */
    CHECK_EQ(in8(&r, 0x40), (u8)4900);
    ticks(&r, 100);
    CHECK_EQ(in8(&r, 0x40), 4900 >> 8);
    CHECK_EQ(latched(&r, 0), 4700);
    CHECK_EQ(in8(&r, 0x40), (u8)4700);          /* not latched: as it runs */
    CHECK_EQ(in8(&r, 0x40), 4700 >> 8);
    out8(&r, 0x43, 0x14);                       /* low byte only */
    out8(&r, 0x40, 200);
    ticks(&r, 11);
    CHECK_EQ(in8(&r, 0x40), 190);
    CHECK_EQ(in8(&r, 0x40), 190);
    out8(&r, 0x43, 0x24);                       /* high byte only */
    out8(&r, 0x40, 2);
    ticks(&r, 1);
    CHECK_EQ(in8(&r, 0x40), 2);
    rig_fini(&r);
}

static void test_read_back(void)
{
    struct rig r;
    start(&r);
    gate2(&r, true);
    program(&r, 0, 2, false, 1000);
    ticks(&r, 1);
    program(&r, 2, 3, true, 0x0500);
    out8(&r, 0x43, 0xc2 | 8);                   /* both, of counters 0 and 2 */
    ticks(&r, 50);
    CHECK_EQ(in8(&r, 0x40), 0xb4);              /* OUT, access 3, mode 2 */
    CHECK_EQ(in8(&r, 0x40), (u8)1000);
    CHECK_EQ(in8(&r, 0x40), 1000 >> 8);
    CHECK_EQ(in8(&r, 0x42), 0xf7);              /* OUT, null count, access 3, mode 3, BCD */
    in8(&r, 0x42);
    in8(&r, 0x42);
    out8(&r, 0x43, 0xe8);                       /* status only, of 2: loaded by now */
    CHECK_EQ(in8(&r, 0x42), 0xb7);
    CHECK_EQ(in8(&r, 0x40), (u8)950);           /* 0 was not asked */
    CHECK_EQ(in8(&r, 0x40), 950 >> 8);
    out8(&r, 0x43, 0xd8);                       /* count only */
    CHECK_EQ(in8(&r, 0x42), 0x02);              /* 500 - 2 * 49 */
    CHECK_EQ(in8(&r, 0x42), 0x04);
    rig_fini(&r);
}

/* A new count in mode 2 begins after the period that runs. */
static void test_new_count(void)
{
    struct rig r;
    start(&r);
    gate2(&r, true);
    program(&r, 2, 2, false, 100);
    ticks(&r, 1 + 40);
    out8(&r, 0x42, 10);
    out8(&r, 0x42, 0);
    ticks(&r, 9);
    CHECK_EQ(latched(&r, 2), 51);
    ticks(&r, 51);
    CHECK_EQ(latched(&r, 2), 10);
    ticks(&r, 13);
    CHECK_EQ(latched(&r, 2), 7);
    rig_fini(&r);
}

static void test_gate(void)
{
    struct rig r;
    start(&r);
    gate2(&r, true);
    program(&r, 2, 0, false, 100);
    ticks(&r, 1 + 30);
    gate2(&r, false);                           /* mode 0: holds */
    ticks(&r, 500);
    CHECK_EQ(latched(&r, 2), 70);
    CHECK(!out2(&r));
    gate2(&r, true);
    ticks(&r, 69);
    CHECK(!out2(&r));
    ticks(&r, 1);
    CHECK(out2(&r));
    program(&r, 2, 2, false, 100);
    ticks(&r, 1 + 99);
    CHECK(!out2(&r));
    gate2(&r, false);                           /* mode 2: OUT goes high at once */
    CHECK(out2(&r));
    ticks(&r, 5);
    gate2(&r, true);                            /* and the count begins anew */
    ticks(&r, 1);
    CHECK_EQ(latched(&r, 2), 100);
    program(&r, 2, 1, false, 10);
    ticks(&r, 50);
    CHECK(out2(&r));                            /* mode 1 waits for its trigger */
    gate2(&r, false);
    gate2(&r, true);
    ticks(&r, 6);
    CHECK(!out2(&r));
    gate2(&r, false);
    gate2(&r, true);                            /* retriggered */
    ticks(&r, 10);
    CHECK(!out2(&r));
    ticks(&r, 1);
    CHECK(out2(&r));
    rig_fini(&r);
}

/* How kernels measure their processor: counter 2 in mode 0, gate on, poll OUT. */
static void test_calibration(void)
{
    struct rig r;
    rig_init(&r, 1000000000);
    rig_add(&r, &pit_ops);
    u16 count = PIT_HZ / 100;
    out8(&r, 0x61, (in8(&r, 0x61) & ~2) | 1);
    program(&r, 2, 0, false, count);
    cycles_t from = r.clock.now;
    while (!out2(&r))
        rig_run(&r, 100);
    u64 took = r.clock.now - from;
    CHECK(took > 9990000 && took < 10010000);   /* 10 ms */
    rig_fini(&r);
}

static void test_irq0_one_shot(void)
{
    struct rig r;
    start(&r);
    program(&r, 0, 0, false, 500);
    cycles_t written = r.clock.now;
    CHECK(!r.level[0]);
    ticks(&r, 5000);
    CHECK_EQ(r.rises[0], 1);
    CHECK_EQ(r.rose_at[0], written + 501 * TICK);
    CHECK(r.level[0]);
    CHECK_EQ(clock_deadline(&r.clock), CLOCK_NEVER);
    program(&r, 0, 4, false, 500);
    ticks(&r, 5000);
    CHECK_EQ(r.rises[0], 2);
    CHECK_EQ(r.rose_at[0], written + 5000 * TICK + 502 * TICK);
    rig_fini(&r);
}

/* Two days at 100 Hz on a clock that does not fit: edge k is at the first cycle by which its ticks are over. */
static void test_irq0_does_not_drift(void)
{
    enum { DIVISOR = 11932 };
    const u64 hz = 2400000007;
    struct rig r;
    rig_init(&r, hz);
    rig_add(&r, &pit_ops);
    program(&r, 0, 2, false, DIVISOR);
    unsigned before = r.rises[0];
    for (u64 k = 1; k <= 3; k++) {
        rig_run_until(&r, clock_ticks_to_cycles(&r.clock, 1 + k * DIVISOR, PIT_HZ));
        CHECK_EQ(r.rises[0], before + k);
        CHECK_EQ(r.rose_at[0], r.clock.now);
    }
    u64 days = 2 * 86400ull * 100;
    rig_run_until(&r, clock_ticks_to_cycles(&r.clock, 1 + days * DIVISOR, PIT_HZ) - 1);
    CHECK_EQ(r.rises[0], before + days - 1);
    rig_run(&r, 1);
    CHECK_EQ(r.rises[0], before + days);
    rig_fini(&r);
}

/* Time that jumps over many edges gives one, and the next is in its right place. */
static void test_irq0_jump(void)
{
    struct rig r;
    start(&r);
    program(&r, 0, 2, false, 2);
    cycles_t loaded = r.clock.now + TICK;
    r.clock.now += 1000001ull * TICK;
    clock_run_due(&r.clock);
    CHECK(r.rises[0] <= 2);
    CHECK_EQ((clock_deadline(&r.clock) - loaded) % (2 * TICK), 0);
    CHECK(clock_deadline(&r.clock) > r.clock.now);
    rig_fini(&r);
}

static void test_irq0_square_wave(void)
{
    struct rig r;
    start(&r);
    program(&r, 0, 3, false, 0);
    unsigned before = r.rises[0];
    cycles_t loaded = r.clock.now + TICK;
    ticks(&r, 1 + 65536 * 18);
    CHECK_EQ(r.rises[0], before + 18);
    CHECK_EQ(r.rose_at[0], loaded + 65536 * 18 * TICK);
    rig_fini(&r);
}

static void test_port61(void)
{
    struct rig r;
    start(&r);
    out8(&r, 0x61, 0xff);
    CHECK_EQ(in8(&r, 0x61) & 0xcf, 0x0f);
    unsigned toggles = 0, last = in8(&r, 0x61) & 0x10;
    for (int i = 0; i < 18 * 40; i++) {
        ticks(&r, 1);
        unsigned now = in8(&r, 0x61) & 0x10;
        toggles += now != last;
        last = now;
    }
    CHECK_EQ(toggles, 40);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "waveforms", test_waveforms }, { "counts", test_counts }, { "latch", test_latch }, { "read_back", test_read_back },
        { "new_count", test_new_count }, { "gate", test_gate }, { "calibration", test_calibration },
        { "irq0_one_shot", test_irq0_one_shot }, { "irq0_does_not_drift", test_irq0_does_not_drift },
        { "irq0_jump", test_irq0_jump }, { "irq0_square_wave", test_irq0_square_wave }, { "port61", test_port61 }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_pit", tests);
}
