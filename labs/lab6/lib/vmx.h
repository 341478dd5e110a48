/* SPDX-License-Identifier: MIT */
/* Encodings of the VMCS's fields (SDM vol. 3, appendix B), and the bits of controls and of tables that you may need. */
#ifndef LAB6_VMX_H
#define LAB6_VMX_H

enum {
    VMCS_VPID = 0x0000,                  /* virtual-processor identifier: tags TLB entries */
    VMCS_GUEST_ES_SELECTOR = 0x0800,     /* guest ES selector */
    VMCS_GUEST_CS_SELECTOR = 0x0802,     /* guest CS selector */
    VMCS_GUEST_SS_SELECTOR = 0x0804,     /* guest SS selector */
    VMCS_GUEST_DS_SELECTOR = 0x0806,     /* guest DS selector */
    VMCS_GUEST_FS_SELECTOR = 0x0808,     /* guest FS selector */
    VMCS_GUEST_GS_SELECTOR = 0x080A,     /* guest GS selector */
    VMCS_GUEST_LDTR_SELECTOR = 0x080C,   /* guest LDTR selector */
    VMCS_GUEST_TR_SELECTOR = 0x080E,     /* guest TR selector */
    VMCS_HOST_ES_SELECTOR = 0x0C00,      /* host ES selector */
    VMCS_HOST_CS_SELECTOR = 0x0C02,      /* host CS selector */
    VMCS_HOST_SS_SELECTOR = 0x0C04,      /* host SS selector */
    VMCS_HOST_DS_SELECTOR = 0x0C06,      /* host DS selector */
    VMCS_HOST_FS_SELECTOR = 0x0C08,      /* host FS selector */
    VMCS_HOST_GS_SELECTOR = 0x0C0A,      /* host GS selector */
    VMCS_HOST_TR_SELECTOR = 0x0C0C,      /* host TR selector */
    VMCS_IO_BITMAP_A = 0x2000,           /* hpa of the I/O bitmap for ports 0000 to 7FFF */
    VMCS_IO_BITMAP_B = 0x2002,           /* hpa of the I/O bitmap for ports 8000 to FFFF */
    VMCS_MSR_BITMAP = 0x2004,            /* hpa of the MSR bitmaps */
    VMCS_EXIT_MSR_STORE_ADDR = 0x2006,   /* hpa of the list of MSRs stored on VM exit */
    VMCS_EXIT_MSR_LOAD_ADDR = 0x2008,    /* hpa of the list of MSRs loaded on VM exit */
    VMCS_ENTRY_MSR_LOAD_ADDR = 0x200A,   /* hpa of the list of MSRs loaded on VM entry */
    VMCS_EXECUTIVE_VMCS = 0x200C,        /* hpa of the executive VMCS (SMM) */
    VMCS_TSC_OFFSET = 0x2010,            /* added to the host TSC when the guest reads it */
    VMCS_EPT_POINTER = 0x201A,           /* hpa of the EPT PML4 table, its memory type, walk length and A/D enable */
    VMCS_GUEST_PHYSICAL_ADDRESS = 0x2400, /* gpa that an EPT violation or misconfiguration is about */
    VMCS_VMCS_LINK_POINTER = 0x2800,     /* shadow VMCS; all ones when there is none */
    VMCS_GUEST_DEBUGCTL = 0x2802,        /* guest IA32_DEBUGCTL */
    VMCS_GUEST_PAT = 0x2804,             /* guest IA32_PAT */
    VMCS_GUEST_EFER = 0x2806,            /* guest IA32_EFER */
    VMCS_GUEST_PDPTE0 = 0x280A,          /* guest PAE page-directory pointer 0 */
    VMCS_GUEST_PDPTE1 = 0x280C,          /* guest PAE page-directory pointer 1 */
    VMCS_GUEST_PDPTE2 = 0x280E,          /* guest PAE page-directory pointer 2 */
    VMCS_GUEST_PDPTE3 = 0x2810,          /* guest PAE page-directory pointer 3 */
    VMCS_HOST_PAT = 0x2C00,              /* host IA32_PAT */
    VMCS_HOST_EFER = 0x2C02,             /* host IA32_EFER */
    VMCS_PIN_CONTROLS = 0x4000,          /* pin-based VM-execution controls */
    VMCS_PROC_CONTROLS = 0x4002,         /* primary processor-based VM-execution controls */
    VMCS_EXCEPTION_BITMAP = 0x4004,      /* which exceptions exit */
    VMCS_PF_ERROR_MASK = 0x4006,         /* page-fault error-code mask */
    VMCS_PF_ERROR_MATCH = 0x4008,        /* page-fault error-code match */
    VMCS_CR3_TARGET_COUNT = 0x400A,      /* how many CR3-target values count */
    VMCS_EXIT_CONTROLS = 0x400C,         /* VM-exit controls */
    VMCS_EXIT_MSR_STORE_COUNT = 0x400E,  /* length of the list of MSRs stored on VM exit */
    VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,   /* length of the list of MSRs loaded on VM exit */
    VMCS_ENTRY_CONTROLS = 0x4012,        /* VM-entry controls */
    VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,  /* length of the list of MSRs loaded on VM entry */
    VMCS_ENTRY_INTR_INFO = 0x4016,       /* event that VM entry injects */
    VMCS_ENTRY_EXCEPTION_ERROR = 0x4018, /* its error code */
    VMCS_ENTRY_INSN_LEN = 0x401A,        /* its instruction length (software events) */
    VMCS_PROC2_CONTROLS = 0x401E,        /* secondary processor-based VM-execution controls */
    VMCS_INSN_ERROR = 0x4400,            /* VM-instruction error number */
    VMCS_EXIT_REASON = 0x4402,           /* exit reason */
    VMCS_EXIT_INTR_INFO = 0x4404,        /* event that caused the exit */
    VMCS_EXIT_INTR_ERROR = 0x4406,       /* its error code */
    VMCS_IDT_VECTORING_INFO = 0x4408,    /* event that was being delivered when the exit came */
    VMCS_IDT_VECTORING_ERROR = 0x440A,   /* its error code */
    VMCS_EXIT_INSN_LEN = 0x440C,         /* length of the instruction that caused the exit */
    VMCS_EXIT_INSN_INFO = 0x440E,        /* its operands */
    VMCS_GUEST_ES_LIMIT = 0x4800,        /* guest ES limit, bytes */
    VMCS_GUEST_CS_LIMIT = 0x4802,        /* guest CS limit, bytes */
    VMCS_GUEST_SS_LIMIT = 0x4804,        /* guest SS limit, bytes */
    VMCS_GUEST_DS_LIMIT = 0x4806,        /* guest DS limit, bytes */
    VMCS_GUEST_FS_LIMIT = 0x4808,        /* guest FS limit, bytes */
    VMCS_GUEST_GS_LIMIT = 0x480A,        /* guest GS limit, bytes */
    VMCS_GUEST_LDTR_LIMIT = 0x480C,      /* guest LDTR limit, bytes */
    VMCS_GUEST_TR_LIMIT = 0x480E,        /* guest TR limit, bytes */
    VMCS_GUEST_GDTR_LIMIT = 0x4810,      /* guest GDTR limit, bytes */
    VMCS_GUEST_IDTR_LIMIT = 0x4812,      /* guest IDTR limit, bytes */
    VMCS_GUEST_ES_ACCESS_RIGHTS = 0x4814, /* guest ES attributes */
    VMCS_GUEST_CS_ACCESS_RIGHTS = 0x4816, /* guest CS attributes */
    VMCS_GUEST_SS_ACCESS_RIGHTS = 0x4818, /* guest SS attributes */
    VMCS_GUEST_DS_ACCESS_RIGHTS = 0x481A, /* guest DS attributes */
    VMCS_GUEST_FS_ACCESS_RIGHTS = 0x481C, /* guest FS attributes */
    VMCS_GUEST_GS_ACCESS_RIGHTS = 0x481E, /* guest GS attributes */
    VMCS_GUEST_LDTR_ACCESS_RIGHTS = 0x4820, /* guest LDTR attributes */
    VMCS_GUEST_TR_ACCESS_RIGHTS = 0x4822, /* guest TR attributes */
    VMCS_GUEST_INTERRUPTIBILITY = 0x4824, /* blocking by STI, MOV SS, SMI, NMI */
    VMCS_GUEST_ACTIVITY = 0x4826,        /* active, HLT, shutdown, wait-for-SIPI */
    VMCS_GUEST_SMBASE = 0x4828,          /* guest SMBASE */
    VMCS_GUEST_SYSENTER_CS = 0x482A,     /* guest IA32_SYSENTER_CS */
    VMCS_HOST_SYSENTER_CS = 0x4C00,      /* host IA32_SYSENTER_CS */
    VMCS_CR0_MASK = 0x6000,              /* CR0 bits that the monitor owns */
    VMCS_CR4_MASK = 0x6002,              /* CR4 bits that the monitor owns */
    VMCS_CR0_SHADOW = 0x6004,            /* what the guest reads of those in CR0 */
    VMCS_CR4_SHADOW = 0x6006,            /* what the guest reads of those in CR4 */
    VMCS_CR3_TARGET0 = 0x6008,           /* CR3 value 0 whose load does not exit */
    VMCS_CR3_TARGET1 = 0x600A,           /* CR3 value 1 whose load does not exit */
    VMCS_CR3_TARGET2 = 0x600C,           /* CR3 value 2 whose load does not exit */
    VMCS_CR3_TARGET3 = 0x600E,           /* CR3 value 3 whose load does not exit */
    VMCS_EXIT_QUALIFICATION = 0x6400,    /* what the exit is about, by reason */
    VMCS_IO_RCX = 0x6402,                /* RCX of an I/O instruction (SMM) */
    VMCS_IO_RSI = 0x6404,                /* RSI of an I/O instruction (SMM) */
    VMCS_IO_RDI = 0x6406,                /* RDI of an I/O instruction (SMM) */
    VMCS_IO_RIP = 0x6408,                /* RIP of an I/O instruction (SMM) */
    VMCS_GUEST_LINEAR_ADDRESS = 0x640A,  /* gva that the exit is about */
    VMCS_GUEST_CR0 = 0x6800,             /* guest CR0 */
    VMCS_GUEST_CR3 = 0x6802,             /* guest CR3 */
    VMCS_GUEST_CR4 = 0x6804,             /* guest CR4 */
    VMCS_GUEST_ES_BASE = 0x6806,         /* guest ES base */
    VMCS_GUEST_CS_BASE = 0x6808,         /* guest CS base */
    VMCS_GUEST_SS_BASE = 0x680A,         /* guest SS base */
    VMCS_GUEST_DS_BASE = 0x680C,         /* guest DS base */
    VMCS_GUEST_FS_BASE = 0x680E,         /* guest FS base */
    VMCS_GUEST_GS_BASE = 0x6810,         /* guest GS base */
    VMCS_GUEST_LDTR_BASE = 0x6812,       /* guest LDTR base */
    VMCS_GUEST_TR_BASE = 0x6814,         /* guest TR base */
    VMCS_GUEST_GDTR_BASE = 0x6816,       /* guest GDTR base */
    VMCS_GUEST_IDTR_BASE = 0x6818,       /* guest IDTR base */
    VMCS_GUEST_DR7 = 0x681A,             /* guest DR7 */
    VMCS_GUEST_RSP = 0x681C,             /* guest RSP */
    VMCS_GUEST_RIP = 0x681E,             /* guest RIP */
    VMCS_GUEST_RFLAGS = 0x6820,          /* guest RFLAGS */
    VMCS_GUEST_PENDING_DEBUG = 0x6822,   /* guest pending debug exceptions */
    VMCS_GUEST_SYSENTER_ESP = 0x6824,    /* guest SYSENTER ESP */
    VMCS_GUEST_SYSENTER_EIP = 0x6826,    /* guest SYSENTER EIP */
    VMCS_HOST_CR0 = 0x6C00,              /* host CR0 */
    VMCS_HOST_CR3 = 0x6C02,              /* host CR3 */
    VMCS_HOST_CR4 = 0x6C04,              /* host CR4 */
    VMCS_HOST_FS_BASE = 0x6C06,          /* host FS base */
    VMCS_HOST_GS_BASE = 0x6C08,          /* host GS base */
    VMCS_HOST_TR_BASE = 0x6C0A,          /* host TR base */
    VMCS_HOST_GDTR_BASE = 0x6C0C,        /* host GDTR base */
    VMCS_HOST_IDTR_BASE = 0x6C0E,        /* host IDTR base */
    VMCS_HOST_SYSENTER_ESP = 0x6C10,     /* host SYSENTER ESP */
    VMCS_HOST_SYSENTER_EIP = 0x6C12,     /* host SYSENTER EIP */
    VMCS_HOST_RSP = 0x6C14,              /* host RSP */
    VMCS_HOST_RIP = 0x6C16,              /* host RIP */
};

/* Controls; which must be 1, and which may be, is in the capability MSRs (appendix A.3) */
#define PROC_HLT (1u << 7)
#define PROC_SECONDARY (1u << 31)
#define PROC2_EPT (1u << 1)
#define PROC2_VPID (1u << 5)
#define PROC2_UNRESTRICTED (1u << 7)
#define EXIT_HOST_64 (1u << 9)
#define ENTRY_IA32E (1u << 9)
#define ENTRY_LOAD_EFER (1u << 15)

/* Capability MSRs: low half: bits that must be 1; high half: bits that may be */
enum { MSR_VMX_PIN = 0x481, MSR_VMX_PROC = 0x482, MSR_VMX_EXIT = 0x483, MSR_VMX_ENTRY = 0x484, MSR_VMX_PROC2 = 0x48b, MSR_VMX_EPT_VPID = 0x48c };
enum { MSR_VMX_CR0_FIXED0 = 0x486, MSR_VMX_CR4_FIXED0 = 0x488 };

/* Exit reasons, appendix C; bit 31: the entry failed */
enum { REASON_CPUID = 10, REASON_HLT = 12, REASON_VMCALL = 18, REASON_INVALID_GUEST_STATE = 33, REASON_EPT_VIOLATION = 48, REASON_EPT_MISCONFIG = 49 };

/* EPT entries and EPTP, tables 29-1 to 29-7 and 25-9; the exit qualification of a violation, table 28-7 */
enum { EPT_R = 1, EPT_W = 2, EPT_X = 4, EPT_WB = 6 << 3, EPTP_WB = 6, EPTP_WALK_4 = 3 << 3 };
enum { EPTQ_READ = 1, EPTQ_WRITE = 2, EPTQ_FETCH = 4, EPTQ_READABLE = 8, EPTQ_WRITABLE = 16, EPTQ_EXECUTABLE = 32 };

/* Access rights of a segment, table 25-2 */
enum { AR_CODE = 11, AR_DATA = 3, AR_TSS = 11, AR_S = 1 << 4, AR_P = 1 << 7, AR_L = 1 << 13, AR_DB = 1 << 14, AR_G = 1 << 15, AR_UNUSABLE = 1 << 16 };

enum { CR0_PE = 1, CR0_NE = 1 << 5, CR4_PAE = 1 << 5, CR4_VMXE = 1 << 13, EFER_LME = 1 << 8, EFER_LMA = 1 << 10 };
#define CR0_PG (1u << 31)

#endif
