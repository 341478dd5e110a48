/* SPDX-License-Identifier: MIT */
/* Runs without hands: --expect, --then, --type on a serial line and on the text screen, and what counts as new on a screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "hwassist/hwassist.h"
#include "console/screen_diff.h"

static char folder[] = "/tmp/emu-test-XXXXXX";
static char out[8192], err[8192];

/* A boot sector that asks "name? " on COM1, echoes a line, says "welcome" and asks again:
 *     mov si,msg1; call puts; 1: in al,3FDh; test al,1; jz 1b; in al,3F8h; out 3F8h,al; cmp al,'\n'; jne 1b; ...; jmp $ */
static const unsigned char serial_guest[] = {
    0xbe, 0x31, 0x7c, 0xe8, 0x1f, 0x00, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x0a, 0x75,
    0xef, 0xbe, 0x38, 0x7c, 0xe8, 0x08, 0x00, 0xbe, 0x31, 0x7c, 0xe8, 0x02, 0x00, 0xeb, 0xfe, 0xba, 0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74,
    0x03, 0xee, 0xeb, 0xf8, 0xc3, 'n', 'a', 'm', 'e', '?', ' ', 0, 'w', 'e', 'l', 'c', 'o', 'm', 'e', '\n', 0,
};
/* One that shows "login:" on the screen's line 3, a star for each key pressed, and at Enter "login: again" on line 4. */
static const unsigned char screen_guest[] = {
    0xb8, 0x00, 0xb8, 0x8e, 0xc0, 0xbf, 0xe0, 0x01, 0xbe, 0x39, 0x7c, 0xe8, 0x21, 0x00, 0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa, 0xe4, 0x60,
    0x3c, 0x1c, 0x74, 0x0a, 0xa8, 0x80, 0x75, 0xf0, 0xb0, 0x2a, 0xaa, 0x47, 0xeb, 0xea, 0xbf, 0x80, 0x02, 0xbe, 0x40, 0x7c, 0xe8, 0x02,
    0x00, 0xeb, 0xfe, 0xac, 0x84, 0xc0, 0x74, 0x04, 0xaa, 0x47, 0xeb, 0xf7, 0xc3, 'l', 'o', 'g', 'i', 'n', ':', 0,
    'l', 'o', 'g', 'i', 'n', ':', ' ', 'a', 'g', 'a', 'i', 'n', 0,
};

static void write_sector(const char *name, const unsigned char *code, size_t size)
{
    char path[80];
    unsigned char sector[512] = { [510] = 0x55, 0xaa };
    memcpy(sector, code, size);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(sector, 1, sizeof sector, f) != sizeof sector || fclose(f))
        abort();
}

static void read_back(const char *name, char *to, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    to[f ? fread(to, 1, size - 1, f) : 0] = 0;
    if (f)
        fclose(f);
}

static int run(const char *engine, const char *guest, const char *options)
{
    const char *build = getenv("EMU_BUILD");
    char command[1024];
    snprintf(command, sizeof command, "timeout 120 %s -engine %s %s/%s -display none -clock virtual %s >%s/out 2>%s/err </dev/null",
             build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "./emu", engine, folder, guest, options, folder, folder);
    check_context("%s", command);
    int status = system(command);
    read_back("out", out, sizeof out);
    read_back("err", err, sizeof err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *const engines[] = { "bare", "bt", "kvm -kvm model" };

static void test_serial(void)
{
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(run(engines[i], "serial", "--expect 'name? ' --then 'anna\\n' --expect welcome --expect name --max-cycles 20000000000"), 0);
        CHECK_STR(out, "name? anna\nwelcome\nname");
    }
}

static void test_screen(void)
{
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(run(engines[i], "screen", "-serial none --expect 'login: ' --then 'root\\n' --expect 'login: ' --screen-text --max-cycles 20000000000"), 0);
        CHECK_CONTAINS(out, "login:****\nlogin: again\n");
    }
}

/* The host's processor, from the firmware on: real mode and flat code. Where KVM is software that takes a minute. */
static void test_host(void)
{
    struct error why;
    char detail[160];
    if (kvm_host_backend.probe(detail, sizeof detail, &why) < 0)
        SKIP("%s", why.text);
    if (strstr(detail, "in software") && !getenv("EMU_SOAK"))
        SKIP("the host's KVM is software, and firmware takes long on it; make soak does it");
    CHECK_EQ(run("kvm -kvm host -hda", "serial", "--expect 'name? ' --then 'anna\\n' --expect welcome --expect name --max-seconds 110"), 0);
    CHECK_STR(out, "name? anna\nwelcome\nname");
}

static void test_typed_first(void)
{
    CHECK_EQ(run("bt", "screen", "-serial none --type 'ab\\n' --expect again --screen-text --max-cycles 20000000000"), 0);
    CHECK_CONTAINS(out, "login:**\nlogin: again\n");
}

static void test_missing(void)
{
    CHECK_EQ(run("bt", "serial", "--expect goodbye --max-cycles 100000000"), 124);
    CHECK_CONTAINS(err, "never showed 'goodbye'");
    CHECK_EQ(run("bt", "serial", "--expect name --expect name --max-cycles 100000000"), 124); /* it is shown once only */
    CHECK_EQ(run("bt", "screen", "-serial none --expect login --expect login --max-cycles 10000000000"), 124);
}

/* Something follows the last expectation: the run goes on, to its limit. */
static void test_goes_on(void)
{
    CHECK_EQ(run("bt", "serial", "--expect name --then 'x\\n' --max-cycles 100000000"), 124);
    CHECK_STR(out, "name? x\nwelcome\nname? ");
    CHECK(!strstr(err, "never showed"));
}

static void test_same_every_time(void)
{
    char first[sizeof err];
    const char *options = "--expect 'name? ' --then 'anna\\n' --expect 'name? ' -stats";
    run("bt", "serial", options);
    char *end = strstr(err, "wall time");
    snprintf(first, sizeof first, "%.*s", end ? (int)(end - err) : 0, err);
    CHECK(*first);
    run("bt", "serial", options);
    CHECK(strncmp(err, first, strlen(first)) == 0);
}

static void test_mistakes(void)
{
    CHECK_EQ(run("bt", "serial", "--then x"), 64);
    CHECK_CONTAINS(err, "behind an --expect");
    CHECK_EQ(run("bt", "serial", "--expect ''"), 64);
}

static const struct { const char *known, *now, *text, *rest; } screens[] = {
    { "", "$ ls\n\n", "$", " ls\n\n" },
    { "$", "$\n\n", "$", NULL },                                /* it is still there, not there again */
    { "$", "$ ls\na\n$\n", "$ ", "\n" },
    { "a\nb\n$", "b\n$ ls\nc\n$\n", "$", "\n" },                 /* scrolled by a line */
    { "a\nb\n$", "$\n\n\n", "$", NULL },                         /* by two, and nothing came */
    { "a\nb\n", "$\n\n\n", "$", "\n\n\n" },                      /* cleared */
    { "one", "one two\n", "two", "\n" },
};

static void test_screen_diff(void)
{
    for (unsigned i = 0; i < sizeof screens / sizeof screens[0]; i++) {
        const char *rest = screen_find_new(screens[i].known, screens[i].now, screens[i].text);
        check_context("screen %u", i);
        if (screens[i].rest)
            CHECK_STR(rest ? rest : "(none)", screens[i].rest);
        else
            CHECK(!rest);
    }
    check_context(NULL);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "serial", test_serial }, { "screen", test_screen }, { "host", test_host }, { "typed_first", test_typed_first }, { "missing", test_missing }, { "goes_on", test_goes_on },
        { "same_every_time", test_same_every_time }, { "mistakes", test_mistakes }, { "screen_diff", test_screen_diff }, { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    write_sector("serial", serial_guest, sizeof serial_guest);
    write_sector("screen", screen_guest, sizeof screen_guest);
    int status = check_main(argc, argv, "script", tests);
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? 1 : status;
}
