/* SPDX-License-Identifier: MIT */
/*
 * Speed of an IDE disk under Linux: the same guest, with the drivers of Debian's kernel, reads the same image from its beginning
 * (bench/linux/diskread) in `emu --engine=bt` and in QEMU's TCG with its IDE controller. One sitting, both clocks: the processor time of
 * the whole process and the host's. The image is in the host's page cache. Medians of RUNS runs.
 *
 * EMU_BENCH_RUNS=N in the environment sets RUNS.
 */
#include <string.h>

#include "process.h"

#define KERNEL "guests/real/linux32"
#define INITRD "build/linux/disk-initrd"
#define IMAGE "build/linux/disk.img"
#define APPEND "console=ttyS0 run=diskread"
enum { IMAGE_MIB = 256 };

enum who { EMU, QEMU, WHO_COUNT };
static const char *const who_names[WHO_COUNT] = { "emu", "qemu" };
static const struct { const char *name, *what; unsigned mib; } rows[] = {
    { "read", "through the page cache, whose memory is new", IMAGE_MIB },
    { "again", "through the page cache, whose memory was used", IMAGE_MIB },
    { "direct", "past the page cache", IMAGE_MIB },
    { "pio", "without the bus master", 32 },
};
#define ROWS ARRAY_LEN(rows)

struct measurement { struct samples row[WHO_COUNT][ROWS]; unsigned failed; };

static const char *name_of(unsigned n) { return n < ROWS ? rows[n].name : NULL; }

static void run(struct measurement *m, enum who who, char *const argv[])
{
    m->failed += measure_rows(who_names[who], argv, name_of, m->row[who]);
}

#define MACHINE "-m", "256", "-kernel", KERNEL, "-initrd", INITRD, "-append", APPEND, "-no-reboot", "-drive", "file=" IMAGE ",format=raw,snapshot=on"

static void run_emu(struct measurement *m)
{
    run(m, EMU, (char *[]){ "./emu", "--engine=bt", MACHINE, "-nographic", NULL });
}
static void run_qemu(struct measurement *m)
{
    run(m, QEMU, (char *[]){ "qemu-system-i386", "-accel", "tcg", MACHINE, "-display", "none", "-serial", "stdio", "-monitor", "none", NULL });
}

/* --- what came out --- */

static double rate(const struct samples *s, unsigned mib) { return s->n ? mib / median(s, true) : 0; }

/* QEMU's columns are 0 without one. */
static void print_rows(const struct measurement *m)
{
    printf("%-8s%14s%14s%14s%14s\n", "", "emu, cpu ms", "QEMU, cpu ms", "emu, MiB/s", "QEMU, MiB/s");
    for (unsigned i = 0; i < ROWS; i++) {
        const struct samples *e = &m->row[EMU][i], *q = &m->row[QEMU][i];
        printf("%-8s%14.0f%14.0f%14.0f%14.0f\n", rows[i].name, 1e3 * median(e, false), 1e3 * median(q, false), rate(e, rows[i].mib), rate(q, rows[i].mib));
    }
}

static int print_bars(const struct measurement *m)
{
    int missed = 0;
    puts("bars (emu's time over QEMU's):");
    for (unsigned i = 0; i < ROWS; i++)
        for (int wall = 0; wall < 2; wall++) {
            char what[80];
            double emu = median(&m->row[EMU][i], wall), qemu = median(&m->row[QEMU][i], wall);
            snprintf(what, sizeof what, "%s, %s", rows[i].what, wall ? "wall" : "processor");
            missed += bar(what, rows[i].name, qemu > 0 ? emu / qemu : 0, true, 1, 0.7);
        }
    return missed;
}

static bool prepare(void)
{
    if (system("tools/make-disk-initramfs " INITRD " bin/diskread=bench/linux/diskread") == 0 &&
        system("[ -s " IMAGE " ] || head -c 256M /dev/urandom >" IMAGE) == 0)
        return true;
    puts("bench disk: the guest cannot be had (tools/make-disk-initramfs): nothing is measured");
    return false;
}

int main(void)
{
    static struct measurement m;
    const char *text = getenv("EMU_BENCH_RUNS");
    int runs = text ? atoi(text) : 3;
    bool qemu = system("command -v qemu-system-i386 >/dev/null 2>&1") == 0;
    if (!prepare())
        return 0;
    if (!qemu)
        puts("QEMU is not installed (package qemu-system-x86): nothing is compared with it");
    for (int i = 0; i < (runs < 1 || runs > MAX_RUNS ? 3 : runs); i++) {
        run_emu(&m);
        if (qemu)
            run_qemu(&m);
    }
    printf("disk: an i386 guest reads an IDE disk\n");
    print_rows(&m);
    int missed = print_bars(&m);
    if (m.failed)
        printf("%u parts or runs failed\n", m.failed);
    return missed || m.failed ? 1 : 0;
}
