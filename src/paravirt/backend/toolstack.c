/* SPDX-License-Identifier: MIT */
/* What the tools of domain 0 write into the store before a guest starts: who it is, and its devices, one by one. */
#include <stdio.h>
#include <stdlib.h>

#include "devices/block/block.h"
#include "paravirt/backend/backend.h"

/* The number of a virtual disk: xvda, 202 << 8, and 16 partitions each (xen-vbd-interface). */
static u32 disk_number(unsigned index) { return 202 << 8 | index << 4; }

static bool add_disks(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_LEN(d->vm->platform.ide); i++) {
        char name[8];
        snprintf(name, sizeof name, "xvd%c", 'a' + i);
        struct block *image = d->vm->platform.ide[i].image;
        if (image && !blkback_add(d, disk_number(i), name, image, d->vm->platform.ide[i].is_cd))
            return false;
    }
    return true;
}

static bool add_networks(struct domain *d)
{
    for (unsigned i = 0, n = 0; i < ARRAY_LEN(d->vm->platform.nic); i++) {
        struct nic *nic = &d->vm->platform.nic[i];
        if (nic->model == NIC_VIF && !netback_add(d, n++, nic->wire, nic->mac))
            return false;
    }
    return true;
}

static const char *home_path(char path[64], const char *home, const char *node)
{
    snprintf(path, 64, "%s/%s", home, node);
    return path;
}

/* Its home, which it may read, and the few places in it that it may write. */
static void add_domain(struct domain *d)
{
    static const char *const own[] = { "data", "error", "control/shutdown" };
    struct store *s = &d->xen->store;
    char home[32], path[64];
    snprintf(home, sizeof home, "/local/domain/%u", d->domid);
    store_put(s, home, "%s", "");
    store_own(s, home, DOMID_DRIVER, d->domid, PERM_READ);
    store_put(s, home_path(path, home, "name"), "emu");
    store_put(s, home_path(path, home, "domid"), "%u", d->domid);
    store_put(s, home_path(path, home, "console/type"), "xenconsoled");
    store_put(s, home_path(path, home, "memory/target"), "%u", d->nr_pages * 4);
    for (unsigned i = 0; i < ARRAY_LEN(own); i++) {
        store_put(s, home_path(path, home, own[i]), "%s", "");
        store_own(s, path, d->domid, DOMID_DRIVER, PERM_READ);
    }
}

int drivers_init(struct domain *d, struct error *err)
{
    d->drivers = calloc(1, sizeof *d->drivers);
    if (!d->drivers)
        return error_set(err, "not enough memory for back-ends");
    store_introduce(&d->xen->store, &d->store, d->domid);
    add_domain(d);
    if (!add_disks(d) || !add_networks(d))
        return error_set(err, "not enough memory for the back-ends, or more than %u devices", BACKENDS_MOST);
    store_run_watches(&d->xen->store);
    return 0;
}
