/* SPDX-License-Identifier: MIT */
/*
 * A snapshot: a temporary file without a name, as long as the image below but sparse, and a bit for each cluster that it
 * holds: written clusters are copied there whole, once. The image stays as it was.
 */
#include "devices/block/block_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLUSTER ((u64)64 << 10)     /* bytes */

struct block_overlay {
    struct block head;
    struct block *below;
    int fd;
    u8 *copied;             /* one bit a cluster; mapped, so that a large disk's costs what is used of it */
    u8 *cluster;            /* CLUSTER bytes, for copying */
};

static u64 bitmap_size(const struct block *b) { return b->size / CLUSTER / 8 + 1; }

/* A file without a name, that goes away with its descriptor. */
static int open_temporary(struct block_overlay *o, struct error *err)
{
    const char *directory = getenv("TMPDIR");
    char name[256];
    snprintf(name, sizeof name, "%s/emu-snapshot-XXXXXX", directory ? directory : "/var/tmp");
    o->fd = mkostemp(name, O_CLOEXEC);
    if (o->fd < 0)
        return error_set(err, "%s: no temporary file for a snapshot (%s); set TMPDIR", name, strerror(errno));
    unlink(name);
    return 0;
}

static int make_bitmap(struct block_overlay *o, struct error *err)
{
    o->copied = mmap(NULL, bitmap_size(&o->head), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    o->copied = o->copied == MAP_FAILED ? NULL : o->copied;
    o->cluster = malloc(CLUSTER);
    return o->copied && o->cluster ? 0 : error_set(err, "%s: no memory for a snapshot", o->head.path);
}

/* --- clusters --- */

static bool is_copied(const struct block_overlay *o, u64 cluster) { return o->copied[cluster / 8] >> cluster % 8 & 1; }

/* Take a cluster over, so that a part of it can be written. */
static bool copy_cluster(struct block_overlay *o, u64 cluster)
{
    u64 at = cluster * CLUSTER, left = o->head.size - at, len = left < CLUSTER ? left : CLUSTER;
    if (is_copied(o, cluster))
        return true;
    if (!block_read(o->below, at, o->cluster, len))
        return block_refuse(&o->head, "read", block_trouble(o->below));
    if (!block_pwrite(o->fd, at, o->cluster, len))
        return block_refuse(&o->head, "write to the snapshot", NULL);
    o->copied[cluster / 8] |= 1 << cluster % 8;
    return true;
}

/* The part of [offset, offset + len) that lies in clusters which are all copied, or all not, as the first is. */
static u64 alike(const struct block_overlay *o, u64 offset, u64 len)
{
    u64 cluster = offset / CLUSTER, end = offset + len;
    bool copied = is_copied(o, cluster);
    while (++cluster * CLUSTER < end && is_copied(o, cluster) == copied)
        ;
    return cluster * CLUSTER < end ? cluster * CLUSTER - offset : len;
}

/* --- the back-end --- */

static bool overlay_read(struct block *b, u64 offset, u8 *buf, u64 len)
{
    struct block_overlay *o = (struct block_overlay *)b;
    for (u64 n; len; offset += n, buf += n, len -= n) {
        n = alike(o, offset, len);
        if (is_copied(o, offset / CLUSTER) ? !block_pread(o->fd, offset, buf, n) : !block_read(o->below, offset, buf, n))
            return block_refuse(b, "read", *block_trouble(o->below) ? block_trouble(o->below) : NULL);
    }
    return true;
}

static bool overlay_write(struct block *b, u64 offset, const u8 *buf, u64 len)
{
    struct block_overlay *o = (struct block_overlay *)b;
    for (u64 cluster = offset / CLUSTER; len && cluster <= (offset + len - 1) / CLUSTER; cluster++)
        if (!copy_cluster(o, cluster))
            return false;
    return block_pwrite(o->fd, offset, buf, len) || block_refuse(b, "write to the snapshot", NULL);
}

/* What lies wholly in one of the two. */
static bool overlay_readv(struct block *b, u64 offset, const struct iovec *v, unsigned n, u64 len)
{
    struct block_overlay *o = (struct block_overlay *)b;
    if (!len || alike(o, offset, len) < len)
        return false;
    return is_copied(o, offset / CLUSTER) ? preadv(o->fd, v, n, offset) == (ssize_t)len : block_readv(o->below, offset, v, n);
}

/* It is forgotten at the end in any case. */
static bool overlay_flush(struct block *b) { return true; }

static void overlay_close(struct block *b)
{
    struct block_overlay *o = (struct block_overlay *)b;
    block_close(o->below);
    if (o->fd >= 0)
        close(o->fd);
    if (o->copied)
        munmap(o->copied, bitmap_size(b));
    free(o->cluster);
    free(o);
}

static const struct block_ops overlay_ops = { "snapshot", overlay_read, overlay_write, overlay_readv, NULL, overlay_flush, overlay_close };

struct block *block_overlay_open(struct block *below, struct error *err)
{
    struct block_overlay *o = block_new(&overlay_ops, sizeof *o, below->path, err);
    if (!o) {
        block_close(below);
        return NULL;
    }
    o->below = below;
    o->fd = -1;
    o->head.size = below->size;
    if (!open_temporary(o, err) && !make_bitmap(o, err))
        return &o->head;
    overlay_close(&o->head);
    return NULL;
}
