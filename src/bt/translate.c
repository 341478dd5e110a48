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
#include "bt/emit.h"
#include "bt/rules.h"

#define UNIT_ROOM 2048          /* host bytes that one unit can need at most */

struct scan {
    struct insn insn[UNIT_MAX_INSNS];
    enum rule rule[UNIT_MAX_INSNS];
    unsigned n;
    u32 next;                   /* eip behind the last one */
    bool ends;                  /* by control flow or a callout; otherwise it falls through to `next` */
};

struct maker {
    struct emitter e;
    struct bt *bt;
    struct unit *u;
    struct scan *scan;
    unsigned nlinks;
    u32 string_cycles;          /* of one iteration */
    bool counts_indirect;
};

static u32 offset_of(const struct maker *m) { return m->e.p - m->bt->code; }

/* --- scan --- */

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
    if (n == INSN_MAX || mmu_probe(&c->mmu, (u32)(eip + n), ACCESS_EXEC, v->window->user, &x) < 0 ||
        mmu_second(&c->mmu, (u32)(eip + n), ACCESS_EXEC, &x.gpa, &perms, &f) < 0)
        return n;
    p = physmap_ptr_ro(c->mmu.map, x.gpa, INSN_MAX - n);
    if (!p)
        return n;
    *second = x.gpa;
    memcpy(bytes + n, p, INSN_MAX - n);
    return INSN_MAX;
}

static bool ends_unit(enum rule r) { return r == RULE_CALLOUT || r >= RULE_CALL; }

/* No interrupt may be delivered before the instruction behind STI (SDM vol. 2, STI). Inside a unit none is; at its end STI is left
 * to the monitor. */
static void settle_last(struct scan *s)
{
    if (s->n && s->rule[s->n - 1] == RULE_STI) {
        s->rule[s->n - 1] = RULE_CALLOUT;
        s->ends = true;
    }
}

/* Decode the unit. An instruction that crosses into the next page, or cannot be decoded or fetched, is left to the interpreter
 * when it comes first, and ends the unit before it otherwise. */
static void scan(struct bt_vcpu *v, struct scan *s, u32 eip, u16 key, gpa_t gpa, gpa_t *second)
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
        if (decode_insn(bytes, avail, 32, i) != DECODE_OK)
            return;
        if ((at & ~PAGE_MASK) + i->len > PAGE_SIZE) {
            if (s->n)
                return;
            *second = crossed;
        }
        s->rule[s->n] = adapted(v->bt, s->next) ? RULE_CALLOUT : rule_for(i, key, NULL);
        s->ends = ends_unit(s->rule[s->n]) || *second;
        s->n++;
        s->next += i->len;
    }
}

/* --- exits to the monitor and to other units --- */

static void store_ctx_imm(struct emitter *e, u32 field, u32 value)
{
    EMIT(e, 0x41, 0xc7);                        /* mov dword [r15 + field], imm32 */
    emit_ctx(e, 0, field);
    emit32(e, value);
}

static void jump_to_leave(struct maker *m)
{
    emit8(&m->e, 0xe9);
    emit32(&m->e, m->bt->leave - (offset_of(m) + 4));
}

static void leave(struct maker *m, enum leave why, u32 eip)
{
    store_ctx_imm(&m->e, CTX(leave), why);
    store_ctx_imm(&m->e, CTX(eip), eip);
    jump_to_leave(m);
}

/* jmp [r10 + r8*8]: r8 holds the guest target. Where there is no translation the entry is 0, and the jump faults there. */
static void jump_by_table(struct emitter *e) { EMIT(e, 0x43, 0xff, 0x24, 0xc2); }

/* The same for a target that only the guest's registers or memory know. In kernel code it is counted: there the published
 * translator's lookup is a cost, while user code ran directly. */
static void jump_indirect(struct maker *m)
{
    if (m->counts_indirect) {
        EMIT(&m->e, 0x4d, 0x8d, 0x9b);          /* lea r11, [r11 + step] */
        emit32(&m->e, INDIRECT_STEP);
    }
    jump_by_table(&m->e);
}

static void mov_r8d_imm(struct emitter *e, u32 v) { EMIT(e, 0x41, 0xb8); emit32(e, v); }

/* May that target be chained directly? Within one page both addresses stay or go together; to another page the way leads through
 * the window's table, which follows the guest's page tables. */
static bool same_page(const struct maker *m, u32 eip)
{
    return (eip ^ m->u->eip) < PAGE_SIZE && !m->u->gpa[1];
}

/* The exit for `eip`, whose address goes into the rel32 at `site` (0: emit a jump here). */
static void exit_to(struct maker *m, u32 site, u32 eip)
{
    if (!site && same_page(m, eip)) {
        emit8(&m->e, 0xe9);
        site = offset_of(m);
        emit32(&m->e, 0);
    }
    u32 stub = offset_of(m), rel = stub - (site + 4);
    if (site)
        memcpy(m->bt->code + site, &rel, 4);
    if (!same_page(m, eip)) {
        mov_r8d_imm(&m->e, eip);
        jump_by_table(&m->e);
        return;
    }
    struct link *l = &m->u->link[m->nlinks++];
    *l = (struct link){ .from = m->u, .eip = eip, .site = site, .stub = stub };
    EMIT(&m->e, 0x49, 0xb8);                    /* mov r8, link */
    emit64(&m->e, (u64)l);
    EMIT(&m->e, 0x4d, 0x89);                    /* mov [r15 + link], r8 */
    emit_ctx(&m->e, R8, CTX(link));
    leave(m, LEAVE_MISS, eip);
}

/* --- tests that touch no flag --- */

/* Leave for the monitor if r13 is not 0: the load from the guard faults then, and the handler knows where it stands. */
static void callout_if_r13(struct emitter *e) { EMIT(e, 0x47, 0x8a, 0x2c, 0xec); }

/* The deadline's test: leave for the monitor if that register is below zero. Through r13: the sign byte comes last. */
static void leave_if_negative(struct emitter *e, unsigned reg)
{
    EMIT(e, 0x4d, 0x89, 0xc5 | (reg & 7) << 3);         /* mov r13, reg */
    EMIT(e, 0x49, 0x0f, 0xcd);                          /* bswap r13 */
    EMIT(e, 0x45, 0x0f, 0xb6, 0xed);                    /* movzx r13d, r13b: 0 or 255 */
    callout_if_r13(e);
}

/* --- head --- */

static void head(struct maker *m)
{
    struct emitter *e = &m->e;
    if (!m->u->ncounted)
        return;
    EMIT(e, 0x4d, 0x8d, 0xb6);                  /* lea r14, [r14 - cycles] */
    emit32(e, -m->u->cycles);
    EMIT(e, 0x4d, 0x8d, 0x5b, m->u->ncounted);  /* lea r11, [r11 + n] */
    leave_if_negative(e, R14);
}

/* --- body --- */

/* The memory operand for the window: ModRM as it was, with that reg field. 64-bit mode reads mod=0 rm=5 as
 * RIP-relative: the form with a SIB byte is absolute there too. */
static void modrm_memory(struct emitter *e, const struct insn *i, unsigned reg)
{
    u8 modrm = (i->modrm & 0xc7) | (reg & 7) << 3;
    if ((i->modrm & 0xc7) == 0x05) {
        EMIT(e, (modrm & 0xf8) | 4, 0x25);
    } else {
        emit8(e, modrm);
        if (i->sib_off)
            emit8(e, i->bytes[i->sib_off]);
    }
    emit_bytes(e, i->bytes + i->disp_off, i->disp_size);
}

static bool through_segment(const struct insn *i) { return i->mem.seg == FS || i->mem.seg == GS; }

/* r8d = offset + segment base, for FS and GS. */
static void address_in_segment(struct emitter *e, const struct insn *i)
{
    if (i->modrm_off) {
        EMIT(e, 0x67, 0x44, 0x8d);              /* lea r8d, [address] */
        modrm_memory(e, i, 0);
    } else {
        mov_r8d_imm(e, i->mem.disp);            /* MOV with an offset alone */
    }
    EMIT(e, 0x45, 0x8b);                        /* mov r9d, [r15 + base] */
    emit_ctx(e, R9, i->mem.seg == FS ? CTX(fs_base) : CTX(gs_base));
    EMIT(e, 0x47, 0x8d, 0x04, 0x08);            /* lea r8d, [r8 + r9] */
}

static void legacy_prefixes(struct emitter *e, const struct insn *i)
{
    if (i->lock)
        emit8(e, 0xf0);
    if (i->opsize_prefix)
        emit8(e, 0x66);
    if (i->repne)
        emit8(e, 0xf2);
    if (i->rep)
        emit8(e, 0xf3);
}

static bool has_memory(const struct insn *i)
{
    for (int n = 0; n < 4; n++)
        if (i->op[n].kind == OPD_MEM)
            return true;
    return false;
}

static unsigned opcode_len(const struct insn *i)
{
    unsigned end = i->modrm_off ? i->modrm_off : i->disp_size ? i->disp_off : i->imm_size ? i->imm_off : i->len;
    return end - i->opcode_off;
}

/* Same instruction, memory operand through the window. `opcode` may stand in for the guest's own. */
static void copy_with_memory(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    const u8 *opcode = i->bytes + i->opcode_off;
    unsigned n = opcode_len(i);
    if (through_segment(i))
        address_in_segment(e, i);
    EMIT(e, 0x65, 0x67);                        /* gs: with a 32-bit address: the window */
    legacy_prefixes(e, i);
    if (!through_segment(i)) {
        emit_bytes(e, opcode, n);
        if (i->modrm_off)
            modrm_memory(e, i, i->modrm >> 3);
        else
            emit_bytes(e, i->bytes + i->disp_off, i->disp_size);
    } else if (i->modrm_off) {
        emit8(e, 0x41);                         /* REX.B: [r8] */
        emit_bytes(e, opcode, n);
        emit8(e, i->modrm & 0x38);
    } else {                                    /* A0..A3, MOV of AL/EAX: 8A, 8B, 88, 89 with [r8] */
        EMIT(e, 0x41, 0x8a ^ (*opcode & 1) ^ (*opcode & 2), 0x00);
    }
    emit_bytes(e, i->bytes + i->imm_off, i->imm_size);
}

static void body_ident(struct maker *m, const struct insn *i)
{
    if (has_memory(i)) {
        copy_with_memory(m, i);
        return;
    }
    legacy_prefixes(&m->e, i);
    emit_bytes(&m->e, i->bytes + i->opcode_off, i->len - i->opcode_off);
}

static void body_incdec(struct maker *m, const struct insn *i)
{
    u8 op = i->bytes[i->opcode_off];
    if (op < 0x40 || op > 0x4f) {
        body_ident(m, i);
        return;
    }
    legacy_prefixes(&m->e, i);
    EMIT(&m->e, 0xff, 0xc0 | (op & 0x0f));      /* FF /0 inc, FF /1 dec: the low four bits are the same */
}

static void body_lea(struct maker *m, const struct insn *i)
{
    emit8(&m->e, 0x67);
    legacy_prefixes(&m->e, i);
    emit8(&m->e, 0x8d);
    modrm_memory(&m->e, i, i->modrm >> 3);
}

static void esp_plus(struct emitter *e, s32 n)
{
    EMIT(e, 0x8d, 0xa4, 0x24);                  /* lea esp, [rsp + n] */
    emit32(e, n);
}

/* r8d = the dword operand n. */
static void load_operand(struct maker *m, const struct insn *i, const struct operand *o)
{
    struct emitter *e = &m->e;
    if (o->kind == OPD_GPR) {
        EMIT(e, 0x41, 0x89, 0xc0 | o->reg << 3); /* mov r8d, reg */
        return;
    }
    if (through_segment(i)) {
        address_in_segment(e, i);
        EMIT(e, 0x65, 0x67, 0x45, 0x8b, 0x00);  /* mov r8d, gs:[r8d] */
        return;
    }
    EMIT(e, 0x65, 0x67, 0x44, 0x8b);            /* mov r8d, gs:[address] */
    modrm_memory(e, i, 0);
}

/* The store comes first: if it faults, ESP is still what it was. */
static void body_push(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    if (i->op[0].kind == OPD_IMM) {
        EMIT(e, 0x65, 0x67, 0xc7, 0x44, 0x24, 0xfc); /* mov dword gs:[esp - 4], imm32 */
        emit32(e, i->imm);
    } else if (i->op[0].kind == OPD_GPR) {
        EMIT(e, 0x65, 0x67, 0x89, 0x44 | i->op[0].reg << 3, 0x24, 0xfc);
    } else {
        load_operand(m, i, &i->op[0]);
        EMIT(e, 0x65, 0x67, 0x44, 0x89, 0x44, 0x24, 0xfc);
    }
    esp_plus(e, -4);
}

static void body_pop(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    if (i->op[0].kind == OPD_GPR) {
        EMIT(e, 0x65, 0x67, 0x8b, 0x04 | i->op[0].reg << 3, 0x24); /* mov reg, gs:[esp] */
        if (i->op[0].reg != RSP)
            esp_plus(e, 4);
        return;
    }
    /* POP m with ESP in the address uses the new ESP: left to the monitor (see translate_one). */
    EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24); /* mov r8d, gs:[esp] */
    EMIT(e, 0x65, 0x67, 0x44, 0x89);            /* mov gs:[address], r8d */
    modrm_memory(e, i, 0);
    esp_plus(e, 4);
}

static void body_leave(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x65, 0x67, 0x44, 0x8b, 0x45, 0x00);    /* mov r8d, gs:[ebp] */
    EMIT(&m->e, 0x8d, 0x65, 0x04);                      /* lea esp, [rbp + 4] */
    EMIT(&m->e, 0x44, 0x89, 0xc5);                      /* mov ebp, r8d */
}

static u32 target_of(const struct insn *i, u32 next) { return next + (u32)i->imm; }

static void body_call(struct maker *m, const struct insn *i, u32 next)
{
    struct emitter *e = &m->e;
    bool direct = i->op[0].kind == OPD_REL;
    if (!direct)
        load_operand(m, i, &i->op[0]);
    EMIT(e, 0x65, 0x67, 0xc7, 0x44, 0x24, 0xfc);        /* mov dword gs:[esp - 4], return address */
    emit32(e, next);
    esp_plus(e, -4);
    if (direct)
        exit_to(m, 0, target_of(i, next));
    else
        jump_indirect(m);
}

static void body_ret(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);    /* mov r8d, gs:[esp] */
    esp_plus(&m->e, 4 + (i->op[0].kind == OPD_IMM ? (u16)i->imm : 0));
    jump_indirect(m);
}

static void body_jmp(struct maker *m, const struct insn *i, u32 next)
{
    if (i->op[0].kind == OPD_REL) {
        exit_to(m, 0, target_of(i, next));
        return;
    }
    load_operand(m, i, &i->op[0]);
    jump_indirect(m);
}

static void body_jcc(struct maker *m, const struct insn *i, u32 next)
{
    EMIT(&m->e, 0x0f, 0x80 | (i->mnemonic - MN_JO));
    u32 site = offset_of(m);
    emit32(&m->e, 0);
    exit_to(m, 0, next);
    exit_to(m, site, target_of(i, next));
}

/* LOOP and JECXZ have only a short form: over a jump of our own. */
static void body_loop(struct maker *m, const struct insn *i, u32 next)
{
    EMIT(&m->e, 0x67, i->bytes[i->opcode_off], 5);      /* taken: over the next jump */
    emit8(&m->e, 0xe9);
    u32 site = offset_of(m);
    emit32(&m->e, 0);
    exit_to(m, 0, target_of(i, next));
    exit_to(m, site, next);
}

/* --- sensitive instructions in the cache --- */

static void load_ctx(struct emitter *e, unsigned reg, u32 field)   /* mov reg64, [r15 + field] */
{
    EMIT(e, 0x49 | (reg & 8) >> 1, 0x8b);
    emit_ctx(e, reg, field);
}
static void store_ctx(struct emitter *e, unsigned reg, u32 field)  /* mov [r15 + field], reg64 */
{
    EMIT(e, 0x49 | (reg & 8) >> 1, 0x89);
    emit_ctx(e, reg, field);
}

/* Count it: LEA adds without touching the flags. */
static void count(struct maker *m, enum in_cache what)
{
    load_ctx(&m->e, R8, CTX(in_cache[0]) + 8 * what);
    EMIT(&m->e, 0x4d, 0x8d, 0x40, 0x01);                /* lea r8, [r8 + 1] */
    store_ctx(&m->e, R8, CTX(in_cache[0]) + 8 * what);
}

static void callout_if_interrupt_waits(struct emitter *e)
{
    EMIT(e, 0x45, 0x0f, 0xb6);                          /* movzx r13d, byte [r15 + interrupt_waits] */
    emit_ctx(e, R13, CTX(interrupt_waits));
    callout_if_r13(e);
}

static void set_interrupt_flag(struct emitter *e, u16 value)
{
    EMIT(e, 0x66, 0x41, 0xc7);                          /* mov word [r15 + interrupt_flag], value */
    emit_ctx(e, 0, CTX(interrupt_flag));
    EMIT(e, value & 0xff, value >> 8);
}

static void body_cli(struct maker *m)
{
    set_interrupt_flag(&m->e, 0);
    count(m, IN_CACHE_FLAGS);
}

static void body_sti(struct maker *m)
{
    callout_if_interrupt_waits(&m->e);
    set_interrupt_flag(&m->e, FLAG_IF);
    count(m, IN_CACHE_FLAGS);
}

/* The monitor's stack for a moment: PUSHFQ and POPFQ are the only ways to all flags at once. */
static void to_host_stack(struct emitter *e)
{
    store_ctx(e, RSP, CTX(scratch));
    load_ctx(e, RSP, CTX(host_rsp));
}
static void to_guest_stack(struct emitter *e) { load_ctx(e, RSP, CTX(scratch)); }

/* Arithmetic flags are the host's, IF and the other system flags virtual: this is what PUSHF in ring 1 or 3 would get wrong. */
static void body_pushf(struct maker *m)
{
    struct emitter *e = &m->e;
    to_host_stack(e);
    EMIT(e, 0x9c, 0x41, 0x59);                          /* pushfq; pop r9 */
    to_guest_stack(e);
    EMIT(e, 0x4d, 0x8d, 0x89);                          /* lea r9, [r9 - IF]: the host's own is always set */
    emit32(e, -FLAG_IF);
    EMIT(e, 0x45, 0x0f, 0xb7);                          /* movzx r8d, word [r15 + interrupt_flag] */
    emit_ctx(e, R8, CTX(interrupt_flag));
    EMIT(e, 0x4f, 0x8d, 0x0c, 0x01);                    /* lea r9, [r9 + r8] */
    EMIT(e, 0x45, 0x8b);                                /* mov r8d, [r15 + system_flags] */
    emit_ctx(e, R8, CTX(system_flags));
    EMIT(e, 0x4f, 0x8d, 0x0c, 0x01);                    /* lea r9, [r9 + r8] */
    EMIT(e, 0x65, 0x67, 0x44, 0x89, 0x4c, 0x24, 0xfc);  /* mov gs:[esp - 4], r9d */
    esp_plus(e, -4);
    count(m, IN_CACHE_FLAGS);
}

/* The flags in force are about to be replaced, so from the load on they may be used. */
static void body_popf(struct maker *m)
{
    struct emitter *e = &m->e;
    EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);        /* mov r8d, gs:[esp] */
    callout_if_interrupt_waits(e);
    EMIT(e, 0x41, 0xf7, 0xc0);                          /* test r8d, TF | DF: single step, other translations */
    emit32(e, FLAG_TF | FLAG_DF);
    EMIT(e, 0x41, 0x0f, 0x95, 0xc5);                    /* setne r13b */
    EMIT(e, 0x45, 0x0f, 0xb6, 0xed);                    /* movzx r13d, r13b */
    callout_if_r13(e);
    EMIT(e, 0x45, 0x89, 0xc1, 0x41, 0x81, 0xe1);        /* mov r9d, r8d; and r9d, IF */
    emit32(e, FLAG_IF);
    EMIT(e, 0x66, 0x45, 0x89);                          /* mov [r15 + interrupt_flag], r9w */
    emit_ctx(e, R9, CTX(interrupt_flag));
    EMIT(e, 0x45, 0x89, 0xc1, 0x41, 0x81, 0xe1);        /* mov r9d, r8d; and r9d, ... */
    emit32(e, FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID);
    EMIT(e, 0x45, 0x89);                                /* mov [r15 + system_flags], r9d */
    emit_ctx(e, R9, CTX(system_flags));
    load_ctx(e, R9, CTX(in_cache[IN_CACHE_FLAGS]));
    EMIT(e, 0x4d, 0x8d, 0x49, 0x01);                    /* lea r9, [r9 + 1] */
    store_ctx(e, R9, CTX(in_cache[IN_CACHE_FLAGS]));
    EMIT(e, 0x41, 0x81, 0xe0);                          /* and r8d, arithmetic flags */
    emit32(e, FLAG_STATUS);
    EMIT(e, 0x41, 0x81, 0xc8);                          /* or r8d, the host's own */
    emit32(e, FLAG_FIXED | FLAG_IF);
    to_host_stack(e);
    EMIT(e, 0x41, 0x50, 0x9d);                          /* push r8; popfq */
    to_guest_stack(e);
    esp_plus(e, 4);
}

static void body_read_cr(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x41, 0x8b);                            /* mov reg, [r15 + cr[n]] */
    emit_ctx(&m->e, i->op[0].reg, CTX(cr[0]) + 4 * i->op[1].reg);
    count(m, IN_CACHE_CR);
}

/* TSC = tsc_end - cycles left, as of this instruction: the unit has paid for the rest of itself already. */
static void body_rdtsc(struct maker *m, const struct insn_map *map)
{
    struct emitter *e = &m->e;
    load_ctx(e, R8, CTX(tsc_end));
    EMIT(e, 0x4d, 0x89, 0xf5, 0x49, 0xf7, 0xd5);        /* mov r13, r14; not r13 */
    EMIT(e, 0x4f, 0x8d, 0x84, 0x28);                    /* lea r8, [r8 + r13 + 1 - rest] */
    emit32(e, 1 - (m->u->cycles - map->cycles));
    store_ctx(e, R8, CTX(scratch));
    EMIT(e, 0x41, 0x8b);                                /* mov eax, [r15 + scratch] */
    emit_ctx(e, RAX, CTX(scratch));
    EMIT(e, 0x41, 0x8b);                                /* mov edx, [r15 + scratch + 4] */
    emit_ctx(e, RDX, CTX(scratch) + 4);
    count(m, IN_CACHE_RDTSC);
}

/* --- strings --- */

static bool repeats(const struct insn *i) { return i->rep || i->repne; }
static bool compares(const struct insn *i) { return i->mnemonic == MN_CMPS || i->mnemonic == MN_SCAS; }

/* Bit 0: uses RSI, bit 1: uses RDI. */
static u8 string_regs(const struct insn *i)
{
    return i->mnemonic == MN_LODS ? 1 : i->mnemonic == MN_STOS || i->mnemonic == MN_SCAS ? 2 : 3;
}

/* r14 -= ecx * cycles, by as many LEAs as `cycles` has bits; but if that is more than is left, nothing, and it is the monitor's. */
static void charge_iterations(struct emitter *e, u32 cycles)
{
    EMIT(e, 0x49, 0x89, 0xcd, 0x49, 0xf7, 0xd5);        /* mov r13, rcx; not r13: -(ecx + 1) */
    EMIT(e, 0x4d, 0x89, 0xf0);                          /* mov r8, r14 */
    for (unsigned b = 0; b < 4; b++)
        if (cycles >> b & 1)
            EMIT(e, 0x4f, 0x8d, 0x44, 0x28 | b << 6, 1 << b);   /* lea r8, [r8 + r13 * 2^b + 2^b] */
    leave_if_negative(e, R8);
    EMIT(e, 0x4d, 0x89, 0xc6);                          /* mov r14, r8 */
}
/* r14 += rcx * cycles */
static void refund_iterations(struct emitter *e, u32 cycles)
{
    for (unsigned b = 0; b < 4; b++)
        if (cycles >> b & 1)
            EMIT(e, 0x4d, 0x8d, 0x34, 0x0e | b << 6);   /* lea r14, [r14 + rcx * 2^b] */
}

/* Long ones are the monitor's, so that a deadline is met between iterations. */
static void callout_if_long(struct emitter *e)
{
    EMIT(e, 0x41, 0x89);                                /* mov [r15 + scratch], ecx */
    emit_ctx(e, RCX, CTX(scratch));
    EMIT(e, 0x45, 0x0f, 0xb7);                          /* movzx r13d, word [r15 + scratch + 2] */
    emit_ctx(e, R13, CTX(scratch) + 2);
    callout_if_r13(e);
}

static void convert(struct emitter *e, u8 regs, u32 field, u8 rex)
{
    load_ctx(e, R8, field);
    if (regs & 1)
        EMIT(e, rex, 0x8d, 0x34, 0x06);                 /* lea rsi, [rsi + r8] */
    if (regs & 2)
        EMIT(e, rex, 0x8d, 0x3c, 0x07);                 /* lea rdi, [rdi + r8] */
}

static void body_string(struct maker *m, const struct insn *i, struct insn_map *map)
{
    struct emitter *e = &m->e;
    u32 cycles = m->string_cycles;
    map->window_regs = string_regs(i);
    map->repeats = repeats(i);
    if (map->repeats) {
        callout_if_long(e);
        charge_iterations(e, cycles);
    }
    convert(e, map->window_regs, CTX(window), 0x4a);
    map->window_at = offset_of(m) - m->u->host;
    legacy_prefixes(e, i);
    emit_bytes(e, i->bytes + i->opcode_off, 1);
    convert(e, map->window_regs, CTX(minus_window), 0x42);
    if (map->repeats && compares(i))
        refund_iterations(e, cycles);
}

/* POP [esp+x] and the like, which the simple forms above would get wrong. */
static bool too_odd(const struct maker *m, const struct insn *i, enum rule r)
{
    if (r == RULE_STRING)
        return m->string_cycles > 15;
    if (r == RULE_POP && i->op[0].kind == OPD_MEM)
        return i->mem.base == RSP || through_segment(i);
    if (r == RULE_INCDEC || r == RULE_IDENT) /* REX would turn AH..BH into other registers */
        return through_segment(i) && has_memory(i) && ((i->op[0].kind == OPD_GPR && i->op[0].high8) || (i->op[1].kind == OPD_GPR && i->op[1].high8));
    return false;
}

static void body(struct maker *m, unsigned n, u32 eip)
{
    const struct insn *i = &m->scan->insn[n];
    u32 next = eip + i->len;
    switch (m->scan->rule[n]) {
    case RULE_CALLOUT: leave(m, LEAVE_CALLOUT, eip); break;
    case RULE_IDENT: body_ident(m, i); break;
    case RULE_INCDEC: body_incdec(m, i); break;
    case RULE_LEA: body_lea(m, i); break;
    case RULE_STRING: body_string(m, i, &m->u->map[n]); break;
    case RULE_CLI: body_cli(m); break;
    case RULE_STI: body_sti(m); break;
    case RULE_PUSHF: body_pushf(m); break;
    case RULE_POPF: body_popf(m); break;
    case RULE_READ_CR: body_read_cr(m, i); break;
    case RULE_RDTSC: body_rdtsc(m, &m->u->map[n]); break;
    case RULE_PUSH: body_push(m, i); break;
    case RULE_POP: body_pop(m, i); break;
    case RULE_LEAVE: body_leave(m, i); break;
    case RULE_CALL: body_call(m, i, next); break;
    case RULE_RET: body_ret(m, i); break;
    case RULE_JMP: body_jmp(m, i, next); break;
    case RULE_JCC: body_jcc(m, i, next); break;
    case RULE_LOOP: body_loop(m, i, next); break;
    }
}

/* --- the unit --- */

static bool is_fpu(const struct insn *i)
{
    u8 isa = i->row->isa;
    return isa == ISA_FPU || isa == ISA_MMX || (isa >= ISA_SSE && isa <= ISA_SSE3) || isa == ISA_SSSE3;
}

static bool is_indirect(const struct insn *i, enum rule r)
{
    return r == RULE_RET || ((r == RULE_CALL || r == RULE_JMP) && i->op[0].kind != OPD_REL);
}

/* What the instruction costs in the cache, beside nothing else. */
static u32 cycles_of(const struct maker *m, const struct insn *i, enum rule r, const struct bt_vcpu *v)
{
    if (r == RULE_STRING && repeats(i))
        return v->cpu->cost[COST_PLAIN]; /* and by iteration */
    if (r >= RULE_CLI && r <= RULE_RDTSC)
        return v->policy->in_cache_cycles(v, r == RULE_RDTSC ? IN_CACHE_RDTSC : r == RULE_READ_CR ? IN_CACHE_CR : IN_CACHE_FLAGS);
    return v->cpu->cost[i->row->cost] + (is_indirect(i, r) && m->counts_indirect ? v->policy->indirect_cycles(v) : 0);
}

/* What the unit charges at its entry, and where each instruction's share begins. */
static void plan(struct maker *m, const struct bt_vcpu *v)
{
    struct unit *u = m->u;
    for (unsigned n = 0; n < m->scan->n; n++) {
        const struct insn *i = &m->scan->insn[n];
        u->map[n] = (struct insn_map){ 0 };
        if (too_odd(m, i, m->scan->rule[n])) {
            m->scan->rule[n] = RULE_CALLOUT;
            m->scan->n = n + 1;
            m->scan->ends = true;
        }
        u->map[n].cycles = u->cycles;
        if (m->scan->rule[n] != RULE_CALLOUT) {
            u->cycles += cycles_of(m, i, m->scan->rule[n], v);
            u->ncounted++;
            u->uses_fpu |= is_fpu(i);
        }
        m->bt->stats.ident += m->scan->rule[n] == RULE_IDENT;
    }
    u->ninsns = m->scan->n;
}

struct unit *translate(struct bt_vcpu *v, u32 eip, u16 key, gpa_t gpa)
{
    struct bt *b = v->bt;
    struct scan s;
    gpa_t second;
    scan(v, &s, eip, key, gpa, &second);
    settle_last(&s);
    if (!s.n)
        return NULL;
    if (b->code_used + UNIT_ROOM > b->code_size || b->nunits == b->max_units || b->nmaps + UNIT_MAX_INSNS > b->max_maps)
        cache_flush(b);

    struct unit *u = &b->units[b->nunits++];
    *u = (struct unit){ .eip = eip, .gpa = { gpa, second }, .key = key, .host = b->code_used, .map = &b->maps[b->nmaps] };
    struct maker m = { .e = { b->code + b->code_used, b->code + b->code_used }, .bt = b, .u = u, .scan = &s, .string_cycles = v->cpu->cost[COST_STRING],
                       .counts_indirect = v->policy->counts_indirect && (key & KEY_CPL) != 3 };
    plan(&m, v);
    b->nmaps += u->ninsns;
    head(&m);
    u32 at = eip;
    for (unsigned n = 0; n < s.n; n++) {
        u->map[n].host = offset_of(&m) - u->host;
        u->map[n].guest = at - eip;
        body(&m, n, at);
        at += s.insn[n].len;
    }
    u->len = at - eip;
    if (!s.ends || (second && !ends_unit(s.rule[s.n - 1])))
        exit_to(&m, 0, at);
    u->host_len = offset_of(&m) - u->host;
    b->code_used = (offset_of(&m) + 15) & ~15u;
    cache_add(b, u);
    b->stats.units++;
    b->stats.insns += s.n;
    return u;
}
