/* SPDX-License-Identifier: MIT */
/* Kernels of a domain that mean harm: pointers, frames, batches that fail in the middle, floods of events. */
#include "pvtest.h"

#define OP PAGE(61)

/* --- pointers --- */

/* Every hypercall that takes a pointer: which argument it is, and what the others are. */
static const struct pointer { u32 nr; u8 at; u32 arg[4]; } pointers[] = {
    { __HYPERVISOR_set_trap_table, 0, { 0 } },
    { __HYPERVISOR_mmu_update, 0, { 0, 1, 0, DOMID_SELF } },
    { __HYPERVISOR_mmuext_op, 0, { 0, 1, 0, DOMID_SELF } },
    { __HYPERVISOR_set_gdt, 0, { 0, 512 } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_increase_reservation } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_decrease_reservation } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_populate_physmap } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_current_reservation } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_machphys_mapping } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_machphys_mfn_list } },
    { __HYPERVISOR_memory_op, 1, { XENMEM_memory_map } },
    { __HYPERVISOR_multicall, 0, { 0, 1 } },
    { __HYPERVISOR_event_channel_op_compat, 0, { 0 } },
    { __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_send } },
    { __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_alloc_unbound } },
    { __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_status } },
    { __HYPERVISOR_xen_version, 1, { XENVER_extraversion } },
    { __HYPERVISOR_xen_version, 1, { XENVER_compile_info } },
    { __HYPERVISOR_xen_version, 1, { XENVER_get_features } },
    { __HYPERVISOR_xen_version, 1, { XENVER_guest_handle } },
    { __HYPERVISOR_console_io, 2, { CONSOLEIO_write, 8 } },
    { __HYPERVISOR_physdev_op_compat, 0, { 0 } },
    { __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_set_iopl } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_setup_table, 0, 1 } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_map_grant_ref, 0, 1 } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_unmap_grant_ref, 0, 1 } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_copy, 0, 1 } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_transfer, 0, 1 } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_query_size, 0, 1 } },
    { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_get_version, 0, 1 } },
    { __HYPERVISOR_vcpu_op, 2, { VCPUOP_register_runstate_memory_area } },
    { __HYPERVISOR_vcpu_op, 2, { VCPUOP_get_runstate_info } },
    { __HYPERVISOR_vcpu_op, 2, { VCPUOP_register_vcpu_info } },
    { __HYPERVISOR_vcpu_op, 2, { VCPUOP_set_periodic_timer } },
    { __HYPERVISOR_vcpu_op, 2, { VCPUOP_set_singleshot_timer } },
    { __HYPERVISOR_sched_op, 1, { SCHEDOP_poll } },
    { __HYPERVISOR_sched_op, 1, { SCHEDOP_shutdown } },
    { __HYPERVISOR_callback_op, 1, { CALLBACKOP_register } },
};

static s32 with_pointer(struct fixture *f, const struct pointer *p, u32 gva)
{
    u32 arg[6] = { p->arg[0], p->arg[1], p->arg[2], p->arg[3] };
    arg[p->at] = gva;
    return hypercall_call(f->d, p->nr, arg);
}

static void test_wild_pointers(void)
{
    static const u32 wild[] = { 0x1000, 0x7ffffffe, BASE - 2, XEN_VIRT_START, XEN_VIRT_START - 2, M2P_VIRT_START + 64, PRIVATE_VIRT, IDT_VIRT, 0xfffffffe,
                                0xffffffff, BASE + 0x400000 - 1 /* the last byte that is mapped */ };
    WITH(f);
    for (unsigned i = 0; i < ARRAY_LEN(pointers); i++)
        for (unsigned w = 0; w < ARRAY_LEN(wild); w++) {
            check_context("hypercall %u.%u with 0x%x", pointers[i].nr, pointers[i].arg[0], wild[w]);
            CHECK_EQ(with_pointer(&f, &pointers[i], wild[w]), -XEN_EFAULT);
            CHECK(!f.d->ended);
        }
    check_context(NULL);
    DONE(f);
}

/* What the guest may only read, Xen does not write for it: here its own page tables, and the machine-to-physical table. */
static void test_output_into_page_tables(void)
{
    WITH(f);
    u32 table = start_info(&f)->pt_base + 4096; /* a directory */
    u8 before[4096];
    memcpy(before, frame_hva(f.d, mfn_of(&f, table)), 4096);
    static const struct pointer writers[] = {
        { __HYPERVISOR_xen_version, 1, { XENVER_compile_info } }, { __HYPERVISOR_xen_version, 1, { XENVER_capabilities } },
        { __HYPERVISOR_memory_op, 1, { XENMEM_machphys_mapping } }, { __HYPERVISOR_vcpu_op, 2, { VCPUOP_get_runstate_info } },
        { __HYPERVISOR_mmu_update, 2, { PAGE(0), 0, 0, DOMID_SELF } }, { __HYPERVISOR_multicall, 0, { 0, 2 } },
        { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_copy, 0, 4 } }, { __HYPERVISOR_grant_table_op, 1, { GNTTABOP_query_size, 0, 1 } },
    };
    for (unsigned i = 0; i < ARRAY_LEN(writers); i++) {
        check_context("hypercall %u.%u", writers[i].nr, writers[i].arg[0]);
        CHECK_EQ(with_pointer(&f, &writers[i], table), -XEN_EFAULT);
        CHECK(!memcmp(before, frame_hva(f.d, mfn_of(&f, table)), 4096));
    }
    check_context(NULL);
    poke32(&f, OP, table); /* an area that is written later: its address is looked at each time */
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, OP, 0), -XEN_EFAULT);
    poke32(&f, OP, PAGE(2));
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, OP, 0), 0);
    CHECK_EQ(update_va(&f, PAGE(2), maddr(mfn_of(&f, table)) | PTE_P), 0);
    runstate_change(f.d, RUNSTATE_blocked);
    CHECK(!memcmp(before, frame_hva(f.d, mfn_of(&f, table)), 4096));
    DONE(f);
}

static void test_lengths_that_wrap(void)
{
    WITH(f);
    const struct { u32 nr, arg[4]; s32 rc; } wraps[] = {
        { __HYPERVISOR_mmu_update, { PAGE(0), 0x10000001, 0, DOMID_SELF }, -XEN_EINVAL },   /* times 16 is 16 */
        { __HYPERVISOR_mmu_update, { PAGE(0), 0x7fffffff, 0, DOMID_SELF }, -XEN_EINVAL },
        { __HYPERVISOR_mmu_update, { XEN_VIRT_START - 16, 2, 0, DOMID_SELF }, -XEN_EFAULT },
        { __HYPERVISOR_mmuext_op, { PAGE(0), 0x15555556, 0, DOMID_SELF }, -XEN_EINVAL },    /* times 12 is 8 */
        { __HYPERVISOR_multicall, { PAGE(0), 0x08000001 }, -XEN_EINVAL },                   /* times 32 is 32 */
        { __HYPERVISOR_multicall, { 0xffffffe0, 2 }, -XEN_EFAULT },
        { __HYPERVISOR_console_io, { CONSOLEIO_write, 0xffffffff, PAGE(0) }, -XEN_EINVAL },
        { __HYPERVISOR_console_io, { CONSOLEIO_read, 0xffffffff, PAGE(0) }, -XEN_EFAULT },
        { __HYPERVISOR_grant_table_op, { GNTTABOP_copy, PAGE(0), 0x0aaaaaab }, -XEN_EINVAL },
        { __HYPERVISOR_set_gdt, { PAGE(0), 0xffffffff }, -XEN_EINVAL },
    };
    for (unsigned i = 0; i < ARRAY_LEN(wraps); i++) {
        check_context("wrap %u", i);
        CHECK_EQ(call(&f, wraps[i].nr, wraps[i].arg[0], wraps[i].arg[1], wraps[i].arg[2], wraps[i].arg[3]), wraps[i].rc);
    }
    check_context(NULL);
    struct memory_reservation32 r = { PAGE(0), 0x40000001, 0, 0, DOMID_SELF };
    poke(&f, OP, &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, OP, 0, 0), -XEN_EINVAL);
    r = (struct memory_reservation32){ 0xfffffffc, 2, 0, 0, DOMID_SELF };
    poke(&f, OP, &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_increase_reservation, OP, 0, 0), -XEN_EINVAL);
    struct sched_poll32 p = { 0xfffffffc, 2, 1 };
    poke(&f, OP, &p, sizeof p);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, OP, 0, 0), -XEN_EFAULT);
    p.nr_ports = 0x40000001;
    poke(&f, OP, &p, sizeof p);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, OP, 0, 0), -XEN_EINVAL);
    struct mmuext_op32 ldt = { MMUEXT_SET_LDT, 0xfffff000, 8192 };
    poke(&f, OP, &ldt, sizeof ldt);
    CHECK_EQ(call(&f, __HYPERVISOR_mmuext_op, OP, 1, 0, DOMID_SELF), -XEN_EINVAL);
    DONE(f);
}

/* --- frames --- */

/* Each frame of the machine that is not the domain's: no way leads to it, neither to read nor to write. */
static void test_foreign_frames(void)
{
    WITH(f);
    unsigned tried = 0;
    for (u32 mfn = 0; mfn < f.d->nframes + 4; mfn++) {
        if (mfn < f.d->nframes && f.d->frame[mfn].owner != OWNER_XEN && f.d->frame[mfn].owner != OWNER_NOBODY)
            continue;
        if (tried++ > 600)
            break;
        CHECK_EQ(update_va(&f, PAGE(1), maddr(mfn) | PTE_P), -XEN_EINVAL);
        CHECK_EQ(update_va(&f, PAGE(1), maddr(mfn) | RW), -XEN_EINVAL);
        CHECK_EQ(mmu_update(&f, maddr(mfn), 0), -XEN_EINVAL);
        CHECK_EQ(mmu_update(&f, maddr(mfn) | MMU_MACHPHYS_UPDATE, 1), -XEN_EINVAL);
        CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);
        CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, mfn, 0), -XEN_EINVAL);
        CHECK_EQ(mmuext(&f, MMUEXT_UNPIN_TABLE, mfn, 0), -XEN_EINVAL);
        CHECK_EQ(mmuext(&f, MMUEXT_CLEAR_PAGE, mfn, 0), -XEN_EINVAL);
        CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, mfn_of(&f, PAGE(1)), mfn), -XEN_EINVAL);
        poke32(&f, PAGE(3), mfn);
        CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, PAGE(3), 512, 0, 0), -XEN_EINVAL);
    }
    CHECK(tried > 100);
    CHECK_EQ(update_va(&f, PAGE(1), 0xfffffffff000ull | PTE_P), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, ~7ull, 0), -XEN_EINVAL);
    DONE(f);
}

/* A writable way to a page table, by every door there is. */
static void test_writable_page_table(void)
{
    WITH(f);
    u32 l1 = mfn_of(&f, PAGE(1)), other = mfn_of(&f, PAGE(2));
    u64 *entries = (u64 *)frame_hva(f.d, other);
    unsigned slot;
    u32 table;
    CHECK_EQ(update_va(&f, PAGE(1), maddr(l1) | PTE_P), 0);
    memset(frame_hva(f.d, l1), 0, 4096);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, l1, 0), 0);
    CHECK_EQ(update_va(&f, PAGE(1), maddr(l1) | RW), -XEN_EINVAL);
    CHECK_EQ(table_find_l1(f.d, PAGE(1), &table, &slot), 0);
    CHECK_EQ(mmu_update(&f, maddr(table) + slot * 8, maddr(l1) | RW), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l1), maddr(l1) | RW), -XEN_EINVAL);           /* itself, within itself */
    CHECK_EQ(update_va(&f, PAGE(2), maddr(other) | PTE_P), 0);
    memset(entries, 0, 4096);
    entries[511] = maddr(l1) | RW;
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, other, 0), -XEN_EINVAL);          /* in a table that is new */
    entries[511] = maddr(other) | RW;
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, other, 0), -XEN_EINVAL);          /* that maps itself */
    CHECK_EQ(mmuext(&f, MMUEXT_CLEAR_PAGE, l1, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, l1, other), -XEN_EINVAL);
    struct vcpu_register_vcpu_info r = { .mfn = l1 };
    poke(&f, OP, &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, OP, 0), -XEN_EINVAL);
    poke32(&f, OP, l1);
    CHECK_EQ(call(&f, __HYPERVISOR_set_gdt, OP, 512, 0, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_UNPIN_TABLE, l1, 0), 0);
    CHECK_EQ(update_va(&f, PAGE(1), maddr(l1) | RW), 0);                        /* and when it is none any more, it may */
    DONE(f);
}

/* One frame, all uses by pairs: whoever has it one way is not given it another way. */
static void test_type_confusion(void)
{
    static const enum frame_type types[] = { TYPE_WRITABLE, TYPE_L1, TYPE_L2, TYPE_SEGDESC };
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1));
    CHECK_EQ(update_va(&f, PAGE(1), maddr(mfn) | PTE_P), 0);
    memset(frame_hva(f.d, mfn), 0, 4096);
    for (unsigned a = 0; a < ARRAY_LEN(types); a++) {
        CHECK_EQ(frame_get_type(f.d, mfn, types[a]), 0);
        for (unsigned b = 0; b < ARRAY_LEN(types); b++) {
            check_context("a frame that is %s asked for as %s", frame_type_names[types[a]], frame_type_names[types[b]]);
            CHECK_EQ(frame_get_type(f.d, mfn, types[b]), a == b ? 0 : -XEN_EINVAL);
            if (a == b)
                frame_put_type(f.d, mfn);
        }
        frame_put_type(f.d, mfn);
    }
    check_context(NULL);
    DONE(f);
}

static void test_counts_at_their_end(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), got;
    struct frame *fr = &f.d->frame[mfn], saved = *fr;
    struct gnttab_setup_table32 s = { DOMID_SELF, 1, 0, OP + 64 };
    poke(&f, OP, &s, sizeof s);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, OP, 1, 0), 0);
    *(struct grant_entry_v1 *)frame_hva(f.d, f.d->grants->mfn[0]) = (struct grant_entry_v1){ GTF_permit_access, DOMID_DRIVER, mfn };
    fr->refs = UINT32_MAX;
    CHECK_EQ(update_va(&f, PAGE(2), maddr(mfn) | PTE_P), -XEN_EBUSY);
    CHECK_EQ(update_va(&f, PAGE(2), maddr(mfn) | RW), -XEN_EBUSY);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 0, true, &got), GNTST_general_error);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 0, false, &got), GNTST_general_error);
    *fr = saved;
    fr->type_count = UINT32_MAX;
    CHECK_EQ(update_va(&f, PAGE(2), maddr(mfn) | RW), -XEN_EBUSY);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 0, false, &got), GNTST_general_error);
    *fr = saved;
    DONE(f);
}

/* --- batches that fail in the middle --- */

static void test_batch_of_updates(void)
{
    WITH(f);
    u32 table, count = 99;
    unsigned slot;
    struct mmu_update u[6];
    CHECK_EQ(table_find_l1(f.d, PAGE(10), &table, &slot), 0);
    for (unsigned i = 0; i < 6; i++)
        u[i] = (struct mmu_update){ maddr(table) + (slot + i) * 8, i == 3 ? maddr(f.d->xen_l1_private) | RW : 0 };
    poke(&f, OP, u, sizeof u);
    poke32(&f, OP + 256, count);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, OP, 6, OP + 256, DOMID_SELF), -XEN_EINVAL);
    CHECK_EQ(peek32(&f, OP + 256), 3);  /* so many were done, */
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQ(pte_of(&f, PAGE(10 + i)) == 0, i < 3);
    DONE(f);
}

static void test_multicall_in_the_middle(void)
{
    WITH(f);
    struct multicall_entry32 e[5] = {
        { __HYPERVISOR_xen_version, 1, { XENVER_version } }, { 9999, 1, { 0 } }, { __HYPERVISOR_multicall, 1, { OP, 5 } },
        { __HYPERVISOR_xen_version, 1, { XENVER_extraversion, 0x1000 } }, { __HYPERVISOR_xen_version, 1, { XENVER_pagesize } },
    };
    poke(&f, OP, e, sizeof e);
    CHECK_EQ(call(&f, __HYPERVISOR_multicall, OP, 5, 0, 0), 0);
    const s32 want[] = { 0x30004, -XEN_ENOSYS, -XEN_ENOSYS, -XEN_EFAULT, 4096 };
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ((s32)peek32(&f, OP + i * 32 + 4), want[i]);
    /* A batch that unmaps the page that it lies in: what follows cannot be read any more. */
    e[0] = (struct multicall_entry32){ __HYPERVISOR_update_va_mapping, 1, { OP & ~0xfffu, 0, 0, UVMF_INVLPG } };
    poke(&f, OP, e, sizeof e);
    u32 mfn = mfn_of(&f, OP);
    CHECK_EQ(call(&f, __HYPERVISOR_multicall, OP, 5, 0, 0), -XEN_EFAULT);
    CHECK(!f.d->ended);
    CHECK_EQ(update_va(&f, OP & ~0xfffu, maddr(mfn) | RW), 0);
    /* One that ends the domain: the rest is not done. */
    e[0] = (struct multicall_entry32){ __HYPERVISOR_sched_op_compat, 1, { SCHEDOP_shutdown, SHUTDOWN_crash } };
    e[4] = (struct multicall_entry32){ __HYPERVISOR_xen_version, 1, { XENVER_pagesize } };
    poke(&f, OP, e, sizeof e);
    call(&f, __HYPERVISOR_multicall, OP, 5, 0, 0);
    CHECK(f.d->ended);
    CHECK_EQ(peek32(&f, OP + 4 * 32 + 4), 1);
    DONE(f);
}

/* The longest list of calls that there may be, each a list as long as may be: it goes on for minutes of virtual time, in pieces, between which
 * the run loop and events have their turn. */
static void test_endless_lists(void)
{
    static const u8 code[] = {
        0xb8, 13, 0, 0, 0, 0xbb, 0, 0x20, 0, 0xc0, 0xb9, 0, 0x01, 0, 0, 0xcd, 0x82,    /* multicall(PAGE(0), 256) */
        0xa3, 0, 0x10, 0x04, 0xc0, 0xeb, 0xfe,                                        /* result to PAGE(63); spin */
    };
    struct image img = good_image;
    struct fixture f;
    img.code = code;
    img.code_len = sizeof code;
    if (!CHECK(fixture_open(&f, &img)))
        return;
    u32 mfn = mfn_of(&f, PAGE(20));
    for (u32 i = 0; i < 170; i++) { /* copies of a page onto itself, in PAGE(40) */
        struct gnttab_copy32 c = { { mfn, DOMID_SELF, 0 }, { mfn, DOMID_SELF, 0 }, 4096, 0, -100 };
        poke(&f, PAGE(40) + i * sizeof c, &c, sizeof c);
    }
    for (u32 i = 0; i < 256; i++) {
        struct multicall_entry32 e = { __HYPERVISOR_grant_table_op, -1, { GNTTABOP_copy, PAGE(40), 170 } };
        poke(&f, PAGE(0) + i * sizeof e, &e, sizeof e);
    }
    f.vm->config.max_cycles = 10000000; /* of virtual time: not enough for all */
    CHECK_EQ(vm_run(f.vm), STATUS_LIMIT);
    u64 copies = f.vm->ledger.count[EV_PV_GRANT_COPY], calls = f.vm->ledger.count[EV_PV_HC_MULTICALL];
    CHECK(copies > 100 && copies < 170 * 256); /* it was not done with */
    CHECK(f.vm->clock.now < 100000000);
    CHECK(calls >= 2);
    f.vm->status = VM_RUNNING;
    f.vm->config.max_cycles = 1ull << 40;
    f.vm->config.max_seconds = 60;
    poke32(&f, PAGE(63), 0xffff);
    for (unsigned i = 0; i < 2000 && peek32(&f, PAGE(63)) == 0xffff; i++) {
        f.vm->status = VM_RUNNING;
        f.vm->config.max_cycles = f.vm->clock.now + 100000000;
        vm_run(f.vm);
    }
    CHECK_EQ(peek32(&f, PAGE(63)), 0);
    CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_COPY], 170 * 256); /* each once */
    for (u32 i = 0; i < 256; i++)
        CHECK_EQ(peek32(&f, PAGE(0) + i * 32 + 4), 0);
    DONE(f);
}

/* The same of page-table updates: how many were done is counted across the pieces. */
static void test_endless_updates(void)
{
    static const u8 code[] = {
        0xb8, 1, 0, 0, 0, 0xbb, 0, 0x20, 0, 0xc0, 0xb9, 0, 0x40, 0, 0, 0xba, 0, 0x20, 0x04, 0xc0, 0xbe, 0xf0, 0x7f, 0, 0, 0xcd, 0x82,
        0xa3, 0, 0x10, 0x04, 0xc0, 0xeb, 0xfe,
    };
    struct image img = good_image;
    struct fixture f;
    img.code = code;
    img.code_len = sizeof code;
    if (!CHECK(fixture_open(&f, &img)))
        return;
    u32 table, count = 6000, mfn = mfn_of(&f, PAGE(50));
    unsigned slot;
    CHECK_EQ(table_find_l1(f.d, PAGE(62), &table, &slot), 0);
    for (u32 i = 0; i < count; i++) {
        struct mmu_update u = { maddr(table) + slot * 8, i % 2 ? 0 : maddr(mfn) | RW };
        poke(&f, PAGE(0) + i * sizeof u, &u, sizeof u);
    }
    f.vm->config.max_cycles = 0;
    poke(&f, CODE + 11, &count, 4);
    poke32(&f, CODE + 16, PAGE(60));
    poke32(&f, PAGE(63), 0xffff);
    for (unsigned i = 0; i < 100 && peek32(&f, PAGE(63)) == 0xffff; i++) {
        f.vm->status = VM_RUNNING;
        f.vm->config.max_cycles = f.vm->clock.now + 10000000;
        vm_run(f.vm);
    }
    CHECK_EQ(peek32(&f, PAGE(63)), 0);
    CHECK_EQ(peek32(&f, PAGE(60)), count);
    u64 calls = f.vm->ledger.count[EV_PV_HC_MMU_UPDATE];
    check_context("%llu calls", (unsigned long long)calls);
    CHECK(calls > 1 && calls < 20);
    check_context(NULL);
    DONE(f);
}

/* --- event channels --- */

static void test_event_flood(void)
{
    WITH(f);
    u32 n = 0;
    struct evtchn_bind_ipi ipi = { 0 };
    for (;; n++) {
        poke(&f, OP, &ipi, sizeof ipi);
        s32 rc = call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, OP, 0, 0);
        if (rc < 0) {
            CHECK_EQ(rc, -XEN_ENOSPC);
            break;
        }
    }
    CHECK(n > 1000 && n < PV_PORTS);
    memset(f.d->shared->evtchn_mask, 0, sizeof f.d->shared->evtchn_mask);
    for (u32 round = 0; round < 20; round++)
        for (u32 port = 0; port < PV_PORTS + 10; port++) {
            poke32(&f, OP, port);
            call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, OP, 0, 0);
        }
    static const u32 beyond[] = { 0, PV_PORTS, 0x80000000, 0xffffffff };
    static const u32 ops[] = { EVTCHNOP_send, EVTCHNOP_close, EVTCHNOP_unmask, EVTCHNOP_bind_vcpu };
    for (unsigned i = 0; i < ARRAY_LEN(beyond); i++)
        for (unsigned o = 0; o < ARRAY_LEN(ops); o++) {
            poke64(&f, OP, beyond[i]);
            CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, ops[o], OP, 0, 0), -XEN_EINVAL);
        }
    f.d->v.info->evtchn_pending_sel = 0xffffffff; /* and whatever the guest writes there itself */
    memset(f.d->shared->evtchn_pending, 0xff, sizeof f.d->shared->evtchn_pending);
    poke(&f, OP, &(u16){ DOMID_SELF }, 2);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_reset, OP, 0, 0), 0);
    CHECK(!f.d->ended);
    DONE(f);
}

/* An upcall handler that raises the event again and unmasks: it interrupts itself until its stack is at its end. */
static void test_upcall_storm(void)
{
    static const u8 code[] = {
        /* movb $0, evtchn_upcall_mask; pending bits set anew; loop: the vcpu_info is at a fixed place of PAGE(0) */
        0xc6, 0x05, 0x01, 0x20, 0x00, 0xc0, 0x00,   /* movb $0, (PAGE(0) + 1) */
        0xc6, 0x05, 0x00, 0x20, 0x00, 0xc0, 0x01,   /* movb $1, (PAGE(0)): upcall_pending */
        0xb8, 0x1d, 0, 0, 0, 0xcd, 0x82,            /* mov $sched_op, %eax; int $0x82: yield */
        0xeb, 0xe9,                                 /* again */
    };
    struct image i = good_image;
    i.code = code;
    i.code_len = sizeof code;
    struct fixture f;
    if (CHECK(fixture_open(&f, &i))) {
        struct vcpu_register_vcpu_info r = { .mfn = mfn_of(&f, PAGE(0)) };
        poke(&f, OP, &r, sizeof r);
        CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, OP, 0), 0);
        CHECK_EQ(call(&f, __HYPERVISOR_set_callbacks, FLAT_RING1_CS, CODE, FLAT_RING1_CS, CODE), 0);
        f.vm->config.max_cycles = 3000000000;
        CHECK_EQ(vm_run(f.vm), STATUS_STOPPED);
        CHECK_CONTAINS(f.vm->reason, "no room for a trap frame on its kernel stack");
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
}

/* --- a shutdown by the wrong form --- */

static void test_shutdown_texts(void)
{
    static const struct { u32 at_op, arg; const char *text; } cases[] = {
        { SHUTDOWN_crash, OP, "passed the structure" }, { 1000, OP, "means nothing" }, { 0, 77, "reason 77, which means nothing" },
        { 0, 0x1000 + 77, "reason 77, which means nothing" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        WITH(f);
        u32 arg = cases[i].arg == OP ? OP + 0x4c : cases[i].arg;
        poke32(&f, OP + 0x4c, cases[i].at_op);
        CHECK_EQ(call(&f, __HYPERVISOR_sched_op_compat, SCHEDOP_shutdown, arg, 0, 0), 0);
        CHECK_CONTAINS(f.d->why, cases[i].text);
        DONE(f);
    }
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "wild-pointers", test_wild_pointers }, { "output-into-page-tables", test_output_into_page_tables },
        { "lengths-that-wrap", test_lengths_that_wrap }, { "foreign-frames", test_foreign_frames },
        { "writable-page-table", test_writable_page_table }, { "type-confusion", test_type_confusion },
        { "counts-at-their-end", test_counts_at_their_end }, { "batch-of-updates", test_batch_of_updates },
        { "multicall-in-the-middle", test_multicall_in_the_middle }, { "endless-lists", test_endless_lists },
        { "endless-updates", test_endless_updates }, { "event-flood", test_event_flood },
        { "upcall-storm", test_upcall_storm }, { "shutdown-texts", test_shutdown_texts },
        { NULL, NULL },
    };
    return check_main(argc, argv, "hostile kernels", tests);
}
