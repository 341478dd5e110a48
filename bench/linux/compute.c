/* SPDX-License-Identifier: MIT */
/*
 * The compute set: a static 32-bit Linux program without a library, so that the very same file runs natively on the host, in a Linux guest
 * under emu, and in one under any other emulator. Each part prints its milliseconds by the monotonic clock:
 *
 *     @compute sieve 31
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

/* --- the kernel's side: three system calls --- */

static u32 syscall3(u32 nr, u32 a, u32 b, u32 c)
{
    u32 r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return r;
}
#define SYS_EXIT 1
#define SYS_WRITE 4
#define SYS_CLOCK_GETTIME 265
#define CLOCK_MONOTONIC 1

static u32 microseconds(void)
{
    u32 t[2];
    syscall3(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (u32)t, 0);
    return t[0] * 1000000u + t[1] / 1000u;
}

static u32 append(char *line, u32 at, const char *s)
{
    while (*s)
        line[at++] = *s++;
    return at;
}

static u32 append_number(char *line, u32 at, u32 n, u32 digits)
{
    char text[12];
    u32 len = 0;
    do
        text[len++] = '0' + n % 10;
    while ((n /= 10) || len < digits);
    while (len)
        line[at++] = text[--len];
    return at;
}

/* gcc may make calls of these out of loops */
void *memset(void *d, int c, u32 n)
{
    for (u8 *p = d; n; n--)
        *p++ = c;
    return d;
}
void *memcpy(void *d, const void *s, u32 n)
{
    for (u8 *p = d; n; n--)
        *p++ = *(const u8 *)s, s = (const u8 *)s + 1;
    return d;
}

/* --- the parts; each returns something that depends on all of its work --- */

static u8 composite[1 << 20];
static u32 sieve(void)
{
    u32 count = 0;
    for (u32 round = 0; round < 8; round++) {
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
    for (u32 round = 0; round < 4; round++)
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
    for (u32 round = 0; round < 24; round++)
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
    for (u32 i = 0; i < (4 << 20) + 1; i++)
        at = chain[at];
    return at;
}

static __attribute__((noinline)) u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static u32 recursion(void) { return fib(32); }

static u32 x87(void)
{
    double sum = 0;
    for (u32 i = 1; i < 3000000; i++)
        sum += 1.0 / i;
    return (u32)(s32)(sum * 1000);
}

static const struct { const char *name; u32 (*run)(void); } parts[] = {
    { "sieve", sieve }, { "matrix", matrix }, { "qsort", sort }, { "crc32", crc32 }, { "chase", chase }, { "fib", recursion }, { "x87", x87 },
};

void _start(void)
{
    for (u32 p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        char line[80];
        u32 before = microseconds(), result = parts[p].run(), us = microseconds() - before;
        u32 len = append(line, 0, "@compute ");
        len = append(line, len, parts[p].name);
        len = append(line, len, " ");
        len = append_number(line, len, us / 1000, 1);
        len = append(line, len, ".");
        len = append_number(line, len, us % 1000, 3);
        len = append(line, len, " ms, result ");
        len = append_number(line, len, result, 1);
        len = append(line, len, "\n");
        syscall3(SYS_WRITE, 1, (u32)line, len);
    }
    syscall3(SYS_EXIT, 0, 0, 0);
}
