/* SPDX-License-Identifier: MIT */
/*
 * The real VFIO's order of calls, against a stand-in that knows the kernel's rules and refuses what the kernel refuses: a group that is not
 * viable, an IOMMU for an empty container, memory before the IOMMU, a device before the memory's container, odd sizes, too many vectors.
 * It records what was called. Each call is made to fail once: whatever was taken by then is given back.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "devices/vfio/vfio_kernel.h"

enum { CONTAINER = 10, GROUP = 11, DEVICE = 12, EVENTS = 20, MAPS = 8, ADDRESS_PAGES = 4 };

struct kernel {
    char log[4000];
    unsigned calls, fail_at;            /* the n-th call fails; 0: none */
    bool no_module, no_group, viable, container_open, group_open, device_open, joined, iommu;
    struct { u64 iova, size; } map[MAPS];
    unsigned maps, mmaps, events, vectors_on;
    const char *broken;                 /* a rule that was broken; NULL: none */
    u8 pages[ADDRESS_PAGES * 4096];
};

static void note(struct kernel *k, const char *fmt, ...)
{
    va_list ap;
    size_t len = strlen(k->log);
    va_start(ap, fmt);
    vsnprintf(k->log + len, sizeof k->log - len, fmt, ap);
    va_end(ap);
}

static int no(int e) { return errno = e, -1; }
static int rule(struct kernel *k, const char *broken, int e) { return k->broken = broken, no(e); }
static bool fails(struct kernel *k) { return ++k->calls == k->fail_at; }

static int k_open(void *self, const char *path)
{
    struct kernel *k = self;
    note(k, "open %s\n", path);
    if (fails(k))
        return no(EMFILE);
    if (!strcmp(path, "/dev/vfio/vfio"))
        return k->no_module ? no(ENOENT) : (k->container_open = true, CONTAINER);
    if (!strcmp(path, "/dev/vfio/26"))
        return k->no_group ? no(EACCES) : k->group_open ? no(EBUSY) : (k->group_open = true, GROUP);
    return no(ENOENT);
}

static int k_close(void *self, int fd)
{
    struct kernel *k = self;
    bool *of = fd == CONTAINER ? &k->container_open : fd == GROUP ? &k->group_open : fd == DEVICE ? &k->device_open : NULL;
    if (fd >= EVENTS && k->events) {
        k->events--;
        return 0;
    }
    if (!of || !*of)
        return rule(k, "close of what is not open", EBADF);
    if (fd == GROUP && k->joined)
        return rule(k, "the group is closed in its container", EBUSY);
    note(k, "close %d\n", fd);
    *of = false;
    return 0;
}

static int map_dma(struct kernel *k, const struct vfio_iommu_type1_dma_map *m)
{
    note(k, "map %llx+%llx\n", m->iova, m->size);
    if (!k->iommu)
        return rule(k, "memory before the IOMMU", EINVAL);
    if (m->argsz < sizeof *m || (m->vaddr | m->iova | m->size) & 4095 || !m->size || !(m->flags & 3))
        return rule(k, "a mapping of odd size", EINVAL);
    for (unsigned i = 0; i < k->maps; i++)
        if (m->iova < k->map[i].iova + k->map[i].size && k->map[i].iova < m->iova + m->size)
            return rule(k, "mappings overlap", EEXIST);
    k->map[k->maps].iova = m->iova;
    k->map[k->maps++].size = m->size;
    return 0;
}

static int unmap_dma(struct kernel *k, const struct vfio_iommu_type1_dma_unmap *u)
{
    for (unsigned i = 0; i < k->maps; i++)
        if (k->map[i].iova == u->iova && k->map[i].size == u->size) {
            k->map[i] = k->map[--k->maps];
            return 0;
        }
    return rule(k, "unmapping what is not mapped", EINVAL);
}

static int container_ioctl(struct kernel *k, unsigned long request, void *arg)
{
    switch (request) {
    case VFIO_GET_API_VERSION: return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION: return (uintptr_t)arg == VFIO_TYPE1v2_IOMMU;
    case VFIO_SET_IOMMU:
        note(k, "set-iommu\n");
        if (!k->joined || k->iommu)
            return rule(k, "an IOMMU for an empty container, or a second one", EINVAL);
        k->iommu = true;
        return 0;
    case VFIO_IOMMU_MAP_DMA: return map_dma(k, arg);
    case VFIO_IOMMU_UNMAP_DMA: return unmap_dma(k, arg);
    }
    return rule(k, "not a call of a container", ENOTTY);
}

static int group_ioctl(struct kernel *k, unsigned long request, void *arg)
{
    struct vfio_group_status *status = arg;
    switch (request) {
    case VFIO_GROUP_GET_STATUS:
        if (status->argsz < sizeof *status)
            return rule(k, "argsz", EINVAL);
        status->flags = k->viable ? VFIO_GROUP_FLAGS_VIABLE : 0;
        return 0;
    case VFIO_GROUP_SET_CONTAINER:
        note(k, "set-container\n");
        if (*(int *)arg != CONTAINER || !k->container_open || !k->viable)
            return rule(k, "a group that is not viable, or no container", EINVAL);
        k->joined = true;
        return 0;
    case VFIO_GROUP_UNSET_CONTAINER:
        note(k, "unset-container\n");
        if (!k->joined || k->device_open)
            return rule(k, "the container is left with a device open", EBUSY);
        k->joined = k->iommu = false;   /* the last group takes the IOMMU with it */
        return 0;
    case VFIO_GROUP_GET_DEVICE_FD:
        note(k, "device %s\n", (const char *)arg);
        if (!k->iommu)
            return rule(k, "a device before the IOMMU", EINVAL);
        k->device_open = true;
        return DEVICE;
    }
    return rule(k, "not a call of a group", ENOTTY);
}

static int set_irqs(struct kernel *k, const struct vfio_irq_set *s)
{
    bool off = s->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER) && !s->count;
    const int *fd = (const int *)s->data;
    note(k, "irqs %u\n", s->count);
    if (s->index != VFIO_PCI_MSIX_IRQ_INDEX || s->start + s->count > 3 || (!off && s->argsz < sizeof *s + s->count * sizeof(int)))
        return rule(k, "vectors that the device has not", EINVAL);
    for (unsigned i = 0; i < s->count; i++)
        if (fd[i] < EVENTS)
            return rule(k, "no eventfd", EBADF);
    k->vectors_on = s->count;
    return 0;
}

static int device_ioctl(struct kernel *k, unsigned long request, void *arg)
{
    struct vfio_device_info *info = arg;
    struct vfio_region_info *r = arg;
    struct vfio_irq_info *irq = arg;
    switch (request) {
    case VFIO_DEVICE_GET_INFO:
        info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
        info->num_regions = VFIO_PCI_NUM_REGIONS;
        info->num_irqs = VFIO_PCI_NUM_IRQS;
        return 0;
    case VFIO_DEVICE_GET_REGION_INFO:
        if (r->argsz < sizeof *r || r->index >= VFIO_PCI_NUM_REGIONS)
            return rule(k, "a region that is not there", EINVAL);
        r->size = r->index == 0 ? 0x4000 : r->index == VFIO_PCI_CONFIG_REGION_INDEX ? 4096 : 0;
        r->offset = (u64)r->index << 40;
        r->flags = r->index == 0 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP : VFIO_REGION_INFO_FLAG_READ;
        return 0;
    case VFIO_DEVICE_GET_IRQ_INFO:
        irq->count = irq->index == VFIO_PCI_MSIX_IRQ_INDEX ? 3 : 0;
        irq->flags = VFIO_IRQ_INFO_EVENTFD;
        return 0;
    case VFIO_DEVICE_SET_IRQS: return set_irqs(k, arg);
    case VFIO_DEVICE_RESET: note(k, "reset\n"); return 0;
    }
    return rule(k, "not a call of a device", ENOTTY);
}

static int k_ioctl(void *self, int fd, unsigned long request, void *arg)
{
    struct kernel *k = self;
    bool gives_back = request == VFIO_GROUP_UNSET_CONTAINER || request == VFIO_IOMMU_UNMAP_DMA || request == VFIO_DEVICE_RESET;
    if (!gives_back && fails(k))
        return no(EIO);
    return fd == CONTAINER && k->container_open ? container_ioctl(k, request, arg) : fd == GROUP && k->group_open ? group_ioctl(k, request, arg)
         : fd == DEVICE && k->device_open ? device_ioctl(k, request, arg) : rule(k, "a call of what is not open", EBADF);
}

static void *k_mmap(void *self, size_t len, int prot, int fd, off_t offset)
{
    struct kernel *k = self;
    note(k, "mmap %zx at %llx\n", len, (unsigned long long)offset);
    if (fails(k) || fd != DEVICE || !k->device_open || len > sizeof k->pages)
        return no(ENODEV), MAP_FAILED;
    k->mmaps++;
    return k->pages;
}

static int k_munmap(void *self, void *at, size_t len) { return ((struct kernel *)self)->mmaps--, 0; }

static ssize_t k_readlink(void *self, const char *path, char *buf, size_t size)
{
    struct kernel *k = self;
    if (fails(k) || strcmp(path, "/sys/bus/pci/devices/0000:06:0d.0/iommu_group"))
        return no(ENOENT);
    return snprintf(buf, size, "../../../../kernel/iommu_groups/26");
}

static int k_eventfd(void *self)
{
    struct kernel *k = self;
    return fails(k) ? no(EMFILE) : EVENTS + (int)k->events++;
}

/* --- tests --- */

struct world { struct kernel k; struct vfio_calls calls; struct physmap map; struct vfio_kernel v; struct error err; };

static void start(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->k.viable = true;
    w->calls = (struct vfio_calls){ k_open, k_close, k_ioctl, k_mmap, k_munmap, k_readlink, k_eventfd, &w->k };
    CHECK_EQ(physmap_init(&w->map, 4 << 20, &w->err), 0);
    CHECK(physmap_add_ram(&w->map, "low memory", 0, 0xa0000, &w->err));
    CHECK(physmap_add_rom(&w->map, "rom", 0xf0000, 0x10000, &w->err));
    CHECK(physmap_add_ram(&w->map, "memory", 1 << 20, 1 << 20, &w->err));
}

static int open_it(struct world *w) { return vfio_kernel_open(&w->v, &w->calls, "0000:06:0d.0", &w->map, &w->err); }

/* Nothing is held any more, and no rule was broken. */
static void check_clean(const struct kernel *k)
{
    CHECK(!k->container_open && !k->group_open && !k->device_open && !k->joined && !k->maps && !k->mmaps && !k->events);
    if (k->broken)
        FAIL("%s, in:\n%s", k->broken, k->log);
}

static void test_order(void)
{
    static struct world w;
    start(&w);
    if (!CHECK_EQ(open_it(&w), 0))
        return;
    CHECK_EQ(w.v.vectors, 3);
    CHECK(w.v.bar[0].at == w.k.pages && w.v.bar[0].size == 0x4000 && !w.v.bar[1].size);
    CHECK_EQ(w.v.config_size, 4096);
    CHECK_EQ(w.k.maps, 2);                      /* RAM, and not the ROM */
    CHECK_EQ(vfio_kernel_set_vectors(&w.v, 3, &w.err), 0);
    CHECK_EQ(w.k.vectors_on, 3);
    CHECK_EQ(vfio_kernel_set_vectors(&w.v, 4, &w.err), -1);
    vfio_kernel_close(&w.v);
    CHECK_STR(w.k.log, "open /dev/vfio/vfio\nopen /dev/vfio/26\nset-container\nset-iommu\nmap 0+a0000\nmap 100000+100000\ndevice 0000:06:0d.0\n"
                       "mmap 4000 at 0\nreset\nirqs 3\nirqs 0\nclose 12\nunset-container\nclose 11\nclose 10\n");
    CHECK_EQ(w.k.vectors_on, 0);
    check_clean(&w.k);
    physmap_fini(&w.map);
}

static void test_reasons(void)
{
    static struct world w;
    start(&w);
    w.k.no_module = true;
    CHECK_EQ(open_it(&w), -1);
    CHECK_CONTAINS(w.err.text, "modprobe vfio-pci");
    w.k.no_module = false, w.k.no_group = true;
    CHECK_EQ(open_it(&w), -1);
    CHECK_CONTAINS(w.err.text, "bind the device to vfio-pci");
    w.k.no_group = w.k.viable = false;
    CHECK_EQ(open_it(&w), -1);
    CHECK_CONTAINS(w.err.text, "not viable");
    CHECK_CONTAINS(w.err.text, "iommu_groups/26/devices");
    w.k.viable = true;
    CHECK_EQ(vfio_kernel_open(&w.v, &w.calls, "0000:00:00.0", &w.map, &w.err), -1);
    CHECK_CONTAINS(w.err.text, "no IOMMU before it");
    check_clean(&w.k);
    physmap_fini(&w.map);
}

/* Each call fails once. */
static void test_failures(void)
{
    for (unsigned n = 1;; n++) {
        static struct world w;
        start(&w);
        w.k.fail_at = n;
        int r = open_it(&w);
        bool opened = r == 0;
        if (opened)
            r = vfio_kernel_set_vectors(&w.v, 3, &w.err);
        unsigned calls = w.k.calls;
        check_context("call %u fails; %s", n, w.err.text);
        if (opened) {
            w.k.fail_at = 0;
            vfio_kernel_close(&w.v);
        }
        check_clean(&w.k);
        physmap_fini(&w.map);
        if (calls < n) {
            CHECK_EQ(r, 0);
            CHECK(n > 20);
            break;
        }
    }
    check_context(NULL);
}

/* This machine's own, if it has one that is free. */
static void test_here(void)
{
    static struct world w;
    const char *address = getenv("EMU_VFIO");
    start(&w);
    if (!address) {
        physmap_fini(&w.map);
        SKIP("no device of this machine is given to the test; bind one to vfio-pci and set EMU_VFIO=0000:01:10.0");
    }
    if (CHECK_EQ(vfio_kernel_open(&w.v, &vfio_real_calls, address, &w.map, &w.err), 0))
        vfio_kernel_close(&w.v);
    else
        FAIL("%s", w.err.text);
    physmap_fini(&w.map);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "order", test_order }, { "reasons", test_reasons }, { "failures", test_failures }, { "here", test_here }, { NULL, NULL },
    };
    return check_main(argc, argv, "vfio_kernel", tests);
}
