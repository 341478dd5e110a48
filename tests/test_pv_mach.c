/* SPDX-License-Identifier: MIT */
/* One real kernel in two builds: GNU Mach for the PC and GNU Mach ported to Xen say the same, up to the same point. */
#include "bt/bt.h"
#include "machine/bare.h"
#include "pvtest.h"

#define THE_END "bootstrap_create: No bootstrap code loaded with the kernel!"

/* What both builds say, in this order, whatever stands below them. */
static const char *const both[] = {
    "GNU Mach 1.8+git20221224", "biosmem: physical memory map:", "biosmem: ", "vm_page: page table size: ", "vm_page: DMA: pages: 4080 (15M)",
    "vm_page: DMA: min:500 low:600 high:1000", "vm_page: DIRECTMAP: pages: ", "vm_page: DIRECTMAP: min:", "panic ../kern/bootstrap.c:181: " THE_END,
};

static bool have_mach(void) { return system("tools/fetch-guests gnumach gnumach-xen >/dev/null 2>&1") == 0; }

static void said_in_order(const char *who, const char *text)
{
    check_context("%s: %s", who, text);
    for (unsigned i = 0; i < ARRAY_LEN(both); i++) {
        const char *at = strstr(text, both[i]);
        if (!at)
            FAIL("%s does not say, or not there: %s", who, both[i]);
        else
            text = at + strlen(both[i]);
    }
}

/* A processor of 100 MHz: the PC's build waits by the clock for disks that are not there. */
static const char slow_profile[] = "build/mach-100mhz.profile";

static void on_pc(struct vm_config *c)
{
    c->profile = slow_profile;
    c->ram_size = 128 << 20;
    c->engine = &bare_engine;
    c->accel = &bt_accel;
    c->append = "console=com0";
    c->max_cycles = 200000000;
}

static void test_same_text(void)
{
    if (!have_mach())
        SKIP("GNU Mach cannot be had (tools/fetch-guests gnumach gnumach-xen)");
    struct fixture f = { 0 };
    char command[200];
    snprintf(command, sizeof command, "sed 's/^cpu.hz .*/cpu.hz = 100000000 # test/' profiles/curriculum.profile >%s", slow_profile);
    CHECK_EQ(system(command), 0);
    if (CHECK(fixture_machine(&f, "guests/real/gnumach", on_pc))) {
        for (unsigned i = 0; i < 50 && !strstr(fixture_output(&f), THE_END); i++) {
            f.vm->status = VM_RUNNING;
            f.vm->config.max_cycles += 200000000;
            vm_run(f.vm);
        }
        said_in_order("the PC's build", fixture_output(&f));
    }
    fixture_close(&f);
    unlink(slow_profile);
    f = (struct fixture){ 0 };
    if (CHECK(fixture_kernel(&f, "guests/real/gnumach-xen"))) {
        vm_run(f.vm);
        said_in_order("Xen's build", fixture_output(&f));
    }
    fixture_close(&f);
}

/* Events of a row "all  BARE  BT  KVM  KVM:NO-EPT  PV". */
static bool all_events(const char *text, double n[5])
{
    char word[5][16];
    const char *at = strstr(text, "\nall ");
    if (!at || sscanf(at + 5, "%15s %15s %15s %15s %15s", word[0], word[1], word[2], word[3], word[4]) != 5)
        return false;
    for (unsigned i = 0; i < 5; i++) {
        char *to = word[i];
        for (const char *from = word[i]; *from; from++)
            if (*from != ',')
                *to++ = *from;
        *to = 0;
        n[i] = atof(word[i]);
    }
    return true;
}

/* Side by side: everybody comes to the point, and a port has the least to do with its monitor. */
static void test_side_by_side(void)
{
    static char text[8192];
    double n[5];
    if (!have_mach())
        SKIP("GNU Mach cannot be had (tools/fetch-guests gnumach gnumach-xen)");
    FILE *p = popen("timeout 300 tools/compare-mach 2>&1", "r");
    text[fread(text, 1, sizeof text - 1, p)] = 0;
    CHECK_EQ(pclose(p), 0);
    check_context("%s", text);
    CHECK(!strstr(text, "is reached"));
    if (CHECK(all_events(text, n))) {
        CHECK_EQ(n[0], 0);
        CHECK(n[4] < n[2] && n[2] < n[3] && n[3] < n[1]);   /* pv, kvm, kvm without EPT, bt */
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "same-text", test_same_text },
        { "side-by-side", test_side_by_side },
        { NULL, NULL },
    };
    return check_main(argc, argv, "GNU Mach twice", tests);
}
