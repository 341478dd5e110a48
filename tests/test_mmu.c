/* SPDX-License-Identifier: MIT */
/*
 * Memory: the guest-physical map by example, and the page walk against a second opinion: the rules of SDM vol. 3, 4.6 and 4.7
 * written down once more in another way, over every combination of the bits that matter.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cpu/state.h"
#include "mmu/mmu.h"

#define MB ((u64)1 << 20)

static struct physmap map;
static struct mmu mmu;
static u8 *ram;

static void start(void)
{
    struct error err;
    physmap_init(&map, 4 * MB, &err);
    ram = physmap_add_ram(&map, "ram", 0, 4 * MB, &err);
    mmu_init(&mmu, &map);
}

static void stop(void)
{
    mmu_fini(&mmu);
    physmap_fini(&map);
}

/* --- the map --- */

/* Memory beside the map is seen where it is shown, as often as it is shown. */
static void test_map_shown_twice(void)
{
    struct error err;
    start();
    u8 *card = physmap_alloc(&map, "card", 2 * PAGE_SIZE, &err);
    CHECK(physmap_find(&map, 8 * MB) == NULL);
    CHECK_EQ(physmap_map_ram(&map, "bar", 8 * MB, card, 2 * PAGE_SIZE, &err), 0);
    CHECK_EQ(physmap_map_ram(&map, "bank", 9 * MB, card + PAGE_SIZE, PAGE_SIZE, &err), 0);
    CHECK_EQ(physmap_map_ram(&map, "crooked", 10 * MB + 1, card, PAGE_SIZE, &err), -1);
    physmap_store(&map, 9 * MB + 4, 4, 0x12345678);
    CHECK_EQ(physmap_load(&map, 8 * MB + PAGE_SIZE + 4, 4), 0x12345678);
    CHECK_EQ(card[PAGE_SIZE + 7], 0x12);
    physmap_remove(&map, 9 * MB, PAGE_SIZE);
    CHECK_EQ(physmap_load(&map, 9 * MB + 4, 4), 0xffffffff);
    CHECK_EQ(physmap_load(&map, 8 * MB + PAGE_SIZE + 4, 4), 0x12345678);
    CHECK(physmap_alloc(&map, "endless", ~(u64)0 >> 1 & PAGE_MASK, &err) == NULL);
    stop();
}

static u64 dev_read(void *o, u64 offset, unsigned size) { return *(u64 *)o << 32 | offset << 8 | size; }
static void dev_write(void *o, u64 offset, unsigned size, u64 value) { *(u64 *)o = value + offset; }
static const struct mmio_ops dev_ops = { dev_read, dev_write };

static void test_map_lookup(void)
{
    u64 reg = 0;
    start();
    CHECK(physmap_ptr(&map, 0, 4 * MB) == ram);
    CHECK(physmap_ptr(&map, 4 * MB - 4, 4) == ram + 4 * MB - 4);
    CHECK(physmap_ptr(&map, 4 * MB - 4, 5) == NULL);
    CHECK(physmap_ptr(&map, ~(u64)0, 2) == NULL);
    CHECK(physmap_ptr(&map, 16, ~(u64)0) == NULL);
    CHECK_EQ(physmap_load(&map, 5 * MB, 4), 0xffffffff);
    CHECK_EQ(map.unclaimed, 1);
    CHECK_EQ(physmap_add_mmio(&map, "dev", MB, 4096, &dev_ops, &reg, NULL), 0);
    CHECK(physmap_ptr(&map, MB, 1) == NULL);
    CHECK(physmap_ptr(&map, 0, MB + 1) == NULL);
    CHECK_EQ(physmap_load(&map, MB + 8, 4), 0x804);
    physmap_store(&map, MB + 8, 4, 0x11);
    CHECK_EQ(reg, 0x19);
    physmap_store(&map, MB - 2, 4, 0xaabbccdd); /* half in RAM, half in the device */
    CHECK_EQ(ram[MB - 2], 0xdd);
    CHECK_EQ(ram[MB], 0);
    physmap_remove(&map, MB, 4096);
    CHECK(physmap_ptr(&map, MB, 1) == ram + MB);
    stop();
}

static void test_map_rom(void)
{
    struct error err;
    u32 word = 0x12345678;
    start();
    u8 *rom = physmap_add_rom(&map, "rom", 8 * MB, 4096, &err);
    memcpy(rom, &word, 4);
    physmap_store(&map, 8 * MB, 4, 0);
    CHECK_EQ(physmap_load(&map, 8 * MB, 4), word);
    CHECK(physmap_ptr(&map, 8 * MB, 4) == NULL);
    CHECK(physmap_ptr_ro(&map, 8 * MB, 4) == rom);
    CHECK(physmap_add_ram(&map, "much", 16 * MB, (u64)1 << 40, &err) == NULL);
    CHECK_CONTAINS(err.text, "-m");
    stop();
}

static void test_map_a20(void)
{
    start();
    ram[0] = 1;
    ram[MB] = 2;
    physmap_set_a20(&map, false);
    CHECK_EQ(physmap_load(&map, MB, 1), 1);
    physmap_set_a20(&map, true);
    CHECK_EQ(physmap_load(&map, MB, 1), 2);
    stop();
}

static unsigned seen_count;
static gpa_t seen_gpa;
static u64 seen_len;
static void on_written(void *o, gpa_t gpa, u64 len)
{
    seen_count++;
    seen_gpa = gpa;
    seen_len = len;
}

static void test_map_observers(void)
{
    struct phys_observer o = { .marks = MARK_TRACE, .written = on_written };
    u8 page[8192] = { 1 };
    start();
    seen_count = 0;
    physmap_observe(&map, &o);
    physmap_store(&map, 0x5000, 4, 1);
    CHECK_EQ(seen_count, 0);
    physmap_mark(&map, 0x5123, MARK_TRACE);
    physmap_store(&map, 0x5010, 4, 1);
    CHECK_EQ(seen_count, 1);
    CHECK_EQ(seen_gpa, 0x5010);
    CHECK_EQ(seen_len, 4);
    physmap_write(&map, 0x4800, page, sizeof page); /* over three pages: reported for the marked one */
    CHECK_EQ(seen_count, 2);
    CHECK_EQ(seen_gpa, 0x5000);
    CHECK_EQ(seen_len, 4096);
    physmap_mark(&map, 0x5000, MARK_CODE);
    physmap_unmark(&map, 0x5000, MARK_TRACE);
    physmap_store(&map, 0x5010, 4, 1); /* another's mark */
    CHECK_EQ(seen_count, 2);
    physmap_unobserve(&map, &o);
    stop();
}

/* --- the walk --- */

#define GVA 0x00c0a234u
#define PD 0x1000
#define PT 0x2000
#define DATA 0x3000

static void put32(gpa_t at, u32 v) { memcpy(ram + at, &v, 4); }
static void put64(gpa_t at, u64 v) { memcpy(ram + at, &v, 8); }
static u32 get32(gpa_t at) { u32 v; memcpy(&v, ram + at, 4); return v; }
static u64 get64(gpa_t at) { u64 v; memcpy(&v, ram + at, 8); return v; }

/* What the manual says an access of that kind must give: the error code, or 0 for success. Bits: P, R/W, U/S of both levels. */
static u32 expected_error(unsigned pde, unsigned pte, enum mmu_access a, bool user, bool wp)
{
    u32 code = (a == ACCESS_WRITE) * PF_WRITE + user * PF_USER;
    bool present = pde & 1 && pte & 1, writable = pde & pte & 2, for_users = pde & pte & 4;
    if (!present)
        return code | 0x80000000; /* mark: fails, with P = 0 */
    if ((user && !for_users) || (a == ACCESS_WRITE && !writable && (user || wp)))
        return code | PF_PRESENT | 0x80000000;
    return 0;
}

static void test_walk_permissions_32(void)
{
    start();
    for (unsigned bits = 0; bits < 8 * 8 * 3 * 2 * 2; bits++) {
        unsigned pde = bits & 7, pte = bits >> 3 & 7, a = bits / 64 % 3, user = bits / 192 % 2, wp = bits / 384;
        struct xlat x;
        struct mmu_fault f;
        check_context("pde %u pte %u access %u user %u wp %u", pde, pte, a, user, wp);
        put32(PD + (GVA >> 22) * 4, PT | pde);
        put32(PT + (GVA >> 12 & 0x3ff) * 4, DATA | pte);
        mmu_set_regs(&mmu, CR0_PG | CR0_PE | (wp ? CR0_WP : 0), PD, 0, 0);
        u32 want = expected_error(pde, pte, a, user, wp);
        int got = mmu_walk(&mmu, GVA, a, user, &x, &f);
        CHECK_EQ(got < 0, want != 0);
        u32 pte_now = get32(PT + (GVA >> 12 & 0x3ff) * 4), pde_now = get32(PD + (GVA >> 22) * 4);
        if (want) {
            CHECK_EQ(f.error, want & 0x7fffffff);
            CHECK_EQ(pte_now, DATA | pte); /* a walk that fails leaves no A or D behind */
        } else {
            CHECK_EQ(x.gpa, DATA | (GVA & 0xfff));
            CHECK_EQ(pte_now, DATA | pte | 0x20 | (a == ACCESS_WRITE ? 0x40 : 0));
            CHECK_EQ(pde_now, PT | pde | 0x20);
        }
    }
    check_context(NULL);
    stop();
}

static void test_walk_large_32(void)
{
    struct xlat x;
    struct mmu_fault f;
    start();
    put32(PD + (GVA >> 22) * 4, 0x400000 | 0x87);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, CR4_PSE, 0);
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_WRITE, true, &x, &f), 0);
    CHECK_EQ(x.gpa, 0x400000 | (GVA & 0x3fffff));
    CHECK_EQ(x.page_shift, 22);
    CHECK_EQ(get32(PD + (GVA >> 22) * 4), 0x4000e7);
    put32(PD + (GVA >> 22) * 4, 0x400000 | 1 << 21 | 0x87); /* reserved */
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_READ, false, &x, &f), -1);
    CHECK_EQ(f.error, PF_PRESENT | PF_RSVD);
    put32(PD + (GVA >> 22) * 4, 0x400000 | 3 << 13 | 0x87); /* PSE-36: address bits 33:32 */
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_READ, false, &x, &f), 0);
    CHECK_EQ(x.gpa, ((u64)3 << 32) | 0x400000 | (GVA & 0x3fffff));
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, 0, 0); /* without CR4.PSE the bit means nothing */
    put32(PD + (GVA >> 22) * 4, PT | 0x87);
    put32(PT + (GVA >> 12 & 0x3ff) * 4, DATA | 7);
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_READ, false, &x, &f), 0);
    CHECK_EQ(x.gpa, DATA | (GVA & 0xfff));
    stop();
}

static void test_walk_pae(void)
{
    struct xlat x;
    struct mmu_fault f;
    start();
    memset(ram, 0, 0x8000);
    put64(0x20, PD | 1);
    put64(PD + (GVA >> 21 & 511) * 8, PT | 7);
    put64(PT + (GVA >> 12 & 511) * 8, DATA | 7);
    CHECK(mmu_set_regs(&mmu, CR0_PG | CR0_PE, 0x20, CR4_PAE, EFER_NXE));
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_EXEC, true, &x, &f), 0);
    CHECK_EQ(x.gpa, DATA | (GVA & 0xfff));
    CHECK_EQ(x.depth, 2);
    put64(PT + (GVA >> 12 & 511) * 8, DATA | 7 | BIT(63));
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_READ, true, &x, &f), 0);
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_EXEC, true, &x, &f), -1);
    CHECK_EQ(f.error, PF_PRESENT | PF_USER | PF_FETCH);
    CHECK(mmu_set_regs(&mmu, CR0_PG | CR0_PE, 0x20, CR4_PAE, 0)); /* without NXE the bit is reserved */
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_READ, true, &x, &f), -1);
    CHECK_EQ(f.error, PF_PRESENT | PF_USER | PF_RSVD);
    put64(PT + (GVA >> 12 & 511) * 8, DATA | 7 | BIT(40)); /* beyond MAXPHYADDR */
    CHECK_EQ(mmu_walk(&mmu, GVA, ACCESS_READ, true, &x, &f), -1);
    put64(0x20 + 8, 2 | 1); /* reserved bit in a pointer */
    CHECK(!mmu_set_regs(&mmu, CR0_PG | CR0_PE, 0x20, CR4_PAE, 0));
    CHECK_EQ(mmu_walk(&mmu, 0x40000000 | GVA, ACCESS_READ, true, &x, &f), -1); /* the old, empty pointer is still in force */
    CHECK_EQ(f.error, PF_USER);
    stop();
}

static void test_walk_4level(void)
{
    gva_t gva = 0xffff812345678abc;
    struct xlat x;
    struct mmu_fault f;
    start();
    memset(ram, 0, 0x8000);
    put64(0x4000 + (gva >> 39 & 511) * 8, 0x5000 | 7);
    put64(0x5000 + (gva >> 30 & 511) * 8, PD | 7);
    put64(PD + (gva >> 21 & 511) * 8, PT | 7);
    put64(PT + (gva >> 12 & 511) * 8, DATA | 3);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE | CR0_WP, 0x4000, CR4_PAE, EFER_LME | EFER_LMA);
    CHECK_EQ(mmu_walk(&mmu, gva, ACCESS_WRITE, false, &x, &f), 0);
    CHECK_EQ(x.gpa, DATA | 0xabc);
    CHECK_EQ(x.depth, 4);
    CHECK_EQ(mmu.walk_refs, 4);
    CHECK_EQ(mmu_walk(&mmu, gva, ACCESS_READ, true, &x, &f), -1);
    put64(0x5000 + (gva >> 30 & 511) * 8, 0x87); /* 1 GiB page */
    CHECK_EQ(mmu_walk(&mmu, gva, ACCESS_READ, true, &x, &f), -1);
    CHECK_EQ(f.error, PF_PRESENT | PF_USER | PF_RSVD); /* which not every processor has */
    mmu.huge_pages = true;
    CHECK_EQ(mmu_walk(&mmu, gva, ACCESS_READ, true, &x, &f), 0);
    CHECK_EQ(x.gpa, gva & 0x3fffffff);
    CHECK_EQ(x.page_shift, 30);
    stop();
}

/* --- the TLB --- */

static void test_tlb(void)
{
    gpa_t gpa;
    u8 *hva;
    struct mmu_fault f;
    gpa_t pte = PT + (GVA >> 12 & 0x3ff) * 4;
    start();
    put32(PD + (GVA >> 22) * 4, PT | 7);
    put32(pte, DATA | 7);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, CR4_PGE, 0);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == NULL);
    CHECK_EQ(mmu_translate(&mmu, GVA, ACCESS_READ, true, &gpa, &hva, &f), 0);
    CHECK(hva == ram + DATA + (GVA & 0xfff));
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == hva);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_WRITE, true) == NULL); /* D is not set yet */
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, false) == NULL);
    CHECK(mmu_fast(&mmu, (GVA & ~0xfffu) + 0xffe, 4, ACCESS_READ, true) == NULL);
    CHECK_EQ(mmu_translate(&mmu, GVA, ACCESS_WRITE, true, &gpa, &hva, &f), 0);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_WRITE, true) == hva);
    physmap_mark(&map, DATA, MARK_CODE); /* from now on writes must be seen */
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_WRITE, true) == NULL);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == hva);
    put32(pte, 0x4000 | 7);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == hva); /* stale, as a TLB may be */
    mmu_invlpg(&mmu, GVA);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == NULL);
    put32(pte, DATA | 7 | 0x100); /* global */
    mmu_translate(&mmu, GVA, ACCESS_READ, true, &gpa, &hva, &f);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, CR4_PGE, 0); /* a CR3 load spares it */
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == hva);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, 0, 0); /* a change of PGE does not */
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == NULL);
    stop();
}

/* INVLPG of any address of a large page drops all of it (SDM vol. 3, 4.10.4.1). */
static void test_tlb_large(void)
{
    gpa_t gpa;
    u8 *hva;
    struct mmu_fault f;
    start();
    put32(PD, 0x87);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, CR4_PSE, 0);
    mmu_translate(&mmu, 0x5000, ACCESS_READ, false, &gpa, &hva, &f);
    mmu_translate(&mmu, 0x9000, ACCESS_READ, false, &gpa, &hva, &f);
    CHECK(mmu_fast(&mmu, 0x9000, 4, ACCESS_READ, false) == ram + 0x9000);
    mmu_invlpg(&mmu, 0x5000);
    CHECK(mmu_fast(&mmu, 0x9000, 4, ACCESS_READ, false) == NULL);
    stop();
}

/* A device's page is walked to once; each access stays the device's, and the way is forgotten when a TLB's would be. */
static void test_tlb_device(void)
{
    static const struct mmio_ops ops = { dev_read, dev_write };
    static u64 reg;
    gpa_t gpa;
    u8 *hva;
    struct mmu_fault f;
    start();
    CHECK_EQ(physmap_add_mmio(&map, "dev", 8 * MB, 4096, &ops, &reg, NULL), 0);
    put32(PD + (GVA >> 22) * 4, PT | 7);
    put32(PT + (GVA >> 12 & 0x3ff) * 4, (8 * MB) | 7);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, 0, 0);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(mmu_translate(&mmu, GVA + 4 * i, ACCESS_READ, true, &gpa, &hva, &f), 0);
        CHECK(hva == NULL && gpa == 8 * MB + (GVA & 0xfff) + 4 * i);
        CHECK(mmu_fast(&mmu, GVA + 4 * i, 4, ACCESS_READ, true) == NULL);
    }
    CHECK_EQ(mmu.walks, 1);
    mmu_translate(&mmu, GVA, ACCESS_WRITE, true, &gpa, &hva, &f); /* another access is another walk: it sets D */
    CHECK_EQ(mmu.walks, 2);
    put32(PT + (GVA >> 12 & 0x3ff) * 4, DATA | 7);
    mmu_invlpg(&mmu, GVA);
    CHECK_EQ(mmu_translate(&mmu, GVA, ACCESS_READ, true, &gpa, &hva, &f), 0);
    CHECK(hva == ram + DATA + (GVA & 0xfff));
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_READ, true) == hva);
    CHECK(mmu_fast(&mmu, GVA, 4, ACCESS_WRITE, true) == NULL); /* nothing is left of the device's entry */
    stop();
}

/* --- two dimensions --- */

struct offset_stage2 { struct stage2 s; unsigned walks; gpa_t refuse; };
static int offset_translate(struct stage2 *s, gpa_t gpa, enum mmu_access a, bool structure, gpa_t *out, u8 *perms, struct mmu_fault *f)
{
    struct offset_stage2 *o = (struct offset_stage2 *)s;
    o->walks++;
    f->gpa = gpa;
    *perms = PERM_R | PERM_W | PERM_X;
    *out = gpa + MB;
    return (gpa & PAGE_MASK) == o->refuse ? -1 : 0;
}

static void test_stage2(void)
{
    struct offset_stage2 o = { { .translate = offset_translate }, 0, ~(u64)0 };
    gpa_t gpa;
    u8 *hva;
    struct mmu_fault f;
    start();
    mmu.stage2 = &o.s;
    put32(MB + PD + (GVA >> 22) * 4, PT | 7);
    put32(MB + PT + (GVA >> 12 & 0x3ff) * 4, DATA | 7);
    mmu_set_regs(&mmu, CR0_PG | CR0_PE, PD, 0, 0);
    CHECK_EQ(mmu_translate(&mmu, GVA, ACCESS_READ, true, &gpa, &hva, &f), 0);
    CHECK(hva == ram + MB + DATA + (GVA & 0xfff));
    CHECK_EQ(get32(MB + PT + (GVA >> 12 & 0x3ff) * 4), DATA | 0x27);
    o.refuse = PT;
    CHECK_EQ(mmu_translate(&mmu, GVA, ACCESS_READ, true, &gpa, &hva, &f), -1);
    CHECK_EQ(f.kind, FAULT_STAGE2);
    CHECK_EQ(f.gpa, PT + (GVA >> 12 & 0x3ff) * 4);
    CHECK_EQ(f.gva, GVA);
    o.refuse = DATA;
    CHECK_EQ(mmu_translate(&mmu, GVA, ACCESS_READ, true, &gpa, &hva, &f), -1);
    CHECK_EQ(f.gpa & PAGE_MASK, DATA);
    CHECK(get64(MB + PT + 8) == 0);
    stop();
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "map_shown_twice", test_map_shown_twice }, { "map_lookup", test_map_lookup }, { "map_rom", test_map_rom }, { "map_a20", test_map_a20 }, { "map_observers", test_map_observers },
        { "walk_permissions_32", test_walk_permissions_32 }, { "walk_large_32", test_walk_large_32 }, { "walk_pae", test_walk_pae },
        { "walk_4level", test_walk_4level }, { "tlb", test_tlb }, { "tlb_large", test_tlb_large }, { "tlb_device", test_tlb_device }, { "stage2", test_stage2 }, { NULL, NULL },
    };
    return check_main(argc, argv, "mmu", tests);
}
