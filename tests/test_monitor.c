/* SPDX-License-Identifier: MIT */
/* The monitor: each command, on a machine that stands still; sessions by the program itself, from a pipe and on a terminal. */
#include <pty.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "cli/options/switches.h"
#include "console/monitor.h"
#include "host.h"

#define MIB (1u << 20)

/* mov eax, 12345678h; mov [200000h], eax; inc ecx; jmp $ */
static const u8 guest[] = { 0xb8, 0x78, 0x56, 0x34, 0x12, 0xa3, 0, 0, 0x20, 0, 0x41, 0xeb, 0xfe };

static char kernel[] = "/tmp/emu-test-XXXXXX";
static struct console console;
static struct monitor *monitor;
static struct vm *vm;

static bool begin(const char *engine)
{
    struct error err = { "" };
    struct vm_config c;
    memset(&console, 0, sizeof console);
    vm_config_defaults(&c);
    c.engine = engine_find(engine, &err);
    c.ram_size = 4 * MIB;
    c.kernel = kernel;
    c.max_cycles = 10000000;
    c.kvm = "model";
    monitor = monitor_new(&console);
    vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("no machine: %s", err.text);
        return false;
    }
    console_attach(&console, vm);
    vm_pause(vm);
    return true;
}

static void end(void)
{
    console_attach(&console, NULL);
    monitor_free(monitor);
    vm_free(vm);
}

/* The answer to one line, until the next. */
static const char *ask(const char *line)
{
    static char *text;
    size_t size;
    free(text);
    FILE *out = open_memstream(&text, &size);
    monitor_run(monitor, line, out);
    fclose(out);
    check_context("(emu) %s", line);
    return text;
}

/* Until the guest stops again. */
static void go(void)
{
    vm_run(vm);
    debugger_note_stop(&console.debugger);
}

static const struct { const char *line, *says; } answers[] = {
    { "p 1+2*3", "0x7 7\n" },
    { "p (1+2)*3", "0x9 9\n" },
    { "p 0x10 - 0x20", "0xfffffffffffffff0 -16\n" },
    { "p ~0 & 0xff | 0x100", "0x1ff 511\n" },
    { "p -1", "0xffffffffffffffff -1\n" },
    { "p $eip", "0x100000 1048576\n" },
    { "p $cs_base+$pc", "0x100000" },
    { "p 1/0", "division by zero" },
    { "p (1", "a ) is missing" },
    { "p 1 2", "left over" },
    { "p 12z", "not a number" },
    { "p $nothing", "no such register" },
    { "p", "not a number" },
    { "p ((((((((((((((((((((((((((((((((((((((((((((((((((1", "too deep" },
    { "p ------------------------------------------------1", "too deep" },
    { "x 0x100000", "00100000: 0x345678b8\n" },
    { "x/2xb 0x100000", "00100000: 0xb8 0x78\n" },
    { "x/1dh $eip+1", "00100001: 22136\n" },
    { "x/2i $eip", "00100000:  mov eax, 0x12345678\n00100005:  mov dword ptr [0x200000], eax\n" },
    { "x/1dg 0x100000", "00100000: " },
    { "x/5xw 0xffffff00", "cannot be read" },
    { "x/3i 0xffffff00", "cannot be read" },
    { "x", "give an address" },
    { "x/q 0", "a format is" },
    { "x/99999999999 0", "a format is" },
    { "xp/1xw 0x100000", "0x345678b8" },
    { "xp/1xw 0xfffffffffffff000", "cannot be read" },
    { "info", "registers" },
    { "info status", "stopped, engine" },
    { "info registers", "EIP" },
    { "info mem", "paging is off" },
    { "info mmu", "paging off" },
    { "info irq", "INTR low" },
    { "info exits", "last:" },
    { "info mtree", "vga" },
    { "info mtree", "port 0020-0021" },
    { "info devices", "i8042" },
    { "info pic", "irr=" },
    { "info breakpoints", "none" },
    { "info engine", ":" },
    { "info nothing", "no such thing" },
    { "help", "screenshot-text" },
    { "screenshot", "a name is missing" },
    { "screenshot /no/such/folder/x.png", "No such file" },
    { "?", "system_reset" },
    { "help x", "/FMT" },
    { "sendkey nokey", "no key is called so" },
    { "sendkey ctrl-alt-delete", "" },
    { "type ab", "" },
    { "break 0x100005", "" },
    { "break 5 5", "left over" },
    { "watch 0x200000 4 w", "" },
    { "watch 0x200000 0", "1 to 4096" },
    { "watch", "" },
    { "info breakpoints", "break 00100005 (monitor)\nwatch 00200000 4 bytes, write (monitor)\n" },
    { "delete 0x100006", "there is none" },
    { "step 0", "give a number" },
    { "nonsense", "no such command" },
    { "", "" },
    { "   ", "" },
};

static void test_answers(void)
{
    static const char *const engines_here[] = { "bare", "bt", "kvm" };
    for (unsigned e = 0; e < 3; e++) {
        if (!begin(engines_here[e]))
            return;
        for (unsigned i = 0; i < ARRAY_LEN(answers); i++)
            CHECK_CONTAINS(ask(answers[i].line), answers[i].says);
        end();
    }
}

static void test_going(void)
{
    static const char *const engines_here[] = { "bare", "bt", "kvm" };
    for (unsigned e = 0; e < 3; e++) {
        if (!begin(engines_here[e]))
            return;
        ask("break 0x100005");
        ask("watch 0x200000");
        CHECK_STR(ask("cont"), "");
        go();
        CHECK_EQ(console.debugger.why, WHY_BREAKPOINT);
        CHECK_CONTAINS(ask("p $eax"), "0x12345678");
        CHECK_STR(ask("cont"), "");         /* over the breakpoint */
        go();
        CHECK_EQ(console.debugger.why, WHY_WATCHPOINT);
        CHECK_CONTAINS(ask("p $eip"), "0x10000a");
        CHECK_CONTAINS(ask("x 0x200000"), "0x12345678");
        CHECK_STR(ask("delete"), "");
        CHECK_CONTAINS(ask("info breakpoints"), "none");
        CHECK_STR(ask("step"), "");
        go();
        CHECK_EQ(console.debugger.why, WHY_STEPPED);
        CHECK_CONTAINS(ask("p $ecx"), "0x1 ");
        ask("cont");
        CHECK_CONTAINS(ask("cont"), "running");
        CHECK_CONTAINS(ask("step"), "stop it first");
        ask("stop");
        CHECK_EQ(vm->status, VM_PAUSED);
        ask("cont");
        CHECK_STR(ask("system_reset"), "");
        ask("break 0x100000");
        go();
        CHECK_EQ(console.debugger.why, WHY_BREAKPOINT);
        CHECK_CONTAINS(ask("p $eip"), "0x100000");
        ask("quit");
        CHECK_EQ(vm->status, VM_ENDED);
        CHECK_EQ(vm->exit_status, STATUS_POWEROFF);
        end();
    }
}

/* --- the program itself --- */

static void test_pipe(void)
{
    static const char *const engine[] = { "bare", "bt", "kvm -kvm model" };
    for (unsigned i = 0; i < 3; i++) {
        char command[400], out[8192];
        snprintf(command, sizeof command,
                 "printf 'break 0x10000b\\ncont\\np $ecx\\ninfo status\\nstep 5\\np $eip\\nq' | timeout 20 %s -engine %s -m 4 -S -monitor stdio -serial none %s", emu(),
                 engine[i], kernel);
        FILE *f = popen(command, "r");
        out[fread(out, 1, sizeof out - 1, f)] = 0;
        CHECK_EQ(pclose(f), 0);
        check_context("%s: %s", command, out);
        CHECK_CONTAINS(out, "breakpoint: ring 0");
        CHECK_CONTAINS(out, "0x1 1\n");
        CHECK_CONTAINS(out, "stopped, engine");
        CHECK_CONTAINS(out, "0x10000b 1048587\n");
    }
}

/* What the terminal shows within a second, until `until` comes. */
static const char *see(int fd, const char *until)
{
    static char text[8192];
    size_t n = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    text[0] = 0;
    while (n < sizeof text - 1 && !strstr(text, until) && poll(&p, 1, 5000) > 0) {
        ssize_t got = read(fd, text + n, sizeof text - 1 - n);
        if (got <= 0)
            break;
        n += got;
        text[n] = 0;
    }
    return text;
}

static void type(int fd, const char *keys)
{
    if (write(fd, keys, strlen(keys)) < 0)
        FAIL("the terminal is gone");
}

static void test_terminal(void)
{
    int fd, status;
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    if (pid < 0)
        SKIP("no pseudo terminal here");
    if (pid == 0) {
        setenv("TERM", "xterm", 1);
        execl(emu(), "emu", "-engine", "bt", "-m", "4", "-S", "-monitor", "stdio", "-serial", "none", kernel, NULL);
        _exit(127);
    }
    CHECK_CONTAINS(see(fd, "(emu) "), "(emu) ");
    type(fd, "info st\t\r");                            /* completed */
    CHECK_CONTAINS(see(fd, "stopped, engine"), "stopped, engine bt");
    type(fd, "step\r");
    CHECK_CONTAINS(see(fd, "00100005"), "00100005");
    type(fd, "\033[A\r");                               /* once more, from history */
    CHECK_CONTAINS(see(fd, "0010000a"), "0010000a");
    type(fd, "cont\r");
    usleep(100000);
    type(fd, "stop\r");
    CHECK_CONTAINS(see(fd, "stopped: ring 0"), "stopped: ring 0");
    type(fd, "quit\r");
    see(fd, "\001");
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(fd);
}

/* Ctrl-A c to the prompt and back, Ctrl-A x out of it all; also while the guest is stopped. */
static void test_shared_terminal(void)
{
    int fd, status;
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    if (pid < 0)
        SKIP("no pseudo terminal here");
    if (pid == 0) {
        setenv("TERM", "xterm", 1);
        execl(emu(), "emu", "-engine", "bt", "-m", "4", "-nographic", kernel, NULL);
        _exit(127);
    }
    usleep(300000);
    type(fd, "\001c");
    CHECK_CONTAINS(see(fd, "(emu) "), "(emu) ");
    type(fd, "stop\r");
    CHECK_CONTAINS(see(fd, "stopped: ring 0"), "stopped: ring 0");
    type(fd, "info status\r");
    CHECK_CONTAINS(see(fd, "stopped, engine"), "stopped, engine bt");
    type(fd, "\001c");
    CHECK_CONTAINS(see(fd, "\n\r\n"), "\n\r\n");
    usleep(100000);
    type(fd, "\001c");
    CHECK_CONTAINS(see(fd, "(emu) "), "(emu) ");
    type(fd, "p 6*7\r");
    CHECK_CONTAINS(see(fd, "0x2a 42"), "0x2a 42");
    type(fd, "\001c");
    CHECK_CONTAINS(see(fd, "\n\r\n"), "\n\r\n");
    usleep(100000);
    type(fd, "\001x");
    see(fd, "\001");
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == STATUS_POWEROFF);
    close(fd);
}

/* A stopped guest goes on with another engine, and stands where it stood. */
static void test_engine(void)
{
    if (!begin("bare"))
        return;
    CHECK_CONTAINS(ask("engine"), "bare: ");
    CHECK_CONTAINS(ask("engine bt"), "the one engine bare");
    vm->config.find_engine = switch_by_name;
    ask("step");
    go();
    CHECK_STR(ask("engine bt"), "");
    CHECK_CONTAINS(ask("engine"), "bt: ");
    CHECK_STR(ask("p $eax"), "0x12345678 305419896\n");
    CHECK_STR(ask("p $eip"), "0x100005 1048581\n");
    CHECK_STR(ask("engine kvm-model"), "");
    ask("step");
    go();
    CHECK_STR(ask("p $eip"), "0x10000a 1048586\n");
    CHECK_CONTAINS(ask("engine pv"), "take bare, bt or kvm");
    CHECK_CONTAINS(ask("engine bart"), "did you mean");
    CHECK_CONTAINS(ask("engine"), "kvm: ");
    end();
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "answers", test_answers }, { "going", test_going }, { "engine", test_engine }, { "pipe", test_pipe }, { "terminal", test_terminal }, { "shared_terminal", test_shared_terminal }, { NULL, NULL } };
    int fd = mkstemp(kernel);
    if (fd < 0 || write(fd, guest, sizeof guest) != sizeof guest)
        return 1;
    close(fd);
    int status = check_main(argc, argv, "monitor", tests);
    unlink(kernel);
    return status;
}
