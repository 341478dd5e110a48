/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the host's kernel, as far as it gives devices away by VFIO. It knows the kernel's rules and refuses what the kernel refuses; it
 * writes down what was asked of it, and the first rule that was broken although a careful program would have known. Its devices have
 * configuration space, memory that can be mapped, and interrupts with the kernel's states; what is behind their registers is a card's
 * (struct standin_card), which may work in a thread of its own under the stand-in's lock, and reaches the guest's memory by what is mapped.
 */
#ifndef EMU_TESTS_VFIO_STANDIN_H
#define EMU_TESTS_VFIO_STANDIN_H

#include <pthread.h>

#include "devices/vfio/vfio_kernel.h"

enum { STANDIN_DEVICES = 2, STANDIN_MAPS = 64, STANDIN_SPARSE = 4, STANDIN_VIEWS = 16, STANDIN_FDS = 100000 };

struct standin;
struct standin_device;

struct standin_card {
    u64 (*read)(void *self, unsigned region, u64 offset, unsigned size);
    void (*write)(void *self, unsigned region, u64 offset, unsigned size, u64 value);
    void (*command)(void *self, u16 command);       /* of configuration space, has been written */
    void (*reset)(void *self);
};

struct standin_region {
    u64 size;
    u32 flags;
    int memfd; u8 *mem;                 /* what it holds, if no card answers */
    struct { u64 offset, size; } sparse[STANDIN_SPARSE]; unsigned nsparse;
};

struct standin_irq { u32 count, flags; int fd[VFIO_EVENTS_MAX]; unsigned active; bool masked, level; };

struct standin_device {
    struct standin *k;
    const char *address, *group, *driver;           /* driver NULL: none */
    bool open;
    u8 config[4096];
    struct standin_region region[VFIO_PCI_NUM_REGIONS];
    struct standin_irq irq[VFIO_PCI_NUM_IRQS];
    const struct standin_card *card; void *self;
    struct { u8 *at; size_t len; } view[STANDIN_VIEWS]; unsigned nviews;
    unsigned resets;
    u8 msi_at, msix_at;                 /* capabilities that a program must not write through */
};

struct standin {
    struct vfio_calls calls;            /* what is given to the program */
    pthread_mutex_t lock;
    char log[20000];
    const char *broken;                 /* a rule; NULL: none */
    unsigned count, fail_at;            /* the n-th call fails; 0: none */
    int open_errno, group_errno;        /* of /dev/vfio/vfio, of a group's file; 0: they open */
    bool no_iommu, not_viable;
    u64 lockable, locked;
    const char *neighbour, *neighbour_driver;   /* another function of the first device's group; NULL: none */
    struct { bool open, joined; } group[STANDIN_DEVICES];
    bool container, iommu;
    struct { u64 iova, size; u8 *at; u32 flags; } map[STANDIN_MAPS]; unsigned maps;
    unsigned events;                    /* that are open */
    bool event_open[1024];
    struct standin_device device[STANDIN_DEVICES]; unsigned ndevices;
};

void standin_init(struct standin *k);
void standin_fini(struct standin *k);
/* A PCI function with nothing but an identity; alone in its group. */
struct standin_device *standin_add(struct standin *k, const char *address, const char *group, u16 vendor, u16 device, u32 class_code);
/* BAR n: memory that the kernel maps (mmap), or that only system calls reach. kind: the low bits of its register. */
void standin_add_bar(struct standin_device *d, unsigned n, u64 size, u32 kind, bool mmap);
void standin_add_rom(struct standin_device *d, u64 size);
/* Its pin; MSI with that many vectors; MSI-X with a table at `table` of BAR `bar`, and its pending bits a page further. */
void standin_add_pin(struct standin_device *d);
void standin_add_msi(struct standin_device *d, u8 at, unsigned log_vectors, bool wide, bool maskable);
void standin_add_msix(struct standin_device *d, u8 at, unsigned vectors, unsigned bar, u32 table);

/* With the lock held: */
void standin_signal(struct standin_device *d, unsigned index, unsigned n);  /* a message, an error, a request */
void standin_set_pin(struct standin_device *d, bool level);
u8 *standin_dma(struct standin *k, u64 iova, u64 len, bool write);          /* NULL: the IOMMU refuses */

/* Nothing is held any more. NULL, or what is. */
const char *standin_leftover(const struct standin *k);

#endif
