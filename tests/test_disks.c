/* SPDX-License-Identifier: MIT */
/*
 * Disks and CDs as Linux uses them: its ATA driver finds them, partitions, makes a file system, writes, and finds it again after a
 * reboot. On a raw image, and on a qcow2 image that qemu-nbd serves.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "host.h"

#define PROMPT "guest# "
#define INITRD "build/tests/disks-initrd"

static char folder[] = "/tmp/emu-test-disks-XXXXXX";
static char command[4096], out[65536];

/* A command of the host's; its output goes to `out`. Returns its exit status. */
static int host(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return host_capture(out, sizeof out, command);
}

static bool available(void)
{
    return host("tools/fetch-guests grub-rescue.iso 2>&1 && tools/make-disk-initramfs " INITRD " 2>&1") == 0;
}

/* `script`: what is typed and waited for behind the first prompt. The machine has this disk and GRUB's rescue CD. */
static int run(const char *disk, const char *script)
{
    return host("timeout 300 %s --engine=bt -m 128 -kernel guests/real/linux32 -initrd " INITRD " -append 'console=ttyS0 quiet' -hda %s "
                "-cdrom guests/real/grub-rescue.iso -nographic --clock=virtual --max-cycles=200000000000 --expect '" PROMPT "' %s </dev/null 2>&1",
                emu(), disk, script);
}

/* The word that is waited for is typed in two halves, so that its echo is not taken for it. */
static const char write_and_read[] =
    "--then 'load-disks; busybox mkdir /mnt /cd\\n' --expect '" PROMPT "' "
    "--then \"printf 'o\\\\\\\\nn\\\\\\\\np\\\\\\\\n1\\\\\\\\n\\\\\\\\n\\\\\\\\nw\\\\\\\\n' | busybox fdisk /dev/sda >/dev/null\\n\" --expect '" PROMPT "' "
    "--then 'busybox mke2fs /dev/sda1 >/dev/null; mount -t ext2 /dev/sda1 /mnt; busybox cp /bin/busybox /mnt/one; sync; reboot -f\\n' "
    "--expect 'Restarting system' --expect '" PROMPT "' "
    "--then 'load-disks; busybox mkdir /mnt /cd; mount -t ext2 /dev/sda1 /mnt; busybox md5sum /mnt/one\\n' --expect $(md5sum <guests/real/busybox32 | cut -d ' ' -f 1) "
    "--then 'mount -t iso9660 -o ro /dev/sr0 /cd; busybox md5sum /cd/boot/grub/i386-pc/normal.mod; busybox umount /mnt; poweroff -f\\n' "
    "--expect /normal.mod --expect 'Power down'";

static void check_disk(const char *disk)
{
    check_context("-hda %s", disk);
    if (!CHECK_EQ(run(disk, write_and_read), 0))
        FAIL("%s", out);
}

static void test_raw(void)
{
    char image[80];
    if (!available())
        SKIP("the Linux guest and its drivers cannot be had: %.200s", out);
    snprintf(image, sizeof image, "%s/raw.img", folder);
    host("truncate -s 64M %s", image);
    check_disk(image);
    struct stat st;
    CHECK(stat(image, &st) == 0 && st.st_blocks * 512 < 16 << 20);     /* it has stayed sparse */
}

static void test_qcow2_by_nbd(void)
{
    if (!available())
        SKIP("the Linux guest and its drivers cannot be had: %.200s", out);
    if (host("command -v qemu-nbd && command -v qemu-img"))
        SKIP("qemu-nbd is not installed (package qemu-utils)");
    CHECK_EQ(host("cd %s && qemu-img create -q -f qcow2 disk.qcow2 64M && qemu-nbd -t --fork --pid-file=pid -f qcow2 -k %s/socket disk.qcow2", folder, folder), 0);
    char url[120];
    snprintf(url, sizeof url, "nbd:unix:%s/socket", folder);
    check_disk(url);
    host("kill $(cat %s/pid)", folder);
}

/* From reset: SeaBIOS, GRUB, Linux with a RAM disk, all from one CD that grub-mkrescue makes; and Linux then reads that CD. */
static void test_grub_cd(void)
{
    if (!available())
        SKIP("the Linux guest and its drivers cannot be had: %.200s", out);
    if (access("/usr/share/seabios/bios-256k.bin", R_OK) ||
        host("tools/make-grub-cd %s/linux.iso guests/real/linux32 " INITRD " console=ttyS0 quiet 2>&1", folder))
        SKIP("the CD cannot be made: %.200s", out);
    int status = host("timeout 300 %s --engine=bt -m 256 -cdrom %s/linux.iso -nographic --clock=virtual --max-cycles=200000000000 --expect '" PROMPT "' "
                      "--then 'load-disks; busybox mkdir /cd; mount -t iso9660 -o ro /dev/sr0 /cd; busybox md5sum /cd/linux; poweroff -f\\n' "
                      "--expect $(md5sum <guests/real/linux32 | cut -d ' ' -f 1) --expect 'Power down' </dev/null 2>&1", emu(), folder);
    if (!CHECK_EQ(status, 0))
        FAIL("%s", out);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "raw", test_raw }, { "qcow2_by_nbd", test_qcow2_by_nbd }, { "grub_cd", test_grub_cd }, { NULL, NULL } };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "disks", tests);
    host("rm -rf %s", folder);
    return status;
}
