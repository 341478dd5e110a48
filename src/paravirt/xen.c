/* SPDX-License-Identifier: MIT */
/* The hypervisor as a whole: which domains there are, who has the processor, and what is left when one dies. */
#include "paravirt/xen.h"

#include <stdlib.h>

#include "paravirt/domain.h"
#include "paravirt/grant.h"
#include "paravirt/pv.h"

/* --- memory of one another --- */

static gpa_t foreign_base(const struct domain *d) { return (gpa_t)d->domid << (FOREIGN_SHIFT + PAGE_SHIFT); }

static bool is_own_ram(const struct region *r)
{
    return r->kind == REGION_RAM && !mfn_is_foreign(r->gpa >> PAGE_SHIFT);
}

/* `to` sees the memory of `of`. */
static int show_memory(struct domain *to, const struct domain *of, struct error *err)
{
    const struct physmap *m = &of->vm->map;
    for (unsigned i = 0; i < m->nregions; i++)
        if (is_own_ram(&m->region[i]) &&
            physmap_map_other(&to->vm->map, "another domain", foreign_base(of) + m->region[i].gpa, &m->region[i], err) < 0)
            return -1;
    return 0;
}

static void hide_memory(struct domain *from, const struct domain *of)
{
    const struct physmap *m = &of->vm->map;
    for (unsigned i = 0; i < m->nregions; i++)
        if (is_own_ram(&m->region[i]))
            physmap_remove(&from->vm->map, foreign_base(of) + m->region[i].gpa, m->region[i].size);
}

/* --- domains --- */

static struct xen *xen_of(struct vm *neighbor, struct error *err)
{
    if (neighbor && neighbor->engine == &pv_engine)
        return domain_of(neighbor)->xen;
    struct xen *x = calloc(1, sizeof *x);
    if (x && store_init(&x->store))
        return x;
    free(x);
    error_set(err, "not enough memory for a hypervisor");
    return NULL;
}

int xen_join(struct domain *d, struct vm *neighbor, struct error *err)
{
    struct xen *x = xen_of(neighbor, err);
    if (!x || x->ndomains == XEN_DOMAINS_MOST)
        return x ? error_set(err, "at most %d domains on one machine", XEN_DOMAINS_MOST) : -1;
    unsigned i = x->next;
    while (x->domain[i])
        i = (i + 1) % XEN_DOMAINS_MOST;
    x->next = (i + 1) % XEN_DOMAINS_MOST;
    d->xen = x;
    d->domid = DOMID_GUEST + i;
    x->domain[i] = d;
    x->ndomains++;
    for (unsigned k = 0; k < XEN_DOMAINS_MOST; k++)
        if (x->domain[k] && k != i && (show_memory(d, x->domain[k], err) < 0 || show_memory(x->domain[k], d, err) < 0)) {
            xen_leave(d);
            return -1;
        }
    return 0;
}

void xen_leave(struct domain *d)
{
    struct xen *x = d->xen;
    for (unsigned k = 0; k < XEN_DOMAINS_MOST; k++)
        if (x->domain[k] && x->domain[k] != d) {
            hide_memory(x->domain[k], d);
            hide_memory(d, x->domain[k]);
        }
    x->domain[d->domid - DOMID_GUEST] = NULL;
    if (x->running == d)
        x->running = NULL;
    if (--x->ndomains)
        return;
    store_fini(&x->store);
    free(x);
}

struct domain *xen_find(const struct xen *x, u16 domid)
{
    unsigned i = domid - DOMID_GUEST;
    struct domain *d = i < XEN_DOMAINS_MOST ? x->domain[i] : NULL;
    return d && d->started && !d->ended && d->vm->status != VM_ENDED ? d : NULL;
}

struct domain *xen_find_any(struct domain *d, u16 domid)
{
    return domid == DOMID_SELF || domid == d->domid ? d : xen_find(d->xen, domid);
}

/* --- turns --- */

/* What others wrote into our frames meanwhile, and into those of theirs that we have mapped, our processor has not seen. (What they have
 * given back since, grant_release() tells of.) */
static void learn_of_writes(struct domain *d)
{
    for (u32 ref = 0; d->grants && ref < d->grants->frames * GRANTS_PER_FRAME; ref++)
        if (d->grants->active[ref].writers)
            physmap_written(&d->vm->map, maddr(d->grants->active[ref].mfn), PAGE_SIZE);
    for (u32 i = 0; d->grants && i < GRANT_HANDLES; i++)
        if (d->grants->mapping[i].parts && mfn_is_foreign(d->grants->mapping[i].mfn))
            physmap_written(&d->vm->map, maddr(d->grants->mapping[i].mfn), PAGE_SIZE);
}

/* Another address space: nothing of the TLB stays, for it knows no tags (SDM vol. 3, 4.10.4.1). */
void xen_switch_to(struct domain *d)
{
    struct xen *x = d->xen;
    struct domain *before = x->running;
    x->running = d;
    if (!before || before == d)
        return;
    struct mmu *mmu = &domain_cpu(d)->mmu;
    struct tlb_loss loss = mmu_compete(mmu, &domain_cpu(before)->mmu);
    charge(d, EV_PV_DOMAIN_SWITCH);
    d->switches++;
    d->lost.held += loss.held;
    d->lost.lost += loss.held;
    mmu_flush(mmu, true);
    learn_of_writes(d);
}

void xen_bury(struct domain *d)
{
    d->buried = true;
    event_close_all(d);
    grants_unmap_all(d);
    store_release(&d->store);
    drivers_forget(d);
    events_tell_store(d->xen);
}
