/* SPDX-License-Identifier: MIT */
#include "base/trace.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

const struct trace_row trace_rows[TRACE_COUNT] = {
#define TRACE(id, name, help) [TRACE_##id] = { name, help },
#include "base/traces.def"
#undef TRACE
};

/* Turn on the points that match one pattern; how many did? */
static unsigned enable_matching(struct tracer *t, const char *pattern)
{
    unsigned matched = 0;
    for (int p = 0; p < TRACE_COUNT; p++) {
        if (fnmatch(pattern, trace_rows[p].name, 0) == 0) {
            t->on[p] |= TRACE_PRINTED;
            matched++;
        }
    }
    return matched;
}

int trace_enable(struct tracer *t, const char *list, struct error *err)
{
    while (*list) {
        char pattern[64];
        size_t len = strcspn(list, ",");
        if (len >= sizeof pattern)
            return error_set(err, "--trace: a name is too long; `emu list traces` prints them");
        memcpy(pattern, list, len);
        pattern[len] = 0;
        if (len && !enable_matching(t, pattern))
            return error_set(err, "--trace: no trace point is called '%s'; `emu list traces` prints them", pattern);
        list += len + (list[len] == ',');
    }
    return 0;
}

void trace_record(struct tracer *t, struct trace_recorder *r)
{
    t->recorder = r;
    for (int p = 0; p < TRACE_COUNT; p++)
        if (p != TRACE_INSN)
            t->on[p] |= TRACE_RECORDED;
}

static void print_line(const struct tracer *t, enum trace_point p, const char *fmt, va_list ap)
{
    FILE *out = t->out ? t->out : stderr;
    fprintf(out, "%llu %s ", t->icount ? (unsigned long long)*t->icount : 0, trace_rows[p].name);
    vfprintf(out, fmt, ap);
    fputc('\n', out);
}

static void record_line(const struct tracer *t, enum trace_point p, const char *fmt, va_list ap)
{
    char text[256];
    vsnprintf(text, sizeof text, fmt, ap);
    t->recorder->record(t->recorder, t, p, text);
}

void trace_print(const struct tracer *t, enum trace_point p, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    if (t->on[p] & TRACE_PRINTED)
        print_line(t, p, fmt, ap);
    if (t->on[p] & TRACE_RECORDED)
        record_line(t, p, fmt, again);
    va_end(again);
    va_end(ap);
}
