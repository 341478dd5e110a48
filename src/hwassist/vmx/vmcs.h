/* SPDX-License-Identifier: MIT */
/*
 * The virtual-machine control structure, SDM vol. 3, chapter 25 and appendix B.
 *
 * A monitor reads and writes it only through vmread() and vmwrite(), by encoding, as the VMX instructions do. Guest-state
 * fields live in the processor's registers while the VMCS is current (live.def), so that VM exits and entries need not copy them.
 */
#ifndef EMU_HWASSIST_VMX_VMCS_H
#define EMU_HWASSIST_VMX_VMCS_H

#include "cpu/state.h"

enum { W16, W64, W32, NATURAL };            /* bits 14:13 of an encoding */
enum { CONTROL, READ_ONLY, GUEST, HOST };   /* bits 11:10 */

/* Features as bits; 0 stands for "always there". */
enum {
#define FEATURE(id, name, needs, help) FEATURE_NR_##id,
#include "hwassist/vmx/features.def"
#undef FEATURE
    FEATURE_COUNT
};
enum {
    FEATURE_ALWAYS = 0,
#define FEATURE(id, name, needs, help) FEATURE_##id = 1 << FEATURE_NR_##id,
#include "hwassist/vmx/features.def"
#undef FEATURE
    FEATURE_EVERY = (1 << FEATURE_COUNT) - 1,
    FEATURE_ALL = FEATURE_EVERY & ~FEATURE_EXITLESS_IO /* what "all" means */
};

/* Encodings by name, and dense indexes for storage. */
enum vmcs_encoding {
#define FIELD(id, encoding, width, type, needs, help) VMCS_##id = encoding,
#include "hwassist/vmx/vmcs.def"
#undef FIELD
};
enum vmcs_index {
#define FIELD(id, encoding, width, type, needs, help) VMCSI_##id,
#include "hwassist/vmx/vmcs.def"
#undef FIELD
    VMCS_FIELDS
};

struct vmcs_field { u16 encoding; u8 width, type; u32 needs; const char *name, *help; };
extern const struct vmcs_field vmcs_fields[VMCS_FIELDS];

/* What was written since the last successful VM entry: only that must be checked again. */
enum { DIRTY_CONTROLS = 1, DIRTY_HOST = 2, DIRTY_GUEST = 4, DIRTY_OFTEN = 8 /* of the guest: to be checked, but nothing is derived from it */ };

struct vmcs {
    u64 value[VMCS_FIELDS];     /* of live fields: what the registers have no room for */
    struct cpu_state *live;     /* the processor on which it is current */
    u32 features;               /* which fields exist */
    bool launched;              /* VMLAUNCH or VMRESUME? SDM vol. 3, 25.1 */
    u8 dirty;
    u64 reads, writes;          /* VMREADs and VMWRITEs, counted */
};

/* VM-instruction error numbers, SDM vol. 3, 31.4. 0: success. */
enum vm_insn_error {
    VMFAIL_VMCLEAR_ADDRESS = 2, VMFAIL_VMCLEAR_VMXON = 3, VMFAIL_VMPTRLD_ADDRESS = 9, VMFAIL_VMPTRLD_VMXON = 10, VMFAIL_VMPTRLD_REVISION = 11,
    VMFAIL_VMXON_IN_ROOT = 15, VMFAIL_INVALIDATION = 28, /* operand of INVEPT or INVVPID */
    VMFAIL_LAUNCH_NOT_CLEAR = 4, VMFAIL_RESUME_NOT_LAUNCHED = 5, VMFAIL_CONTROLS = 7, VMFAIL_HOST_STATE = 8,
    VMFAIL_UNSUPPORTED_FIELD = 12, VMFAIL_READ_ONLY_FIELD = 13,
};

/* VMCLEAR and VMPTRLD in one: all fields zero, the link pointer all ones; *live holds the guest state. */
void vmcs_init(struct vmcs *v, struct cpu_state *live, u32 features);

/* VMREAD and VMWRITE: any encoding. 0, or the VM-instruction error, which is also stored in the VMCS. A value is cut to the field's width. */
int vmread_checked(struct vmcs *v, u32 encoding, u64 *value);
int vmwrite_checked(struct vmcs *v, u32 encoding, u64 value);

/* Index of an encoding (its access-type bit ignored), or -1. */
int vmcs_find(u32 encoding);

/* The processor's own accesses, by index: no checks, no counting. */
u64 vmcs_get(const struct vmcs *v, enum vmcs_index i);
void vmcs_set(struct vmcs *v, enum vmcs_index i, u64 value);

/* The monitor's, by name, for fields that it knows to exist. */
#define vmread(v, id) ((v)->reads++, vmcs_get((v), VMCSI_##id))
#define vmwrite(v, id, x) vmcs_write((v), VMCSI_##id, (x))
void vmcs_write(struct vmcs *v, enum vmcs_index i, u64 value);

#endif
