/* SPDX-License-Identifier: MIT */
/* Guest memory as KVM has it: slots, ROM, the dirty log, writes that are collected. */

#include "console/display.h"
#include "devices/display/vga.h"
#include "kvm_host.h"

GUEST_CODE(
    /* many writes to a device, then a read */
    "host_writes:\nmov $1000, %ecx\n1: mov %ecx, 0xd0000010\nloop 1b\nmov 0xd0000000, %eax\nmov %eax, 0x8000\nhlt\n"

    "host_dirty:\nmovl $1, 0x9004\nmovl $2, 0xb000\nmovl $3, 0x8000\nhlt\n"
/* 640 x 480 in 32 bits by Bochs' interface, and a pixel of line 100; then one of line 300 */
    ".macro vbe index, value\nmov $0x1ce, %edx\nmov $\\index, %eax\nout %ax, %dx\ninc %edx\nmov $\\value, %eax\nout %ax, %dx\n.endm\n"
    "host_display:\nvbe 1, 640\nvbe 2, 480\nvbe 3, 32\nvbe 4, 0x41\nmovl $0x123456, 0xe0000000 + 100 * 2560 + 40\nhlt\n"
    "host_pixel:\nmovl $0x654321, 0xe0000000 + 300 * 2560 + 40\nhlt\n"

    "host_rom:\nmov 0xc8000, %eax\nmovl $0x5555, 0xc8000\nmov 0xc8000, %ebx\nhlt\n");
extern const u8 host_writes[], host_dirty[], host_rom[], host_display[], host_pixel[];

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
    CHECK_EQ(heard.n, 0); /* only when it is asked for */
    CHECK(physmap_logs(&vm->map));
    physmap_sync(&vm->map);
    CHECK_EQ(heard.n, 1); /* A000h was not written, B000h is not watched */
    CHECK_EQ(heard.gpa[0], 0x9000);
    CHECK(host_of(vm)->dirty_pages >= 3);
    physmap_unobserve(&vm->map, &o);
    vm_free(vm);
}

/* A picture of the screen asks the log: of lines that it does not name, memory is not even looked at. */
static void test_display(void)
{
    struct vga_picture p = { 0 };
    unsigned first = 0, last = 0;
    NEEDS_KVM();
    struct vm *vm = make(host_display);
    if (!vm)
        return;
    struct device *vga = display_find(vm, &vga_ops);
    run_to_hlt(vm);
    CHECK_EQ(vga_picture_update(&p, vga, true, &first, &last), 480);
    CHECK_EQ(p.pixels[100 * 640 + 10], 0x123456);
    CHECK_EQ(vga_picture_update(&p, vga, true, &first, &last), 0);
    load(vm, host_pixel);
    vm->status = VM_RUNNING;
    run_to_hlt(vm);
    physmap_ptr(&vm->map, VGA_LFB_GPA, PAGE_SIZE)[3 * 2560] = 1; /* behind everybody's back */
    CHECK_EQ(vga_picture_update(&p, vga, true, &first, &last), 1);
    CHECK_EQ(first, 300);
    CHECK_EQ(p.pixels[300 * 640 + 10], 0x654321);
    CHECK(host_of(vm)->dirty_pages >= 1 && host_of(vm)->dirty_pages < 10);
    vga_picture_fini(&p);
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
        { "coalesced", test_coalesced }, { "dirty", test_dirty }, { "display", test_display }, { "rom", test_rom }, { "slots", test_slots },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm host memory", tests);
}
