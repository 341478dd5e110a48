/* SPDX-License-Identifier: MIT */
/*
 * What `emu bench net` and `emu bench blk` have in common. bench_load.c measures: a load on a path is run twice, once with some
 * operations and once with twice as many. The difference is what operations cost in the steady state; start, end and what is printed
 * fall out, exactly. bench_paths.c runs all of them and prints the tables, bench_json.c and bench_page.c the other reports.
 */
#ifndef EMU_CLI_BENCH_LOAD_H
#define EMU_CLI_BENCH_LOAD_H

#include "cli/bench/bench.h"

enum { LOAD_BATCHES = 6, LOAD_RESULTS = 200 };

struct load_path;

/* One measurement. */
struct load {
    const struct load_path *path;
    const char *engine;             /* "kvm", "kvm:no-ept", "bt", ... */
    const char *mode;               /* of the guest: tx, rx, pingpong; read, write */
    u32 size, batch, count;         /* bytes of one operation; operations at a time; of the shorter run */
    const char *image;              /* what prepare() has made; NULL: nothing */
};

struct load_result {
    const struct load_path *path;
    const struct load_kind *kind;
    const char *engine;
    u32 size, batch;
    bool ran;
    char why[256];                  /* it did not */
    u64 operations;
    cycles_t cycles;                /* of virtual time, as the guest measured them */
    u64 frames; cycles_t frame_cycles;  /* as the far end of the wire saw them: only what is sent; 0: there is none */
    u64 hz;
    struct ledger ledger;           /* what was counted and charged meanwhile */
};

/* How the guest reaches the device. */
struct load_path {
    const char *name, *help;
    const char *engine;             /* that it is measured on when the user names none */
    const char *guest, *words;      /* guests/GUEST, and its words for this path */
    /* Give the machine its device: 0, or -1 with *err (this build has none such). */
    int (*plug)(const struct load *l, struct vm_config *c, struct error *err);
    u32 most;                       /* the largest batch that makes a difference; 0: any does */
    bool ends;                      /* a variant: only the smallest and the largest batch, and no curve */
};

/* One kind of load, at several batch sizes (0 ends the list). */
struct load_kind { const char *name, *help, *mode; u32 size, batch[LOAD_BATCHES + 1], count; };

/* What somebody has said about one load on one path. Within 15 % of the band it is met, DMA within 10 %; counts must be in it. An overhead,
 * how often the IOTLB is hit, and what is shown aside, have no bar. */
enum load_claimed { CLAIM_EXITS, CLAIM_EXITS_PER_BATCH, CLAIM_DATA_EXITS, CLAIM_USER, CLAIM_KRATE, CLAIM_GBITS, CLAIM_US, CLAIM_CPU, CLAIM_LOSS,
                    CLAIM_DMA_NS, CLAIM_DMA_MISS_NS, CLAIM_IOTLB_HITS };
struct load_claim {
    const char *source, *path, *kind;
    u32 batch;
    enum load_claimed what;
    struct { double low, high; } band;
    const char *text;
    bool aside;                     /* said of another variant of this path: shown beside it, without a bar */
};

struct load_bench {
    const char *name, *title, *noun;
    const struct load_path *paths; unsigned npaths;
    const struct load_kind *kinds;      /* NULL name at the end; the first two over the same batches, the second where the path is what limits */
    const struct load_claim *claims;    /* NULL source at the end */
    u32 overhead;                       /* bytes that the wire adds to each operation */
    double wire_gbits;                  /* what it could carry */
    bool (*prepare)(char path[64]);     /* make a file that all loads use, to be removed at the end; NULL: none is needed */
};

extern const struct load_bench bench_net_loads, bench_blk_loads;

/* All results of one bench. */
struct load_results {
    const struct load_bench *bench;
    char image[64];
    unsigned count;
    struct load_result result[LOAD_RESULTS];
};

void load_run(const struct load *l, struct load_result *r);

/* Exits of that kind: the processor left the guest for the monitor, whatever it was about; of them those that went on to user space. */
bool load_is_exit(enum event e);
/* Sums over the ledger: exits; those that are not for want of work; trips to user space, of the processor or of a thread that is woken there. */
u64 load_exits(const struct load_result *r);
u64 load_data_exits(const struct load_result *r);
u64 load_user(const struct load_result *r);
double load_rate(const struct load_result *r);          /* operations a second */
double load_gbits(const struct load_results *all, const struct load_result *r); /* with what the wire adds */
double load_us(const struct load_result *r);            /* one operation */
double load_cpu(const struct load_result *r);           /* percent of one processor: guest, monitor, and the host's threads */

/* The result of that load on that path; NULL: it was not asked for. */
const struct load_result *load_find(const struct load_results *all, const char *path, const char *kind, u32 batch);
/* What the claim is about, as it came out; and how that is judged. */
double load_claim_value(const struct load_results *all, const struct load_claim *c, const struct load_result *r);
bool load_claim_has_bar(const struct load_claim *c);
bool load_claim_met(const struct load_claim *c, double value);
/* "9 to 9.5"; returns buf. */
const char *load_band(const struct load_claim *c, char buf[32]);

/* Run what b->path and b->engine leave of it, and print everything. How many claims are not met; -1u: the page or the path's name failed. */
unsigned bench_paths(struct bench *b, const struct load_bench *what);
void bench_load_json(const struct load_results *all, FILE *out);
void bench_load_page(const struct load_results *all, FILE *out);

#endif
