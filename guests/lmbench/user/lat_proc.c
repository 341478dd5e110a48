/* SPDX-License-Identifier: MIT */
/* Processes: born, become another program, end; and taking turns. lmbench's lat_proc and lat_ctx. */
#include "program.h"

enum { COUNT = 20 };

/* --- fork, exec, sh ------------------------------------------------------------------------------------- */

static void fork_exit(void)
{
    if (fork() == 0)
        exit(7);
    if (call0(SYS_wait) != 7)
        wrong("fork");
    answers += 7;
}

static void run(enum program which, int expected)
{
    static const char path[64] = "/bin/lmbench";
    if (fork() == 0)
        call2(SYS_exec, (unsigned)path, which);
    if (call0(SYS_wait) != expected)
        wrong("exec");
    answers += expected;
}

static void fork_exec(void) { run(HELLO, 42); }
static void fork_shell(void) { run(SHELL, 43); }

void measure_processes(void)
{
    report("fork", COUNT, cycles_of(fork_exit, COUNT), 0);
    report("exec", COUNT, cycles_of(fork_exec, COUNT), 0);
    report("sh", COUNT, cycles_of(fork_shell, COUNT), 0);
}

/* --- context switches: a token goes round a ring of processes, each of which works through its array ------------- */

enum { ROUNDS = 40, ADVANCE = 4, MOST = 16, WORDS = 16384 };
static unsigned array[WORDS], words, sums;
static unsigned link[MOST][2];

static void work(void)
{
    for (unsigned i = 0; i < words; i += 8)
        sums += array[i] + array[i + 1] + array[i + 2] + array[i + 3] + array[i + 4] + array[i + 5] + array[i + 6] + array[i + 7];
}

static unsigned pass(const unsigned from[2], const unsigned to[2])
{
    unsigned token = 0;
    call3(SYS_read, from[0], (unsigned)&token, sizeof token);
    work();
    token++;
    call3(SYS_write, to[1], (unsigned)&token, sizeof token);
    return token;
}

static void start_token(void)
{
    unsigned token = 0;
    call3(SYS_write, link[0][1], (unsigned)&token, sizeof token);
}

static void fill(unsigned with)
{
    for (unsigned i = 0; i < words; i++)
        array[i] = with;
}

/* One process and one pipe: all but the switches. */
static u64 overhead(void)
{
    start_token();
    for (unsigned i = 0; i < ADVANCE; i++)
        pass(link[0], link[0]);
    u64 start = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        pass(link[0], link[0]);
    u64 cycles = rdtsc() - start;
    unsigned token;
    call3(SYS_read, link[0][0], (unsigned)&token, sizeof token);
    answers += token;
    return cycles;
}

static void child(unsigned n, unsigned processes)
{
    fill(n);
    for (unsigned i = 0; i < ADVANCE + ROUNDS; i++)
        pass(link[n], link[(n + 1) % processes]);
    exit(sums == n * words * (ADVANCE + ROUNDS) ? 0 : 1);
}

/* The first rounds are in advance. */
static u64 rounds(unsigned processes)
{
    u64 start = 0;
    for (unsigned i = 0; i < ADVANCE + ROUNDS; i++) {
        if (i == ADVANCE)
            start = rdtsc();
        unsigned token = 0;
        call3(SYS_write, link[1 % processes][1], (unsigned)&i, sizeof i);
        call3(SYS_read, link[0][0], (unsigned)&token, sizeof token);
        work();
        answers += token;
    }
    return rdtsc() - start;
}

static void measure_switch(const char *name, unsigned processes, unsigned kilobytes)
{
    words = kilobytes * 256;
    sums = 0;
    fill(0);
    for (unsigned i = 0; i < processes; i++)
        call1(SYS_pipe, (unsigned)link[i]);
    u64 less = overhead();
    for (unsigned i = 1; i < processes; i++)
        if (fork() == 0)
            child(i, processes);
    u64 cycles = rounds(processes);
    for (unsigned i = 1; i < processes; i++)
        if (call0(SYS_wait))
            wrong("switch");
    for (unsigned i = 0; i < processes; i++) {
        call1(SYS_close, link[i][0]);
        call1(SYS_close, link[i][1]);
    }
    report(name, ROUNDS * processes, cycles, less * processes);
}

void measure_switches(void)
{
    measure_switch("2p/0K", 2, 0);
    measure_switch("2p/16K", 2, 16);
    measure_switch("2p/64K", 2, 64);
    measure_switch("8p/16K", 8, 16);
    measure_switch("8p/64K", 8, 64);
    measure_switch("16p/16K", 16, 16);
    measure_switch("16p/64K", 16, 64);
}
