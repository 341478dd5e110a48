/* SPDX-License-Identifier: MIT */
/* Descriptor tables, and what a loaded segment is (SDM vol. 3, 3.4 and 3.5). */
#include "cpu/descriptor.h"

u32 error_ext(const struct cpu *c)
{
    return c->delivering && c->delivering_trap.type != TRAP_SOFT_INT && c->delivering_trap.type != TRAP_SOFT_EXC;
}

void raise_selector(struct cpu *c, u8 vector, u16 selector)
{
    raise_error(c, vector, (selector & ~3u) | error_ext(c));
}

/* Where the descriptor is; false if the selector is beyond its table's limit, or there is no LDT. */
static bool descriptor_address(const struct cpu *c, u16 selector, gva_t *gva)
{
    const struct cpu_state *s = &c->state;
    bool local = selector & 4;
    if (local && s->ldtr.attr & SEG_UNUSABLE)
        return false;
    u64 base = local ? s->ldtr.base : s->gdtr.base;
    u32 limit = local ? s->ldtr.limit : s->gdtr.limit;
    *gva = system_gva(c, base + (selector & ~7u));
    return (selector | 7u) <= limit;
}

bool descriptor_read(struct cpu *c, u16 selector, u64 *raw)
{
    gva_t gva;
    if (!descriptor_address(c, selector, &gva))
        return false;
    *raw = lin_read_system(c, gva, 8);
    return true;
}

u64 descriptor_fetch(struct cpu *c, u16 selector, u8 vector)
{
    u64 raw;
    if (!descriptor_read(c, selector, &raw))
        raise_selector(c, vector, selector);
    return raw;
}

u64 descriptor_fetch_upper(struct cpu *c, u16 selector, u8 vector)
{
    gva_t gva;
    if (selector > 0xfff7 || !descriptor_address(c, selector + 8, &gva))
        raise_selector(c, vector, selector);
    u64 upper = lin_read_system(c, gva, 8);
    if (upper >> 40 & 0x1f)
        raise_selector(c, vector, selector);
    return upper;
}

void descriptor_check_code(struct cpu *c, u16 selector, u64 raw)
{
    const u64 both = (u64)(SEG_L | SEG_DB) << 40;
    if (state_long(&c->state) && (raw & both) == both)
        raise_selector(c, VEC_GP, selector);
}

int cpu_read_descriptor(struct cpu *c, u16 selector, u64 *raw)
{
    gva_t gva;
    return descriptor_address(c, selector, &gva) && cpu_peek(c, gva, raw, sizeof *raw) == sizeof *raw ? 0 : -1;
}

void segment_from_descriptor(struct segment *s, u16 selector, u64 raw)
{
    u32 attr = raw >> 40 & 0xf0ff;
    u32 limit = (raw & 0xffff) | (raw >> 32 & 0xf0000);
    s->selector = selector;
    s->base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000);
    s->limit = attr & SEG_G ? limit << 12 | 0xfff : limit;
    s->attr = attr;
}

static void write_type(struct cpu *c, u16 selector, u8 byte)
{
    gva_t gva;
    if (descriptor_address(c, selector, &gva))
        lin_write_system(c, gva + 5, 1, byte);
}

void descriptor_set_type(struct cpu *c, u16 selector, u64 *raw, unsigned bits)
{
    u64 set = (u64)bits << 40;
    if ((*raw & set) == set)
        return;
    *raw |= set;
    write_type(c, selector, *raw >> 40);
}

void descriptor_clear_type(struct cpu *c, u16 selector, unsigned bits)
{
    u64 raw;
    if (descriptor_read(c, selector, &raw))
        write_type(c, selector, (raw >> 40) & ~bits);
}

struct segment descriptor_load(struct cpu *c, u16 selector, u64 raw)
{
    struct segment s;
    descriptor_set_type(c, selector, &raw, SEG_ACCESSED);
    segment_from_descriptor(&s, selector, raw);
    return s;
}

bool segment_covers(const struct segment *s, u32 offset, u32 len)
{
    u32 last = offset + len - 1;
    bool wraps = last < offset;
    bool expand_down = !(s->attr & SEG_CODE) && s->attr & SEG_EXPAND_DOWN;
    if (wraps || s->attr & SEG_UNUSABLE)
        return false;
    if (expand_down)
        return offset > s->limit && (s->attr & SEG_DB || last <= 0xffff);
    return last <= s->limit;
}

/* Limit and attributes stay what they were: "unreal mode" lives by this. */
struct segment segment_real(const struct segment *old, u16 selector)
{
    struct segment s = *old;
    s.selector = selector;
    s.base = selector << 4;
    s.attr &= ~SEG_UNUSABLE;
    return s;
}

struct segment segment_v86(u16 selector)
{
    return (struct segment){ .selector = selector, .base = selector << 4, .limit = 0xffff, .attr = SEG_P | SEG_DPL | SEG_S | SEG_RW | SEG_ACCESSED };
}

struct segment segment_null(u16 selector)
{
    return (struct segment){ .selector = selector, .attr = SEG_UNUSABLE };
}

struct segment segment_null_stack(u16 selector, unsigned level)
{
    return (struct segment){ .selector = selector, .attr = SEG_UNUSABLE | level << 5 };
}
