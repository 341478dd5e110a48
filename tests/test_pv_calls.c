/* SPDX-License-Identifier: MIT */
/* The small Xen: descriptors, and the hypercalls that have no test of their own. */
#include "pvtest.h"

/* --- descriptors ------------------------------------------------------------------------------ */

static void test_descriptor_rules(void)
{
    static const struct { u32 base, limit; u8 access; bool ok; u64 want; } row[] = {
        { 0, 0xfffff, 0xfa, true, 0x00cffa00000067ff & ~((u64)0xf << 48) },
        { 0, 0xf67ff, 0xfb, true, 0 },
        { 0, 0xfffff, 0x9a, true, 0 },          /* ring 0 becomes ring 1 */
        { 0xf6800000, 0, 0xf2, false, 0 },      /* begins in the hypervisor */
        { 0xfffff000, 0xfffff, 0xf2, false, 0 },
        { 0xf0000000, 0xfffff, 0xf2, true, 0 }, /* would wrap: cut */
        { 0, 0, 0xf6, false, 0 },               /* grows down: reaches up to 4 GiB */
        { 0, 0xfffff, 0x89, false, 0 },         /* a TSS */
        { 0, 0xfffff, 0x82, false, 0 },         /* an LDT */
        { 0, 0xfffff, 0x8e, false, 0 },         /* an interrupt gate */
        { 0, 0xfffff, 0x7a, true, 0 },          /* not present: whatever it says */
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        u64 raw = descriptor(row[i].base, row[i].limit, row[i].access);
        struct segment s;
        check_context("row %u: 0x%llx", i, (unsigned long long)raw);
        CHECK_EQ(descriptor_sanitize(&raw), row[i].ok);
        if (!row[i].ok || !(row[i].access & 0x80))
            continue;
        segment_from_descriptor(&s, 8, raw);
        CHECK(seg_dpl(s.attr) >= 1);
        CHECK(s.base + s.limit < GUEST_SEGMENT_END);
    }
    check_context(NULL);
    u64 gate = 0x0000ec0000000000ull | (u64)XEN_RING0_CS << 16;
    CHECK(!descriptor_sanitize(&gate));
    gate = 0x0000ec0000000000ull | (u64)FLAT_RING1_CS << 16;
    CHECK(descriptor_sanitize(&gate));
}

static void test_gdt(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(0));
    poke64(&f, PAGE(0) + 8, descriptor(0, 0xfffff, 0x9a));
    poke32(&f, PAGE(1), mfn);
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, PAGE(1), 16, 0, 0), -XEN_EINVAL); /* mapped writable */
    detach(&f, 0);
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, PAGE(1), 16, 0, 0), 0);
    CHECK_EQ(f.d->frame[mfn].type, TYPE_SEGDESC);
    u64 raw;
    CHECK_EQ(cpu_read_descriptor(&f.vm->vcpu[0]->cpu, 8, &raw), 0);
    CHECK_EQ(raw, descriptor(0, 0xf67ff, 0xba));
    CHECK_EQ(call(&f, __HYPERVISOR_update_descriptor, maddr(mfn) + 16, 0, 0xffff, 0x00cff200), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_update_descriptor, maddr(mfn) + 16, 0, 0, 0x8900), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_update_descriptor, maddr(mfn) + 4, 0, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_update_descriptor, maddr(f.d->v.base_mfn), 0, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_update_descriptor, maddr(f.d->pool[0]), 0, 0, 0), -XEN_EINVAL);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, PAGE(1), FIRST_RESERVED_GDT_ENTRY + 1, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, 0x2000, 16, 0, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, PAGE(1), 1024, 0, 0), -XEN_EINVAL); /* the second frame is 0 */
    CHECK_STR(audit(&f), "");
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, 0, 0, 0, 0), -XEN_EFAULT + XEN_EFAULT);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), 0);
    DONE(f);
}

/* --- the other hypercalls --------------------------------------------------------------------- */

static void test_traps_and_callbacks(void)
{
    WITH(f);
    const trap_info32 t[2] = { { 14, 4, 0xe018, CODE + 0x100 }, { 0 } };
    poke(&f, PAGE(0), t, sizeof t);
    CHECK_EQ(call(&f, __HYPERVISOR_set_trap_table, PAGE(0), 0, 0, 0), 0);
    CHECK_EQ(f.d->v.trap[14].cs, 0xe019); /* ring 0 is not the guest's to name */
    CHECK_EQ(call(&f, __HYPERVISOR_set_trap_table, 0x1000, 0, 0, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_set_trap_table, XEN_VIRT_START, 0, 0, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_set_trap_table, 0, 0, 0, 0), 0);
    CHECK_EQ(f.d->v.trap[14].address, 0);
    CHECK_EQ(call(&f, __HYPERVISOR_set_callbacks, 0xe019, CODE, 0xe019, CODE + 1), 0);
    CHECK_EQ(f.d->v.event_eip, CODE);
    struct callback_register32 r = { CALLBACKTYPE_event, 0, 0xe019, CODE + 8 };
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_callback_op, CALLBACKOP_register, PAGE(0), 0, 0), 0);
    CHECK_EQ(f.d->v.event_eip, CODE + 8);
    poke32(&f, PAGE(0), CALLBACKTYPE_syscall);
    CHECK_EQ(call(&f, __HYPERVISOR_callback_op, CALLBACKOP_register, PAGE(0), 0, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, __HYPERVISOR_callback_op, 9, PAGE(0), 0, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, __HYPERVISOR_stack_switch, 0xe020, PAGE(9), 0, 0), 0);
    CHECK_EQ(f.d->v.kernel_ss, 0xe021);
    DONE(f);
}

static void test_version(void)
{
    WITH(f);
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0), 3 << 16 | 4);
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_capabilities, PAGE(0), 0, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(0)), 0x2d6e6578); /* "xen-" */
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_platform_parameters, PAGE(0), 0, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(0)), XEN_VIRT_START);
    poke32(&f, PAGE(0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_get_features, PAGE(0), 0, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(0) + 4), f.d->features);
    poke32(&f, PAGE(0), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_get_features, PAGE(0), 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_capabilities, 0x1000, 0, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, XENVER_capabilities, start_info(&f)->pt_base, 0, 0), -XEN_EFAULT); /* read-only */
    CHECK_EQ(call(&f, __HYPERVISOR_xen_version, 77, PAGE(0), 0, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, 11, 0, 0, 0, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, 0xffffffff, 0, 0, 0, 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_memory_op(void)
{
    WITH(f);
    u32 pages = f.d->nr_pages, mfn = mfn_of(&f, PAGE(0));
    poke32(&f, PAGE(1), DOMID_SELF);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_current_reservation, PAGE(1), 0, 0), pages);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0, 0), f.d->nframes - 1);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_machphys_mapping, PAGE(2), 0, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(2)), M2P_VIRT_START);
    struct memory_reservation32 r = { PAGE(3), 1, 0, 0, DOMID_SELF };
    poke(&f, PAGE(1), &r, sizeof r);
    poke32(&f, PAGE(3), mfn);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, PAGE(1), 0, 0), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, PAGE(1), 0, 0), 0); /* twice */
    CHECK_EQ(f.d->nr_pages, pages); /* still mapped: it goes with its last reference */
    CHECK_EQ(update_va(&f, PAGE(0), 0), 0);
    CHECK_EQ(f.d->nr_pages, pages - 1);
    CHECK_EQ(f.d->frame[mfn].owner, OWNER_NOBODY);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), -XEN_EINVAL); /* gone */
    poke32(&f, PAGE(3), (PAGE(0) - BASE) >> 12);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_populate_physmap, PAGE(1), 0, 0), 1);
    CHECK_EQ(peek32(&f, PAGE(3)), mfn);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_increase_reservation, PAGE(1), 0, 0), 0); /* at its maximum */
    poke32(&f, PAGE(1), 0xf5800000);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, PAGE(1), 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, 60, 0, 0, 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_multicall(void)
{
    WITH(f);
    struct multicall_entry32 m[4] = {
        { __HYPERVISOR_xen_version, 0, { XENVER_version } }, { __HYPERVISOR_multicall, 0, { 0 } }, { __HYPERVISOR_iret, 0, { 0 } },
        { __HYPERVISOR_fpu_taskswitch, 7, { 1 } },
    };
    poke(&f, PAGE(0), m, sizeof m);
    CHECK_EQ(call(&f, __HYPERVISOR_multicall, PAGE(0), 4, 0, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(0) + 4), 3 << 16 | 4);
    CHECK_EQ((s32)peek32(&f, PAGE(0) + 32 + 4), -XEN_ENOSYS);
    CHECK_EQ((s32)peek32(&f, PAGE(0) + 64 + 4), -XEN_ENOSYS);
    CHECK_EQ(peek32(&f, PAGE(0) + 96 + 4), 0);
    CHECK(f.vm->vcpu[0]->cpu.state.cr0 & CR0_TS);
    CHECK_EQ(f.vm->ledger.count[EV_PV_HC_MULTICALL], 1);
    CHECK_EQ(f.vm->ledger.count[EV_PV_MULTICALL_ENTRY], 4);
    CHECK_EQ(f.vm->ledger.count[EV_PV_HC_VERSION], 0); /* no transition of its own */
    CHECK_EQ(call(&f, __HYPERVISOR_multicall, PAGE(0), 0xffffffff, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_multicall, 0x1000, 1, 0, 0), -XEN_EFAULT);
    DONE(f);
}

static void test_debug_registers_and_assists(void)
{
    WITH(f);
    CHECK_EQ(call(&f, __HYPERVISOR_set_debugreg, 0, 0x1234, 0, 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_get_debugreg, 0, 0, 0, 0), 0x1234);
    CHECK_EQ(call(&f, __HYPERVISOR_set_debugreg, 1, GDT_VIRT, 0, 0), -XEN_EPERM);
    CHECK_EQ(call(&f, __HYPERVISOR_set_debugreg, 4, 0, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_get_debugreg, 8, 0, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3, 0, 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_4gb_segments_notify, 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_vm_assist, 7, VMASST_TYPE_pae_extended_cr3, 0, 0), -XEN_ENOSYS);
    poke32(&f, PAGE(0), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PAGE(0), 0, 0), 0);
    poke32(&f, PAGE(0), 4);
    CHECK_EQ(call(&f, __HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PAGE(0), 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_physdev_op, PHYSDEVOP_apic_read, PAGE(0), 0, 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_table_of_hypercalls(void)
{
    for (const struct hypercall *h = hypercalls; h->name; h++) {
        CHECK(hypercall_find(h->nr) == h); /* no number twice */
        CHECK(h->nargs <= 6 && h->handler && h->help[0]);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "descriptor-rules", test_descriptor_rules },
        { "gdt", test_gdt },
        { "traps-and-callbacks", test_traps_and_callbacks },
        { "version", test_version },
        { "memory-op", test_memory_op },
        { "multicall", test_multicall },
        { "debug-registers-and-assists", test_debug_registers_and_assists },
        { "table-of-hypercalls", test_table_of_hypercalls },
        { NULL, NULL },
    };
    return check_main(argc, argv, "hypercalls", tests);
}
