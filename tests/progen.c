/* SPDX-License-Identifier: MIT */
#include "progen.h"

#include <string.h>

#include "check.h"
#include "encode.h"
#include "progen_world.h"

struct gen {
    struct progen *p;
    u64 random;
    unsigned ring;      /* in which the piece probably runs: faults may have changed that */
    unsigned landing;   /* offset of the piece's landing address in the code, 0: it has none */
};

static u32 rnd(struct gen *g, u32 n) { return (check_random(&g->random) >> 32) % n; }
static bool one_in(struct gen *g, u32 n) { return rnd(g, n) == 0; }
static u32 random32(struct gen *g) { return one_in(g, 4) ? rnd(g, 3) - 1u : check_random(&g->random) >> 16; }
static void put8(struct gen *g, u8 b) { g->p->code[g->p->len++] = b; }
static void put16(struct gen *g, u16 v) { memcpy(g->p->code + g->p->len, &v, 2); g->p->len += 2; }
static void put32(struct gen *g, u32 v) { memcpy(g->p->code + g->p->len, &v, 4); g->p->len += 4; }
#define PUT(g, ...) do { const u8 b_[] = { __VA_ARGS__ }; memcpy((g)->p->code + (g)->p->len, b_, sizeof b_); (g)->p->len += sizeof b_; } while (0)
static u32 here(const struct gen *g) { return g->p->at + g->p->len; }
static bool has(const struct gen *g, unsigned feature) { return g->p->features & feature; }

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

static unsigned any_reg(struct gen *g)
{
    unsigned r = rnd(g, 7);
    return r >= ESP ? r + 1 : r;
}

static void mov_imm(struct gen *g, unsigned reg, u32 v) { put8(g, 0xb8 | reg); put32(g, v); }
static void store_imm(struct gen *g, u32 at, u32 v) { PUT(g, 0xc7, 0x05); put32(g, at); put32(g, v); }
/* What the SDM leaves undefined must not be looked at: a comparison defines all flags. */
static void define_flags(struct gen *g) { PUT(g, 0x39, 0xc0 | any_reg(g) << 3 | any_reg(g)); }
/* Addresses: mostly in the data, sometimes near its edges, by an alias, or nowhere. */
static u32 data_address(struct gen *g)
{
    u32 at = W_DATA + rnd(g, W_DATA_END - W_DATA - 64);
    if (has(g, PROGEN_PAGING) && one_in(g, 8))
        at += one_in(g, 3) ? W_LARGE : W_ALIAS;
    return has(g, PROGEN_FAULTS) && one_in(g, 24) ? W_HOLE - 8 + rnd(g, 16) : at;
}
static void point(struct gen *g, unsigned reg) { mov_imm(g, reg, data_address(g)); }
static u32 game_address(struct gen *g) { return W_GAMES + rnd(g, W_GAMES_END - W_GAMES - 8); }

/* A landing place within the piece: what follows the next n bytes. */
static void land_after(struct gen *g, unsigned n) { store_imm(g, W_LANDING, here(g) + 10 + n); }

/* ModRM of memory at [base + disp8], absolute, or with an index; or of a register. */
static void modrm(struct gen *g, unsigned field, bool memory, unsigned base)
{
    if (!memory) {
        put8(g, 0xc0 | field << 3 | any_reg(g));
    } else if (one_in(g, 8)) {
        put8(g, 0x05 | field << 3);
        put32(g, data_address(g));
    } else if (one_in(g, 6)) { /* [base + index * scale + disp8], the index small */
        PUT(g, 0x44 | field << 3, rnd(g, 4) << 6 | EBP << 3 | base, rnd(g, 256));
    } else {
        PUT(g, 0x40 | field << 3 | base, rnd(g, 256));
    }
}

static bool want_memory(struct gen *g, unsigned *base)
{
    *base = one_in(g, 2) ? EBX : ESI;
    if (!has(g, PROGEN_MEMORY) || one_in(g, 2))
        return false;
    point(g, *base);
    mov_imm(g, EBP, rnd(g, 64));
    return true;
}

/* --- plain code --- */

static void alu(struct gen *g)
{
    unsigned base, op = rnd(g, 8), size = rnd(g, 3);
    bool memory = want_memory(g, &base), logic = op == 1 || op == 4 || op == 6;
    if (memory && op != 7 && one_in(g, 10)) { /* LOCK, the memory as destination */
        PUT(g, 0xf0, op << 3 | 1);
        modrm(g, any_reg(g), true, base);
    } else {
        if (size == 2)
            put8(g, 0x66);
        if (one_in(g, 2)) {
            put8(g, op << 3 | (size != 0) | (memory && one_in(g, 2) ? 2 : 0));
            modrm(g, size ? any_reg(g) : rnd(g, 8), memory, base);
        } else {
            put8(g, size ? 0x83 : 0x80);
            modrm(g, op, memory, base);
            put8(g, rnd(g, 256));
        }
    }
    if (logic)
        define_flags(g);
}

static void moves(struct gen *g)
{
    unsigned base;
    bool memory = want_memory(g, &base);
    switch (rnd(g, 8)) {
    case 0: mov_imm(g, any_reg(g), random32(g)); break;
    case 1: put8(g, 0x89); modrm(g, any_reg(g), memory, base); break;
    case 2: put8(g, 0x8b); modrm(g, any_reg(g), memory, base); break;
    case 3: PUT(g, 0x0f, 0xb6 | rnd(g, 2) | rnd(g, 2) << 3); modrm(g, any_reg(g), memory, base); break;
    case 4: put8(g, 0x40 | rnd(g, 2) << 3 | any_reg(g)); break;
    case 5: PUT(g, 0x8d, 0x44 | any_reg(g) << 3, any_reg(g) << 3 | any_reg(g) | rnd(g, 4) << 6, rnd(g, 256)); break;
    case 6: PUT(g, 0x0f, 0x90 | rnd(g, 16)); modrm(g, 0, memory, base); break;
    case 7: PUT(g, 0x0f, 0x40 | rnd(g, 16), 0xc0 | any_reg(g) << 3 | any_reg(g)); break;
    }
}

/* Counts that are often 0, 1, or more than there are bits. */
static void shift(struct gen *g)
{
    unsigned base, op = rnd(g, 8);
    bool memory = want_memory(g, &base);
    if (one_in(g, 2)) {
        PUT(g, 0xb1, one_in(g, 3) ? rnd(g, 2) : rnd(g, 40)); /* mov cl, n */
        put8(g, 0xd2 | rnd(g, 2));
        modrm(g, op, memory, base);
    } else {
        put8(g, 0xc0 | rnd(g, 2));
        modrm(g, op, memory, base);
        put8(g, one_in(g, 4) ? rnd(g, 2) : rnd(g, 40));
    }
    define_flags(g);
}

static void muldiv(struct gen *g)
{
    if (has(g, PROGEN_FAULTS) && one_in(g, 4)) {
        PUT(g, 0xf7, 0xf0 | rnd(g, 2) << 3 | any_reg(g)); /* may be a divide error */
    } else {
        PUT(g, 0x31, 0xd2); /* xor edx, edx; mov ecx, n; div ecx; imul */
        mov_imm(g, ECX, 1 + rnd(g, 1000));
        PUT(g, 0xf7, 0xf1, 0x0f, 0xaf, 0xc0 | any_reg(g) << 3 | any_reg(g));
    }
    define_flags(g);
}

/* ESP stays within its page; some of these are rewritten in ways that must fault before they change anything. */
static void stack(struct gen *g)
{
    unsigned r = any_reg(g);
    switch (rnd(g, 9)) {
    case 0: PUT(g, 0x50 | r, 0x58 | any_reg(g)); break;
    case 1: PUT(g, 0x6a, rnd(g, 256), 0x58 | r); break;
    case 2: put8(g, 0x68); put32(g, random32(g)); PUT(g, 0x8f, 0x05); put32(g, data_address(g)); break;
    case 3: PUT(g, 0xff, 0x35); put32(g, data_address(g)); PUT(g, 0x58 | r); break;
    case 4: PUT(g, 0x55, 0x89, 0xe5, 0x83, 0xec, 4 * rnd(g, 8), 0xc9); break; /* push ebp; mov ebp, esp; sub esp, n; leave */
    case 5: PUT(g, 0x60, 0x61); break;
    case 6: PUT(g, 0x54, 0x59, 0x51, 0x5c); break;              /* push esp; pop ecx; push ecx; pop esp */
    case 7: PUT(g, 0x55, 0xc8, 4 * rnd(g, 8), 0, rnd(g, 4), 0xc9, 0x5d); break; /* enter, leave */
    case 8: PUT(g, 0x66, 0x50 | r, 0x66, 0x58 | any_reg(g), 0x6a, 1, 0x8f, 0x04, 0x24, 0x58); break; /* 16-bit push; pop [esp] */
    }
}

/* Two addresses for a string instruction. Where they overlap in memory they must not do so by different aliases: what the host's fast
 * strings make of that, as the SDM allows them (vol. 1, 7.3.9.3), is their own. */
static void two_addresses(struct gen *g, u32 *from, u32 *to)
{
    *from = data_address(g);
    *to = data_address(g);
    u32 distance = (*to - *from) & (W_ALIAS / 2 - 1);
    if (*from / (W_ALIAS / 2) != *to / (W_ALIAS / 2) && (distance < 0x100 || distance > W_ALIAS / 2 - 0x100))
        *to = *from;
}

static void strings(struct gen *g)
{
    u32 from, to;
    two_addresses(g, &from, &to);
    static const u8 ops[] = { 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf };
    bool paging = has(g, PROGEN_PAGING) && one_in(g, 6);
    mov_imm(g, ESI, from);
    if (paging)
        mov_imm(g, EDI, game_address(g));
    else if (one_in(g, 4))
        PUT(g, 0x8d, 0x7e, rnd(g, 9) - 4);                      /* lea edi, [esi + n]: overlapping */
    else
        mov_imm(g, EDI, to);
    if (one_in(g, 4))
        put8(g, 0xfd);                                          /* std */
    if (one_in(g, 2)) {
        mov_imm(g, ECX, one_in(g, 6) ? rnd(g, 3000) : rnd(g, 40));
        put8(g, 0xf2 | rnd(g, 2));
    }
    if (one_in(g, 6))
        put8(g, 0x66);
    PUT(g, ops[rnd(g, sizeof ops)], 0xfc);
}

static void fpu(struct gen *g)
{
    static const u8 sse[] = { 0x58, 0x59, 0x5c, 0x5d, 0x5f, 0x54, 0x57, 0x14, 0x28, 0x10 };
    bool memory = one_in(g, 2);
    mov_imm(g, EBX, W_DATA + 16 * rnd(g, 0x100) + (one_in(g, 8) ? rnd(g, 16) : 0));
    switch (rnd(g, 8)) {
    case 0: PUT(g, 0x0f, sse[rnd(g, sizeof sse)]); put8(g, memory ? 0x03 | rnd(g, 8) << 3 : 0xc0 | rnd(g, 64)); break;
    case 1: PUT(g, 0x66, 0x0f, 0xd4 | rnd(g, 2)); put8(g, memory ? 0x03 | rnd(g, 8) << 3 : 0xc0 | rnd(g, 64)); break;
    case 2: PUT(g, 0xdb, 0x43, 4 * rnd(g, 16), 0xd8, 0x43, 4 * rnd(g, 16), 0xdb, 0x5b, 4 * rnd(g, 16)); break; /* fild, fadd, fistp */
    case 3: PUT(g, 0x0f, 0xfc | rnd(g, 3), 0xc0 | rnd(g, 64), 0x0f, 0x77); break; /* paddb..d; emms */
    case 4: PUT(g, 0x0f, 0xae, 0x5b, 4 * rnd(g, 16), 0xd9, 0x7b, 4 * rnd(g, 16)); break; /* stmxcsr; fnstcw */
    case 5: PUT(g, 0xdb, 0xe3, 0xd9, 0xe8 + rnd(g, 7), 0xd9, 0xe8 + rnd(g, 7), 0xd8 | rnd(g, 2) << 2, 0xc1 | rnd(g, 8) << 3); break;
    case 6: PUT(g, 0x0f, 0x06); break;                          /* clts: in ring 0 the FPU is there again */
    case 7: /* an x87 exception that is not masked waits for the next instruction */
        PUT(g, 0xdb, 0xe3); store_imm(g, W_DATA, 0x37b); PUT(g, 0xd9, 0x2d); put32(g, W_DATA);
        land_after(g, 8); PUT(g, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b, 0x90, 0xdb, 0xe3); /* fld1; fldz; fdivp; fwait; fninit */
        break;
    }
}

static void fault(struct gen *g)
{
    switch (rnd(g, 9)) {
    case 0: PUT(g, 0x8b, 0x05); put32(g, W_HOLE + rnd(g, 0x10000)); break;
    case 1: PUT(g, 0x01, 0x05); put32(g, W_HOLE + rnd(g, 0x10000)); break;
    case 2: PUT(g, 0x0f, 0x0b); break;
    case 3: put8(g, one_in(g, 2) ? 0xcc : 0xce); break;         /* int3, into */
    case 4: PUT(g, 0x31, 0xc9, 0xf7, 0xf1); break;
    case 5: PUT(g, 0x8b, 0x05); put32(g, W_HOLE - 1 - rnd(g, 3)); break; /* across the edge */
    case 6: PUT(g, 0x9c, 0x80, 0x4c, 0x24, 1, 1, 0x9d, 0x90, 0x40, 0x90); break; /* TF by POPF: one step */
    case 7: mov_imm(g, EAX, one_in(g, 2) ? W_HOLE + rnd(g, 99) : rnd(g, 0xffffffff)); PUT(g, 0xff, 0xd0 | rnd(g, 2) << 4); break; /* call, jmp to nowhere */
    case 8: PUT(g, 0x89, 0xe0); mov_imm(g, ESP, W_HOLE - 3 + rnd(g, 3)); put8(g, 0x58); PUT(g, 0x89, 0xc4); break; /* pop from a stack that is half there */
    }
}

static void flow(struct gen *g)
{
    unsigned n;
    switch (rnd(g, 9)) {
    case 0: n = rnd(g, 4); PUT(g, 0x70 | rnd(g, 16), n); while (n--) put8(g, 0x40 | any_reg(g)); break;
    case 1: PUT(g, 0x0f, 0x80 | rnd(g, 16)); put32(g, 2); PUT(g, 0x40 | any_reg(g), 0x48 | any_reg(g)); break;
    case 2: PUT(g, 0xe8, 2, 0, 0, 0, 0xeb, 2, 0x40 | any_reg(g), 0xc3); break;  /* call f; jmp on; f: inc; ret */
    case 3: mov_imm(g, ECX, 1 + rnd(g, 20)); PUT(g, 0x01, 0xc8, 0x83, 0xc2, 7, 0xe2, 0xf9); break; /* a loop */
    case 4: mov_imm(g, EAX, here(g) + 5 + 2 + 1); PUT(g, 0xff, 0xe0, 0x90); break; /* jmp eax */
    case 5: mov_imm(g, ECX, rnd(g, 2)); PUT(g, 0xe3, 1, 0x40, 0xe0 | rnd(g, 3), 0); break; /* jecxz; loopcc */
    case 6: put8(g, 0xeb); put8(g, 1); put8(g, 0xb8); put8(g, 0x40); put8(g, 0x40); break; /* into the middle: what follows B8 is two INCs here */
    case 7: PUT(g, 0x68); put32(g, here(g) + 4 + 3 + 1); PUT(g, 0xc2, 0, 0, 0x90); break; /* push; ret 0 */
    case 8: put8(g, 0xe8); put32(g, W_VARIANTS + rnd(g, 4) * 0x1000 - (here(g) + 4)); break;
    }
}

/* --- code that changes --- */

static const u8 small[] = { 0x40, 0x43, 0x46, 0x4a, 0x4d, 0x90, 0xf8, 0xf9, 0xf5, 0x9f, 0x99 };

static void selfmod(struct gen *g)
{
    unsigned gap = rnd(g, 3);
    u32 alias = has(g, PROGEN_PAGING) && one_in(g, 3) ? one_in(g, 2) ? W_LARGE : W_ALIAS : 0;
    switch (rnd(g, 5)) {
    case 0: /* the immediate of an instruction that comes next, or a little later in the same unit */
        PUT(g, 0xc6, 0x05);
        put32(g, alias + here(g) + 4 + 1 + gap + 1);
        put8(g, rnd(g, 256));
        while (gap--)
            put8(g, 0x90);
        mov_imm(g, any_reg(g), random32(g));
        break;
    case 1: /* the next instruction itself */
        PUT(g, 0xc6, 0x05);
        put32(g, alias + here(g) + 4 + 1);
        PUT(g, small[rnd(g, sizeof small)], 0x90, 0x90);
        break;
    case 2: /* a loop that counts in its own immediate */
        mov_imm(g, ECX, 2 + rnd(g, 12));
        PUT(g, 0x81, 0xc0);                                     /* add eax, imm32 */
        put32(g, 1);
        PUT(g, 0xfe, 0x05);                                     /* inc byte [imm32] */
        put32(g, alias + here(g) - 4 - 2);
        PUT(g, 0xe2, 0xf2);
        break;
    case 3: /* a string over the code that follows */
        mov_imm(g, EDI, alias + here(g) + 5 + 5 + 5 + 2);
        mov_imm(g, ECX, 1 + rnd(g, 6));
        mov_imm(g, EAX, small[rnd(g, sizeof small)]);
        PUT(g, 0xf3, 0xaa, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90);
        break;
    case 4: /* the function of another page */
        PUT(g, 0xc6, 0x05);
        put32(g, alias + W_VARIANTS + rnd(g, 4) * 0x1000 + 1 + rnd(g, 4));
        put8(g, rnd(g, 256));
        put8(g, 0xe8);
        put32(g, W_VARIANTS + rnd(g, 4) * 0x1000 - (here(g) + 4));
        break;
    }
}

static void invalidate(struct gen *g, u32 gva)
{
    if (one_in(g, 4)) {
        PUT(g, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);             /* reload CR3, by EAX */
        return;
    }
    PUT(g, 0x0f, 0x01, 0x3d);
    put32(g, gva);
    if (one_in(g, 2)) {
        PUT(g, 0x0f, 0x01, 0x3d);                               /* the alias too */
        put32(g, gva + W_ALIAS);
    }
}

static u32 pte_at(u32 gva) { return W_PT + (gva >> 12) * 4; }

static void paging(struct gen *g)
{
    u32 at = game_address(g) & ~3u, page = at & ~0xfffu, v;
    invalidate(g, page); /* outside ring 0 it faults, before an edit that it could not follow: such a one may be seen or not */
    switch (rnd(g, 10)) {
    case 0: case 1: /* present, writable, user, accessed and dirty in every combination; elsewhere or not; then use it */
        store_imm(g, pte_at(page), (W_GAMES + rnd(g, 8) * 0x1000) | rnd(g, 8) | (one_in(g, 2) ? rnd(g, 4) << 5 : 0) | (one_in(g, 3) ? 0 : 1));
        invalidate(g, page);
        if (one_in(g, 3))
            invalidate(g, page + W_ALIAS);
        PUT(g, one_in(g, 2) ? 0x8b : 0x01, 0x05 | any_reg(g) << 3);
        put32(g, at);
        break;
    case 2: store_imm(g, at, random32(g)); break;
    case 3: PUT(g, 0x8b, 0x05 | any_reg(g) << 3); put32(g, at + (one_in(g, 4) ? W_ALIAS : 0)); break;
    case 4: /* the same code at the same address, another page */
        v = W_VARIANTS + rnd(g, 4) * 0x1000;
        store_imm(g, pte_at(v), (W_VARIANTS + rnd(g, 4) * 0x1000) | 7);
        invalidate(g, v);
        put8(g, 0xe8);
        put32(g, v - (here(g) + 4));
        break;
    case 5: mov_imm(g, EAX, one_in(g, 2) ? W_PD2 : W_PD); PUT(g, 0x0f, 0x22, 0xd8); break;
    case 6: PUT(g, 0x0f, 0x20, 0xc0, 0x0f, 0xba, 0xf8, 16, 0x0f, 0x22, 0xc0); define_flags(g); break; /* btc eax, 16: CR0.WP */
    case 7: PUT(g, 0x0f, 0x20, 0xe0, 0x0f, 0xba, 0xf8, one_in(g, 2) ? 4 : 7, 0x0f, 0x22, 0xe0); define_flags(g); break; /* CR4.PSE, PGE */
    case 8: PUT(g, 0x83, 0x0d); put32(g, pte_at(page)); put8(g, 0); define_flags(g); break; /* or dword [pte], 0: a write that changes nothing */
    case 9: /* the directory's entry of an alias: gone, read-only, back */
        store_imm(g, W_PD + (W_ALIAS >> 22) * 4, W_PT | (one_in(g, 3) ? 0 : one_in(g, 2) ? 5 : 7));
        PUT(g, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
        PUT(g, 0x8b, 0x0d);
        put32(g, at + W_ALIAS);
        break;
    }
}

/* --- system code --- */

static void systems(struct gen *g)
{
    unsigned r = any_reg(g);
    switch (rnd(g, 18)) {
    case 0: PUT(g, 0x9c, 0x58 | r); break;                      /* pushf; pop */
    case 1: PUT(g, 0x0f, 0x01, 0xe0 | r); break;                /* smsw */
    case 2: PUT(g, 0x8c, 0xc0 | rnd(g, 6) << 3 | r); break;     /* mov reg, sreg */
    case 3: PUT(g, 0xb8, rnd(g, 3), 0, 0, 0, 0x0f, 0xa2); break; /* cpuid */
    case 4: put8(g, 0xfa); break;
    case 5: PUT(g, 0x0f, 0x20, 0xc0 | (const u8[]){ 0, 2, 3, 4 }[rnd(g, 4)] << 3 | r); break;
    case 6: put8(g, 0x68); put32(g, random32(g) & 0x244ed5); put8(g, 0x9d); break; /* popf, without TF, VM; NT, AC, ID as it comes */
    case 7: PUT(g, 0x0e, 0x58 | r); break;                      /* push cs; pop */
    case 8: PUT(g, 0xfb, 0x90 | rnd(g, 2)); break;              /* sti; nop or xchg */
    case 9: PUT(g, 0x0f, rnd(g, 2), rnd(g, 2) ? 0x05 : 0x0d); put32(g, data_address(g)); break; /* sldt, str, sgdt, sidt */
    case 10: PUT(g, 0x66, 0xb8); put16(g, rnd(g, 0x18) << 3 | rnd(g, 8)); PUT(g, 0x0f, 2 | rnd(g, 2), 0xc0 | r << 3); break; /* lar, lsl */
    case 11: PUT(g, 0x66, 0xb8); put16(g, rnd(g, 0x18) << 3 | rnd(g, 8)); PUT(g, 0x0f, 0, 0xe0 | rnd(g, 2) << 3); break; /* verr, verw */
    case 12: mov_imm(g, EDX, one_in(g, 2) ? 0x80 : 0x5678); PUT(g, 0xec | rnd(g, 4)); break; /* in, out */
    case 13: PUT(g, 0xe6, 0x80); break;
    case 14: PUT(g, 0x0f, 0x06, 0x90); break;                   /* clts */
    case 15: /* TS on, an x87 instruction that faults, TS off again */
        PUT(g, 0x0f, 0x20, 0xc0, 0x83, 0xc8, 8, 0x0f, 0x22, 0xc0);
        define_flags(g);
        land_after(g, 2);
        PUT(g, 0xd9, 0xe8, 0x0f, 0x06);
        break;
    case 16: PUT(g, 0x9c, 0xfa, 0x40 | r, 0x9d); break;         /* pushf; cli; inc; popf: a critical section */
    case 17: PUT(g, 0xb9); put32(g, 0x174 + rnd(g, 3)); PUT(g, 0x0f, 0x32); break; /* rdmsr */
    }
}

static const u16 selectors[] = {
    0, 3, SEL_DATA0, SEL_DATA3, SEL_DATA3 & ~3, SEL_CODE0, SEL_CODE3, SEL_BASED, SEL_BASED & ~3, SEL_DOWN, SEL_READ_ONLY, SEL_ABSENT, SEL_LDT, SEL_CONFORMING,
    SEL_DATA1, SEL_GATE, SEL_EXECUTE_ONLY, SEL_DATA16, SEL_LOCAL, SEL_TSS, 0xf8, 0xffff,
};

static u16 any_selector(struct gen *g) { return selectors[rnd(g, ARRAY_LEN(selectors))]; }

/* mov sreg, selector */
static void load_segment(struct gen *g, unsigned sreg, u16 selector)
{
    PUT(g, 0x66, 0xb8);
    put16(g, selector);
    PUT(g, 0x8e, 0xc0 | sreg << 3);
}

/* An offset in that segment. From base 0 a small one could hit the handlers, and what they become leaves flags undefined. */
static u32 offset_in(struct gen *g, u16 selector)
{
    bool based = selector == SEL_BASED || selector == SEL_DATA16 || selector == SEL_DATA16_0;
    return !based || one_in(g, 3) ? data_address(g) : rnd(g, 0x4100);
}

static void segments(struct gen *g)
{
    u16 selector = any_selector(g);
    static const u8 prefix[] = { 0x26, 0, 0, 0x3e, 0x64, 0x65 };
    unsigned sreg = (const u8[]){ ES, DS, FS, GS, FS, GS }[rnd(g, 6)];
    switch (rnd(g, 6)) {
    case 0: case 1: /* load, use once, and have it flat again */
        load_segment(g, sreg, selector);
        PUT(g, prefix[sreg], one_in(g, 2) ? 0x8b : 0x89, 0x0d);
        put32(g, offset_in(g, selector));
        if (one_in(g, 2)) {
            mov_imm(g, EDI, rnd(g, 0x3000));
            PUT(g, prefix[sreg], 0xff, 0x37, 0x5a);             /* push seg:[edi]; pop edx */
        }
        if (sreg == ES || sreg == DS)
            load_segment(g, sreg, SEL_DATA3);
        break;
    case 2: PUT(g, 0x1e, 0x06, 0x07, 0x1f, 0x0f, 0xa0, 0x0f, 0xa9); break; /* push ds, es; pop es, ds; push fs; pop gs */
    case 3: /* lfs, lgs, les */
        store_imm(g, W_DATA + 0x100, random32(g));
        store_imm(g, W_DATA + 0x104, any_selector(g));
        PUT(g, 0x0f, 0xb4 | rnd(g, 2), 0x1d);
        put32(g, W_DATA + 0x100);
        break;
    case 4: /* another stack segment for a moment: a shadow, and a base or a limit */
        PUT(g, 0x89, 0xe2);                                     /* mov edx, esp */
        load_segment(g, SS, one_in(g, 4) ? any_selector(g) : g->ring == 3 ? SEL_BASED : SEL_DATA16_0);
        mov_imm(g, ESP, 0x3000 + 4 * rnd(g, 16));
        PUT(g, 0x50, 0x59);
        load_segment(g, SS, g->ring == 3 ? SEL_DATA3 : g->ring ? SEL_DATA1 : SEL_DATA0);
        PUT(g, 0x89, 0xd4);
        break;
    case 5: /* flat but for what is not flat about it: strings through ES with a base, FS overrides */
        load_segment(g, ES, SEL_BASED);
        mov_imm(g, EDI, rnd(g, 0x3f00));
        mov_imm(g, ECX, rnd(g, 20));
        PUT(g, 0xf3, 0xaa);
        load_segment(g, ES, SEL_DATA3);
        break;
    }
}

/* --- rings --- */

static u16 code_of(unsigned ring) { return ring == 3 ? SEL_CODE3 : ring ? SEL_CODE1 : SEL_CODE0; }
static u16 data_of(unsigned ring) { return ring == 3 ? SEL_DATA3 : ring ? SEL_DATA1 : SEL_DATA0; }
static void push_imm(struct gen *g, u32 v) { put8(g, 0x68); put32(g, v); }

/* iret or retf to that ring, with what follows as the target. */
static void go_out(struct gen *g, unsigned ring, bool by_iret)
{
    if (ring != g->ring) {
        push_imm(g, data_of(ring));
        push_imm(g, W_STACK - 16 * rnd(g, 16));
    }
    if (by_iret)
        push_imm(g, 2 | (random32(g) & 0xcd5) | (one_in(g, 4) ? FLAG_IF : 0) | (one_in(g, 3) ? FLAG_IOPL : 0));
    push_imm(g, code_of(ring));
    push_imm(g, here(g) + 6);
    put8(g, by_iret ? 0xcf : 0xcb);
    g->ring = ring;
    if (ring == 3 || ring == 1) { /* data segments of a higher privilege were made null */
        load_segment(g, DS, SEL_DATA3);
        load_segment(g, ES, SEL_DATA3);
    }
}

static void rings(struct gen *g)
{
    unsigned lower = g->ring == 0 && one_in(g, 4) ? 1 : 3;
    switch (rnd(g, 9)) {
    case 0: go_out(g, lower, true); break;
    case 1: go_out(g, lower, false); break;
    case 2: go_out(g, g->ring, one_in(g, 2)); break;
    case 3: PUT(g, 0xcd, INT_RING0); g->ring = 0; break;
    case 4: PUT(g, 0xcd, INT_BACK); break;
    case 5: PUT(g, 0xcd, rnd(g, 20)); break;                    /* mostly #GP in ring 3 */
    case 6: /* sysenter, and its sysexit to ring 3 */
        PUT(g, 0x89, 0xe1);
        mov_imm(g, EDX, here(g) + 5 + 2);
        PUT(g, 0x0f, 0x34);
        g->ring = 3;
        load_segment(g, DS, SEL_DATA3);
        load_segment(g, ES, SEL_DATA3);
        break;
    case 7: put8(g, 0x9a); put32(g, random32(g)); put16(g, SEL_GATE); break;
    case 8: push_imm(g, random32(g)); push_imm(g, 1); put8(g, 0x9a); put32(g, 0); put16(g, SEL_GATE2); PUT(g, 0x83, 0xc4, 0); break;
    }
}

static void far_flow(struct gen *g)
{
    u16 sel = one_in(g, 3) ? code_of(g->ring) : one_in(g, 2) ? SEL_CONFORMING : one_in(g, 2) ? SEL_CODE_LIMITED : any_selector(g);
    if (one_in(g, 2)) { /* jmp far, and back */
        put8(g, 0xea); put32(g, here(g) + 6); put16(g, sel);
        put8(g, 0x40);
        put8(g, 0xea); put32(g, here(g) + 6); put16(g, code_of(g->ring));
    } else {            /* call far over a jump; retf */
        put8(g, 0x9a); put32(g, here(g) + 8); put16(g, sel);
        PUT(g, 0xeb, 2, 0x41, 0xcb);
    }
}

/* --- 16-bit segments --- */

static void code16_body(struct gen *g)
{
    unsigned r = any_reg(g), n;
    switch (rnd(g, 10)) {
    case 0: PUT(g, rnd(g, 8) << 3 | 1 | rnd(g, 2) << 1, 0xc0 | r << 3 | any_reg(g)); PUT(g, 0x39, 0xc0); break;
    case 1: put8(g, 0xb8 | r); put16(g, random32(g)); break;
    case 2: PUT(g, 0x66, 0xb8 | r); put32(g, random32(g)); break;
    case 3: PUT(g, 0x50 | r, 0x58 | any_reg(g)); break;
    case 4: PUT(g, 0x66, 0x50 | r, 0x66, 0x58 | any_reg(g)); break;
    case 5: put8(g, 0xbb); put16(g, rnd(g, 0x3f00)); PUT(g, 0x64, one_in(g, 2) ? 0x8b : 0x89, 0x47 | r << 3, rnd(g, 256)); break; /* fs:[bx + disp8] */
    case 6: PUT(g, 0x40 | rnd(g, 2) << 3 | r); break;
    case 7: n = rnd(g, 3); PUT(g, 0x70 | rnd(g, 16), n); while (n--) put8(g, 0x40 | r); break;
    case 8: put8(g, 0xb9); put16(g, 1 + rnd(g, 5)); PUT(g, 0x40 | EAX, 0xe2, 0xfd); break;
    case 9: PUT(g, 0xe8, 2, 0, 0xeb, 2, 0x40, 0xc3); break;
    }
}

static void code16(struct gen *g)
{
    bool stack16 = g->ring == 0 && one_in(g, 2);
    load_segment(g, FS, SEL_DATA16);
    if (stack16) {
        PUT(g, 0x89, 0xe7);                                     /* mov edi, esp */
        load_segment(g, SS, SEL_STACK16);
        mov_imm(g, ESP, W_STACK - (W_STACK_END - 0x10000));
    }
    put8(g, 0xea);
    put32(g, here(g) + 6 - W_CODE);
    put16(g, g->ring == 3 ? SEL_CODE16_3 : SEL_CODE16);
    for (unsigned n = 1 + rnd(g, 5); n; n--)
        code16_body(g);
    PUT(g, 0x66, 0xea);
    put32(g, here(g) + 6);
    put16(g, code_of(g->ring));
    if (stack16) {
        load_segment(g, SS, SEL_DATA0);
        mov_imm(g, ESP, W_STACK - 0x100);
    }
}

/* --- any row of the table --- */

static bool harmless(const struct opcode *o)
{
    static const u16 no[] = { MN_ENTER, MN_LEAVE, MN_POPA, MN_BSWAP /* of 16 bits: undefined */, MN_SHLD, MN_SHRD /* of 16 bits by more: undefined */,
                              MN_FNSTENV, MN_FNSAVE, MN_FXSAVE, MN_FLDENV, MN_FRSTOR, MN_FXRSTOR /* addresses of instructions and data */, MN_MOVNTI,
                              MN_LDMXCSR, MN_FBSTP };
    for (unsigned i = 0; i < ARRAY_LEN(no); i++)
        if (o->mnemonic == no[i])
            return false;
    return (o->class == CLASS_PLAIN || o->class == CLASS_STRING) && o->isa <= ISA_SSSE3 && o->isa != ISA_SYSENTER && o->isa != ISA_SYSCALL &&
           !(o->attr & OPATTR_ONLY64);
}

/* Numbers of the rows, once. */
static unsigned table_rows(const u16 **rows)
{
    static u16 list[2048];
    static unsigned n;
    for (unsigned i = 0; !n && i < opcode_count; i++)
        for (unsigned k = i; k < opcode_count && n < ARRAY_LEN(list); k++, i = k)
            if (harmless(&opcode_rows[k]))
                list[n++] = k;
    *rows = list;
    return n;
}

static bool touches_esp(const struct insn *i)
{
    for (unsigned n = 0; n < 4; n++)
        if (i->op[n].kind == OPD_GPR && i->op[n].reg == RSP && !i->op[n].high8)
            return true;
    return i->mnemonic == MN_PUSH || i->mnemonic == MN_POP;
}

static void table(struct gen *g)
{
    const u16 *rows;
    unsigned n = table_rows(&rows);
    const struct opcode *o = &opcode_rows[rows[rnd(g, n)]];
    u8 bytes[32], code[2 * INSN_MAX];
    struct insn i;
    bool memory = strpbrk(o->operands, "EMQW") && one_in(g, 2);
    unsigned prefixes = 0, len;
    if (strchr(o->operands, 'M'))
        memory = true;
    if (memory && o->attr & OPATTR_LOCK && one_in(g, 8))
        code[prefixes++] = 0xf0;
    else if (o->class == CLASS_STRING && one_in(g, 2))
        code[prefixes++] = 0xf2 | rnd(g, 2);
    if (strpbrk(o->operands, "vz") && one_in(g, 4))
        code[prefixes++] = 0x66;
    len = encode_row(o, rnd(g, 8), rnd(g, 8), memory ? 0 : 3, bytes);
    if (strchr(o->encoding, '/') && !memory && (bytes[len - 1] & 7) == 3)
        bytes[len - 1] = (bytes[len - 1] & ~7) | rnd(g, 8);
    memcpy(code + prefixes, bytes, len);
    for (unsigned k = prefixes + len; k < sizeof code; k++)
        code[k] = rnd(g, 256);
    if (decode_insn(code, INSN_MAX, 32, &i) != DECODE_OK || i.mnemonic != o->mnemonic || touches_esp(&i))
        return;
    if (i.op[0].kind == OPD_NONE && (o->encoding[0] == 'A' && (o->encoding[1] == '0' || o->encoding[1] == '1' || o->encoding[1] == '2' || o->encoding[1] == '3')))
        return;
    if (i.imm_size == 0 && i.disp_size == 4 && !i.modrm_off) { /* moffs */
        u32 at = data_address(g);
        memcpy(code + i.disp_off, &at, 4);
    }
    mov_imm(g, EBX, (data_address(g) & (one_in(g, 4) ? ~0u : ~15u)));
    mov_imm(g, ESI, data_address(g));
    mov_imm(g, EDI, data_address(g));
    if (i.rep || i.repne)
        mov_imm(g, ECX, rnd(g, 20));
    if (i.mnemonic >= MN_BT && i.mnemonic <= MN_BTC && memory)
        for (unsigned r = 0; r < 8; r++) /* a bit string reaches far: keep it in the data */
            if (r != EBX && r != ESP && i.op[1].kind == OPD_GPR && i.op[1].reg == r)
                mov_imm(g, r, rnd(g, 0x4000));
    if (i.mnemonic >= MN_BT && i.mnemonic <= MN_BTC && memory && i.op[1].kind == OPD_GPR && i.op[1].reg == RBX)
        return;
    memcpy(g->p->code + g->p->len, code, i.len);
    g->p->len += i.len;
    if (o->flags_undefined)
        define_flags(g);
}

/* --- the whole --- */

static const struct { unsigned feature; const char *name; void (*make)(struct gen *g); } makers[] = {
    { 0, "alu", alu }, { 0, "moves", moves }, { 0, "shift", shift }, { 0, "muldiv", muldiv },
    { PROGEN_MEMORY, "alu", alu }, { PROGEN_MEMORY, "moves", moves }, { PROGEN_MEMORY, "stack", stack },
    { PROGEN_STRINGS, "strings", strings }, { PROGEN_FPU, "fpu", fpu }, { PROGEN_FAULTS, "fault", fault }, { PROGEN_FLOW, "flow", flow },
    { PROGEN_FLOW, "flow", flow }, { PROGEN_SELFMOD, "selfmod", selfmod }, { PROGEN_PAGING, "paging", paging }, { PROGEN_PAGING, "paging", paging },
    { PROGEN_SYSTEM, "systems", systems }, { PROGEN_SEGMENTS, "segments", segments }, { PROGEN_RINGS, "rings", rings }, { PROGEN_RINGS, "far", far_flow },
    { PROGEN_16BIT, "code16", code16 }, { PROGEN_TABLE, "table", table }, { PROGEN_TABLE, "table", table },
};

static void seed_random(struct gen *g, u64 n)
{
    g->random = (g->p->seed * 0x9e3779b97f4a7c15u) ^ (n + 1) * 0xd1342543de82ef95u;
    g->random |= !g->random;
    check_random(&g->random);
}

static void set_control(struct gen *g, struct cpu_state *s)
{
    bool odd = has(g, PROGEN_SYSTEM), paging = has(g, PROGEN_PAGING);
    s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_MP | (odd && one_in(g, 8) ? 0 : CR0_NE) | (paging && one_in(g, 3) ? 0 : CR0_WP) |
             (odd && one_in(g, 8) ? CR0_TS : 0) | (odd && one_in(g, 24) ? CR0_EM : 0) | (odd && one_in(g, 16) ? CR0_AM : 0);
    s->cr4 = (odd && one_in(g, 12) ? 0 : CR4_OSFXSR | CR4_OSXMMEXCPT) | (paging && one_in(g, 2) ? CR4_PSE : 0) | (paging && one_in(g, 3) ? CR4_PGE : 0) |
             (odd && one_in(g, 8) ? CR4_TSD : 0);
    s->cr3 = paging && one_in(g, 4) ? W_PD2 : W_PD;
}

static void set_state(struct gen *g)
{
    struct cpu_state *s = &g->p->state;
    state_reset(s);
    state_flat32(s, g->p->at, W_STACK);
    s->gdtr = (struct dtable){ W_GDT, 0xbf };
    s->idtr = (struct dtable){ W_IDT, W_VECTORS * 8 - 1 };
    s->ldtr = (struct segment){ SEL_LDT, W_LDT, 15, SEG_P | 2 };
    s->tr = (struct segment){ SEL_TSS, W_TSS, 0x8f, SEG_P | 11 };
    set_control(g, s);
    s->sysenter_cs = SEL_CODE0;
    s->sysenter_esp = W_STACK0 - 0x100;
    s->sysenter_eip = W_SYSENTER;
    if (has(g, PROGEN_SYSTEM | PROGEN_RINGS))
        s->rflags |= (one_in(g, 2) ? FLAG_IF : 0) | (one_in(g, 4) ? FLAG_IOPL : 0) | (one_in(g, 32) ? FLAG_AC : 0);
    for (int r = 0; r < 8; r++)
        if (r != RSP)
            s->gpr[r] = one_in(g, 2) ? W_DATA + rnd(g, 0x4000) : random32(g);
    s->fpu.fcw = 0x37f;
    s->fpu.mxcsr = 0x1f80;
    for (int x = 0; x < 8; x++)
        for (int b = 0; b < 16; b++)
            s->fpu.xmm[x][b] = rnd(g, 256);
}

static void make_piece(struct gen *g)
{
    unsigned m;
    do
        m = rnd(g, ARRAY_LEN(makers));
    while (makers[m].feature && !has(g, makers[m].feature));
    store_imm(g, W_LANDING, 0);
    unsigned landing = g->p->len - 4;
    makers[m].make(g);
    u32 end = here(g);
    memcpy(g->p->code + landing, &end, 4);
}

static const char *piece_name(const struct gen *g)
{
    struct gen again = *g;
    unsigned m;
    do
        m = rnd(&again, ARRAY_LEN(makers));
    while (makers[m].feature && !has(g, makers[m].feature));
    return makers[m].name;
}

void progen_make(struct progen *p, u64 seed, unsigned features, unsigned npieces, u64 keep)
{
    struct gen g = { .p = p };
    p->seed = seed;
    p->features = features;
    p->npieces = npieces;
    p->keep = keep;
    p->len = 0;
    seed_random(&g, ~(u64)0);
    p->at = W_CODE + 0xf00 + rnd(&g, 0x100); /* most programs cross into another page somewhere */
    set_state(&g);
    if (has(&g, PROGEN_RINGS) && one_in(&g, 3))
        go_out(&g, 3, true);
    for (unsigned i = 0; i < npieces; i++) {
        seed_random(&g, i);
        p->piece[i] = p->len;
        p->name[i] = piece_name(&g);
        if (keep >> i & 1)
            make_piece(&g);
    }
    p->piece[npieces] = p->len;
    for (unsigned n = 0; n < 8; n++)
        PUT(&g, 0xcd, INT_END);
}
