/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <CUnit/TestRun.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char context[512], skip_reason[512], failure[1024];
static unsigned failures_in_test;
static uint64_t seed;

static void on_failure(const char *text, const char *file, unsigned line)
{
    if (failures_in_test++ < 10)
        fprintf(stderr, "    %s:%u: %s%s%s\n", file, line, text, *context ? "   in: " : "", context);
    CU_assertImplementation(CU_FALSE, line, text, file, "", CU_FALSE);
}

bool check_true(bool ok, const char *what, const char *file, unsigned line)
{
    if (ok)
        CU_assertImplementation(CU_TRUE, line, what, file, "", CU_FALSE);
    else
        on_failure(what, file, line);
    return ok;
}

bool check_eq(uint64_t a, uint64_t b, const char *what, const char *file, unsigned line)
{
    snprintf(failure, sizeof failure, "%s (0x%llx, 0x%llx)", what, (unsigned long long)a, (unsigned long long)b);
    return check_true(a == b, failure, file, line);
}

bool check_str(const char *a, const char *b, const char *what, const char *file, unsigned line)
{
    snprintf(failure, sizeof failure, "%s (\"%s\", \"%s\")", what, a ? a : "(null)", b ? b : "(null)");
    return check_true(a && b && strcmp(a, b) == 0, failure, file, line);
}

bool check_contains(const char *text, const char *part, const char *file, unsigned line)
{
    snprintf(failure, sizeof failure, "\"%s\" contains \"%s\"", text ? text : "(null)", part);
    return check_true(text && strstr(text, part), failure, file, line);
}

void check_fail(const char *file, unsigned line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(failure, sizeof failure, fmt, ap);
    va_end(ap);
    on_failure(failure, file, line);
}

void check_skip(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(skip_reason, sizeof skip_reason, fmt, ap);
    va_end(ap);
}

void check_context(const char *fmt, ...)
{
    va_list ap;
    *context = 0;
    if (!fmt)
        return;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
}

uint64_t check_seed(void)
{
    if (!seed) {
        const char *s = getenv("EMU_SEED");
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        seed = s ? strtoull(s, NULL, 0) : (uint64_t)now.tv_sec * 1000000007u ^ now.tv_nsec;
        seed += !seed;
    }
    return seed;
}

uint64_t check_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

uint64_t check_rounds(uint64_t smoke)
{
    const char *times = getenv("EMU_FUZZ_TIMES");
    return smoke * (times ? strtoull(times, NULL, 0) : getenv("EMU_SOAK") ? 100 : 1);
}

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (fnmatch(argv[i], name, 0) == 0)
            return true;
    return argc <= 1;
}

int check_main(int argc, char **argv, const char *suite_name, const struct check *tests)
{
    unsigned passed = 0, failed = 0, skipped = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (const struct check *t = tests; t->name; t++) {
        if (!wanted(argc, argv, t->name))
            continue;
        *skip_reason = *context = 0;
        failures_in_test = 0;
        CU_pTest test = CU_add_test(suite, t->name, t->run);
        CU_run_test(suite, test);
        if (failures_in_test) {
            failed++;
            printf("  FAIL %s/%s%s", suite_name, t->name, seed ? "" : "\n");
            if (seed)
                printf("   (replay with EMU_SEED=%llu)\n", (unsigned long long)seed);
        } else if (*skip_reason) {
            skipped++;
            printf("  SKIP %s/%s: %s\n", suite_name, t->name, skip_reason);
        } else {
            passed++;
            printf("  ok   %s/%s\n", suite_name, t->name);
        }
    }
    CU_cleanup_registry();
    printf("%s: %u passed, %u failed, %u skipped\n", suite_name, passed, failed, skipped);
    return failed != 0;
}
