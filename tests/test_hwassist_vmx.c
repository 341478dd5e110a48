/* SPDX-License-Identifier: MIT */
/* The modelled processor's VMX operation by itself: VMCS fields, capabilities, entry checks, the EPT walk. No monitor. */
#include "vmxrig.h"

static struct error err;

/* --- the VMCS --- */

static struct cpu_state state;

static void fresh_vmcs(struct vmcs *v, u32 features)
{
    state_flat32(&state, 0x1000, 0x2000);
    vmcs_init(v, &state, features);
}

/* The columns of vmcs.def against the encodings, SDM vol. 3, appendix B. */
static void test_encodings(void)
{
    for (int i = 0; i < VMCS_FIELDS; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];
        check_context("%s", f->name);
        CHECK_EQ(f->encoding >> 13 & 3, f->width);
        CHECK_EQ(f->encoding >> 10 & 3, f->type);
        CHECK_EQ(f->encoding & 0x9001, 0);
        CHECK_EQ(vmcs_find(f->encoding), i);
    }
}

/* Numbers that anybody can look up. */
static void test_known_encodings(void)
{
    static const struct { u32 encoding; const char *name; } known[] = {
        { 0x0000, "VPID" }, { 0x201a, "EPT_POINTER" }, { 0x2400, "GUEST_PHYSICAL_ADDRESS" }, { 0x4000, "PIN_CONTROLS" }, { 0x4002, "PROC_CONTROLS" },
        { 0x401e, "PROC2_CONTROLS" }, { 0x4016, "ENTRY_INTR_INFO" }, { 0x4402, "EXIT_REASON" }, { 0x6400, "EXIT_QUALIFICATION" },
        { 0x6802, "GUEST_CR3" }, { 0x681c, "GUEST_RSP" }, { 0x681e, "GUEST_RIP" }, { 0x4824, "GUEST_INTERRUPTIBILITY" }, { 0x6c16, "HOST_RIP" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        check_context("encoding %04x", known[i].encoding);
        int at = vmcs_find(known[i].encoding);
        if (CHECK(at >= 0))
            CHECK_STR(vmcs_fields[at].name, known[i].name);
    }
}

/* What a field keeps of all ones: its width, also where the register behind it is narrower, for VM entry must see what was written. */
static u64 kept(const struct vmcs_field *f)
{
    static const u64 ones[] = { [W16] = 0xffff, [W32] = 0xffffffff, [W64] = ~(u64)0, [NATURAL] = ~(u64)0 };
    return ones[f->width];
}

static void test_widths(void)
{
    struct vmcs v;
    u64 value;
    fresh_vmcs(&v, FEATURE_ALL);
    for (int i = 0; i < VMCS_FIELDS; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];
        check_context("%s", f->name);
        int r = vmwrite_checked(&v, f->encoding, ~(u64)0);
        CHECK_EQ(r, f->type == READ_ONLY ? VMFAIL_READ_ONLY_FIELD : 0);
        if (r)
            continue;
        CHECK_EQ(vmread_checked(&v, f->encoding, &value), 0);
        CHECK_EQ(value, kept(f));
    }
}

static void test_upper_halves(void)
{
    struct vmcs v;
    u64 value;
    fresh_vmcs(&v, FEATURE_ALL);
    CHECK_EQ(vmwrite_checked(&v, VMCS_EPT_POINTER, 0x11223344), 0);
    CHECK_EQ(vmwrite_checked(&v, VMCS_EPT_POINTER | 1, 0x55667788), 0);
    CHECK_EQ(vmread_checked(&v, VMCS_EPT_POINTER, &value), 0);
    CHECK_EQ(value, 0x5566778811223344);
    CHECK_EQ(vmread_checked(&v, VMCS_EPT_POINTER | 1, &value), 0);
    CHECK_EQ(value, 0x55667788);
    CHECK_EQ(vmread_checked(&v, VMCS_GUEST_RIP | 1, &value), VMFAIL_UNSUPPORTED_FIELD);
}

static void test_unsupported(void)
{
    static const u32 none[] = { 0x0006, 0x2c08, 0x7000, 0x8000, 0xffffffff };
    struct vmcs v;
    u64 value;
    fresh_vmcs(&v, FEATURE_ALL & ~(FEATURE_EPT | FEATURE_VPID));
    for (unsigned i = 0; i < ARRAY_LEN(none); i++) {
        check_context("encoding %x", none[i]);
        CHECK_EQ(vmread_checked(&v, none[i], &value), VMFAIL_UNSUPPORTED_FIELD);
        CHECK_EQ(vmwrite_checked(&v, none[i], 0), VMFAIL_UNSUPPORTED_FIELD);
    }
    check_context("without EPT and VPID");
    CHECK_EQ(vmwrite_checked(&v, VMCS_EPT_POINTER, 0), VMFAIL_UNSUPPORTED_FIELD);
    CHECK_EQ(vmread_checked(&v, VMCS_VPID, &value), VMFAIL_UNSUPPORTED_FIELD);
    CHECK_EQ(vmread_checked(&v, VMCS_INSN_ERROR, &value), 0);
    CHECK_EQ(value, VMFAIL_UNSUPPORTED_FIELD);
}

/* Guest fields are the processor's registers. */
static void test_live_fields(void)
{
    struct vmcs v;
    fresh_vmcs(&v, FEATURE_ALL);
    CHECK_EQ(vmread(&v, GUEST_RIP), 0x1000);
    vmwrite(&v, GUEST_RSP, 0x1234);
    CHECK_EQ(state.gpr[RSP], 0x1234);
    state.seg[GS].base = 0xabcd;
    CHECK_EQ(vmread(&v, GUEST_GS_BASE), 0xabcd);
    vmwrite(&v, GUEST_INTERRUPTIBILITY, 2);
    CHECK_EQ(state.movss_shadow, 1);
    CHECK_EQ(state.sti_shadow, 0);
}

/* --- --hw --- */

static void test_features(void)
{
    static const struct { const char *list; u32 features; } good[] = {
        { NULL, FEATURE_ALL }, { "all", FEATURE_ALL }, { "none", 0 }, { "ept", FEATURE_EPT }, { "ept,vpid", FEATURE_EPT | FEATURE_VPID },
        { "no-vpid", FEATURE_ALL & ~FEATURE_VPID }, { "no-ept", FEATURE_VPID | FEATURE_TPR | FEATURE_APIC_ACCESS | FEATURE_TIMER | FEATURE_HALT_POLL },
        { "no-ug,no-ept-2m", FEATURE_ALL & ~(FEATURE_UG | FEATURE_EPT_2M | FEATURE_EPT_1G) },
        { "no-unrestricted", FEATURE_ALL & ~FEATURE_UG }, { "all,exitless-io", FEATURE_EVERY }, { "merom", FEATURE_TPR },
        { "all,no-vpid", FEATURE_ALL & ~FEATURE_VPID }, { "prescott", 0 }, { "2005", 0 }, { "2005,vpid", FEATURE_VPID },
        { "nehalem", FEATURE_EPT | FEATURE_EPT_2M | FEATURE_VPID | FEATURE_TPR | FEATURE_APIC_ACCESS | FEATURE_TIMER }, { "haswell,no-pi", FEATURE_ALL & ~(FEATURE_PI | FEATURE_HALT_POLL) },
    };
    u32 f;
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        check_context("--hw=%s", good[i].list ? good[i].list : "(none given)");
        CHECK_EQ(vmx_features_parse(good[i].list, &f, &err), 0);
        CHECK_EQ(f, good[i].features);
    }
    CHECK_EQ(vmx_features_parse("ept,nonsense", &f, &err), -1);
    CHECK_CONTAINS(err.text, "apicv");
    CHECK_CONTAINS(err.text, "vpid");
    CHECK_EQ(vmx_features_parse("ug", &f, &err), -1);
    CHECK_CONTAINS(err.text, "needs 'ept'");
}

static void test_capabilities(void)
{
    struct vmx_caps c;
    u64 all, none;
    vmx_caps_init(&c, FEATURE_ALL, 36);
    CHECK(vmx_caps_rdmsr(&c, 0x48b, &all));
    CHECK(vmx_caps_rdmsr(&c, 0x48c, &all));
    CHECK(all & BIT(6) && all & BIT(16) && all & BIT(21) && all & BIT(32));
    vmx_caps_init(&c, 0, 36);
    CHECK(vmx_caps_rdmsr(&c, 0x48b, &none));
    CHECK_EQ(none >> 32 & (PROC2_EPT | PROC2_VPID | PROC2_UG), 0);
    CHECK(!vmx_caps_rdmsr(&c, 0x48c, &none));
    CHECK(!vmx_caps_rdmsr(&c, 0x491, &none));
    CHECK(!vmx_caps_rdmsr(&c, 0x47f, &none));
}

/* --- a processor in VMX operation, with everything in order --- */

static void test_entry(void)
{
    static struct machine m;
    machine_init(&m);
    CHECK_EQ(vmx_enter(&m.x, false, CLOCK_NEVER, false), VMX_FAIL);
    CHECK_EQ(vmread(&m.x.vmcs, INSN_ERROR), VMFAIL_RESUME_NOT_LAUNCHED);
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_HLT);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_INSN_LEN), 1);
    CHECK_EQ(m.g.cpu.state.gpr[RAX], 1);
    CHECK_EQ(vmread(&m.x.vmcs, GUEST_RIP), GUEST_CODE_AT + 1);
    CHECK_EQ(vmx_enter(&m.x, true, CLOCK_NEVER, false), VMX_FAIL);
    CHECK_EQ(vmread(&m.x.vmcs, INSN_ERROR), VMFAIL_LAUNCH_NOT_CLEAR);
    machine_fini(&m);
}

/* One field made bad; the group that must notice. */
struct bad { u32 field; u64 value; enum { BAD_CONTROLS, BAD_HOST, BAD_GUEST } group; const char *check; };

static const struct bad bad_values[] = {
    { VMCS_PIN_CONTROLS, 0, BAD_CONTROLS, "pin-based" },
    { VMCS_PIN_CONTROLS, 0xffffffff, BAD_CONTROLS, "pin-based" },
    { VMCS_PROC_CONTROLS, 0, BAD_CONTROLS, "primary" },
    { VMCS_PROC2_CONTROLS, 0xffffffff, BAD_CONTROLS, "secondary" },
    { VMCS_PROC2_CONTROLS, PROC2_UG, BAD_CONTROLS, "unrestricted guest without EPT" },
    { VMCS_PIN_CONTROLS, 0x16 | PIN_EXTINT | PIN_VIRTUAL_NMI, BAD_CONTROLS, "virtual NMIs" },
    { VMCS_CR3_TARGET_COUNT, 5, BAD_CONTROLS, "CR3-target" },
    { VMCS_VPID, 0, BAD_CONTROLS, "VPID 0" },
    { VMCS_EPT_POINTER, HOST_POOL_HPA | EPTP_WALK_4 | 1, BAD_CONTROLS, "EPT pointer" },
    { VMCS_EPT_POINTER, HOST_POOL_HPA | EPTP_WB | 2 << 3, BAD_CONTROLS, "EPT pointer" },
    { VMCS_EPT_POINTER, BIT(40) | EPTP_WB | EPTP_WALK_4, BAD_CONTROLS, "EPT pointer" },
    { VMCS_EXIT_CONTROLS, 0, BAD_CONTROLS, "VM-exit controls" },
    { VMCS_ENTRY_CONTROLS, 0, BAD_CONTROLS, "VM-entry controls" },
    { VMCS_ENTRY_INTR_INFO, INTR_VALID | 1 << 8 | 3, BAD_CONTROLS, "interruption information: " },
    { VMCS_ENTRY_INTR_INFO, INTR_VALID | 3 << 8 | 40, BAD_CONTROLS, "interruption information: " },
    { VMCS_ENTRY_INTR_INFO, INTR_VALID | 3 << 8 | VEC_GP, BAD_CONTROLS, "error code" },
    { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_UD, BAD_CONTROLS, "error code" },
    { VMCS_ENTRY_INTR_INFO, INTR_VALID | 4 << 8 | 0x80, BAD_CONTROLS, "instruction length" },
    { VMCS_HOST_CR0, 0, BAD_HOST, "host CR0" },
    { VMCS_HOST_CR4, 0, BAD_HOST, "host CR4" },
    { VMCS_HOST_CR3, BIT(50), BAD_HOST, "host CR3" },
    { VMCS_HOST_CS_SELECTOR, 0x13, BAD_HOST, "RPL" },
    { VMCS_HOST_TR_SELECTOR, 0, BAD_HOST, "null" },
    { VMCS_HOST_FS_BASE, BIT(50), BAD_HOST, "canonical" },
    { VMCS_HOST_RIP, BIT(60), BAD_HOST, "address-space" },
    { VMCS_GUEST_CR0, CR0_PE, BAD_GUEST, "CR0: fixed" },
    { VMCS_GUEST_CR0, CR0_PG | CR0_NE, BAD_GUEST, "PG without PE" },
    { VMCS_GUEST_CR4, 0, BAD_GUEST, "CR4: fixed" },
    { VMCS_GUEST_CR3, BIT(45), BAD_GUEST, "CR3" },
    { VMCS_GUEST_EFER, EFER_LMA, BAD_GUEST, "EFER" },
    { VMCS_GUEST_SYSENTER_EIP, BIT(50), BAD_GUEST, "SYSENTER" },
    { VMCS_GUEST_TR_ACCESS_RIGHTS, 0x89, BAD_GUEST, "TR" },
    { VMCS_GUEST_TR_ACCESS_RIGHTS, SEG_UNUSABLE, BAD_GUEST, "TR" },
    { VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x8b, BAD_GUEST, "LDTR" },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc091, BAD_GUEST, "CS: type" },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc0fb, BAD_GUEST, "CS: DPL" },
    { VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc09b, BAD_GUEST, "SS: type" },
    { VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc092, BAD_GUEST, "DS, ES" },
    { VMCS_GUEST_ES_LIMIT, 0x12345, BAD_GUEST, "granularity" },
    { VMCS_GUEST_FS_ACCESS_RIGHTS, 0xc013, BAD_GUEST, "segments: P" },
    { VMCS_GUEST_GDTR_BASE, BIT(50), BAD_GUEST, "GDTR" },
    { VMCS_GUEST_RIP, BIT(32), BAD_GUEST, "RIP" },
    { VMCS_GUEST_RFLAGS, 0, BAD_GUEST, "RFLAGS" },
    { VMCS_GUEST_RFLAGS, 2 | FLAG_VM, BAD_GUEST, "virtual-8086" },
    { VMCS_GUEST_ACTIVITY, 2, BAD_GUEST, "activity" },
    { VMCS_GUEST_INTERRUPTIBILITY, 3, BAD_GUEST, "interruptibility" },
    { VMCS_GUEST_INTERRUPTIBILITY, 1, BAD_GUEST, "interruptibility" },
    { VMCS_GUEST_PENDING_DEBUG, BIT(20), BAD_GUEST, "pending debug" },
    { VMCS_VMCS_LINK_POINTER, 0x1000, BAD_GUEST, "link pointer" },
    { VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x20, BAD_GUEST, "IF clear" },
};

static void check_bad(const struct bad *b)
{
    static struct machine m;
    u64 q = 0;
    machine_init(&m);
    check_context("%s = 0x%llx", vmcs_fields[vmcs_find(b->field)].name, (unsigned long long)b->value);
    CHECK_EQ(vmwrite_checked(&m.x.vmcs, b->field, b->value), 0);
    const char *controls = vmx_check_controls(&m.x) ? vmx_check_controls(&m.x) : vmx_check_event(&m.x);
    const char *found = b->group == BAD_CONTROLS ? controls : b->group == BAD_HOST ? vmx_check_host(&m.x) : vmx_check_guest(&m.x, &q);
    if (CHECK(found != NULL))
        CHECK_CONTAINS(found, b->check);
    if (b->group == BAD_GUEST) {
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_ENTRY_GUEST_STATE | REASON_ENTRY_FAILURE);
        CHECK_EQ(vmread(&m.x.vmcs, EXIT_QUALIFICATION), b->field == VMCS_VMCS_LINK_POINTER ? 4 : 0);
    } else {
        CHECK_EQ(enter(&m), VMX_FAIL);
        CHECK_EQ(vmread(&m.x.vmcs, INSN_ERROR), b->group == BAD_CONTROLS ? VMFAIL_CONTROLS : VMFAIL_HOST_STATE);
    }
    CHECK_EQ(m.g.cpu.icount, 0);
    machine_fini(&m);
}

static void test_entry_checks(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_values); i++)
        check_bad(&bad_values[i]);
}

/* --- EPT --- */

static u64 *ept_entry(struct machine *m, gpa_t gpa, unsigned level)
{
    hpa_t table = EPT_FRAME(vmread(&m->x.vmcs, EPT_POINTER));
    for (unsigned l = EPT_LEVELS; l > level; l--)
        table = EPT_FRAME(hostmem_table(&m->host, table)[ept_index(gpa, l)]);
    return &hostmem_table(&m->host, table)[ept_index(gpa, level)];
}

/* Code that touches GUEST_DATA_AT once, its page's EPT entry as given: the exit it makes. */
struct touch { const char *name, code[16]; u64 clear, set; enum vmx_reason reason; u64 qualification; };

static const struct touch touches[] = {
    { "read, not present", "\xa1\x00\x80\x00\x00\xf4", EPT_RWX, 0, REASON_EPT_VIOLATION, EPTQ_READ | EPTQ_LINEAR_VALID | EPTQ_FINAL },
    { "write, not present", "\xa3\x00\x80\x00\x00\xf4", EPT_RWX, 0, REASON_EPT_VIOLATION, EPTQ_WRITE | EPTQ_LINEAR_VALID | EPTQ_FINAL },
    { "write, read-only", "\xa3\x00\x80\x00\x00\xf4", EPT_W, 0, REASON_EPT_VIOLATION,
      EPTQ_WRITE | EPTQ_READABLE | EPTQ_EXECUTABLE | EPTQ_LINEAR_VALID | EPTQ_FINAL },
    { "read, execute-only", "\xa1\x00\x80\x00\x00\xf4", EPT_R | EPT_W, 0, REASON_EPT_VIOLATION, EPTQ_READ | EPTQ_EXECUTABLE | EPTQ_LINEAR_VALID | EPTQ_FINAL },
    { "fetch, no execute", "\xbb\x00\x80\x00\x00\xff\xe3\xf4", EPT_X, 0, REASON_EPT_VIOLATION,
      EPTQ_FETCH | EPTQ_READABLE | EPTQ_WRITABLE | EPTQ_LINEAR_VALID | EPTQ_FINAL },
    { "write without read", "\xa1\x00\x80\x00\x00\xf4", EPT_R, 0, REASON_EPT_MISCONFIG, 0 },
    { "memory type 2", "\xa1\x00\x80\x00\x00\xf4", EPT_MEMTYPE, 2 << 3, REASON_EPT_MISCONFIG, 0 },
    { "beyond the physical-address width", "\xa1\x00\x80\x00\x00\xf4", 0, BIT(40), REASON_EPT_MISCONFIG, 0 },
    { "read, allowed", "\xa1\x00\x80\x00\x00\xf4", EPT_W, 0, REASON_HLT, 0 },
};

static void test_violations(void)
{
    static struct machine m;
    for (unsigned i = 0; i < ARRAY_LEN(touches); i++) {
        const struct touch *t = &touches[i];
        check_context("%s", t->name);
        machine_init(&m);
        guest_put(&m.g, GUEST_CODE_AT, t->code, 16);
        u64 *e = ept_entry(&m, GUEST_DATA_AT, 1);
        *e = (*e & ~t->clear) | t->set;
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), t->reason);
        if (t->reason != REASON_HLT) {
            CHECK_EQ(vmread(&m.x.vmcs, EXIT_QUALIFICATION), t->qualification);
            CHECK_EQ(vmread(&m.x.vmcs, GUEST_PHYSICAL_ADDRESS), GUEST_DATA_AT);
            CHECK_EQ(vmread(&m.x.vmcs, GUEST_LINEAR_ADDRESS), GUEST_DATA_AT);
        }
        machine_fini(&m);
    }
}

/* A violation on the way through the guest's page tables is told apart from one of the page itself. */
static void test_violation_of_tables(void)
{
    static struct machine m;
    machine_init(&m);
    guest_paging(&m.g);
    gpa_t table = GUEST_TABLES_AT + PAGE_SIZE;
    *ept_entry(&m, table, 1) &= ~(u64)EPT_RWX;
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_EPT_VIOLATION);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_QUALIFICATION) & (EPTQ_LINEAR_VALID | EPTQ_FINAL), EPTQ_LINEAR_VALID);
    CHECK_EQ(vmread(&m.x.vmcs, GUEST_PHYSICAL_ADDRESS) & PAGE_MASK, table);
    CHECK_EQ(vmread(&m.x.vmcs, GUEST_LINEAR_ADDRESS), GUEST_CODE_AT);
    machine_fini(&m);
}

static void test_ad_flags(void)
{
    static struct machine m;
    machine_init(&m);
    vmwrite(&m.x.vmcs, EPT_POINTER, vmread(&m.x.vmcs, EPT_POINTER) | EPTP_AD);
    GUEST_CODE(&m.g, "\xa1\x00\x80\x00\x00\xa3\x00\x90\x00\x00\xf4"); /* mov eax, [8000]; mov [9000], eax; hlt */
    CHECK_EQ(enter(&m), VMX_EXIT);
    CHECK_EQ(*ept_entry(&m, 0x8000, 1) & (EPT_A | EPT_D), EPT_A);
    CHECK_EQ(*ept_entry(&m, 0x9000, 1) & (EPT_A | EPT_D), EPT_A | EPT_D);
    CHECK_EQ(*ept_entry(&m, 0xa000, 1) & (EPT_A | EPT_D), 0);
    machine_fini(&m);
}

/* Four guest levels, each with a walk of four EPT levels before it, and one more for the page: 4 * (4 + 1) + 4 = 24
 * references (Bhargava et al., ASPLOS 2008). */
static void test_worst_walk(void)
{
    static struct machine m;
    struct mmu_fault f;
    machine_init(&m);
    struct mmu *u = &m.g.cpu.mmu;
    const u64 pdpte[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        u64 entry = (i < 3 ? GUEST_TABLES_AT + (i + 1) * PAGE_SIZE : GUEST_DATA_AT) | 0x67;
        guest_put(&m.g, GUEST_TABLES_AT + i * PAGE_SIZE, &entry, 8);
    }
    vmx_derive_intercepts(&m.x);
    mmu_load_regs(u, CR0_PG | CR0_PE, GUEST_TABLES_AT, CR4_PAE, EFER_LME | EFER_LMA, pdpte);
    u64 guest = u->walk_refs, ept = m.x.ept.refs;
    gpa_t gpa;
    u8 *hva;
    CHECK_EQ(mmu_translate(u, 0x123, ACCESS_READ, false, &gpa, &hva, &f), 0);
    CHECK_EQ(gpa, GUEST_DATA_AT + 0x123);
    CHECK_EQ(u->walk_refs - guest, 24);
    CHECK_EQ(m.x.ept.refs - ept, 20);
    machine_fini(&m);
}

/* The pool gives each frame once, and takes it back. */
static void test_hostmem(void)
{
    static struct hostmem h;
    CHECK_EQ(hostmem_init(&h, &err), 0);
    hpa_t first = hostmem_alloc(&h), last = first;
    for (int i = 1; i < HOST_POOL_FRAMES; i++)
        last = hostmem_alloc(&h);
    CHECK_EQ(first, HOST_POOL_HPA);
    CHECK_EQ(last, HOST_POOL_HPA + (HOST_POOL_FRAMES - 1) * PAGE_SIZE);
    CHECK_EQ(hostmem_alloc(&h), 0);
    hostmem_table(&h, last)[5] = 1;
    hostmem_free(&h, last);
    CHECK_EQ(hostmem_alloc(&h), last);
    CHECK_EQ(hostmem_table(&h, last)[5], 0);
    CHECK(!hostmem_table(&h, HOST_GUEST_HPA));
    hostmem_fini(&h);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "vmcs_encodings", test_encodings },
        { "vmcs_known_encodings", test_known_encodings },
        { "vmcs_widths", test_widths },
        { "vmcs_upper_halves", test_upper_halves },
        { "vmcs_unsupported", test_unsupported },
        { "vmcs_live_fields", test_live_fields },
        { "hw_features", test_features },
        { "capabilities", test_capabilities },
        { "entry", test_entry },
        { "entry_checks", test_entry_checks },
        { "ept_violations", test_violations },
        { "ept_violation_of_tables", test_violation_of_tables },
        { "ept_ad_flags", test_ad_flags },
        { "ept_worst_walk", test_worst_walk },
        { "hostmem", test_hostmem },
        { NULL, NULL },
    };
    return check_main(argc, argv, "hwassist vmx", tests);
}
