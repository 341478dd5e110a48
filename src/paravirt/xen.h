/* SPDX-License-Identifier: MIT */
/*
 * Inside src/paravirt: the hypervisor, which is one for all domains of a machine. Domain 0 is modelled; each guest
 * is a vm of its own, with its own machine memory, its own half of the ledger and of virtual time, and takes turns
 * with the others on one processor.
 *
 * Two domains share nothing but what is granted: a frame of domain N's stands in another's machine memory at N times
 * 4 GiB above its own address. Nothing but a grant makes a page-table entry that points there, for frame_of_guest()
 * knows only the domain's own.
 */
#ifndef EMU_PARAVIRT_XEN_H
#define EMU_PARAVIRT_XEN_H

#include "base/error.h"
#include "paravirt/store/store.h"

#define DOMID_DRIVER 0          /* the domain that has the devices: modelled in backend/ */
#define DOMID_GUEST 1           /* the first guest */
#define XEN_DOMAINS_MOST 8

struct domain;
struct vm;

struct xen {
    struct domain *domain[XEN_DOMAINS_MOST];    /* domid - DOMID_GUEST; NULL: there is none */
    unsigned ndomains;
    unsigned next;                              /* where the search for a free number begins: behind the last that was given */
    struct store store;
    struct domain *running;                     /* which has, or had last, the processor */
};

/* Take d in, beside the domains of the machine `neighbor` or alone. Its number is not the one that was given last, though that be free: a grant
 * may still name who had it. 0 or -1 with *err. */
int xen_join(struct domain *d, struct vm *neighbor, struct error *err);
/* It goes, and with the last one the hypervisor. */
void xen_leave(struct domain *d);

/* The guest of that number, NULL if there is none or it has ended. */
struct domain *xen_find(const struct xen *x, u16 domid);
/* As an argument of a hypercall, where the caller may say DOMID_SELF or its own number. */
struct domain *xen_find_any(struct domain *d, u16 domid);

/* d is about to run: was it another before? Then the processor is switched. */
void xen_switch_to(struct domain *d);
/* d has ended: everybody gets back what is theirs. */
void xen_bury(struct domain *d);

/* Machine frames of other domains, as a domain's page tables name them. */
#define FOREIGN_SHIFT 20        /* 4 GiB of frames */
static inline bool mfn_is_foreign(u64 mfn) { return mfn >> FOREIGN_SHIFT; }

#endif
