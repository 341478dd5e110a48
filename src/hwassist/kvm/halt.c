/* SPDX-License-Identifier: MIT */
/*
 * A processor that has executed HLT. Since Linux 4.4 KVM does not give it up at once: its thread polls for a while, and if an interrupt
 * comes in that time, nobody has to be woken; the price is that the host's processor is busy meanwhile. How long it polls, it learns
 * (virt/kvm/kvm_main.c, kvm_vcpu_halt(); Documentation/virt/kvm/halt-polling.rst):
 *
 *     it was woken while it polled                       the window is right
 *     it slept, but not longer than the longest window   a wider one would have caught it: twice as wide, 10 us to begin with
 *     it slept longer                                    none would have: do not poll
 *
 * So who waits often and shortly (a ping-pong) polls, and who waits long (a ring of a thousand frames) does not. These are the
 * kernel's defaults: halt_poll_ns, halt_poll_ns_grow_start, halt_poll_ns_grow, and a halt_poll_ns_shrink of 0.
 */
#include "hwassist/kvm/kvm.h"

enum { LONGEST_NS = 200000, FIRST_NS = 10000, GROW = 2 };

static cycles_t cycles_of(const struct kvm_vcpu *k, u64 ns) { return clock_ns_to_cycles(k->cpu->clock, ns); }

static cycles_t grown(const struct kvm_vcpu *k, cycles_t window)
{
    cycles_t first = cycles_of(k, FIRST_NS), most = cycles_of(k, LONGEST_NS), wider = GROW * window;
    return wider < first ? first : wider < most ? wider : most;
}

static void adapt(struct kvm_vcpu *k, cycles_t waited)
{
    struct kvm_halt *h = &k->halt;
    cycles_t most = cycles_of(k, LONGEST_NS);
    if (!kvm_has(k, FEATURE_HALT_POLL) || waited <= h->window)
        return;
    if (waited > most)
        h->window = 0;
    else if (waited < most)
        h->window = grown(k, h->window);
}

void kvm_halt_begin(struct kvm_vcpu *k)
{
    struct kvm_halt *h = &k->halt;
    if (h->waits)
        return;
    h->waits = true;
    h->since = k->cpu->clock->now;
    h->until = h->since + h->window;
}

void kvm_halt_disturb(struct kvm_vcpu *k)
{
    struct kvm_halt *h = &k->halt;
    if (h->waits && k->cpu->clock->now < h->until)
        h->until = k->cpu->clock->now;
}

void kvm_halt_end(struct kvm_vcpu *k)
{
    struct kvm_halt *h = &k->halt;
    cycles_t now = k->cpu->clock->now;
    bool caught = h->window && now <= h->until;
    h->waits = false;
    k->cpu->ledger->polled += (caught ? now : h->until) - h->since;
    if (h->window)
        kvm_charge(k, caught ? EV_KVM_POLL_HIT : EV_KVM_POLL_MISS);
    if (!caught)
        kvm_charge(k, EV_KVM_WAKE);
    adapt(k, k->cpu->clock->now - h->since);
}

void kvm_halt_enter(struct kvm_vcpu *k)
{
    if (k->halt.owes_entry)
        ledger_add_cycles(k->cpu->ledger, EV_KVM_HLT, k->v->vm->profile.value[COMP_VMX_ENTRY]);
    k->halt.owes_entry = false;
}
