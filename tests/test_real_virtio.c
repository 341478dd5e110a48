/* SPDX-License-Identifier: MIT */
/*
 * Debian's Linux on virtio devices: a file system is made on /dev/vda, filled, and found again after a reboot; an address by DHCP, ten
 * megabytes from a server on this host and the same back; random bytes; a line on the console. With split and packed rings, by messages
 * and by the interrupt pin, through the modern and the legacy interface of PCI, and over MMIO. The guests are fetched once by tools/fetch-guests.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "host.h"
#include "net_server.h"

#define PROMPT "guest# "
#define INITRD "build/tests/initrd-virtio"
#define LOAD "load-virtio; busybox mkdir /mnt"

static char folder[] = "/tmp/emu-test-virtio-XXXXXX";
static char command[6000], out[65536];

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
    if (host("tools/fetch-guests linux32 2>&1 && tools/make-virtio-initramfs " INITRD " 2>&1")) \
        SKIP("the Linux guest and its drivers cannot be had: %.200s", out); \
} while (0)

#define LINUX "guests/real/linux32 -initrd " INITRD " -m 384 -nographic --clock=virtual --max-seconds 800 "

/* --- disk, random bytes, console --- */

static const char make_fill_check[] =
    "--expect '" PROMPT "' --then '" LOAD "; busybox mke2fs /dev/vda >/dev/null; mount -t ext4 -o noinit_itable /dev/vda /mnt 2>/dev/null || mount -t ext2 /dev/vda /mnt\\n' "
    "--expect '" PROMPT "' --then 'for i in 1 2 3 4 5 6 7 8; do busybox cp /bin/busybox /mnt/$i; done; sync; reboot -f\\n' --expect 'Restarting system' "
    "--expect '" PROMPT "' --then '" LOAD "; mount -t ext2 /dev/vda /mnt; cat /mnt/[1-8] | md5sum; busybox rm /mnt/[2-8]; busybox fstrim -v /mnt; md5sum /mnt/1\\n' "
    "--expect $(cat guests/real/busybox32 guests/real/busybox32 guests/real/busybox32 guests/real/busybox32 guests/real/busybox32 guests/real/busybox32 "
    "guests/real/busybox32 guests/real/busybox32 | md5sum | cut -d ' ' -f 1) --expect 'bytes trimmed' --expect $(md5sum <guests/real/busybox32 | cut -d ' ' -f 1) "
    "--then 'busybox umount /mnt; cat /sys/block/vda/serial; dd if=/dev/hwrng bs=64 count=4 2>/dev/null | md5sum; echo to the console >/dev/hvc0; "
    "cat /sys/class/virtio-ports/*p1/name | busybox tee /dev/vport*p1; "
    "cat /proc/interrupts; echo DONE $((6 * 7))\\n' --expect serial-1 --expect 'DONE 42' --then 'poweroff -f\\n' --expect 'Power down' ";

static void disk(const char *options, const char *append, const char *says)
{
    NEED_LINUX();
    check_context("emu %s -append '%s'", options, append);
    CHECK_EQ(host("truncate -s 0 %s/disk && truncate -s 48M %s/disk", folder, folder), 0);
    int status = host("timeout 900 %s " LINUX "%s -append 'console=ttyS0 quiet %s' -device virtconsole,chardev=file:%s/console "
                      "-device virtserialport,chardev=file:%s/port,name=org.emu.test %s </dev/null 2>&1", emu(), options, append, folder, folder, make_fill_check);
    if (!CHECK_EQ(status, 0) || !CHECK_CONTAINS(out, says))
        FAIL("%s", out);
    CHECK_EQ(host("cat %s/console", folder), 0);
    CHECK_CONTAINS(out, "to the console");
    CHECK_EQ(host("cat %s/port", folder), 0);
    CHECK_CONTAINS(out, "org.emu.test");
    CHECK_EQ(host("test $(du -k %s/disk | cut -f 1) -lt 12000", folder), 0);    /* what was trimmed is the host's again */
    if (host("command -v /sbin/e2fsck") == 0)
        CHECK_EQ(host("/sbin/e2fsck -fn %s/disk 2>&1", folder), 0);
}

#define DRIVE "-drive file=$D/disk,if=virtio,serial=serial-1 "
#define DEVICE(flavor) "-drive file=$D/disk,if=none,id=d -device virtio-blk-pci,drive=d,serial=serial-1" flavor " -device virtio-rng-pci" flavor

static void test_disk_bt(void) { disk("-engine bt " DRIVE "-device virtio-rng-pci", "", "virtio0-req.0"); }
static void test_disk_packed(void) { disk("-engine bt " DEVICE(",packed=on"), "", "virtio0-req.0"); }
static void test_disk_by_pin(void) { disk("-engine bt " DEVICE(""), "pci=nomsi", "fasteoi   virtio0"); }
static void test_disk_legacy(void) { disk("-engine bt " DEVICE(",disable-modern=on"), "", "virtio0-req.0"); }
static void test_disk_mmio(void)
{
    disk("-engine bt -device virtio-serial-device -drive file=$D/disk,if=none,id=d -device virtio-blk-device,drive=d,serial=serial-1,packed=on -device virtio-rng-device",
         "", "fasteoi   virtio0");
}
__attribute__((unused)) static void test_disk_legacy_by_pin_kvm(void)
{
    disk("-engine kvm --kvm model " DEVICE(",disable-modern=on"), "pci=nomsi", "fasteoi   virtio0");
}

/* --- network --- */

static void transfer(const char *options, const char *append)
{
    struct net_server v = { 0 };
    NEED_LINUX();
    if (!net_server_start(&v))
        SKIP("no port of the loopback interface can be had");
    check_context("emu %s -append '%s'", options, append);
    int status = host("timeout 900 %s " LINUX "--stats %s -append 'console=ttyS0 quiet %s' --expect '" PROMPT "' --then 'load-virtio; ifconfig eth0 up; udhcpc -i eth0 -n\\n' "
                      "--expect 'eth0 has 10.0.2.15' "
                      "--expect '" PROMPT "' --then 'wget -q -O /tmp/f http://10.0.2.2:%u/f && echo GOT $((6 * 7))\\n' --expect 'GOT 42' "
                      "--expect '" PROMPT "' --then 'nc 10.0.2.2 %u </tmp/f; echo GAVE $((6 * 7))\\n' --expect 'GAVE 42' "
                      "--then 'poweroff -f\\n' --expect 'Power down' </dev/null 2>&1", emu(), options, append, v.download_port, v.upload_port);
    if (!CHECK_EQ(status, 0))
        FAIL("%s", out);
    net_server_show(out);
    CHECK_EQ(net_server_report(&v), net_server_size());
    net_server_stop(&v);
}

#define NIC(flavor) "-netdev user,id=n -device virtio-net-pci,netdev=n" flavor

static void test_net_bt(void) { transfer("-engine bt " NIC(""), ""); }
static void test_net_packed(void) { transfer("-engine bt " NIC(",packed=on"), ""); }
static void test_net_by_pin(void) { transfer("-engine bt " NIC(""), "pci=nomsi"); }
static void test_net_legacy(void) { transfer("-engine bt " NIC(",disable-modern=on"), ""); }
static void test_net_mmio(void) { transfer("-engine bt -netdev user,id=n -device virtio-net-device,netdev=n", ""); }
static void test_net_mmio_noapic(void) { transfer("-engine bt -netdev user,id=n -device virtio-net-device,netdev=n", "noapic nolapic"); }
__attribute__((unused)) static void test_net_mmio_kvm(void) { transfer("-engine kvm --kvm model -netdev user,id=n -device virtio-net-device,netdev=n", ""); }
__attribute__((unused)) static void test_net_kvm(void) { transfer("-engine kvm --kvm model " NIC(""), ""); }

/* --- balloon, keyboard, tablet --- */

/* The balloon takes 64 of 384 MiB; a key and a movement arrive as input events. */
static void test_small(void)
{
    NEED_LINUX();
    int status = host("(sleep 4; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do printf 'sendkey a\nmouse_move 5 5 1\nballoon 320\n'; sleep 1; done; printf 'quit\n') | "
                      "timeout 100 %s -engine bt guests/real/linux32 -initrd " INITRD " -m 384 -display none -serial file:%s/serial --max-seconds 60 -append 'console=ttyS0 quiet' "
                      "-device virtio-balloon-pci -device virtio-keyboard-pci -device virtio-tablet-pci -monitor stdio --expect '" PROMPT "' "
                      "--then 'load-virtio; grep Name /proc/bus/input/devices; for i in 1 2; do dd if=/dev/input/event$i bs=16 count=2 >/dev/null; echo EVENT$((i + 70)); done\n' "
                      "--expect EVENT71 --expect EVENT72 --then 'until [ $(grep MemFree /proc/meminfo | tr -dc 0-9) -lt 310000 ]; do sleep 1; done; echo BLOWN $((6 * 7))\n' "
                      "--expect 'BLOWN 42' 2>&1; S=$?; cat %s/serial; exit $S", emu(), folder, folder);
    if (!CHECK_EQ(status, 0) || !CHECK_CONTAINS(out, "virtio keyboard") || !CHECK_CONTAINS(out, "virtio tablet"))
        FAIL("%s", out);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "disk_bt", test_disk_bt }, { "disk_packed", test_disk_packed }, { "disk_by_pin", test_disk_by_pin }, { "disk_legacy", test_disk_legacy }, { "disk_mmio", test_disk_mmio },
        { "net_bt", test_net_bt }, { "net_packed", test_net_packed }, { "net_by_pin", test_net_by_pin }, { "net_legacy", test_net_legacy },
        { "net_mmio", test_net_mmio }, { "net_mmio_noapic", test_net_mmio_noapic }, { "small", test_small },
#ifndef __SANITIZE_ADDRESS__ /* billions of instructions one by one */
        { "disk_legacy_by_pin_kvm", test_disk_legacy_by_pin_kvm }, { "net_kvm", test_net_kvm }, { "net_mmio_kvm", test_net_mmio_kvm },
#endif
        { NULL, NULL },
    };
    if (!mkdtemp(folder) || setenv("D", folder, 1))
        return 1;
    int status = check_main(argc, argv, "real_virtio", tests);
    host("rm -rf %s", folder);
    return status;
}
