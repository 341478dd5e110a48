/* SPDX-License-Identifier: MIT */
/*
 * Trace points: `--trace=bt,irq,virtio_*` prints a line for each event of these names.
 * Off costs one predicted branch. The points are the rows of traces.def.
 */
#ifndef EMU_BASE_TRACE_H
#define EMU_BASE_TRACE_H

#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/types.h"

enum trace_point {
#define TRACE(id, name, help) TRACE_##id,
#include "base/traces.def"
#undef TRACE
    TRACE_COUNT
};

struct trace_row { const char *name, *help; };
extern const struct trace_row trace_rows[TRACE_COUNT];

struct tracer;

/* Who gets the lines of trace points as they come, without their head. */
struct trace_recorder { void (*record)(struct trace_recorder *r, const struct tracer *t, enum trace_point p, const char *text); };

enum { TRACE_PRINTED = 1, TRACE_RECORDED = 2 };

struct tracer {
    u8 on[TRACE_COUNT];         /* bits: for whom; 0: off */
    FILE *out;                  /* stderr unless -D FILE */
    struct trace_recorder *recorder; /* NULL: none */
    const struct clock *clock;  /* virtual time, for the recorder */
    const u64 *icount;          /* guest instruction count of the vcpu in question, for the line's head */
};

/* Turn on what `list` names: comma separated, '*' and '?' match as in a shell. 0, or -1 with *err naming the unknown one. */
int trace_enable(struct tracer *t, const char *list, struct error *err);

/* Let `r` record every point but `insn`, which would slow the guest to the interpreter's speed. */
void trace_record(struct tracer *t, struct trace_recorder *r);

void trace_print(const struct tracer *t, enum trace_point p, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* trace(t, BUS, "port=0x%x value=0x%x", ...): one line "icount point key=0xvalue ...". */
#define trace(t, point, ...)                                     \
    do {                                                         \
        if (unlikely((t)->on[TRACE_##point]))                    \
            trace_print((t), TRACE_##point, __VA_ARGS__);        \
    } while (0)

#endif
