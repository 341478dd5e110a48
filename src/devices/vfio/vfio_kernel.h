/* SPDX-License-Identifier: MIT */
/*
 * The real VFIO: what a program does to get a device of the machine that it runs on, in the order that the kernel asks for
 * (Documentation/driver-api/vfio.rst; <linux/vfio.h>). A group is opened and put into a container, only then the container gets an IOMMU,
 * only then addresses can be mapped and devices taken out of the group.
 */
#ifndef EMU_DEVICES_VFIO_KERNEL_H
#define EMU_DEVICES_VFIO_KERNEL_H

#include <sys/types.h>

#include "base/error.h"
#include "mmu/physmap.h"

enum { KERNEL_BARS = 6, KERNEL_VECTORS = 64 };

/* The system calls, so that a test can stand in for the kernel. As in libc: -1 with errno. */
struct vfio_calls {
    int (*open)(void *self, const char *path);
    int (*close)(void *self, int fd);
    int (*ioctl)(void *self, int fd, unsigned long request, void *arg);
    void *(*mmap)(void *self, size_t len, int prot, int fd, off_t offset);  /* shared; MAP_FAILED */
    int (*munmap)(void *self, void *at, size_t len);
    ssize_t (*readlink)(void *self, const char *path, char *buf, size_t size);
    int (*eventfd)(void *self);
    void *self;
};
extern const struct vfio_calls vfio_real_calls;

struct vfio_kernel_bar {
    u64 size, offset;           /* offset: in the device's descriptor; size 0: there is none */
    bool writable;
    u8 *at;                     /* mapped; NULL: only by read() and write() */
};

struct vfio_kernel {
    const struct vfio_calls *calls;
    struct physmap *map;        /* of the guest */
    int container, group, device;   /* descriptors, -1: not open */
    bool in_container, has_iommu;
    unsigned mapped;            /* regions of the map that the device can reach */
    struct vfio_kernel_bar bar[KERNEL_BARS];
    u64 config_offset, config_size;
    unsigned vectors;           /* of MSI-X */
    int event[KERNEL_VECTORS];  /* an eventfd for each that is on */
    unsigned events;
};

/* "0000:01:10.0". The device can reach all of the guest's RAM from then on. 0, or -1 with *err: what is missing, and what to do. */
int vfio_kernel_open(struct vfio_kernel *k, const struct vfio_calls *calls, const char *address, struct physmap *map, struct error *err);
/* In reverse; of one that failed half-way, too. */
void vfio_kernel_close(struct vfio_kernel *k);

/* Vectors 0 to n - 1 of MSI-X signal event[]; 0 turns them off. 0 or -1 with *err. */
int vfio_kernel_set_vectors(struct vfio_kernel *k, unsigned n, struct error *err);

#endif
