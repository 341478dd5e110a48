/* SPDX-License-Identifier: MIT */
/*
 * Xen's public interface as a 32-bit guest sees it. Numbers and layouts come from the installed public headers;
 * here stand only the structures whose layout depends on the size of a long, in their 32-bit form.
 */
#ifndef EMU_PARAVIRT_ABI_H
#define EMU_PARAVIRT_ABI_H

#include "base/types.h" /* Xen's headers want the integer types first */

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/elfnote.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/foreign/x86_32.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* Where the hypervisor begins in a PAE guest's address space (HYPERVISOR_VIRT_START_PAE of xen-x86_32.h, which
 * a 64-bit compiler does not see). The machine-to-physical table comes first and may be read by the
 * guest; above GUEST_SEGMENT_END nothing of the guest's reaches: its segments end there. */
#define XEN_VIRT_START 0xF5800000u
#define M2P_VIRT_START 0xF5800000u
#define M2P_VIRT_END 0xF6800000u
#define GUEST_SEGMENT_END M2P_VIRT_END
#define XEN_FIRST_L2_SLOT (XEN_VIRT_START >> 21 & 511) /* of the page directory in L3 slot 3 */

/* The flat segments in Xen's part of every GDT (xen-x86_32.h). */
#define XEN_RING0_CS 0xe008
#define XEN_RING0_DS 0xe010
#define FLAT_RING1_CS FLAT_RING1_CS_X86_32
#define FLAT_RING1_DS FLAT_RING1_DS_X86_32
#define FLAT_RING3_CS_32 0xe02b
#define FLAT_RING3_DS_32 0xe033
#define XEN_TSS_SELECTOR 0xe040

typedef struct shared_info_x86_32 shared_info32;
typedef struct vcpu_info_x86_32 vcpu_info32;
typedef struct start_info_x86_32 start_info32;
typedef struct trap_info_x86_32 trap_info32;

#pragma pack(push, 4)
struct mmuext_op32 { u32 cmd, arg1 /* mfn or linear_addr */, arg2; };
struct multicall_entry32 { u32 op; s32 result; u32 args[6]; };
struct sched_poll32 { u32 ports, nr_ports; u64 timeout; };
struct vcpu_runstate_info32 { s32 state; u64 state_entry_time, time[4]; };
struct vcpu_singleshot32 { u64 timeout_abs_ns; u32 flags; };
struct memory_map32 { u32 nr_entries, buffer; };
struct machphys_mapping32 { u32 v_start, v_end, max_mfn; };
struct machphys_mfn_list32 { u32 max_extents, extent_start, nr_extents; };
struct memory_reservation32 { u32 extent_start, nr_extents, extent_order, mem_flags; u16 domid; };
struct callback_register32 { u16 type, flags; u32 cs, eip; };
struct e820_entry32 { u64 addr, size; u32 type; };
#pragma pack(pop)

_Static_assert(sizeof(shared_info32) <= 4096, "shared_info fits its page");
_Static_assert(sizeof(vcpu_info32) == 64, "32-bit vcpu_info");
_Static_assert(sizeof(struct multicall_entry32) == 32, "32-bit multicall entry");
_Static_assert(sizeof(struct mmu_update) == 16, "mmu_update is the same for all guests");
_Static_assert(sizeof(struct xencons_interface) <= 4096, "console ring fits its page");

#endif
