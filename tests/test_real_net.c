/* SPDX-License-Identifier: MIT */
/*
 * Debian's Linux on the network: its e1000 driver, an address by DHCP, ten megabytes from a server on this host and the same back,
 * which must be what was given; and a port of the host that leads to a server in the guest. The guests are fetched once by
 * tools/fetch-guests; nothing leaves this machine.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/types.h"
#include "check.h"
#include "host.h"
#include "net_server.h"

#define INITRD "build/tests/initrd-net"
#define DRIVER "insmod /lib/e1000.ko; ifconfig eth0 up; udhcpc -i eth0 -n\\n"

/* --- the guest --- */

#define NEED_LINUX() do { \
    if (system("tools/fetch-guests linux32 busybox32 e1000.ko")) \
        SKIP("the guest cannot be had (tools/fetch-guests linux32 busybox32 e1000.ko)"); \
    if (system("tools/make-initramfs " INITRD " lib/e1000.ko=guests/real/e1000.ko")) \
        SKIP("tools/make-initramfs cannot make the initial RAM disk"); \
} while (0)

#define LINUX "guests/real/linux32 -initrd " INITRD " -append 'console=ttyS0 quiet' -no-reboot --max-seconds 600 " \
              "--expect 'guest# ' --then '" DRIVER "' --expect 'eth0 has 10.0.2.15' "

static void transfer(const char *options)
{
    struct net_server v = { 0 };
    char command[2000];
    NEED_LINUX();
    if (!net_server_start(&v))
        SKIP("no port of the loopback interface can be had");
    snprintf(command, sizeof command,
             "timeout 900 %s %s -nic user -m 384 --clock virtual --stats " LINUX
             "--expect 'guest# ' --then 'wget -q -O /tmp/f http://10.0.2.2:%u/f && echo GOT $((6 * 7))\\n' --expect 'GOT 42' "
             "--expect 'guest# ' --then 'nc 10.0.2.2 %u </tmp/f; echo GAVE $((6 * 7))\\n' --expect 'GAVE 42' "
             "--then 'poweroff -f\\n' --expect 'Power down' >build/tests/real-net.txt 2>&1",
             emu(), options, v.download_port, v.upload_port);
    check_context("emu %s", options);
    if (!CHECK_EQ(system(command), 0) && system("tail -n 20 build/tests/real-net.txt >&2"))
        fprintf(stderr, "    and its words cannot be shown\n");
    net_server_show_file("build/tests/real-net.txt");
    CHECK_EQ(net_server_report(&v), net_server_size());
    net_server_stop(&v);
}

static void test_transfer_bt(void) { transfer("-engine bt"); }
__attribute__((unused)) static void test_transfer_bare(void) { transfer("-engine bare"); }
__attribute__((unused)) static void test_transfer_kvm(void) { transfer("-engine kvm --kvm model"); }

/* --- the servers inside libslirp are of the guest's time: everything repeats exactly, a reboot included --- */

static void capture_files(const char *to)
{
    char command[1200];
    snprintf(command, sizeof command,
             "timeout 300 %s -engine bt -nic user,tftp=guests/real --pcap %s --clock virtual guests/real/linux32 -initrd " INITRD
             " -append 'console=ttyS0 quiet' --max-seconds 200 --expect 'guest# ' --then '" DRIVER "' --expect 'eth0 has' --expect 'guest# ' "
             "--then 'tftp -g -r e1000.ko -l /tmp/f 10.0.2.2; cmp /tmp/f /lib/e1000.ko && reboot -f\n' "
             "--expect 'guest# ' --then 'poweroff -f\n' --expect 'Power down' >build/tests/real-net.txt 2>&1",
             emu(), to);
    if (!CHECK_EQ(system(command), 0) && system("tail -n 20 build/tests/real-net.txt >&2"))
        fprintf(stderr, "    and its words cannot be shown\n");
}

static void test_repeats(void)
{
    NEED_LINUX();
    capture_files("build/tests/real-net-1.pcap");
    capture_files("build/tests/real-net-2.pcap");
    CHECK_EQ(system("cmp build/tests/real-net-1.pcap build/tests/real-net-2.pcap"), 0);
    CHECK_EQ(system("test $(stat -c %s build/tests/real-net-1.pcap) -gt 150000"), 0);
}

/* --- a server in the guest --- */

static bool file_has(const char *path, const char *text)
{
    static char buffer[65536];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(buffer, 1, sizeof buffer - 1, f) : 0;
    if (f)
        fclose(f);
    buffer[n] = 0;
    return strstr(buffer, text);
}

static double cpu_seconds(pid_t pid)
{
    struct timespec t = { 0, 0 };
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock) == 0)
        clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void ask_guest(u16 port, char *answer, size_t size)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
    int s = socket(AF_INET, SOCK_STREAM, 0);
    size_t have = 0;
    if (connect(s, (struct sockaddr *)&a, sizeof a) == 0)
        for (ssize_t n; have < size - 1 && (n = read(s, answer + have, size - 1 - have)) > 0;)
            have += n;
    answer[have] = 0;
    close(s);
}

static pid_t start_guest(u16 port, const char *serial)
{
    char forward[80], where[120];
    snprintf(forward, sizeof forward, "user,hostfwd=tcp:127.0.0.1:%u-:80", port);
    snprintf(where, sizeof where, "file:%s", serial);
    pid_t pid = fork();
    if (pid == 0) {
        execl(emu(), "emu", "guests/real/linux32", "-initrd", INITRD, "-append", "console=ttyS0 quiet", "-engine", "bt", "-nic", forward,
              "-serial", where, "--max-seconds", "300", "--expect", "guest# ", "--then", "insmod /lib/e1000.ko; ifconfig eth0 up; udhcpc -i eth0 -n\n",
              "--expect", "eth0 has", "--then", "echo SERVING $((6 * 7)); echo hello from the guest | nc -l -p 80; poweroff -f\n", "--expect", "Power down", (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* It waits without using the processor, and is there when it is called. */
static void test_forward(void)
{
    static const char serial[] = "build/tests/real-net-serial.txt";
    char answer[100];
    u16 port = 0;
    int status;
    NEED_LINUX();
    close(net_server_listen(&port));
    unlink(serial);
    pid_t pid = start_guest(port, serial);
    for (int i = 0; i < 2400 && !file_has(serial, "SERVING 42"); i++)
        usleep(100000);
    sleep(1);
    double before = cpu_seconds(pid);
    sleep(2);
    double used = cpu_seconds(pid) - before;
    check_context("%.3f s of processor time in 2 s of waiting", used);
    CHECK(used < 0.5);
    ask_guest(port, answer, sizeof answer);
    CHECK_STR(answer, "hello from the guest\n");
    if (!CHECK_EQ(waitpid(pid, &status, 0), pid) || !CHECK_EQ(status, 0))
        kill(pid, SIGKILL);
}

/* A port that somebody else has: one line, and what to do. */
static void test_port_in_use(void)
{
    char command[300];
    u16 port = 0;
    int s = net_server_listen(&port);
    snprintf(command, sizeof command, "%s guests/hello -nic user,hostfwd=tcp:127.0.0.1:%u-:80 >build/tests/real-net.txt 2>&1", emu(), port);
    int status = system(command);
    CHECK_EQ(WEXITSTATUS(status), 64);
    CHECK(file_has("build/tests/real-net.txt", "give another"));
    close(s);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "port_in_use", test_port_in_use },
        { "transfer_bt", test_transfer_bt },
        { "repeats", test_repeats },
        { "forward", test_forward },
#ifndef __SANITIZE_ADDRESS__ /* billions of instructions one by one */
        { "transfer_bare", test_transfer_bare },
        { "transfer_kvm", test_transfer_kvm },
#endif
        { NULL, NULL },
    };
    return check_main(argc, argv, "real_net", tests);
}
