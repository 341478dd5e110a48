/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The one exception to "no file-scope state": a signal handler gets no argument of ours. */
static struct vm *volatile watched;

static void on_stop(int signal)
{
    if (watched)
        vm_interrupt(watched, signal);
    else
        _exit(128 + signal);
}

static void put(const char *text, int len)
{
    if (write(STDERR_FILENO, text, len) < 0)
        _exit(STATUS_BUG);
}

/* Not all of this is async-signal-safe; the process is lost already, and whatever still gets out helps. */
static void report_vm(struct vm *vm)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "engine %s, %llu virtual cycles; last exits:", vm->engine->name, (unsigned long long)vm->clock.now);
    for (u64 i = vm->exits_total > VM_RECENT_EXITS ? vm->exits_total - VM_RECENT_EXITS : 0; i < vm->exits_total; i++)
        n += snprintf(text + n, sizeof text - n, " %s", exit_rows[vm->recent_exit[i % VM_RECENT_EXITS].kind].name);
    n += snprintf(text + n, sizeof text - n, "\n");
    if (vm->nvcpus)
        n += state_format(&vm_current(vm)->cpu.state, text + n, sizeof text - n);
    put(text, n < (int)sizeof text ? n : (int)sizeof text - 1);
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    static const char ask[] = "\nPlease report this, with the command line and the guest.\n";
    char text[160];
    int n = snprintf(text, sizeof text, "\nemu: a bug in emu itself: %s at %p\n", sigabbrev_np(signal), info->si_addr);
    put(text, n);
    if (watched)
        report_vm(watched);
    put(ask, sizeof ask - 1);
    _exit(STATUS_BUG);
}

static void install_stop(void)
{
    struct sigaction a = { .sa_handler = on_stop, .sa_flags = SA_ONSTACK }; /* the guest's stack pointer may be in RSP just then */
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGPIPE, &a, NULL); /* nobody reads any more; a terminal is to get its mode back all the same */
    if (signal(SIGHUP, SIG_IGN) != SIG_IGN) /* nohup's wish */
        sigaction(SIGHUP, &a, NULL);
}

/* On a stack of its own: a crash may be an overflow of the other. One crash in the report itself ends it (SA_RESETHAND). */
static void install_crash(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
    static _Alignas(64) char stack[65536];
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction a = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND };
    sigaltstack(&alternate, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &a, NULL);
}

void signals_install(void)
{
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of that write */
    install_stop();
    install_crash();
}

void signals_watch(struct vm *vm) { watched = vm; }
