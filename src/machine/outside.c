/* SPDX-License-Identifier: MIT */
#include "machine/outside.h"

#include <string.h>

#include "devices/net/net_outside.h"
#include "devices/vfio/vfio_real.h"
#include "devices/vhost/vhost.h"
#include "machine/network.h"

enum { BACKENDS = NICS_MAX + VIRTIO_SLOTS_MAX, DISK_CONFIG = 60 };

/* --- vhost back-ends --- */

static const struct vm_chardev *find_chardev(const struct vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->config.nchardevs; i++)
        if (strcmp(vm->config.chardev[i].id, id) == 0)
            return &vm->config.chardev[i];
    return NULL;
}

static struct vhost *open_backend(struct vm *vm, const char *id, struct error *err)
{
    const struct vm_chardev *c = find_chardev(vm, id);
    if (c)
        return vhost_new(vhost_user_new(c->path), c->path, (struct vhost_patience){ 0, c->patience_ms }, err);
    error_set(err, "chardev=%s: no -chardev has this id; add -chardev socket,id=%s,path=SOCKET", id, id);
    return NULL;
}

struct vhost *outside_open_disk(struct vm *vm, const char *chardev, struct error *err)
{
    u8 config[DISK_CONFIG];
    struct vhost *h = open_backend(vm, chardev, err);
    if (!h || vhost_config(h, config, sizeof config))
        return h;
    error_set(err, "-device vhost-user-blk-pci,chardev=%s: the back-end is no disk (%s)", chardev, vhost_trouble(h));
    vhost_free(h);
    return NULL;
}

struct vhost *outside_open_adapter(struct vm *vm, const char *chardev, struct error *err) { return open_backend(vm, chardev, err); }

struct vhost *outside_open_tap(const char *ifname, struct error *err)
{
    int tap = net_tap_open(ifname, true, err);
    return tap < 0 ? NULL : vhost_new(vhost_kernel_new(&vhost_kernel_host, tap), "-netdev tap,vhost=on", (struct vhost_patience){ 0 }, err);
}

void outside_close_disks(struct vm *vm)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS_MAX; i++) {
        vhost_free(vm->platform.virtio[i].vhost);
        vm->platform.virtio[i].vhost = NULL;
    }
}

void outside_close_adapters(struct vm *vm)
{
    for (unsigned i = 0; i < NICS_MAX; i++) {
        vhost_free(vm->platform.nic[i].vhost);
        vm->platform.nic[i].vhost = NULL;
    }
}

static struct vhost *backend(const struct vm *vm, unsigned i)
{
    return i < NICS_MAX ? vm->platform.nic[i].vhost : vm->platform.virtio[i - NICS_MAX].vhost;
}

/* --- all of them --- */

static void hear_of_devices(struct vm *vm)
{
    bool fatal;
    vfio_real_poll(vm->platform.vfio_real);
    const char *news = vfio_real_news(vm->platform.vfio_real, &fatal);
    if (news && fatal)
        vm_stop(vm, STATUS_STOPPED, "%s", news);
    else if (news)
        fprintf(stderr, "emu: %s\n", news);
}

void outside_poll(struct vm *vm)
{
    network_poll(vm);
    hear_of_devices(vm);
    for (unsigned i = 0; i < BACKENDS; i++)
        vhost_poll(backend(vm, i));
}

unsigned outside_fds(struct vm *vm, struct pollfd *fds, unsigned max)
{
    unsigned count = network_fds(vm, fds, max);
    for (unsigned i = 0; i < BACKENDS; i++)
        count += vhost_fds(backend(vm, i), fds + count, max - count);
    return count + vfio_real_fds(vm->platform.vfio_real, fds + count, max - count);
}

bool outside_waits(struct vm *vm)
{
    bool waits = network_waits(vm) || vfio_real_waits(vm->platform.vfio_real);
    for (unsigned i = 0; i < BACKENDS && !waits; i++)
        waits = vhost_waits(backend(vm, i));
    return waits;
}
