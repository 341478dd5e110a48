/* SPDX-License-Identifier: MIT */
/*
 * Debian's Linux with what is outside of emu: a disk that qemu-storage-daemon has (which is killed while files are written), another emu at
 * the other end of the wire, an interface of the host's in a network namespace. The guests are fetched once by tools/fetch-guests.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "host.h"

#define PROMPT "guest# "
#define INITRD "build/tests/initrd-outside"

static char folder[] = "/tmp/emu-test-real-XXXXXX";
static char command[8000], out[65536];

/* A command of the host's; its output goes to `out`. Returns its exit status. */
static int host(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return host_capture(out, sizeof out, command);
}

#define NEED_LINUX() do { \
    if (host("tools/fetch-guests linux32 e1000.ko busybox32 busybox64 2>&1 && chmod +x guests/real/busybox64 && " \
             "tools/make-virtio-initramfs " INITRD " lib/e1000.ko=guests/real/e1000.ko 2>&1")) \
        SKIP("the Linux guest and its drivers cannot be had: %.200s", out); \
} while (0)

#define LINUX "guests/real/linux32 -initrd " INITRD " -m 128 -nographic --clock=virtual --max-seconds 300 -append 'console=ttyS0 quiet' "

/* --- a disk that another process has --- */

#define DAEMON "qemu-storage-daemon --blockdev driver=file,filename=$D/disk,node-name=f --blockdev driver=$F,file=f,node-name=d " \
    "--export type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=$D/socket,writable=on & Q=$!; " \
    "for i in 1 2 3 4 5 6 7 8 9; do [ -S $D/socket ] || sleep 0.1; done; "
#define COPIES "busybox32 busybox32 busybox32 busybox32 busybox32 busybox32 busybox32 busybox32"

/* `meanwhile`: what happens to the daemon, in the background. */
static void daemon_disk(const char *format, const char *meanwhile)
{
    NEED_LINUX();
    if (host("qemu-storage-daemon --version && qemu-img --version"))
        SKIP("qemu-storage-daemon and qemu-img are not installed (packages qemu-system-common and qemu-utils)");
    CHECK_EQ(host("rm -f %s/*; qemu-img create -q -f %s %s/disk 48M", folder, format, folder), 0);
    int status = host("D=%s F=%s; " DAEMON "%s "
                      "timeout 300 %s -engine bt " LINUX "-chardev socket,id=c,path=$D/socket -device vhost-user-blk-pci,chardev=c --trace=virtio -D $D/trace "
                      "--expect '" PROMPT "' --then 'load-virtio; busybox mkdir /mnt; busybox mke2fs /dev/vda >/dev/null; mount -t ext2 /dev/vda /mnt\\n' "
                      "--expect '" PROMPT "' --then 'for i in 1 2 3 4 5 6 7 8; do busybox cp /bin/busybox /mnt/$i; sync; sleep 0.1; done; busybox umount /mnt\\n' "
                      "--expect '" PROMPT "' --then 'mount -t ext2 /dev/vda /mnt; cat /mnt/[1-8] | md5sum; busybox umount /mnt\\n' "
                      "--expect $(cd guests/real && cat " COPIES " | md5sum | cut -d ' ' -f 1) --expect '" PROMPT "' --then 'poweroff -f\\n' --expect 'Power down' "
                      "</dev/null 2>&1; S=$?; wait $M; kill $(cat $D/pid 2>/dev/null || echo $Q); exit $S", folder, format, meanwhile, emu());
    if (!CHECK_EQ(status, 0))
        FAIL("%s", out);
    CHECK_EQ(host("sleep 0.2; qemu-img convert -f %s -O raw %s/disk %s/raw && /sbin/e2fsck -fn %s/raw 2>&1", format, folder, folder, folder), 0);
    CHECK(strcmp(format, "raw") == 0 || host("qemu-img check -q %s/disk 2>&1", folder) == 0);
}

static void test_daemon_raw(void) { daemon_disk("raw", "true & M=$!; "); }
static void test_daemon_qcow2(void) { daemon_disk("qcow2", "true & M=$!; "); }

/* Killed three times while the guest writes; nothing is lost. */
static void test_daemon_killed(void)
{
    daemon_disk("raw", "(for k in 1 2 3; do until [ $(du -k $D/disk | cut -f 1) -gt $((k * 2000)) ]; do sleep 0.02; done; kill -9 $Q; sleep 0.2; rm -f $D/socket; " DAEMON "echo $Q >$D/pid; done) & M=$!; ");
    CHECK_EQ(host("grep -q ' lost ' %s/trace", folder), 0);
}

/* --- two of them --- */

static void two(const char *first, const char *first_driver, const char *second, const char *second_driver)
{
    NEED_LINUX();
    check_context("%s", second);
    int status = host("cd . && D=%s; rm -f $D/*; timeout 300 %s -engine bt " LINUX "%s "
                      "--expect '" PROMPT "' --then '%s; ifconfig eth0 10.1.0.1; busybox httpd -p 80 -h /bin; busybox nc -l -p 99 >/dev/null; poweroff -f\\n' "
                      "--expect 'Power down' </dev/null >$D/first 2>&1 & "
                      "for i in 1 2 3 4 5 6 7 8 9; do [ -S $D/wire ] || sleep 0.1; done; "
                      "timeout 300 %s -engine bt " LINUX "%s "
                      "--expect '" PROMPT "' --then '%s; ifconfig eth0 10.1.0.2; sleep 2; for i in 1 2 3; do ping -c 1 -W 2 10.1.0.1; done; "
                      "wget -q -O /tmp/f http://10.1.0.1/busybox; md5sum </tmp/f\\n' "
                      "--expect $(md5sum <guests/real/busybox32 | cut -d ' ' -f 1) "
                      "--expect '" PROMPT "' --then 'echo bye | busybox nc 10.1.0.1 99; poweroff -f\\n' --expect 'Power down' </dev/null 2>&1; S=$?; "
                      "wait $! || S=9; cat $D/first; exit $S",
                      folder, emu(), first, first_driver, emu(), second, second_driver);
    if (!CHECK_EQ(status, 0))
        FAIL("%s", out);
}

#define VIRTIO "load-virtio"
#define E1000 "insmod /lib/e1000.ko"

static void test_two_by_stream(void)
{
    two("-netdev stream,id=n,server=on,addr.type=unix,addr.path=$D/wire -device virtio-net-pci,netdev=n", VIRTIO,
        "-netdev stream,id=n,server=off,addr.type=unix,addr.path=$D/wire -device e1000,netdev=n,mac=52:54:00:12:34:99", E1000);
}

static void test_two_by_dgram(void)
{
    two("-netdev dgram,id=n,local.type=unix,local.path=$D/wire,remote.type=unix,remote.path=$D/other -device virtio-net-pci,netdev=n,queues=2", VIRTIO,
        "-netdev dgram,id=n,local.type=unix,local.path=$D/other,remote.type=unix,remote.path=$D/wire -device virtio-net-pci,netdev=n,mac=52:54:00:12:34:99", VIRTIO);
}

/* --- an interface of the host's --- */

static void test_tap(void)
{
    NEED_LINUX();
    if (host("unshare -Urn sh -c 'guests/real/busybox64 tunctl -t tap9 2>&1 || ip tuntap add tap9 mode tap' 2>&1"))
        SKIP("this host lets nobody make a network namespace with an interface in it: %.100s", out);
    int status = host("unshare -Urn sh -c \"ip tuntap add tap9 mode tap 2>/dev/null || guests/real/busybox64 tunctl -t tap9; "
                      "guests/real/busybox64 ifconfig tap9 10.9.0.1 up; guests/real/busybox64 httpd -f -p 10.9.0.1:80 -h guests/real & H=\\$!; "
                      "timeout 300 %s -engine bt " LINUX "-netdev tap,id=n,ifname=tap9,script=no,downscript=no -device virtio-net-pci,netdev=n "
                      "--expect '" PROMPT "' --then 'load-virtio; ifconfig eth0 10.9.0.2; ping -c 1 10.9.0.1; wget -q -O /tmp/f http://10.9.0.1/busybox32; md5sum /tmp/f\\n' "
                      "--expect $(md5sum <guests/real/busybox32 | cut -d ' ' -f 1) --then 'poweroff -f\\n' --expect 'Power down' </dev/null; S=\\$?; kill \\$H; exit \\$S\" 2>&1", emu());
    if (!CHECK_EQ(status, 0))
        FAIL("%s", out);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "daemon_raw", test_daemon_raw }, { "daemon_qcow2", test_daemon_qcow2 }, { "daemon_killed", test_daemon_killed },
        { "two_by_stream", test_two_by_stream }, { "two_by_dgram", test_two_by_dgram }, { "tap", test_tap }, { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "real_outside", tests);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
