/* SPDX-License-Identifier: MIT */
/* The MC146818: formats, calendar, interrupts at exact cycles, CMOS RAM. */
#include <stdlib.h>

#include "check.h"
#include "devices/time/rtc.h"
#include "devices/time/rtc_time.h"
#include "devices_rig.h"

#define HZ 1000000000ull
enum { A = 10, B = 11, C = 12, D = 13 };

static void start(struct rig *r, s64 base)
{
    rig_init(r, HZ);
    r->platform.rtc_base = base;
    rig_add(r, &rtc_ops);
}

static u8 get(struct rig *r, u8 reg)
{
    out8(r, 0x70, reg);
    return in8(r, 0x71);
}
static void set(struct rig *r, u8 reg, u8 value)
{
    out8(r, 0x70, reg);
    out8(r, 0x71, value);
}
static void seconds(struct rig *r, u64 n) { rig_run(r, n * HZ); }

#define T2026 1767323045    /* 2026-01-02 03:04:05, a Friday */

static void check_time(struct rig *r, const u8 want[8])
{
    static const u8 reg[8] = { 0x32, 9, 8, 7, 6, 4, 2, 0 };
    for (int i = 0; i < 8; i++) {
        check_context("register %02x", reg[i]);
        CHECK_EQ(get(r, reg[i]), want[i]);
    }
}

static void test_formats(void)
{
    struct rig r;
    start(&r, T2026 + 10 * 3600);               /* 13:04:05 */
    check_time(&r, (u8[]){ 0x20, 0x26, 0x01, 0x02, 6, 0x13, 0x04, 0x05 });
    set(&r, B, 0x06);
    check_time(&r, (u8[]){ 20, 26, 1, 2, 6, 13, 4, 5 });
    set(&r, B, 0x04);
    CHECK_EQ(get(&r, 4), 0x81);
    set(&r, B, 0x00);
    CHECK_EQ(get(&r, 4), 0x81);
    set(&r, 4, 0x92);                           /* 12 PM is noon */
    set(&r, B, 0x02);
    CHECK_EQ(get(&r, 4), 0x12);
    set(&r, B, 0x00);
    set(&r, 4, 0x12);                           /* 12 AM is midnight */
    set(&r, B, 0x02);
    CHECK_EQ(get(&r, 4), 0x00);
    rig_fini(&r);
}

static void test_calendar(void)
{
    static const struct { struct rtc_time t; s64 seconds; } row[] = {
        { { 0, 0, 0, 5, 1, 1, 1970 }, 0 }, { { 59, 59, 23, 4, 31, 12, 1969 }, -1 }, { { 0, 0, 0, 3, 29, 2, 2000 }, 951782400 },
        { { 0, 0, 0, 2, 1, 3, 2100 }, 4107542400 }, { { 7, 14, 3, 3, 19, 1, 2038 }, 2147483647 }, { { 5, 4, 3, 6, 2, 1, 2026 }, T2026 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rtc_time t = rtc_broken_down(row[i].seconds);
        check_context("row %u", i);
        CHECK_EQ(rtc_seconds(&row[i].t), row[i].seconds);
        CHECK(memcmp(&t, &row[i].t, sizeof t) == 0);
    }
    check_context(NULL);
    struct rtc_time odd = { 99, 99, 99, 0, 99, 99, 2000 }, last = { 59, 59, 23, 0, 31, 12, 2000 };
    CHECK_EQ(rtc_seconds(&odd), rtc_seconds(&last));
}

/* Time goes on by itself, over the end of a leap February; and does not drift in a hundred days. */
static void test_runs(void)
{
    struct rig r;
    start(&r, 1709251199);                      /* 2024-02-29 23:59:59 */
    check_time(&r, (u8[]){ 0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x59 });
    rig_run(&r, HZ - 1);
    CHECK_EQ(get(&r, 0), 0x59);
    rig_run(&r, 1);
    check_time(&r, (u8[]){ 0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00 });
    seconds(&r, 100 * 86400);
    check_time(&r, (u8[]){ 0x20, 0x24, 0x06, 0x09, 1, 0x00, 0x00, 0x00 });
    rig_fini(&r);
}

static void test_set(void)
{
    struct rig r;
    start(&r, T2026);
    set(&r, B, 0x82);                           /* SET: the registers stand still */
    seconds(&r, 100);
    CHECK_EQ(get(&r, 0), 0x05);
    static const u8 v[][2] = { { 0, 0x58 }, { 2, 0x59 }, { 4, 0x23 }, { 7, 0x31 }, { 8, 0x12 }, { 9, 0x99 }, { 0x32, 0x19 }, { 6, 3 } };
    for (unsigned i = 0; i < ARRAY_LEN(v); i++)
        set(&r, v[i][0], v[i][1]);
    set(&r, B, 0x02);
    check_time(&r, (u8[]){ 0x19, 0x99, 0x12, 0x31, 3, 0x23, 0x59, 0x58 });
    seconds(&r, 2);
    check_time(&r, (u8[]){ 0x20, 0x00, 0x01, 0x01, 4, 0x00, 0x00, 0x00 });
    set(&r, B, 0x92);
    CHECK_EQ(get(&r, B), 0x82);                 /* SET takes the update interrupt's enable away */
    set(&r, B, 0x02);
    set(&r, A, 0x70);                           /* the divider held in reset */
    seconds(&r, 5);
    CHECK_EQ(get(&r, 0), 0x00);
    set(&r, A, 0x26);                           /* first update half a second later */
    rig_run(&r, HZ / 2 - 1);
    CHECK_EQ(get(&r, 0), 0x00);
    rig_run(&r, 1);
    CHECK_EQ(get(&r, 0), 0x01);
    rig_fini(&r);
}

static void test_update_in_progress(void)
{
    struct rig r;
    start(&r, T2026);
    CHECK_EQ(get(&r, A), 0x26);
    rig_run(&r, HZ - HZ * 2300 / 1000000);
    CHECK_EQ(get(&r, A) & 0x80, 0);
    rig_run(&r, HZ * 200 / 1000000);
    CHECK_EQ(get(&r, A) & 0x80, 0x80);
    CHECK_EQ(get(&r, 0), 0x05);
    rig_run(&r, HZ * 2100 / 1000000);
    CHECK_EQ(get(&r, A) & 0x80, 0);
    CHECK_EQ(get(&r, 0), 0x06);
    rig_fini(&r);
}

static void test_update_interrupt(void)
{
    struct rig r;
    start(&r, T2026);
    get(&r, C);
    CHECK_EQ(clock_deadline(&r.clock), CLOCK_NEVER);    /* nobody asked: no events */
    set(&r, B, 0x12);
    seconds(&r, 1);
    CHECK_EQ(r.rises[8], 1);
    CHECK_EQ(r.rose_at[8], HZ);
    seconds(&r, 3);
    CHECK_EQ(r.rises[8], 1);                            /* until register C was read */
    CHECK_EQ(get(&r, C) & 0x90, 0x90);
    CHECK(!r.level[8]);
    CHECK_EQ(get(&r, C), 0x00);
    seconds(&r, 1);
    CHECK_EQ(r.rises[8], 2);
    set(&r, B, 0x02);
    CHECK(!r.level[8]);
    CHECK_EQ(get(&r, C) & 0x90, 0x10);                  /* the flag is there without its enable, IRQF is not */
    rig_fini(&r);
}

static void test_periodic(void)
{
    static const struct { u8 rate; u64 hz; } row[] = { { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 8, 256 }, { 15, 2 }, { 0, 0 } };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        unsigned n = 0;
        start(&r, T2026);
        check_context("rate %u", row[i].rate);
        set(&r, A, 0x20 | row[i].rate);
        set(&r, B, 0x42);
        get(&r, C);
        while (clock_deadline(&r.clock) <= 2 * HZ) {
            rig_run_until(&r, clock_deadline(&r.clock));
            CHECK(r.level[8]);
            CHECK_EQ(get(&r, C) & 0xc0, 0xc0);
            n++;
        }
        CHECK_EQ(n, 2 * row[i].hz);
        CHECK_EQ(r.rises[8], n);
        rig_fini(&r);
    }
}

static void test_alarm(void)
{
    static const struct { const char *what; u8 b, hour, minute, second; u64 after; } row[] = {
        { "BCD", 0x22, 0x03, 0x05, 0x00, 55 }, { "binary", 0x26, 13, 4, 6, 36001 }, { "tomorrow", 0x22, 0x03, 0x04, 0x05, 86400 },
        { "12 hours", 0x20, 0x81, 0x04, 0x05, 36000 }, { "any hour", 0x22, 0xc0, 0x04, 0x04, 3599 },
        { "any minute", 0x22, 0xff, 0xff, 0x04, 59 }, { "any second", 0x22, 0xff, 0xff, 0xff, 1 },
        { "any second of a minute", 0x22, 0x04, 0x00, 0xff, 3355 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        start(&r, T2026);
        check_context("%s", row[i].what);
        set(&r, 1, row[i].second);
        set(&r, 3, row[i].minute);
        set(&r, 5, row[i].hour);
        set(&r, B, row[i].b);
        seconds(&r, 2 * 86400);
        CHECK_EQ(r.rises[8], 1);
        CHECK_EQ(r.rose_at[8], row[i].after * HZ);
        CHECK_EQ(get(&r, C) & 0xb0, 0xb0);
        rig_fini(&r);
    }
}

/* An alarm that cannot be gives no interrupt, and no long search. */
static void test_impossible_alarm(void)
{
    struct rig r;
    start(&r, T2026);
    set(&r, 1, 0x99);
    set(&r, 3, 0xff);
    set(&r, 5, 0xff);
    set(&r, B, 0x22);
    for (int i = 0; i < 100000; i++)
        get(&r, C);
    CHECK_EQ(clock_deadline(&r.clock), CLOCK_NEVER);
    rig_fini(&r);
}

/* Whatever a guest writes into the time, it reads a time. */
static void test_nonsense(void)
{
    struct rig r;
    u64 seed = check_seed();
    start(&r, T2026);
    for (int i = 0; i < 20000; i++) {
        u64 v = check_random(&seed);
        set(&r, v % 14, v >> 8);
        set(&r, 0x32, v >> 16);
        rig_run(&r, (v >> 24) % HZ);
        set(&r, A, 0x20);
        set(&r, B, 0x02);
        u8 month = get(&r, 8), day = get(&r, 7), wday = get(&r, 6);
        if (!CHECK(month >= 1 && month <= 0x12 && day >= 1 && day <= 0x31 && wday >= 1 && wday <= 7))
            break;
    }
    rig_fini(&r);
}

static void test_cmos(void)
{
    static const struct { u64 ram; u16 base, extended, above16; u32 above4g; } row[] = {
        { 16 << 20, 640, 15 << 10, 0, 0 }, { 64 << 20, 640, 63 << 10, 48 * 16, 0 }, { 512ull << 20, 640, 0xfc00, 496 * 16, 0 },
        { 512 << 10, 512, 0, 0, 0 }, { 5ull << 30, 640, 0xfc00, (3072 - 16) * 16, 2048 * 16 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        rig_init(&r, HZ);
        r.platform.ram_size = row[i].ram;
        rig_add(&r, &rtc_ops);
        check_context("row %u", i);
        CHECK_EQ(get(&r, 0x15) | get(&r, 0x16) << 8, row[i].base);
        CHECK_EQ(get(&r, 0x17) | get(&r, 0x18) << 8, row[i].extended);
        CHECK_EQ(get(&r, 0x30) | get(&r, 0x31) << 8, row[i].extended);
        CHECK_EQ(get(&r, 0x34) | get(&r, 0x35) << 8, row[i].above16);
        CHECK_EQ(get(&r, 0x5b) | get(&r, 0x5c) << 8 | get(&r, 0x5d) << 16, row[i].above4g);
        unsigned sum = 0;
        for (int k = 0x10; k < 0x2e; k++)
            sum += get(&r, k);
        CHECK_EQ(get(&r, 0x2e) << 8 | get(&r, 0x2f), sum);
        CHECK_EQ(get(&r, D), 0x80);
        set(&r, 0x8f, 0x5a);                            /* bit 7 masks NMI, it is not of the index */
        CHECK_EQ(get(&r, 0x0f), 0x5a);
        rig_fini(&r);
    }
}

static void test_reset(void)
{
    struct rig r;
    start(&r, T2026);
    set(&r, 0x40, 7);
    set(&r, B, 0x72);
    seconds(&r, 2);
    CHECK(r.level[8]);
    r.device[0]->ops->reset(r.device[0]);
    CHECK(!r.level[8]);
    CHECK_EQ(get(&r, B), 0x02);
    CHECK_EQ(get(&r, C), 0);
    CHECK_EQ(get(&r, 0), 0x07);                         /* time and RAM live on */
    CHECK_EQ(get(&r, 0x40), 7);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "formats", test_formats }, { "calendar", test_calendar }, { "runs", test_runs }, { "set", test_set },
        { "update_in_progress", test_update_in_progress }, { "update_interrupt", test_update_interrupt },
        { "periodic", test_periodic }, { "alarm", test_alarm }, { "impossible_alarm", test_impossible_alarm },
        { "nonsense", test_nonsense }, { "cmos", test_cmos }, { "reset", test_reset }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_rtc", tests);
}
