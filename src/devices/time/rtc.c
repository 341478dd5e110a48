/* SPDX-License-Identifier: MIT */
/*
 * Motorola MC146818A (ADI-1026). Time is the platform's rtc_base plus virtual time, so that every run sees the same
 * dates. Nothing runs between accesses: what happened since the last look is computed, and a timer is set only for
 * an interrupt that is enabled.
 *
 * One divider chain: seconds, periodic ticks and the update all count from `origin`.
 */
#include "devices/time/rtc.h"

#include <stdlib.h>
#include <string.h>

#include "devices/disk/floppy.h"
#include "devices/time/rtc_time.h"

enum { SECOND, SECOND_ALARM, MINUTE, MINUTE_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR,
       REG_A, REG_B, REG_C, REG_D, CENTURY = 0x32, CMOS_SIZE = 128 };
enum { A_UIP = 0x80, A_DIVIDER = 0x70, A_RUNNING = 0x20, A_RATE = 0x0f };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_SQWE = 0x08, B_BINARY = 0x04, B_24H = 0x02 };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };
enum { D_VRT = 0x80 };

#define BASE_HZ 32768u
#define UIP_TICKS 73u       /* 244 us warning and 1984 us update before the new second shows, in 1/32768 s */
#define DONT_CARE 0xc0      /* an alarm byte with both high bits set */

struct rtc {
    struct device dev;
    u8 index;               /* port 70h, without the NMI bit */
    u8 ram[CMOS_SIZE];      /* registers A to D and the alarm bytes too; the time's bytes are computed */
    cycles_t origin;        /* when the second `base` began */
    s64 base;               /* seconds since 1970 at origin */
    int weekday_shift;      /* the guest may call any day Sunday */
    u64 seen_tick;          /* flags in register C are true up to this tick since origin */
    struct timer timer;
    struct clock *clock;
    struct irq irq8;
};

static bool running(const struct rtc *r)
{
    return !(r->ram[REG_B] & B_SET) && (r->ram[REG_A] & A_DIVIDER) == A_RUNNING;
}

/* 1/32768 s since origin */
static u64 tick_now(const struct rtc *r)
{
    return clock_cycles_to_ticks(r->clock, r->clock->now - r->origin, BASE_HZ);
}

static s64 second_now(const struct rtc *r)
{
    return r->base + (running(r) ? (s64)(tick_now(r) / BASE_HZ) : 0);
}

static bool binary(const struct rtc *r) { return r->ram[REG_B] & B_BINARY; }
static bool h24(const struct rtc *r) { return r->ram[REG_B] & B_24H; }

/* The time's bytes */

static struct rtc_time time_now(const struct rtc *r)
{
    struct rtc_time t = rtc_broken_down(second_now(r));
    t.weekday = (t.weekday - 1 + r->weekday_shift) % 7 + 1;
    return t;
}

static bool is_time(unsigned i)
{
    return i == SECOND || i == MINUTE || i == HOUR || (i >= WEEKDAY && i <= YEAR) || i == CENTURY;
}

static u8 read_time(const struct rtc *r, unsigned i)
{
    struct rtc_time t = time_now(r);
    switch (i) {
    case SECOND: return rtc_encode(t.second, binary(r));
    case MINUTE: return rtc_encode(t.minute, binary(r));
    case HOUR: return rtc_encode_hour(t.hour, binary(r), h24(r));
    case WEEKDAY: return t.weekday;
    case DAY: return rtc_encode(t.day, binary(r));
    case MONTH: return rtc_encode(t.month, binary(r));
    case YEAR: return rtc_encode(t.year % 100, binary(r));
    default: return rtc_encode(t.year / 100, binary(r));
    }
}

/* Make `seconds` the time now, keeping the divider's phase. */
static void set_second(struct rtc *r, s64 seconds)
{
    r->base += seconds - second_now(r);
}

static void write_time(struct rtc *r, unsigned i, u8 value)
{
    struct rtc_time t = time_now(r);
    int n = rtc_decode(value, binary(r));
    switch (i) {
    case SECOND: t.second = n; break;
    case MINUTE: t.minute = n; break;
    case HOUR: t.hour = rtc_decode_hour(value, binary(r), h24(r)); break;
    case WEEKDAY: r->weekday_shift = (r->weekday_shift + (value & 7) - t.weekday + 14) % 7; return;
    case DAY: t.day = n; break;
    case MONTH: t.month = n; break;
    case YEAR: t.year = t.year / 100 * 100 + n % 100; break;
    default: t.year = n % 100 * 100 + t.year % 100; break;
    }
    set_second(r, rtc_seconds(&t));
}

/* Interrupts */

/* Ticks between periodic interrupts, 0: none (table 5). */
static u64 period(const struct rtc *r)
{
    unsigned rate = r->ram[REG_A] & A_RATE;
    return !rate || (r->ram[REG_A] & A_DIVIDER) != A_RUNNING ? 0 : BIT(rate <= 2 ? rate + 6 : rate - 1);
}

static int alarm_field(const struct rtc *r, unsigned i)
{
    u8 v = r->ram[i];
    if ((v & DONT_CARE) == DONT_CARE)
        return -1;
    return i == HOUR_ALARM ? rtc_decode_hour(v, binary(r), h24(r)) : rtc_decode(v, binary(r));
}

/* The tick at which the alarm next matches after tick `after`. */
static u64 alarm_tick(const struct rtc *r, u64 after)
{
    s64 at = rtc_next_alarm(r->base + (s64)(after / BASE_HZ), alarm_field(r, HOUR_ALARM), alarm_field(r, MINUTE_ALARM),
                            alarm_field(r, SECOND_ALARM));
    return at == INT64_MAX ? UINT64_MAX : (u64)(at - r->base) * BASE_HZ;
}

static u64 next_multiple(u64 after, u64 step)
{
    return step ? (after / step + 1) * step : UINT64_MAX;
}

/* Bring register C up to now. */
static void catch_up(struct rtc *r)
{
    u64 now = tick_now(r), seen = r->seen_tick;
    u8 *c = &r->ram[REG_C];
    if (next_multiple(seen, period(r)) <= now)
        *c |= C_PF;
    if (running(r) && next_multiple(seen, BASE_HZ) <= now)
        *c |= C_UF;
    if (running(r) && !(*c & C_AF) && alarm_tick(r, seen) <= now)
        *c |= C_AF;
    r->seen_tick = now;
}

/* The tick of the next event that is enabled and has not been flagged yet. */
static u64 next_event(const struct rtc *r)
{
    u8 want = r->ram[REG_B] & ~r->ram[REG_C] & (B_PIE | B_AIE | B_UIE);
    u64 next = want & B_PIE ? next_multiple(r->seen_tick, period(r)) : UINT64_MAX, t;
    if (want & B_UIE && running(r) && (t = next_multiple(r->seen_tick, BASE_HZ)) < next)
        next = t;
    if (want & B_AIE && running(r) && (t = alarm_tick(r, r->seen_tick)) < next)
        next = t;
    return next;
}

/* After any change: IRQF and the wire, and the timer for what comes next. Enables and flags match by place. */
static void update(struct rtc *r)
{
    u8 *c = &r->ram[REG_C];
    bool raised = *c & C_IRQF;
    bool raise = *c & r->ram[REG_B] & (C_PF | C_AF | C_UF);
    *c = raise ? *c | C_IRQF : *c & ~C_IRQF;
    if (raise != raised)
        irq_set(&r->irq8, raise);
    u64 next = next_event(r);
    if (next == UINT64_MAX)
        timer_cancel(r->clock, &r->timer);
    else
        timer_set(r->clock, &r->timer, r->origin + clock_ticks_to_cycles(r->clock, next, BASE_HZ));
}

static void event_due(void *opaque, cycles_t when)
{
    catch_up(opaque);
    update(opaque);
}

/* Registers A to D */

/* Time stands still, or goes on: `base` begins anew. The chain restarts half a second before the first update. */
static void restart_at(struct rtc *r, s64 seconds, bool half)
{
    cycles_t back = half ? clock_ticks_to_cycles(r->clock, BASE_HZ / 2, BASE_HZ) : 0;
    r->base = seconds;
    r->origin = r->clock->now > back ? r->clock->now - back : 0;
    r->seen_tick = tick_now(r);
}

/* Change A or B; if that starts or stops the clock, keep the time that shows. */
static void write_control(struct rtc *r, unsigned i, u8 value)
{
    bool was = running(r), was_reset = (r->ram[REG_A] & A_DIVIDER) >= 0x60;
    s64 shown = second_now(r);
    r->ram[i] = value;
    bool is_reset = (r->ram[REG_A] & A_DIVIDER) >= 0x60;
    if (was_reset && !is_reset)
        restart_at(r, shown, true);
    else if (was && !running(r))
        r->base = shown;                /* stands; the divider goes on */
    else if (!was && running(r))
        r->base = shown - (s64)(tick_now(r) / BASE_HZ);
}

static u8 read_a(const struct rtc *r)
{
    bool updating = running(r) && tick_now(r) % BASE_HZ >= BASE_HZ - UIP_TICKS;
    return r->ram[REG_A] | (updating ? A_UIP : 0);
}

/* "Reading register C clears all its bits." */
static u8 read_c(struct rtc *r)
{
    u8 value = r->ram[REG_C];
    r->ram[REG_C] &= C_IRQF;            /* update() lowers the wire and takes IRQF away */
    return value;
}

static u8 read_reg(struct rtc *r, unsigned i)
{
    if (is_time(i))
        return read_time(r, i);
    if (i == REG_A)
        return read_a(r);
    return i == REG_C ? read_c(r) : r->ram[i];
}

static void write_reg(struct rtc *r, unsigned i, u8 value)
{
    if (is_time(i))
        write_time(r, i, value);
    else if (i == REG_A)
        write_control(r, REG_A, value & ~A_UIP);
    else if (i == REG_B)
        write_control(r, REG_B, value & B_SET ? value & ~B_UIE : value);
    else if (i != REG_C && i != REG_D)
        r->ram[i] = value;
}

static u64 rtc_read(void *dev, u64 offset, unsigned size)
{
    struct rtc *r = dev;
    if (offset == 0)
        return 0xff;                    /* the index is write-only */
    catch_up(r);
    u8 value = read_reg(r, r->index);
    update(r);
    return value;
}

static void rtc_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct rtc *r = dev;
    if (offset == 0) {
        r->index = value & (CMOS_SIZE - 1);
        return;
    }
    catch_up(r);
    write_reg(r, r->index, value);
    update(r);
}

/* CMOS RAM as firmware would leave it (IBM PC/AT Technical Reference, CMOS RAM Address Map) */

enum { FLOPPY_TYPES = 0x10, EQUIPMENT = 0x14, BOOT_THIRD = 0x38, BOOT_FIRST = 0x3d, BASE_MEMORY = 0x15, EXTENDED_MEMORY = 0x17, CHECKSUM = 0x2e, EXTENDED_MEMORY_FOUND = 0x30,
       MEMORY_ABOVE_16M = 0x34, MEMORY_ABOVE_4G = 0x5b };

static void put_le(u8 *at, u64 value, u64 most, int bytes)
{
    if (value > most)
        value = most;
    for (int i = 0; i < bytes; i++)
        at[i] = value >> (8 * i);
}

static u64 beyond(u64 ram_size, u64 start)
{
    return ram_size > start ? ram_size - start : 0;
}

/* Boot devices by SeaBIOS's numbers, four bits each: the first two in one byte, the third beside a flag bit in another. */
static void fill_boot_order(struct rtc *r, const char *letters)
{
    static const u8 number[26] = { ['a' - 'a'] = 1, ['c' - 'a'] = 2, ['d' - 'a'] = 3, ['n' - 'a'] = 4 };
    enum { NO_FLOPPY_SIGNATURE = 1 };
    u8 place[3] = { 0 };
    for (unsigned i = 0; letters && i < 3 && letters[i]; i++)
        place[i] = letters[i] >= 'a' && letters[i] <= 'z' ? number[letters[i] - 'a'] : 0;
    r->ram[BOOT_FIRST] = place[0] | place[1] << 4;
    r->ram[BOOT_THIRD] = NO_FLOPPY_SIGNATURE | place[2] << 4;
}

/* The equipment byte says how many there are, less one. */
static void fill_floppies(u8 *m, const struct platform *to)
{
    u8 first = floppy_cmos_type(to->floppy[0]), second = floppy_cmos_type(to->floppy[1]);
    m[FLOPPY_TYPES] = first << 4 | second;
    if (first || second)
        m[EQUIPMENT] |= 0x01 | (second ? 0x40 : 0);
}

static void fill_cmos(struct rtc *r, const struct platform *to)
{
    u64 ram_size = to->ram_size;
    u8 *m = r->ram;
    u64 top = 0xc0000000u;              /* memory beyond 3 GiB is found above 4 GiB */
    u64 low = ram_size < top ? ram_size : top;
    m[EQUIPMENT] = 0x06;                /* coprocessor, PS/2 mouse; a display with its own BIOS */
    fill_floppies(m, to);
    put_le(m + BASE_MEMORY, ram_size / 1024, 640, 2);                           /* KiB */
    put_le(m + EXTENDED_MEMORY, beyond(low, 1 << 20) / 1024, 0xfc00, 2);        /* KiB above 1 MiB, up to 64 MiB */
    put_le(m + EXTENDED_MEMORY_FOUND, beyond(low, 1 << 20) / 1024, 0xfc00, 2);
    put_le(m + MEMORY_ABOVE_16M, beyond(low, 16 << 20) / 65536, 0xffff, 2);     /* 64 KiB */
    put_le(m + MEMORY_ABOVE_4G, beyond(ram_size, top) / 65536, 0xffffff, 3);    /* 64 KiB */
    unsigned sum = 0;
    for (int i = 0x10; i < CHECKSUM; i++)
        sum += m[i];
    m[CHECKSUM] = sum >> 8;
    m[CHECKSUM + 1] = sum;
}

static const char *rtc_reg(u64 offset) { return offset ? "data" : "index"; }
static const struct bus_ops rtc_ports = { rtc_read, rtc_write, .reg_name = rtc_reg };

/* The RESET pin clears enables and flags; time and RAM live on. */
static void rtc_reset(struct device *d)
{
    struct rtc *r = (struct rtc *)d;
    catch_up(r);
    r->index = 0;
    r->ram[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->ram[REG_C] &= C_IRQF;
    update(r);
}

static struct device *rtc_create(struct platform *to, struct error *err)
{
    struct rtc *r = device_new(&rtc_ops, sizeof *r, err);
    if (!r)
        return NULL;
    r->clock = to->clock;
    r->irq8 = to->isa_irq[8];
    r->timer = (struct timer){ .fire = event_due, .opaque = r };
    r->base = to->rtc_base;
    r->origin = to->clock->now;
    fill_cmos(r, to);
    fill_boot_order(r, to->boot);
    r->ram[REG_A] = A_RUNNING | 6;      /* 1024 Hz */
    r->ram[REG_B] = B_24H;
    r->ram[REG_D] = D_VRT;
    if (bus_add_ports(to->bus, "rtc", 0x70, 2, &rtc_ports, r, err)) {
        free(r);
        return NULL;
    }
    return &r->dev;
}

static void rtc_destroy(struct device *d)
{
    struct rtc *r = (struct rtc *)d;
    timer_cancel(r->clock, &r->timer);
    free(r);
}

static void rtc_info(const struct device *d, FILE *out)
{
    const struct rtc *r = (const struct rtc *)d;
    struct rtc_time t = time_now(r);
    fprintf(out, "%04d-%02d-%02d %02d:%02d:%02d, ", t.year, t.month, t.day, t.hour, t.minute, t.second);
    fprintf(out, "A=%02x B=%02x C=%02x\n", r->ram[REG_A], r->ram[REG_B], r->ram[REG_C]);
}

const struct device_ops rtc_ops = {
    "rtc", "MC146818 real-time clock and CMOS RAM, IRQ 8", rtc_create, rtc_reset, rtc_destroy, rtc_info,
};
