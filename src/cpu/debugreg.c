/* SPDX-License-Identifier: MIT */
/* MOV to and from the debug registers (SDM vol. 3, 17.2). */
#include "cpu/system.h"

enum { DR6_BD = 1 << 13, DR7_GD = 1 << 13 };

/* DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE makes them undefined (17.2.2). */
static unsigned debug_register(struct cpu *c, unsigned n)
{
    if (n > 7 || ((n == 4 || n == 5) && c->state.cr4 & CR4_DE))
        raise_fault(c, VEC_UD);
    return n == 4 || n == 5 ? n + 2 : n;
}

/* Bits that are not there read as fixed ones or zeros (figure 17-1). */
static u64 debug_value(unsigned n, u64 value)
{
    if (n == 6)
        return 0xffff0ff0 | (value & 0xe00f);
    if (n == 7)
        return 0x400 | (value & 0xffff23ff);
    return value;
}

/* A monitor's exit comes before general detect. */
static void check_watchers(struct cpu *c, const struct insn *i, unsigned n, unsigned reg, bool write)
{
    struct icept_info info = { .kind = ICEPT_DR, .reg = reg, .cr = n, .write = write, .mnemonic = i->mnemonic, .size = i->bits == 64 ? 8 : 4 };
    if (intercepted(c, ICEPT_DR))
        raise_intercept(c, &info);
    if (c->state.dr[7] & DR7_GD)
        raise_debug(c, DR6_BD);
}

void exec_mov_dr(struct cpu *c, const struct insn *i)
{
    bool write = i->op[0].kind == OPD_DR;
    unsigned name = i->op[write ? 0 : 1].reg, reg = i->op[write ? 1 : 0].reg, size = i->bits == 64 ? 8 : 4;
    unsigned n = debug_register(c, name);
    require_ring0(c);
    check_watchers(c, i, name, reg, write);
    if (!write) {
        gpr_set(c, reg, size, c->state.dr[n]);
        return;
    }
    if (n >= 6 && gpr_get(c, reg, size) >> 32)
        raise_error(c, VEC_GP, 0);
    c->state.dr[n] = debug_value(n, gpr_get(c, reg, size));
    interp_code_changed(c);
}
