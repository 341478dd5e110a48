/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees of a device of this computer, behind the stand-in for the host's kernel (vfio_standin.h): configuration space, registers
 * and their windows, the ROM, pin and messages, reset; the device that fails and the device that the host takes back; memory that the device
 * writes behind everybody's back; and the windows as slots of the host's KVM.
 */
#include "kvm_host.h"

#include "devices/interrupt/apic.h"
#include "devices/pci/pci.h"
#include "devices/vfio/vfio_real.h"
#include "devices_rig.h"
#include "vfio_standin.h"

GUEST_CODE(
    "window:\nmov $0x1000, %ecx\n1: mov %ecx, 0xfe000010\nmov 0xfe000010, %eax\nloop 1b\nmov 0xfe002000, %ebx\nhlt\n"
    /* vector 0 of MSI-X is 30h; until it has come ten times */
    "handler:\nincl 0x8004\nmovl $0, 0xfee000b0\niret\n"
    "vectors:\nmovl $0x1ff, 0xfee000f0\nmovl $0xfee00000, 0xfe002000\nmovl $0x30, 0xfe002008\nmovl $0, 0xfe00200c\n"
    "mov $0x80008070, %eax\nmov $0xcf8, %edx\nout %eax, %dx\nmov $0x8000, %eax\nmov $0xcfe, %edx\nout %ax, %dx\n"
    "sti\n1: cmpl $10, 0x8004\njb 1b\ncli\nhlt\n");
extern const u8 window[], handler[], vectors[];

#define ADDRESS "0000:06:0d.0"
enum { SLOT = 16, BAR0_AT = 0xfe000000, BAR1_AT = 0xfe100000, BAR2_AT = 0xfe200000, PORTS_AT = 0xc000, ROM_AT = 0xfe300000, TABLE = 0x2000, AT_MSI = 0x50, AT_MSIX = 0x70, AT_POWER = 0x40 };

struct world {
    struct rig r;
    struct standin k;
    struct standin_device *d;
    struct vfio_real *v;
    struct shortcuts shortcuts;
    unsigned messages;
    struct apic_message last;
};

static bool came(void *opaque, const struct apic_message *m)
{
    struct world *w = opaque;
    w->messages++;
    w->last = *m;
    return true;
}

static void config_put(struct world *w, u8 reg, unsigned size, u32 value)
{
    bus_io_write(&w->r.bus, 0xcf8, 4, 0x80000000 | SLOT << 11 | (reg & 0xfc));
    bus_io_write(&w->r.bus, 0xcfc + (reg & 3), size, value);
}

static u32 config_get(struct world *w, u8 reg, unsigned size)
{
    bus_io_write(&w->r.bus, 0xcf8, 4, 0x80000000 | SLOT << 11 | (reg & 0xfc));
    return bus_io_read(&w->r.bus, 0xcfc + (reg & 3), size);
}

static u32 load_at(struct world *w, u32 gpa) { return physmap_load(&w->r.map, gpa, 4); }
static void store_at(struct world *w, u32 gpa, u32 value) { physmap_store(&w->r.map, gpa, 4, value); }
static void poll_it(struct world *w) { vfio_real_poll(w->r.platform.vfio_real); }

/* A card with a bit of everything; what is behind its registers is memory. */
static void describe(struct standin_device *d)
{
    standin_add_bar(d, 0, 0x10000, 0, true);
    standin_add_bar(d, 1, 256, 0, true);            /* less than a page: only by system calls */
    standin_add_bar(d, 2, 0x100000, 0xc, true);     /* 64 bits wide, prefetchable */
    standin_add_bar(d, 4, 32, 1, false);
    standin_add_rom(d, 8192);
    standin_add_pin(d);
    standin_add_msi(d, AT_MSI, 2, true, true);
    standin_add_msix(d, AT_MSIX, 5, 0, TABLE);
    d->config[AT_POWER] = 0x01;                     /* power management, in front of them */
    d->config[AT_POWER + 1] = d->config[0x34];
    d->config[0x34] = AT_POWER;
    pci_put(d->config, 0xa0, 4, 0x12345678);        /* something of its own */
    d->config[0x0e] = 0x80;
}

static void start(struct world *w, void (*add)(struct standin_device *d))
{
    memset(w, 0, sizeof *w);
    rig_init(&w->r, 1000000000);
    CHECK(physmap_add_ram(&w->r.map, "ram", 0, 0x80000, &w->r.err));
    w->r.platform.has_apic = true;
    w->r.platform.shortcuts = &w->shortcuts;
    rig_add(&w->r, &lapic_ops);
    rig_add(&w->r, &pci_host_ops);
    for (unsigned i = 0; i < 4; i++)
        w->r.platform.pci->pirq[i] = (struct irq){ rig_wire, &w->r, 10 };
    apic_divert(w->r.platform.apic, came, w);
    standin_init(&w->k);
    w->d = standin_add(&w->k, ADDRESS, "26", 0x8086, 0x1234, 0x010802);
    add(w->d);
    w->r.platform.vfio_calls = &w->k.calls;
    w->r.platform.vfio[0].address = ADDRESS;
    w->r.platform.nvfio = 1;
    rig_add(&w->r, &vfio_real_ops);
    w->v = w->r.platform.vfio_real->device[0];
}

static void place(struct world *w)
{
    config_put(w, PCI_BAR0, 4, BAR0_AT);
    config_put(w, PCI_BAR0 + 4, 4, BAR1_AT);
    config_put(w, PCI_BAR0 + 8, 4, BAR2_AT);
    config_put(w, PCI_BAR0 + 16, 4, PORTS_AT);
    config_put(w, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void stop(struct world *w)
{
    rig_fini(&w->r);
    const char *left = standin_leftover(&w->k);
    if (left)
        FAIL("%s is left, in:\n%s", left, w->k.log);
    if (w->k.broken)
        FAIL("%s, in:\n%s", w->k.broken, w->k.log);
    standin_fini(&w->k);
}

static void test_config(void)
{
    static struct world w;
    start(&w, describe);
    CHECK_EQ(config_get(&w, PCI_VENDOR, 4), 0x12348086);
    CHECK_EQ(config_get(&w, PCI_HEADER_TYPE, 1), 0);        /* alone in its slot */
    static const struct { u8 at; u32 mask; } sizes[] = { { 0x10, ~0xffffu }, { 0x14, ~0xffu }, { 0x18, ~0xfffffu }, { 0x1c, 0 }, { 0x20, ~31u | 1 }, { 0x24, 0 }, { 0x30, ~0x1fffu | 1 } };
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        check_context("register at %x", sizes[i].at);
        config_put(&w, sizes[i].at, 4, ~0u);
        CHECK_EQ(config_get(&w, sizes[i].at, 4), sizes[i].mask);
        config_put(&w, sizes[i].at, 4, 0);
    }
    check_context(NULL);
    CHECK_EQ(config_get(&w, 0xa0, 4), 0x12345678);
    config_put(&w, 0xa1, 1, 0xcd);
    CHECK_EQ(pci_get(w.d->config, 0xa0, 4), 0x1234cd78);    /* the device's own byte */
    w.d->config[0xa3] = 0x99;                               /* which it changes by itself */
    CHECK_EQ(config_get(&w, 0xa0, 4), 0x9934cd78);
    config_put(&w, AT_POWER + 4, 2, 0x0003);                /* asleep: the guest may believe it */
    CHECK_EQ(config_get(&w, AT_POWER + 4, 2), 3);
    CHECK_EQ(pci_get(w.d->config, AT_POWER + 4, 2), 0);
    config_put(&w, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    CHECK_EQ(pci_get(w.d->config, PCI_COMMAND, 2), PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    CHECK_EQ(config_get(&w, AT_MSIX + 2, 2), 4);
    stop(&w);
}

static bool is_window(struct world *w, u32 gpa)
{
    const struct region *r = physmap_find(&w->r.map, gpa);
    return r && r->kind == REGION_MMIO && r->direct && r->hva;
}

static void silence(struct world *w)        /* no pin: MSI is on, with one vector */
{
    config_put(w, AT_MSI + 2, 2, 1);
}

static void test_registers(void)
{
    static struct world w;
    start(&w, describe);
    CHECK_EQ(load_at(&w, BAR0_AT), ~0u);
    place(&w);
    store_at(&w, BAR0_AT + 0x1234, 0xfeedface);
    CHECK_EQ(*(u32 *)(w.d->region[0].mem + 0x1234), 0xfeedface);
    physmap_store(&w.r.map, BAR1_AT + 3, 1, 0x5a);
    CHECK_EQ(w.d->region[1].mem[3], 0x5a);
    physmap_store(&w.r.map, BAR2_AT + 0xffff8, 8, 0x1122334455667788);
    CHECK_EQ(*(u64 *)(w.d->region[2].mem + 0xffff8), 0x1122334455667788);
    bus_io_write(&w.r.bus, PORTS_AT + 4, 2, 0xbeef);
    CHECK_EQ(bus_io_read(&w.r.bus, PORTS_AT + 4, 4), 0xbeef);
    CHECK_EQ(*(u16 *)(w.d->region[4].mem + 4), 0xbeef);
    CHECK(!is_window(&w, BAR0_AT));                         /* the pin is in use: every access must be seen */
    silence(&w);
    CHECK(is_window(&w, BAR0_AT) && is_window(&w, BAR0_AT + TABLE - 4) && !is_window(&w, BAR0_AT + TABLE) && is_window(&w, BAR0_AT + TABLE + 0x1000));
    CHECK(!is_window(&w, BAR1_AT) && is_window(&w, BAR2_AT + 0xff000));
    store_at(&w, BAR0_AT + 0x5678, 0x11);
    CHECK_EQ(*(u32 *)(w.d->region[0].mem + 0x5678), 0x11);
    CHECK_EQ(load_at(&w, BAR0_AT + 0x5678), 0x11);
    CHECK_EQ(load_at(&w, BAR0_AT + TABLE + 12), 1);         /* the guest's table, masked */
    config_put(&w, PCI_BAR0, 4, BAR0_AT + 0x1000000);       /* it moves, with its windows */
    CHECK(!is_window(&w, BAR0_AT) && is_window(&w, BAR0_AT + 0x1000000));
    CHECK_EQ(load_at(&w, BAR0_AT + 0x1005678), 0x11);
    config_put(&w, PCI_COMMAND, 2, 0);
    CHECK(!is_window(&w, BAR0_AT + 0x1000000));
    CHECK_EQ(load_at(&w, BAR0_AT + 0x1005678), ~0u);
    stop(&w);
}

static void add_sparse(struct standin_device *d)
{
    standin_add_bar(d, 0, 0x10000, 0, true);
    d->region[0].sparse[0].offset = 0x1000, d->region[0].sparse[0].size = 0x3000;
    d->region[0].sparse[1].offset = 0x8000, d->region[0].sparse[1].size = 0x1000;
    d->region[0].nsparse = 2;
    standin_add_msix(d, AT_MSIX, 5, 0, TABLE);
}

static void test_sparse(void)
{
    static struct world w;
    start(&w, add_sparse);
    place(&w);
    static const struct { u32 page; bool window; } pages[] = { { 0, false }, { 1, true }, { 2, false }, { 3, true }, { 4, false }, { 8, true }, { 9, false } };
    for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
        check_context("page %u", pages[i].page);
        CHECK_EQ(is_window(&w, BAR0_AT + pages[i].page * 0x1000), pages[i].window);
        if (pages[i].page != 2) {
            store_at(&w, BAR0_AT + pages[i].page * 0x1000 + 8, i + 1);
            CHECK_EQ(w.d->region[0].mem[pages[i].page * 0x1000 + 8], i + 1);
        }
    }
    check_context(NULL);
    stop(&w);
}

static void test_rom(void)
{
    static struct world w;
    start(&w, describe);
    place(&w);
    config_put(&w, PCI_ROM_BAR, 4, ROM_AT);
    CHECK_EQ(load_at(&w, ROM_AT), ~0u);
    config_put(&w, PCI_ROM_BAR, 4, ROM_AT | 1);
    CHECK_EQ(load_at(&w, ROM_AT), 0xaa55);
    store_at(&w, ROM_AT, 0);
    CHECK_EQ(load_at(&w, ROM_AT), 0xaa55);
    CHECK_EQ(load_at(&w, ROM_AT + 8188), 0);
    stop(&w);
}

/* --- interrupts --- */

static void test_pin(void)
{
    static struct world w;
    start(&w, describe);
    place(&w);
    standin_set_pin(w.d, true);
    CHECK(!w.r.level[10]);
    poll_it(&w);
    CHECK(w.r.level[10]);
    CHECK(w.d->irq[VFIO_PCI_INTX_IRQ_INDEX].masked);
    load_at(&w, BAR0_AT);                       /* the guest looks, and does not serve it: */
    CHECK(!w.r.level[10]);
    poll_it(&w);
    CHECK(w.r.level[10]);                       /* it is still raised */
    standin_set_pin(w.d, false);
    store_at(&w, BAR0_AT, 1);
    poll_it(&w);
    CHECK(!w.r.level[10] && !w.d->irq[VFIO_PCI_INTX_IRQ_INDEX].masked);
    standin_set_pin(w.d, true);
    poll_it(&w);
    CHECK_EQ(w.r.rises[10], 3);
    silence(&w);                                /* another way: the pin is low */
    CHECK(!w.r.level[10]);
    CHECK_EQ(w.d->irq[VFIO_PCI_INTX_IRQ_INDEX].active, 0);
    config_put(&w, AT_MSI + 2, 2, 0);
    poll_it(&w);
    CHECK(w.r.level[10]);
    stop(&w);
}

static void test_msi(void)
{
    static struct world w;
    start(&w, describe);
    place(&w);
    config_put(&w, AT_MSI + 4, 4, 0xfee01000);
    config_put(&w, AT_MSI + 12, 2, 0x40);
    config_put(&w, AT_MSI + 2, 2, 1 | 2 << 4);  /* four vectors */
    CHECK_EQ(w.d->irq[VFIO_PCI_MSI_IRQ_INDEX].active, 4);
    standin_signal(w.d, VFIO_PCI_MSI_IRQ_INDEX, 3);
    poll_it(&w);
    CHECK_EQ(w.messages, 1);
    CHECK_EQ(w.last.vector, 0x43);
    CHECK_EQ(w.last.destination, 1);
    config_put(&w, AT_MSI + 16, 4, 8);          /* masked: it waits */
    standin_signal(w.d, VFIO_PCI_MSI_IRQ_INDEX, 3);
    poll_it(&w);
    CHECK_EQ(w.messages, 1);
    config_put(&w, AT_MSI + 16, 4, 0);
    CHECK_EQ(w.messages, 2);
    CHECK_EQ(w.shortcuts.nirqs, 4);             /* the engine may have the kernel do it */
    config_put(&w, AT_MSI + 2, 2, 1);
    CHECK_EQ(w.d->irq[VFIO_PCI_MSI_IRQ_INDEX].active, 1);
    CHECK_EQ(w.shortcuts.nirqs, 1);
    CHECK_EQ(pci_get(w.d->config, AT_MSI + 4, 4), 0);
    stop(&w);
}

static void set_vector(struct world *w, unsigned n, u8 vector, bool masked)
{
    store_at(w, BAR0_AT + TABLE + 16 * n, 0xfee00000);
    store_at(w, BAR0_AT + TABLE + 16 * n + 8, vector);
    store_at(w, BAR0_AT + TABLE + 16 * n + 12, masked);
}

static void test_msix(void)
{
    static struct world w;
    start(&w, describe);
    place(&w);
    set_vector(&w, 0, 0x50, false);
    set_vector(&w, 4, 0x54, true);
    config_put(&w, AT_MSIX + 2, 2, 0x8000);
    CHECK_EQ(w.d->irq[VFIO_PCI_MSIX_IRQ_INDEX].active, 5);
    CHECK_EQ(w.shortcuts.nirqs, 1);
    standin_signal(w.d, VFIO_PCI_MSIX_IRQ_INDEX, 0);
    standin_signal(w.d, VFIO_PCI_MSIX_IRQ_INDEX, 4);
    poll_it(&w);
    CHECK_EQ(w.messages, 1);
    CHECK_EQ(w.last.vector, 0x50);
    CHECK_EQ(load_at(&w, BAR0_AT + TABLE + 4096), 1 << 4);      /* pending bits */
    store_at(&w, BAR0_AT + TABLE + 4 * 16 + 12, 0);
    CHECK_EQ(w.messages, 2);
    CHECK_EQ(w.last.vector, 0x54);
    CHECK_EQ(load_at(&w, BAR0_AT + TABLE + 4096), 0);
    CHECK_EQ(w.d->region[0].mem[TABLE], 0);                     /* nothing of it is in the device */
    config_put(&w, AT_MSIX + 2, 2, 0xc000);                     /* all at once */
    standin_signal(w.d, VFIO_PCI_MSIX_IRQ_INDEX, 2);
    standin_signal(w.d, VFIO_PCI_MSIX_IRQ_INDEX, 0);
    poll_it(&w);
    CHECK_EQ(w.messages, 2);
    config_put(&w, AT_MSIX + 2, 2, 0x8000);
    CHECK_EQ(w.messages, 3);                                    /* vector 2 is masked by itself */
    config_put(&w, AT_MSIX + 2, 2, 0);
    CHECK_EQ(w.d->irq[VFIO_PCI_MSIX_IRQ_INDEX].active, 0);
    CHECK_EQ(w.shortcuts.nirqs, 0);
    stop(&w);
}

/* Both at once, vectors beyond the table, addresses of nobody: the guest's own affair. */
static void test_hostile(void)
{
    static struct world w;
    u64 seed = 1;
    start(&w, describe);
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        u32 a = seed >> 33, b = seed >> 20;
        if (a % 4 == 0)
            config_put(&w, b % 256, 1 << a / 4 % 3, seed >> 11);
        else if (a % 4 == 1)
            store_at(&w, BAR0_AT + TABLE - 64 + b % 8192, seed >> 11);
        else if (a % 4 == 2)
            load_at(&w, BAR0_AT + b % 0x10000);
        if (i % 100 == 0)
            place(&w);
        standin_signal(w.d, a % 3, b % 5);
        if (a % 16 == 0)
            standin_set_pin(w.d, b & 1);
        poll_it(&w);
    }
    CHECK(w.v->messages > 0 && w.v->pins > 0);
    stop(&w);
}

/* --- its end --- */

static void test_reset(void)
{
    static struct world w;
    start(&w, describe);
    place(&w);
    set_vector(&w, 0, 0x50, false);
    config_put(&w, AT_MSIX + 2, 2, 0x8000);
    unsigned resets = w.d->resets;
    vfio_real_ops.reset(&w.r.platform.vfio_real->dev);
    CHECK_EQ(w.d->resets, resets + 1);
    CHECK_EQ(config_get(&w, PCI_COMMAND, 2), 0);
    CHECK_EQ(pci_get(w.d->config, PCI_COMMAND, 2), 0);
    CHECK_EQ(config_get(&w, AT_MSIX + 2, 2), 4);
    CHECK_EQ(w.d->irq[VFIO_PCI_MSIX_IRQ_INDEX].active, 0);
    CHECK_EQ(w.d->irq[VFIO_PCI_INTX_IRQ_INDEX].active, 1);
    place(&w);
    CHECK_EQ(load_at(&w, BAR0_AT + TABLE + 12), 1);
    stop(&w);
}

static void test_release(void)
{
    static struct world w;
    bool fatal = true;
    start(&w, describe);
    place(&w);
    silence(&w);
    CHECK(vfio_real_waits(w.r.platform.vfio_real));
    standin_signal(w.d, VFIO_PCI_REQ_IRQ_INDEX, 0);
    poll_it(&w);
    CHECK(!w.d->open && !w.d->nviews);
    const char *news = vfio_real_news(w.r.platform.vfio_real, &fatal);
    CHECK_CONTAINS(news ? news : "", "wants its device " ADDRESS " back");
    CHECK(!fatal && !vfio_real_news(w.r.platform.vfio_real, &fatal));
    CHECK_EQ(config_get(&w, PCI_VENDOR, 4), ~0u);
    CHECK_EQ(load_at(&w, BAR0_AT), ~0u);
    CHECK(!vfio_real_waits(w.r.platform.vfio_real));
    vfio_real_ops.reset(&w.r.platform.vfio_real->dev);
    poll_it(&w);
    stop(&w);
}

static void test_error(void)
{
    static struct world w;
    bool fatal = false;
    start(&w, describe);
    standin_signal(w.d, VFIO_PCI_ERR_IRQ_INDEX, 0);
    poll_it(&w);
    CHECK(vfio_real_news(w.r.platform.vfio_real, &fatal));
    CHECK(fatal);
    stop(&w);
}

/* --- memory that it writes --- */

struct seen { unsigned count; gpa_t gpa; };
static void seen_written(void *opaque, gpa_t gpa, u64 len)
{
    struct seen *s = opaque;
    s->count++;
    s->gpa = gpa;
}

static void test_watch(void)
{
    static struct world w;
    struct seen seen = { 0 };
    struct phys_observer o = { .marks = MARK_CODE, .written = seen_written, .opaque = &seen };
    start(&w, describe);
    physmap_observe(&w.r.map, &o);
    place(&w);
    silence(&w);
    physmap_mark(&w.r.map, 0x3000, MARK_CODE);
    physmap_mark(&w.r.map, 0x5000, MARK_CODE);
    physmap_store(&w.r.map, 0x3010, 4, 1);                      /* by the processor: told at once, and only once */
    CHECK_EQ(seen.count, 1);
    standin_dma(&w.k, 0x5ff8, 8, true)[3] = 0x90;
    standin_dma(&w.k, 0x4000, 8, true)[0] = 0x90;               /* nobody cares */
    standin_signal(w.d, VFIO_PCI_MSI_IRQ_INDEX, 0);
    poll_it(&w);
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(seen.gpa, 0x5000);
    CHECK_EQ(w.r.platform.vfio_real->watch.rewritten, 1);
    physmap_unmark(&w.r.map, 0x5000, MARK_CODE);
    standin_dma(&w.k, 0x5ff8, 8, true)[3] = 0x91;
    standin_signal(w.d, VFIO_PCI_MSI_IRQ_INDEX, 0);
    poll_it(&w);
    CHECK_EQ(seen.count, 2);
    physmap_unobserve(&w.r.map, &o);
    stop(&w);
}

/* --- the host's KVM maps the windows: no exits --- */

static void add_plain(struct standin_device *d)
{
    standin_add_bar(d, 0, 0x10000, 0, true);
    standin_add_msix(d, AT_MSIX, 5, 0, TABLE);
}

static void test_slots(void)
{
    NEEDS_KVM();
    static struct standin k;
    standin_init(&k);
    add_plain(standin_add(&k, ADDRESS, "26", 0x8086, 0x1234, 0x020000));
    struct vm_config c = config_of("host");
    c.vfio_calls = &k.calls;
    c.vfio[c.nvfios++].host = ADDRESS;
    struct vm *vm = make_of(&c, window);
    if (vm) {
        run_to_hlt(vm);
        CHECK_EQ(*(u32 *)(k.device[0].region[0].mem + 0x10), 1);
        CHECK_EQ(vm->vcpu[0]->cpu.state.gpr[RAX], 1);
        CHECK_EQ(vm->map.mmio_accesses, 1);     /* the table's */
        vm_free(vm);
    }
    if (k.broken || standin_leftover(&k))
        FAIL("%s, left: %s", k.broken, standin_leftover(&k));
    standin_fini(&k);
}

/* --- messages from kernel to kernel --- */

struct ringer { struct standin k; volatile bool stop; };

static void *ring(void *opaque)
{
    struct ringer *r = opaque;
    while (!r->stop) {
        usleep(1000);
        pthread_mutex_lock(&r->k.lock);
        standin_signal(&r->k.device[0], VFIO_PCI_MSIX_IRQ_INDEX, 0);
        pthread_mutex_unlock(&r->k.lock);
    }
    return NULL;
}

static void check_irqfd(enum kernel_irqchip irqchip)
{
    static struct ringer r;
    pthread_t thread;
    standin_init(&r.k);
    r.stop = false;
    add_plain(standin_add(&r.k, ADDRESS, "26", 0x8086, 0x1234, 0x020000));
    struct vm_config c = config_of("host");
    c.kernel_irqchip = irqchip;
    c.vfio_calls = &r.k.calls;
    c.vfio[c.nvfios++].host = ADDRESS;
    struct vm *vm = make_of(&c, vectors);
    if (vm) {
        bool taken = irqchip != IRQCHIP_OFF && host_can(host_of(vm), HOST_IRQFD);
        put_gate(vm, 0x30, at(handler));
        pthread_create(&thread, NULL, ring, &r);
        run_to_hlt(vm);
        r.stop = true;
        pthread_join(thread, NULL);
        CHECK(physmap_load(&vm->map, 0x8004, 4) >= 10);
        CHECK_EQ(vm->platform.vfio_real->device[0]->messages > 0, !taken);
        vm_free(vm);
    }
    if (r.k.broken || standin_leftover(&r.k))
        FAIL("%s, left: %s", r.k.broken, standin_leftover(&r.k));
    standin_fini(&r.k);
}

static void test_irqfd(void)
{
    NEEDS_KVM();
    for (enum kernel_irqchip i = IRQCHIP_OFF; i <= IRQCHIP_ON; i++) {
        check_context("kernel_irqchip %d", i);
        check_irqfd(i);
    }
    check_context(NULL);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "config", test_config }, { "registers", test_registers }, { "sparse", test_sparse }, { "rom", test_rom }, { "pin", test_pin }, { "msi", test_msi },
        { "msix", test_msix }, { "hostile", test_hostile }, { "reset", test_reset }, { "release", test_release }, { "error", test_error },
        { "watch", test_watch }, { "slots", test_slots },
        { "irqfd", test_irqfd }, { NULL, NULL },
    };
    return check_main(argc, argv, "vfio_real", tests);
}
