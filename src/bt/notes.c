/* SPDX-License-Identifier: MIT */
/* Host instructions in the translator's own terms: what the fields, jumps and small sequences of a unit are for. */
#include <stdlib.h>
#include <string.h>

#include "bt/emit.h"
#include "bt/show.h"

/* --- operands --- */

#define FIELD(name) { #name, offsetof(struct context, name), sizeof(((struct context *)0)->name) }
static const struct { const char *name; u32 offset, size; } fields[] = {
    FIELD(flags), FIELD(leave), FIELD(eip), FIELD(from), FIELD(segments), FIELD(seg_base[ES]), FIELD(seg_base[CS]), FIELD(seg_base[SS]), FIELD(seg_base[DS]),
    FIELD(seg_base[FS]), FIELD(seg_base[GS]), FIELD(target), FIELD(scratch), FIELD(window), FIELD(minus_window),
    FIELD(tsc_end), FIELD(system_flags), FIELD(interrupt_flag), FIELD(interrupt_waits), FIELD(host_rsp), FIELD(directory), FIELD(fpu_gate),
    FIELD(cr[0]), FIELD(cr[2]), FIELD(cr[3]), FIELD(cr[4]),
    { "in_cache[flags]", CTX(in_cache[IN_CACHE_FLAGS]), 8 }, { "in_cache[cr]", CTX(in_cache[IN_CACHE_CR]), 8 }, { "in_cache[rdtsc]", CTX(in_cache[IN_CACHE_RDTSC]), 8 },
    { "in_cache[sreg]", CTX(in_cache[IN_CACHE_SREG]), 8 }, FIELD(segments),
};

/* "[r15 + 0x74]" is what context.eip looks like; the name says more. */
static void field_name(u32 offset, char *buf, size_t size)
{
    snprintf(buf, size, "r15 + 0x%x", offset);
    for (unsigned n = 0; n < ARRAY_LEN(fields); n++) {
        u32 within = offset - fields[n].offset;
        if (within < fields[n].size)
            snprintf(buf, size, within ? "r15.%s + %u" : "r15.%s", fields[n].name, within);
    }
}

static void name_fields(const char *text, char *buf, size_t size)
{
    const char *at = strstr(text, "[r15"), *end = at ? strchr(at, ']') : NULL;
    char name[64];
    if (!end) {
        snprintf(buf, size, "%s", text);
        return;
    }
    field_name(at[4] == ' ' ? strtoul(at + 7, NULL, 0) : 0, name, sizeof name);
    snprintf(buf, size, "%.*s%s%s", (int)(at + 1 - text), text, name, end);
}

/* "dword ptr [..]" is as clear without "ptr". */
static void drop_ptr(char *text)
{
    for (char *p; (p = strstr(text, " ptr "));)
        memmove(p, p + 4, strlen(p + 4) + 1);
}

static const struct link *link_at_site(const struct unit *u, u32 site)
{
    for (int k = 0; k < 2; k++)
        if (u->link[k].from && u->link[k].site == site)
            return &u->link[k];
    return NULL;
}

static const struct link *link_at_stub(const struct unit *u, u32 stub)
{
    for (int k = 0; k < 2; k++)
        if (u->link[k].from && u->link[k].stub == stub)
            return &u->link[k];
    return NULL;
}

static bool is_short_jump(const u8 *bytes, unsigned len) { return len == 2 && ((bytes[0] & 0xf0) == 0x70 || bytes[0] == 0xeb); }
static bool is_jump(const u8 *bytes, unsigned len) { return (len == 5 && bytes[0] == 0xe9) || (len == 6 && bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80); }
bool is_host_pointer(const u8 *bytes, unsigned len) { return len == 10 && bytes[0] == 0x49 && bytes[1] == 0xb9; }

static u32 jump_target(u32 at, const u8 *bytes, unsigned len)
{
    u32 rel;
    memcpy(&rel, bytes + len - 4, 4);
    return at + len + rel;
}

static void stub_name(const struct bt *b, u32 to, char *buf, size_t size)
{
    const struct { u32 at; const char *name; } stubs[] = { { b->leave, "leave" }, { b->miss, "miss" }, { b->link, "link" }, { b->callout, "callout" } };
    snprintf(buf, size, "%06x", to);
    for (unsigned n = 0; n < ARRAY_LEN(stubs); n++)
        if (stubs[n].at == to)
            snprintf(buf, size, "%s", stubs[n].name);
}

void host_operands(const struct bt *b, const struct unit *u, u32 at, const u8 *bytes, unsigned len, const char *text, char *buf, size_t size)
{
    if (is_host_pointer(bytes, len)) {
        snprintf(buf, size, "r9, its counter");
    } else if (is_jump(bytes, len)) {
        u32 to = jump_target(at, bytes, len);
        const struct link *l = link_at_site(u, at + len - 4);
        if (l && l->to)
            snprintf(buf, size, "unit %08x", l->eip);
        else
            stub_name(b, to, buf, size);
    } else if (is_short_jump(bytes, len)) {
        snprintf(buf, size, "%06x", at + 2 + (s8)bytes[1]);
    } else {
        name_fields(text, buf, size);
        drop_ptr(buf);
    }
}

/* --- notes --- */

static bool in_head(const struct unit *u, u32 at) { return at < u->host + u->map[0].host; }

static bool through_window(const u8 *bytes, unsigned len)
{
    for (unsigned n = 0; n < len && n < 4; n++)
        if (bytes[n] == 0x65)
            return true;
    return false;
}

/* The small sequences that never differ, by their first bytes. */
static const struct { u8 len, bytes[5]; bool head; const char *note; } sequences[] = {
    { 5, { 0xc4, 0x42, 0x9b, 0xf7, 0xee }, true, "deadline: r14 < 0?" },
    { 3, { 0x4d, 0x89, 0xf5 }, true, "deadline: r14 < 0?" },
    { 4, { 0x47, 0x8a, 0x2c, 0xec }, true, "if so, faults" },
    { 4, { 0x47, 0x8a, 0x2c, 0xec }, false, "faults, and leaves, if r13 > 0" },
    { 2, { 0x49, 0xb9 }, true, "counts how often it is entered" },
    { 2, { 0x49, 0xb9 }, false, "counts jumps by the table" },
    { 3, { 0x4c, 0x8d, 0x2d }, true, "FPU state: loaded if need be" },
    { 5, { 0xc4, 0x42, 0x2b, 0xf7, 0xe8 }, false, "jump table: page of r8" },
    { 4, { 0x4f, 0x8b, 0x6c, 0xea }, false, "its code page" },
    { 3, { 0x4d, 0x8b, 0xaa }, false, "jump table: its code page" },
    { 4, { 0x47, 0x8b, 0x6c, 0x85 }, false, "code, or the miss stub" },
    { 3, { 0x4d, 0x8d, 0x9b }, false, "count an indirect jump" },
};

static const char *sequence_note(const u8 *bytes, bool head)
{
    for (unsigned n = 0; n < ARRAY_LEN(sequences); n++)
        if (sequences[n].head == head && memcmp(bytes, sequences[n].bytes, sequences[n].len) == 0)
            return sequences[n].note;
    return NULL;
}

void host_note(const struct bt *b, const struct unit *u, u32 at, const u8 *bytes, unsigned len, char *buf, size_t size)
{
    const struct link *site = is_jump(bytes, len) ? link_at_site(u, at + len - 4) : NULL, *stub = link_at_stub(u, at);
    const char *note = sequence_note(bytes, in_head(u, at));
    buf[0] = 0;
    if (stub)
        snprintf(buf, size, stub->to ? "exit stub for %08x, idle while chained" : "exit stub for %08x", stub->eip);
    else if (site)
        snprintf(buf, size, site->to ? "chained" : "not chained yet: its stub");
    else if (at == u->host + u->entry && u->ncounted)
        snprintf(buf, size, "head: charge %u cycles, count %u instruction%s", u->cycles, u->ncounted, u->ncounted == 1 ? "" : "s");
    else if (note)
        snprintf(buf, size, "%s", note);
    else if (through_window(bytes, len))
        snprintf(buf, size, "window");
}
