/* SPDX-License-Identifier: MIT */
/* The system calls in the kernel's order: group, container, IOMMU, memory, device, interrupts; and all of it undone in reverse. */
#include "devices/vfio/vfio_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- the kernel itself --- */

static int real_open(void *self, const char *path) { return open(path, O_RDWR | O_CLOEXEC); }
static int real_close(void *self, int fd) { return close(fd); }
static int real_ioctl(void *self, int fd, unsigned long request, void *arg) { return ioctl(fd, request, arg); }
static void *real_mmap(void *self, size_t len, int prot, int fd, off_t offset) { return mmap(NULL, len, prot, MAP_SHARED, fd, offset); }
static int real_munmap(void *self, void *at, size_t len) { return munmap(at, len); }
static ssize_t real_readlink(void *self, const char *path, char *buf, size_t size) { return readlink(path, buf, size); }
static int real_eventfd(void *self) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
const struct vfio_calls vfio_real_calls = { real_open, real_close, real_ioctl, real_mmap, real_munmap, real_readlink, real_eventfd, NULL };

#define CALL(k, name, ...) (k)->calls->name((k)->calls->self, ##__VA_ARGS__)

/* --- group and container --- */

/* The group's number is the last word of where the link leads. 0 or -1 with *err. */
static int find_group(struct vfio_kernel *k, const char *address, char group[32], struct error *err)
{
    char link[80], target[256];
    snprintf(link, sizeof link, "/sys/bus/pci/devices/%.40s/iommu_group", address);
    ssize_t n = CALL(k, readlink, link, target, sizeof target - 1);
    if (n < 0)
        return error_set(err, "-device vfio-pci,sysfsdev=%s: this machine has no such device, or no IOMMU before it (%s: %s)", address, link, strerror(errno));
    target[n] = 0;
    const char *slash = strrchr(target, '/');
    snprintf(group, 32, "%.31s", slash ? slash + 1 : target);
    return 0;
}

static int open_container(struct vfio_kernel *k, struct error *err)
{
    k->container = CALL(k, open, "/dev/vfio/vfio");
    if (k->container < 0)
        return error_set(err, "-device vfio-pci: /dev/vfio/vfio: %s; load the module vfio-pci (modprobe vfio-pci)", strerror(errno));
    if (CALL(k, ioctl, k->container, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION)
        return error_set(err, "-device vfio-pci: the kernel's VFIO speaks another version of its interface");
    if (CALL(k, ioctl, k->container, VFIO_CHECK_EXTENSION, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU) <= 0)
        return error_set(err, "-device vfio-pci: the kernel has no IOMMU of type 1; turn the IOMMU on (intel_iommu=on or amd_iommu=on)");
    return 0;
}

static int open_group(struct vfio_kernel *k, const char *address, struct error *err)
{
    struct vfio_group_status status = { .argsz = sizeof status };
    char group[32], path[64];
    if (find_group(k, address, group, err))
        return -1;
    snprintf(path, sizeof path, "/dev/vfio/%s", group);
    k->group = CALL(k, open, path);
    if (k->group < 0)
        return error_set(err, "-device vfio-pci,sysfsdev=%s: %s: %s; bind the device to vfio-pci, and give this user the right to its group", address, path,
                         strerror(errno));
    if (CALL(k, ioctl, k->group, VFIO_GROUP_GET_STATUS, &status) < 0 || !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
        return error_set(err, "-device vfio-pci,sysfsdev=%s: its IOMMU group %s is not viable: a driver of the host still has one of its devices; "
                              "bind all that /sys/kernel/iommu_groups/%s/devices lists to vfio-pci", address, group, group);
    return 0;
}

static int join(struct vfio_kernel *k, struct error *err)
{
    if (CALL(k, ioctl, k->group, VFIO_GROUP_SET_CONTAINER, &k->container) < 0)
        return error_set(err, "-device vfio-pci: the group does not go into the container: %s", strerror(errno));
    k->in_container = true;
    if (CALL(k, ioctl, k->container, VFIO_SET_IOMMU, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU) < 0)
        return error_set(err, "-device vfio-pci: the container gets no IOMMU: %s", strerror(errno));
    k->has_iommu = true;
    return 0;
}

/* --- the guest's memory, at its own addresses --- */

static bool is_ram(const struct region *r) { return r->kind == REGION_RAM && !r->alias; }

static int map_ram(struct vfio_kernel *k, struct error *err)
{
    for (; k->mapped < k->map->nadded; k->mapped++) {
        const struct region *r = &k->map->added[k->mapped];
        struct vfio_iommu_type1_dma_map m = { sizeof m, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, (uintptr_t)r->hva, r->gpa, r->size };
        if (is_ram(r) && CALL(k, ioctl, k->container, VFIO_IOMMU_MAP_DMA, &m) < 0)
            return error_set(err, "-device vfio-pci: the guest's memory cannot be pinned for the device: %s; raise the limit of locked memory (ulimit -l)", strerror(errno));
    }
    return 0;
}

static void unmap_ram(struct vfio_kernel *k)
{
    while (k->mapped) {
        const struct region *r = &k->map->added[--k->mapped];
        struct vfio_iommu_type1_dma_unmap u = { .argsz = sizeof u, .iova = r->gpa, .size = r->size };
        if (is_ram(r))
            CALL(k, ioctl, k->container, VFIO_IOMMU_UNMAP_DMA, &u);
    }
}

/* --- the device --- */

static int take_region(struct vfio_kernel *k, unsigned n, struct vfio_region_info *info, struct error *err)
{
    *info = (struct vfio_region_info){ .argsz = sizeof *info, .index = n };
    return CALL(k, ioctl, k->device, VFIO_DEVICE_GET_REGION_INFO, info) < 0 ? error_set(err, "-device vfio-pci: region %u: %s", n, strerror(errno)) : 0;
}

static int map_bar(struct vfio_kernel *k, unsigned n, struct error *err)
{
    struct vfio_region_info info;
    struct vfio_kernel_bar *b = &k->bar[n];
    if (take_region(k, VFIO_PCI_BAR0_REGION_INDEX + n, &info, err))
        return -1;
    *b = (struct vfio_kernel_bar){ info.size, info.offset, info.flags & VFIO_REGION_INFO_FLAG_WRITE, NULL };
    if (!info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
        return 0;
    void *at = CALL(k, mmap, info.size, PROT_READ | (b->writable ? PROT_WRITE : 0), k->device, info.offset);
    if (at == MAP_FAILED)
        return error_set(err, "-device vfio-pci: base address register %u cannot be mapped: %s", n, strerror(errno));
    b->at = at;
    return 0;
}

static int take_vectors(struct vfio_kernel *k)
{
    struct vfio_irq_info info = { .argsz = sizeof info, .index = VFIO_PCI_MSIX_IRQ_INDEX };
    bool known = CALL(k, ioctl, k->device, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 && info.flags & VFIO_IRQ_INFO_EVENTFD;
    k->vectors = !known ? 0 : info.count < KERNEL_VECTORS ? info.count : KERNEL_VECTORS;
    return 0;
}

static int open_device(struct vfio_kernel *k, const char *address, struct error *err)
{
    struct vfio_device_info info = { .argsz = sizeof info };
    struct vfio_region_info config;
    k->device = CALL(k, ioctl, k->group, VFIO_GROUP_GET_DEVICE_FD, (void *)(uintptr_t)address);
    if (k->device < 0)
        return error_set(err, "-device vfio-pci,sysfsdev=%s: the group does not give it: %s", address, strerror(errno));
    if (CALL(k, ioctl, k->device, VFIO_DEVICE_GET_INFO, &info) < 0 || !(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
        return error_set(err, "-device vfio-pci,sysfsdev=%s: is no PCI device", address);
    for (unsigned n = 0; n < KERNEL_BARS; n++)
        if (map_bar(k, n, err))
            return -1;
    if (take_region(k, VFIO_PCI_CONFIG_REGION_INDEX, &config, err))
        return -1;
    k->config_offset = config.offset;
    k->config_size = config.size;
    if (info.flags & VFIO_DEVICE_FLAGS_RESET)
        CALL(k, ioctl, k->device, VFIO_DEVICE_RESET, NULL);
    return take_vectors(k);
}

int vfio_kernel_open(struct vfio_kernel *k, const struct vfio_calls *calls, const char *address, struct physmap *map, struct error *err)
{
    *k = (struct vfio_kernel){ .calls = calls, .map = map, .container = -1, .group = -1, .device = -1 };
    if (open_container(k, err) || open_group(k, address, err) || join(k, err) || map_ram(k, err) || open_device(k, address, err)) {
        vfio_kernel_close(k);
        return -1;
    }
    return 0;
}

/* --- interrupts --- */

static void close_events(struct vfio_kernel *k)
{
    while (k->events)
        CALL(k, close, k->event[--k->events]);
}

static int open_events(struct vfio_kernel *k, unsigned n)
{
    for (; k->events < n; k->events++)
        if ((k->event[k->events] = CALL(k, eventfd)) < 0)
            return -1;
    return 0;
}

int vfio_kernel_set_vectors(struct vfio_kernel *k, unsigned n, struct error *err)
{
    struct { struct vfio_irq_set head; int fd[KERNEL_VECTORS]; } set = {
        .head = { .argsz = sizeof set.head + n * sizeof(int), .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = n,
                  .flags = VFIO_IRQ_SET_ACTION_TRIGGER | (n ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE) },
    };
    if (n > k->vectors)
        return error_set(err, "-device vfio-pci: the device has %u vectors, not %u", k->vectors, n);
    if (n && open_events(k, n))
        return error_set(err, "-device vfio-pci: no descriptor for an interrupt: %s", strerror(errno));
    memcpy(set.fd, k->event, n * sizeof(int));
    if (CALL(k, ioctl, k->device, VFIO_DEVICE_SET_IRQS, &set) < 0)
        return error_set(err, "-device vfio-pci: %u vectors cannot be turned on: %s", n, strerror(errno));
    if (!n)
        close_events(k);
    return 0;
}

/* --- the way back --- */

static void close_fd(struct vfio_kernel *k, int *fd)
{
    if (*fd >= 0)
        CALL(k, close, *fd);
    *fd = -1;
}

void vfio_kernel_close(struct vfio_kernel *k)
{
    struct error ignored;
    if (k->events)
        vfio_kernel_set_vectors(k, 0, &ignored);
    close_events(k);
    for (unsigned n = 0; n < KERNEL_BARS; n++)
        if (k->bar[n].at)
            CALL(k, munmap, k->bar[n].at, k->bar[n].size);
    memset(k->bar, 0, sizeof k->bar);
    close_fd(k, &k->device);
    if (k->has_iommu)
        unmap_ram(k);
    if (k->in_container)
        CALL(k, ioctl, k->group, VFIO_GROUP_UNSET_CONTAINER, NULL);
    k->in_container = k->has_iommu = false;
    k->mapped = 0;
    close_fd(k, &k->group);
    close_fd(k, &k->container);
}
