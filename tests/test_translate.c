/* SPDX-License-Identifier: MIT */
/*
 * The translator at work, as it is shown: what `emu translate` says of some code, and whether the counts of --dump-bt and `info bt` are
 * those of what the guest executed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bt/bt.h"
#include "check.h"
#include "host.h"
#include "machine/bare.h"
#include "machine/vm.h"
#include "snippet.h"

static char folder[] = "/tmp/emu-test-XXXXXX";
static char out[1 << 20], err[65536]; /* of the last run */

/* --- running the program --- */

static void read_file(const char *name, char *to, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    to[f ? fread(to, 1, size - 1, f) : 0] = 0;
    if (f)
        fclose(f);
}

/* Run `emu ARGS` by the shell; %s in args is the folder of test files. Returns the exit status, 128 + n for signal n. */
static int run(const char *args)
{
    char filled[1024], command[1400];
    snprintf(filled, sizeof filled, args, folder, folder);
    snprintf(command, sizeof command, "timeout 60 %s %s >%s/out 2>%s/err </dev/null", emu(), filled, folder, folder);
    int status = system(command);
    read_file("out", out, sizeof out);
    read_file("err", err, sizeof err);
    check_context("emu %s", filled);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Blanks and column marks are layout: all of them in a row count as one space, so that a wrapped sentence is found whole. Left column only. */
static void squeeze(char *text)
{
    char *to = text;
    for (char *from = text; *from;) {
        char *end = from + strcspn(from, "\n"), *bar = memchr(from, '|', end - from);
        for (char *p = from; p < (bar ? bar : end); p++)
            if (*p != ' ' || (to > text && to[-1] != ' '))
                *to++ = *p;
        if (to > text && to[-1] != ' ')
            *to++ = ' ';
        from = end + (*end == '\n');
    }
    *to = 0;
}

/* --- what it says of code --- */

static const struct { const char *args, *says; } sayings[] = {
    { "8b 45 08", "mov eax, dword ptr [ebp + 8] IDENT: the same bytes, in the window" },
    { "89d8", "mov eax, ebx IDENT: the same bytes" },
    { "0x40", "inc eax rewritten: 40..47 are REX prefixes" },
    { "50", "push eax rewritten: a 64-bit push moves RSP by 8" },
    { "c3", "ret rewritten: the guest's return address finds its translation" },
    { "a4", "rewritten: the window's addresses are 64-bit" },
    { "fa", "cli in cache (privileged): virtual interrupt flag" },
    { "9c", "pushfd in cache (sensitive): real arithmetic flags, virtual system flags" },
    { "9d", "popfd in cache (sensitive): real arithmetic flags" },
    { "0f 20 d8", "mov eax, cr3 in cache (privileged): virtual control registers" },
    { "0f 22 d8", "mov cr3, eax callout (privileged): virtual control registers" },
    { "0f 31", "rdtsc in cache" },
    { "fb", "sti callout (privileged): last of its unit" },
    { "fb 90", "sti in cache (privileged): virtual interrupt flag" },
    { "0f 01 08", "sidt [eax] callout (sensitive): would show the host's table" },
    { "0f 01 00", "sgdt [eax] callout (sensitive)" },
    { "0f 00 c0", "sldt eax callout (sensitive)" },
    { "0f 01 e0", "smsw eax in cache (sensitive): virtual control registers" },
    { "0f 00 c8", "str eax callout (sensitive)" },
    { "8c c8", "mov eax, cs in cache (sensitive): virtual segment registers" },
    { "0e", "push cs in cache (sensitive): virtual segment registers" },
    { "0f 02 c3", "lar eax, ebx callout (sensitive): looks into" },
    { "e4 60", "in al, 0x60 callout (privileged): the port is a virtual device's" },
    { "f4", "hlt callout (privileged): an idle guest" },
    { "cf", "iretd callout" },
    { "cd 80", "int 0x80 callout (sensitive): through the guest's IDT" },
    { "0f a2", "cpuid callout (system): the guest sees its own model" },
    { "-user 9c", "pushfd callout (sensitive): emulated in the cache for ring 0 only" },
    { "--user fa", "unit 00100000, ring 3" },
    { "64 8b 07", "IDENT: the same, in the window, at the segment's base" },
    { "ff 24 85 00 00 20 00", "rewritten: guest target" },
    { "67 8b 07", "IDENT: the same bytes, in the window" },
    { "fc", "cld no code: translations depend on the direction" },
    { "60", "callout: not in 64-bit mode" },
    { "8f 44 24 04", "callout: only on the flat 32-bit stack, and without ESP" },
};

static void test_rules(void)
{
    char args[200];
    for (unsigned i = 0; i < ARRAY_LEN(sayings); i++) {
        snprintf(args, sizeof args, "translate %s", sayings[i].args);
        CHECK_EQ(run(args), 0);
        CHECK_STR(err, "");
        squeeze(out);
        CHECK_CONTAINS(out, sayings[i].says);
    }
}

/* The host's side names what is the translator's own. */
static void test_notes(void)
{
    static const char *const notes[] = {
        "head: charge ", "deadline: ", "; window", "not chained yet: its stub", "exit stub for 00100000", "mov word [r15.interrupt_flag], 0", "jmp link",
    };
    CHECK_EQ(run("translate fa a1 00 00 20 00 75 f8"), 0);
    for (unsigned i = 0; i < ARRAY_LEN(notes); i++)
        CHECK_CONTAINS(out, notes[i]);
    CHECK_EQ(run("translate 0f a2 ff e0"), 0);
    CHECK_CONTAINS(out, "unit 00100002");   /* a callout ends the unit; the bytes go on in the next */
    CHECK_CONTAINS(out, "jmp callout");
    CHECK_CONTAINS(out, "count an indirect jump");
    CHECK_EQ(run("translate d9 c0"), 0);
    CHECK_CONTAINS(out, "FPU state");
}

static unsigned widest(const char *text)
{
    unsigned most = 0;
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strcspn(text, "\n") > most)
            most = strcspn(text, "\n");
    return most;
}

static void test_columns(void)
{
    static const char code[] = "translate 64 81 84 85 78 56 34 12 ff ff ff 7f 9c fa c7 84 8b 44 33 22 11 01 02 03 04 fb ff 24 85 00 00 20 00";
    static const unsigned width[] = { 80, 100, 200 };
    char args[300];
    CHECK_EQ(run(code), 0);
    CHECK(widest(out) <= BT_COLUMNS);
    CHECK(!strstr(out, " 64 81 84 "));
    for (unsigned i = 0; i < ARRAY_LEN(width); i++) {
        snprintf(args, sizeof args, "%s -columns %u", code, width[i]);
        CHECK_EQ(run(args), 0);
        CHECK(widest(out) <= width[i]);
    }
    CHECK_CONTAINS(out, " 64 81 84 ");      /* wide: with the bytes */
    CHECK_CONTAINS(out, "; window");
}

/* --- mistakes: one line, status 64, and it says what to do --- */

static const struct { const char *args, *says; } mistakes[] = {
    { "translate", "emu translate 8b 45 08 fa" },
    { "translate 8b 4g", "4g: is not a byte" },
    { "translate 8b4", "two digits a byte" },
    { "translate 8b 45", "byte 0 (8b), is not complete" },
    { "translate 90 ff ff", "byte 1 (ff) begins no 32-bit instruction" },
    { "translate nowhere", "No such file" },
    { "translate %s/nowhere --at=0x100000", "No such file" },
    { "translate %s/loop --at=somewhere", "-at somewhere" },
    { "translate %s/loop --at=0x1ffffffff", "linear address of 32 bits" },
    { "translate %s/loop --at=0xfff00000 -m 4", "fff00000: no code" },
    { "translate %s/loop --at", "-at " },
    { "translate 90 --at=0x100000", "not both" },
    { "translate 90 -max-cycles 10", "not both" },
    { "translate 90 -units 0", "-units 0" },
    { "translate 90 -columns 20", "-columns 20" },
    { "translate %s/loop -user", "-user is for bytes" },
    { "translate %s/loop -kernl", "did you mean -kernel" },
    { "translate %s/loop --engine=bare --exec=interpret", "translates nothing" },
    { "%s/loop --engine=bare --exec=interpret --dump-bt=-", "--dump-bt" },
    { "%s/loop --dump-bt=/no/such/folder/file", "/no/such/folder/file" },
};

static void test_mistakes(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(mistakes); i++) {
        CHECK_EQ(run(mistakes[i].args), STATUS_USER);
        CHECK_CONTAINS(err, mistakes[i].says);
        CHECK(strncmp(err, "emu: ", 5) == 0 && strchr(err, '\n') == err + strlen(err) - 1);
        CHECK_STR(out, "");
    }
}

/* --- counts, against what the guest does --- */

/* 1000 times round one unit; then 50 calls of a routine in another page, whose returns go by the table. */
SNIPPET32(loop, "mov $1000, %ecx\n jmp 1f\n .balign 16\n 1: add %ecx, %eax\n dec %ecx\n jnz 1b\n"
                "mov $50, %ecx\n 2: mov $0x102000, %edx\n call *%edx\n dec %ecx\n jnz 2b\n hlt")
SNIPPET32(routine, "inc %ebx\n ret")

/* In loops: 5 CPUID, 7 OUT and 7 IN, 2 MOV from a selector, 3 CLI (not called out for), HLT. */
SNIPPET32(sensitive, "mov $5, %esi\n 1: xor %eax, %eax\n cpuid\n dec %esi\n jnz 1b\n"
                     "mov $7, %esi\n mov $0x80, %edx\n 2: out %al, %dx\n in %dx, %al\n dec %esi\n jnz 2b\n"
                     "mov %ds, %eax\n mov %ds, %eax\n cli\n cli\n cli\n hlt")

#define CODE_AT 0x100000
#define ROUTINE_AT 0x102000
#define LIMIT 100000000 /* cycles: longer than any program here */

static struct vm *machine(const struct engine_ops *engine, const uint8_t *code, size_t size)
{
    struct vm_config c;
    struct error e = { "" };
    vm_config_defaults(&c);
    c.engine = engine;
    c.accel = &bt_accel;
    c.ram_size = 4 << 20;
    struct vm *vm = vm_new(&c, &e);
    if (!vm) {
        FAIL("%s: %s", engine->name, e.text);
        return NULL;
    }
    struct cpu_state s = vm->vcpu[0]->cpu.state;
    physmap_write(&vm->map, CODE_AT, code, size);
    physmap_write(&vm->map, ROUTINE_AT, SNIP(routine));
    state_flat32(&s, CODE_AT, 0x90000);
    vm->engine->set_state(vm->vcpu[0], &s);
    return vm;
}

/* Until HLT; what the dump says then is in `out`. */
static cycles_t run_and_dump(const struct engine_ops *engine, const uint8_t *code, size_t size, bool census, unsigned hottest)
{
    struct vm *vm = machine(engine, code, size);
    struct exit e = { .kind = EXIT_KICKED };
    struct error why = { "" };
    if (!vm)
        return 0;
    check_context("engine %s%s", engine->name, census ? ", with a census" : "");
    if (census && bt_census_start(vm, &why))
        FAIL("%s", why.text);
    while (e.kind == EXIT_KICKED)
        vm->engine->run(vm->vcpu[0], vm->clock.now + LIMIT, &e);
    CHECK_EQ(e.kind, EXIT_HLT);
    FILE *f = fmemopen(out, sizeof out, "w");
    bt_dump(vm, hottest, BT_COLUMNS, f);
    fclose(f);
    cycles_t now = vm->clock.now;
    vm_free(vm);
    return now;
}

static const struct engine_ops *const engines_under_test[] = { &bt_engine, &bare_engine };

static void test_hottest(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(engines_under_test); i++) {
        run_and_dump(engines_under_test[i], SNIP(loop), true, 2);
        char *hot = strstr(out, "\n1. entered ");
        if (!CHECK(hot != NULL))
            continue;
        CHECK_CONTAINS(hot, "1. entered 250 times");
        CHECK_CONTAINS(hot, "unit 00100010, ring 0");
        CHECK_CONTAINS(hot, ": 3 instructions, 4 rounds, 5 -> ");
        CHECK_CONTAINS(hot, "jne unit 00100010");
        CHECK_CONTAINS(hot, "; chained");
        CHECK_CONTAINS(hot, "\n2. entered 50 times");
        CHECK_CONTAINS(out, "    1. 00100010 ring 0            250 times");
        CHECK(!strstr(hot, "\n3. "));
    }
}

/* 1000 rounds of the loop, four a unit: 250 units, of which one comes from the jump before it and one from its first jump back, both by the monitor; the
 * others are chained.
 * 50 calls and 50 returns by the table, but for the first of each. From 2b to the loop's head: the first jump by the monitor, 48 chained. */
static void test_transfers(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(engines_under_test); i++) {
        run_and_dump(engines_under_test[i], SNIP(loop), true, 0);
        CHECK_CONTAINS(out, " by the jump table");
        CHECK_CONTAINS(out, "transfers    296 chained");
        CHECK_CONTAINS(out, ", 98 by the jump table");
        run_and_dump(engines_under_test[i], SNIP(loop), false, 0);
        CHECK_CONTAINS(out, "is not counted in this run");
    }
}

/* The longest host code that twelve instructions can become: the room kept for a unit (an assertion of the translator's) must hold it. */
static void test_longest(void)
{
    char args[] = "translate %s/sector --units 1";
    CHECK_EQ(run(args), 0);
    CHECK_CONTAINS(out, "code16 stack16 real: 12 instructions, 60 -> ");
    CHECK_CONTAINS(out, "call word ptr fs:[bx");
    CHECK_CONTAINS(out, "rewritten: a 64-bit push moves RSP by 8");
}

/* How often the dump says that it was called out for an instruction. */
static unsigned callouts(const char *name)
{
    char pattern[40];
    const char *list = strstr(out, "callouts by instruction"), *at;
    snprintf(pattern, sizeof pattern, "  %-11s ", name);
    at = list ? strstr(list, pattern) : NULL;
    return at ? strtoul(at + strlen(pattern), NULL, 10) : 0;
}

static void test_callouts(void)
{
    static const struct { const char *name; unsigned count; } expected[] = {
        { "cpuid", 5 }, { "out", 7 }, { "in", 7 }, { "mov sreg", 0 }, { "hlt", 1 }, { "cli", 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(engines_under_test); i++) {
        run_and_dump(engines_under_test[i], SNIP(sensitive), i, 0);
        for (unsigned n = 0; n < ARRAY_LEN(expected); n++)
            if (!CHECK_EQ(callouts(expected[n].name), expected[n].count))
                fprintf(stderr, "    of %s\n", expected[n].name);
        CHECK_CONTAINS(out, "callouts by instruction, 20 in all:");
        CHECK_CONTAINS(out, "in cache     3 CLI, STI, PUSHF, POPF");
    }
}

/* Whatever the bytes are, it shows a unit that fits, or says in a sentence that there is none. */
static void test_any_bytes(void)
{
    struct vm *vm = machine(&bt_engine, SNIP(loop));
    uint64_t seed = check_seed();
    unsigned shown = 0;
    for (unsigned i = 0; vm && i < 1500; i++) {
        struct error why = { "" };
        uint8_t bytes[64];
        u32 eip = CODE_AT + PAGE_SIZE - check_random(&seed) % 64;   /* some of them cross into the next page */
        for (unsigned n = 0; n < sizeof bytes; n++)
            bytes[n] = check_random(&seed) >> 32;
        physmap_write(&vm->map, eip, bytes, sizeof bytes);
        u32 next = eip;
        FILE *f = fmemopen(out, sizeof out, "w");
        int status = bt_show(vm, &next, BT_COLUMNS, f, &why);
        fclose(f);
        check_context("bytes %02x %02x %02x %02x..", bytes[0], bytes[1], bytes[2], bytes[3]);
        shown += status == 0;
        if (!CHECK(status == 0 ? next > eip && widest(strchr(out, '\n') + 1) <= BT_COLUMNS : *why.text != 0))
            break;
    }
    CHECK(shown > 500);
    vm_free(vm);
}

/* Looking on costs the guest no time. */
static void test_time(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(engines_under_test); i++)
        CHECK_EQ(run_and_dump(engines_under_test[i], SNIP(loop), true, 5), run_and_dump(engines_under_test[i], SNIP(loop), false, 0));
}

/* --- whole runs --- */

static const char *const repeated[] = {
    "build/guests/nano.native.elf -serial none --dump-bt=-",
    "build/guests/nano.native.elf --engine=bare -serial none --dump-bt=-",
    "translate --max-cycles=5000000 --units=5 -columns=180 build/guests/nano.native.elf",
    "translate --max-cycles=5000000 --at=0x100020 build/guests/nano.native.elf",
    "translate d9 c0 fa 75 00 ff e0 -columns 160",
};

static void test_repeats_exactly(void)
{
    static char first[sizeof out];
    for (unsigned i = 0; i < ARRAY_LEN(repeated); i++) {
        CHECK_EQ(run(repeated[i]), 0);
        CHECK(*out);
        memcpy(first, out, sizeof first);
        run(repeated[i]);
        CHECK_STR(out, first);
    }
}

static void test_guest(void)
{
    CHECK_EQ(run("translate --at=100000 %s/loop"), 0);
    CHECK_CONTAINS(out, "unit 00100000, ring 0");
    CHECK_EQ(run("translate %s/loop"), 0);
    CHECK_CONTAINS(out, "jmp 0x100000");
    CHECK_EQ(run("translate --max-cycles=100000 -units 1 %s/loop"), 0);
    CHECK_CONTAINS(out, "\n1. entered ");
    CHECK_CONTAINS(out, "jmp unit 00100000       ; chained");
    CHECK_EQ(run("translate --engine=bare --max-cycles=100000 --at=0x100000 %s/loop"), 0);
    CHECK_CONTAINS(out, "; chained");
    CHECK_EQ(run("%s/loop --engine=bare -max-cycles 100000 --dump-bt=%s/dump"), STATUS_LIMIT);
    read_file("dump", out, sizeof out);
    CHECK_CONTAINS(out, "translator of engine bare");
    CHECK_CONTAINS(out, "unit 00100000");
}

static void test_monitor(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(engines_under_test); i++) {
        char command[400];
        snprintf(command, sizeof command, "printf 'info %s\\nq\\n' | timeout 20 %s -engine %s -m 4 -S -monitor stdio -serial none %s/loop >%s/out 2>&1",
                 engines_under_test[i]->name, emu(), engines_under_test[i]->name, folder, folder);
        if (system(command) < 0)
            FAIL("%s", command);
        read_file("out", out, sizeof out);
        CHECK_CONTAINS(out, "callouts by instruction:\n  none");
    }
    CHECK_EQ(run("%s/exit --engine=bt --stats"), 3);
    CHECK_CONTAINS(err, "callouts by instruction:\n  out                   1\n");
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rules", test_rules },
        { "notes", test_notes },
        { "columns", test_columns },
        { "mistakes", test_mistakes },
        { "hottest", test_hottest },
        { "transfers", test_transfers },
        { "longest", test_longest },
        { "callouts", test_callouts },
        { "any_bytes", test_any_bytes },
        { "time", test_time },
        { "repeats_exactly", test_repeats_exactly },
        { "guest", test_guest },
        { "monitor", test_monitor },
        { NULL, NULL },
    };
    static uint8_t sector[512] = { [510] = 0x55, 0xaa };
    for (unsigned n = 0; n < 12; n++) /* push word fs:[bx+si+1234h]; at last call word fs:[bx+si+1234h] */
        memcpy(sector + 5 * n, (const uint8_t[]){ 0x64, 0xff, n < 11 ? 0xb0 : 0x90, 0x34, 0x12 }, 5);
    if (!mkdtemp(folder))
        return 1;
    write_file("loop", "\xeb\xfe", 2);
    write_file("exit", "\xb0\x01\xe6\xf4\xeb\xfe", 6);    /* mov al, 1; out 0f4h, al; jmp $ */
    write_file("sector", sector, sizeof sector);
    int status = check_main(argc, argv, "translate", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
