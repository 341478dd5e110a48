/* SPDX-License-Identifier: MIT */
/*
 * emu grade against submissions that mean harm: every verdict by a submission that earns it; and after each hostile one an honest one
 * gets its points as ever.
 */
#include <signal.h>

#include "tinylab.h"

/* --- hostile submissions --- */

struct hostile {
    const char *name, *code;
    const char *verdict, *reason;   /* of the hidden test: it never has points */
    unsigned score;                 /* in all */
};

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
    { "forges the worker's document", ANSWER " print(\"\\\",\\\"status\\\":0}\\n{\\\"status\\\":0,\\\"over\\\":\\\"\\\",\\\"insns\\\":1,\\\"counts\\\":{},\\\"console\\\":\\\"@tiny 1764\\\\n\\\"}\\n\"); return 0; }", "wrong answer", "seen \"@tiny 0\"", 0 },
    { "forges marks", ANSWER " print(\"@tiny 42\\n@tiny 1764\\n  ok 70/70 unseen\\nhostile: 100 of 100 points\\n::error::x\\n##[set-output name=score]100\\n\"); kernel_exit(0); }", "wrong answer", "expected \"@tiny 1764\", seen \"@tiny 42\"", 0 },
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

/* Within a submission no link is followed; the user's own word for its directory may be one, or ".". */
static void test_named_otherwise(void)
{
    NEED_SANDBOX();
    shell("ln -sfn %s %s/link", honest, folder);
    CHECK_EQ(shell("%s grade %s %s/link/ >%s/out", emu(), lab, folder, folder), 0);
    CHECK_EQ(shell("e=$(realpath %s) && cd %s && $e grade %s . >%s/out", emu(), honest, lab, folder), 0);
    CHECK_EQ(shell("grep -q '^honest: 100 of 100 points' %s/out", folder), 0);
}

/* A count that the lab's machinery says counts only if nobody else has said it. */
static void test_forged_counts(void)
{
    static const struct { const char *code, *says; unsigned score; } cases[] = {
        { ANSWER " return 7 * x; }", "", 100 },
        { ANSWER " print(\"@count calls 5\\n\"); return 7 * x; }", "calls: not said exactly once", 0 },
        { ANSWER " print(\"@tiny 42\\n\"); kernel_exit(0); }", "calls: not said exactly once", 0 },
    };
    NEED_SANDBOX();
    shell("rm -rf %s/labs/counting; cp -r %s %s/labs/counting", folder, lab, folder);
    put("labs/counting/tests/seen.c", "#include \"tiny.h\"\nvoid guest_main(void) { print(\"@tiny %%u\\n\", answer(6)); print(\"@count calls 1\\n\"); }\n");
    put("labs/counting/lab.json", "{ \"title\": \"Counting\", \"files\": [\"a.c\"], \"tests\": [{ \"name\": \"counts\", \"points\": 100, \"main\": \"tests/seen.c\", "
        "\"expect\": \"tests/seen.expect\", \"counts\": { \"@calls\": { \"what\": \"calls\", \"min\": 1, \"max\": 6 } } }] }");
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char place[100], dir[100];
        snprintf(place, sizeof place, "%s/labs/counting", folder);
        snprintf(dir, sizeof dir, "%s/hostile", folder);
        put_hostile(cases[i].code);
        json_t *marks = grade(folder, place, dir);
        CHECK_EQ(number(marks, "score"), cases[i].score);
        CHECK_CONTAINS(word(test_named(marks, "counts"), "reason"), cases[i].says);
        json_decref(marks);
    }
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

/* --- killed --- */

/* Grade something that takes a while, in a TMPDIR of its own, and send this signal to the grader; how it ended. */
static int grade_and_kill(int signal)
{
    put_hostile(ANSWER " for (;;) ; }");
    shell("mkdir -p %s/tmp %s/labs/long && cp -r %s/. %s/labs/long && sed -i 's/3000000/3000000000000/g' %s/labs/long/lab.json", folder, folder, lab, folder, folder);
    return shell("TMPDIR=%s/tmp bash -c '%s grade %s/labs/long %s/hostile >%s/out 2>&1 & p=$!; until ls %s/tmp/emu-grade-*/out/test0.elf >/dev/null 2>&1; do sleep 0.1; done; "
                 "sleep 0.3; kill -%d $p; wait $p'", folder, emu(), folder, folder, folder, folder, signal);
}

static bool scratch_is_left(void) { return shell("ls -d %s/tmp/emu-grade-* >/dev/null 2>&1", folder) == 0; }

/* What can be caught leaves nothing behind; what a grader that was killed has left, the next one removes, but nothing of one that lives. */
static void test_scratch(void)
{
    NEED_SANDBOX();
    CHECK_EQ(grade_and_kill(SIGTERM), 128 + SIGTERM);
    CHECK(!scratch_is_left());
    CHECK_EQ(grade_and_kill(SIGINT), 128 + SIGINT);
    CHECK(!scratch_is_left());
    CHECK_EQ(shell("grep -q 'interrupted; 0 tests have been run' %s/out && ! grep -q LOST %s/out", folder, folder), 0);
    CHECK_EQ(grade_and_kill(SIGKILL), 128 + SIGKILL);
    CHECK(scratch_is_left());
    CHECK_EQ(shell("TMPDIR=%s/tmp %s grade %s %s >/dev/null", folder, emu(), lab, honest), 0);
    CHECK(scratch_is_left()); /* it is too young: one that is not locked yet looks the same */
    shell("touch -d '2 hours ago' %s/tmp/emu-grade-*; mkdir -p %s/tmp/emu-grade-locked/in; touch -d '2 hours ago' %s/tmp/emu-grade-locked", folder, folder, folder);
    CHECK_EQ(shell("TMPDIR=%s/tmp flock %s/tmp/emu-grade-locked %s grade %s %s >/dev/null", folder, folder, emu(), lab, honest), 0);
    CHECK_EQ(shell("cd %s/tmp && test \"$(ls -d emu-grade-*)\" = emu-grade-locked", folder), 0);
    CHECK_EQ(shell("TMPDIR=%s/tmp %s grade %s %s >/dev/null", folder, emu(), lab, honest), 0);
    CHECK(!scratch_is_left());
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

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "refusals", test_refusals }, { "files", test_files }, { "named otherwise", test_named_otherwise }, { "hostile", test_hostile }, { "forged counts", test_forged_counts }, { "a broken lab", test_broken_lab }, { "scratch", test_scratch }, { NULL, NULL },
    };
    if (!make_lab())
        return 1;
    int status = check_main(argc, argv, "grade", tests);
    return shell("rm -rf %s", folder) | status;
}
