/* SPDX-License-Identifier: MIT */
/*
 * The documents: what they show of the program is what it prints now, their links lead somewhere, and the commands that they
 * print run. A document is any *.md of the source tree.
 */
#include <ctype.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "check.h"

enum { MAX_DOCUMENTS = 200, LINE = 4096 };

/* The walk has no argument of its own: ftw(3). */
static char *document[MAX_DOCUMENTS];
static int documents;

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
    const char *name = path + at->base;
    if (type == FTW_D && (!strcmp(path, "./build") || !strcmp(path, "./guests/real") || (name[0] == '.' && name[1])))
        return FTW_SKIP_SUBTREE;
    size_t len = strlen(name);
    if (type == FTW_F && len > 3 && !strcmp(name + len - 3, ".md") && documents < MAX_DOCUMENTS)
        document[documents++] = strdup(path + 2);
    return FTW_CONTINUE;
}

static const char *build(void)
{
    const char *b = getenv("EMU_BUILD");
    return b ? b : "build";
}

/* --- what the program prints --- */

static void test_current(void)
{
    char command[LINE];
    snprintf(command, sizeof command, "tools/update-docs --check %s >&2", build());
    if (system(command))
        FAIL("documents are not what the program prints; `make docs` writes them anew");
}

/* --- links --- */

/* A heading's anchor: lower case, spaces to dashes, other punctuation left out. */
static void anchor_of(const char *heading, char *out)
{
    for (heading += strspn(heading, "# "); *heading && *heading != '\n'; heading++) {
        if (isalnum((unsigned char)*heading) || *heading == '-' || *heading == '_')
            *out++ = tolower((unsigned char)*heading);
        else if (*heading == ' ')
            *out++ = '-';
    }
    *out = 0;
}

static bool has_anchor(const char *path, const char *anchor)
{
    char line[LINE], found[LINE];
    FILE *f = fopen(path, "r");
    bool ok = false;
    while (f && !ok && fgets(line, sizeof line, f)) {
        if (*line == '#') {
            anchor_of(line, found);
            ok = !strcmp(found, anchor);
        }
    }
    if (f)
        fclose(f);
    return ok;
}

static void check_link(const char *from, unsigned line, const char *target)
{
    char path[2 * LINE], wanted[LINE];
    if (strstr(target, "://"))
        return;
    snprintf(wanted, sizeof wanted, "%s", target);
    char *anchor = strchr(wanted, '#');
    if (anchor)
        *anchor++ = 0;
    const char *slash = strrchr(from, '/');
    if (*wanted)
        snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - from + 1) : 0, from, wanted);
    else
        snprintf(path, sizeof path, "%s", from);
    if (access(path, R_OK))
        FAIL("%s:%u: the link to %s leads nowhere", from, line, target);
    else if (anchor && !has_anchor(path, anchor))
        FAIL("%s:%u: %s has no heading #%s", from, line, path, anchor);
}

/* All "](target)" of a line outside of `code`. */
static void check_links(const char *from, unsigned n, char *line)
{
    bool code = false;
    for (char *p = line; *p; p++) {
        code ^= *p == '`';
        if (code || strncmp(p, "](", 2))
            continue;
        size_t len = strcspn(p + 2, ")");
        char target[LINE];
        snprintf(target, sizeof target, "%.*s", (int)len, p + 2);
        check_link(from, n, target);
    }
}

/* --- each line of each document --- */

typedef void on_line(const char *from, unsigned n, char *line);

static bool is_fence(const char *line) { return !strncmp(line, "```", 3); }

/* Call `text` for lines of words, `code` for lines of code (fenced, or indented by four); either may be NULL. */
static void each_line(on_line *text, on_line *code)
{
    for (int i = 0; i < documents; i++) {
        char line[LINE];
        bool fenced = false;
        FILE *f = fopen(document[i], "r");
        for (unsigned n = 1; f && fgets(line, sizeof line, f); n++) {
            line[strcspn(line, "\n")] = 0;
            if (is_fence(line)) {
                fenced = !fenced;
                continue;
            }
            on_line *what = fenced || !strncmp(line, "    ", 4) ? code : text;
            if (what)
                what(document[i], n, line);
        }
        if (f)
            fclose(f);
    }
}

static void test_links(void)
{
    CHECK(documents > 10);
    each_line(check_links, NULL);
}

/* --- tests that docs/hostile.md names --- */

static bool has_test(const char *program, const char *test)
{
    char path[LINE], line[LINE], wanted[LINE];
    snprintf(path, sizeof path, "tests/test_%s.c", program);
    snprintf(wanted, sizeof wanted, "{ \"%s\", ", test);
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, wanted);
    if (f)
        fclose(f);
    return found;
}

/* In the rows of its tables, whatever has a slash is program/test. */
static unsigned named;
static void check_tests(const char *from, unsigned n, char *line)
{
    char *save;
    if (strcmp(from, "docs/hostile.md") || *line != '|')
        return;
    for (char *word = strtok_r(line, " ,|", &save); word; word = strtok_r(NULL, " ,|", &save)) {
        char *slash = strchr(word, '/');
        if (!slash)
            continue;
        *slash = 0;
        named++;
        if (!has_test(word, slash + 1))
            FAIL("%s:%u: there is no test %s of tests/test_%s.c", from, n, slash + 1, word);
    }
}

static void test_named_tests(void)
{
    named = 0;
    each_line(check_tests, NULL);
    CHECK(named > 100);
}

/* --- commands --- */

/* Does it name a file that only tools/fetch-guests brings, and that is not there? */
static bool lacks_guest(const char *command)
{
    char path[LINE];
    const char *real = strstr(command, "guests/real/");
    if (!real)
        return false;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(real, " ;"), real);
    return access(path, R_OK) != 0;
}

/* A line "./emu ..." must be no mistake of the user's, and no bug of ours. */
static void run_command(const char *from, unsigned n, char *line)
{
    char command[2 * LINE];
    line += strspn(line, " ");
    line += !strncmp(line, "$ ", 2) ? 2 : 0;
    if (strncmp(line, "./emu ", 6) || lacks_guest(line))
        return;
    char *comment = strstr(line, "  #");
    if (comment)
        *comment = 0;
    const char *emu = strcmp(build(), "build") ? build() : ".";
    snprintf(command, sizeof command, "timeout 100 %s/emu %s </dev/null >/dev/null 2>&1", emu, line + 6);
    int status = WEXITSTATUS(system(command));
    if (status == STATUS_USER || status == STATUS_BUG || status > 124)
        FAIL("%s:%u: '%s' ended with status %d", from, n, line, status);
}

/* Has it a word of capitals, which stands for something else? Or a guest that waits to be spoken to? */
static bool is_example(const char *command)
{
    unsigned capitals = 0;
    for (const char *p = command; *p; p++) {
        capitals = *p >= 'A' && *p <= 'Z' ? capitals + 1 : 0;
        if (capitals == 3)
            return true;
    }
    return strstr(command, "...") || strstr(command, "labs/") || strstr(command, "-nographic");
}

/* An item of a list in the book with `./emu ...` in it: an experiment. */
static void run_experiments(const char *from, unsigned n, char *line)
{
    bool item = strstr(from, "docs/book/") && !strncmp(line, "- ", 2);
    for (char *p = item ? strstr(line, "`./emu ") : NULL; p; p = strstr(p, "`./emu ")) {
        char command[LINE];
        size_t len = strcspn(++p, "`");
        snprintf(command, sizeof command, "%.*s", (int)len, p);
        if (!is_example(command))
            run_command(from, n, command);
        p += len + (p[len] != 0);
    }
}

static void test_commands(void) { each_line(run_experiments, run_command); }

/* --- tools: an option that they do not know is one line and status 64, and nothing is written --- */

static void test_tools(void)
{
    static const char *const tools[] = { "update-docs", "make-book", "make-initramfs", "make-disk-initramfs", "make-virtio-initramfs", "make-grub-cd", "lab-starter" };
    for (unsigned i = 0; i < sizeof tools / sizeof *tools; i++) {
        char command[LINE];
        snprintf(command, sizeof command, "[ $(tools/%s --help 2>&1 </dev/null | wc -l) = 1 ]; [ $? = 0 ] && { tools/%s --help 2>/dev/null; [ $? = 64 ]; }", tools[i], tools[i]);
        if (system(command))
            FAIL("tools/%s --help is not one line and status 64", tools[i]);
    }
    CHECK_EQ(system("d=$(mktemp -d) && tools/lab-starter labs/lab0 $d && echo mine >$d/lab0.c && ! tools/lab-starter labs/lab0 $d 2>/dev/null && grep -q mine $d/lab0.c; s=$?; rm -rf $d; exit $s"), 0);
}

/* --- the book --- */

/* As HTML: every link of every page leads to a file, and no heading's anchor is there twice. */
static void test_book(void)
{
    char command[LINE], line[LINE];
    if (system("command -v cmark-gfm >/dev/null"))
        SKIP("cmark-gfm is not installed (package cmark-gfm)");
    snprintf(command, sizeof command,
             "out=%s/book-test; rm -rf $out; tools/make-book $out >/dev/null 2>&1 || echo tools/make-book fails;"
             "find $out -name '*.html' | while read -r page; do"
             " grep -o 'href=\"[^\":#]*[\"#]' \"$page\" | sed 's/^href=.//; s/.$//' | sort -u | while read -r to; do"
             "  [ -z \"$to\" ] || [ -e \"$(dirname \"$page\")/$to\" ] || echo \"$page: $to leads nowhere\"; done;"
             " grep -o ' id=\"[^\"]*' \"$page\" | sort | uniq -d | sed \"s@^@$page: twice @\"; done;"
             "[ $(find $out -name '*.html' | wc -l) -gt 20 ] || echo there are hardly any pages", build());
    FILE *f = popen(command, "r");
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        FAIL("%s", line);
    }
    CHECK_EQ(pclose(f), 0);
}

/* --- --- */

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "what the program prints", test_current }, { "links", test_links }, { "named tests", test_named_tests }, { "commands", test_commands }, { "tools", test_tools }, { "the book", test_book }, { NULL, NULL },
    };
    nftw(".", visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
    return check_main(argc, argv, "documents", tests);
}
