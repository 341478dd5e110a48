/* SPDX-License-Identifier: MIT */
#include "../netload.h"

extern const struct net_path path_pv;
const struct net_path *const net_paths[] = { &path_pv, 0 };
