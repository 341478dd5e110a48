/* SPDX-License-Identifier: MIT */
/* Inside the disk images: what a back-end is. The face (block.c) has checked bounds and rights before it calls one. */
#ifndef EMU_DEVICES_BLOCK_BACKEND_H
#define EMU_DEVICES_BLOCK_BACKEND_H

#include "devices/block/block.h"

struct block_ops {
    const char *name;
    bool (*read)(struct block *b, u64 offset, u8 *buf, u64 len);
    bool (*write)(struct block *b, u64 offset, const u8 *buf, u64 len);
    /* All pieces at once, or false without a word: then each is moved by itself. May be NULL. */
    bool (*readv)(struct block *b, u64 offset, const struct iovec *v, unsigned n, u64 len);
    bool (*writev)(struct block *b, u64 offset, const struct iovec *v, unsigned n, u64 len);
    bool (*flush)(struct block *b);
    void (*close)(struct block *b);     /* frees *b */
    /* Make a hole, or false without a word: then zeros are written. May be NULL. */
    bool (*hole)(struct block *b, u64 offset, u64 len);
};

/* The head of every back-end's own struct. */
struct block {
    const struct block_ops *ops;
    const char *path;
    u64 size;                   /* bytes, a multiple of 512 */
    bool readonly;
    struct block_host *host;    /* whose work a request is; NULL: it is not modelled */
    u64 bytes_read, bytes_written;  /* counted: what succeeded */
    char trouble[160];
};

/* Zeroed storage of `size` bytes whose head is a struct block. NULL with *err. */
void *block_new(const struct block_ops *ops, size_t size, const char *path, struct error *err);

/* For a back-end: note why the host refused; the errno says it if `why` is NULL. Returns false. */
bool block_refuse(struct block *b, const char *what, const char *why);

/* The back-ends. NULL with *err. */
struct block *block_file_open(const char *path, bool writes, struct error *err);
bool block_nbd_is(const char *path);
struct block *block_nbd_open(const char *path, bool writes, struct error *err);
/* Over `below`, which becomes the overlay's, also when it fails. */
struct block *block_overlay_open(struct block *below, struct error *err);

/* All of a file's bytes at `offset`, or false with the errno; 0 for an end that came too early. */
bool block_pread(int fd, u64 offset, u8 *buf, u64 len);
bool block_pwrite(int fd, u64 offset, const u8 *buf, u64 len);

#endif
