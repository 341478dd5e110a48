/* SPDX-License-Identifier: MIT */
/*
 * The engine: a domain between two stops. Read pv_run() first. The guest runs on the processor itself, in ring 1
 * and 3; every exception and every INT n stops it and comes to trap_handle(); on the way back, pending events
 * are delivered by an upcall.
 */
#include "paravirt/pv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paravirt/domain.h"

void domain_end(struct domain *d, enum exit_kind kind, const char *fmt, ...)
{
    va_list ap;
    if (d->ended)
        return;
    d->ended = true;
    d->end = kind;
    va_start(ap, fmt);
    vsnprintf(d->why, sizeof d->why, fmt, ap);
    va_end(ap);
}

/* --- running --- */

static void set_end(struct domain *d, struct exit *e)
{
    if (!d->buried && d->xen->ndomains > 1)
        xen_bury(d);
    e->kind = d->end;
    if (e->kind == EXIT_STOPPED)
        snprintf(e->stopped.reason, sizeof e->stopped.reason, "%s", d->why);
}

/* Nothing reaches the guest by interrupt line: what the PC's own devices raise is acknowledged and dropped. */
static void drop_interrupts(struct vcpu *v)
{
    if (vcpu_intr_pending(v) && v->vm->intc)
        vcpu_intr_acknowledge(v);
}

/* Its vm pauses: whoever runs the machines lets another one on. */
static void give_turn_away(struct domain *d, struct exit *e)
{
    d->yielded = false;
    e->kind = d->v.blocked ? EXIT_HLT : EXIT_KICKED;
    vm_pause(d->vm);
}

bool pv_waits(const struct vm *vm)
{
    const struct domain *d = vm->engine == &pv_engine ? vm->engine_data : NULL;
    return d && d->v.blocked && !d->ended && clock_deadline(&vm->clock) > vm->clock.now;
}

bool pv_switches(const struct vm *vm, u64 *switches, struct tlb_loss *lost)
{
    const struct domain *d = vm->engine == &pv_engine ? vm->engine_data : NULL;
    if (!d)
        return false;
    *switches = d->switches;
    *lost = d->lost;
    return true;
}

/* What happens on each way back to the guest. False: it must not run now, *e says why. */
static bool enter_guest(struct domain *d, struct exit *e)
{
    bool leaves = d->xen->ndomains > 1 && !d->ended && (d->v.blocked || d->yielded);
    if (!leaves && !d->ended && !d->v.blocked) {
        xen_switch_to(d);
        time_refresh(d);
        if (event_pending(d))
            upcall_deliver(d);
    }
    if (d->ended)
        set_end(d, e);
    else if (d->v.blocked)
        e->kind = EXIT_HLT;
    if (leaves)
        give_turn_away(d, e);
    return !d->ended && !d->v.blocked && !leaves;
}

/* Deal with a stop of the processor. True: the run loop has to see it. */
static bool leave_guest(struct domain *d, enum cpu_stop_kind stop, struct exit *e)
{
    struct cpu *c = domain_cpu(d);
    switch (stop) {
    case STOP_TRAP:
        trap_handle(d, &(struct cpu_stop){ c->stop.kind, c->stop.trap });
        return false;
    case STOP_DEADLINE:
        e->kind = EXIT_DEADLINE;
        return true;
    case STOP_ATTENTION:
        c->attention = 0;
        e->kind = EXIT_KICKED;
        return true;
    case STOP_BREAK:
        e->kind = EXIT_DEBUG;
        return true;
    default:
        e->kind = EXIT_SHUTDOWN;
        return true;
    }
}

static void pv_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct domain *d = domain_of(v->vm);
    drop_interrupts(v);
    while (enter_guest(d, e))
        if (leave_guest(d, cpu_run(&v->cpu, deadline), e))
            return;
}

static void pv_step(struct vcpu *v, struct exit *e)
{
    struct domain *d = domain_of(v->vm);
    if (!enter_guest(d, e))
        return;
    if (!leave_guest(d, cpu_step(&v->cpu), e) || e->kind == EXIT_DEADLINE)
        e->kind = EXIT_DEBUG;
    if (d->ended)
        set_end(d, e);
}

static void pv_kick(struct vcpu *v) { cpu_kick(&v->cpu); }
static void pv_get_state(struct vcpu *v, struct cpu_state *s) { *s = v->cpu.state; }
static void pv_set_state(struct vcpu *v, const struct cpu_state *s) { cpu_set_state(&v->cpu, s); }

/* --- set-up --- */

static int pv_probe(char *detail, size_t size, struct error *why)
{
    snprintf(detail, size, "a small Xen 3 for 32-bit PAE domains; their code is translated or interpreted (-exec)");
    return 0;
}

static void domain_fini(struct domain *d)
{
    time_fini(d);
    console_fini(d);
    store_release(&d->store);
    drivers_forget(d);
    drivers_fini(d);
    grants_unmap_all(d);
    grants_fini(d);
    xenmem_fini(d);
    *d = (struct domain){ .vm = d->vm, .vcpu = d->vcpu, .xen = d->xen, .domid = d->domid };
}

static int pv_vm_init(struct vm *vm, struct error *err)
{
    struct domain *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, "not enough memory for a domain");
    d->vm = vm;
    d->vcpu = vm->vcpu[0];
    vm->engine_data = d;
    if (xen_join(d, vm->config.neighbor, err) == 0)
        return 0;
    free(d);
    vm->engine_data = NULL;
    return -1;
}

static void pv_vm_fini(struct vm *vm)
{
    domain_fini(domain_of(vm));
    xen_leave(domain_of(vm));
    free(vm->engine_data);
    vm->engine_data = NULL;
}

static int pv_vcpu_init(struct vcpu *v, struct error *err)
{
    v->cpu.icept_exc = ~0u;
    v->cpu.icept_soft_int = true;
    return 0;
}

static void pv_vcpu_fini(struct vcpu *v) {}

/* A reboot gives the domain scrubbed memory. */
static void scrub(struct domain *d)
{
    for (u32 i = 0; i < d->npool; i++) {
        memset(frame_hva(d, d->pool[i]), 0, PAGE_SIZE);
        physmap_written(&d->vm->map, maddr(d->pool[i]), PAGE_SIZE);
    }
}

static int pv_load(struct vm *vm, struct error *err)
{
    struct domain *d = domain_of(vm);
    if (d->started && d->xen->ndomains > 1)
        return error_set(err, "others may still have memory of it mapped; a domain among several does not start again");
    if (d->started)
        scrub(d);
    domain_fini(d);
    return domain_load(vm, err);
}

/* --- info --- */

static void print_types(const struct domain *d, FILE *out)
{
    u32 now[TYPE_COUNT] = { 0 };
    for (u32 i = 0; i < d->nframes; i++)
        if (d->frame[i].type_count)
            now[d->frame[i].type]++;
    fprintf(out, "frames by type:");
    for (unsigned t = TYPE_WRITABLE; t < TYPE_COUNT; t++)
        fprintf(out, " %s %u (made %llu)", frame_type_names[t], now[t], (unsigned long long)d->types_made[t]);
    fprintf(out, "\n");
}

static void pv_info(const struct vm *vm, void *file)
{
    const struct domain *d = vm->engine_data;
    fprintf(file, "domain %u: %u pages of %u, machine frames below 0x%x, Xen's own %u\n", d->domid, d->nr_pages, d->max_pages, d->nframes, d->xen_used);
    fprintf(file, "page tables at mfn 0x%x; kernel stack %x:%x; event upcall %x:%x, failsafe %x:%x; %s\n", d->v.base_mfn, d->v.kernel_ss,
            d->v.kernel_sp, d->v.event_cs, d->v.event_eip, d->v.failsafe_cs, d->v.failsafe_eip, d->v.blocked ? "blocked" : "running");
    print_types(d, file);
    hypercalls_info(d, file);
    drivers_info(d, file);
}

const struct engine_ops pv_engine = {
    .name = "pv",
    .help = "paravirtualization as in Xen: the guest kernel runs in ring 1 and calls the hypervisor",
    .on_processor = true,
    .image = "xen-pv",
    .max_vcpus = 1,
    .probe = pv_probe,
    .vm_init = pv_vm_init,
    .vm_fini = pv_vm_fini,
    .vcpu_init = pv_vcpu_init,
    .vcpu_fini = pv_vcpu_fini,
    .run = pv_run,
    .step = pv_step,
    .kick = pv_kick,
    .get_state = pv_get_state,
    .set_state = pv_set_state,
    .load = pv_load,
    .info = pv_info,
};
