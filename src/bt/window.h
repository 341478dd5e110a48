/* SPDX-License-Identifier: MIT */
/* Windows: how the guest's address spaces are shown to translated code, and how that is kept true. */
#ifndef EMU_BT_WINDOW_H
#define EMU_BT_WINDOW_H

#include "bt/unit.h"

struct bt_vcpu;

#define MAX_WINDOWS 12
#define MAX_VIEWS 16            /* of a window: translations under different keys */
#define UNTRACE_AFTER 64        /* writes to a traced page that no window has used since: it is a page table no more */
#define PAGE_HASH 16384
#define PAGES ((u64)1 << 20)    /* of 4 GiB */

static inline unsigned page_hash(gpa_t gpa) { return (gpa >> PAGE_SHIFT) % PAGE_HASH; }
static inline bool page_bit(const u64 *map, u32 n) { return map[n / 64] >> n % 64 & 1; }
static inline void page_bit_set(u64 *map, u32 n) { map[n / 64] |= BIT(n % 64); }
static inline void page_bit_clear(u64 *map, u32 n) { map[n / 64] &= ~BIT(n % 64); }

/* What a host fault at a guest address turned out to be. */
enum fill {
    FILL_OK,        /* hidden: the window has the page now */
    FILL_FAULT,     /* true: the guest's own tables refuse it, or it is no memory access at all */
    FILL_MMIO,      /* no memory there */
    FILL_TRACED,    /* a write to a traced page table */
    FILL_CODE,      /* a write to a page that holds translated code */
    FILL_DIRECT,    /* a device in the guest's own hands: the monitor would map it, so it is no event of its */
};

/* Where the units of one guest page begin in host memory. It holds for every window that shows that guest-physical page at that guest
 * address, under that key. */
struct code_page {
    gpa_t gpa;
    u32 gva_page;
    u32 key;
    u16 live;                   /* entries that lead to a unit */
    gpa_t second;               /* the page into which one of them crosses: views that lead here show it next; 0: none does; NO_SECOND: none may */
    u32 *entry;                 /* by byte of the page: hva of the code (it lies below 4 GiB); the miss stub where there is none */
    struct code_page *next;     /* of equal hash, or in the list of free ones */
};

#define NO_SECOND (~(gpa_t)0)

/* From a guest address to its code, in one window under one key: by gva page, the table of a code page. See codepage.c. */
struct view {
    bool used;
    u32 key;
    u64 *directory;             /* 2^20 entries; */
    u64 filled[2048 / 64];      /* bit by page of it: that page is there */
    u64 last_used;
};

/* A window: host mappings of one guest address space under one privilege. It is a shadow page table: filled on
 * hidden faults, kept over CR3 loads, kept true by traces on the guest's page tables. */
struct window {
    bool used, user;
    u32 limit;                  /* last gva that segments reach: those of a guest below a monitor are truncated */
    const struct stage2 *stage2;
    u64 cr0, cr3, cr4, efer, pdpte[4];  /* what the translation depends on */
    u8 *base;                   /* 4 GiB and a guard */
    u32 *frame;                 /* gpa page number by gva page, where present; 2^20 entries */
    u64 *present;               /* bit by gva page: mapped */
    u64 *writable;              /* bit by gva page */
    u64 *code;                  /* bit by gva page: some view leads there */
    struct view view[MAX_VIEWS];
    u64 mapped;                 /* pages */
    u64 last_used;
    gpa_t root;                 /* the page of the top-level table (32-bit paging), or NO_ROOT */
    bool root_changed;          /* it was written since the slots were compared with it, */
    bool root_untraced;         /* or is no longer traced */
    u64 slot_used[16];          /* by entry of the top level: something that it governs is shown, and then it said so: */
    u64 slot[1024];
};
#define NO_ROOT (~(gpa_t)0)
#define ROOT_SPAN 0             /* trace_dep.span_shift of a root */

/* A guest page table page that some window depends on. */
struct trace_dep {
    gpa_t page;
    u32 window;
    u32 va_base;                /* of the page's first entry */
    u8 span_shift, entry_size;
    u16 idle_writes;            /* since a window was last filled through it */
    struct trace_dep *next;
};
struct rmap { u32 window, gva_page; struct rmap *next; };

/* --- window.c --- */
int windows_init(struct bt *b, struct error *err);
void windows_fini(struct bt *b);
int window_reserve(struct window *w);                   /* 0, or -1: no address space left */
void window_empty(struct bt *b, struct window *w);
void window_drop(struct bt *b, struct window *w, u32 first, u32 n);    /* forget all that is known of those gva pages */
/* Show n pages of memory from gpa on at gva page `first`. False if the host refuses: then nothing has changed. */
bool window_map(struct bt *b, struct window *w, const struct region *r, u32 first, u32 n, gpa_t gpa, bool writable);
void window_depend(struct bt *b, struct window *w, const struct mmu *u, const struct xlat *x, u32 gva); /* trace what a translation used */
void windows_flush(struct bt *b);
void windows_marked(struct bt *b, gpa_t page, u8 marks);

/* --- fill.c --- */
enum fill window_fill(struct bt *b, struct window *w, struct cpu *c, u32 gva, bool write);

/* --- rmap.c --- */
void rmap_add(struct bt *b, gpa_t gpa, u32 window, u32 gva_page);
void rmap_remove(struct bt *b, gpa_t gpa, u32 window, u32 gva_page);
struct rmap *rmap_of(const struct bt *b, gpa_t gpa);    /* of all pages of equal hash: look at what their windows show */
void rmap_fini(struct bt *b);

/* --- space.c --- */
struct window *window_for(struct bt *b, struct cpu *c, u32 limit);  /* the one that fits the processor's state; NULL: no address space left */
void root_depend(struct bt *b, struct window *w, const struct mmu *u, const struct xlat *x, u32 gva);
void root_written(struct bt *b, struct window *w);
void root_lost(struct bt *b, struct window *w);       /* nobody watches it any more */

/* --- traces.c --- */
void trace_root(struct bt *b, struct window *w, gpa_t page);
void untrace_root(struct bt *b, struct window *w, gpa_t page);
/* The window shows what that entry, which governs 2^span_shift bytes around gva, says. */
void trace_entry(struct bt *b, struct window *w, gpa_t entry_gpa, u8 entry_size, u8 span_shift, u32 gva);
void windows_pt_written(struct bt *b, gpa_t gpa, u64 len);
void traces_forget_window(struct bt *b, u32 window);
void traces_fini(struct bt *b);

/* --- codepage.c --- */
int code_pages_init(struct bt *b, u32 count, struct error *err);
void code_pages_fini(struct bt *b);
void code_pages_flush(struct bt *b);    /* no view leads anywhere any more */
struct view *view_for(struct bt *b, struct window *w, u32 key); /* NULL when there is no address space for it */
void views_reset(struct bt *b, struct window *w);
void views_forget_page(struct bt *b, struct window *w, u32 gva_page); /* that page may be another one now */
void views_release(struct window *w);
/* The unit is to be found through that view from now on, and by all that show its page at the same place. False: out of code pages. */
bool view_install(struct bt_vcpu *t, struct unit *u);
void code_page_forget(struct bt *b, struct unit *u);
#define DIRECTORY_ENTRIES (PAGE_SIZE / sizeof(u64)) /* of one page of a directory */
static inline bool view_knows(const struct view *v, u32 gva_page) { return v->filled[gva_page / DIRECTORY_ENTRIES / 64] >> gva_page / DIRECTORY_ENTRIES % 64 & 1; }
/* A fault at that hva: was it a page of the view's directory that was not there yet? It is now. */
bool view_fault(struct bt *b, struct view *v, u64 hva);
/* hva of the code for eip; that of the miss stub, or 0, where there is none. */
static inline u32 view_lookup(const struct view *v, u32 eip)
{
    if (!view_knows(v, eip >> PAGE_SHIFT))
        return 0;
    return *(const u32 *)(v->directory[eip >> PAGE_SHIFT] + (u64)eip * sizeof(u32));
}

#endif
