/* SPDX-License-Identifier: MIT */
/* Every word of --hw= changes something that is counted, and -machine kernel_irqchip= does. */
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "cli/report/compare.h"
#include "devices/serial/chardev.h"
#include "hwassist/kvm/kvm.h"

static struct ledger run(const char *hw, const char *guest, enum kernel_irqchip irqchip)
{
    struct vm_config config;
    struct column c;
    struct error err;
    CHECK_EQ(column_parse(&c, "kvm", &err), 0);
    vm_config_defaults(&config);
    config.accel = &bt_accel;
    config.hw = hw;
    config.kvm = "model";
    config.model_irqchip = irqchip;
    config.timing_model = true;
    column_run(&c, guest, &config);
    check_context("--hw=%s, %s: %s", hw, guest, c.note);
    CHECK(c.ran && !*c.note);
    return c.ledger;
}

/* What a feature takes away, and what comes instead. EV_COUNT: nothing. */
struct change { const char *with, *without, *guest; enum event gone, instead; };
static const struct change changes[] = {
    { "all", "no-ept", "guests/churn", EV_KVM_PT_WRITE, EV_KVM_EPT_FILL },
    { "all", "no-ug", "guests/hello", EV_KVM_EMULATED, EV_COUNT },
    { "all", "no-unrestricted", "guests/hello", EV_KVM_EMULATED, EV_COUNT },
    { "tpr,flexpriority", "tpr", "guests/interrupts", EV_COUNT, EV_KVM_PF_HIDDEN },
    { "no-pi", "no-pi,no-timer", "guests/interrupts", EV_KVM_EXTINT, EV_KVM_PREEMPTION },
    { "no-pi", "no-apicv", "guests/interrupts", EV_KVM_INJECT, EV_KVM_VIRTUAL_INTR },
    { "all", "no-pi", "guests/interrupts", EV_KVM_PREEMPTION, EV_KVM_POSTED },
};

static void test_exits(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(changes); i++) {
        const struct change *c = &changes[i];
        struct ledger with = run(c->with, c->guest, IRQCHIP_ON), without = run(c->without, c->guest, IRQCHIP_ON);
        check_context("%s: --hw=%s against %s", c->guest, c->with, c->without);
        if (c->gone != EV_COUNT)
            CHECK(with.count[c->gone] == 0 && without.count[c->gone] > 0);
        if (c->instead != EV_COUNT)
            CHECK(with.count[c->instead] > without.count[c->instead]);
    }
}

/* The task priority of a 32-bit kernel is in memory: shadow paging too maps the APIC-access page. Ports, but for port 80h, exit still. */
static void test_fewer(void)
{
    static const struct { const char *with, *without, *guest; enum event event; unsigned operations; } fewer[] = {
        { "tpr,flexpriority", "tpr", "guests/exitcost", EV_KVM_APIC, 1000 }, { "all,exitless-io", "all", "guests/exitcost", EV_KVM_IO_USER, 2000 },
        { "ept,ept-2m", "ept", "guests/build", EV_KVM_EPT_FILL, 1000 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(fewer); i++) {
        struct ledger with = run(fewer[i].with, fewer[i].guest, IRQCHIP_ON), without = run(fewer[i].without, fewer[i].guest, IRQCHIP_ON);
        check_context("--hw=%s against %s", fewer[i].with, fewer[i].without);
        CHECK(with.count[fewer[i].event] + fewer[i].operations <= without.count[fewer[i].event]);
        CHECK_EQ(with.count[EV_KVM_CPUID], without.count[EV_KVM_CPUID]);
    }
}

/* Walks are time: VPID spares some, EPT of larger pages makes them shorter. */
static void test_walks(void)
{
    CHECK(run("all", "guests/exitcost", IRQCHIP_ON).guest_cycles < run("no-vpid", "guests/exitcost", IRQCHIP_ON).guest_cycles);
    CHECK(run("ept,vpid,ept-2m", "guests/build", IRQCHIP_ON).guest_cycles < run("ept,vpid", "guests/build", IRQCHIP_ON).guest_cycles);
}

/* --- what is in the EPT --- */

struct seen { unsigned leaves[4], dirty; };

static void look(const struct hostmem *h, hpa_t table, unsigned level, struct seen *s)
{
    const u64 *entry = hostmem_table(h, table);
    for (unsigned i = 0; entry && i < 512; i++) {
        if (!(entry[i] & EPT_R))
            continue;
        if (level > 1 && !(entry[i] & EPT_PS)) {
            look(h, EPT_FRAME(entry[i]), level - 1, s);
            continue;
        }
        s->leaves[level - 1]++;
        s->dirty += !!(entry[i] & EPT_D);
    }
}

static struct seen ept_of(const char *hw)
{
    struct seen s = { { 0 }, 0 };
    struct vm_config config;
    struct column c;
    struct error err = { "" };
    CHECK_EQ(column_parse(&c, "kvm", &err), 0);
    vm_config_defaults(&config);
    config.engine = c.engine;
    config.kvm = "model";
    config.hw = hw;
    config.ram_size = (u64)3 << 30;
    config.kernel = "build/guests/hello.native.elf";
    config.serial[0] = chardev_buffer_new();
    struct vm *vm = vm_new(&config, &err);
    check_context("--hw=%s: %s", hw, err.text);
    if (CHECK(vm)) {
        struct kvm_vcpu *k = vm->vcpu[0]->engine_data;
        vm_run(vm);
        CHECK_EQ(kvm_ept_fill(k, (u64)1536 << 20, false), TDP_FILLED);
        look(&k->vm->host, k->vm->ept_root, EPT_LEVELS, &s);
        vm_free(vm);
    }
    chardev_close(config.serial[0]);
    return s;
}

static void test_ept(void)
{
    struct seen all = ept_of("all"), no_1g = ept_of("no-ept-1g"), no_2m = ept_of("no-ept-2m"), no_ad = ept_of("no-ept-ad");
    CHECK_EQ(all.leaves[2], 1);
    CHECK_EQ(no_1g.leaves[2], 0);
    CHECK_EQ(no_1g.leaves[1], all.leaves[1] + 1);
    CHECK_EQ(no_2m.leaves[1] + no_2m.leaves[2], 0);
    CHECK(no_2m.leaves[0] > all.leaves[0]);
    CHECK(all.dirty > 0);
    CHECK_EQ(no_ad.dirty, 0);
}

/* --- interrupt controllers --- */

static void test_irqchip(void)
{
    struct ledger on = run("no-apicv", "guests/exitcost", IRQCHIP_ON), split = run("no-apicv", "guests/exitcost", IRQCHIP_SPLIT),
                  off = run("no-apicv", "guests/exitcost", IRQCHIP_OFF);
    CHECK(on.count[EV_KVM_IO_KERNEL] > 1000 && on.count[EV_KVM_APIC] > 1000);
    CHECK_EQ(on.count[EV_KVM_APIC_USER] + on.count[EV_KVM_IRQ_USER], 0);
    CHECK_EQ(split.count[EV_KVM_IO_KERNEL], 0);
    CHECK(split.count[EV_KVM_IO_USER] >= on.count[EV_KVM_IO_USER] + 1000);
    CHECK_EQ(split.count[EV_KVM_IRQ_USER], 0);
    CHECK_EQ(split.count[EV_KVM_APIC], on.count[EV_KVM_APIC]);
    CHECK_EQ(off.count[EV_KVM_IO_KERNEL] + off.count[EV_KVM_APIC], 0);
    CHECK(off.count[EV_KVM_APIC_USER] > on.count[EV_KVM_APIC]);     /* the task priority too: nothing serves it */
    CHECK(off.count[EV_KVM_IRQ_USER] > 1000);
    CHECK_EQ(off.count[EV_KVM_CPUID], on.count[EV_KVM_CPUID]);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "exits", test_exits }, { "fewer", test_fewer }, { "walks", test_walks }, { "ept", test_ept }, { "irqchip", test_irqchip },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vmx switches", tests);
}
