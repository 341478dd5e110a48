/* SPDX-License-Identifier: MIT */
/*
 * Kernels that nobody here wrote, on the engines that take native guests: GNU Mach, Memtest86+, Linux. They are fetched once by
 * tools/fetch-guests. Somebody sits at the serial line (or looks at the screen) and follows a script: wait for this, type that.
 *
 * With EMU_SOAK set (`make soak`) also what takes minutes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "bt/bt.h"
#include "devices/display/vga.h"
#include "devices/serial/chardev.h"
#include "hwassist/hwassist.h"
#include "machine/bare.h"
#include "machine/vm.h"

#define MIB (1u << 20)
#define MAX_STEPS 16

/* --- the engines: names as the user would have to type them --- */

struct setting { const char *name; const struct engine_ops *engine; const char *kvm, *hw; };
static const struct setting bt = { "bt", &bt_engine }, bare = { "bare", &bare_engine }, model = { "kvm model", &kvm_engine, "model" },
                            no_ept = { "kvm model, no EPT", &kvm_engine, "model", "no-ept" }, host = { "kvm host", &kvm_engine, "host" };

/* --- somebody at the console --- */

struct step { const char *expect, *send; };     /* wait until the line says this behind what was seen, then type (NULL: nothing) */

struct session {
    struct vm_config config;
    const struct step *script;      /* ended by a NULL expect */
    bool (*look)(struct vm *vm, struct session *s); /* instead of a script: has it come to its end? */
    bool go_on;                     /* at the end of the script the guest goes on, and ends the run itself */
    /* what came of it */
    bool done;                      /* the script's end was reached */
    int status;                     /* of vm_run() */
    char reason[2048];
    struct chardev *console;
    unsigned at;                    /* step */
    size_t seen[MAX_STEPS];         /* offset in the text behind each step's expectation, */
    double when[MAX_STEPS];         /* and the virtual second when it was there */
    u64 hash;                       /* of the ledger */
    char screen[8192];              /* for look() */
};

static const char *text(const struct session *s) { return chardev_buffer_text(s->console, NULL); }

static void follow_script(struct vm *vm, struct session *s)
{
    const struct step *step = &s->script[s->at];
    size_t from = s->at ? s->seen[s->at - 1] : 0;
    const char *found = step->expect ? strstr(text(s) + from, step->expect) : NULL;
    if (!found)
        return;
    s->seen[s->at] = found - text(s) + strlen(step->expect);
    s->when[s->at++] = (double)vm->clock.now / vm->clock.hz;
    if (step->send)
        chardev_buffer_feed(s->console, step->send, strlen(step->send));
    s->done = !s->script[s->at].expect;
}

static void attend(struct vm *vm, struct session *s)
{
    if (s->script && !s->done)
        follow_script(vm, s);
    if (s->look && s->look(vm, s))
        s->done = true;
}

static void pump(struct vm *vm, void *opaque)
{
    struct session *s = opaque;
    attend(vm, s);
    if (s->done && !s->go_on)
        vm_stop(vm, STATUS_POWEROFF, "seen");
}

static void session_init(struct session *s, const char *kernel, unsigned mib)
{
    memset(s, 0, sizeof *s);
    vm_config_defaults(&s->config);
    s->config.kernel = kernel;
    s->config.ram_size = (u64)mib * MIB;
    s->config.max_seconds = 600;
    s->config.no_reboot = true;
}

static u64 hash_ledger(const struct ledger *l)
{
    u64 hash = 0xcbf29ce484222325; /* FNV-1a over words */
    for (unsigned i = 0; i < EV_COUNT; i++)
        hash = (((hash ^ l->count[i]) * 0x100000001b3) ^ l->cycles[i]) * 0x100000001b3;
    hash = ((hash ^ l->guest_insns) * 0x100000001b3 ^ l->guest_cycles) * 0x100000001b3;
    return (hash ^ l->clock->now) * 0x100000001b3;
}

static void explain(const struct session *s)
{
    size_t len = strlen(text(s));
    fprintf(stderr, "    it ended so: %s\n", s->reason);
    if (s->script && s->script[s->at].expect)
        fprintf(stderr, "    waited for: %s\n", s->script[s->at].expect);
    fprintf(stderr, "    last words: %s\n", s->look ? s->screen : text(s) + (len > 600 ? len - 600 : 0));
}

/* Power on, sit there, to the end. False if the script was not completed. The text stays until session_fini(). */
static bool session_run(struct session *s, const struct setting *on)
{
    struct error err = { "" };
    s->console = chardev_buffer_new();
    s->config.serial[0] = s->console;
    s->config.engine = on->engine;
    s->config.kvm = on->kvm;
    s->config.hw = on->hw;
    s->config.pump = pump;
    s->config.pump_opaque = s;
    check_context("engine %s", on->name);
    struct vm *vm = vm_new(&s->config, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return false;
    }
    s->status = vm_run(vm);
    attend(vm, s); /* its last words */
    snprintf(s->reason, sizeof s->reason, "%s", vm->reason);
    s->hash = hash_ledger(&vm->ledger);
    vm_free(vm);
    if (!CHECK(s->done))
        explain(s);
    return s->done;
}

static void session_fini(struct session *s) { chardev_close(s->console); }

/* --- getting the guests --- */

static bool fetched(const char *names)
{
    char command[200];
    snprintf(command, sizeof command, "tools/fetch-guests %s", names);
    return system(command) == 0;
}

#define NEED(names) do { if (!fetched(names)) SKIP("the guest cannot be had (tools/fetch-guests " names ")"); } while (0)

/* --- GNU Mach --- */

/* A machine of 100 MHz: what a kernel waits for by the clock takes a twentieth of the instructions. */
static const char *slow_profile(void)
{
    static char path[256];
    char command[600];
    const char *build = getenv("EMU_BUILD");
    snprintf(path, sizeof path, "%s/tests/slow.profile", build ? build : "build");
    snprintf(command, sizeof command, "sed 's/^cpu.hz .*/cpu.hz = 100000000 # test/' profiles/curriculum.profile >'%s'", path);
    return CHECK(system(command) == 0) ? path : "curriculum";
}

static const struct step mach_script[] = { { "bootstrap_create: No bootstrap code loaded with the kernel!", NULL }, { NULL, NULL } };

static void mach_session(struct session *s)
{
    session_init(s, "guests/real/gnumach", 64);
    s->script = mach_script;
    s->config.append = "console=com0";
    s->config.profile = slow_profile();
}

/* The second in which it looked at the clock depends on how long things take. */
static void without_clock(char *out, size_t size, const char *in)
{
    snprintf(out, size, "%s", in);
    char *line = strstr(out, "RTC time is "), *end = line ? strchr(line, '\n') : NULL;
    if (CHECK(end != NULL))
        memmove(line, end + 1, strlen(end + 1) + 1);
}

static void check_mach(const struct setting *on, const char *expected)
{
    struct session s;
    char console[8192];
    mach_session(&s);
    if (session_run(&s, on)) {
        without_clock(console, sizeof console, text(&s));
        CHECK_STR(console, expected);
    }
    session_fini(&s);
}

static void test_gnumach(void)
{
    struct session s;
    char expected[8192] = "";
    NEED("gnumach");
    mach_session(&s);
    if (session_run(&s, &bare))
        without_clock(expected, sizeof expected, text(&s));
    session_fini(&s);
    CHECK(strlen(expected) > 500);
    check_mach(&bt, expected);
    check_mach(&model, expected);
    check_mach(&no_ept, expected);
}

/* On a real processor the time is the host's, and so the whole wait of some seconds. */
static void test_gnumach_host(void)
{
    struct session s;
    char why[512];
    struct error err = { "" };
    NEED("gnumach");
    if (!kvm_choose("host", why, sizeof why, &err))
        SKIP("%s", err.text);
    mach_session(&s);
    struct vm_config probe = s.config;
    probe.engine = &kvm_engine;
    probe.kvm = "host";
    struct vm *vm = vm_new(&probe, &err);
    if (!vm)
        SKIP("%s", err.text);
    vm_free(vm);
    session_run(&s, &host);
    session_fini(&s);
}

/* --- Memtest86+: on the screen only --- */

static void read_screen(struct vm *vm, struct session *s)
{
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == &vga_ops)
            vga_text(vm->device[i], s->screen, sizeof s->screen);
}

/* The whole number behind a label on the screen, -1 if there is none. */
static int field(const char *screen, const char *label)
{
    const char *at = strstr(screen, label);
    int value = -1;
    return at && sscanf(at + strlen(label), " %d", &value) == 1 ? value : -1;
}

static int clock_seconds(const char *screen)
{
    const char *at = strstr(screen, "Time:");
    int h, m, s;
    return at && sscanf(at, "Time: %d:%d:%d", &h, &m, &s) == 3 ? (h * 60 + m) * 60 + s : -1;
}

/* It counts seconds, and gets on with a test. */
static bool memtest_counts(struct vm *vm, struct session *s)
{
    read_screen(vm, s);
    return strstr(s->screen, "Memtest86+ v6") && clock_seconds(s->screen) >= 2 && field(s->screen, "Pass ") > 0 && field(s->screen, "Test #") > 0;
}

static void test_memtest(void)
{
    struct session s;
    NEED("memtest32.bin");
    session_init(&s, "guests/real/memtest32.bin", 16);
    s.config.profile = slow_profile();
    s.look = memtest_counts;
    session_run(&s, &bt);
    CHECK_EQ(field(s.screen, "Errors:"), 0);
    CHECK_CONTAINS(s.screen, "100MHz");
    session_fini(&s);
}

/* --- Linux --- */

#define INITRD "build/tests/initrd"
#define PROMPT "guest# "
#define NEED_LINUX() do { \
    NEED("linux32 busybox32 crc32_generic.ko"); \
    if (system("tools/make-initramfs " INITRD " lib/crc32_generic.ko=guests/real/crc32_generic.ko")) \
        SKIP("tools/make-initramfs cannot make the initial RAM disk"); \
} while (0)

static void linux_session(struct session *s, const struct step *script)
{
    session_init(s, "guests/real/linux32", 128);
    s->config.initrd = INITRD;
    s->config.append = "console=ttyS0 quiet";
    s->script = script;
}

/* The number behind what a step waited for. */
static double number_at(const struct session *s, unsigned step) { return strtod(text(s) + s->seen[step], NULL); }

static void test_linux_shell(void)
{
    static const struct step script[] = {
        { PROMPT, "expr 6 \\* 7\r" },
        { "\n42\r", NULL },
        { PROMPT, "cat /proc/cpuinfo\r" },
        { "model name\t: Intel(R) Core(TM)2", NULL },
        { PROMPT, "insmod /lib/crc32_generic.ko && cat /proc/crypto\r" },
        { "crc32_generic\r", NULL },
        { PROMPT, "poweroff -f\r" },
        { "reboot: Power down", NULL },
        { NULL, NULL },
    };
    struct session s;
    NEED_LINUX();
    linux_session(&s, script);
    s.go_on = true;
    session_run(&s, &bt);
    CHECK_EQ(s.status, STATUS_POWEROFF);
    CHECK_STR(s.reason, "the guest turned the machine off");
    session_fini(&s);
}

/* Ten minutes of sleep: the guest's wall clock and its uptime against virtual time. */
static void test_linux_clock(void)
{
    static const struct step script[] = {
        { PROMPT, "echo D=$(date +%s) $(cat /proc/uptime)\r" },
        { "\nD=", NULL },
        { PROMPT, "sleep 600; echo D=$(date +%s) $(cat /proc/uptime)\r" },
        { "\nD=", NULL },
        { PROMPT, NULL },
        { NULL, NULL },
    };
    struct session s;
    NEED_LINUX();
    linux_session(&s, script);
    if (session_run(&s, &bt)) {
        double date[2], up[2], passed = s.when[3] - s.when[1];
        sscanf(text(&s) + s.seen[1], "%lf %lf", &date[0], &up[0]);
        sscanf(text(&s) + s.seen[3], "%lf %lf", &date[1], &up[1]);
        check_context("dates %.0f and %.0f, uptimes %.2f and %.2f, virtual seconds %.3f and %.3f", date[0], date[1], up[0], up[1], s.when[1], s.when[3]);
        CHECK(passed > 600 && passed < 602);
        CHECK(date[1] - date[0] > passed - 1.1 && date[1] - date[0] < passed + 1.1);
        CHECK(up[1] - up[0] > passed - 0.05 && up[1] - up[0] < passed + 0.05);
        double off = date[0] - (s.config.rtc_base + s.when[1]);
        CHECK(off > -2 && off < 2);
    }
    session_fini(&s);
}

static void test_linux_reboot(void)
{
    static const struct step twice[] = {
        { PROMPT, "reboot -f\r" }, { "reboot: machine restart", NULL }, { PROMPT, "expr 6 \\* 7\r" }, { "\n42\r", NULL }, { NULL, NULL },
    };
    static const struct step once[] = { { PROMPT, "reboot -f\r" }, { "reboot: machine restart", NULL }, { NULL, NULL } };
    struct session s;
    NEED_LINUX();
    linux_session(&s, once);
    s.config.append = "console=ttyS0";
    s.go_on = true;
    session_run(&s, &bt);
    CHECK_EQ(s.status, STATUS_POWEROFF);
    CHECK_STR(s.reason, "the guest reset its machine (-no-reboot)");
    session_fini(&s);

    linux_session(&s, twice);
    s.config.append = "console=ttyS0";
    s.config.no_reboot = false;
    session_run(&s, &bt);
    session_fini(&s);
}

static const struct step shell_script[] = { { PROMPT, "expr 6 \\* 7\r" }, { "\n42\r", NULL }, { NULL, NULL } };

static u64 boot_to_shell(const struct setting *on)
{
    struct session s;
    linux_session(&s, shell_script);
    session_run(&s, on);
    u64 hash = s.hash;
    session_fini(&s);
    return hash;
}

__attribute__((unused)) static void test_linux_bare(void)
{
    NEED_LINUX();
    boot_to_shell(&bare);
}

__attribute__((unused)) static void test_linux_kvm(void)
{
    NEED_LINUX();
    boot_to_shell(&model);
}

static void test_linux_same(void)
{
    NEED_LINUX();
    u64 first = boot_to_shell(&bt);
    CHECK_EQ(boot_to_shell(&bt), first);
}

/* --- soaking --- */

static void soak_linux_no_ept(void)
{
    NEED_LINUX();
    boot_to_shell(&no_ept);
}

static void soak_linux_day(void)
{
    static const struct step script[] = {
        { PROMPT, "for h in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 7200; done; echo U=$(cat /proc/uptime)\r" },
        { "\nU=", NULL },
        { PROMPT, "poweroff -f\r" },
        { NULL, NULL },
    };
    struct session s;
    NEED_LINUX();
    linux_session(&s, script);
    s.config.max_seconds = 1800;
    if (session_run(&s, &bt)) {
        double up = number_at(&s, 1);
        check_context("uptime %.2f, virtual second %.3f", up, s.when[1]);
        CHECK(up > 86400 && up > s.when[1] - 2 && up < s.when[1] + 2);
        CHECK(!strstr(text(&s), "stall"));
    }
    session_fini(&s);
}

int main(int argc, char **argv)
{
    enum { SOAKS = 2 };
    static const struct check tests[] = {
        { "soak_linux_no_ept", soak_linux_no_ept },
        { "soak_linux_day", soak_linux_day },
        { "gnumach", test_gnumach },
        { "gnumach_host", test_gnumach_host },
        { "memtest", test_memtest },
        { "linux_shell", test_linux_shell },
        { "linux_clock", test_linux_clock },
        { "linux_reboot", test_linux_reboot },
        { "linux_same", test_linux_same },
#ifndef __SANITIZE_ADDRESS__ /* billions of instructions one by one */
        { "linux_bare", test_linux_bare },
        { "linux_kvm", test_linux_kvm },
#endif
        { NULL, NULL },
    };
    return check_main(argc, argv, "real", getenv("EMU_SOAK") ? tests : tests + SOAKS);
}
