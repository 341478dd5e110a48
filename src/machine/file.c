/* SPDX-License-Identifier: MIT */
/* The user's files: read whole, with a plain word about each thing that can be wrong with one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "machine/loader.h"

#define FILE_MAX ((u64)2 << 30)     /* bytes; more cannot fit into a guest beside anything else */
#define UNPACKED_MAX ((u64)512 << 20) /* what a gzip file may become */
#define CHUNK ((u64)1 << 20)

static int check_kind(int fd, const char *path, u64 *size, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return error_set(err, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, "%s: is a directory; name a file in it", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, "%s: is not a regular file", path);
    if (st.st_size == 0)
        return error_set(err, "%s: is empty", path);
    if ((u64)st.st_size > FILE_MAX)
        return error_set(err, "%s: is too large for a guest (%llu MiB)", path, (unsigned long long)st.st_size >> 20);
    *size = st.st_size;
    return 0;
}

static int read_whole(int fd, struct file *f, struct error *err)
{
    for (u64 done = 0; done < f->size;) {
        ssize_t n = read(fd, f->data + done, f->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, "%s: %s", f->path, n ? strerror(errno) : "became shorter while it was read");
        done += n;
    }
    return 0;
}

static int load_open(int fd, struct file *f, struct error *err)
{
    if (check_kind(fd, f->path, &f->size, err))
        return -1;
    f->data = malloc(f->size);
    if (!f->data)
        return error_set(err, "%s: not enough memory to read it", f->path);
    if (read_whole(fd, f, err)) {
        file_free(f);
        return -1;
    }
    return 0;
}

int file_load_raw(struct file *f, const char *path, struct error *err)
{
    *f = (struct file){ .path = path };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, errno == ENOENT ? "%s: %s; is the path right?" : "%s: %s", path, strerror(errno));
    int result = load_open(fd, f, err);
    close(fd);
    return result;
}

static bool is_gzip(const struct file *f) { return f->size > 18 && f->data[0] == 0x1f && f->data[1] == 0x8b; }

/* One more chunk of room. 0, or -1 when the bound is reached. */
static int grow(struct file *out, u64 *room)
{
    if (*room >= UNPACKED_MAX)
        return -1;
    *room = *room ? 2 * *room : CHUNK;
    u8 *more = realloc(out->data, *room);
    if (!more)
        return -1;
    out->data = more;
    return 0;
}

static int inflate_all(z_stream *z, struct file *out, struct error *err)
{
    int status = Z_OK;
    for (u64 room = 0; status == Z_OK;) {
        if (out->size == room && grow(out, &room))
            return error_set(err, "%s: unpacks to more than %llu MiB", out->path, (unsigned long long)(UNPACKED_MAX >> 20));
        z->next_out = out->data + out->size;
        z->avail_out = room - out->size;
        status = inflate(z, Z_NO_FLUSH);
        out->size = room - z->avail_out;
    }
    if (status != Z_STREAM_END)
        return error_set(err, "%s: is a damaged or truncated gzip file", out->path);
    return out->size ? 0 : error_set(err, "%s: unpacks to nothing", out->path);
}

static int gunzip(struct file *f, struct error *err)
{
    struct file out = { .path = f->path };
    z_stream z = { .next_in = f->data, .avail_in = f->size };
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: a gzip header, not zlib's */
        return error_set(err, "%s: not enough memory to unpack it", f->path);
    int result = inflate_all(&z, &out, err);
    inflateEnd(&z);
    file_free(result ? &out : f);
    if (!result)
        *f = out;
    return result;
}

int file_load(struct file *f, const char *path, struct error *err)
{
    if (file_load_raw(f, path, err))
        return -1;
    if (is_gzip(f) && gunzip(f, err)) {
        file_free(f);
        return -1;
    }
    return 0;
}

void file_free(struct file *f)
{
    free(f->data);
    f->data = NULL;
    f->size = 0;
}
