/* SPDX-License-Identifier: MIT */
/*
 * The real VFIO's order of calls, against a stand-in that knows the kernel's rules: what is asked, in which order; the sentence for everything
 * that can be missing; the guest's memory as it changes; two devices in one container. Each call is made to fail once: whatever was taken by
 * then is given back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "devices_rig.h"
#include "devices/pci/pci.h"
#include "devices/vfio/vfio_real.h"
#include "vfio_standin.h"

#define FIRST "0000:06:0d.0"
#define SECOND "0000:07:00.0"

struct world { struct rig r; struct standin k; struct device *set; };

/* An adapter with two memory BARs, one of them mapped, MSI-X and a pin, and a second device in a group of its own. */
static void add_devices(struct standin *k)
{
    struct standin_device *d = standin_add(k, FIRST, "26", 0x8086, 0x1234, 0x020000);
    standin_add_bar(d, 0, 0x10000, 0, true);
    standin_add_bar(d, 1, 0x1000, 0, false);
    standin_add_pin(d);
    standin_add_msix(d, 0x40, 3, 0, 0x2000);
    d = standin_add(k, SECOND, "27", 0x8086, 0x5678, 0x010802);
    standin_add_bar(d, 0, 0x1000, 0, true);
}

static void start(struct world *w)
{
    memset(w, 0, sizeof *w);
    rig_init(&w->r, 1000000000);
    physmap_fini(&w->r.map);
    CHECK_EQ(physmap_init(&w->r.map, 4 << 20, &w->r.err), 0);
    CHECK(physmap_add_ram(&w->r.map, "low memory", 0, 0xa0000, &w->r.err));
    CHECK(physmap_add_rom(&w->r.map, "rom", 0xf0000, 0x10000, &w->r.err));
    CHECK(physmap_add_ram(&w->r.map, "memory", 1 << 20, 1 << 20, &w->r.err));
    rig_add(&w->r, &pci_host_ops);
    standin_init(&w->k);
    add_devices(&w->k);
    w->r.platform.vfio_calls = &w->k.calls;
    w->r.platform.vfio[0].address = FIRST;
    w->r.platform.nvfio = 1;
}

static bool open_it(struct world *w)
{
    w->set = vfio_real_ops.create(&w->r.platform, &w->r.err);
    return w->set;
}

static void close_it(struct world *w)
{
    if (w->set)
        vfio_real_ops.destroy(w->set);
    w->set = NULL;
    pci_host_bus(w->r.device[0])->function[16 << 3] = pci_host_bus(w->r.device[0])->function[17 << 3] = NULL;
}

/* Nothing is held any more, and no rule was broken. */
static void check_clean(const struct standin *k)
{
    const char *left = standin_leftover(k);
    if (left)
        FAIL("%s is left, in:\n%s", left, k->log);
    if (k->broken)
        FAIL("%s, in:\n%s", k->broken, k->log);
}

static void stop(struct world *w)
{
    close_it(w);
    check_clean(&w->k);
    standin_fini(&w->k);
    rig_fini(&w->r);
}

static void test_order(void)
{
    static struct world w;
    start(&w);
    if (CHECK(open_it(&w)))
        close_it(&w);
    CHECK_STR(w.k.log, "open /dev/vfio/vfio\nopen /dev/vfio/26\nset-container\nset-iommu\nmap 0+a0000\nmap f0000+10000 read-only\nmap 100000+100000\n"
                       "device " FIRST "\nreset\nmmap 0: 2000 at 0\nmmap 0: d000 at 3000\nirqs 3: events 1\nirqs 4: events 1\nirqs 0: events 1\n"
                       "irqs 0: events 0\nirqs 3: events 0\nirqs 4: events 0\nclose device\nunmap 0+a0000\nunmap f0000+10000\nunmap 100000+100000\n"
                       "unset-container\nclose group\nclose container\n");
    stop(&w);
}

/* --- what can be missing --- */

static void refuse(struct world *w, const char *say1, const char *say2)
{
    CHECK(!open_it(w));
    CHECK_CONTAINS(w->r.err.text, FIRST);
    CHECK_CONTAINS(w->r.err.text, say1);
    CHECK_CONTAINS(w->r.err.text, say2);
    CHECK(strlen(w->r.err.text) < sizeof w->r.err.text - 1);
    close_it(w);
    check_clean(&w->k);
}

static void test_reasons(void)
{
    static struct world w;
    start(&w);
    struct standin_device *d = &w.k.device[0];
    w.k.no_iommu = true;
    refuse(&w, "no IOMMU", "intel_iommu=on");
    w.k.no_iommu = false;
    d->driver = "igb";
    refuse(&w, "the host's driver has it: igb", "echo vfio-pci > /sys/bus/pci/devices/" FIRST "/driver_override; echo " FIRST " > /sys/bus/pci/devices/" FIRST
                                                "/driver/unbind; echo " FIRST " > /sys/bus/pci/drivers_probe");
    d->driver = NULL;
    refuse(&w, "no driver has it", "driver_override; echo " FIRST " > /sys/bus/pci/drivers_probe");
    d->driver = "vfio-pci";
    w.k.open_errno = ENOENT;
    refuse(&w, "/dev/vfio/vfio: No such file", "modprobe vfio-pci");
    w.k.open_errno = 0;
    w.k.group_errno = EACCES;
    refuse(&w, "/dev/vfio/26: Permission denied", "no right");
    w.k.group_errno = EBUSY;
    refuse(&w, "/dev/vfio/26", "another program has the group");
    w.k.group_errno = 0;
    w.k.not_viable = true;
    w.k.neighbour = "0000:06:0e.0";
    w.k.neighbour_driver = "e1000";
    refuse(&w, "group 26 is not viable", "0000:06:0e.0 (e1000)");
    w.k.not_viable = false;
    w.r.platform.vfio[0].address = "0000:00:00.0";
    CHECK(!open_it(&w));
    CHECK_CONTAINS(w.r.err.text, "no such device");
    close_it(&w);
    stop(&w);
}

static void test_locked(void)
{
    static struct world w;
    start(&w);
    w.k.lockable = 1 << 20;
    CHECK(!open_it(&w));
    CHECK_CONTAINS(w.r.err.text, "only 1 MiB (RLIMIT_MEMLOCK)");
    CHECK_CONTAINS(w.r.err.text, "ulimit -l");
    stop(&w);
}

static void test_spelling(void)
{
    struct error err;
    char address[VFIO_ADDRESS];
    CHECK_EQ(vfio_kernel_parse("0:1:10.0", NULL, address, &err), 0);
    CHECK_STR(address, "0000:01:10.0");
    CHECK_EQ(vfio_kernel_parse(NULL, "/sys/devices/pci0000:00/0000:00:01.0/10000:e1:00.0", address, &err), 0);
    CHECK_STR(address, "10000:e1:00.0");
    CHECK_EQ(vfio_kernel_parse(NULL, "/sys/devices/pci0000:00/0000:00:01.0/0000:e1:00.7", address, &err), 0);
    CHECK_STR(address, "0000:e1:00.7");
    CHECK_EQ(vfio_kernel_parse(NULL, "/sys/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", address, &err), -1);
    CHECK_CONTAINS(err.text, "sysfsdev=");
    CHECK_EQ(vfio_kernel_parse("0000:01:20.0", NULL, address, &err), -1);
    CHECK_CONTAINS(err.text, "four parts");
}

/* --- the guest's memory --- */

static bool maps(const struct standin *k, u64 iova, u64 size, u32 flags)
{
    for (unsigned i = 0; i < k->maps; i++)
        if (k->map[i].iova == iova && k->map[i].size == size && k->map[i].flags == flags)
            return true;
    return false;
}

enum { READ_ONLY = VFIO_DMA_MAP_FLAG_READ, READ_WRITE = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE };

static u64 no_read(void *opaque, u64 offset, unsigned size) { return 0; }
static void no_write(void *opaque, u64 offset, unsigned size, u64 value) { }

static void test_memory(void)
{
    static struct world w;
    static const struct mmio_ops ops = { no_read, no_write };
    start(&w);
    if (!CHECK(open_it(&w)))
        return;
    CHECK_EQ(w.k.maps, 3);
    CHECK(maps(&w.k, 0xf0000, 0x10000, READ_ONLY));
    u8 *low = physmap_ptr(&w.r.map, 0x5000, 1);
    CHECK(standin_dma(&w.k, 0x5000, 1, true) == low);
    CHECK(!standin_dma(&w.k, 0xa0000, 1, true) && !standin_dma(&w.k, 0xf0000, 1, true) && standin_dma(&w.k, 0xf0000, 1, false));
    size_t before = strlen(w.k.log);
    physmap_add_alias(&w.r.map, "shadow", 0xf0000, 0x10000, REGION_RAM, physmap_ptr_ro(&w.r.map, 0xf0000, 1), &w.r.err);
    CHECK(maps(&w.k, 0xf0000, 0x10000, READ_WRITE));        /* and nothing else was touched: */
    CHECK_STR(w.k.log + before, "unmap f0000+10000\nmap f0000+10000\n");
    physmap_add_mmio(&w.r.map, "hole", 0x150000, 0x1000, &ops, NULL, &w.r.err);
    CHECK(maps(&w.k, 0x100000, 0x50000, READ_WRITE) && maps(&w.k, 0x151000, 0xaf000, READ_WRITE) && !standin_dma(&w.k, 0x150000, 1, false));
    physmap_remove(&w.r.map, 0x150000, 0x1000);
    CHECK(maps(&w.k, 0x100000, 0x100000, READ_WRITE) && w.k.maps == 3);
    stop(&w);
}

static void test_two(void)
{
    static struct world w;
    start(&w);
    w.r.platform.vfio[1].address = SECOND;
    w.r.platform.nvfio = 2;
    if (CHECK(open_it(&w))) {
        CHECK_EQ(w.k.maps, 3);
        CHECK(w.k.group[0].joined && w.k.group[1].joined);
    }
    stop(&w);
}

/* Each call fails once. */
static void test_failures(void)
{
    unsigned opened = 0;
    for (unsigned n = 1, count = 1; count >= n - 1; n++) {
        static struct world w;
        start(&w);
        w.r.platform.vfio[1].address = SECOND;
        w.r.platform.nvfio = 2;
        w.k.fail_at = n;
        opened += open_it(&w);
        count = w.k.count;
        check_context("call %u fails; %s", n, w.r.err.text);
        w.k.fail_at = 0;
        stop(&w);
        CHECK(n < 200);
    }
    CHECK(opened > 1);      /* what is not needed may fail */
    check_context(NULL);
}

/* This machine's own, if it has one that is free. */
static void test_here(void)
{
    static struct world w;
    const char *address = getenv("EMU_VFIO");
    if (!address)
        SKIP("no device of this machine is given to the test; bind one to vfio-pci and set EMU_VFIO=0000:01:10.0");
    start(&w);
    w.r.platform.vfio_calls = NULL;
    w.r.platform.vfio[0].address = address;
    if (CHECK(open_it(&w))) {
        const struct vfio_real *v = ((struct vfio_real_set *)w.set)->device[0];
        u32 id = v->function.config[0] | v->function.config[1] << 8;
        CHECK(id != 0 && id != 0xffff);
        vfio_real_ops.info(w.set, stderr);
        vfio_real_ops.reset(w.set);
    } else {
        FAIL("%s", w.r.err.text);
    }
    stop(&w);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "order", test_order }, { "reasons", test_reasons }, { "locked", test_locked }, { "spelling", test_spelling },
        { "memory", test_memory }, { "two", test_two }, { "failures", test_failures }, { "here", test_here }, { NULL, NULL },
    };
    return check_main(argc, argv, "vfio_kernel", tests);
}
