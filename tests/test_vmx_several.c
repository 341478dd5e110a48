/* SPDX-License-Identifier: MIT */
/* Several machines on one processor: the TLB between them, what a switch costs, and `emu -vm A -vm B` as a program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "host.h"
#include "mmu/mmu.h"

static char folder[] = "/tmp/emu-several-XXXXXX";
static char out[4096];

static void write_conf(const char *name, const char *hw, const char *guest)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s.conf", folder, name);
    FILE *f = fopen(path, "w");
    fprintf(f, "# a machine\nengine=kvm\nhw=%s\n  guest=guests/%s\nserial=file:%s/%s.out\n", hw, guest, folder, name);
    fclose(f);
}

static int run(const char *options)
{
    char command[400];
    snprintf(command, sizeof command, "timeout 60 %s %s --vm %s/a.conf --vm=%s/b.conf 2>&1 </dev/null", emu(), options, folder, folder);
    int status = host_capture(out, sizeof out, command);
    check_context("%s: %s", options, out);
    return status;
}

/* The n-th machine's line. */
struct line { unsigned switches, held, lost, percent, walks; };
static struct line line_of(const char *name)
{
    struct line l = { 0 };
    const char *at = strstr(out, name);
    if (!at || sscanf(strchr(at, ':') + 1, "%u switches to it; of %u TLB entries that it held it lost %u (%u %%); %u", &l.switches, &l.held, &l.lost,
                      &l.percent, &l.walks) != 5)
        FAIL("no line for %s", name);
    return l;
}

static bool said(const char *name, const char *what)
{
    char path[80], text[512] = "";
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    FILE *f = fopen(path, "r");
    if (f) {
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
    }
    return strstr(text, what);
}

/* Both come to their end; with VPID a machine finds nearly all of its translations again, without none. */
static void test_vpid(void)
{
    write_conf("a", "all", "churn");
    write_conf("b", "all", "churn");
    CHECK_EQ(run("--timing=model"), 0);
    struct line a = line_of("a.conf"), b = line_of("b.conf");
    CHECK(said("a", "@churn process") && said("b", "@churn process"));
    CHECK(a.switches >= 4 && b.switches >= 4 && b.held > 100);
    CHECK(b.percent <= 10);
    write_conf("b", "no-vpid", "churn");
    CHECK_EQ(run("--timing=model"), 0);
    struct line without = line_of("b.conf");
    CHECK_EQ(without.lost, without.held);
    CHECK_EQ(without.percent, 100);
    CHECK(without.walks > b.walks);
}

static void test_repeats(void)
{
    char first[sizeof out];
    write_conf("a", "nehalem", "churn");
    write_conf("b", "no-ept", "exitcost");
    CHECK_EQ(run("--timing=model"), 0);
    strcpy(first, out);
    CHECK_EQ(run("--timing=model"), 0);
    CHECK_STR(out, first);
}

/* Switches are in the ledger of the machine that gets the processor. */
static void test_cost(void)
{
    write_conf("a", "all", "churn");
    write_conf("b", "no-vpid", "churn");
    CHECK_EQ(run("--stats"), 0);
    CHECK_CONTAINS(out, "kvm.vm-switch");
    CHECK_CONTAINS(out, "kvm.tlb-refill");
}

static void test_mistakes(void)
{
    write_conf("a", "nonsense", "churn");
    CHECK_EQ(run(""), STATUS_USER);
    CHECK_CONTAINS(out, "nonsense");
    write_conf("a", "all", "nowhere");
    CHECK_EQ(run(""), STATUS_USER);
    char command[100];
    snprintf(command, sizeof command, "rm %s/a.conf", folder);
    CHECK_EQ(system(command), 0);
    CHECK_EQ(run(""), STATUS_USER);
    CHECK_CONTAINS(out, "No such file");
}

static void hold(struct mmu *u, unsigned place) { u->tlb[place & 1][place].held = (u64)place << PAGE_SHIFT; }
static bool holds(const struct mmu *u, unsigned place) { return mmu_holds(u, (u64)place << PAGE_SHIFT, place & 1); }

/* Sets of four: what both hold stays as long as it fits; then the younger's stay. */
static void test_compete(void)
{
    static struct mmu one, other;
    for (unsigned user = 0; user < 2; user++)
        for (unsigned i = 0; i < TLB_ENTRIES; i++)
            one.tlb[user][i].held = other.tlb[user][i].held = TLB_NONE;
    enum { SET = TLB_ENTRIES / 4 };
    hold(&one, 5);
    hold(&other, 5);
    for (unsigned way = 0; way < 3; way++) {
        hold(&one, 7 + way * SET);
        hold(&other, 7 + way * SET);
    }
    struct tlb_loss l = mmu_compete(&one, &other);
    CHECK_EQ(l.held, 4);
    CHECK_EQ(l.lost, 2);
    CHECK(holds(&one, 5));
    CHECK(!holds(&one, 7) && !holds(&one, 7 + SET) && holds(&one, 7 + 2 * SET));
    CHECK(holds(&other, 7));
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "compete", test_compete },
        { "vpid", test_vpid },
        { "repeats", test_repeats },
        { "cost", test_cost },
        { "mistakes", test_mistakes },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "vmx several", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
