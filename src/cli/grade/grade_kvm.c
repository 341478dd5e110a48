/* SPDX-License-Identifier: MIT */
/*
 * Lab 5: /dev/kvm for a guest of the grader. The structures and the numbers are those of <linux/kvm.h>; what they do is done by the model
 * of VT-x and its small KVM. The subset: one machine, one processor, no interrupt controller in the kernel.
 */
#include "cli/grade/grade_kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/engines.h"

enum { OP_OPEN, OP_IOCTL, OP_MMAP, OP_CLOSE };
enum { FD_KVM = 3, FD_VM, FD_VCPU };

/* --- memory slots --- */

/* Before slots change: a new one may be as large as a hole, and then nothing but its turn tells which of the two is removed. */
static void remove_holes(struct labkvm *k)
{
    for (unsigned i = 0; i < LABKVM_HOLES; i++)
        if (k->hole[i].size)
            physmap_remove(&k->vm->map, k->hole[i].gpa, k->hole[i].size);
    memset(k->hole, 0, sizeof k->hole);
}

/* The machine has memory where slots are; what lies between is the monitor's to answer. */
static int add_holes(struct labkvm *k, struct error *err)
{
    u64 from = 0;
    unsigned n = 0;
    while (from < LABKVM_GPA_END) {
        u64 to = LABKVM_GPA_END, next = LABKVM_GPA_END;
        for (const struct labkvm_slot *s = k->slot; s < k->slot + LABKVM_SLOTS; s++) {
            if (s->size && s->gpa >= from && s->gpa < to) {
                to = s->gpa;
                next = s->gpa + s->size;
            }
        }
        struct labkvm_hole *h = &k->hole[n];
        if (to > from) {
            *h = (struct labkvm_hole){ k, from, to - from };
            n++;
            if (physmap_add_mmio(&k->vm->map, "monitor", from, to - from, &labkvm_mmio_ops, h, err))
                return -1;
        }
        from = next;
    }
    return 0;
}

static bool overlaps(const struct labkvm *k, const struct kvm_userspace_memory_region *r)
{
    for (unsigned i = 0; i < LABKVM_SLOTS; i++) {
        const struct labkvm_slot *s = &k->slot[i];
        if (i != r->slot && s->size && r->guest_phys_addr < s->gpa + s->size && s->gpa < r->guest_phys_addr + r->memory_size)
            return true;
    }
    return false;
}

/* The model's own limit, for a slot's memory is a copy: none of it may be another's too. */
static bool shares_memory(const struct labkvm *k, const struct kvm_userspace_memory_region *r)
{
    for (unsigned i = 0; i < LABKVM_SLOTS; i++) {
        const struct labkvm_slot *s = &k->slot[i];
        if (i != r->slot && s->size && r->userspace_addr < s->user + s->size && s->user < r->userspace_addr + r->memory_size)
            return true;
    }
    return false;
}

static bool is_valid(const struct labkvm *k, const struct kvm_userspace_memory_region *r)
{
    u64 all = r->guest_phys_addr | r->memory_size | r->userspace_addr;
    return r->slot < LABKVM_SLOTS && !r->flags && !(all & ~PAGE_MASK) && r->guest_phys_addr < LABKVM_GPA_END && r->memory_size < LABKVM_GPA_END - r->guest_phys_addr &&
           (!r->memory_size || physmap_ptr(k->service->memory, r->userspace_addr, r->memory_size));
}

static s32 set_memory(struct labkvm *k, const void *argument)
{
    const struct kvm_userspace_memory_region *r = argument;
    struct error err;
    if (!is_valid(k, r))
        return -EINVAL;
    if (k->within_mmio) /* the model's own limit: the map is in use */
        return -EBUSY;
    if (r->memory_size && overlaps(k, r))
        return -EEXIST;
    if (r->memory_size && shares_memory(k, r))
        return -EINVAL;
    struct labkvm_slot *s = &k->slot[r->slot];
    remove_holes(k);
    if (s->size)
        physmap_remove(&k->vm->map, s->gpa, s->size);
    *s = (struct labkvm_slot){ r->guest_phys_addr, r->memory_size, r->userspace_addr };
    bool added = !s->size || physmap_add_ram(&k->vm->map, "slot", s->gpa, s->size, &err);
    if (!added)
        s->size = 0;
    return add_holes(k, &err) || !added ? -ENOMEM : 0;
}

/* --- making things --- */

static s32 create_vm(struct labkvm *k, u64 type)
{
    struct vm_config c;
    struct error err;
    if (type || k->vm)
        return type ? -EINVAL : -EBUSY;
    vm_config_defaults(&c);
    c.engine = engine_find("kvm", &err);
    c.ram_size = (u64)32 << 20; /* room for slots; the PC's own memory and devices are taken out */
    c.kvm = "model";
    c.hw = "ept,ept-2m,vpid,ug";
    k->vm = vm_new(&c, &err);
    if (!k->vm)
        return -ENOMEM;
    k->service->ledger = &k->vm->ledger;
    while (k->vm->map.nadded)
        physmap_remove(&k->vm->map, k->vm->map.added[0].gpa, k->vm->map.added[0].size);
    labkvm_take_wire(k);
    if (bus_add_ports(&k->vm->bus, "monitor", 0, 65536, &labkvm_port_ops, k, &err) || add_holes(k, &err))
        return -ENOMEM;
    return FD_VM;
}

static s32 create_vcpu(struct labkvm *k, u64 id)
{
    if (id || k->has_vcpu)
        return id ? -EINVAL : -EEXIST;
    k->has_vcpu = true;
    return FD_VCPU;
}

static s32 check_extension(u64 what)
{
    return what == KVM_CAP_USER_MEMORY || what == KVM_CAP_SET_TSS_ADDR || what == KVM_CAP_EXT_CPUID;
}

static s32 queue_interrupt(struct labkvm *k, const void *argument)
{
    const struct kvm_interrupt *i = argument;
    if (i->irq > 255)
        return -EINVAL;
    if (k->vector >= 0)
        return -EEXIST;
    k->vector = i->irq;
    return 0;
}

/* --- the ioctls, by descriptor: those with an argument in memory have its size in their number --- */

static s32 on_version(struct labkvm *k, u64 arg, void *data) { return KVM_API_VERSION; }
static s32 on_extension(struct labkvm *k, u64 arg, void *data) { return check_extension(arg); }
static s32 on_mmap_size(struct labkvm *k, u64 arg, void *data) { return LABKVM_RUN_SIZE; }
static s32 on_create_vm(struct labkvm *k, u64 arg, void *data) { return create_vm(k, arg); }
static s32 on_create_vcpu(struct labkvm *k, u64 arg, void *data) { return create_vcpu(k, arg); }
static s32 on_memory(struct labkvm *k, u64 arg, void *data) { return set_memory(k, data); }
static s32 on_nothing(struct labkvm *k, u64 arg, void *data) { return 0; }
static s32 on_run(struct labkvm *k, u64 arg, void *data) { return labkvm_run(k); }
static s32 on_get_regs(struct labkvm *k, u64 arg, void *data) { return labkvm_get_regs(k, data); }
static s32 on_set_regs(struct labkvm *k, u64 arg, void *data) { return labkvm_set_regs(k, data); }
static s32 on_get_sregs(struct labkvm *k, u64 arg, void *data) { return labkvm_get_sregs(k, data); }
static s32 on_set_sregs(struct labkvm *k, u64 arg, void *data) { return labkvm_set_sregs(k, data); }
static s32 on_interrupt(struct labkvm *k, u64 arg, void *data) { return queue_interrupt(k, data); }

static const struct { s32 fd; u32 number; s32 (*call)(struct labkvm *k, u64 arg, void *data); } calls[] = {
    { FD_KVM, KVM_GET_API_VERSION, on_version },
    { FD_KVM, KVM_CHECK_EXTENSION, on_extension },
    { FD_KVM, KVM_GET_VCPU_MMAP_SIZE, on_mmap_size },
    { FD_KVM, KVM_CREATE_VM, on_create_vm },
    { FD_VM, KVM_CHECK_EXTENSION, on_extension },
    { FD_VM, KVM_SET_TSS_ADDR, on_nothing },
    { FD_VM, KVM_SET_USER_MEMORY_REGION, on_memory },
    { FD_VM, KVM_CREATE_VCPU, on_create_vcpu },
    { FD_VCPU, KVM_RUN, on_run },
    { FD_VCPU, KVM_GET_REGS, on_get_regs },
    { FD_VCPU, KVM_SET_REGS, on_set_regs },
    { FD_VCPU, KVM_GET_SREGS, on_get_sregs },
    { FD_VCPU, KVM_SET_SREGS, on_set_sregs },
    { FD_VCPU, KVM_INTERRUPT, on_interrupt },
};

static bool is_open(const struct labkvm *k, s32 fd) { return fd == FD_KVM || (fd == FD_VM && k->vm) || (fd == FD_VCPU && k->has_vcpu); }

static s32 call_with_data(struct labkvm *k, const struct service_request *r, unsigned i)
{
    union { u8 bytes[1024]; u64 align; } data = { { 0 } };
    u32 size = _IOC_SIZE(calls[i].number), direction = _IOC_DIR(calls[i].number);
    if (direction & _IOC_WRITE && !service_read(k->service, r->arg, data.bytes, size))
        return -EFAULT;
    s32 result = calls[i].call(k, r->arg, data.bytes);
    if (result >= 0 && direction & _IOC_READ && !service_write(k->service, r->arg, data.bytes, size))
        return -EFAULT;
    return result;
}

static s32 on_ioctl(struct labkvm *k, const struct service_request *r)
{
    if (!is_open(k, r->fd))
        return -EBADF;
    for (unsigned i = 0; i < ARRAY_LEN(calls); i++)
        if (calls[i].fd == r->fd && calls[i].number == r->number)
            return call_with_data(k, r, i);
    return -ENOTTY;
}

/* The guest has chosen the place already. */
static s32 on_mmap(struct labkvm *k, const struct service_request *r)
{
    if (r->fd != FD_VCPU || !k->has_vcpu)
        return -EBADF;
    if (r->arg & ~PAGE_MASK || r->number > LABKVM_RUN_SIZE || !physmap_ptr(k->service->memory, r->arg, LABKVM_RUN_SIZE))
        return -EINVAL;
    k->run_at = r->arg;
    return 0;
}

static void call(struct service *s, struct service_request *r)
{
    struct labkvm *k = s->self;
    switch (r->op) {
    case OP_OPEN: r->result = FD_KVM; break;
    case OP_IOCTL: r->result = on_ioctl(k, r); break;
    case OP_MMAP: r->result = on_mmap(k, r); break;
    case OP_CLOSE: r->result = is_open(k, r->fd) ? 0 : -EBADF; break;
    default: r->result = -ENOSYS;
    }
}

static int start(struct service *s, struct error *err)
{
    struct labkvm *k = calloc(1, sizeof *k);
    k->service = s;
    k->vector = -1;
    s->self = k;
    return 0;
}

static void end(struct service *s)
{
    struct labkvm *k = s->self;
    labkvm_end(k);
    vm_free(k->vm);
    free(k);
}

const struct service_ops service_kvm = { "kvm", start, call, end };
