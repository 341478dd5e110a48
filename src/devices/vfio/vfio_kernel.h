/* SPDX-License-Identifier: MIT */
/*
 * The real VFIO: what a program does to get devices of the machine that it runs on, in the order that the kernel asks for
 * (Documentation/driver-api/vfio.rst; <linux/vfio.h>). A group is opened and put into a container, only then the container gets an IOMMU,
 * only then addresses can be mapped and devices taken out of the group.
 *
 * vfio_kernel.c has containers and groups, vfio_kernel_place.c what sysfs tells of a device and what to do when it cannot be had,
 * vfio_kernel_memory.c the guest's memory, vfio_kernel_device.c a device's regions and interrupts. What a guest sees of it is in vfio_real.h.
 */
#ifndef EMU_DEVICES_VFIO_KERNEL_H
#define EMU_DEVICES_VFIO_KERNEL_H

#include <linux/vfio.h>
#include <sys/types.h>

#include "base/error.h"
#include "mmu/physmap.h"

enum { VFIO_GROUPS_MAX = 8, VFIO_AREAS_MAX = 8, VFIO_EVENTS_MAX = 64 /* of one interrupt index */, VFIO_ADDRESS = 16 /* "0000:01:10.0" */ };

/* The system calls, so that a test can stand in for the kernel. As in libc: -1 with errno. Event descriptors that it gives are real. */
struct vfio_calls {
    int (*open)(void *self, const char *path);
    int (*close)(void *self, int fd);
    int (*ioctl)(void *self, int fd, unsigned long request, void *arg);
    void *(*mmap)(void *self, size_t len, int prot, int fd, off_t offset);  /* shared; MAP_FAILED */
    int (*munmap)(void *self, void *at, size_t len);
    ssize_t (*pread)(void *self, int fd, void *buf, size_t len, off_t offset);
    ssize_t (*pwrite)(void *self, int fd, const void *buf, size_t len, off_t offset);
    ssize_t (*readlink)(void *self, const char *path, char *buf, size_t size);
    /* The n-th name in a directory, in any order. False: there are no more. */
    bool (*list)(void *self, const char *path, unsigned n, char *name, size_t size);
    u64 (*lockable)(void *self);        /* bytes that this process may lock in memory */
    int (*eventfd)(void *self);
    void *self;
};
extern const struct vfio_calls vfio_real_calls;

struct vfio_kernel_group { char name[16]; int fd; };
struct vfio_kernel_range { gpa_t gpa; u64 size; u8 *hva; u32 flags; };

/* A container with its groups: one for a machine. */
struct vfio_kernel {
    const struct vfio_calls *calls;
    struct physmap *map;        /* the guest's */
    int container;              /* descriptor, -1: not open */
    bool has_iommu;
    struct vfio_kernel_group group[VFIO_GROUPS_MAX]; unsigned ngroups;
    struct vfio_kernel_range *mapped; unsigned nmapped; /* owned; what the devices can reach */
    struct phys_observer observer;
    u64 refused;                /* changes of the memory map that the kernel did not follow, counted */
};

/* A piece of a region that is in this process's memory. */
struct vfio_kernel_area { u64 offset, size; u8 *at; };

struct vfio_kernel_region {
    u64 size, offset;           /* offset: in the device's descriptor; size 0: there is none */
    u32 flags;                  /* VFIO_REGION_INFO_FLAG_... */
    struct vfio_kernel_area area[VFIO_AREAS_MAX]; unsigned nareas;
};

struct vfio_kernel_device {
    struct vfio_kernel *kernel;
    char address[VFIO_ADDRESS];
    int fd;                     /* -1: not open */
    bool can_reset;
    struct vfio_kernel_region region[VFIO_PCI_NUM_REGIONS];
    struct { u32 count, flags; } irq[VFIO_PCI_NUM_IRQS];
};

#define VFIO_CALL(k, name, ...) (k)->calls->name((k)->calls->self, ##__VA_ARGS__)

/* --- vfio_kernel.c --- */

/* Nothing is opened before there is a first device. */
void vfio_kernel_open(struct vfio_kernel *k, const struct vfio_calls *calls, struct physmap *map);
/* The devices must be closed. Also of one that failed half-way. */
void vfio_kernel_close(struct vfio_kernel *k);
/* Take the device at "0000:01:10.0" with its group, and find out what it has. It can reach all of the guest's RAM from then on, wherever that
 * moves. 0, or -1 with *err; then there is nothing to close. */
int vfio_kernel_take(struct vfio_kernel *k, struct vfio_kernel_device *d, const char *address, struct error *err);

/* --- vfio_kernel_place.c --- */

/* "0000:01:10.0" from what the user wrote as host= (four parts) or sysfsdev= (a path that ends so). 0 or -1 with *err. */
int vfio_kernel_parse(const char *host, const char *sysfsdev, char address[VFIO_ADDRESS], struct error *err);
/* The name of its group, if the device is there, has an IOMMU before it, and is bound to vfio-pci. 0 or -1 with *err. */
int vfio_kernel_find(const struct vfio_calls *calls, const char *address, char group[16], struct error *err);
/* Why a group's or the container's file does not open, by errno; why a group is not viable. Always -1. */
int vfio_kernel_explain_open(const char *address, const char *path, int errnum, struct error *err);
int vfio_kernel_explain_group(const struct vfio_calls *calls, const char *address, const char *group, struct error *err);

/* --- vfio_kernel_memory.c --- */

/* Map what the guest sees as memory, and follow its changes from now on. 0 or -1 with *err. Pair with vfio_kernel_unmap(). */
int vfio_kernel_map(struct vfio_kernel *k, struct error *err);
void vfio_kernel_unmap(struct vfio_kernel *k);

/* --- vfio_kernel_device.c --- */

int vfio_kernel_look(struct vfio_kernel_device *d, struct error *err);  /* regions and interrupts of an open device */
/* Unmap what was mapped, and give the device back. Twice is no harm. */
void vfio_kernel_close_device(struct vfio_kernel_device *d);

/* Map region n as far as the kernel allows, but for the pages that hold [hole, hole + size). 0 or -1 with *err. */
int vfio_kernel_map_region(struct vfio_kernel_device *d, unsigned n, u64 hole, u64 size, struct error *err);
/* One access of 1, 2, 4 or 8 bytes, or for configuration space and ROM of any length, by the mapping or by a system call. What the device does
 * not answer reads as ones. */
u64 vfio_kernel_load(struct vfio_kernel_device *d, unsigned n, u64 offset, unsigned size);
void vfio_kernel_store(struct vfio_kernel_device *d, unsigned n, u64 offset, unsigned size, u64 value);
bool vfio_kernel_read(struct vfio_kernel_device *d, unsigned n, u64 offset, void *buf, size_t len);

/* Interrupts 0 to n - 1 of that index add to these descriptors from now on; n 0 turns the index off. 0 or -1 with *err. */
int vfio_kernel_set_events(struct vfio_kernel_device *d, unsigned index, const int *fd, unsigned n, struct error *err);
/* The pin, which masked itself by interrupting, may do so again. */
void vfio_kernel_unmask_pin(struct vfio_kernel_device *d);
void vfio_kernel_reset(struct vfio_kernel_device *d);

#endif
