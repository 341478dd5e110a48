/* SPDX-License-Identifier: MIT */
/* Doorbells and interrupts that the kernel serves by itself: KVM_IOEVENTFD, and KVM_IRQFD where the local APIC is the kernel's. */
#include <string.h>
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

/* --- doorbells: only what has changed, for KVM waits a while for each that it gives up --- */

static bool is_offered(const struct shortcuts *s, const struct doorbell *d)
{
    for (unsigned i = 0; i < s->ndoorbells; i++)
        if (memcmp(&s->doorbell[i], d, sizeof *d) == 0)
            return true;
    return false;
}

static void drop_doorbell(struct host_vm *h, unsigned i)
{
    struct shortcuts *t = &h->taken;
    set_doorbell(h, &t->doorbell[i], false);
    if (t->doorbell[i].rung)
        host_bells_forget(h, t->doorbell[i].fd);
    t->doorbell[i] = t->doorbell[--t->ndoorbells];
}

static void take_doorbell(struct host_vm *h, const struct doorbell *d)
{
    if (set_doorbell(h, d, true) < 0)
        return;
    h->taken.doorbell[h->taken.ndoorbells++] = *d;
    if (d->rung && !host_bells_hear(h, d->fd))
        drop_doorbell(h, h->taken.ndoorbells - 1);
}

static void refresh_doorbells(struct host_vm *h, const struct shortcuts *s)
{
    for (unsigned i = h->taken.ndoorbells; i-- > 0;)
        if (!is_offered(s, &h->taken.doorbell[i]))
            drop_doorbell(h, i);
    for (unsigned i = 0; i < s->ndoorbells && host_can(h, HOST_IOEVENTFD); i++)
        if (!is_offered(&h->taken, &s->doorbell[i]))
            take_doorbell(h, &s->doorbell[i]);
}

/* --- interrupts --- */

/* A line is ours to pulse unless the PIC is the kernel's too. */
static bool can_take(const struct host_vm *h, const struct irq_event *e)
{
    return host_can(h, HOST_IRQFD) && h->irqchip >= (e->line ? IRQCHIP_ON : IRQCHIP_SPLIT);
}

static void drop_irqs(struct host_vm *h)
{
    while (h->taken.nirqs) {
        h->taken.nirqs--;
        set_irq(h, h->taken.nirqs, &h->taken.irq[h->taken.nirqs], false);
    }
}

static void refresh_irqs(struct host_vm *h, const struct shortcuts *s)
{
    struct shortcuts *t = &h->taken;
    drop_irqs(h);
    for (unsigned i = 0; i < s->nirqs; i++)
        if (can_take(h, &s->irq[i]))
            t->irq[t->nirqs++] = s->irq[i];
    host_set_routes(h);
    for (unsigned i = 0; i < t->nirqs; i++)
        set_irq(h, i, &t->irq[i], true);
}

/* --- both --- */

void host_shortcuts_refresh(struct host_vm *h)
{
    const struct shortcuts *s = &h->vm->shortcuts;
    refresh_doorbells(h, s);
    if (h->taken.nirqs || s->nirqs)
        refresh_irqs(h, s);
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
    static const struct shortcuts none;
    refresh_doorbells(h, &none);
    drop_irqs(h);
    h->vm->shortcuts.changed = NULL;
}
