/* SPDX-License-Identifier: MIT */
#include "devices/vfio/vfio_real.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FIRST_SLOT = 16, EVENTS_AT_ONCE = 32, CLASS_NETWORK = 0x02 };

/* --- taking one, and giving it back --- */

static void close_device(struct vfio_real *v)
{
    real_irq_stop(v);
    vfio_kernel_close_device(&v->d);
}

/* What the device has written for itself is undone by the kernel when its descriptor closes: it resets the device. */
void real_release(struct vfio_real *v)
{
    struct vfio_real_set *s = v->set;
    pci_reset(&v->function);
    close_device(v);
    v->function.bus->function[v->function.devfn] = NULL;
    snprintf(s->news, sizeof s->news, "the host wants its device %s back: the guest does not have it any more", v->d.address);
    s->has_news = true;
}

static int open_device(struct vfio_real *v, const struct vfio_slot *slot, struct error *err)
{
    struct vfio_kernel *k = &v->set->kernel;
    if (vfio_kernel_take(k, &v->d, slot->address, err))
        return -1;
    vfio_kernel_reset(&v->d);
    return real_config_init(v, err) || real_bars_init(v, slot->no_rom, err) ? -1 : 0;
}

static void free_device(struct vfio_real *v)
{
    close_device(v);
    free(v->rom);
    free(v);
}

static int add_device(struct vfio_real_set *s, struct platform *to, unsigned n, struct error *err)
{
    const struct vfio_slot *slot = &to->vfio[n];
    struct vfio_real *v = calloc(1, sizeof *v);
    if (!v)
        return error_set(err, "-device vfio-pci: no memory");
    v->set = s;
    v->index = s->count;
    v->d.fd = v->error_event = v->request_event = -1;
    v->function.bus = to->pci;
    if (open_device(v, slot, err) || pci_add(to->pci, slot->slot ? slot->slot : FIRST_SLOT + n, 0, &v->function, err)) {
        free_device(v);
        return -1;
    }
    s->device[s->count++] = v;
    real_irq_reset(v);
    real_irq_start(v);
    return 0;
}

/* --- all of them --- */

/* What a network adapter writes is looked at by the processor, and copied. */
static bool may_write_code(const struct vfio_real *v) { return v->function.config[PCI_CLASS + 2] != CLASS_NETWORK; }

static int add_all(struct vfio_real_set *s, struct platform *to, struct error *err)
{
    bool watch = false;
    for (unsigned n = 0; n < to->nvfio; n++) {
        if (!to->vfio[n].address)
            continue;
        if (add_device(s, to, n, err))
            return -1;
        watch |= may_write_code(s->device[s->count - 1]);
    }
    if (watch)
        real_watch_start(&s->watch, to->map);
    return 0;
}

static void reset_device(struct vfio_real *v)
{
    if (v->d.fd < 0)
        return;
    real_irq_reset(v);
    real_config_reset(v);
    vfio_kernel_reset(&v->d);
    real_irq_config_written(v);
}

static void set_reset(struct device *dev)
{
    struct vfio_real_set *s = (struct vfio_real_set *)dev;
    for (unsigned i = 0; i < s->count; i++)
        reset_device(s->device[i]);
}

static void set_destroy(struct device *dev)
{
    struct vfio_real_set *s = (struct vfio_real_set *)dev;
    while (s->count)
        free_device(s->device[--s->count]);
    real_watch_stop(&s->watch);
    vfio_kernel_close(&s->kernel);
    if (s->epoll >= 0)
        close(s->epoll);
    free(s);
}

static bool is_wanted(const struct platform *to)
{
    for (unsigned n = 0; n < to->nvfio; n++)
        if (to->vfio[n].address)
            return true;
    return false;
}

static struct device *set_create(struct platform *to, struct error *err)
{
    struct vfio_real_set *s = device_new(&vfio_real_ops, sizeof *s, err);
    if (!s)
        return NULL;
    vfio_kernel_open(&s->kernel, to->vfio_calls ? to->vfio_calls : &vfio_real_calls, to->map);
    s->epoll = is_wanted(to) ? epoll_create1(EPOLL_CLOEXEC) : -1;
    s->shortcuts = to->shortcuts;
    if (add_all(s, to, err)) {
        set_destroy(&s->dev);
        return NULL;
    }
    to->vfio_real = s->count ? s : NULL;
    return &s->dev;
}

static void set_info(const struct device *dev, FILE *out)
{
    static const char *const way[] = { "not at all", "by its pin", "by MSI", "by MSI-X" };
    const struct vfio_real_set *s = (const struct vfio_real_set *)dev;
    for (unsigned i = 0; i < s->count; i++) {
        const struct vfio_real *v = s->device[i];
        u64 mapped = 0;
        for (unsigned n = 0; n < PCI_BARS; n++)
            for (unsigned a = 0; a < v->d.region[n].nareas; a++)
                mapped += v->d.region[n].area[a].size;
        if (v->d.fd < 0)
            fprintf(out, "vfio-pci 00:%02x.0 was this computer's %s, which it has taken back\n", v->function.devfn >> 3, v->d.address);
        else
            fprintf(out, "vfio-pci 00:%02x.0 is this computer's %s: 0x%" PRIx64 " bytes of its registers mapped; interrupts %s: %" PRIu64 " messages, %" PRIu64 " by the pin\n",
                    v->function.devfn >> 3, v->d.address, mapped, way[v->way], v->messages, v->pins);
    }
    if (s->watch.rewritten)
        fprintf(out, "vfio: %" PRIu64 " watched pages were written by a device\n", s->watch.rewritten);
    if (s->kernel.refused)
        fprintf(out, "vfio: %" PRIu64 " changes of the memory map did not reach the IOMMU\n", s->kernel.refused);
}

const struct device_ops vfio_real_ops = {
    "vfio-host", "devices of this computer in the guest's hands, as -device vfio-pci,host=0000:01:10.0 gives them", set_create, set_reset, set_destroy, set_info,
};

/* --- the run loop's --- */

void vfio_real_poll(struct vfio_real_set *s)
{
    struct epoll_event e[EVENTS_AT_ONCE];
    int n = s ? epoll_wait(s->epoll, e, EVENTS_AT_ONCE, 0) : 0;
    for (int i = 0; i < n; i++)
        real_irq_came(s->device[e[i].data.u32 / REAL_SOURCES], e[i].data.u32 % REAL_SOURCES);
}

unsigned vfio_real_fds(const struct vfio_real_set *s, struct pollfd *fds, unsigned max)
{
    if (!s || !max)
        return 0;
    fds[0] = (struct pollfd){ .fd = s->epoll, .events = POLLIN };
    return 1;
}

bool vfio_real_waits(const struct vfio_real_set *s)
{
    for (unsigned i = 0; s && i < s->count; i++)
        if (s->device[i]->d.fd >= 0 && s->device[i]->function.config[PCI_COMMAND] & PCI_COMMAND_MASTER)
            return true;
    return false;
}

const char *vfio_real_news(struct vfio_real_set *s, bool *fatal)
{
    if (!s || !s->has_news)
        return NULL;
    s->has_news = false;
    *fatal = s->fatal;
    return s->news;
}
