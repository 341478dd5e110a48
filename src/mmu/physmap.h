/* SPDX-License-Identifier: MIT */
/*
 * The guest-physical map: what stands at each guest-physical address.
 *
 * RAM and ROM live in one memfd, so that a page can be mapped many times (the
 * translator's windows), given to KVM as a slot, or to another process as a file
 * descriptor. Everything else is MMIO, or nothing: reads of nothing give ones.
 *
 * Observers learn of writes to pages that they have marked, whoever writes:
 * interpreter, device DMA, loader. That is how translated code and shadow page tables stay true.
 */
#ifndef EMU_MMU_PHYSMAP_H
#define EMU_MMU_PHYSMAP_H

#include "base/error.h"
#include "base/types.h"

enum region_kind { REGION_RAM, REGION_ROM, REGION_MMIO };

struct mmio_ops {
    /* size is 1, 2, 4 or 8 bytes; offset is from the region's start. */
    u64 (*read)(void *opaque, u64 offset, unsigned size);
    void (*write)(void *opaque, u64 offset, unsigned size, u64 value);
};

struct region {
    gpa_t gpa;
    u64 size;                   /* bytes, a multiple of PAGE_SIZE for RAM and ROM */
    enum region_kind kind;
    const char *name;
    u8 *hva;                    /* RAM, ROM, windows: where the emulator sees it */
    u64 fd_offset;              /* RAM, ROM: where it is in the memfd; MMIO: how far into the device's range it begins */
    const struct mmio_ops *ops; /* MMIO */
    void *opaque;
    u8 *page_marks;             /* RAM, ROM: one byte of enum page_mark bits per page */
    bool alias;                 /* shows another region's memory, and shares its marks */
    bool direct;                /* MMIO: a device in the guest's own hands; its monitor maps it, accesses need no exit. With hva: a window onto
                                 * its registers, whose loads and stores are the device's; ops do the same */
};

/* Why a page is watched. A write to a marked page is reported to the observers of that mark. */
enum page_mark {
    MARK_DECODED = 1,  /* the interpreter holds decoded instructions of it */
    MARK_CODE = 2,     /* the translator holds translations of it */
    MARK_TRACE = 4,    /* the translator traces it: a guest page table */
    MARK_DIRTY_LOG = 8,/* somebody keeps a dirty log of it */
    MARK_SHADOW = 16   /* the small KVM shadows it: a guest page table. Not the translator's mark, which may serve it at the same time */
};

struct phys_observer {
    u8 marks;                                               /* which marks it wants to hear of */
    void (*written)(void *opaque, gpa_t gpa, u64 len);      /* after the write, within one page */
    void (*marked)(void *opaque, gpa_t page, u8 marks);     /* marks were added: drop cached writable mappings of that page */
    void (*map_changed)(void *opaque);                      /* regions came, went or moved */
    void (*sync)(void *opaque);                             /* it keeps a log of the guest's writes to pages with MARK_DIRTY_LOG, and tells of them only now */
    void *opaque;
    struct phys_observer *next;
};

struct physmap {
    int fd;                     /* the memfd */
    u64 fd_start;               /* where our part of it begins: 0, unless it is shared with another map */
    u8 *base;                   /* our part of the memfd, mapped once */
    u64 fd_size, fd_used;
    struct region *added;       /* as they were added; owned */
    unsigned nadded;
    struct region *region;      /* what is seen: sorted by gpa, not overlapping; made from added[] */
    unsigned nregions;
    gpa_t a20_mask;             /* and-ed to every address: ~0, or ~BIT(20) with A20 off */
    struct phys_observer *observers;
    u64 mmio_accesses;          /* counted */
    u64 unclaimed;              /* accesses to nothing, counted */
    void (*on_unclaimed)(void *opaque, gpa_t gpa, unsigned size, bool write);
    void *unclaimed_opaque;
};

/* ram_size: bytes of main memory that will be added; device memory and ROM have room beside it. 0 or -1 with *err. */
int physmap_init(struct physmap *m, u64 ram_size, struct error *err);
/* The same on the memfd of another map, so that either can show the other's memory. NULL: there is none. */
int physmap_init_beside(struct physmap *m, const struct physmap *other, u64 ram_size, struct error *err);
void physmap_fini(struct physmap *m);

/* Returns the region's hva, zero filled; NULL with *err if it does not fit. */
u8 *physmap_add_ram(struct physmap *m, const char *name, gpa_t gpa, u64 size, struct error *err);
u8 *physmap_add_rom(struct physmap *m, const char *name, gpa_t gpa, u64 size, struct error *err);
/* Memory that is not seen at any address yet; and showing a piece of it, whole pages, as RAM: a framebuffer behind a BAR, a
 * bank. A page may be seen at several addresses. physmap_remove() hides it again, the memory stays. NULL or -1 with *err. */
u8 *physmap_alloc(struct physmap *m, const char *name, u64 size, struct error *err);
int physmap_map_ram(struct physmap *m, const char *name, gpa_t gpa, u8 *hva, u64 size, struct error *err);
/* Show a region of another map on the same memfd. The other must live until it is removed. Marks are each map's own, and so are observers:
 * what is written by one map must be told to the other. 0 or -1 with *err. */
int physmap_map_other(struct physmap *m, const char *name, gpa_t gpa, const struct region *r, struct error *err);
/* Show `size` bytes of memory that was added before, from `hva` on, at another gpa too or as another kind. What is aliased
 * must stay as long as the alias. 0 or -1 with *err. */
int physmap_add_alias(struct physmap *m, const char *name, gpa_t gpa, u64 size, enum region_kind kind, const u8 *hva, struct error *err);
/* MMIO is laid over RAM where they overlap. */
int physmap_add_mmio(struct physmap *m, const char *name, gpa_t gpa, u64 size, const struct mmio_ops *ops, void *opaque, struct error *err);
/* The MMIO that was added at gpa last is a device in the guest's own hands. */
void physmap_set_direct(struct physmap *m, gpa_t gpa);
/* Lay a window onto a real device's registers, which this process sees at hva, over a part of the MMIO at gpa; whole pages.
 * 0 or -1 with *err. It is taken away before that MMIO, by its hva: whoever stands at the same place by then stays. */
int physmap_add_window(struct physmap *m, const char *name, gpa_t gpa, u64 size, u8 *hva, struct error *err);
void physmap_remove_window(struct physmap *m, const u8 *hva);
void physmap_remove(struct physmap *m, gpa_t gpa, u64 size);
/* All MMIO that was added with this opaque, wherever it is and whatever else is there. */
void physmap_remove_mmio(struct physmap *m, const void *opaque);
void physmap_set_a20(struct physmap *m, bool on);

/* The region that holds gpa, or NULL. */
struct region *physmap_find(const struct physmap *m, gpa_t gpa);

/* Host address of [gpa, gpa+len) if it lies wholly in one RAM region; NULL otherwise. Overflow-safe.
 * For reading, or for writing when the caller then calls physmap_written(). */
u8 *physmap_ptr(const struct physmap *m, gpa_t gpa, u64 len);
/* The same, also for ROM: for reading only. */
const u8 *physmap_ptr_ro(const struct physmap *m, gpa_t gpa, u64 len);

/* Any length, any kind, across regions; writes report to observers; writes to ROM are dropped.
 * MMIO is accessed in naturally aligned pieces of at most 8 bytes. */
void physmap_read(struct physmap *m, gpa_t gpa, void *buf, u64 len);
void physmap_write(struct physmap *m, gpa_t gpa, const void *buf, u64 len);
/* One access of 1, 2, 4 or 8 bytes, as a processor does it. */
u64 physmap_load(struct physmap *m, gpa_t gpa, unsigned size);
void physmap_store(struct physmap *m, gpa_t gpa, unsigned size, u64 value);

/* Marks of the page at gpa (0 outside RAM and ROM). */
u8 physmap_marks(const struct physmap *m, gpa_t gpa);
void physmap_mark(struct physmap *m, gpa_t gpa, u8 marks);
void physmap_unmark(struct physmap *m, gpa_t gpa, u8 marks);
/* Does somebody log the guest's writes, so that MARK_DIRTY_LOG costs next to nothing? */
bool physmap_logs(const struct physmap *m);
/* What is in such logs is told to the observers. */
void physmap_sync(struct physmap *m);
/* Tell observers that [gpa, gpa+len) was written through a pointer. */
void physmap_written(struct physmap *m, gpa_t gpa, u64 len);

/* The observer's storage is the caller's and stays until physmap_unobserve(). */
void physmap_observe(struct physmap *m, struct phys_observer *o);
void physmap_unobserve(struct physmap *m, struct phys_observer *o);

#endif
