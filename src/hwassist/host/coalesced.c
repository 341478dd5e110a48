/* SPDX-License-Identifier: MIT */
/*
 * Coalesced MMIO: writes to ranges whose device does not mind, as the planes of a VGA, are collected by KVM in a ring beside the vcpu's
 * page, without an exit. The ring is emptied in order before anything else that KVM_RUN came back for.
 */
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

static void set_zone(struct host_vm *h, const struct host_zone *z, unsigned long how)
{
    struct kvm_coalesced_mmio_zone k = { .addr = z->gpa, .size = z->size };
    ioctl(h->vm_fd, how, &k);
}

void host_set_zones(struct host_vm *h)
{
    const struct bus *b = &h->vm->bus;
    if (!host_can(h, HOST_COALESCED_MMIO))
        return;
    while (h->nzones)
        set_zone(h, &h->zone[--h->nzones], KVM_UNREGISTER_COALESCED_MMIO);
    for (unsigned i = 0; i < b->nmmio && h->nzones < HOST_MAX_ZONES; i++) {
        if (!b->mmio[i]->ops->delayable)
            continue;
        h->zone[h->nzones] = (struct host_zone){ b->mmio[i]->base, b->mmio[i]->len };
        set_zone(h, &h->zone[h->nzones++], KVM_REGISTER_COALESCED_MMIO);
    }
}

/* The ring is shared by the VM's vcpus, and ours to read: the kernel moves `last`, we move `first`. */
void host_flush_coalesced(struct host_vcpu *h)
{
    struct host_vm *vm = h->vm;
    if (!vm->nzones)
        return;
    struct kvm_coalesced_mmio_ring *ring = (void *)((u8 *)h->run + (u64)host_can(vm, HOST_COALESCED_MMIO) * PAGE_SIZE);
    const u32 most = (PAGE_SIZE - sizeof *ring) / sizeof ring->coalesced_mmio[0];
    while (ring->first < most && ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        const struct kvm_coalesced_mmio *m = &ring->coalesced_mmio[ring->first];
        physmap_write(&vm->vm->map, m->phys_addr, m->data, m->len);
        __atomic_store_n(&ring->first, (ring->first + 1) % most, __ATOMIC_RELEASE);
        vm->coalesced++;
    }
}
