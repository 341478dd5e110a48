/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks, field by field (SDM vol. 3, 27.2 and 27.3): each control, host and guest field of vmcs.def with values that must
 * pass and values that must not. A field that no row names fails the test, and so does a check that refuses none of the values.
 */
#include <stdlib.h>

#include "vmxrig.h"

enum { PREPARED = 7, VALUES = 9 };
struct write { u32 field; u64 value; enum { OR, KEEP /* what the value has */, SET } how; };
struct row {
    u32 field;
    const char *check;              /* part of the name of the check that refuses the bad ones; NULL: every value is good */
    u64 good[VALUES], bad[VALUES];  /* as many as ngood and nbad say */
    unsigned ngood, nbad;
    struct write prepare[PREPARED]; unsigned nprepare; /* written first */
    u8 group;                       /* 1 + the type of field whose group of checks refuses; 0: the field's own */
    bool v86;                       /* a guest in virtual-8086 mode */
};

#define N(...) (sizeof((const u64[]){ __VA_ARGS__ }) / sizeof(u64))
#define GOOD(...) .good = { __VA_ARGS__ }, .ngood = N(__VA_ARGS__)
#define BAD(...) .bad = { __VA_ARGS__ }, .nbad = N(__VA_ARGS__)
#define ANY(id) { VMCS_##id, NULL, GOOD(0, 1, 0x5555555555555555, ~(u64)0) }
#define WHEN(...) .prepare = { __VA_ARGS__ }, .nprepare = sizeof((const struct write[]){ __VA_ARGS__ }) / sizeof(struct write)
#define BY(type) .group = 1 + type
#define NOW(id, value) { VMCS_##id, value, SET }

#define PIN 0x16
#define VMXON_REGION HOST_POOL_HPA /* the first two frames are these: vmx_begin() */
#define CURRENT_VMCS (HOST_POOL_HPA + PAGE_SIZE)
#define CANONICAL 0xffff800000000000
#define NOT_CANONICAL BIT(47), BIT(60)
#define BEYOND BIT(36)
#define LISTS_END (BIT(36) - 16)
#define NO_UG { VMCS_PROC2_CONTROLS, ~(u64)PROC2_UG, KEEP }
#define PROTECTED NO_UG, { VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_NE }
#define APICV_ON { VMCS_PROC_CONTROLS, PROC_TPR_SHADOW }, { VMCS_PROC2_CONTROLS, PROC2_VIRTUAL_INTERRUPTS }
#define POSTED_ON_TOO APICV_ON, { VMCS_PIN_CONTROLS, PIN_POSTED }
#define POSTED POSTED_ON_TOO, { VMCS_EXIT_CONTROLS, EXIT_ACK_INTR }
#define HOST_32 { VMCS_EXIT_CONTROLS, ~(u64)EXIT_HOST_64, KEEP }, NOW(HOST_RIP, 0x1000), NOW(HOST_SS_SELECTOR, 8)
#define LONG { VMCS_ENTRY_CONTROLS, ENTRY_IA32E }, NOW(GUEST_EFER, EFER_LMA | EFER_LME), { VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }
#define INJECT(info) NOW(ENTRY_INTR_INFO, INTR_VALID | (info))
#define USABLE_LDTR NOW(GUEST_LDTR_ACCESS_RIGHTS, 0x82)
#define PATS GOOD(0, 0x0007040600070406, 0x0106050001060500), BAD(2, 3, 8, 0x0200000000000000, ~(u64)0)
#define V86(seg) \
    { VMCS_GUEST_##seg##_BASE, "mode: bases", GOOD(0x5000), BAD(0, 0x5010, 0xf5000), .v86 = true }, \
    { VMCS_GUEST_##seg##_LIMIT, "mode: limits", GOOD(0xffff), BAD(0, 0xfffe, 0xffffffff), .v86 = true }, \
    { VMCS_GUEST_##seg##_ACCESS_RIGHTS, "mode: access rights", GOOD(0xf3), BAD(0x93, 0xfb, 0xf1, 0x40f3), .v86 = true }

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
    { VMCS_POSTED_INTR_VECTOR, "posted", GOOD(0, 0xf2, 0xff), BAD(0x100, 0xffff), WHEN(POSTED) },
    { VMCS_POSTED_INTR_DESC, "posted", GOOD(0, 0x40, 0x1000), BAD(1, 0x20, BEYOND), WHEN(POSTED) },
    { VMCS_EXIT_CONTROLS, "without acknowledge", GOOD(0x36dfb | EXIT_HOST_64 | EXIT_ACK_INTR), BAD(0x36dfb | EXIT_HOST_64), WHEN(POSTED_ON_TOO) },
    { VMCS_PIN_CONTROLS, "without virtual-interrupt", GOOD(PIN), BAD(PIN | PIN_POSTED), WHEN({ VMCS_EXIT_CONTROLS, EXIT_ACK_INTR }) },
    { VMCS_PIN_CONTROLS, "without external-interrupt", GOOD(PIN | PIN_EXTINT), BAD(PIN), WHEN(APICV_ON) },
    { VMCS_PROC_CONTROLS, "without TPR shadow", GOOD(0x84006172 | PROC_TPR_SHADOW), BAD(0x84006172), WHEN({ VMCS_PROC2_CONTROLS, PROC2_APIC_REGISTERS }) },
    { VMCS_PIN_CONTROLS, "virtual NMIs without", GOOD(PIN | PIN_NMI | PIN_VIRTUAL_NMI), BAD(PIN | PIN_VIRTUAL_NMI) },
    { VMCS_PROC_CONTROLS, "NMI-window", GOOD(0x84006172 | PROC_NMI_WINDOW), WHEN({ VMCS_PIN_CONTROLS, PIN_NMI | PIN_VIRTUAL_NMI }) },
    { VMCS_PROC_CONTROLS, "NMI-window", GOOD(0x84006172), BAD(0x84006172 | PROC_NMI_WINDOW) },
    { VMCS_PROC2_CONTROLS, "unrestricted guest without EPT", GOOD(PROC2_EPT | PROC2_UG), BAD(PROC2_UG) },
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
    { VMCS_ENTRY_CONTROLS, "SMM", GOOD(0x11fb), BAD(0x11fb | ENTRY_SMM, 0x11fb | ENTRY_DUAL_MONITOR) },
    { VMCS_ENTRY_INTR_INFO, "information: type", GOOD(0, 0xff, INTR_VALID | 2 << 8 | VEC_NMI, INTR_VALID | 3 << 8 | VEC_UD, INTR_VALID | 0xff), BAD(INTR_VALID | 1 << 8, INTR_VALID | 7 << 8) },
    { VMCS_ENTRY_INTR_INFO, "information: vector", GOOD(INTR_VALID | 2 << 8 | VEC_NMI, INTR_VALID | 3 << 8 | 31), BAD(INTR_VALID | 2 << 8 | 3, INTR_VALID | 3 << 8 | 32, INTR_VALID | 3 << 8 | 255) },
    { VMCS_ENTRY_INTR_INFO, "reserved bits", GOOD(INTR_VALID | 2 << 8 | 2), BAD(INTR_VALID | BIT(12) | 2 << 8 | 2, INTR_VALID | BIT(30) | 2 << 8 | 2) },
    { VMCS_ENTRY_INTR_INFO, "has an error code", GOOD(INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_GP, INTR_VALID | 3 << 8 | VEC_DE),
      BAD(INTR_VALID | 3 << 8 | VEC_PF, INTR_VALID | 3 << 8 | VEC_DF, INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_UD, INTR_VALID | INTR_ERROR_VALID | 0x30) },
    { VMCS_ENTRY_INTR_INFO, "has an error code", GOOD(INTR_VALID | 3 << 8 | VEC_GP), BAD(INTR_VALID | INTR_ERROR_VALID | 3 << 8 | VEC_GP), WHEN({ VMCS_GUEST_CR0, ~(u64)CR0_PE, KEEP }) },
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
    { VMCS_HOST_SS_SELECTOR, "host SS", GOOD(8), BAD(0), WHEN(HOST_32) },
    { VMCS_HOST_RIP, "host RIP", GOOD(0, 0xffffffff), BAD(BIT(32), CANONICAL), WHEN(HOST_32) },
    { VMCS_ENTRY_CONTROLS, "of a 32-bit host", GOOD(0x11fb), BAD(0x11fb | ENTRY_IA32E), WHEN(HOST_32), BY(HOST) },
    ANY(HOST_PAT), ANY(HOST_EFER), ANY(HOST_SYSENTER_CS), ANY(HOST_RSP),
    { VMCS_HOST_PAT, "host PAT", PATS, WHEN({ VMCS_EXIT_CONTROLS, EXIT_LOAD_PAT }) },
    { VMCS_HOST_EFER, "host EFER", GOOD(EFER_LMA | EFER_LME, EFER_BITS), BAD(0, EFER_LMA, EFER_LME, EFER_LMA | EFER_LME | BIT(2), ~(u64)0), WHEN({ VMCS_EXIT_CONTROLS, EXIT_LOAD_EFER }) },
    { VMCS_HOST_EFER, "host EFER", GOOD(0, EFER_SCE | EFER_NXE), BAD(EFER_LMA | EFER_LME), WHEN(HOST_32, { VMCS_EXIT_CONTROLS, EXIT_LOAD_EFER }) },

    /* --- guest registers, 27.3.1.1 --- */
    { VMCS_GUEST_CR0, "CR0", GOOD(CR0_PE | CR0_NE, CR0_NE | CR0_PE | CR0_WP), BAD(CR0_PE, BIT(32) | CR0_NE | CR0_PE) },
    { VMCS_GUEST_CR0, "PG without PE", GOOD(CR0_PG | CR0_PE | CR0_NE), BAD(CR0_NE | CR0_PG) },
    { VMCS_GUEST_CR0, "CR0: fixed", GOOD(CR0_PG | CR0_PE | CR0_NE), BAD(CR0_NE, CR0_PE | CR0_NE), WHEN(NO_UG) },
    { VMCS_GUEST_CR3, "CR3", GOOD(0, BIT(36) - 1), BAD(BEYOND, ~(u64)0) },
    { VMCS_GUEST_CR4, "CR4", GOOD(CR4_VMXE, CR4_VMXE | CR4_PSE | CR4_OSFXSR), BAD(0, CR4_PSE, CR4_VMXE | BIT(20), CR4_VMXE | CR4_PCIDE) },
    { VMCS_GUEST_DR7, "DR7", GOOD(0x400, 0xffffffff), BAD(BIT(32), ~(u64)0), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG }) },
    { VMCS_GUEST_DEBUGCTL, "DEBUGCTL", GOOD(0, 3, 0xdfc3), BAD(4, 0x20, BIT(13), BIT(16), ~(u64)0), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG }) },
    { VMCS_GUEST_PAT, "PAT", PATS, WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_PAT }) },
    { VMCS_GUEST_EFER, "EFER", GOOD(0, EFER_SCE, EFER_NXE, EFER_LME), BAD(EFER_LMA, EFER_LMA | EFER_LME, BIT(2), BIT(63)), WHEN({ VMCS_ENTRY_CONTROLS, ENTRY_LOAD_EFER }) },
    { VMCS_GUEST_EFER, "reserved bits", GOOD(EFER_SCE | EFER_NXE), BAD(BIT(1), BIT(9), BIT(12), BIT(63)) },
    { VMCS_GUEST_EFER, "LMA is not \"IA-32e", GOOD(EFER_LMA | EFER_LME), BAD(0, EFER_LME, EFER_SCE), WHEN(LONG) },
    { VMCS_GUEST_EFER, "LMA is not LME", GOOD(0, EFER_NXE), BAD(EFER_LME), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }) },
    { VMCS_GUEST_CR4, "without PG and PAE", GOOD(CR4_VMXE | CR4_PAE), BAD(CR4_VMXE), WHEN(LONG) },
    { VMCS_GUEST_CR0, "without PG and PAE", GOOD(CR0_PG | CR0_PE | CR0_NE), BAD(CR0_PE | CR0_NE), WHEN(LONG) },
    { VMCS_GUEST_SYSENTER_ESP, "SYSENTER", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_GUEST_SYSENTER_EIP, "SYSENTER", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    ANY(GUEST_SYSENTER_CS), ANY(GUEST_RSP), ANY(GUEST_SMBASE), ANY(GUEST_INTR_STATUS), ANY(PREEMPTION_TIMER),

    /* --- segments, 27.3.1.2; descriptor tables, 27.3.1.3 --- */
    { VMCS_GUEST_CS_SELECTOR, "RPL of SS and CS", GOOD(8, 0x10), BAD(9, 0xb), WHEN(PROTECTED) },
    { VMCS_GUEST_SS_SELECTOR, "", GOOD(0x10, 0x18), BAD(0x11, 0x13), WHEN(PROTECTED) },
    { VMCS_GUEST_DS_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11, 0x13), WHEN(PROTECTED) }, { VMCS_GUEST_ES_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11), WHEN(PROTECTED) },
    { VMCS_GUEST_FS_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11), WHEN(PROTECTED) }, { VMCS_GUEST_GS_SELECTOR, "selectors", GOOD(0, 0x10), BAD(0x11), WHEN(PROTECTED) },
    { VMCS_GUEST_TR_SELECTOR, "TR: selector", GOOD(0, 8, 3), BAD(4, 0xc) },
    { VMCS_GUEST_LDTR_SELECTOR, "LDTR: selector", GOOD(0, 8), BAD(4, 0xc), WHEN(USABLE_LDTR) },
    { VMCS_GUEST_CS_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) }, { VMCS_GUEST_SS_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) },
    { VMCS_GUEST_DS_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) }, { VMCS_GUEST_ES_BASE, "bases", GOOD(0, 0xffffffff), BAD(BIT(32)) },
    { VMCS_GUEST_FS_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_GUEST_GS_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_GUEST_TR_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },
    { VMCS_GUEST_LDTR_BASE, "bases", GOOD(0, CANONICAL), BAD(NOT_CANONICAL), WHEN(USABLE_LDTR) },
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
    { VMCS_GUEST_SS_ACCESS_RIGHTS, "DPL is not its RPL", GOOD(0xc093), BAD(0xc0b3, 0xc0f3), WHEN(PROTECTED, NOW(GUEST_CS_ACCESS_RIGHTS, 0xc09f)) },
    { VMCS_GUEST_SS_ACCESS_RIGHTS, "DPL not 0", GOOD(0xc093), BAD(0xc0b3, 0xc0f3), WHEN(NOW(GUEST_CS_ACCESS_RIGHTS, 0xc093)) },
    { VMCS_GUEST_SS_ACCESS_RIGHTS, "DPL not 0", GOOD(0xc093), BAD(0xc0b3), WHEN({ VMCS_GUEST_CR0, ~(u64)CR0_PE, KEEP }, NOW(GUEST_CS_ACCESS_RIGHTS, 0xc09f)) },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, "D/B and L", GOOD(0xa09b, 0xc09b, 0x809b), BAD(0xe09b), WHEN(LONG) },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, "segments: S", GOOD(0xc09b), BAD(0xc08b, 0xc08f) }, { VMCS_GUEST_CS_ACCESS_RIGHTS, "segments: P", GOOD(0xc09b), BAD(0xc01b) },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, "CS: DPL", GOOD(0xc09b), BAD(0xc0fb, 0xc0bf, 0xc0f3) },
    { VMCS_GUEST_TR_ACCESS_RIGHTS, "TR: type", GOOD(0x8b, 0x83), BAD(0x89, 0x81, 0x82) }, { VMCS_GUEST_TR_ACCESS_RIGHTS, "TR: type", GOOD(0x8b), BAD(0x83), WHEN(LONG) },
    { VMCS_GUEST_TR_ACCESS_RIGHTS, "TR: S, P", GOOD(0x8b, 0x108b), BAD(0x9b, 0x0b, SEG_UNUSABLE | 0x8b, 0x18b, 0x88b, BIT(17) | 0x8b) },
    { VMCS_GUEST_TR_LIMIT, "TR: S, P", GOOD(0x67, 0xffff, 0xfffff), BAD(0x100000, 0xffffffff), WHEN(NOW(GUEST_TR_ACCESS_RIGHTS, 0x8b)) },
    { VMCS_GUEST_TR_LIMIT, "TR: S, P", GOOD(0xfff, 0xffffffff), BAD(0x67, 0x100000), WHEN(NOW(GUEST_TR_ACCESS_RIGHTS, 0x808b)) },
    { VMCS_GUEST_LDTR_ACCESS_RIGHTS, "LDTR: type", GOOD(0x82, SEG_UNUSABLE), BAD(0x83, 0x8b) },
    { VMCS_GUEST_LDTR_ACCESS_RIGHTS, "LDTR: S, P", GOOD(0x82, SEG_UNUSABLE), BAD(0x92, 0x02, 0x182, BIT(31) | 0x82) },
    { VMCS_GUEST_LDTR_LIMIT, "LDTR: S, P", GOOD(0, 0xffff, 0xfffff), BAD(0x100000, 0xffffffff), WHEN(USABLE_LDTR) },
    { VMCS_GUEST_LDTR_LIMIT, NULL, GOOD(0, 0xffff, 0xffffffff), WHEN({ VMCS_GUEST_LDTR_ACCESS_RIGHTS, SEG_UNUSABLE }) },
    V86(CS), V86(SS), V86(DS), V86(ES), V86(FS), V86(GS),
    { VMCS_GUEST_GDTR_LIMIT, "limits", GOOD(0, 0xffff), BAD(0x10000, BIT(31)) }, { VMCS_GUEST_IDTR_LIMIT, "limits", GOOD(0, 0xffff), BAD(0x10000, BIT(31)) },
    { VMCS_GUEST_GDTR_BASE, "GDTR", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) }, { VMCS_GUEST_IDTR_BASE, "GDTR", GOOD(0, CANONICAL), BAD(NOT_CANONICAL) },

    /* --- RIP, RFLAGS, 27.3.1.4; what is no register, 27.3.1.5; PAE pointers, 27.3.1.6 --- */
    { VMCS_GUEST_RIP, "RIP", GOOD(0, 0xffffffff), BAD(BIT(32), CANONICAL) },
    { VMCS_GUEST_RIP, "RIP", GOOD(0, CANONICAL), BAD(NOT_CANONICAL), WHEN(LONG, NOW(GUEST_CS_ACCESS_RIGHTS, 0xa09b)) },
    { VMCS_GUEST_RIP, "RIP", GOOD(0), BAD(CANONICAL), WHEN(LONG) },
    { VMCS_GUEST_RFLAGS, "where there is none", GOOD(2), BAD(2 | FLAG_VM), WHEN(LONG) },
    { VMCS_GUEST_RFLAGS, "where there is none", GOOD(2), BAD(2 | FLAG_VM), WHEN({ VMCS_GUEST_CR0, ~(u64)CR0_PE, KEEP }) },
    { VMCS_GUEST_RFLAGS, "", GOOD(2, 2 | FLAG_IF, 2 | FLAG_IOPL), BAD(0, 2 | BIT(3), 2 | BIT(15), 2 | BIT(22), 2 | FLAG_VM) },
    { VMCS_GUEST_RFLAGS, "IF clear", GOOD(2 | FLAG_IF), BAD(2), WHEN({ VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x30 }) },
    { VMCS_GUEST_ACTIVITY, "activity", GOOD(CPU_ACTIVE, CPU_HALTED), BAD(2, 3, 4, 0x100, BIT(31)) },
    { VMCS_GUEST_ACTIVITY, "ring 3", GOOD(CPU_ACTIVE), BAD(CPU_HALTED), WHEN({ VMCS_GUEST_SS_ACCESS_RIGHTS, 0x60 }, { VMCS_GUEST_CS_ACCESS_RIGHTS, 0x60 }) },
    { VMCS_GUEST_ACTIVITY, "does not end it", GOOD(CPU_ACTIVE), BAD(CPU_HALTED), WHEN(INJECT(3 << 8 | VEC_UD)) },
    { VMCS_GUEST_ACTIVITY, "does not end it", GOOD(CPU_ACTIVE), BAD(CPU_HALTED), WHEN(INJECT(4 << 8 | 0x80), NOW(ENTRY_INSN_LEN, 2)) },
    { VMCS_GUEST_ACTIVITY, NULL, GOOD(CPU_ACTIVE, CPU_HALTED), WHEN(INJECT(3 << 8 | VEC_DB)) }, { VMCS_GUEST_ACTIVITY, NULL, GOOD(CPU_ACTIVE, CPU_HALTED), WHEN(INJECT(3 << 8 | VEC_MC)) },
    { VMCS_GUEST_ACTIVITY, NULL, GOOD(CPU_HALTED), WHEN(INJECT(2 << 8 | VEC_NMI)) }, { VMCS_GUEST_ACTIVITY, NULL, GOOD(CPU_HALTED), WHEN(INJECT(0x30), { VMCS_GUEST_RFLAGS, FLAG_IF }) },
    { VMCS_GUEST_INTERRUPTIBILITY, "reserved bits", GOOD(0, 2, 8), BAD(0x10, 0x20, BIT(31), 0xfff0) },
    { VMCS_GUEST_INTERRUPTIBILITY, "STI and MOV SS", GOOD(1, 2), BAD(3, 0xb), WHEN({ VMCS_GUEST_RFLAGS, FLAG_IF }) },
    { VMCS_GUEST_INTERRUPTIBILITY, "STI with IF", GOOD(0, 2, 8), BAD(1, 9) },
    { VMCS_GUEST_INTERRUPTIBILITY, "SMI", GOOD(0, 8), BAD(4, 12) },
    { VMCS_GUEST_INTERRUPTIBILITY, "with blocking by STI", GOOD(0, 8), BAD(1, 2), WHEN(NOW(GUEST_ACTIVITY, CPU_HALTED), { VMCS_GUEST_RFLAGS, FLAG_IF }) },
    { VMCS_GUEST_INTERRUPTIBILITY, "injected while blocked", GOOD(0, 8), BAD(1, 2), WHEN(INJECT(0x30), { VMCS_GUEST_RFLAGS, FLAG_IF }) },
    { VMCS_GUEST_INTERRUPTIBILITY, "while blocked by MOV SS", GOOD(0, 8), BAD(2, 10), WHEN(INJECT(2 << 8 | VEC_NMI)) },
    { VMCS_GUEST_INTERRUPTIBILITY, "while virtual NMIs", GOOD(0), BAD(8), WHEN(INJECT(2 << 8 | VEC_NMI), { VMCS_PIN_CONTROLS, PIN_NMI | PIN_VIRTUAL_NMI }) },
    { VMCS_GUEST_PENDING_DEBUG, "exceptions: reserved bits", GOOD(0, 0x400f & 0x500f), BAD(0x10, BIT(11), BIT(13), BIT(15), BIT(16), BIT(32)) },
    { VMCS_GUEST_PENDING_DEBUG, "exceptions: BS", GOOD(0, 0xf), BAD(BIT(14)), WHEN(NOW(GUEST_INTERRUPTIBILITY, 2)) },
    { VMCS_GUEST_PENDING_DEBUG, "exceptions: BS", GOOD(BIT(14), BIT(14) | 1), BAD(0, 1), WHEN(NOW(GUEST_INTERRUPTIBILITY, 2), { VMCS_GUEST_RFLAGS, FLAG_TF }) },
    { VMCS_GUEST_PENDING_DEBUG, "exceptions: BS", GOOD(BIT(14)), BAD(0), WHEN(NOW(GUEST_INTERRUPTIBILITY, 1), { VMCS_GUEST_RFLAGS, FLAG_TF | FLAG_IF }) },
    { VMCS_GUEST_PENDING_DEBUG, "exceptions: BS", GOOD(BIT(14)), BAD(0), WHEN(NOW(GUEST_ACTIVITY, CPU_HALTED), { VMCS_GUEST_RFLAGS, FLAG_TF }) },
    { VMCS_GUEST_PENDING_DEBUG, "exceptions: BS", GOOD(0), BAD(BIT(14)), WHEN(NOW(GUEST_INTERRUPTIBILITY, 2), { VMCS_GUEST_RFLAGS, FLAG_TF }, NOW(GUEST_DEBUGCTL, 2)) },
    { VMCS_VMCS_LINK_POINTER, "pointer: address", GOOD(~(u64)0, VMXON_REGION), BAD(1, 0x800, BEYOND, VMXON_REGION | 8) },
    { VMCS_VMCS_LINK_POINTER, "pointer: revision", GOOD(~(u64)0, VMXON_REGION), BAD(0, 0x1000, CURRENT_VMCS + PAGE_SIZE) },
    { VMCS_VMCS_LINK_POINTER, "pointer: the current", GOOD(VMXON_REGION), BAD(CURRENT_VMCS) },
    { VMCS_GUEST_PDPTE0, "PAE", GOOD(0, 0x1001, BIT(63)), BAD(3, 0x21, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
    { VMCS_GUEST_PDPTE1, "PAE", GOOD(0, 0x1001), BAD(3, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
    { VMCS_GUEST_PDPTE2, "PAE", GOOD(0, 0x1001), BAD(3, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
    { VMCS_GUEST_PDPTE3, "PAE", GOOD(0, 0x1001), BAD(3, BEYOND | 1), WHEN({ VMCS_GUEST_CR0, CR0_PG | CR0_PE }, { VMCS_GUEST_CR4, CR4_PAE }) },
};

static struct machine m;

static void make_v86(void)
{
    m.g.cpu.state.rflags |= FLAG_VM;
    m.g.cpu.state.cr0 |= CR0_PE;
    for (unsigned i = 0; i < SREG_COUNT; i++)
        m.g.cpu.state.seg[i] = (struct segment){ .selector = 0x500, .base = 0x5000, .limit = 0xffff, .attr = 0xf3 };
    m.x.vmcs.dirty |= DIRTY_GUEST;
}

static u64 written(u64 old, const struct write *w) { return w->how == OR ? old | w->value : w->how == KEEP ? old & w->value : w->value; }

static void prepare(const struct row *r)
{
    machine_init(&m);
    if (r->v86)
        make_v86();
    for (unsigned i = 0; i < r->nprepare; i++) {
        int at = vmcs_find(r->prepare[i].field);
        vmcs_write(&m.x.vmcs, at, written(vmcs_get(&m.x.vmcs, at), &r->prepare[i]));
    }
}

static u8 group_of(const struct row *r) { return r->group ? r->group - 1 : vmcs_fields[vmcs_find(r->field)].type; }

/* Of guest state, only where a guest field is asked about: without unrestricted guest this rig's guest, which has paging off, does not pass. */
static const char *first_bad(u8 group)
{
    u64 q;
    const char *bad = vmx_check_controls(&m.x);
    bad = bad ? bad : vmx_check_event(&m.x);
    bad = bad ? bad : vmx_check_host(&m.x);
    return bad || group != GUEST ? bad : vmx_check_guest(&m.x, &q);
}

static void check_good(const struct row *r, const struct vmcs_field *f)
{
    for (unsigned i = 0; i < r->ngood; i++) {
        prepare(r);
        check_context("%s = 0x%llx", f->name, (unsigned long long)r->good[i]);
        CHECK_EQ(vmwrite_checked(&m.x.vmcs, r->field, r->good[i]), 0);
        const char *bad = first_bad(group_of(r));
        if (bad)
            FAIL("refused: %s", bad);
        machine_fini(&m);
    }
}

/* 27.8: reason 33; the qualification tells PAE pointers and the link pointer apart from the rest. */
static void check_exit(const struct row *r)
{
    bool pdpte = r->field >= VMCS_GUEST_PDPTE0 && r->field <= VMCS_GUEST_PDPTE3;
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_REASON), REASON_ENTRY_GUEST_STATE | REASON_ENTRY_FAILURE);
    CHECK_EQ(vmread(&m.x.vmcs, EXIT_QUALIFICATION), pdpte ? 2 : r->field == VMCS_VMCS_LINK_POINTER ? 4 : 0);
}

static void check_bad(const struct row *r, const struct vmcs_field *f)
{
    for (unsigned i = 0; i < r->nbad; i++) {
        prepare(r);
        check_context("%s = 0x%llx", f->name, (unsigned long long)r->bad[i]);
        CHECK_EQ(vmwrite_checked(&m.x.vmcs, r->field, r->bad[i]), 0);
        const char *bad = first_bad(group_of(r));
        if (CHECK(bad != NULL))
            CHECK_CONTAINS(bad, r->check);
        enum vmx_outcome o = enter(&m);
        CHECK_EQ(o, group_of(r) == GUEST ? VMX_EXIT : VMX_FAIL);
        if (group_of(r) == GUEST)
            check_exit(r);
        else
            CHECK_EQ(vmread(&m.x.vmcs, INSN_ERROR), group_of(r) == HOST ? VMFAIL_HOST_STATE : VMFAIL_CONTROLS);
        CHECK_EQ(m.g.cpu.icount, 0);
        machine_fini(&m);
    }
}

static void check_type(u8 type)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct vmcs_field *f = &vmcs_fields[vmcs_find(rows[i].field)];
        if (group_of(&rows[i]) != type)
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

/* --- no check without a value that it refuses --- */

enum { MOST_CHECKS = 160 };
static const char *refused[MOST_CHECKS];
static unsigned nrefused;

static bool is_refused(const char *name)
{
    for (unsigned i = 0; i < nrefused; i++)
        if (refused[i] == name)
            return true;
    return false;
}

static void note_refusals(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned n = 0; n < rows[i].nbad; n++) {
            prepare(&rows[i]);
            vmwrite_checked(&m.x.vmcs, rows[i].field, rows[i].bad[n]);
            const char *name = first_bad(group_of(&rows[i]));
            if (name && !is_refused(name) && nrefused < MOST_CHECKS)
                refused[nrefused++] = name;
            machine_fini(&m);
        }
}

static void test_every_check(void)
{
    static const struct vmx_check *const tables[] = { vmx_control_checks, vmx_event_checks, vmx_host_checks, vmx_guest_checks, vmx_segment_checks,
                                                      vmx_v86_checks, vmx_protected_checks };
    unsigned checks = 0;
    note_refusals();
    for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct vmx_check *c = tables[t]; c->name; c++) {
            checks++;
            if (!is_refused(c->name))
                FAIL("no value is refused by: %s", c->name);
            if (strncmp(c->name, "27.", 3))
                FAIL("names no section: %s", c->name);
        }
    CHECK_EQ(checks, nrefused);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "controls", test_controls },
        { "host", test_host },
        { "guest", test_guest },
        { "every_field", test_every_field },
        { "every_check", test_every_check },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vmx checks", tests);
}
