/* SPDX-License-Identifier: MIT */
/*
 * The core: from the processor's state into the translation cache and back. It knows nothing of why the guest is translated: the
 * policy is told what happened, and whoever called core_run() deals with the instruction at which it came back.
 */
#include <stdlib.h>
#include <string.h>

#include "bt/emit.h"

#define CACHE_SIZE (32u << 20)

/* --- set-up --- */

static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct bt *b = opaque;
    u8 marks = physmap_marks(b->map, gpa);
    b->observed++;
    if (marks & MARK_CODE)
        cache_written(b, gpa, len);
    if (marks & MARK_TRACE)
        windows_pt_written(b, gpa, len);
}

static void on_marked(void *opaque, gpa_t page, u8 marks) { windows_marked(opaque, page, marks); }
static void on_map_changed(void *opaque) { windows_flush(opaque); }

static void bt_free(struct bt *b)
{
    if (b->observer.opaque)
        physmap_unobserve(b->map, &b->observer);
    windows_fini(b);
    cache_fini(b);
    free(b);
}

static struct bt *bt_new(struct physmap *map, struct error *err)
{
    struct bt *b = calloc(1, sizeof *b);
    b->map = map;
    if (cache_init(b, CACHE_SIZE, err) < 0 || windows_init(b, err) < 0) {
        bt_free(b);
        return NULL;
    }
    b->observer = (struct phys_observer){ .marks = MARK_CODE | MARK_TRACE, .written = on_written, .marked = on_marked,
                                          .map_changed = on_map_changed, .opaque = b };
    physmap_observe(map, &b->observer);
    return b;
}

struct bt_vcpu *core_new(struct cpu *c, const struct policy *policy, void *owner, struct error *err)
{
    if (fault_init(err) < 0)
        return NULL;
    struct bt *b = bt_new(c->mmu.map, err);
    if (!b) {
        fault_fini();
        return NULL;
    }
    struct bt_vcpu *t = aligned_alloc(64, (sizeof *t + 63) & ~(size_t)63);
    memset(t, 0, sizeof *t);
    t->bt = b;
    t->cpu = c;
    t->policy = policy;
    t->owner = owner;
    t->context.fpu = &c->state.fpu;
    t->context.guard = (u64)b->guard + PAGE_SIZE - 8;
    return t;
}

void core_free(struct bt_vcpu *t)
{
    if (!t)
        return;
    bt_free(t->bt);
    free(t);
    fault_fini();
}

/* --- can it be translated? --- */

/* Usable, base 0, all of 4 GiB, 32-bit where that matters. */
static bool flat(const struct segment *s)
{
    return s->base == 0 && s->limit == 0xffffffff && !(s->attr & SEG_UNUSABLE) && s->attr & SEG_P && (s->attr & (SEG_CODE | SEG_EXPAND_DOWN)) != SEG_EXPAND_DOWN;
}
static bool flat_data(const struct segment *s) { return flat(s) && (s->attr & (SEG_CODE | SEG_RW)) == SEG_RW; }

bool core_translatable(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    if (c->mmu.stage2 && c->mmu.stage2->tables) /* a monitor's own shadow tables: they change without a trace */
        return false;
    if (!(s->cr0 & CR0_PE) || s->efer & EFER_LMA || s->rflags & FLAG_VM || c->debug)
        return false;
    if (s->dr[7] & 0xff || (s->rflags & FLAG_AC && s->cr0 & CR0_AM && state_cpl(s) == 3) || c->mmu.map->a20_mask != ~(u64)0)
        return false;
    return flat(&s->seg[CS]) && s->seg[CS].attr & SEG_DB && flat_data(&s->seg[SS]) && s->seg[SS].attr & SEG_DB && flat_data(&s->seg[DS]) && flat_data(&s->seg[ES]);
}

/* Reads and writes of such a segment need no check. */
static bool whole(const struct segment *s)
{
    return s->limit == 0xffffffff && (s->attr & (SEG_P | SEG_CODE | SEG_RW | SEG_EXPAND_DOWN | SEG_UNUSABLE)) == (SEG_P | SEG_RW);
}

#define WATCHED (BIT(ICEPT_RDTSC) | BIT(ICEPT_CR0_READ) | BIT(ICEPT_CR3_READ) | BIT(ICEPT_CR4_READ))

static u16 key_of(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    return state_cpl(s) | (s->rflags & FLAG_DF ? KEY_DF : 0) | (s->cr0 & (CR0_EM | CR0_TS) ? 0 : KEY_FPU) |
           (s->cr4 & CR4_OSFXSR ? KEY_SSE : 0) | (whole(&s->seg[FS]) ? KEY_FS : 0) | (whole(&s->seg[GS]) ? KEY_GS : 0) |
           (c->icept & WATCHED ? KEY_WATCHED : 0);
}

/* --- the cache --- */

/* Is the code at eip accessible, and where is it? Sets A bits as a fetch does. */
static bool fetchable(struct bt_vcpu *t, u32 eip, struct xlat *x)
{
    struct mmu_fault f;
    u8 perms;
    return mmu_walk(&t->cpu->mmu, eip, ACCESS_EXEC, t->window->user, x, &f) == 0 &&
           mmu_second(&t->cpu->mmu, eip, ACCESS_EXEC, &x->gpa, &perms, &f) == 0;
}

/* A unit of one instruction that crosses into a second page: is that page still the one that was translated? */
static bool second_page_holds(struct bt_vcpu *t, const struct unit *u)
{
    struct xlat x;
    return !u->gpa[1] || (fetchable(t, (u->eip & PAGE_MASK) + PAGE_SIZE, &x) && x.gpa == u->gpa[1]);
}

/* The unit for the guest's EIP in the current window, translated now if need be. NULL: the fetch faults, or its first
 * instruction is one for the interpreter. */
static struct unit *unit_for(struct bt_vcpu *t, u32 eip, u16 key)
{
    struct xlat x;
    if (!fetchable(t, eip, &x))
        return NULL;
    struct unit *u = cache_find(t->bt, eip, x.gpa, key);
    if (u && !second_page_holds(t, u)) {
        cache_kill(t->bt, u);
        u = NULL;
    }
    if (!u) {
        u = translate(t, eip, key, x.gpa);
        if (!u || !second_page_holds(t, u))
            return NULL;
        t->policy->translated(t, u);
    }
    if (!u->gpa[1]) { /* the table follows the mapping of one page only */
        window_depend(t->bt, t->window, &x, eip);
        window_install(t->bt, t->window, eip, (u64)t->bt->exec + u->host);
    }
    return u;
}

/* A link may lead to u for as long as both stand on one page and under one key. */
static void chain(struct bt_vcpu *t, u64 epoch, struct unit *u)
{
    struct link *l = (struct link *)t->context.link;
    if (l && epoch == t->bt->epoch && l->eip == u->eip && l->from->key == u->key && !u->gpa[1] && (l->from->gpa[0] ^ u->gpa[0]) < PAGE_SIZE)
        cache_chain(t->bt, l, u);
}

#define SYSTEM_FLAGS (FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID)

static void load_context(struct bt_vcpu *t, struct unit *u, cycles_t deadline)
{
    struct cpu *c = t->cpu;
    struct context *x = &t->context;
    for (int r = 0; r < 8; r++)
        x->gpr[r] = (u32)c->state.gpr[r];
    x->rflags = (c->state.rflags & (FLAG_STATUS | FLAG_DF)) | FLAG_FIXED | FLAG_IF;
    x->table = (u64)t->window->table;
    x->target = (u64)t->bt->exec + u->host;
    x->budget = deadline - c->clock->now;
    x->icount = 0;
    x->window = (u64)t->window->base;
    x->minus_window = -x->window;
    x->tsc_end = cpu_read_tsc(c) + x->budget;
    for (int r = 0; r <= 4; r++)
        x->cr[r] = (const u64[]){ c->state.cr0, 0, c->state.cr2, c->state.cr3, c->state.cr4 }[r];
    x->system_flags = c->state.rflags & SYSTEM_FLAGS;
    x->interrupt_flag = c->state.rflags & FLAG_IF;
    x->interrupt_waits = t->policy->interrupt_waits(t) ? 255 : 0;
    x->fs_base = c->state.seg[FS].base;
    x->gs_base = c->state.seg[GS].base;
    x->fpu_wanted = (u->key & KEY_FPU) != 0;
}

static void save_context(struct bt_vcpu *t, cycles_t deadline, cycles_t began)
{
    struct cpu *c = t->cpu;
    struct context *x = &t->context;
    for (int r = 0; r < 8; r++)
        c->state.gpr[r] = (u32)x->gpr[r];
    c->state.rflags = (c->state.rflags & ~(u64)(FLAG_STATUS | FLAG_DF | FLAG_IF | SYSTEM_FLAGS)) | (x->rflags & (FLAG_STATUS | FLAG_DF)) |
                      x->interrupt_flag | x->system_flags;
    c->state.rip = x->eip;
    t->policy->ran(t, (s64)(deadline - began) - x->budget);
}

/* Run translated code from the guest's EIP until it comes back. False: there is none to run. */
bool core_run(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = t->cpu;
    u64 epoch = t->bt->epoch;
    u16 key = key_of(c);
    struct window *w = window_for(t->bt, c);
    if (!w)
        return false;
    if (w != t->window)
        t->context.link = 0;
    t->window = w;
    struct unit *u = unit_for(t, c->state.rip, key);
    if (!u)
        return false;
    chain(t, epoch, u);
    cycles_t began = c->clock->now;
    load_context(t, u, deadline);
    fault_enter(t);
    save_context(t, deadline, began);
    return true;
}
