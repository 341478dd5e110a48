/* SPDX-License-Identifier: MIT */
/* The VMX instructions with the manual's error numbers, invalidation of cached translations, and EPT's large pages and memory types. */
#include <stdlib.h>

#include "vmxrig.h"

static struct machine m;

static struct vmx *x(void) { return &m.x; }
static u64 error_field(void) { return vmcs_get(&m.x.vmcs, VMCSI_INSN_ERROR); }

static hpa_t new_region(u32 revision)
{
    hpa_t at = hostmem_alloc(&m.host);
    *(u32 *)hostmem_table(&m.host, at) = revision;
    return at;
}

/* VMfailValid: the number, and the same in the current VMCS. */
#define CHECK_FAILS(call, number) do { CHECK_EQ((call), (number)); CHECK_EQ(error_field(), (number)); } while (0)

static void test_regions(void)
{
    machine_init(&m);
    hpa_t wrong = new_region(VMCS_REVISION + 1), good = new_region(VMCS_REVISION), first, now;
    CHECK_EQ(vmx_vmptrst(x(), &first), 0);
    CHECK_FAILS(vmx_vmptrld(x(), good + 8), VMFAIL_VMPTRLD_ADDRESS);
    CHECK_FAILS(vmx_vmptrld(x(), BIT(50)), VMFAIL_VMPTRLD_ADDRESS);
    CHECK_FAILS(vmx_vmptrld(x(), m.x.vmxon_region), VMFAIL_VMPTRLD_VMXON);
    CHECK_FAILS(vmx_vmptrld(x(), wrong), VMFAIL_VMPTRLD_REVISION);
    CHECK_FAILS(vmx_vmclear(x(), good + 1), VMFAIL_VMCLEAR_ADDRESS);
    CHECK_FAILS(vmx_vmclear(x(), m.x.vmxon_region), VMFAIL_VMCLEAR_VMXON);
    CHECK_FAILS(vmx_vmxon(x(), new_region(VMCS_REVISION)), VMFAIL_VMXON_IN_ROOT);
    CHECK_EQ(vmx_vmptrst(x(), &now), 0);
    CHECK_EQ(now, first); /* nothing of that has changed it */
    machine_fini(&m);
}

/* Without a current VMCS there is nowhere to put a number; outside VMX operation the instructions are undefined. */
static void test_invalid(void)
{
    machine_init(&m);
    hpa_t first, vmxon = m.x.vmxon_region;
    vmx_vmptrst(x(), &first);
    CHECK_EQ(vmx_vmclear(x(), first), 0);
    CHECK_EQ(vmx_vmptrld(x(), 3), VMFAIL_INVALID);
    CHECK_EQ(enter(&m), VMX_FAIL);
    CHECK_EQ(vmx_vmxoff(x()), 0);
    CHECK_EQ(vmx_vmptrld(x(), first), VMX_UNDEFINED);
    CHECK_EQ(vmx_vmclear(x(), first), VMX_UNDEFINED);
    CHECK_EQ(vmx_vmxoff(x()), VMX_UNDEFINED);
    CHECK_EQ(vmx_invept(x(), INVEPT_ALL, 0, 0), VMX_UNDEFINED);
    CHECK_EQ(vmx_invvpid(x(), INVVPID_ALL, 0, 0), VMX_UNDEFINED);
    CHECK_EQ(vmx_vmxon(x(), new_region(1)), VMFAIL_INVALID);
    CHECK_EQ(vmx_vmxon(x(), vmxon), 0);
    CHECK_EQ(vmx_vmptrld(x(), first), 0);
    machine_fini(&m);
}

/* Two VMCSs take turns: each keeps its fields and its launch state; VMCLEAR takes the latter away. */
static void test_two(void)
{
    machine_init(&m);
    hpa_t first, second = new_region(VMCS_REVISION);
    vmx_vmptrst(x(), &first);
    CHECK_EQ(enter(&m), VMX_EXIT);
    u64 rip = m.g.cpu.state.rip;
    CHECK_EQ(vmx_vmclear(x(), second), 0);
    CHECK_EQ(vmx_vmptrld(x(), second), 0);
    CHECK_EQ(vmread(&m.x.vmcs, EXCEPTION_BITMAP), 0);
    vmwrite(&m.x.vmcs, EXCEPTION_BITMAP, 0x1234);
    m.g.cpu.state.rip = 0x7777;
    CHECK(!m.x.vmcs.launched);
    CHECK_EQ(vmx_vmptrld(x(), first), 0);
    CHECK(m.x.vmcs.launched);
    CHECK_EQ(m.g.cpu.state.rip, rip);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_HLT);
    m.g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK_EQ(vmx_vmptrld(x(), second), 0);
    CHECK_EQ(vmread(&m.x.vmcs, EXCEPTION_BITMAP), 0x1234);
    CHECK_EQ(m.g.cpu.state.rip, 0x7777);
    CHECK_EQ(vmx_vmclear(x(), first), 0);
    CHECK_EQ(vmx_vmptrld(x(), first), 0);
    CHECK(!m.x.vmcs.launched);
    CHECK_FAILS(vmx_enter(x(), false, 0, false) == VMX_FAIL ? (int)error_field() : 0, VMFAIL_RESUME_NOT_LAUNCHED);
    machine_fini(&m);
}

/* What a monitor writes at nearly every exit is checked as the rest is, also when it writes nothing else. */
static void test_checked_each_time(void)
{
    static const struct { enum vmcs_index field; u64 value; } bad[] = {
        { VMCSI_GUEST_ACTIVITY, 3 }, { VMCSI_GUEST_ACTIVITY, 77 }, { VMCSI_GUEST_RFLAGS, 0 }, { VMCSI_GUEST_RFLAGS, BIT(15) | 2 },
        { VMCSI_GUEST_RIP, BIT(40) }, { VMCSI_GUEST_INTERRUPTIBILITY, 3 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("field %u, value 0x%llx", bad[i].field, (unsigned long long)bad[i].value);
        machine_init(&m);
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_HLT);
        m.g.cpu.state.rip = GUEST_CODE_AT;
        u64 insns = m.g.cpu.icount, good = vmcs_get(&m.x.vmcs, bad[i].field);
        vmcs_write(&m.x.vmcs, bad[i].field, bad[i].value);
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_ENTRY_GUEST_STATE | REASON_ENTRY_FAILURE);
        CHECK_EQ(m.g.cpu.icount, insns);
        vmcs_write(&m.x.vmcs, bad[i].field, good);
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_HLT);
        machine_fini(&m);
    }
    check_context(NULL);
}

/* --- cached translations --- */

enum { HERE = 0x201000, THERE = 0x202000, GLOBAL = 0x203000 };

static bool held(gva_t gva) { return mmu_holds(&m.g.cpu.mmu, gva, false); }

/* Three pages in the TLB, one of them global, as the guest with VPID 1 has left them. */
static void fill(void)
{
    static const gva_t all[] = { HERE, THERE, GLOBAL };
    struct mmu *u = &m.g.cpu.mmu;
    struct mmu_fault f;
    gpa_t gpa;
    u8 *hva;
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        CHECK_EQ(mmu_translate(u, all[i], ACCESS_READ, false, &gpa, &hva, &f), 0);
    u->tlb[0][(GLOBAL >> PAGE_SHIFT) % TLB_ENTRIES].global = true;
    CHECK(held(HERE) && held(THERE) && held(GLOBAL));
}

static void test_invvpid(void)
{
    static const struct { u64 type, vpid; bool here, there, global; } cases[] = {
        { INVVPID_ADDRESS, 1, false, true, true }, { INVVPID_ADDRESS, 2, true, true, true }, { INVVPID_SINGLE, 1, false, false, false },
        { INVVPID_SINGLE, 2, true, true, true }, { INVVPID_ALL, 0, false, false, false }, { INVVPID_KEEP_GLOBALS, 1, false, false, true },
        { INVVPID_KEEP_GLOBALS, 9, true, true, true },
    };
    machine_init(&m);
    CHECK_EQ(enter(&m), VMX_EXIT);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        check_context("type %u, VPID %u", (unsigned)cases[i].type, (unsigned)cases[i].vpid);
        fill();
        CHECK_EQ(vmx_invvpid(x(), cases[i].type, cases[i].vpid, HERE), 0);
        CHECK_EQ(held(HERE), cases[i].here);
        CHECK_EQ(held(THERE), cases[i].there);
        CHECK_EQ(held(GLOBAL), cases[i].global);
    }
    fill();
    CHECK_FAILS(vmx_invvpid(x(), 4, 1, 0), VMFAIL_INVALIDATION);
    CHECK_FAILS(vmx_invvpid(x(), INVVPID_SINGLE, 0, 0), VMFAIL_INVALIDATION);
    CHECK_FAILS(vmx_invvpid(x(), INVVPID_SINGLE, 0x10001, 0), VMFAIL_INVALIDATION);
    CHECK_FAILS(vmx_invvpid(x(), INVVPID_ADDRESS, 1, BIT(60)), VMFAIL_INVALIDATION);
    CHECK(held(HERE) && held(GLOBAL));
    machine_fini(&m);
}

static void test_invept(void)
{
    machine_init(&m);
    CHECK_EQ(enter(&m), VMX_EXIT);
    u64 eptp = vmread(&m.x.vmcs, EPT_POINTER);
    fill();
    CHECK_EQ(vmx_invept(x(), INVEPT_SINGLE, eptp + PAGE_SIZE, 0), 0); /* another guest's */
    CHECK(held(HERE));
    CHECK_EQ(vmx_invept(x(), INVEPT_SINGLE, eptp, 0), 0);
    CHECK(!held(HERE) && !held(GLOBAL));
    fill();
    CHECK_EQ(vmx_invept(x(), INVEPT_ALL, 0, 0), 0);
    CHECK(!held(THERE));
    fill();
    CHECK_FAILS(vmx_invept(x(), 0, eptp, 0), VMFAIL_INVALIDATION);
    CHECK_FAILS(vmx_invept(x(), 3, eptp, 0), VMFAIL_INVALIDATION);
    CHECK_FAILS(vmx_invept(x(), INVEPT_SINGLE, eptp | 7, 0), VMFAIL_INVALIDATION);
    CHECK_FAILS(vmx_invept(x(), INVEPT_SINGLE, eptp, 1), VMFAIL_INVALIDATION);
    CHECK(held(HERE));
    machine_fini(&m);
}

/* Entries with the same VPID stay; another VPID does not see them; without VPID nothing stays. */
static void test_tags(void)
{
    machine_init(&m);
    CHECK_EQ(enter(&m), VMX_EXIT);
    fill();
    m.g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK(held(HERE) && held(GLOBAL));
    vmwrite(&m.x.vmcs, VPID, 2);
    m.g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK(!held(HERE) && !held(GLOBAL));
    fill();
    vmwrite(&m.x.vmcs, PROC2_CONTROLS, PROC2_EPT | PROC2_UG);
    m.g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK(!held(HERE) && !held(GLOBAL));
    machine_fini(&m);
}

/* EPT is turned off, VPID and the EPT pointer stay: what came by EPT serves no more (29.4.1: other mappings altogether). */
static void test_tag_of_no_ept(void)
{
    machine_init(&m);
    guest_paging(&m.g);
    m.x.vmcs.dirty |= DIRTY_GUEST;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_HLT);
    fill();
    vmwrite(&m.x.vmcs, PROC2_CONTROLS, PROC2_VPID);
    m.g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_TRIPLE_FAULT); /* its tables are where the host has nothing */
    CHECK(!held(HERE) && !held(GLOBAL));
    machine_fini(&m);
}

/* --- EPT --- */

static u64 *entry_of(unsigned level)
{
    u64 *table = hostmem_table(&m.host, EPT_FRAME(vmread(&m.x.vmcs, EPT_POINTER)));
    for (unsigned l = EPT_LEVELS; l > level; l--)
        table = hostmem_table(&m.host, EPT_FRAME(table[0]));
    return table;
}

static int walk(gpa_t gpa, gpa_t *out, struct mmu_fault *f)
{
    u8 perms;
    return m.x.ept.stage2.translate(&m.x.ept.stage2, gpa, ACCESS_READ, false, out, &perms, f);
}

/* A page of each size; and a misconfiguration where the processor has no such size, or the frame's low bits are set. */
static void test_sizes(void)
{
    static const struct { unsigned level; u32 features; bool ok; } cases[] = {
        { 1, FEATURE_ALL, true }, { 2, FEATURE_ALL, true }, { 3, FEATURE_ALL, true }, { 3, FEATURE_ALL & ~FEATURE_EPT_1G, false },
        { 2, FEATURE_ALL & ~(FEATURE_EPT_1G | FEATURE_EPT_2M), false }, { 4, FEATURE_ALL, false },
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        machine_init(&m);
        m.x.ept.eptp = vmread(&m.x.vmcs, EPT_POINTER);
        m.x.ept.largest = cases[i].features & FEATURE_EPT_1G ? 3 : cases[i].features & FEATURE_EPT_2M ? 2 : 1;
        *entry_of(cases[i].level) = HOST_GUEST_HPA | EPT_RWX | EPT_WB | (cases[i].level > 1 ? EPT_PS : 0);
        check_context("level %u, largest %u", cases[i].level, m.x.ept.largest);
        struct mmu_fault f = { 0 };
        gpa_t out;
        CHECK_EQ(walk(0x234, &out, &f) == 0, cases[i].ok);
        CHECK_EQ(f.misconfig, !cases[i].ok);
        if (cases[i].ok)
            CHECK_EQ(out, 0x234);
        if (cases[i].ok && cases[i].level > 1) {
            *entry_of(cases[i].level) |= PAGE_SIZE;
            CHECK(walk(0x234, &out, &f) < 0 && f.misconfig);
        }
        machine_fini(&m);
    }
}

/* SDM vol. 3, 29.3.3.1: of the eight values of a leaf's memory type three are reserved. */
static void test_memory_types(void)
{
    machine_init(&m);
    m.x.ept.eptp = vmread(&m.x.vmcs, EPT_POINTER);
    for (unsigned type = 0; type < 8; type++) {
        struct mmu_fault f = { 0 };
        gpa_t out;
        bool ok = type != 2 && type != 3 && type != 7;
        check_context("memory type %u", type);
        *entry_of(1) = HOST_GUEST_HPA | EPT_RWX | type << 3;
        CHECK_EQ(walk(0, &out, &f) == 0, ok);
        CHECK_EQ(f.misconfig, !ok);
    }
    static const u64 bad[] = { EPT_W, EPT_W | EPT_X };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct mmu_fault f = { 0 };
        gpa_t out;
        *entry_of(1) = HOST_GUEST_HPA | EPT_WB | bad[i];
        CHECK(walk(0, &out, &f) < 0 && f.misconfig);
    }
    machine_fini(&m);
}

/* The rules of 29.3.3.1 for each bit of an entry of each level. Memory type 0; so bit 4 alone makes the reserved type 2. */
struct entry_rule { unsigned level; bool leaf; u64 reserved; };
static const struct entry_rule entry_rules[] = {
    { 4, false, 0xf8 }, { 3, false, 0x78 }, { 2, false, 0x78 }, { 3, true, 0x3ffff000 | BIT(4) }, { 2, true, 0x1ff000 | BIT(4) }, { 1, true, BIT(4) },
};
#define BEYOND (BIT(52) - BIT(36))
#define FRAME (BIT(36) - BIT(12))

static u64 with_rights(const struct entry_rule *r, u64 rights)
{
    u64 was = *entry_of(r->level);
    return r->leaf ? HOST_GUEST_HPA | rights | (r->level > 1 ? EPT_PS : 0) : EPT_FRAME(was) | rights;
}

/* What becomes of the walk with that entry there? */
enum { WALKED, VIOLATION, MISCONFIGURED };
static int walk_with(const struct entry_rule *r, u64 entry)
{
    struct mmu_fault f = { 0 };
    gpa_t out;
    u64 was = *entry_of(r->level);
    *entry_of(r->level) = entry;
    int refused = walk(0, &out, &f);
    *entry_of(r->level) = was;
    if (refused && f.misconfig)
        CHECK_EQ(f.qualification, 0); /* 28.2.1: undefined for a misconfiguration; here nothing */
    return !refused ? WALKED : f.misconfig ? MISCONFIGURED : VIOLATION;
}

static void test_reserved_bits(void)
{
    machine_init(&m);
    m.x.ept.eptp = vmread(&m.x.vmcs, EPT_POINTER);
    for (unsigned i = 0; i < ARRAY_LEN(entry_rules); i++) {
        const struct entry_rule *r = &entry_rules[i];
        u64 good = with_rights(r, EPT_RWX), moves = r->leaf ? 0 : FRAME | (r->level == 4 ? 0 : EPT_PS);
        CHECK_EQ(walk_with(r, good), WALKED);
        for (unsigned bit = 0; bit < 64; bit++) {
            check_context("level %u%s, bit %u", r->level, r->leaf ? ", a page" : "", bit);
            if (!(good & BIT(bit)) && !(moves & BIT(bit)))
                CHECK_EQ(walk_with(r, good | BIT(bit)), (r->reserved | BEYOND) & BIT(bit) ? MISCONFIGURED : WALKED);
        }
    }
    machine_fini(&m);
}

/* Present with a write that cannot be read is misconfigured, whatever else it has; nothing that is not present is. */
static void test_rights(void)
{
    machine_init(&m);
    m.x.ept.eptp = vmread(&m.x.vmcs, EPT_POINTER);
    for (unsigned i = 0; i < ARRAY_LEN(entry_rules); i++)
        for (unsigned rights = 0; rights <= EPT_RWX; rights++) {
            const struct entry_rule *r = &entry_rules[i];
            bool bad = (rights & (EPT_R | EPT_W)) == EPT_W;
            check_context("level %u%s, rights %u", r->level, r->leaf ? ", a page" : "", rights);
            CHECK_EQ(walk_with(r, with_rights(r, rights)), bad ? MISCONFIGURED : rights & EPT_R ? WALKED : VIOLATION);
            if (!rights)
                CHECK_EQ(walk_with(r, with_rights(r, 0) | BEYOND | r->reserved), VIOLATION);
        }
    machine_fini(&m);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "regions", test_regions },
        { "invalid", test_invalid },
        { "checked_each_time", test_checked_each_time }, { "two", test_two },
        { "invvpid", test_invvpid },
        { "invept", test_invept },
        { "tags", test_tags }, { "tag_of_no_ept", test_tag_of_no_ept },
        { "sizes", test_sizes },
        { "memory_types", test_memory_types },
        { "reserved_bits", test_reserved_bits }, { "rights", test_rights },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vmx operation", tests);
}
