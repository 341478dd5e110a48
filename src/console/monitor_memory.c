/* SPDX-License-Identifier: MIT */
/* Looking at memory (x, xp) and at numbers (print). */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "console/gdbstub.h"
#include "console/monitor_internal.h"

/* --- expressions: sum := term {+|-|'|' term}; term := factor {*|/|& factor}; factor := number | $register | (sum) | -factor | ~factor --- */

struct parser {
    struct monitor *m;
    const char *at, *wrong;     /* wrong: what is the matter, NULL: nothing */
    unsigned depth;
};

#define MAX_DEPTH 32

static u64 parse_sum(struct parser *p);

static char peek(struct parser *p)
{
    p->at += strspn(p->at, " \t");
    return *p->at;
}

static u64 fail(struct parser *p, const char *wrong)
{
    p->wrong = p->wrong ? p->wrong : wrong;
    return 0;
}

static u64 parse_register(struct parser *p)
{
    char name[16];
    struct cpu_state s;
    u64 value;
    size_t len = 0;
    while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_')
        len++;
    snprintf(name, sizeof name, "%.*s", (int)len, p->at);
    p->at += len;
    debugger_get_state(&p->m->console->debugger, &s);
    return gdb_register_named(&s, name, &value) ? value : fail(p, "no such register");
}

static u64 parse_number(struct parser *p)
{
    char *end;
    u64 value = strtoull(p->at, &end, 0);
    if (!isdigit((unsigned char)*p->at) || isalnum((unsigned char)*end))
        return fail(p, "not a number (0x for hexadecimal, $ for a register)");
    p->at = end;
    return value;
}

static u64 parse_inside(struct parser *p)
{
    u64 value = parse_sum(p);
    if (peek(p) != ')')
        return fail(p, "a ) is missing");
    p->at++;
    return value;
}

static u64 parse_factor(struct parser *p)
{
    static const struct { char first; u64 (*parse)(struct parser *p); } kind[] = { { '$', parse_register }, { '%', parse_register }, { '(', parse_inside } };
    char c = peek(p);
    u64 value;
    if (++p->depth > MAX_DEPTH)
        return fail(p, "too deep");
    for (unsigned i = 0; i < ARRAY_LEN(kind); i++)
        if (c == kind[i].first) {
            p->at++;
            value = kind[i].parse(p);
            p->depth--;
            return value;
        }
    p->at += c == '-' || c == '~';
    value = c == '-' ? -parse_factor(p) : c == '~' ? ~parse_factor(p) : parse_number(p);
    p->depth--;
    return value;
}

static u64 parse_term(struct parser *p)
{
    u64 value = parse_factor(p);
    for (char c; !p->wrong && (c = peek(p)) && strchr("*/&", c);) {
        p->at++;
        u64 by = parse_factor(p);
        if (c == '/' && !by)
            return fail(p, "division by zero");
        value = c == '*' ? value * by : c == '/' ? value / by : value & by;
    }
    return value;
}

static u64 parse_sum(struct parser *p)
{
    u64 value = parse_term(p);
    for (char c; !p->wrong && (c = peek(p)) && strchr("+-|", c);) {
        p->at++;
        u64 by = parse_term(p);
        value = c == '+' ? value + by : c == '-' ? value - by : value | by;
    }
    return value;
}

bool monitor_evaluate(struct monitor *m, const char *text, u64 *value, FILE *out)
{
    struct parser p = { .m = m, .at = text };
    *value = parse_sum(&p);
    if (!p.wrong && peek(&p))
        fail(&p, "something is left over");
    if (p.wrong)
        fprintf(out, "%s: %s\n", text, p.wrong);
    return !p.wrong;
}

void monitor_print(struct monitor *m, char *args, FILE *out)
{
    u64 value;
    if (monitor_evaluate(m, args, &value, out))
        fprintf(out, "0x%" PRIx64 " %" PRId64 "\n", value, (s64)value);
}

/* --- dumps --- */

#define MAX_ITEMS 4096

struct format { unsigned count, size; char letter; };

/* "/10xw": in any order, each part may be missing. */
static bool parse_format(struct format *f, char **args)
{
    *f = (struct format){ .count = 1, .size = 4, .letter = 'x' };
    if (**args != '/')
        return true;
    char *at = *args + 1, *end;
    f->count = isdigit((unsigned char)*at) ? strtoul(at, &end, 10) : 1;
    at += strspn(at, "0123456789");
    for (; *at && *at != ' '; at++) {
        const char *size = strchr("bh.w...g", *at);
        if (size && *at != '.')
            f->size = size - "bh.w...g" + 1;
        else if (strchr("xduoci", *at))
            f->letter = *at;
        else
            return false;
    }
    *args = at + strspn(at, " ");
    return f->count <= MAX_ITEMS;
}

struct dump {
    struct monitor *m;
    u64 (*read)(struct debugger *d, u64 address, void *buf, u64 len);
    u64 at;
    FILE *out;
};

static void print_item(const struct format *f, u64 value, FILE *out)
{
    unsigned shift = 64 - 8 * f->size, digits = 2 * f->size;
    s64 extended = (s64)(value << shift) >> shift;
    if (f->letter == 'x')
        fprintf(out, " 0x%0*" PRIx64, digits, value);
    else if (f->letter == 'o')
        fprintf(out, " 0%" PRIo64, value);
    else if (f->letter == 'u')
        fprintf(out, " %" PRIu64, value);
    else if (f->letter == 'c')
        fprintf(out, " '%c'", isprint((int)(value & 0xff)) ? (int)(value & 0xff) : '.');
    else
        fprintf(out, " %" PRId64, extended);
}

static bool unreadable(struct dump *u)
{
    fprintf(u->out, " cannot be read\n");
    return false;
}

static void dump_items(struct dump *u, const struct format *f)
{
    unsigned per_line = f->letter == 'c' ? 16 : 16 / f->size;
    for (unsigned i = 0; i < f->count; i++, u->at += f->size) {
        u64 value = 0;
        if (i % per_line == 0)
            fprintf(u->out, "%s%08" PRIx64 ":", i ? "\n" : "", u->at);
        if (u->read(&u->m->console->debugger, u->at, &value, f->size) != f->size) {
            unreadable(u);
            return;
        }
        print_item(f, value, u->out);
    }
    fprintf(u->out, "\n");
}

static bool dump_instruction(struct dump *u, unsigned bits)
{
    u8 bytes[15];
    char text[96];
    struct insn insn;
    u64 got = u->read(&u->m->console->debugger, u->at, bytes, sizeof bytes);
    fprintf(u->out, "%08" PRIx64 ":", u->at);
    if (!got)
        return unreadable(u);
    fprintf(u->out, "  %s\n", disassemble(bytes, got, bits, u->at, text, sizeof text));
    u->at += decode_insn(bytes, got, bits, &insn) == DECODE_OK ? insn.len : 1;
    return true;
}

static void dump_code(struct dump *u, unsigned count)
{
    struct cpu_state s;
    debugger_get_state(&u->m->console->debugger, &s);
    while (count && dump_instruction(u, state_code_bits(&s)))
        count--;
}

static void examine(struct dump *u, char *args)
{
    struct format f;
    if (!parse_format(&f, &args))
        fprintf(u->out, "a format is /COUNT, a letter of x d u o c i, a size of b h w g, as x/4xw; at most %d items\n", MAX_ITEMS);
    else if (!*args)
        fprintf(u->out, "give an address, as x/10i $eip\n");
    else if (!monitor_evaluate(u->m, args, &u->at, u->out))
        return;
    else if (f.letter == 'i')
        dump_code(u, f.count);
    else
        dump_items(u, &f);
}

void monitor_x(struct monitor *m, char *args, FILE *out) { examine(&(struct dump){ .m = m, .read = debugger_read, .out = out }, args); }
void monitor_xp(struct monitor *m, char *args, FILE *out) { examine(&(struct dump){ .m = m, .read = debugger_read_physical, .out = out }, args); }
