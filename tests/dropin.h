/* SPDX-License-Identifier: MIT */
/* emu as courses start qemu-system-i386: its images and Makefile, and a process to which things are typed. */
#ifndef EMU_TESTS_DROPIN_H
#define EMU_TESTS_DROPIN_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/types.h"
#include "check.h"

enum { SECTOR = 512, LOAD_AT = 0x7c00 };

/*
 * The kernel: a boot sector. It says on COM1 that it is up, prints the first sector of the second disk (PIO, as a teaching kernel's
 * driver does), and then does what letters from COM1 tell: q off, d debug exit, r reset, t triple fault, w write to the disk,
 * p print, c how many processors share its package (CPUID), h halt with interrupts off, b go by `broken`, where graders stop; others are echoed.
 */
extern const u8 kernel[], kernel_broken[], kernel_end[];
asm(".pushsection .rodata\n.code16\nkernel:\n"
    " cli\n xor %ax, %ax\n mov %ax, %ds\n mov %ax, %es\n mov %ax, %ss\n mov $0x7c00, %sp\n cld\n"
    " mov $(kernel_up - kernel + 0x7c00), %si\n call kernel_puts\n"
    " mov $0x20, %al\n call kernel_disk\n"                      /* READ SECTORS, drive 1, sector 0, to 8000h */
    " mov $0x8000, %di\n mov $256, %cx\n mov $0x1f0, %dx\n rep insw\n"
    " mov $0x8000, %si\n call kernel_puts\n"
    " mov $(kernel_prompt - kernel + 0x7c00), %si\n call kernel_puts\n"
    "kernel_wait: mov $0x3fd, %dx\n in %dx, %al\n test $1, %al\n jz kernel_wait\n mov $0x3f8, %dx\n in %dx, %al\n"
    " cmp $'q', %al\n jne 1f\n mov $0x604, %dx\n mov $0x2000, %ax\n out %ax, %dx\n"
    "1: cmp $'d', %al\n jne 1f\n mov $0x501, %dx\n mov $0x15, %ax\n out %ax, %dx\n"
    "1: cmp $'r', %al\n jne 1f\n mov $0xfe, %al\n out %al, $0x64\n"
    "1: cmp $'t', %al\n jne 1f\n lidt kernel_no_idt - kernel + 0x7c00\n int3\n"
    "1: cmp $'h', %al\n jne 1f\n hlt\n"
    "1: cmp $'w', %al\n jne 1f\n mov $0x30, %al\n call kernel_disk\n mov $0x7c00, %si\n mov $256, %cx\n mov $0x1f0, %dx\n rep outsw\n mov $'W', %al\n"
    "1: cmp $'p', %al\n jne 1f\n mov $0x378, %dx\n out %al, %dx\n mov $0x37a, %dx\n mov $0x0d, %al\n out %al, %dx\n mov $0x0c, %al\n out %al, %dx\n mov $'P', %al\n"
    "1: cmp $'c', %al\n jne 1f\n mov $1, %eax\n cpuid\n shr $16, %ebx\n mov %bl, %al\n add $'0', %al\n"
    "1: cmp $'b', %al\n jne 1f\n kernel_broken: mov $'B', %al\n"
    "1: call kernel_putc\n jmp kernel_wait\n"
    "kernel_puts: lodsb\n test %al, %al\n jz 1f\n call kernel_putc\n jmp kernel_puts\n 1: ret\n"
    "kernel_putc: mov %al, %bl\n mov $0x3fd, %dx\n 1: in %dx, %al\n test $0x20, %al\n jz 1b\n mov $0x3f8, %dx\n mov %bl, %al\n out %al, %dx\n ret\n"
    "kernel_disk: mov %al, %bl\n mov $0x1f6, %dx\n mov $0xf0, %al\n out %al, %dx\n mov $0x1f2, %dx\n mov $1, %al\n out %al, %dx\n"
    " xor %al, %al\n inc %dx\n out %al, %dx\n inc %dx\n out %al, %dx\n inc %dx\n out %al, %dx\n mov $0x1f7, %dx\n mov %bl, %al\n out %al, %dx\n"
    " 1: in %dx, %al\n test $0x80, %al\n jnz 1b\n test $8, %al\n jz 1b\n ret\n"
    "kernel_up: .asciz \"kernel up\\r\\n\"\nkernel_prompt: .asciz \"$ \"\nkernel_no_idt: .word 0, 0, 0\n"
    "kernel_end:\n.code64\n.popsection\n");

static const char makefile[] =
    "GDBPORT ?= 25000\n"
    "# stubs differ in how they are asked for\n"
    "QEMUGDB := $(shell if $(QEMU) -help | grep -q '^-gdb'; then echo \"-gdb tcp::$(GDBPORT)\"; else echo \"-s -p $(GDBPORT)\"; fi)\n"
    "QEMULOG := $(shell if $(QEMU) -nographic -help | grep -q '^-D '; then echo '-D machine.log'; fi)\n"
    "OPTS = -drive file=fs.img,index=1,media=disk,format=raw -drive file=os.img,index=0,media=disk,format=raw -smp 1 -m 512 $(QEMULOG) $(QEMUEXTRA)\n"
    "qemu:\n\t$(QEMU) -serial mon:stdio $(OPTS)\n"
    "qemu-nox:\n\t@echo '*** Ctrl-a x leaves'\n\t$(QEMU) -nographic $(OPTS)\n"
    "qemu-nox-gdb:\n\t@echo '*** now run gdb'\n\t$(QEMU) -nographic $(OPTS) -S $(QEMUGDB)\n"
    "print-gdbport:\n\t@echo $(GDBPORT)\n"
    ".PHONY: qemu qemu-nox qemu-nox-gdb print-gdbport\n";

static char folder[] = "/tmp/emu-dropin-XXXXXX", program[512];

/* --- files --- */

static inline void put(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

static inline size_t get(const char *name, char *to, size_t size)
{
    FILE *f = fopen(name, "rb");
    size_t n = f ? fread(to, 1, size - 1, f) : 0;
    to[n] = 0;
    if (f)
        fclose(f);
    return n;
}

static inline void put_images(void)
{
    static u8 disk[64 * SECTOR], fs[64 * SECTOR];
    memcpy(disk, kernel, kernel_end - kernel);
    disk[510] = 0x55;
    disk[511] = 0xaa;
    strcpy((char *)fs, "files here\r\n");
    put("os.img", disk, sizeof disk);
    put("fs.img", fs, sizeof fs);
    put("Makefile", makefile, sizeof makefile - 1);
}

/* --- a process, what is typed to it, and what it has said --- */

struct child {
    pid_t pid;
    int in, out;
    char said[65536];
    size_t len;
};

static inline u64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* By the shell, so that the command can be written as in a Makefile; %s is emu. */
static inline void start(struct child *c, const char *command)
{
    char filled[2048];
    int in[2], out[2];
    *c = (struct child){ .pid = -1 };
    snprintf(filled, sizeof filled, "exec ");
    snprintf(filled + 5, sizeof filled - 5, command, program);
    check_context("%s", filled);
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        abort();
    c->pid = fork();
    if (c->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        execl("/bin/sh", "sh", "-c", filled, (char *)NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    c->in = in[1];
    c->out = out[0];
}

static inline void type(struct child *c, const char *text)
{
    if (write(c->in, text, strlen(text)) < 0)
        FAIL("nobody takes '%s'", text);
}

/* Read until it has said `text`, or, for NULL, until its end. */
static inline bool wait_for(struct child *c, const char *text)
{
    u64 until = now_ms() + 20000;
    while (!text || !strstr(c->said, text)) {
        struct pollfd p = { .fd = c->out, .events = POLLIN };
        if (now_ms() > until || poll(&p, 1, 1000) < 0) {
            FAIL("'%s' was not said, but: %s", text ? text : "(end)", c->said);
            return false;
        }
        ssize_t n = p.revents ? read(c->out, c->said + c->len, sizeof c->said - 1 - c->len) : 1;
        if (n <= 0)
            return !text || (FAIL("it ended before '%s': %s", text, c->said), false);
        c->len += p.revents ? n : 0;
    }
    return true;
}

/* Wait for the end. The exit status, 128 + n for signal n. */
static inline int finish(struct child *c)
{
    int status;
    if (!wait_for(c, NULL))
        kill(c->pid, SIGKILL);
    close(c->in);
    close(c->out);
    waitpid(c->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Start, wait for the prompt, type, and wait for the end. */
static inline int converse(struct child *c, const char *command, const char *typed)
{
    start(c, command);
    if (wait_for(c, "$ "))
        type(c, typed);
    return finish(c);
}

#define BY_HAND "%s -nographic -drive file=fs.img,index=1,media=disk,format=raw -hda os.img "

static inline void find_program(void)
{
    char here[256];
    const char *build = getenv("EMU_BUILD");
    if (!getcwd(here, sizeof here))
        abort();
    snprintf(program, sizeof program, "%s/%s", here, build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "emu");
}

#endif
