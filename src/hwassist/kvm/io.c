/* SPDX-License-Identifier: MIT */
/* I/O exits: a few devices are the monitor's own, as KVM has its interrupt controller and timer in the kernel; all others live in
 * user space, a trip further. */
#include "hwassist/kvm/kvm.h"

static const struct { u16 first, last; } kernel_ports[] = {
    { 0x20, 0x21 }, { 0xa0, 0xa1 }, { 0x4d0, 0x4d1 }, /* 8259 and its edge/level registers */
    { 0x40, 0x43 }, { 0x61, 0x61 },                   /* 8254 */
};

static bool is_kernel_port(const struct kvm_vcpu *k, u16 port)
{
    for (unsigned i = 0; k->vm->irqchip == IRQCHIP_ON && i < ARRAY_LEN(kernel_ports); i++)
        if (port >= kernel_ports[i].first && port <= kernel_ports[i].last)
            return true;
    return false;
}

static void in(struct kvm_vcpu *k, u16 port, unsigned size)
{
    u64 *rax = &k->cpu->state.gpr[RAX], value = vm_io_read(k->v->vm, port, size);
    *rax = size == 4 ? (u32)value : size == 2 ? (*rax & ~(u64)0xffff) | (u16)value : (*rax & ~(u64)0xff) | (u8)value;
}

static void out(struct kvm_vcpu *k, u16 port, unsigned size)
{
    u64 mask = BIT(8 * size) - 1;
    vm_io_write(k->v->vm, port, size, k->cpu->state.gpr[RAX] & mask);
}

bool kvm_on_io(struct kvm_vcpu *k, struct exit *e)
{
    u64 q = vmread(&k->vmx.vmcs, EXIT_QUALIFICATION);
    u16 port = q >> 16;
    unsigned size = (q & 7) + 1;
    bool is_in = q >> 3 & 1, string = q >> 4 & 1;
    kvm_charge(k, is_kernel_port(k, port) ? EV_KVM_IO_KERNEL : EV_KVM_IO_USER);
    if (string)
        return kvm_emulate(k);
    kvm_skip(k); /* first: a device that looks at the processor sees it behind the instruction */
    (is_in ? in : out)(k, port, size);
    return true;
}
