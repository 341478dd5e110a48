/* SPDX-License-Identifier: MIT */
/* First step: which guest instructions make the unit, and what becomes of each. */
#include "bt/maker.h"

/* Guest bytes at eip: up to 15, over a page boundary if the next page can be fetched (*second is its gpa then). Returns how many.
 * A look ahead, not an access: the next page's A bit stays as it is. */
static unsigned fetch(struct bt_vcpu *v, u32 eip, gpa_t gpa, u8 *bytes, gpa_t *second)
{
    struct cpu *c = v->cpu;
    unsigned first = PAGE_SIZE - (gpa & ~PAGE_MASK), n = first < INSN_MAX ? first : INSN_MAX;
    const u8 *p = physmap_ptr_ro(c->mmu.map, gpa, n);
    struct xlat x;
    struct mmu_fault f;
    u8 perms;
    *second = 0;
    if (!p)
        return 0;
    memcpy(bytes, p, n);
    if (n == INSN_MAX || (u32)(eip + n) == 0 /* at 4 GiB the interpreter knows what happens */ || mmu_probe(&c->mmu, (u32)(eip + n), ACCESS_EXEC, v->window->user, &x) < 0 ||
        mmu_second(&c->mmu, (u32)(eip + n), ACCESS_EXEC, &x.gpa, &perms, &f) < 0)
        return n;
    p = physmap_ptr_ro(c->mmu.map, x.gpa, INSN_MAX - n);
    if (!p)
        return n;
    *second = x.gpa;
    memcpy(bytes + n, p, INSN_MAX - n);
    return INSN_MAX;
}

bool ends_unit(enum rule r) { return r == RULE_CALLOUT || r == RULE_LOAD_SREG || (r >= RULE_CALL && r != RULE_JCC_ROUND); }

/* No interrupt may be delivered before the instruction behind STI (SDM vol. 2, STI). Inside a unit none is; at its end STI is left
 * to the monitor. */
static void settle_last(struct scan *s)
{
    if (s->n && s->rule[s->n - 1] == RULE_STI) {
        s->rule[s->n - 1] = RULE_CALLOUT;
        s->ends = true;
    }
}

static bool beyond_limit(const struct bt *b, u32 key, u32 at) { return at - code_base(b, key) > b->code_segment[key / KEY_CS].limit; }

/* Decode the unit. An instruction that crosses into the next page, or cannot be decoded or fetched, is left to the interpreter
 * when it comes first, and ends the unit before it otherwise. */
static void scan(struct bt_vcpu *v, struct scan *s, u32 eip, u32 key, gpa_t gpa, gpa_t *second)
{
    u8 bytes[INSN_MAX];
    *second = 0;
    s->n = 0;
    s->ends = false;
    s->next = eip;
    while (s->n < UNIT_MAX_INSNS && !s->ends) {
        struct insn *i = &s->insn[s->n];
        gpa_t at = gpa + (s->next - eip), crossed;
        if ((at ^ gpa) & PAGE_MASK)
            return;
        unsigned avail = fetch(v, s->next, at, bytes, &crossed);
        if (decode_insn(bytes, avail, key_bits(key), i) != DECODE_OK || beyond_limit(v->bt, key, s->next + i->len - 1))
            return;
        if ((at & ~PAGE_MASK) + i->len > PAGE_SIZE) {
            if (s->n)
                return;
            *second = crossed;
        }
        s->at[s->n] = s->next;
        s->rule[s->n] = adapted(v->bt, s->next) ? RULE_CALLOUT : rule_for(i, key, NULL);
        s->ends = ends_unit(s->rule[s->n]) || *second;
        s->n++;
        s->next += i->len;
    }
}

/* A unit that is a short loop: as many rounds of it as fit, so that the head is paid once for them. */
static void unroll(struct scan *s, bool code16)
{
    unsigned last = s->n - 1;
    if (!s->n || s->rule[last] != RULE_JCC || code16 || s->next + (u32)s->insn[last].imm != s->at[0])
        return;
    while (s->n + s->once <= UNIT_MAX_INSNS) {
        s->rule[s->n - 1] = RULE_JCC_ROUND;
        for (unsigned k = 0; k < s->once; k++, s->n++) {
            s->insn[s->n] = s->insn[k];
            s->at[s->n] = s->at[k];
            s->rule[s->n] = k == last ? RULE_JCC : s->rule[k];
        }
    }
}

void scan_unit(struct bt_vcpu *v, struct scan *s, u32 eip, u32 key, gpa_t gpa, gpa_t *second)
{
    scan(v, s, eip, key, gpa, second);
    settle_last(s);
    s->once = s->n;
    if (!*second)
        unroll(s, key & KEY_CODE16);
}
