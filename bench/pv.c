/* SPDX-License-Identifier: MIT */
/*
 * Speed of a paravirtual guest's own work: guests/sieve on bare, bt and pv, one after the other and again, in processor time. Translated code is the
 * same on all three, so a paravirtual guest may not be slower; the bar leaves room for noise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bt/bt.h"
#include "cli/report/compare.h"

enum { RUNS = 5 };
#define BAR 1.15 /* times the bare machine's time */

static const char *const engines[] = { "bare", "bt", "pv" };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of this process on a processor: other work on the machine does not count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Seconds; 0: it did not run. */
static double run(const char *engine, u64 *instructions)
{
    static struct column c;
    struct vm_config config;
    struct error why;
    if (column_parse(&c, engine, &why))
        return 0;
    vm_config_defaults(&config);
    config.accel = &bt_accel;
    double start = now();
    column_run(&c, "guests/sieve", &config);
    *instructions = c.ledger.guest_insns;
    return c.ran && !*c.note ? now() - start : 0;
}

int main(void)
{
    double seconds[ARRAY_LEN(engines)][RUNS];
    u64 instructions[ARRAY_LEN(engines)] = { 0 };
    for (int n = 0; n < RUNS; n++)
        for (unsigned e = 0; e < ARRAY_LEN(engines); e++)
            seconds[e][n] = run(engines[e], &instructions[e]);
    for (unsigned e = 0; e < ARRAY_LEN(engines); e++) {
        qsort(seconds[e], RUNS, sizeof seconds[e][0], by_value);
        printf("sieve %-5s %6.3f s (%.3f to %.3f, %d runs), %.0f MIPS\n", engines[e], seconds[e][RUNS / 2], seconds[e][0], seconds[e][RUNS - 1], RUNS,
               instructions[e] / seconds[e][RUNS / 2] / 1e6);
    }
    double ratio = seconds[2][0] / seconds[0][0]; /* of the best runs: what else runs on the host only adds */
    bool ok = seconds[0][0] > 0 && seconds[2][0] > 0 && ratio <= BAR;
    printf("sieve pv is %.2f of bare, bar %.2f: %s\n", ratio, BAR, ok ? "ok" : "ABOVE");
    return !ok;
}
