/* SPDX-License-Identifier: MIT */
/*
 * A thin layer over CUnit: a test program is one array of tests and one call of check_main().
 *
 *     static void test_add(void) { CHECK_EQ(1 + 1, 2); }
 *     int main(int argc, char **argv)
 *     {
 *         static const struct check tests[] = { { "add", test_add }, { NULL, NULL } };
 *         return check_main(argc, argv, "arithmetic", tests);
 *     }
 *
 * Arguments: shell patterns of the tests to run. Last line: "arithmetic: N passed, N failed, N skipped".
 */
#ifndef EMU_TESTS_CHECK_H
#define EMU_TESTS_CHECK_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdint.h>

struct check {
    const char *name;
    void (*run)(void);
};
int check_main(int argc, char **argv, const char *suite, const struct check *tests);

/* The test cannot run here: say why and return from it. Not for what ought to work. */
#define SKIP(...) do { check_skip(__VA_ARGS__); return; } while (0)
void check_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Context that is printed with a failure until it is replaced; NULL clears it. */
void check_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(cond) check_true((cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ(a, b) check_eq((uint64_t)(a), (uint64_t)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_STR(a, b) check_str((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) check_contains((text), (part), __FILE__, __LINE__)
#define FAIL(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
/* Each returns whether it held, so that a test may stop early: if (!CHECK(x)) return; */
bool check_true(bool ok, const char *what, const char *file, unsigned line);
bool check_eq(uint64_t a, uint64_t b, const char *what, const char *file, unsigned line);
bool check_str(const char *a, const char *b, const char *what, const char *file, unsigned line);
bool check_contains(const char *text, const char *part, const char *file, unsigned line);
void check_fail(const char *file, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A random source whose seed is printed with failures; EMU_SEED in the environment replays one. */
uint64_t check_seed(void);
uint64_t check_random(uint64_t *state); /* xorshift64*; *state must not be 0 */

/* How long a target of nonsense goes on: `smoke` rounds, a hundred times that under EMU_SOAK; EMU_FUZZ_TIMES in the environment says how many times. */
uint64_t check_rounds(uint64_t smoke);

#endif
