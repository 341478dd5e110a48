/* SPDX-License-Identifier: MIT */
/*
 * Courses on operating systems start their kernels with Makefiles and graders that were written for QEMU, and shall run unchanged with
 * QEMU=emu. Here are a Makefile and a grader of that shape, of our own, and a boot sector that does what they look for.
 */
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
#include "cli/options/accepted.h"

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

static void put(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

static size_t get(const char *name, char *to, size_t size)
{
    FILE *f = fopen(name, "rb");
    size_t n = f ? fread(to, 1, size - 1, f) : 0;
    to[n] = 0;
    if (f)
        fclose(f);
    return n;
}

static void put_images(void)
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

static u64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* By the shell, so that the command can be written as in a Makefile; %s is emu. */
static void start(struct child *c, const char *command)
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

static void type(struct child *c, const char *text)
{
    if (write(c->in, text, strlen(text)) < 0)
        FAIL("nobody takes '%s'", text);
}

/* Read until it has said `text`, or, for NULL, until its end. */
static bool wait_for(struct child *c, const char *text)
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
static int finish(struct child *c)
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
static int converse(struct child *c, const char *command, const char *typed)
{
    start(c, command);
    if (wait_for(c, "$ "))
        type(c, typed);
    return finish(c);
}

#define BY_HAND "%s -nographic -drive file=fs.img,index=1,media=disk,format=raw -hda os.img "

/* --- make --- */

static void test_make(void)
{
    struct child c;
    CHECK_EQ(converse(&c, "make -s qemu-nox QEMU=%s", "xyzq"), 0);
    CHECK_CONTAINS(c.said, "kernel up\r\nfiles here\r\n$ xyz");
    CHECK(access("machine.log", F_OK) == 0); /* -D was found in the help */
    CHECK_EQ(converse(&c, "make -s qemu QEMU=%s QEMUEXTRA='-display none'", "q"), 0);
}

static void test_ends(void)
{
    static const struct { const char *options, *typed; int status; const char *says; } ends[] = {
        { "-device isa-debug-exit", "d", 0x15 << 1 | 1, "" },
        { "-device isa-debug-exit,iobase=0x501,iosize=0x02", "d", 0x15 << 1 | 1, "" },
        { "-no-reboot", "r", 0, "" },
        { "-no-reboot -no-shutdown", "q", 0, "makes no difference" },
        { "", "t", STATUS_STOPPED, "triple fault" },
        { "", "\001x", 0, "terminated" },
        { "-echr 20", "\001xq", 0, "$ \001x" },
        { "", "a\001h\001x", 0, "Ctrl-A x  leave emu" },
        { "", "\003\003\003\001x", 0, "Ctrl-C goes to the guest; Ctrl-A x leaves emu" },
        { "-echr 0x14", "\024h\024x", 0, "Ctrl-T c  to the monitor" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        char command[400];
        struct child c;
        snprintf(command, sizeof command, BY_HAND "%s", "%s", ends[i].options);
        CHECK_EQ(converse(&c, command, ends[i].typed), ends[i].status);
        CHECK_CONTAINS(c.said, ends[i].says);
    }
}

/* A reset starts the kernel anew. */
static void test_reset(void)
{
    struct child c;
    start(&c, BY_HAND);
    wait_for(&c, "$ ");
    type(&c, "r");
    wait_for(&c, "$ kernel up\r\nfiles here\r\n$ ");
    type(&c, "q");
    CHECK_EQ(finish(&c), 0);
}

/* Input that ends is no reason to end. */
static void test_end_of_input(void)
{
    struct child c;
    start(&c, BY_HAND "</dev/null");
    wait_for(&c, "$ ");
    usleep(300000);
    CHECK_EQ(waitpid(c.pid, NULL, WNOHANG), 0);
    kill(c.pid, SIGTERM);
    CHECK_EQ(finish(&c), STATUS_STOPPED);
    CHECK_CONTAINS(c.said, "signal 15");
}

static void test_signals(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    for (unsigned i = 0; i < ARRAY_LEN(signals); i++) {
        struct child c;
        start(&c, BY_HAND);
        wait_for(&c, "$ ");
        kill(c.pid, signals[i]);
        CHECK_EQ(finish(&c), STATUS_STOPPED);
        CHECK_CONTAINS(c.said, "interrupted by signal");
    }
}

/* --- what a launcher gives besides --- */

static void test_launcher(void)
{
    static const char *const lines[] = {
        "%s -device isa-debug-exit -hda os.img -hdb fs.img -m 4 -net none -nographic -monitor null",
        "%s -drive file=os.img,format=raw,index=0,media=disk -drive file=fs.img,format=raw,if=ide,bus=0,unit=1 -m 4 -net none -serial stdio -display none",
        "%s os.img -hdb fs.img -m 8 -nographic -machine type=pc,accel=tcg -accel tcg,thread=multi -vga std -parallel none -rtc base=utc -name kernel -no-reboot",
        "%s -hda os.img -hdb fs.img -m 4 -smp cpus=2,cores=1,threads=1,sockets=2 -net none -nographic -monitor null",
        "%s -boot c -hda os.img -hdb fs.img -nographic -M pc-i440fx-2.9 -rtc base=2006-06-17T16:01:21,clock=vm -usb -k en-us -icount shift=auto -cpu pentium3",
    };
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        struct child c;
        CHECK_EQ(converse(&c, lines[i], "q"), 0);
        CHECK_CONTAINS(c.said, "files here");
    }
}

/* Without mon: and on a pipe, Ctrl-A is a character as any other. */
static void test_no_keys(void)
{
    struct child c;
    CHECK_EQ(converse(&c, "%s -hda os.img -hdb fs.img -nographic -monitor null", "\001xq"), 0);
    CHECK_CONTAINS(c.said, "$ \001x");
}

static void test_images(void)
{
    char image[64 * SECTOR + 1];
    struct child c;
    CHECK_EQ(converse(&c, BY_HAND "-snapshot", "wq"), 0);
    get("fs.img", image, sizeof image);
    CHECK_STR(image, "files here\r\n");
    CHECK_EQ(converse(&c, BY_HAND "-parallel file:printed", "wppq"), 0);
    get("fs.img", image, sizeof image);
    CHECK(memcmp(image, kernel, 32) == 0);
    get("printed", image, sizeof image);
    CHECK_STR(image, "pp");
    put_images();
}

/* A second machine on the same disks is told so. */
static void test_locked(void)
{
    struct child first, second;
    start(&first, BY_HAND);
    if (!wait_for(&first, "$ "))
        return;
    start(&second, BY_HAND);
    CHECK_EQ(finish(&second), STATUS_USER);
    CHECK_CONTAINS(second.said, "is locked, another program uses it; try -snapshot");
    CHECK_EQ(strcspn(second.said, "\n"), strlen(second.said) - 1);
    type(&first, "q");
    CHECK_EQ(finish(&first), 0);
    CHECK_EQ(converse(&second, BY_HAND, "q"), 0); /* and is free again */
}

/* --- every row of accepted.def --- */

static void check_accepted(const struct accepted_row *r)
{
    char command[256];
    struct child c;
    snprintf(command, sizeof command, "%s -%s %s -version", "%s", r->name, r->arg ? r->prefix ? r->prefix : "x" : "");
    start(&c, command);
    CHECK_EQ(finish(&c), 0);
    CHECK_EQ(!strstr(c.said, "makes no difference"), !r->why);
}

static void check_refused(const struct accepted_row *r)
{
    char command[256];
    struct child c;
    snprintf(command, sizeof command, "%s -%s %s", "%s", r->name, r->arg ? "x" : "");
    start(&c, command);
    CHECK_EQ(finish(&c), STATUS_USER);
    CHECK_CONTAINS(c.said, r->why);
    CHECK_EQ(strcspn(c.said, "\n"), strlen(c.said) - 1);
}

static void test_accepted(void)
{
    for (unsigned i = 0; i < accepted_count; i++)
        (accepted_rows[i].refused ? check_refused : check_accepted)(&accepted_rows[i]);
}

/* --- the monitor, in the pipe --- */

static void test_monitor(void)
{
    struct child c;
    start(&c, BY_HAND);
    wait_for(&c, "$ ");
    type(&c, "u\001cstop\n");
    wait_for(&c, "stopped: ring 0");
    type(&c, "info registers\nprint 6*7\n");
    wait_for(&c, "42");
    CHECK_CONTAINS(c.said, "(emu) ");
    CHECK_CONTAINS(c.said, "CR0");
    type(&c, "cont\n\001cv");
    wait_for(&c, "v");
    type(&c, "\001cquit\n");
    CHECK_EQ(finish(&c), 0);
}

/* --- a grader: breakpoints by raw packets, no acknowledgement, the output of a pipe, SIGTERM to make --- */

static unsigned free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
    for (u64 until = now_ms() + 15000; now_ms() < until; usleep(20000)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
            return fd;
        close(fd);
    }
    FAIL("nobody listens at port %u", port);
    return -1;
}

static void send_packet(int fd, const char *body)
{
    char packet[64];
    u8 sum = 0;
    for (const char *p = body; *p; p++)
        sum += *p;
    int n = snprintf(packet, sizeof packet, "$%s#%02x", body, sum);
    CHECK_EQ(send(fd, packet, n, MSG_NOSIGNAL), n);
}

static bool wait_for_stop(int fd)
{
    char said[256];
    size_t len = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (len < sizeof said - 1 && poll(&p, 1, 15000) > 0) {
        ssize_t n = read(fd, said + len, sizeof said - 1 - len);
        if (n <= 0)
            break;
        said[len += n] = 0;
        if (strstr(said, "$T05"))
            return true;
    }
    return false;
}

/* With two processors the firmware must get past its lock, which one of them gives back for an instruction at a time. */
static void grade(unsigned processors)
{
    char command[256], packet[32];
    unsigned port = free_port();
    struct child c;
    snprintf(command, sizeof command, "make -s --no-print-directory qemu-nox-gdb GDBPORT=%u QEMU=%s QEMUEXTRA='-smp %u'", port, "%s", processors);
    start(&c, command);
    wait_for(&c, "\n");
    int gdb = connect_to(port);
    snprintf(packet, sizeof packet, "Z1,%x,1", (unsigned)(LOAD_AT + (kernel_broken - kernel)));
    send_packet(gdb, packet);
    send_packet(gdb, "c");
    if (wait_for(&c, "$ "))
        type(&c, "b");
    CHECK(wait_for_stop(gdb));
    CHECK(!strstr(c.said, "B"));    /* it stands before what it would print */
    u64 begin = now_ms();
    kill(c.pid, SIGTERM);
    finish(&c);
    CHECK(now_ms() - begin < 3000);
    close(gdb);
}

static void test_grader(void)
{
    grade(1);
    grade(2);
}

/* Firmware leaves the first processor of each package in the MP table, so what -smp says of packages decides what old kernels start. */
static void test_packages(void)
{
    static const struct { const char *smp, *says; } each[] = {
        { "1", "$ 0" }, { "2", "$ 2" }, { "2,sockets=2", "$ 0" }, { "4,sockets=2", "$ 2" }, { "cpus=4,cores=2,threads=1", "$ 2" }, { "3,threads=3", "$ 3" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(each); i++) {
        char command[256];
        struct child c;
        snprintf(command, sizeof command, BY_HAND "-snapshot -smp %s", "%s", each[i].smp);
        CHECK_EQ(converse(&c, command, "cq"), 0);
        CHECK_CONTAINS(c.said, each[i].says);
    }
}

/* The real gdb, from the reset vector through the firmware's changes of mode to the boot sector, and within it. */
static void test_real_gdb(void)
{
    char command[256], script[600];
    unsigned port = free_port();
    struct child c, gdb;
    if (system("gdb --version >/dev/null 2>&1"))
        SKIP("gdb is not installed");
    snprintf(command, sizeof command, "make -s qemu-nox-gdb GDBPORT=%u QEMU=%s", port, "%s");
    start(&c, command);
    wait_for(&c, "\n");
    close(connect_to(port)); /* as scripts do that wait for the port: the guest stays where it is */
    snprintf(script, sizeof script,
             "set pagination off\nset confirm off\nset architecture i8086\ntarget remote localhost:%u\nprintf \"reset %%x:%%x\\n\", $cs, $eip\n"
             "break *0x7c00\ncontinue\nx/2i $pc\nstepi\nprintf \"then %%x\\n\", $eip\nhbreak *0x%x\nwatch *(char*)0x8000\ncontinue\nx/s 0x8000\n"
             "delete 3\nmonitor info status\ncontinue\nprintf \"broken %%d\\n\", $eip == 0x%x\nkill\n",
             port, (unsigned)(LOAD_AT + (kernel_broken - kernel)), (unsigned)(LOAD_AT + (kernel_broken - kernel)));
    put("script.gdb", script, strlen(script));
    start(&gdb, "timeout 60 gdb -q -nx -batch -x script.gdb 2>&1 #%.0s");
    if (wait_for(&c, "$ "))
        type(&c, "b");
    wait_for(&gdb, NULL);
    static const char *const says[] = { "reset f000:fff0", "0x00007c00", ":\tcli", "then 7c01", "watchpoint 3", "New value = 102 'f'", "stopped, engine", "broken 1" };
    check_context("the real gdb");
    for (unsigned i = 0; i < ARRAY_LEN(says); i++)
        CHECK_CONTAINS(gdb.said, says[i]);
    finish(&gdb);
    finish(&c);
}

/* A second emu finds the port taken: one line, status 64. */
static void test_port_in_use(void)
{
    char command[256];
    unsigned port = free_port();
    struct child c, second;
    snprintf(command, sizeof command, BY_HAND "-snapshot -gdb tcp::%u", "%s", port);
    start(&c, command);
    wait_for(&c, "$ ");
    start(&second, command);
    CHECK_EQ(finish(&second), STATUS_USER);
    CHECK_CONTAINS(second.said, "give another port");
    CHECK_EQ(strcspn(second.said, "\n"), strlen(second.said) - 1);
    type(&c, "q");
    CHECK_EQ(finish(&c), 0);
}

/* --- a terminal --- */

static void start_on_terminal(struct child *c, const char *options, struct termios *before)
{
    int tty;
    char filled[1024], *argv[] = { "sh", "-c", filled, NULL };
    *c = (struct child){ .pid = -1 };
    snprintf(filled, sizeof filled, "exec %s -hda os.img -hdb fs.img %s", program, options);
    check_context("on a terminal: %s", filled);
    if (openpty(&c->out, &tty, NULL, NULL, NULL) || tcgetattr(tty, before))
        abort();
    c->pid = fork();
    if (c->pid == 0) {
        close(c->out);
        setsid();
        ioctl(tty, TIOCSCTTY, 0);
        for (int fd = 0; fd <= 2; fd++)
            dup2(tty, fd);
        unsetenv("DISPLAY");
        execv("/bin/sh", argv);
        _exit(99);
    }
    c->in = dup(c->out);
    /* `tty` stays open here, so that its settings can be seen when emu is gone, and its end does not lose what was said */
    fcntl(tty, F_SETFD, FD_CLOEXEC);
    wait_for(c, "$ ");
}

static int finish_on_terminal(struct child *c, const struct termios *before)
{
    struct termios after;
    int status = -1;
    for (u64 until = now_ms() + 10000; waitpid(c->pid, &status, WNOHANG) == 0 && now_ms() < until;)
        usleep(10000);
    CHECK(tcgetattr(c->out, &after) == 0);
    CHECK_EQ(after.c_lflag, before->c_lflag);
    close(c->in);
    close(c->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_terminal(void)
{
    static const struct { const char *options, *typed; int status; } ends[] = {
        { "-nographic", "\001x", 0 },
        { "-nographic", "\003q", 0 },                               /* Ctrl-C is the guest's */
        { "-serial mon:stdio -display none", "\003q", 0 },
        { "-serial stdio -display none", "\003", STATUS_STOPPED },  /* here it is not */
    };
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        struct termios before;
        struct child c;
        start_on_terminal(&c, ends[i].options, &before);
        type(&c, ends[i].typed);
        CHECK_EQ(finish_on_terminal(&c, &before), ends[i].status);
    }
}

/* --- in the background --- */

static void test_daemonize(void)
{
    struct child c;
    char pid[32], log[256];
    start(&c, "%s -hda os.img -hdb fs.img -display none -serial file:log -daemonize -pidfile pid --max-seconds 30");
    CHECK_EQ(finish(&c), 0);
    CHECK_STR(c.said, "");
    CHECK(get("pid", pid, sizeof pid) > 0);
    for (u64 until = now_ms() + 10000; get("log", log, sizeof log), !strstr(log, "$ ") && now_ms() < until;)
        usleep(20000);
    CHECK_CONTAINS(log, "files here");
    CHECK(atoi(pid) > 1 && kill(atoi(pid), SIGTERM) == 0);
    for (u64 until = now_ms() + 5000; access("pid", F_OK) == 0 && now_ms() < until;)
        usleep(20000);
    CHECK(access("pid", F_OK) != 0);
    start(&c, "%s -hda nowhere.img -display none -daemonize");
    CHECK_EQ(finish(&c), STATUS_USER);
    CHECK_CONTAINS(c.said, "nowhere.img");
    start(&c, "%s -hda os.img -serial stdio -daemonize");
    CHECK_EQ(finish(&c), STATUS_USER);
}

static void find_program(void)
{
    char here[256];
    const char *build = getenv("EMU_BUILD");
    if (!getcwd(here, sizeof here))
        abort();
    snprintf(program, sizeof program, "%s/%s", here, build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "emu");
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "make", test_make },
        { "ends", test_ends },
        { "reset", test_reset },
        { "end_of_input", test_end_of_input },
        { "signals", test_signals },
        { "launcher", test_launcher },
        { "no_keys", test_no_keys },
        { "images", test_images }, { "locked", test_locked },
        { "accepted", test_accepted },
        { "monitor", test_monitor },
        { "grader", test_grader }, { "packages", test_packages },
        { "real_gdb", test_real_gdb },
        { "port_in_use", test_port_in_use },
        { "terminal", test_terminal },
        { "daemonize", test_daemonize },
        { NULL, NULL },
    };
    find_program();
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    put_images();
    int status = check_main(argc, argv, "qemu_dropin", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
