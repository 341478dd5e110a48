/* SPDX-License-Identifier: MIT */
/* Grants and event channels: how two domains share a page and ring one another's bell. */
#include "domains/domains.h"

#define REFS 512
#define FIRST_REF 8 /* those before are reserved */

static union { struct grant_entry_v1 entry[REFS]; u8 page[4096]; } table __attribute__((aligned(4096)));

void *memset(void *to, int c, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        ((u8 volatile *)to)[i] = c;
    return to;
}

void *memcpy(void *to, const void *from, unsigned long n)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return start;
}

/* Our page's frame is exchanged for the one that Xen reads. */
void share_start(void)
{
    u32 frame;
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    set_xen_guest_handle(setup.frame_list, (void *)&frame);
    if (hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1) || setup.status)
        kernel_panic("no grant table");
    pte_write(&table, (u64)frame << 12 | PTE_PRESENT | PTE_WRITE);
    tlb_flush();
}

u32 share_grant(const void *page, u16 domid, _Bool readonly)
{
    for (u32 ref = FIRST_REF; ref < REFS; ref++) {
        struct grant_entry_v1 volatile *e = &table.entry[ref];
        if (e->flags)
            continue;
        e->frame = machine_frame[((u32)page - VIRT_BASE) >> 12];
        e->domid = domid;
        xen_wmb(); /* what is granted is said before that it is */
        e->flags = GTF_permit_access | (readonly ? GTF_readonly : 0);
        return ref;
    }
    kernel_panic("all grants are in use");
}

/* Flags to 0 in one step, and only if Xen has not marked them meanwhile. */
_Bool share_revoke(u32 ref)
{
    u16 volatile *flags = &table.entry[ref].flags;
    u16 old = *flags, was = old;
    if (old & (GTF_reading | GTF_writing))
        return 0;
    __asm__ volatile("lock; cmpxchgw %2, %1" : "+a"(was), "+m"(*flags) : "r"((u16)0) : "memory");
    return was == old;
}

u16 share_self(void) { return store_read_number("domid"); }

int share_map(u16 domid, u32 ref, void *page, u32 *handle)
{
    struct gnttab_map_grant_ref map = { .host_addr = (u32)page, .flags = GNTMAP_host_map, .ref = ref, .dom = domid };
    hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1);
    *handle = map.handle;
    return map.status;
}

int share_unmap(void *page, u32 handle)
{
    struct gnttab_unmap_grant_ref unmap = { .host_addr = (u32)page, .handle = handle };
    hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1);
    return unmap.status;
}

int share_copy(u16 domid, u32 ref, void *to, u32 len)
{
    struct gnttab_copy copy = { .source = { .u.ref = ref, .domid = domid }, .len = len, .flags = GNTCOPY_source_gref };
    copy.dest.u.gmfn = machine_frame[((u32)to - VIRT_BASE) >> 12];
    copy.dest.domid = DOMID_SELF;
    copy.dest.offset = (u32)to & 4095;
    hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &copy, 1);
    return copy.status;
}

/* --- event channels --- */

u32 event_new(u16 domid)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = domid };
    if (hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &a))
        kernel_panic("no event channel");
    return a.port;
}

u32 event_bind(u16 domid, u32 port)
{
    struct evtchn_bind_interdomain b = { .remote_dom = domid, .remote_port = port };
    return hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &b) ? 0 : b.local_port;
}

void event_close(u32 port)
{
    struct evtchn_close c = { port };
    hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &c);
}

void event_notify(u32 port)
{
    struct evtchn_send send = { port };
    hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

/* The port stays masked: no upcall is made, but a poll ends when it is pending. */
void event_wait(u32 port)
{
    evtchn_port_t p = port;
    struct sched_poll poll = { .nr_ports = 1 };
    set_xen_guest_handle(poll.ports, &p);
    hypercall2(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
    __asm__ volatile("lock; btrl %1, %0" : "+m"(xen_shared->evtchn_pending[port / 32]) : "r"(port % 32) : "memory");
}
