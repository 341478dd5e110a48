/* SPDX-License-Identifier: MIT */
#include "machine/assign.h"

#include <string.h>

#include "devices/vfio/vfio_host.h"
#include "devices/vfio/vfio_kernel.h"
#include "machine/bare.h"
#include "machine/network.h"

/* What the user called it, for people. */
static const char *name_of(const struct vm_vfio *c) { return c->host ? c->host : c->sysfsdev; }

/* A place of the modelled host has two or three parts (01:10.0), one of this computer has four (0000:01:10.0). */
static bool is_real(const struct vm_vfio *c)
{
    const char *colon = c->host ? strchr(c->host, ':') : NULL;
    return c->sysfsdev || (colon && strchr(colon + 1, ':'));
}

/* --- of the modelled host --- */

static struct vfio_host *find_host(struct vm *vm, struct error *err)
{
    struct vfio_host **host = vm->config.shared_host ? vm->config.shared_host : &vm->host;
    if (!*host)
        *host = vfio_host_new(vm->config.host_card, vm->config.nhost_cards, err);
    return *host;
}

static int find_modelled(struct vm *vm, unsigned i, struct error *err)
{
    struct platform *p = &vm->platform;
    u8 bus, devfn;
    if (vfio_parse_address(vm->config.vfio[i].host, &bus, &devfn, err))
        return -1;
    p->vfio_host = p->vfio_host ? p->vfio_host : find_host(vm, err);
    p->vfio[i].device = p->vfio_host ? vfio_host_find(p->vfio_host, bus, devfn, err) : NULL;
    return p->vfio[i].device ? 0 : -1;
}

static int check_modelled(struct vm *vm, struct error *err)
{
    struct host_device *wanted[VFIO_SLOTS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < vm->config.nvfios; i++)
        if (vm->platform.vfio[i].device)
            wanted[n++] = vm->platform.vfio[i].device;
    for (unsigned i = 0; i < n; i++)
        if (vfio_host_check(vm->platform.vfio_host, wanted[i], wanted, n, err))
            return -1;
    return 0;
}

/* VFs of one port that name the same network share the port's cable. */
static struct net_wire *same_cable(struct vm *vm, unsigned i)
{
    const struct vm_vfio *c = vm->config.vfio;
    const struct vfio_slot *s = vm->platform.vfio;
    for (unsigned k = 0; k < i; k++)
        if (c[i].netdev && c[k].netdev && !strcmp(c[i].netdev, c[k].netdev) && s[k].device && s[i].device->vf && s[k].device->vf && s[i].device->card == s[k].device->card)
            return s[k].wire;
    return NULL;
}

static int plug_in(struct vm *vm, unsigned i, struct error *err)
{
    struct vfio_slot *s = &vm->platform.vfio[i];
    if (!s->device)
        return 0;
    s->wire = same_cable(vm, i);
    return s->wire ? 0 : network_plug(vm, &s->wire, vm->config.vfio[i].netdev, NET_PATH_DIRECT, err);
}

/* --- of this computer --- */

static bool has_balloon(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.nvirtios; i++)
        if (vm->config.virtio[i].model == VIRTIO_BALLOON)
            return true;
    return false;
}

static int find_real(struct vm *vm, unsigned i, struct error *err)
{
    const struct vm_vfio *c = &vm->config.vfio[i];
    if (c->netdev)
        return error_set(err, "-device vfio-pci,host=%s,netdev=%s: a real adapter is plugged into its own cable; leave netdev= out", name_of(c), c->netdev);
    if (has_balloon(vm))
        return error_set(err, "-device vfio-pci,host=%s: the device needs all of the guest's memory where it is; leave out virtio-balloon-pci", name_of(c));
    if (vfio_kernel_parse(c->host, c->sysfsdev, vm->vfio_address[i], err))
        return -1;
    vm->platform.vfio[i].address = vm->vfio_address[i];
    vm->platform.vfio[i].no_rom = c->no_rom;
    return 0;
}

/* --- all of them --- */

static int find_device(struct vm *vm, unsigned i, struct error *err)
{
    vm->platform.vfio[i].slot = vm->config.vfio[i].slot;
    return is_real(&vm->config.vfio[i]) ? find_real(vm, i, err) : find_modelled(vm, i, err);
}

static bool are_same(const struct vfio_slot *a, const struct vfio_slot *b)
{
    return a->address && b->address ? !strcmp(a->address, b->address) : a->device && a->device == b->device;
}

static int check_twice(const struct vm *vm, unsigned i, struct error *err)
{
    for (unsigned k = 0; k < i; k++)
        if (are_same(&vm->platform.vfio[k], &vm->platform.vfio[i]))
            return error_set(err, "-device vfio-pci,host=%s: is given twice", name_of(&vm->config.vfio[i]));
    return 0;
}

int assign_open(struct vm *vm, struct error *err)
{
    struct platform *p = &vm->platform;
    if (!vm->config.nvfios)
        return 0;
    if (strcmp(vm->engine->image, "native"))
        return error_set(err, "-device vfio-pci: a guest of engine %s has no PCI bus; take bt, kvm or bare", vm->engine->name);
    p->no_iommu = vm->engine == &bare_engine;
    p->vfio_calls = vm->config.vfio_calls;
    for (unsigned i = 0; i < vm->config.nvfios; i++)
        if (find_device(vm, i, err) || check_twice(vm, i, err))
            return -1;
    if (check_modelled(vm, err))
        return -1;
    for (unsigned i = 0; i < vm->config.nvfios; i++)
        if (plug_in(vm, i, err))
            return -1;
    p->nvfio = vm->config.nvfios;
    return 0;
}

void assign_close(struct vm *vm)
{
    vfio_host_free(vm->host);
    vm->host = NULL;
}
