/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks, field by field (SDM vol. 3, 27.2 and 27.3): each control, host and guest field of vmcs.def with values that must
 * pass and values that must not. A field that no row names fails the test.
 */
#include <stdlib.h>

#include "vmxrig.h"

enum { PREPARED = 3, VALUES = 9 };
struct write { u32 field; u64 value; };
struct row {
    u32 field;
    const char *check;              /* part of the name of the check that refuses the bad ones; NULL: every value is good */
    u64 good[VALUES], bad[VALUES];  /* as many as ngood and nbad say */
    unsigned ngood, nbad;
    struct write prepare[PREPARED]; /* written first, `value` or-ed in; a field of 0 with value 0 ends it */
};

#define N(...) (sizeof((const u64[]){ __VA_ARGS__ }) / sizeof(u64))
#define GOOD(...) .good = { __VA_ARGS__ }, .ngood = N(__VA_ARGS__)
#define BAD(...) .bad = { __VA_ARGS__ }, .nbad = N(__VA_ARGS__)
#define ANY(id) { VMCS_##id, NULL, GOOD(0, 1, 0x5555555555555555, ~(u64)0) }
#define WHEN(...) .prepare = { __VA_ARGS__ }

#define PIN 0x16
#define CANONICAL 0xffff800000000000
#define NOT_CANONICAL BIT(47), BIT(60)
#define BEYOND BIT(36)
#define LISTS_END (BIT(36) - 16)
#define NO_UG { VMCS_PROC2_CONTROLS, ~(u64)PROC2_UG } /* taken away, see prepare() */
#define PROTECTED NO_UG, { VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_NE }
#define APICV_ON { VMCS_PROC_CONTROLS, PROC_TPR_SHADOW }, { VMCS_PROC2_CONTROLS, PROC2_VIRTUAL_INTERRUPTS }
#define POSTED_ON_TOO APICV_ON, { VMCS_PIN_CONTROLS, PIN_POSTED }

static const struct row rows[] = {
    /* --- VM-execution controls, 27.2.1.1 --- */
    { VMCS_PIN_CONTROLS, "", GOOD(PIN, PIN | PIN_EXTINT, PIN | PIN_NMI, PIN | PIN_NMI | PIN_VIRTUAL_NMI, PIN | PIN_TIMER),
      BAD(0, 0x14, BIT(8) | PIN, ~(u64)0, PIN | PIN_VIRTUAL_NMI, PIN | PIN_POSTED) },
    { VMCS_PROC_CONTROLS, "", GOOD(0x84006172, 0x84006172 | PROC_HLT | PROC_INVLPG, 0x84006172 | PROC_DR | PROC_IO | PROC_PAUSE),
      BAD(0, 0x84006170, ~(u64)0, 0x84006172 | BIT(0), 0x84006172 | PROC_NMI_WINDOW) },
    { VMCS_PROC2_CONTROLS, "", GOOD(0, PROC2_EPT, PROC2_EPT | PROC2_UG, PROC2_VPID, PROC2_WBINVD | PROC2_DESCRIPTOR_TABLE, PROC2_APIC_ACCESSES),
      BAD(~(u64)0, BIT(20), PROC2_UG, PROC2_APIC_REGISTERS, PROC2_VIRTUAL_INTERRUPTS) },
    { VMCS_CR3_TARGET_COUNT, "CR3-target", GOOD(0, 1, 4), BAD(5, 256, ~(u64)0) },
    { VMCS_IO_BITMAP_A, "I/O bitmap", GOOD(0, 0x1000, BIT(36) - 0x1000), BAD(1, 0x800, BEYOND), WHEN({ VMCS_PROC_CONTROLS, PROC_IO_BITMAPS }) },
    { VMCS_IO_BITMAP_B, "I/O bitmap", GOOD(0, 0x1000, BIT(36) - 0x1000), BAD(1, 0x800, BEYOND), WHEN({ VMCS_PROC_CONTROLS, PROC_IO_BITMAPS }) },
    { VMCS_MSR_BITMAP, "MSR bitmap", GOOD(0, 0x1000, BIT(36) - 0x1000), BAD(1, 0x800, BEYOND), WHEN({ VMCS_PROC_CONTROLS, PROC_MSR_BITMAPS }) },
    { VMCS_VPID, "VPID", GOOD(1, 0xffff), BAD(0) },
    { VMCS_EPT_POINTER, "EPT pointer", GOOD(0x1000 | EPTP_WB | EPTP_WALK_4, 0x1000 | EPTP_WB | EPTP_WALK_4 | EPTP_AD),
      BAD(0, 0x1000 | EPTP_WB, 0x1000 | EPTP_WALK_4, 0x1000 | EPTP_WB | 4 << 3, 0x1080 | EPTP_WB | EPTP_WALK_4, BEYOND | EPTP_WB | EPTP_WALK_4) },
    { VMCS_VIRTUAL_APIC_ADDR, "virtual-APIC", GOOD(0, 0x1000), BAD(8, BEYOND), WHEN({ VMCS_PROC_CONTROLS, PROC_TPR_SHADOW }) },
    { VMCS_APIC_ACCESS_ADDR, "APIC-access", GOOD(0, 0x1000), BAD(8, BEYOND), WHEN({ VMCS_PROC2_CONTROLS, PROC2_APIC_ACCESSES }) },
    { VMCS_TPR_THRESHOLD, "TPR threshold", GOOD(0), BAD(1, 15, 16, 0x100, BIT(31)), WHEN({ VMCS_PROC_CONTROLS, PROC_TPR_SHADOW }) },
    { VMCS_TPR_THRESHOLD, "TPR threshold", GOOD(0, 1, 15), BAD(16, BIT(31)), WHEN({ VMCS_PROC_CONTROLS, PROC_TPR_SHADOW }, { VMCS_PROC2_CONTROLS, PROC2_APIC_ACCESSES }) },
    { VMCS_POSTED_INTR_VECTOR, "posted", GOOD(0, 0xf2, 0xff), BAD(0x100, 0xffff), WHEN(POSTED_ON_TOO) },
    { VMCS_POSTED_INTR_DESC, "posted", GOOD(0, 0x40, 0x1000), BAD(1, 0x20, BEYOND), WHEN(POSTED_ON_TOO) },
    ANY(EOI_EXIT_BITMAP0), ANY(EOI_EXIT_BITMAP1), ANY(EOI_EXIT_BITMAP2), ANY(EOI_EXIT_BITMAP3), ANY(EXECUTIVE_VMCS), ANY(TSC_OFFSET), ANY(EXCEPTION_BITMAP),
    ANY(PF_ERROR_MASK), ANY(PF_ERROR_MATCH), ANY(CR0_MASK), ANY(CR4_MASK), ANY(CR0_SHADOW), ANY(CR4_SHADOW), ANY(CR3_TARGET0), ANY(CR3_TARGET1),
    ANY(CR3_TARGET2), ANY(CR3_TARGET3),
    /* --- VM-exit and VM-entry controls, 27.2.1.2, 27.2.1.3 --- */
    { VMCS_EXIT_CONTROLS, "VM-exit controls", GOOD(0x36dfb | EXIT_HOST_64, 0x36dff | EXIT_HOST_64 | EXIT_ACK_INTR | EXIT_SAVE_EFER), BAD(0, ~(u64)0, EXIT_HOST_64) },
    { VMCS_EXIT_CONTROLS, "preemption timer", GOOD(0x36dfb | EXIT_HOST_64), BAD(0x36dfb | EXIT_HOST_64 | EXIT_SAVE_TIMER) },
    { VMCS_EXIT_CONTROLS, NULL, GOOD(0x36dfb | EXIT_HOST_64 | EXIT_SAVE_TIMER), WHEN({ VMCS_PIN_CONTROLS, PIN_TIMER }) },
    { VMCS_EXIT_MSR_STORE_COUNT, "VM-exit MSR", GOOD(0, 1), BAD(2, 0xffffffff), WHEN({ VMCS_EXIT_MSR_STORE_ADDR, LISTS_END }) },
    { VMCS_EXIT_MSR_LOAD_COUNT, "VM-exit MSR", GOOD(0, 1), BAD(2, 0xffffffff), WHEN({ VMCS_EXIT_MSR_LOAD_ADDR, LISTS_END }) },
    { VMCS_ENTRY_MSR_LOAD_COUNT, "VM-entry MSR", GOOD(0, 1), BAD(2, 0xffffffff), WHEN({ VMCS_ENTRY_MSR_LOAD_ADDR, LISTS_END }) },
    { VMCS_EXIT_MSR_STORE_ADDR, "VM-exit MSR", GOOD(0, 16, LISTS_END), BAD(8, 1, BEYOND), WHEN({ VMCS_EXIT_MSR_STORE_COUNT, 1 }) },
    { VMCS_EXIT_MSR_LOAD_ADDR, "VM-exit MSR", GOOD(0, 16, LISTS_END), BAD(8, 1, BEYOND), WHEN({ VMCS_EXIT_MSR_LOAD_COUNT, 1 }) },
    { VMCS_ENTRY_MSR_LOAD_ADDR, "VM-entry MSR", GOOD(0, 16, LISTS_END), BAD(8, 1, BEYOND), WHEN({ VMCS_ENTRY_MSR_LOAD_COUNT, 1 }) },
    { VMCS_ENTRY_CONTROLS, "VM-entry controls", GOOD(0x11fb, 0x11ff | ENTRY_LOAD_EFER), BAD(0, ~(u64)0, ENTRY_LOAD_EFER) },
    { VMCS_ENTRY_CONTROLS, "", GOOD(0x11fb), BAD(0x11fb | ENTRY_SMM, 0x11fb | ENTRY_DUAL_MONITOR) },
    { VMCS_ENTRY_INTR_INFO, "type and vector", GOOD(0, 0xff, INTR_VALID | 2 << 8 | VEC_NMI, INTR_VALID | 3 << 8 | VEC_UD),
      BAD(INTR_VALID | 1 << 8, INTR_VALID | 7 << 8, INTR_VALID | 2 << 8 | 3, INTR_VALID | 3 << 8 | 32, INTR_VALID | BIT(12) | 2 << 8 | 2) },
    { VMCS_ENTRY_INTR_INFO, "error code", GOOD(INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_GP), BAD(INTR_VALID | 3 << 8 | VEC_PF, INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_UD) },
    { VMCS_ENTRY_EXCEPTION_ERROR, "error code", GOOD(0, 0xffff), BAD(0x10000, BIT(31)), WHEN({ VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_PF }) },
    { VMCS_ENTRY_INSN_LEN, "instruction length", GOOD(1, 15), BAD(0, 16, ~(u64)0), WHEN({ VMCS_ENTRY_INTR_INFO, INTR_VALID | 4 << 8 | 0x80 }) },

    /* --- host state, 27.2.2 to 27.2.4 --- */
    { VMCS_HOST_CR0, "host CR0", GOOD(CR0_PG | CR0_PE | CR0_NE, 0xffffffff), BAD(0, CR0_PG | CR0_PE, BIT(32) | CR0_PG | CR0_PE | CR0_NE) },
    { VMCS_HOST_CR3, "host CR3", GOOD(0, BIT(36) - 1), BAD(BEYOND, BIT(63)) },
    { VMCS_HOST_CR4, "", GOOD(CR4_PAE | CR4_VMXE), BAD(0, CR4_PAE, CR4_VMXE, BIT(20) | CR4_PAE | CR4_VMXE) },
    { VMCS_HOST_ES_SELECTOR, "RPL", GOOD(0, 0x18), BAD(1, 4, 0xffff) }, { VMCS_HOST_DS_SELECTOR, "RPL", GOOD(0, 0x18), BAD(1, 4, 0xffff) },
    { VMCS_HOST_FS_SELECTOR, "RPL", GOOD(0, 0x18), BAD(1, 4, 0xffff) }, { VMCS_HOST_GS_SELECTOR, "RPL", GOOD(0, 0x18), BAD(1, 4, 0xffff) },
    { VMCS_HOST_SS_SELECTOR, "RPL", GOOD(0, 0x18), BAD(1, 4, 0xffff) }, { VMCS_HOST_CS_SELECTOR, "", GOOD(8, 0xfff8), BAD(0, 9, 12) },
    { VMCS_HOST_TR_SELECTOR, "", GOOD(8, 0xfff8), BAD(0, 9, 12) },
    { VMCS_HOST_FS_BASE, "canonical", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_HOST_GS_BASE, "canonical", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_HOST_TR_BASE, "canonical", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_HOST_GDTR_BASE, "canonical", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_HOST_IDTR_BASE, "canonical", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_HOST_SYSENTER_ESP, "SYSENTER", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_HOST_SYSENTER_EIP, "SYSENTER", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_HOST_RIP, "address-space", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    ANY(HOST_PAT), ANY(HOST_EFER), ANY(HOST_SYSENTER_CS), ANY(HOST_RSP),

    /* --- guest registers, 27.3.1.1 --- */
    { VMCS_GUEST_CR0, "CR0", GOOD(CR0_PE | CR0_NE, CR0_NE | CR0_PE | CR0_WP), BAD(CR0_PE, CR0_NE | CR0_PG, BIT(32) | CR0_NE | CR0_PE) },
    { VMCS_GUEST_CR0, "CR0: fixed", GOOD(CR0_PG | CR0_PE | CR0_NE), BAD(CR0_NE, CR0_PE | CR0_NE), WHEN(NO_UG) },
    { VMCS_GUEST_CR3, "CR3", GOOD(0, BIT(36) - 1), BAD(BEYOND, ~(u64)0) },
    { VMCS_GUEST_CR4, "CR4", GOOD(CR4_VMXE, CR4_VMXE | CR4_PSE | CR4_OSFXSR), BAD(0, CR4_PSE, CR4_VMXE | BIT(20), CR4_VMXE | CR4_PCIDE) },
    { VMCS_GUEST_DR7, "DR7", GOOD(0x400, 0xffffffff), BAD(BIT(32), ~(u64)0), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG }) },
    { VMCS_GUEST_DEBUGCTL, "DEBUGCTL", GOOD(0, 3, 0xdfc3), BAD(4, 0x20, BIT(13), BIT(16), ~(u64)0), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG }) },
    { VMCS_GUEST_PAT, "PAT", GOOD(0, 0x0007040600070406, 0x0106050001060500), BAD(2, 3, 8, 0x0200000000000000, ~(u64)0), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_PAT }) },
    { VMCS_GUEST_EFER, "EFER", GOOD(0, EFER_SCE, EFER_NXE, EFER_LME), BAD(EFER_LMA, EFER_LMA | EFER_LME, BIT(2), BIT(63)), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_EFER }) },
    { VMCS_GUEST_SYSENTER_ESP, "SYSENTER", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_GUEST_SYSENTER_EIP, "SYSENTER", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    ANY(GUEST_SYSENTER_CS), ANY(GUEST_RSP), ANY(GUEST_SMBASE), ANY(GUEST_INTR_STATUS), ANY(PREEMPTION_TIMER),

    /* --- segments, 27.3.1.2; descriptor tables, 27.3.1.3 --- */
    { VMCS_GUEST_CS_SELECTOR, "selectors", GOOD(8, 0x10), BAD(9, 0xb), WHEN(PROTECTED) },
    { VMCS_GUEST_SS_SELECTOR, "", GOOD(0x10, 0x18), BAD(0x11, 0x13), WHEN(PROTECTED) },
    { VMCS_GUEST_DS_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11, 0x13), WHEN(PROTECTED) }, { VMCS_GUEST_ES_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11), WHEN(PROTECTED) },
    { VMCS_GUEST_FS_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11), WHEN(PROTECTED) }, { VMCS_GUEST_GS_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11), WHEN(PROTECTED) },
    { VMCS_GUEST_TR_SELECTOR, "TR", GOOD(0, 8, 3), BAD(4, 0xc) },
    { VMCS_GUEST_LDTR_SELECTOR, "LDTR", GOOD(0, 8), BAD(4, 0xc), WHEN({ VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82 }) },
    { VMCS_GUEST_CS_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) }, { VMCS_GUEST_SS_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) },
    { VMCS_GUEST_DS_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) }, { VMCS_GUEST_ES_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) },
    { VMCS_GUEST_FS_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_GUEST_GS_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_GUEST_TR_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_GUEST_LDTR_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL), WHEN({ VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82 }) },
    { VMCS_GUEST_CS_LIMIT, "granularity", GOOD(0xffffffff, 0xfff), BAD(0, 0xffffe000) }, { VMCS_GUEST_SS_LIMIT, "granularity", GOOD(0xffffffff), BAD(0, 0xffffe000) },
    { VMCS_GUEST_DS_LIMIT, "granularity", GOOD(0xffffffff), BAD(0, 0xffffe000) }, { VMCS_GUEST_ES_LIMIT, "granularity", GOOD(0xffffffff), BAD(0, 0xffffe000) },
    { VMCS_GUEST_FS_LIMIT, "granularity", GOOD(0xffffffff), BAD(0, 0xffffe000) }, { VMCS_GUEST_GS_LIMIT, "granularity", GOOD(0xffffffff), BAD(0, 0xffffe000) },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, "", GOOD(0xc09b, 0xc099, 0xc09f, 0xc093), BAD(0xc09a, 0xc091, 0xc08b, 0xc01b, 0xc0fb, 0xc29b, 0x2c09b) },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, "CS: type", GOOD(0xc09b), BAD(0xc093), WHEN(PROTECTED) },
    { VMCS_GUEST_SS_ACCESS_RIGHTS, "", GOOD(0xc093, 0xc097, SEG_UNUSABLE), BAD(0xc091, 0xc09b, 0xc083, 0xc013, 0xc0f3) },
    { VMCS_GUEST_DS_ACCESS_RIGHTS, "", GOOD(0xc093, 0xc091, 0xc09b, SEG_UNUSABLE), BAD(0xc092, 0xc099, 0xc083, 0xc013) },
    { VMCS_GUEST_ES_ACCESS_RIGHTS, "", GOOD(0xc093, SEG_UNUSABLE), BAD(0xc092, 0xc099, 0xc083, 0xc013) },
    { VMCS_GUEST_FS_ACCESS_RIGHTS, "", GOOD(0xc093, SEG_UNUSABLE), BAD(0xc092, 0xc099, 0xc083, 0xc013) },
    { VMCS_GUEST_GS_ACCESS_RIGHTS, "", GOOD(0xc093, SEG_UNUSABLE), BAD(0xc092, 0xc099, 0xc083, 0xc013) },
    { VMCS_GUEST_TR_ACCESS_RIGHTS, "TR", GOOD(0x8b, 0x83), BAD(0x89, 0x81, 0x9b, 0x0b, SEG_UNUSABLE | 0x8b) },
    { VMCS_GUEST_LDTR_ACCESS_RIGHTS, "LDTR", GOOD(0x82, SEG_UNUSABLE), BAD(0x83, 0x92, 0x02, 0x8b) },
    { VMCS_GUEST_LDTR_LIMIT, NULL, GOOD(0, 0xffff) }, { VMCS_GUEST_TR_LIMIT, NULL, GOOD(0x67, 0xffff) },
    { VMCS_GUEST_GDTR_LIMIT, NULL, GOOD(0, 0xffff) }, { VMCS_GUEST_IDTR_LIMIT, NULL, GOOD(0, 0xffff) },
    { VMCS_GUEST_GDTR_BASE, "GDTR", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_GUEST_IDTR_BASE, "GDTR", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },

    /* --- RIP, RFLAGS, 27.3.1.4; what is no register, 27.3.1.5; PAE pointers, 27.3.1.6 --- */
    { VMCS_GUEST_RIP, "RIP", GOOD(0, 0xffffffff), BAD(BIT(32), CANONICAL) },
    { VMCS_GUEST_RFLAGS, "", GOOD(2, 2 | FLAG_IF, 2 | FLAG_IOPL), BAD(0, 2 | BIT(3), 2 | BIT(15), 2 | BIT(22), 2 | FLAG_VM) },
    { VMCS_GUEST_RFLAGS, "IF clear", GOOD(2 | FLAG_IF), BAD(2), WHEN({ VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x30 }) },
    { VMCS_GUEST_ACTIVITY, "activity", GOOD(CPU_ACTIVE, CPU_HALTED), BAD(2, 3, 4) },
    { VMCS_GUEST_ACTIVITY, "ring 3", GOOD(CPU_ACTIVE), BAD(CPU_HALTED), WHEN({ VMCS_GUEST_SS_ACCESS_RIGHTS, 0x60 }, { VMCS_GUEST_CS_ACCESS_RIGHTS, 0x60 }) },
    { VMCS_GUEST_INTERRUPTIBILITY, "interruptibility", GOOD(0, 2, 8), BAD(1, 3) },
    { VMCS_GUEST_INTERRUPTIBILITY, "injected while blocked", GOOD(0, 8), BAD(1, 2), WHEN({ VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x30 }, { VMCS_GUEST_RFLAGS, FLAG_IF }) },
    { VMCS_GUEST_INTERRUPTIBILITY, "NMI injected", GOOD(0), BAD(2, 8), WHEN({ VMCS_ENTRY_INTR_INFO, INTR_VALID | 2 << 8 | 2 }, { VMCS_PIN_CONTROLS, PIN_NMI | PIN_VIRTUAL_NMI }) },
    { VMCS_GUEST_PENDING_DEBUG, "pending debug", GOOD(0, 0x400f & 0x500f), BAD(0x10, BIT(13), BIT(32)) },
    { VMCS_VMCS_LINK_POINTER, "link pointer", GOOD(~(u64)0), BAD(0, 0x1000) },
    { VMCS_GUEST_PDPTE0, "PAE", GOOD(0, 0x1001, BIT(63)), BAD(3, 0x21, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
    { VMCS_GUEST_PDPTE1, "PAE", GOOD(0, 0x1001), BAD(3, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
    { VMCS_GUEST_PDPTE2, "PAE", GOOD(0, 0x1001), BAD(3, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
    { VMCS_GUEST_PDPTE3, "PAE", GOOD(0, 0x1001), BAD(3, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
};

static struct machine m;

/* NO_UG is a mask to keep (its upper half is set); a segment that was unusable becomes usable by attributes that are given whole. */
static void prepare(const struct row *r)
{
    machine_init(&m);
    if (r->field == VMCS_POSTED_INTR_VECTOR || r->field == VMCS_POSTED_INTR_DESC)
        vmwrite(&m.x.vmcs, EXIT_CONTROLS, vmread(&m.x.vmcs, EXIT_CONTROLS) | EXIT_ACK_INTR);
    for (unsigned i = 0; i < PREPARED && r->prepare[i].value; i++) {
        const struct write *w = &r->prepare[i];
        int at = vmcs_find(w->field);
        u64 old = vmcs_get(&m.x.vmcs, at);
        bool keep = w->field == VMCS_PROC2_CONTROLS && w->value >> 32, whole = w->field == VMCS_GUEST_LDTR_ACCESS_RIGHTS;
        vmcs_write(&m.x.vmcs, at, keep ? old & w->value : whole ? w->value : old | w->value);
    }
}

/* Of guest state, only where a guest field is asked about: without unrestricted guest this rig's guest, which has paging off, does not pass. */
static const char *first_bad(u8 type)
{
    u64 q;
    const char *bad = vmx_check_controls(&m.x);
    bad = bad ? bad : vmx_check_event(&m.x);
    bad = bad ? bad : vmx_check_host(&m.x);
    return bad || type != GUEST ? bad : vmx_check_guest(&m.x, &q);
}

static void check_good(const struct row *r, const struct vmcs_field *f)
{
    for (unsigned i = 0; i < r->ngood; i++) {
        prepare(r);
        check_context("%s = 0x%llx", f->name, (unsigned long long)r->good[i]);
        CHECK_EQ(vmwrite_checked(&m.x.vmcs, r->field, r->good[i]), 0);
        const char *bad = first_bad(f->type);
        if (bad)
            FAIL("refused: %s", bad);
        machine_fini(&m);
    }
}

static void check_bad(const struct row *r, const struct vmcs_field *f)
{
    for (unsigned i = 0; i < r->nbad; i++) {
        prepare(r);
        check_context("%s = 0x%llx", f->name, (unsigned long long)r->bad[i]);
        CHECK_EQ(vmwrite_checked(&m.x.vmcs, r->field, r->bad[i]), 0);
        const char *bad = first_bad(f->type);
        if (CHECK(bad != NULL))
            CHECK_CONTAINS(bad, r->check);
        enum vmx_outcome o = enter(&m);
        CHECK_EQ(o, f->type == GUEST ? VMX_EXIT : VMX_FAIL);
        if (f->type == GUEST)
            CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_ENTRY_GUEST_STATE | REASON_ENTRY_FAILURE);
        else
            CHECK_EQ(vmread(&m.x.vmcs, INSN_ERROR), f->type == HOST ? VMFAIL_HOST_STATE : VMFAIL_CONTROLS);
        CHECK_EQ(m.g.cpu.icount, 0);
        machine_fini(&m);
    }
}

static void check_type(u8 type)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct vmcs_field *f = &vmcs_fields[vmcs_find(rows[i].field)];
        if (f->type != type)
            continue;
        check_good(&rows[i], f);
        check_bad(&rows[i], f);
    }
}

static void test_controls(void) { check_type(CONTROL); }
static void test_host(void) { check_type(HOST); }
static void test_guest(void) { check_type(GUEST); }

static void test_every_field(void)
{
    for (unsigned i = 0; i < VMCS_FIELDS; i++) {
        bool named = vmcs_fields[i].type == READ_ONLY;
        for (unsigned r = 0; r < ARRAY_LEN(rows); r++)
            named |= rows[r].field == vmcs_fields[i].encoding;
        if (!named)
            FAIL("no row for %s", vmcs_fields[i].name);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "controls", test_controls },
        { "host", test_host },
        { "guest", test_guest },
        { "every_field", test_every_field },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vmx checks", tests);
}
