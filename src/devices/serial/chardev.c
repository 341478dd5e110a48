/* SPDX-License-Identifier: MIT */
/* The back-ends that need no terminal. */
#include "devices/serial/chardev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void chardev_poll(struct chardev *c)
{
    if (c && c->poll)
        c->poll(c);
}

void chardev_close(struct chardev *c)
{
    if (c && c->close)
        c->close(c);
}

static void free_only(struct chardev *c)
{
    free(c);
}

/* Nothing */

static void null_write(struct chardev *c, u8 byte) { }
static int null_read(struct chardev *c) { return -1; }

struct chardev *chardev_null_new(void)
{
    struct chardev *c = calloc(1, sizeof *c);
    if (c)
        *c = (struct chardev){ .write = null_write, .read = null_read, .close = free_only, .fd = -1 };
    return c;
}

/* A buffer */

struct bytes {
    char *data;         /* owned, always NUL-ended once it exists */
    size_t len, cap;
};

struct buffer {
    struct chardev c;
    struct bytes out, in;
    size_t in_read;     /* how much of in was read */
};

static void bytes_add(struct bytes *b, const void *data, size_t len)
{
    if (b->len + len + 1 > b->cap) {
        size_t cap = 2 * (b->len + len + 1);
        char *longer = realloc(b->data, cap);
        if (!longer)
            return;     /* out of memory: what does not fit is dropped */
        b->data = longer;
        b->cap = cap;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
}

static void buffer_write(struct chardev *c, u8 byte)
{
    bytes_add(&((struct buffer *)c)->out, &byte, 1);
}

static int buffer_read(struct chardev *c)
{
    struct buffer *b = (struct buffer *)c;
    return b->in_read < b->in.len ? (u8)b->in.data[b->in_read++] : -1;
}

static void buffer_close(struct chardev *c)
{
    struct buffer *b = (struct buffer *)c;
    free(b->out.data);
    free(b->in.data);
    free(b);
}

struct chardev *chardev_buffer_new(void)
{
    struct buffer *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->c = (struct chardev){ .write = buffer_write, .read = buffer_read, .close = buffer_close, .fd = -1 };
    return &b->c;
}

const char *chardev_buffer_text(const struct chardev *c, size_t *len)
{
    const struct buffer *b = (const struct buffer *)c;
    if (len)
        *len = b->out.len;
    return b->out.data ? b->out.data : "";
}

void chardev_buffer_clear(struct chardev *c)
{
    struct buffer *b = (struct buffer *)c;
    b->out.len = 0;
    if (b->out.data)
        b->out.data[0] = 0;
}

void chardev_buffer_feed(struct chardev *c, const void *data, size_t len)
{
    bytes_add(&((struct buffer *)c)->in, data, len);
    if (c->ready)
        c->ready(c->dev);
}

/* A file */

struct file_back {
    struct chardev c;
    FILE *out;
};

static void file_write(struct chardev *c, u8 byte)
{
    if (putc(byte, ((struct file_back *)c)->out) == EOF && !c->error)
        c->error = errno;
}

static void file_poll(struct chardev *c)
{
    if (fflush(((struct file_back *)c)->out) && !c->error)
        c->error = errno;
}

static void file_close(struct chardev *c)
{
    fclose(((struct file_back *)c)->out);
    free(c);
}

struct chardev *chardev_file_new(const char *path, struct error *err)
{
    FILE *out = fopen(path, "wb");
    if (!out) {
        error_set(err, "%s: %s; give -serial file: a name that can be written", path, strerror(errno));
        return NULL;
    }
    struct file_back *f = calloc(1, sizeof *f);
    if (!f) {
        fclose(out);
        error_set(err, "%s: no memory", path);
        return NULL;
    }
    f->c = (struct chardev){ .write = file_write, .read = null_read, .poll = file_poll, .close = file_close, .fd = -1 };
    f->out = out;
    return &f->c;
}
