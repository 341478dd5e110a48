/* SPDX-License-Identifier: MIT */
/*
 * The translator: one unit of guest code in, host code out, in three steps.
 *
 *   scan   decode up to 12 instructions, to the first that ends a unit
 *   head   the unit charges its cycles and leaves when the deadline has passed
 *   body   each instruction by its rule (rules.c): copied, rewritten, or a callout
 *
 * No step may touch the guest's arithmetic flags, which live in the host's: so address and count arithmetic is done by
 * LEA and MOV, and the deadline is noticed by a load that faults instead of a compare and a jump.
 */
#include <assert.h>

#include "bt/maker.h"

#define UNIT_ROOM 8192          /* host bytes that one unit can need at most: eleven pushes and a call through segments take 1944, and old hosts need longer forms */

/* Jumps out of the code segment fault where they stand. */
static bool jumps_too_far(const struct maker *m, const struct insn *i, u32 next)
{
    return i->op[0].kind == OPD_REL && target_of(m, i, next) - m->code_base > m->bt->code_segment[m->u->key / KEY_CS].limit;
}

/* What only this unit's surroundings make impossible. */
static bool too_odd(const struct maker *m, const struct insn *i, enum rule r, u32 next)
{
    return r == RULE_STRING ? m->string_cycles > 15 : jumps_too_far(m, i, next);
}

static void body(struct maker *m, unsigned n)
{
    const struct insn *i = &m->scan->insn[n];
    u32 next = m->scan->at[n] + i->len;
    switch (m->scan->rule[n]) {
    case RULE_CALLOUT: leave_for_callout(m); break;
    case RULE_IDENT: body_ident(m, i); break;
    case RULE_INCDEC: body_incdec(m, i); break;
    case RULE_LEA: body_lea(m, i); break;
    case RULE_NOTHING: break;
    case RULE_BIT: body_bit(m, i); break;
    case RULE_STRING: body_string(m, i, &m->u->map[n]); break;
    case RULE_CLI: body_cli(m); break;
    case RULE_STI: body_sti(m); break;
    case RULE_PUSHF: body_pushf(m); break;
    case RULE_POPF: body_popf(m); break;
    case RULE_READ_CR: body_read_cr(m, i); break;
    case RULE_SMSW: body_smsw(m, i); break;
    case RULE_RDTSC: body_rdtsc(m, &m->u->map[n]); break;
    case RULE_READ_SREG: body_read_sreg(m, i); break;
    case RULE_LOAD_SREG: body_load_sreg(m, i, next, m->u->cycles - m->u->map[n].cycles); break;
    case RULE_PUSH: body_push(m, i); break;
    case RULE_POP: body_pop(m, i); break;
    case RULE_LEAVE: body_leave(m, i); break;
    case RULE_CALL: body_call(m, i, next); break;
    case RULE_RET: body_ret(m, i); break;
    case RULE_JMP: body_jmp(m, i, next); break;
    case RULE_JCC: body_jcc(m, i, next); break;
    case RULE_LOOP: body_loop(m, i, next); break;
    case RULE_JCC_ROUND: body_jcc_round(m, i, n); break;
    }
}

/* --- the unit --- */

static bool is_fpu(const struct insn *i)
{
    u8 isa = i->row->isa;
    return isa == ISA_FPU || isa == ISA_MMX || (isa == ISA_CMOV && i->row->cost == COST_FP) || (isa >= ISA_SSE && isa <= ISA_SSE3) || isa == ISA_SSSE3;
}

static bool is_indirect(const struct insn *i, enum rule r)
{
    return r == RULE_RET || ((r == RULE_CALL || r == RULE_JMP) && i->op[0].kind != OPD_REL);
}

static enum in_cache in_cache_of(enum rule r)
{
    return r == RULE_RDTSC ? IN_CACHE_RDTSC : r == RULE_READ_CR || r == RULE_SMSW ? IN_CACHE_CR : r == RULE_READ_SREG || r == RULE_LOAD_SREG ? IN_CACHE_SREG : IN_CACHE_FLAGS;
}

/* What the instruction costs in the cache, beside nothing else. */
static u32 cycles_of(const struct maker *m, const struct insn *i, enum rule r, const struct bt_vcpu *v)
{
    if (r == RULE_STRING && repeats(i))
        return v->cpu->cost[COST_PLAIN]; /* and by iteration */
    if (rule_in_cache(r))
        return v->policy->in_cache_cycles(v, in_cache_of(r), i);
    return v->cpu->cost[i->row->cost] + (is_indirect(i, r) && m->counts_indirect ? v->policy->indirect_cycles(v) : 0);
}

/* What the unit charges at its entry, and where each instruction's share begins. */
static void plan(struct maker *m, const struct bt_vcpu *v)
{
    struct unit *u = m->u;
    for (unsigned n = 0; n < m->scan->n; n++) {
        const struct insn *i = &m->scan->insn[n];
        u->map[n] = (struct insn_map){ .mnemonic = i->mnemonic, .guest = m->scan->at[n] - u->eip };
        if (too_odd(m, i, m->scan->rule[n], m->scan->at[n] + i->len)) {
            m->scan->rule[n] = RULE_CALLOUT;
            m->scan->n = n + 1;
            m->scan->once = m->scan->once < n + 1 ? m->scan->once : n + 1;
            m->scan->ends = true;
        }
        u->map[n].cycles = u->cycles;
        if (m->scan->rule[n] != RULE_CALLOUT) {
            u->cycles += cycles_of(m, i, m->scan->rule[n], v);
            u->ncounted++;
            u->uses_fpu |= is_fpu(i);
        }
        if (n < m->scan->once)
            m->bt->stats.by_rule[m->scan->rule[n]]++;
    }
    u->ninsns = m->scan->n;
    u->nguest = m->scan->once;
}

struct unit *translate(struct bt_vcpu *v, u32 eip, u32 key, gpa_t gpa)
{
    struct bt *b = v->bt;
    struct scan s;
    gpa_t second;
    scan_unit(v, &s, eip, key, gpa, &second);
    if (!s.n)
        return NULL;
    if (b->code_used + UNIT_ROOM > b->code_size || b->nunits == b->max_units || b->nmaps + UNIT_MAX_INSNS > b->max_maps)
        cache_flush(b);

    struct unit *u = &b->units[b->nunits++];
    *u = (struct unit){ .eip = eip, .gpa = { gpa, second }, .key = key, .host = b->code_used, .map = &b->maps[b->nmaps] };
    struct maker m = { .e = { b->code + b->code_used, b->code + b->code_used }, .bt = b, .u = u, .scan = &s, .string_cycles = v->cpu->cost[COST_STRING], .code_base = code_base(b, key),
                       .counts_indirect = v->policy->counts_indirect && (key & KEY_CPL) != 3 };
    plan(&m, v);
    b->nmaps += u->ninsns;
    if (second)
        jump_by_table_to(&m, eip);
    u->entry = offset_of(&m) - u->host;
    unit_head(&m);
    if (u->uses_fpu)
        unit_fpu_gate(&m);
    for (unsigned n = 0; n < s.n; n++) {
        u->map[n].host = offset_of(&m) - u->host;
        body(&m, n);
    }
    u32 behind = s.at[s.n - 1] + s.insn[s.n - 1].len;
    u->len = behind - eip;
    if (!s.ends || (second && !ends_unit(s.rule[s.n - 1])))
        exit_to(&m, 0, behind);
    u->host_len = offset_of(&m) - u->host;
    assert(u->host_len + 16 <= UNIT_ROOM);
    b->code_used = (offset_of(&m) + 15) & ~15u;
    cache_add(b, u);
    b->stats.units++;
    b->stats.insns += s.once;
    b->stats.guest_bytes += u->len;
    b->stats.host_bytes += u->host_len;
    return u;
}
