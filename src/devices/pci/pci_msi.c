/* SPDX-License-Identifier: MIT */
#include "devices/pci/pci_msi.h"

#include <string.h>

#include "devices/interrupt/apic.h"

enum { STATUS_CAPABILITIES = 1 << 4 };

void pci_add_capability(struct pci_function *f, u8 at, u8 id)
{
    f->config[at] = id;
    f->config[at + 1] = f->config[PCI_CAPABILITIES];
    f->config[PCI_CAPABILITIES] = at;
    f->config[PCI_STATUS] |= STATUS_CAPABILITIES;
}

/* The write that interrupts is one of a bus master. */
static void send(const struct pci_function *f, u64 address, u32 data)
{
    if (!f->bus || !(pci_get(f->config, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
        return;
    if (f->bus->root)
        f->bus->root->message(f->bus->root, f->bus->function[f->devfn], address, data);
    else if (f->bus->apic)
        apic_send_msi(f->bus->apic, address, data);
}

/* --- MSI (6.8.1) --- */

enum { MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_ADDRESS_HIGH = 8, MSI_DATA = 12 };
enum { MSI_ON = 1, MSI_OFFERED = 1, MSI_GRANTED = 4, MSI_LOG = 7, MSI_64_BIT = 1 << 7 };

static u16 msi_control(const struct pci_msi *m) { return pci_get(m->f->config, m->at + MSI_CONTROL, 2); }

void pci_msi_add(struct pci_msi *m, struct pci_function *f, u8 at, unsigned vectors)
{
    *m = (struct pci_msi){ f, at };
    pci_add_capability(f, at, PCI_CAP_MSI);
    pci_put(f->config, at + MSI_CONTROL, 2, MSI_64_BIT | __builtin_ctz(vectors) << MSI_OFFERED);
    pci_put(f->writable, at + MSI_CONTROL, 2, MSI_ON | MSI_LOG << MSI_GRANTED);
    pci_put(f->writable, at + MSI_ADDRESS, 4, ~3u);
    pci_put(f->writable, at + MSI_ADDRESS_HIGH, 4, ~0u);
    pci_put(f->writable, at + MSI_DATA, 2, 0xffff);
}

bool pci_msi_enabled(const struct pci_msi *m) { return msi_control(m) & MSI_ON; }

void pci_msi_send(const struct pci_msi *m, unsigned n)
{
    const u8 *config = m->f->config;
    unsigned offered = msi_control(m) >> MSI_OFFERED & MSI_LOG, granted = msi_control(m) >> MSI_GRANTED & MSI_LOG;
    u32 mask = (1u << (granted < offered ? granted : offered)) - 1;
    if (pci_msi_enabled(m))
        send(m->f, pci_get(config, m->at + MSI_ADDRESS, 4) | (u64)pci_get(config, m->at + MSI_ADDRESS_HIGH, 4) << 32,
             (pci_get(config, m->at + MSI_DATA, 2) & ~mask) | (n & mask));
}

void pci_msi_reset(struct pci_msi *m)
{
    u8 *config = m->f->config;
    pci_put(config, m->at + MSI_CONTROL, 2, msi_control(m) & ~(MSI_ON | MSI_LOG << MSI_GRANTED));
    memset(config + m->at + MSI_ADDRESS, 0, PCI_MSI_SIZE - MSI_ADDRESS);
}

/* --- MSI-X (6.8.2) --- */

enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PENDING = 8, MSIX_ON = 1 << 15, MSIX_MASKED = 1 << 14, VECTOR_MASKED = 1 };
#define PENDING_AT (PCI_MSIX_BAR_SIZE / 2)
_Static_assert(sizeof ((struct pci_msix *)0)->entry <= PENDING_AT, "the table ends before the pending bits");

static u16 msix_control(const struct pci_msix *x) { return pci_get(x->f->config, x->at + MSIX_CONTROL, 2); }

bool pci_msix_enabled(const struct pci_msix *x) { return msix_control(x) & MSIX_ON; }

static bool may_send(const struct pci_msix *x, unsigned n)
{
    return !(msix_control(x) & MSIX_MASKED) && !(x->entry[n].control & VECTOR_MASKED);
}

static void send_entry(const struct pci_msix *x, unsigned n)
{
    send(x->f, x->entry[n].address | (u64)x->entry[n].address_high << 32, x->entry[n].data);
}

void pci_msix_send(struct pci_msix *x, unsigned n)
{
    if (!pci_msix_enabled(x) || n >= x->vectors)
        return;
    if (may_send(x, n))
        send_entry(x, n);
    else
        x->pending |= BIT(n);
}

void pci_msix_written(struct pci_msix *x)
{
    for (unsigned n = 0; n < x->vectors && x->pending && pci_msix_enabled(x); n++) {
        if (!(x->pending >> n & 1) || !may_send(x, n))
            continue;
        x->pending &= ~BIT(n);
        send_entry(x, n);
    }
}

static u32 *entry_word(struct pci_msix *x, u64 offset)
{
    return offset / 16 < x->vectors ? (u32 *)((u8 *)x->entry + offset) : NULL;
}

static u64 bar_read(void *dev, u64 offset, unsigned size)
{
    struct pci_msix *x = dev;
    const u32 *word = entry_word(x, offset);
    if (word)
        return *word;
    return offset == PENDING_AT ? (u32)x->pending : offset == PENDING_AT + 4 ? x->pending >> 32 : 0;
}

static void bar_write(void *dev, u64 offset, unsigned size, u64 value)
{
    static const u32 writable[4] = { ~3u, ~0u, ~0u, VECTOR_MASKED };
    struct pci_msix *x = dev;
    u32 *word = entry_word(x, offset);
    if (!word)
        return;
    *word = value & writable[offset / 4 % 4];
    pci_msix_written(x);
}

static const char *bar_reg(u64 offset)
{
    static const char *const name[4] = { "address", "address-high", "data", "control" };
    return offset < PENDING_AT ? name[offset / 4 % 4] : "pending";
}
static const struct bus_ops bar_ops = { bar_read, bar_write, 4, 4, bar_reg };

void pci_msix_add(struct pci_msix *x, struct pci_function *f, u8 at, unsigned bar, unsigned vectors)
{
    *x = (struct pci_msix){ .f = f, .at = at, .vectors = vectors };
    pci_add_capability(f, at, PCI_CAP_MSIX);
    pci_put(f->config, at + MSIX_CONTROL, 2, vectors - 1);
    pci_put(f->writable, at + MSIX_CONTROL, 2, MSIX_ON | MSIX_MASKED);
    pci_put(f->config, at + MSIX_TABLE, 4, bar);
    pci_put(f->config, at + MSIX_PENDING, 4, PENDING_AT | bar);
    pci_set_bar(f, bar, &(struct pci_bar){ .name = "msix", .size = PCI_MSIX_BAR_SIZE, .ops = &bar_ops, .dev = x });
    pci_msix_reset(x);
}

void pci_msix_reset(struct pci_msix *x)
{
    pci_put(x->f->config, x->at + MSIX_CONTROL, 2, x->vectors - 1);
    memset(x->entry, 0, sizeof x->entry);
    for (unsigned n = 0; n < x->vectors; n++)
        x->entry[n].control = VECTOR_MASKED;
    x->pending = 0;
}
