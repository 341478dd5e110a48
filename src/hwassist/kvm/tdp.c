/* SPDX-License-Identifier: MIT */
/* Two-dimensional paging: the small KVM fills the EPT, one page at a time, as violations tell what the guest uses. */
#include "hwassist/kvm/kvm.h"

/* Write and execute without read is a misconfiguration: the mark of a gpa that has no memory, so that the next access needs no lookup.
 * KVM's own trick. */
#define MMIO_MARK (EPT_W | EPT_X)

static void on_map_changed(void *opaque)
{
    ((struct kvm_vm *)opaque)->ept_stale = true;
}

void kvm_ept_init(struct kvm_vm *vm)
{
    if (!(vm->features & FEATURE_EPT))
        return;
    vm->ept_root = hostmem_alloc(&vm->host);
    vm->observer = (struct phys_observer){ .map_changed = on_map_changed, .opaque = vm };
}

static void free_table(struct kvm_vm *vm, hpa_t table, unsigned level)
{
    u64 *entry = hostmem_table(&vm->host, table);
    for (unsigned i = 0; level > 1 && i < 512; i++)
        if (entry[i] & EPT_RWX && !(entry[i] & EPT_PS))
            free_table(vm, EPT_FRAME(entry[i]), level - 1);
    hostmem_free(&vm->host, table);
}

void kvm_ept_zap(struct kvm_vm *vm)
{
    u64 *entry = hostmem_table(&vm->host, vm->ept_root);
    for (unsigned i = 0; i < 512; i++) {
        if (entry[i] & EPT_RWX)
            free_table(vm, EPT_FRAME(entry[i]), EPT_LEVELS - 1);
        entry[i] = 0;
    }
    vm->ept_stale = false;
}

static u64 size_at(unsigned level) { return BIT(PAGE_SHIFT + 9 * (level - 1)); }

/* Level of the largest page that gpa can be in: all of it in one region of RAM. */
static unsigned level_for(const struct kvm_vcpu *k, gpa_t gpa, const struct region *r)
{
    static const u32 needs[] = { [2] = FEATURE_EPT_2M, [3] = FEATURE_EPT_1G };
    for (unsigned level = 3; level > 1; level--) {
        u64 size = size_at(level);
        gpa_t base = gpa & ~(size - 1);
        if (kvm_has(k, needs[level]) && r->kind == REGION_RAM && base >= r->gpa && base + size <= r->gpa + r->size)
            return level;
    }
    return 1;
}

/* The entry of `level` for gpa, tables above made where there are none. */
static u64 *entry_of(struct kvm_vm *vm, gpa_t gpa, unsigned level)
{
    hpa_t table = vm->ept_root;
    for (unsigned l = EPT_LEVELS;; l--) {
        u64 *e = &hostmem_table(&vm->host, table)[ept_index(gpa, l)];
        if (l == level)
            return e;
        if (!(*e & EPT_RWX))
            *e = hostmem_alloc(&vm->host) | EPT_RWX;
        table = EPT_FRAME(*e);
    }
}

enum tdp_result kvm_ept_fill(struct kvm_vcpu *k, gpa_t gpa, bool write)
{
    struct kvm_vm *vm = k->vm;
    struct region *r = physmap_find(k->cpu->mmu.map, gpa);
    if (vm->host.nfree < EPT_LEVELS)
        kvm_ept_zap(vm);
    if (vm->apic.hpa && gpa >> PAGE_SHIFT == KVM_LAPIC_GPA >> PAGE_SHIFT) {
        *entry_of(vm, gpa, 1) = vm->apic.hpa | EPT_WB | EPT_R | EPT_W;
        vm->ept_fills++;
        return TDP_FILLED;
    }
    if (r && r->kind == REGION_MMIO && r->direct) { /* a device in the guest's hands: its registers, uncacheable */
        *entry_of(vm, gpa, 1) = ((gpa & PAGE_MASK) + HOST_GUEST_HPA) | EPT_R | EPT_W;
        vm->ept_fills++;
        return TDP_FILLED;
    }
    if (!r || r->kind == REGION_MMIO) {
        *entry_of(vm, gpa, 1) = MMIO_MARK;
        return TDP_MMIO;
    }
    if (r->kind == REGION_ROM && write)
        return TDP_MMIO;
    unsigned level = level_for(k, gpa, r);
    *entry_of(vm, gpa, level) = ((gpa & ~(size_at(level) - 1)) + HOST_GUEST_HPA) | EPT_WB | EPT_R | EPT_X | (r->kind == REGION_RAM ? EPT_W : 0) |
                                (level > 1 ? EPT_PS : 0);
    vm->ept_fills++;
    vm->ept_large_fills += level > 1;
    return TDP_FILLED;
}
