/* SPDX-License-Identifier: MIT */
/* Hypercalls that tell the guest about its hypervisor, and the few that have no other home. */
#include <string.h>

#include "paravirt/domain.h"

/* --- xen_version --- */

#define XEN_MAJOR 3 /* the generation that ran 32-bit guests on 32-bit hardware, behind segment limits */
#define XEN_MINOR 4

static s32 reply(struct domain *d, u32 gva, const void *from, u32 size)
{
    return copy_to_guest(d, gva, from, size);
}

static s32 reply_text(struct domain *d, u32 gva, const char *text, u32 size)
{
    char buf[1024] = { 0 };
    memcpy(buf, text, strlen(text));
    return reply(d, gva, buf, size);
}

static s32 features(struct domain *d, u32 gva)
{
    struct xen_feature_info f;
    if (copy_from_guest(d, &f, gva, sizeof f) < 0)
        return -XEN_EFAULT;
    if (f.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -XEN_EINVAL;
    f.submap = d->features;
    return reply(d, gva, &f, sizeof f);
}

static s32 compile_info(struct domain *d, u32 gva)
{
    struct xen_compile_info c = { .compiler = "gcc", .compile_by = "emu", .compile_domain = "emu", .compile_date = "virtual time" };
    return reply(d, gva, &c, sizeof c);
}

s32 do_xen_version(struct domain *d, const u32 arg[6])
{
    static const u8 handle[16];
    u32 virt_start = XEN_VIRT_START;
    switch (arg[0]) {
    case XENVER_version:
        return XEN_MAJOR << 16 | XEN_MINOR;
    case XENVER_extraversion:
        return reply_text(d, arg[1], ".0-emu", XEN_EXTRAVERSION_LEN);
    case XENVER_compile_info:
        return compile_info(d, arg[1]);
    case XENVER_capabilities:
        return reply_text(d, arg[1], "xen-3.0-x86_32p", XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset:
        return reply_text(d, arg[1], "unavailable", XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters:
        return reply(d, arg[1], &virt_start, sizeof virt_start);
    case XENVER_get_features:
        return features(d, arg[1]);
    case XENVER_pagesize:
        return PAGE_SIZE;
    case XENVER_guest_handle:
        return reply(d, arg[1], handle, sizeof handle);
    }
    return -XEN_ENOSYS;
}

/* --- vm_assist --- */

/* Stores into page tables are always emulated (ptwr.c), asked for or not. 4-GiB segments are accepted because kernels insist,
 * as a 64-bit Xen accepts them: their limits are still cut, so offsets that wrap fault. */
#define ASSISTS (BIT(VMASST_TYPE_4gb_segments) | BIT(VMASST_TYPE_writable_pagetables) | BIT(VMASST_TYPE_pae_extended_cr3) | BIT(VMASST_TYPE_architectural_iopl))

s32 do_vm_assist(struct domain *d, const u32 arg[6])
{
    u32 cmd = arg[0], type = arg[1];
    if (type > 31 || !(ASSISTS >> type & 1))
        return -XEN_EINVAL;
    if (cmd == VMASST_CMD_enable)
        d->vm_assist |= 1u << type;
    else if (cmd == VMASST_CMD_disable)
        d->vm_assist &= ~(1u << type);
    else
        return -XEN_ENOSYS;
    return 0;
}

/* --- debug registers --- */

#define DR7_RESERVED_SET 0x400
#define DR7_GENERAL_DETECT 0x2000

s32 do_set_debugreg(struct domain *d, const u32 arg[6])
{
    u32 reg = arg[0], value = arg[1];
    if (reg > 7 || reg == 4 || reg == 5)
        return -XEN_EINVAL;
    if (reg < 4 && value >= XEN_VIRT_START)
        return -XEN_EPERM; /* no watching of the hypervisor */
    if (reg == 7)
        value = (value & ~(DR7_GENERAL_DETECT | 0xd800)) | DR7_RESERVED_SET;
    if (reg == 6)
        value = (value & ~0x1000u) | 0xffff0ff0;
    d->v.dr[reg] = value;
    domain_cpu(d)->state.dr[reg] = value;
    return 0;
}

s32 do_get_debugreg(struct domain *d, const u32 arg[6])
{
    return arg[0] > 7 ? -XEN_EINVAL : (s32)d->v.dr[arg[0]];
}

/* --- physdev_op --- */

static s32 set_iopl(struct domain *d, u32 gva)
{
    struct physdev_set_iopl p;
    if (copy_from_guest(d, &p, gva, sizeof p) < 0)
        return -XEN_EFAULT;
    if (p.iopl > 3)
        return -XEN_EINVAL;
    d->v.iopl = p.iopl;
    return 0;
}

s32 do_physdev_op(struct domain *d, const u32 arg[6])
{
    return arg[0] == PHYSDEVOP_set_iopl ? set_iopl(d, arg[1]) : -XEN_ENOSYS;
}

/* The old form has command and arguments in one structure. */
s32 do_physdev_op_compat(struct domain *d, const u32 arg[6])
{
    u32 cmd;
    if (copy_from_guest(d, &cmd, arg[0], sizeof cmd) < 0)
        return -XEN_EFAULT;
    return cmd == PHYSDEVOP_set_iopl ? set_iopl(d, arg[0] + sizeof cmd) : -XEN_ENOSYS;
}
