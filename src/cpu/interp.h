/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's inside: decoded code and how it is run.
 *
 * Code is decoded once into blocks: straight runs of instructions, within a page, that are entered at the
 * top and left at the end. Each instruction becomes an op. Most common instructions have a specialised function (fast*.c), which
 * does the usual case and nothing else: it touches only registers and memory that the TLB knows, cannot fault, and
 * goes on to the next op by a tail call. When the case is not the usual one it returns its op undone, and the
 * slow loop (interp.c) has the instruction executed by the handler of its mnemonic, which knows every case.
 *
 * So while ops run, state.rip stays at the block's start, instructions and cycles are not yet counted, and the status flags
 * are in c->flags. All of that is made good before anything can look: settle() in interp.c.
 */
#ifndef EMU_CPU_INTERP_H
#define EMU_CPU_INTERP_H

#include "cpu/internal.h"

struct op;

/* Runs *o and those behind it. Returns the op where it stands: one that the slow loop must execute, or the block's end. */
typedef const struct op *fast_fn(struct cpu *c, const struct op *o, u32 flags);

struct op {
    fast_fn *run;
    union { void *dst; u64 wide_m; };   /* registers by host address (so a cache serves one processor) */
    const void *src;        /* or an immediate: &imm; in 64-bit mode &wide, and &wide_m where the destination is memory */
    const u64 *base, *index;
    union { const u64 *segment; u64 wide; }; /* base of the memory operand's segment */
    u32 imm, disp;          /* of a branch: imm is the target, relative to the block's start. Both are signed in 64-bit mode */
    u16 offset;             /* of the instruction from the block's start, bytes */
    u8 scale;               /* log2 */
    u8 len;                 /* bytes */
    u32 cycles;             /* of all instructions before this one in the block */
};

enum { BLOCK_OPS = 48 };    /* at most so many instructions in a block */

struct block {
    const u8 *hva;          /* where the code is: the key, together with mode. NULL: a single instruction, checked at each use */
    u32 mode;
    bool valid;             /* false: the code was written to */
    u16 bytes, count;
    u32 cycles;             /* of the whole block */
    struct block *next[2];  /* where its end led last time, by enum block_exit; only within the page */
    struct block *bucket;   /* the next one in the hash bucket */
    struct block *in_page;  /* the next one of the same page */
    struct op *op;          /* count ops, and the end */
    struct insn *insn;      /* count instructions */
};

/* How a block was left: only the first two can be foretold from the block. */
enum block_exit { EXIT_NEXT, EXIT_TAKEN, EXIT_INDIRECT };

/* What decoded code depends on beside its bytes: compared as one number. */
enum {
    MODE_BITS = 3,                  /* code size: 0 is 16 bits, 1 is 32, 2 is 64 */
    MODE_FLAT_SHIFT = 2,            /* BIT(MODE_FLAT_SHIFT + seg): that segment spans 4 GiB and may be written; in 64-bit mode any is flat */
    MODE_FLAT_CODE = 1 << 8,        /* CS spans 4 GiB */
    MODE_STACK32 = 1 << 9,          /* SS.B */
};
static inline unsigned mode_bits(u32 mode) { return 16u << (mode & MODE_BITS); }
static inline bool mode_flat(u32 mode, unsigned seg) { return mode >> (MODE_FLAT_SHIFT + seg) & 1; }

/* Strings charge each iteration themselves, and leave RIP where it was when there are more to do. */
static inline bool is_string(u16 mnemonic) { return mnemonic >= MN_MOVS && mnemonic <= MN_OUTS; }

/* --- dcache.c --- */
struct decode_cache *dcache_new(struct cpu *c); /* NULL: out of memory */
void dcache_free(struct cpu *c);
void dcache_flush(struct cpu *c);
/* The block at RIP. Raises what the fetch of its first instruction raises: #PF, #GP, #UD. */
struct block *dcache_block(struct cpu *c);
/* The same if it is there and its page is in the TLB; NULL otherwise. */
struct block *dcache_find(struct cpu *c);
exec_fn *dcache_handler(const struct cpu *c, u16 mnemonic);
/* Does the handler leave mode and mappings alone, so that the block may go on behind it? */
bool dcache_harmless(const struct cpu *c, u16 mnemonic);

/* --- fetch.c --- */
/* Decode the one instruction at RIP with exact faults: across pages, near the segment's limit, from MMIO. */
void fetch_insn(struct cpu *c, struct insn *out);
/* Is it an instruction of this processor model, with a lawful LOCK prefix? */
bool fetch_lawful(const struct cpu *c, const struct insn *i);

/* --- fast.c --- */
void fast_flags_in(struct cpu *c);  /* rflags to c->flags */
void fast_flags_out(struct cpu *c); /* and back */
/* Choose o->run and fill in its operands; fast_slow where there is nothing special. */
void fast_specialise(struct cpu *c, struct op *o, const struct insn *i, u32 mode);
fast_fn fast_slow, fast_end;

#endif
