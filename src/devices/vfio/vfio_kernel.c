/* SPDX-License-Identifier: MIT */
/* Containers and groups, in the kernel's order; and all of it undone in reverse. */
#include "devices/vfio/vfio_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- the kernel itself --- */

static int real_open(void *self, const char *path) { return open(path, O_RDWR | O_CLOEXEC); }
static int real_close(void *self, int fd) { return close(fd); }
static int real_ioctl(void *self, int fd, unsigned long request, void *arg) { return ioctl(fd, request, arg); }
static void *real_mmap(void *self, size_t len, int prot, int fd, off_t offset) { return mmap(NULL, len, prot, MAP_SHARED, fd, offset); }
static int real_munmap(void *self, void *at, size_t len) { return munmap(at, len); }
static ssize_t real_pread(void *self, int fd, void *buf, size_t len, off_t offset) { return pread(fd, buf, len, offset); }
static ssize_t real_pwrite(void *self, int fd, const void *buf, size_t len, off_t offset) { return pwrite(fd, buf, len, offset); }
static ssize_t real_readlink(void *self, const char *path, char *buf, size_t size) { return readlink(path, buf, size); }
static int real_eventfd(void *self) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

static u64 real_lockable(void *self)
{
    struct rlimit r;
    return getrlimit(RLIMIT_MEMLOCK, &r) || r.rlim_cur == RLIM_INFINITY ? UINT64_MAX : r.rlim_cur;
}

static bool real_list(void *self, const char *path, unsigned n, char *name, size_t size)
{
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    for (unsigned i = 0; d && i <= n;) {
        e = readdir(d);
        if (!e)
            break;
        i += e->d_name[0] != '.';
    }
    if (e)
        snprintf(name, size, "%s", e->d_name);
    if (d)
        closedir(d);
    return e;
}

const struct vfio_calls vfio_real_calls = {
    real_open, real_close, real_ioctl, real_mmap, real_munmap, real_pread, real_pwrite, real_readlink, real_list, real_lockable, real_eventfd, NULL,
};

/* --- the container --- */

static int check_container(struct vfio_kernel *k, struct error *err)
{
    if (VFIO_CALL(k, ioctl, k->container, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION)
        return error_set(err, "-device vfio-pci: the kernel's VFIO speaks another version of its interface");
    if (VFIO_CALL(k, ioctl, k->container, VFIO_CHECK_EXTENSION, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU) <= 0)
        return error_set(err, "-device vfio-pci: the kernel offers VFIO no IOMMU of type 1; load its module (modprobe vfio_iommu_type1)");
    return 0;
}

void vfio_kernel_open(struct vfio_kernel *k, const struct vfio_calls *calls, struct physmap *map)
{
    *k = (struct vfio_kernel){ .calls = calls, .map = map, .container = -1 };
}

/* Not before the first device is known to be there: then what is said is about the device. */
static int open_container(struct vfio_kernel *k, const char *address, struct error *err)
{
    if (k->container >= 0)
        return 0;
    k->container = VFIO_CALL(k, open, "/dev/vfio/vfio");
    if (k->container < 0)
        return vfio_kernel_explain_open(address, "/dev/vfio/vfio", errno, err);
    return check_container(k, err);
}

/* With its first group the container gets an IOMMU, and the guest's memory. */
static int give_iommu(struct vfio_kernel *k, struct error *err)
{
    if (k->has_iommu)
        return 0;
    if (VFIO_CALL(k, ioctl, k->container, VFIO_SET_IOMMU, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU) < 0)
        return error_set(err, "-device vfio-pci: the container gets no IOMMU: %s%s", strerror(errno),
                         errno == EPERM ? "; the platform cannot remap interrupts safely (see allow_unsafe_interrupts of vfio_iommu_type1)" : "");
    k->has_iommu = true;
    return vfio_kernel_map(k, err);
}

/* --- groups --- */

static struct vfio_kernel_group *find_group(struct vfio_kernel *k, const char *name)
{
    for (unsigned i = 0; i < k->ngroups; i++)
        if (strcmp(k->group[i].name, name) == 0)
            return &k->group[i];
    return NULL;
}

static int check_group(struct vfio_kernel *k, const struct vfio_kernel_group *g, const char *address, struct error *err)
{
    struct vfio_group_status status = { .argsz = sizeof status };
    if (VFIO_CALL(k, ioctl, g->fd, VFIO_GROUP_GET_STATUS, &status) < 0)
        return error_set(err, "-device vfio-pci,host=%s: the kernel says nothing of group %s: %s", address, g->name, strerror(errno));
    if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
        return vfio_kernel_explain_group(k->calls, address, g->name, err);
    if (status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET)
        return vfio_kernel_explain_open(address, g->name, EBUSY, err);
    return 0;
}

static int join(struct vfio_kernel *k, struct vfio_kernel_group *g, const char *address, struct error *err)
{
    if (check_group(k, g, address, err))
        return -1;
    if (VFIO_CALL(k, ioctl, g->fd, VFIO_GROUP_SET_CONTAINER, &k->container) < 0)
        return error_set(err, "-device vfio-pci,host=%s: its group %s does not go into the container: %s", address, g->name, strerror(errno));
    k->ngroups++;
    return give_iommu(k, err);
}

static struct vfio_kernel_group *take_group(struct vfio_kernel *k, const char *name, const char *address, struct error *err)
{
    char path[40];
    struct vfio_kernel_group *g = find_group(k, name);
    if (g || k->ngroups == VFIO_GROUPS_MAX)
        return g;
    g = &k->group[k->ngroups];
    snprintf(g->name, sizeof g->name, "%s", name);
    snprintf(path, sizeof path, "/dev/vfio/%s", name);
    g->fd = VFIO_CALL(k, open, path);
    if (g->fd < 0) {
        vfio_kernel_explain_open(address, path, errno, err);
        return NULL;
    }
    if (join(k, g, address, err) == 0)
        return g;
    if (g == &k->group[k->ngroups])     /* it is not in the container: nobody else closes it */
        VFIO_CALL(k, close, g->fd);
    return NULL;
}

/* --- devices --- */

int vfio_kernel_take(struct vfio_kernel *k, struct vfio_kernel_device *d, const char *address, struct error *err)
{
    char name[16];
    *d = (struct vfio_kernel_device){ .kernel = k, .fd = -1 };
    snprintf(d->address, sizeof d->address, "%s", address);
    if (vfio_kernel_find(k->calls, address, name, err) || open_container(k, address, err))
        return -1;
    const struct vfio_kernel_group *g = take_group(k, name, address, err);
    if (!g)
        return -1;
    d->fd = VFIO_CALL(k, ioctl, g->fd, VFIO_GROUP_GET_DEVICE_FD, (void *)address);
    if (d->fd < 0)
        return error_set(err, "-device vfio-pci,host=%s: its group %s does not give it: %s", address, name, strerror(errno));
    if (vfio_kernel_look(d, err) == 0)
        return 0;
    vfio_kernel_close_device(d);
    return -1;
}

/* --- the way back --- */

void vfio_kernel_close(struct vfio_kernel *k)
{
    vfio_kernel_unmap(k);
    while (k->ngroups) {
        struct vfio_kernel_group *g = &k->group[--k->ngroups];
        VFIO_CALL(k, ioctl, g->fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
        VFIO_CALL(k, close, g->fd);
    }
    k->has_iommu = false;
    if (k->container >= 0)
        VFIO_CALL(k, close, k->container);
    k->container = -1;
}
