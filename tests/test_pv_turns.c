/* SPDX-License-Identifier: MIT */
/* `emu -vm A -vm B` with domains of one Xen: they take turns, wait for one another, and one's crash is not the other's. */
#include "host.h"
#include "pvtest.h"

static char folder[] = "/tmp/emu-pv-turns-XXXXXX";
static char out[8192];

static void conf(const char *name, const char *guest)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s.conf", folder, name);
    FILE *f = fopen(path, "w");
    fprintf(f, "guest=%s\nserial=file:%s/%s.out\n", guest, folder, name);
    fclose(f);
}

static int run(const char *options)
{
    char command[400];
    snprintf(command, sizeof command, "timeout 60 %s --engine=pv -m 64 %s --vm %s/a.conf --vm %s/b.conf 2>&1 </dev/null", emu(), options, folder, folder);
    int status = host_capture(out, sizeof out, command);
    check_context("%s: %s", options, out);
    return status;
}

static const char *said(const char *name)
{
    static char text[4096];
    char path[80];
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    return text;
}

static unsigned switches_of(const char *name)
{
    char line[16];
    unsigned n = 0;
    snprintf(line, sizeof line, "%s.conf: ", name);
    const char *at = strstr(out, line);
    if (!at || sscanf(at + strlen(line), "%u switches", &n) != 1)
        FAIL("no line for %s", name);
    return n;
}

/* Two events and two switches a round trip, whatever executes the code. */
static void test_ping_pong(void)
{
    conf("a", "guests/pair");
    conf("b", "guests/pair");
    CHECK_EQ(run(""), 0);
    CHECK_STR(said("a"), "pair: 1000 balls came back, and so did the page\n");
    CHECK_CONTAINS(said("b"), "pair: 1000 balls thrown\n");
    CHECK(switches_of("a") >= 1000 && switches_of("a") < 1010);
    CHECK(switches_of("b") >= 1000 && switches_of("b") < 1010);
    char translated[sizeof out];
    strcpy(translated, said("b"));
    CHECK_EQ(run("-exec interpret"), 0);
    CHECK_STR(said("b"), translated);
}

static void test_counted(void)
{
    conf("a", "guests/pair");
    conf("b", "guests/pair");
    CHECK_EQ(run("--stats"), 0);
    CHECK_CONTAINS(out, "pv.domain-switch");
    CHECK_CONTAINS(out, "domain 1: ");
    CHECK_CONTAINS(out, "domain 2: ");
}

/* An hour-glass of one ends while the other has long crashed. */
static void test_crash(void)
{
    struct image img = good_image;
    struct fixture f;
    img.code = (const u8 *)"\x0f\x0b";
    img.code_len = 2;
    if (!CHECK(fixture_open(&f, &img)))
        return;
    conf("a", f.path);
    conf("b", "guests/tick");
    CHECK_EQ(run(""), STATUS_STOPPED);
    CHECK_CONTAINS(out, "a.conf: Xen crashed the domain");
    CHECK(!strstr(out, "b.conf: Xen"));
    char beside[sizeof out];
    strcpy(beside, said("b"));
    CHECK_CONTAINS(beside, "tick");
    fixture_close(&f);
}

static void test_wait_for_ever(void)
{
    conf("a", "guests/pair");       /* waits for an event of domain 2 */
    conf("b", "guests/hello");      /* which ends without one */
    CHECK_EQ(run(""), STATUS_STOPPED);
    CHECK_CONTAINS(out, "a.conf: every domain waits for an event");
    CHECK(!strstr(out, "b.conf: every"));
}

/* Both wait, one perhaps for its keyboard: a signal ends the run, and that is no discovery about the domains. */
static void test_interrupted(void)
{
    char command[400], path[80];
    conf("a", "guests/pair");
    conf("b", "guests/hello");
    snprintf(path, sizeof path, "%s/a.conf", folder);
    FILE *f = fopen(path, "w");
    fprintf(f, "guest=guests/pair\nserial=stdio\n");
    fclose(f);
    snprintf(command, sizeof command, "sleep 4 | timeout -s INT 2 %s --engine=pv -m 64 --vm %s/a.conf --vm %s/b.conf 2>&1", emu(), folder, folder);
    f = popen(command, "r");
    out[fread(out, 1, sizeof out - 1, f)] = 0;
    pclose(f);
    check_context("%s", out);
    CHECK(!strstr(out, "every domain waits"));
}

/* Timers of both go off in time, though neither has much to do. */
static void test_timers(void)
{
    conf("a", "guests/tick");
    conf("b", "guests/tick");
    CHECK_EQ(run(""), 0);
    char first[sizeof out];
    strcpy(first, said("a"));
    CHECK_CONTAINS(first, "tick");
    CHECK_CONTAINS(said("b"), "tick");
    CHECK_EQ(run(""), 0);
    CHECK_STR(said("a"), first);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "ping-pong", test_ping_pong },
        { "counted", test_counted },
        { "crash", test_crash },
        { "wait-for-ever", test_wait_for_ever },
        { "interrupted", test_interrupted },
        { "timers", test_timers },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "domains take turns", tests);
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) || status;
}
