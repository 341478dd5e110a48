/* SPDX-License-Identifier: MIT */
/* Lab 6: VMCS, EPT and VPID. handout.md says what is to be done. */
#include "lab6.h"

/*** begin solution ***/
enum { VPID = 1 /* 0 is the host's */, LEVELS = 4 };

static struct guest guest;
static u64 eptp;
static _Bool launched;
/*** instead ***
static struct guest guest;
*** end solution ***/

/*** begin solution ***/
/* --- the VMCS: a list of writes; the first error stays --- */

static int first_error;

static void put(u32 field, u64 value)
{
    int error = vmwrite(field, value);
    if (!first_error)
        first_error = error;
}

static u64 get(u32 field)
{
    u64 value;
    vmread(field, &value);
    return value;
}

/* What must be 1 is, what may not be is not (SDM vol. 3, appendix A.3). */
static u32 controls(u32 msr, u32 wanted)
{
    u64 may = rdmsr(msr);
    return (wanted | (u32)may) & (u32)(may >> 32);
}

static void write_controls(void)
{
    put(VMCS_PIN_CONTROLS, controls(MSR_VMX_PIN, 0));
    put(VMCS_PROC_CONTROLS, controls(MSR_VMX_PROC, PROC_HLT | PROC_SECONDARY));
    put(VMCS_PROC2_CONTROLS, controls(MSR_VMX_PROC2, PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED));
    put(VMCS_EXIT_CONTROLS, controls(MSR_VMX_EXIT, EXIT_HOST_64));
    put(VMCS_ENTRY_CONTROLS, controls(MSR_VMX_ENTRY, ENTRY_LOAD_EFER | (guest.is_long ? ENTRY_IA32E : 0)));
    put(VMCS_VPID, VPID);
    put(VMCS_EPT_POINTER, eptp);
}

/* A host of 64 bits, where an exit would go on. */
static void write_host(void)
{
    put(VMCS_HOST_CR0, CR0_PG | CR0_PE | CR0_NE);
    put(VMCS_HOST_CR4, CR4_PAE | CR4_VMXE);
    put(VMCS_HOST_CS_SELECTOR, 0x10);
    put(VMCS_HOST_TR_SELECTOR, 0x40);
    put(VMCS_HOST_RIP, 0xffffffff80000000);
}

static void write_segment(u32 selector_field, u32 base, u32 limit, u32 rights)
{
    u32 n = (selector_field - VMCS_GUEST_ES_SELECTOR) / 2; /* the four fields of each segment are in the same order */
    put(selector_field, rights & AR_UNUSABLE ? 0 : 8 + n * 8);
    put(VMCS_GUEST_ES_BASE + n * 2, base);
    put(VMCS_GUEST_ES_LIMIT + n * 2, limit);
    put(VMCS_GUEST_ES_ACCESS_RIGHTS + n * 2, rights);
}

static void write_segments(void)
{
    u32 flat = AR_S | AR_P | AR_G;
    for (u32 field = VMCS_GUEST_ES_SELECTOR; field <= VMCS_GUEST_GS_SELECTOR; field += 2)
        write_segment(field, 0, ~0u, AR_DATA | AR_DB | flat);
    write_segment(VMCS_GUEST_CS_SELECTOR, 0, ~0u, AR_CODE | (guest.is_long ? AR_L : AR_DB) | flat);
    write_segment(VMCS_GUEST_LDTR_SELECTOR, 0, 0, AR_UNUSABLE);
    write_segment(VMCS_GUEST_TR_SELECTOR, 0, 0x67, AR_TSS | AR_P);
}

static void write_guest(void)
{
    put(VMCS_GUEST_CR0, CR0_PE | CR0_NE | (guest.is_long ? CR0_PG : 0));
    put(VMCS_GUEST_CR4, CR4_VMXE | (guest.is_long ? CR4_PAE : 0));
    put(VMCS_GUEST_CR3, guest.cr3);
    put(VMCS_GUEST_EFER, guest.is_long ? EFER_LME | EFER_LMA : 0);
    put(VMCS_GUEST_DR7, 0x400);
    put(VMCS_GUEST_RIP, guest.rip);
    put(VMCS_GUEST_RSP, guest.rsp);
    put(VMCS_GUEST_RFLAGS, 2);
    put(VMCS_VMCS_LINK_POINTER, ~0ull);
    write_segments();
}

/* --- EPT --- */

/* hpa of the entry of level 1 for that gpa; tables on the way are made. */
static u64 entry_of(u64 gpa)
{
    u64 table = eptp & ~0xfffull;
    for (u32 level = LEVELS;; level--) {
        u64 at = table + (gpa >> (3 + 9 * level) & 511) * 8;
        if (level == 1)
            return at;
        if (!host_read(at))
            host_write(at, frame_alloc() | EPT_R | EPT_W | EPT_X);
        table = host_read(at) & ~0xfffull;
    }
}

static void map(u32 page, u32 rights) { host_write(entry_of((u64)page << 12), guest_frame(page) | EPT_WB | rights); }

static u32 first_rights(void) { return EPT_R | EPT_X | (guest.log ? 0 : EPT_W); }
/*** instead ***
*** end solution ***/

int monitor_start(const struct guest *g)
{
    guest = *g;
    /*** begin solution ***/
    eptp = frame_alloc() | EPTP_WB | EPTP_WALK_4;
    for (u32 i = 0; !guest.lazy && i < guest.pages; i++)
        map(i, first_rights());
    write_controls();
    write_host();
    write_guest();
    return first_error;
    /*** instead ***
    return vmwrite(VMCS_GUEST_RIP, g->rip); // your code here: and the rest
    *** end solution ***/
}

/*** begin solution ***/
/* --- exits: true, the guest goes on --- */

static void skip_instruction(void) { put(VMCS_GUEST_RIP, get(VMCS_GUEST_RIP) + get(VMCS_EXIT_INSN_LEN)); }

static void on_cpuid(void)
{
    static const u8 place[4] = { 0, 3, 1, 2 };
    u32 out[4];
    guest_cpuid(register_read(0), out);
    for (u32 i = 0; i < 4; i++)
        register_write(place[i], out[i]);
    skip_instruction();
}

static _Bool on_violation(void)
{
    u64 gpa = get(VMCS_GUEST_PHYSICAL_ADDRESS), why = get(VMCS_EXIT_QUALIFICATION);
    u32 page = gpa >> 12;
    if (gpa >> 12 >= guest.pages) {
        stray(gpa);
        return 0;
    }
    if (guest.log && why & EPTQ_WRITE) {
        page_dirty(page);
        map(page, EPT_R | EPT_W | EPT_X);
    } else {
        map(page, first_rights());
    }
    return 1; /* a violation drops what the processor had cached for this address (SDM vol. 3, 29.4.3.1) */
}
/*** instead ***
*** end solution ***/

int monitor_run(void)
{
    /*** begin solution ***/
    for (;;) {
        int error = launched ? vmresume() : vmlaunch();
        if (error)
            return error;
        switch (get(VMCS_EXIT_REASON)) {
        case REASON_CPUID: launched = 1; on_cpuid(); break;
        case REASON_HLT: launched = 1; skip_instruction(); return END_HLT;
        case REASON_EPT_VIOLATION:
            launched = 1;
            if (!on_violation())
                return END_STRAY;
            break;
        case REASON_INVALID_GUEST_STATE | 1u << 31: return END_STATE;
        default: return END_OTHER;
        }
    }
    /*** instead ***
    return vmlaunch(); // your code here
    *** end solution ***/
}

void monitor_move(u32 n)
{
    /*** begin solution ***/
    map(n, first_rights());
    invept(1, eptp);
    /*** instead ***
    (void)n; // your code here
    *** end solution ***/
}
