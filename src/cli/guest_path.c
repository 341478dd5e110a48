/* SPDX-License-Identifier: MIT */
#include "cli/guest_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/guests.h"
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

/* errno says why it cannot be looked at. */
static int missing(const char *guest, struct error *err)
{
    int why = errno;
    struct guests all;
    struct nearest near;
    guests_read(&all);
    nearest_init(&near, guest);
    if (!strchr(guest, '/') || !strncmp(guest, "guests/", 7))
        guests_offer(&all, &near);
    if (near.best)
        error_set(err, "%s: %s; did you mean guests/%s?", guest, strerror(why), near.best);
    else
        error_set(err, "%s: %s; is the path right? (`emu list guests` prints those that come with emu)", *guest ? guest : "''", strerror(why));
    guests_free(&all);
    return -1;
}

/* A directory's path, cut where its name begins and where it ends: "guests/", "nano". */
struct parts { int before, end; };

static struct parts take_apart(const char *dir)
{
    struct parts p = { 0, strlen(dir) };
    while (p.end > 1 && dir[p.end - 1] == '/')
        p.end--;
    for (p.before = p.end; p.before > 0 && dir[p.before - 1] != '/';)
        p.before--;
    return p;
}

/* guests/NAME stands beside build/. False: the name is too long. */
static bool build_path(const char *dir, const char *image, char *path, size_t size)
{
    struct parts p = take_apart(dir);
    return snprintf(path, size, "%.*s../build/guests/%.*s.%.*s.elf", p.before, dir, p.end - p.before, dir + p.before, kind_length(image), image) < (int)size;
}

/* Of any kind? Without one it may be a guest that is not built yet, or a directory of anything. */
static bool has_build(const char *dir)
{
    char path[PATH_MAX];
    return (build_path(dir, "native", path, sizeof path) && access(path, F_OK) == 0) || (build_path(dir, "xen", path, sizeof path) && access(path, F_OK) == 0);
}

static bool is_of_guests(const char *dir)
{
    static const char folder[] = "guests/";
    int n = take_apart(dir).before;
    return n >= (int)strlen(folder) && strncmp(dir + n - strlen(folder), folder, strlen(folder)) == 0;
}

int guest_check(const char *guest, struct error *err)
{
    char beside[PATH_MAX];
    struct stat st;
    guest = guest_find(guest, beside, sizeof beside);
    if (stat(guest, &st))
        return missing(guest, err);
    if (access(guest, R_OK))
        return error_set(err, "%s: %s", guest, strerror(errno));
    if (S_ISREG(st.st_mode) && !st.st_size)
        return error_set(err, "%s: is empty", guest);
    if (S_ISDIR(st.st_mode) && !has_build(guest))
        return error_set(err, is_of_guests(guest) ? "%s: is a directory without a build; run `make guests`, or name an image"
                                                  : "%s: is a directory; name an image in it, or a guest of `emu list guests`, as guests/hello", guest);
    return 0;
}

int guest_path(const char *guest, const struct engine_ops *engine, char *path, size_t size, struct error *err)
{
    char beside[PATH_MAX];
    if (guest_check(guest, err))
        return -1;
    guest = guest_find(guest, beside, sizeof beside);
    bool fits = is_directory(guest) ? build_path(guest, engine->image, path, size) : snprintf(path, size, "%s", guest) < (int)size;
    if (!fits)
        return error_set(err, "%s: the name is too long", guest);
    if (access(path, R_OK))
        return error_set(err, "%s: has no build for engine %s (%s); run `make guests`, or name an image", guest, engine->name, path);
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
