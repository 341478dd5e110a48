/* SPDX-License-Identifier: MIT */
#include "cli/bench/bench_load.h"
void bench_load_page(const struct load_results *all, FILE *out) { }
