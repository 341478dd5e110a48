/* SPDX-License-Identifier: MIT */
/* The base room: cost profiles, formulas, the ledger's sums, the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ledger.h"
#include "check.h"

/* --- profiles written by the test --- */

/* A complete profile in which every component costs its own number + 10, with one line replaced or added. */
struct draft {
    char path[64];
    enum component leave_out;   /* COMP_COUNT: none */
    const char *extra;          /* a line put at the end; NULL: none */
};

static void draft_write(struct draft *d)
{
    strcpy(d->path, "/tmp/emu-test-XXXXXX");
    FILE *f = fdopen(mkstemp(d->path), "w");
    fprintf(f, "# a comment\n\ntitle = A test\n");
    for (int k = 0; k < COMP_COUNT; k++)
        if (k != (int)d->leave_out)
            fprintf(f, "%s = %d # source of %s\n", component_rows[k].name, k + 10, component_rows[k].name);
    if (d->extra)
        fprintf(f, "%s\n", d->extra);
    fclose(f);
}

static int draft_load(enum component leave_out, const char *extra, struct profile *p, struct error *err)
{
    struct draft d = { .leave_out = leave_out, .extra = extra };
    err->text[0] = 0;
    draft_write(&d);
    int r = profile_load(p, d.path, err);
    unlink(d.path);
    return r;
}

static void draft_refused(enum component leave_out, const char *extra, const char *says)
{
    struct profile p;
    struct error err;
    check_context("extra line: %s", extra ? extra : "none");
    CHECK_EQ(draft_load(leave_out, extra, &p, &err), -1);
    CHECK_CONTAINS(err.text, says);
    CHECK_CONTAINS(err.text, "/tmp/emu-test-");
    check_context(NULL);
}

static void test_profile_complete(void)
{
    struct profile p;
    struct error err;
    if (!CHECK_EQ(draft_load(COMP_COUNT, NULL, &p, &err), 0))
        return;
    CHECK_STR(p.title, "A test");
    CHECK_EQ(p.value[COMP_INSN_IN], COMP_INSN_IN + 10);
    CHECK_STR(p.source[COMP_INSN_IN], "source of insn.in");
    profile_fini(&p);
}

static void test_profile_refused(void)
{
    draft_refused(COMP_INSN_IN, NULL, "component 'insn.in' is missing");
    draft_refused(COMP_COUNT, "insn.in = 5 # again", "'insn.in' is given twice");
    draft_refused(COMP_COUNT, "insn.inn = 5 # typo", "no component is called 'insn.inn'");
    draft_refused(COMP_INSN_IN, "insn.in = 5", "'insn.in' has no source");
    draft_refused(COMP_INSN_IN, "insn.in = 5 #  ", "'insn.in' has no source");
    draft_refused(COMP_INSN_IN, "insn.in = 18446744073709551616 # 2^64", "not a whole number");
    draft_refused(COMP_INSN_IN, "insn.in = -1 # negative", "not a whole number");
    draft_refused(COMP_INSN_IN, "insn.in = 1.5 # half", "not a whole number");
    draft_refused(COMP_INSN_IN, "insn.in = # empty", "not a whole number");
    draft_refused(COMP_INSN_IN, "insn.in 5 # no sign", "expected `component = cycles # source`");
    draft_refused(COMP_CPU_HZ, "cpu.hz = 0 # stands still", "cpu.hz must not be 0");
}

/* The message names the very line. */
static void test_profile_line_number(void)
{
    struct profile p;
    struct error err;
    char expect[32];
    snprintf(expect, sizeof expect, ":%d: ", COMP_COUNT + 4);
    CHECK_EQ(draft_load(COMP_COUNT, "nonsense", &p, &err), -1);
    CHECK_CONTAINS(err.text, expect);
}

static void test_profile_long_line(void)
{
    struct profile p;
    struct error err;
    char line[2000];
    memset(line, '#', sizeof line - 1);
    line[sizeof line - 1] = 0;
    CHECK_EQ(draft_load(COMP_COUNT, line, &p, &err), -1);
    CHECK_CONTAINS(err.text, "longer than");
}

static void test_profile_not_there(void)
{
    struct profile p;
    struct error err;
    CHECK_EQ(profile_load(&p, "no-such", &err), -1);
    CHECK_CONTAINS(err.text, "no cost profile is called 'no-such'");
    CHECK_EQ(profile_load(&p, "./no-such", &err), -1);
    CHECK_CONTAINS(err.text, "cannot open profile ./no-such");
}

/* --- the profiles that come with emu --- */

static void check_shipped(const char *name)
{
    struct profile p;
    struct clock clock;
    struct ledger l;
    struct error err = { "" };
    check_context("profile %s", name);
    if (profile_load(&p, name, &err)) {
        FAIL("%s", err.text);
        return;
    }
    CHECK_STR(p.name, name);
    CHECK(*p.title);
    clock_init(&clock, p.value[COMP_CPU_HZ]);
    if (ledger_init(&l, &clock, &p, &err))
        FAIL("%s", err.text);
    clock_fini(&clock);
    profile_fini(&p);
    check_context(NULL);
}

static void test_profiles_shipped(void)
{
    static const char *const expected[] = { "broadwell", "curriculum", "haswell", "ivybridge", "merom", "modern", "nehalem", "p4-2006", "penryn", "prescott",
                                            "sandybridge", "skylake", "westmere", "xeon-2003" };
    unsigned found = 0;
    char **names = profile_names();
    for (char **n = names; *n; n++) {
        if (found < ARRAY_LEN(expected))
            CHECK_STR(*n, expected[found]);
        check_shipped(*n);
        found++;
        free(*n);
    }
    free(names);
    CHECK_EQ(found, ARRAY_LEN(expected));
}

/* The curriculum's own sums come out of its components (its tables A1 and A2). */
static void test_curriculum_sums(void)
{
    static const struct { const char *formula; u64 cycles; } sums[] = {
        { "vmx.exit + 10*vmx.vmread + kvm.handler + vmx.entry", 2400 },
        { "vmx.exit + kvm.handler + vmx.entry + mon.user", 6000 },
        { "vmx.exit + shadow.switch + vmx.entry", 1675 },
        { "insn.syscall + insn.sysret", 100 },
        { "insn.cr3", 100 },
        { "bt.callout", 1200 },
    };
    struct profile p;
    struct error err = { "" };
    u64 cycles;
    if (!CHECK_EQ(profile_load(&p, "curriculum", &err), 0))
        return;
    for (unsigned i = 0; i < ARRAY_LEN(sums); i++) {
        check_context("%s", sums[i].formula);
        CHECK_EQ(formula_eval(sums[i].formula, &p, &cycles, &err), 0);
        CHECK_EQ(cycles, sums[i].cycles);
    }
    check_context(NULL);
    profile_fini(&p);
}

/* --- formulas --- */

static void formula_gives(const struct profile *p, const char *formula, u64 expected)
{
    u64 cycles = 1;
    struct error err = { "" };
    check_context("formula %s", formula);
    CHECK_EQ(formula_eval(formula, p, &cycles, &err), 0);
    CHECK_EQ(cycles, expected);
    check_context(NULL);
}

static void formula_fails(const struct profile *p, const char *formula, const char *says)
{
    u64 cycles;
    struct error err = { "" };
    check_context("formula %s", formula);
    CHECK_EQ(formula_eval(formula, p, &cycles, &err), -1);
    CHECK_CONTAINS(err.text, says);
    check_context(NULL);
}

static void test_formulas(void)
{
    struct profile p = { .value = { [COMP_INSN_IN] = 7, [COMP_INSN_CALL] = 5, [COMP_INSN_DIV] = UINT64_MAX } };
    formula_gives(&p, "insn.in", 7);
    formula_gives(&p, "0", 0);
    formula_gives(&p, "3*insn.in", 21);
    formula_gives(&p, "insn.in+insn.call", 12);
    formula_gives(&p, " 2 * insn.in  +  10*insn.call ", 64);
    formula_gives(&p, "insn.div", UINT64_MAX);
    formula_gives(&p, "0*insn.div + insn.in", 7);
    formula_fails(&p, "", "no component is called ''");
    formula_fails(&p, "insn", "no component is called 'insn'");
    formula_fails(&p, "insn.in +", "no component is called ''");
    formula_fails(&p, "insn.in insn.in", "expected '+'");
    formula_fails(&p, "insn.in - insn.call", "expected '+'");
    formula_fails(&p, "3", "followed by '*'");
    formula_fails(&p, "3 insn.in", "followed by '*'");
    formula_fails(&p, "99999999999999999999*insn.in", "followed by '*'");
    formula_fails(&p, "2*insn.div", "does not fit");
    formula_fails(&p, "insn.div + insn.in", "does not fit");
}

/* --- the ledger --- */

static void test_ledger_sums(void)
{
    struct clock clock;
    struct ledger l = { .clock = &clock };
    clock_init(&clock, 1000000000);
    if (EV_COUNT < 2)
        SKIP("events.def has fewer than two events");
    u64 count = 0, cycles = 0;
    for (int e = 0; e < EV_COUNT; e++) {
        l.cost[e] = 100 + e;
        ledger_charge_n(&l, e, e + 1);
        count += e + 1;
        cycles += (100 + e) * (u64)(e + 1);
    }
    ledger_add_cycles(&l, 0, 1000);
    ledger_guest(&l, 50, 75);
    cycles += 1000;

    u64 family_count = 0, family_cycles = 0;
    for (int f = 0; f < FAMILY_COUNT; f++) {
        family_count += ledger_family_count(&l, f);
        family_cycles += ledger_family_cycles(&l, f);
    }
    CHECK_EQ(family_count, count);
    CHECK_EQ(family_cycles, cycles);
    CHECK_EQ(ledger_event_cycles(&l), cycles);
    CHECK_EQ(l.guest_insns, 50);
    CHECK_EQ(clock.now, cycles + 75);

    ledger_reset(&l);
    CHECK_EQ(ledger_event_cycles(&l), 0);
    CHECK_EQ(l.guest_insns + l.guest_cycles, 0);
    CHECK_EQ(l.cost[1], 101);
    CHECK_EQ(clock.now, cycles + 75);
    clock_fini(&clock);
}

static bool name_is_plain(const char *s)
{
    return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

/* Every row carries a usable name, once, and its help. */
static void test_tables(void)
{
    for (int k = 0; k < COMP_COUNT; k++) {
        check_context("component %s", component_rows[k].name);
        CHECK(name_is_plain(component_rows[k].name) && *component_rows[k].help);
        for (int j = 0; j < k; j++)
            CHECK(strcmp(component_rows[j].name, component_rows[k].name));
    }
    for (int e = 0; e < EV_COUNT; e++) {
        check_context("event %s", event_rows[e].name);
        CHECK(name_is_plain(event_rows[e].name) && *event_rows[e].help);
        for (int j = 0; j < e; j++)
            CHECK(strcmp(event_rows[j].name, event_rows[e].name));
    }
    check_context(NULL);
    for (int f = 0; f < FAMILY_COUNT; f++)
        CHECK(name_is_plain(family_rows[f].name) && *family_rows[f].help);
}

/* --- the clock --- */

struct firing { char *log; char mark; struct clock *again; struct timer timer; };

static void on_fire(void *opaque, cycles_t when)
{
    struct firing *f = opaque;
    sprintf(f->log + strlen(f->log), "%c%llu ", f->mark, (unsigned long long)when);
    if (f->again)
        timer_set(f->again, &f->timer, when + 10);
}

static void test_clock_order(void)
{
    struct clock c;
    char log[64] = "";
    struct firing a = { log, 'a' }, b = { log, 'b' }, x = { log, 'x' }, t = { log, 't', &c };
    a.timer = (struct timer){ .fire = on_fire, .opaque = &a };
    b.timer = (struct timer){ .fire = on_fire, .opaque = &b };
    x.timer = (struct timer){ .fire = on_fire, .opaque = &x };
    t.timer = (struct timer){ .fire = on_fire, .opaque = &t };
    clock_init(&c, 1000);
    timer_set(&c, &b.timer, 20);
    timer_set(&c, &a.timer, 20);        /* set later: fires later among equals */
    timer_set(&c, &x.timer, 5);
    timer_set(&c, &t.timer, 10);        /* sets itself anew */
    timer_cancel(&c, &x.timer);
    CHECK_EQ(clock_deadline(&c), 10);
    clock_advance(&c, 25);
    CHECK_EQ(clock_run_due(&c), 4);
    CHECK_STR(log, "t10 b20 a20 t20 ");
    CHECK_EQ(clock_deadline(&c), 30);
    timer_cancel(&c, &t.timer);
    CHECK_EQ(clock_deadline(&c), CLOCK_NEVER);
    clock_fini(&c);
}

static void test_clock_conversions(void)
{
    struct clock c;
    clock_init(&c, 3800000000u);
    CHECK_EQ(clock_cycles_to_ns(&c, 2409), 633);
    CHECK_EQ(clock_cycles_to_ns(&c, UINT64_MAX), 4854406335186724109u);
    CHECK_EQ(clock_ns_to_cycles(&c, 1000), 3800);
    CHECK_EQ(clock_ticks_to_cycles(&c, 1, 1193182), 3185);
    CHECK_EQ(clock_cycles_to_ticks(&c, 3185, 1193182), 1);
    CHECK_EQ(clock_cycles_to_ticks(&c, 3184, 1193182), 0);
    clock_fini(&c);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "profile_complete", test_profile_complete },
        { "profile_refused", test_profile_refused },
        { "profile_line_number", test_profile_line_number },
        { "profile_long_line", test_profile_long_line },
        { "profile_not_there", test_profile_not_there },
        { "profiles_shipped", test_profiles_shipped },
        { "curriculum_sums", test_curriculum_sums },
        { "formulas", test_formulas },
        { "ledger_sums", test_ledger_sums },
        { "tables", test_tables },
        { "clock_order", test_clock_order },
        { "clock_conversions", test_clock_conversions },
        { NULL, NULL },
    };
    return check_main(argc, argv, "base", tests);
}
