/* SPDX-License-Identifier: MIT */
/*
 * What `emu bench net` and `emu bench blk` have in common: a load on a path, run twice, once with some operations and once with twice
 * as many. The difference is what operations cost in the steady state; start, end and what is printed fall out, exactly.
 */
#ifndef EMU_CLI_BENCH_LOAD_H
#define EMU_CLI_BENCH_LOAD_H

#include "cli/report/compare.h"

struct load_path;

/* One measurement. */
struct load {
    const struct load_path *path;
    const char *engine;             /* "kvm", "kvm:no-ept", "bt", ... */
    const char *mode;               /* of the guest: tx, rx, pingpong; read, write */
    u32 size, batch, count;         /* bytes of one operation; operations at a time; of the shorter run */
    const char *profile;            /* NULL: curriculum */
};

struct load_result {
    bool ran;
    char why[256];                  /* it did not */
    u64 operations;
    cycles_t cycles;                /* of virtual time, as the guest measured them */
    u64 hz;
    struct ledger ledger;           /* what was counted and charged meanwhile */
};

/* How the guest reaches the device. */
struct load_path {
    const char *name, *help;
    const char *guest, *words;      /* guests/GUEST, and its words for this path */
    /* Give the machine its device: 0, or -1 with *err (this build has none such). */
    int (*plug)(const struct load *l, struct vm_config *c, struct error *err);
};

void load_run(const struct load *l, struct load_result *r);

/* Exits of that kind: the processor left the guest for the monitor, whatever it was about; of them those that went on to user space. */
bool load_is_exit(enum event e);
bool load_is_user(enum event e);
/* Sums over the ledger: exits, those to user space (and wakings of threads there), those that are not for want of work. */
u64 load_exits(const struct load_result *r);
u64 load_user(const struct load_result *r);
u64 load_idle(const struct load_result *r);
double load_rate(const struct load_result *r);          /* operations a second */
double load_gbits(const struct load_result *r, u32 bytes_each);
double load_us(const struct load_result *r);            /* one operation */
double load_cpu(const struct load_result *r);           /* percent of one processor: guest, monitor, and the host's threads */

#endif
