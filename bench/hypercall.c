/* SPDX-License-Identifier: MIT */
/*
 * The way into a hypervisor against the way into a kernel: a million null hypercalls of guests/nullcall on `emu --engine=pv`, and a million
 * `int $0x80` system calls (bench/linux/syscalls) of a Linux guest under QEMU's TCG. Wall time to the line that ends the loop: of QEMU from the
 * line that begins it, of emu from the start of the process, building the domain included. One sitting, medians of RUNS runs.
 *
 * EMU_BENCH_RUNS=N in the environment sets RUNS.
 */
#include <string.h>

#include "process.h"

#define KERNEL "guests/real/linux32"
#define INITRD "build/linux/syscalls-initrd"
#define NULLCALL "build/guests/nullcall.xen.elf"

/* From one line of the guest (NULL: from the start) to another. */
static void measure(struct samples *s, char *const argv[], const char *begin, const char *end)
{
    struct process p;
    char line[512];
    bool began = !begin;
    if (!start(&p, argv))
        return;
    struct instant from = p.started;
    while (fgets(line, sizeof line, p.lines)) {
        if (begin && strstr(line, begin)) {
            from = now(&p);
            began = true;
        } else if (began && strstr(line, end) && s->n < MAX_RUNS) {
            struct instant t = now(&p);
            s->at[s->n++] = (struct instant){ t.wall - from.wall, t.cpu - from.cpu };
            began = false;
        }
    }
    finish(&p);
}

static void hypercalls(struct samples *s)
{
    measure(s, (char *[]){ "./emu", "--engine=pv", NULLCALL, NULL }, NULL, "@nullcall single");
}

static void system_calls(struct samples *s)
{
    measure(s, (char *[]){ "qemu-system-i386", "-accel", "tcg", "-m", "256", "-kernel", KERNEL, "-initrd", INITRD, "-append",
                           "console=ttyS0 run=syscalls", "-no-reboot", "-display", "none", "-serial", "stdio", "-monitor", "none", NULL },
            "@begin syscalls", "@end syscalls");
}

static bool prepare(void)
{
    if (system("command -v qemu-system-i386 >/dev/null 2>&1") != 0)
        puts("bench hypercall: QEMU is not installed (package qemu-system-x86): nothing is measured");
    else if (access(NULLCALL, R_OK))
        puts("bench hypercall: " NULLCALL " is missing (make guests): nothing is measured");
    else if (system("tools/fetch-guests linux32 busybox32 && tools/make-initramfs " INITRD " bin/syscalls=build/linux/syscalls") != 0)
        puts("bench hypercall: the guest cannot be had (tools/fetch-guests linux32 busybox32): nothing is measured");
    else
        return true;
    return false;
}

int main(void)
{
    struct samples emu = { 0 }, qemu = { 0 };
    const char *wish = getenv("EMU_BENCH_RUNS");
    int runs = wish ? atoi(wish) : 3;
    if (!prepare())
        return 0;
    for (int i = 0; i < (runs < 1 || runs > MAX_RUNS ? 3 : runs); i++) {
        hypercalls(&emu);
        system_calls(&qemu);
    }
    if (!emu.n || !qemu.n) {
        puts("bench hypercall: a guest did not come to its loop's end");
        return 1;
    }
    double e = median(&emu, true), q = median(&qemu, true);
    printf("hypercall: a million null hypercalls on emu %.0f ms; a million int 0x80 system calls of Linux in QEMU TCG %.0f ms\n", 1e3 * e, 1e3 * q);
    return bar("wall time of hypercalls against system calls", "", e / q, true, 1, 0.5);
}
