/* SPDX-License-Identifier: MIT */
/*
 * Guests that mean harm, or are mad: each must end under the translator as it ends in the interpreter, the emulator must
 * survive it, and what it takes of the host must stay bounded.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bt/bt.h"
#include "check.h"
#include "lockstep.h"
#include "machine/bare.h"
#include "progen_world.h"
#include "snippet.h"

#define RAM (32u << 20)
#define LIMIT ((cycles_t)400000000)    /* cycles: longer than any guest here */
#define AREAS_MAX 65530         /* vm.max_map_count, the kernel's default */
enum { STAGES = 3, FAULTS = 2000, SPARE = 0x400000 /* from here on RAM is the guests' to fill */ };

/* --- the stage: the same guest on three machines --- */

struct stage { struct vm *vm[STAGES]; enum exit_kind end[STAGES]; };
static const char *const stage_names[STAGES] = { "interpreter", "bt", "accelerator" };

static struct vm *machine(unsigned n)
{
    struct vm_config c;
    struct error err = { "" };
    vm_config_defaults(&c);
    c.engine = n == 1 ? &bt_engine : &bare_engine;
    c.accel = n == 2 ? &bt_accel : NULL;
    c.ram_size = RAM;
    struct vm *vm = vm_new(&c, &err);
    if (!vm)
        FAIL("%s", err.text);
    if (!vm)
        return NULL;
    progen_prepare(vm);
    u8 page[PAGE_SIZE]; /* and wherever else they stray to */
    memset(page, 0xf4, sizeof page);
    for (gpa_t at = SPARE; at < RAM; at += PAGE_SIZE)
        physmap_write(&vm->map, at, page, sizeof page);
    return vm;
}

static bool stage_open(struct stage *s)
{
    bool ok = true;
    for (unsigned n = 0; n < STAGES; n++)
        ok &= (s->vm[n] = machine(n)) != NULL;
    return ok;
}

static void stage_close(struct stage *s)
{
    for (unsigned n = 0; n < STAGES; n++)
        vm_free(s->vm[n]);
}

/* A guest in the making: the world of progen.h with this code, and what the builder changes of it afterwards. */
struct guest {
    struct progen p;
    void (*change)(struct vm *vm, u32 argument);
    u32 argument;
};

static struct guest *guest_new(unsigned ring)
{
    static struct guest g;
    memset(&g, 0, sizeof g);
    progen_make(&g.p, 1, 0, 0, 0);
    g.p.len = 0;
    g.p.at = g.p.state.rip = W_CODE;
    g.p.state.cr4 |= CR4_PSE;
    if (ring == 3) {
        g.p.state.seg[CS] = (struct segment){ SEL_CODE3, 0, 0xffffffff, 0xc0fb };
        g.p.state.seg[SS] = g.p.state.seg[DS] = g.p.state.seg[ES] = (struct segment){ SEL_DATA3, 0, 0xffffffff, 0xc0f3 };
    }
    return &g;
}

static void put8(struct guest *g, u8 b) { g->p.code[g->p.len++] = b; }
static void put32(struct guest *g, u32 v) { memcpy(g->p.code + g->p.len, &v, 4); g->p.len += 4; }
static void put(struct guest *g, const void *bytes, size_t n) { memcpy(g->p.code + g->p.len, bytes, n); g->p.len += n; }
#define PUT(g, ...) put(g, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))
static u32 here(const struct guest *g) { return g->p.at + g->p.len; }
static void land_after(struct guest *g, unsigned n) { PUT(g, 0xc7, 0x05); put32(g, W_LANDING); put32(g, here(g) + 4 + n); }
static void end(struct guest *g) { PUT(g, 0xcd, INT_END); }

static void prepare(struct vm *vm, const struct guest *g)
{
    progen_load(&g->p, vm);
    physmap_store(&vm->map, W_FAULTS_LEFT, 4, FAULTS);
    physmap_store(&vm->map, W_LANDING, 4, W_CODE_END - 2);
    physmap_store(&vm->map, W_CODE_END - 2, 2, INT_END << 8 | 0xcd);
    if (g->change)
        g->change(vm, g->argument);
}

static enum exit_kind run(struct vm *vm)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    cycles_t deadline = vm->clock.now + (vm->engine == &bt_engine ? 50 * LIMIT : LIMIT); /* translation costs */
    while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && vm->clock.now < deadline))
        vm->engine->run(vm->vcpu[0], deadline, &e);
    return e.kind;
}

static bool same_end(struct stage *s, unsigned n, bool all_memory)
{
    struct cpu_state a, b;
    s->vm[0]->engine->get_state(s->vm[0]->vcpu[0], &a);
    s->vm[n]->engine->get_state(s->vm[n]->vcpu[0], &b);
    const char *what = lockstep_states(&a, &b, s->end[0] == EXIT_SHUTDOWN ? ~(u64)(FLAG_STATUS | FLAG_RF) : ~(u64)0);
    if (s->end[0] != s->end[n])
        FAIL("%s: ends with %s, the interpreter with %s", stage_names[n], exit_rows[s->end[n]].name, exit_rows[s->end[0]].name);
    else if (what)
        FAIL("%s: %s", stage_names[n], what);
    else if (progen_difference(s->vm[0], s->vm[n]) >= 0)
        FAIL("%s: memory differs at 0x%llx", stage_names[n], (unsigned long long)progen_difference(s->vm[0], s->vm[n]));
    else if (all_memory && memcmp(physmap_ptr_ro(&s->vm[0]->map, 1 << 20, RAM - (1 << 20)), physmap_ptr_ro(&s->vm[n]->map, 1 << 20, RAM - (1 << 20)), RAM - (1 << 20)))
        FAIL("%s: memory differs somewhere", stage_names[n]);
    else
        return true;
    return false;
}

/* Run on all three, and compare. False at the first difference. */
static bool play(struct stage *s, const struct guest *g, bool all_memory)
{
    bool ok = true;
    for (unsigned n = 0; n < STAGES; n++) {
        prepare(s->vm[n], g);
        s->end[n] = run(s->vm[n]);
    }
    CHECK(s->end[0] == EXIT_HLT || s->end[0] == EXIT_SHUTDOWN);
    for (unsigned n = 1; n < STAGES && ok; n++)
        ok = same_end(s, n, all_memory);
    return ok;
}

static void play_once(struct guest *g)
{
    struct stage s;
    if (stage_open(&s))
        play(&s, g, true);
    stage_close(&s);
}

/* --- what the host is asked for --- */

static unsigned areas(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned n = 0;
    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static u64 resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long size = 0, pages = 0;
    if (f && fscanf(f, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages << PAGE_SHIFT;
}

/* --- wild addresses --- */

static const u32 wild[] = {
    0, 1, 0xffc, 0x9fffe, 0x9ffff, 0xa0000, 0xb7ffd, 0xbffff, 0xc0000, 0xdfffe, 0xfffff, 0x3ffffff, 0x3fffffd, 0x4000000, 0x4000001, 0x7ffffffe, 0x7fffffff, 0x80000000,
    0xbffffffd, 0xc0000000, 0xdffffffe, 0xe0000000, 0xe0fffffe, 0xe0ffffff, 0xe1000000, 0xfebffffe, 0xfec00000, 0xfee00000, 0xfffbfffd, 0xfffc0000, 0xffffefff,
    0xfffffff0, 0xfffffff7, 0xfffffff9, 0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff,
};

/* Accesses to an absolute address, which is their last four bytes. */
static const struct { u8 bytes[4]; u8 n; } accesses[] = {
    { { 0x8a, 0x05 }, 2 }, { { 0x8b, 0x05 }, 2 }, { { 0x66, 0x8b, 0x05 }, 3 }, { { 0x88, 0x05 }, 2 }, { { 0x89, 0x05 }, 2 }, { { 0x87, 0x05 }, 2 }, { { 0xf0, 0x01, 0x05 }, 3 },
    { { 0xff, 0x05 }, 2 }, { { 0x0f, 0x10, 0x05 }, 3 }, { { 0x0f, 0x11, 0x05 }, 3 }, { { 0x0f, 0x28, 0x05 }, 3 }, { { 0xdb, 0x2d }, 2 }, { { 0xdd, 0x1d }, 2 },
    { { 0x0f, 0xc7, 0x0d }, 3 }, { { 0x8f, 0x05 }, 2 }, { { 0xff, 0x35 }, 2 }, { { 0x0f, 0xb6, 0x0d }, 3 }, { { 0xa1 }, 1 }, { { 0xa3 }, 1 },
};

static void map_top(struct vm *vm, u32 unused)
{
    /* the last page and page 0 are there, for everybody: accesses wrap */
    physmap_store(&vm->map, W_PD + 1023 * 4, 4, 0x3ff007);
    physmap_store(&vm->map, 0x3ff000 + 1023 * 4, 4, W_DATA | 7);
    physmap_store(&vm->map, W_PT, 4, 7);
}

static void wild_accesses(bool paging, unsigned ring, bool top)
{
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned a = 0; ok && a < ARRAY_LEN(accesses); a++) {
        struct guest *g = guest_new(ring);
        g->change = top ? map_top : NULL;
        if (!paging)
            g->p.state.cr0 &= ~(u64)CR0_PG;
        for (unsigned w = 0; w < ARRAY_LEN(wild); w++) {
            land_after(g, 5 + accesses[a].n + 4);
            put8(g, 0xbc);                          /* mov esp: what was pushed or called before does not matter */
            put32(g, W_STACK);
            put(g, accesses[a].bytes, accesses[a].n);
            put32(g, wild[w]);
        }
        end(g);
        check_context("access %02x %02x..., paging %d, ring %u, top page %d", accesses[a].bytes[0], accesses[a].bytes[1], paging, ring, top);
        ok = play(&s, g, a % 8 == 0);
    }
    check_context(NULL);
    stage_close(&s);
}

static void test_wild_data(void)
{
    wild_accesses(false, 0, false);
    wild_accesses(true, 0, false);
    wild_accesses(true, 3, false);
    wild_accesses(true, 3, true);
    wild_accesses(true, 0, true);
}

/* Strings that run into what is not there, in both directions, and over the end of the address space. */
static void test_wild_strings(void)
{
    static const u8 ops[] = { 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf };
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned k = 0; ok && k < 2 * ARRAY_LEN(ops) * 2; k++) {
        struct guest *g = guest_new(k & 2 ? 3 : 0);
        g->change = map_top;
        for (unsigned w = 0; w < ARRAY_LEN(wild); w++) {
            land_after(g, 1 + 15 + 2 + 1);
            put8(g, k & 1 ? 0xfd : 0xfc);
            put8(g, 0xbe); put32(g, w & 1 ? wild[w] : W_DATA + 0x800);
            put8(g, 0xbf); put32(g, w & 1 ? W_DATA + 0x900 : wild[w]);
            put8(g, 0xb9); put32(g, 40);
            PUT(g, 0xf3, ops[k / 4], 0xfc);
        }
        end(g);
        check_context("string %02x, variant %u", ops[k / 4], k & 3);
        ok = play(&s, g, false);
    }
    check_context(NULL);
    stage_close(&s);
}

/* Jumps, calls and returns to everywhere, also where devices are; and code that continues at address 0. */
static void wild_jumps(bool paging, unsigned kind)
{
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned w = 0; ok && w < ARRAY_LEN(wild); w++) {
        struct guest *g = guest_new(0);
        g->change = paging ? map_top : NULL;
        if (!paging)
            g->p.state.cr0 &= ~(u64)CR0_PG;
        land_after(g, kind ? 7 : 6);
        if (kind)
            put8(g, 0xb8), put32(g, wild[w]), PUT(g, 0xff, kind == 1 ? 0xe0 : 0xd0);
        else
            put8(g, 0x68), put32(g, wild[w]), put8(g, 0xc3);
        end(g);
        check_context("to 0x%08x, way %u, paging %d", wild[w], kind, paging);
        ok = play(&s, g, false);
    }
    check_context(NULL);
    stage_close(&s);
}

static void test_wild_jumps(void)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        wild_jumps(true, kind);
        wild_jumps(false, kind);
    }
}

static void put_code_over_the_top(struct vm *vm, u32 split)
{
    static const u8 code[] = { 0xb8, 0x44, 0x33, 0x22, 0x11, 0x05, 1, 0, 0, 0, 0xff, 0x05, 0, 2, 0x20, 0, 0xcd, INT_END }; /* mov eax; add eax, 1; inc [200200h] */
    map_top(vm, 0);
    physmap_write(&vm->map, W_DATA + 0x1000 - split, code, split);
    physmap_write(&vm->map, 0, code + split, sizeof code - split);
}

static void test_fetch_wraps(void)
{
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned split = 0; ok && split < 17; split++) {
        struct guest *g = guest_new(0);
        g->change = put_code_over_the_top;
        g->argument = split;
        put8(g, 0xb8);
        put32(g, -split);
        PUT(g, 0xff, 0xe0);
        check_context("%u bytes before 4 GiB", split);
        ok = play(&s, g, false);
    }
    check_context(NULL);
    stage_close(&s);
}

/* --- stacks --- */

static const struct { u8 bytes[6]; u8 n; } stack_ops[] = {
    { { 0x50 }, 1 }, { { 0x58 }, 1 }, { { 0x60 }, 1 }, { { 0x61 }, 1 }, { { 0x9c }, 1 }, { { 0x9d }, 1 }, { { 0xc3 }, 1 }, { { 0xc2, 0, 0x40 }, 3 }, { { 0xcb }, 1 }, { { 0xcf }, 1 },
    { { 0xc8, 0xff, 0xff, 31 }, 4 }, { { 0xc8, 0, 0, 3 }, 4 }, { { 0xc9 }, 1 }, { { 0xe8, 0, 0, 0, 0 }, 5 }, { { 0x66, 0x50 }, 2 }, { { 0x66, 0x58 }, 2 }, { { 0x1e }, 1 }, { { 0x8f, 0x04, 0x24 }, 3 },
    { { 0xff, 0x34, 0x24 }, 3 }, { { 0x5c }, 1 }, { { 0x54 }, 1 }, { { 0xcd, INT_BACK }, 2 }, { { 0x9a, 0, 0, 0, 0, SEL_GATE & 0xff }, 6 /* and one more */ },
};

static void stack_games(unsigned ring, bool top)
{
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned k = 0; ok && k < ARRAY_LEN(stack_ops); k++) {
        for (unsigned w = 0; ok && w < ARRAY_LEN(wild); w++) {
            struct guest *g = guest_new(ring);
            g->change = top ? map_top : NULL;
            unsigned n = stack_ops[k].n + (stack_ops[k].bytes[0] == 0x9a);
            land_after(g, 10 + n);
            put8(g, 0xbd); put32(g, wild[w]);       /* mov ebp, mov esp */
            put8(g, 0xbc); put32(g, wild[w]);
            put(g, stack_ops[k].bytes, stack_ops[k].n);
            if (n > stack_ops[k].n)
                put8(g, 0);
            put8(g, 0xbc); put32(g, W_STACK);
            end(g);
            check_context("stack operation %02x at 0x%08x in ring %u, top page %d", stack_ops[k].bytes[0], wild[w], ring, top);
            ok = play(&s, g, false);
        }
    }
    check_context(NULL);
    stage_close(&s);
}

static void test_stacks(void)
{
    stack_games(3, false);
    stack_games(3, true);
    stack_games(0, false);
    stack_games(0, true);
}

/* --- code --- */

/* Every byte of the loop's instructions is entered once, whatever it means there. */
static void test_middles(void)
{
    struct stage s;
    bool ok = stage_open(&s);
    u64 random = 20001; /* always the same: what random bytes leave undefined would differ some day */
    for (unsigned round = 0; ok && round < 60; round++) {
        struct guest *g = guest_new(round & 1 ? 3 : 0);
        for (unsigned i = 0; i < 48; i++) {
            land_after(g, 5);
            put8(g, 0xe9);
            put32(g, check_random(&random) % (i * 15 + 20) - (i * 15 + 15)); /* somewhere before, or a little behind */
        }
        end(g);
        g->change = NULL;
        check_context("round %u", round);
        struct progen *p = &g->p;
        p->state.gpr[RAX] = W_DATA;
        for (unsigned n = 0; n < STAGES; n++) {
            prepare(s.vm[n], g);
            physmap_store(&s.vm[n]->map, W_FAULTS_LEFT, 4, 40);
            cycles_t deadline = s.vm[n]->clock.now + (n == 1 ? 100000000 : 300000);
            struct exit e = { .kind = EXIT_DEADLINE };
            while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && s.vm[n]->clock.now < deadline))
                s.vm[n]->engine->run(s.vm[n]->vcpu[0], deadline, &e);
            s.end[n] = e.kind;
        }
        if (s.end[0] == EXIT_DEADLINE) { /* a loop for ever is no failure, but its end cannot be compared */
            stage_close(&s);
            ok = stage_open(&s);
            continue;
        }
        for (unsigned n = 1; n < STAGES && ok; n++)
            ok = same_end(&s, n, false);
    }
    check_context(NULL);
    stage_close(&s);
}

enum { UNITS_A_PAGE = 12, CODE_FROM = SPARE, CODE_PAGES = (RAM - SPARE) >> PAGE_SHIFT };

/* Each page: short units, the last of which jumps to the next page. */
static void fill_with_code(struct vm *vm, u32 pages)
{
    u8 page[PAGE_SIZE];
    for (u32 n = 0; n < pages; n++) {
        u32 at = 0, rel = PAGE_SIZE;
        memset(page, 0xf4, sizeof page);
        for (unsigned k = 0; k < UNITS_A_PAGE; k++) {
            const u8 unit[] = { 0x05, n, k, 0, 0, 0x11, 0xc2, 0xeb, 3, 0xf4, 0xf4, 0xf4 }; /* add eax, n; adc edx, eax; jmp +3 */
            memcpy(page + at, unit, sizeof unit);
            at += sizeof unit;
        }
        page[at] = 0xe9;
        rel -= at + 5;
        if (n == pages - 1)
            page[at] = 0xc3;
        memcpy(page + at + 1, &rel, 4);
        physmap_write(&vm->map, CODE_FROM + n * PAGE_SIZE, page, sizeof page);
    }
}

SNIPPET32(everywhere, "mov $3, %ebp\n 1: mov $0x400000, %ecx\n call *%ecx\n dec %ebp\n jnz 1b\n int $0x81")

static void test_code_everywhere(void)
{
    struct guest *g = guest_new(0);
    g->p.state.cr0 &= ~(u64)CR0_PG;
    g->change = fill_with_code;
    g->argument = CODE_PAGES;
    put(g, SNIP(everywhere));
    u64 before = resident();
    struct stage s;
    if (stage_open(&s)) {
        play(&s, g, true);
        check_context("resident: %llu MiB more, areas %u", (unsigned long long)(resident() - before) >> 20, areas());
        CHECK(resident() < before + ((u64)STAGES * RAM + (700 << 20)));
        CHECK(areas() < AREAS_MAX);
    }
    check_context(NULL);
    stage_close(&s);
}

SNIPPET32(endless,
    "mov $20000, %ecx\n xor %edx, %edx\n"
    "1: movl $0, %eax\n"                            /* the immediate that follows is rewritten each time */
    "incl 0x100008\n add %eax, %edx\n dec %ecx\n jnz 1b\n mov $5000, %ecx\n"
    "2: xorb $1, 3f-snip_endless+0x100000\n"        /* the very next instruction: inc eax, inc ecx by turns */
    "3: inc %eax\n and $0x7fffffff, %eax\n cmp $0x1000, %ecx\n dec %ecx\n jns 2b\n int $0x81")

static void test_self_modification(void)
{
    struct guest *g = guest_new(0);
    put(g, SNIP(endless));
    play_once(g);
}

/* Two pages, each of which rewrites an immediate of the other and calls it. */
static void two_pages(struct vm *vm, u32 alias)
{
    u32 a = W_VARIANTS, b = W_VARIANTS + 0x1000;
    for (unsigned k = 0; k < 2; k++) {
        u32 me = k ? b : a, other = k ? a : b, at;
        u8 code[64] = { 0xb8, 0, 0, 0, 0, 0x01, 0xc2, 0x49, 0x78, 12, 0x83, 0x05, 0, 0, 0, 0, 7, 0xe9 }; /* mov eax, n; add edx, eax; dec ecx; js end; add [other], 7; jmp other */
        at = alias + other + 1;
        memcpy(code + 12, &at, 4);
        at = other - (me + 22);
        memcpy(code + 18, &at, 4);
        code[22] = 0xcd;
        code[23] = INT_END;
        physmap_write(&vm->map, me, code, sizeof code);
    }
}

static void test_two_pages(void)
{
    struct stage s;
    bool ok = stage_open(&s);
    static const u32 alias[] = { 0, W_ALIAS, W_LARGE };
    for (unsigned k = 0; ok && k < 3; k++) {
        struct guest *g = guest_new(0);
        g->change = two_pages;
        g->argument = alias[k];
        put8(g, 0xb9); put32(g, 20000);
        put8(g, 0xe9); put32(g, W_VARIANTS - (here(g) + 4));
        check_context("through 0x%x", alias[k]);
        ok = play(&s, g, false);
    }
    check_context(NULL);
    stage_close(&s);
}

/* --- memory --- */

enum { SPACES = 10, TABLES_A_SPACE = 10, SPACE_SIZE = (TABLES_A_SPACE + 1) * PAGE_SIZE, SPACES_AT = SPARE, SCATTER_AT = 0x40000000 };

/* Address spaces that each show every other page of 40 MiB. */
static void scatter(struct vm *vm, u32 spaces)
{
    for (u32 n = 0; n < spaces; n++) {
        gpa_t pd = SPACES_AT + n * SPACE_SIZE;
        u32 entries[1024];
        physmap_read(&vm->map, W_PD, entries, sizeof entries);
        for (u32 t = 0; t < TABLES_A_SPACE; t++)
            entries[(SCATTER_AT >> 22) + t] = (pd + (t + 1) * PAGE_SIZE) | 7;
        physmap_write(&vm->map, pd, entries, sizeof entries);
        for (u32 t = 0; t < TABLES_A_SPACE; t++) {
            for (u32 i = 0; i < 1024; i++)
                entries[i] = i & 1 ? 0 : ((RAM / 2 + ((t * 1024 + i) * 7919 + n) % 4096 * PAGE_SIZE) | 7);
            physmap_write(&vm->map, pd + (t + 1) * PAGE_SIZE, entries, sizeof entries);
        }
    }
}

SNIPPET32(pressure, /* ebp: spaces; esi: their size */
    "mov $0x400000, %ebx\n"
    "1: mov %ebx, %cr3\n mov $0x40000000, %edi\n mov $5120, %ecx\n"
    "2: mov (%edi), %eax\n add %eax, %edx\n incl (%edi)\n add $0x2000, %edi\n dec %ecx\n jnz 2b\n"
    "add %esi, %ebx\n dec %ebp\n jnz 1b\n int $0x81")

/* The limit is the process's: one machine at a time. */
static void test_mapping_pressure(void)
{
    struct guest *g = guest_new(0);
    u64 sum[STAGES] = { 0 };
    g->change = scatter;
    g->argument = SPACES;
    g->p.state.gpr[RBP] = SPACES;
    g->p.state.gpr[RSI] = SPACE_SIZE;
    put(g, SNIP(pressure));
    for (unsigned n = 0; n < STAGES; n++) {
        struct vm *vm = machine(n);
        if (!vm)
            return;
        prepare(vm, g);
        check_context("%s", stage_names[n]);
        CHECK_EQ(run(vm), EXIT_HLT);
        check_context("%s: %u areas", stage_names[n], areas());
        CHECK(areas() < AREAS_MAX - 1000);
        const u64 *p = (const u64 *)physmap_ptr_ro(&vm->map, 1 << 20, RAM - (1 << 20));
        for (u32 i = 0; i < (RAM - (1 << 20)) / 8; i++)
            sum[n] = sum[n] * 0x100000001b3 ^ p[i];
        sum[n] ^= vm->vcpu[0]->cpu.state.gpr[RDX];
        vm_free(vm);
    }
    check_context(NULL);
    CHECK_EQ(sum[0], sum[1]);
    CHECK_EQ(sum[0], sum[2]);
}

enum { DIRECTORIES = 6000 };

/* Thousands of page directories, which differ in one entry. */
static void fill_with_directories(struct vm *vm, u32 count)
{
    u32 entries[1024];
    physmap_read(&vm->map, W_PD, entries, sizeof entries);
    for (u32 n = 0; n < count; n++) {
        entries[SCATTER_AT >> 22] = (n % 16 * 0x400000) | 0x87;
        physmap_write(&vm->map, SPARE + n * PAGE_SIZE, entries, sizeof entries);
    }
}

SNIPPET32(storm,
    "mov $2, %ebp\n 0: mov $0x400000, %ebx\n mov $6000, %ecx\n"
    "1: mov %ebx, %cr3\n add 0x40201000, %eax\n rol $3, %eax\n cmp %eax, %ecx\n mov %eax, 0x40380000\n call 2f\n add $0x1000, %ebx\n dec %ecx\n jnz 1b\n"
    "dec %ebp\n jnz 0b\n int $0x81\n 2: inc %edx\n ret")

static void test_cr3_storm(void)
{
    struct guest *g = guest_new(0);
    u64 before = resident();
    struct stage s;
    g->change = fill_with_directories;
    g->argument = DIRECTORIES;
    put(g, SNIP(storm));
    if (stage_open(&s)) {
        play(&s, g, true);
        CHECK(areas() < AREAS_MAX);
        CHECK(resident() < before + ((u64)STAGES * RAM + (700 << 20)));
    }
    stage_close(&s);
}

SNIPPET32(interrupts, "mov $30000, %ecx\n 1: int $0x80\n dec %ecx\n jnz 1b\n int $0x81")

static void test_int_storm(void)
{
    for (unsigned ring = 0; ring <= 3; ring += 3) {
        struct guest *g = guest_new(ring);
        put(g, SNIP(interrupts));
        play_once(g);
    }
}

/* --- tables --- */

/* The page table of 4 MiB that nobody else uses is also code, and the stack. */
static void table_as_code(struct vm *vm, u32 unused)
{
    static const u8 code[] = {
        0xb9, 0xb8, 0x0b, 0, 0,                             /* mov ecx, 3000 */
        0x50, 0x5a,                                         /* push eax; pop edx: into the table */
        0x83, 0x05, 0x20, 0xf0, 0x3f, 0, 0x20,              /* add dword [3ff020h], 20h: an entry of it, A bit */
        0x0f, 0x01, 0x3d, 0x00, 0x80, 0x00, 0x50,           /* invlpg [50008000h] */
        0x03, 0x05, 0x10, 0x80, 0x00, 0x50,                 /* add eax, [50008010h]: through another entry */
        0xff, 0x05, 0x00, 0x90, 0x00, 0x50,                 /* inc dword [50009000h] */
        0xe8, 0, 0, 0, 0, 0x5b,                             /* call +0; pop ebx */
        0x49, 0x75, 0xd7, 0xcd, INT_END,                    /* dec ecx; jnz; end */
    };
    physmap_store(&vm->map, W_PD + (0x50000000 >> 22) * 4, 4, 0x3ff007);
    for (u32 page = 0; page < 16; page++)
        physmap_store(&vm->map, 0x3ff000 + page * 4, 4, (W_DATA + (page & 3) * 0x1000) | 7);
    physmap_store(&vm->map, W_PT + (0x3ff000 >> 12) * 4, 4, 0x3ff007);
    physmap_write(&vm->map, 0x3ff800, code, sizeof code);
}

static void test_table_is_code(void)
{
    struct guest *g = guest_new(0);
    g->change = table_as_code;
    g->p.state.gpr[RSP] = 0x3ff700;
    put8(g, 0xb8);
    put32(g, 0x3ff800);
    PUT(g, 0xff, 0xe0);
    play_once(g);
}

/* Descriptor tables in odd places: then load a segment, and interrupt. */
static void test_odd_tables(void)
{
    static const struct { u32 base; u16 limit; } places[] = {
        { W_GDT, 0 }, { W_GDT, 7 }, { W_GDT, 0x17 }, { 0xa0000, 0xffff }, { 0xffffffc0, 0xffff }, { 0xfffffffc, 0xffff }, { 0xfffffff8, 7 }, { 0x80000000, 0xffff },
        { 0xfffc0000, 0xffff }, { W_GDT + 8, 0xb7 }, { 0xe0000000, 0x418 }, { W_HOLE - 4, 0xffff }, { W_CODE, 0xffff },
    };
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned k = 0; ok && k < 8 * ARRAY_LEN(places); k++) {
        struct guest *g = guest_new(k & 1 ? 3 : 0);
        struct dtable t = { places[k / 8].base, places[k / 8].limit };
        if (k & 2)
            g->p.state.gdtr = t;
        else
            g->p.state.idtr = t;
        if (k & 4)
            g->p.state.cr0 &= ~(u64)CR0_PG;
        land_after(g, 6);
        PUT(g, 0x66, 0xb8, SEL_BASED, 0, 0x8e, 0xe0);
        land_after(g, 2);
        PUT(g, 0xcd, INT_BACK);
        land_after(g, 2);
        PUT(g, 0x0f, 0x0b);
        end(g);
        check_context("table at 0x%08x, limit 0x%x, variant %u", places[k / 8].base, places[k / 8].limit, k & 7);
        ok = play(&s, g, false);
    }
    check_context(NULL);
    stage_close(&s);
}

static void change_tss(struct vm *vm, u32 way)
{
    static const struct { u32 at, value; } changes[] = {
        { W_TSS + 8, 0 }, { W_TSS + 8, SEL_DATA3 }, { W_TSS + 8, SEL_CODE0 }, { W_TSS + 8, SEL_ABSENT & ~3 }, { W_TSS + 8, 0xfff8 }, { W_TSS + 4, 0 }, { W_TSS + 4, 2 },
        { W_TSS + 4, 0xffffffff }, { W_TSS + 4, 0x80000000 }, { W_TSS + 4, 0xa0010 }, { W_TSS + 4, W_GDT + 0x20 }, { W_TSS + 4, W_LANDING }, { W_TSS + 4, W_CODE + 0x40 },
        { W_TSS + 0x64, 0xffff0000 },
    };
    physmap_store(&vm->map, changes[way].at, 4, changes[way].value);
}

static void test_odd_tss(void)
{
    struct stage s;
    bool ok = stage_open(&s);
    for (unsigned k = 0; ok && k < 14 + 6; k++) {
        struct guest *g = guest_new(3);
        static const struct segment tr[] = { { SEL_TSS, 0xfffffff0, 0xffff, 0x8b }, { SEL_TSS, 0xa0000, 0x67, 0x8b }, { SEL_TSS, W_TSS, 3, 0x8b }, { SEL_TSS, W_TSS, 9, 0x8b },
                                             { SEL_TSS, 0x80000000, 0xfffff, 0x8b }, { SEL_TSS, W_TSS, 0x67, 0x83 } };
        if (k < 14) {
            g->change = change_tss;
            g->argument = k;
        } else {
            g->p.state.tr = tr[k - 14];
        }
        land_after(g, 2);
        PUT(g, 0xe4, 0x80);
        land_after(g, 2);
        PUT(g, 0xcd, INT_BACK);
        land_after(g, 6);
        PUT(g, 0x8b, 0x05);
        put32(g, W_HOLE);
        PUT(g, 0x9a, 0, 0, 0, 0, SEL_GATE, 0);
        end(g);
        check_context("TSS variant %u", k);
        ok = play(&s, g, false);
    }
    check_context(NULL);
    stage_close(&s);
}

/* --- a bug of ours --- */

static volatile sig_atomic_t reported;
static void on_crash(int sig, siginfo_t *si, void *context)
{
    reported = sig == SIGSEGV && si->si_addr == (void *)0x18;
    _exit(reported ? 42 : 43);
}

/* A real fault of the emulator's own, outside of the cache: whoever reports crashes still does, or the kernel. */
static int crash(bool handler)
{
    volatile int *volatile nowhere = (volatile int *)0x18;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction sa = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO };
        signal(SIGSEGV, SIG_DFL);
        if (handler)
            sigaction(SIGSEGV, &sa, NULL);
        alarm(20);
        struct vm *vm = machine(1);
        struct guest *g = guest_new(3);
        put(g, SNIP(interrupts));
        prepare(vm, g);
        run(vm);
        *nowhere = 1;
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

static void test_our_bug(void)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("the sanitizer has a handler of its own");
#endif
    int status = crash(true);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    status = crash(false);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "wild_data", test_wild_data }, { "wild_strings", test_wild_strings }, { "wild_jumps", test_wild_jumps }, { "fetch_wraps", test_fetch_wraps },
        { "stacks", test_stacks }, { "middles", test_middles }, { "code_everywhere", test_code_everywhere }, { "self_modification", test_self_modification },
        { "two_pages", test_two_pages }, { "mapping_pressure", test_mapping_pressure }, { "cr3_storm", test_cr3_storm }, { "int_storm", test_int_storm },
        { "table_is_code", test_table_is_code }, { "odd_tables", test_odd_tables }, { "odd_tss", test_odd_tss }, { "our_bug", test_our_bug }, { NULL, NULL },
    };
    return check_main(argc, argv, "bt_hostile", tests);
}
