/* SPDX-License-Identifier: MIT */
#include "console/debugger.h"

#include <string.h>

void debugger_init(struct debugger *d, struct vm *vm)
{
    memset(d, 0, sizeof *d);
    d->vm = vm;
    d->points.hit_watch = -1;
    mmu_init(&d->mmu, &vm->map);
}

/* Where there is nothing to look for, engines run at full speed. */
static void arm(struct debugger *d)
{
    bool any = d->points.nbreak || d->points.nwatch;
    for (unsigned i = 0; i < d->vm->nvcpus; i++)
        d->vm->vcpu[i]->cpu.debug = any ? &d->points : NULL;
}

void debugger_fini(struct debugger *d)
{
    d->points.nbreak = d->points.nwatch = 0;
    arm(d);
    mmu_fini(&d->mmu);
}

/* --- points --- */

/* A 32-bit processor has 32-bit addresses, but debuggers like to extend their sign. */
static gva_t effective(struct debugger *d, gva_t gva)
{
    struct cpu_state s;
    debugger_get_state(d, &s);
    return state_long(&s) ? gva : (u32)gva;
}

static int find_break(const struct debugger *d, enum break_owner owner, gva_t gva)
{
    for (unsigned i = 0; i < d->points.nbreak; i++)
        if (d->points.brk[i] == gva && d->break_owner[i] == owner)
            return i;
    return -1;
}

static int find_watch(const struct debugger *d, enum break_owner owner, gva_t gva, u32 len, u8 access)
{
    for (unsigned i = 0; i < d->points.nwatch; i++)
        if (d->points.watch[i].gva == gva && d->points.watch[i].len == len && d->points.watch[i].access == access && d->watch_owner[i] == owner)
            return i;
    return -1;
}

int debugger_add_break(struct debugger *d, enum break_owner owner, gva_t gva)
{
    struct cpu_debug *p = &d->points;
    gva = effective(d, gva);
    if (find_break(d, owner, gva) >= 0)
        return 0;
    if (p->nbreak == ARRAY_LEN(p->brk))
        return -1;
    d->break_owner[p->nbreak] = owner;
    p->brk[p->nbreak++] = gva;
    arm(d);
    return 0;
}

int debugger_add_watch(struct debugger *d, enum break_owner owner, gva_t gva, u32 len, u8 access)
{
    struct cpu_debug *p = &d->points;
    gva = effective(d, gva);
    if (find_watch(d, owner, gva, len, access) >= 0)
        return 0;
    if (p->nwatch == ARRAY_LEN(p->watch) || !len)
        return -1;
    d->watch_owner[p->nwatch] = owner;
    p->watch[p->nwatch].gva = gva;
    p->watch[p->nwatch].len = len;
    p->watch[p->nwatch++].access = access;
    arm(d);
    return 0;
}

static void drop_break(struct debugger *d, unsigned i)
{
    unsigned last = --d->points.nbreak;
    d->points.brk[i] = d->points.brk[last];
    d->break_owner[i] = d->break_owner[last];
}

static void drop_watch(struct debugger *d, unsigned i)
{
    unsigned last = --d->points.nwatch;
    d->points.watch[i] = d->points.watch[last];
    d->watch_owner[i] = d->watch_owner[last];
}

int debugger_remove_break(struct debugger *d, enum break_owner owner, gva_t gva)
{
    int i = find_break(d, owner, effective(d, gva));
    if (i < 0)
        return -1;
    drop_break(d, i);
    arm(d);
    return 0;
}

int debugger_remove_watch(struct debugger *d, enum break_owner owner, gva_t gva, u32 len, u8 access)
{
    int i = find_watch(d, owner, effective(d, gva), len, access);
    if (i < 0)
        return -1;
    drop_watch(d, i);
    arm(d);
    return 0;
}

bool debugger_remove_at(struct debugger *d, enum break_owner owner, gva_t gva)
{
    bool found = debugger_remove_break(d, owner, gva) == 0;
    gva = effective(d, gva);
    for (unsigned i = d->points.nwatch; i--;)
        if (d->watch_owner[i] == owner && d->points.watch[i].gva == gva) {
            drop_watch(d, i);
            found = true;
        }
    arm(d);
    return found;
}

void debugger_remove_all(struct debugger *d, enum break_owner owner)
{
    for (unsigned i = d->points.nbreak; i--;)
        if (d->break_owner[i] == owner)
            drop_break(d, i);
    for (unsigned i = d->points.nwatch; i--;)
        if (d->watch_owner[i] == owner)
            drop_watch(d, i);
    arm(d);
}

/* --- stop and go --- */

void debugger_pause(struct debugger *d)
{
    if (d->vm->status != VM_RUNNING)
        return;
    d->asked = true;
    vm_pause(d->vm);
}

static void go(struct debugger *d, enum vm_gait gait)
{
    d->asked = false;
    d->goes++;
    d->points.hit_watch = -1;
    vm_resume(d->vm, gait);
}

void debugger_continue(struct debugger *d) { go(d, GAIT_RUN); }
void debugger_pass_break(struct debugger *d)
{
    struct cpu *c = &vm_current(d->vm)->cpu;
    c->break_icount = c->icount + 1;
}

void debugger_step(struct debugger *d) { go(d, d->irqs ? GAIT_STEP : GAIT_STEP_HELD); }

void debugger_note_stop(struct debugger *d)
{
    int i = d->points.hit_watch;
    if (d->vm->status == VM_ENDED)
        d->why = WHY_ENDED;
    else if (d->asked)
        d->why = WHY_ASKED;
    else if (i >= 0 && i < (int)d->points.nwatch) {
        d->why = WHY_WATCHPOINT;
        d->watch_gva = d->points.watch[i].gva;
        d->watch_access = d->points.watch[i].access;
    } else
        d->why = d->vm->gait == GAIT_RUN ? WHY_BREAKPOINT : WHY_STEPPED;
}

/* --- looking and changing --- */

void debugger_get_state(struct debugger *d, struct cpu_state *s) { d->vm->engine->get_state(vm_current(d->vm), s); }
void debugger_set_state(struct debugger *d, const struct cpu_state *s) { d->vm->engine->set_state(vm_current(d->vm), s); }

static void follow_tables(struct debugger *d)
{
    struct cpu_state s;
    debugger_get_state(d, &s);
    mmu_load_regs(&d->mmu, s.cr0, s.cr3, s.cr4, s.efer, s.pdpte);
}

static bool translate(struct debugger *d, gva_t gva, gpa_t *gpa)
{
    struct xlat x;
    if (mmu_probe(&d->mmu, d->mmu.mode == PAGING_4LEVEL ? gva : (u32)gva, ACCESS_READ, false, &x))
        return false;
    *gpa = x.gpa;
    return true;
}

bool debugger_translate(struct debugger *d, gva_t gva, gpa_t *gpa)
{
    follow_tables(d);
    return translate(d, gva, gpa);
}

/* Bytes up to the end of the page. */
static u64 piece(u64 address, u64 len)
{
    u64 left = PAGE_SIZE - (address & ~PAGE_MASK);
    return len < left ? len : left;
}

u64 debugger_read_physical(struct debugger *d, gpa_t gpa, void *buf, u64 len)
{
    u64 done = 0, n;
    for (; done < len; done += n) {
        n = piece(gpa + done, len - done);
        const u8 *hva = physmap_ptr_ro(&d->vm->map, gpa + done, n);
        if (!hva)
            break;
        memcpy((u8 *)buf + done, hva, n);
    }
    return done;
}

u64 debugger_write_physical(struct debugger *d, gpa_t gpa, const void *buf, u64 len)
{
    u64 done = 0, n;
    for (; done < len; done += n) {
        n = piece(gpa + done, len - done);
        if (!physmap_ptr(&d->vm->map, gpa + done, n))
            break;
        physmap_write(&d->vm->map, gpa + done, (const u8 *)buf + done, n);
    }
    return done;
}

u64 debugger_read(struct debugger *d, gva_t gva, void *buf, u64 len)
{
    u64 done = 0, n;
    gpa_t gpa;
    follow_tables(d);
    for (; done < len && translate(d, gva + done, &gpa); done += n) {
        n = piece(gva + done, len - done);
        if (debugger_read_physical(d, gpa, (u8 *)buf + done, n) != n)
            break;
    }
    return done;
}

u64 debugger_write(struct debugger *d, gva_t gva, const void *buf, u64 len)
{
    u64 done = 0, n;
    gpa_t gpa;
    follow_tables(d);
    for (; done < len && translate(d, gva + done, &gpa); done += n) {
        n = piece(gva + done, len - done);
        if (debugger_write_physical(d, gpa, (const u8 *)buf + done, n) != n)
            break;
    }
    return done;
}
