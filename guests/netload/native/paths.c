/* SPDX-License-Identifier: MIT */
#include "../netload.h"

extern const struct net_path path_e1000, path_virtio, path_vf;
const struct net_path *const net_paths[] = { &path_e1000, &path_virtio, &path_vf, 0 };
