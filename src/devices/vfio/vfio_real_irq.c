/* SPDX-License-Identifier: MIT */
/*
 * Interrupts. At any time the device has one way to interrupt: its pin, MSI or MSI-X, as the guest has set it up; the kernel takes one of them
 * at a time, and signals event descriptors. What the guest has written as address and data of its messages stays here.
 *
 * A pin is a level: the kernel masks it when it rises, and it is to be unmasked when the guest has served the device. That is when the guest
 * next touches its registers: if it is still raised, it comes again at once. So as long as the pin is in use, every access must be seen, and
 * the registers' windows are closed.
 */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "devices/interrupt/apic.h"
#include "devices/vfio/vfio_real.h"

enum { MSI_CONTROL = 2, MSI_ON = 1, MSI_GRANTED = 4, MSI_ADDRESS = 4, MSIX_CONTROL = 2, MSIX_ON = 1 << 15, MSIX_MASKED = 1 << 14, ENTRY_MASKED = 1 };
enum { WORD_ADDRESS, WORD_ADDRESS_HIGH, WORD_DATA, WORD_CONTROL };

static const unsigned index_of[] = { [REAL_PIN] = VFIO_PCI_INTX_IRQ_INDEX, [REAL_MSI] = VFIO_PCI_MSI_IRQ_INDEX, [REAL_MSIX] = VFIO_PCI_MSIX_IRQ_INDEX };

/* --- event descriptors --- */

static int open_event(struct vfio_real *v, unsigned source)
{
    int fd = VFIO_CALL(v->d.kernel, eventfd);
    struct epoll_event e = { .events = EPOLLIN, .data.u32 = v->index * REAL_SOURCES + source };
    if (fd >= 0 && epoll_ctl(v->set->epoll, EPOLL_CTL_ADD, fd, &e) == 0)
        return fd;
    if (fd >= 0)
        VFIO_CALL(v->d.kernel, close, fd);
    return -1;
}

static void close_event(struct vfio_real *v, int fd)
{
    if (fd < 0)
        return;
    epoll_ctl(v->set->epoll, EPOLL_CTL_DEL, fd, NULL);
    VFIO_CALL(v->d.kernel, close, fd);
}

/* One that may be there or not: of errors, of the host's wish. */
static int open_single(struct vfio_real *v, unsigned index, unsigned source)
{
    int fd = v->d.irq[index].count ? open_event(v, source) : -1;
    if (fd >= 0 && vfio_kernel_set_events(&v->d, index, &fd, 1, NULL) == 0)
        return fd;
    close_event(v, fd);
    return -1;
}

static void close_single(struct vfio_real *v, unsigned index, int *fd)
{
    if (*fd >= 0)
        vfio_kernel_set_events(&v->d, index, NULL, 0, NULL);
    close_event(v, *fd);
    *fd = -1;
}

/* --- messages --- */

struct message { u64 address; u32 data; bool masked; };

static u16 msi_control(const struct vfio_real *v) { return pci_get(v->function.config, v->msi.at + MSI_CONTROL, 2); }
static u16 msix_control(const struct vfio_real *v) { return pci_get(v->function.config, v->msix.at + MSIX_CONTROL, 2); }
static unsigned msi_granted(const struct vfio_real *v)
{
    unsigned n = 1u << (msi_control(v) >> MSI_GRANTED & 7);
    return n < v->msi.vectors ? n : v->msi.vectors;
}

static struct message msi_message(const struct vfio_real *v, unsigned n)
{
    const u8 *config = v->function.config;
    const struct real_msi *m = &v->msi;
    u8 data = m->at + MSI_ADDRESS + (m->wide ? 8 : 4), masks = data + 4;
    u64 high = m->wide ? (u64)pci_get(config, m->at + MSI_ADDRESS + 4, 4) << 32 : 0;
    bool masked = m->maskable && pci_get(config, masks, 4) >> n & 1;
    return (struct message){ pci_get(config, m->at + MSI_ADDRESS, 4) | high, (pci_get(config, data, 2) & ~(msi_granted(v) - 1)) | n, masked };
}

static struct message msix_message(const struct vfio_real *v, unsigned n)
{
    const u32 *e = v->msix.entry[n];
    return (struct message){ e[WORD_ADDRESS] | (u64)e[WORD_ADDRESS_HIGH] << 32, e[WORD_DATA], msix_control(v) & MSIX_MASKED || e[WORD_CONTROL] & ENTRY_MASKED };
}

static struct message message_of(const struct vfio_real *v, unsigned n) { return v->way == REAL_MSI ? msi_message(v, n) : msix_message(v, n); }

static void send(struct vfio_real *v, unsigned n)
{
    struct message m = message_of(v, n);
    u64 *pending = &v->msix.pending;
    if (m.masked && v->way == REAL_MSIX)
        *pending |= BIT(n);
    else if (m.masked)
        v->msi.pending |= BIT(n);
    else if (v->function.bus->apic)
        apic_send_msi(v->function.bus->apic, m.address, m.data);
    v->messages += !m.masked;
}

/* The engine may let the host's kernel turn the event into the message. */
static void offer(struct vfio_real *v, unsigned n)
{
    struct message m = message_of(v, n);
    if (!v->set->shortcuts)
        return;
    if (v->offered >> n & 1)
        shortcut_withdraw(v->set->shortcuts, v->event[n]);
    v->offered &= ~BIT(n);
    if (!m.masked && m.address && shortcut_offer_irq(v->set->shortcuts, &(struct irq_event){ .address = m.address, .data = m.data, .fd = v->event[n] }) == 0)
        v->offered |= BIT(n);
}

/* Addresses, data or masks of [from, to) have changed. */
static void renew(struct vfio_real *v, unsigned from, unsigned to)
{
    for (unsigned n = from; n < to && n < v->nevents; n++) {
        bool waits = v->way == REAL_MSIX ? v->msix.pending >> n & 1 : v->msi.pending >> n & 1;
        offer(v, n);
        if (!waits || message_of(v, n).masked)
            continue;
        v->msix.pending &= ~BIT(n);
        v->msi.pending &= ~BIT(n);
        send(v, n);
    }
}

/* --- from one way to another --- */

static void leave_way(struct vfio_real *v)
{
    if (v->way != REAL_SILENT && v->d.fd >= 0)
        vfio_kernel_set_events(&v->d, index_of[v->way], NULL, 0, NULL);
    while (v->nevents) {
        unsigned n = --v->nevents;
        if (v->offered >> n & 1)
            shortcut_withdraw(v->set->shortcuts, v->event[n]);
        close_event(v, v->event[n]);
    }
    v->offered = v->msix.pending = 0;
    v->msi.pending = 0;
    v->pin_pending = false;
    pci_set_intx(&v->function, false);
    v->way = REAL_SILENT;
}

static void take_way(struct vfio_real *v, enum real_way way, unsigned events)
{
    leave_way(v);
    while (v->nevents < events && (v->event[v->nevents] = open_event(v, v->nevents)) >= 0)
        v->nevents++;
    v->way = way;
    if (v->nevents < events || (events && vfio_kernel_set_events(&v->d, index_of[way], v->event, events, NULL)))
        leave_way(v);
    if (v->way != REAL_PIN)
        renew(v, 0, v->nevents);
    pci_show_windows(&v->function, v->way != REAL_PIN);
}

void real_irq_config_written(struct vfio_real *v)
{
    bool msix = v->msix.vectors && msix_control(v) & MSIX_ON, msi = v->msi.vectors && msi_control(v) & MSI_ON;
    enum real_way want = msix ? REAL_MSIX : msi ? REAL_MSI : v->d.irq[VFIO_PCI_INTX_IRQ_INDEX].count ? REAL_PIN : REAL_SILENT;
    unsigned events = msix ? v->msix.vectors : msi ? msi_granted(v) : want == REAL_PIN;
    if (v->d.fd < 0)
        return;
    if (want != v->way || events != v->nevents)
        take_way(v, want, events);
    else if (want != REAL_PIN)
        renew(v, 0, v->nevents);
}

/* --- the table of MSI-X vectors, and its pending bits --- */

static bool in_table(const struct real_msix *x, unsigned bar, u64 offset) { return x->bar == bar && offset >= x->table && offset - x->table < 16 * x->vectors; }
static bool in_pending(const struct real_msix *x, unsigned bar, u64 offset) { return x->pba_bar == bar && offset >= x->pba && offset - x->pba < 8; }

bool real_msix_owns(const struct vfio_real *v, unsigned bar, u64 offset)
{
    const struct real_msix *x = &v->msix;
    return x->vectors && (in_table(x, bar, offset) || in_pending(x, bar, offset));
}

u64 real_msix_load(struct vfio_real *v, unsigned bar, u64 offset, unsigned size)
{
    const struct real_msix *x = &v->msix;
    bool table = in_table(x, bar, offset);
    u64 value = 0, at = table ? offset - x->table : offset - x->pba;
    for (unsigned i = 0; i < size; i++)
        if (at + i < (table ? sizeof x->entry : sizeof x->pending))
            value |= (u64)(table ? ((const u8 *)x->entry)[at + i] : (u8)(x->pending >> 8 * (at + i))) << 8 * i;
    return value;
}

void real_msix_store(struct vfio_real *v, unsigned bar, u64 offset, unsigned size, u64 value)
{
    struct real_msix *x = &v->msix;
    u64 at = offset - x->table;
    if (!in_table(x, bar, offset))
        return;
    for (unsigned i = 0; i < size && at + i < sizeof x->entry; i++)
        ((u8 *)x->entry)[at + i] = value >> 8 * i;
    if (v->way == REAL_MSIX)
        renew(v, at / 16, at / 16 + 1);
}

/* --- something has come --- */

static void pin_came(struct vfio_real *v)
{
    v->pins++;
    v->pin_pending = true;
    pci_set_intx(&v->function, true);
}

void real_irq_served(struct vfio_real *v)
{
    if (!v->pin_pending)
        return;
    v->pin_pending = false;
    pci_set_intx(&v->function, false);
    vfio_kernel_unmask_pin(&v->d);
}

static void error_came(struct vfio_real *v)
{
    struct vfio_real_set *s = v->set;
    snprintf(s->news, sizeof s->news, "the host's device %s has reported an error that it does not recover from; it needs a reset, and so does the machine", v->d.address);
    s->has_news = s->fatal = true;
}

void real_irq_came(struct vfio_real *v, unsigned source)
{
    int fd = source == REAL_SOURCE_ERROR ? v->error_event : source == REAL_SOURCE_REQUEST ? v->request_event : source < v->nevents ? v->event[source] : -1;
    u64 count;
    if (fd < 0 || read(fd, &count, sizeof count) != sizeof count)
        return;
    if (source == REAL_SOURCE_ERROR)
        error_came(v);
    else if (source == REAL_SOURCE_REQUEST)
        real_release(v);
    else
        real_watch_look(&v->set->watch);
    if (source < REAL_VECTORS && v->way == REAL_PIN)
        pin_came(v);
    else if (source < REAL_VECTORS)
        send(v, source);
}

/* --- its life --- */

void real_irq_init(struct vfio_real *v)
{
    v->error_event = v->request_event = -1;
    real_irq_reset(v);
}

void real_irq_reset(struct vfio_real *v)
{
    leave_way(v);
    memset(v->msix.entry, 0, sizeof v->msix.entry);
    for (unsigned n = 0; n < v->msix.vectors; n++)
        v->msix.entry[n][WORD_CONTROL] = ENTRY_MASKED;
    pci_show_windows(&v->function, true);       /* of a device without a pin they stay so */
}

void real_irq_start(struct vfio_real *v)
{
    v->error_event = open_single(v, VFIO_PCI_ERR_IRQ_INDEX, REAL_SOURCE_ERROR);
    v->request_event = open_single(v, VFIO_PCI_REQ_IRQ_INDEX, REAL_SOURCE_REQUEST);
    real_irq_config_written(v);
}

void real_irq_stop(struct vfio_real *v)
{
    leave_way(v);
    close_single(v, VFIO_PCI_ERR_IRQ_INDEX, &v->error_event);
    close_single(v, VFIO_PCI_REQ_IRQ_INDEX, &v->request_event);
}
