/* SPDX-License-Identifier: MIT */
/* Hostile guests: code in the middle of code, everywhere, that changes itself; memory and address spaces without end. */
#include "bt_stage.h"

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
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "middles", test_middles }, { "code_everywhere", test_code_everywhere },
        { "self_modification", test_self_modification }, { "two_pages", test_two_pages },
        { "mapping_pressure", test_mapping_pressure }, { "cr3_storm", test_cr3_storm },
        { "int_storm", test_int_storm },
        { NULL, NULL },
    };
    return check_main(argc, argv, "bt_hostile_code", tests);
}
