/* SPDX-License-Identifier: MIT */
/*
 * What the host's kernel does with its IOMMU for VFIO, by registers and tables; and the way of an access of a device: through the IOMMU to
 * the memory of the guest that has the device. Nothing here decides who may touch what: the tables do.
 */
#include "devices/vfio/vfio_dma.h"

#include "devices/vfio/vfio.h"

enum { LARGE = 2 << 20, TABLE_WORDS = 512, IRTE_VECTOR_SHIFT = 16, IRTE_CHECK_SOURCE = 1 << 18, IR_SIZE_256 = 7 };

/* --- the tables --- */

static void wait_for(struct iommu *u, u32 command) { iommu_write(u, DMAR_GCMD, 4, command); }

static u64 *root_entry(struct vfio_host *h, u8 bus) { return host_memory_table(&h->memory, iommu_read(&h->iommu, DMAR_RTADDR, 8)) + 2 * bus; }

/* Each of the host's buses has its context table from the start. */
static u64 *context_of(struct vfio_host *h, u16 source)
{
    return host_memory_table(&h->memory, IOMMU_FRAME(root_entry(h, source >> 8)[0])) + 2 * (source & 0xff);
}

/* Entry of that level for the address, tables above it made where there are none. NULL: no frames. */
static u64 *entry_of(struct vfio_container *c, u64 address, unsigned level)
{
    struct host_memory *m = &c->host->memory;
    hpa_t table = c->table;
    for (unsigned l = 4;; l--) {
        u64 *e = host_memory_table(m, table) + (address >> (PAGE_SHIFT + 9 * (l - 1)) & (TABLE_WORDS - 1));
        if (l == level)
            return e;
        if (!*e)
            *e = host_memory_frame(m);
        if (!*e)
            return NULL;
        *e |= SL_READ | SL_WRITE;
        table = IOMMU_FRAME(*e);
    }
}

int vfio_container_map(struct vfio_container *c, u64 address, hpa_t hpa, u64 size, u8 perms)
{
    for (u64 n; size; address += n, hpa += n, size -= n) {
        bool large = !((address | hpa) & (LARGE - 1)) && size >= LARGE;
        u64 *e = entry_of(c, address, large ? 2 : 1);
        if (!e)
            return -1;
        n = large ? LARGE : PAGE_SIZE;
        *e = hpa | perms | (large ? SL_LARGE : 0);
    }
    return 0;
}

void vfio_set_irte(struct vfio_host *h, u16 index, u16 source, bool posted, u8 vector)
{
    u64 *e = host_memory_table(&h->memory, IOMMU_FRAME(h->iommu.irta)) + 2 * index;
    e[1] = source | IRTE_CHECK_SOURCE;
    e[0] = (u64)vector << IRTE_VECTOR_SHIFT | (posted ? IRTE_POSTED : 0) | ENTRY_PRESENT;
}

/* --- containers --- */

static int map_ram(struct vfio_container *c, struct error *err)
{
    for (unsigned i = 0; i < c->map->nadded; i++) {
        const struct region *r = &c->map->added[i];
        if (r->kind == REGION_RAM && !r->alias && vfio_container_map(c, r->gpa, c->base + r->gpa, r->size, SL_READ | SL_WRITE))
            return error_set(err, "the IOMMU's tables are full");
    }
    return 0;
}

int vfio_container_init(struct vfio_container *c, struct vfio_host *h, struct physmap *map, struct ledger *l, bool no_iommu, struct error *err)
{
    *c = (struct vfio_container){ .host = h, .map = map, .ledger = l, .no_iommu = no_iommu };
    if (no_iommu)
        return 0;
    c->base = host_memory_add_guest(&h->memory, map, err);
    if (!c->base)
        return -1;
    c->domain = c->base / HOST_GUEST_SPAN;
    c->table = host_memory_frame(&h->memory);
    if (!c->table || map_ram(c, err)) {
        vfio_container_fini(c);
        return error_set(err, "-device vfio-pci: the IOMMU's tables are full");
    }
    return 0;
}

static void forget(struct vfio_container *c)
{
    iommu_write(&c->host->iommu, DMAR_CCMD, 8, CCMD_ICC | (u64)INVALIDATE_DOMAIN << CCMD_KIND_SHIFT | c->domain);
    iommu_write(&c->host->iommu, DMAR_IOTLB, 8, IOTLB_IVT | (u64)INVALIDATE_DOMAIN << IOTLB_KIND_SHIFT | (u64)c->domain << IOTLB_DOMAIN_SHIFT);
}

/* The table of that level, and those below. */
static void return_tables(struct host_memory *m, hpa_t table, unsigned level)
{
    const u64 *e = host_memory_table(m, table);
    for (unsigned i = 0; level > 1 && i < TABLE_WORDS; i++)
        if (e[i] && !(e[i] & SL_LARGE))
            return_tables(m, IOMMU_FRAME(e[i]), level - 1);
    host_memory_return(m, table);
}

void vfio_container_fini(struct vfio_container *c)
{
    if (c->table)
        return_tables(&c->host->memory, c->table, 4);
    host_memory_remove_guest(&c->host->memory, c->map);
}

void vfio_container_attach(struct vfio_container *c, struct host_device *d)
{
    d->owner = c;
    if (c->no_iommu)
        return;
    u64 *e = context_of(c->host, vfio_source(d));
    e[1] = AW_4_LEVELS | (u64)c->domain << CONTEXT_DOMAIN_SHIFT;
    e[0] = c->table | ENTRY_PRESENT;
    forget(c);
}

void vfio_container_detach(struct vfio_container *c, struct host_device *d)
{
    d->owner = NULL;
    d->last = (struct host_access){ 0 };
    if (c->no_iommu)
        return;
    context_of(c->host, vfio_source(d))[0] = 0;
    forget(c);
}

/* --- an access --- */

static cycles_t note(const struct vfio_container *c, enum event e) { return c->ledger ? ledger_note(c->ledger, e) : 0; }

static u8 *memory(struct physmap *m, gpa_t gpa, u64 len, bool write)
{
    return !m ? NULL : write ? physmap_ptr(m, gpa, len) : (u8 *)physmap_ptr_ro(m, gpa, len);
}

/* Where the address leads to; NULL: nowhere. */
static struct physmap *resolve(struct vfio_host *h, const struct host_device *d, struct pci_function *f, u64 address, bool write, gpa_t *gpa)
{
    const struct vfio_container *c = d->owner;
    hpa_t hpa;
    bool walked;
    if (c->no_iommu) {
        f->dma_cycles += note(c, EV_DMA);
        *gpa = address;
        return c->map;
    }
    enum iommu_reason r = iommu_translate(&h->iommu, vfio_source(d), address, write, &hpa, &walked);
    f->dma_cycles += note(c, EV_DMA_REMAPPED);
    if (walked)
        f->dma_cycles += note(c, EV_IOMMU_WALK);
    if (r == IOMMU_OK)
        return host_memory_guest(&h->memory, hpa, gpa);
    note(c, EV_IOMMU_FAULT);
    return NULL;
}

static u8 *root_dma(struct pci_root *r, struct pci_function *f, u64 address, u64 len, bool write)
{
    struct vfio_host *h = (struct vfio_host *)((u8 *)r - offsetof(struct vfio_host, root));
    struct host_device *d = f->assigned;
    gpa_t gpa = 0;
    if (!d || !d->owner)
        return NULL;
    struct physmap *m = resolve(h, d, f, address, write, &gpa);
    d->last = (struct host_access){ address & PAGE_MASK, m, gpa & PAGE_MASK };
    return memory(m, gpa, len, write);
}

/* It follows upon the access itself, so where it went to is known. */
static void root_written(struct pci_root *r, struct pci_function *f, u64 address, u64 len)
{
    const struct host_device *d = f->assigned;
    if (d && d->last.map && d->last.page == (address & PAGE_MASK))
        physmap_written(d->last.map, d->last.gpa | (address & ~PAGE_MASK), len);
}

static void root_message(struct pci_root *r, struct pci_function *f, u64 address, u32 data)
{
    struct vfio_host *h = (struct vfio_host *)((u8 *)r - offsetof(struct vfio_host, root));
    struct host_device *d = f->assigned;
    struct iommu_message m = { .index = data };
    if (!d || !d->owner || !d->device)
        return;
    if (!d->owner->no_iommu && iommu_interrupt(&h->iommu, vfio_source(d), address, data, &m) != IOMMU_OK) {
        note(d->owner, EV_IOMMU_FAULT);
        return;
    }
    if (!d->owner->no_iommu)
        note(d->owner, m.posted ? EV_IRQ_POSTED : EV_IRQ_REMAPPED);
    vfio_message(d->device, m.index, m.posted || d->owner->no_iommu);
}

void vfio_dma_init(struct vfio_host *h)
{
    struct iommu *u = &h->iommu;
    h->root = (struct pci_root){ root_dma, root_written, root_message };
    iommu_init(u, &h->memory);
    iommu_write(u, DMAR_RTADDR, 8, host_memory_frame(&h->memory));
    for (unsigned i = 0; i < h->ncards; i++)
        root_entry(h, i + 1)[0] = host_memory_frame(&h->memory) | ENTRY_PRESENT;
    wait_for(u, GCMD_SRTP);
    iommu_write(u, DMAR_IRTA, 8, host_memory_frame(&h->memory) | IR_SIZE_256);
    wait_for(u, GCMD_SIRTP);
    iommu_write(u, DMAR_CCMD, 8, CCMD_ICC | (u64)INVALIDATE_GLOBAL << CCMD_KIND_SHIFT);
    iommu_write(u, DMAR_IOTLB, 8, IOTLB_IVT | (u64)INVALIDATE_GLOBAL << IOTLB_KIND_SHIFT);
    wait_for(u, GCMD_TE | GCMD_IRE);
}
