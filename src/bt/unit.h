/* SPDX-License-Identifier: MIT */
/* Units of translation: what they are, what they depend on, how they are found and forgotten (cache.c). */
#ifndef EMU_BT_UNIT_H
#define EMU_BT_UNIT_H

#include "bt/context.h"

#define UNIT_MAX_INSNS 12       /* Adams and Agesen: a unit is a basic block of at most 12 instructions */
#define INDIRECT_STEP (1u << 26)    /* r11 counts indirect transfers from this bit on */
#define CODE_PATIENCE 8         /* writes to a page with code, wherever they hit, before all of its code is forgotten; */
#define CODE_PATIENCE_MAX 32768 /* next time it takes four times as many */
#define HASH_SIZE 65536

struct bt;
struct code_page;

/* A unit of translation. Keyed by guest-physical address too, so that one serves all address spaces. */
struct unit;
struct link {
    struct unit *from, *to;     /* to: NULL while it leads to the monitor */
    struct link *next;          /* among the links that lead to the same unit */
    u32 eip;                    /* guest target */
    u32 site;                   /* offset in the cache of the rel32 to patch */
    u32 stub;                   /* offset of the code that leaves to the monitor */
};
struct insn_map {
    u16 host;                   /* offset from the unit's start */
    u8 guest;                   /* the same in guest bytes */
    u8 window_regs;             /* string instruction: bit 0 RSI, bit 1 RDI hold host addresses while it executes ... */
    u16 window_at;              /* ... at this offset */
    bool repeats;               /* and it has charged ECX iterations in advance */
    u32 cycles;                 /* of all instructions before it */
    u16 mnemonic;
};
struct unit {
    u32 eip;                    /* guest linear address of the first instruction: CS.base + EIP, here and in all that follows from it */
    gpa_t gpa[2];               /* of the first byte; of the second page's start if it crosses, else 0 */
    u32 key;                    /* enum unit_key: what the translation depends on */
    u16 len;                    /* bytes of guest code */
    u8 ninsns;                  /* with all rounds, if it is a loop that was unrolled */
    u8 nguest;                  /* without */
    u8 ncounted;                /* instructions that the entry charges (a callout at the end is not) */
    bool uses_fpu, dead;
    u32 host, host_len;         /* offset in the cache, length */
    u8 entry;                   /* where the code begins behind that: a unit that crosses pages is chained to through a jump by the table */
    u32 cycles;                 /* charged at entry */
    struct insn_map *map;       /* ninsns of them */
    struct link link[2];
    struct link *incoming;
    struct code_page *page;     /* whose table leads here; NULL: none does (it crosses pages) */
    struct unit *next_hash;     /* units of equal hash */
    struct unit *next_page[2];  /* units on the same guest-physical page */
};
enum unit_key {
    KEY_CPL = 3,
    KEY_FPU = 1 << 2,           /* CR0.EM and TS are clear */
    KEY_SSE = 1 << 3,           /* CR4.OSFXSR is set */
    KEY_DF = 1 << 4,            /* strings run downwards */
    KEY_WATCHED = 1 << 5,       /* RDTSC or reads of control registers are intercepted */
    KEY_CODE16 = 1 << 6,        /* operands and addresses have 16 bits unless a prefix says otherwise */
    KEY_STACK16 = 1 << 7,       /* pushes and pops use SP */
    KEY_REAL = 1 << 8,          /* real or virtual-8086 mode: segments are not from descriptors */
    KEY_SEG = 1 << 9,           /* times 1 << seg (enum sreg): base 0 for ES, CS, SS and DS; writable, and without a limit below the window's */
    KEY_CS = 1 << 16,           /* times the number of the code segment's base and limit (struct bt, code_segment); 0: all of 4 GiB */
    KEY_CODE_SEGMENTS = 256,
};

/* --- cache.c --- */
int cache_init(struct bt *b, u32 size, struct error *err);
void cache_fini(struct bt *b);
void cache_flush(struct bt *b);
struct unit *cache_find(const struct bt *b, u32 eip, gpa_t gpa, u32 key);
struct unit *cache_unit_at(struct bt *b, u64 host_rip); /* NULL outside all units */
void cache_add(struct bt *b, struct unit *u);
void cache_chain(struct bt *b, struct link *l, struct unit *to);
void cache_written(struct bt *b, gpa_t gpa, u64 len);   /* the guest has written there: its code may have changed */
void cache_forget(struct bt *b, gpa_t gpa, u64 len);    /* units of these bytes are not to be used any more */
void cache_kill(struct bt *b, struct unit *u);

#endif
