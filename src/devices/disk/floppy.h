/* SPDX-License-Identifier: MIT */
/* Inside the floppy controller: a disk in a drive, by cylinder, head and sector. */
#ifndef EMU_DEVICES_FLOPPY_H
#define EMU_DEVICES_FLOPPY_H

#include "devices/block/block.h"

enum { FLOPPY_SECTOR = 512 };

struct floppy {
    struct block *image;        /* NULL: no drive */
    u8 cylinders, heads, sectors;
    u8 rate;                    /* the data rate at which it can be read: as in register 3F7h */
    u8 cmos_type;               /* of the drive: 4 for 1.44 MB */
};

/* A disk of the format that its size says; other sizes are a 1.44 MB disk that is not full. 0 or -1 with *err. */
int floppy_insert(struct floppy *f, struct block *image, struct error *err);
/* The type of drive that takes this disk, for CMOS RAM; 0 for NULL. */
u8 floppy_cmos_type(const struct block *image);

static inline bool floppy_has(const struct floppy *f, u8 cylinder, u8 head, u8 sector)
{
    return f->image && cylinder < f->cylinders && head < f->heads && sector >= 1 && sector <= f->sectors;
}
/* One sector of 512 bytes that floppy_has(). Behind the end of a short image there are zeros. False: the host fails, or the disk
 * is protected. */
bool floppy_read(const struct floppy *f, u8 cylinder, u8 head, u8 sector, u8 *buf);
bool floppy_write(const struct floppy *f, u8 cylinder, u8 head, u8 sector, const u8 *buf);

#endif
