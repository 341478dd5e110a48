/* SPDX-License-Identifier: MIT */
#include "hwassist/vmx/vmcs.h"

#include <string.h>

#define ALWAYS FEATURE_ALWAYS
#define EPT FEATURE_EPT
#define VPID FEATURE_VPID
#define TPR FEATURE_TPR
#define TIMER FEATURE_TIMER
#define APICV FEATURE_APICV
#define PI FEATURE_PI
const struct vmcs_field vmcs_fields[VMCS_FIELDS] = {
#define FIELD(id, encoding, width, type, needs, help) { encoding, width, type, needs, #id, help },
#include "hwassist/vmx/vmcs.def"
#undef FIELD
};

/* Where a live field is in struct cpu_state; size 0: it is in value[]. */
struct place { u16 offset; u8 size; };
static const struct place places[VMCS_FIELDS] = {
#define LIVE(id, member) [VMCSI_##id] = { offsetof(struct cpu_state, member), sizeof ((struct cpu_state *)0)->member },
#include "hwassist/vmx/live.def"
#undef LIVE
};

/* Encoding to index + 1; 0 where there is no field. */
static const u8 index_of[0x8000 / 2] = {
#define FIELD(id, encoding, width, type, needs, help) [encoding / 2] = VMCSI_##id + 1,
#include "hwassist/vmx/vmcs.def"
#undef FIELD
};
_Static_assert(VMCS_FIELDS < 255, "an index fits a byte");

/* Interruptibility state, SDM vol. 3, table 25-3, is kept as three flags. */
enum { BLOCKED_BY_STI = 1, BLOCKED_BY_MOVSS = 2, BLOCKED_BY_NMI = 8, BLOCKED_BY = BLOCKED_BY_STI | BLOCKED_BY_MOVSS | BLOCKED_BY_NMI };

static u64 get_interruptibility(const struct cpu_state *s)
{
    return (s->sti_shadow ? BLOCKED_BY_STI : 0) | (s->movss_shadow ? BLOCKED_BY_MOVSS : 0) | (s->nmi_blocked ? BLOCKED_BY_NMI : 0);
}

static void set_interruptibility(struct cpu_state *s, u64 value)
{
    s->sti_shadow = !!(value & BLOCKED_BY_STI);
    s->movss_shadow = !!(value & BLOCKED_BY_MOVSS);
    s->nmi_blocked = !!(value & BLOCKED_BY_NMI);
}

void vmcs_init(struct vmcs *v, struct cpu_state *live, u32 features)
{
    memset(v, 0, sizeof *v);
    v->live = live;
    v->features = features;
    v->value[VMCSI_VMCS_LINK_POINTER] = ~(u64)0;
    v->dirty = DIRTY_CONTROLS | DIRTY_HOST | DIRTY_GUEST;
}

/* Of a live field, value[] holds the bits for which the registers have no room. They are not zero only where a VM entry must refuse them. */
u64 vmcs_get(const struct vmcs *v, enum vmcs_index i)
{
    u64 value = 0;
    if (i == VMCSI_GUEST_INTERRUPTIBILITY)
        value = get_interruptibility(v->live);
    else
        memcpy(&value, (const u8 *)v->live + places[i].offset, places[i].size);
    return value | v->value[i];
}

static u64 cut(u64 value, u8 width)
{
    return width == W16 ? (u16)value : width == W32 ? (u32)value : value;
}

void vmcs_set(struct vmcs *v, enum vmcs_index i, u64 value)
{
    value = cut(value, vmcs_fields[i].width);
    if (i == VMCSI_GUEST_INTERRUPTIBILITY)
        set_interruptibility(v->live, value);
    memcpy((u8 *)v->live + places[i].offset, &value, places[i].size);
    u64 live = i == VMCSI_GUEST_INTERRUPTIBILITY ? BLOCKED_BY : places[i].size == 8 ? ~(u64)0 : BIT(8 * places[i].size) - 1;
    v->value[i] = value & ~live;
}

/* RIP and RFLAGS move on at nearly every exit, the event to inject is consumed by each entry: nothing is derived from them. */
static u8 dirtied_by(enum vmcs_index i)
{
    static const u8 by_type[] = { [CONTROL] = DIRTY_CONTROLS, [READ_ONLY] = 0, [GUEST] = DIRTY_GUEST, [HOST] = DIRTY_HOST };
    switch (i) {
    case VMCSI_GUEST_RIP: case VMCSI_GUEST_RFLAGS: case VMCSI_GUEST_INTERRUPTIBILITY: case VMCSI_GUEST_ACTIVITY: case VMCSI_ENTRY_INTR_INFO:
        return DIRTY_OFTEN;
    case VMCSI_GUEST_RSP: case VMCSI_ENTRY_EXCEPTION_ERROR: case VMCSI_ENTRY_INSN_LEN: case VMCSI_GUEST_INTR_STATUS: case VMCSI_PREEMPTION_TIMER:
        return 0;
    default:
        return by_type[vmcs_fields[i].type];
    }
}

void vmcs_write(struct vmcs *v, enum vmcs_index i, u64 value)
{
    v->writes++;
    v->dirty |= dirtied_by(i);
    vmcs_set(v, i, value);
}

int vmcs_find(u32 encoding)
{
    return encoding < 0x8000 ? index_of[encoding / 2] - 1 : -1;
}

static int fail(struct vmcs *v, enum vm_insn_error error)
{
    v->value[VMCSI_INSN_ERROR] = error;
    return error;
}

/* The field, or -1: no such encoding, its feature is off, or the upper half of a field that has none. */
static int find_supported(const struct vmcs *v, u32 encoding)
{
    int i = vmcs_find(encoding);
    if (i < 0 || (vmcs_fields[i].needs & ~v->features) || (encoding & 1 && vmcs_fields[i].width != W64))
        return -1;
    return i;
}

int vmread_checked(struct vmcs *v, u32 encoding, u64 *value)
{
    int i = find_supported(v, encoding);
    if (i < 0)
        return fail(v, VMFAIL_UNSUPPORTED_FIELD);
    v->reads++;
    *value = encoding & 1 ? vmcs_get(v, i) >> 32 : vmcs_get(v, i);
    return 0;
}

int vmwrite_checked(struct vmcs *v, u32 encoding, u64 value)
{
    int i = find_supported(v, encoding);
    if (i < 0)
        return fail(v, VMFAIL_UNSUPPORTED_FIELD);
    if (vmcs_fields[i].type == READ_ONLY)
        return fail(v, VMFAIL_READ_ONLY_FIELD);
    vmcs_write(v, i, encoding & 1 ? value << 32 | (u32)vmcs_get(v, i) : value);
    return 0;
}
