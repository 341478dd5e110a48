/* SPDX-License-Identifier: MIT */
#include "hwassist/vmx/vmx.h"

#include <stdio.h>
#include <string.h>


struct feature_row { const char *name; u32 bit, needs; };
static const struct feature_row feature_rows[] = {
#define FEATURE(id, name, needs, help) { name, FEATURE_##id, needs },
#include "hwassist/vmx/features.def"
#undef FEATURE
};

static const struct feature_row *find_feature(const char *name, size_t len)
{
    static const char unrestricted[] = "unrestricted"; /* the manual's word */
    if (len == sizeof unrestricted - 1 && !memcmp(name, unrestricted, len))
        return find_feature("ug", 2);
    for (unsigned i = 0; i < ARRAY_LEN(feature_rows); i++)
        if (strlen(feature_rows[i].name) == len && !memcmp(feature_rows[i].name, name, len))
            return &feature_rows[i];
    return NULL;
}

/* Taking a feature away takes away what stands on it. A row needs only rows above it. */
static u32 without(u32 features, u32 gone)
{
    for (unsigned i = 0; i < ARRAY_LEN(feature_rows); i++)
        gone |= feature_rows[i].needs & gone ? feature_rows[i].bit : 0;
    return features & ~gone;
}

static int parse_one(const char *word, size_t len, u32 *features, struct error *err)
{
    bool no = len > 3 && !memcmp(word, "no-", 3);
    const struct feature_row *f = find_feature(word + 3 * no, len - 3 * no);
    const struct generation *g = generation_find(word);
    char known[160];
    if (f) {
        *features = no ? without(*features, f->bit) : *features | f->bit;
        return 0;
    }
    if (g)
        *features = g->features;
    else if (len == 3 && !memcmp(word, "all", 3))
        *features = FEATURE_ALL;
    else if (len == 4 && !memcmp(word, "none", 4))
        *features = 0;
    else {
        vmx_features_format(FEATURE_EVERY, known, sizeof known);
        return error_set(err, "--hw: unknown feature '%.*s'; there are %s, each also as no-NAME, all, none, and the processors of `emu list hw`", (int)len,
                         word, known);
    }
    return 0;
}

static int check_needs(u32 features, struct error *err)
{
    char lacking[80];
    for (unsigned i = 0; i < ARRAY_LEN(feature_rows); i++) {
        const struct feature_row *f = &feature_rows[i];
        if (!(features & f->bit) || !(f->needs & ~features))
            continue;
        vmx_features_format(f->needs & ~features, lacking, sizeof lacking);
        return error_set(err, "--hw: '%s' needs '%s'; add %s, or leave %s out", f->name, lacking, lacking, f->name);
    }
    return 0;
}

int vmx_features_parse(const char *list, u32 *features, struct error *err)
{
    *features = !list || !strncmp(list, "no-", 3) ? FEATURE_ALL : 0;
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (parse_one(list, len, features, err) < 0)
            return -1;
        list += len + (list[len] == ',');
    }
    return check_needs(*features, err);
}

void vmx_features_format(u32 features, char *buf, size_t size)
{
    size_t used = 0;
    snprintf(buf, size, "none");
    for (unsigned i = 0; i < ARRAY_LEN(feature_rows); i++)
        if (features & feature_rows[i].bit && used < size)
            used += snprintf(buf + used, size - used, "%s%s", used ? "," : "", feature_rows[i].name);
}

/* SDM vol. 3, appendix A.3 to A.5: bits that older processors fixed to 1 ("default1") stay so, but for those that
 * the TRUE capability MSRs let go: CR3 exiting and the debug controls. */
void vmx_caps_init(struct vmx_caps *c, u32 features, u8 phys_bits)
{
    bool ept = features & FEATURE_EPT, ug = features & FEATURE_UG;
    *c = (struct vmx_caps){ .features = features, .phys_bits = phys_bits };
    c->pin = (struct control_caps){ 0x16, 0x16 | PIN_EXTINT | PIN_NMI | PIN_VIRTUAL_NMI | (features & FEATURE_TIMER ? PIN_TIMER : 0) |
                                     (features & FEATURE_PI ? PIN_POSTED : 0) };
    c->proc.must = 0x04006172;
    c->proc.may = c->proc.must | PROC_INTR_WINDOW | PROC_TSC_OFFSET | PROC_HLT | PROC_INVLPG | PROC_MWAIT | PROC_RDPMC | PROC_RDTSC | PROC_CR3_LOAD |
                  PROC_CR3_STORE | PROC_CR8_LOAD | PROC_CR8_STORE | PROC_DR | PROC_IO | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_MONITOR | PROC_PAUSE |
                  PROC_SECONDARY | PROC_NMI_WINDOW | (features & FEATURE_TPR ? PROC_TPR_SHADOW : 0);
    c->proc2.may = PROC2_DESCRIPTOR_TABLE | PROC2_WBINVD | (ept ? PROC2_EPT : 0) | (features & FEATURE_VPID ? PROC2_VPID : 0) | (ug ? PROC2_UG : 0) |
                   (features & FEATURE_APIC_ACCESS ? PROC2_APIC_ACCESSES : 0) | (features & FEATURE_APICV ? PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS : 0);
    c->exit = (struct control_caps){ 0x36dfb, 0x36dff | EXIT_HOST_64 | EXIT_ACK_INTR | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER |
                                               (features & FEATURE_TIMER ? EXIT_SAVE_TIMER : 0) };
    c->entry = (struct control_caps){ 0x11fb, 0x11ff | ENTRY_IA32E | ENTRY_SMM | ENTRY_DUAL_MONITOR | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER };
    c->cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG;
    c->cr0_fixed1 = 0xffffffff;
    c->cr4_fixed0 = CR4_VMXE;
    c->cr4_fixed1 = 0x27ff;
}

static u64 pair(struct control_caps c) { return (u64)c.may << 32 | c.must; }

static u64 ept_vpid_cap(u32 f)
{
    u64 ept = BIT(0) /* execute-only */ | BIT(6) /* 4 levels */ | BIT(14) /* write-back tables */ | BIT(20) | BIT(25) | BIT(26) /* INVEPT */;
    return (f & FEATURE_EPT ? ept : 0) | (f & FEATURE_EPT_2M ? BIT(16) : 0) | (f & FEATURE_EPT_1G ? BIT(17) : 0) | (f & FEATURE_EPT_AD ? BIT(21) : 0) |
           (f & FEATURE_VPID ? BIT(32) | BIT(40) | BIT(41) | BIT(42) | BIT(43) : 0);
}

bool vmx_caps_rdmsr(const struct vmx_caps *c, u32 msr, u64 *value)
{
    const struct control_caps old_proc = { c->proc.must | PROC_CR3_LOAD | PROC_CR3_STORE, c->proc.may };
    const struct control_caps old_exit = { c->exit.must | 4, c->exit.may }, old_entry = { c->entry.must | 4, c->entry.may };
    const u64 values[] = {
        VMCS_REVISION | (u64)4096 << 32 | (u64)6 << 50 | BIT(54) | BIT(55), /* BASIC: size, write-back, INS/OUTS information, TRUE controls */
        pair(c->pin), pair(old_proc), pair(old_exit), pair(old_entry),
        PREEMPTION_TIMER_SHIFT | BIT(6) | (c->features & FEATURE_UG ? BIT(5) : 0) | (u64)4 << 16, /* MISC: HLT activity state, four CR3 targets */
        c->cr0_fixed0, c->cr0_fixed1, c->cr4_fixed0, c->cr4_fixed1,
        0x2e, /* VMCS_ENUM: highest index, 17H, shifted */
        pair(c->proc2), ept_vpid_cap(c->features), pair(c->pin), pair(c->proc), pair(c->exit), pair(c->entry),
    };
    if (msr - 0x480 >= ARRAY_LEN(values) || (msr == 0x48c && !(c->features & (FEATURE_EPT | FEATURE_VPID))))
        return false;
    *value = values[msr - 0x480];
    return true;
}
