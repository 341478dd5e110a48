/* SPDX-License-Identifier: MIT */
/*
 * Machines on the real /dev/kvm, for its tests, with small guests that also a software-backed KVM can run: real mode, flat 32-bit code, no
 * paging. A test program has one GUEST_CODE() of them; what a guest tells goes to a device that remembers.
 */
#ifndef EMU_TESTS_KVM_HOST_H
#define EMU_TESTS_KVM_HOST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check.h"
#include "hwassist/host/host.h"

static struct error err;

#define NEEDS_KVM() do { struct host_findings f_; if (host_try(&f_, &err) < 0) SKIP("%s", err.text); } while (0)

enum { BASE = 0x100000, GDT_AT = 0x2000, IDT_AT = 0x3000, STACK_AT = 0x7000, DATA_AT = 0x8000, MMIO_AT = 0xd0000000, RAM = 4 << 20 };

/* Assembled for BASE; begins as 32-bit code. */
#define GUEST_CODE(text) __asm__(".pushsection .rodata\n.balign 4096\n.code32\nguest_code:\n" text "guest_code_end:\n.code64\n.popsection\n")
extern const u8 guest_code[], guest_code_end[];
static inline u32 at(const u8 *label) { return BASE + (label - guest_code); }

/* --- a device that remembers: each access, and whether numbers came in order --- */

static struct recorder { u64 reads, writes, last, wrong; char log[8192]; size_t len; } rec;

static inline void note(const char *what, u64 offset, unsigned size, u64 value)
{
    if (rec.len + 40 < sizeof rec.log)
        rec.len += sprintf(rec.log + rec.len, "%s%llx/%u=%llx ", what, (unsigned long long)offset, size, (unsigned long long)value);
}
static inline u64 rec_read(void *dev, u64 offset, unsigned size)
{
    u64 value = 0x40 + rec.reads++;
    note(dev, offset, size, value);
    return value;
}
static inline void rec_write(void *dev, u64 offset, unsigned size, u64 value)
{
    rec.wrong += value != rec.writes;
    rec.writes++;
    rec.last = value;
    note(dev, offset, size, value);
}
static const struct bus_ops rec_ops __attribute__((unused)) = { rec_read, rec_write, 1, 4 };

/* --- machines --- */

static inline void put_gate(struct vm *vm, unsigned vector, u32 handler)
{
    u64 gate = (handler & 0xffff) | 8 << 16 | (u64)0x8e00 << 32 | (u64)(handler >> 16) << 48;
    physmap_write(&vm->map, IDT_AT + 8 * vector, &gate, sizeof gate);
}

/* At `label`, in flat 32-bit ring 0, with a GDT and an empty IDT; nothing is remembered. */
static inline void load(struct vm *vm, const u8 *label)
{
    static const u64 gdt[3] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
    struct cpu_state s;
    physmap_write(&vm->map, BASE, guest_code, guest_code_end - guest_code);
    physmap_write(&vm->map, GDT_AT, gdt, sizeof gdt);
    state_flat32(&s, at(label), STACK_AT);
    s.gdtr = (struct dtable){ GDT_AT, sizeof gdt - 1 };
    s.idtr = (struct dtable){ IDT_AT, 0x7ff };
    s.cr4 = CR4_OSFXSR;
    s.apic_base = vm->vcpu[0]->cpu.state.apic_base;
    vm->engine->set_state(vm->vcpu[0], &s);
    memset(&rec, 0, sizeof rec);
}

static inline struct vm_config config_of(const char *kvm)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = &kvm_engine;
    c.kvm = kvm;
    c.ram_size = RAM;
    c.max_seconds = 20;
    return c;
}

/* The recorder is at ports 5000h to 500Fh. NULL, and the test has failed: there is no such machine. */
static inline struct vm *make_of(const struct vm_config *c, const u8 *label)
{
    struct vm *vm = vm_new(c, &err);
    if (!vm) {
        FAIL("vm_new: %s", err.text);
        return NULL;
    }
    bus_add_ports(&vm->bus, "recorder", 0x5000, 16, &rec_ops, "p", &err);
    load(vm, label);
    return vm;
}

static inline struct vm *make_with(enum kernel_irqchip irqchip, const u8 *label)
{
    struct vm_config c = config_of("host");
    c.kernel_irqchip = irqchip;
    return make_of(&c, label);
}
static inline struct vm *make(const u8 *label) { return make_with(IRQCHIP_OFF, label); }

static inline void add_mmio(struct vm *vm) { bus_add_mmio(&vm->bus, "recorder", MMIO_AT, PAGE_SIZE, &rec_ops, "m", &err); }

static inline void run_to_hlt(struct vm *vm)
{
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "halted with interrupts disabled");
}

static inline struct host_vm *host_of(struct vm *vm) { return vm->engine_data; }
static inline struct host_vcpu *vcpu_of(struct vm *vm) { return vm->vcpu[0]->engine_data; }

#endif
