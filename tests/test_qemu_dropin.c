/* SPDX-License-Identifier: MIT */
/* In the place of qemu-system-i386: a course's Makefile, what a launcher gives besides, the monitor in the pipe, a terminal, the background. */
#include "cli/options/accepted.h"
#include "dropin.h"

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
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "make", test_make }, { "ends", test_ends }, { "reset", test_reset }, { "end_of_input", test_end_of_input },
        { "signals", test_signals }, { "launcher", test_launcher }, { "no_keys", test_no_keys },
        { "images", test_images }, { "locked", test_locked }, { "accepted", test_accepted },
        { "monitor", test_monitor }, { "terminal", test_terminal }, { "daemonize", test_daemonize },
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
