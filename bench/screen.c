/* SPDX-License-Identifier: MIT */
/*
 * What a user waits for and what a screen costs: the time from `emu` to the guest's first instruction, without a window; and the part of
 * a core that a window takes whose text scrolls all the time, over the same run without one. The window is on an X server without a
 * screen (Xvfb); without that, it is left out.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/types.h"

enum { STARTS = 41, SECONDS = 5, LINES_A_SECOND = 200 };
#define START_BAR_MS 20.0
#define WINDOW_BAR_CORES 0.1

/* Flat 32-bit code at 1 MiB. `ended` ends at once, by the debug exit port. `scroll` moves the text screen up by a line, and writes a
 * new one, at each tick of the timer. */
extern const u8 screen_ended[], screen_ended_end[], screen_scroll[], screen_scroll_end[];
asm(".pushsection .rodata\n.code32\n"
    "screen_ended: mov $0, %al\n out %al, $0xf4\n 1: jmp 1b\n screen_ended_end:\n"
    ".balign 8\nscreen_scroll:\n"
    " mov $0x9000, %esp\n lgdt (1f - screen_scroll + 0x100000)\n ljmp $8, $(2f - screen_scroll + 0x100000)\n"
    "0: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\n 1: .word 23\n .long 0b - screen_scroll + 0x100000\n"
    "2: mov $16, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
    " movl $(5f - screen_scroll + 0x80000), 0x80100\n movl $0x00108e00, 0x80104\n"          /* gate 20h, at 80000h: 0008:0010xxxx */
    ""
    " movl $0x07ff, 0x80ffe\n movl $0x80000, 0x81000\n lidt 0x80ffe\n"
    " mov $0x11, %al\n out %al, $0x20\n mov $0x20, %al\n out %al, $0x21\n mov $4, %al\n out %al, $0x21\n mov $1, %al\n out %al, $0x21\n mov $0xfe, %al\n out %al, $0x21\n"
    " mov $0x34, %al\n out %al, $0x43\n mov $(1193182 / 200 % 256), %al\n out %al, $0x40\n mov $(1193182 / 200 / 256), %al\n out %al, $0x40\n"
    " xor %ebx, %ebx\n sti\n 4: hlt\n jmp 4b\n"
    "5: mov $0xb8000, %edi\n lea 160(%edi), %esi\n mov $960, %ecx\n cld\n rep movsl\n inc %ebx\n mov $80, %ecx\n"
    "6: lea (%ebx, %ecx), %eax\n and $63, %eax\n add $0x0720, %eax\n stosw\n loop 6b\n mov $0x20, %al\n out %al, $0x20\n iret\n"
    "screen_scroll_end:\n.code64\n.popsection\n");

static char folder[] = "/tmp/emu-bench-XXXXXX";

static void put(const char *name, const u8 *from, const u8 *to)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(from, 1, to - from, f) != (size_t)(to - from) || fclose(f))
        abort();
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static pid_t start(const char *guest, const char *display, const char *seconds)
{
    char path[64], arg[32];
    snprintf(path, sizeof path, "%s/%s", folder, guest);
    snprintf(arg, sizeof arg, "--max-seconds=%s", seconds);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd <= 2; fd++)
            dup2(null, fd);
        execl("./emu", "emu", "-serial", "none", "-clock", "host", "-display", display, arg, path, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double processor_seconds(const struct rusage *u)
{
    return u->ru_utime.tv_sec + u->ru_stime.tv_sec + (u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1e-6;
}

/* The end of the process included. */
static bool bench_start(void)
{
    double ms[STARTS], used[STARTS];
    struct rusage u;
    int status = 0;
    for (int i = 0; i < STARTS; i++) {
        double begin = now(CLOCK_MONOTONIC);
        pid_t pid = start("ended", "none", "10");
        wait4(pid, &status, 0, &u);
        ms[i] = (now(CLOCK_MONOTONIC) - begin) * 1e3;
        used[i] = processor_seconds(&u) * 1e3;
    }
    qsort(ms, STARTS, sizeof *ms, by_value);
    qsort(used, STARTS, sizeof *used, by_value);
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 1 && ms[STARTS / 2] <= START_BAR_MS;
    printf("start to first instruction and end: median %.1f ms, lowest %.1f, of %d runs, processor %.1f ms (bar: %.0f ms)%s\n", ms[STARTS / 2], ms[0], STARTS, used[STARTS / 2], START_BAR_MS,
           ok ? "" : "  BELOW THE BAR");
    return ok;
}

/* Processor time of one run, seconds a second. */
static double cores(const char *display)
{
    struct rusage u;
    char seconds[8];
    int status;
    snprintf(seconds, sizeof seconds, "%d", SECONDS);
    wait4(start("scroll", display, seconds), &status, 0, &u);
    return processor_seconds(&u) / SECONDS;
}

/* Its number comes through a pipe. 0: there is none. */
static pid_t start_server(void)
{
    char name[32] = ":", fd[16];
    int fds[2];
    if (pipe(fds))
        return 0;
    snprintf(fd, sizeof fd, "%d", fds[1]);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execlp("Xvfb", "Xvfb", "-displayfd", fd, "-screen", "0", "1024x768x24", "-nolisten", "tcp", NULL);
        _exit(127);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], name + 1, sizeof name - 2);
    close(fds[0]);
    if (n <= 0) {
        waitpid(pid, NULL, 0);
        return 0;
    }
    name[strcspn(name, "\n")] = 0;
    setenv("DISPLAY", name, 1);
    return pid;
}

static bool bench_window(void)
{
    pid_t server = start_server();
    if (!server) {
        printf("window: left out, there is no Xvfb (package xvfb)\n");
        return true;
    }
    double with = cores("sdl"), without = cores("none");
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    bool ok = with - without <= WINDOW_BAR_CORES;
    printf("window, %d lines a second: %.3f of a core over %.3f without (bar: %.1f)%s\n", LINES_A_SECOND, with - without, without, WINDOW_BAR_CORES,
           ok ? "" : "  BELOW THE BAR");
    return ok;
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    put("ended", screen_ended, screen_ended_end);
    put("scroll", screen_scroll, screen_scroll_end);
    bool ok = bench_start() & bench_window();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) || !ok;
}
