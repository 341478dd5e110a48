/* SPDX-License-Identifier: MIT */
/*
 * CPUID (SDM vol. 2, CPUID; vol. 1, chapter 20). Signatures and feature bits are those of real parts, less what the
 * interpreter does not have: a guest that believes these bits finds what they promise.
 */
#include "cpu/cpu.h"

#include <string.h>

enum {
    F_486 = CPUID_FPU | CPUID_VME,
    F_PENTIUM = F_486 | CPUID_DE | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_MCE | CPUID_CX8,
    F_PENTIUM3 = F_PENTIUM | CPUID_PAE | CPUID_SEP | CPUID_MTRR | CPUID_PGE | CPUID_CMOV | CPUID_PAT | CPUID_PSE36 | CPUID_MMX | CPUID_FXSR | CPUID_SSE,
    F_P4 = F_PENTIUM3 | CPUID_CLFSH | CPUID_SSE2,
};
enum { F_ECX_SSE3 = 1 << 0, F_ECX_SSSE3 = 1 << 9, F_ECX_CX16 = 1 << 13 };
enum { F_EXT_64 = CPUID_LM | CPUID_SYSCALL | CPUID_NX };
#define EXT 0x80000000u

const struct cpu_model cpu_models[] = {
    { .name = "486", .help = "Intel 486 DX4, 1994: x87, no TSC, no large pages", .vendor = "GenuineIntel", .signature = 0x480,
      .features_edx = F_486, .max_leaf = 1, .phys_bits = 32, .linear_bits = 32 },
    { .name = "pentium", .help = "Intel Pentium, 1994: TSC, MSRs, 4 MiB pages, CMPXCHG8B", .vendor = "GenuineIntel", .signature = 0x525,
      .features_edx = F_PENTIUM, .max_leaf = 1, .phys_bits = 32, .linear_bits = 32 },
    { .name = "pentium3", .help = "Intel Pentium III, 1999: PAE, SYSENTER, CMOV, MMX, SSE", .vendor = "GenuineIntel", .signature = 0x686,
      .features_edx = F_PENTIUM3, .max_leaf = 2, .phys_bits = 36, .linear_bits = 32 },
    { .name = "p4", .help = "Intel Pentium 4 672, 2005: SSE2, SSE3, NX; the first with VT-x", .vendor = "GenuineIntel",
      .brand = "              Intel(R) Pentium(R) 4 CPU 3.80GHz", .signature = 0xf43, .features_edx = F_P4, .features_ecx = F_ECX_SSE3,
      .ext_features_edx = CPUID_NX, .max_leaf = 5, .max_ext_leaf = EXT | 8, .phys_bits = 36, .linear_bits = 48 },
    { .name = "core2", .help = "Intel Core 2 6600, 2006: SSE2, SSE3, SSSE3, NX, as 32-bit systems see it (default)", .vendor = "GenuineIntel",
      .brand = "Intel(R) Core(TM)2 CPU          6600  @ 2.40GHz", .signature = 0x6f6, .features_edx = F_P4, .features_ecx = F_ECX_SSE3 | F_ECX_SSSE3,
      .ext_features_edx = CPUID_NX, .max_leaf = 10, .max_ext_leaf = EXT | 8, .phys_bits = 36, .linear_bits = 48 },
    { .name = "core2-64", .help = "the same with Intel 64: long mode, SYSCALL, CMPXCHG16B (default for 64-bit kernels; also qemu64)",
      .alias = "qemu64", .vendor = "GenuineIntel", .brand = "Intel(R) Core(TM)2 CPU          6600  @ 2.40GHz", .signature = 0x6f6,
      .features_edx = F_P4, .features_ecx = F_ECX_SSE3 | F_ECX_SSSE3 | F_ECX_CX16, .ext_features_edx = F_EXT_64,
      .ext_features_ecx = CPUID_LAHF64, .max_leaf = 10, .max_ext_leaf = EXT | 8, .phys_bits = 36, .linear_bits = 48 },
    { .name = "westmere", .help = "Intel Xeon X5670, 2010: 1 GiB pages, RDTSCP; without its SSE4 and AES", .vendor = "GenuineIntel",
      .brand = "Intel(R) Xeon(R) CPU           X5670  @ 2.93GHz", .signature = 0x206c2, .features_edx = F_P4,
      .features_ecx = F_ECX_SSE3 | F_ECX_SSSE3 | F_ECX_CX16, .ext_features_edx = F_EXT_64 | CPUID_1GB_PAGES | CPUID_RDTSCP,
      .ext_features_ecx = CPUID_LAHF64, .max_leaf = 10, .max_ext_leaf = EXT | 8, .phys_bits = 40, .linear_bits = 48 },
};
const unsigned cpu_model_count = ARRAY_LEN(cpu_models);

const struct cpu_model *cpu_model_find(const char *name)
{
    for (unsigned i = 0; i < cpu_model_count; i++) {
        const struct cpu_model *m = &cpu_models[i];
        if (strcmp(m->name, name) == 0 || (m->alias && strcmp(m->alias, name) == 0))
            return m;
    }
    return NULL;
}

/* Bytes of text as the little-endian registers hold them. */
static void put_text(u32 *out, const char *text, unsigned words)
{
    memcpy(out, text, 4 * words);
}

static void leaf_vendor(const struct cpu *c, u32 sub, u32 out[4])
{
    u32 w[3];
    put_text(w, c->model->vendor, 3);
    out[0] = c->model->max_leaf;
    out[1] = w[0];
    out[3] = w[1];
    out[2] = w[2];
}

/* The logical processors of a package are threads of one core. SDM vol. 3, 9.6 and 9.9. */
static unsigned threads(const struct cpu *c) { return c->threads > 1 ? c->threads : 1; }

/* The APIC bit says whether the APIC is there and switched on (SDM vol. 3, 10.4.3): IA32_APIC_BASE, which is zero on a
 * machine without one. */
static void leaf_features(const struct cpu *c, u32 sub, u32 out[4])
{
    const u32 clflush_line_64 = 8 << 8;
    out[0] = c->model->signature;
    out[1] = (c->model->features_edx & CPUID_CLFSH ? clflush_line_64 : 0) | (u32)c->apic_id << 24 | (c->threads > 1 ? threads(c) << 16 : 0);
    out[2] = c->model->features_ecx;
    out[3] = c->model->features_edx | (c->state.apic_base & APIC_BASE_ENABLED ? CPUID_APIC : 0) | (threads(c) > 1 ? CPUID_HTT : 0);
}

/* Cache and TLB descriptors: 4 KiB and 4 MiB TLBs, 16 KiB L1I and L1D, 256 KiB L2 (SDM vol. 2, table 3-12). */
static void leaf_caches(const struct cpu *c, u32 sub, u32 out[4])
{
    out[0] = 0x03020101;
    out[3] = 0x0c040882;
}

/* Deterministic cache parameters (SDM vol. 2, CPUID, leaf 4): two 32 KiB 8-way first levels and 4 MiB 16-way behind them. */
static void leaf_cache_parameters(const struct cpu *c, u32 sub, u32 out[4])
{
    static const struct { u32 type_level, ways, sets; } cache[] = { { 1 | 1 << 5, 8, 64 }, { 2 | 1 << 5, 8, 64 }, { 3 | 2 << 5, 16, 4096 } };
    if (sub >= ARRAY_LEN(cache))
        return;
    out[0] = cache[sub].type_level | 1 << 8 /* self-initializing */ | (threads(c) - 1) << 14;
    out[1] = (cache[sub].ways - 1) << 22 | (64 - 1);
    out[2] = cache[sub].sets - 1;
}

static void leaf_ext_max(const struct cpu *c, u32 sub, u32 out[4])
{
    out[0] = c->model->max_ext_leaf;
}

static void leaf_ext_features(const struct cpu *c, u32 sub, u32 out[4])
{
    out[2] = c->model->ext_features_ecx;
    out[3] = c->model->ext_features_edx;
}

static void leaf_brand(const struct cpu *c, unsigned part, u32 out[4])
{
    char text[48] = { 0 };
    memcpy(text, c->model->brand, sizeof text);
    put_text(out, text + 16 * part, 4);
}
static void leaf_brand0(const struct cpu *c, u32 sub, u32 out[4]) { leaf_brand(c, 0, out); }
static void leaf_brand1(const struct cpu *c, u32 sub, u32 out[4]) { leaf_brand(c, 1, out); }
static void leaf_brand2(const struct cpu *c, u32 sub, u32 out[4]) { leaf_brand(c, 2, out); }

static void leaf_l2(const struct cpu *c, u32 sub, u32 out[4])
{
    out[2] = 4096 << 16 | 8 << 12 | 64; /* KiB, 16-way, bytes a line */
}

static void leaf_address_bits(const struct cpu *c, u32 sub, u32 out[4])
{
    out[0] = c->model->linear_bits << 8 | c->model->phys_bits;
}

static const struct { u32 leaf; void (*fill)(const struct cpu *c, u32 subleaf, u32 out[4]); } leaves[] = {
    { 0, leaf_vendor }, { 1, leaf_features }, { 2, leaf_caches }, { 4, leaf_cache_parameters },
    { EXT, leaf_ext_max }, { EXT | 1, leaf_ext_features }, { EXT | 2, leaf_brand0 }, { EXT | 3, leaf_brand1 }, { EXT | 4, leaf_brand2 },
    { EXT | 6, leaf_l2 }, { EXT | 8, leaf_address_bits },
};

void cpu_cpuid(const struct cpu *c, u32 leaf, u32 subleaf, u32 out[4])
{
    memset(out, 0, 4 * sizeof out[0]);
    bool known = leaf & EXT ? leaf <= c->model->max_ext_leaf : leaf <= c->model->max_leaf;
    if (!known)
        leaf = c->model->max_leaf; /* beyond the end, the last basic leaf answers (SDM vol. 2, CPUID) */
    for (unsigned i = 0; i < ARRAY_LEN(leaves); i++) {
        if (leaves[i].leaf == leaf)
            leaves[i].fill(c, subleaf, out);
    }
}
