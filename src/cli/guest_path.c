/* SPDX-License-Identifier: MIT */
#include "cli/guest_path.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The ending of a build for that kind of guest: "native" and "xen-pv" give .native.elf and .xen.elf. */
static int kind_length(const char *image) { return strcspn(image, "-"); }

int guest_path(const char *guest, const struct engine_ops *engine, char *path, size_t size, struct error *err)
{
    int len = strlen(guest);
    if (!is_directory(guest))
        return snprintf(path, size, "%s", guest) < (int)size ? 0 : error_set(err, "%s: the name is too long", guest);
    while (len > 1 && guest[len - 1] == '/')
        len--;
    int name = len;
    while (name > 0 && guest[name - 1] != '/')
        name--;
    /* guests/NAME stands beside build/ */
    if (snprintf(path, size, "%.*s../build/guests/%.*s.%.*s.elf", name, guest, len - name, guest + name, kind_length(engine->image), engine->image) >= (int)size)
        return error_set(err, "%s: the name is too long", guest);
    if (access(path, R_OK))
        return error_set(err, "%s: is a directory with no build for engine %s (%s); run `make guests`, or name an image", guest, engine->name, path);
    return 0;
}
