/* SPDX-License-Identifier: MIT */
/*
 * Adapters behind the stand-in for the host's kernel (vfio_standin.h): the modelled 82540EM, or a virtual function of the modelled 82576, in a
 * thread of its own that lives in the host's time, as hardware does. Its registers are reached by the kernel's system calls, its DMA by what
 * is mapped in the container, its interrupts by event descriptors.
 */
#ifndef EMU_TESTS_VFIO_CARDS_H
#define EMU_TESTS_VFIO_CARDS_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "devices/e1000/e1000.h"
#include "devices/igb/igb.h"
#include "devices/net/net_backend.h"
#include "devices/net/net_wire.h"
#include "vfio_standin.h"

enum { CARD_NAP_NS = 200000, CARD_MSIX_AT = 0x70 };

struct card {
    struct standin k;
    struct standin_device *d;
    struct clock clock;                 /* of nanoseconds */
    u64 started_ns;
    struct tracer tracer;
    struct pci_root root;
    struct pci_bus bus;
    struct pci_function *function;
    struct device *e1000;               /* one of them; owned */
    struct igb *igb;
    struct net_room room;
    struct net_wire *wire;
    struct net_backend *net;
    pthread_t thread;
    pthread_cond_t wake;
    bool stop;
    u64 dma_bytes, refused;             /* counted */
};

static inline u64 card_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000u + t.tv_nsec;
}

/* --- its side of the bus --- */

static inline struct card *card_of_root(struct pci_root *r) { return (struct card *)((u8 *)r - offsetof(struct card, root)); }

static inline u8 *card_dma(struct pci_root *r, struct pci_function *f, u64 address, u64 len, bool write)
{
    struct card *c = card_of_root(r);
    u8 *at = standin_dma(&c->k, address, len, write);
    *(at ? &c->dma_bytes : &c->refused) += at ? len : 1;
    return at;
}

static inline void card_written(struct pci_root *r, struct pci_function *f, u64 address, u64 len) { }   /* nobody hears of it */
static inline void card_message(struct pci_root *r, struct pci_function *f, u64 address, u32 data) { standin_signal(card_of_root(r)->d, VFIO_PCI_MSIX_IRQ_INDEX, data); }
static inline void card_pin(void *sink, unsigned line, bool level)
{
    struct card *c = sink;
    standin_set_pin(c->d, c->bus.asserted[0] || c->bus.asserted[1] || c->bus.asserted[2] || c->bus.asserted[3]);
}

/* --- time --- */

static inline void card_catch_up(struct card *c)
{
    u64 now = card_now() - c->started_ns;
    while (c->clock.now < now) {        /* in steps, so that what is due is done at its own time */
        cycles_t due = clock_deadline(&c->clock);
        clock_advance(&c->clock, (due > c->clock.now && due < now ? due : now) - c->clock.now);
        clock_run_due(&c->clock);
    }
}

static inline void *card_work(void *opaque)
{
    struct card *c = opaque;
    pthread_mutex_lock(&c->k.lock);
    while (!c->stop) {
        card_catch_up(c);
        if (c->net->ops->poll)
            c->net->ops->poll(c->net);
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        u64 until = t.tv_nsec + CARD_NAP_NS;
        t.tv_sec += until / 1000000000u;
        t.tv_nsec = until % 1000000000u;
        pthread_cond_timedwait(&c->wake, &c->k.lock, &t);
    }
    pthread_mutex_unlock(&c->k.lock);
    return NULL;
}

/* --- registers: the stand-in holds its lock --- */

static inline u64 card_read(void *self, unsigned region, u64 offset, unsigned size)
{
    struct card *c = self;
    const struct pci_bar *b = &c->function->bar[region];
    card_catch_up(c);
    return b->size ? b->ops->read(b->dev, offset & ~3ull, 4) >> 8 * (offset & 3) : ~(u64)0;
}

static inline void card_write(void *self, unsigned region, u64 offset, unsigned size, u64 value)
{
    struct card *c = self;
    const struct pci_bar *b = &c->function->bar[region];
    card_catch_up(c);
    if (b->size)
        b->ops->write(b->dev, offset, 4, value);
    card_catch_up(c);
    pthread_cond_signal(&c->wake);
}

static inline void card_command(void *self, u16 command) { pci_put(((struct card *)self)->function->config, PCI_COMMAND, 2, command); }

static inline void card_reset(void *self)
{
    struct card *c = self;
    if (c->e1000)
        c->e1000->ops->reset(c->e1000);
    else
        igb_vf_reset(&c->igb->vf[0]);
}

static const struct standin_card card_ops = { card_read, card_write, card_command, card_reset };

/* --- its life --- */

/* The computer with its cable, as -netdev says; the card is put in by one of the two below, then card_start(). */
static inline void card_init(struct card *c, const char *netdev, const char *const *words, unsigned nwords)
{
    struct error err = { "" };
    memset(c, 0, sizeof *c);
    standin_init(&c->k);
    clock_init(&c->clock, 1000000000);
    c->started_ns = card_now();
    pthread_cond_init(&c->wake, NULL);
    c->root = (struct pci_root){ card_dma, card_written, card_message };
    c->bus.root = &c->root;
    c->wire = net_new("cable", &c->clock);
    for (const struct net_backend_ops *const *b = net_backends; *b; b++)
        if (!strcmp((*b)->name, netdev))
            c->net = (*b)->open(c->wire, &c->room, words, nwords, &err);
    if (!c->net)
        FAIL("-netdev %s: %s", netdev, err.text);
}

static inline void card_describe(struct card *c, u32 class_code)
{
    const u8 *config = c->function->config;
    c->d = standin_add(&c->k, "0000:06:0d.0", "26", pci_get(config, PCI_VENDOR, 2), pci_get(config, PCI_DEVICE, 2), class_code);
    pci_put(c->d->config, PCI_SUBSYSTEM_VENDOR, 4, pci_get(config, PCI_SUBSYSTEM_VENDOR, 4));
    c->d->config[PCI_REVISION] = config[PCI_REVISION];
    c->d->card = &card_ops;
    c->d->self = c;
}

/* 82540EM: a pin. */
static inline void card_put_e1000(struct card *c)
{
    struct error err;
    struct platform own = { .clock = &c->clock, .tracer = &c->tracer, .pci = &c->bus };
    own.nic[0] = (struct nic){ .model = NIC_E1000, .mac = { 0x00, 0x1b, 0x21, 0x54, 1, 1 }, .slot = 1, .wire = c->wire };
    for (unsigned i = 0; i < 4; i++)
        c->bus.pirq[i] = (struct irq){ card_pin, c, i };
    c->e1000 = e1000_ops.create(&own, &err);
    c->function = c->bus.function[1 << 3];
    card_describe(c, 0x020000);
    standin_add_bar(c->d, 0, E1000_SPACE, 0, false);
    standin_add_bar(c->d, 1, 64, 1, false);
    standin_add_pin(c->d);
}

/* 82576 VF: MSI-X, and nothing else. The host has programmed its table; what the guest writes there is the guest's. */
static inline void card_put_vf(struct card *c)
{
    const u8 mac[6] = { 0x00, 0x1b, 0x21, 0x76, 1, 0 };
    struct error err;
    c->igb = igb_new(&c->bus, 0, mac, 1, &err);
    struct igb_vf *v = &c->igb->vf[0];
    igb_vf_hand_over(v, &c->clock, c->wire);
    c->function = &v->function;
    const struct pci_bar *table = &c->function->bar[IGB_VF_MSIX_BAR];
    for (unsigned n = 0; n < IGB_VF_VECTORS; n++)
        for (unsigned word = 0; word < 4; word++)
            table->ops->write(table->dev, 16 * n + 4 * word, 4, word == 0 ? 0xfee00000 : word == 2 ? n : 0);
    pci_put(c->function->config, CARD_MSIX_AT + 2, 2, (IGB_VF_VECTORS - 1) | 0x8000);
    card_describe(c, 0x020000);
    standin_add_bar(c->d, 0, IGB_VF_SPACE, 4, false);
    standin_add_bar(c->d, IGB_VF_MSIX_BAR, 0x4000, 4, false);
    standin_add_msix(c->d, CARD_MSIX_AT, IGB_VF_VECTORS, IGB_VF_MSIX_BAR, 0);
}

static inline void card_start(struct card *c) { pthread_create(&c->thread, NULL, card_work, c); }

/* The program has given it back. */
static inline void card_fini(struct card *c)
{
    const char *left = standin_leftover(&c->k);
    pthread_mutex_lock(&c->k.lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->k.lock);
    pthread_join(c->thread, NULL);
    if (left)
        FAIL("%s is left, in:\n%s", left, c->k.log);
    if (c->k.broken)
        FAIL("%s, in:\n%s", c->k.broken, c->k.log);
    if (c->e1000)
        c->e1000->ops->destroy(c->e1000);
    if (c->igb) {
        igb_vf_give_back(&c->igb->vf[0]);
        igb_free(c->igb);
    }
    c->net->ops->close(c->net);
    net_free(c->wire);
    clock_fini(&c->clock);
    standin_fini(&c->k);
}

#endif
