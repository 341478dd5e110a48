/* SPDX-License-Identifier: MIT */
/*
 * `emu bench WHAT`: our own benchmark guests, beside what was published. A run of one guest in one column is made once and
 * kept, however many rows ask for it.
 */
#ifndef EMU_CLI_BENCH_H
#define EMU_CLI_BENCH_H

#include "cli/report/compare.h"

enum { BENCH_RUNS = 64 };
/* What of page walks is charged: nothing; as the profile's processor makes them (--timing=model); as one without caches for them. */
enum bench_timing { BENCH_EVENTS, BENCH_WALKS, BENCH_WALKS_UNCACHED };
#define BENCH_FAILED (~0u)      /* of what returns a count: the user's mistake, which has been said */
struct bench_run { char key[160]; struct column column; };
struct bench {
    FILE *out;
    const char *path, *html;    /* of net, blk: that path only; where the page goes. NULL: all; none */
    bool json;
    const char *engine, *hw;    /* rows of that engine only; rows of kvm with this --hw. NULL: as each row says */
    const char *svg;            /* file for the plot */
    unsigned shadow_spaces;     /* of the next bench_run(), as --shadow-spaces; 0: the engine's own choice */
    unsigned nruns;
    struct bench_run run[BENCH_RUNS];
};

/* guests/GUEST in column ENGINE[:HW] under a profile. NULL with *why: it did not run. kvm: "model" or "host". */
const struct column *bench_run(struct bench *b, const char *spec, const char *guest, const char *profile, enum bench_timing timing, const char *kvm,
                               struct error *why);
/* What one operation cost the guest there. False with *why. */
bool bench_cycles(struct bench *b, const char *spec, const char *guest, const char *operation, const char *profile, enum bench_timing timing, const char *kvm,
                  u64 *cycles, struct error *why);

/* guests/NAME beside the executable, or of the current directory. */
void bench_find_guest(const char *name, char *path, size_t size);

/* The tables. How many rows are beyond their bar, or could not be made. */
unsigned bench_exits(struct bench *b);
unsigned bench_decade(struct bench *b);
unsigned bench_net(struct bench *b);
unsigned bench_blk(struct bench *b);
unsigned bench_vpid(struct bench *b); /* the curve too, into b->svg */

/* One point of it. Instructions between two exits, 0: none. False with *why. */
struct vpid_result { double lost_with, lost_without /* of the TLB at a switch, percent */, better /* time saved, percent */; u64 misses_with, misses_without; };
bool bench_vpid_at(struct bench *b, unsigned pages, unsigned exits_every, struct vpid_result *r, struct error *why);
/* The page walker alone, with four levels in the guest and four in the EPT: 2048 pages visited in turn, none of which the TLB holds. */
struct walk_setting { bool two_dimensions, large_nested; u8 without; /* of mmu/walkcache.h */ };
struct walk_result { u64 walks, refs, entry_hits, nested_hits; };
bool bench_walks(const struct walk_setting *s, const struct profile *p, struct walk_result *r, struct error *why);
/* A class of programs: TLB misses of an instruction, and what a perfect TLB would gain natively, as a share of the time that is left. */
struct walk_load { double misses, native_gain; };
/* In percent: the gain of a perfect TLB in two dimensions without caches; latency of a walk, two dimensions over one, without caches; what the
 * page-walk cache gains, then the nested TLB, then 2 MiB pages in the EPT; and with all three the speed beside native with its cache. */
enum walk_span { WALK_PERFECT, WALK_LATENCY, WALK_CACHE, WALK_NESTED_TLB, WALK_LARGE_PAGES, WALK_OF_NATIVE };
/* The least and the most over n loads. */
bool bench_walk_span(enum walk_span what, const struct walk_load *loads, unsigned n, const struct profile *p, double *low, double *high, struct error *why);
/* How many of its two bars are missed: order, and two thirds of the rows within a factor of two. */
unsigned bench_xen(struct bench *b);

#endif
