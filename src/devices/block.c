/* SPDX-License-Identifier: MIT */
/*
 * Raw images. A snapshot is a temporary file without a name, as long as the image but sparse, and a bit for each cluster
 * that it holds: written clusters are copied there whole, once.
 */
#include "devices/block.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER ((u64)64 << 10)     /* bytes */

struct block {
    const char *path;
    u64 size;
    bool readonly;
    int fd;
    int overlay;            /* -1: no snapshot */
    u8 *copied;             /* one bit a cluster of the overlay */
    u8 *cluster;            /* CLUSTER bytes, for copying */
};

/* --- opening --- */

static int check_image(struct block *b, struct error *err)
{
    struct stat st;
    if (fstat(b->fd, &st))
        return error_set(err, "%s: %s", b->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, "%s: is a directory; name a disk image in it", b->path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, "%s: is not a disk image", b->path);
    off_t end = lseek(b->fd, 0, SEEK_END);
    if (end <= 0)
        return error_set(err, "%s: is empty; `truncate -s 1G %s` makes a disk of it", b->path, b->path);
    b->size = end;
    return 0;
}

static int lock_image(struct block *b, bool writes, struct error *err)
{
    if (flock(b->fd, (writes ? LOCK_EX : LOCK_SH) | LOCK_NB) && errno == EWOULDBLOCK)
        return error_set(err, "%s: is locked, another program uses it; try -snapshot on both, or a copy", b->path);
    return 0;
}

/* A file without a name, that goes away with its descriptor. */
static int open_overlay(struct block *b, struct error *err)
{
    const char *directory = getenv("TMPDIR");
    char name[256];
    snprintf(name, sizeof name, "%s/emu-snapshot-XXXXXX", directory ? directory : "/var/tmp");
    b->overlay = mkostemp(name, O_CLOEXEC);
    if (b->overlay < 0)
        return error_set(err, "%s: no temporary file for a snapshot (%s); set TMPDIR", name, strerror(errno));
    unlink(name);
    b->copied = calloc(b->size / CLUSTER / 8 + 1, 1);
    b->cluster = malloc(CLUSTER);
    return b->copied && b->cluster ? 0 : error_set(err, "%s: no memory for a snapshot", b->path);
}

static int open_image(struct block *b, unsigned flags, struct error *err)
{
    bool writes = !(flags & (BLOCK_READONLY | BLOCK_SNAPSHOT));
    b->readonly = flags & BLOCK_READONLY;
    b->fd = open(b->path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (b->fd < 0 && errno == EISDIR)
        return error_set(err, "%s: is a directory; name a disk image in it", b->path);
    if (b->fd < 0 && writes && (errno == EACCES || errno == EROFS || errno == EPERM))
        return error_set(err, "%s: cannot be written (%s); -snapshot keeps the guest's writes apart", b->path, strerror(errno));
    if (b->fd < 0)
        return error_set(err, errno == ENOENT ? "%s: %s; is the path right?" : "%s: %s", b->path, strerror(errno));
    if (check_image(b, err) || lock_image(b, writes, err))
        return -1;
    return flags & BLOCK_SNAPSHOT && !b->readonly ? open_overlay(b, err) : 0;
}

struct block *block_open(const char *path, unsigned flags, struct error *err)
{
    struct block *b = calloc(1, sizeof *b);
    if (!b) {
        error_set(err, "%s: no memory", path);
        return NULL;
    }
    *b = (struct block){ .path = path, .fd = -1, .overlay = -1 };
    signal(SIGXFSZ, SIG_IGN);       /* a file at its limit is an error to the guest, not the end of us */
    if (open_image(b, flags, err)) {
        block_close(b);
        return NULL;
    }
    return b;
}

void block_close(struct block *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        close(b->fd);
    if (b->overlay >= 0)
        close(b->overlay);
    free(b->copied);
    free(b->cluster);
    free(b);
}

u64 block_size(const struct block *b) { return b->size; }
bool block_readonly(const struct block *b) { return b->readonly; }
const char *block_path(const struct block *b) { return b->path; }

/* --- the host's files --- */

static bool read_file(int fd, u64 offset, u8 *buf, u64 len)
{
    while (len) {
        ssize_t n = pread(fd, buf, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        buf += n, offset += n, len -= n;
    }
    return true;
}

static bool write_file(int fd, u64 offset, const u8 *buf, u64 len)
{
    while (len) {
        ssize_t n = pwrite(fd, buf, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        buf += n, offset += n, len -= n;
    }
    return true;
}

/* --- the snapshot --- */

static bool is_copied(const struct block *b, u64 cluster) { return b->copied[cluster / 8] >> cluster % 8 & 1; }

/* Take a cluster over into the overlay, so that a part of it can be written. */
static bool copy_cluster(struct block *b, u64 cluster)
{
    u64 at = cluster * CLUSTER, len = b->size - at < CLUSTER ? b->size - at : CLUSTER;
    if (is_copied(b, cluster))
        return true;
    if (!read_file(b->fd, at, b->cluster, len) || !write_file(b->overlay, at, b->cluster, len))
        return false;
    b->copied[cluster / 8] |= 1 << cluster % 8;
    return true;
}

/* The part of [offset, offset + len) in offset's cluster. */
static u64 in_cluster(u64 offset, u64 len)
{
    u64 left = CLUSTER - offset % CLUSTER;
    return len < left ? len : left;
}

static bool read_snapshot(struct block *b, u64 offset, u8 *buf, u64 len)
{
    for (u64 n; len; offset += n, buf += n, len -= n) {
        n = in_cluster(offset, len);
        if (!read_file(is_copied(b, offset / CLUSTER) ? b->overlay : b->fd, offset, buf, n))
            return false;
    }
    return true;
}

static bool write_snapshot(struct block *b, u64 offset, const u8 *buf, u64 len)
{
    for (u64 n; len; offset += n, buf += n, len -= n) {
        n = in_cluster(offset, len);
        if (!copy_cluster(b, offset / CLUSTER) || !write_file(b->overlay, offset, buf, n))
            return false;
    }
    return true;
}

/* --- the face --- */

static bool within(const struct block *b, u64 offset, u64 len) { return offset <= b->size && len <= b->size - offset; }

bool block_read(struct block *b, u64 offset, void *buf, u64 len)
{
    if (!within(b, offset, len))
        return false;
    return b->overlay >= 0 ? read_snapshot(b, offset, buf, len) : read_file(b->fd, offset, buf, len);
}

bool block_write(struct block *b, u64 offset, const void *buf, u64 len)
{
    if (!within(b, offset, len) || b->readonly)
        return false;
    return b->overlay >= 0 ? write_snapshot(b, offset, buf, len) : write_file(b->fd, offset, buf, len);
}

bool block_flush(struct block *b) { return b->readonly || b->overlay >= 0 || fdatasync(b->fd) == 0; }
