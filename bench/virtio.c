/* SPDX-License-Identifier: MIT */
/*
 * Speed of virtio devices under Linux: the same guest, with the drivers of Debian's kernel, reads the same disk in order and at random, and
 * exchanges 100 MiB by TCP with a server on this host through the user-mode network (bench/linux/virtioload), in `emu --engine=bt` and in
 * QEMU's TCG. One sitting, both clocks. Medians of RUNS runs. EMU_BENCH_RUNS=N in the environment sets RUNS.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "process.h"

#define KERNEL "guests/real/linux32"
#define INITRD "build/linux/virtio-initrd"
#define IMAGE "build/linux/disk.img"
enum { MIB = 1 << 20, TRANSFER_MIB = 100 };

enum who { EMU, QEMU, WHO_COUNT };
static const char *const who_names[WHO_COUNT] = { "emu", "qemu" };
static const struct { const char *name, *what; double mib; } rows[] = {
    { "read", "disk in order, through the page cache", 256 },
    { "direct", "disk in order, past the page cache", 256 },
    { "random", "disk at random, 4 KiB each", 8000 * 4 / 1024.0 },
    { "receive", "TCP from the host", TRANSFER_MIB },
    { "send", "TCP to the host", TRANSFER_MIB },
};
#define ROWS ARRAY_LEN(rows)

struct measurement { struct samples row[WHO_COUNT][ROWS]; unsigned failed; };

/* --- the server on this host --- */

static int listen_anywhere(unsigned *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 4) || getsockname(s, (struct sockaddr *)&a, &len))
        return -1;
    *port = ntohs(a.sin_port);
    return s;
}

static void give_file(int s)
{
    static char piece[1 << 16];
    if (read(s, piece, sizeof piece) <= 0)
        return;
    dprintf(s, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", TRANSFER_MIB * MIB);
    for (long left = (long)TRANSFER_MIB * MIB, n; left > 0; left -= n)
        if ((n = write(s, piece, left < (long)sizeof piece ? left : (long)sizeof piece)) <= 0)
            return;
}

static void take_all(int s)
{
    static char piece[1 << 16];
    while (read(s, piece, sizeof piece) > 0)
        ;
}

static pid_t start_server(unsigned port[2])
{
    struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
    for (int i = 0; i < 2; i++)
        if ((p[i].fd = listen_anywhere(&port[i])) < 0)
            return -1;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        while (poll(p, 2, -1) > 0) {
            int up = p[0].revents ? 0 : 1, s = accept(p[up].fd, NULL, NULL);
            (up ? take_all : give_file)(s);
            close(s);
        }
        _exit(0);
    }
    for (int i = 0; i < 2; i++)
        close(p[i].fd);
    return pid;
}

/* --- runs --- */

static const char *name_of(unsigned n) { return n < ROWS ? rows[n].name : NULL; }

static void run(struct measurement *m, enum who who, char *const argv[])
{
    m->failed += measure_rows(who_names[who], argv, name_of, m->row[who]);
}

#define MACHINE "-m", "256", "-kernel", KERNEL, "-initrd", INITRD, "-append", append, "-no-reboot", "-drive", "file=" IMAGE ",format=raw,if=virtio,snapshot=on", \
    "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"

static void run_emu(struct measurement *m, char *append)
{
    run(m, EMU, (char *[]){ "./emu", "--engine=bt", MACHINE, "-nographic", NULL });
}
static void run_qemu(struct measurement *m, char *append)
{
    run(m, QEMU, (char *[]){ "qemu-system-i386", "-accel", "tcg", MACHINE, "-display", "none", "-serial", "stdio", "-monitor", "none", NULL });
}

/* --- what came out --- */

static double rate(const struct samples *s, double mib) { return s->n ? mib / median(s, true) : 0; }

/* QEMU's columns are 0 without one. */
static void print_rows(const struct measurement *m)
{
    printf("%-8s%14s%14s%14s%14s\n", "", "emu, cpu ms", "QEMU, cpu ms", "emu, MiB/s", "QEMU, MiB/s");
    for (unsigned i = 0; i < ROWS; i++) {
        const struct samples *e = &m->row[EMU][i], *q = &m->row[QEMU][i];
        printf("%-8s%14.0f%14.0f%14.1f%14.1f\n", rows[i].name, 1e3 * median(e, false), 1e3 * median(q, false), rate(e, rows[i].mib), rate(q, rows[i].mib));
    }
}

static int print_bars(const struct measurement *m)
{
    int missed = 0;
    puts("bars (emu's wall time over QEMU's):");
    for (unsigned i = 0; i < ROWS; i++) {
        double emu = median(&m->row[EMU][i], true), qemu = median(&m->row[QEMU][i], true);
        missed += bar(rows[i].what, rows[i].name, qemu > 0 ? emu / qemu : 0, true, 1, 0.5);
    }
    return missed;
}

static bool prepare(void)
{
    if (system("tools/make-virtio-initramfs " INITRD " bin/virtioload=bench/linux/virtioload bin/randread=build/linux/randread") == 0 &&
        system("[ -s " IMAGE " ] || head -c 256M /dev/urandom >" IMAGE) == 0)
        return true;
    puts("bench virtio: the guest cannot be had (tools/make-virtio-initramfs): nothing is measured");
    return false;
}

int main(void)
{
    static struct measurement m;
    const char *text = getenv("EMU_BENCH_RUNS");
    int runs = text ? atoi(text) : 3;
    unsigned port[2];
    char append[200];
    bool qemu = system("command -v qemu-system-i386 >/dev/null 2>&1") == 0;
    if (!prepare())
        return 0;
    if (!qemu)
        puts("QEMU is not installed (package qemu-system-x86): nothing is compared with it");
    pid_t server = start_server(port);
    if (server < 0) {
        puts("bench virtio: no port of the loopback interface can be had: nothing is measured");
        return 0;
    }
    snprintf(append, sizeof append, "console=ttyS0 run=virtioload,%u,%u", port[0], port[1]);
    for (int i = 0; i < (runs < 1 || runs > MAX_RUNS ? 3 : runs); i++) {
        run_emu(&m, append);
        if (qemu)
            run_qemu(&m, append);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    printf("virtio: an i386 guest reads a virtio disk, and exchanges %d MiB by TCP with this host\n", TRANSFER_MIB);
    print_rows(&m);
    int missed = print_bars(&m);
    if (m.failed)
        printf("%u parts or runs failed\n", m.failed);
    return missed || m.failed ? 1 : 0;
}
