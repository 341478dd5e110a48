/* SPDX-License-Identifier: MIT */
/*
 * Speed under Linux, against the bars: the same 32-bit programs natively, in a Linux guest of `emu --engine=bt`, and in the same
 * guest of QEMU's TCG, if that is installed. All in one sitting and by the same clocks: the host's time and the processor time of
 * the whole process, taken when a line of the guest that begins or ends a part arrives on its serial line. Medians of RUNS runs.
 *
 * EMU_BENCH_RUNS=N in the environment sets RUNS; EMU_BENCH_LINUX=native,emu,qemu chooses.
 */
#include <math.h>
#include <string.h>

#include "process.h"

#define KERNEL "guests/real/linux32"
#define INITRD "build/linux/bench-initrd"
#define APPEND "console=ttyS0 run=compute run=switching"

/* --- what is measured --- */

enum who { NATIVE, EMU, QEMU, WHO_COUNT };
static const char *const who_names[WHO_COUNT] = { "native", "emu", "qemu" };

enum kind { BOOT, COMPUTE, SWITCHING };
static const struct { const char *name; enum kind kind; } rows[] = {
    { "boot", BOOT },
    { "sieve", COMPUTE }, { "matrix", COMPUTE }, { "qsort", COMPUTE }, { "crc32", COMPUTE }, { "chase", COMPUTE }, { "fib", COMPUTE }, { "x87", COMPUTE },
    { "forkexec", SWITCHING }, { "pipe", SWITCHING }, { "getpid", SWITCHING }, { "mmap", SWITCHING },
};
#define ROWS ARRAY_LEN(rows)

struct measurement {
    struct samples row[WHO_COUNT][ROWS];
    char result[ROWS][40];              /* what the parts returned, the same for everyone */
    unsigned differing;                 /* results that were not */
    long memory_kib[WHO_COUNT];         /* most memory of its own at the end of a part: without files and guest memory */
    unsigned runs;
    bool has[WHO_COUNT];
};

/* Memory of the process itself: anonymous pages and page tables. Guest memory is a shared file (emu), or counted by its size (QEMU). */
static long own_memory_kib(pid_t pid)
{
    char path[40], line[128];
    long sum = 0, kib;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
            sum += kib;
    if (f)
        fclose(f);
    return sum;
}

/* --- one run --- */

static int row_by_name(const char *name)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return -1;
}

static void note_result(struct measurement *m, int row, const char *result)
{
    bool host_differs = strcmp(rows[row].name, "forkexec") == 0; /* /bin/busybox need not be there natively */
    if (!m->result[row][0])
        snprintf(m->result[row], sizeof m->result[row], "%s", result);
    else if (strcmp(m->result[row], result) && !host_differs)
        m->differing++;
}

static void note_end(struct measurement *m, enum who who, const struct process *p, int row, struct instant begin)
{
    struct samples *s = &m->row[who][row];
    struct instant t = now(p);
    long memory = own_memory_kib(p->pid);
    if (memory > m->memory_kib[who])
        m->memory_kib[who] = memory;
    if (s->n < MAX_RUNS)
        s->at[s->n++] = (struct instant){ t.wall - begin.wall, t.cpu - begin.cpu };
}

static void run(struct measurement *m, enum who who, char *const argv[])
{
    struct process p;
    char line[512], name[32], result[40];
    if (!start(&p, argv))
        return;
    struct instant begin = p.started;
    while (fgets(line, sizeof line, p.lines)) {
        char *mark = strchr(line, '@');
        if (!mark)
            continue;
        if (sscanf(mark, "@begin %31s", name) == 1)
            begin = now(&p);
        else if (sscanf(mark, "@end %31s %39s", name, result) == 2 && row_by_name(name) >= 0) {
            note_end(m, who, &p, row_by_name(name), begin);
            note_result(m, row_by_name(name), result);
        }
    }
    int status = finish(&p);
    if (status)
        fprintf(stderr, "  %s: ended with status %d\n", who_names[who], status);
}

#define MACHINE "-m", "256", "-kernel", KERNEL, "-initrd", INITRD, "-append", APPEND, "-no-reboot"

static void run_native(struct measurement *m)
{
    run(m, NATIVE, (char *[]){ "build/linux/compute", NULL });
}
static void run_emu(struct measurement *m)
{
    run(m, EMU, (char *[]){ "./emu", "--engine=bt", MACHINE, "-nographic", NULL });
}
static void run_qemu(struct measurement *m)
{
    run(m, QEMU, (char *[]){ "qemu-system-i386", "-accel", "tcg", MACHINE, "-display", "none", "-serial", "stdio", "-monitor", "none", NULL });
}
static void (*const runners[WHO_COUNT])(struct measurement *m) = { run_native, run_emu, run_qemu };

/* --- what came out --- */

/* a's time over b's in a row; 0 if one is missing. */
static double ratio(const struct measurement *m, enum who a, enum who b, unsigned row, bool wall)
{
    double x = median(&m->row[a][row], wall), y = median(&m->row[b][row], wall);
    return x > 0 && y > 0 ? x / y : 0;
}

struct summary { unsigned n; double geomean, worst; const char *worst_name; };

/* Over the rows of a kind. */
static struct summary summarize(const struct measurement *m, enum who a, enum who b, enum kind kind)
{
    struct summary s = { .worst_name = "-" };
    double logs = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        double r = rows[i].kind == kind ? ratio(m, a, b, i, false) : 0;
        if (r <= 0)
            continue;
        s.n++;
        logs += log(r);
        if (r > s.worst)
            s.worst = r, s.worst_name = rows[i].name;
    }
    s.geomean = s.n ? exp(logs / s.n) : 0;
    return s;
}

static void print_cell(const char *format, int width, double value)
{
    if (value > 0)
        printf(format, width, value);
    else
        printf("%*s", width, "-");
}

static void print_rows(const struct measurement *m)
{
    printf("%-10s%12s%12s%12s%14s%14s\n", "", "native", "emu bt", "QEMU TCG", "emu/native", "QEMU/emu");
    for (unsigned i = 0; i < ROWS; i++) {
        printf("%-10s", rows[i].name);
        for (unsigned w = 0; w < WHO_COUNT; w++)
            print_cell("%*.1f", 12, 1e3 * median(&m->row[w][i], false));
        print_cell("%*.2f", 14, ratio(m, EMU, NATIVE, i, false));
        print_cell("%*.2f", 14, ratio(m, QEMU, EMU, i, false));
        puts("");
    }
}

static int print_bars(const struct measurement *m)
{
    int missed = 0;
    struct summary native = summarize(m, EMU, NATIVE, COMPUTE), qemu = summarize(m, QEMU, EMU, COMPUTE);
    puts("bars (ratios of processor time; power-on also by the host's clock):");
    missed += bar("compute set against native, geometric mean", "", native.geomean, true, 1.5, 1.15);
    missed += bar("worst part against native", native.worst_name, native.worst, true, 3, 1.5);
    missed += bar("compute set, times faster than QEMU TCG", "", qemu.geomean, false, 4, 8);
    missed += bar("power-on to user programs against QEMU, processor", "", ratio(m, EMU, QEMU, 0, false), true, 0.5, 0.25);
    missed += bar("power-on to user programs against QEMU, wall", "", ratio(m, EMU, QEMU, 0, true), true, 0.5, 0.25);
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].kind == SWITCHING)
            missed += bar("switching, times faster than QEMU TCG", rows[i].name, ratio(m, QEMU, EMU, i, false), false, 1, 2);
    missed += bar("host memory beyond guest RAM, MiB", "", m->memory_kib[EMU] / 1024.0, true, 128, 128);
    return missed;
}

/* --- set-up --- */

static bool wanted(enum who who)
{
    const char *list = getenv("EMU_BENCH_LINUX");
    if (list && !strstr(list, who_names[who]))
        return false;
    if (who != QEMU || system("command -v qemu-system-i386 >/dev/null 2>&1") == 0)
        return true;
    puts("QEMU is not installed (package qemu-system-x86): nothing is compared with it");
    return false;
}

static bool prepare(void)
{
    if (system("tools/fetch-guests linux32 busybox32 && tools/make-initramfs " INITRD
               " bin/compute=build/linux/compute bin/switching=build/linux/switching") == 0)
        return true;
    puts("bench linux: the guest cannot be had (tools/fetch-guests linux32 busybox32): nothing is measured");
    return false;
}

int main(void)
{
    static struct measurement m;
    const char *runs = getenv("EMU_BENCH_RUNS");
    m.runs = runs ? atoi(runs) : 3;
    if (m.runs < 1 || m.runs > MAX_RUNS)
        m.runs = 3;
    if (!prepare())
        return 0;
    for (unsigned w = 0; w < WHO_COUNT; w++)
        m.has[w] = wanted(w);
    for (unsigned i = 0; i < m.runs; i++)
        for (unsigned w = 0; w < WHO_COUNT; w++)
            if (m.has[w])
                runners[w](&m);
    printf("linux: i386 guest, milliseconds of processor time, medians of %u runs\n", m.runs);
    print_rows(&m);
    int missed = print_bars(&m);
    if (m.differing)
        printf("%u results differed from one another: that is a bug\n", m.differing);
    return missed || m.differing ? 1 : 0;
}
