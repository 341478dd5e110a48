/* SPDX-License-Identifier: MIT */
#include "cli/guest_path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/loader.h"

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The ending of a build for that kind of guest: "native" and "xen-pv" give .native.elf and .xen.elf. */
static int kind_length(const char *image) { return strcspn(image, "-"); }

const char *guest_find(const char *guest, char *path, size_t size)
{
    ssize_t n = access(guest, F_OK) && !strncmp(guest, "guests/", 7) ? readlink("/proc/self/exe", path, size) : 0;
    while (n > 0 && path[n - 1] != '/')
        n--;
    return n > 0 && snprintf(path + n, size - n, "%s", guest) < (int)(size - n) && access(path, F_OK) == 0 ? path : guest;
}

int guest_path(const char *guest, const struct engine_ops *engine, char *path, size_t size, struct error *err)
{
    char beside[PATH_MAX];
    guest = guest_find(guest, beside, sizeof beside);
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

/* A boot sector alone can be started by itself. */
bool guest_is_disk(const char *path)
{
    enum { SECTOR = 512 };
    u8 head[64 * SECTOR];   /* all that loaders look at */
    FILE *in = is_directory(path) ? NULL : fopen(path, "rb");
    struct file f = { .data = head, .size = in ? fread(head, 1, sizeof head, in) : 0, .path = path };
    if (in)
        fclose(in);
    if (f.size <= SECTOR || head[SECTOR - 2] != 0x55 || head[SECTOR - 1] != 0xaa)
        return false;
    const struct loader *const *l = loaders;
    while (!(*l)->match(&f))
        l++;
    return !l[1];   /* the last takes what no other knows */
}
