/* SPDX-License-Identifier: MIT */
/* What the machine starts from: kernels, images, firmware. One handler an option, in the order of options.def. */
#include "cli/options/option_handlers.h"

#include <string.h>

#include "cli/options/drives.h"

int opt_kernel(struct options *o, const char *arg, struct error *err)
{
    o->guest = arg;
    o->kernel = true;
    return 0;
}
int opt_initrd(struct options *o, const char *arg, struct error *err)
{
    o->vm.initrd = arg;
    return 0;
}
int opt_append(struct options *o, const char *arg, struct error *err)
{
    o->vm.append = arg;
    return 0;
}
int opt_module(struct options *o, const char *arg, struct error *err)
{
    if (o->vm.nmodules == VM_MAX_MODULES)
        return error_set(err, "-module: at most %d modules", VM_MAX_MODULES);
    o->vm.module[o->vm.nmodules++] = arg;
    return 0;
}

/* One more drive from "KEY=VALUE,..", copied because it is cut into words. */
static int add_drive(struct options *o, const char *spec, struct error *err)
{
    unsigned n = o->vm.ndrives;
    if (n == VM_MAX_DRIVES)
        return error_set(err, "-drive: at most %d drives", VM_MAX_DRIVES);
    o->drive_spec[n] = strdup(spec);
    o->vm.ndrives++;
    return drive_parse(&o->vm.drive[n], o->drive_spec[n], err);
}
int opt_drive(struct options *o, const char *arg, struct error *err) { return add_drive(o, arg, err); }

/* A file's name may hold commas here. */
static int add_image(struct options *o, const char *file, enum drive_media media, int index, struct error *err)
{
    if (o->vm.ndrives == VM_MAX_DRIVES)
        return error_set(err, "%s: at most %d drives", file, VM_MAX_DRIVES);
    o->vm.drive[o->vm.ndrives++] = (struct vm_drive){ .file = file, .media = media, .index = index };
    return 0;
}
int opt_hda(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 0, err); }
int opt_hdb(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 1, err); }
int opt_hdc(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 2, err); }
int opt_hdd(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_DISK, 3, err); }
int opt_cdrom(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_CDROM, -1, err); }
int opt_fda(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_FLOPPY, 0, err); }
int opt_fdb(struct options *o, const char *arg, struct error *err) { return add_image(o, arg, DRIVE_FLOPPY, 1, err); }
int opt_snapshot(struct options *o, const char *arg, struct error *err)
{
    o->vm.snapshot = true;
    return 0;
}
int opt_boot(struct options *o, const char *arg, struct error *err)
{
    if (boot_parse(o->boot, &o->vm.boot_menu, arg, err))
        return -1;
    o->vm.boot = *o->boot ? o->boot : NULL;
    return 0;
}
int opt_bios(struct options *o, const char *arg, struct error *err)
{
    o->vm.bios = arg;
    return 0;
}
int opt_L(struct options *o, const char *arg, struct error *err)
{
    o->vm.firmware_dir = arg;
    return 0;
}
