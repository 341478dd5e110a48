/* SPDX-License-Identifier: MIT */
/* The small Xen: whole guests: ours, GNU Mach, GRUB. */
#include "pvtest.h"

static bool have_guest(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "build/guests/%s.xen.elf", name);
    return access(path, R_OK) == 0;
}

static void test_guests(void)
{
    if (!have_guest("hello") || !have_guest("nano"))
        SKIP("build/guests has no Xen guests; run make guests");
    struct fixture f;
    if (CHECK(fixture_guest(&f, "hello"))) {
        CHECK_EQ(vm_run(f.vm), STATUS_POWEROFF);
        CHECK_STR(fixture_output(&f), "Hello from the guest.\n");
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
    if (CHECK(fixture_guest(&f, "nano"))) {
        CHECK_EQ(vm_run(f.vm), STATUS_POWEROFF);
        CHECK_CONTAINS(fixture_output(&f), "@nano ptemod-np-p 1024");
        CHECK(f.vm->ledger.count[EV_PV_DIRECT] >= 1024);
        CHECK(f.vm->ledger.count[EV_PV_BOUNCE_PF] >= 1024);
        CHECK(f.vm->ledger.count[EV_PV_PT_UPDATE] >= 3 * 1024);
        CHECK_EQ(f.vm->ledger.count[EV_PV_BOUNCE_INT], 0);
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
}

/* A kernel that nobody here wrote. It ends where it misses the system that it should start. */
static void test_gnu_mach(void)
{
    if (system("tools/fetch-guests gnumach-xen") != 0)
        SKIP("guests/real/gnumach-xen cannot be had (tools/fetch-guests gnumach-xen)");
    struct fixture f = { 0 };
    if (CHECK(fixture_kernel(&f, "guests/real/gnumach-xen"))) {
        vm_run(f.vm);
        CHECK_CONTAINS(fixture_output(&f), "Running on xen-3.0-x86_32p.");
        CHECK_CONTAINS(fixture_output(&f), "bootstrap_create: No bootstrap code loaded with the kernel!");
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
}

/* It asks the store for disks, finds none, and offers a prompt on the console ring; what is typed comes back. */
static void test_grub(void)
{
    if (system("tools/fetch-guests grub-i386-xen.bin") != 0)
        SKIP("guests/real/grub-i386-xen.bin cannot be had (tools/fetch-guests grub-i386-xen.bin)");
    struct fixture f = { 0 };
    if (CHECK(fixture_kernel(&f, "guests/real/grub-i386-xen.bin"))) {
        f.vm->config.max_cycles = 60000000;
        vm_run(f.vm);
        CHECK_CONTAINS(fixture_output(&f), "GNU GRUB  version 2.06");
        CHECK_CONTAINS(fixture_output(&f), "grub> ");
        f.vm->status = VM_RUNNING;
        f.vm->config.max_cycles = 120000000;
        chardev_buffer_feed(f.console, "set x=77; echo $x$x$x\r", 22);
        vm_run(f.vm);
        CHECK_CONTAINS(fixture_output(&f), "777777");
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
}

static void test_twice_the_same(void)
{
    if (!have_guest("nano"))
        SKIP("build/guests has no Xen guests; run make guests");
    struct fixture a, b;
    if (CHECK(fixture_guest(&a, "nano")) && CHECK(fixture_guest(&b, "nano"))) {
        vm_run(a.vm);
        vm_run(b.vm);
        CHECK(!memcmp(a.vm->ledger.count, b.vm->ledger.count, sizeof a.vm->ledger.count));
        CHECK_EQ(a.vm->ledger.guest_cycles, b.vm->ledger.guest_cycles);
        CHECK_EQ(a.vm->clock.now, b.vm->clock.now);
        CHECK_STR(fixture_output(&a), fixture_output(&b));
        fixture_close(&b);
    }
    fixture_close(&a);
}

static void test_reboot(void)
{
    WITH(f);
    u32 base = f.d->v.base_mfn;
    update_va(&f, PAGE(0), 0);
    poke32(&f, PAGE(1), 1);
    vm_reset(f.vm);
    CHECK_EQ(f.vm->status, VM_RUNNING);
    CHECK_EQ(f.d->v.base_mfn, base);
    CHECK_EQ(peek32(&f, PAGE(1)), 0);
    CHECK(pte_of(&f, PAGE(0)) & PTE_P);
    DONE(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "guests", test_guests },
        { "gnu-mach", test_gnu_mach },
        { "grub", test_grub },
        { "twice-the-same", test_twice_the_same },
        { "reboot", test_reboot },
        { NULL, NULL },
    };
    return check_main(argc, argv, "guests on Xen", tests);
}
