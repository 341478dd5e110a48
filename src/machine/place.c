/* SPDX-License-Identifier: MIT */
#include "machine/place.h"

#include <string.h>

typedef unsigned long long ull;

/* The piece that [gpa, gpa+len) runs into, or -1. No sum here can overflow: pieces lie in RAM, and len is at most 2^33. */
static int collision(const struct placer *p, gpa_t gpa, u64 len)
{
    for (unsigned i = 0; i < p->n; i++)
        if (gpa < p->piece[i].gpa + p->piece[i].len && p->piece[i].gpa < gpa + len)
            return i;
    return -1;
}

static int no_room(const struct placer *p, const char *what, gpa_t gpa, u64 len, struct error *err)
{
    return error_set(err, "%s: its %s (%llu KiB at 0x%llx) does not fit into the machine's memory of %llu MiB; try a larger -m", p->path, what,
                     (ull)(len + 1023) / 1024, (ull)gpa, (ull)p->vm->config.ram_size >> 20);
}

int place_at(struct placer *p, const char *what, gpa_t gpa, const void *data, u64 filesz, u64 memsz, struct error *err)
{
    if (filesz > memsz)
        return error_set(err, "%s: its %s holds more bytes in the file than in memory: the image is damaged", p->path, what);
    if (memsz == 0)
        return 0;
    u8 *to = physmap_ptr(&p->vm->map, gpa, memsz);
    if (!to)
        return no_room(p, what, gpa, memsz, err);
    int other = collision(p, gpa, memsz);
    if (other >= 0)
        return error_set(err, "%s: its %s at 0x%llx would overwrite its %s at 0x%llx", p->path, what, (ull)gpa, p->piece[other].what,
                         (ull)p->piece[other].gpa);
    if (p->n == PLACE_MAX)
        return error_set(err, "%s: has too many pieces to load", p->path);
    p->piece[p->n].what = what;
    p->piece[p->n].gpa = gpa;
    p->piece[p->n++].len = memsz;
    memcpy(to, data, filesz);
    memset(to + filesz, 0, memsz - filesz);
    physmap_written(&p->vm->map, gpa, memsz);
    return 0;
}

int place_find_low(const struct placer *p, const char *what, gpa_t low, gpa_t high, u64 len, u64 align, gpa_t *gpa, struct error *err)
{
    gpa_t at = (low + align - 1) & -align;
    for (int i; at < high && len <= high - at && (i = collision(p, at, len)) >= 0;)
        at = (p->piece[i].gpa + p->piece[i].len + align - 1) & -align;
    if (at >= high || len > high - at)
        return no_room(p, what, low, len, err);
    *gpa = at;
    return 0;
}

int place_find_high(const struct placer *p, const char *what, gpa_t low, gpa_t high, u64 len, u64 align, gpa_t *gpa, struct error *err)
{
    gpa_t end = high;
    while (end > low && len <= end - low) {
        gpa_t at = (end - len) & -align;
        int i = collision(p, at, len);
        if (at < low)
            break;
        if (i < 0) {
            *gpa = at;
            return 0;
        }
        end = p->piece[i].gpa;
    }
    return no_room(p, what, low, len, err);
}
