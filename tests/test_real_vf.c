/* SPDX-License-Identifier: MIT */
/*
 * Debian's Linux with a virtual function of the modelled host's 82576, driven by its own igbvf: an address by DHCP, ten megabytes from a
 * server on this host and the same back. On the model of VT-x, too; there the data path costs no exits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "check.h"
#include "host.h"
#include "net_server.h"

#define INITRD "build/tests/initrd-vf"
#define OUTPUT "build/tests/real-vf.txt"

#define NEED_LINUX() do { \
    if (system("tools/fetch-guests linux32 busybox32 igbvf.ko")) \
        SKIP("the guest cannot be had (tools/fetch-guests linux32 busybox32 igbvf.ko)"); \
    if (system("tools/make-initramfs " INITRD " lib/igbvf.ko=guests/real/igbvf.ko")) \
        SKIP("tools/make-initramfs cannot make the initial RAM disk"); \
} while (0)

/* What --stats counted of an event, 0 if it is not there. */
static u64 counted(const char *event)
{
    char line[300], name[80];
    unsigned long long n, found = 0;
    FILE *f = fopen(OUTPUT, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, " %79s %llu", name, &n) == 2 && !strcmp(name, event))
            found = n;
    if (f)
        fclose(f);
    return found;
}

static bool transfer(const char *options)
{
    struct net_server v = { 0 };
    char command[2000];
    if (!net_server_start(&v))
        return false;
    snprintf(command, sizeof command,
             "timeout 900 %s %s -netdev user,id=n -device vfio-pci,host=01:10.0,netdev=n -m 384 --clock virtual guests/real/linux32 -initrd " INITRD
             " -append 'console=ttyS0 quiet' -no-reboot --max-seconds 600 --stats "
             "--expect 'guest# ' --then 'insmod /lib/igbvf.ko; ifconfig eth0 up; udhcpc -i eth0 -n\\n' --expect 'eth0 has 10.0.2.15' "
             "--expect 'guest# ' --then 'wget -q -O /tmp/f http://10.0.2.2:%u/f && echo GOT $((6 * 7))\\n' --expect 'GOT 42' "
             "--expect 'guest# ' --then 'nc 10.0.2.2 %u </tmp/f; echo GAVE $((6 * 7))\\n' --expect 'GAVE 42' "
             "--then 'poweroff -f\\n' --expect 'Power down' >" OUTPUT " 2>&1",
             emu(), options, v.download_port, v.upload_port);
    check_context("emu %s", options);
    if (!CHECK_EQ(system(command), 0) && system("tail -n 20 " OUTPUT " >&2"))
        fprintf(stderr, "    and its words cannot be shown\n");
    net_server_show_file(OUTPUT);
    CHECK_EQ(net_server_report(&v), net_server_size());
    net_server_stop(&v);
    return true;
}

static void test_bt(void)
{
    NEED_LINUX();
    if (!transfer("-engine bt"))
        SKIP("no port of the loopback interface can be had");
    CHECK(counted("dma.remapped") > 20000);
    CHECK(counted("bt.mmio") < 2000);
}

static void test_kvm(void)
{
    NEED_LINUX();
    if (!transfer("-engine kvm --kvm model"))
        SKIP("no port of the loopback interface can be had");
    CHECK(counted("dma.remapped") > 20000);
    CHECK(counted("iommu.walk") * 5 < counted("dma.remapped"));
    CHECK_EQ(counted("iommu.fault"), 0);
    CHECK(counted("iommu.posted") > 500);
    CHECK_EQ(counted("iommu.interrupt"), 0);
    CHECK(counted("kvm.mmio") < 200);       /* set-up: twenty megabytes have gone through */
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "bt", test_bt }, { "kvm", test_kvm }, { NULL, NULL } };
    return check_main(argc, argv, "real_vf", tests);
}
