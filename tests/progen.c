/* SPDX-License-Identifier: MIT */
#include "progen.h"

#include <string.h>

#include "check.h"

enum { GDT = 0x1000, IDT = 0x2000, HANDLERS = 0x3000, COMMON = 0x3800, LANDING = 0x4000, LOG_NEXT = 0x4004, LOG = 0x5000, PD = 0x10000, PT = 0x11000 };

struct gen {
    struct vm *vm;
    u64 random;
    unsigned features;
    u8 code[65536];
    unsigned len;
};

static u32 rnd(struct gen *g, u32 n) { return check_random(&g->random) >> 11 & 0x7fffffff ? (check_random(&g->random) >> 16) % n : 0; }
static void put8(struct gen *g, u8 b) { g->code[g->len++] = b; }
static void put32(struct gen *g, u32 v) { memcpy(g->code + g->len, &v, 4); g->len += 4; }
#define PUT(g, ...) do { const u8 b_[] = { __VA_ARGS__ }; memcpy((g)->code + (g)->len, b_, sizeof b_); (g)->len += sizeof b_; } while (0)
static u32 here(const struct gen *g) { return PROGEN_CODE + g->len; }

static void store(struct vm *vm, gpa_t at, const void *p, u64 n) { physmap_write(&vm->map, at, p, n); }
static void store32(struct vm *vm, gpa_t at, u32 v) { store(vm, at, &v, 4); }

/* --- the surroundings --- */

static void build_tables(struct vm *vm)
{
    static const u64 gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
    u8 zero[4096] = { 0 };
    store(vm, GDT, gdt, sizeof gdt);
    store(vm, PD, zero, sizeof zero);
    store(vm, PT, zero, sizeof zero);
    store(vm, LOG, zero, sizeof zero);
    store32(vm, PD, PT | 3);
    for (u32 page = 0; page < PROGEN_HOLE >> 12; page++)
        store32(vm, PT + page * 4, page << 12 | 3);
    for (u32 vector = 0; vector < 32; vector++) {
        u32 at = HANDLERS + vector * 16;
        bool has_error = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
        u8 handler[16] = { 0x6a, 0, 0x6a, vector, 0xe9 }; /* push 0; push vector; jmp common */
        u8 *p = has_error ? handler + 2 : handler;
        u32 rel = COMMON - (at + (has_error ? 7 : 9));
        memcpy(handler + 5, &rel, 4);
        store(vm, at, p, 12);
        u64 gate = (at & 0xffff) | 8u << 16 | (u64)0x8e00 << 32 | (u64)(at >> 16) << 48;
        store(vm, IDT + vector * 8, &gate, 8);
    }
    static const u8 common[] = {
        0x60, 0x89, 0xe5,                                               /* pusha; mov ebp, esp */
        0x8b, 0x3d, LOG_NEXT & 0xff, LOG_NEXT >> 8, 0, 0,               /* mov edi, [LOG_NEXT] */
        0x8b, 0x45, 32, 0x89, 0x07, 0x8b, 0x45, 36, 0x89, 0x47, 4,      /* vector, error code */
        0x8b, 0x45, 40, 0x89, 0x47, 8, 0x0f, 0x20, 0xd0, 0x89, 0x47, 12, /* EIP, CR2 */
        0x83, 0xc7, 16, 0x81, 0xe7, 0xff, 0x5f, 0, 0,                   /* next entry, wrapping */
        0x89, 0x3d, LOG_NEXT & 0xff, LOG_NEXT >> 8, 0, 0,
        0xa1, LANDING & 0xff, LANDING >> 8, 0, 0, 0x89, 0x45, 40,       /* go on at the landing place */
        0x61, 0x83, 0xc4, 8, 0xcf,                                      /* popa; add esp, 8; iret */
    };
    store(vm, COMMON, common, sizeof common);
    store32(vm, LOG_NEXT, LOG);
}

static void set_state(struct vm *vm, struct gen *g)
{
    struct cpu_state s = { 0 };
    state_reset(&s);
    state_flat32(&s, PROGEN_CODE, PROGEN_STACK);
    s.gdtr = (struct dtable){ GDT, 23 };
    s.idtr = (struct dtable){ IDT, 255 };
    s.cr0 |= CR0_PG | CR0_WP | CR0_NE | CR0_MP;
    s.cr0 &= ~(u64)(CR0_EM | CR0_TS);
    s.cr3 = PD;
    s.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (int r = 0; r < 8; r++)
        if (r != RSP)
            s.gpr[r] = PROGEN_DATA + (rnd(g, 0x8000) & ~3u);
    s.fpu.fcw = 0x37f;
    s.fpu.mxcsr = 0x1f80;
    for (int x = 0; x < 8; x++)
        for (int b = 0; b < 16; b++)
            s.fpu.xmm[x][b] = rnd(g, 256);
    vm->engine->set_state(vm->vcpu[0], &s);
}

/* --- pieces of program --- */

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

static unsigned any_reg(struct gen *g)
{
    unsigned r = rnd(g, 7);
    return r >= ESP ? r + 1 : r;
}

/* A register that points into the data, freshly. */
static void point(struct gen *g, unsigned reg)
{
    put8(g, 0xb8 | reg);
    put32(g, PROGEN_DATA + rnd(g, 0x4000));
}

/* ModRM of [reg + disp8] or of a register, with that reg field. */
static void modrm(struct gen *g, unsigned field, bool memory, unsigned base)
{
    if (!memory) {
        put8(g, 0xc0 | field << 3 | any_reg(g));
    } else if (rnd(g, 8) == 0) {
        put8(g, 0x05 | field << 3); /* disp32 alone */
        put32(g, PROGEN_DATA + rnd(g, 0x4000));
    } else {
        put8(g, 0x40 | field << 3 | base);
        put8(g, rnd(g, 256));
    }
}

static bool want_memory(struct gen *g, unsigned *base)
{
    *base = rnd(g, 2) ? EBX : ESI;
    if (!(g->features & PROGEN_MEMORY) || rnd(g, 2))
        return false;
    point(g, *base);
    return true;
}

static void alu(struct gen *g)
{
    unsigned base;
    bool memory = want_memory(g, &base);
    unsigned op = rnd(g, 8), size = rnd(g, 3);
    if (size == 2)
        put8(g, 0x66);
    if (rnd(g, 2)) {
        put8(g, op << 3 | (size != 0) | (rnd(g, 2) ? 2 : 0));
        modrm(g, size ? any_reg(g) : rnd(g, 8), memory, base);
    } else {
        put8(g, size ? 0x83 : 0x80);
        modrm(g, op, memory, base);
        put8(g, rnd(g, 256));
    }
    PUT(g, 0x39, 0xc0 | any_reg(g) << 3 | any_reg(g)); /* cmp: all flags are defined again */
}

static void shift(struct gen *g)
{
    PUT(g, 0xc1, 0xc0 | rnd(g, 8) << 3 | any_reg(g), 1 + rnd(g, 31));
    PUT(g, 0x39, 0xc0 | any_reg(g) << 3 | any_reg(g));
}

static void muldiv(struct gen *g)
{
    if (g->features & PROGEN_FAULTS && rnd(g, 4) == 0) {
        PUT(g, 0xf7, 0xf0 | rnd(g, 2) << 3 | any_reg(g)); /* may be a divide error */
    } else {
        PUT(g, 0x31, 0xd2, 0xb9);               /* xor edx, edx; mov ecx, n; div ecx */
        put32(g, 1 + rnd(g, 1000));
        PUT(g, 0xf7, 0xf1);
        PUT(g, 0x0f, 0xaf, 0xc0 | any_reg(g) << 3 | any_reg(g));
    }
    PUT(g, 0x39, 0xc0 | any_reg(g) << 3 | any_reg(g));
}

static void conditions(struct gen *g)
{
    unsigned base;
    bool memory = want_memory(g, &base);
    PUT(g, 0x0f, 0x90 | rnd(g, 16));            /* setcc */
    modrm(g, 0, memory, base);
    PUT(g, 0x0f, 0x40 | rnd(g, 16), 0xc0 | any_reg(g) << 3 | any_reg(g));
}

static void moves(struct gen *g)
{
    unsigned base;
    bool memory = want_memory(g, &base);
    switch (rnd(g, 6)) {
    case 0: put8(g, 0xb8 | any_reg(g)); put32(g, rnd(g, 0x7fffffff) * 2u); break;
    case 1: put8(g, 0x89); modrm(g, any_reg(g), memory, base); break;
    case 2: put8(g, 0x8b); modrm(g, any_reg(g), memory, base); break;
    case 3: PUT(g, 0x0f, 0xb6 | rnd(g, 2) | rnd(g, 2) << 3); modrm(g, any_reg(g), memory, base); break;
    case 4: put8(g, 0x40 | rnd(g, 2) << 3 | any_reg(g)); break;
    case 5: PUT(g, 0x8d, 0x44 | any_reg(g) << 3, any_reg(g) << 3 | any_reg(g) | rnd(g, 4) << 6, rnd(g, 256)); break;
    }
}

static void stack(struct gen *g)
{
    unsigned r = any_reg(g);
    switch (rnd(g, 5)) {
    case 0: PUT(g, 0x50 | r, 0x58 | any_reg(g)); break;
    case 1: PUT(g, 0x6a, rnd(g, 256), 0x58 | r); break;
    case 2: put8(g, 0x68); put32(g, rnd(g, 0x7fffffff)); PUT(g, 0x8f, 0x05); put32(g, PROGEN_DATA + rnd(g, 0x1000)); break;
    case 3: PUT(g, 0xff, 0x35); put32(g, PROGEN_DATA + rnd(g, 0x1000)); PUT(g, 0x58 | r); break;
    case 4: PUT(g, 0x55, 0x89, 0xe5, 0x83, 0xec, 4 * rnd(g, 8), 0xc9); break; /* push ebp; mov ebp, esp; sub esp, n; leave */
    }
}

static void strings(struct gen *g)
{
    static const u8 ops[] = { 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf };
    point(g, ESI);
    point(g, EDI);
    if (rnd(g, 4) == 0)
        put8(g, 0xfd);                          /* std */
    if (rnd(g, 2)) {
        put8(g, 0xb9);
        put32(g, rnd(g, 40));
        put8(g, rnd(g, 2) ? 0xf3 : 0xf2);
    }
    PUT(g, ops[rnd(g, sizeof ops)], 0xfc);
    PUT(g, 0x39, 0xc0 | any_reg(g) << 3 | any_reg(g));
}

static void fpu(struct gen *g)
{
    static const u8 sse[] = { 0x58, 0x59, 0x5c, 0x5d, 0x5f, 0x54, 0x57, 0x14, 0x28, 0x10 };
    bool memory = rnd(g, 2);
    put8(g, 0xbb);                              /* mov ebx, aligned */
    put32(g, PROGEN_DATA + 16 * rnd(g, 0x100));
    switch (rnd(g, 4)) {
    case 0: PUT(g, 0x0f, sse[rnd(g, sizeof sse)]); put8(g, memory ? 0x03 | rnd(g, 8) << 3 : 0xc0 | rnd(g, 64)); break;
    case 1: PUT(g, 0x66, 0x0f, 0xd4 | rnd(g, 2)); put8(g, memory ? 0x03 | rnd(g, 8) << 3 : 0xc0 | rnd(g, 64)); break;
    case 2: PUT(g, 0xdb, 0x43, 4 * rnd(g, 16), 0xd8, 0x43, 4 * rnd(g, 16), 0xdb, 0x5b, 4 * rnd(g, 16)); break; /* fild, fadd, fistp */
    case 3: PUT(g, 0x0f, 0xfc | rnd(g, 3), 0xc0 | rnd(g, 64), 0x0f, 0x77); break; /* paddb..d; emms */
    }
}

/* Set the landing place to what follows the next `n` bytes. */
static void land_after(struct gen *g, unsigned n)
{
    PUT(g, 0xc7, 0x05);
    put32(g, LANDING);
    put32(g, here(g) + 4 + n);
}

static void fault(struct gen *g)
{
    switch (rnd(g, 6)) {
    case 0: land_after(g, 6); PUT(g, 0x8b, 0x05); put32(g, PROGEN_HOLE + rnd(g, 0x10000)); break;
    case 1: land_after(g, 6); PUT(g, 0x01, 0x05); put32(g, PROGEN_HOLE + rnd(g, 0x10000)); break;
    case 2: land_after(g, 2); PUT(g, 0x0f, 0x0b); break;
    case 3: land_after(g, 1); PUT(g, 0xcc); break;
    case 4: land_after(g, 4); PUT(g, 0x31, 0xc9, 0xf7, 0xf1); break;
    case 5: land_after(g, 6); PUT(g, 0x8b, 0x05); put32(g, PROGEN_HOLE - 1 - rnd(g, 3)); break; /* across the edge */
    }
}

static void flow(struct gen *g)
{
    unsigned n;
    switch (rnd(g, 5)) {
    case 0: n = rnd(g, 4); PUT(g, 0x70 | rnd(g, 16), n); while (n--) put8(g, 0x40 | any_reg(g)); break;
    case 1: PUT(g, 0x0f, 0x80 | rnd(g, 16)); put32(g, 2); PUT(g, 0x40 | any_reg(g), 0x48 | any_reg(g)); break;
    case 2: PUT(g, 0xe8, 2, 0, 0, 0, 0xeb, 2, 0x40 | any_reg(g), 0xc3); break;  /* call f; jmp on; f: inc; ret */
    case 3: PUT(g, 0xb9); put32(g, 1 + rnd(g, 20)); PUT(g, 0x01, 0xc8, 0x83, 0xc2, 7, 0xe2, 0xf9); break; /* a loop */
    case 4: PUT(g, 0xb8); put32(g, here(g) + 4 + 2 + 1); PUT(g, 0xff, 0xe0, 0x90); break;     /* jmp eax */
    }
}

/* Store into the immediate of an instruction that comes next, or a little later in the same unit. */
static void selfmod(struct gen *g)
{
    unsigned gap = rnd(g, 3);
    PUT(g, 0xc6, 0x05);
    put32(g, here(g) + 4 + 1 + gap + 1);
    put8(g, rnd(g, 256));
    while (gap--)
        put8(g, 0x90);
    PUT(g, 0xb8 | any_reg(g));
    put32(g, rnd(g, 0x7fffffff));
}

static void paging(struct gen *g)
{
    u32 page = (PROGEN_DATA >> 12) + 32 + rnd(g, 8), at = PROGEN_DATA + (32 + rnd(g, 8)) * 4096 + rnd(g, 1000) * 4;
    switch (rnd(g, 4)) {
    case 0: /* map a data page elsewhere, or read-only, or not at all; then use it */
        PUT(g, 0xc7, 0x05);
        put32(g, PT + page * 4);
        put32(g, (page + rnd(g, 4)) << 12 | (rnd(g, 4) ? 3 : rnd(g, 2)));
        PUT(g, 0x0f, 0x01, 0x3d);               /* invlpg */
        put32(g, page << 12);
        break;
    case 1: land_after(g, 10); PUT(g, 0xc7, 0x05); put32(g, at); put32(g, rnd(g, 0x7fffffff)); break;
    case 2: land_after(g, 6); PUT(g, 0x8b, 0x05 | any_reg(g) << 3); put32(g, at); break;
    case 3: PUT(g, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8); break; /* reload CR3 */
    }
}

static void systems(struct gen *g)
{
    switch (rnd(g, 8)) {
    case 0: PUT(g, 0x39, 0xc0, 0x9c, 0x58 | any_reg(g)); break;     /* cmp eax, eax; pushf; pop */
    case 1: PUT(g, 0x0f, 0x01, 0xe0 | any_reg(g)); break;           /* smsw */
    case 2: PUT(g, 0x8c, 0xd8, 0x8e, 0xc0); break;                  /* mov eax, ds; mov es, eax */
    case 3: PUT(g, 0x31, 0xc0, 0x0f, 0xa2); break;                  /* cpuid 0 */
    case 4: PUT(g, 0xfa); break;
    case 5: PUT(g, 0x0f, 0x20, 0xc0); break;
    case 6: PUT(g, 0x6a, 0x02, 0x9d); break;                        /* push 2; popf */
    case 7: PUT(g, 0x0e, 0x58 | any_reg(g)); break;                 /* push cs; pop */
    }
}

static const struct { unsigned feature; void (*make)(struct gen *g); } makers[] = {
    { 0, alu }, { 0, alu }, { 0, moves }, { 0, moves }, { 0, shift }, { 0, muldiv }, { 0, conditions }, { PROGEN_MEMORY, stack },
    { PROGEN_STRINGS, strings }, { PROGEN_FPU, fpu }, { PROGEN_FAULTS, fault }, { PROGEN_FLOW, flow }, { PROGEN_FLOW, flow },
    { PROGEN_SELFMOD, selfmod }, { PROGEN_PAGING, paging }, { PROGEN_PAGING, paging }, { PROGEN_SYSTEM, systems },
};

void progen_build(struct vm *vm, u64 seed, unsigned features, unsigned length)
{
    static struct gen g;
    memset(&g, 0x90, sizeof g);
    g = (struct gen){ .vm = vm, .random = seed * 0x9e3779b97f4a7c15u | 1, .features = features };
    build_tables(vm);
    for (unsigned i = 0; i < length;) {
        unsigned m = rnd(&g, ARRAY_LEN(makers));
        if (makers[m].feature && !(features & makers[m].feature))
            continue;
        if (features & PROGEN_FAULTS)
            land_after(&g, 0); /* a divide error goes on right here: the piece again would loop, so behind it */
        unsigned landing = g.len - 4, start = g.len;
        makers[m].make(&g);
        u32 end = here(&g);
        if (features & PROGEN_FAULTS && g.len > start)
            memcpy(g.code + landing, &end, 4);
        i++;
    }
    put8(&g, 0xf4);
    store(vm, PROGEN_CODE, g.code, g.len);
    u8 data[0x8000];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = rnd(&g, 256);
    store(vm, PROGEN_DATA, data, sizeof data);
    for (u32 at = 32; at < 48; at++) {
        u8 page[4096];
        memset(page, at, sizeof page);
        store(vm, PROGEN_DATA + at * 4096, page, sizeof page);
    }
    set_state(vm, &g);
}
