/* SPDX-License-Identifier: MIT */
/*
 * emu grade against submissions that mean harm, and against interruption: every verdict by a submission that earns it, the same bytes
 * every time, whole documents at every moment; and after each hostile one an honest one gets its points as ever.
 */
#include <unistd.h>

#include "cli/grade/grade_sandbox.h"
#include "grading.h"

static char folder[] = "/tmp/emu-grade-test-XXXXXX";
static char lab[80], honest[80];

static void put(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *path, const char *fmt, ...)
{
    char full[300];
    va_list ap;
    snprintf(full, sizeof full, "%s/%s", folder, path);
    FILE *f = fopen(full, "w");
    va_start(ap, fmt);
    if (!f || vfprintf(f, fmt, ap) < 0 || fclose(f))
        abort();
    va_end(ap);
}

/* A lab of two tests, one of them hidden: the submission is one function, whose results are expected to be 42 and 1764. */
static bool make_lab(void)
{
    snprintf(lab, sizeof lab, "%s/labs/tiny", folder);
    snprintf(honest, sizeof honest, "%s/honest", folder);
    if (shell("mkdir -p %s/lib %s/tests %s/hidden %s/solution %s && ln -s $PWD/guests %s/guests", lab, lab, lab, lab, honest, folder))
        return false;
    put("labs/tiny/lib/tiny.h", "#include \"kernel.h\"\nu32 answer(u32 x);\n");
    put("labs/tiny/tests/seen.c", "#include \"tiny.h\"\nvoid guest_main(void) { print(\"@tiny %%u\\n\", answer(6)); }\n");
    put("labs/tiny/tests/seen.expect", "@tiny 42\n");
    put("labs/tiny/hidden/secret.c", "#include \"tiny.h\"\nvoid guest_main(void) { print(\"@tiny %%u\\n\", answer(252)); } /* SECRET */\n");
    put("labs/tiny/hidden/secret.expect", "@tiny 1764\n");
    put("labs/tiny/solution/a.c", "#include \"tiny.h\"\nu32 answer(u32 x) { return 7 * x; }\n");
    put("honest/a.c", "#include \"tiny.h\"\nu32 answer(u32 x) { return 7 * x; }\n");
    put("labs/tiny/lab.json", "{ \"title\": \"Tiny\", \"files\": [\"a.c\"], \"tests\": ["
        "{ \"name\": \"seen\", \"points\": 30, \"main\": \"tests/seen.c\", \"expect\": \"tests/seen.expect\", \"max_insns\": 3000000 },"
        "{ \"name\": \"unseen\", \"points\": 70, \"hidden\": true, \"main\": \"hidden/secret.c\", \"expect\": \"hidden/secret.expect\", \"max_insns\": 3000000 } ] }");
    return true;
}

static void check_honest(void)
{
    json_t *marks = grade(folder, lab, honest);
    CHECK_EQ(number(marks, "score"), 100);
    json_decref(marks);
}

/* --- hostile submissions --- */

struct hostile {
    const char *name, *code;
    const char *verdict, *reason;   /* of the hidden test: it never has points */
    unsigned score;                 /* in all */
};

#define ANSWER "#include \"tiny.h\"\nu32 answer(u32 x) {"
static const struct hostile hostile[] = {
    { "endless loop", ANSWER " for (;;) ; }", "time-out", "still running after 3000000 guest instructions", 0 },
    { "sleeps for ever", ANSWER " timer_start(100); for (;;) kernel_idle(); }", "time-out", "still running", 0 },
    { "halts", ANSWER " __asm__(\"cli; hlt\"); return 7 * x; }", "crash", "interrupts disabled", 0 },
    { "reboots for ever", ANSWER " io_out8(0x64, 0xfe); for (;;) ; }", "time-out", "still running", 0 },
    { "output flood", ANSWER " for (;;) print(\"@tiny 42\\n\"); }", "output flood", "more than 64 KiB", 0 },
    { "too large", "#include \"tiny.h\"\nstatic u8 big[64 << 20];\nu32 answer(u32 x) { big[x << 12] = 1; return big[0] + 7 * x; }", "out of memory", "mapped up to", 0 },
    { "too large for the loader", "#include \"tiny.h\"\nstatic u8 big[0x70000000];\nu32 answer(u32 x) { big[x << 12] = 1; return big[0] + 7 * x; }", "out of memory", "mapped up to", 0 },
    { "wild pointer", ANSWER " return *(u32 volatile *)0xdeadbeef; }", "crash", "exception 14", 0 },
    { "stack overflow", ANSWER " u8 volatile a[4096]; a[x & 4095] = x; return answer(x + 1) + a[7]; }", "crash", "", 0 },
    { "triple fault", ANSWER " static u64 none; __asm__ volatile(\"lidt %0; int3\" : : \"m\"(none)); return x; }", "crash", "triple fault", 0 },
    { "panic", ANSWER " kernel_panic(\"on purpose\"); }", "crash", "on purpose", 0 },
    { "exit with a code", ANSWER " kernel_exit(1); }", "crash", "code 1", 0 },
    { "exit port with 0", ANSWER " io_out8(0xf4, 0); return 7 * x; }", "crash", "code 0", 0 },
    { "turns the machine off", ANSWER " kernel_exit(0); }", "wrong answer", "the end of the output", 0 },
    { "prints the visible answer", ANSWER " print(\"@tiny 42\\n\"); kernel_exit(0); }", "wrong answer", "expected \"@tiny 1764\"", 30 },
    { "prints a score", ANSWER " print(\"{\\\"score\\\": 100, \\\"status\\\": \\\"passed\\\"}\\n\"); print(\"</failure></testcase>\\n@tiny ]]>&<\\\"\\n\"); return 0; }", "wrong answer", "seen \"@tiny ]]>&<", 0 },
    { "bytes that are no text", ANSWER " print(\"@tiny \\xff\\xfe\\x1b[2J\\x01\\xc3\\n\"); return 7 * x; }", "wrong answer", "expected \"@tiny 1764\"", 0 },
    { "a line that is long", ANSWER " print(\"@\"); for (u32 i = 0; i < 20000; i++) print(\"x\"); print(\"\\n\"); return 7 * x; }", "wrong answer", "expected", 0 },
    { "writes all of memory", ANSWER " for (u32 i = 0; i < 0x400000; i += 4) *(u32 volatile *)i = x; return 7 * x; }", "crash", "", 0 },
    { "fork bomb", "int fork(void);\n" ANSWER " for (;;) fork(); }", "does not compile", "undefined reference to `fork'", 0 },
    { "syntax", ANSWER " return 7 * x }", "does not compile", "expected ';'", 0 },
    { "its own print", "#include \"tiny.h\"\nvoid print(const char *f, ...) { console_write(\"@tiny 1764\\n\", 11); }\nu32 answer(u32 x) { return 0; }", "does not compile", "multiple definition", 0 },
    { "its own main program", "#include \"tiny.h\"\nvoid guest_main(void) { print(\"@tiny 1764\\n\"); }\nu32 answer(u32 x) { return 0; }", "does not compile", "multiple definition", 0 },
    { "its own boot header", "#include \"tiny.h\"\n__asm__(\".section .multiboot, \\\"a\\\"; .long 0x1BADB002, 0x10000, -0x1BADB002-0x10000, 0, 0, 0, 0, 0; .text\");\nu32 answer(u32 x) { return 0; }", "wrong answer", "", 0 },
    { "includes passwd", "#include \"/etc/passwd\"\n" ANSWER " return 7 * x; }", "does not compile", "No such file", 0 },
    { "includes a hidden test", "#include \"../hidden/secret.c\"\n" ANSWER " return 7 * x; }", "does not compile", "No such file", 0 },
    { "includes the solution", "#include \"LAB/solution/a.c\"\n", "does not compile", "No such file", 0 },
    { "embeds a hidden answer", "#include \"tiny.h\"\n__asm__(\"e: .incbin \\\"LAB/hidden/secret.expect\\\"\");\nu32 answer(u32 x) { return 7; }", "does not compile", "file not found", 0 },
    { "embeds what other objects are", "#include \"tiny.h\"\n__asm__(\"e: .incbin \\\"/trust/native/test-hidden-secret.c.o\\\"\");\nu32 answer(u32 x) { return 7; }", "does not compile", "file not found", 0 },
    { "compiler's output flood", "#include \"tiny.h\"\n__asm__(\".fill 0x40000000, 4, 1\");\nu32 answer(u32 x) { return 7 * x; }", "does not compile", "", 0 },
    { "compiler's endless input", "#include \"/dev/zero\"\n", "does not compile", "", 0 },
    { "compiler's messages without end", "#define A b; b; b; b; b; b; b; b;\n#define B A A A A A A A A\n#define C B B B B B B B B\n#define D C C C C C C C C\nvoid f(void) { D D D D }\n", "does not compile", "", 0 },
};

/* LAB in the code is the lab's place on the host. */
static void put_hostile(const char *code)
{
    char path[100];
    snprintf(path, sizeof path, "%s/hostile/a.c", folder);
    shell("rm -rf %s/hostile; mkdir %s/hostile", folder, folder);
    FILE *f = fopen(path, "w");
    for (const char *c = code; *c; c++) {
        if (strncmp(c, "LAB", 3) == 0)
            fputs(lab, f), c += 2;
        else
            fputc(*c, f);
    }
    fclose(f);
}

/* All three documents are whole and tell nothing that students may not see. */
static void check_documents(unsigned score)
{
    char path[100];
    json_t *r;
    snprintf(path, sizeof path, "%s/results.json", folder);
    if (CHECK((r = json_load_file(path, 0, NULL)) != NULL)) {
        CHECK_EQ(number(r, "score"), score);
        CHECK_STR(word(r, "stdout_visibility"), "hidden");
        const json_t *hidden = json_array_get(json_object_get(r, "tests"), 1);
        CHECK_STR(word(hidden, "visibility"), "hidden");
        CHECK_STR(word(hidden, "status"), "failed");
        CHECK_STR(word(hidden, "output_format"), "text");
    }
    json_decref(r);
    CHECK_EQ(shell("xmllint --noout %s/marks.xml", folder), 0);
    CHECK_EQ(shell("grep -rlE 'SECRET|root:' %s/marks.json %s/marks.xml %s/results.json", folder, folder, folder), 1);
}

static void test_hostile(void)
{
    NEED_SANDBOX();
    for (unsigned i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        const struct hostile *h = &hostile[i];
        char dir[100];
        snprintf(dir, sizeof dir, "%s/hostile", folder);
        check_context("%s", h->name);
        put_hostile(h->code);
        json_t *marks = grade(folder, lab, dir);
        const json_t *t = test_named(marks, "unseen");
        CHECK_EQ(number(marks, "score"), h->score);
        CHECK_EQ(number(t, "score"), 0);
        CHECK_STR(word(t, "verdict"), h->verdict);
        CHECK_CONTAINS(word(t, "reason"), h->reason);
        check_documents(h->score);
        json_decref(marks);
    }
    check_context("after all of them");
    check_honest();
    check_context(NULL);
}

/* --- the sandbox's walls, tried from inside --- */

static const struct wall { const char *name, *command; enum sandbox_end end; bool fails; const char *says, *never; } walls[] = {
    { "files of the host", "cat /etc/passwd /etc/shadow; ls /root /home /work /var /usr/share /usr/local", SANDBOX_EXITED, true, "No such file", "root:" },
    { "writing outside", "echo x >/usr/bin/x || echo x >/in/x || echo x >/x.c/y", SANDBOX_EXITED, true, "", NULL },
    { "the network", "tail -n +3 /proc/net/dev | grep -v lo:", SANDBOX_EXITED, true, "", ":" },
    { "processes of the host", "ls -d /proc/[0-9]* | wc -l", SANDBOX_EXITED, false, "", "00" },
    { "the environment", "env", SANDBOX_EXITED, false, "LC_ALL=C", "HOME=" },
    { "privileges", "mount -t tmpfs none /tmp || mknod /tmp/n c 1 3", SANDBOX_EXITED, true, "", NULL },
    { "an endless loop", "while :; do :; done", SANDBOX_CPU, true, "", NULL },
    { "a flood", "yes", SANDBOX_FLOOD, true, "y", NULL },
    { "memory", "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c", SANDBOX_EXITED, false, "memory", "300000000" },
    { "a file that grows", "head -c 9M /dev/zero >/tmp/f", SANDBOX_SIGNALED, true, "", NULL },
    { "what stays behind", "sleep 1000 & echo started", SANDBOX_EXITED, false, "started", NULL },
};

static void check_wall(const struct wall *w)
{
    char out[4096];
    const char *argv[] = { "/usr/bin/sh", "-c", w->command, NULL };
    struct sandbox s = { .argv = argv, .cpu_seconds = 1, .address_space = 256 << 20, .file_size = 8 << 20, .out = out, .size = sizeof out };
    struct error err = { "" };
    enum sandbox_end end;
    int status;
    check_context("%s", w->name);
    CHECK_EQ(sandbox_run(&s, &end, &status, &err), 0);
    CHECK_EQ(end, w->end);
    if (w->fails)
        CHECK(status != 0);
    CHECK_CONTAINS(out, w->says);
    CHECK(!w->never || !strstr(out, w->never));
    check_context(NULL);
}

static void test_walls(void)
{
    NEED_SANDBOX();
    for (unsigned i = 0; i < sizeof walls / sizeof *walls; i++)
        check_wall(&walls[i]);
}

static void test_processes(void)
{
    static const struct wall w = { "more processes than it may have", "for i in $(seq 400); do sleep 2 & done; echo all", SANDBOX_EXITED, true, "fork", "all" };
    NEED_SANDBOX();
    if (getuid() == 0)
        SKIP("the host's root is beyond the limit of processes");
    check_wall(&w);
}

/* --- what stands in the directory --- */

static void check_files(const char *what, const char *command, const char *reason)
{
    char dir[100];
    check_context("%s", what);
    snprintf(dir, sizeof dir, "%s/hostile", folder);
    shell("rm -rf %s; mkdir %s; cd %s && %s", dir, dir, dir, command);
    json_t *marks = grade(folder, lab, dir);
    CHECK_EQ(number(marks, "score"), *reason ? 0 : 100);
    CHECK_CONTAINS(word(test_named(marks, "unseen"), "reason"), reason);
    json_decref(marks);
    check_context(NULL);
}

static void test_files(void)
{
    NEED_SANDBOX();
    check_files("a link to the solution", "ln -s ../labs/tiny/solution/a.c a.c", "symbolic link");
    check_files("a link to a device", "ln -s /dev/zero a.c", "symbolic link");
    check_files("a pipe that nobody feeds", "mkfifo a.c", "no ordinary file");
    check_files("a directory", "mkdir a.c", "no ordinary file");
    check_files("nothing", "true", "a.c is missing");
    check_files("a large file", "head -c 300000 /dev/zero >a.c", "256 KiB");
    check_files("an empty file", ": >a.c", "undefined reference to `answer'");
    check_files("a Makefile", "cp ../honest/a.c . && printf 'x := $(shell touch ../made)\\nall:\\n\\ttouch ../made\\n' >Makefile && cp Makefile GNUmakefile", "");
    CHECK(shell("test -e %s/made", folder) != 0);
    check_files("headers of its own", "cp ../honest/a.c . && echo '#error mine' >tiny.h && echo '#error mine' >kernel.h", "");
}

static void test_refusals(void)
{
    static const struct { const char *args, *says; } cases[] = {
        { "grade labs/nowhere x", "there is no lab" }, { "grade labs/lab1", "give a lab and a submission" }, { "grade -frob labs/lab1 x", "not understood" },
        { "grade --all x -j 0 labs/lab1", "1 to 64" }, { "grade -json", "an argument is missing" }, { "grade-worker", "part of emu grade" },
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_context("%s", cases[i].args);
        CHECK_EQ(shell("%s %s >%s/out 2>&1", emu(), cases[i].args, folder), 64);
        CHECK_EQ(shell("grep -qF '%s' %s/out && test $(wc -l <%s/out) = 1", cases[i].says, folder, folder), 0);
    }
    check_context(NULL);
    CHECK_EQ(shell("PATH=/nowhere %s grade labs/lab1 labs/lab1/solution >%s/out 2>&1", emu(), folder), 64);
    CHECK_EQ(shell("grep -q 'apt-get install bubblewrap' %s/out", folder), 0);
}

/* A lab that is broken is nobody's does-not-compile. */
static void test_broken_lab(void)
{
    NEED_SANDBOX();
    shell("rm -rf %s/labs/broken; cp -r %s %s/labs/broken; echo 'oops' >%s/labs/broken/hidden/secret.c", folder, lab, folder, folder);
    CHECK_EQ(shell("%s grade -json %s/broken.json %s/labs/broken %s >%s/out 2>&1", emu(), folder, folder, honest, folder), 64);
    CHECK_EQ(shell("grep -q '\"grader failed\"' %s/broken.json && grep -q '\"complete\": false' %s/broken.json && grep -q 'grade it again' %s/out", folder, folder, folder), 0);
    shell("rm -r %s/labs/broken/lib", folder);
    CHECK_EQ(shell("%s grade -json %s/broken.json %s/labs/broken %s >%s/out 2>&1", emu(), folder, folder, honest, folder), 64);
    CHECK_EQ(shell("grep -q 'the sandbox' %s/out", folder), 0);
}

/* --- the same mark every time --- */

static void test_repeats(void)
{
    NEED_SANDBOX();
    const char *cases = getenv("EMU_SOAK");
    unsigned n = cases ? 100 : 12;
    shell("rm -rf %s/same; mkdir %s/same", folder, folder);
    for (unsigned i = 0; i < n; i++) {
        json_t *marks = grade(folder, "labs/lab2", "labs/lab2/solution");
        json_decref(marks);
        if (!CHECK_EQ(shell("cat %s/marks.json %s/marks.xml %s/results.json %s/out >%s/same/%u; cmp %s/same/0 %s/same/%u", folder, folder, folder, folder, folder, i, folder, folder, i), 0))
            return;
    }
}

/* --- interruption --- */

/* Killed in its second test: what the first earned is there, in whole documents. */
static void test_killed(void)
{
    NEED_SANDBOX();
    shell("rm -rf %s/labs/slow; cp -r %s %s/labs/slow; sed -i 's/3000000/300000000000/g' %s/labs/slow/lab.json", folder, lab, folder, folder);
    put_hostile(ANSWER " while (x > 100) __asm__ volatile(\"\"); return 7 * x; }");
    CHECK_EQ(shell("TMPDIR=%s %s grade -json %s/killed.json -gradescope %s/killed-results.json %s/labs/slow %s/hostile >/dev/null 2>&1 & pid=$!; "
                   "for i in $(seq 600); do grep -qs '\"verdict\": \"pass\"' %s/killed.json && break; sleep 0.1; done; kill -9 $pid; wait $pid 2>/dev/null; true", folder, emu(), folder, folder, folder, folder, folder), 0);
    char path[100];
    snprintf(path, sizeof path, "%s/killed.json", folder);
    json_t *marks = json_load_file(path, 0, NULL);
    CHECK_EQ(number(marks, "score"), 30);
    CHECK(json_is_false(json_object_get(marks, "complete")));
    CHECK_STR(word(test_named(marks, "unseen"), "verdict"), "not run");
    json_decref(marks);
    CHECK_EQ(shell("grep -q 'was interrupted' %s/killed-results.json", folder), 0);
}

static int all(void)
{
    return shell("TMPDIR=%s timeout 300 %s grade --all %s/class -j 2 -csv %s/class.csv %s >%s/out 2>&1", folder, emu(), folder, folder, lab, folder);
}

static void test_all(void)
{
    NEED_SANDBOX();
    shell("rm -rf %s/class*; mkdir %s/class; cd %s/class && cp -r ../honest ada && cp -r ../honest '=cmd()' && mkdir loop empty && ln -s ../honest linked && echo x >file", folder, folder, folder);
    put("class/loop/a.c", "%s", ANSWER " for (;;) ; }");
    CHECK_EQ(all(), 0);
    CHECK_EQ(shell("grep -q '^\"ada\",100,100,yes,30,\"pass\",70,\"pass\"' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"loop\",0,100,yes,0,\"time-out\",0,\"time-out\"' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"empty\",0,100,yes,0,\"does not compile\"' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q \"^\\\"'=cmd()\\\",100\" %s/class.csv", folder), 0);
    CHECK_EQ(shell("test $(wc -l <%s/class.csv) = 5", folder), 0);
    /* what is done is taken as it is; what is not whole, or has changed, is graded again */
    shell("cp %s/class.csv %s/before.csv; cd %s/class.csv.d && sed -i 's/\"score\": 100/\"score\": 99/' ada.json && echo '{' >loop.json && touch -d 2000-01-01 empty.json", folder, folder, folder);
    put("class/empty/a.c", "%s", ANSWER " return 7 * x; }");
    CHECK_EQ(all(), 0);
    CHECK_EQ(shell("grep -q '^\"ada\",99,' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"loop\",0,100,yes' %s/class.csv", folder), 0);
    CHECK_EQ(shell("grep -q '^\"empty\",100,' %s/class.csv", folder), 0);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "refusals", test_refusals }, { "walls", test_walls }, { "processes", test_processes }, { "files", test_files }, { "hostile", test_hostile }, { "a broken lab", test_broken_lab }, { "repeats", test_repeats }, { "killed", test_killed },
        { "all", test_all }, { NULL, NULL },
    };
    if (!mkdtemp(folder) || !make_lab())
        return 1;
    int status = check_main(argc, argv, "grade", tests);
    return shell("rm -rf %s", folder) | status;
}
