/* SPDX-License-Identifier: MIT */
#include "cli/options/drives.h"

#include <string.h>

#include "cli/options/options.h"

/* --- -drive --- */

static int set_file(struct vm_drive *d, const char *value, struct error *err)
{
    d->file = value;
    return 0;
}

static int set_index(struct vm_drive *d, const char *value, struct error *err)
{
    u64 n;
    if (parse_number(value, &n) || n > 3)
        return error_set(err, "-drive index=%s: give 0 to 3", value);
    d->index = n;
    return 0;
}

/* QEMU's other way to say index=: two drives a channel. */
static int set_bus(struct vm_drive *d, const char *value, struct error *err)
{
    u64 n;
    if (parse_number(value, &n) || n > 1)
        return error_set(err, "-drive bus=%s: give 0 or 1", value);
    d->index = (d->index < 0 ? 0 : d->index % 2) + 2 * n;
    return 0;
}
static int set_unit(struct vm_drive *d, const char *value, struct error *err)
{
    u64 n;
    if (parse_number(value, &n) || n > 1)
        return error_set(err, "-drive unit=%s: give 0 or 1", value);
    d->index = (d->index < 0 ? 0 : d->index / 2 * 2) + n;
    return 0;
}

static int set_media(struct vm_drive *d, const char *value, struct error *err)
{
    if (strcmp(value, "cdrom") == 0)
        d->media = DRIVE_CDROM;
    else if (strcmp(value, "disk"))
        return error_set(err, "-drive media=%s: give disk or cdrom", value);
    return 0;
}

static int set_interface(struct vm_drive *d, const char *value, struct error *err)
{
    if (strcmp(value, "floppy") == 0)
        d->media = DRIVE_FLOPPY;
    else if (strcmp(value, "virtio") == 0)
        d->bus = DRIVE_VIRTIO;
    else if (strcmp(value, "none") == 0)
        d->bus = DRIVE_APART;
    else if (strcmp(value, "ide"))
        return error_set(err, "-drive if=%s: give ide, virtio, floppy or none", value);
    return 0;
}

static int set_format(struct vm_drive *d, const char *value, struct error *err)
{
    return strcmp(value, "raw") ? error_set(err, "-drive format=%s: only raw images can be used; qemu-img convert -O raw makes one", value) : 0;
}

static int set_switch(bool *to, const char *key, const char *value, struct error *err)
{
    *to = strcmp(value, "on") == 0;
    return *to || strcmp(value, "off") == 0 ? 0 : error_set(err, "%s=%s: give on or off", key, value);
}
static int set_snapshot(struct vm_drive *d, const char *value, struct error *err) { return set_switch(&d->snapshot, "-drive snapshot", value, err); }
static int set_readonly(struct vm_drive *d, const char *value, struct error *err) { return set_switch(&d->readonly, "-drive readonly", value, err); }

static int set_id(struct vm_drive *d, const char *value, struct error *err) { return d->id = value, 0; }
static int set_serial(struct vm_drive *d, const char *value, struct error *err) { return d->serial = value, 0; }

/* The modelled host's work for the disk: in user space, as QEMU does it, or in the kernel. */
static int set_served(struct vm_drive *d, const char *value, struct error *err)
{
    d->served = strcmp(value, "user") == 0 ? DRIVE_SERVED_USER : strcmp(value, "kernel") == 0 ? DRIVE_SERVED_KERNEL : DRIVE_NOT_SERVED;
    return d->served || strcmp(value, "off") == 0 ? 0 : error_set(err, "-drive served=%s: give off, user or kernel", value);
}

/* How the host caches does not matter here. */
static int set_nothing(struct vm_drive *d, const char *value, struct error *err) { return 0; }

static const struct { const char *key; int (*set)(struct vm_drive *d, const char *value, struct error *err); } drive_keys[] = {
    { "file", set_file }, { "index", set_index }, { "media", set_media }, { "if", set_interface }, { "format", set_format },
    { "snapshot", set_snapshot }, { "readonly", set_readonly }, { "read-only", set_readonly }, { "cache", set_nothing }, { "id", set_id },
    { "aio", set_nothing }, { "discard", set_nothing }, { "werror", set_nothing }, { "rerror", set_nothing },
    { "bus", set_bus }, { "unit", set_unit }, { "driver", set_format }, { "serial", set_serial }, { "file.locking", set_nothing },
    { "served", set_served }, { "copy-on-read", set_nothing }, { "detect-zeroes", set_nothing },
};

static int set_key(struct vm_drive *d, char *word, struct error *err)
{
    char *value = strchr(word, '=');
    if (!value)
        return error_set(err, "-drive: '%s' is not KEY=VALUE, as in file=disk.img,media=disk", word);
    *value++ = 0;
    for (unsigned i = 0; i < ARRAY_LEN(drive_keys); i++)
        if (strcmp(word, drive_keys[i].key) == 0)
            return drive_keys[i].set(d, value, err);
    return error_set(err, "-drive: no key is called '%s'; there are file, index, media, if, format, snapshot and readonly", word);
}

int drive_parse(struct vm_drive *d, char *spec, struct error *err)
{
    char *save;
    *d = (struct vm_drive){ .index = -1 };
    for (char *word = strtok_r(spec, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (set_key(d, word, err))
            return -1;
    return d->file ? 0 : error_set(err, "-drive: names no file; give file=IMAGE");
}

/* --- -boot --- */

static int set_order(char order[8], const char *letters, struct error *err)
{
    if (!*letters || strlen(letters) > 7 || letters[strspn(letters, "acdn")])
        return error_set(err, "-boot %s: give letters in order: a floppy, c disk, d CD", letters);
    strcpy(order, letters);
    return 0;
}

static int set_boot_word(char order[8], bool *menu, const char *word, struct error *err)
{
    if (strncmp(word, "order=", 6) == 0 || strncmp(word, "once=", 5) == 0)
        return set_order(order, strchr(word, '=') + 1, err);
    if (strncmp(word, "menu=", 5) == 0)
        return set_switch(menu, "-boot menu", word + 5, err);
    if (strncmp(word, "strict=", 7) == 0)
        return 0;
    return set_order(order, word, err);
}

int boot_parse(char order[8], bool *menu, const char *arg, struct error *err)
{
    char copy[128], *save;
    snprintf(copy, sizeof copy, "%s", arg);
    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (set_boot_word(order, menu, word, err))
            return -1;
    return 0;
}
