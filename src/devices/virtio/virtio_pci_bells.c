/* SPDX-License-Identifier: MIT */
/*
 * A function's doorbells, offered as event descriptors (devices/shortcut.h) as long as its BARs are somewhere: by the modern interface each
 * queue has an address of its own, by the legacy one all have a port, and the value says which. Two bytes, as drivers write; what is written
 * otherwise comes by the bus.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/virtio/virtio_pci.h"

static void rung(void *queue)
{
    struct virtqueue *q = queue;
    virtio_kick(q->v, q->index);
}

static void withdraw(struct virtio_pci *p)
{
    struct virtio_pci_bells *b = &p->bells;
    for (; b->count; b->count--) {
        shortcut_withdraw(p->shortcuts, b->fd[b->count - 1]);
        close(b->fd[b->count - 1]);
    }
    b->modern = b->legacy = 0;
}

/* A host that is out of descriptors has shortcuts for the first queues only. */
static void offer(struct virtio_pci *p, u32 modern, u32 legacy)
{
    struct virtio_pci_bells *b = &p->bells;
    *b = (struct virtio_pci_bells){ .modern = modern, .legacy = legacy };
    for (unsigned n = 0; n < p->v->queues; n++) {
        struct doorbell d = { .size = 2, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .rung = rung, .opaque = &p->v->queue[n] };
        if (d.fd < 0)
            return;
        b->fd[b->count++] = d.fd;
        d.at = modern + VIRTIO_PCI_NOTIFY_AT + VIRTIO_PCI_NOTIFY_STEP * n;
        d.any = true;
        if (modern)
            shortcut_offer_doorbell(p->shortcuts, &d);
        d.at = legacy + VIRTIO_PCI_LEGACY_NOTIFY;
        d.port = true;
        d.any = false;
        d.value = n;
        if (legacy)
            shortcut_offer_doorbell(p->shortcuts, &d);
    }
}

static u32 place(const struct pci_bar *b) { return b->mapped ? b->at : 0; }

void virtio_pci_place_bells(struct virtio_pci *p)
{
    u32 modern = place(&p->function.bar[VIRTIO_PCI_BAR_MODERN]), legacy = place(&p->function.bar[VIRTIO_PCI_BAR_LEGACY]);
    if (!p->shortcuts || p->no_ioeventfd || (modern == p->bells.modern && legacy == p->bells.legacy))
        return;
    withdraw(p);
    if (modern || legacy)
        offer(p, modern, legacy);
}

void virtio_pci_take_bells(struct virtio_pci *p)
{
    if (p->shortcuts)
        withdraw(p);
}
