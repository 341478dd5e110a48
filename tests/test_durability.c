/* SPDX-License-Identifier: MIT */
/*
 * What a guest was told is on its disk stays there when emu is killed: a guest writes numbered sectors, flushes after each, and reports it on
 * its serial port; emu is killed with SIGKILL at some moment; the image must hold every sector that was reported. Twenty times, a hundred
 * under EMU_SOAK.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/types.h"
#include "check.h"
#include "host.h"
#include "snippet.h"

enum { SECTORS = 4096, SECTOR = 512, LINE = 5, RUNS = 20, RUNS_SOAK = 100, PATIENCE_MS = 20000 };

/* Sector n is 256 words n. Each wait is for BSY to fall; then DRQ, or an error, which ends it all. */
SNIPPET32(writer,
    "xor %ebx, %ebx\n"
    "next: call ready\n"
    "mov $0x1f6, %edx\n mov $0xe0, %al\n out %al, %dx\n"
    "mov $0x1f2, %edx\n mov $1, %al\n out %al, %dx\n"
    "inc %edx\n mov %bl, %al\n out %al, %dx\n"
    "inc %edx\n mov %bh, %al\n out %al, %dx\n"
    "inc %edx\n xor %eax, %eax\n out %al, %dx\n"
    "mov $0x1f7, %edx\n mov $0x30, %al\n out %al, %dx\n"       /* WRITE SECTORS */
    "call ready\n"
    "mov $0x1f0, %edx\n mov %ebx, %eax\n mov $256, %ecx\n"
    "fill: out %ax, %dx\n loop fill\n"
    "call ready\n"
    "mov $0xe7, %al\n out %al, %dx\n"                           /* FLUSH CACHE */
    "call ready\n"
    "mov $0x3f8, %edx\n mov $4, %ecx\n mov %ebx, %esi\n shl $16, %esi\n"
    "digit: rol $4, %esi\n mov %esi, %eax\n and $15, %al\n add $'A', %al\n out %al, %dx\n loop digit\n"
    "mov $10, %al\n out %al, %dx\n"
    "inc %ebx\n cmp $4096, %ebx\n jne next\n xor %ebx, %ebx\n jmp next\n"
    "ready: mov $0x1f7, %edx\n"
    "busy: in %dx, %al\n test $0x80, %al\n jnz busy\n test $1, %al\n jnz failed\n ret\n"
    "failed: cli\n hlt\n")

static char folder[] = "/tmp/emu-test-durable-XXXXXX", guest[64], image[64];

static bool make_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(data, 1, len, f) == len;
    return f && fclose(f) == 0 && ok;
}

static bool make_image(void)
{
    int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
    bool ok = fd >= 0 && ftruncate(fd, SECTORS * SECTOR) == 0;
    close(fd);
    return ok;
}

static pid_t start(int *from)
{
    int ends[2];
    if (pipe(ends))
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl(emu(), emu(), "-engine", "bt", guest, "-hda", image, "-display", "none", "-serial", "stdout", "--max-seconds", "60", NULL);
        _exit(127);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

/* Lines until `enough` have come, or none comes any more; whole ones. */
static unsigned take_reports(int from, char *text, unsigned have, unsigned enough)
{
    struct pollfd p = { .fd = from, .events = POLLIN };
    while (have / LINE < enough && poll(&p, 1, PATIENCE_MS) == 1) {
        ssize_t n = read(from, text + have, SECTORS * LINE - have);
        if (n <= 0)
            break;
        have += n;
    }
    return have;
}

static unsigned number_of(const char *line)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 4; i++)
        n = n << 4 | (line[i] - 'A');
    return n;
}

static bool check_image(unsigned reports)
{
    u16 sector[SECTOR / 2];
    int fd = open(image, O_RDONLY);
    bool ok = true;
    for (unsigned n = 0; n < reports && ok; n++) {
        ok = CHECK_EQ(pread(fd, sector, SECTOR, n * SECTOR), SECTOR);
        for (unsigned i = 0; i < SECTOR / 2 && ok; i++)
            ok = CHECK_EQ(sector[i], n);
    }
    close(fd);
    return ok;
}

static void test_killed(void)
{
    static char text[SECTORS * LINE];
    u64 random = check_seed() | 1;
    unsigned runs = getenv("EMU_SOAK") ? RUNS_SOAK : RUNS, total = 0;
    for (unsigned run = 0; run < runs; run++) {
        int from = -1;
        check_context("run %u", run);
        CHECK(make_image());
        pid_t pid = start(&from);
        unsigned have = take_reports(from, text, 0, 1 + check_random(&random) % 60);
        usleep(check_random(&random) % 3000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        have = take_reports(from, text, have, SECTORS);     /* what was under way in the pipe */
        close(from);
        unsigned reports = have / LINE;
        if (!CHECK(reports > 0) || !CHECK_EQ(number_of(text + (reports - 1) * LINE), reports - 1) || !check_image(reports))
            return;
        total += reports;
    }
    CHECK(total >= runs);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "killed", test_killed }, { NULL, NULL } };
    char command[128];
    if (!mkdtemp(folder))
        return 1;
    snprintf(guest, sizeof guest, "%s/guest", folder);
    snprintf(image, sizeof image, "%s/disk", folder);
    int status = make_file(guest, SNIP(writer)) ? check_main(argc, argv, "durability", tests) : 1;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
