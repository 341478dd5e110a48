/* SPDX-License-Identifier: MIT */
/*
 * One counter of an 8254, as a function of time. Time is counted in ticks of its CLK input since power-on. Nothing
 * runs between accesses: count and output are computed from the tick at which the count was loaded.
 */
#ifndef EMU_DEVICES_I8254_H
#define EMU_DEVICES_I8254_H

#include "base/types.h"

#define I8254_NEVER UINT64_MAX

enum i8254_access { ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };

struct i8254 {
    u8 mode;                    /* 0..5 */
    u8 access;                  /* enum i8254_access */
    bool bcd, gate;
    bool counting;              /* a count was loaded: `start` and `count` hold */
    bool stopped;               /* GATE holds the counting element, which has counted `done` ticks */
    u64 start;                  /* tick at which the count was loaded */
    u64 done;                   /* ticks counted until it was stopped */
    u32 count;                  /* 1..65536, or 1..10000 in BCD */
    u32 next;                   /* a count that waits to be loaded, 0: none ("null count" while it waits) */
    u64 next_at;                /* tick at which it will be, I8254_NEVER: at the next trigger */
    u8 low;                     /* the first byte of two, written */
    bool second_write, second_read;
    bool count_latched, status_latched;
    u16 latched_count;
    u8 latched_status;
};

void i8254_reset(struct i8254 *c);
/* Bits 5 to 0 of a control word: access, mode, BCD. Access 0 is the counter latch command. */
void i8254_write_control(struct i8254 *c, u64 now, u8 control);
void i8254_write(struct i8254 *c, u64 now, u8 value);
u8 i8254_read(struct i8254 *c, u64 now);
void i8254_latch_count(struct i8254 *c, u64 now);
void i8254_latch_status(struct i8254 *c, u64 now);
void i8254_set_gate(struct i8254 *c, u64 now, bool gate);

/* Level of OUT at tick `now`; ticks never go back. */
bool i8254_out(struct i8254 *c, u64 now);
/* The first tick after `now` at which OUT rises, if nobody touches the counter; I8254_NEVER: it does not. */
u64 i8254_next_rise(struct i8254 *c, u64 now);

#endif
