/* SPDX-License-Identifier: MIT */
/*
 * Entering the cache, and the host signals by which it is left in the middle of a unit.
 *
 * While translated code runs, RSP holds the guest's ESP, so every handler of this process must run on the alternate stack. A
 * signal of ours is one that finds RIP in the cache. Everything else goes
 * to the handler that stood there before: a real bug in the emulator is still reported as one.
 *
 * The handler may do real work (walk page tables, map pages): the faulting instruction is translated code, never the emulator's
 * own, so nothing of it is half done.
 */
#include <errno.h>
#include <immintrin.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "bt/emit.h"

#define ALTSTACK_SIZE (256 << 10)
static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
#define NSIGNALS ARRAY_LEN(signals)

/* A signal handler has no argument of its own, and handlers and signal stacks belong to process and thread, not to a VM: so this is
 * the one place with file-scope state. */
static __thread struct bt_vcpu *running;    /* set while this thread is in the cache */
static __thread u64 gs_base;                /* what the register holds: nobody else uses it on x86-64 */
static struct sigaction previous[NSIGNALS]; /* handlers that stood there before the first VM */
static unsigned users;
static __thread struct { void *memory; stack_t previous; unsigned users; } altstack;

/* --- registers of the interrupted code --- */

static greg_t *reg(ucontext_t *uc, int r) { return &uc->uc_mcontext.gregs[r]; }

/* Leave the cache: continue at the leave stub, with the guest's registers as they are. */
static void leave_at(struct bt_vcpu *v, ucontext_t *uc, enum leave why, u32 eip)
{
    v->context.leave = why;
    v->context.eip = eip;
    *reg(uc, REG_RIP) = (greg_t)(v->bt->exec + v->bt->leave);
}

/* Which guest instruction of the unit does this host address belong to? */
static unsigned insn_at(const struct unit *u, u32 host_offset)
{
    unsigned n = 0;
    while (n + 1 < u->ninsns && u->map[n + 1].host <= host_offset)
        n++;
    return n;
}

/* The unit charged all of its instructions at entry: give back those from the n-th on. */
static void refund(ucontext_t *uc, const struct unit *u, unsigned n)
{
    *reg(uc, REG_R14) += u->cycles - u->map[n].cycles;
    *reg(uc, REG_R11) -= u->ncounted > n ? u->ncounted - n : 0;
}

/* A string instruction was cut short: its registers hold host addresses, and iterations that were paid for are still to come. */
static void unconvert(struct bt_vcpu *v, ucontext_t *uc, const struct insn_map *map)
{
    if (map->window_regs & 1)
        *reg(uc, REG_RSI) = (u32)(*reg(uc, REG_RSI) - v->context.window);
    if (map->window_regs & 2)
        *reg(uc, REG_RDI) = (u32)(*reg(uc, REG_RDI) - v->context.window);
    if (map->repeats)
        *reg(uc, REG_R14) += *reg(uc, REG_RCX) * v->cpu->cost[COST_STRING];
}

static enum fill classify(struct bt_vcpu *v, u64 address, bool write)
{
    u64 offset = address - (u64)v->window->base;
    if (offset >> 32)
        return FILL_FAULT; /* wraps over 4 GiB: the interpreter knows how */
    return window_fill(v->bt, v->window, v->cpu, offset, write);
}

/* A fault inside translated code. True if it is dealt with, in one way or the other. */
static bool handle(struct bt_vcpu *v, int sig, siginfo_t *si, ucontext_t *uc)
{
    struct bt *b = v->bt;
    u64 rip = *reg(uc, REG_RIP);
    struct unit *u = cache_holds(b, rip) ? cache_unit_at(b, rip) : NULL;
    if (!u)
        return false;
    if (sig == SIGSEGV && view_fault(b, v->view, (u64)si->si_addr))
        return true;
    unsigned n = insn_at(u, rip - (u64)b->exec - u->host);
    u32 offset = rip - (u64)b->exec - u->host;
    if (sig == SIGSEGV && (u64)si->si_addr - (u64)b->guard < GUARD_SIZE) { /* the head's, or one that stands for a callout */
        bool deadline = offset < u->map[0].host;
        refund(uc, u, n);
        v->mnemonic = u->map[n].mnemonic;
        leave_at(v, uc, deadline ? LEAVE_DEADLINE : LEAVE_GUARD, u->eip + u->map[n].guest);
        return true;
    }
    v->fault = FILL_FAULT;
    v->page_fault = sig == SIGSEGV;
    if (v->page_fault) {
        v->fault = classify(v, (u64)si->si_addr, *reg(uc, REG_ERR) & 2);
        if (v->fault == FILL_OK) {
            v->policy->hidden_fault(v);
            return true; /* try again */
        }
    }
    if (u->map[n].window_regs && offset == u->map[n].window_at)
        unconvert(v, uc, &u->map[n]);
    refund(uc, u, n);
    v->mnemonic = u->map[n].mnemonic;
    leave_at(v, uc, LEAVE_FAULT, u->eip + u->map[n].guest);
    return true;
}

static void on_signal(int sig, siginfo_t *si, void *context)
{
    struct bt_vcpu *v = running;
    int saved_errno = errno;
    if (v) {
        running = NULL; /* a fault in here is a bug of ours */
        bool done = handle(v, sig, si, context);
        running = v;
        errno = saved_errno;
        if (done)
            return;
    }
    for (unsigned i = 0; i < NSIGNALS; i++) {
        if (signals[i] != sig)
            continue;
        if (previous[i].sa_flags & SA_SIGINFO) {
            previous[i].sa_sigaction(sig, si, context);
        } else if (previous[i].sa_handler != SIG_DFL && previous[i].sa_handler != SIG_IGN) {
            previous[i].sa_handler(sig);
        } else {
            signal(sig, SIG_DFL); /* the instruction faults again, and the default happens */
        }
    }
}

static int altstack_get(struct error *err)
{
    if (altstack.users++)
        return 0;
    altstack.memory = malloc(ALTSTACK_SIZE);
    stack_t ss = { .ss_sp = altstack.memory, .ss_size = ALTSTACK_SIZE };
    if (altstack.memory && sigaltstack(&ss, &altstack.previous) == 0)
        return 0;
    altstack.users = 0;
    free(altstack.memory);
    return error_set(err, "bt: no signal stack: %s", strerror(errno));
}

static void altstack_put(void)
{
    if (--altstack.users)
        return;
    sigaltstack(&altstack.previous, NULL);
    free(altstack.memory);
}

int fault_init(struct error *err)
{
    if (!(getauxval(AT_HWCAP2) & 2)) /* HWCAP2_FSGSBASE */
        return error_set(err, "bt: this host has no WRGSBASE (Linux 5.9 on a processor of 2013 or later has); use --engine=bare");
    if (altstack_get(err) < 0)
        return -1;
    if (users++ == 0) {
        struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
        for (unsigned i = 0; i < NSIGNALS; i++)
            sigaction(signals[i], &sa, &previous[i]);
    }
    return 0;
}

void fault_fini(void)
{
    if (--users == 0)
        for (unsigned i = 0; i < NSIGNALS; i++)
            sigaction(signals[i], &previous[i], NULL);
    altstack_put();
}

__attribute__((target("fsgsbase"))) void fault_enter(struct bt_vcpu *v)
{
    void (*enter)(struct context *) = (void (*)(struct context *))(v->bt->exec + v->bt->enter);
    if (gs_base != (u64)v->window->base)
        _writegsbase_u64(gs_base = (u64)v->window->base);
    running = v;
    __asm__ volatile("" ::: "memory");
    enter(&v->context);
    __asm__ volatile("" ::: "memory");
    running = NULL;
}
