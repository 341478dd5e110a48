/* SPDX-License-Identifier: MIT */
/* Hostile guests: wild addresses and jumps, stacks, descriptor tables; and a bug of our own. */
#include "bt_stage.h"

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

SNIPPET32(interrupts, "mov $30000, %ecx\n 1: int $0x80\n dec %ecx\n jnz 1b\n int $0x81")

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
        { "wild_data", test_wild_data }, { "wild_strings", test_wild_strings }, { "wild_jumps", test_wild_jumps },
        { "fetch_wraps", test_fetch_wraps }, { "stacks", test_stacks }, { "table_is_code", test_table_is_code },
        { "odd_tables", test_odd_tables }, { "odd_tss", test_odd_tss }, { "our_bug", test_our_bug },
        { NULL, NULL },
    };
    return check_main(argc, argv, "bt_hostile", tests);
}
