/* SPDX-License-Identifier: MIT */
/* What stands where on the host's buses, and why groups: what the IOMMU cannot tell apart cannot be given away apart. */
#include "devices/vfio/vfio_host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vfio/vfio_dma.h"

static const struct host_card usual[] = { { CARD_82576, 0, IGB_VFS_MAX }, { CARD_82540EM, 1, 0 }, { CARD_82540EM, 2, 0 } };

/* --- topology --- */

static struct host_device *add_device(struct vfio_host *h, unsigned card, u8 devfn, const char *name, const char *driver)
{
    struct host_device *d = &h->device[h->ndevices++];
    *d = (struct host_device){ .name = name, .driver = driver, .card = card, .devfn = devfn };
    return d;
}

/* PCI Express with access control: each function is a group of its own. */
static int add_82576(struct vfio_host *h, unsigned card, struct error *err)
{
    const u8 mac[6] = { 0x00, 0x1b, 0x21, 0x76, card + 1, 0x00 };
    struct igb *p = h->igb[card] = igb_new(&h->bus[card], 0, mac, h->card[card].vfs, err);
    if (!p)
        return -1;
    struct host_device *pf = add_device(h, card, p->pf.devfn, "82576", "igb");
    pf->is_pf = true;
    pf->group = h->ngroups++;
    for (unsigned i = 0; i < p->vfs; i++) {
        struct host_device *d = add_device(h, card, p->vf[i].function.devfn, "82576 VF", "igbvf");
        d->vf = &p->vf[i];
        d->group = h->ngroups++;
    }
    return 0;
}

/* Behind a bridge: one group for all of them. */
static void add_82540em(struct vfio_host *h, unsigned card)
{
    unsigned group = h->ngroups++;
    for (unsigned i = 0; i < h->card[card].functions; i++) {
        struct host_device *d = add_device(h, card, (i + 1) << 3, "82540EM", "e1000");
        d->alias = true;
        d->group = group;
    }
}

static int add_card(struct vfio_host *h, unsigned card, struct error *err)
{
    h->bus[card].root = &h->root;
    h->bus[card].number = card + 1;
    if (h->card[card].model == CARD_82576)
        return add_82576(h, card, err);
    add_82540em(h, card);
    return 0;
}

struct vfio_host *vfio_host_new(const struct host_card *cards, unsigned n, struct error *err)
{
    struct vfio_host *h = calloc(1, sizeof *h);
    if (!h || host_memory_init(&h->memory, err)) {
        free(h);
        error_set(err, "no memory for the modelled host");
        return NULL;
    }
    h->ncards = n ? n : ARRAY_LEN(usual);
    memcpy(h->card, n ? cards : usual, h->ncards * sizeof *cards);
    h->ngroups = 1;
    vfio_dma_init(h);
    for (unsigned i = 0; i < h->ncards; i++)
        if (add_card(h, i, err)) {
            vfio_host_free(h);
            return NULL;
        }
    return h;
}

void vfio_host_free(struct vfio_host *h)
{
    for (unsigned i = 0; h && i < h->ncards; i++)
        igb_free(h->igb[i]);
    if (h)
        host_memory_fini(&h->memory);
    free(h);
}

/* --- finding --- */

int vfio_parse_address(const char *text, u8 *bus, u8 *devfn, struct error *err)
{
    unsigned b, slot, func;
    int end = 0;
    if (sscanf(text, "%x:%x.%u%n", &b, &slot, &func, &end) != 3 || text[end])
        return error_set(err, "host=%s: give a function's place on the modelled host's buses, as 01:10.0 (or 0000:01:10.0 of this computer)", text);
    if (b > 255 || slot > 31 || func > 7)
        return error_set(err, "host=%s: there is no such place; a bus is up to ff, a slot up to 1f, a function up to 7", text);
    *bus = b;
    *devfn = slot << 3 | func;
    return 0;
}

#define PLACE "%02x:%02x.%x"
#define PLACE_OF(d) (d)->card + 1, (d)->devfn >> 3, (d)->devfn & 7

struct host_device *vfio_host_find(struct vfio_host *h, u8 bus, u8 devfn, struct error *err)
{
    char there[300] = "";
    size_t len = 0;
    for (unsigned i = 0; i < h->ndevices; i++) {
        struct host_device *d = &h->device[i];
        if (d->card + 1 == bus && d->devfn == devfn)
            return d;
        if (!d->is_pf && len < sizeof there)
            len += snprintf(there + len, sizeof there - len, " " PLACE, PLACE_OF(d));
    }
    error_set(err, "host=%02x:%02x.%x: the modelled host has no device there; there are%s (see --host-nic). For one of this computer give four parts: host=0000:%02x:%02x.%x",
              bus, devfn >> 3, devfn & 7, there, bus, devfn >> 3, devfn & 7);
    return NULL;
}

u16 vfio_source(const struct host_device *d) { return iommu_source(d->card + 1, d->alias ? 0 : d->devfn); }

/* --- groups --- */

static bool is_wanted(const struct host_device *d, struct host_device *const *wanted, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (wanted[i] == d)
            return true;
    return false;
}

static int refuse_half(const struct host_device *d, const struct host_device *other, struct error *err)
{
    return error_set(err, "-device vfio-pci,host=" PLACE ": is in IOMMU group %u with " PLACE ", which the host's driver %s keeps. Behind their bridge "
                          "the IOMMU cannot tell them apart, so the guest's device could reach the host's memory; add -device vfio-pci,host=" PLACE
                          ", or take a device that is alone in its group",
                     PLACE_OF(d), d->group, PLACE_OF(other), other->driver, PLACE_OF(other));
}

int vfio_host_check(struct vfio_host *h, const struct host_device *d, struct host_device *const *wanted, unsigned n, struct error *err)
{
    if (d->is_pf)
        return error_set(err, "-device vfio-pci,host=" PLACE ": is the physical function, which the host's driver %s needs for its VFs; take one of them, as "
                              "host=%02x:10.0", PLACE_OF(d), d->driver, d->card + 1);
    if (d->owner)
        return error_set(err, "-device vfio-pci,host=" PLACE ": another machine has it; each function can be given away once", PLACE_OF(d));
    for (unsigned i = 0; i < h->ndevices; i++)
        if (h->device[i].group == d->group && !is_wanted(&h->device[i], wanted, n))
            return refuse_half(d, &h->device[i], err);
    return 0;
}

/* --- for people --- */

static void print_iommu(const struct iommu *u, FILE *out)
{
    u64 looked = u->hits + u->walks;
    fprintf(out, "IOMMU: %" PRIu64 " requests; IOTLB: %" PRIu64 " of %" PRIu64 " hit (%.1f %%), %" PRIu64 " walks, %" PRIu64 " references; %" PRIu64
                 " faults, %" PRIu64 " invalidations, %" PRIu64 " interrupt messages\n",
            u->requests, u->hits, looked, looked ? 100.0 * u->hits / looked : 0, u->walks, u->walk_refs, u->faults, u->invalidations, u->interrupts);
    for (unsigned i = 0; i < FAULT_RECORDS; i++) {
        const struct fault_record *f = &u->fault[i];
        if (f->high & FRCD_FAULT)
            fprintf(out, "  fault: %s of 0x%" PRIx64 " by %02x:%02x.%x, reason %u: %s\n", f->high & FRCD_READ ? "read" : "write", f->low, (unsigned)(f->high >> 8 & 0xff),
                    (unsigned)(f->high >> 3 & 31), (unsigned)(f->high & 7), (unsigned)(f->high >> 32 & 0xff), iommu_reason_text(f->high >> 32 & 0xff));
    }
}

void vfio_host_print(const struct vfio_host *h, FILE *out)
{
    for (unsigned i = 0; i < h->ndevices; i++) {
        const struct host_device *d = &h->device[i];
        fprintf(out, "host " PLACE " %s, IOMMU group %u: %s\n", PLACE_OF(d), d->name, d->group, d->owner ? "vfio-pci" : d->driver);
    }
    print_iommu(&h->iommu, out);
}
