/* SPDX-License-Identifier: MIT */
#include "machine/assign.h"

#include <string.h>

#include "devices/vfio/vfio_host.h"
#include "machine/bare.h"
#include "machine/network.h"

static struct vfio_host *find_host(struct vm *vm, struct error *err)
{
    struct vfio_host **host = vm->config.shared_host ? vm->config.shared_host : &vm->host;
    if (!*host)
        *host = vfio_host_new(vm->config.host_card, vm->config.nhost_cards, err);
    return *host;
}

static int find_device(struct vm *vm, struct vfio_host *h, unsigned i, struct error *err)
{
    const struct vm_vfio *c = &vm->config.vfio[i];
    struct vfio_slot *to = &vm->platform.vfio[i];
    u8 bus, devfn;
    if (vfio_parse_address(c->host, &bus, &devfn, err))
        return -1;
    to->device = vfio_host_find(h, bus, devfn, err);
    to->slot = c->slot;
    return to->device ? 0 : -1;
}

/* Machines' cables are their own: a port that several share has an end in each. */
static int check(struct vm *vm, struct vfio_host *h, struct error *err)
{
    struct host_device *wanted[VFIO_SLOTS_MAX];
    unsigned n = vm->config.nvfios;
    for (unsigned i = 0; i < n; i++)
        wanted[i] = vm->platform.vfio[i].device;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < i; k++)
            if (wanted[k] == wanted[i])
                return error_set(err, "-device vfio-pci,host=%s: is given twice", vm->config.vfio[i].host);
        if (vfio_host_check(h, wanted[i], wanted, n, err))
            return -1;
    }
    return 0;
}

/* VFs of one port that name the same network share the port's cable. */
static struct net_wire *same_cable(struct vm *vm, unsigned i)
{
    const struct vm_vfio *c = vm->config.vfio;
    const struct vfio_slot *s = vm->platform.vfio;
    for (unsigned k = 0; k < i; k++)
        if (c[i].netdev && c[k].netdev && !strcmp(c[i].netdev, c[k].netdev) && s[i].device->vf && s[k].device->vf && s[i].device->card == s[k].device->card)
            return s[k].wire;
    return NULL;
}

int assign_open(struct vm *vm, struct error *err)
{
    struct platform *p = &vm->platform;
    if (!vm->config.nvfios)
        return 0;
    if (strcmp(vm->engine->image, "native"))
        return error_set(err, "-device vfio-pci: a guest of engine %s has no PCI bus; take bt, kvm or bare", vm->engine->name);
    struct vfio_host *h = find_host(vm, err);
    if (!h)
        return -1;
    p->vfio_host = h;
    p->no_iommu = vm->engine == &bare_engine;
    for (unsigned i = 0; i < vm->config.nvfios; i++)
        if (find_device(vm, h, i, err))
            return -1;
    if (check(vm, h, err))
        return -1;
    for (unsigned i = 0; i < vm->config.nvfios; i++) {
        p->vfio[i].wire = same_cable(vm, i);
        if (!p->vfio[i].wire && network_plug(vm, &p->vfio[i].wire, vm->config.vfio[i].netdev, NET_PATH_DIRECT, err))
            return -1;
    }
    p->nvfio = vm->config.nvfios;
    return 0;
}

void assign_close(struct vm *vm)
{
    vfio_host_free(vm->host);
    vm->host = NULL;
}
