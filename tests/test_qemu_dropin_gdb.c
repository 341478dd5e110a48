/* SPDX-License-Identifier: MIT */
/* In the place of qemu-system-i386 under a debugger: a grader that speaks the protocol itself, and the real gdb. */
#include "dropin.h"

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
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "grader", test_grader }, { "packages", test_packages }, { "real_gdb", test_real_gdb },
        { "port_in_use", test_port_in_use },
        { NULL, NULL },
    };
    find_program();
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    put_images();
    int status = check_main(argc, argv, "qemu_dropin_gdb", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
