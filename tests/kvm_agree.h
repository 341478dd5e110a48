/* SPDX-License-Identifier: MIT */
/* One guest on the model and on the host's KVM: the exits that it makes, in order, and the state in which it ends. */
#ifndef EMU_TESTS_KVM_AGREE_H
#define EMU_TESTS_KVM_AGREE_H

#include "kvm_host.h"

/* --- what happened: a letter for each exit: I a port, M a device in memory, H HLT; CPUID is only counted --- */

static struct sequence { struct ledger_observer observer; u64 n, cpuids; char letter[60000]; } seen[2];

static const char letter_of[EV_COUNT] = {
    [EV_KVMHOST_IO] = 'I', [EV_KVMHOST_MMIO] = 'M', [EV_KVMHOST_HLT] = 'H',
    [EV_KVM_IO_USER] = 'I', [EV_KVM_IO_KERNEL] = 'I', [EV_KVM_MMIO] = 'M', [EV_KVM_HLT] = 'H', [EV_KVM_CPUID] = 'C',
};

static inline void on_event(struct ledger_observer *o, const struct ledger *l, enum event e, u64 n, cycles_t cycles)
{
    struct sequence *s = (struct sequence *)o;
    char c = letter_of[e];
    s->cpuids += c == 'C' ? n : 0;
    for (u64 i = 0; i < n && c && c != 'C' && s->n + 1 < sizeof s->letter; i++)
        s->letter[s->n++] = c;
}

static inline void listen(struct sequence *s, struct vm_config *c)
{
    memset(s, 0, sizeof *s);
    s->observer.event = on_event;
    c->observer = &s->observer;
}

/* --- two machines; [0] is the model --- */

struct both { struct vm *vm[2]; struct recorder log[2]; };

/* Each gets the recorder at MMIO_AT too, and what `prepare` does. False: there is no such machine. */
static inline bool run_both(struct both *b, const char *name, const u8 *label, const char *cpu_model, void (*prepare)(struct vm *vm))
{
    for (int host = 0; host < 2; host++) {
        struct vm_config c = config_of(host ? "host" : "model");
        c.cpu_model = cpu_model;
        listen(&seen[host], &c);
        check_context("%s on %s", name, host ? "host" : "model");
        b->vm[host] = make_of(&c, label);
        if (!b->vm[host])
            return false;
        add_mmio(b->vm[host]);
        if (prepare)
            prepare(b->vm[host]);
        run_to_hlt(b->vm[host]);
        b->log[host] = rec;
    }
    check_context("%s", name);
    return true;
}

static inline void free_both(struct both *b)
{
    vm_free(b->vm[0]);
    vm_free(b->vm[1]);
}

static inline void same_state(const struct cpu_state *a, const struct cpu_state *b)
{
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(b->gpr[i], a->gpr[i]);
    CHECK_EQ(b->rip, a->rip);
    CHECK_EQ(b->rflags & ~(u64)FLAG_RF, a->rflags & ~(u64)FLAG_RF);
    CHECK_EQ(b->cr0, a->cr0);
    CHECK_EQ(b->cr2, a->cr2);
    CHECK_EQ(b->cr3, a->cr3);
    CHECK_EQ(b->cr4, a->cr4);
    CHECK_EQ(b->efer, a->efer);
    for (unsigned i = 0; i < SREG_COUNT; i++) {
        CHECK_EQ(b->seg[i].selector, a->seg[i].selector);
        CHECK_EQ(b->seg[i].base, a->seg[i].base);
        CHECK_EQ(b->seg[i].limit, a->seg[i].limit);
    }
    CHECK(memcmp(b->fpu.xmm, a->fpu.xmm, sizeof a->fpu.xmm) == 0);
}

/* The device's accesses, the processor, and the page of data. */
static inline void same_end(struct both *b)
{
    struct cpu_state end[2];
    CHECK_STR(b->log[1].log, b->log[0].log);
    CHECK_EQ(b->log[1].writes, b->log[0].writes);
    for (int host = 0; host < 2; host++)
        b->vm[host]->engine->get_state(b->vm[host]->vcpu[0], &end[host]);
    same_state(&end[0], &end[1]);
    for (gpa_t gpa = DATA_AT; gpa < DATA_AT + PAGE_SIZE; gpa += 8)
        CHECK_EQ(physmap_load(&b->vm[1]->map, gpa, 8), physmap_load(&b->vm[0]->map, gpa, 8));
}

#endif
