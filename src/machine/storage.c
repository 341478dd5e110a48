/* SPDX-License-Identifier: MIT */
#include "machine/storage.h"

#include <string.h>

#include "devices/block/block.h"
#include "devices/block/block_host.h"
#include "machine/outside.h"

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

/* Whose work it is on the modelled host, by the device that has the disk. */
static void serve(struct vm *vm, struct block *b, const struct vm_drive *d, bool rings)
{
    unsigned n = d - vm->config.drive;
    enum block_path path = !rings ? BLOCK_PATH_EMULATED : d->served == DRIVE_SERVED_KERNEL ? BLOCK_PATH_VHOST : BLOCK_PATH_VIRTIO;
    path = strcmp(vm->config.engine->image, "xen-pv") == 0 ? BLOCK_PATH_PV : strcmp(vm->config.engine->name, "bare") == 0 ? BLOCK_PATH_DIRECT : path;
    if (!d->served)
        return;
    block_host_init(&vm->disk_host[n], path, &vm->ledger);
    block_serve(b, &vm->disk_host[n]);
}

static struct block *open_image(struct vm *vm, const struct vm_drive *d, bool rings, struct error *err)
{
    unsigned flags = (d->readonly || d->media == DRIVE_CDROM ? BLOCK_READONLY : 0) | (d->snapshot || vm->config.snapshot ? BLOCK_SNAPSHOT : 0);
    struct block *b = block_open(d->file, flags, err);
    if (b)
        serve(vm, b, d, rings);
    return b;
}

static int open_drive(struct vm *vm, const struct vm_drive *d, struct error *err)
{
    int place = choose_place(vm, d, err);
    if (place < 0)
        return -1;
    struct block *b = open_image(vm, d, false, err);
    if (!b)
        return -1;
    *slot(vm, d->media, place) = b;
    if (d->media != DRIVE_FLOPPY)
        vm->platform.ide[place].is_cd = d->media == DRIVE_CDROM;
    return 0;
}

/* --- virtio --- */

static struct virtio_slot *new_virtio(struct vm *vm, enum virtio_model model, struct error *err)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS_MAX; i++)
        if (vm->platform.virtio[i].model == VIRTIO_NONE) {
            vm->platform.virtio[i].model = model;
            return &vm->platform.virtio[i];
        }
    error_set(err, "at most %d virtio devices beside network adapters", VIRTIO_SLOTS_MAX);
    return NULL;
}

static int open_virtio_drive(struct vm *vm, struct virtio_slot *s, const struct vm_drive *d, struct error *err)
{
    if (!s)
        return -1;
    s->serial = s->serial ? s->serial : d->serial;
    s->image = open_image(vm, d, true, err);
    return s->image ? 0 : -1;
}

static const struct vm_drive *find_drive(const struct vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->config.ndrives; i++)
        if (vm->config.drive[i].bus == DRIVE_APART && vm->config.drive[i].id && strcmp(vm->config.drive[i].id, id) == 0)
            return &vm->config.drive[i];
    return NULL;
}

/* The first console has them all. */
static void take_lines(struct vm *vm, struct virtio_slot *s)
{
    for (const struct virtio_slot *other = vm->platform.virtio; other < s; other++)
        if (other->model == VIRTIO_CONSOLE)
            return;
    s->line = vm->config.virtconsole;
    s->nports = vm->config.nvirtports;
    memcpy(s->port, vm->config.virtport, sizeof s->port);
}

static int add_virtio(struct vm *vm, const struct vm_virtio *x, struct error *err)
{
    struct virtio_slot *s = new_virtio(vm, x->model, err);
    if (!s)
        return -1;
    s->slot = x->slot;
    s->flavor = x->flavor;
    s->serial = x->serial;
    s->seed = x->seed;
    if (x->model == VIRTIO_CONSOLE)
        take_lines(vm, s);
    s->queues = x->queues;
    if (x->model == VIRTIO_VHOST_BLK)
        return (s->vhost = outside_open_disk(vm, x->chardev, err)) ? 0 : -1;
    if (x->model != VIRTIO_BLK)
        return 0;
    const struct vm_drive *d = find_drive(vm, x->drive);
    return d ? open_virtio_drive(vm, s, d, err)
             : error_set(err, "-device virtio-blk-pci,drive=%s: no -drive has this id; add -drive file=F,if=none,id=%s", x->drive, x->drive);
}

/* --- all of them --- */

/* Those with a place first, so that the others find what is left. */
static int open_ide_and_floppy(struct vm *vm, struct error *err)
{
    for (int placed = 1; placed >= 0; placed--)
        for (unsigned i = 0; i < vm->config.ndrives; i++) {
            const struct vm_drive *d = &vm->config.drive[i];
            if (d->bus == DRIVE_OWN_BUS && (d->index >= 0) == placed && open_drive(vm, d, err))
                return -1;
        }
    return 0;
}

static int open_virtio(struct vm *vm, struct error *err)
{
    for (unsigned i = 0; i < vm->config.ndrives; i++) {
        const struct vm_drive *d = &vm->config.drive[i];
        if (d->bus == DRIVE_VIRTIO && open_virtio_drive(vm, new_virtio(vm, VIRTIO_BLK, err), d, err))
            return -1;
    }
    for (unsigned i = 0; i < vm->config.nvirtios; i++)
        if (add_virtio(vm, &vm->config.virtio[i], err))
            return -1;
    return 0;
}

int storage_open(struct vm *vm, struct error *err)
{
    if (open_ide_and_floppy(vm, err) == 0 && open_virtio(vm, err) == 0)
        return 0;
    storage_close(vm);
    return -1;
}

/* Wherever an image can be. */
static struct block **place(struct vm *vm, unsigned n)
{
    struct platform *p = &vm->platform;
    if (n < ARRAY_LEN(p->ide))
        return &p->ide[n].image;
    n -= ARRAY_LEN(p->ide);
    return n < ARRAY_LEN(p->floppy) ? &p->floppy[n] : &p->virtio[n - ARRAY_LEN(p->floppy)].image;
}

int storage_check(struct vm *vm, unsigned n, struct error *err)
{
    const struct block *b = *place(vm, n);
    return b && *block_trouble(b) ? error_set(err, "%s: the host refused: %s", block_path(b), block_trouble(b)) : 0;
}

void storage_close(struct vm *vm)
{
    for (unsigned n = 0; n < STORAGE_PLACES; n++) {
        block_close(*place(vm, n));
        *place(vm, n) = NULL;
    }
    outside_close_disks(vm);
}
