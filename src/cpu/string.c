/* SPDX-License-Identifier: MIT */
/*
 * String instructions (SDM vol. 1, 7.3.9) with their repetition.
 *
 * Each iteration moves the index registers and the count, so that the instruction can be left between any two: for a
 * fault, a deadline, a kick, a trap. RIP then stays at the instruction, and running it again goes on where it was left.
 * MOVS and STOS over plain memory are done in pieces of up to a page; they count and cost the same.
 */
#include <string.h>

#include "cpu/aluflags.h"
#include "cpu/internal.h"

static u64 rsi(const struct cpu *c, const struct insn *i) { return gpr_get(c, RSI, i->adsize); }
static u64 rdi(const struct cpu *c, const struct insn *i) { return gpr_get(c, RDI, i->adsize); }

static void advance(struct cpu *c, const struct insn *i, unsigned reg, u64 elements)
{
    u64 bytes = elements * i->opsize;
    u64 from = c->state.gpr[reg];
    gpr_set(c, reg, i->adsize, c->state.rflags & FLAG_DF ? from - bytes : from + bytes);
}

/* --- one element each --- */

static void movs(struct cpu *c, const struct insn *i)
{
    seg_write(c, ES, rdi(c, i), i->opsize, seg_read(c, i->mem.seg, rsi(c, i), i->opsize));
    advance(c, i, RSI, 1);
    advance(c, i, RDI, 1);
}

static void stos(struct cpu *c, const struct insn *i)
{
    seg_write(c, ES, rdi(c, i), i->opsize, gpr_get(c, RAX, i->opsize));
    advance(c, i, RDI, 1);
}

static void lods(struct cpu *c, const struct insn *i)
{
    gpr_set(c, RAX, i->opsize, seg_read(c, i->mem.seg, rsi(c, i), i->opsize));
    advance(c, i, RSI, 1);
}

static void compare(struct cpu *c, const struct insn *i, u64 a, u64 b)
{
    set_flags(c, FLAG_STATUS, flags_sub(a, b, (a - b) & size_mask(i->opsize), i->opsize));
}

static void cmps(struct cpu *c, const struct insn *i)
{
    u64 a = seg_read(c, i->mem.seg, rsi(c, i), i->opsize), b = seg_read(c, ES, rdi(c, i), i->opsize);
    compare(c, i, a, b);
    advance(c, i, RSI, 1);
    advance(c, i, RDI, 1);
}

static void scas(struct cpu *c, const struct insn *i)
{
    compare(c, i, gpr_get(c, RAX, i->opsize), seg_read(c, ES, rdi(c, i), i->opsize));
    advance(c, i, RDI, 1);
}

/* --- ports --- */

static void check_port(struct cpu *c, const struct insn *i, bool out)
{
    u16 port = c->state.gpr[RDX];
    check_io(c, port, i->opsize);
    if (!io_intercepted(c, port, i->opsize))
        return;
    struct icept_info info = { .kind = ICEPT_IO, .write = out, .port = port, .size = i->opsize, .string = true,
                               .rep = i->rep || i->repne, .mnemonic = i->mnemonic };
    info.gva = out ? seg_linear(c, i->mem.seg, rsi(c, i), i->opsize, false) : seg_linear(c, ES, rdi(c, i), i->opsize, true);
    raise_intercept(c, &info);
}

/* The destination is checked first: what was read from a port cannot be put back. */
static void ins(struct cpu *c, const struct insn *i)
{
    check_port(c, i, false);
    lin_probe_write(c, seg_linear(c, ES, rdi(c, i), i->opsize, true), i->opsize, cpl(c) == 3);
    seg_write(c, ES, rdi(c, i), i->opsize, c->env->io_read(c->env_opaque, c->state.gpr[RDX], i->opsize));
    advance(c, i, RDI, 1);
}

static void outs(struct cpu *c, const struct insn *i)
{
    check_port(c, i, true);
    c->env->io_write(c->env_opaque, c->state.gpr[RDX], i->opsize, seg_read(c, i->mem.seg, rsi(c, i), i->opsize));
    advance(c, i, RSI, 1);
}

/* --- many at once --- */

/* Host address of [offset, offset+bytes) if all of it is plain memory of one page; NULL otherwise. */
static u8 *plain(struct cpu *c, const struct insn *i, unsigned seg, u64 offset, u64 bytes, enum mmu_access a)
{
    const struct segment *s = &c->state.seg[seg];
    bool wraps = i->adsize < 8 && offset + bytes > size_mask(i->adsize);
    bool wide = state_code_bits(&c->state) == 64, expands_down = !wide && (s->attr & (SEG_CODE | SEG_EXPAND_DOWN)) == SEG_EXPAND_DOWN;
    if (wraps || expands_down || c->no_fast_memory || (!wide && offset + bytes - 1 > s->limit))
        return NULL;
    gva_t gva = seg_linear(c, seg, offset, i->opsize, a == ACCESS_WRITE);
    return mmu_fast(&c->mmu, gva, bytes, a, cpl(c) == 3);
}

/* How many of n elements lie in the page of this offset? */
static u64 until_page_end(struct cpu *c, const struct insn *i, unsigned seg, u64 offset, u64 n)
{
    u64 fit = (PAGE_SIZE - ((seg_base(c, seg) + offset) & ~PAGE_MASK)) / i->opsize;
    return n < fit ? n : fit;
}

/* Forward element by element: an overlapping destination repeats what it has just been given. */
static void copy(u8 *to, const u8 *from, u64 bytes, unsigned size)
{
    if (to <= from || to >= from + bytes) {
        memmove(to, from, bytes);
        return;
    }
    for (u64 k = 0; k < bytes; k += size)
        memmove(to + k, from + k, size);
}

static u64 movs_many(struct cpu *c, const struct insn *i, u64 n)
{
    n = until_page_end(c, i, ES, rdi(c, i), until_page_end(c, i, i->mem.seg, rsi(c, i), n));
    u8 *from = n ? plain(c, i, i->mem.seg, rsi(c, i), n * i->opsize, ACCESS_READ) : NULL;
    u8 *to = from ? plain(c, i, ES, rdi(c, i), n * i->opsize, ACCESS_WRITE) : NULL;
    if (!to)
        return 0;
    copy(to, from, n * i->opsize, i->opsize);
    advance(c, i, RSI, n);
    advance(c, i, RDI, n);
    return n;
}

static u64 stos_many(struct cpu *c, const struct insn *i, u64 n)
{
    n = until_page_end(c, i, ES, rdi(c, i), n);
    u8 *to = n ? plain(c, i, ES, rdi(c, i), n * i->opsize, ACCESS_WRITE) : NULL;
    if (!to)
        return 0;
    if (i->opsize == 1)
        memset(to, c->state.gpr[RAX], n);
    for (u64 k = 0; k < n && i->opsize > 1; k++)
        memcpy(to + k * i->opsize, &c->state.gpr[RAX], i->opsize);
    advance(c, i, RDI, n);
    return n;
}

/* --- repetition --- */

/* Iterations that begin before the deadline: at least one. */
static u64 affordable(const struct cpu *c, u32 cost, u64 n)
{
    u64 left = c->deadline > c->clock->now ? c->deadline - c->clock->now : 0;
    u64 can = cost ? (left + cost - 1) / cost : n;
    return can == 0 ? 1 : n < can ? n : can;
}

/* Must the instruction be left before its next iteration? */
static bool interrupted(const struct cpu *c)
{
    return c->attention || c->clock->now >= c->deadline || c->state.rflags & FLAG_TF || c->pending_dr6 || c->watch_hit ||
           (c->debug && c->debug->step);
}

typedef void element_fn(struct cpu *c, const struct insn *i);
typedef u64 many_fn(struct cpu *c, const struct insn *i, u64 n);

/* Some iterations of n > 0. Returns how many were done. */
static u64 iterate(struct cpu *c, const struct insn *i, u64 n, element_fn *element, many_fn *many)
{
    u32 cost = c->cost[i->row->cost];
    bool forward = !(c->state.rflags & (FLAG_DF | FLAG_TF)) && !(c->debug && c->debug->step);
    u64 done = many && forward && n > 1 ? many(c, i, affordable(c, cost, n)) : 0;
    if (!done) {
        element(c, i);
        done = 1;
    }
    ledger_guest(c->ledger, 0, done * cost);
    return done;
}

/* For CMPS and SCAS: REPE ends at a difference, REPNE at equality. */
static bool found(const struct cpu *c, const struct insn *i, bool compares)
{
    bool zf = c->state.rflags & FLAG_ZF;
    return compares && (i->repne ? zf : !zf);
}

static void repeat(struct cpu *c, const struct insn *i, element_fn *element, many_fn *many, bool compares)
{
    u64 left = gpr_get(c, RCX, i->adsize);
    while (left) {
        left -= iterate(c, i, left, element, many);
        gpr_set(c, RCX, i->adsize, left);
        if (!left || found(c, i, compares))
            return;
        if (interrupted(c)) {
            c->state.rip = c->insn_rip;
            return;
        }
    }
}

static void string(struct cpu *c, const struct insn *i, element_fn *element, many_fn *many, bool compares)
{
    if (i->rep || i->repne)
        repeat(c, i, element, many, compares);
    else
        iterate(c, i, 1, element, NULL);
}

static void exec_movs(struct cpu *c, const struct insn *i) { string(c, i, movs, movs_many, false); }
static void exec_stos(struct cpu *c, const struct insn *i) { string(c, i, stos, stos_many, false); }
static void exec_lods(struct cpu *c, const struct insn *i) { string(c, i, lods, NULL, false); }
static void exec_cmps(struct cpu *c, const struct insn *i) { string(c, i, cmps, NULL, true); }
static void exec_scas(struct cpu *c, const struct insn *i) { string(c, i, scas, NULL, true); }
static void exec_ins(struct cpu *c, const struct insn *i) { string(c, i, ins, NULL, false); }
static void exec_outs(struct cpu *c, const struct insn *i) { string(c, i, outs, NULL, false); }

const struct handler string_handlers[] = {
    { MN_MOVS, exec_movs }, { MN_STOS, exec_stos }, { MN_LODS, exec_lods }, { MN_CMPS, exec_cmps }, { MN_SCAS, exec_scas },
    { MN_INS, exec_ins }, { MN_OUTS, exec_outs }, { 0, NULL },
};
