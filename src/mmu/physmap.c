/* SPDX-License-Identifier: MIT */
#include "mmu/physmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE_MEMORY ((u64)32 << 20) /* room in the memfd beside main memory; sparse, so it costs nothing until it is touched */

/* Another's memfd grows: what is added lies behind all that was there. */
static int share_fd(struct physmap *m, const struct physmap *other)
{
    struct stat st;
    if (fstat(other->fd, &st) < 0)
        return -1;
    m->fd_start = st.st_size;
    return fcntl(other->fd, F_DUPFD_CLOEXEC, 0);
}

int physmap_init_beside(struct physmap *m, const struct physmap *other, u64 ram_size, struct error *err)
{
    memset(m, 0, sizeof *m);
    m->a20_mask = ~(u64)0;
    m->fd_size = ((ram_size + ~PAGE_MASK) & PAGE_MASK) + DEVICE_MEMORY;
    m->fd = other ? share_fd(m, other) : memfd_create("emu-guest-memory", MFD_CLOEXEC);
    if (m->fd < 0 || ftruncate(m->fd, m->fd_start + m->fd_size) < 0) {
        int e = errno;
        if (m->fd >= 0)
            close(m->fd);
        return error_set(err, "cannot reserve %llu MiB for guest memory: %s; try a smaller -m", (unsigned long long)ram_size >> 20, strerror(e));
    }
    m->base = mmap(NULL, m->fd_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, m->fd_start);
    if (m->base == MAP_FAILED) {
        close(m->fd);
        return error_set(err, "cannot map guest memory: %s; try a smaller -m", strerror(errno));
    }
    return 0;
}

int physmap_init(struct physmap *m, u64 ram_size, struct error *err) { return physmap_init_beside(m, NULL, ram_size, err); }

static void free_marks(struct region *r)
{
    if (!r->alias)
        free(r->page_marks);
}

void physmap_fini(struct physmap *m)
{
    for (unsigned i = 0; i < m->nadded; i++)
        free_marks(&m->added[i]);
    free(m->added);
    free(m->region);
    munmap(m->base, m->fd_size);
    close(m->fd);
    memset(m, 0, sizeof *m);
}

/* --- the view: what is seen at each address, cut from what was added --- */

/* Which of the added regions is seen at gpa? MMIO lies over memory, what came later over what came before. */
static const struct region *topmost(const struct physmap *m, gpa_t gpa)
{
    const struct region *top = NULL;
    for (unsigned i = 0; i < m->nadded; i++) {
        const struct region *r = &m->added[i];
        if (gpa - r->gpa < r->size && (!top || r->kind == REGION_MMIO || top->kind != REGION_MMIO))
            top = r;
    }
    return top;
}

/* The first boundary of an added region above gpa, 0 when there is none. */
static gpa_t next_boundary(const struct physmap *m, gpa_t gpa)
{
    gpa_t next = 0;
    for (unsigned i = 0; i < m->nadded; i++) {
        gpa_t edge[2] = { m->added[i].gpa, m->added[i].gpa + m->added[i].size };
        for (int k = 0; k < 2; k++)
            if (edge[k] > gpa && (!next || edge[k] < next))
                next = edge[k];
    }
    return next;
}

static void view_append(struct physmap *m, const struct region *r, gpa_t from, gpa_t to)
{
    u64 skip = from - r->gpa;
    m->region = realloc(m->region, (m->nregions + 1) * sizeof *m->region);
    struct region *v = &m->region[m->nregions++];
    *v = *r;
    v->gpa = from;
    v->size = to - from;
    if (r->kind == REGION_MMIO) {
        v->fd_offset += skip;
        v->hva = r->hva ? r->hva + skip : NULL;
    } else {
        v->hva += skip;
        v->fd_offset += skip;
        v->page_marks += skip >> PAGE_SHIFT;
    }
}

static void view_rebuild(struct physmap *m)
{
    m->nregions = 0;
    for (gpa_t from = 0, to; (to = next_boundary(m, from)); from = to) {
        const struct region *r = topmost(m, from);
        if (r)
            view_append(m, r, from, to);
    }
    for (struct phys_observer *o = m->observers; o; o = o->next)
        if (o->map_changed)
            o->map_changed(o->opaque);
}

static struct region *add(struct physmap *m, const char *name, gpa_t gpa, u64 size, enum region_kind kind, struct error *err)
{
    gpa_t end;
    if (!size || __builtin_add_overflow(gpa, size, &end)) {
        error_set(err, "%s: a region of 0x%llx bytes at 0x%llx does not fit the address space", name, (unsigned long long)size, (unsigned long long)gpa);
        return NULL;
    }
    m->added = realloc(m->added, (m->nadded + 1) * sizeof *m->added);
    struct region *r = &m->added[m->nadded++];
    *r = (struct region){ .gpa = gpa, .size = size, .kind = kind, .name = name };
    return r;
}

u8 *physmap_alloc(struct physmap *m, const char *name, u64 size, struct error *err)
{
    size = (size + ~PAGE_MASK) & PAGE_MASK;
    if (size > m->fd_size - m->fd_used) {
        error_set(err, "%s: 0x%llx bytes of memory cannot be had; try a smaller -m", name, (unsigned long long)size);
        return NULL;
    }
    u8 *hva = m->base + m->fd_used;
    m->fd_used += size;
    return hva;
}

static int map_memory(struct physmap *m, const char *name, gpa_t gpa, u8 *hva, u64 fd_offset, u64 size, enum region_kind kind, struct error *err)
{
    if ((gpa | size) & ~PAGE_MASK)
        return error_set(err, "%s: memory at 0x%llx does not begin with a page", name, (unsigned long long)gpa);
    struct region *r = add(m, name, gpa, size, kind, err);
    if (!r)
        return -1;
    r->hva = hva;
    r->fd_offset = fd_offset;
    r->page_marks = calloc(size >> PAGE_SHIFT, 1);
    view_rebuild(m);
    return 0;
}

int physmap_map_ram(struct physmap *m, const char *name, gpa_t gpa, u8 *hva, u64 size, struct error *err)
{
    return map_memory(m, name, gpa, hva, m->fd_start + (hva - m->base), size, REGION_RAM, err);
}

int physmap_map_other(struct physmap *m, const char *name, gpa_t gpa, const struct region *r, struct error *err)
{
    return map_memory(m, name, gpa, r->hva, r->fd_offset, r->size, REGION_RAM, err);
}

static u8 *add_memory(struct physmap *m, const char *name, gpa_t gpa, u64 size, enum region_kind kind, struct error *err)
{
    u8 *hva = physmap_alloc(m, name, size, err);
    size = (size + ~PAGE_MASK) & PAGE_MASK;
    return hva && map_memory(m, name, gpa, hva, m->fd_start + (hva - m->base), size, kind, err) == 0 ? hva : NULL;
}

u8 *physmap_add_ram(struct physmap *m, const char *name, gpa_t gpa, u64 size, struct error *err)
{
    return add_memory(m, name, gpa, size, REGION_RAM, err);
}

u8 *physmap_add_rom(struct physmap *m, const char *name, gpa_t gpa, u64 size, struct error *err)
{
    return add_memory(m, name, gpa, size, REGION_ROM, err);
}

/* The region that was added with the memory at hva. */
static const struct region *owner_of(const struct physmap *m, const u8 *hva, u64 size)
{
    for (unsigned i = 0; i < m->nadded; i++) {
        const struct region *r = &m->added[i];
        u64 skip = hva - r->hva;
        if (r->kind != REGION_MMIO && !r->alias && hva >= r->hva && skip < r->size && size <= r->size - skip)
            return r;
    }
    return NULL;
}

int physmap_add_alias(struct physmap *m, const char *name, gpa_t gpa, u64 size, enum region_kind kind, const u8 *hva, struct error *err)
{
    const struct region *owner = owner_of(m, hva, size);
    if (!owner || (gpa | size | (hva - owner->hva)) & ~PAGE_MASK)
        return error_set(err, "%s: shows memory that is not there", name);
    u64 skip = hva - owner->hva, fd_offset = owner->fd_offset + skip;
    u8 *marks = owner->page_marks + (skip >> PAGE_SHIFT);
    struct region *r = add(m, name, gpa, size, kind, err);
    if (!r)
        return -1;
    r->hva = (u8 *)hva;
    r->fd_offset = fd_offset;
    r->page_marks = marks;
    r->alias = true;
    view_rebuild(m);
    return 0;
}

int physmap_add_mmio(struct physmap *m, const char *name, gpa_t gpa, u64 size, const struct mmio_ops *ops, void *opaque, struct error *err)
{
    struct region *r = add(m, name, gpa, size, REGION_MMIO, err);
    if (!r)
        return -1;
    r->ops = ops;
    r->opaque = opaque;
    view_rebuild(m);
    return 0;
}

void physmap_set_direct(struct physmap *m, gpa_t gpa)
{
    unsigned i = m->nadded;
    while (i && (m->added[i - 1].gpa != gpa || m->added[i - 1].kind != REGION_MMIO))
        i--;
    if (i)
        m->added[i - 1].direct = true;
    view_rebuild(m);
}

int physmap_add_window(struct physmap *m, const char *name, gpa_t gpa, u64 size, u8 *hva, struct error *err)
{
    const struct region *under = topmost(m, gpa);
    if (!under || under->kind != REGION_MMIO || size > under->size - (gpa - under->gpa) || (gpa | size) & ~PAGE_MASK)
        return error_set(err, "%s: a window at 0x%llx onto nothing", name, (unsigned long long)gpa);
    const struct region device = *under;
    struct region *r = add(m, name, gpa, size, REGION_MMIO, err);
    if (!r)
        return -1;
    r->ops = device.ops;
    r->opaque = device.opaque;
    r->fd_offset = device.fd_offset + (gpa - device.gpa);
    r->hva = hva;
    r->direct = true;
    view_rebuild(m);
    return 0;
}

void physmap_remove(struct physmap *m, gpa_t gpa, u64 size)
{
    for (unsigned i = m->nadded; i-- > 0;) {
        if (m->added[i].gpa != gpa || m->added[i].size != size)
            continue;
        free_marks(&m->added[i]);
        memmove(&m->added[i], &m->added[i + 1], (--m->nadded - i) * sizeof *m->added);
        view_rebuild(m);
        return;
    }
}

/* MMIO of that opaque, or, if there is none, of that hva. */
static void remove_mmio(struct physmap *m, const void *opaque, const u8 *hva)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < m->nadded; i++) {
        const struct region *r = &m->added[i];
        if (r->kind != REGION_MMIO || (opaque ? r->opaque != opaque : r->hva != hva))
            m->added[kept++] = *r;
    }
    if (kept == m->nadded)
        return;
    m->nadded = kept;
    view_rebuild(m);
}

void physmap_remove_mmio(struct physmap *m, const void *opaque) { remove_mmio(m, opaque, NULL); }
void physmap_remove_window(struct physmap *m, const u8 *hva) { remove_mmio(m, NULL, hva); }

void physmap_set_a20(struct physmap *m, bool on)
{
    gpa_t mask = on ? ~(u64)0 : ~BIT(20);
    if (mask == m->a20_mask)
        return;
    m->a20_mask = mask;
    for (struct phys_observer *o = m->observers; o; o = o->next)
        if (o->map_changed)
            o->map_changed(o->opaque);
}

/* --- looking things up --- */

struct region *physmap_find(const struct physmap *m, gpa_t gpa)
{
    unsigned lo = 0, hi = m->nregions;
    gpa &= m->a20_mask;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        struct region *r = &m->region[mid];
        if (gpa < r->gpa)
            hi = mid;
        else if (gpa - r->gpa >= r->size)
            lo = mid + 1;
        else
            return r;
    }
    return NULL;
}

const u8 *physmap_ptr_ro(const struct physmap *m, gpa_t gpa, u64 len)
{
    struct region *r = physmap_find(m, gpa);
    gpa &= m->a20_mask;
    if (!r || r->kind == REGION_MMIO || len > r->size - (gpa - r->gpa))
        return NULL;
    return r->hva + (gpa - r->gpa);
}

u8 *physmap_ptr(const struct physmap *m, gpa_t gpa, u64 len)
{
    struct region *r = physmap_find(m, gpa);
    return r && r->kind == REGION_RAM ? (u8 *)physmap_ptr_ro(m, gpa, len) : NULL;
}

/* --- accesses --- */

static u64 ones(unsigned size) { return size >= 8 ? ~(u64)0 : BIT(8 * size) - 1; }

/* Does [gpa, gpa+size) lie in *r? If so *offset is set. */
static bool within(const struct physmap *m, const struct region *r, gpa_t gpa, unsigned size, u64 *offset)
{
    *offset = (gpa & m->a20_mask) - r->gpa;
    return size <= r->size - *offset;
}

static u64 nobody(struct physmap *m, gpa_t gpa, unsigned size, bool write)
{
    m->unclaimed++;
    if (m->on_unclaimed)
        m->on_unclaimed(m->unclaimed_opaque, gpa, size, write);
    return ones(size);
}

u64 physmap_load(struct physmap *m, gpa_t gpa, unsigned size)
{
    struct region *r = physmap_find(m, gpa);
    u64 offset, value = 0;
    if (!r)
        return nobody(m, gpa, size, false);
    if (!within(m, r, gpa, size, &offset)) {
        for (unsigned i = 0; i < size; i++) /* across two regions: byte by byte */
            value |= physmap_load(m, gpa + i, 1) << 8 * i;
        return value;
    }
    if (r->kind == REGION_MMIO) {
        m->mmio_accesses++;
        return r->ops->read(r->opaque, r->fd_offset + offset, size) & ones(size);
    }
    memcpy(&value, r->hva + offset, size);
    return value;
}

void physmap_store(struct physmap *m, gpa_t gpa, unsigned size, u64 value)
{
    struct region *r = physmap_find(m, gpa);
    u64 offset;
    if (!r) {
        nobody(m, gpa, size, true);
    } else if (!within(m, r, gpa, size, &offset)) {
        for (unsigned i = 0; i < size; i++)
            physmap_store(m, gpa + i, 1, value >> 8 * i & 0xff);
    } else if (r->kind == REGION_MMIO) {
        m->mmio_accesses++;
        r->ops->write(r->opaque, r->fd_offset + offset, size, value & ones(size));
    } else if (r->kind == REGION_RAM) {
        memcpy(r->hva + offset, &value, size);
        physmap_written(m, gpa, size);
    }
}

/* The largest naturally aligned access of at most 8 bytes at gpa that does not pass len. */
static unsigned natural(gpa_t gpa, u64 len)
{
    unsigned size = 8;
    while (size > len || gpa & (size - 1))
        size /= 2;
    return size;
}

void physmap_read(struct physmap *m, gpa_t gpa, void *buf, u64 len)
{
    for (u64 n; len; gpa += n, buf = (u8 *)buf + n, len -= n) {
        u64 in_page = PAGE_SIZE - (gpa & ~PAGE_MASK);
        n = len < in_page ? len : in_page;
        const u8 *p = physmap_ptr_ro(m, gpa, n);
        if (p) {
            memcpy(buf, p, n);
        } else {
            n = natural(gpa, n);
            u64 value = physmap_load(m, gpa, n);
            memcpy(buf, &value, n);
        }
    }
}

void physmap_write(struct physmap *m, gpa_t gpa, const void *buf, u64 len)
{
    for (u64 n; len; gpa += n, buf = (const u8 *)buf + n, len -= n) {
        u64 in_page = PAGE_SIZE - (gpa & ~PAGE_MASK);
        n = len < in_page ? len : in_page;
        u8 *p = physmap_ptr(m, gpa, n);
        if (p) {
            memcpy(p, buf, n);
            physmap_written(m, gpa, n);
        } else {
            u64 value = 0;
            n = natural(gpa, n);
            memcpy(&value, buf, n);
            physmap_store(m, gpa, n, value);
        }
    }
}

/* --- marks and observers --- */

static u8 *marks_at(const struct physmap *m, gpa_t gpa)
{
    struct region *r = physmap_find(m, gpa);
    return r && r->kind != REGION_MMIO ? &r->page_marks[((gpa & m->a20_mask) - r->gpa) >> PAGE_SHIFT] : NULL;
}

u8 physmap_marks(const struct physmap *m, gpa_t gpa)
{
    u8 *marks = marks_at(m, gpa);
    return marks ? *marks : 0;
}

void physmap_mark(struct physmap *m, gpa_t gpa, u8 marks)
{
    u8 *p = marks_at(m, gpa), fresh = p ? marks & ~*p : 0;
    if (!fresh)
        return;
    *p |= fresh;
    for (struct phys_observer *o = m->observers; o; o = o->next)
        if (o->marked)
            o->marked(o->opaque, gpa & m->a20_mask & PAGE_MASK, fresh);
}

void physmap_unmark(struct physmap *m, gpa_t gpa, u8 marks)
{
    u8 *p = marks_at(m, gpa);
    if (p)
        *p &= ~marks;
}

void physmap_written(struct physmap *m, gpa_t gpa, u64 len)
{
    for (u64 n; len; gpa += n, len -= n) {
        u64 in_page = PAGE_SIZE - (gpa & ~PAGE_MASK);
        n = len < in_page ? len : in_page;
        u8 marks = physmap_marks(m, gpa);
        if (likely(!marks))
            continue;
        for (struct phys_observer *o = m->observers, *next; o; o = next) {
            next = o->next;
            if (o->marks & marks && o->written)
                o->written(o->opaque, gpa & m->a20_mask, n);
        }
    }
}

bool physmap_logs(const struct physmap *m)
{
    for (const struct phys_observer *o = m->observers; o; o = o->next)
        if (o->sync)
            return true;
    return false;
}

void physmap_sync(struct physmap *m)
{
    for (struct phys_observer *o = m->observers, *next; o; o = next) {
        next = o->next;
        if (o->sync)
            o->sync(o->opaque);
    }
}

void physmap_observe(struct physmap *m, struct phys_observer *o)
{
    o->next = m->observers;
    m->observers = o;
}

void physmap_unobserve(struct physmap *m, struct phys_observer *o)
{
    for (struct phys_observer **p = &m->observers; *p; p = &(*p)->next) {
        if (*p == o) {
            *p = o->next;
            return;
        }
    }
}
