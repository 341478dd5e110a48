/* SPDX-License-Identifier: MIT */
/* The small Xen: what the domain builder hands over, and images that it refuses. */
#include "pvtest.h"

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
        { NULL, NULL },
    };
    return check_main(argc, argv, "domain builder", tests);
}
