/* SPDX-License-Identifier: MIT */
/* The face of disk images: which back-end a name means, and what all of them need checked. */
#include "devices/block/block_backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/block_host.h"

/* --- for the back-ends --- */

void *block_new(const struct block_ops *ops, size_t size, const char *path, struct error *err)
{
    struct block *b = calloc(1, size);
    if (!b) {
        error_set(err, "%s: no memory", path);
        return NULL;
    }
    b->ops = ops;
    b->path = path;
    return b;
}

bool block_refuse(struct block *b, const char *what, const char *why)
{
    snprintf(b->trouble, sizeof b->trouble, "%s: %s", what, why ? why : errno ? strerror(errno) : "the image has become shorter");
    return false;
}

/* --- the face --- */

struct block *block_open(const char *path, unsigned flags, struct error *err)
{
    bool readonly = flags & BLOCK_READONLY, snapshot = flags & BLOCK_SNAPSHOT && !readonly;
    struct block *b = (block_nbd_is(path) ? block_nbd_open : block_file_open)(path, !readonly && !snapshot, err);
    if (b && b->size > BLOCK_SIZE_MAX) {
        error_set(err, "%s: has %llu bytes; a disk has at most 2^57", path, (unsigned long long)b->size);
        block_close(b);
        return NULL;
    }
    return b && snapshot ? block_overlay_open(b, err) : b;
}

void block_close(struct block *b)
{
    if (b)
        b->ops->close(b);
}

u64 block_size(const struct block *b) { return b->size; }
bool block_readonly(const struct block *b) { return b->readonly; }
const char *block_path(const struct block *b) { return b->path; }
const char *block_kind(const struct block *b) { return b->ops->name; }
const char *block_trouble(const struct block *b) { return b->trouble; }

u64 block_bytes_read(const struct block *b) { return b->bytes_read; }
u64 block_bytes_written(const struct block *b) { return b->bytes_written; }

static bool within(const struct block *b, u64 offset, u64 len) { return offset <= b->size && len <= b->size - offset; }

/* `ok`, and the bytes in a counter if it is true. */
static bool count(u64 *counter, u64 len, bool ok)
{
    *counter += ok ? len : 0;
    return ok;
}

bool block_read(struct block *b, u64 offset, void *buf, u64 len)
{
    block_host_request(b->host);
    return count(&b->bytes_read, len, within(b, offset, len) && b->ops->read(b, offset, buf, len));
}

bool block_write(struct block *b, u64 offset, const void *buf, u64 len)
{
    block_host_request(b->host);
    return count(&b->bytes_written, len, within(b, offset, len) && !b->readonly && b->ops->write(b, offset, buf, len));
}

static u64 length(const struct iovec *v, unsigned n)
{
    u64 len = 0;
    for (unsigned i = 0; i < n; i++)
        len += v[i].iov_len;
    return len;
}

bool block_readv(struct block *b, u64 offset, const struct iovec *v, unsigned n)
{
    u64 len = length(v, n);
    bool ok = within(b, offset, len);
    block_host_request(b->host);
    if (ok && b->ops->readv && b->ops->readv(b, offset, v, n, len))
        return count(&b->bytes_read, len, true);
    for (unsigned i = 0; i < n && ok; offset += v[i].iov_len, i++)
        ok = b->ops->read(b, offset, v[i].iov_base, v[i].iov_len);
    return count(&b->bytes_read, len, ok);
}

bool block_writev(struct block *b, u64 offset, const struct iovec *v, unsigned n)
{
    u64 len = length(v, n);
    bool ok = within(b, offset, len) && !b->readonly;
    block_host_request(b->host);
    if (ok && b->ops->writev && b->ops->writev(b, offset, v, n, len))
        return count(&b->bytes_written, len, true);
    for (unsigned i = 0; i < n && ok; offset += v[i].iov_len, i++)
        ok = b->ops->write(b, offset, v[i].iov_base, v[i].iov_len);
    return count(&b->bytes_written, len, ok);
}

bool block_zero(struct block *b, u64 offset, u64 len, bool unmap)
{
    static const u8 zeros[64 << 10];
    bool ok = within(b, offset, len) && !b->readonly;
    block_host_request(b->host);
    if (ok && unmap && b->ops->hole && b->ops->hole(b, offset, len))
        return true;
    for (u64 n; ok && len; offset += n, len -= n) {
        n = len < sizeof zeros ? len : sizeof zeros;
        ok = b->ops->write(b, offset, zeros, n);
    }
    return ok;
}

bool block_flush(struct block *b)
{
    block_host_request(b->host);
    return b->readonly || b->ops->flush(b);
}
