/* SPDX-License-Identifier: MIT */
/*
 * Intel 8254, order number 231164, "Mode Definitions". In every mode a count of N that is loaded at tick `start`
 * has, at tick t, been counted down e = t - start times:
 *
 *   mode  OUT                                               starts
 *   0     low until e = N                                   at the tick after the count is written
 *   1     low while e < N                                   at the tick after a trigger (GATE rises)
 *   2     low at e = N-1 of each period of N                at the tick after the first write, or after a trigger
 *   3     high in the first (N+1)/2 of each period of N     as 2
 *   4     low at e = N only                                 as 0
 *   5     low at e = N only                                 as 1
 *
 * A new count in modes 2 and 3 waits for the end of the period, in 1 and 5 for the next trigger.
 */
#include "devices/time/i8254.h"

#include <string.h>

enum { STATUS_OUT = 0x80, STATUS_NULL_COUNT = 0x40 };

static bool periodic(const struct i8254 *c) { return c->mode == 2 || c->mode == 3; }
static bool triggered(const struct i8254 *c) { return c->mode == 1 || c->mode == 5; }
static bool gate_stops(const struct i8254 *c) { return c->mode == 0 || c->mode == 4; }

/* Load the waiting count if its time has come. */
static void sync(struct i8254 *c, u64 now)
{
    if (!c->next || c->next_at > now)
        return;
    c->count = c->next;
    c->start = c->next_at;
    c->done = 0;
    c->next = 0;
    c->counting = true;
    c->stopped = false;
}

/* How often it was counted down. Only once a count was loaded. */
static u64 elapsed(const struct i8254 *c, u64 now)
{
    return c->stopped ? c->done : now - c->start;
}

static u64 phase(const struct i8254 *c, u64 now)
{
    return elapsed(c, now) % c->count;
}

static u32 high_part(const struct i8254 *c) { return (c->count + 1) / 2; }

/* OUT, mode by mode, once a count was loaded */

static bool out_01(const struct i8254 *c, u64 now) { return elapsed(c, now) >= c->count; }
static bool out_2(const struct i8254 *c, u64 now) { return c->stopped || phase(c, now) != c->count - 1; }
static bool out_3(const struct i8254 *c, u64 now) { return c->stopped || phase(c, now) < high_part(c); }
static bool out_45(const struct i8254 *c, u64 now) { return elapsed(c, now) != c->count; }

static bool (*const out_fn[6])(const struct i8254 *c, u64 now) = { out_01, out_01, out_2, out_3, out_45, out_45 };

bool i8254_out(struct i8254 *c, u64 now)
{
    sync(c, now);
    return c->counting ? out_fn[c->mode](c, now) : c->mode != 0;
}

/* In how many ticks from `now` does OUT rise, while it counts? */
static u64 ticks_to_rise(const struct i8254 *c, u64 now)
{
    u64 e = elapsed(c, now), n = c->mode >= 4 ? c->count + 1 : c->count; /* 4 and 5: the end of the strobe */
    if (periodic(c))
        return n - e % n;
    return e < n ? n - e : I8254_NEVER;
}

u64 i8254_next_rise(struct i8254 *c, u64 now)
{
    sync(c, now);
    bool at_period_end = periodic(c) && c->counting && !c->stopped;
    if (c->next && c->next_at != I8254_NEVER && !at_period_end) {
        struct i8254 loaded = *c;               /* what will be once the waiting count is loaded */
        return i8254_next_rise(&loaded, c->next_at);
    }
    if (!c->counting || c->stopped)
        return I8254_NEVER;
    u64 ticks = ticks_to_rise(c, now);
    return ticks == I8254_NEVER ? I8254_NEVER : now + ticks;
}

/* Counting and loading */

static void stop(struct i8254 *c, u64 now)
{
    c->done = elapsed(c, now);
    c->stopped = true;
}

/* GATE holds a counter of mode 0 or 4: a count that waits is loaded, but not counted down. */
static void hold(struct i8254 *c, u64 now)
{
    if (c->next)
        c->next_at = now;
    sync(c, now);
    if (c->counting)
        stop(c, now);
}

static void go_on(struct i8254 *c, u64 now)
{
    if (!c->stopped)
        return;
    c->start = now - c->done;
    c->stopped = false;
}

/* The end of the period that runs at `now`. */
static u64 period_end(const struct i8254 *c, u64 now)
{
    return now + c->count - phase(c, now);
}

/* The tick at which a count that is written now will be loaded. */
static u64 load_tick(const struct i8254 *c, u64 now)
{
    if (triggered(c) || (periodic(c) && !c->gate))
        return I8254_NEVER;
    return periodic(c) && c->counting ? period_end(c, now) : now + 1;
}

/* A whole count was written. */
static void load(struct i8254 *c, u64 now, u32 count)
{
    u32 least = periodic(c) ? 2 : 1;            /* smaller ones are illegal */
    c->next = count < least ? least : count;
    c->next_at = load_tick(c, now);
    if (gate_stops(c) && !c->gate)
        hold(c, now);
}

static u32 from_bcd(u16 v)
{
    return (v >> 12) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}

static u16 to_bcd(u32 v)
{
    return v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static void load_written(struct i8254 *c, u64 now, u16 value)
{
    u32 count = c->bcd ? from_bcd(value) : value;
    if (!count)
        count = c->bcd ? 10000 : 65536;
    if (c->bcd && count > 10000)
        count %= 10000;                 /* digits above 9 */
    load(c, now, count);
}

void i8254_write(struct i8254 *c, u64 now, u8 value)
{
    sync(c, now);
    if (c->access == ACCESS_BOTH && !c->second_write) {
        c->low = value;
        c->second_write = true;
        if (c->mode == 0) {             /* "writing the first byte disables counting. OUT is set low immediately" */
            c->counting = false;
            c->next = 0;
        }
        return;
    }
    u16 count = c->access == ACCESS_LOW ? value : value << 8;
    if (c->access == ACCESS_BOTH)
        count |= c->low;
    c->second_write = false;
    if (c->mode == 0)
        c->counting = false;            /* OUT goes low until the new count is over */
    load_written(c, now, count);
}

/* The trigger of modes 1 and 5, the reload of 2 and 3: load what waits, or the same count again. */
static void trigger(struct i8254 *c, u64 now)
{
    if (!c->next && c->counting)
        c->next = c->count;
    c->next_at = now + 1;
}

void i8254_set_gate(struct i8254 *c, u64 now, bool gate)
{
    sync(c, now);
    if (gate == c->gate)
        return;
    c->gate = gate;
    if (gate_stops(c)) {
        (gate ? go_on : hold)(c, now);
    } else if (gate) {
        trigger(c, now);
    } else if (periodic(c)) {
        c->next_at = I8254_NEVER;
        if (c->counting)
            stop(c, now);
    }
}

/* Reading */

static u32 modulus(const struct i8254 *c) { return c->bcd ? 10000 : 65536; }

/* In mode 3 the counting element goes down in steps of two, twice a period, from N (N - 1 if N is odd). */
static u32 count_3(const struct i8254 *c, u64 now)
{
    u64 p = phase(c, now);
    u32 step = p < high_part(c) ? p : p - high_part(c);
    return (c->count & ~1u) - 2 * step;
}

static u32 counting_element(const struct i8254 *c, u64 now)
{
    if (!c->counting)
        return c->next;
    if (c->mode == 3)
        return count_3(c, now);
    if (c->mode == 2)
        return c->count - phase(c, now);
    u32 m = modulus(c);
    return (c->count + m - elapsed(c, now) % m) % m;
}

static u16 readable_count(struct i8254 *c, u64 now)
{
    sync(c, now);
    u32 count = counting_element(c, now) % modulus(c);
    return c->bcd ? to_bcd(count) : count;
}

void i8254_latch_count(struct i8254 *c, u64 now)
{
    if (c->count_latched)
        return;                         /* the first one counts until it is read */
    c->latched_count = readable_count(c, now);
    c->count_latched = true;
}

void i8254_latch_status(struct i8254 *c, u64 now)
{
    if (c->status_latched)
        return;
    bool out = i8254_out(c, now);
    bool null_count = c->next || !c->counting;
    c->latched_status = (out ? STATUS_OUT : 0) | (null_count ? STATUS_NULL_COUNT : 0);
    c->latched_status |= c->access << 4 | c->mode << 1 | c->bcd;
    c->status_latched = true;
}

u8 i8254_read(struct i8254 *c, u64 now)
{
    if (c->status_latched) {            /* status first, whichever was latched first */
        c->status_latched = false;
        return c->latched_status;
    }
    u16 count = c->count_latched ? c->latched_count : readable_count(c, now);
    bool high = c->access == ACCESS_HIGH || (c->access == ACCESS_BOTH && c->second_read);
    if (c->access == ACCESS_BOTH)
        c->second_read = !c->second_read;
    if (!c->second_read)
        c->count_latched = false;       /* the last byte was read */
    return high ? count >> 8 : count;
}

void i8254_write_control(struct i8254 *c, u64 now, u8 control)
{
    u8 access = control >> 4 & 3, mode = control >> 1 & 7;
    if (!access) {
        i8254_latch_count(c, now);
        return;
    }
    bool gate = c->gate;
    memset(c, 0, sizeof *c);
    c->gate = gate;
    c->access = access;
    c->mode = mode > 5 ? mode & 3 : mode;
    c->bcd = control & 1;
}

void i8254_reset(struct i8254 *c)
{
    memset(c, 0, sizeof *c);
    c->access = ACCESS_BOTH;
    c->gate = true;
}
