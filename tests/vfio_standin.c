/* SPDX-License-Identifier: MIT */
/* The rules are those of Linux 6.1: drivers/vfio/container.c, group.c, vfio_iommu_type1.c, pci/vfio_pci_core.c, vfio_pci_intrs.c. */
#include "vfio_standin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/pci/pci.h"

enum { CONTAINER = STANDIN_FDS, GROUP = STANDIN_FDS + 10, DEVICE = STANDIN_FDS + 20, REGION_SHIFT = 40, RESERVED_FROM = 0xfee00000u, RESERVED_TO = 0xfeefffffu };

static void note(struct standin *k, const char *fmt, ...)
{
    va_list ap;
    size_t len = strlen(k->log);
    va_start(ap, fmt);
    vsnprintf(k->log + len, sizeof k->log - len, fmt, ap);
    va_end(ap);
}

static int no(int e) { return errno = e, -1; }
static int rule(struct standin *k, const char *broken, int e)
{
    k->broken = k->broken ? k->broken : broken;
    return no(e);
}
static bool fails(struct standin *k) { return ++k->count == k->fail_at; }

static struct standin_device *device_of(struct standin *k, int fd)
{
    unsigned n = fd - DEVICE;
    return n < k->ndevices && k->device[n].open ? &k->device[n] : NULL;
}

/* --- files --- */

static int k_open(void *self, const char *path)
{
    struct standin *k = self;
    note(k, "open %s\n", path);
    if (fails(k))
        return no(EMFILE);
    if (!strcmp(path, "/dev/vfio/vfio"))
        return k->open_errno ? no(k->open_errno) : (k->container = true, CONTAINER);
    for (unsigned i = 0; i < k->ndevices; i++) {
        if (strncmp(path, "/dev/vfio/", 10) || strcmp(path + 10, k->device[i].group))
            continue;
        return k->group_errno ? no(k->group_errno) : k->group[i].open ? no(EBUSY) : (k->group[i].open = true, GROUP + (int)i);
    }
    return no(ENOENT);
}

static int close_device(struct standin *k, struct standin_device *d)
{
    if (d->nviews)
        return rule(k, "a device is closed while its registers are mapped", EBUSY);
    for (unsigned i = 0; i < VFIO_PCI_NUM_IRQS; i++)
        if (d->irq[i].active)
            rule(k, "a device is closed while its interrupts are on", 0);
    d->open = false;
    return 0;
}

static int k_close(void *self, int fd)
{
    struct standin *k = self;
    unsigned g = fd - GROUP;
    struct standin_device *d = device_of(k, fd);
    if (fd >= 0 && fd < 1024 && k->event_open[fd]) {
        for (unsigned i = 0; i < k->ndevices; i++)
            for (unsigned n = 0; n < VFIO_PCI_NUM_IRQS; n++)
                for (unsigned a = 0; a < k->device[i].irq[n].active; a++)
                    if (k->device[i].open && k->device[i].irq[n].fd[a] == fd)
                        rule(k, "an event is closed while an interrupt uses it", 0);
        k->event_open[fd] = false;
        k->events--;
        return close(fd);
    }
    note(k, "close %s\n", fd == CONTAINER ? "container" : d ? "device" : "group");
    if (d)
        return close_device(k, d);
    if (fd == CONTAINER && k->container)
        return k->container = false, 0;
    if (g >= k->ndevices || !k->group[g].open)
        return rule(k, "close of what is not open", EBADF);
    if (k->group[g].joined)
        rule(k, "a group is closed in its container", 0);
    k->group[g].open = false;
    return 0;
}

static ssize_t k_readlink(void *self, const char *path, char *buf, size_t size)
{
    struct standin *k = self;
    const char *at = path + strlen("/sys/bus/pci/devices/"), *slash = strchr(at, '/');
    if (fails(k) || !slash)
        return no(ENOENT);
    for (unsigned i = 0; i < k->ndevices + (k->neighbour ? 1 : 0); i++) {
        bool own = i < k->ndevices;
        const char *address = own ? k->device[i].address : k->neighbour, *driver = own ? k->device[i].driver : k->neighbour_driver;
        if (strncmp(at, address, slash - at) || address[slash - at])
            continue;
        if (!strcmp(slash, "/subsystem"))
            return snprintf(buf, size, "../../../../bus/pci");
        if (!strcmp(slash, "/iommu_group") && !k->no_iommu)
            return snprintf(buf, size, "../../../../kernel/iommu_groups/%s", k->device[own ? i : 0].group);
        if (!strcmp(slash, "/driver") && driver)
            return snprintf(buf, size, "../../../../bus/pci/drivers/%s", driver);
    }
    return no(ENOENT);
}

static bool k_list(void *self, const char *path, unsigned n, char *name, size_t size)
{
    struct standin *k = self;
    char own[80];
    snprintf(own, sizeof own, "/sys/kernel/iommu_groups/%s/devices", k->device[0].group);
    const char *all[] = { k->device[0].address, k->neighbour };
    if (strcmp(path, own) || n >= 2 || !all[n])
        return false;
    snprintf(name, size, "%s", all[n]);
    return true;
}

static u64 k_lockable(void *self) { return ((struct standin *)self)->lockable; }

static int k_eventfd(void *self)
{
    struct standin *k = self;
    int fd = fails(k) ? no(EMFILE) : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd >= 0 && fd < 1024) {
        k->event_open[fd] = true;
        k->events++;
    }
    return fd;
}

/* --- the container --- */

static int map_dma(struct standin *k, const struct vfio_iommu_type1_dma_map *m)
{
    note(k, "map %llx+%llx%s\n", m->iova, m->size, m->flags == VFIO_DMA_MAP_FLAG_READ ? " read-only" : "");
    if (!k->iommu)
        return rule(k, "memory before the IOMMU", EINVAL);
    if (m->argsz < sizeof *m || (m->vaddr | m->iova | m->size) & 4095 || !m->size || m->iova + m->size - 1 < m->iova)
        return rule(k, "a mapping of odd size", EINVAL);
    if (!(m->flags & 3) || m->flags & ~3u)
        return rule(k, "a mapping with odd flags", EINVAL);
    if (m->iova <= RESERVED_TO && RESERVED_FROM < m->iova + m->size)
        return rule(k, "a mapping over the addresses of interrupt messages", EINVAL);
    for (unsigned i = 0; i < k->maps; i++)
        if (m->iova < k->map[i].iova + k->map[i].size && k->map[i].iova < m->iova + m->size)
            return rule(k, "mappings overlap", EEXIST);
    if (k->maps == STANDIN_MAPS)
        return no(ENOSPC);
    if (k->locked + m->size > k->lockable)
        return no(ENOMEM);
    k->locked += m->size;
    k->map[k->maps].iova = m->iova;
    k->map[k->maps].flags = m->flags;
    k->map[k->maps].at = (u8 *)(uintptr_t)m->vaddr;
    k->map[k->maps++].size = m->size;
    return 0;
}

static int unmap_dma(struct standin *k, struct vfio_iommu_type1_dma_unmap *u)
{
    note(k, "unmap %llx+%llx\n", u->iova, u->size);
    if (u->argsz < sizeof *u || u->flags)
        return rule(k, "odd flags of an unmapping", EINVAL);
    for (unsigned i = 0; i < k->maps; i++)
        if (k->map[i].iova == u->iova && k->map[i].size == u->size) {
            k->locked -= u->size;
            k->map[i] = k->map[--k->maps];
            return 0;
        }
    return rule(k, "unmapping what is not mapped as a whole", EINVAL);
}

static int set_iommu(struct standin *k, unsigned long type)
{
    bool joined = false;
    for (unsigned i = 0; i < k->ndevices; i++)
        joined |= k->group[i].joined;
    note(k, "set-iommu\n");
    if (!joined || k->iommu || type != VFIO_TYPE1v2_IOMMU)
        return rule(k, "an IOMMU for an empty container, or a second one", EINVAL);
    k->iommu = true;
    return 0;
}

static int container_ioctl(struct standin *k, unsigned long request, void *arg)
{
    switch (request) {
    case VFIO_GET_API_VERSION: return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION: return (uintptr_t)arg == VFIO_TYPE1v2_IOMMU || (uintptr_t)arg == VFIO_TYPE1_IOMMU;
    case VFIO_SET_IOMMU: return set_iommu(k, (uintptr_t)arg);
    case VFIO_IOMMU_MAP_DMA: return map_dma(k, arg);
    case VFIO_IOMMU_UNMAP_DMA: return unmap_dma(k, arg);
    }
    return rule(k, "not a call of a container", ENOTTY);
}

/* --- groups --- */

static bool viable(const struct standin *k, unsigned g) { return !(k->not_viable && g == 0); }

static int unset_container(struct standin *k, unsigned g)
{
    bool joined = false;
    note(k, "unset-container\n");
    if (!k->group[g].joined || k->device[g].open)
        return rule(k, "the container is left with a device open", EBUSY);
    k->group[g].joined = false;
    for (unsigned i = 0; i < k->ndevices; i++)
        joined |= k->group[i].joined;
    if (!joined && k->maps)
        rule(k, "the last group leaves memory mapped", 0);
    k->iommu &= joined;                 /* the last group takes the IOMMU with it */
    return 0;
}

static int group_status(struct standin *k, unsigned g, struct vfio_group_status *status)
{
    if (status->argsz < sizeof *status)
        return rule(k, "argsz", EINVAL);
    status->flags = (viable(k, g) ? VFIO_GROUP_FLAGS_VIABLE : 0) | (k->group[g].joined ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0);
    return 0;
}

static int set_container(struct standin *k, unsigned g, const int *fd)
{
    note(k, "set-container\n");
    if (*fd != CONTAINER || !k->container || k->group[g].joined || !viable(k, g))
        return rule(k, "a group that is not viable, or no container", EINVAL);
    k->group[g].joined = true;
    return 0;
}

static int give_device(struct standin *k, unsigned g, const char *address)
{
    note(k, "device %s\n", address);
    if (!k->iommu || !k->group[g].joined)
        return rule(k, "a device before the IOMMU", EINVAL);
    if (strcmp(address, k->device[g].address))
        return no(ENODEV);
    k->device[g].open = true;
    return DEVICE + (int)g;
}

static int group_ioctl(struct standin *k, unsigned g, unsigned long request, void *arg)
{
    switch (request) {
    case VFIO_GROUP_GET_STATUS: return group_status(k, g, arg);
    case VFIO_GROUP_SET_CONTAINER: return set_container(k, g, arg);
    case VFIO_GROUP_UNSET_CONTAINER: return unset_container(k, g);
    case VFIO_GROUP_GET_DEVICE_FD: return give_device(k, g, arg);
    }
    return rule(k, "not a call of a group", ENOTTY);
}

/* --- regions --- */

static int region_info(struct standin *k, const struct standin_device *d, struct vfio_region_info *r)
{
    if (r->argsz < sizeof *r)
        return rule(k, "argsz", EINVAL);
    if (r->index >= VFIO_PCI_NUM_REGIONS)
        return rule(k, "a region that is not there", EINVAL);
    if (r->index == VFIO_PCI_VGA_REGION_INDEX)
        return no(EINVAL);
    const struct standin_region *s = &d->region[r->index];
    u32 len = sizeof(struct vfio_region_info_cap_sparse_mmap) + s->nsparse * sizeof(struct vfio_region_sparse_mmap_area), argsz = r->argsz;
    r->size = s->size;
    r->offset = (u64)r->index << REGION_SHIFT;
    r->flags = s->flags | (s->nsparse ? VFIO_REGION_INFO_FLAG_CAPS : 0);
    r->cap_offset = 0;
    if (!s->nsparse)
        return 0;
    r->argsz = sizeof *r + len;
    if (argsz < sizeof *r + len)
        return 0;
    struct vfio_region_info_cap_sparse_mmap *c = (void *)(r + 1);
    r->cap_offset = sizeof *r;
    *c = (struct vfio_region_info_cap_sparse_mmap){ .header = { VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0 }, .nr_areas = s->nsparse };
    for (unsigned i = 0; i < s->nsparse; i++)
        c->areas[i] = (struct vfio_region_sparse_mmap_area){ s->sparse[i].offset, s->sparse[i].size };
    return 0;
}

static bool covered(const struct standin_region *r, u64 offset, size_t len)
{
    for (unsigned i = 0; i < r->nsparse; i++)
        if (offset >= r->sparse[i].offset && offset - r->sparse[i].offset + len <= r->sparse[i].size)
            return true;
    return !r->nsparse;
}

static u16 command_of(const struct standin_device *d) { return pci_get(d->config, PCI_COMMAND, 2); }

/* Behind a device whose memory is off nobody answers: the kernel would send SIGBUS. */
static void show_views(struct standin_device *d)
{
    for (unsigned i = 0; i < d->nviews; i++)
        mprotect(d->view[i].at, d->view[i].len, command_of(d) & PCI_COMMAND_MEMORY ? PROT_READ | PROT_WRITE : PROT_NONE);
}

static void *k_mmap(void *self, size_t len, int prot, int fd, off_t offset)
{
    struct standin *k = self;
    struct standin_device *d = device_of(k, fd);
    u64 within = offset & (((u64)1 << REGION_SHIFT) - 1);
    const struct standin_region *r = d ? &d->region[offset >> REGION_SHIFT] : NULL;
    note(k, "mmap %u: %zx at %llx\n", (unsigned)(offset >> REGION_SHIFT), len, (unsigned long long)within);
    if (fails(k))
        return no(ENOMEM), MAP_FAILED;
    if (!r || !(r->flags & VFIO_REGION_INFO_FLAG_MMAP) || (within | len) & 4095 || !len || within + len > r->size || !covered(r, within, len) ||
        d->nviews == STANDIN_VIEWS)
        return rule(k, "a mapping of what cannot be mapped", EINVAL), MAP_FAILED;
    u8 *at = mmap(NULL, len, prot, MAP_SHARED, r->memfd, within);
    d->view[d->nviews].at = at;
    d->view[d->nviews++].len = len;
    show_views(d);
    return at;
}

static int k_munmap(void *self, void *at, size_t len)
{
    struct standin *k = self;
    for (unsigned i = 0; i < k->ndevices; i++)
        for (unsigned n = 0; n < k->device[i].nviews; n++)
            if (k->device[i].view[n].at == at && k->device[i].view[n].len == len) {
                k->device[i].view[n] = k->device[i].view[--k->device[i].nviews];
                return munmap(at, len);
            }
    return rule(k, "unmapping what is not mapped", EINVAL);
}

static bool is_card(const struct standin_device *d, unsigned n) { return d->card && n <= VFIO_PCI_BAR5_REGION_INDEX; }

static bool io_bar(const struct standin_device *d, unsigned n) { return d->config[PCI_BAR0 + 4 * n] & 1; }

static bool refused(struct standin_device *d, unsigned n)
{
    return n <= VFIO_PCI_BAR5_REGION_INDEX && !(command_of(d) & (io_bar(d, n) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY));
}

/* What the access is to; NULL with errno. */
static struct standin_device *reach(struct standin *k, int fd, size_t len, off_t offset, unsigned *n, u64 *within)
{
    struct standin_device *d = device_of(k, fd);
    *n = offset >> REGION_SHIFT;
    *within = offset & (((u64)1 << REGION_SHIFT) - 1);
    if (!d || *n >= VFIO_PCI_NUM_REGIONS || *within >= d->region[*n].size || len > d->region[*n].size - *within)
        return rule(k, "an access outside of its region", EINVAL), NULL;
    if (refused(d, *n))
        return no(EIO), NULL;
    return d;
}

static ssize_t k_pread(void *self, int fd, void *buf, size_t len, off_t offset)
{
    struct standin *k = self;
    unsigned n;
    u64 within, value;
    pthread_mutex_lock(&k->lock);
    struct standin_device *d = fails(k) ? (no(EIO), NULL) : reach(k, fd, len, offset, &n, &within);
    if (d && n == VFIO_PCI_CONFIG_REGION_INDEX) {
        memcpy(buf, d->config + within, len);
    } else if (d && is_card(d, n)) {
        value = d->card->read(d->self, n, within, len);
        memcpy(buf, &value, len);
    } else if (d) {
        memcpy(buf, d->region[n].mem + within, len);
    }
    pthread_mutex_unlock(&k->lock);
    return d ? (ssize_t)len : -1;
}

static bool touches(u64 at, size_t len, u8 from, u8 to) { return from && at < to && at + len > from; }

static void write_config(struct standin_device *d, u64 at, const void *buf, size_t len)
{
    if (touches(at, len, d->msi_at ? d->msi_at + 2 : 0, d->msi_at + 14) || touches(at, len, d->msix_at ? d->msix_at + 2 : 0, d->msix_at + 12))
        rule(d->k, "a guest's message reaches the device's configuration space", 0);
    if (touches(at, len, PCI_BAR0, PCI_BAR0 + 24) || touches(at, len, PCI_ROM_BAR, PCI_ROM_BAR + 4))
        rule(d->k, "a guest's address reaches the device's configuration space", 0);
    memcpy(d->config + at, buf, len);
    if (at > PCI_COMMAND + 1 || at + len <= PCI_COMMAND)
        return;
    show_views(d);
    if (d->card && d->card->command)
        d->card->command(d->self, command_of(d));
}

static ssize_t k_pwrite(void *self, int fd, const void *buf, size_t len, off_t offset)
{
    struct standin *k = self;
    unsigned n;
    u64 within, value = 0;
    pthread_mutex_lock(&k->lock);
    struct standin_device *d = fails(k) ? (no(EIO), NULL) : reach(k, fd, len, offset, &n, &within);
    if (d && n == VFIO_PCI_CONFIG_REGION_INDEX) {
        write_config(d, within, buf, len);
    } else if (d && is_card(d, n)) {
        memcpy(&value, buf, len);
        d->card->write(d->self, n, within, len, value);
    } else if (d) {
        memcpy(d->region[n].mem + within, buf, len);
    }
    pthread_mutex_unlock(&k->lock);
    return d ? (ssize_t)len : -1;
}

/* --- interrupts --- */

static void add_one(int fd)
{
    u64 one = 1;
    if (write(fd, &one, sizeof one) != sizeof one)
        abort();
}

void standin_signal(struct standin_device *d, unsigned index, unsigned n)
{
    if (d->open && n < d->irq[index].active)
        add_one(d->irq[index].fd[n]);
}

static void look_at_pin(struct standin_device *d)
{
    struct standin_irq *i = &d->irq[VFIO_PCI_INTX_IRQ_INDEX];
    if (!d->open || !i->active || !i->level || i->masked || command_of(d) & PCI_COMMAND_INTX_OFF)
        return;
    i->masked = true;
    add_one(i->fd[0]);
}

void standin_set_pin(struct standin_device *d, bool level)
{
    d->irq[VFIO_PCI_INTX_IRQ_INDEX].level = level;
    look_at_pin(d);
}

static bool is_way(unsigned index) { return index <= VFIO_PCI_MSIX_IRQ_INDEX; }

static int turn_off(struct standin_device *d, unsigned index)
{
    d->irq[index].active = 0;
    d->irq[index].masked = false;
    return 0;
}

static int set_events(struct standin *k, struct standin_device *d, const struct vfio_irq_set *s)
{
    struct standin_irq *i = &d->irq[s->index];
    const int *fd = (const int *)s->data;
    for (unsigned other = 0; other <= VFIO_PCI_MSIX_IRQ_INDEX && is_way(s->index); other++)
        if (other != s->index && d->irq[other].active)
            return rule(k, "two ways to interrupt at a time", EINVAL);
    if (s->start || (i->active && i->active != s->count && s->index != VFIO_PCI_INTX_IRQ_INDEX))
        return rule(k, "more vectors while some are on", EINVAL);
    for (unsigned n = 0; n < s->count; n++)
        if (fd[n] < 0 || fd[n] >= 1024 || !k->event_open[fd[n]])
            return rule(k, "no eventfd", EBADF);
    memcpy(i->fd, fd, s->count * sizeof *fd);
    i->active = s->count;
    i->masked = false;
    if (s->index == VFIO_PCI_INTX_IRQ_INDEX)
        look_at_pin(d);
    return 0;
}

static int unmask(struct standin *k, struct standin_device *d, const struct vfio_irq_set *s)
{
    struct standin_irq *i = &d->irq[s->index];
    if (s->index != VFIO_PCI_INTX_IRQ_INDEX || !i->active || s->count != 1)
        return rule(k, "unmasking what is no pin, or is not on", EINVAL);
    i->masked = false;
    look_at_pin(d);
    return 0;
}

static int set_irqs(struct standin *k, struct standin_device *d, const struct vfio_irq_set *s)
{
    u32 data = s->flags & VFIO_IRQ_SET_DATA_TYPE_MASK, action = s->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
    note(k, "irqs %u: %s %u\n", s->index, action == VFIO_IRQ_SET_ACTION_UNMASK ? "unmask" : "events", s->count);
    if (s->argsz < sizeof *s || s->index >= VFIO_PCI_NUM_IRQS || s->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK))
        return rule(k, "an interrupt call of odd size or flags", EINVAL);
    if (__builtin_popcount(data) != 1 || __builtin_popcount(action) != 1)
        return rule(k, "an interrupt call with two meanings, or none", EINVAL);
    if (s->start >= d->irq[s->index].count || s->start + s->count > d->irq[s->index].count || s->start + s->count < s->start)
        return rule(k, "vectors that the device has not", EINVAL);
    if (data == VFIO_IRQ_SET_DATA_EVENTFD && s->argsz - sizeof *s < s->count * sizeof(int))
        return rule(k, "fewer descriptors than vectors", EINVAL);
    if (action == VFIO_IRQ_SET_ACTION_UNMASK)
        return unmask(k, d, s);
    if (action == VFIO_IRQ_SET_ACTION_TRIGGER && data == VFIO_IRQ_SET_DATA_NONE && !s->count)
        return turn_off(d, s->index);
    if (action == VFIO_IRQ_SET_ACTION_TRIGGER && data == VFIO_IRQ_SET_DATA_EVENTFD && s->count)
        return set_events(k, d, s);
    return rule(k, "an interrupt call that nobody needs", ENOTTY);
}

static int irq_info(struct standin *k, const struct standin_device *d, struct vfio_irq_info *i)
{
    if (i->argsz < sizeof *i || i->index >= VFIO_PCI_NUM_IRQS)
        return rule(k, "argsz, or an interrupt that is not there", EINVAL);
    if (i->index == VFIO_PCI_ERR_IRQ_INDEX && !d->irq[i->index].count)
        return no(EINVAL);
    i->count = d->irq[i->index].count;
    i->flags = VFIO_IRQ_INFO_EVENTFD | d->irq[i->index].flags;
    return 0;
}

/* --- the device --- */

static int device_info(struct standin *k, struct vfio_device_info *info)
{
    if (info->argsz < offsetof(struct vfio_device_info, cap_offset))
        return rule(k, "argsz", EINVAL);
    info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
    info->num_regions = VFIO_PCI_NUM_REGIONS;
    info->num_irqs = VFIO_PCI_NUM_IRQS;
    return 0;
}

/* The kernel saves configuration space over it. */
static int reset(struct standin *k, struct standin_device *d)
{
    note(k, "reset\n");
    d->resets++;
    if (d->card && d->card->reset)
        d->card->reset(d->self);
    if (d->card && d->card->command)
        d->card->command(d->self, command_of(d));
    return 0;
}

static int device_ioctl(struct standin *k, struct standin_device *d, unsigned long request, void *arg)
{
    switch (request) {
    case VFIO_DEVICE_GET_INFO: return device_info(k, arg);
    case VFIO_DEVICE_GET_REGION_INFO: return region_info(k, d, arg);
    case VFIO_DEVICE_GET_IRQ_INFO: return irq_info(k, d, arg);
    case VFIO_DEVICE_SET_IRQS: return set_irqs(k, d, arg);
    case VFIO_DEVICE_RESET: return reset(k, d);
    }
    return rule(k, "not a call of a device", ENOTTY);
}

/* Whoever gives something back cannot be refused. */
static bool gives_back(unsigned long request, const void *arg)
{
    const struct vfio_irq_set *s = arg;
    return request == VFIO_GROUP_UNSET_CONTAINER || request == VFIO_IOMMU_UNMAP_DMA || request == VFIO_DEVICE_RESET ||
           (request == VFIO_DEVICE_SET_IRQS && !s->count);
}

static int k_ioctl(void *self, int fd, unsigned long request, void *arg)
{
    struct standin *k = self;
    struct standin_device *d;
    int r;
    if (!gives_back(request, arg) && fails(k))
        return no(EIO);
    pthread_mutex_lock(&k->lock);
    if (fd == CONTAINER && k->container)
        r = container_ioctl(k, request, arg);
    else if (fd - GROUP >= 0 && fd - GROUP < (int)k->ndevices && k->group[fd - GROUP].open)
        r = group_ioctl(k, fd - GROUP, request, arg);
    else if ((d = device_of(k, fd)))
        r = device_ioctl(k, d, request, arg);
    else
        r = rule(k, "a call of what is not open", EBADF);
    pthread_mutex_unlock(&k->lock);
    return r;
}

/* --- DMA --- */

u8 *standin_dma(struct standin *k, u64 iova, u64 len, bool write)
{
    for (unsigned i = 0; i < k->maps; i++)
        if (iova >= k->map[i].iova && iova - k->map[i].iova < k->map[i].size && len <= k->map[i].size - (iova - k->map[i].iova))
            return k->map[i].flags & (write ? VFIO_DMA_MAP_FLAG_WRITE : VFIO_DMA_MAP_FLAG_READ) ? k->map[i].at + (iova - k->map[i].iova) : NULL;
    return NULL;
}

/* --- what it consists of --- */

void standin_init(struct standin *k)
{
    *k = (struct standin){ .lockable = UINT64_MAX };
    k->calls = (struct vfio_calls){ k_open, k_close, k_ioctl, k_mmap, k_munmap, k_pread, k_pwrite, k_readlink, k_list, k_lockable, k_eventfd, k };
    pthread_mutex_init(&k->lock, NULL);
}

void standin_fini(struct standin *k)
{
    for (unsigned i = 0; i < k->ndevices; i++)
        for (unsigned n = 0; n < VFIO_PCI_NUM_REGIONS; n++)
            if (k->device[i].region[n].mem) {
                munmap(k->device[i].region[n].mem, k->device[i].region[n].size);
                close(k->device[i].region[n].memfd);
            }
    pthread_mutex_destroy(&k->lock);
}

struct standin_device *standin_add(struct standin *k, const char *address, const char *group, u16 vendor, u16 device, u32 class_code)
{
    struct standin_device *d = &k->device[k->ndevices++];
    *d = (struct standin_device){ .k = k, .address = address, .group = group, .driver = "vfio-pci" };
    pci_put(d->config, PCI_VENDOR, 2, vendor);
    pci_put(d->config, PCI_DEVICE, 2, device);
    pci_put(d->config, PCI_CLASS, 3, class_code);
    pci_put(d->config, PCI_SUBSYSTEM_VENDOR, 4, 0x00011af4);
    d->region[VFIO_PCI_CONFIG_REGION_INDEX] = (struct standin_region){ .size = sizeof d->config, .flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE };
    d->irq[VFIO_PCI_ERR_IRQ_INDEX].count = d->irq[VFIO_PCI_REQ_IRQ_INDEX].count = 1;
    return d;
}

static void add_memory(struct standin_region *r, u64 size)
{
    r->size = size;
    r->memfd = memfd_create("standin", MFD_CLOEXEC);
    if (ftruncate(r->memfd, size))
        abort();
    r->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->memfd, 0);
}

void standin_add_bar(struct standin_device *d, unsigned n, u64 size, u32 kind, bool mmap)
{
    add_memory(&d->region[n], size);
    d->region[n].flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | (mmap ? VFIO_REGION_INFO_FLAG_MMAP : 0);
    pci_put(d->config, PCI_BAR0 + 4 * n, 4, 0xe0000000u | kind);
}

void standin_add_rom(struct standin_device *d, u64 size)
{
    add_memory(&d->region[VFIO_PCI_ROM_REGION_INDEX], size);
    d->region[VFIO_PCI_ROM_REGION_INDEX].flags = VFIO_REGION_INFO_FLAG_READ;
    d->region[VFIO_PCI_ROM_REGION_INDEX].mem[0] = 0x55;
    d->region[VFIO_PCI_ROM_REGION_INDEX].mem[1] = 0xaa;
}

static void add_capability(struct standin_device *d, u8 at, u8 id)
{
    d->config[at] = id;
    d->config[at + 1] = d->config[PCI_CAPABILITIES];
    d->config[PCI_CAPABILITIES] = at;
    d->config[PCI_STATUS] |= 0x10;
}

void standin_add_pin(struct standin_device *d)
{
    d->config[PCI_INTERRUPT_PIN] = 1;
    d->irq[VFIO_PCI_INTX_IRQ_INDEX].count = 1;
    d->irq[VFIO_PCI_INTX_IRQ_INDEX].flags = VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
}

void standin_add_msi(struct standin_device *d, u8 at, unsigned log_vectors, bool wide, bool maskable)
{
    add_capability(d, at, 0x05);
    pci_put(d->config, at + 2, 2, log_vectors << 1 | wide << 7 | maskable << 8);
    d->msi_at = at;
    d->irq[VFIO_PCI_MSI_IRQ_INDEX].count = 1u << log_vectors;
    d->irq[VFIO_PCI_MSI_IRQ_INDEX].flags = VFIO_IRQ_INFO_NORESIZE;
}

void standin_add_msix(struct standin_device *d, u8 at, unsigned vectors, unsigned bar, u32 table)
{
    add_capability(d, at, 0x11);
    pci_put(d->config, at + 2, 2, vectors - 1);
    pci_put(d->config, at + 4, 4, table | bar);
    pci_put(d->config, at + 8, 4, (table + 4096) | bar);
    d->msix_at = at;
    d->irq[VFIO_PCI_MSIX_IRQ_INDEX].count = vectors;
    d->irq[VFIO_PCI_MSIX_IRQ_INDEX].flags = VFIO_IRQ_INFO_NORESIZE;
}

const char *standin_leftover(const struct standin *k)
{
    if (k->container || k->iommu)
        return "the container";
    if (k->maps)
        return "a mapping of memory";
    if (k->events)
        return "an event descriptor";
    for (unsigned i = 0; i < k->ndevices; i++)
        if (k->group[i].open || k->group[i].joined || k->device[i].open || k->device[i].nviews)
            return k->device[i].address;
    return NULL;
}
