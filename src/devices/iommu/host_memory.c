/* SPDX-License-Identifier: MIT */
/* Who is where in the modelled host's memory: frames for tables, given out and taken back, and a span of addresses for each guest. */
#include "devices/iommu/host_memory.h"

#include <stdlib.h>
#include <string.h>

int host_memory_init(struct host_memory *m, struct error *err)
{
    *m = (struct host_memory){ .frames = calloc(HOST_FRAMES, PAGE_SIZE) };
    return m->frames ? 0 : error_set(err, "no memory for the IOMMU's tables");
}

void host_memory_fini(struct host_memory *m) { free(m->frames); }

hpa_t host_memory_frame(struct host_memory *m)
{
    hpa_t again = m->returned;
    if (again) {
        u64 *words = host_memory_table(m, again);
        m->returned = words[0];
        words[0] = 0;
        return again;
    }
    return m->used < HOST_FRAMES ? HOST_FRAMES_HPA + m->used++ * (hpa_t)PAGE_SIZE : 0;
}

void host_memory_return(struct host_memory *m, hpa_t frame)
{
    u64 *words = host_memory_table(m, frame);
    memset(words, 0, PAGE_SIZE);
    words[0] = m->returned;
    m->returned = frame;
}

u64 *host_memory_table(const struct host_memory *m, hpa_t hpa)
{
    u64 n = (hpa - HOST_FRAMES_HPA) >> PAGE_SHIFT;
    return hpa >= HOST_FRAMES_HPA && n < HOST_FRAMES ? m->frames + n * (PAGE_SIZE / sizeof(u64)) : NULL;
}

hpa_t host_memory_add_guest(struct host_memory *m, struct physmap *map, struct error *err)
{
    for (unsigned i = 0; i < HOST_GUESTS; i++)
        if (!m->guest[i]) {
            m->guest[i] = map;
            return (i + 1) * HOST_GUEST_SPAN;
        }
    error_set(err, "the modelled host has room for %d guests with devices of its own", HOST_GUESTS);
    return 0;
}

void host_memory_remove_guest(struct host_memory *m, const struct physmap *map)
{
    for (unsigned i = 0; i < HOST_GUESTS; i++)
        if (m->guest[i] == map)
            m->guest[i] = NULL;
}

struct physmap *host_memory_guest(const struct host_memory *m, hpa_t hpa, gpa_t *gpa)
{
    u64 n = hpa / HOST_GUEST_SPAN;
    *gpa = hpa % HOST_GUEST_SPAN;
    return n >= 1 && n <= HOST_GUESTS ? m->guest[n - 1] : NULL;
}
