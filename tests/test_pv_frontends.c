/* SPDX-License-Identifier: MIT */
/* Front-ends that run: a kernel of ours, GRUB's, GNU Mach's. */
#include "pvfront.h"

static void test_split(void)
{
    if (access("build/guests/split.xen.elf", R_OK))
        SKIP("build/guests has no split.xen.elf; run make guests");
    front_make_disk();
    struct fixture f = { 0 };
    if (CHECK(fixture_machine(&f, "build/guests/split.xen.elf", front_devices))) {
        CHECK_EQ(vm_run(f.vm), STATUS_POWEROFF);
        CHECK_CONTAINS(fixture_output(&f), "disk: 64 sectors; 8 pages written and read back\n");
        CHECK_CONTAINS(fixture_output(&f), "net: 16 frames came back\n");
        const u64 *count = f.vm->ledger.count;
        CHECK_EQ(count[EV_PV_COPIED_LINE], 2 * 16 * 16); /* 1000 bytes there and back; the disk's pages are not copied */
        CHECK_EQ(count[EV_PV_GRANT_COPY], 2 * 16);
        CHECK_EQ(count[EV_PV_GRANT_MAP], 3 + 3 * 8);    /* rings, and three times eight pages */
        CHECK_EQ(count[EV_PV_GRANT_UNMAP], count[EV_PV_GRANT_MAP]);
        CHECK_EQ(front_state(&f, BACK), XenbusStateClosed);
        CHECK_STR(audit(&f), "");
        u32 word = 0;
        CHECK(block_read(f.vm->platform.ide[0].image, 0, &word, 4) && word);
    }
    fixture_close(&f);
    unlink(disk_image);
}

/* --- and a real one: GRUB's --- */

static const char *fs_image;
static void with_file_system(struct vm_config *c)
{
    c->drive[0] = (struct vm_drive){ .file = fs_image, .media = DRIVE_DISK, .index = -1, .readonly = true };
    c->ndrives = 1;
}

static void type_and_wait(struct fixture *f, const char *keys, const char *expect)
{
    chardev_buffer_feed(f->console, keys, strlen(keys));
    for (unsigned i = 0; i < 40 && !strstr(fixture_output(f), expect); i++) {
        f->vm->status = VM_RUNNING;
        f->vm->config.max_cycles += 20000000;
        vm_run(f->vm);
    }
    CHECK_CONTAINS(fixture_output(f), expect);
}

static void test_grub(void)
{
    if (system("tools/fetch-guests grub-i386-xen.bin") != 0)
        SKIP("guests/real/grub-i386-xen.bin cannot be had (tools/fetch-guests grub-i386-xen.bin)");
    if (access("/sbin/mke2fs", X_OK))
        SKIP("mke2fs is missing: apt-get install e2fsprogs");
    char dir[] = "/tmp/emu-fs-XXXXXX", command[512];
    if (!CHECK(mkdtemp(dir)))
        return;
    snprintf(command, sizeof command, "mkdir %s/d && echo 'read through two halves of a driver' > %s/d/poem.txt && truncate -s 4M %s/image && "
             "/sbin/mke2fs -q -t ext2 -d %s/d %s/image", dir, dir, dir, dir, dir);
    CHECK_EQ(system(command), 0);
    char path[64];
    snprintf(path, sizeof path, "%s/image", dir);
    fs_image = path;
    struct fixture f = { 0 };
    if (CHECK(fixture_machine(&f, "guests/real/grub-i386-xen.bin", with_file_system))) {
        f.vm->config.max_cycles = 0;
        type_and_wait(&f, "", "grub> ");
        type_and_wait(&f, "ls\r", "(xen/xvda)");
        type_and_wait(&f, "ls (xen/xvda)/\r", "poem.txt");
        type_and_wait(&f, "cat (xen/xvda)/poem.txt\r", "read through two halves of a driver");
        CHECK_EQ(front_state(&f, BACK), XenbusStateConnected);
        CHECK(f.vm->ledger.count[EV_PV_GRANT_MAP] > 10);
        CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_MAP], f.vm->ledger.count[EV_PV_GRANT_UNMAP] + 1); /* the ring's page */
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
    /* the same by the command line, typed from a script */
    const char *build = getenv("EMU_BUILD");
    snprintf(command, sizeof command, "%s -engine pv -kernel guests/real/grub-i386-xen.bin -m 64 -snapshot -hda %s --expect 'grub> ' "
             "--then 'cat (xen/xvda)/poem.txt\\n' --expect 'two halves of a driver' > /dev/null",
             build && strstr(build, "san") ? "build/san/emu" : "./emu", path);
    CHECK_EQ(system(command), 0);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_EQ(system(command), 0);
}

/* And GNU Mach's, both of them. */
static void test_gnu_mach(void)
{
    if (system("tools/fetch-guests gnumach-xen") != 0)
        SKIP("guests/real/gnumach-xen cannot be had (tools/fetch-guests gnumach-xen)");
    front_make_disk();
    struct fixture f = { 0 };
    if (CHECK(fixture_machine(&f, "guests/real/gnumach-xen", front_devices))) {
        vm_run(f.vm);
        CHECK_CONTAINS(fixture_output(&f), "xvd0: dom0's VBD 51712");
        CHECK_CONTAINS(fixture_output(&f), "eth0: dom0's VIF 0 52:54:00:12:34:56");
        CHECK_EQ(front_state(&f, BACK), XenbusStateConnected);
        CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateConnected);
        CHECK_STR(audit(&f), "");
    }
    fixture_close(&f);
    unlink(disk_image);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "split", test_split },
        { "grub", test_grub },
        { "gnu-mach", test_gnu_mach },
        { NULL, NULL },
    };
    return check_main(argc, argv, "front-ends", tests);
}
