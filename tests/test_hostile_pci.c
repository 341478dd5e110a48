/* SPDX-License-Identifier: MIT */
/*
 * Configuration space in a hostile driver's hands: base address registers over memory, over one another and at both ends, bus mastering
 * off, MSI-X tables gone mad. Whatever was covered is there again when the registers go elsewhere.
 */
#include "devices/block/block.h"
#include "devices/chipset/small.h"
#include "devices/disk/ide.h"
#include "devices/e1000/e1000.h"
#include "devices/net/net.h"
#include "devices/virtio/virtio.h"
#include "hostile_rig.h"

enum { RAM = 4 << 20, ROM_AT = 0xfffc0000, ROM_SIZE = 0x40000, FUNCTIONS = 16, HOLE = 0x80000000, MSIX_BAR = 1, VIRTIO_MSIX_AT = 0x98 };

struct machine {
    struct rig r;
    struct pci_bus *bus;
    struct net_wire *wire;
    struct spy spy;
    struct pci_function *function[FUNCTIONS]; unsigned n;
};

static void start(struct machine *m)
{
    struct rig *r = &m->r;
    memset(m, 0, sizeof *m);
    rig_init(r, 1000000000);
    physmap_add_ram(&r->map, "ram", 0, RAM, &r->err);
    physmap_add_rom(&r->map, "rom", ROM_AT, ROM_SIZE, &r->err);
    m->wire = net_new("n", &r->clock);
    r->platform.nic[0] = (struct nic){ .model = NIC_E1000, .mac = { 2 }, .wire = m->wire, .slot = 3 };
    r->platform.nic[1] = (struct nic){ .model = NIC_VIRTIO, .mac = { 2 }, .slot = 4 };
    r->platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_RNG, .slot = 5 };
    r->platform.virtio[1] = (struct virtio_slot){ .model = VIRTIO_RNG, .slot = 6 };
    r->platform.virtio[2] = (struct virtio_slot){ .model = VIRTIO_CONSOLE, .slot = 7 };
    m->bus = pci_host_bus(rig_add(r, &pci_host_ops));
    rig_add(r, &piix3_ops);
    rig_add(r, &ide_ops);
    rig_add(r, &e1000_ops);
    rig_add(r, &virtio_set_ops);
    spy_on(&m->spy, m->bus, &r->map);
    for (unsigned i = 1; i < 256; i++)
        if (m->bus->function[i] && m->n < FUNCTIONS)
            m->function[m->n++] = m->bus->function[i];
}

static void finish(struct machine *m)
{
    rig_drop_devices(&m->r);
    net_free(m->wire);
    rig_fini(&m->r);
}

static void config_put(struct machine *m, const struct pci_function *f, u8 at, unsigned size, u32 value)
{
    out32(&m->r, 0xcf8, 0x80000000 | f->devfn << 8 | (at & 0xfc));
    bus_io_write(&m->r.bus, 0xcfc + (at & 3), size, value);
}

static void put_bar(struct machine *m, const struct pci_function *f, unsigned n, u32 at) { config_put(m, f, PCI_BAR0 + 4 * n, 4, at); }
static void enable(struct machine *m, const struct pci_function *f) { config_put(m, f, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER); }
static struct pci_function *slot(struct machine *m, unsigned n) { return m->bus->function[n << 3]; }
static bool is_memory(const struct pci_function *f, unsigned n) { return f->bar[n].size && !f->bar[n].io; }

static void touch(struct machine *m, u32 at, u32 size)
{
    for (u32 i = 0; i < size && i < 0x4000; i += 4)
        physmap_load(&m->r.map, at + i, 4);
}

/* Each pair of registers at one place; then one goes, and the other answers there. */
static void share(struct machine *m, struct pci_function *a, unsigned i, struct pci_function *b, unsigned k)
{
    put_bar(m, a, i, HOLE);
    put_bar(m, b, k, HOLE);
    touch(m, HOLE, b->bar[k].size);
    put_bar(m, a, i, HOLE + 0x1000000);
    touch(m, HOLE, b->bar[k].size);
    CHECK(physmap_find(&m->r.map, HOLE));
    CHECK_EQ(physmap_find(&m->r.map, HOLE)->size, b->bar[k].size);
    put_bar(m, b, k, HOLE + 0x2000000);
    CHECK(!physmap_find(&m->r.map, HOLE));
    put_bar(m, a, i, 0);
    put_bar(m, b, k, 0);
}

static void test_bars_over_each_other(void)
{
    struct machine m;
    start(&m);
    for (unsigned x = 0; x < m.n; x++)
        enable(&m, m.function[x]);
    for (unsigned x = 0; x < m.n; x++)
        for (unsigned y = 0; y < m.n; y++)
            for (unsigned i = 0; i < 6; i++)
                for (unsigned k = 0; k < 6; k++)
                    if ((x != y || i != k) && is_memory(m.function[x], i) && is_memory(m.function[y], k)) {
                        check_context("%02x register %u, %02x register %u", m.function[x]->devfn, i, m.function[y]->devfn, k);
                        share(&m, m.function[x], i, m.function[y], k);
                    }
    finish(&m);
}

/* Two tables of MSI-X at one place: the second is seen; when it goes, the first is. */
static void test_tables_over_each_other(void)
{
    struct machine m;
    start(&m);
    struct pci_function *a = slot(&m, 5), *b = slot(&m, 6);
    enable(&m, a);
    enable(&m, b);
    put_bar(&m, a, MSIX_BAR, HOLE);
    put_bar(&m, b, MSIX_BAR, HOLE + 0x1000);
    physmap_store(&m.r.map, HOLE + 8, 4, 0xaaaa);
    physmap_store(&m.r.map, HOLE + 0x1000 + 8, 4, 0xbbbb);
    put_bar(&m, b, MSIX_BAR, HOLE);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 8, 4), 0xbbbb);
    put_bar(&m, b, MSIX_BAR, HOLE + 0x1000);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 8, 4), 0xaaaa);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 0x1000 + 8, 4), 0xbbbb);
    put_bar(&m, b, MSIX_BAR, HOLE);
    put_bar(&m, a, MSIX_BAR, HOLE + 0x1000);        /* the one below goes */
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 8, 4), 0xbbbb);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 0x1000 + 8, 4), 0xaaaa);
    finish(&m);
}

/* The same of ports. */
static void test_ports_over_each_other(void)
{
    struct machine m;
    start(&m);
    struct pci_function *a = slot(&m, 5), *b = slot(&m, 6);
    enable(&m, a);
    enable(&m, b);
    put_bar(&m, a, 0, 0xc000);
    put_bar(&m, b, 0, 0xc000);
    CHECK_EQ(in16(&m.r, 0xc000 + 12), 8);           /* virtio's legacy registers: entries of the queue */
    put_bar(&m, a, 0, 0xc100);
    CHECK_EQ(in16(&m.r, 0xc000 + 12), 8);
    CHECK_EQ(in16(&m.r, 0xc100 + 12), 8);
    enable(&m, slot(&m, 3));
    put_bar(&m, slot(&m, 3), 1, 0xcc0);             /* over the configuration ports themselves: until reset nobody reaches them */
    CHECK_EQ(in32(&m.r, 0xcf8), 0);
    for (unsigned i = 0; i < m.r.ndevices; i++)
        m.r.device[i]->ops->reset(m.r.device[i]);
    out32(&m.r, 0xcf8, 0x80000000 | 3 << 11);
    CHECK_EQ(in32(&m.r, 0xcfc), 0x100e8086);
    finish(&m);
}

/* Windows onto a real device's registers, whose place another function takes meanwhile: each takes away what is its own. */
static u64 no_read(void *dev, u64 offset, unsigned size) { return 0x11; }
static void no_write(void *dev, u64 offset, unsigned size, u64 value) { }

static void test_windows_over_others(void)
{
    static const struct bus_ops ops = { no_read, no_write, 1, 4 };
    static u8 registers[PAGE_SIZE] __attribute__((aligned(4096)));
    static struct pci_function real;
    struct machine m;
    start(&m);
    memset(&real, 0, sizeof real);
    pci_set_bar(&real, 0, &(struct pci_bar){ .name = "real", .size = 0x4000, .ops = &ops, .window = { { 0x1000, PAGE_SIZE, registers } }, .nwindows = 1 });
    CHECK_EQ(pci_add(m.bus, 9, 0, &real, &m.r.err), 0);
    struct pci_function *f = slot(&m, 5);
    enable(&m, &real);
    enable(&m, f);
    put_bar(&m, &real, 0, HOLE);
    pci_show_windows(&real, true);
    CHECK(physmap_find(&m.r.map, HOLE + 0x1000)->hva == registers);
    put_bar(&m, f, MSIX_BAR, HOLE + 0x1000);            /* as large as the window, and over it */
    physmap_store(&m.r.map, HOLE + 0x1008, 4, 0xbbbb);
    pci_show_windows(&real, false);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 0x1008, 4), 0xbbbb);
    pci_show_windows(&real, true);
    put_bar(&m, &real, 0, HOLE + 0x100000);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + 0x1008, 4), 0xbbbb);
    put_bar(&m, f, MSIX_BAR, 0);
    CHECK(!physmap_find(&m.r.map, HOLE + 0x1000));      /* no window is left behind */
    put_bar(&m, &real, 0, 0);
    CHECK_EQ(m.r.map.nadded, 2);
    finish(&m);
}

/* Over RAM, over ROM, over the place of the APICs, at the bottom and the top; and away again. */
static void test_bars_everywhere(void)
{
    static const u32 places[] = { 0, 0x1000, 0x80000, 0xfff00, 0x100000, 0x200000, RAM - 0x1000, RAM, 0xfec00000, 0xfee00000, ROM_AT, 0xffff0000, 0xfffff000, 0xffffffff,
                                  0xfffffff0, 0x12345678 };
    struct machine m;
    struct guard g;
    start(&m);
    for (u64 i = 0; i < RAM; i += 4)
        physmap_store(&m.r.map, i, 4, i * 2654435761u);
    guard_take(&g, &m.r.map, RAM);
    for (unsigned x = 0; x < m.n; x++)
        for (unsigned i = 0; i < 6 * ARRAY_LEN(places); i++) {
            struct pci_function *f = m.function[x];
            unsigned n = i % 6;
            check_context("%02x register %u at %x", f->devfn, n, places[i / 6]);
            enable(&m, f);
            put_bar(&m, f, n, places[i / 6]);
            if (is_memory(f, n))
                touch(&m, places[i / 6] & ~(f->bar[n].size - 1), f->bar[n].size);
            CHECK(physmap_find(&m.r.map, 0x1000)->kind == REGION_RAM);      /* below 1 MiB nothing is covered */
            CHECK(!f->bar[n].mapped || f->bar[n].io || f->bar[n].at + (u64)f->bar[n].size < BIT(32));
            put_bar(&m, f, n, 0);
        }
    for (u64 i = 0; i < RAM; i += PAGE_SIZE)
        if (!CHECK(physmap_ptr(&m.r.map, i, PAGE_SIZE)))
            break;
    CHECK_EQ(guard_changed(&g, &m.r.map, 0, 0), RAM);
    guard_drop(&g);
    finish(&m);
}

/* RAM behind a register is not reached by DMA: it would be another function's registers. */
static void test_covered_ram(void)
{
    struct machine m;
    u32 word = 0x55;
    start(&m);
    struct pci_function *f = slot(&m, 5), *over = slot(&m, 6);
    m.bus->root = NULL;
    enable(&m, f);
    enable(&m, over);
    CHECK(pci_dma_write(f, 0x200000, &word, 4));
    put_bar(&m, over, MSIX_BAR, 0x200000);
    CHECK(!pci_dma_write(f, 0x200000, &word, 4));
    CHECK(!pci_dma_read(f, 0x1ffffe, &word, 4));
    CHECK(!pci_dma_write(f, ROM_AT, &word, 4));
    CHECK(pci_dma_read(f, ROM_AT, &word, 4));
    CHECK(!pci_dma_read(f, RAM - 2, &word, 4));
    CHECK(!pci_dma_write(f, ~(u64)0 - 1, &word, 4));
    config_put(&m, over, PCI_COMMAND, 2, 0);
    CHECK(pci_dma_read(f, 0x200000, &word, 4));
    CHECK_EQ(word, 0x55);
    config_put(&m, f, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    CHECK(!pci_dma_read(f, 0x1000, &word, 4));
    CHECK(!pci_dma_write(f, 0x1000, &word, 4));
    finish(&m);
}

/* Who is no master reads nothing, writes nothing and interrupts nobody by message, whatever its registers say. */
static void test_no_master(void)
{
    struct machine m;
    start(&m);
    for (unsigned x = 0; x < m.n; x++)
        config_put(&m, m.function[x], PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    put_bar(&m, slot(&m, 3), 0, HOLE);
    physmap_store(&m.r.map, HOLE + E1000_TDLEN, 4, 128);
    physmap_store(&m.r.map, HOLE + E1000_TCTL, 4, TCTL_EN);
    physmap_store(&m.r.map, HOLE + E1000_TDT, 4, 5);
    put_bar(&m, slot(&m, 5), MSIX_BAR, HOLE + 0x100000);
    put_bar(&m, slot(&m, 5), 4, HOLE + 0x200000);
    config_put(&m, slot(&m, 5), VIRTIO_MSIX_AT + 2, 2, 0x8000);
    physmap_store(&m.r.map, HOLE + 0x100000, 4, 0xfee00000);
    physmap_store(&m.r.map, HOLE + 0x100000 + 12, 4, 0);
    physmap_store(&m.r.map, HOLE + 0x200000 + 16, 2, 0);                            /* the configuration's vector */
    for (unsigned i = 1; i < 16; i = 2 * i + 1)
        physmap_store(&m.r.map, HOLE + 0x200000 + 20, 1, i);
    physmap_store(&m.r.map, HOLE + 0x200000 + 28, 2, 1);                            /* a queue at 0 */
    physmap_store(&m.r.map, HOLE + 0x203000, 2, 0);
    rig_run(&m.r, 1000000);
    CHECK_EQ(m.spy.accesses + m.spy.messages, 0);
    CHECK_EQ(physmap_load(&m.r.map, HOLE + E1000_TDH, 4), 0);
    finish(&m);
}

/* --- MSI-X --- */

enum { TABLE = HOLE, COMMON = HOLE + 0x10000 };

static void start_vectors(struct machine *m)
{
    start(m);
    enable(m, slot(m, 5));
    put_bar(m, slot(m, 5), MSIX_BAR, TABLE);
    put_bar(m, slot(m, 5), 4, COMMON);
}

static u32 vector_get(struct machine *m, u32 at) { return physmap_load(&m->r.map, TABLE + at, 4); }
static void vector_put(struct machine *m, u32 at, u32 value) { physmap_store(&m->r.map, TABLE + at, 4, value); }
static void control(struct machine *m, u16 value) { config_put(m, slot(m, 5), VIRTIO_MSIX_AT + 2, 2, value); }

/* The device breaks, of which it tells by the configuration's vector. */
static void make_it_tell(struct machine *m)
{
    physmap_store(&m->r.map, COMMON + 20, 1, 0);
    physmap_store(&m->r.map, COMMON + 16, 2, 0);
    physmap_store(&m->r.map, COMMON + 20, 1, 3);
    physmap_store(&m->r.map, COMMON + 8, 4, 1);
    physmap_store(&m->r.map, COMMON + 12, 4, 1);        /* VERSION_1 */
    physmap_store(&m->r.map, COMMON + 20, 1, 11);
    physmap_store(&m->r.map, COMMON + 20, 1, 15);
    physmap_store(&m->r.map, COMMON + 24, 2, 3);        /* a size that cannot be */
    physmap_store(&m->r.map, COMMON + 28, 2, 1);
}

static void test_vectors_gone_mad(void)
{
    struct machine m;
    start_vectors(&m);
    for (u32 at = 0; at < 0x1000; at += 4)              /* all ones everywhere: only what there is changes, only bits that there are */
        vector_put(&m, at, ~0u);
    CHECK_EQ(vector_get(&m, 0), 0xfffffffc);
    CHECK_EQ(vector_get(&m, 12), 1);
    CHECK_EQ(vector_get(&m, 16 * 2), 0);                /* it has two vectors */
    CHECK_EQ(vector_get(&m, 0x800), 0);
    make_it_tell(&m);                                   /* while it is off */
    CHECK_EQ(m.spy.messages, 0);
    control(&m, 0x8000);
    make_it_tell(&m);                                   /* masked: it waits */
    CHECK_EQ(m.spy.messages, 0);
    CHECK_EQ(vector_get(&m, 0x800), 1);
    vector_put(&m, 0, 0xfee00000);
    vector_put(&m, 4, 0);
    control(&m, 0xc000);
    vector_put(&m, 12, 0);                              /* unmasked by itself, but not all of them */
    CHECK_EQ(m.spy.messages, 0);
    control(&m, 0x8000);
    CHECK_EQ(m.spy.messages, 1);
    CHECK_EQ(m.spy.address, 0xfee00000);
    CHECK_EQ(vector_get(&m, 0x800), 0);
    vector_put(&m, 0, 0x1000);                          /* a table half written, whose address is no APIC's */
    vector_put(&m, 4, 0xffffffff);
    make_it_tell(&m);
    CHECK_EQ(m.spy.messages, 2);
    CHECK_EQ(m.spy.address, 0xffffffff00001000);
    physmap_store(&m.r.map, TABLE + 13, 1, 0xff);       /* pieces of a register, and two at once */
    physmap_store(&m.r.map, TABLE + 12, 8, ~(u64)0);
    CHECK_EQ(vector_get(&m, 12), 1);
    control(&m, 0);
    make_it_tell(&m);
    CHECK_EQ(m.spy.messages, 2);
    finish(&m);
}

/* A vector that there is not is none; and a reset takes what waits away. */
static void test_vectors_out_of_range(void)
{
    static const u16 numbers[] = { 2, 3, 63, 64, 255, 0x7fff, 0xfffe, 0xffff };
    struct machine m;
    start_vectors(&m);
    control(&m, 0x8000);
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
        for (unsigned at = 16; at <= 26; at += 10) {
            physmap_store(&m.r.map, COMMON + at, 2, numbers[i]);
            CHECK_EQ(physmap_load(&m.r.map, COMMON + at, 2), 0xffff);
        }
    physmap_store(&m.r.map, COMMON + 22, 2, 0x1234);    /* the vector of a queue that there is not */
    physmap_store(&m.r.map, COMMON + 26, 2, 1);
    CHECK_EQ(physmap_load(&m.r.map, COMMON + 26, 2), 0xffff);
    make_it_tell(&m);
    CHECK_EQ(vector_get(&m, 0x800), 1);
    for (unsigned i = 0; i < m.r.ndevices; i++)
        m.r.device[i]->ops->reset(m.r.device[i]);
    enable(&m, slot(&m, 5));
    put_bar(&m, slot(&m, 5), MSIX_BAR, TABLE);
    CHECK_EQ(vector_get(&m, 0x800), 0);
    control(&m, 0x8000);
    vector_put(&m, 12, 0);
    CHECK_EQ(m.spy.messages, 0);
    finish(&m);
}

/* --- nonsense --- */

static void some_access(struct machine *m, u64 *seed)
{
    u64 v = check_random(seed), w = check_random(seed);
    const struct pci_function *f = m->function[v % m->n];
    const struct pci_bar *bar = &f->bar[(v >> 8) % 6];
    unsigned size = 1 << (v >> 16) % 3;
    if (!bar->mapped)
        return;
    if (bar->io && v >> 20 & 1)
        bus_io_write(&m->r.bus, bar->at + (v >> 24) % bar->size, size, w & (BIT(8 * size) - 1));
    else if (bar->io)
        bus_io_read(&m->r.bus, bar->at + (v >> 24) % bar->size, size);
    else if (v >> 20 & 1)
        physmap_store(&m->r.map, bar->at + (v >> 24) % bar->size, 1 << (v >> 60) % 4, w >> w % 64);
    else
        physmap_load(&m->r.map, bar->at + (v >> 24) % bar->size, 1 << (v >> 60) % 4);
}

static void some_config(struct machine *m, u64 *seed)
{
    static const u32 places[] = { HOLE, HOLE, HOLE + 0x20000, 0x100000, 0x200000, 0xc000, 0xc000, 0xc040, 0xfee00000, 0xffffffff, 0, ROM_AT };
    u64 v = check_random(seed);
    const struct pci_function *f = m->function[v % m->n];
    if (v >> 8 & 1)
        put_bar(m, f, (v >> 16) % 6, places[(v >> 24) % ARRAY_LEN(places)]);
    else
        config_put(m, f, v >> 16 & 0xff, 1 << (v >> 24) % 3, v >> 32);
    if (v >> 12 & 1)
        config_put(m, f, PCI_COMMAND, 2, v >> 60 & 1 ? v >> 32 : 7);
}

static void test_fuzz(void)
{
    u64 seed = check_seed(), rounds = check_rounds(60000), mapped = 0;
    struct machine m;
    start(&m);
    for (u64 i = 0; i < rounds; i++) {
        u64 v = check_random(&seed);
        (v % 4 ? some_access : some_config)(&m, &seed);
        if (v % 64 == 5)
            rig_run(&m.r, v >> 40);
        for (unsigned n = 0; n < 6; n++)
            mapped += m.function[v >> 8 & 3]->bar[n].mapped;
        if (v % 1024 == 9)
            for (unsigned d = 0; d < m.r.ndevices; d++)
                m.r.device[d]->ops->reset(m.r.device[d]);
    }
    CHECK(mapped > rounds / 100);
    for (unsigned d = 0; d < m.r.ndevices; d++)
        m.r.device[d]->ops->reset(m.r.device[d]);
    CHECK_EQ(m.r.map.nregions, 2);      /* RAM and ROM: nothing is left behind */
    for (u64 i = 0; i < RAM; i += PAGE_SIZE)
        if (!CHECK(physmap_ptr(&m.r.map, i, PAGE_SIZE)))
            break;
    finish(&m);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "bars_over_each_other", test_bars_over_each_other }, { "tables_over_each_other", test_tables_over_each_other },
        { "ports_over_each_other", test_ports_over_each_other }, { "windows_over_others", test_windows_over_others }, { "bars_everywhere", test_bars_everywhere }, { "covered_ram", test_covered_ram },
        { "no_master", test_no_master }, { "vectors_gone_mad", test_vectors_gone_mad }, { "vectors_out_of_range", test_vectors_out_of_range },
        { "fuzz", test_fuzz }, { NULL, NULL },
    };
    return check_main(argc, argv, "hostile_pci", tests);
}
