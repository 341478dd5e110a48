/* SPDX-License-Identifier: MIT */
/* The adapter as a whole: how its functions are made, whose hands they are in, and what a reset leaves (DS 4.2). */
#include "devices/igb/igb.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CLASS_ETHERNET = 0x020000, REVISION = 1, MSIX_AT = 0x70, PF_STATUS_UP = 0x83 };

/* --- resets (DS 4.2.1.6) --- */

static void reset_rings(struct igb_vf *v)
{
    memset(v->rx, 0, sizeof v->rx);
    for (unsigned n = 0; n < IGB_VF_QUEUES; n++) {
        memset(&v->tx[n].q, 0, sizeof v->tx[n].q);
        memset(v->tx[n].context, 0, sizeof v->tx[n].context);
        v->tx[n].packet.started = false;
    }
    v->tx[0].q.dctl = v->rx[0].dctl = IGB_DCTL_ENABLE;  /* ring 0 is enabled from the start */
    if (v->clock)
        timer_cancel(v->clock, &v->tx_go_on);
}

/* The PF has to let it send and receive again. What it had written to the PF is gone with the mailbox. */
void igb_vf_reset(struct igb_vf *v)
{
    u32 bit = 1u << v->index, mail = bit | bit << MBVF_ACK_SHIFT;
    reset_rings(v);
    igb_irq_reset(v);
    memset(v->mailbox, 0, sizeof v->mailbox);
    v->mailbox_bits = MAILBOX_RSTD;
    v->port->reg[PF_MBVFICR / 4] &= ~mail;
    v->port->reg[PF_VFRE / 4] &= ~bit;
    v->port->reg[PF_VFTE / 4] &= ~bit;
    v->port->reg[PF_VFLRE / 4] |= bit;
}

/* --- in whose hands --- */

void igb_vf_hand_over(struct igb_vf *v, struct clock *clock, struct net_wire *wire)
{
    v->clock = clock;
    v->wire = wire;
    memset(v->stats, 0, sizeof v->stats);
    v->spoofed = v->no_buffer = v->filtered = 0;
    igb_uplink_take(v);
    pci_msix_reset(&v->msix);
    igb_vf_reset(v);
}

void igb_vf_give_back(struct igb_vf *v)
{
    igb_vf_reset(v);
    if (v->clock)
        timer_cancel(v->clock, &v->mail);
    igb_host_serve(v->port);
    igb_uplink_leave(v);
    v->clock = NULL;
    v->wire = NULL;
}

/* --- making one --- */

static void go_on(void *vf, cycles_t when) { igb_transmit(vf); }
static void mail_came(void *vf, cycles_t when) { igb_host_serve(((struct igb_vf *)vf)->port); }

static void make_vf(struct igb *p, unsigned n)
{
    struct igb_vf *v = &p->vf[n];
    struct pci_function *f = &v->function;
    v->port = p;
    v->index = n;
    v->tx_go_on = (struct timer){ .fire = go_on, .opaque = v };
    v->mail = (struct timer){ .fire = mail_came, .opaque = v };
    pci_identify(f, IGB_VENDOR, IGB_VF_DEVICE, CLASS_ETHERNET, REVISION);
    pci_put(f->config, PCI_SUBSYSTEM_VENDOR, 4, 0xa03c8086);
    pci_set_bar(f, IGB_VF_BAR, &(struct pci_bar){ .name = "82576-vf", .size = IGB_VF_SPACE, .ops = &igb_vf_ops, .dev = v });
    pci_msix_add(&v->msix, f, MSIX_AT, IGB_VF_MSIX_BAR, IGB_VF_VECTORS);
    f->dev = v;
    igb_irq_init(v);
    igb_vf_reset(v);
}

static void make_pf(struct igb *p)
{
    struct pci_function *f = &p->pf;
    pci_identify(f, IGB_VENDOR, IGB_PF_DEVICE, CLASS_ETHERNET, REVISION);
    pci_put(f->config, PCI_SUBSYSTEM_VENDOR, 4, 0xa03c8086);
    pci_set_bar(f, 0, &(struct pci_bar){ .name = "82576", .size = PF_SPACE, .ops = &igb_pf_ops, .dev = p });
    f->dev = p;
    p->reg[PF_STATUS / 4] = PF_STATUS_UP;
    igb_sriov_init(p);
}

struct igb *igb_new(struct pci_bus *bus, unsigned func, const u8 mac[6], unsigned vfs, struct error *err)
{
    struct igb *p = calloc(1, sizeof *p);
    if (!p) {
        error_set(err, "no memory for a network adapter");
        return NULL;
    }
    p->total_vfs = IGB_VFS_MAX;
    memcpy(p->mac, mac, 6);
    make_pf(p);
    for (unsigned n = 0; n < IGB_VFS_MAX; n++)
        make_vf(p, n);
    if (pci_add(bus, 0, func, &p->pf, err) || igb_host_start(p, vfs, err)) {
        igb_free(p);
        return NULL;
    }
    return p;
}

void igb_free(struct igb *p)
{
    for (unsigned n = 0; p && n < IGB_VFS_MAX; n++)
        igb_vf_give_back(&p->vf[n]);
    free(p);
}

void igb_vf_print(const struct igb_vf *v, FILE *out)
{
    const struct igb_queue *r = &v->rx[0], *t = &v->tx[0].q;
    fprintf(out, "82576 VF %u: receive %u to %u of %u, transmit %u to %u of %u, wire %s, %" PRIu64 " spoofed, %" PRIu64 " without a buffer\n", v->index,
            r->head, r->tail, igb_ring_size(r), t->head, t->tail, igb_ring_size(t), v->wire ? v->wire->id : "none", v->spoofed, v->no_buffer);
}
