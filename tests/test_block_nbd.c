/* SPDX-License-Identifier: MIT */
/* Disks behind an NBD server: what is read is what was written, and a server that lies, dies or hangs is an error in bounded time. */
#include <time.h>

#include "check.h"
#include "devices/block/block.h"
#include "nbd_server.h"

enum { SIZE = 256 << 10, KIB = 1024 };

static struct error err;
static u8 disk[SIZE], buf[SIZE];

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void fill(void)
{
    u64 seed = check_seed();
    for (unsigned i = 0; i < SIZE; i++)
        disk[i] = check_random(&seed) >> 32;
}

static void check_whole(struct block *b, const char *path)
{
    if (!CHECK(b != NULL)) {
        FAIL("%s: %s", path, err.text);
        return;
    }
    CHECK_EQ(block_size(b), SIZE);
    CHECK(block_read(b, 0, buf, SIZE));
    CHECK(memcmp(buf, disk, SIZE) == 0);
}

static void test_read_write(void)
{
    struct nbd_server s;
    fill();
    nbd_server_start(&s, NBD_HONEST, disk, SIZE);
    struct block *b = block_open(s.url, 0, &err);
    check_whole(b, s.url);
    memset(disk + 3 * KIB, 0x5a, 5 * KIB);
    CHECK(block_write(b, 3 * KIB, disk + 3 * KIB, 5 * KIB));
    CHECK(block_flush(b));
    CHECK(!block_read(b, SIZE, buf, 1));
    block_close(b);
    b = block_open(s.url, BLOCK_READONLY, &err);
    check_whole(b, s.url);
    CHECK(!block_write(b, 0, buf, KIB));
    block_close(b);
    nbd_server_stop(&s);
}

/* Every way to write the same address. */
static void test_spellings(void)
{
    static const char *const formats[] = { "nbd:unix:%s", "nbd:unix:%s:exportname=any", "nbd+unix:///?socket=%s", "nbd+unix:///name?socket=%s" };
    struct nbd_server s;
    char path[160];
    fill();
    nbd_server_start(&s, NBD_HONEST, disk, SIZE);
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
        snprintf(path, sizeof path, formats[i], s.socket);
        check_context("%s", path);
        struct block *b = block_open(path, 0, &err);
        check_whole(b, path);
        block_close(b);
    }
    nbd_server_stop(&s);
}

static void test_snapshot(void)
{
    struct nbd_server s;
    fill();
    nbd_server_start(&s, NBD_READ_ONLY, disk, SIZE);
    CHECK(block_open(s.url, 0, &err) == NULL);
    CHECK_CONTAINS(err.text, "lets nobody write");
    struct block *b = block_open(s.url, BLOCK_SNAPSHOT, &err);
    check_whole(b, s.url);
    memset(disk + 100 * KIB, 1, KIB);
    CHECK(block_write(b, 100 * KIB, disk + 100 * KIB, KIB));
    check_whole(b, s.url);
    block_close(b);
    nbd_server_stop(&s);
}

/* The server's error is one of this request; the next one is answered. */
static void test_full(void)
{
    struct nbd_server s;
    nbd_server_start(&s, NBD_FULL, disk, SIZE);
    struct block *b = block_open(s.url, 0, &err);
    CHECK(!block_write(b, 0, disk, KIB));
    CHECK_CONTAINS(block_trouble(b), "No space left");
    CHECK(block_read(b, 0, buf, KIB));
    block_close(b);
    nbd_server_stop(&s);
}

static void test_larger_than_it_is(void)
{
    struct nbd_server s;
    nbd_server_start(&s, NBD_LIES, disk, SIZE);
    struct block *b = block_open(s.url, 0, &err);
    CHECK_EQ(block_size(b), 4 * SIZE);
    CHECK(!block_read(b, 2 * SIZE, buf, KIB));
    CHECK(!block_write(b, 2 * SIZE, buf, KIB));
    CHECK(block_read(b, SIZE - KIB, buf, KIB));
    block_close(b);
    nbd_server_stop(&s);
}

/* Three requests go well where anything does. Then each fails, and the later ones at once. */
static void lost(enum nbd_mood mood, double at_most)
{
    struct nbd_server s;
    double start = seconds();
    nbd_server_start(&s, mood, disk, SIZE);
    struct block *b = block_open(s.url, 0, &err);
    check_context("mood %d", mood);
    if (!CHECK(b != NULL)) {
        FAIL("%s", err.text);
        return;
    }
    for (int i = 0; i < 3 && mood != NBD_NOISE; i++)
        CHECK(block_read(b, i * KIB, buf, KIB));
    for (int i = 0; i < 50; i++) {
        CHECK(!block_read(b, 0, buf, KIB));
        CHECK(!block_write(b, 0, buf, KIB));
        CHECK(!block_flush(b));
    }
    CHECK(*block_trouble(b));
    CHECK(seconds() - start < at_most);
    block_close(b);
    nbd_server_stop(&s);
}
static void test_dies(void) { lost(NBD_DIES, 2); }
static void test_noise(void) { lost(NBD_NOISE, 2); }
static void test_hangs(void) { lost(NBD_HANGS, 8); }

/* One line that says what is wrong, for those who cannot even begin. */
static void test_refused(void)
{
    static const struct { enum nbd_mood mood; const char *says; } bad[] = {
        { NBD_SILENT, "says nothing" }, { NBD_HUGE, "at most 2^57" }, { NBD_EMPTY, "is empty" },
    };
    static const struct { const char *path, *says; } places[] = {
        { "nbd:unix:/nonexistent/socket", "No such file" }, { "nbd:", "give nbd:unix:SOCKET" }, { "nbd:unix:", "give nbd:unix:SOCKET" },
        { "nbd:host", "give nbd:unix:SOCKET" }, { "nbd:127.0.0.1:1", "no NBD server answers" }, { "nbd://127.0.0.1:1/x", "no NBD server answers" },
        { "nbd:[::1]:1", "no NBD server answers" }, { "nbd+unix:///x", "no NBD server answers" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct nbd_server s;
        nbd_server_start(&s, bad[i].mood, disk, SIZE);
        CHECK(block_open(s.url, 0, &err) == NULL);
        CHECK_CONTAINS(err.text, bad[i].says);
        nbd_server_stop(&s);
    }
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        CHECK(block_open(places[i].path, 0, &err) == NULL);
        CHECK_CONTAINS(err.text, places[i].says);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "read_write", test_read_write }, { "spellings", test_spellings }, { "snapshot", test_snapshot }, { "full", test_full },
        { "larger_than_it_is", test_larger_than_it_is }, { "dies", test_dies }, { "noise", test_noise }, { "hangs", test_hangs },
        { "refused", test_refused }, { NULL, NULL },
    };
    return check_main(argc, argv, "block_nbd", tests);
}
