/* SPDX-License-Identifier: MIT */
/* The compute set: user code that makes no system calls, one kind of it a part. */
#include "program.h"

static u8 composite[1 << 20];
static u32 sieve(void)
{
    u32 count = 0;
    for (u32 round = 0; round < 24; round++) {
        memset(composite, 0, sizeof composite);
        for (u32 i = 2; i < sizeof composite; i++) {
            if (composite[i])
                continue;
            count++;
            for (u32 j = i * 2; j < sizeof composite; j += i)
                composite[j] = 1;
        }
    }
    return count;
}

#define N 224
static s32 a[N][N], b[N][N], c[N][N];
static u32 matrix(void)
{
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++)
            a[i][j] = i ^ j, b[i][j] = i * 3 + j;
    for (u32 round = 0; round < 8; round++)
        for (u32 i = 0; i < N; i++)
            for (u32 j = 0; j < N; j++) {
                s32 sum = 0;
                for (u32 k = 0; k < N; k++)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum + round;
            }
    return c[17][33];
}

static u32 seed = 12345;
static u32 next_random(void) { return seed = seed * 1664525u + 1013904223u; }

static u32 items[1 << 19];
static int compare(const u32 *x, const u32 *y) { return *x < *y ? -1 : *x > *y; }
static int (*volatile comparator)(const u32 *, const u32 *) = compare;

static void quicksort(u32 *v, s32 lo, s32 hi)
{
    while (lo < hi) {
        u32 pivot = v[(lo + hi) / 2];
        s32 i = lo, j = hi;
        while (i <= j) {
            while (comparator(&v[i], &pivot) < 0)
                i++;
            while (comparator(&v[j], &pivot) > 0)
                j--;
            if (i <= j) {
                u32 t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        quicksort(v, lo, j);
        lo = i;
    }
}
static u32 sort(void)
{
    for (u32 i = 0; i < 1 << 19; i++)
        items[i] = next_random();
    quicksort(items, 0, (1 << 19) - 1);
    return items[1000];
}

static u32 crc_table[256];
static u32 crc32(void)
{
    u32 crc = ~0u;
    for (u32 i = 0; i < 256; i++) {
        u32 r = i;
        for (u32 k = 0; k < 8; k++)
            r = r >> 1 ^ (r & 1 ? 0xedb88320u : 0);
        crc_table[i] = r;
    }
    for (u32 round = 0; round < 36; round++)
        for (u32 i = 0; i < sizeof composite; i++)
            crc = crc >> 8 ^ crc_table[(crc ^ composite[i]) & 255];
    return crc;
}

#define LINKS (1 << 18)
static u32 chain[LINKS];
static u32 chase(void)
{
    u32 at = 0;
    for (u32 i = 0; i < LINKS; i++)
        chain[i] = i;
    for (u32 i = LINKS - 1; i; i--) { /* Sattolo: one cycle through all */
        u32 j = next_random() % i, t = chain[i];
        chain[i] = chain[j];
        chain[j] = t;
    }
    for (u32 i = 0; i < (8 << 20) + 1; i++)
        at = chain[at];
    return at;
}

static __attribute__((noinline)) u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static u32 recursion(void) { return fib(37); }

static u32 x87(void)
{
    double sum = 0;
    for (u32 i = 1; i < 20000000; i++)
        sum += 1.0 / i;
    return (u32)(s32)(sum * 1000);
}

const struct part parts[] = {
    { "sieve", sieve }, { "matrix", matrix }, { "qsort", sort }, { "crc32", crc32 }, { "chase", chase }, { "fib", recursion }, { "x87", x87 }, { 0 },
};
