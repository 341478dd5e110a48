/* SPDX-License-Identifier: MIT */
/* What the measurements of guests share: a process whose lines are read, and the time that it has taken when one comes. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_RUNS 15

struct instant { double wall, cpu; };   /* seconds */
struct samples { unsigned n; struct instant at[MAX_RUNS]; };

struct process {
    pid_t pid;
    FILE *lines;
    clockid_t cpu;
    struct instant started;
};

static inline double seconds(clockid_t clock)
{
    struct timespec t = { 0, 0 };
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static inline struct instant now(const struct process *p) { return (struct instant){ seconds(CLOCK_MONOTONIC), seconds(p->cpu) }; }

static inline void become(char *const argv[], int out)
{
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, 0);
    dup2(out, 1);
    dup2(nothing, 2);
    execvp(argv[0], argv);
    _exit(127);
}

static inline bool start(struct process *p, char *const argv[])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return false;
    p->started.wall = seconds(CLOCK_MONOTONIC);
    p->started.cpu = 0;
    p->pid = fork();
    if (!p->pid)
        become(argv, ends[1]);
    close(ends[1]);
    p->lines = fdopen(ends[0], "r");
    clock_getcpuclockid(p->pid, &p->cpu);
    return true;
}

/* Its exit status. It goes by itself: the guest turns its machine off. */
static inline int finish(struct process *p)
{
    int status;
    fclose(p->lines);
    waitpid(p->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Run it, and take the times between its lines "@begin NAME" and "@end NAME RESULT": name_of(n) is the name of row[n], NULL behind the last. What went
 * wrong is counted: a result or an exit status that is not 0. */
static inline unsigned measure_rows(const char *who, char *const argv[], const char *(*name_of)(unsigned n), struct samples *row)
{
    struct process p;
    char line[512], name[32];
    int result;
    unsigned failed = 0, n;
    if (!start(&p, argv))
        return 1;
    struct instant begin = p.started;
    while (fgets(line, sizeof line, p.lines)) {
        if (sscanf(line, "@begin %31s", name) == 1)
            begin = now(&p);
        if (sscanf(line, "@end %31s %d", name, &result) != 2)
            continue;
        struct instant end = now(&p);
        for (n = 0; name_of(n) && strcmp(name_of(n), name); n++)
            ;
        if (!name_of(n))
            continue;
        failed += result != 0;
        if (row[n].n < MAX_RUNS)
            row[n].at[row[n].n++] = (struct instant){ end.wall - begin.wall, end.cpu - begin.cpu };
    }
    int status = finish(&p);
    if (status)
        fprintf(stderr, "  %s: ended with status %d\n", who, status);
    return failed + (status != 0);
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median seconds of a row, by the process's own time or by the host's clock; 0 if there is none. */
static inline double median(const struct samples *s, bool wall)
{
    double v[MAX_RUNS];
    for (unsigned i = 0; i < s->n; i++)
        v[i] = wall ? s->at[i].wall : s->at[i].cpu;
    qsort(v, s->n, sizeof *v, by_value);
    return s->n ? v[s->n / 2] : 0;
}

/* One bar: 1 if it is missed. Nothing was measured: nothing is said. */
static inline int bar(const char *what, const char *detail, double value, bool at_most, double limit, double reach)
{
    if (value <= 0)
        return 0;
    bool met = at_most ? value <= limit : value >= limit;
    printf("  %-52s %7.2f %-10s bar %s %g, reach for %g  %s\n", what, value, detail, at_most ? "<=" : ">=", limit, reach, met ? "ok" : "MISSED");
    return !met;
}

#endif
