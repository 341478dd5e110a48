/* SPDX-License-Identifier: MIT */
/* Disk images: what is read is what was written, snapshots leave the file alone, and what the host refuses is an error. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "devices/block/block.h"
#include "devices/block/block_host.h"

#define KIB 1024u

static char path[] = "/tmp/emu-test-block-XXXXXX";
static struct error err;

/* An image of `kib` KiB whose every byte is the number of its KiB. */
static void make(unsigned kib)
{
    u8 line[KIB];
    FILE *f = fopen(path, "w");
    for (unsigned i = 0; i < kib; i++) {
        memset(line, i, sizeof line);
        fwrite(line, 1, sizeof line, f);
    }
    fclose(f);
}

static u8 byte_of_file(u64 offset)
{
    FILE *f = fopen(path, "r");
    fseek(f, offset, SEEK_SET);
    int c = getc(f);
    fclose(f);
    return c;
}

static void test_read_write(void)
{
    u8 buf[4 * KIB];
    make(256);
    struct block *b = block_open(path, 0, &err);
    if (!CHECK(b != NULL))
        return;
    CHECK_EQ(block_size(b), 256 * KIB);
    CHECK(block_read(b, 3 * KIB + 512, buf, KIB));
    CHECK_EQ(buf[0], 3);
    CHECK_EQ(buf[512], 4);
    memset(buf, 0xaa, sizeof buf);
    CHECK(block_write(b, 254 * KIB, buf, 2 * KIB));
    CHECK_EQ(byte_of_file(255 * KIB), 0xaa);
    CHECK(block_flush(b));
    block_close(b);
}

/* Whose work requests are counts all of them. */
static void test_host(void)
{
    static struct ledger ledger;
    struct clock clock;
    struct block_host host;
    u8 buf[KIB] = { 0 };
    clock_init(&clock, 1000000000);
    ledger.clock = &clock;
    make(64);
    struct block *b = block_open(path, 0, &err);
    if (!CHECK(b != NULL))
        return;
    block_host_init(&host, BLOCK_PATH_VIRTIO, &ledger);
    block_serve(b, &host);
    CHECK(block_write(b, 0, buf, KIB));
    CHECK(block_read(b, 0, buf, KIB));
    CHECK(block_flush(b));
    CHECK_EQ(ledger.count[EV_HOST_DISK], 3);
    CHECK(block_zero(b, KIB, KIB, false));
    CHECK_EQ(ledger.count[EV_HOST_DISK], 4);
    block_close(b);
    clock_fini(&clock);
}

static void test_bounds(void)
{
    static const struct { u64 offset, len; } outside[] = {
        { 16 * KIB, 1 }, { 15 * KIB, 2 * KIB }, { ~(u64)0, 1 }, { ~(u64)0 - 10, 512 }, { 512, ~(u64)0 }, { 1ull << 63, 1ull << 63 },
    };
    u8 buf[KIB];
    make(16);
    for (unsigned flags = 0; flags <= BLOCK_SNAPSHOT; flags += BLOCK_SNAPSHOT) {
        struct block *b = block_open(path, flags, &err);
        for (unsigned i = 0; i < ARRAY_LEN(outside); i++) {
            check_context("flags %u, row %u", flags, i);
            CHECK(!block_read(b, outside[i].offset, buf, outside[i].len));
            CHECK(!block_write(b, outside[i].offset, buf, outside[i].len));
        }
        CHECK(block_read(b, 16 * KIB, buf, 0));
        block_close(b);
    }
}

/* Random writes through a snapshot, against an array; the file stays. */
static void test_snapshot(void)
{
    enum { SIZE = 300 * KIB };
    static u8 model[SIZE], buf[SIZE];
    u64 seed = check_seed();
    make(300);
    struct block *b = block_open(path, BLOCK_SNAPSHOT, &err);
    CHECK(block_read(b, 0, model, SIZE));
    for (unsigned n = 0; n < 300; n++) {
        u64 r = check_random(&seed), offset = r % SIZE, len = (r >> 32) % (SIZE - offset);
        memset(model + offset, n, len);
        CHECK(block_write(b, offset, model + offset, len));
        u64 from = (r >> 16) % SIZE;
        CHECK(block_read(b, from, buf, SIZE - from));
        if (!CHECK(memcmp(buf, model + from, SIZE - from) == 0))
            break;
    }
    block_close(b);
    for (unsigned i = 0; i < 300; i += 37)
        CHECK_EQ(byte_of_file(i * KIB), i & 0xff);
}

static void test_readonly(void)
{
    u8 buf[KIB] = { 0 };
    make(16);
    struct block *b = block_open(path, BLOCK_READONLY, &err);
    CHECK(block_readonly(b));
    CHECK(block_read(b, 0, buf, KIB));
    CHECK(!block_write(b, 0, buf, KIB));
    block_close(b);
}

/* A limit on the size of files stands for a full disk: in a child, since it cannot be taken back. */
static bool write_under_limit(unsigned flags)
{
    pid_t child = fork();
    if (child == 0) {
        u8 buf[KIB] = { 0 };
        struct block *b = block_open(path, flags, &err);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 8 * KIB, 8 * KIB });
        _exit(b && block_write(b, 0, buf, KIB) == !(flags & BLOCK_SNAPSHOT) && !block_write(b, 12 * KIB, buf, KIB) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

static void test_host_refuses(void)
{
    make(16);
    CHECK(write_under_limit(0));
    CHECK(write_under_limit(BLOCK_SNAPSHOT));   /* even the copy of the first cluster is too large */
}

/* Another one who writes, or reads while we write. */
static void test_locks(void)
{
    make(16);
    struct block *a = block_open(path, 0, &err);
    CHECK(block_open(path, 0, &err) == NULL);
    CHECK_CONTAINS(err.text, "is locked");
    CHECK(block_open(path, BLOCK_SNAPSHOT, &err) == NULL);
    block_close(a);
    struct block *one = block_open(path, BLOCK_SNAPSHOT, &err), *two = block_open(path, BLOCK_READONLY, &err);
    CHECK(one && two);
    CHECK(block_open(path, 0, &err) == NULL);
    block_close(one);
    block_close(two);
}

static void test_bad_images(void)
{
    static const struct { const char *name, *says; } bad[] = {
        { "/nonexistent/disk.img", "is the path right" }, { "/tmp", "is a directory" }, { "/dev/null", "is not a disk image" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        for (unsigned flags = 0; flags <= BLOCK_SNAPSHOT; flags++) {
            CHECK(block_open(bad[i].name, flags, &err) == NULL);
            CHECK_CONTAINS(err.text, bad[i].says);
        }
    make(0);
    CHECK(block_open(path, 0, &err) == NULL);
    CHECK_CONTAINS(err.text, "is empty");
}

/* The rest of a last sector is zeros; what is written there makes the file longer. */
static void test_odd_size(void)
{
    u8 buf[512], line[512];
    make(4);
    if (truncate(path, 3 * KIB + 100))
        abort();
    for (unsigned flags = 0; flags <= BLOCK_SNAPSHOT; flags++) {
        struct block *b = block_open(path, flags, &err);
        CHECK_EQ(block_size(b), 3 * KIB + 512);
        memset(buf, 0xee, sizeof buf);
        CHECK(block_read(b, 3 * KIB, buf, 512));
        CHECK(buf[99] == 3 && buf[100] == 0 && buf[511] == 0);
        block_close(b);
    }
    struct block *b = block_open(path, 0, &err);
    memset(line, 0x77, sizeof line);
    CHECK(block_write(b, 3 * KIB, line, 512));
    CHECK(block_read(b, 3 * KIB, buf, 512) && memcmp(buf, line, 512) == 0);
    block_close(b);
    CHECK_EQ(byte_of_file(3 * KIB + 511), 0x77);
}

/* Somebody cuts the file off while it is in use. */
static void test_becomes_shorter(void)
{
    u8 buf[KIB];
    make(64);
    struct block *b = block_open(path, 0, &err);
    if (truncate(path, 8 * KIB))
        abort();
    CHECK(block_read(b, 7 * KIB, buf, KIB));
    CHECK(!block_read(b, 60 * KIB, buf, KIB));
    CHECK_CONTAINS(block_trouble(b), "shorter");
    block_close(b);
}

/* Sparse, in memory, since no other file system here has such files. */
static void test_too_large(void)
{
    static const char large[] = "/dev/shm/emu-test-large";
    int fd = open(large, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, (1ll << 57) + 512)) {
        close(fd);
        unlink(large);
        SKIP("no file system here has files of 2^57 bytes");
    }
    CHECK(block_open(large, 0, &err) == NULL);
    CHECK_CONTAINS(err.text, "at most 2^57");
    u8 buf[512] = { 1 };
    CHECK_EQ(ftruncate(fd, 1ll << 50), 0);
    struct block *b = block_open(large, 0, &err);
    CHECK(b && block_write(b, (1ll << 50) - 512, buf, 512) && block_read(b, 1ll << 49, buf, 512));
    block_close(b);
    close(fd);
    unlink(large);
}

static void test_other_formats(void)
{
    make(16);
    FILE *f = fopen(path, "r+");
    fwrite("QFI\xfb", 1, 4, f);
    fclose(f);
    CHECK(block_open(path, 0, &err) == NULL);
    CHECK_CONTAINS(err.text, "qemu-nbd -t -f qcow2");
}

/* The locks are QEMU's: each sees what the other has. */
static void test_locks_of_qemu(void)
{
    char command[200];
    if (system("command -v qemu-io >/dev/null 2>&1"))
        SKIP("qemu-io is not installed (package qemu-utils)");
    make(16);
    struct block *b = block_open(path, 0, &err);
    snprintf(command, sizeof command, "qemu-io -f raw -c 'write 0 512' %s >/dev/null 2>&1", path);
    CHECK(system(command) != 0);
    block_close(b);
    CHECK(system(command) == 0);
    snprintf(command, sizeof command, "sleep 5 | qemu-io -f raw %s >/dev/null 2>&1 & sleep 1", path);
    CHECK(system(command) == 0);
    CHECK(block_open(path, 0, &err) == NULL);
    CHECK_CONTAINS(err.text, "is locked");
    CHECK(block_open(path, BLOCK_SNAPSHOT, &err) == NULL);
}

/* As somebody who is not root, in a child. */
static void test_not_writable(void)
{
    make(16);
    chmod(path, 0444);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534))
            _exit(2);
        bool refused = !block_open(path, 0, &err) && strstr(err.text, "-snapshot");
        _exit(refused && block_open(path, BLOCK_SNAPSHOT, &err) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    chmod(path, 0600);
    CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "read_write", test_read_write }, { "host", test_host }, { "bounds", test_bounds }, { "snapshot", test_snapshot }, { "readonly", test_readonly },
        { "host_refuses", test_host_refuses }, { "locks", test_locks }, { "bad_images", test_bad_images }, { "not_writable", test_not_writable },
        { "odd_size", test_odd_size }, { "becomes_shorter", test_becomes_shorter }, { "too_large", test_too_large },
        { "other_formats", test_other_formats }, { "locks_of_qemu", test_locks_of_qemu },
        { NULL, NULL },
    };
    close(mkstemp(path));
    int status = check_main(argc, argv, "block", tests);
    unlink(path);
    return status;
}
