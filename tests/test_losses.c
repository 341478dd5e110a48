/* SPDX-License-Identifier: MIT */
/*
 * Where nothing can be written, as on a full disk: each output of emu says so, by its name, and the exit status is not that of success.
 * /dev/full refuses every byte; a tiny file system refuses when it is full; a reader that leaves is no mistake.
 */
#include <unistd.h>

#include "base/error.h"
#include "base/types.h"
#include "check.h"
#include "host.h"

static char err[8192];

/* "emu ARGS" by the shell, from the top of the tree, with standard output redirected by `to`. What it says on standard error is in err. */
static int run(const char *args, const char *to)
{
    char command[1000];
    snprintf(command, sizeof command, "timeout 60 %s %s 2>&1 %s </dev/null", emu(), args, to);
    check_context("emu %s %s", args, to);
    return host_capture(err, sizeof err, command);
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* --- standard output --- */

static void test_standard_output(void)
{
    static const char *const commands[] = { "guests/hello", "--screen-text guests/hello", "--help", "--help-all", "--version", "list events", "list engines", "lint guests/nano",
                                            "lint -json guests/nano", "translate 90 c3", "compare guests/hello", "compare -json guests/hello", "bench exits", "grade --help" };
    static const struct { const char *to, *why; } places[] = { { ">/dev/full", "No space left on device" }, { ">&-", "Bad file descriptor" } };
    for (unsigned i = 0; i < 2 * ARRAY_LEN(commands); i++) {
        CHECK_EQ(run(commands[i / 2], places[i % 2].to), STATUS_USER);
        CHECK_CONTAINS(err, "emu: standard output: ");
        CHECK_EQ(lines_of(err), 1);
        if (!strstr(err, "is the disk full?"))
            CHECK_CONTAINS(err, places[i % 2].why);
    }
}

/* With a descriptor closed, the next file would get its number, and what is printed would go into it. */
static void test_closed_descriptors(void)
{
    char folder[] = "/tmp/emu-losses-XXXXXX", command[600];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(command, sizeof command, "%s --trace=exit -D %s/trace guests/hello >&- 2>/dev/null </dev/null", emu(), folder);
    CHECK(system(command) != 0);
    snprintf(command, sizeof command, "test -s %s/trace && ! grep -q Hello %s/trace", folder, folder);
    CHECK_EQ(system(command), 0);
    snprintf(command, sizeof command, "%s compare -html %s/page.html guests/hello >&- 2>/dev/null </dev/null", emu(), folder);
    CHECK(system(command) != 0);
    snprintf(command, sizeof command, "head -c 9 %s/page.html | grep -qi doctype && ! grep -q 'events, counted  ' %s/page.html", folder, folder);
    CHECK_EQ(system(command), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
}

static void test_reader_leaves(void)
{
    char command[200];
    snprintf(command, sizeof command, "bash -c '%s guests/nano 2>&1 </dev/null | { read -r first; echo \"$first\"; }; echo ${PIPESTATUS[0]}'", emu());
    CHECK_EQ(host_capture(err, sizeof err, command), 0);
    CHECK_EQ(lines_of(err), 2); /* the guest's first line, and the status */
    CHECK_CONTAINS(err, "\n141\n");
}

/* --- files --- */

static void test_files(void)
{
    static const struct { const char *args, *says; } files[] = {
        { "-serial file:/dev/full guests/hello", "-serial file:/dev/full: No space" },
        { "-D /dev/full --trace=exit guests/hello", "-D /dev/full: No space" },
        { "-dump-bt /dev/full --engine=bt guests/hello", "-dump-bt /dev/full: No space" },
        { "-trace-json /dev/full guests/hello", "/dev/full: No space" },
        { "-screenshot-at /dev/full guests/hello", "screenshot /dev/full: No space" },
        { "-pcap /dev/full -nic user guests/hello", "/dev/full: packets cannot be captured there: No space" },
        { "compare -html /dev/full guests/hello", "--html /dev/full: No space" },
        { "compare -csv /dev/full guests/hello", "--csv /dev/full: No space" },
        { "compare -svg /dev/full guests/hello", "--svg /dev/full: No space" },
        { "compare -json=/dev/full guests/hello", "--json /dev/full: No space" },
        { "compare -trace-json /dev/full guests/hello", "--trace-json: /dev/full: No space" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        CHECK_EQ(run(files[i].args, ">/dev/null"), STATUS_USER);
        CHECK_CONTAINS(err, files[i].says);
        CHECK_EQ(lines_of(err), 1);
    }
}

/* --- a file system that fills up --- */

#define IN_LITTLE_ROOM "unshare -Urm sh -c 'mount -t tmpfs -o size=64k none /mnt && "

static void test_room_ends(void)
{
    static const struct { const char *args, *says; } rows[] = {
        { "-kernel build/guests/blkload.native.elf -append \"path=ide mode=write batch=16 count=64\" -hda /mnt/disk", "/mnt/disk: the host refused: write: No space" },
        { "-kernel build/guests/blkload.native.elf -append \"path=virtio mode=write batch=16 count=64\" -drive file=/mnt/disk,if=virtio", "/mnt/disk: the host refused: write: No space" },
        { "-kernel build/guests/netload.native.elf -append \"mode=tx frame=1514 batch=64 count=256\" -netdev none,id=n -device e1000,netdev=n -pcap /mnt/capture", "/mnt/capture: not all packets" },
        { "-pidfile /mnt/$(head -c 99999 /dev/zero >/mnt/all 2>/dev/null; echo pid) guests/hello", "-pidfile /mnt/pid: No space" },
        { "-serial file:/mnt/serial --trace=exit,bus -D /mnt/trace guests/nano", "-D /mnt/trace: " },
    };
    if (system(IN_LITTLE_ROOM "true' 2>/dev/null"))
        SKIP("no file system can be mounted here (unshare -Urm)");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char command[1000];
        snprintf(command, sizeof command, IN_LITTLE_ROOM "truncate -s 9M /mnt/disk && timeout 60 %s %s 2>&1 >/dev/null </dev/null'", emu(), rows[i].args);
        check_context("%s", rows[i].args);
        int status = host_capture(err, sizeof err, command);
        CHECK(status != 0 && !(status & 1));
        CHECK_CONTAINS(err, rows[i].says);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "standard output", test_standard_output }, { "closed descriptors", test_closed_descriptors }, { "reader leaves", test_reader_leaves }, { "files", test_files },
        { "room ends", test_room_ends }, { NULL, NULL },
    };
    if (access("build/guests/hello.native.elf", R_OK))
        check_skip("no images of the guests; run `make guests`");
    return check_main(argc, argv, "losses", tests);
}
