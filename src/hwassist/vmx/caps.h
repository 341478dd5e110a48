/* SPDX-License-Identifier: MIT */
/*
 * What the modelled processor's VT-x can do: `--hw=` as capability MSRs, SDM vol. 3, appendix A, and the control bits, chapter 25.
 */
#ifndef EMU_HWASSIST_VMX_CAPS_H
#define EMU_HWASSIST_VMX_CAPS_H

#include "base/error.h"
#include "hwassist/vmx/vmcs.h"

enum { PIN_EXTINT = 1 << 0, PIN_NMI = 1 << 3, PIN_VIRTUAL_NMI = 1 << 5, PIN_TIMER = 1 << 6, PIN_POSTED = 1 << 7 };
enum {
    PROC_INTR_WINDOW = 1 << 2, PROC_TSC_OFFSET = 1 << 3, PROC_HLT = 1 << 7, PROC_INVLPG = 1 << 9, PROC_MWAIT = 1 << 10,
    PROC_RDPMC = 1 << 11, PROC_RDTSC = 1 << 12, PROC_CR3_LOAD = 1 << 15, PROC_CR3_STORE = 1 << 16, PROC_CR8_LOAD = 1 << 19,
    PROC_CR8_STORE = 1 << 20, PROC_TPR_SHADOW = 1 << 21, PROC_NMI_WINDOW = 1 << 22, PROC_DR = 1 << 23, PROC_IO = 1 << 24, PROC_IO_BITMAPS = 1 << 25, PROC_MSR_BITMAPS = 1 << 28,
    PROC_MONITOR = 1 << 29, PROC_PAUSE = 1 << 30,
};
#define PROC_SECONDARY BIT(31)
enum {
    PROC2_APIC_ACCESSES = 1 << 0, PROC2_EPT = 1 << 1, PROC2_DESCRIPTOR_TABLE = 1 << 2, PROC2_VPID = 1 << 5, PROC2_WBINVD = 1 << 6, PROC2_UG = 1 << 7,
    PROC2_APIC_REGISTERS = 1 << 8, PROC2_VIRTUAL_INTERRUPTS = 1 << 9,
};
enum { EXIT_HOST_64 = 1 << 9, EXIT_ACK_INTR = 1 << 15, EXIT_SAVE_PAT = 1 << 18, EXIT_LOAD_PAT = 1 << 19, EXIT_SAVE_EFER = 1 << 20, EXIT_LOAD_EFER = 1 << 21, EXIT_SAVE_TIMER = 1 << 22 };
#define PREEMPTION_TIMER_SHIFT 5    /* it counts once in 32 cycles (IA32_VMX_MISC) */
enum { ENTRY_LOAD_DEBUG = 1 << 2, ENTRY_IA32E = 1 << 9, ENTRY_SMM = 1 << 10, ENTRY_DUAL_MONITOR = 1 << 11, ENTRY_LOAD_PAT = 1 << 14, ENTRY_LOAD_EFER = 1 << 15 };

/* Bits of a control field that must be 1, and those that may be. */
struct control_caps { u32 must, may; };

struct vmx_caps {
    u32 features;
    struct control_caps pin, proc, proc2, exit, entry;
    u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* must be 1; may be 1 (SDM vol. 3, appendix A.7, A.8) */
    u8 phys_bits;
};

/* Processors by name: rows of generations.def. */
struct generation { const char *name, *year, *launch; u32 features; const char *help; };
extern const struct generation generations[];
extern const unsigned generation_count;
/* The one that the first word of a `--hw=` list names, or NULL. The cost profile has its name. */
const struct generation *generation_find(const char *list);

/* `list`: names of features.def, comma separated: exactly those; or each with "no-" before it: all but those; "all", "none". A
 * generation's name or year stands for its features, and may be followed by more and by "no-" ones.
 * NULL: all. 0, or -1 with *err naming the unknown one or the missing prerequisite. */
int vmx_features_parse(const char *list, u32 *features, struct error *err);
/* "ept,vpid,...", or "none". */
void vmx_features_format(u32 features, char *buf, size_t size);

void vmx_caps_init(struct vmx_caps *c, u32 features, u8 phys_bits);

/* RDMSR of IA32_VMX_* (480H to 490H); false: the processor has no such MSR. */
bool vmx_caps_rdmsr(const struct vmx_caps *c, u32 msr, u64 *value);

#endif
