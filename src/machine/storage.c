/* SPDX-License-Identifier: MIT */
#include "machine/storage.h"

#include "devices/block.h"

/* Where drives of a medium go when the user does not say: disks to the first free place, CDs to the second channel first. */
static const u8 disk_places[] = { 0, 1, 2, 3 }, cd_places[] = { 2, 3, 1, 0 }, floppy_places[] = { 0, 1 };
static const struct { const char *name; const u8 *place; unsigned count; } media[] = {
    [DRIVE_DISK] = { "IDE", disk_places, ARRAY_LEN(disk_places) },
    [DRIVE_CDROM] = { "IDE", cd_places, ARRAY_LEN(cd_places) },
    [DRIVE_FLOPPY] = { "floppy", floppy_places, ARRAY_LEN(floppy_places) },
};

static struct block **slot(struct vm *vm, enum drive_media m, unsigned place)
{
    return m == DRIVE_FLOPPY ? &vm->platform.floppy[place] : &vm->platform.ide[place].image;
}

/* The index that the user gave, or the first free one. -1 with *err. */
static int choose_place(struct vm *vm, const struct vm_drive *d, struct error *err)
{
    if (d->index >= (int)media[d->media].count)
        return error_set(err, "%s: there is no %s drive %d (0 to %u)", d->file, media[d->media].name, d->index, media[d->media].count - 1);
    if (d->index >= 0)
        return *slot(vm, d->media, d->index) ? error_set(err, "%s: two drives want to be %s drive %d; leave one out, or give another index", d->file,
                                                         media[d->media].name, d->index)
                                             : d->index;
    for (unsigned i = 0; i < media[d->media].count; i++)
        if (!*slot(vm, d->media, media[d->media].place[i]))
            return media[d->media].place[i];
    return error_set(err, "%s: all %s drives are taken", d->file, media[d->media].name);
}

static int open_drive(struct vm *vm, const struct vm_drive *d, struct error *err)
{
    unsigned flags = (d->readonly || d->media == DRIVE_CDROM ? BLOCK_READONLY : 0) | (d->snapshot || vm->config.snapshot ? BLOCK_SNAPSHOT : 0);
    int place = choose_place(vm, d, err);
    if (place < 0)
        return -1;
    struct block *b = block_open(d->file, flags, err);
    if (!b)
        return -1;
    *slot(vm, d->media, place) = b;
    if (d->media != DRIVE_FLOPPY)
        vm->platform.ide[place].is_cd = d->media == DRIVE_CDROM;
    return 0;
}

/* Those with a place first, so that the others find what is left. */
int storage_open(struct vm *vm, struct error *err)
{
    for (int placed = 1; placed >= 0; placed--)
        for (unsigned i = 0; i < vm->config.ndrives; i++)
            if ((vm->config.drive[i].index >= 0) == placed && open_drive(vm, &vm->config.drive[i], err)) {
                storage_close(vm);
                return -1;
            }
    return 0;
}

static void close_one(struct block **b)
{
    block_close(*b);
    *b = NULL;
}

void storage_close(struct vm *vm)
{
    for (unsigned i = 0; i < ARRAY_LEN(vm->platform.ide); i++)
        close_one(&vm->platform.ide[i].image);
    for (unsigned i = 0; i < ARRAY_LEN(vm->platform.floppy); i++)
        close_one(&vm->platform.floppy[i]);
}
