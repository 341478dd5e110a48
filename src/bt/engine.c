/* SPDX-License-Identifier: MIT */
/*
 * The engine: a dispatcher between the cache and the monitor.
 *
 * Flat 32-bit protected-mode code is translated, at any privilege. What cannot be (real and 16-bit modes, segments with
 * bases, single steps) goes through the interpreter, and so does each instruction for which translated code comes back: it runs
 * there on the guest's virtual state, as the guest's own kernel expects it to.
 */
#include "bt/bt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/account.h"
#include "bt/emit.h"

#define CACHE_SIZE (32u << 20)
#define INTERPRET_SLICE 2000    /* cycles in the interpreter before we look again whether the translator can go on */

/* --- set-up --- */

static int bt_probe(char *detail, size_t size, struct error *why)
{
    snprintf(detail, size, "binary translation of 32-bit code to the host's own");
    return 0;
}

static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct bt *b = opaque;
    u8 marks = physmap_marks(&b->vm->map, gpa);
    b->observed++;
    if (marks & MARK_CODE)
        cache_written(b, gpa, len);
    if (marks & MARK_TRACE)
        windows_pt_written(b, gpa, len);
}

static void on_marked(void *opaque, gpa_t page, u8 marks) { windows_marked(opaque, page, marks); }
static void on_map_changed(void *opaque) { windows_flush(opaque); }

static void bt_vm_fini(struct vm *vm)
{
    struct bt *b = vm->engine_data;
    if (!b)
        return;
    if (b->observer.opaque)
        physmap_unobserve(&vm->map, &b->observer);
    windows_fini(b);
    cache_fini(b);
    free(b);
    vm->engine_data = NULL;
}

static int bt_vm_init(struct vm *vm, struct error *err)
{
    struct bt *b = calloc(1, sizeof *b);
    vm->engine_data = b;
    b->vm = vm;
    if (cache_init(b, CACHE_SIZE, err) < 0 || windows_init(b, err) < 0) {
        bt_vm_fini(vm);
        return -1;
    }
    b->observer = (struct phys_observer){ .marks = MARK_CODE | MARK_TRACE, .written = on_written, .marked = on_marked, .map_changed = on_map_changed, .opaque = b };
    physmap_observe(&vm->map, &b->observer);
    return 0;
}

static int bt_vcpu_init(struct vcpu *v, struct error *err)
{
    if (fault_init(err) < 0)
        return -1;
    struct bt_vcpu *t = aligned_alloc(64, (sizeof *t + 63) & ~(size_t)63);
    memset(t, 0, sizeof *t);
    v->engine_data = t;
    t->bt = v->vm->engine_data;
    t->vcpu = v;
    t->context.fpu = &v->cpu.state.fpu;
    t->context.guard = (u64)t->bt->guard + PAGE_SIZE - 8;
    account_init(&v->cpu);
    return 0;
}

static void bt_vcpu_fini(struct vcpu *v)
{
    if (!v->engine_data)
        return;
    fault_fini();
    free(v->engine_data);
    v->engine_data = NULL;
}

/* --- can it be translated? --- */

/* Usable, base 0, all of 4 GiB, 32-bit where that matters. */
static bool flat(const struct segment *s)
{
    return s->base == 0 && s->limit == 0xffffffff && !(s->attr & SEG_UNUSABLE) && s->attr & SEG_P && (s->attr & (SEG_CODE | SEG_EXPAND_DOWN)) != SEG_EXPAND_DOWN;
}
static bool flat_data(const struct segment *s) { return flat(s) && (s->attr & (SEG_CODE | SEG_RW)) == SEG_RW; }

static bool translatable(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    if (!(s->cr0 & CR0_PE) || s->efer & EFER_LMA || s->rflags & FLAG_VM || c->debug)
        return false;
    if (s->dr[7] & 0xff || (s->rflags & FLAG_AC && s->cr0 & CR0_AM && state_cpl(s) == 3) || c->mmu.map->a20_mask != ~(u64)0)
        return false;
    return flat(&s->seg[CS]) && s->seg[CS].attr & SEG_DB && flat_data(&s->seg[SS]) && s->seg[SS].attr & SEG_DB && flat_data(&s->seg[DS]) && flat_data(&s->seg[ES]);
}

static u16 key_of(const struct cpu_state *s)
{
    return state_cpl(s) | (s->rflags & FLAG_DF ? KEY_DF : 0) | (s->cr0 & (CR0_EM | CR0_TS) ? 0 : KEY_FPU) | (s->cr4 & CR4_OSFXSR ? KEY_SSE : 0) |
           (s->seg[FS].limit == 0xffffffff && s->seg[FS].attr & SEG_P && s->seg[FS].attr & SEG_RW && !(s->seg[FS].attr & (SEG_UNUSABLE | SEG_CODE)) ? KEY_FS : 0) |
           (s->seg[GS].limit == 0xffffffff && s->seg[GS].attr & SEG_P && s->seg[GS].attr & SEG_RW && !(s->seg[GS].attr & (SEG_UNUSABLE | SEG_CODE)) ? KEY_GS : 0);
}

/* --- the cache --- */

/* Is the code at eip accessible, and where is it? Sets A bits as a fetch does. */
static bool fetchable(struct bt_vcpu *t, u32 eip, struct xlat *x)
{
    struct mmu_fault f;
    return mmu_walk(&t->vcpu->cpu.mmu, eip, ACCESS_EXEC, t->window->user, x, &f) == 0;
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
        account_translated(t, u);
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
    struct cpu *c = &t->vcpu->cpu;
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
    x->interrupt_waits = vcpu_intr_pending(t->vcpu) ? 255 : 0;
    x->fs_base = c->state.seg[FS].base;
    x->gs_base = c->state.seg[GS].base;
    x->fpu_wanted = (u->key & KEY_FPU) != 0;
}

static void save_context(struct bt_vcpu *t, cycles_t deadline, cycles_t began)
{
    struct cpu *c = &t->vcpu->cpu;
    struct context *x = &t->context;
    for (int r = 0; r < 8; r++)
        c->state.gpr[r] = (u32)x->gpr[r];
    c->state.rflags = (c->state.rflags & ~(u64)(FLAG_STATUS | FLAG_DF | FLAG_IF | SYSTEM_FLAGS)) | (x->rflags & (FLAG_STATUS | FLAG_DF)) |
                      x->interrupt_flag | x->system_flags;
    c->state.rip = x->eip;
    account_ran(t, (s64)(deadline - began) - x->budget);
}

/* Run translated code from the guest's EIP until it comes back. False: there is none to run. */
static bool run_cache(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = &t->vcpu->cpu;
    u64 epoch = t->bt->epoch;
    u16 key = key_of(&c->state);
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

/* --- the dispatcher --- */

static const enum exit_kind exit_of_stop[] = {
    [STOP_DEADLINE] = EXIT_DEADLINE, [STOP_HLT] = EXIT_HLT,     [STOP_SHUTDOWN] = EXIT_SHUTDOWN,
    [STOP_ATTENTION] = EXIT_KICKED,  [STOP_WINDOW] = EXIT_KICKED, [STOP_BREAK] = EXIT_DEBUG,
    [STOP_TRAP] = EXIT_STOPPED,      [STOP_INTERCEPT] = EXIT_STOPPED, [STOP_STAGE2] = EXIT_STOPPED,
};

/* The monitor emulates one instruction. */
static enum cpu_stop_kind emulate(struct bt_vcpu *t, cycles_t deadline) { return cpu_step_until(&t->vcpu->cpu, deadline); }

static enum cpu_stop_kind emulate_adapted(struct bt_vcpu *t, u32 eip, cycles_t deadline)
{
    u64 before = adapt_before(t->bt);
    enum cpu_stop_kind stop = emulate(t, deadline);
    adapt_after(t, eip, before);
    return stop;
}

static enum cpu_stop_kind after_cache(struct bt_vcpu *t, cycles_t deadline)
{
    u32 eip = t->context.eip;
    switch ((enum leave)t->context.leave) {
    case LEAVE_CALLOUT:
        account_callout(t);
        return adapted(t->bt, eip) ? emulate_adapted(t, eip, deadline) : emulate(t, deadline);
    case LEAVE_FAULT:
        account_fault(t);
        if (t->fault == FILL_TRACED || t->fault == FILL_MMIO || t->fault == FILL_CODE)
            adapt_fault(t, eip);
        return emulate(t, deadline);
    case LEAVE_DEADLINE: /* less is left than the next unit costs: the last instructions one by one, up to the very deadline */
        return emulate(t, deadline);
    case LEAVE_MISS:
        break;
    }
    return STOP_DEADLINE;
}

/* Modes that are not translated: the interpreter, with the monitor in between where the instruction is its business. */
static enum cpu_stop_kind interpret(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = &t->vcpu->cpu;
    cycles_t slice = c->clock->now + INTERPRET_SLICE;
    c->icept = ACCOUNT_INTERCEPTS;
    c->want_window = vcpu_intr_pending(t->vcpu); /* it cannot be taken now: stop as soon as it can, which may be for one instruction */
    enum cpu_stop_kind stop = cpu_run(c, slice < deadline ? slice : deadline);
    c->icept = 0;
    c->want_window = false;
    if (stop == STOP_WINDOW)
        return STOP_DEADLINE;
    if (stop != STOP_INTERCEPT)
        return stop;
    account_intercept(t);
    return emulate(t, deadline);
}

static enum cpu_stop_kind deliver_pending(struct bt_vcpu *t)
{
    struct vcpu *v = t->vcpu;
    if (!vcpu_intr_pending(v) || !cpu_interruptible(&v->cpu))
        return STOP_DEADLINE;
    account_interrupt(t);
    return cpu_interrupt(&v->cpu, vcpu_intr_acknowledge(v));
}

static enum cpu_stop_kind run_once(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = &t->vcpu->cpu;
    enum cpu_stop_kind stop = deliver_pending(t);
    if (stop != STOP_DEADLINE)
        return stop;
    if (c->state.activity == CPU_HALTED)
        return STOP_HLT;
    if (!c->debug && (c->state.rflags & (FLAG_TF | FLAG_RF) || c->state.sti_shadow || c->state.movss_shadow)) {
        account_callout(t); /* STI; HLT comes this way */
        return cpu_step(c);
    }
    if (!translatable(c))
        return interpret(t, deadline);
    if (!run_cache(t, deadline))
        return emulate(t, deadline);
    return after_cache(t, deadline);
}

static void set_exit(struct exit *e, enum cpu_stop_kind stop)
{
    e->kind = exit_of_stop[stop];
    if (e->kind == EXIT_STOPPED)
        snprintf(e->stopped.reason, sizeof e->stopped.reason, "bt: the interpreter stopped at an intercept that nobody set (%d)", stop);
}

static void bt_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct bt_vcpu *t = v->engine_data;
    enum cpu_stop_kind stop = STOP_DEADLINE;
    while (stop == STOP_DEADLINE && v->cpu.clock->now < deadline && !v->cpu.attention)
        stop = run_once(t, deadline);
    if (stop == STOP_DEADLINE && v->cpu.attention)
        stop = STOP_ATTENTION;
    if (stop == STOP_ATTENTION)
        v->cpu.attention = 0;
    set_exit(e, stop);
}

static void bt_step(struct vcpu *v, struct exit *e)
{
    struct bt_vcpu *t = v->engine_data;
    enum cpu_stop_kind stop = deliver_pending(t);
    if (stop == STOP_DEADLINE)
        stop = v->cpu.state.activity == CPU_HALTED ? STOP_HLT : cpu_step(&v->cpu);
    set_exit(e, stop == STOP_DEADLINE ? STOP_BREAK : stop);
}

static void bt_kick(struct vcpu *v) { cpu_kick(&v->cpu); }
static void bt_get_state(struct vcpu *v, struct cpu_state *s) { *s = v->cpu.state; }
static void bt_set_state(struct vcpu *v, const struct cpu_state *s) { cpu_set_state(&v->cpu, s); }

static void bt_info(const struct vm *vm, void *file)
{
    const struct bt_stats *s = &((const struct bt *)vm->engine_data)->stats;
    fprintf(file, "bt: %llu units of %llu instructions, %.1f %% of them identical; %llu chained; %llu invalidated; %llu adapted\n",
            (unsigned long long)s->units, (unsigned long long)s->insns, s->insns ? 100.0 * s->ident / s->insns : 0.0, (unsigned long long)s->chained,
            (unsigned long long)s->invalidated, (unsigned long long)s->adapted);
    fprintf(file, "bt: %llu entries of the cache, %llu callouts, %llu hidden faults; %llu windows made\n", (unsigned long long)s->entries,
            (unsigned long long)s->callouts, (unsigned long long)s->hidden_faults, (unsigned long long)s->windows_made);
}

const struct engine_ops bt_engine = {
    .name = "bt",
    .help = "binary translation in VMware's style: guest code rewritten while it runs, shadow page tables",
    .image = "native",
    .probe = bt_probe,
    .vm_init = bt_vm_init,
    .vm_fini = bt_vm_fini,
    .vcpu_init = bt_vcpu_init,
    .vcpu_fini = bt_vcpu_fini,
    .run = bt_run,
    .step = bt_step,
    .kick = bt_kick,
    .get_state = bt_get_state,
    .set_state = bt_set_state,
    .info = bt_info,
};
