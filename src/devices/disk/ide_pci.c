/* SPDX-License-Identifier: MIT */
/*
 * The IDE interface of the south bridge, function 1 (82371SB, order number 290550, 2.3): two channels at the places and
 * interrupts of an AT, and a bus master behind base address register 4.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/disk/ide.h"

#define SLOT 1
enum { IDETIM = 0x40, DECODE_BOTH = 0x80008000, BM_BAR = 4, BM_SIZE = 16 };

struct ide {
    struct device dev;
    struct pci_function function;
    struct ide_channel channel[2];
};

static const struct { u16 command, control; u8 irq; } places[2] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };

static void make_function(struct ide *p)
{
    struct pci_function *f = &p->function;
    struct pci_bar bar = { .name = "ide-bus-master", .size = BM_SIZE, .io = true, .ops = &ide_bm_ports, .dev = p->channel };
    pci_identify(f, 0x8086, 0x7010, 0x010180, 0x00);
    pci_put(f->config, PCI_STATUS, 2, 0x0280);
    pci_put(f->writable, IDETIM, 4, 0xffffffff);
    pci_set_bar(f, BM_BAR, &bar);
}

/* The channels are decoded from the start, so that a kernel without firmware finds them. */
static void ide_reset(struct device *d)
{
    struct ide *p = (struct ide *)d;
    pci_reset(&p->function);
    pci_put(p->function.config, PCI_COMMAND, 2, PCI_COMMAND_IO);
    pci_put(p->function.config, IDETIM, 4, DECODE_BOTH);
    for (int n = 0; n < 2; n++)
        ide_channel_reset(&p->channel[n]);
}

static int add_channel(struct ide *p, unsigned n, struct platform *to, struct error *err)
{
    struct ide_channel *c = &p->channel[n];
    ide_channel_init(c, to->clock, to->isa_irq[places[n].irq], &p->function);
    for (int i = 0; i < 2; i++) {
        c->drive[i].image = to->ide[2 * n + i].image;
        c->drive[i].is_cd = to->ide[2 * n + i].is_cd;
    }
    return bus_add_ports(to->bus, "ide", places[n].command, 8, &ide_command_ports, c, err) ||
           bus_add_ports(to->bus, "ide", places[n].control, 1, &ide_control_ports, c, err) ? -1 : 0;
}

static void ide_destroy(struct device *d)
{
    struct ide *p = (struct ide *)d;
    for (int n = 0; n < 2; n++)
        ide_channel_fini(&p->channel[n]);
    free(p);
}

static struct device *ide_create(struct platform *to, struct error *err)
{
    struct ide *p = device_new(&ide_ops, sizeof *p, err);
    if (!p)
        return NULL;
    make_function(p);
    if (add_channel(p, 0, to, err) || add_channel(p, 1, to, err) || pci_add(to->pci, SLOT, 1, &p->function, err)) {
        ide_destroy(&p->dev);
        return NULL;
    }
    ide_reset(&p->dev);
    return &p->dev;
}

static void ide_info(const struct device *d, FILE *out)
{
    const struct ide *p = (const struct ide *)d;
    for (int i = 0; i < 4; i++) {
        const struct ide_drive *drive = &p->channel[i / 2].drive[i % 2];
        if (!drive->image)
            continue;
        fprintf(out, "ide%d: %s, %llu bytes%s, status %02x: %s (%s)\n", i, drive->is_cd ? "CD" : "disk", (unsigned long long)block_size(drive->image),
                block_readonly(drive->image) ? ", read-only" : "", drive->status, block_path(drive->image), block_kind(drive->image));
        if (*block_trouble(drive->image))
            fprintf(out, "ide%d: the host refused: %s\n", i, block_trouble(drive->image));
    }
}

const struct device_ops ide_ops = {
    "ide", "PIIX3 IDE: two channels, disks and CD drives, bus master", ide_create, ide_reset, ide_destroy, ide_info,
};
