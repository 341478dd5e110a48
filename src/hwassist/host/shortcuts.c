/* SPDX-License-Identifier: MIT */
/* Doorbells and interrupts that the kernel serves by itself: KVM_IOEVENTFD, and KVM_IRQFD where the local APIC is the kernel's. */
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

static int set_doorbell(const struct host_vm *h, const struct doorbell *d, bool on)
{
    struct kvm_ioeventfd k = {
        .addr = d->at, .len = d->size, .fd = d->fd, .datamatch = d->value,
        .flags = (d->port ? KVM_IOEVENTFD_FLAG_PIO : 0) | (d->any ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH) | (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };
    return ioctl(h->vm_fd, KVM_IOEVENTFD, &k);
}

/* Line i is the kernel's line of that number; message i has a route behind those of the I/O APIC's pins. */
static int set_irq(const struct host_vm *h, unsigned i, const struct irq_event *e, bool on)
{
    struct kvm_irqfd k = { .fd = e->fd, .gsi = e->line ? e->number : HOST_MAX_LEVELS + i, .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN };
    return ioctl(h->vm_fd, KVM_IRQFD, &k);
}

static void withdraw_all(struct host_vm *h)
{
    while (h->taken.ndoorbells)
        set_doorbell(h, &h->taken.doorbell[--h->taken.ndoorbells], false);
    while (h->taken.nirqs) {
        h->taken.nirqs--;
        set_irq(h, h->taken.nirqs, &h->taken.irq[h->taken.nirqs], false);
    }
}

/* A line is ours to pulse unless the PIC is the kernel's too. */
static bool can_take(const struct host_vm *h, const struct irq_event *e)
{
    return host_can(h, HOST_IRQFD) && h->irqchip >= (e->line ? IRQCHIP_ON : IRQCHIP_SPLIT);
}

void host_shortcuts_refresh(struct host_vm *h)
{
    const struct shortcuts *s = &h->vm->shortcuts;
    struct shortcuts *t = &h->taken;
    withdraw_all(h);
    for (unsigned i = 0; i < s->ndoorbells && host_can(h, HOST_IOEVENTFD); i++)
        if (set_doorbell(h, &s->doorbell[i], true) == 0)
            t->doorbell[t->ndoorbells++] = s->doorbell[i];
    for (unsigned i = 0; i < s->nirqs; i++)
        if (can_take(h, &s->irq[i]))
            t->irq[t->nirqs++] = s->irq[i];
    host_set_routes(h);
    for (unsigned i = 0; i < t->nirqs; i++)
        set_irq(h, i, &t->irq[i], true);
}

/* At once: behind shortcut_withdraw() the descriptor may be closed. */
static void on_changed(void *opaque) { host_shortcuts_refresh(opaque); }

void host_shortcuts_attach(struct host_vm *h)
{
    h->vm->shortcuts.changed = on_changed;
    h->vm->shortcuts.opaque = h;
    host_shortcuts_refresh(h);
}

void host_shortcuts_detach(struct host_vm *h)
{
    withdraw_all(h);
    h->vm->shortcuts.changed = NULL;
}
