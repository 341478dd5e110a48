/* SPDX-License-Identifier: MIT */
/*
 * The small Xen: what the builder hands over, each hypercall's good path and main errors, what a hostile kernel
 * tries, traps of code that really runs in ring 1, and whole guests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "devices/serial/chardev.h"
#include "pvfixture.h"

#define WITH(f) struct fixture f; if (!CHECK(fixture_open(&f, &good_image))) { check_fail(__FILE__, __LINE__, "%s", f.err.text); fixture_close(&f); return; }
#define DONE(f) do { CHECK_STR(audit(&f), ""); fixture_close(&f); } while (0)
#define RW (PTE_P | PTE_RW)

static u64 entry(u32 mfn, u64 flags) { return maddr(mfn) | flags; }

/* Its table and slot: where the entry that maps gva is. */
static u64 pte_address(struct fixture *f, u32 gva)
{
    u32 mfn;
    unsigned slot;
    CHECK_EQ(table_find_l1(f->d, gva, &mfn, &slot), 0);
    return maddr(mfn) + slot * 8;
}

/* --- the domain builder ----------------------------------------------------------------------- */

static void test_builder_state(void)
{
    WITH(f);
    const struct cpu_state *s = &f.vm->vcpu[0]->cpu.state;
    CHECK_EQ(s->rip, CODE);
    CHECK_EQ(s->seg[CS].selector, 0xe019);
    CHECK_EQ(s->seg[SS].selector, 0xe021);
    CHECK_EQ(s->seg[DS].limit, GUEST_SEGMENT_END - 1);
    CHECK_EQ(state_cpl(s), 1);
    CHECK_EQ(s->rflags & FLAG_IOPL, 0);
    CHECK(s->rflags & FLAG_IF);
    CHECK_EQ(s->gpr[RSP] & 0xfff, 0);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 1);
    CHECK_EQ(f.vm->clock.now, 0);
    DONE(f);
}

static void test_builder_start_info(void)
{
    WITH(f);
    const start_info32 *s = start_info(&f);
    CHECK_STR((const char *)s->magic, "xen-3.0-x86_32p");
    CHECK_STR((const char *)s->cmd_line, "console=hvc0 test");
    CHECK_EQ(s->nr_pages, f.d->nr_pages);
    CHECK_EQ(s->shared_info, maddr(f.d->shared_mfn));
    CHECK_EQ(s->console.domU.mfn, f.d->console_mfn);
    CHECK_EQ(s->console.domU.evtchn, f.d->console_port);
    CHECK_EQ(s->flags, 0);
    /* the documented order: kernel, mfn list, start_info, store, console, page tables, stack */
    u32 info = f.vm->vcpu[0]->cpu.state.gpr[RSI];
    CHECK_EQ(s->mfn_list, BASE + KERNEL_SIZE);
    CHECK_EQ(info, (s->mfn_list + s->nr_pages * 4 + 0xfff) & ~0xfffu);
    CHECK_EQ(f.d->m2p[s->store_mfn], (info - BASE) / 4096 + 1);
    CHECK_EQ(f.d->m2p[s->console.domU.mfn], (info - BASE) / 4096 + 2);
    CHECK_EQ(s->pt_base, info + 3 * 4096);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.gpr[RSP], s->pt_base + (s->nr_pt_frames + 1) * 4096);
    CHECK(pte_of(&f, BASE + 0x3ff000) & PTE_P); /* mapped up to 4 MiB */
    DONE(f);
}

static void test_builder_frames(void)
{
    WITH(f);
    const start_info32 *s = start_info(&f);
    unsigned same = 0;
    for (u32 pfn = 0; pfn < s->nr_pages; pfn++) {
        u32 mfn = peek32(&f, s->mfn_list + pfn * 4);
        same += mfn == pfn;
        if (mfn >= f.d->nframes || f.d->m2p[mfn] != pfn || f.d->frame[mfn].owner != OWNER_DOMAIN) {
            FAIL("pfn 0x%x has mfn 0x%x, which has pfn 0x%x", pfn, mfn, f.d->m2p[mfn]);
            break;
        }
    }
    CHECK(same < 8); /* a kernel that mixes them up must notice */
    u32 in_table;
    CHECK_EQ(cpu_peek(&f.vm->vcpu[0]->cpu, M2P_VIRT_START + f.d->console_mfn * 4, &in_table, 4), 4);
    CHECK_EQ(in_table, f.d->m2p[f.d->console_mfn]);
    DONE(f);
}

static void test_builder_tables_read_only(void)
{
    WITH(f);
    const start_info32 *s = start_info(&f);
    for (u32 i = 0; i < s->nr_pt_frames; i++)
        CHECK_EQ(pte_of(&f, s->pt_base + i * 4096) & RW, PTE_P);
    CHECK_EQ(pte_of(&f, s->pt_base - 4096) & RW, RW);
    CHECK_EQ(f.d->frame[mfn_of(&f, s->pt_base)].type, TYPE_L3);
    CHECK(f.d->frame[mfn_of(&f, s->pt_base)].pinned);
    DONE(f);
}

static void test_builder_hypercall_page(void)
{
    WITH(f);
    static const u8 plain[] = { 0xb8, 13, 0, 0, 0, 0xcd, 0x82, 0xc3 }, iret[] = { 0x50, 0xb8, 23, 0, 0, 0, 0xcd, 0x82 };
    u8 got[8];
    cpu_peek(&f.vm->vcpu[0]->cpu, STUBS + 13 * 32, got, 8);
    CHECK(!memcmp(got, plain, 8));
    cpu_peek(&f.vm->vcpu[0]->cpu, STUBS + 23 * 32, got, 8);
    CHECK(!memcmp(got, iret, 8));
    DONE(f);
}

static void refuse(const struct image *img, const char *why)
{
    struct fixture f;
    bool opened = fixture_open(&f, img);
    CHECK(!opened);
    CHECK_CONTAINS(f.err.text, why);
    fixture_close(&f);
}

static void test_builder_bad_images(void)
{
    struct image i = good_image;
    i.pae = NULL;
    refuse(&i, "PAE");
    i.pae = "no";
    refuse(&i, "PAE");
    i = good_image;
    i.features = "pae_pgdir_above_4gb|!writable_page_tables";
    refuse(&i, "writable_page_tables");
    i.features = "!no_such_feature";
    refuse(&i, "no_such_feature");
    i = good_image;
    i.hole = 0xfc000000;
    refuse(&i, "hypervisor begins");
    i = good_image;
    i.entry = 0x1000;
    refuse(&i, "entry");
    i = good_image;
    i.hypercall_page = BASE + 0x1234;
    refuse(&i, "hypercall page");
    i.hypercall_page = BASE + 0x3f000000;
    refuse(&i, "hypercall page");
    i = good_image;
    i.segment = 0xf57f0000;
    refuse(&i, "outside");
    i.segment = 0x1000;
    refuse(&i, "outside");
    i = good_image;
    i.virt_base = BASE - 0x1000;
    i.entry = CODE;
    refuse(&i, "4 MiB");
    i = good_image;
    i.no_notes = true;
    refuse(&i, "no Xen PV kernel");
    i = good_image;
    i.is64 = true;
    refuse(&i, "32-bit");
}

static void test_builder_xen_guest_string(void)
{
    struct image i = good_image;
    struct fixture f;
    i.no_notes = true;
    i.xen_guest = "GUEST_OS=x,VIRT_BASE=0xC0000000,HYPERCALL_PAGE=0x1,PAE=yes[extended-cr3],FEATURES=pae_pgdir_above_4gb";
    if (CHECK(fixture_open(&f, &i))) {
        CHECK_EQ(peek32(&f, STUBS + 32) & 0xffff, 0x01b8);
        CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE);
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
    i.xen_guest = "VIRT_BASE=0xC0000000,PAE=no";
    refuse(&i, "PAE");
    i.xen_guest = "VIRT_BASE=,,=,PAE";
    refuse(&i, "PAE");
}

/* --- page tables ------------------------------------------------------------------------------ */

static void test_update_va_mapping(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), b = mfn_of(&f, PAGE(1));
    CHECK_EQ(update_va(&f, PAGE(0), entry(b, RW)), 0);
    CHECK_EQ(pte_of(&f, PAGE(0)), entry(b, RW));
    CHECK_EQ(f.d->frame[b].type_count, 2);
    CHECK_EQ(f.d->frame[a].refs, 0);
    CHECK_EQ(update_va(&f, PAGE(0), 0), 0);
    CHECK_EQ(update_va(&f, PAGE(0), entry(a, RW)), 0);
    CHECK_EQ(update_va(&f, 0x1000, 0), -XEN_EINVAL);            /* no table there */
    CHECK_EQ(update_va(&f, M2P_VIRT_START, 0), -XEN_EINVAL);    /* the hypervisor's table */
    CHECK_EQ(update_va(&f, GDT_VIRT, entry(a, RW)), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_update_va_mapping, PAGE(0), entry(a, RW), 0, 3), -XEN_EINVAL); /* no such flush */
    DONE(f);
}

static void test_entries_that_are_refused(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0));
    u64 before = pte_of(&f, PAGE(0));
    const u64 bad[] = {
        entry(f.d->pool[0], PTE_P), entry(f.d->pool[0], RW),    /* the machine-to-physical table */
        entry(f.d->xen_l1_private, PTE_P), entry(0, PTE_P),     /* the hypervisor's, the PC's low memory */
        entry(f.d->nframes, PTE_P), entry(0xfffffff, RW), entry(a, RW) | BIT(51), entry(a, RW) | BIT(52) | BIT(62),
        entry(a, RW | PTE_PSE), entry(a, RW | 0x10),
        entry(f.d->v.base_mfn, RW),                             /* the page-table base, writable */
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("entry %u 0x%llx", i, (unsigned long long)bad[i]);
        CHECK_EQ(update_va(&f, PAGE(0), bad[i]), -XEN_EINVAL);
        CHECK_EQ(pte_of(&f, PAGE(0)), before);
        CHECK_STR(audit(&f), "");
    }
    check_context(NULL);
    CHECK_EQ(update_va(&f, PAGE(0), entry(f.d->v.base_mfn, PTE_P)), 0); /* to read it is fine */
    CHECK_EQ(update_va(&f, PAGE(0), entry(f.d->shared_mfn, RW)), 0);
    DONE(f);
}

static void test_mmu_update(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), b = mfn_of(&f, PAGE(1));
    u64 at = pte_address(&f, PAGE(0));
    CHECK_EQ(mmu_update(&f, at, entry(b, RW | PTE_A)), 0);
    CHECK_EQ(mmu_update(&f, at | MMU_PT_UPDATE_PRESERVE_AD, entry(b, PTE_P)), 0);
    CHECK_EQ(pte_of(&f, PAGE(0)), entry(b, PTE_P | PTE_A));
    CHECK_EQ(mmu_update(&f, at, entry(a, RW)), 0);
    CHECK_EQ(mmu_update(&f, at + 4, entry(a, RW)), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(f.d->nframes) + 8, 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(f.d->pool[0]), 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(a) + 16, 0x1234), 0); /* an ordinary page: an ordinary write */
    CHECK_EQ(peek64(&f, PAGE(0) + 16), 0x1234);
    CHECK_EQ(mmu_update(&f, maddr(a) | MMU_MACHPHYS_UPDATE, 77), 0);
    CHECK_EQ(f.d->m2p[a], 77);
    CHECK_EQ(mmu_update(&f, maddr(f.d->shared_mfn) | MMU_MACHPHYS_UPDATE, 77), -XEN_EINVAL);
    DONE(f);
}

static void test_mmu_update_batch(void)
{
    WITH(f);
    u64 at = pte_address(&f, PAGE(0));
    struct mmu_update u[3] = { { at, 0 }, { 1ull << 40, 0 }, { at + 8, 0 } };
    poke(&f, PAGE(5), u, sizeof u);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 3, PAGE(6), DOMID_SELF), -XEN_EINVAL);
    CHECK_EQ(peek32(&f, PAGE(6)), 1); /* one was done */
    CHECK(pte_of(&f, PAGE(1)) & PTE_P);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 1, 0, 5), -XEN_EPERM);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 1, 0, DOMID_INVALID), -XEN_ESRCH);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, 0x1000, 1, 0, DOMID_SELF), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, XEN_VIRT_START - 8, 1, 0, DOMID_SELF), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 0x7fffffff, 0, DOMID_SELF), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 1, M2P_VIRT_START, DOMID_SELF), -XEN_EFAULT);
    DONE(f);
}

/* Take a scratch page out of the tables, so that it can become one. */
static u32 detach(struct fixture *f, unsigned page)
{
    u32 mfn = mfn_of(f, PAGE(page));
    CHECK_EQ(update_va(f, PAGE(page), entry(mfn, PTE_P)), 0);
    return mfn;
}

static void test_pin_l1(void)
{
    WITH(f);
    u32 other = mfn_of(&f, PAGE(2)), mfn = mfn_of(&f, PAGE(0));
    poke64(&f, PAGE(0) + 5 * 8, entry(other, RW));
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL); /* still mapped writable */
    detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
    CHECK_EQ(f.d->frame[mfn].type, TYPE_L1);
    CHECK_EQ(f.d->frame[other].type_count, 2);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), -XEN_EINVAL);  /* not writable while it is a table */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL); /* twice */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_CLEAR_PAGE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, mfn, other), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(mfn) + 8, entry(mfn, RW)), -XEN_EINVAL); /* nor through itself */
    CHECK_STR(audit(&f), "");
    CHECK_EQ(mmuext(&f, MMUEXT_UNPIN_TABLE, mfn, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_UNPIN_TABLE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(f.d->frame[other].type_count, 1);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), 0);
    DONE(f);
}

/* A table that is refused in the middle leaves no reference behind. */
static void test_pin_is_all_or_nothing(void)
{
    WITH(f);
    u32 other = mfn_of(&f, PAGE(2));
    poke64(&f, PAGE(0), entry(other, RW));
    poke64(&f, PAGE(0) + 511 * 8, entry(f.d->pool[0], RW)); /* the hypervisor's frame, last */
    u32 mfn = detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(f.d->frame[mfn].type_count, 0);
    CHECK_EQ(f.d->frame[other].type_count, 1);
    CHECK_STR(audit(&f), "");
    poke64(&f, PAGE(0), entry(mfn, RW)); /* a table that maps itself writable */
    poke64(&f, PAGE(0) + 511 * 8, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);
    DONE(f);
}

static void test_forged_directories(void)
{
    WITH(f);
    u32 l2 = mfn_of(&f, PAGE(0)), plain = mfn_of(&f, PAGE(1)), l1 = mfn_of(&f, PAGE(2));
    poke64(&f, PAGE(0), entry(plain, RW | PTE_USER)); /* an L1 that somebody can write */
    detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    poke64(&f, PAGE(0), entry(l2, RW));               /* itself */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    poke64(&f, PAGE(0), entry(f.d->xen_l1_private, RW));
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    poke64(&f, PAGE(0), entry(l1, RW | PTE_PSE));     /* 2 MiB of machine memory at once */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    CHECK_STR(audit(&f), "");
    detach(&f, 2);
    poke64(&f, PAGE(0), entry(l1, RW));
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), 0);
    CHECK_EQ(f.d->frame[l1].type, TYPE_L1);
    CHECK_EQ(mmu_update(&f, maddr(l2) + 8, entry(plain, RW)), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l2), 0), 0);
    CHECK_EQ(f.d->frame[l1].type_count, 0);
    DONE(f);
}

/* Build an address space of its own: L3, and a copy of the directory of slot 3. */
static u32 second_space(struct fixture *f)
{
    const start_info32 *s = start_info(f);
    u8 copy[4096];
    memcpy(copy, frame_hva(f->d, mfn_of(f, s->pt_base + 4096)), sizeof copy);
    memset(copy + XEN_FIRST_L2_SLOT * 8, 0x41, sizeof copy - XEN_FIRST_L2_SLOT * 8); /* forged hypervisor slots */
    poke(f, PAGE(11), copy, sizeof copy);
    poke64(f, PAGE(10) + 3 * 8, entry(mfn_of(f, PAGE(11)), RW | PTE_USER | PTE_A) /* as on a 64-bit Xen */);
    detach(f, 11);
    return detach(f, 10);
}

static void test_second_address_space(void)
{
    WITH(f);
    u32 first = f.d->v.base_mfn, l3 = second_space(&f), l2 = mfn_of(&f, PAGE(11));
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, l3, 0), 0);
    CHECK_EQ(f.d->v.base_mfn, l3);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.pdpte[3], entry(l2, PTE_P));
    CHECK(!memcmp(frame_hva(f.d, l2) + XEN_FIRST_L2_SLOT * 8, f.d->xen_l2, sizeof f.d->xen_l2)); /* Xen's own again */
    CHECK_EQ(mmu_update(&f, maddr(l2) + XEN_FIRST_L2_SLOT * 8, 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l2) + 511 * 8, 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l3) + 3 * 8, 0), -XEN_EINVAL);   /* the slot where Xen lives stays */
    CHECK_EQ(mmu_update(&f, maddr(l3) + 4 * 8, 0), -XEN_EINVAL);   /* there is no fifth */
    CHECK_EQ(mmu_update(&f, maddr(l3), entry(l2, PTE_P)), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l3), entry(mfn_of(&f, PAGE(20)), PTE_P | 0x100)), -XEN_EINVAL);
    CHECK_STR(audit(&f), "");
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, first, 0), 0);
    CHECK_EQ(f.d->frame[l3].type_count, 0);
    CHECK_EQ(f.d->frame[l2].type_count, 0);
    DONE(f);
}

static void test_directory_of_slot_3_is_not_shared(void)
{
    WITH(f);
    u32 l3 = second_space(&f), copy = mfn_of(&f, PAGE(12));
    poke64(&f, PAGE(12) + 3 * 8, entry(mfn_of(&f, PAGE(11)), PTE_P));
    detach(&f, 12);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L3_TABLE, l3, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L3_TABLE, copy, 0), -XEN_EINVAL);
    poke64(&f, PAGE(12) + 3 * 8, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L3_TABLE, copy, 0), -XEN_EINVAL); /* nor may it be missing */
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, copy, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, f.d->pool[0], 0), -XEN_EINVAL);
    DONE(f);
}

static void test_counts_do_not_wrap(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), refs = f.d->frame[a].refs, count = f.d->frame[a].type_count;
    f.d->frame[a].refs = UINT32_MAX;
    CHECK_EQ(update_va(&f, PAGE(1), entry(a, PTE_P)), -XEN_EBUSY);
    f.d->frame[a].refs = refs;
    f.d->frame[a].type_count = UINT32_MAX;
    CHECK_EQ(update_va(&f, PAGE(1), entry(a, RW)), -XEN_EBUSY);
    f.d->frame[a].type_count = count;
    DONE(f);
}

static void test_mmuext_others(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), b = mfn_of(&f, PAGE(1));
    poke32(&f, PAGE(0), 0x55);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, b, a), 0);
    CHECK_EQ(peek32(&f, PAGE(1)), 0x55);
    CHECK_EQ(mmuext(&f, MMUEXT_CLEAR_PAGE, b, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(1)), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, b, f.d->pool[0]), -XEN_EINVAL); /* no reading of Xen's memory */
    CHECK_EQ(mmuext(&f, MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_INVLPG_LOCAL, PAGE(0), 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_FLUSH_CACHE, 0, 0), -XEN_EACCES);
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_USER_BASEPTR, a, 0), -XEN_ENOSYS);
    CHECK_EQ(mmuext(&f, 99, 0, 0), -XEN_ENOSYS);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3) + 8, 16), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3), 8193), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, 0xf57ff000, 1024), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3), 16), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, 0, 0), 0);
    DONE(f);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static u64 descriptor(u32 base, u32 limit_pages, u8 access)
{
    return (limit_pages & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit_pages >> 16 & 0xf) << 48 | (u64)0xc << 52 |
           (u64)(base >> 24) << 56;
}

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

/* --- events, time, console -------------------------------------------------------------------- */

static s32 event_op(struct fixture *f, u32 cmd, void *arg, u32 size)
{
    poke(f, PAGE(40), arg, size);
    s32 rc = call(f, __HYPERVISOR_event_channel_op, cmd, PAGE(40), 0, 0);
    for (u32 i = 0; i < size; i++)
        ((u8 *)arg)[i] = peek32(f, PAGE(40) + i);
    return rc;
}
#define EVENT_OP(f, cmd, arg) event_op(&f, cmd, &(arg), sizeof(arg))

static void test_event_ports(void)
{
    WITH(f);
    struct evtchn_bind_virq v = { VIRQ_TIMER, 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), 0);
    u32 port = v.port;
    CHECK(port > f.d->console_port);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), -XEN_EEXIST);
    v.virq = NR_VIRQS;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), -XEN_EINVAL);
    v = (struct evtchn_bind_virq){ VIRQ_DEBUG, 1, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), -XEN_ENOENT);
    struct evtchn_status s = { DOMID_SELF, port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), 0);
    CHECK_EQ(s.status, EVTCHNSTAT_virq);
    s.port = PV_PORTS;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), -XEN_EINVAL);
    s.dom = 3;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), -XEN_EPERM);
    struct evtchn_send send = { port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), -XEN_EINVAL); /* a virq is not the guest's to send */
    send.port = 0xffffffff;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), -XEN_EINVAL);
    struct evtchn_close c = { port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_close, c), 0);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_close, c), -XEN_EINVAL);
    struct evtchn_bind_pirq p = { 1, 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_pirq, p), -XEN_EPERM);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, 99, PAGE(40), 0, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, 0, 0, 0), -XEN_EFAULT);
    DONE(f);
}

static void test_event_masks(void)
{
    WITH(f);
    struct evtchn_bind_ipi b = { 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_ipi, b), 0);
    struct evtchn_send send = { b.port };
    struct evtchn_unmask u = { b.port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> b.port & 1, 1);
    CHECK_EQ(f.d->v.info->evtchn_upcall_pending, 0);    /* masked at its source */
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_unmask, u), 0);
    CHECK_EQ(f.d->v.info->evtchn_upcall_pending, 1);
    CHECK_EQ(f.d->v.info->evtchn_pending_sel, 1);
    CHECK(!event_pending(f.d));                         /* held off by the vcpu's mask */
    f.d->v.info->evtchn_upcall_mask = 0;
    CHECK(event_pending(f.d));
    u.port = 999;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_unmask, u), -XEN_EINVAL);
    DONE(f);
}

static void test_event_loopback_and_exhaustion(void)
{
    WITH(f);
    struct evtchn_alloc_unbound a = { DOMID_SELF, DOMID_SELF, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_alloc_unbound, a), 0);
    struct evtchn_bind_interdomain b = { DOMID_SELF, a.port, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_interdomain, b), 0);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_interdomain, b), -XEN_EINVAL);
    struct evtchn_send send = { b.local_port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> a.port & 1, 1); /* at the other end */
    b.remote_dom = 0;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_interdomain, b), -XEN_ESRCH);
    s32 rc;
    unsigned n = 0;
    while ((rc = EVENT_OP(f, EVTCHNOP_alloc_unbound, a)) == 0 && n < 2 * PV_PORTS)
        n++;
    CHECK_EQ(rc, -XEN_ENOSPC);
    CHECK_EQ(n, PV_PORTS - 1 - 4);
    struct evtchn_reset r = { DOMID_SELF };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_reset, r), 0);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_alloc_unbound, a), 0);
    DONE(f);
}

static void test_time(void)
{
    WITH(f);
    const struct vcpu_time_info_x86_32 *t = &f.d->v.info->time;
    CHECK_EQ(t->version & 1, 0);
    CHECK(t->tsc_to_system_mul >> 31);
    u64 ticks = 1000000, shifted = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    u64 ns = (unsigned __int128)shifted * t->tsc_to_system_mul >> 32, want = clock_cycles_to_ns(&f.vm->clock, ticks);
    CHECK(ns + 2 >= want && ns <= want + 2);
    struct evtchn_bind_virq v = { VIRQ_TIMER, 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), 0);
    u64 at = system_time(f.d) + 1000000;
    CHECK_EQ(call(&f, __HYPERVISOR_set_timer_op, at, at >> 32, 0, 0), 0);
    clock_run_due(&f.vm->clock);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> v.port & 1, 0);
    clock_advance(&f.vm->clock, clock_ns_to_cycles(&f.vm->clock, 1000001));
    clock_run_due(&f.vm->clock);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> v.port & 1, 1);
    CHECK_EQ(f.vm->ledger.count[EV_PV_VIRQ_TIMER], 1);
    DONE(f);
}

static void test_vcpu_op(void)
{
    WITH(f);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0, 0), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0, 0), -XEN_ENOENT);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, PAGE(0), 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, 0x1000, 0), -XEN_EFAULT);
    poke64(&f, PAGE(0), 999999);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, PAGE(0), 0), -XEN_EINVAL);
    struct vcpu_singleshot32 s = { 0, VCPU_SSHOTTMR_future };
    clock_advance(&f.vm->clock, 1000);
    poke(&f, PAGE(0), &s, sizeof s);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, PAGE(0), 0), -XEN_ETIME);
    struct vcpu_register_vcpu_info r = { f.d->pool[0], 0, 0 };
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), -XEN_EINVAL); /* Xen's frame */
    r = (struct vcpu_register_vcpu_info){ mfn_of(&f, PAGE(1)), 4096 - 32, 0 };
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), -XEN_EINVAL); /* over the page's end */
    r.offset = 64;
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), 0);
    CHECK_EQ(peek32(&f, PAGE(1) + 64) & 0xffff, 0x101); /* pending, and masked as it was */
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), -XEN_EINVAL); /* once only */
    poke32(&f, PAGE(0), PAGE(2));
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, PAGE(0), 0), 0);
    CHECK_EQ(peek32(&f, PAGE(2)), RUNSTATE_running);
    runstate_change(f.d, RUNSTATE_blocked);
    CHECK_EQ(peek32(&f, PAGE(2)), RUNSTATE_blocked);
    CHECK_EQ(call(&f, __HYPERVISOR_set_timer_op, ~0u, ~0u, 0, 0), 0); /* for ever */
    CHECK(f.d->v.singleshot.when > f.vm->clock.now);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, 99, 0, 0, 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_console(void)
{
    WITH(f);
    struct xencons_interface *ring = f.d->console;
    struct evtchn_send send = { f.d->console_port };
    memcpy(ring->out + 2045, "abc", 3);
    memcpy(ring->out, "def", 3);
    ring->out_cons = 0xfffffffd; /* indices wrap on their way */
    ring->out_prod = 3;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_STR(fixture_output(&f), "abcdef");
    CHECK_EQ(ring->out_cons, 3);
    ring->out_prod = 3 + 2049; /* more than it can hold */
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_STR(fixture_output(&f), "abcdef");
    chardev_buffer_feed(f.console, "xy", 2);
    CHECK_EQ(ring->in_prod, 2);
    CHECK(!memcmp(ring->in, "xy", 2));
    poke(&f, PAGE(0), "hello", 5);
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, CONSOLEIO_write, 5, PAGE(0), 0), 0);
    CHECK_STR(fixture_output(&f), "abcdefhello");
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, CONSOLEIO_write, 5, 0x1000, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, CONSOLEIO_write, 0xffffffff, PAGE(0), 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, 5, 5, PAGE(0), 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_sched(void)
{
    WITH(f);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    CHECK(f.d->v.blocked);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 0);
    f.d->shared->evtchn_mask[0] = 0;
    event_set_pending(f.d, 1);
    CHECK(!f.d->v.blocked);
    struct sched_poll32 p = { PAGE(1), 1, 0 };
    poke(&f, PAGE(0), &p, sizeof p);
    poke32(&f, PAGE(1), PV_PORTS);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, PAGE(0), 0, 0), -XEN_EINVAL);
    poke32(&f, PAGE(1), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, PAGE(0), 0, 0), 0);
    CHECK(!f.d->v.blocked); /* it is pending already */
    poke32(&f, PAGE(0) + 4, 1000);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, PAGE(0), 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, 99, 0, 0, 0), -XEN_ENOSYS);
    poke32(&f, PAGE(0), 99);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_shutdown, PAGE(0), 0, 0), -XEN_EINVAL);
    CHECK(!f.d->ended);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op_compat, SCHEDOP_shutdown, SHUTDOWN_poweroff, 0, 0), 0);
    CHECK_EQ(f.d->end, EXIT_POWEROFF);
    DONE(f);
}

/* --- code that runs --------------------------------------------------------------------------- */

#define HANDLER (CODE + 0x800)

/* Every exception leads to HANDLER, which spins. */
static void catch_all(struct fixture *f)
{
    for (unsigned v = 0; v < 32; v++)
        f->d->v.trap[v] = (trap_info32){ v, 0, FLAT_RING1_CS, HANDLER };
    poke(f, HANDLER, "\xeb\xfe", 2);
}

static struct exit run_code(struct fixture *f, const void *code, u32 len)
{
    struct exit e = { 0 };
    poke(f, CODE, code, len);
    f->vm->vcpu[0]->cpu.state.rip = CODE;
    f->vm->engine->run(f->vm->vcpu[0], f->vm->clock.now + 20000, &e);
    return e;
}
#define RUN(f, code) run_code(&f, code, sizeof(code) - 1)

/* Words on top of the guest's stack. */
static u32 stack_word(struct fixture *f, unsigned n)
{
    return peek32(f, f->vm->vcpu[0]->cpu.state.gpr[RSP] + n * 4);
}

static void test_store_to_page_table_faults(void)
{
    WITH(f);
    u8 code[] = "\xc7\x05????\x01\x00\x00\x00"; /* movl $1, table */
    u32 table = start_info(&f)->pt_base;
    memcpy(code + 2, &table, 4);
    catch_all(&f);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 0), PF_PRESENT | PF_WRITE);
    CHECK_EQ(stack_word(&f, 1), CODE);
    CHECK_EQ(stack_word(&f, 2), 0xe019 | 1 << 16); /* events were masked */
    CHECK_EQ(stack_word(&f, 3) & FLAG_IF, 0);
    CHECK_EQ(f.d->v.info->arch.cr2, table);
    CHECK_EQ(f.vm->ledger.count[EV_PV_BOUNCE_PF], 1);
    DONE(f);
}

/* Stores into tables: one that is valid is done for the guest, by halves too; no other kind of instruction is. */
static void test_store_to_page_table_is_emulated(void)
{
    WITH(f);
    u32 b = mfn_of(&f, PAGE(1)), mfn = mfn_of(&f, PAGE(0));
    u8 code[] = "\xc7\x05????????\xc7\x05????\x00\x00\x00\x00\xeb\xfe"; /* movl $low, entry; movl $0, entry + 4 */
    u32 at = PAGE(0) + 8, upper = at + 4, low = entry(b, RW);
    memcpy(code + 2, &at, 4);
    memcpy(code + 6, &low, 4);
    memcpy(code + 12, &upper, 4);
    catch_all(&f);
    detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 20);
    CHECK_EQ(peek64(&f, at), entry(b, RW));
    CHECK_EQ(f.d->frame[b].type_count, 2);
    CHECK_EQ(f.vm->ledger.count[EV_PV_PTWR], 2);
    CHECK_EQ(pte_of(&f, PAGE(0)) & RW, PTE_P); /* read-only as before */
    low = entry(mfn, RW);                      /* itself, writable */
    memcpy(code + 6, &low, 4);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 1), CODE);
    CHECK_EQ(peek64(&f, at), entry(b, RW));
    f.vm->vcpu[0]->cpu.state.gpr[RDI] = at;
    RUN(f, "\xab"); /* stos: not of the simple kind */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.gpr[RDI], at);
    CHECK_EQ(f.vm->ledger.count[EV_PV_PTWR], 2);
    DONE(f);
}

/* The table that is written maps itself: the processor's dirty bit in one entry is not the guest's store into another. */
static void test_store_to_the_live_table(void)
{
    WITH(f);
    u8 code[] = "\xc7\x05????????\xeb\xfe"; /* movl $low, entry */
    u32 table = start_info(&f)->pt_base + 2 * 4096, at = table + (PAGE(0) >> 12 & 511) * 8, low = entry(mfn_of(&f, PAGE(1)), RW);
    memcpy(code + 2, &at, 4);
    memcpy(code + 6, &low, 4);
    catch_all(&f);
    CHECK_EQ(maddr(mfn_of(&f, table)), pte_address(&f, PAGE(0)) & PAGE_MASK);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 10);
    CHECK_EQ(pte_of(&f, PAGE(0)), low);
    CHECK_EQ(pte_of(&f, table) & RW, PTE_P);
    DONE(f);
}

/* A translation that the guest did not have flushed must not outlive the page's change into a table. */
static void test_stale_translation_of_a_table(void)
{
    WITH(f);
    u8 code[] = "\xa3????\xeb\xfe"; /* mov %eax, page; spin */
    u32 page = PAGE(0), mfn = mfn_of(&f, PAGE(0));
    memcpy(code + 1, &page, 4);
    catch_all(&f);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 5);
    CHECK_EQ(call(&f, __HYPERVISOR_update_va_mapping, page, entry(mfn, PTE_P), 0, UVMF_NONE), 0);
    struct mmuext_op32 op = { MMUEXT_CLEAR_PAGE, mfn, 0 };
    poke(&f, PAGE(1), &op, sizeof op);
    CHECK_EQ(call(&f, __HYPERVISOR_mmuext_op, PAGE(1), 1, 0, DOMID_SELF), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
    f.vm->vcpu[0]->cpu.state.gpr[RAX] = entry(0, RW); /* not the guest's to map */
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    DONE(f);
}

static void test_hypervisor_is_out_of_reach(void)
{
    WITH(f);
    catch_all(&f);
    RUN(f, "\xa1\x00\x00\x80\xf5\xeb\xfe"); /* mov M2P[0], %eax; spin: may be read */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 5);
    RUN(f, "\xa3\x00\x00\x80\xf5");         /* mov %eax, M2P[0] */
    CHECK_EQ(stack_word(&f, 0), PF_PRESENT | PF_WRITE);
    RUN(f, "\xa1\x00\x00\x00\xff");         /* mov GDT, %eax: beyond the segment */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 0), 0);
    CHECK_EQ(f.vm->ledger.count[EV_PV_BOUNCE], 1);
    RUN(f, "\xb8\x10\xe0\x00\x00\x8e\xd8"); /* mov $0xe010, %eax; mov %eax, %ds: ring 0's data */
    CHECK_EQ(stack_word(&f, 0), 0xe010);
    RUN(f, "\xcd\x20");                     /* int $0x20: not the guest's */
    CHECK_EQ(stack_word(&f, 0), 0x20 << 3 | 2);
    DONE(f);
}

static void test_emulated_instructions(void)
{
    WITH(f);
    const u64 *gpr = f.vm->vcpu[0]->cpu.state.gpr, *count = f.vm->ledger.count;
    catch_all(&f);
    RUN(f, "\x0f\x20\xd8\xeb\xfe"); /* mov %cr3, %eax */
    CHECK_EQ(gpr[RAX], maddr(f.d->v.base_mfn));
    RUN(f, "\x0f\x06\xfa\xfb\x0f\x09\xeb\xfe"); /* clts; cli; sti; wbinvd */
    CHECK_EQ(count[EV_PV_EMULATE_CR], 2);
    CHECK_EQ(count[EV_PV_EMULATE_OTHER], 3);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 1);
    RUN(f, "\xe4\x80"); /* in $0x80, %al without I/O privilege */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    f.d->v.iopl = 1;
    RUN(f, "\x31\xc0\xe4\x80\xeb\xfe");
    CHECK_EQ(gpr[RAX], 0xff);
    CHECK_EQ(count[EV_PV_EMULATE_IO], 1);
    RUN(f, "\xb8\x00\x00\x00\x40\x0f\x0b\x78\x65\x6e\x0f\xa2\xeb\xfe"); /* Xen's CPUID, leaf 40000000h */
    CHECK_EQ(gpr[RBX], 0x566e6558);
    CHECK_EQ(count[EV_PV_EMULATE_CPUID], 1);
    RUN(f, "\x0f\x22\xd8"); /* mov %eax, %cr3: with what CPUID left there, no page table */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    RUN(f, "\x0f\x01\x15\x00\x00\x00\xc0"); /* lgdt */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    struct exit e = RUN(f, "\xf4\xeb\xfe"); /* hlt */
    CHECK_EQ(e.kind, EXIT_HLT);
    DONE(f);
}

/* INT 82h is ring 1's: from ring 3 it is a general protection fault. */
static void test_hypercall_from_ring_3(void)
{
    WITH(f);
    const u8 code[] = { 0xcd, 0x82 };
    catch_all(&f);
    f.d->v.kernel_sp = PAGE(20);
    CHECK_EQ(update_va(&f, CODE, pte_of(&f, CODE) | PTE_USER), 0);
    CHECK(load_context(f.d, FLAT_RING3_CS_32, CODE, FLAG_IF, FLAT_RING3_DS_32, PAGE(10)));
    run_code(&f, code, sizeof code);
    CHECK_EQ(state_cpl(&f.vm->vcpu[0]->cpu.state), 1);
    CHECK_EQ(stack_word(&f, 0), 0x82 << 3 | 2);
    CHECK_EQ(stack_word(&f, 4), PAGE(10)); /* the stack that it came from */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.gpr[RSP], PAGE(20) - 6 * 4);
    DONE(f);
}

static void test_fpu_switch(void)
{
    WITH(f);
    catch_all(&f);
    CHECK_EQ(call(&f, __HYPERVISOR_fpu_taskswitch, 1, 0, 0, 0), 0);
    RUN(f, "\xd9\xe8"); /* fld1 */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK(!(f.vm->vcpu[0]->cpu.state.cr0 & CR0_TS)); /* already clear in the handler */
    CHECK_EQ(stack_word(&f, 0), CODE);
    DONE(f);
}

static void test_upcall_and_iret(void)
{
    WITH(f);
    struct cpu_state *s = &f.vm->vcpu[0]->cpu.state;
    u32 stack = s->gpr[RSP];
    poke(&f, HANDLER, "\xe9", 1); /* jmp to the iret stub */
    poke32(&f, HANDLER + 1, STUBS + 23 * 32 - (HANDLER + 5));
    f.d->v.event_cs = FLAT_RING1_CS;
    f.d->v.event_eip = HANDLER;
    f.d->shared->evtchn_mask[0] = 0;
    f.d->v.info->evtchn_upcall_mask = 0;
    event_set_pending(f.d, 1);
    s->gpr[RAX] = 0x1234;
    poke(&f, CODE, "\xeb\xfe", 2);
    struct exit e;
    f.vm->engine->step(f.vm->vcpu[0], &e);
    CHECK_EQ(s->rip, STUBS + 23 * 32);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 1);
    CHECK_EQ(stack_word(&f, 1), FLAT_RING1_CS); /* the saved mask is clear */
    CHECK_EQ(stack_word(&f, 2) & FLAG_IF, FLAG_IF);
    f.d->v.info->evtchn_upcall_pending = 0;
    RUN(f, "\xeb\xfe");
    for (unsigned i = 0; i < 4 && s->rip != CODE; i++)
        f.vm->engine->step(f.vm->vcpu[0], &e);
    s->rip = STUBS + 23 * 32;
    for (unsigned i = 0; i < 4 && s->rip != CODE; i++)
        f.vm->engine->step(f.vm->vcpu[0], &e);
    CHECK_EQ(s->rip, CODE);
    CHECK_EQ(s->gpr[RAX], 0x1234);
    CHECK_EQ(s->gpr[RSP], stack);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 0);
    CHECK_EQ(f.vm->ledger.count[EV_PV_UPCALL], 1);
    DONE(f);
}

static void ends_with(const void *code, u32 len, void (*prepare)(struct fixture *f), const char *why)
{
    WITH(f);
    if (prepare)
        prepare(&f);
    struct exit e = run_code(&f, code, len);
    CHECK_EQ(e.kind, EXIT_STOPPED);
    CHECK_CONTAINS(f.d->why, why);
    DONE(f);
}

static void bad_stack(struct fixture *f)
{
    catch_all(f);
    f->vm->vcpu[0]->cpu.state.gpr[RSP] = 0x1000;
}
static void bad_handler(struct fixture *f)
{
    f->d->v.trap[6] = (trap_info32){ 6, 0, XEN_RING0_CS | 1, HANDLER };
}
static void iret_frame(struct fixture *f, u32 cs, u32 flags)
{
    const u32 frame[6] = { 0, CODE, cs, flags, 0x1000, FLAT_RING3_DS_32 };
    poke(f, PAGE(0), frame, sizeof frame);
    f->vm->vcpu[0]->cpu.state.gpr[RSP] = PAGE(0);
}
static void iret_to_ring0(struct fixture *f) { iret_frame(f, XEN_RING0_CS, FLAG_IF); }
static void iret_to_v86(struct fixture *f) { iret_frame(f, FLAT_RING3_CS_32, FLAG_VM | FLAG_IF); }
static void iret_to_data(struct fixture *f) { iret_frame(f, FLAT_RING3_DS_32, FLAG_IF); }

static void test_fatal_mistakes(void)
{
    static const u8 undefined[] = { 0x0f, 0x0b }, iret[] = { 0xb8, 23, 0, 0, 0, 0xcd, 0x82 };
    ends_with(undefined, sizeof undefined, NULL, "no handler");
    ends_with(undefined, sizeof undefined, bad_stack, "no room for a trap frame");
    ends_with(undefined, sizeof undefined, bad_handler, "cannot be entered");
    ends_with(iret, sizeof iret, bad_stack, "unreadable stack");
    ends_with(iret, sizeof iret, iret_to_ring0, "impossible");
    ends_with(iret, sizeof iret, iret_to_v86, "impossible");
    ends_with(iret, sizeof iret, iret_to_data, "impossible");
}

/* An LDT page is mapped when it is used, checked first, and let go when the guest wants the page back. */
static void test_ldt_is_lazy(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(3));
    catch_all(&f);
    poke64(&f, PAGE(3) + 8, descriptor(0, 0xfffff, 0xf2));
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3), 16), 0);
    RUN(f, "\xb8\x0f\x00\x00\x00\x8e\xe0"); /* mov $0xf, %eax; mov %eax, %fs: the page is still writable */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 0), 0xc);
    detach(&f, 3);
    RUN(f, "\xb8\x0f\x00\x00\x00\x8e\xe0\xeb\xfe");
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 7);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.seg[FS].limit, GUEST_SEGMENT_END - 1); /* cut */
    CHECK_EQ(f.vm->ledger.count[EV_PV_LDT_FAULT], 1);
    CHECK_EQ(f.d->frame[mfn].type, TYPE_SEGDESC);
    CHECK_EQ(update_va(&f, PAGE(3), entry(mfn, RW)), 0);
    CHECK_EQ(f.d->v.ldt_mfn[0], 0);
    DONE(f);
}

/* --- random hypercalls: whatever they are given, the counts stay true and nothing of Xen's is mapped --- */

static u32 random_argument(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    switch (r % 8) {
    case 0: return r >> 32;
    case 1: return r >> 32 & 0xff;
    case 2: return PAGE(r >> 8 & 63) | (r >> 32 & 0xffc);
    case 3: return mfn_of(f, PAGE(r >> 8 & 63));
    case 4: return 0xffffffff - (r >> 32 & 0xfff);
    case 5: return XEN_VIRT_START - (r >> 32 & 0x1f);
    case 6: return DOMID_SELF;
    }
    return r >> 32 & 0xf;
}

/* A page-table entry that is more often than not plausible. */
static u64 random_entry(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    if (r % 8 == 0)
        return check_random(seed);
    if (r % 8 == 1)
        return 0;
    return entry(mfn_of(f, PAGE(r >> 8 & 15)), (r >> 16 & 7) | PTE_P);
}

/* The guest writes wherever its tables let it. */
static void random_store(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    u32 page = PAGE(r & 15);
    if ((pte_of(f, page) & RW) == RW)
        poke64(f, page + (r >> 8 & 3) * 8, random_entry(f, seed));
}

static s32 random_table_request(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    u32 page = PAGE(r >> 8 & 15), own = mfn_of(f, page), mfn = mfn_of(f, PAGE(r >> 16 & 15));
    switch (r % 8) {
    case 0: return update_va(f, page, random_entry(f, seed));
    case 1: return update_va(f, page, entry(own, RW));
    case 2: return update_va(f, page, entry(own, PTE_P));
    case 3: return mmu_update(f, maddr(mfn) + (r >> 24 & 3) * 8 + (r >> 28 & 1) * 2, random_entry(f, seed));
    case 4: return mmuext(f, r >> 24 & 3, mfn, 0);  /* pin as L1 to L4 */
    case 5: return mmuext(f, MMUEXT_UNPIN_TABLE, mfn, 0);
    case 6: return mmuext(f, MMUEXT_CLEAR_PAGE, mfn, 0);
    }
    poke32(f, PAGE(60), mfn);
    return call(f, __HYPERVISOR_set_gdt, PAGE(60), r >> 24 & 0x1ff, 0, 0);
}

static void test_random_tables(void)
{
    u64 seed = check_seed();
    unsigned accepted[2] = { 0 };
    WITH(f);
    for (unsigned i = 0; i < 8000; i++) {
        random_store(&f, &seed);
        accepted[random_table_request(&f, &seed) >= 0]++;
        if (i % 16 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    check_context("refused %u, accepted %u; made l1 %llu, l2 %llu, l2-xen %llu, l3 %llu, segdesc %llu", accepted[0], accepted[1], (unsigned long long)f.d->types_made[TYPE_L1],
                  (unsigned long long)f.d->types_made[TYPE_L2], (unsigned long long)f.d->types_made[TYPE_L2_XEN], (unsigned long long)f.d->types_made[TYPE_L3], (unsigned long long)f.d->types_made[TYPE_SEGDESC]);
    CHECK(accepted[0] > 500 && accepted[1] > 500); /* both ways were taken often */
    CHECK(f.d->types_made[TYPE_L1] > 20 && f.d->types_made[TYPE_L2] > 5 && f.d->types_made[TYPE_SEGDESC] > 5);
    DONE(f);
}

static void test_random_hypercalls(void)
{
    u64 seed = check_seed();
    WITH(f);
    for (unsigned i = 0; i < 6000 && !f.d->ended; i++) {
        u32 nr = check_random(&seed) % 36, arg[6];
        for (unsigned k = 0; k < 6; k++)
            arg[k] = random_argument(&f, &seed);
        random_store(&f, &seed);
        if (nr == __HYPERVISOR_iret || nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_sched_op_compat || nr == __HYPERVISOR_vcpu_op)
            continue; /* these may end it, as they should */
        hypercall_call(f.d, nr, arg);
        if (i % 64 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    DONE(f);
}

/* --- whole guests ----------------------------------------------------------------------------- */

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
        { "builder-state", test_builder_state },
        { "builder-start-info", test_builder_start_info },
        { "builder-frames", test_builder_frames },
        { "builder-tables-read-only", test_builder_tables_read_only },
        { "builder-hypercall-page", test_builder_hypercall_page },
        { "builder-bad-images", test_builder_bad_images },
        { "builder-xen-guest-string", test_builder_xen_guest_string },
        { "update-va-mapping", test_update_va_mapping },
        { "entries-that-are-refused", test_entries_that_are_refused },
        { "mmu-update", test_mmu_update },
        { "mmu-update-batch", test_mmu_update_batch },
        { "pin-l1", test_pin_l1 },
        { "pin-is-all-or-nothing", test_pin_is_all_or_nothing },
        { "forged-directories", test_forged_directories },
        { "second-address-space", test_second_address_space },
        { "directory-of-slot-3-is-not-shared", test_directory_of_slot_3_is_not_shared },
        { "counts-do-not-wrap", test_counts_do_not_wrap },
        { "mmuext-others", test_mmuext_others },
        { "descriptor-rules", test_descriptor_rules },
        { "gdt", test_gdt },
        { "traps-and-callbacks", test_traps_and_callbacks },
        { "version", test_version },
        { "memory-op", test_memory_op },
        { "multicall", test_multicall },
        { "debug-registers-and-assists", test_debug_registers_and_assists },
        { "event-ports", test_event_ports },
        { "event-masks", test_event_masks },
        { "event-loopback-and-exhaustion", test_event_loopback_and_exhaustion },
        { "time", test_time },
        { "vcpu-op", test_vcpu_op },
        { "console", test_console },
        { "sched", test_sched },
        { "store-to-page-table-faults", test_store_to_page_table_faults },
        { "store-to-page-table-is-emulated", test_store_to_page_table_is_emulated },
        { "store-to-the-live-table", test_store_to_the_live_table },
        { "stale-translation-of-a-table", test_stale_translation_of_a_table },
        { "hypervisor-is-out-of-reach", test_hypervisor_is_out_of_reach },
        { "emulated-instructions", test_emulated_instructions },
        { "hypercall-from-ring-3", test_hypercall_from_ring_3 },
        { "fpu-switch", test_fpu_switch },
        { "upcall-and-iret", test_upcall_and_iret },
        { "fatal-mistakes", test_fatal_mistakes },
        { "ldt-is-lazy", test_ldt_is_lazy },
        { "random-tables", test_random_tables },
        { "random-hypercalls", test_random_hypercalls },
        { "guests", test_guests },
        { "gnu-mach", test_gnu_mach },
        { "grub", test_grub },
        { "twice-the-same", test_twice_the_same },
        { "reboot", test_reboot },
        { "table-of-hypercalls", test_table_of_hypercalls },
        { NULL, NULL },
    };
    return check_main(argc, argv, "paravirt", tests);
}
