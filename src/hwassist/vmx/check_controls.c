/* SPDX-License-Identifier: MIT */
/* Checks on VMX controls and the host-state area, SDM vol. 3, 27.2: one small function each, in the manual's order. */
#include "hwassist/vmx/vapic.h"
#include "hwassist/vmx/vmx.h"

static u64 get(const struct vmx *x, enum vmcs_index i) { return vmcs_get(&x->vmcs, i); }
static bool implies(bool a, bool b) { return !a || b; }

static bool within(u64 value, struct control_caps caps) { return (value & caps.must) == caps.must && !(value & ~(u64)caps.may); }
static bool secondary(const struct vmx *x, u32 bit) { return get(x, VMCSI_PROC_CONTROLS) & PROC_SECONDARY && get(x, VMCSI_PROC2_CONTROLS) & bit; }
static bool frame_ok(const struct vmx *x, u64 hpa) { return !(hpa & ~PAGE_MASK) && !(hpa >> x->caps.phys_bits); }

/* 27.2.1.1 VM-execution control fields */
static bool pin(const struct vmx *x) { return within(get(x, VMCSI_PIN_CONTROLS), x->caps.pin); }
static bool proc(const struct vmx *x) { return within(get(x, VMCSI_PROC_CONTROLS), x->caps.proc); }
static bool proc2(const struct vmx *x)
{
    return implies(get(x, VMCSI_PROC_CONTROLS) & PROC_SECONDARY, within(get(x, VMCSI_PROC2_CONTROLS), x->caps.proc2));
}
static bool cr3_targets(const struct vmx *x) { return get(x, VMCSI_CR3_TARGET_COUNT) <= 4; }
static bool io_bitmaps(const struct vmx *x)
{
    return implies(get(x, VMCSI_PROC_CONTROLS) & PROC_IO_BITMAPS, frame_ok(x, get(x, VMCSI_IO_BITMAP_A)) && frame_ok(x, get(x, VMCSI_IO_BITMAP_B)));
}
static bool msr_bitmap(const struct vmx *x)
{
    return implies(get(x, VMCSI_PROC_CONTROLS) & PROC_MSR_BITMAPS, frame_ok(x, get(x, VMCSI_MSR_BITMAP)));
}
static bool virtual_nmis(const struct vmx *x)
{
    return implies(get(x, VMCSI_PIN_CONTROLS) & PIN_VIRTUAL_NMI, get(x, VMCSI_PIN_CONTROLS) & PIN_NMI);
}
static bool vpid(const struct vmx *x) { return implies(secondary(x, PROC2_VPID), get(x, VMCSI_VPID)); }
bool vmx_eptp_ok(const struct vmx *x, u64 e)
{
    u64 reserved = 0xf80 | (x->caps.features & FEATURE_EPT_AD ? 0 : EPTP_AD);
    return (e & 7) == EPTP_WB && (e & 0x38) == EPTP_WALK_4 && !(e & reserved) && !(e >> x->caps.phys_bits);
}
static bool eptp(const struct vmx *x) { return implies(secondary(x, PROC2_EPT), vmx_eptp_ok(x, get(x, VMCSI_EPT_POINTER))); }
static bool reserved_ok(const struct vmx *x, u64 hpa, u64 align) { return !(hpa & (align - 1)) && !(hpa >> x->caps.phys_bits); }
static bool tpr_shadow_on(const struct vmx *x) { return get(x, VMCSI_PROC_CONTROLS) & PROC_TPR_SHADOW; }
static bool virtual_apic(const struct vmx *x) { return implies(tpr_shadow_on(x), frame_ok(x, get(x, VMCSI_VIRTUAL_APIC_ADDR))); }
static bool tpr_threshold(const struct vmx *x)
{
    bool by_hand = tpr_shadow_on(x) && !secondary(x, PROC2_VIRTUAL_INTERRUPTS);
    return implies(by_hand, !(get(x, VMCSI_TPR_THRESHOLD) >> 4));
}
static bool tpr_below(const struct vmx *x)
{
    bool by_hand = tpr_shadow_on(x) && !secondary(x, PROC2_VIRTUAL_INTERRUPTS | PROC2_APIC_ACCESSES);
    return implies(by_hand, (get(x, VMCSI_TPR_THRESHOLD) & 15) <= vapic_read(x, VAPIC_TPR) >> 4);
}
static bool apic_access(const struct vmx *x) { return implies(secondary(x, PROC2_APIC_ACCESSES), frame_ok(x, get(x, VMCSI_APIC_ACCESS_ADDR))); }
static bool apic_needs_shadow(const struct vmx *x)
{
    return implies(secondary(x, PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS), tpr_shadow_on(x));
}
static bool virtual_interrupts(const struct vmx *x)
{
    return implies(secondary(x, PROC2_VIRTUAL_INTERRUPTS), get(x, VMCSI_PIN_CONTROLS) & PIN_EXTINT);
}
static bool posting(const struct vmx *x) { return get(x, VMCSI_PIN_CONTROLS) & PIN_POSTED; }
static bool posted_delivery(const struct vmx *x) { return implies(posting(x), secondary(x, PROC2_VIRTUAL_INTERRUPTS)); }
static bool posted_ack(const struct vmx *x) { return implies(posting(x), get(x, VMCSI_EXIT_CONTROLS) & EXIT_ACK_INTR); }
static bool posted_vector(const struct vmx *x) { return implies(posting(x), !(get(x, VMCSI_POSTED_INTR_VECTOR) >> 8)); }
static bool posted_descriptor(const struct vmx *x) { return implies(posting(x), reserved_ok(x, get(x, VMCSI_POSTED_INTR_DESC), 64)); }
static bool nmi_window(const struct vmx *x)
{
    return implies(get(x, VMCSI_PROC_CONTROLS) & PROC_NMI_WINDOW, get(x, VMCSI_PIN_CONTROLS) & PIN_VIRTUAL_NMI);
}
static bool unrestricted(const struct vmx *x) { return implies(secondary(x, PROC2_UG), secondary(x, PROC2_EPT)); }

/* 27.2.1.2 VM-exit, 27.2.1.3 VM-entry control fields */
static bool exit_controls(const struct vmx *x) { return within(get(x, VMCSI_EXIT_CONTROLS), x->caps.exit); }
static bool entry_controls(const struct vmx *x) { return within(get(x, VMCSI_ENTRY_CONTROLS), x->caps.entry); }
static bool timer_saved(const struct vmx *x)
{
    return implies(get(x, VMCSI_EXIT_CONTROLS) & EXIT_SAVE_TIMER, get(x, VMCSI_PIN_CONTROLS) & PIN_TIMER);
}
/* A list of 16-byte entries: its address, and that of its last byte. */
static bool msr_list(const struct vmx *x, enum vmcs_index count, enum vmcs_index address)
{
    u64 n = get(x, count), at = get(x, address);
    return !n || (reserved_ok(x, at, 16) && !((at + 16 * n - 1) >> x->caps.phys_bits));
}
static bool exit_store_list(const struct vmx *x) { return msr_list(x, VMCSI_EXIT_MSR_STORE_COUNT, VMCSI_EXIT_MSR_STORE_ADDR); }
static bool exit_load_list(const struct vmx *x) { return msr_list(x, VMCSI_EXIT_MSR_LOAD_COUNT, VMCSI_EXIT_MSR_LOAD_ADDR); }
static bool entry_msr_list(const struct vmx *x) { return msr_list(x, VMCSI_ENTRY_MSR_LOAD_COUNT, VMCSI_ENTRY_MSR_LOAD_ADDR); }
static bool smm(const struct vmx *x) { return !(get(x, VMCSI_ENTRY_CONTROLS) & (ENTRY_SMM | ENTRY_DUAL_MONITOR)); }

/* 27.2.2 Host control registers and MSRs */
static bool host_cr0(const struct vmx *x)
{
    u64 cr0 = get(x, VMCSI_HOST_CR0);
    return (cr0 & x->caps.cr0_fixed0) == x->caps.cr0_fixed0 && !(cr0 & ~x->caps.cr0_fixed1);
}
static bool host_cr4(const struct vmx *x)
{
    u64 cr4 = get(x, VMCSI_HOST_CR4);
    return (cr4 & x->caps.cr4_fixed0) == x->caps.cr4_fixed0 && !(cr4 & ~x->caps.cr4_fixed1);
}
static bool host_pat(const struct vmx *x) { return implies(get(x, VMCSI_EXIT_CONTROLS) & EXIT_LOAD_PAT, vmx_pat_ok(get(x, VMCSI_HOST_PAT))); }
/* LMA and LME must be what the address-space size says. */
static bool host_efer(const struct vmx *x)
{
    u64 e = get(x, VMCSI_HOST_EFER);
    bool host64 = get(x, VMCSI_EXIT_CONTROLS) & EXIT_HOST_64;
    return implies(get(x, VMCSI_EXIT_CONTROLS) & EXIT_LOAD_EFER,
                   !(e & ~(u64)EFER_BITS) && !!(e & EFER_LMA) == host64 && !!(e & EFER_LME) == host64);
}
static bool host_cr3(const struct vmx *x) { return !(get(x, VMCSI_HOST_CR3) >> x->caps.phys_bits); }
static bool canonical(u64 a) { return (u64)((s64)(a << 16) >> 16) == a; }
static bool host_sysenter(const struct vmx *x) { return canonical(get(x, VMCSI_HOST_SYSENTER_ESP)) && canonical(get(x, VMCSI_HOST_SYSENTER_EIP)); }

/* 27.2.3 Host segment and descriptor-table registers */
static bool host_selectors(const struct vmx *x)
{
    u64 any = 0;
    for (int i = VMCSI_HOST_ES_SELECTOR; i <= VMCSI_HOST_TR_SELECTOR; i++)
        any |= get(x, i);
    return !(any & 7);
}
static bool host_cs_tr(const struct vmx *x) { return get(x, VMCSI_HOST_CS_SELECTOR) && get(x, VMCSI_HOST_TR_SELECTOR); }
static bool host_ss(const struct vmx *x) { return get(x, VMCSI_EXIT_CONTROLS) & EXIT_HOST_64 || get(x, VMCSI_HOST_SS_SELECTOR); }
static bool host_bases(const struct vmx *x)
{
    return canonical(get(x, VMCSI_HOST_FS_BASE)) && canonical(get(x, VMCSI_HOST_GS_BASE)) && canonical(get(x, VMCSI_HOST_TR_BASE)) &&
           canonical(get(x, VMCSI_HOST_GDTR_BASE)) && canonical(get(x, VMCSI_HOST_IDTR_BASE));
}

/* 27.2.4 Address-space size */
static bool host_is_64(const struct vmx *x) { return get(x, VMCSI_EXIT_CONTROLS) & EXIT_HOST_64; }
static bool guest_64(const struct vmx *x) { return implies(get(x, VMCSI_ENTRY_CONTROLS) & ENTRY_IA32E, host_is_64(x)); }
static bool host_pae(const struct vmx *x) { return implies(host_is_64(x), get(x, VMCSI_HOST_CR4) & CR4_PAE); }
static bool host_rip(const struct vmx *x)
{
    u64 rip = get(x, VMCSI_HOST_RIP);
    return host_is_64(x) ? canonical(rip) : !(rip >> 32);
}

/* 27.2.1.3: the event to inject, if there is one. Looked at on every entry, for it is written anew each time. */
static u64 event(const struct vmx *x) { return get(x, VMCSI_ENTRY_INTR_INFO); }
static unsigned event_type(const struct vmx *x) { return event(x) >> INTR_TYPE_SHIFT & 7; }
static bool known_type(const struct vmx *x) { return event_type(x) != 1 && event_type(x) != 7 /* no monitor trap flag here */; }
static bool known_vector(const struct vmx *x)
{
    unsigned vector = event(x) & INTR_VECTOR;
    return implies(event_type(x) == TRAP_NMI, vector == VEC_NMI) && implies(event_type(x) == TRAP_FAULT, vector < 32);
}
static bool event_has_error(const struct vmx *x)
{
    static const u32 with_error = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) | BIT(VEC_PF) | BIT(VEC_AC);
    bool real = secondary(x, PROC2_UG) && !(x->cpu->state.cr0 & CR0_PE);
    bool wants = event_type(x) == TRAP_FAULT && with_error >> (event(x) & 31) & 1 && !real;
    return !!(event(x) & INTR_ERROR_VALID) == wants;
}
static bool event_reserved(const struct vmx *x) { return !(event(x) & 0x7ffff000); }
static bool event_error(const struct vmx *x) { return implies(event(x) & INTR_ERROR_VALID, !(get(x, VMCSI_ENTRY_EXCEPTION_ERROR) >> 16)); }
static bool event_length(const struct vmx *x)
{
    u64 len = get(x, VMCSI_ENTRY_INSN_LEN);
    return implies(event_type(x) >= TRAP_SOFT_INT, len >= 1 && len <= INSN_MAX);
}

const struct vmx_check vmx_control_checks[] = {
    { "27.2.1.1 pin-based controls: reserved bits", pin },
    { "27.2.1.1 primary processor-based controls: reserved bits", proc },
    { "27.2.1.1 secondary processor-based controls: reserved bits", proc2 },
    { "27.2.1.1 CR3-target count over 4", cr3_targets },
    { "27.2.1.1 I/O bitmap addresses", io_bitmaps },
    { "27.2.1.1 MSR bitmap address", msr_bitmap },
    { "27.2.1.1 virtual NMIs without NMI exiting", virtual_nmis },
    { "27.2.1.1 NMI-window exiting without virtual NMIs", nmi_window },
    { "27.2.1.1 virtual-APIC address", virtual_apic },
    { "27.2.1.1 virtual APIC without TPR shadow", apic_needs_shadow },
    { "27.2.1.1 TPR threshold: bits 31:4", tpr_threshold },
    { "27.2.1.1 TPR threshold over the virtual task priority", tpr_below },
    { "27.2.1.1 APIC-access address", apic_access },
    { "27.2.1.1 virtual-interrupt delivery without external-interrupt exiting", virtual_interrupts },
    { "27.2.1.1 posted interrupts without virtual-interrupt delivery", posted_delivery },
    { "27.2.1.1 posted interrupts without acknowledge on exit", posted_ack },
    { "27.2.1.1 posted-interrupt notification vector over 255", posted_vector },
    { "27.2.1.1 posted-interrupt descriptor address", posted_descriptor },
    { "27.2.1.1 VPID 0", vpid },
    { "27.2.1.1 EPT pointer", eptp },
    { "27.2.1.1 unrestricted guest without EPT", unrestricted },
    { "27.2.1.2 VM-exit controls: reserved bits", exit_controls },
    { "27.2.1.3 VM-entry controls: reserved bits", entry_controls },
    { "27.2.1.2 preemption timer saved but not used", timer_saved },
    { "27.2.1.2 VM-exit MSR-store list: address", exit_store_list },
    { "27.2.1.2 VM-exit MSR-load list: address", exit_load_list },
    { "27.2.1.3 VM-entry MSR list: address", entry_msr_list },
    { "27.2.1.3 SMM and dual-monitor treatment outside SMM", smm },
    { 0 },
};
const struct vmx_check vmx_event_checks[] = {
    { "27.2.1.3 VM-entry interruption information: type", known_type },
    { "27.2.1.3 VM-entry interruption information: vector", known_vector },
    { "27.2.1.3 VM-entry interruption information: has an error code, or not", event_has_error },
    { "27.2.1.3 VM-entry interruption information: reserved bits", event_reserved },
    { "27.2.1.3 VM-entry exception error code: bits 31:16", event_error },
    { "27.2.1.3 VM-entry instruction length", event_length },
    { 0 },
};
const struct vmx_check vmx_host_checks[] = {
    { "27.2.2 host CR0: fixed bits", host_cr0 },
    { "27.2.2 host CR4: fixed bits", host_cr4 },
    { "27.2.2 host CR3: beyond the physical-address width", host_cr3 },
    { "27.2.2 host SYSENTER addresses not canonical", host_sysenter },
    { "27.2.2 host PAT: memory types", host_pat },
    { "27.2.2 host EFER: reserved bits, LMA and LME", host_efer },
    { "27.2.3 host selectors: RPL and TI must be 0", host_selectors },
    { "27.2.3 host CS and TR must not be null", host_cs_tr },
    { "27.2.3 host SS must not be null on a 32-bit host", host_ss },
    { "27.2.3 host bases not canonical", host_bases },
    { "27.2.4 address-space size: IA-32e mode guest of a 32-bit host", guest_64 },
    { "27.2.4 address-space size: host CR4.PAE", host_pae },
    { "27.2.4 address-space size: host RIP", host_rip },
    { 0 },
};

static const char *name_of(const struct vmx_check *c) { return c ? c->name : NULL; }
const char *vmx_check_controls(const struct vmx *x) { return name_of(vmx_first_failing(x, vmx_control_checks)); }
const char *vmx_check_host(const struct vmx *x) { return name_of(vmx_first_failing(x, vmx_host_checks)); }
const char *vmx_check_event(const struct vmx *x) { return event(x) & INTR_VALID ? name_of(vmx_first_failing(x, vmx_event_checks)) : NULL; }
