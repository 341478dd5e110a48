/* SPDX-License-Identifier: MIT */
#include "base/jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct jsonfile {
    const char *path, *tail;
    int fd;
    bool overwrites;        /* a regular file: the tail can be written early */
    int error;              /* errno of the first write that failed; nothing is written after it */
    u64 offset;             /* bytes in the file, without the tail */
    u64 elements;
    size_t len;             /* in the buffer */
    char buffer[65536];
};

/* As much as will go; the tail with it where that can be taken back. */
static void flush(struct jsonfile *f, bool last)
{
    size_t tail = last || f->overwrites ? strlen(f->tail) : 0, done = 0;
    while (!f->error && done < f->len + tail) {
        size_t body = done < f->len ? f->len - done : 0, skip = f->len + tail - done - body;
        struct iovec v[] = { { f->buffer + done, body }, { (char *)f->tail + tail - skip, skip } };
        ssize_t n = f->overwrites ? pwritev(f->fd, v, 2, f->offset + done) : writev(f->fd, v, 2);
        if (n < 0 && errno != EINTR)
            f->error = errno;
        done += n > 0 ? n : 0;
    }
    f->offset += f->len;
    f->len = 0;
}

struct jsonfile *jsonfile_open(const char *path, const char *head, const char *tail, struct error *err)
{
    struct stat s;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_set(err, "%s: %s", path, strerror(errno)), NULL;
    struct jsonfile *f = calloc(1, sizeof *f);
    f->path = path;
    f->tail = tail;
    f->fd = fd;
    f->overwrites = fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
    f->len = snprintf(f->buffer, sizeof f->buffer, "%s", head);
    flush(f, false);
    return f;
}

void jsonfile_add(struct jsonfile *f, const char *fmt, ...)
{
    char element[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(element, sizeof element, fmt, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof element)
        return;
    if (f->len + n + 2 > sizeof f->buffer)
        flush(f, false);
    /* the line's end stands before: the tail may come behind any */
    f->len += sprintf(f->buffer + f->len, "%s", f->elements++ ? ",\n" : "\n");
    memcpy(f->buffer + f->len, element, n);
    f->len += n;
}

int jsonfile_close(struct jsonfile *f, struct error *err)
{
    if (!f)
        return 0;
    flush(f, true);
    if (close(f->fd) && !f->error)
        f->error = errno;
    int status = f->error ? error_set(err, "%s: %s", f->path, strerror(f->error)) : 0;
    free(f);
    return status;
}
