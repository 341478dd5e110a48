/* SPDX-License-Identifier: MIT */
/*
 * Inside src/paravirt only: the hypervisor's view of a domain, and how the room's files speak with one another.
 *
 * Words, as Xen uses them: a machine frame number (mfn) is a page of the machine's memory, here of the physmap; a
 * pseudo-physical frame number (pfn) is the domain's own contiguous numbering. The guest's page tables hold mfns.
 * Each domain is a vm with machine memory of its own; that of another domain stands in its physmap too, above 4 GiB (xen.h).
 *
 * Handlers of hypercalls return 0 or more, or -XEN_Exxx. A domain that breaks rules in a way that no error code can
 * answer is ended by domain_crash(), which returns: the run loop sees it after the handler.
 */
#ifndef EMU_PARAVIRT_DOMAIN_H
#define EMU_PARAVIRT_DOMAIN_H

#include "machine/vm.h"
#include "paravirt/abi.h"
#include "paravirt/store/store.h"
#include "paravirt/xen.h"

/* --- machine frames and their types (pagetype.c) --- */

enum frame_owner {
    OWNER_NOBODY,   /* no RAM, or free */
    OWNER_XEN,      /* the hypervisor's own: never mapped by the guest */
    OWNER_DOMAIN,
    OWNER_SHARED,   /* Xen's page that the guest may map writable: shared_info */
};

/* What a frame is used as. Types exclude one another while the count is above zero: so a page table is never writable. */
enum frame_type {
    TYPE_NONE, TYPE_WRITABLE, TYPE_L1, TYPE_L2,
    TYPE_L2_XEN,    /* the page directory of L3 slot 3, which holds Xen's own entries too */
    TYPE_L3,
    TYPE_SEGDESC,   /* a page of the GDT or LDT */
    TYPE_COUNT
};

struct frame {
    u8 owner, type;
    bool pinned;        /* the guest asked to keep the type: one type reference */
    bool allocated;     /* part of the domain's memory; once given back, the frame is free when its last reference goes */
    u32 type_count;     /* references that rely on the type */
    u32 refs;           /* all references: page-table entries, pins, GDT and LDT slots, CR3 */
};

#define PTE_P 1
#define PTE_RW 2
#define PTE_USER 4
#define PTE_A 0x20
#define PTE_D 0x40
#define PTE_PSE 0x80
#define PTES 512 /* entries in a PAE table of 4 KiB */

/* --- event channels (event.c) --- */

#define PV_PORTS 1024 /* of the two-level ABI of a 32-bit guest */
enum backend { BACKEND_NONE, BACKEND_CONSOLE, BACKEND_STORE, BACKEND_DEVICE };
struct port {
    u8 state;           /* EVTCHNSTAT_* */
    u8 backend;         /* interdomain with domain 0: who listens there (enum backend) */
    u16 remote_dom;     /* unbound, interdomain */
    u16 remote_port;    /* interdomain with a guest, perhaps this very one (loopback) */
    u32 virq;
    struct backend_device *device; /* BACKEND_DEVICE: it */
};

/* --- one virtual processor --- */

struct pv_vcpu {
    trap_info32 trap[256];
    u32 event_cs, event_eip;
    u32 failsafe_cs, failsafe_eip;  /* where a return that cannot be made goes. (Data segments are never reloaded here, so cannot fault.) */
    bool failsafe_masks;            /* and masks events */
    u16 kernel_ss;
    u32 kernel_sp;
    u32 base_mfn;               /* L3 in CR3, one reference of TYPE_L3 */
    u32 gdt_mfn[FIRST_RESERVED_GDT_PAGE];
    unsigned gdt_pages;
    u32 ldt_base, ldt_ents;
    u32 ldt_mfn[16];            /* pages that were touched; 0: not mapped */
    u8 iopl;                    /* virtual */
    bool ts;                    /* virtual CR0.TS */
    u32 dr[8];
    vcpu_info32 *info;          /* in shared_info, or where the guest registered it */
    u32 info_mfn;               /* then with a reference for good; 0: in shared_info */
    bool blocked, polling;
    u64 runstate_since;         /* ns */
    u64 runstate_time[4];       /* ns, without the current one */
    u8 runstate;
    u32 runstate_area;          /* gva, 0: none */
    struct timer singleshot, periodic, poll_timeout;
    u64 period;                 /* cycles, 0: none */
    cycles_t time_stamped;      /* when vcpu_time_info was written last */
};

#define PREEMPTED 0x80000000u   /* the flag that a continued call carries in the length of its list */
#define HYPERCALLS_COUNTED 64    /* numbers; architecture and vendor calls lie below */

struct domain {
    struct xen *xen;            /* the hypervisor, with all its domains */
    u16 domid;
    struct vm *vm;
    struct vcpu *vcpu;
    struct pv_vcpu v;

    struct frame *frame;        /* [nframes], by mfn */
    u32 nframes;                /* one past the machine's highest frame */
    u32 *pool;                  /* [npool] machine frames of RAM in ascending order; the first npool_xen are Xen's */
    u32 npool, npool_xen, xen_used;
    u32 nr_pages, max_pages;    /* of the domain */
    u32 *m2p;                   /* machine to pseudo-physical, in guest-readable pages of the machine */
    u32 m2p_pages;

    /* Xen's own pages */
    u32 xen_l1_m2p[8], xen_l1_private, zero_mfn, l3_copy_mfn;
    u64 xen_l2[PTES - XEN_FIRST_L2_SLOT]; /* entries of every page directory in L3 slot 3 */
    u64 *private_pte;           /* L1 of the private area: GDT, LDT, TSS, IDT */
    u8 *tss, *idt, *gdt_own;

    u32 shared_mfn, console_mfn, store_mfn;
    shared_info32 *shared;
    struct xencons_interface *console;
    struct store_guest store;   /* our end of the one store, that is xen->store */
    struct port port[PV_PORTS];
    u32 console_port, store_port;
    struct grants *grants;      /* owned */
    struct drivers *drivers;    /* owned: domain 0's back-ends */

    u32 vm_assist;
    u32 features;               /* XENFEAT_* that are offered, submap 0 */
    bool ended, buried;         /* buried: what it had of others has been given back */
    bool yielded;               /* it gave its turn away */
    u64 switches;               /* how often the processor came to it from another domain, */
    struct tlb_loss lost;       /* and what of its TLB that cost, summed up */
    enum exit_kind end;
    char why[256];
    u64 types_made[TYPE_COUNT]; /* counted promotions, for `info` */
    struct hypercall_count { u64 calls, entries; u32 most; } called[HYPERCALLS_COUNTED]; /* by number, those within a multicall too */
    cycles_t call_started;      /* of the hypercall that is carried out, */
    bool may_pause, paused;     /* which may, or did, stop before its end, */
    u32 rest[6];                /* with these arguments for the rest */
    u32 next_free;              /* index in pool[] below which no frame is free */
    bool started;               /* nothing is charged while the domain is built */
};

static inline struct domain *domain_of(struct vm *vm) { return vm->engine_data; }
static inline struct cpu *domain_cpu(struct domain *d) { return &d->vcpu->cpu; }
static inline void charge_n(struct domain *d, enum event e, u64 n)
{
    if (d->started)
        ledger_charge_n(&d->vm->ledger, e, n);
}
static inline void charge(struct domain *d, enum event e) { charge_n(d, e, 1); }

/* End the domain; the first call wins. */
void domain_end(struct domain *d, enum exit_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define domain_crash(d, ...) domain_end((d), EXIT_STOPPED, "Xen crashed the domain: " __VA_ARGS__)

/* --- build.c, xenmem.c, notes.c --- */
int domain_load(struct vm *vm, struct error *err);
void hypercall_page_fill(u8 page[PAGE_SIZE]);
/* Frame table, Xen's own pages and their mappings. 0 or -1 with *err. */
int xenmem_init(struct domain *d, struct error *err);
void xenmem_fini(struct domain *d);
/* One of Xen's own frames; 0 when there is none left. */
u32 xenmem_alloc(struct domain *d);
/* Host address of a machine frame that is RAM; NULL otherwise. */
u8 *frame_hva(struct domain *d, u32 mfn);
static inline u64 maddr(u32 mfn) { return (u64)mfn << PAGE_SHIFT; }
/* The private area, above the reach of guest segments: linear addresses. */
#define PRIVATE_VIRT 0xFF000000u
#define GDT_VIRT PRIVATE_VIRT                   /* 16 pages: 14 of the guest's, Xen's, none */
#define LDT_VIRT (PRIVATE_VIRT + 0x10000)       /* 16 pages */
#define IDT_VIRT (PRIVATE_VIRT + 0x20000)
#define TSS_VIRT (PRIVATE_VIRT + 0x21000)
void private_map(struct domain *d, u32 gva, u32 mfn); /* mfn 0: unmap */

/* --- guest memory (guestmem.c): below the hypervisor, with ring 1's rights; 0 or -XEN_EFAULT --- */
bool guest_range_ok(u32 gva, u64 len);
int copy_from_guest(struct domain *d, void *to, u32 gva, u32 len);
int copy_to_guest(struct domain *d, u32 gva, const void *from, u32 len);

/* --- types (pagetype.c). 0 or -XEN_Exxx --- */
/* The frame if it is the domain's own (or shared, where that is allowed), else NULL. */
struct frame *frame_of_guest(struct domain *d, u64 mfn);
int frame_get_type(struct domain *d, u64 mfn, enum frame_type type);
void frame_put_type(struct domain *d, u32 mfn);
void frame_put(struct domain *d, u32 mfn); /* a reference without a type */
/* The domain gives it back: now, or when its last reference goes. */
void frame_release(struct domain *d, u32 mfn);
extern const char *const frame_type_names[TYPE_COUNT];

/* --- page-table entries (pagetable.c) --- */
int table_validate(struct domain *d, u32 mfn, enum frame_type type);   /* takes the references of all entries */
void table_release(struct domain *d, u32 mfn, enum frame_type type);   /* and gives them back */
int table_write(struct domain *d, u32 mfn, unsigned slot, u64 pte, bool keep_ad); /* one checked update */
/* An L1 entry for another domain's frame, on which the caller holds references for as long as the frame may be used. */
void table_write_foreign(struct domain *d, u32 mfn, unsigned slot, u64 pte);
/* The L1 entry that maps gva under the current base: its table's mfn and slot; -XEN_EINVAL if there is no L1. */
int table_find_l1(struct domain *d, u32 gva, u32 *mfn, unsigned *slot);
void tlb_flush(struct domain *d);
/* CR3 points to a copy of the guest's L3 in a page of Xen's, so that the L3 itself may lie above 4 GiB. This makes the copy. */
void base_copy(struct domain *d, u32 mfn);
/* And this loads it: a frame on which the caller holds a reference of TYPE_L3; it is the domain's now. */
void base_switch(struct domain *d, u32 mfn);

/* --- descriptors (segments.c) --- */
bool descriptor_sanitize(u64 *raw);     /* what a guest may have; narrows limit and privilege in place. false: refuse */
void ldt_unmap(struct domain *d);
bool ldt_fault(struct domain *d, u32 gva); /* a page of the LDT is touched for the first time; true: mapped */
void tss_set_stack(struct domain *d);
void direct_trap_set(struct domain *d); /* gate of INT 80h in the real IDT */
static inline bool direct_trap(const struct domain *d) { return d->v.trap[0x80].address && !(d->v.trap[0x80].flags & 4); }

/* --- traps (traps.c, bounce.c) --- */
void trap_handle(struct domain *d, const struct cpu_stop *stop);
/* Enter the guest kernel at cs:eip with a frame of the interrupted state; false: the domain was crashed. */
bool bounce(struct domain *d, u16 cs, u32 eip, bool has_error, u32 error, bool mask_events);
/* Give the guest the exception, by its own trap table. */
void trap_inject(struct domain *d, u8 vector, bool has_error, u32 error);
void set_ts(struct domain *d, bool ts); /* CR0.TS, the guest's and the real one */
void trap_inject_pf(struct domain *d, u32 error, u32 cr2);
bool upcall_deliver(struct domain *d);
/* Load CS:EIP, EFLAGS and SS:ESP as a return from ring 0 would; false if a selector is not the guest's to have. */
bool load_context(struct domain *d, u16 cs, u32 eip, u32 eflags, u16 ss, u32 esp);
static inline bool guest_kernel_mode(const struct domain *d) { return state_cpl(&d->vcpu->cpu.state) == 1; }

/* --- emulate.c: #GP in ring 1. True if the instruction was emulated --- */
bool emulate_privileged(struct domain *d);
bool emulate_forced_cpuid(struct domain *d); /* the prefix that asks for Xen's CPUID */
void pv_cpuid(struct domain *d, u32 leaf, u32 subleaf, u32 out[4]);

/* --- ptwr.c: a store into a page table that faulted at gva. True if it was checked and done --- */
bool ptwr_emulate(struct domain *d, u32 gva);

/* --- events (event.c) --- */
void event_set_pending(struct domain *d, u32 port);
void event_raise_virq(struct domain *d, u32 virq);
u32 event_bind_backend(struct domain *d, enum backend backend); /* a port that is connected to domain 0 */
struct backend_device;
/* The port that the guest made for domain 0 is connected to a back-end. False: it is no such port. */
bool event_bind_device(struct domain *d, u32 port, struct backend_device *device);
void event_unbind_device(struct domain *d, u32 port); /* 0: nothing to do */
void event_close_all(struct domain *d);        /* the other ends learn of it */
void events_tell_store(struct xen *x);         /* of what the store has for any domain */
bool event_pending(const struct domain *d);    /* and not masked: an upcall is due */
void vcpu_block(struct domain *d);
void vcpu_wake(struct domain *d);

/* --- time.c --- */
u64 system_time(const struct domain *d); /* ns since the domain started */
cycles_t system_time_to_cycle(const struct domain *d, u64 ns);
void time_init(struct domain *d);
void time_fini(struct domain *d);
void time_refresh(struct domain *d);     /* keep vcpu_time_info fresh, at each entry to the guest */
void runstate_change(struct domain *d, u8 state);

/* --- grants (grant.c, grant_access.c, grant_copy.c) --- */
int grants_init(struct domain *d, struct error *err);
void grants_fini(struct domain *d);
/* `domid` uses the frame behind a grant of the guest's from now on: GNTST_okay with *mfn, or why not. Pair with grant_release(). */
s16 grant_acquire(struct domain *d, u16 domid, u32 ref, bool readonly, u32 *mfn);
void grant_release(struct domain *d, u32 ref, bool readonly);
void charge_copy(struct domain *d, u32 bytes); /* copied between two domains */
void grants_unmap_all(struct domain *d);       /* the domain is gone: what it had mapped of others is theirs again */

/* --- domain 0 (backend/) --- */
int drivers_init(struct domain *d, struct error *err);  /* the store and the back-ends of what the machine has */
void drivers_fini(struct domain *d);
void drivers_forget(struct domain *d);                  /* the toolstack removes what the store had of it */
void drivers_info(const struct domain *d, void *file);
void backend_notify(struct backend_device *b);          /* the guest kicked its event channel */
void backend_lost_port(struct backend_device *b);       /* or closed it */

/* --- console.c --- */
void console_init(struct domain *d);
void console_fini(struct domain *d);
void console_notify(struct domain *d);   /* the guest kicked the console's event channel */

/* --- hypercalls (dispatch.c and the files of their subjects) --- */
struct hypercall {
    u16 nr;
    const char *name;
    u8 nargs;
    u16 event;              /* enum event */
    s32 (*handler)(struct domain *d, const u32 arg[6]);
    const char *help;
};
extern const struct hypercall hypercalls[];
const struct hypercall *hypercall_find(u32 nr);
/* Charge, trace and call one; -XEN_ENOSYS when there is none. */
s32 hypercall_call(struct domain *d, u32 nr, const u32 arg[6]);
/* For `info`: each call by number, and of those that take a list how long it was. */
void hypercalls_info(const struct domain *d, void *file);
/* INT 82h of ring 1: number in EAX, arguments in EBX, ECX, EDX, ESI, EDI, EBP; result in EAX. */
void hypercall_trap(struct domain *d);

/* In a handler that works through a list, after each item: has it taken long enough? Then it returns hypercall_pause() with the
 * arguments of a call that would do the rest. */
bool hypercall_must_pause(const struct domain *d);
s32 hypercall_pause(struct domain *d, const u32 rest[6]);

#define HYPERCALL(nr, name, nargs, event, help) s32 do_##name(struct domain *d, const u32 arg[6]);
#include "paravirt/hypercalls.def"
#undef HYPERCALL

#endif
