/* SPDX-License-Identifier: MIT */
/*
 * The modelled host's memory, as devices and the IOMMU address it: a pool of frames for the IOMMU's tables, and the memory of each guest, which
 * lies somewhere in it. What lies between belongs to nobody here: the host's kernel, the other programs.
 *
 *     hpa 1 MiB ..        the pool
 *     hpa 4 GiB * n ..    the memory of guest n, from 1 on: hpa = gpa + 4 GiB * n
 */
#ifndef EMU_DEVICES_HOST_MEMORY_H
#define EMU_DEVICES_HOST_MEMORY_H

#include "mmu/physmap.h"

enum { HOST_FRAMES = 512, HOST_GUESTS = 8 };
#define HOST_FRAMES_HPA ((hpa_t)1 << 20)
#define HOST_GUEST_SPAN ((hpa_t)4 << 30)

struct host_memory {
    u64 *frames;                        /* owned; HOST_FRAMES of 512 words */
    unsigned used;
    hpa_t returned;                     /* frames that were used once: a list through their first words; 0: its end */
    struct physmap *guest[HOST_GUESTS]; /* NULL: nobody */
};

int host_memory_init(struct host_memory *m, struct error *err);
void host_memory_fini(struct host_memory *m);

/* A zeroed frame; 0 when there is none left. */
hpa_t host_memory_frame(struct host_memory *m);
void host_memory_return(struct host_memory *m, hpa_t frame);
/* The frame of the pool at that hpa as 512 words; NULL: it is none. */
u64 *host_memory_table(const struct host_memory *m, hpa_t hpa);

/* Where the guest's memory begins from now on; 0 with *err: there is no room. And it goes again. */
hpa_t host_memory_add_guest(struct host_memory *m, struct physmap *map, struct error *err);
void host_memory_remove_guest(struct host_memory *m, const struct physmap *map);
/* Whose memory is it, and at which gpa? NULL: no guest's. */
struct physmap *host_memory_guest(const struct host_memory *m, hpa_t hpa, gpa_t *gpa);

#endif
