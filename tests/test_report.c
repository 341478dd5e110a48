/* SPDX-License-Identifier: MIT */
/*
 * Reports: CSV, the HTML page, differences to an earlier report, and the line of progress. Each is held against the ledger or the JSON report,
 * fed with hostile words, and given files that cannot be written.
 */
#include <pty.h>

#include "cli/progress.h"
#include "reports.h"

/* --- words of others ------------------------------------------------------------------------------- */

static void test_text(void)
{
    static const struct { const char *from, *clean; } words[] = {
        { "plain", "plain" }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "a\033[2Jb", "a\xef\xbf\xbd[2Jb" }, { "\xff", "\xef\xbf\xbd" },
        { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },      /* overlong */
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },  /* a surrogate */
        { "\xe2\x80\xae", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },  /* turns the line's direction */
        { "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },      /* cut short */
        { "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" }, { "\x7f\n\t", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    };
    char buf[64], small[6];
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        CHECK_STR(text_clean(buf, sizeof buf, words[i].from), words[i].clean);
    CHECK_STR(text_clean(small, sizeof small, "abcd\xc3\xbc"), "abcd"); /* never half a character */
    CHECK_STR(text_json(buf, sizeof buf, "a\"b\\c\n"), "a\\\"b\\\\c\xef\xbf\xbd");
    CHECK_STR(text_json(small, sizeof small, "abcd\"x"), "abcd");
}

/* --- slices of time --------------------------------------------------------------------------------- */

/* Against a list of everything that was added: each slice is the exact sum of what began in it. */
static void test_timeline(void)
{
    enum { N = 3000 };
    static struct { u64 when; enum family f; u64 n; } added[N];
    struct timeline *t = malloc(sizeof *t);
    u64 random = check_seed(), now = 0;
    timeline_init(t);
    for (int i = 0; i < N; i++) {
        now += check_random(&random) % (i % 500 ? 4000 : 4000000);
        added[i].when = now, added[i].f = check_random(&random) % FAMILY_COUNT, added[i].n = check_random(&random) % 100;
        timeline_add(t, now, added[i].f, added[i].n);
    }
    CHECK(now / timeline_slice(t) < TIMELINE_SLICES);
    CHECK(now / timeline_slice(t) >= TIMELINE_SLICES / 2); /* no coarser than it must be */
    CHECK_EQ(t->used, now / timeline_slice(t) + 1);
    for (unsigned s = 0; s < TIMELINE_SLICES; s++) {
        u64 sum[FAMILY_COUNT] = { 0 };
        for (int i = 0; i < N; i++)
            if (added[i].when / timeline_slice(t) == s)
                sum[added[i].f] += added[i].n;
        check_context("slice %u", s);
        CHECK(memcmp(sum, t->count[s], sizeof sum) == 0);
    }
    check_context(NULL);
    timeline_add(t, UINT64_MAX, 0, 1); /* the end of time does not hang */
    CHECK(t->used > TIMELINE_SLICES / 2 && t->used <= TIMELINE_SLICES);
    free(t);
}

/* --- a comparison that the test makes up, with words that want to break out ----------------------------- */

#define EVIL "</td><script>alert(1)</script>&amp;\"'\xff\033[2J"

static void make_up(struct comparison *c)
{
    static const struct engine_ops bare = { .name = "bare" };
    memset(c, 0, sizeof *c);
    c->guest = EVIL;
    strcpy(c->profile.name, "=1+1");
    strcpy(c->profile.title, "a, \"title\"" EVIL);
    c->profile.value[COMP_CPU_HZ] = 2000000000;
    c->ncolumns = 2;
    strcpy(c->column[0].label, "bare:<&>\"");
    c->column[0].engine = &bare;
    c->column[0].ran = true;
    c->column[0].ledger.guest_insns = 1234567;
    c->column[0].ledger.guest_cycles = 2345678;
    c->column[0].now = 98765432;
    timeline_init(&c->column[0].timeline);
    for (int e = 0; e < EV_COUNT; e++) {
        c->column[0].ledger.count[e] = 1000 + e;
        c->column[0].ledger.cycles[e] = 100000 + 7 * e;
        c->column[0].ledger.cost[e] = 3000 + e;
        timeline_add(&c->column[0].timeline, 1000000 * e, event_rows[e].family, 1000 + e);
    }
    strcpy(c->column[1].label, "gone");
    strcpy(c->column[1].note, "did not: " EVIL);
    column_parse_console(&c->column[0], "@<b>&\"\033[2J <i>'\xfe 10 1234\n@x -1+2 3 4\n");
}

static void test_console_words(void)
{
    struct column c = { 0 };
    column_parse_console(&c, "@p\033[2J \xff\x01ok 1 2\n");
    CHECK_STR(c.program, "p?[2J");
    CHECK_STR(c.operation[0].name, "??ok");
}

static void test_csv(void)
{
    struct comparison *c = malloc(sizeof *c);
    make_up(c);
    char *csv = report(report_csv, c);
    CHECK(strncmp(csv, "guest,profile,engine,kind,name,family,count,cycles\r\n", 52) == 0);
    CHECK_CONTAINS(csv, ",'=1+1,\"bare:<&>\"\"\",guest,instructions,,1234567,2345678\r\n");
    CHECK_CONTAINS(csv, "\"bare:<&>\"\"\",operation,'-1+2,,3,4\r\n");
    CHECK_CONTAINS(csv, ",run,virtual time,,,98765432\r\n");
    CHECK_CONTAINS(csv, ",gone,note,\"did not: ");
    CHECK(!strchr(csv, '\033'));
    free(csv);
    free(c);
}

/* Every row has eight fields, whatever the words are; the events' rows add up to the ledger. */
static void test_csv_rows(void)
{
    struct comparison *c = malloc(sizeof *c);
    u64 count = 0, cycles = 0, all = 0;
    make_up(c);
    char *csv = report(report_csv, c), *s = csv;
    while (*s) {
        char *field[9] = { s };
        unsigned fields = 1;
        for (bool quoted = false; *s != '\r' || quoted; s++) {
            quoted ^= *s == '"';
            if (*s == ',' && !quoted && fields < 9)
                field[fields++] = s + 1;
        }
        s += 2;
        if (CHECK_EQ(fields, 8) && strncmp(field[3], "event,", 6) == 0)
            count += strtoull(field[6], NULL, 10), cycles += strtoull(field[7], NULL, 10);
    }
    for (int e = 0; e < EV_COUNT; e++)
        all += c->column[0].ledger.count[e];
    CHECK_EQ(count, all);
    CHECK_EQ(cycles, ledger_event_cycles(&c->column[0].ledger));
    free(csv);
    free(c);
}

/* --- the page ---------------------------------------------------------------------------------------- */

/* Is it well-formed XML? By an XML parser; without one a named skip. */
static bool well_formed(const char *html)
{
    char command[200];
    write_file("page.html", html, strlen(html));
    if (system("command -v xmllint >/dev/null"))
        return check_skip("no xmllint; install the package libxml2-utils"), false;
    snprintf(command, sizeof command, "xmllint --nonet --noout %s >&2", path_of("page.html"));
    return CHECK(system(command) == 0);
}

/* Does the number, with its commas, stand in the text as a number of its own? */
static bool stands(const char *html, json_int_t n)
{
    char digits[32], word[48];
    int len = snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, n), k = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            word[k++] = ',';
        word[k++] = digits[i];
    }
    word[k] = 0;
    for (const char *s = html; (s = strstr(s, word)); s++) {
        bool begins = s == html || !strchr("0123456789,.", s[-1]), ends = s[k] < '0' || s[k] > '9';
        if (begins && ends && (s[k] != ',' || s[k + 1] == ' '))
            return true;
    }
    return false;
}

static unsigned times(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

/* Walk all of the JSON report. */
static void all_stand(const char *html, const json_t *j)
{
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_integer(j) && !stands(html, json_integer_value(j)))
        FAIL("%lld does not stand in the page", (long long)json_integer_value(j));
    json_object_foreach((json_t *)j, key, value)
        if (strcmp(key, "version"))
            all_stand(html, value);
    json_array_foreach((json_t *)j, i, value)
        all_stand(html, value);
}

static void test_html_hostile(void)
{
    struct comparison *c = malloc(sizeof *c);
    make_up(c);
    char *html = report(report_html, c), *text = report(report_json, c);
    json_t *json = json_loads(text, 0, NULL);
    CHECK(!strstr(html, "<script"));
    CHECK(!strstr(html, "<i>") && !strstr(html, "<b>&"));
    CHECK(!strchr(html, '\033') && !strchr(html, '\xff'));
    CHECK_CONTAINS(html, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&quot;&#39;\xef\xbf\xbd");
    CHECK_CONTAINS(html, "bare:&lt;&amp;&gt;&quot;");
    if (CHECK(json))
        all_stand(html, json);
    if (well_formed(html))
        CHECK_EQ(times(html, "://"), 1); /* the name of the language, and nothing to fetch */
    json_decref(json);
    free(html), free(text), free(c);
}

/* Nothing ran: still a page that says so. */
static void test_html_empty(void)
{
    struct comparison *c = malloc(sizeof *c);
    make_up(c);
    c->column[0] = c->column[1];
    char *html = report(report_html, c);
    CHECK_CONTAINS(html, "did not run");
    CHECK(!strstr(html, "nan") && !strstr(html, "inf%"));
    if (well_formed(html))
        CHECK(strlen(html) > 1000);
    free(html), free(c);
}

static void test_html_real(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare --profile=p4-2006 guests/nano guests/tick --html=%s/a.html --json=%s/a.json"), 0);
    CHECK_STR(err, "");
    CHECK_CONTAINS(out, "as published"); /* the tables all the same */
    char *html = read_whole(path_of("a.html"));
    json_t *json = json_load_file(path_of("a.json"), 0, NULL);
    if (CHECK(json))
        all_stand(html, json);
    CHECK_CONTAINS(html, "href=\"#guest-2\"");
    CHECK_CONTAINS(html, "<title>bt › io › bt.port: ");
    if (well_formed(html))
        CHECK(strlen(html) < 2 << 20);
    json_decref(json);
    free(html);
}

/* A picture of its own: a dot for every number of the first table; hostile names do no harm. */
static void test_svg(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare --engines=bare,bt,pv guests/nano --svg=%s/a.svg --json=%s/a.json"), 0);
    char *svg = read_whole(path_of("a.svg"));
    CHECK_EQ(times(svg, " cycles</title>"), 10 * 3);
    CHECK_CONTAINS(svg, ">ptemod-np-p</text>");
    CHECK_CONTAINS(svg, "<title>bare: ");
    well_formed(svg);
    struct comparison *c = malloc(sizeof *c);
    make_up(c);
    char *hostile = report(report_dots, c);
    CHECK(!strstr(hostile, "<script") && !strstr(hostile, "nan"));
    well_formed(hostile);
    free(svg), free(hostile), free(c);
}

/* Over time nothing is lost: the slices' sums are the families' counts. */
static void test_json_timeline(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare guests/nano --json"), 0);
    json_t *json = json_loads(out, 0, NULL), *columns = json_object_get(json_array_get(json_object_get(json, "guests"), 0), "columns"), *c, *slices;
    size_t i;
    const char *family;
    CHECK(json_array_size(columns) == 5);
    json_array_foreach(columns, i, c) {
        json_object_foreach(json_object_get(json_object_get(c, "timeline"), "counts"), family, slices) {
            json_int_t sum = 0;
            for (size_t s = 0; s < json_array_size(slices); s++)
                sum += json_integer_value(json_array_get(slices, s));
            check_context("%s", family);
            CHECK_EQ(sum, json_integer_value(json_object_get(json_object_get(json_object_get(c, "families"), family), "count")));
        }
    }
    check_context(NULL);
    json_decref(json);
}

/* --- files that cannot be written: one line, status 64, and the tables all the same ----------------------- */

static void test_bad_files(void)
{
    static const struct { const char *args, *says; } bad[] = {
        { "--html=/no/such/folder/x", "emu: --html /no/such/folder/x: No such file" }, { "--html=/dev/full", "emu: --html /dev/full: No space left" },
        { "--csv /no/such/folder/x", "emu: --csv /no/such/folder/x: No such file" },   { "--csv /dev/full", "emu: --csv /dev/full: No space left" },
        { "--json=/dev/full", "emu: --json /dev/full: No space left" },                { "--html=", "emu: --html: No such file" },
        { "--trace-json=/no/such/folder/x", "emu: --trace-json: /no/such/folder/x: No such file" },
        { "--trace-json=/dev/full", "emu: --trace-json: /dev/full: No space left" },
    };
    char command[200];
    NEED_GUESTS();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        char args[200];
        snprintf(args, sizeof args, "compare --engines=bare guests/hello %s", bad[i].args);
        CHECK_EQ(run(args), STATUS_USER);
        CHECK_CONTAINS(err, bad[i].says);
        CHECK_EQ(lines_of(err), 1);
        CHECK_CONTAINS(out, "guest instructions");
    }
    CHECK_EQ(run("guests/hello -serial none --trace-json=/dev/full"), STATUS_USER);
    CHECK_CONTAINS(err, "emu: --trace-json: /dev/full: No space left");
    snprintf(command, sizeof command, "%s compare --engines=bare guests/hello >/dev/full 2>%s/err", emu(), folder);
    CHECK_EQ(WEXITSTATUS(system(command)), STATUS_USER);
}

/* The first report that fails does not keep the others from being written. */
static void test_bad_file_beside_good(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare --engines=bare guests/hello --csv /dev/full --html %s/good.html"), STATUS_USER);
    CHECK(access(path_of("good.html"), R_OK) == 0);
}

/* --- against an earlier report ----------------------------------------------------------------------------- */

static void test_against(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare --engines=bare,bt guests/hello --json=%s/old.json"), 0);
    CHECK_EQ(run("compare --engines=bare,bt guests/hello --against=%s/old.json"), 0);
    CHECK_CONTAINS(out, "0 counts differ in 2 runs");
    /* other prices are no drift */
    CHECK_EQ(run("compare --engines=bare,bt guests/hello --profile=modern --against %s/old.json"), 0);
    CHECK_CONTAINS(out, " cycles, were ");
    json_t *old = json_load_file(path_of("old.json"), 0, NULL);
    json_t *column = json_array_get(json_object_get(json_array_get(json_object_get(old, "guests"), 0), "columns"), 1);
    json_t *events = json_object_get(column, "events"), *first = json_array_get(events, 0);
    json_int_t count = json_integer_value(json_object_get(first, "count"));
    char line[100];
    json_object_set_new(first, "count", json_integer(count + 5));
    json_array_append_new(events, json_pack("{s:s, s:i}", "name", "no.more\033[2J", "count", 7));
    json_dump_file(old, path_of("drift.json"), 0);
    CHECK_EQ(run("compare --engines=bare,bt guests/hello --against %s/drift.json"), 1);
    snprintf(line, sizeof line, "guests/hello on bt: %s %d, was %d (-5)", json_string_value(json_object_get(first, "name")), (int)count, (int)count + 5);
    CHECK_CONTAINS(out, line);
    CHECK_CONTAINS(out, "no.more\xef\xbf\xbd[2J 0, was 7 (-7)");
    CHECK_CONTAINS(out, "2 counts differ in 2 runs");
    CHECK_EQ(run("compare --engines=bare,bt guests/hello --json --against %s/drift.json"), 1);
    json_t *now = json_loads(out, 0, NULL); /* the document alone */
    CHECK(now);
    json_decref(now);
    json_decref(old);
}

static void test_against_mistakes(void)
{
    static const struct { const char *text, *says; } bad[] = {
        { "", "--against" }, { "[]", "is no report" }, { "{\"schema\":\"emu.compare\",\"version\":2}", "is no report" }, { "{\"schema\":7}", "is no report" },
        { "{\"schema\":\"emu.trace\",\"version\":1}", "is no report" },
        { "{\"schema\":\"emu.compare\",\"version\":1,\"guests\":[3,{\"guest\":[]},null]}", "none of these guests" },
        { "{\"schema\":\"emu.compare\",\"version\":1,\"guests\":{}}", "none of these guests" },
    };
    NEED_GUESTS();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        write_file("bad.json", bad[i].text, strlen(bad[i].text));
        CHECK_EQ(run("compare --engines=bare guests/hello --against %s/bad.json"), STATUS_USER);
        CHECK_CONTAINS(err, bad[i].says);
        CHECK_EQ(lines_of(err), 1);
    }
    CHECK_EQ(run("compare --engines=bare guests/hello --against /no/such/file"), STATUS_USER);
    CHECK_STR(out, ""); /* said before the work */
}

static void test_sort(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare --engines=kvm:no-ept,bt,bare guests/hello --sort=name"), 0);
    char *bare = strstr(out, "bare"), *bt = strstr(out, " bt "), *kvm = strstr(out, "kvm:no-ept");
    CHECK(bare && bt && kvm && bare < bt && bt < kvm);
    CHECK_EQ(run("compare --engines=kvm:no-ept,bt,bare guests/hello --sort cycles"), 0);
    bare = strstr(out, "bare"), kvm = strstr(out, "kvm:no-ept");
    CHECK(bare && kvm && bare < kvm);
    CHECK_EQ(run("compare --engines=bare guests/hello --sort=colour"), STATUS_USER);
    CHECK_CONTAINS(err, "give cycles, events, instructions or name");
}

/* --- the line of progress ------------------------------------------------------------------------------------- */

/* What it writes to a terminal of 40 columns under these two variables of the environment. */
static char *progress_on_terminal(const char *term, const char *no_colour)
{
    static char text[4096];
    struct winsize size = { 24, 40, 0, 0 };
    int master, slave;
    struct progress p;
    memset(text, 0, sizeof text);
    if (openpty(&master, &slave, NULL, NULL, &size))
        return NULL;
    setenv("TERM", term, 1);
    no_colour ? setenv("NO_COLOR", no_colour, 1) : unsetenv("NO_COLOR");
    progress_init(&p, slave);
    progress_show(&p, "guests/%s on bt", "a-very-long-name-that-does-not-fit\033[2J-into-a-line");
    progress_end(&p);
    if (write(slave, "!", 1) != 1 || read(master, text, sizeof text - 1) < 1)
        text[0] = 0;
    close(master), close(slave);
    unsetenv("NO_COLOR");
    return text;
}

static void test_progress(void)
{
    char *text = progress_on_terminal("xterm", NULL);
    if (!text)
        SKIP("no pseudo-terminal here");
    CHECK_STR(text, "\r\033[K\033[2mguests/a-very-long-name-that-does-not-f\033[0m\r\033[K!");
    CHECK_STR(progress_on_terminal("xterm", "1"), "\r\033[Kguests/a-very-long-name-that-does-not-f\r\033[K!");
    CHECK_CONTAINS(progress_on_terminal("xterm", ""), "\033[2m");
    CHECK_STR(progress_on_terminal("dumb", NULL), "!");
    CHECK_STR(progress_on_terminal("", NULL), "!");
}

/* In a chain it looks at the host's clock now and then; nothing goes to what is no terminal. */
static void test_progress_pipe(void)
{
    int fds[2];
    char text[16];
    struct progress p;
    struct clock clock;
    struct ledger l = { .clock = &clock };
    if (pipe(fds))
        SKIP("no pipe");
    clock_init(&clock, 1000);
    setenv("TERM", "xterm", 1);
    progress_init(&p, fds[1]);
    l.observer = &p.observer;
    progress_show(&p, "work");
    for (int i = 0; i < 100000; i++)
        ledger_guest(&l, 1, 1000000);
    progress_end(&p);
    CHECK(write(fds[1], "!", 1) == 1);
    CHECK_EQ(read(fds[0], text, sizeof text), 1);
    close(fds[0]), close(fds[1]);
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "text", test_text }, { "timeline", test_timeline }, { "console_words", test_console_words },
        { "csv", test_csv }, { "csv_rows", test_csv_rows }, { "html_hostile", test_html_hostile },
        { "html_empty", test_html_empty }, { "html_real", test_html_real }, { "svg", test_svg },
        { "json_timeline", test_json_timeline }, { "bad_files", test_bad_files },
        { "bad_file_beside_good", test_bad_file_beside_good }, { "against", test_against },
        { "against_mistakes", test_against_mistakes }, { "sort", test_sort }, { "progress", test_progress },
        { "progress_pipe", test_progress_pipe },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "report", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
