/* SPDX-License-Identifier: MIT */
/*
 * Linux for amd64, as Debian builds it, to busybox's shell and back to power-off: on the VT-x model with EPT, and on the host's KVM where
 * that is hardware; with EMU_SOAK set (`make soak`) also on the bare machine, below the translator, which leaves 64-bit code to the
 * interpreter, and on the VT-x of 2006, without EPT. Each boot is six billion instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "bt/bt.h"
#include "devices/serial/chardev.h"
#include "hwassist/host/host.h"
#include "machine/bare.h"
#include "machine/vm.h"
#include "paravirt/pv.h"

#define MIB (1u << 20)
#define INITRD "build/tests/initrd64"
#define PROMPT "guest# "

static const struct { const char *expect, *send; } script[] = {
    { PROMPT, "expr 6 \\* 7; uname -m\r" },
    { "\n42\r\nx86_64\r", NULL },
    { PROMPT, "cat /proc/cpuinfo\r" },
    { " syscall ", NULL }, /* the flags: SYSCALL, NX, long mode */
    { " lm ", NULL },
    { PROMPT, "poweroff -f\r" },
    { "reboot: Power down", NULL },
};

struct session { struct chardev *console; unsigned at; size_t seen; };

static void follow(struct vm *vm, void *opaque)
{
    struct session *s = opaque;
    const char *text = chardev_buffer_text(s->console, NULL);
    const char *found = s->at < ARRAY_LEN(script) ? strstr(text + s->seen, script[s->at].expect) : NULL;
    if (!found)
        return;
    s->seen = found - text + strlen(script[s->at].expect);
    if (script[s->at].send)
        chardev_buffer_feed(s->console, script[s->at].send, strlen(script[s->at].send));
    s->at++;
}

static void set_up(struct vm_config *c, const struct engine_ops *engine, const char *kvm, const char *hw)
{
    vm_config_defaults(c);
    c->engine = engine;
    c->kvm = kvm;
    c->hw = hw;
    c->kernel = "guests/real/linux64";
    c->initrd = INITRD;
    c->append = "console=ttyS0 quiet";
    c->ram_size = 256 * (u64)MIB;
    c->max_seconds = 900;
    c->no_reboot = true;
}

static bool have_guest(void)
{
    return system("tools/fetch-guests linux64 busybox64") == 0 &&
           system("tools/make-initramfs " INITRD " bin/busybox=guests/real/busybox64") == 0;
}

static void boot(const struct engine_ops *engine, const char *kvm, const char *hw)
{
    struct session s = { .console = chardev_buffer_new() };
    struct error err = { "" };
    struct cpu_state end;
    struct vm_config c;
    set_up(&c, engine, kvm, hw);
    c.serial[0] = s.console;
    c.pump = follow;
    c.pump_opaque = &s;
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return;
    }
    CHECK_STR(vm->config.cpu_model, "core2-64");
    int status = vm_run(vm);
    follow(vm, &s);
    const char *text = chardev_buffer_text(s.console, NULL);
    size_t len = strlen(text);
    check_context("step %u of the script; %s; last words: %s", s.at, vm->reason, text + (len > 400 ? len - 400 : 0));
    CHECK_EQ(s.at, ARRAY_LEN(script));
    CHECK_EQ(status, STATUS_POWEROFF);
    vm->engine->get_state(vm->vcpu[0], &end);
    CHECK(end.efer & EFER_LMA);
    CHECK_EQ(vm->vcpu[0]->cpu.mmu.mode, PAGING_4LEVEL);
    vm_free(vm);
    chardev_close(s.console);
}

static void test_kvm_model(void)
{
    if (!have_guest())
        SKIP("tools/fetch-guests cannot fetch linux64");
    boot(&kvm_engine, "model", NULL);
}

/* Where the host emulates each instruction of a kernel, a boot takes the better part of an hour, and may not end. */
static void test_kvm_host(void)
{
    struct host_findings f;
    struct error err;
    if (host_try(&f, &err) < 0)
        SKIP("%s", err.text);
    if (f.ns > HOST_SOFTWARE_NS || !f.long_mode)
        SKIP("no hardware assistance: /dev/kvm runs kernel code in %s, %.0f ns an instruction%s", f.ns > HOST_SOFTWARE_NS ? "software" : "hardware", f.ns,
             f.long_mode ? "" : ", and has no long mode");
    if (!have_guest())
        SKIP("tools/fetch-guests cannot fetch linux64");
    boot(&kvm_engine, "host", NULL);
}

static void soak_bare(void)
{
    if (!have_guest())
        SKIP("tools/fetch-guests cannot fetch linux64");
    boot(&bare_engine, NULL, NULL);
}

static void soak_bt(void)
{
    if (!have_guest())
        SKIP("tools/fetch-guests cannot fetch linux64");
    boot(&bt_engine, NULL, NULL);
}

static void soak_no_ept(void)
{
    if (!have_guest())
        SKIP("tools/fetch-guests cannot fetch linux64");
    boot(&kvm_engine, "model", "no-ept");
}

/* What cannot run says so at once, and what to do. */
static void test_refused(void)
{
    static const struct { const struct engine_ops *engine; const char *hw, *says; } row[] = {
        { &pv_engine, NULL, "32-bit PAE" },
    };
    if (!have_guest())
        SKIP("tools/fetch-guests cannot fetch linux64");
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct error err = { "" };
        struct vm_config c;
        set_up(&c, row[i].engine, "model", row[i].hw);
        struct vm *vm = vm_new(&c, &err);
        check_context("row %u", i);
        CHECK(vm == NULL);
        CHECK_CONTAINS(err.text, row[i].says);
        if (vm)
            vm_free(vm);
    }
}

int main(int argc, char **argv)
{
    enum { SOAKS = 3 };
    static const struct check tests[] = {
        { "soak_bare", soak_bare },
        { "soak_bt", soak_bt },
        { "soak_no_ept", soak_no_ept },
        { "refused", test_refused },
        { "kvm_host", test_kvm_host },
#ifndef __SANITIZE_ADDRESS__ /* billions of instructions one by one */
        { "kvm_model", test_kvm_model },
#endif
        { NULL, NULL },
    };
    return check_main(argc, argv, "real64", getenv("EMU_SOAK") ? tests : tests + SOAKS);
}
