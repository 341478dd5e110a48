/* SPDX-License-Identifier: MIT */
#include "devices/disk/floppy.h"

#include <string.h>

#define KIB 1024u

/* The disks that PCs have had, and the CMOS number of the drive that reads them. The last but one is what other sizes become. */
static const struct { u32 kib; u8 cylinders, heads, sectors, rate, cmos_type; } formats[] = {
    { 160, 40, 1, 8, 2, 1 },  { 180, 40, 1, 9, 2, 1 },   { 320, 40, 2, 8, 2, 1 },  { 360, 40, 2, 9, 2, 1 },
    { 720, 80, 2, 9, 2, 3 },  { 1200, 80, 2, 15, 0, 2 }, { 1440, 80, 2, 18, 0, 4 }, { 2880, 80, 2, 36, 3, 5 },
};
enum { DEFAULT_FORMAT = 6 };

static unsigned format_of(const struct block *image)
{
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
        if (block_size(image) == formats[i].kib * KIB)
            return i;
    return DEFAULT_FORMAT;
}

u8 floppy_cmos_type(const struct block *image) { return image ? formats[format_of(image)].cmos_type : 0; }

int floppy_insert(struct floppy *f, struct block *image, struct error *err)
{
    unsigned i = image ? format_of(image) : 0;
    *f = (struct floppy){ .image = image };
    if (!image)
        return 0;
    if (block_size(image) > formats[i].kib * KIB)
        return error_set(err, "%s: is too large for a floppy disk of %u KiB; -hda makes a hard disk of it", block_path(image), formats[i].kib);
    f->cylinders = formats[i].cylinders;
    f->heads = formats[i].heads;
    f->sectors = formats[i].sectors;
    f->rate = formats[i].rate;
    f->cmos_type = formats[i].cmos_type;
    return 0;
}

static u64 offset_of(const struct floppy *f, u8 cylinder, u8 head, u8 sector)
{
    return (((u64)cylinder * f->heads + head) * f->sectors + sector - 1) * FLOPPY_SECTOR;
}

bool floppy_read(const struct floppy *f, u8 cylinder, u8 head, u8 sector, u8 *buf)
{
    u64 offset = offset_of(f, cylinder, head, sector), size = block_size(f->image);
    u64 left = offset < size ? size - offset : 0, n = left < FLOPPY_SECTOR ? left : FLOPPY_SECTOR;
    memset(buf + n, 0, FLOPPY_SECTOR - n);
    return block_read(f->image, n ? offset : 0, buf, n);
}

bool floppy_write(const struct floppy *f, u8 cylinder, u8 head, u8 sector, const u8 *buf)
{
    return block_write(f->image, offset_of(f, cylinder, head, sector), buf, FLOPPY_SECTOR);
}
