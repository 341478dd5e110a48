/* SPDX-License-Identifier: MIT */
/*
 * For tests of hostile drivers: a root of the PCI bus that sees each access of a device's to memory before it happens, and may change the
 * memory under it; a guard that tells what was written where nothing may be; and a stranger in a process of its own who writes all the time.
 */
#ifndef EMU_TESTS_HOSTILE_RIG_H
#define EMU_TESTS_HOSTILE_RIG_H

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "devices/pci/pci.h"
#include "devices_rig.h"

/* --- who sees all accesses --- */

struct spy {
    struct pci_root root, *behind;      /* behind: the one that was there; NULL: straight to memory */
    struct physmap *map;
    u64 accesses, messages;
    u64 address; u32 data;              /* of the last message */
    void (*before)(struct spy *s, u64 address, u64 len, bool write);    /* NULL: only looks */
    void *opaque;
};

static inline u8 *spy_dma(struct pci_root *r, struct pci_function *f, u64 address, u64 len, bool write)
{
    struct spy *s = (struct spy *)r;
    s->accesses++;
    if (s->before)
        s->before(s, address, len, write);
    if (s->behind)
        return s->behind->dma(s->behind, f, address, len, write);
    return write ? physmap_ptr(s->map, address, len) : (u8 *)physmap_ptr_ro(s->map, address, len);
}

static inline void spy_written(struct pci_root *r, struct pci_function *f, u64 address, u64 len)
{
    struct spy *s = (struct spy *)r;
    if (s->behind)
        s->behind->written(s->behind, f, address, len);
    else
        physmap_written(s->map, address, len);
}

static inline void spy_message(struct pci_root *r, struct pci_function *f, u64 address, u32 data)
{
    struct spy *s = (struct spy *)r;
    s->messages++;
    s->address = address;
    s->data = data;
    if (s->behind)
        s->behind->message(s->behind, f, address, data);
}

static inline void spy_on(struct spy *s, struct pci_bus *bus, struct physmap *map)
{
    *s = (struct spy){ .root = { spy_dma, spy_written, spy_message }, .behind = bus->root, .map = map };
    bus->root = &s->root;
}

/* --- what may not change --- */

struct guard { u8 *copy; u64 size; };

static inline void guard_take(struct guard *g, const struct physmap *map, u64 size)
{
    *g = (struct guard){ malloc(size), size };
    memcpy(g->copy, map->base, size);
}

/* The first byte that was changed outside [from, to); `size`: none was. */
static inline u64 guard_changed(const struct guard *g, const struct physmap *map, u64 from, u64 to)
{
    for (u64 i = 0; i < g->size; i++)
        if ((i < from || i >= to) && g->copy[i] != map->base[i])
            return i;
    return g->size;
}

static inline void guard_drop(struct guard *g) { free(g->copy); }

/* --- a stranger who has the same memory, as a back-end of vhost-user has --- */

static inline pid_t stranger_start(void (*run)(void *opaque), void *opaque)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            run(opaque);
    }
    return pid;
}

static inline void stranger_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
