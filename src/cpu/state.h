/* SPDX-License-Identifier: MIT */
/*
 * The one canonical state of a processor: plain data, the same for every engine, so that a VM
 * can move between them, be compared in tests, or be saved. 64-bit wide from the first day.
 */
#ifndef EMU_CPU_STATE_H
#define EMU_CPU_STATE_H

#include "base/types.h"

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum sreg { ES, CS, SS, DS, FS, GS, SREG_COUNT, SEG_NONE = 0xff }; /* the order of the SDM's encoding */

/* EFLAGS, SDM vol. 1, 3.4.3 */
enum {
    FLAG_CF = 1 << 0, FLAG_FIXED = 1 << 1, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6, FLAG_SF = 1 << 7,
    FLAG_TF = 1 << 8, FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11, FLAG_IOPL = 3 << 12, FLAG_NT = 1 << 14,
    FLAG_RF = 1 << 16, FLAG_VM = 1 << 17, FLAG_AC = 1 << 18, FLAG_VIF = 1 << 19, FLAG_VIP = 1 << 20, FLAG_ID = 1 << 21,
    FLAG_STATUS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

/* Control registers, SDM vol. 3, 2.5 */
enum {
    CR0_PE = 1 << 0, CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3, CR0_ET = 1 << 4, CR0_NE = 1 << 5,
    CR0_WP = 1 << 16, CR0_AM = 1 << 18, CR0_NW = 1 << 29, CR0_CD = 1 << 30,
};
#define CR0_PG BIT(31)
enum {
    CR4_VME = 1 << 0, CR4_PVI = 1 << 1, CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5,
    CR4_MCE = 1 << 6, CR4_PGE = 1 << 7, CR4_PCE = 1 << 8, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10,
    CR4_VMXE = 1 << 13, CR4_PCIDE = 1 << 17,
};
enum { EFER_SCE = 1 << 0, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11 };

/* Exception vectors, SDM vol. 3, table 6-1 */
enum vector {
    VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5, VEC_UD = 6, VEC_NM = 7, VEC_DF = 8,
    VEC_TS = 10, VEC_NP = 11, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16, VEC_AC = 17, VEC_MC = 18, VEC_XM = 19,
};

/* Segment attributes in the VMX access-rights format (SDM vol. 3, table 25-2): descriptor bits 40..55 with
 * the limit nibble left out. One format for decoder, KVM and VMCS. */
enum {
    SEG_TYPE = 0xf, SEG_S = 1 << 4, SEG_DPL = 3 << 5, SEG_P = 1 << 7, SEG_AVL = 1 << 12, SEG_L = 1 << 13, SEG_DB = 1 << 14,
    SEG_G = 1 << 15, SEG_UNUSABLE = 1 << 16,
    SEG_CODE = 1 << 3 /* of type: code segment */, SEG_CONFORMING = 1 << 2, SEG_EXPAND_DOWN = 1 << 2, SEG_RW = 1 << 1, SEG_ACCESSED = 1,
};
static inline unsigned seg_dpl(u32 attr) { return attr >> 5 & 3; }

struct segment {
    u16 selector;
    u64 base;
    u32 limit;  /* in bytes, the last valid offset (granularity already applied) */
    u32 attr;
};

struct dtable { u64 base; u16 limit; };

enum activity { CPU_ACTIVE, CPU_HALTED, CPU_SHUT_DOWN, CPU_WAIT_SIPI };

/* The FXSAVE image of SDM vol. 1, table 10-2 (64-bit form), so that host instructions load and store it. */
struct fpu_state {
    u16 fcw, fsw; u8 ftw /* abridged */, reserved0; u16 fop;
    u64 fip, fdp;
    u32 mxcsr, mxcsr_mask;
    u8 st[8][16];       /* ST(i) or MMi in the low 10 bytes, by top-relative number */
    u8 xmm[16][16];
    u8 reserved1[96];
} __attribute__((aligned(64)));

struct cpu_state {
    u64 gpr[16];
    u64 rip;
    u64 rflags;
    struct segment seg[SREG_COUNT], ldtr, tr;
    struct dtable gdtr, idtr;
    u64 cr0, cr2, cr3, cr4, cr8, efer;
    u64 pdpte[4];       /* PAE pointers as loaded with CR3 */
    u64 dr[8];          /* DR4 and DR5 are aliases and stay zero here */
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 star, lstar, cstar, sfmask, kernel_gs_base;
    u64 pat, apic_base, misc_enable, tsc_aux, debugctl;
    u64 mtrr_def_type, mtrr_phys[16], mtrr_fixed[11];
    u64 tsc_offset;     /* TSC = virtual clock + this */
    u8 activity;        /* enum activity */
    u8 sti_shadow;      /* interrupts are held off for one instruction after STI */
    u8 movss_shadow;    /* and after MOV SS / POP SS, with debug traps too */
    u8 nmi_blocked;
    struct fpu_state fpu;
};

/* CPL is the DPL of SS (SDM vol. 3, 5.5), and 3 in virtual-8086 mode, 0 in real mode by construction. */
static inline unsigned state_cpl(const struct cpu_state *s) { return seg_dpl(s->seg[SS].attr); }
static inline bool state_real(const struct cpu_state *s) { return !(s->cr0 & CR0_PE); }
static inline bool state_v86(const struct cpu_state *s) { return s->rflags & FLAG_VM; }
static inline bool state_long(const struct cpu_state *s) { return s->efer & EFER_LMA; }
/* Size of the code segment's default operand and address: 16, 32 or 64. */
static inline unsigned state_code_bits(const struct cpu_state *s)
{
    return state_long(s) && s->seg[CS].attr & SEG_L ? 64 : s->seg[CS].attr & SEG_DB ? 32 : 16;
}

/* Power-on state, SDM vol. 3, table 9-1: real mode at F000:FFF0. */
void state_reset(struct cpu_state *s);
/* What a 32-bit boot loader hands over: flat ring-0 segments (selectors 8 and 16), paging off, interrupts off. */
void state_flat32(struct cpu_state *s, u32 eip, u32 esp);

/* Print registers, as a report for people, into a static-size buffer; returns the length. */
int state_format(const struct cpu_state *s, char *buf, size_t size);

#endif
