/* SPDX-License-Identifier: MIT */
/*
 * A device of the computer that we run on, in a guest's hands (vfio_kernel.h is how it is got). The guest's function has its registers, mapped
 * where the kernel maps them; its configuration space, but for what decides about places and interrupts: base address registers, MSI, MSI-X
 * are copies, and what they mean is set up by the kernel; and its interrupts, which come as event descriptors.
 *
 * vfio_real.c makes it and gives it back, vfio_real_config.c is its configuration space, vfio_real_bars.c its registers,
 * vfio_real_irq.c pin and messages, vfio_real_watch.c keeps what is made of the guest's memory true when the device writes there.
 */
#ifndef EMU_DEVICES_VFIO_REAL_H
#define EMU_DEVICES_VFIO_REAL_H

#include <poll.h>

#include "devices/pci/pci.h"
#include "devices/vfio/vfio_kernel.h"

extern const struct device_ops vfio_real_ops;

/* --- the run loop's --- */

struct vfio_real_set;
/* What the devices have signalled goes where it belongs. NULL is allowed here and below. */
void vfio_real_poll(struct vfio_real_set *s);
unsigned vfio_real_fds(const struct vfio_real_set *s, struct pollfd *fds, unsigned max);
/* Does one of them work? It lives in the host's time. */
bool vfio_real_waits(const struct vfio_real_set *s);
/* Something that people should know, once; NULL: nothing. fatal: the machine cannot go on. */
const char *vfio_real_news(struct vfio_real_set *s, bool *fatal);

/* --- inside --- */

enum real_way { REAL_SILENT, REAL_PIN, REAL_MSI, REAL_MSIX };
enum { REAL_VECTORS = VFIO_EVENTS_MAX, REAL_MSI_VECTORS = 32 };

struct real_bar { struct vfio_real *v; unsigned n; };
struct real_msi { u8 at; bool wide, maskable; unsigned vectors; u32 pending; };
struct real_msix { u8 at; unsigned vectors, bar, pba_bar; u32 table, pba; u32 entry[REAL_VECTORS][4]; u64 pending; };

struct vfio_real {
    struct pci_function function;       /* the guest's */
    struct vfio_kernel_device d;
    struct vfio_real_set *set;
    unsigned index;                     /* in the set */
    struct real_bar bar[PCI_BARS + 1];
    u8 reaches[256];                    /* of configuration space, by byte: enum real_reach bits */
    u8 *rom;                            /* a copy, owned; NULL: none */
    struct real_msi msi;                /* vectors 0: it has none */
    struct real_msix msix;
    enum real_way way;                  /* how it interrupts now, */
    int event[REAL_VECTORS]; unsigned nevents;  /* by these descriptors, */
    u64 offered;                        /* of which these are offered to the engine */
    int error_event, request_event;     /* -1: none */
    bool pin_pending;                   /* the pin is raised, and masks itself until the guest has looked at the device */
    u64 messages, pins;                 /* counted; messages: those that came through this process */
};

/* Pages of the guest's memory of which an engine has made something: what they held when they were last seen. */
struct real_page { u64 number, digest; };
struct real_watch {
    struct phys_observer observer;
    struct physmap *map;
    u64 pages;                          /* of the guest's memory; 0: nothing is watched */
    u32 *place;                         /* owned; by page: its place in page[], from 1 on; 0: it is not watched */
    struct real_page *page; u32 count, room;    /* owned */
    u64 rewritten;                      /* found changed, counted */
};

enum { REAL_DEVICES_MAX = 8 };
struct vfio_real_set {
    struct device dev;
    struct vfio_kernel kernel;
    struct vfio_real *device[REAL_DEVICES_MAX]; unsigned count;     /* owned */
    struct shortcuts *shortcuts;        /* the machine's; NULL: none */
    struct real_watch watch;
    int epoll;                          /* all event descriptors; -1: not open */
    char news[300]; bool has_news, fatal;
};

/* vfio_real_config.c */
int real_config_init(struct vfio_real *v, struct error *err);
void real_config_reset(struct vfio_real *v);

/* vfio_real_bars.c */
int real_bars_init(struct vfio_real *v, bool no_rom, struct error *err);

/* vfio_real_irq.c */
void real_irq_init(struct vfio_real *v);
void real_irq_reset(struct vfio_real *v);                   /* silent, all vectors masked */
void real_irq_start(struct vfio_real *v);                   /* the pin, and what the host wants to say */
void real_irq_stop(struct vfio_real *v);
void real_irq_config_written(struct vfio_real *v);          /* MSI or MSI-X may be on now, or off, or unmasked */
void real_irq_served(struct vfio_real *v);                  /* the guest has looked at the device: its pin may rise again */
bool real_msix_owns(const struct vfio_real *v, unsigned bar, u64 offset);
u64 real_msix_load(struct vfio_real *v, unsigned bar, u64 offset, unsigned size);
void real_msix_store(struct vfio_real *v, unsigned bar, u64 offset, unsigned size, u64 value);
/* A descriptor has been signalled. */
void real_irq_came(struct vfio_real *v, unsigned source);
enum { REAL_SOURCE_ERROR = REAL_VECTORS, REAL_SOURCE_REQUEST, REAL_SOURCES };

/* vfio_real.c: the host wants it back. The guest finds its slot empty. */
void real_release(struct vfio_real *v);

/* vfio_real_watch.c. Without memory for it nothing is watched. */
void real_watch_start(struct real_watch *w, struct physmap *map);
void real_watch_stop(struct real_watch *w);
/* A device has interrupted: it may have written anywhere. */
void real_watch_look(struct real_watch *w);

#endif
