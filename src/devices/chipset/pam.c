/* SPDX-License-Identifier: MIT */
#include "devices/chipset/pam.h"

#include <string.h>

#define FIRST 0xc0000u
#define ROM_FIRST 0xe0000u
#define END 0x100000u
#define SMALL 0x4000u
#define LARGE 0x10000u

/* Reads and writes that go to different places pass through here; so does a segment where no ROM is. */

static u64 split_read(void *opaque, u64 offset, unsigned size)
{
    const struct pam_segment *s = opaque;
    const u8 *from = s->access & PAM_READ ? s->ram : s->rom;
    u64 value = ~(u64)0;
    if (from)
        memcpy(&value, from + offset, size);
    return value;
}

/* The RAM behind is not in view now, so nobody can have marked it. */
static void split_write(void *opaque, u64 offset, unsigned size, u64 value)
{
    const struct pam_segment *s = opaque;
    if (s->access & PAM_WRITE)
        memcpy((u8 *)s->ram + offset, &value, size);
}

static const struct mmio_ops split_ops = { split_read, split_write };

static void show(struct physmap *m, struct pam_segment *s)
{
    bool writes = s->access & PAM_WRITE, reads = s->access & PAM_READ;
    const u8 *memory = reads ? s->ram : s->rom;
    if (writes && reads)
        return;                         /* the RAM underneath */
    if (!writes && memory)
        physmap_add_alias(m, reads ? "shadow" : "bios", s->gpa, s->size, REGION_ROM, memory, NULL);
    else
        physmap_add_mmio(m, "pam", s->gpa, s->size, &split_ops, s, NULL);
}

/* Whatever was translated or decoded from these addresses is not there any more. */
static void set_segment(struct physmap *m, struct pam_segment *s, u8 access)
{
    if (s->access == access)
        return;
    physmap_written(m, s->gpa, s->size);
    if (s->access != (PAM_READ | PAM_WRITE))
        physmap_remove(m, s->gpa, s->size);
    s->access = access;
    show(m, s);
}

void pam_set(struct pam *p, const u8 reg[7])
{
    for (unsigned i = 0; p->map && i < PAM_SEGMENTS; i++) {
        unsigned half = i < PAM_SEGMENTS - 1 ? i + 2 : 1; /* of 59h the low half is not used, the high one is F0000h */
        set_segment(p->map, &p->segment[i], reg[half / 2] >> 4 * (half % 2) & (PAM_READ | PAM_WRITE));
    }
}

void pam_init(struct pam *p, struct physmap *map, const u8 *bios, u64 bios_size)
{
    memset(p, 0, sizeof *p);
    if (!bios)
        return;
    p->map = map;
    gpa_t gpa = FIRST, rom_from = bios_size >= END - ROM_FIRST ? ROM_FIRST : END - bios_size;
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        struct pam_segment *s = &p->segment[i];
        *s = (struct pam_segment){ gpa, i < PAM_SEGMENTS - 1 ? SMALL : LARGE, PAM_READ | PAM_WRITE, NULL, NULL };
        s->ram = physmap_ptr_ro(map, gpa, s->size);
        s->rom = gpa >= rom_from ? bios + bios_size - (END - gpa) : NULL;
        gpa += s->size;
    }
}
