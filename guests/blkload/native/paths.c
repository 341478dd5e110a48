/* SPDX-License-Identifier: MIT */
#include "../blkload.h"

extern const struct disk_path path_ide, path_virtio;
const struct disk_path *const disk_paths[] = { &path_ide, &path_virtio, 0 };
