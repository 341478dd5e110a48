/* SPDX-License-Identifier: MIT */
/*
 * The guest's function has the identity and the base address registers of the host's; behind the registers is the host's device itself. What
 * decides about addresses and interrupts, the guest does not get: it writes into copies, and what they mean is set up by the IOMMU's tables.
 */
#include "devices/vfio/vfio.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "devices/e1000/e1000.h"
#include "devices/vfio/vfio_dma.h"

enum { FIRST_SLOT = 16, MSIX_AT = 0x70, HOST_VECTOR = 0x60, REMAPPABLE = 0xfee00010, INTERRUPT_TABLE = 256 };
_Static_assert(HOST_DEVICES * IGB_VF_VECTORS <= INTERRUPT_TABLE, "each of the host's devices has its own entries");

struct vfio_device {
    struct pci_function guest;
    struct pci_msix msix;           /* the guest's table; the device's own is the host's */
    struct vfio_host *host;
    struct host_device *d;
    struct pci_function *function;  /* the host's */
    struct device *e1000;           /* of an 82540EM: made for this guest; owned */
    u16 irte;                       /* the first of its messages */
    bool enabled;                   /* MSI-X, as set up on the device */
    void (*host_interrupt)(void *machine);
    void *machine;
    const bool *posting;
    u64 posted, remapped, pins;     /* interrupts, counted */
};

struct vfio_set {
    struct device dev;
    struct vfio_container container;
    bool open;
    struct vfio_device *device[VFIO_SLOTS_MAX];     /* owned */
    unsigned count;
};

/* --- interrupts --- */

/* Without posting, the message is the host's: its processor is interrupted, out of the guest if need be. */
static void tell_host(struct vfio_device *v)
{
    if (v->host_interrupt)
        v->host_interrupt(v->machine);
}

void vfio_message(struct vfio_device *v, u16 index, bool posted)
{
    unsigned n = index - v->irte;
    if (n >= v->msix.vectors)
        return;
    *(posted ? &v->posted : &v->remapped) += 1;
    if (!posted)
        tell_host(v);
    pci_msix_send(&v->msix, n);
}

void vfio_pin(struct vfio_device *v)
{
    if (v->function->intx == v->guest.intx)
        return;
    v->pins += v->function->intx;
    if (v->function->intx)
        tell_host(v);
    pci_set_intx(&v->guest, v->function->intx);
}

static const struct pci_bar *table_of(const struct vfio_device *v) { return &v->function->bar[IGB_VF_MSIX_BAR]; }

static void set_vector(struct vfio_device *v, unsigned n)
{
    u16 index = v->irte + n;
    const u32 words[4] = { REMAPPABLE | (index & 0x7fff) << 5, 0, v->d->owner->no_iommu ? index : 0, 0 };
    vfio_set_irte(v->host, index, vfio_source(v->d), v->posting && *v->posting, HOST_VECTOR + n);
    for (unsigned i = 0; i < 4; i++)
        table_of(v)->ops->write(table_of(v)->dev, 16 * n + 4 * i, 4, words[i]);
}

/* The guest has switched MSI-X on or off. Its own addresses stay in its own table: the device's says which of the host's entries is meant. */
static void switch_msix(struct vfio_device *v)
{
    bool on = pci_msix_enabled(&v->msix);
    if (on == v->enabled)
        return;
    v->enabled = on;
    for (unsigned n = 0; on && n < v->msix.vectors; n++)
        set_vector(v, n);
    pci_put(v->function->config, MSIX_AT + 2, 2, (v->msix.vectors - 1) | (on ? 0x8000 : 0));
}

/* --- configuration space: a copy --- */

static void config_written(struct pci_function *f, u8 offset, unsigned size)
{
    struct vfio_device *v = f->dev;
    v->function->config[PCI_COMMAND] = f->config[PCI_COMMAND] & (PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    if (!v->msix.vectors)
        return;
    switch_msix(v);
    pci_msix_written(&v->msix);
}

/* The registers are the device's own; but those with the MSI-X table are the guest's copy. */
static void copy_bars(struct vfio_device *v)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct pci_bar bar = v->function->bar[n];
        if (!bar.size || (v->d->vf && n == IGB_VF_MSIX_BAR))
            continue;
        bar.direct = !bar.io;
        pci_set_bar(&v->guest, n, &bar);
    }
    if (v->d->vf)
        pci_msix_add(&v->msix, &v->guest, MSIX_AT, IGB_VF_MSIX_BAR, IGB_VF_VECTORS);
}

static void make_guest_function(struct vfio_device *v)
{
    struct pci_function *g = &v->guest;
    const u8 *c = v->function->config;
    pci_identify(g, pci_get(c, PCI_VENDOR, 2), pci_get(c, PCI_DEVICE, 2), pci_get(c, PCI_CLASS, 3), c[PCI_REVISION]);
    pci_put(g->config, PCI_SUBSYSTEM_VENDOR, 4, pci_get(c, PCI_SUBSYSTEM_VENDOR, 4));
    g->config[PCI_INTERRUPT_PIN] = c[PCI_INTERRUPT_PIN];
    g->dev = v;
    g->assigned = v;
    g->written = config_written;
    copy_bars(v);
}

/* --- taking a device, and giving it back --- */

static void pin_changed(void *sink, unsigned line, bool level)
{
    struct vfio_host *h = sink;
    for (unsigned i = 0; i < h->ndevices; i++)
        if (h->device[i].device && h->device[i].alias)
            vfio_pin(h->device[i].device);
}

/* The host's driver has let go of it; it is made anew, with this guest's clock and cable. */
static int take_82540em(struct vfio_device *v, const struct platform *to, const struct vfio_slot *s, struct error *err)
{
    struct platform own = { .clock = to->clock, .tracer = to->tracer, .pci = &v->host->bus[v->d->card] };
    own.nic[0] = (struct nic){ .model = NIC_E1000, .mac = { 0x00, 0x1b, 0x21, 0x54, v->d->card + 1, v->d->devfn >> 3 }, .slot = v->d->devfn >> 3, .wire = s->wire };
    for (unsigned i = 0; i < ARRAY_LEN(own.pci->pirq); i++)
        own.pci->pirq[i] = (struct irq){ pin_changed, v->host, i };
    v->e1000 = e1000_ops.create(&own, err);
    v->function = own.pci->function[v->d->devfn];
    return v->e1000 ? 0 : -1;
}

static int take(struct vfio_device *v, const struct platform *to, const struct vfio_slot *s, struct error *err)
{
    if (!v->d->vf)
        return take_82540em(v, to, s, err);
    igb_vf_hand_over(v->d->vf, to->clock, s->wire);
    v->function = &v->d->vf->function;
    v->irte = (v->d - v->host->device) * IGB_VF_VECTORS;
    return 0;
}

static void give_back(struct vfio_device *v)
{
    struct pci_bus *bus = &v->host->bus[v->d->card];
    if (v->function) {
        v->function->config[PCI_COMMAND] = 0;
        v->function->assigned = NULL;
    }
    if (v->d->owner)
        vfio_container_detach(v->d->owner, v->d);
    if (v->d->vf)
        igb_vf_give_back(v->d->vf);
    else
        bus->function[v->d->devfn] = NULL;
    if (v->e1000)
        v->e1000->ops->destroy(v->e1000);
    v->d->device = NULL;
    free(v);
}

static struct vfio_device *open_device(struct vfio_set *set, struct platform *to, const struct vfio_slot *s, struct error *err)
{
    struct vfio_device *v = calloc(1, sizeof *v);
    if (!v) {
        error_set(err, "-device vfio-pci: no memory");
        return NULL;
    }
    *v = (struct vfio_device){ .host = to->vfio_host, .d = s->device, .host_interrupt = to->host_interrupt, .machine = to->machine, .posting = to->posting };
    if (take(v, to, s, err)) {
        give_back(v);
        return NULL;
    }
    v->function->assigned = v->d;
    v->d->device = v;
    vfio_container_attach(&set->container, v->d);
    make_guest_function(v);
    return v;
}

/* --- all of them --- */

static void reset_device(struct vfio_device *v)
{
    pci_reset(&v->guest);
    if (v->d->vf) {
        pci_msix_reset(&v->msix);
        switch_msix(v);
        igb_vf_reset(v->d->vf);
    } else {
        v->e1000->ops->reset(v->e1000);
    }
    v->function->config[PCI_COMMAND] = 0;
}

static void set_reset(struct device *dev)
{
    struct vfio_set *s = (struct vfio_set *)dev;
    for (unsigned i = 0; i < s->count; i++)
        reset_device(s->device[i]);
}

static void set_destroy(struct device *dev)
{
    struct vfio_set *s = (struct vfio_set *)dev;
    while (s->count)
        give_back(s->device[--s->count]);
    if (s->open)
        vfio_container_fini(&s->container);
    free(s);
}

static int add_device(struct vfio_set *s, struct platform *to, unsigned n, struct error *err)
{
    const struct vfio_slot *slot = &to->vfio[n];
    struct vfio_device *v = open_device(s, to, slot, err);
    if (!v)
        return -1;
    s->device[s->count++] = v;
    return pci_add(to->pci, slot->slot ? slot->slot : FIRST_SLOT + n, 0, &v->guest, err);
}

static int add_all(struct vfio_set *s, struct platform *to, struct error *err)
{
    if (!to->vfio_host)
        return 0;
    if (vfio_container_init(&s->container, to->vfio_host, to->map, to->ledger, to->no_iommu, err))
        return -1;
    s->open = true;
    for (unsigned i = 0; i < to->nvfio; i++)
        if (to->vfio[i].device && add_device(s, to, i, err))
            return -1;
    return 0;
}

static struct device *set_create(struct platform *to, struct error *err)
{
    struct vfio_set *s = device_new(&vfio_set_ops, sizeof *s, err);
    if (s && add_all(s, to, err)) {
        set_destroy(&s->dev);
        return NULL;
    }
    return s ? &s->dev : NULL;
}

static void set_info(const struct device *dev, FILE *out)
{
    const struct vfio_set *s = (const struct vfio_set *)dev;
    for (unsigned i = 0; i < s->count; i++) {
        const struct vfio_device *v = s->device[i];
        fprintf(out, "vfio-pci %02x:%02x.%x is the host's %02x:%02x.%x: %" PRIu64 " interrupts posted, %" PRIu64 " through the host, %" PRIu64 " by its pin\n", 0,
                v->guest.devfn >> 3, v->guest.devfn & 7, v->d->card + 1, v->d->devfn >> 3, v->d->devfn & 7, v->posted, v->remapped, v->pins);
        if (v->d->vf)
            igb_vf_print(v->d->vf, out);
    }
    if (s->open)
        vfio_host_print(s->container.host, out);
}

const struct device_ops vfio_set_ops = {
    "vfio", "the host's devices in the guest's hands, as -device vfio-pci gives them", set_create, set_reset, set_destroy, set_info,
};
