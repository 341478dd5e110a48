/* SPDX-License-Identifier: MIT */
/* Guest memory for KVM: each region of RAM or ROM is a slot, mapped straight from the memfd. MMIO has none, so it exits. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

static int set_slot(struct host_vm *h, unsigned slot, const struct region *r)
{
    struct kvm_userspace_memory_region k = { .slot = slot };
    if (r) {
        k.guest_phys_addr = r->gpa;
        k.memory_size = r->size;
        k.userspace_addr = (uintptr_t)r->hva;
        k.flags = r->kind == REGION_ROM ? KVM_MEM_READONLY : 0;
    }
    return ioctl(h->vm_fd, KVM_SET_USER_MEMORY_REGION, &k);
}

int host_set_slots(struct host_vm *h, const struct physmap *map, struct error *err)
{
    while (h->nslots)
        set_slot(h, --h->nslots, NULL);
    for (unsigned i = 0; i < map->nregions; i++) {
        if (map->region[i].kind == REGION_MMIO)
            continue;
        if (set_slot(h, h->nslots, &map->region[i]) < 0)
            return error_set(err, "/dev/kvm refuses guest memory '%s': %s; try a smaller -m, or --kvm=model", map->region[i].name, strerror(errno));
        h->nslots++;
    }
    h->slots_stale = false;
    return 0;
}
