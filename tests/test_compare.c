/* SPDX-License-Identifier: MIT */
/*
 * emu compare: its reading of consoles and command lines, its reports, and that the published orders of cost come out of
 * real runs of guests/nano. An engine that this build lacks is a named skip.
 */
#include "cli/report/compare.h"

#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli/commands.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void test_console(void)
{
    struct column c = { 0 };
    column_parse_console(&c, "hello\n@nano in 10 1234\r\nnot @nano x 1 1\n@nano bad ten 5\n@nano none 0 5\n@nano big 1 18446744073709551615");
    CHECK_EQ(c.noperations, 2);
    CHECK_STR(c.program, "nano");
    CHECK_STR(c.operation[0].name, "in");
    CHECK_EQ(c.operation[0].count, 10);
    CHECK_EQ(c.operation[0].cycles, 1234);
    CHECK_EQ(column_operation(&c, "big")->cycles, UINT64_MAX);
    CHECK(!column_operation(&c, "bad"));
}

/* A guest that prints without end fills no more than there is. */
static void test_console_flood(void)
{
    struct column c = { 0 };
    for (int i = 0; i < 3 * COMPARE_MAX_OPERATIONS; i++)
        column_parse_console(&c, "@p an-operation-whose-name-is-far-too-long 1 1\n@p x 1 1\n");
    CHECK_EQ(c.noperations, COMPARE_MAX_OPERATIONS);
}

static void test_specs(void)
{
    struct column c;
    struct error err = { "" };
    CHECK_EQ(column_parse(&c, "bare", &err), 0);
    CHECK(c.engine && !strcmp(c.engine->name, "bare") && !*c.hw);
    CHECK_EQ(column_parse(&c, "bare:no-ept", &err), 0);
    CHECK_STR(c.hw, "no-ept");
    CHECK_STR(c.label, "bare:no-ept");
    CHECK_EQ(column_parse(&c, "bar", &err), -1);
    CHECK_CONTAINS(err.text, "did you mean bare");
    CHECK_EQ(column_parse(&c, "an-engine-with-a-very-long-name", &err), -1);
    CHECK_CONTAINS(err.text, "too long");
}

static void test_published(void)
{
    CHECK_EQ(published_find("p4-2006", "nano", "in")->vt, 15826);
    CHECK(!published_find("modern", "nano", "in"));
    CHECK(!published_find("p4-2006", "nano", "nothing"));
}

/* --- reports of a comparison that the test makes up ---------------------------------------------- */

static void make_up(struct comparison *c)
{
    static const struct engine_ops bare = { .name = "bare" }, other = { .name = "other" };
    memset(c, 0, sizeof *c);
    c->guest = "guests/nano";
    strcpy(c->profile.name, "p4-2006");
    strcpy(c->profile.title, "a title");
    c->profile.value[COMP_CPU_HZ] = 3800000000u;
    c->ncolumns = 3;
    strcpy(c->column[0].label, "bare");
    c->column[0].engine = &bare;
    strcpy(c->column[1].label, "other:x");
    c->column[1].engine = &other;
    strcpy(c->column[2].label, "gone");
    strcpy(c->column[2].note, "this build has no engine gone");
    for (int i = 0; i < 2; i++) {
        c->column[i].ran = true;
        c->column[i].ledger.guest_insns = 1000;
        c->column[i].ledger.guest_cycles = 2000;
    }
    column_parse_console(&c->column[0], "@nano in 10 32094\n");
    column_parse_console(&c->column[1], "@nano in 10 123456789\n@nano extra 1 7\n");
}

static char *text_of_width(const struct comparison *c, bool reasons, unsigned width)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    report_text(c, reasons, width, f);
    fclose(f);
    return text;
}

static char *text_of(const struct comparison *c, bool reasons) { return text_of_width(c, reasons, REPORT_WIDEST); }

static void test_text(void)
{
    struct comparison *c = malloc(sizeof *c);
    make_up(c);
    if (EV_COUNT > 0) {
        c->column[1].ledger.count[0] = 5;
        c->column[1].ledger.cycles[0] = 500;
    }
    char *text = text_of(c, false);
    CHECK_CONTAINS(text, "in                      3,209 12,345,679          -  |    3209     216   15826\n");
    CHECK_CONTAINS(text, "extra                       -          7          -\n");
    CHECK_CONTAINS(text, "gone: did not run: this build has no engine gone\n");
    CHECK_CONTAINS(text, "guest instructions      1,000      1,000          -\n");
    if (EV_COUNT > 0)
        CHECK_CONTAINS(text, "against bare                -    +25.0 %          -\n");
    free(text);
    free(c);
}

static void test_json(void)
{
    struct comparison *c = malloc(sizeof *c);
    char *text = NULL;
    size_t size;
    make_up(c);
    FILE *f = open_memstream(&text, &size);
    report_json(c, 1, f);
    fclose(f);
    json_error_t e;
    json_t *root = json_loads(text, 0, &e);
    const char *schema, *engine, *note, *operation;
    json_int_t version, cycles, native;
    int r = json_unpack(root, "{s:s, s:I, s:[{s:[{s:[{s:s, s:I}]}, {}, {s:s, s:s}], s:[{s:I}]}]}", "schema", &schema, "version", &version,
                        "guests", "columns", "operations", "name", &operation, "cycles", &cycles, "engine", &engine, "note", &note,
                        "published", "native", &native);
    if (CHECK_EQ(r, 0)) {
        CHECK_STR(schema, "emu.compare");
        CHECK_EQ(version, 1);
        CHECK_STR(operation, "in");
        CHECK_EQ(cycles, 32094);
        CHECK_STR(engine, "gone");
        CHECK_CONTAINS(note, "no engine gone");
        CHECK_EQ(native, 242);
    }
    json_decref(root);
    free(text);
    free(c);
}

/* --- real runs -------------------------------------------------------------------------------- */

/* From the test's own place up to the folder that has the guests' sources and images. */
static bool go_to_root(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    if (chdir(dirname(exe)))
        return false;
    for (int up = 0; up < 5; up++) {
        if (access("guests/nano/nano.c", R_OK) == 0)
            return access("build/guests/nano.native.elf", R_OK) == 0;
        if (chdir(".."))
            return false;
    }
    return false;
}

/* A column of a real run, or NULL with a skip (engine not in this build) or a failure. */
static struct column *run(const char *spec, const char *guest, const char *profile)
{
    struct column *c = calloc(1, sizeof *c);
    struct vm_config config;
    struct error err = { "" };
    vm_config_defaults(&config);
    config.profile = profile;
    config.max_cycles = 2000000000;
    if (!go_to_root())
        check_skip("no images of the guests; run `make guests`");
    else if (column_parse(c, spec, &err))
        FAIL("%s", err.text);
    else if (!c->engine)
        check_skip("%s", c->note);
    else
        column_run(c, guest, &config);
    if (c->ran)
        return c;
    if (c->engine)
        FAIL("%s did not run: %s", spec, c->note);
    free(c);
    return NULL;
}

/* Where the image lies, and under what name, is nothing that its guest could notice. */
static struct column *run_as(const char *engine, const char *folder, const char *name)
{
    char command[600], path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(command, sizeof command, "install -D build/guests/nano.native.elf %s", path);
    check_context("%s, %s", engine, name);
    CHECK_EQ(system(command), 0);
    return run(engine, path, "curriculum");
}

static void test_folders(void)
{
    static const char *const engines[] = { "bare", "bt", "kvm:no-ept" };
    char folder[] = "/tmp/emu-folders-XXXXXX", command[100];
    if (!go_to_root())
        SKIP("no images of the guests; run `make guests`");
    if (!CHECK(mkdtemp(folder)))
        return;
    for (unsigned e = 0; e < sizeof engines / sizeof *engines; e++) {
        struct column *a = run_as(engines[e], folder, "a/n.elf");
        struct column *b = run_as(engines[e], folder, "a-folder/whose-name/is-longer-by-far/than-that-of-the-first/as-is-that-of-the-file.elf");
        if (a && b) {
            CHECK_EQ(a->ledger.guest_insns, b->ledger.guest_insns);
            CHECK_EQ(a->ledger.guest_cycles, b->ledger.guest_cycles);
            CHECK(memcmp(a->ledger.count, b->ledger.count, sizeof a->ledger.count) == 0);
        }
        free(a);
        free(b);
    }
    check_context(NULL);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
}

/* Cycles of one operation. */
static u64 each(const struct column *c, const char *name)
{
    const struct operation *o = column_operation(c, name);
    if (o)
        return o->cycles / o->count;
    FAIL("%s printed no @nano %s", c->label, name);
    return 0;
}

static void complete(const char *spec)
{
    static const char *const all[] = { "syscall", "in", "crwrite", "cr3write", "callret", "pgfault", "divzero", "ptemod-same", "ptemod-p-np", "ptemod-np-p" };
    struct column *c = run(spec, "guests/nano", "p4-2006");
    check_context("%s", spec);
    if (!c)
        return;
    CHECK_EQ(c->status, STATUS_POWEROFF);
    CHECK_STR(c->note, "");
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        CHECK(column_operation(c, all[i]));
    free(c);
    check_context(NULL);
}

static void test_nano_bare(void) { complete("bare"); }
static void test_nano_bt(void) { complete("bt"); }
static void test_nano_pv(void) { complete("pv"); }
static void test_nano_kvm(void) { complete("kvm"); }
static void test_nano_kvm_no_ept(void) { complete("kvm:no-ept"); }

/* The bare machine costs what its profile says: each operation is its instruction's component, and a few plain ones. */
static void test_bare_is_native(void)
{
    struct column *c = run("bare", "guests/nano", "p4-2006");
    if (!c)
        return;
    for (unsigned i = 0; i < published_count; i++) {
        const struct published_row *p = &published_rows[i];
        u64 cycles = each(c, p->operation);
        check_context("%s: %llu, published %u", p->operation, (unsigned long long)cycles, p->native);
        CHECK(cycles >= p->native - p->native / 10 && cycles <= p->native + p->native / 10 + 12);
    }
    check_context(NULL);
    free(c);
}

static void ordered(const struct column *cheap, const struct column *dear, const char *operation, unsigned factor)
{
    u64 a = each(cheap, operation), b = each(dear, operation);
    check_context("%s: %s %llu, %s %llu", operation, cheap->label, (unsigned long long)a, dear->label, (unsigned long long)b);
    CHECK(a * factor < b);
    check_context(NULL);
}

/* The paper's orders, at least by a factor of two where it has one. */
static void test_orders(void)
{
    struct column *bare = run("bare", "guests/nano", "p4-2006"), *bt = run("bt", "guests/nano", "p4-2006");
    struct column *ept = run("kvm", "guests/nano", "p4-2006"), *shadow = run("kvm:no-ept", "guests/nano", "p4-2006");
    if (bare && bt && ept && shadow) {
        ordered(bt, bare, "in", 2);
        ordered(bare, shadow, "in", 2);
        ordered(bare, bt, "syscall", 4);
        ordered(shadow, bt, "syscall", 4);
        ordered(bare, bt, "divzero", 2);
        ordered(shadow, bt, "divzero", 2);
        ordered(bare, bt, "pgfault", 2);
        ordered(bt, shadow, "pgfault", 1);
        ordered(bare, bt, "callret", 2);
        ordered(bt, shadow, "ptemod-same", 4);
        ordered(ept, bt, "ptemod-same", 1);
        ordered(bt, shadow, "ptemod-np-p", 2);
        ordered(ept, shadow, "pgfault", 2);
    }
    free(bare), free(bt), free(ept), free(shadow);
}

/* Paravirtualization: the system call goes straight to the guest's kernel; a page-table entry costs a hypercall. */
static void test_orders_pv(void)
{
    struct column *bare = run("bare", "guests/nano", "p4-2006"), *pv = run("pv", "guests/nano", "p4-2006");
    struct column *shadow = run("kvm:no-ept", "guests/nano", "p4-2006");
    if (bare && pv && shadow) {
        CHECK(each(pv, "syscall") < 2 * each(bare, "syscall"));
        ordered(bare, pv, "ptemod-same", 4);
        ordered(pv, shadow, "ptemod-same", 2);
        ordered(pv, shadow, "pgfault", 2);
    }
    free(bare), free(pv), free(shadow);
}

/* The curriculum's table A2 comes out of runs: 1675 cycles for a CR3 write without EPT, 100 with; 6000 for I/O in user space. */
static void test_curriculum(void)
{
    struct column *ept = run("kvm", "guests/nano", "curriculum"), *shadow = run("kvm:no-ept", "guests/nano", "curriculum");
    if (ept && shadow) {
        CHECK(each(shadow, "cr3write") >= 1675 && each(shadow, "cr3write") < 1685);
        CHECK(each(ept, "cr3write") >= 100 && each(ept, "cr3write") < 110);
        CHECK(each(ept, "in") >= 6000 && each(ept, "in") < 6010);
    }
    free(ept), free(shadow);
}

static void repeats(const char *spec)
{
    struct column *a = run(spec, "guests/nano", "curriculum"), *b = run(spec, "guests/nano", "curriculum");
    check_context("%s", spec);
    if (a && b) {
        CHECK(memcmp(&a->ledger, &b->ledger, sizeof a->ledger) == 0);
        CHECK(memcmp(a->operation, b->operation, sizeof a->operation) == 0);
        CHECK_EQ(a->now, b->now);
    }
    check_context(NULL);
    free(a), free(b);
}

static void test_repeats_bare(void) { repeats("bare"); }
static void test_repeats_bt(void) { repeats("bt"); }
static void test_repeats_pv(void) { repeats("pv"); }
static void test_repeats_kvm(void) { repeats("kvm"); }

/* Twenty periods are slept through on every engine, each as one idle event and one interrupt, and each as long as on bare. */
static void sleeps(const char *spec)
{
    struct column *bare = run("bare", "guests/tick", "modern"), *c = run(spec, "guests/tick", "modern");
    check_context("%s", spec);
    if (bare && c) {
        u64 a = each(bare, "period"), b = each(c, "period");
        CHECK_EQ(c->status, STATUS_POWEROFF);
        CHECK(a > b - b / 1000 && a < b + b / 1000);
        CHECK(ledger_family_count(&c->ledger, FAMILY_IDLE) >= 20);
        CHECK(ledger_family_count(&c->ledger, FAMILY_IRQ) >= 20);
        CHECK(column_cycles(c) < c->now / 10);
    }
    check_context(NULL);
    free(bare), free(c);
}
static void test_tick_bt(void) { sleeps("bt"); }
static void test_tick_pv(void) { sleeps("pv"); }
static void test_tick_kvm(void) { sleeps("kvm"); }

/* Counts do not depend on the profile: it only prices them. */
static void test_profile_only_prices(void)
{
    struct column *a = run("bare", "guests/hello", "curriculum"), *b = run("bare", "guests/hello", "modern");
    if (a && b) {
        CHECK_EQ(a->ledger.guest_insns, b->ledger.guest_insns);
        CHECK(memcmp(a->ledger.count, b->ledger.count, sizeof a->ledger.count) == 0);
        CHECK(a->ledger.guest_cycles != b->ledger.guest_cycles);
    }
    free(a), free(b);
}

/* --- the command, as a user gives it --------------------------------------------------------------- */

/* Run it with standard output into a file; returns its text (free it), *status its status. */
static char *command(int *status, int argc, char **argv)
{
    char path[] = "/tmp/emu-test-XXXXXX", *text = calloc(1, 65536);
    int file = mkstemp(path), saved = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    *status = cli_compare(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    if (pread(file, text, 65535, 0) < 0)
        text[0] = 0;
    close(file);
    unlink(path);
    return text;
}
#define COMMAND(status, ...) \
    command(status, ARRAY_LEN(((char *[]){ "compare", __VA_ARGS__ })), (char *[]){ "compare", __VA_ARGS__, NULL })

static void test_command(void)
{
    int status;
    if (!go_to_root())
        SKIP("no images of the guests; run `make guests`");
    char *a = COMMAND(&status, "--profile=p4-2006", "-engines", "bare", "guests/nano");
    CHECK_EQ(status, 0);
    CHECK_CONTAINS(a, "as published");
    char *b = COMMAND(&status, "-engines=bare", "guests/nano", "-profile", "p4-2006", "--wall");
    CHECK_STR(a, b);
    free(a), free(b);
}

static void test_command_widths(void)
{
    int status;
    if (!go_to_root())
        SKIP("no images of the guests; run `make guests`");
    char *text = COMMAND(&status, "--profile=p4-2006", "guests/nano", "guests/hello", "guests/hello,guests/lib"), *save;
    unsigned lines = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
        check_context("%s", line);
        CHECK(strlen(line) <= 100);
    }
    check_context(NULL);
    CHECK(lines > 20);
    free(text);
}

/* A narrow terminal gets the same in pieces: no line is wider, no number is lost. */
static void test_narrow(void)
{
    int status;
    if (!go_to_root())
        SKIP("no images of the guests; run `make guests`");
    char *wide = COMMAND(&status, "--profile=p4-2006", "--reasons", "guests/nano"), *save;
    setenv("COLUMNS", "60", 1);
    char *narrow = COMMAND(&status, "--profile=p4-2006", "--reasons", "guests/nano"), *lines = strdup(narrow);
    unsetenv("COLUMNS");
    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strlen(line) > 60)
            FAIL("%zu columns: %s", strlen(line), line);
    for (char *word = strtok_r(wide, " \n|", &save); word; word = strtok_r(NULL, " \n|", &save))
        CHECK_CONTAINS(narrow, word);
    free(wide), free(narrow), free(lines);
}

static void test_command_mistakes(void)
{
    int status;
    free(COMMAND(&status, "--engines=bare"));
    CHECK_EQ(status, STATUS_USER);
    free(COMMAND(&status, "--engines=nothing", "guests/nano"));
    CHECK_EQ(status, STATUS_USER);
    free(COMMAND(&status, "--engines=", "guests/nano"));
    CHECK_EQ(status, STATUS_USER);
    free(COMMAND(&status, "--profile=nothing", "guests/nano"));
    CHECK_EQ(status, STATUS_USER);
    free(COMMAND(&status, "--engines=bare", "/no/such/guest"));
    CHECK_EQ(status, STATUS_USER);
    free(COMMAND(&status, "--no-such-option", "guests/nano"));
    CHECK_EQ(status, STATUS_USER);
    char *help = COMMAND(&status, "--help");
    CHECK_EQ(status, 0);
    CHECK_CONTAINS(help, "Usage: emu compare");
    free(help);
}

int main(int argc, char **argv)
{
    unsetenv("COLUMNS");    /* it would narrow the tables */
    static const struct check tests[] = {
        { "console", test_console },
        { "console_flood", test_console_flood },
        { "specs", test_specs },
        { "published", test_published },
        { "text", test_text },
        { "json", test_json },
        { "folders", test_folders },
        { "nano_bare", test_nano_bare },
        { "nano_bt", test_nano_bt },
        { "nano_pv", test_nano_pv },
        { "nano_kvm", test_nano_kvm },
        { "nano_kvm_no_ept", test_nano_kvm_no_ept },
        { "bare_is_native", test_bare_is_native },
        { "orders", test_orders },
        { "orders_pv", test_orders_pv },
        { "curriculum", test_curriculum },
        { "repeats_bare", test_repeats_bare },
        { "repeats_bt", test_repeats_bt },
        { "repeats_pv", test_repeats_pv },
        { "repeats_kvm", test_repeats_kvm },
        { "tick_bt", test_tick_bt },
        { "tick_pv", test_tick_pv },
        { "tick_kvm", test_tick_kvm },
        { "profile_only_prices", test_profile_only_prices },
        { "command", test_command },
        { "command_widths", test_command_widths },
        { "narrow", test_narrow },
        { "command_mistakes", test_command_mistakes },
        { NULL, NULL },
    };
    return check_main(argc, argv, "compare", tests);
}
