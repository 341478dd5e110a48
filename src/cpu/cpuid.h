/* SPDX-License-Identifier: MIT */
/* CPUID as a named model: pentium3, p4, core2... */
#ifndef EMU_CPU_CPUID_H
#define EMU_CPU_CPUID_H

#include "base/types.h"

struct cpu_model {
    const char *name, *help;
    const char *alias;      /* another name for it, or NULL */
    char vendor[13];
    char brand[49];
    u32 signature;          /* leaf 1 EAX: family, model, stepping */
    u32 features_edx, features_ecx;         /* leaf 1 */
    u32 ext_features_edx, ext_features_ecx; /* leaf 80000001h */
    u32 max_leaf, max_ext_leaf;
    u8 phys_bits, linear_bits;
};
extern const struct cpu_model cpu_models[];
extern const unsigned cpu_model_count;

/* NULL if there is no such model. */
const struct cpu_model *cpu_model_find(const char *name);

/* Bits of CPUID leaf 1 EDX that the emulator asks about. */
enum {
    CPUID_FPU = 1 << 0, CPUID_VME = 1 << 1, CPUID_DE = 1 << 2, CPUID_PSE = 1 << 3, CPUID_TSC = 1 << 4, CPUID_MSR = 1 << 5, CPUID_PAE = 1 << 6,
    CPUID_MCE = 1 << 7, CPUID_CX8 = 1 << 8, CPUID_APIC = 1 << 9, CPUID_SEP = 1 << 11, CPUID_MTRR = 1 << 12, CPUID_PGE = 1 << 13,
    CPUID_CMOV = 1 << 15, CPUID_PAT = 1 << 16, CPUID_PSE36 = 1 << 17, CPUID_CLFSH = 1 << 19, CPUID_MMX = 1 << 23, CPUID_FXSR = 1 << 24,
    CPUID_SSE = 1 << 25, CPUID_SSE2 = 1 << 26, CPUID_HTT = 1 << 28,
};

/* Of leaf 80000001h. */
enum {
    CPUID_SYSCALL = 1 << 11, CPUID_NX = 1 << 20, CPUID_1GB_PAGES = 1 << 26, CPUID_RDTSCP = 1 << 27, CPUID_LM = 1 << 29, /* EDX */
    CPUID_LAHF64 = 1 << 0, /* ECX */
};

#endif
