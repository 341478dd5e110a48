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
            t->on[p] = true;
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

void trace_print(const struct tracer *t, enum trace_point p, const char *fmt, ...)
{
    FILE *out = t->out ? t->out : stderr;
    va_list ap;
    fprintf(out, "%llu %s ", t->icount ? (unsigned long long)*t->icount : 0, trace_rows[p].name);
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fputc('\n', out);
}
