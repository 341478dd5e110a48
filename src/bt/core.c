/* SPDX-License-Identifier: MIT */
/*
 * The core: from the processor's state into the translation cache and back. It knows nothing of why the guest is translated: the
 * policy is told what happened, and whoever called core_run() deals with the instruction at which it came back.
 */
#include <stdlib.h>
#include <string.h>

#include "bt/census.h"
#include "bt/emit.h"

#define CACHE_SIZE (64u << 20)  /* bytes, if nobody says otherwise */

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

static void bt_put(struct bt *b)
{
    if (--b->users)
        return;
    if (b->observer.opaque)
        physmap_unobserve(b->map, &b->observer);
    windows_fini(b);
    cache_fini(b);
    census_free(b->census);
    free(b);
}

/* The one that watches this memory already, for another processor. NULL: there is none. */
static struct bt *bt_of(const struct physmap *map)
{
    for (const struct phys_observer *o = map->observers; o; o = o->next)
        if (o->written == on_written)
            return o->opaque;
    return NULL;
}

static struct bt *bt_get(struct physmap *map, u32 cache_size, struct error *err)
{
    struct bt *b = bt_of(map);
    if (b) {
        b->users++;
        return b;
    }
    b = calloc(1, sizeof *b);
    b->map = map;
    b->space_epoch = 1;
    b->nwindows = MAX_WINDOWS;
    b->users = 1;
    if (cache_init(b, cache_size ? cache_size : CACHE_SIZE, err) < 0 || windows_init(b, err) < 0) {
        bt_put(b);
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
    struct bt *b = bt_get(c->mmu.map, c->translation_cache, err);
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
    if (c->shadow_spaces && c->shadow_spaces * 2 < b->nwindows)
        b->nwindows = c->shadow_spaces * 2; /* a user's and a supervisor's each */
    t->context.guard = (u64)b->guard + PAGE_SIZE - 8;
    t->context.fpu_gate = (u64)b->exec + b->fpu_load;
    return t;
}

void core_free(struct bt_vcpu *t)
{
    if (!t)
        return;
    bt_put(t->bt);
    free(t);
    fault_fini();
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
static struct unit *unit_for(struct bt_vcpu *t, u32 eip, u32 key)
{
    struct xlat x;
    if (eip - code_base(t->bt, key) > t->bt->code_segment[key / KEY_CS].limit)
        return NULL;
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
    window_depend(t->bt, t->window, &t->cpu->mmu, &x, eip);
    if (view_install(t, u))
        return u;
    cache_flush(t->bt); /* out of code pages: begin anew */
    return NULL;
}

/* A link may lead to u for as long as both stand on one page and under one key. */
static void chain(struct bt_vcpu *t, struct unit *u)
{
    struct link *l = t->link;
    t->link = NULL;
    if (l && t->link_epoch == t->bt->epoch && l->eip == u->eip && l->from->key == u->key && (l->from->gpa[0] ^ u->gpa[0]) < PAGE_SIZE)
        cache_chain(t->bt, l, u);
}

/* hva of the code for EIP, or 0. The short way: a view leads there already. */
static u32 code_for(struct bt_vcpu *t, u32 eip, u32 key)
{
    u32 hva = view_lookup(t->view, eip);
    if (hva && hva != (u32)(u64)t->bt->exec + t->bt->miss && !t->link)
        return hva;
    struct unit *u = unit_for(t, eip, key);
    if (!u)
        return 0;
    chain(t, u);
    return (u64)t->bt->exec + u->host + u->entry;
}

/* --- the doors --- */

/* Flags as LAHF and SETO give them: the high byte is the low byte of EFLAGS, the low byte is OF. */
static u16 flags_in(u64 rflags) { return (rflags & 0xd5) << 8 | (rflags >> 11 & 1); }
static u64 flags_out(u16 flags) { return (flags >> 8 & 0xd5) | (u64)(flags & 1) << 11; }

#define SYSTEM_FLAGS (FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID | FLAG_DF)

static void load_context(struct bt_vcpu *t, struct mode *m, u32 hva, cycles_t deadline)
{
    struct cpu *c = t->cpu;
    const struct cpu_state *s = &c->state;
    struct context *x = &t->context;
    for (int r = 0; r < 8; r++)
        x->gpr[r] = (u32)s->gpr[r];
    x->flags = flags_in(s->rflags);
    x->directory = (u64)t->view->directory + DIRECTORY_BIAS;
    x->target = hva;
    x->budget = deadline - c->clock->now;
    x->icount = 0;
    x->window = (u64)t->window->base;
    x->minus_window = -x->window;
    x->tsc_end = cpu_read_tsc(c) + x->budget;
    x->cr[0] = s->cr0;
    x->cr[2] = s->cr2;
    x->cr[3] = s->cr3;
    x->cr[4] = s->cr4;
    x->system_flags = s->rflags & SYSTEM_FLAGS;
    x->interrupt_flag = s->rflags & FLAG_IF;
    x->interrupt_waits = t->policy->interrupt_waits(t) ? 255 : 0;
    memcpy(x->seg_base, m->segments.base, sizeof x->seg_base);
    x->segments = &m->segments;
}

/* Where in the guest was that? Stubs leave a number, so that a unit's exits are short. */
static void settle_leave(struct bt_vcpu *t)
{
    struct context *x = &t->context;
    if (x->leave == LEAVE_LINK) {
        t->link = link_by_number(t->bt, x->from);
        t->link_epoch = t->bt->epoch;
        x->eip = t->link->eip;
    } else if (x->leave == LEAVE_CALLOUT) {
        const struct unit *u = &t->bt->units[x->from];
        x->eip = u->eip + u->map[u->ninsns - 1].guest;
        t->mnemonic = u->map[u->ninsns - 1].mnemonic;
    } else if (x->leave == LEAVE_GUARD) {
        x->leave = LEAVE_CALLOUT;
    }
}

static void save_context(struct bt_vcpu *t, u32 base, cycles_t deadline, cycles_t began)
{
    struct cpu *c = t->cpu;
    struct context *x = &t->context;
    settle_leave(t);
    for (int r = 0; r < 8; r++)
        c->state.gpr[r] = (u32)x->gpr[r];
    c->state.rflags = (c->state.rflags & ~(u64)(FLAG_STATUS | FLAG_IF | SYSTEM_FLAGS)) | flags_out(x->flags) | x->interrupt_flag | x->system_flags;
    c->state.rip = x->eip - base;
    t->policy->ran(t, (s64)(deadline - began) - x->budget);
}

/* Run translated code from the guest's EIP until it comes back. */
enum core_result core_run(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = t->cpu;
    struct mode *m = mode_settle(t);
    if (!m->translatable)
        return CORE_NOT;
    if (!m->view)
        return CORE_STEP;
    if (m->window != t->window)
        t->link = NULL;
    t->window = m->window;
    t->view = m->view;
    u32 base = m->segments.base[CS], hva = code_for(t, base + (u32)c->state.rip, m->key);
    if (!hva)
        return CORE_STEP;
    cycles_t began = c->clock->now;
    load_context(t, m, hva, deadline);
    fault_enter(t);
    save_context(t, base, deadline, began);
    census_left(t);
    return CORE_RAN;
}

struct unit *core_unit(struct bt_vcpu *t, u32 eip)
{
    struct mode *m = mode_settle(t);
    t->window = m->window;
    t->view = m->view;
    return m->view ? unit_for(t, eip, m->key) : NULL;
}
