/* SPDX-License-Identifier: MIT */
/* Guest memory as KVM has it: slots, ROM, the dirty log, writes that are collected. */

#include "kvm_host.h"

GUEST_CODE(
    /* many writes to a device, then a read */
    "host_writes:\nmov $1000, %ecx\n1: mov %ecx, 0xd0000010\nloop 1b\nmov 0xd0000000, %eax\nmov %eax, 0x8000\nhlt\n"

    "host_dirty:\nmovl $1, 0x9004\nmovl $2, 0xb000\nmovl $3, 0x8000\nhlt\n"
    "host_rom:\nmov 0xc8000, %eax\nmovl $0x5555, 0xc8000\nmov 0xc8000, %ebx\nhlt\n");
extern const u8 host_writes[], host_dirty[], host_rom[];

enum { ROM_AT = 0xc8000 };
static const struct bus_ops rec_delayable = { rec_read, rec_write, 1, 4, .delayable = true };

static void test_coalesced(void)
{
    NEEDS_KVM();
    for (int delayable = 0; delayable < 2; delayable++) {
        struct vm *vm = make(host_writes);
        if (!vm)
            return;
        check_context("%s", delayable ? "delayable" : "not delayable");
        bus_add_mmio(&vm->bus, "recorder", MMIO_AT, PAGE_SIZE, delayable ? &rec_delayable : &rec_ops, "m", &err);
        run_to_hlt(vm);
        CHECK_EQ(rec.writes, 1000);
        CHECK_EQ(rec.last, 1);  /* in order, and all of them before the read */
        CHECK_CONTAINS(rec.log, "m10/4=3e8 m10/4=3e7 ");
        if (host_can(host_of(vm), HOST_COALESCED_MMIO)) {
            CHECK_EQ(host_of(vm)->coalesced > 900, delayable);
            CHECK_EQ(vm->ledger.count[EV_KVMHOST_MMIO] < 100, delayable);
        }
        vm_free(vm);
    }
}

static struct { unsigned n; gpa_t gpa[8]; } heard;
static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    if (heard.n < ARRAY_LEN(heard.gpa))
        heard.gpa[heard.n++] = gpa & PAGE_MASK;
}

static void test_dirty(void)
{
    NEEDS_KVM();
    struct vm *vm = make(host_dirty);
    if (!vm)
        return;
    struct phys_observer o = { .marks = MARK_DIRTY_LOG, .written = on_written };
    memset(&heard, 0, sizeof heard);
    physmap_observe(&vm->map, &o);
    physmap_mark(&vm->map, 0x9000, MARK_DIRTY_LOG);
    physmap_mark(&vm->map, 0xa000, MARK_DIRTY_LOG);
    run_to_hlt(vm);
    CHECK_EQ(heard.n, 1); /* A000h was not written, B000h is not watched */
    CHECK_EQ(heard.gpa[0], 0x9000);
    CHECK(host_of(vm)->dirty_pages >= 3);
    physmap_unobserve(&vm->map, &o);
    vm_free(vm);
}

static void test_rom(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(host_rom);
    if (!vm)
        return;
    u8 *rom = physmap_add_rom(&vm->map, "rom", ROM_AT, PAGE_SIZE, &err);
    memcpy(rom, "\x78\x56\x34\x12", 4);
    run_to_hlt(vm);
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.gpr[RAX], 0x12345678);
    CHECK_EQ(s.gpr[RBX], 0x12345678);
    vm_free(vm);
}

/* A change of the map touches only the slots that it changes. */
static void test_slots(void)
{
    NEEDS_KVM();
    struct vm *vm = make(host_dirty);
    if (!vm)
        return;
    struct host_slot before[HOST_MAX_SLOTS];
    memcpy(before, host_of(vm)->slot, sizeof before);
    bus_add_mmio(&vm->bus, "hole", 0x200000, PAGE_SIZE, &rec_ops, "m", &err);
    CHECK_EQ(host_set_slots(host_of(vm), &vm->map, &err), 0);
    unsigned same = 0, used = 0, now = 0;
    for (unsigned i = 0; i < HOST_MAX_SLOTS; i++) {
        used += before[i].size != 0;
        now += host_of(vm)->slot[i].size != 0;
        same += before[i].size && memcmp(&before[i], &host_of(vm)->slot[i], sizeof before[i]) == 0;
    }
    CHECK_EQ(same, used - 1);   /* the memory with the hole in it */
    CHECK_EQ(now, used + 1);
    vm_free(vm);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "coalesced", test_coalesced }, { "dirty", test_dirty }, { "rom", test_rom }, { "slots", test_slots },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm host memory", tests);
}
