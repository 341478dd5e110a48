/* SPDX-License-Identifier: MIT */
/*
 * Disk images, in units of bytes, behind one face: a raw file (block_file.c), a server that speaks NBD (block_nbd.c), and a snapshot
 * of either (block_overlay.c). What the host refuses comes back as a failure, which the device tells its guest.
 */
#ifndef EMU_DEVICES_BLOCK_H
#define EMU_DEVICES_BLOCK_H

#include <sys/uio.h>

#include "base/error.h"
#include "base/types.h"

enum { BLOCK_READONLY = 1, BLOCK_SNAPSHOT = 2 };

/* What 48 bits can say in sectors of 512 bytes. */
#define BLOCK_SIZE_MAX (BIT(48) * 512)

struct block;

/* path: a file, or where an NBD server is: nbd:unix:SOCKET, nbd:HOST:PORT, or a URI nbd://.., nbd+unix://... A file is locked against
 * other writers until block_close(). NULL with *err: missing, empty, too large, a directory, locked, not writable, no answer.
 * path is borrowed. */
struct block *block_open(const char *path, unsigned flags, struct error *err);
void block_close(struct block *b); /* NULL is allowed */

u64 block_size(const struct block *b);      /* bytes, a multiple of 512 */
bool block_readonly(const struct block *b);
const char *block_path(const struct block *b);
const char *block_kind(const struct block *b);      /* "file", "nbd", "snapshot" */
/* What the host said when it last refused something; "" if it never did. */
const char *block_trouble(const struct block *b);
u64 block_bytes_read(const struct block *b);        /* that came from it since it was opened, */
u64 block_bytes_written(const struct block *b);     /* and that went to it */

/* [offset, offset + len) must lie within the size: otherwise, and when the host fails, false. */
bool block_read(struct block *b, u64 offset, void *buf, u64 len);
bool block_write(struct block *b, u64 offset, const void *buf, u64 len);
bool block_flush(struct block *b);
/* [offset, offset + len) reads as zeros from now on; the host may take the room back if `unmap`. */
bool block_zero(struct block *b, u64 offset, u64 len, bool unmap);
/* The same with `n` pieces of memory one after another. */
bool block_readv(struct block *b, u64 offset, const struct iovec *v, unsigned n);
bool block_writev(struct block *b, u64 offset, const struct iovec *v, unsigned n);

#endif
