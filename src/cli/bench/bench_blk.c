/* SPDX-License-Identifier: MIT */
/*
 * `emu bench blk`: the same requests on each path to a disk. The disk itself is the same on all of them, 10 us for a request and 1 GB/s, but
 * for Xen's back-end, which answers at once. The curriculum has no table for disks: there is nothing published beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench_load.h"

enum { PAGE = 4096, DISK = 16 << 20 };

static struct vm_drive *add_drive(const struct load *l, struct vm_config *c)
{
    struct vm_drive *d = &c->drive[c->ndrives++];
    *d = (struct vm_drive){ .file = l->image, .index = -1, .snapshot = true, .served = DRIVE_SERVED_USER };
    return d;
}

static int plug_ide(const struct load *l, struct vm_config *c, struct error *err) { return add_drive(l, c), 0; }
static int plug_virtio(const struct load *l, struct vm_config *c, struct error *err) { return add_drive(l, c)->bus = DRIVE_VIRTIO, 0; }

static int plug_vhost(const struct load *l, struct vm_config *c, struct error *err)
{
    struct vm_drive *d = add_drive(l, c);
    d->bus = DRIVE_VIRTIO;
    d->served = DRIVE_SERVED_KERNEL;
    return 0;
}

static const struct load_path paths[] = {
    { "ide", "emulated: IDE with its bus master, a request at a time", "kvm", "blkload", "ide", plug_ide, 1 },
    { "virtio", "rings, served in user space", "kvm", "blkload", "virtio", plug_virtio, 0 },
    { "vhost", "the same rings, served in the host's kernel", "kvm", "blkload", "virtio", plug_vhost, 0 },
    { "pv", "Xen's split driver; its disk answers at once", "pv", "blkload", "pv", plug_ide, 0 },
    { "bare", "no monitor, the disk itself", "bare", "blkload", "ide", plug_ide, 1 },
};

static const struct load_kind kinds[] = {
    { "read", "reads of 4096 bytes", "read", PAGE, { 1, 2, 4, 8, 16, 32 }, 128 },
    { "write", "writes of 4096 bytes", "write", PAGE, { 1, 2, 4, 8, 16, 32 }, 128 },
    { NULL },
};

/* Measured on another machine, with another disk, by a server that does one request after the other: to be seen beside ours, no bar. */
static const struct load_claim claims[] = {
    { "7c", "virtio", "read", 1, CLAIM_KRATE, { 13, 13 }, "Firecracker, NSDI'20: about 13,000 requests/s", true },
    { "7c", "virtio", "read", 32, CLAIM_GBITS, { 8.59, 8.59 }, "Firecracker's specification: 1 GiB/s, Gb/s", true },
    { "7c", "virtio", "read", 32, CLAIM_CPU, { 0, 70 }, "... by at most 70 % of a processor", true },
    { NULL },
};

/* An empty file, gone with the bench. */
static bool prepare(char path[64])
{
    strcpy(path, "/tmp/emu-bench-XXXXXX");
    int fd = mkstemp(path);
    bool ok = fd >= 0 && ftruncate(fd, DISK) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

const struct load_bench bench_blk_loads = {
    .name = "blk", .title = "Three ways to a disk, and a fourth", .noun = "request", .paths = paths, .npaths = ARRAY_LEN(paths), .kinds = kinds,
    .claims = claims, .prepare = prepare,
};

unsigned bench_blk(struct bench *b) { return bench_paths(b, &bench_blk_loads); }
