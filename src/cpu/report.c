/* SPDX-License-Identifier: MIT */
/* The report of a stopped processor, for people. */
#include "cpu/cpu.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const vector_names[] = {
    "#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound", "#UD undefined instruction",
    "#NM no FPU", "#DF double fault", "coprocessor overrun", "#TS invalid TSS", "#NP segment not present", "#SS stack fault",
    "#GP general protection", "#PF page fault", "?", "#MF x87 error", "#AC alignment", "#MC machine check", "#XM SSE error",
};

static const char *vector_name(u8 vector)
{
    return vector < ARRAY_LEN(vector_names) ? vector_names[vector] : "exception";
}

struct text { char *buf; size_t size, len; };

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    t->len += n > 0 ? (size_t)n : 0;
    if (t->len >= t->size)
        t->len = t->size - 1;
}

static void add_code(struct cpu *c, struct text *t)
{
    u8 bytes[INSN_MAX];
    char line[96];
    gva_t at = cpu_linear_rip(c);
    u64 got = cpu_peek(c, at, bytes, sizeof bytes);
    add(t, "code at %08llx:", (unsigned long long)at);
    for (u64 i = 0; i < got; i++)
        add(t, " %02x", bytes[i]);
    if (got)
        add(t, "  %s\n", disassemble(bytes, got, state_code_bits(&c->state), at, line, sizeof line));
    else
        add(t, " not mapped\n");
}

static void add_exceptions(const struct cpu *c, struct text *t)
{
    for (int i = ARRAY_LEN(c->recent_exc) - 1; i >= 0; i--) {
        const struct trap *x = &c->recent_exc[i].trap;
        if (x->type != TRAP_FAULT)
            continue;
        add(t, "exception %u %s", x->vector, vector_name(x->vector));
        if (x->has_error)
            add(t, " error=%04x", x->error);
        if (x->vector == VEC_PF)
            add(t, " address=%08llx", (unsigned long long)x->cr2);
        add(t, " at rip=%08llx, instruction %llu\n", (unsigned long long)c->recent_exc[i].rip, (unsigned long long)c->recent_exc[i].icount);
    }
}

void cpu_report(struct cpu *c, char *buf, size_t size)
{
    if (!size)
        return;
    struct text t = { buf, size, 0 };
    add_exceptions(c, &t);
    add_code(c, &t);
    if (t.len < size)
        state_format(&c->state, buf + t.len, size - t.len);
}
