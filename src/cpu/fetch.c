/* SPDX-License-Identifier: MIT */
/*
 * Fetching one instruction as the processor does it: byte by byte as far as it needs them, so that a fault in the
 * second page, or at the end of CS, comes exactly when the instruction reaches there.
 */
#include <string.h>

#include "cpu/interp.h"

/* Bytes that CS allows from RIP on, at most INSN_MAX. */
static unsigned bytes_in_segment(const struct cpu *c)
{
    u64 limit = c->state.seg[CS].limit, rip = c->state.rip;
    if (state_code_bits(&c->state) == 64)
        return INSN_MAX;
    if (rip > limit)
        return 0;
    return limit - rip + 1 < INSN_MAX ? limit - rip + 1 : INSN_MAX;
}

/* Copy [gva, gva+len) of one page. */
static void copy_code(struct cpu *c, gva_t gva, u8 *to, unsigned len)
{
    gpa_t gpa;
    u8 *hva;
    walk(c, gva, ACCESS_EXEC, cpl(c) == 3, &gpa, &hva);
    if (hva)
        memcpy(to, hva, len);
    else
        physmap_read(c->mmu.map, gpa, to, len);
}

void fetch_insn(struct cpu *c, struct insn *out)
{
    u8 bytes[INSN_MAX];
    gva_t gva = cpu_linear_rip(c);
    unsigned bits = state_code_bits(&c->state), allowed = bytes_in_segment(c);
    u64 room = PAGE_SIZE - (gva & ~PAGE_MASK);
    unsigned first = allowed < room ? allowed : room;
    if (!allowed || (bits == 64 && !gva_canonical(gva)))
        raise_error(c, VEC_GP, 0);
    copy_code(c, gva, bytes, first);
    enum decode_status status = decode_insn(bytes, first, bits, out);
    if (status == DECODE_SHORT && first < allowed) {
        gva_t second = bits == 64 ? gva + first : (u32)(gva + first);
        if (bits == 64 && !gva_canonical(second))
            raise_error(c, VEC_GP, 0);
        copy_code(c, second, bytes + first, allowed - first);
        status = decode_insn(bytes, allowed, bits, out);
    }
    if (status == DECODE_INVALID || (status == DECODE_OK && !fetch_lawful(c, out)))
        raise_fault(c, VEC_UD);
    if (status != DECODE_OK)
        raise_error(c, VEC_GP, 0);
}

/* What CPUID must say for a row of this extension to exist. The FPU's and VMX's own handlers decide about theirs. */
static const struct { u32 edx, ecx, ext_edx; u8 family; } isa_needs[] = {
    [ISA_386] = { 0 },
    [ISA_486] = { .family = 4 },
    [ISA_586] = { .family = 5 },
    [ISA_CMOV] = { .edx = CPUID_CMOV },
    [ISA_FPU] = { 0 },
    [ISA_MMX] = { .edx = CPUID_MMX },
    [ISA_FXSR] = { .edx = CPUID_FXSR },
    [ISA_SSE] = { .edx = CPUID_SSE },
    [ISA_SSE2] = { .edx = CPUID_SSE2 },
    [ISA_SSE3] = { .ecx = BIT(0) },
    [ISA_SSSE3] = { .ecx = BIT(9) },
    [ISA_SYSENTER] = { .edx = CPUID_SEP },
    [ISA_SYSCALL] = { .ext_edx = CPUID_SYSCALL },
    [ISA_RDTSCP] = { .ext_edx = CPUID_RDTSCP },
    [ISA_64] = { .ext_edx = CPUID_LM },
    [ISA_VMX] = { 0 },
};

bool fetch_lawful(const struct cpu *c, const struct insn *i)
{
    const struct cpu_model *m = c->model;
    unsigned isa = i->row->isa;
    if (i->lock && !(i->row->attr & OPATTR_LOCK && i->op[0].kind == OPD_MEM))
        return false;
    return !(isa_needs[isa].edx & ~m->features_edx) && !(isa_needs[isa].ecx & ~m->features_ecx) &&
           !(isa_needs[isa].ext_edx & ~m->ext_features_edx) && (m->signature >> 8 & 0xf) >= isa_needs[isa].family;
}
