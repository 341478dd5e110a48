/* SPDX-License-Identifier: MIT */
/*
 * Back-ends for disks: a raw image file, in units of bytes. With a snapshot, writes go to a temporary file that is never seen
 * and the image stays as it was. What the host refuses comes back as a failure, which the device tells its guest.
 */
#ifndef EMU_DEVICES_BLOCK_H
#define EMU_DEVICES_BLOCK_H

#include "base/error.h"
#include "base/types.h"

enum { BLOCK_READONLY = 1, BLOCK_SNAPSHOT = 2 };

struct block;

/* The image is locked against other writers until block_close(). NULL with *err: missing, empty, a directory, locked,
 * not writable. path is borrowed. */
struct block *block_open(const char *path, unsigned flags, struct error *err);
void block_close(struct block *b); /* NULL is allowed */

u64 block_size(const struct block *b);      /* bytes */
bool block_readonly(const struct block *b);
const char *block_path(const struct block *b);

/* [offset, offset + len) must lie within the size: otherwise, and when the host fails, false. */
bool block_read(struct block *b, u64 offset, void *buf, u64 len);
bool block_write(struct block *b, u64 offset, const void *buf, u64 len);
bool block_flush(struct block *b);

#endif
