/* SPDX-License-Identifier: MIT */
/*
 * Raw images: byte n of the disk is byte n of the file, or of the host's block device. A last sector that the file holds only a part
 * of is filled up with zeros, and written whole.
 *
 * Locks are QEMU's (its docs, "image locking"): a byte of the file for each thing that somebody does, and one for each thing that he does
 * not want others to do, taken for reading, so that anybody can; who comes asks whether the bytes are free that speak against him.
 * So an image that a QEMU has is locked here, and the other way round.
 */
#include "devices/block/block_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

struct block_file {
    struct block head;
    u64 end;                /* bytes that the file has */
    int fd;
};

/* --- the host's files --- */

bool block_pread(int fd, u64 offset, u8 *buf, u64 len)
{
    while (len) {
        ssize_t n = pread(fd, buf, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = 0;
        if (n <= 0)
            return false;
        buf += n, offset += n, len -= n;
    }
    return true;
}

bool block_pwrite(int fd, u64 offset, const u8 *buf, u64 len)
{
    while (len) {
        ssize_t n = pwrite(fd, buf, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return false;
        buf += n, offset += n, len -= n;
    }
    return true;
}

/* --- opening --- */

static int check_image(struct block_file *f, struct error *err)
{
    const char *path = f->head.path;
    struct stat st;
    if (fstat(f->fd, &st))
        return error_set(err, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, "%s: is a directory; name a disk image in it", path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, "%s: is not a disk image", path);
    off_t end = lseek(f->fd, 0, SEEK_END);
    if (end <= 0)
        return error_set(err, "%s: is empty; `truncate -s 1G %s` makes a disk of it", path, path);
    f->end = end;
    f->head.size = (f->end + SECTOR - 1) & ~(u64)(SECTOR - 1);
    return 0;
}

/* Formats that only look like disks: what a guest would read there is not what it ever wrote. */
static int check_raw(struct block_file *f, struct error *err)
{
    static const struct { const char *magic, *name; } formats[] = { { "QFI\xfb", "qcow2" }, { "KDMV", "vmdk" }, { "vhdxfile", "vhdx" } };
    u8 start[8] = { 0 };
    u64 n = f->end < sizeof start ? f->end : sizeof start;
    if (!block_pread(f->fd, 0, start, n))
        return error_set(err, "%s: cannot be read (%s)", f->head.path, errno ? strerror(errno) : "it is shorter than it says");
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
        if (memcmp(start, formats[i].magic, strlen(formats[i].magic)) == 0)
            return error_set(err, "%s: is a %s image; `qemu-nbd -t -f %s -k /tmp/disk.sock %s &` serves it as -hda nbd:unix:/tmp/disk.sock",
                             f->head.path, formats[i].name, formats[i].name, f->head.path);
    return 0;
}

enum { LOCK_READS = 100, LOCK_WRITES = 101, LOCK_NO_OTHER_WRITER = 201 };

static bool lock_byte(int fd, int byte)
{
    struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return fcntl(fd, F_OFD_SETLK, &l) == 0 || (errno != EAGAIN && errno != EACCES); /* a file system without locks has none */
}

static bool byte_is_free(int fd, int byte)
{
    struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return fcntl(fd, F_OFD_GETLK, &l) || l.l_type == F_UNLCK;
}

static int lock_image(struct block_file *f, bool writes, struct error *err)
{
    bool taken = lock_byte(f->fd, LOCK_READS) && lock_byte(f->fd, LOCK_NO_OTHER_WRITER) && (!writes || lock_byte(f->fd, LOCK_WRITES));
    if (taken && byte_is_free(f->fd, LOCK_WRITES) && (!writes || byte_is_free(f->fd, LOCK_NO_OTHER_WRITER)))
        return 0;
    return error_set(err, "%s: is locked, another program uses it; try -snapshot on both, or a copy", f->head.path);
}

static int open_file(struct block_file *f, bool writes, struct error *err)
{
    const char *path = f->head.path;
    f->fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 && errno == EISDIR)
        return error_set(err, "%s: is a directory; name a disk image in it", path);
    if (f->fd < 0 && writes && (errno == EACCES || errno == EROFS || errno == EPERM))
        return error_set(err, "%s: cannot be written (%s); -snapshot keeps the guest's writes apart", path, strerror(errno));
    if (f->fd < 0)
        return error_set(err, errno == ENOENT ? "%s: %s; is the path right?" : "%s: %s", path, strerror(errno));
    return check_image(f, err) || check_raw(f, err) || lock_image(f, writes, err) ? -1 : 0;
}

/* --- the back-end --- */

static bool file_read(struct block *b, u64 offset, u8 *buf, u64 len)
{
    struct block_file *f = (struct block_file *)b;
    u64 there = offset < f->end ? f->end - offset : 0, n = len < there ? len : there;
    memset(buf + n, 0, len - n);
    return block_pread(f->fd, offset, buf, n) || block_refuse(b, "read", NULL);
}

static bool file_write(struct block *b, u64 offset, const u8 *buf, u64 len)
{
    struct block_file *f = (struct block_file *)b;
    if (!block_pwrite(f->fd, offset, buf, len))
        return block_refuse(b, "write", NULL);
    f->end = offset + len > f->end ? offset + len : f->end;
    return true;
}

static bool file_readv(struct block *b, u64 offset, const struct iovec *v, unsigned n, u64 len)
{
    return preadv(((struct block_file *)b)->fd, v, n, offset) == (ssize_t)len;
}

static bool file_writev(struct block *b, u64 offset, const struct iovec *v, unsigned n, u64 len)
{
    struct block_file *f = (struct block_file *)b;
    return offset + len <= f->end && pwritev(f->fd, v, n, offset) == (ssize_t)len;
}

static bool file_flush(struct block *b)
{
    return fdatasync(((struct block_file *)b)->fd) == 0 || block_refuse(b, "flush", NULL);
}

static bool file_hole(struct block *b, u64 offset, u64 len)
{
    return fallocate(((struct block_file *)b)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len) == 0;
}

static void file_close(struct block *b)
{
    struct block_file *f = (struct block_file *)b;
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

static const struct block_ops file_ops = { "file", file_read, file_write, file_readv, file_writev, file_flush, file_close, file_hole };

struct block *block_file_open(const char *path, bool writes, struct error *err)
{
    struct block_file *f = block_new(&file_ops, sizeof *f, path, err);
    if (!f)
        return NULL;
    signal(SIGXFSZ, SIG_IGN);       /* a file at its limit is an error to the guest, not the end of us */
    f->head.readonly = !writes;
    if (!open_file(f, writes, err))
        return &f->head;
    file_close(&f->head);
    return NULL;
}
