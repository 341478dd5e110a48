/* SPDX-License-Identifier: MIT */
#include "base/ledger.h"

#include <ctype.h>
#include <string.h>

const struct family_row family_rows[FAMILY_COUNT] = {
#define FAMILY(id, name, help) [FAMILY_##id] = { name, help },
#include "base/events.def"
};

const struct event_row event_rows[EV_COUNT] = {
#define EVENT(id, name, family, formula, help) [EV_##id] = { name, FAMILY_##family, formula, help },
#include "base/events.def"
};

/* ------------------------------------------------------------------------------------------------
 * Formulas:  formula = term { "+" term } | "0",  term = [ number "*" ] component
 * A formula says how an event is composed; it is part of the documentation, so it stays text.
 * --------------------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *s)
{
    while (*s == ' ')
        s++;
    return s;
}

static bool is_name_char(char c)
{
    return islower((unsigned char)c) || isdigit((unsigned char)c) || c == '.' || c == '_';
}

/* The component called by the `len` bytes at `name`, or COMP_COUNT. */
static enum component component_find(const char *name, size_t len)
{
    int k = 0;
    while (k < COMP_COUNT && (strlen(component_rows[k].name) != len || memcmp(component_rows[k].name, name, len)))
        k++;
    return k;
}

/* A decimal number at *s; moves *s behind it. False if there is none or it does not fit. */
static bool parse_number(const char **s, u64 *n)
{
    const char *start = *s;
    *n = 0;
    for (; isdigit((unsigned char)**s); ++*s)
        if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, **s - '0', n))
            return false;
    return *s != start;
}

/* "[N*]name" at *s: adds its cycles to *sum and moves *s behind it. */
static int eval_term(const char **s, const struct profile *p, u64 *sum, const char *formula, struct error *err)
{
    u64 n = 1, product;
    if (isdigit((unsigned char)**s)) {
        if (!parse_number(s, &n) || *(*s = skip_blanks(*s)) != '*')
            return error_set(err, "formula \"%s\": a number must be followed by '*' and a component", formula);
        *s = skip_blanks(*s + 1);
    }
    const char *name = *s;
    while (is_name_char(**s))
        ++*s;
    enum component k = component_find(name, *s - name);
    if (k == COMP_COUNT)
        return error_set(err, "formula \"%s\": no component is called '%.*s'; components.def has the names", formula,
                         (int)(*s - name), name);
    if (__builtin_mul_overflow(n, p->value[k], &product) || __builtin_add_overflow(*sum, product, sum))
        return error_set(err, "formula \"%s\": the sum does not fit into 64 bits", formula);
    return 0;
}

int formula_eval(const char *formula, const struct profile *p, u64 *cycles, struct error *err)
{
    const char *s = skip_blanks(formula);
    u64 sum = 0;
    *cycles = 0;
    if (strcmp(s, "0") == 0)
        return 0;
    for (;;) {
        if (eval_term(&s, p, &sum, formula, err))
            return -1;
        s = skip_blanks(s);
        if (!*s)
            break;
        if (*s != '+')
            return error_set(err, "formula \"%s\": expected '+' at \"%s\"", formula, s);
        s = skip_blanks(s + 1);
    }
    *cycles = sum;
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

int ledger_init(struct ledger *l, struct clock *clock, const struct profile *p, struct error *err)
{
    struct error why;
    memset(l, 0, sizeof *l);
    l->clock = clock;
    for (int e = 0; e < EV_COUNT; e++)
        if (formula_eval(event_rows[e].formula, p, &l->cost[e], &why))
            return error_set(err, "event %s: %s", event_rows[e].name, why.text);
    return 0;
}

void ledger_reset(struct ledger *l)
{
    memset(l->count, 0, sizeof l->count);
    memset(l->cycles, 0, sizeof l->cycles);
    l->guest_insns = l->guest_cycles = l->polled = 0;
}

void ledger_observe_event(struct ledger *l, enum event e, u64 n, cycles_t cycles)
{
    for (struct ledger_observer *o = l->observer; o && (n || cycles); o = o->next)
        if (o->event)
            o->event(o, l, e, n, cycles);
}

void ledger_observe_guest(struct ledger *l, u64 insns, cycles_t cycles)
{
    for (struct ledger_observer *o = l->observer; o && (insns || cycles); o = o->next)
        if (o->guest)
            o->guest(o, l, insns, cycles);
}

u64 ledger_family_count(const struct ledger *l, enum family f)
{
    u64 sum = 0;
    for (int e = 0; e < EV_COUNT; e++)
        if (event_rows[e].family == f)
            sum += l->count[e];
    return sum;
}

u64 ledger_family_cycles(const struct ledger *l, enum family f)
{
    u64 sum = 0;
    for (int e = 0; e < EV_COUNT; e++)
        if (event_rows[e].family == f)
            sum += l->cycles[e];
    return sum;
}

u64 ledger_event_cycles(const struct ledger *l)
{
    u64 sum = 0;
    for (int e = 0; e < EV_COUNT; e++)
        sum += l->cycles[e];
    return sum;
}
