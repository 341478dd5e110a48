/* SPDX-License-Identifier: MIT */
/*
 * Who has the interrupt controllers (-machine kernel_irqchip=):
 *
 * off    all are devices of this process. Each access exits, each interrupt is injected by KVM_INTERRUPT, and every count is ours to
 *        see; HLT comes to user space, so virtual time can jump. The default.
 * split  the local APIC is the kernel's, 8259A, I/O APIC and PIT are ours: messages go in by KVM_SIGNAL_MSI, the end of a
 *        level-triggered one comes back as KVM_EXIT_IOAPIC_EOI.
 * on     all four are the kernel's. Devices' wires lead there; HLT waits there, by the host's clock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

/* As they are before the guest has touched them: what a reset of the machine brings back. */
struct host_chips {
    struct kvm_irqchip chip[3];     /* the two 8259As, the I/O APIC */
    struct kvm_pit_state2 pit;
    struct kvm_lapic_state lapic;
};

static int create_all(struct host_vm *h)
{
    struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY }; /* port 61h shows its channel 2 */
    return ioctl(h->vm_fd, KVM_CREATE_IRQCHIP) < 0 || ioctl(h->vm_fd, KVM_CREATE_PIT2, &pit) < 0 ? -1 : 0;
}

static int create_split(struct host_vm *h)
{
    struct kvm_enable_cap c = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };
    return ioctl(h->vm_fd, KVM_ENABLE_CAP, &c);
}

static int check(const struct host_vm *h, struct error *err)
{
    const char *name = h->irqchip == IRQCHIP_ON ? "on" : "split";
    bool can = h->irqchip == IRQCHIP_ON ? host_can(h, HOST_IRQCHIP) && host_can(h, HOST_PIT2) : host_can(h, HOST_SPLIT_IRQCHIP) && host_can(h, HOST_SIGNAL_MSI);
    if (!can)
        return error_set(err, "kernel_irqchip=%s: this host's /dev/kvm has none; use kernel_irqchip=off", name);
    if (h->vm->nvcpus > 1)
        return error_set(err, "kernel_irqchip=%s: processors take turns here, and the kernel would start and halt them by itself; use -smp 1 or kernel_irqchip=off", name);
    if (h->vm->clock.now)
        return error_set(err, "kernel_irqchip=%s: the guest has programmed the machine's interrupt controllers already; use kernel_irqchip=off", name);
    return 0;
}

int host_irqchip_create(struct host_vm *h, struct error *err)
{
    h->irqchip = h->vm->config.kernel_irqchip;
    if (h->irqchip == IRQCHIP_OFF)
        return 0;
    if (check(h, err) < 0)
        return -1;
    if ((h->irqchip == IRQCHIP_ON ? create_all(h) : create_split(h)) < 0)
        return error_set(err, "/dev/kvm creates no interrupt controllers: %s; use kernel_irqchip=off", strerror(errno));
    return 0;
}

/* --- devices' side --- */

static void set_line(void *sink, unsigned line, bool level)
{
    struct host_vm *h = sink;
    struct kvm_irq_level l = { .irq = line, .level = level };
    ioctl(h->vm_fd, KVM_IRQ_LINE, &l);
}

static u32 message_address(const struct apic_message *m) { return LAPIC_GPA | m->destination << 12 | (m->logical ? 4 : 0); }
static u32 message_data(const struct apic_message *m) { return m->vector | m->delivery << 8 | (m->level ? 0xc000 : 0); }

/* The kernel tells of the end of those level-triggered interrupts only that it knows a route of. */
static void note_level(struct host_vm *h, const struct apic_message *m)
{
    for (unsigned i = 0; i < h->nlevels; i++)
        if (memcmp(&h->level[i], m, sizeof *m) == 0)
            return;
    if (h->nlevels == HOST_MAX_LEVELS)
        h->nlevels = 0; /* a guest that changes its mind all the time */
    h->level[h->nlevels++] = *m;
    host_set_routes(h);
}

static bool send_message(void *opaque, const struct apic_message *m)
{
    struct host_vm *h = opaque;
    struct kvm_msi k = { .address_lo = message_address(m), .data = message_data(m) };
    if (m->level && h->irqchip == IRQCHIP_SPLIT)
        note_level(h, m);
    return ioctl(h->vm_fd, KVM_SIGNAL_MSI, &k) > 0;
}

/* --- routes --- */

enum { MAX_ROUTES = 16 + IOAPIC_PINS + HOST_MAX_LEVELS + IRQ_EVENTS_MAX };
struct routes { struct kvm_irq_routing head; struct kvm_irq_routing_entry entry[MAX_ROUTES]; };

static void add_pin(struct routes *r, unsigned line, unsigned chip, unsigned pin)
{
    r->entry[r->head.nr++] = (struct kvm_irq_routing_entry){ .gsi = line, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { chip, pin } };
}

static void add_message(struct routes *r, unsigned line, u64 address, u32 data)
{
    r->entry[r->head.nr++] = (struct kvm_irq_routing_entry){ .gsi = line, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { (u32)address, address >> 32, data } };
}

/* The PC's: IRQ 0 is at pin 2 of the I/O APIC, where the 8259A has its cascade. */
static void add_chips(struct routes *r)
{
    for (unsigned line = 0; line < 16; line++)
        if (line != IOAPIC_PIN_TIMER)
            add_pin(r, line, line / 8, line % 8);
    for (unsigned line = 0; line < IOAPIC_PINS; line++)
        if (line != IOAPIC_PIN_TIMER)
            add_pin(r, line, KVM_IRQCHIP_IOAPIC, line ? line : IOAPIC_PIN_TIMER);
}

void host_set_routes(struct host_vm *h)
{
    struct routes r = { .head.nr = 0 };
    _Static_assert(offsetof(struct routes, entry) == offsetof(struct kvm_irq_routing, entries), "the entries follow the head");
    if (h->irqchip == IRQCHIP_OFF)
        return;
    if (h->irqchip == IRQCHIP_ON)
        add_chips(&r);
    for (unsigned i = 0; i < h->nlevels; i++)
        add_message(&r, i, message_address(&h->level[i]), message_data(&h->level[i]));
    for (unsigned i = 0; i < h->taken.nirqs; i++)
        if (!h->taken.irq[i].line)
            add_message(&r, HOST_MAX_LEVELS + i, h->taken.irq[i].address, h->taken.irq[i].data);
    ioctl(h->vm_fd, KVM_SET_GSI_ROUTING, &r);
}

/* --- reset --- */

static int lapic_fd(const struct host_vm *h) { return ((struct host_vcpu *)h->vm->vcpu[0]->engine_data)->fd; }

static struct host_chips *read_chips(struct host_vm *h)
{
    struct host_chips *c = calloc(1, sizeof *c);
    for (unsigned i = 0; c && i < ARRAY_LEN(c->chip); i++) {
        c->chip[i].chip_id = i;
        ioctl(h->vm_fd, KVM_GET_IRQCHIP, &c->chip[i]);
    }
    if (c) {
        ioctl(h->vm_fd, KVM_GET_PIT2, &c->pit);
        ioctl(lapic_fd(h), KVM_GET_LAPIC, &c->lapic);
    }
    return c;
}

void host_irqchip_reset(struct host_vm *h)
{
    struct host_chips *c = h->chips;
    if (!c)
        return;
    ioctl(lapic_fd(h), KVM_SET_LAPIC, &c->lapic);
    if (h->irqchip != IRQCHIP_ON)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(c->chip); i++)
        ioctl(h->vm_fd, KVM_SET_IRQCHIP, &c->chip[i]);
    ioctl(h->vm_fd, KVM_SET_PIT2, &c->pit);
}

/* --- coming and going --- */

void host_irqchip_attach(struct host_vm *h)
{
    struct vm *vm = h->vm;
    if (h->irqchip == IRQCHIP_OFF)
        return;
    h->chips = read_chips(h);
    if (vm->platform.apic)
        apic_divert(vm->platform.apic, send_message, h);
    host_set_routes(h);
    if (h->irqchip == IRQCHIP_ON)
        vm->irq_tap = (struct irq){ set_line, h, 0 };
    for (unsigned line = 0; h->irqchip == IRQCHIP_ON && line < 16; line++)
        set_line(h, line, vm->isa_level >> line & 1);
}

void host_irqchip_detach(struct host_vm *h)
{
    if (h->irqchip != IRQCHIP_OFF && h->vm->platform.apic)
        apic_divert(h->vm->platform.apic, NULL, NULL);
    h->vm->irq_tap = (struct irq){ NULL };
    free(h->chips);
    h->chips = NULL;
}
