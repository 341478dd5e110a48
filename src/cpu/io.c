/* SPDX-License-Identifier: MIT */
/* IN and OUT, and who may use a port (SDM vol. 1, 18.5). */
#include "cpu/system.h"

/* The bitmap is at the offset that the TSS names; one more byte is read, for accesses that span two (SDM vol. 1, 18.5.2). */
static bool bitmap_allows(struct cpu *c, u16 port, unsigned size)
{
    const struct segment *tr = &c->state.tr;
    bool tss32 = (tr->attr & 0xd) == 9 && !(tr->attr & SEG_UNUSABLE);
    if (!tss32 || tr->limit < 103)
        return false;
    u32 at = lin_read_system(c, system_gva(c, tr->base + 102), 2) + port / 8;
    if (at + 1 > tr->limit)
        return false;
    u32 bits = lin_read_system(c, system_gva(c, tr->base + at), 2) >> (port & 7);
    return !(bits & ((1u << size) - 1));
}

void check_io(struct cpu *c, u16 port, unsigned size)
{
    const struct cpu_state *s = &c->state;
    if (state_real(s) || (!state_v86(s) && cpl(c) <= iopl(c)))
        return;
    if (!bitmap_allows(c, port, size))
        raise_error(c, VEC_GP, 0);
}

static void check_port(struct cpu *c, const struct insn *i, u16 port, unsigned size, bool out, bool immediate)
{
    check_io(c, port, size);
    struct icept_info info = { .kind = ICEPT_IO, .write = out, .port = port, .size = size, .port_imm = immediate, .mnemonic = i->mnemonic };
    if (io_intercepted(c, port, size))
        raise_intercept(c, &info);
}

/* The accumulator's size is the access's: 1 for the byte forms, else 2 or 4. */
void exec_in(struct cpu *c, const struct insn *i)
{
    bool immediate = i->op[1].kind == OPD_IMM;
    u16 port = immediate ? (u8)i->imm : (u16)c->state.gpr[RDX];
    unsigned size = i->op[0].size > 4 ? 4 : i->op[0].size;
    check_port(c, i, port, size, false, immediate);
    u64 value = c->env ? c->env->io_read(c->env_opaque, port, size) : ~(u64)0;
    gpr_set(c, RAX, size, value);
}

void exec_out(struct cpu *c, const struct insn *i)
{
    bool immediate = i->op[0].kind == OPD_IMM;
    u16 port = immediate ? (u8)i->imm : (u16)c->state.gpr[RDX];
    unsigned size = i->op[1].size > 4 ? 4 : i->op[1].size;
    check_port(c, i, port, size, true, immediate);
    if (c->env)
        c->env->io_write(c->env_opaque, port, size, gpr_get(c, RAX, size));
}
