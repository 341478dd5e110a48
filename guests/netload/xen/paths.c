/* SPDX-License-Identifier: MIT */
#include "../netload.h"

const struct net_path *const net_paths[] = { 0 };
