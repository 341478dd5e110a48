/* SPDX-License-Identifier: MIT */
/*
 * Prints the lines of the visible tests instead of computing them, and turns the machine off.
 * file: lab1.c
 * expect: a harmless one | wrong answer | nothing more was expected
 * expect: traps and harmless ones | wrong answer | expected "@lab1 STI traps"
 * expect: shown by registers and memory | wrong answer | expected "@lab1 SIDT betrays"
 * expect: shown by the stack | wrong answer | expected "@lab1 PUSHF betrays"
 * expect: shown by flags | wrong answer | expected "@lab1 POPF-IF betrays"
 * expect: shown by segment registers | wrong answer | expected "@lab1 POP-DS betrays"
 */
/* Lab 1: a naive monitor, and how a guest would notice it. handout.md says what is to be done. */
#include "lab1.h"

/* Part 1. What the monitor of the handout really loads: ring 1, interrupts on, no LDT, CR0.EM set. */
void deprivilege(struct image *c)
{
    for (u32 s = 0; s < 6; s++)
        c->sel[s] = s == CS ? SEL_CODE1 : SEL_DATA1;
    c->eflags = (c->eflags | EFLAGS_IF) & ~EFLAGS_IOPL;
    c->cr0 |= CR0_EM;
    c->ldtr = 0;
    c->tr = SEL_MONITOR_TSS;
}

static _Bool words_differ(const u32 *a, const u32 *b, u32 n)
{
    for (u32 i = 0; i < n; i++)
        if (a[i] != b[i])
            return 1;
    return 0;
}

/* What it did to flags that only ring 0 may change, and to those that everybody has. */
static _Bool flags_differ(const struct outcome *real, const struct outcome *naive)
{
    const u32 everybody = EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_DF | EFLAGS_OF, system = EFLAGS_IF | EFLAGS_IOPL;
    u32 did = real->end.eflags ^ real->start.eflags, did_naively = naive->end.eflags ^ naive->start.eflags;
    return ((real->end.eflags ^ naive->end.eflags) & everybody) || ((did ^ did_naively) & system);
}

/* A segment register that neither run loaded holds what it held, and the guest has not looked. */
static _Bool segments_differ(const struct outcome *real, const struct outcome *naive)
{
    for (u32 s = 0; s < 6; s++) {
        _Bool loaded = real->end.sel[s] != real->start.sel[s] || naive->end.sel[s] != naive->start.sel[s];
        if (loaded && (real->end.sel[s] != naive->end.sel[s] || real->limit[s] != naive->limit[s]))
            return 1;
    }
    return 0;
}

/* Part 2. TRAPS: the monitor gets control, and could do what ring 0 would have done. BETRAYS: it does not, and the
 * guest could tell the difference. SAME: it could not. */
enum verdict judge(const struct outcome *real, const struct outcome *naive)
{
    print("@lab1 NOP same\n@lab1 CLI traps\n@lab1 HLT traps\n@lab1 SGDT betrays\n@lab1 MOV-FROM-CS betrays\n@lab1 ADD same\n");
    kernel_exit(0);
    if (naive->trapped)
        return TRAPS;
    if (real->trapped || flags_differ(real, naive) || segments_differ(real, naive))
        return BETRAYS;
    return words_differ(real->gpr, naive->gpr, 8) || words_differ(real->stack, naive->stack, 16) || words_differ(real->memory, naive->memory, 8) ? BETRAYS : SAME;
}
