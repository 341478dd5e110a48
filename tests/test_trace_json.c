/* SPDX-License-Identifier: MIT */
/* The picture over virtual time: --trace-json, held against the ledger, and against the rules of its format. */
#include <signal.h>

#include "reports.h"

/* --- the picture over virtual time ------------------------------------------------------------------ */

/* The track's name, for a failure's words. */
static double number_of(const json_t *e, const char *key) { return json_number_value(json_object_get(e, key)); }
static const char *word_of(const json_t *e, const char *key)
{
    const char *s = json_string_value(json_object_get(e, key));
    return s ? s : "";
}

struct sums { u64 count[FAMILY_COUNT], cycles[FAMILY_COUNT], counters[FAMILY_COUNT], insns, guest; unsigned phases[128]; };

static int family_of(const char *name)
{
    int f = 0;
    while (f < FAMILY_COUNT && strcmp(family_rows[f].name, name))
        f++;
    return f;
}

static void add_up(struct sums *s, const json_t *e)
{
    const json_t *args = json_object_get(e, "args");
    int f = family_of(word_of(e, "cat"));
    char phase = *word_of(e, "ph");
    s->phases[(unsigned char)phase]++;
    if (phase == 'X' && f < FAMILY_COUNT) {
        s->count[f] += json_integer_value(json_object_get(args, "count"));
        s->cycles[f] += json_integer_value(json_object_get(args, "cycles"));
    } else if (phase == 'X') {
        s->insns += json_integer_value(json_object_get(args, "instructions"));
        s->guest += json_integer_value(json_object_get(args, "cycles"));
    } else if (phase == 'C') {
        for (f = 0; f < FAMILY_COUNT; f++)
            s->counters[f] += json_integer_value(json_object_get(args, family_rows[f].name));
    }
}

/* Time goes forward on each track, and no span reaches into the next. Adds up one process. */
static void walk_trace(const json_t *trace, unsigned pid, struct sums *s)
{
    static double last[64], end[64];
    const json_t *events = json_object_get(trace, "traceEvents");
    memset(s, 0, sizeof *s);
    memset(last, 0, sizeof last);
    memset(end, 0, sizeof end);
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *e = json_array_get(events, i);
        unsigned tid = number_of(e, "tid");
        double ts = number_of(e, "ts");
        if (number_of(e, "pid") != pid)
            continue;
        add_up(s, e);
        if (!strcmp(word_of(e, "ph"), "M"))
            continue;
        if (!CHECK(tid < 64))
            return;
        if (ts < last[tid] || (!strcmp(word_of(e, "ph"), "X") && ts < end[tid] - 1e-6)) {
            FAIL("element %zu: track %u goes back from %f to %f", i, tid, last[tid], ts);
            return;
        }
        last[tid] = ts;
        if (!strcmp(word_of(e, "ph"), "X"))
            end[tid] = ts + number_of(e, "dur");
    }
}

static void compare_sums(const struct sums *s, const struct column *c)
{
    CHECK_EQ(s->insns, c->ledger.guest_insns);
    CHECK_EQ(s->guest, c->ledger.guest_cycles);
    for (int f = 0; f < FAMILY_COUNT; f++) {
        check_context("%s, %s", c->label, family_rows[f].name);
        CHECK_EQ(s->count[f], ledger_family_count(&c->ledger, f));
        CHECK_EQ(s->cycles[f], ledger_family_cycles(&c->ledger, f));
        CHECK_EQ(s->counters[f], ledger_family_count(&c->ledger, f));
        CHECK_EQ(timeline_sum(&c->timeline, f), ledger_family_count(&c->ledger, f));
    }
    check_context(NULL);
}

/* One column, with a trace if `t`. */
static void run_column(struct column *c, const char *spec, const char *guest, struct trace_json *t)
{
    struct vm_config config;
    struct error e = { "" };
    vm_config_defaults(&config);
    config.max_cycles = 400000000;
    if (column_parse(c, spec, &e))
        FAIL("%s", e.text);
    if (t)
        trace_json_begin(t, spec, &config.observer, &config.tracer);
    column_run(c, guest, &config);
    if (t)
        trace_json_end(t);
}

/* All engines into one file: a process each. To be watched changes nothing. */
static void test_trace_sums(void)
{
    static const char *const specs[] = { "bare", "bt", "pv", "kvm", "kvm:no-ept" };
    static struct column watched[ARRAY_LEN(specs)], alone;
    struct error e = { "" };
    struct sums sums;
    NEED_GUESTS();
    struct trace_json *t = trace_json_open(path_of("t.json"), TRACE_JSON_LIMIT, &e);
    if (!CHECK(t))
        return;
    for (unsigned i = 0; i < ARRAY_LEN(specs); i++) {
        run_column(&watched[i], specs[i], "guests/nano", t);
        run_column(&alone, specs[i], "guests/nano", NULL);
        CHECK(memcmp(&alone.ledger, &watched[i].ledger, sizeof alone.ledger) == 0);
        CHECK_EQ(alone.now, watched[i].now);
    }
    CHECK_EQ(trace_json_close(t, &e), 0);
    json_error_t why;
    json_t *trace = json_load_file(path_of("t.json"), 0, &why);
    if (!trace) {
        FAIL("line %d: %s", why.line, why.text);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(specs); i++) {
        walk_trace(trace, i + 1, &sums);
        compare_sums(&sums, &watched[i]);
        CHECK(sums.phases['X'] > 0 && sums.phases['i'] > 0 && sums.phases['M'] > 2);
    }
    json_decref(trace);
}

/* Idle time and interrupts: the guest's spans have gaps, and do not cover them. */
static void test_trace_idle(void)
{
    static struct column c;
    struct error e = { "" };
    struct sums sums;
    NEED_GUESTS();
    struct trace_json *t = trace_json_open(path_of("t.json"), TRACE_JSON_LIMIT, &e);
    if (!CHECK(t))
        return;
    run_column(&c, "kvm", "guests/tick", t);
    CHECK_EQ(trace_json_close(t, &e), 0);
    json_t *trace = json_load_file(path_of("t.json"), 0, NULL);
    walk_trace(trace, 1, &sums);
    compare_sums(&sums, &c);
    CHECK(sums.guest < c.now / 2);
    json_decref(trace);
}

static void test_trace_limit(void)
{
    struct sums sums;
    NEED_GUESTS();
    CHECK_EQ(run("--engine=bt guests/nano -serial none --trace-json %s/t.json --trace-json-limit=100"), 0);
    CHECK_STR(err, "");
    char *text = read_whole(path_of("t.json"));
    json_t *trace = json_loads(text, 0, NULL);
    if (CHECK(trace)) {
        walk_trace(trace, 1, &sums);
        CHECK_EQ(sums.phases['X'] + sums.phases['i'] + sums.phases['C'], 101); /* and the note */
    }
    CHECK_CONTAINS(text, "cut off here");
    CHECK_CONTAINS(text, "\"dropped\":");
    CHECK(strlen(text) < 40000);
    json_decref(trace);
    free(text);
}

/* --- the rules of the format: Google's "Trace Event Format", which Perfetto reads too --------------------------- */

static bool is_count(const json_t *e, const char *key) { return json_is_integer(json_object_get(e, key)) && json_integer_value(json_object_get(e, key)) >= 0; }
static bool is_time(const json_t *e, const char *key) { return json_is_number(json_object_get(e, key)) && number_of(e, key) >= 0; }

/* "Metadata Events": what is named, and by what. */
static const char *check_metadata(const json_t *e)
{
    static const struct { const char *name, *arg; bool text; } kinds[] = {
        { "process_name", "name", true }, { "thread_name", "name", true }, { "process_labels", "labels", true }, { "process_sort_index", "sort_index", false },
        { "thread_sort_index", "sort_index", false },
    };
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *arg = json_object_get(json_object_get(e, "args"), kinds[i].arg);
        if (!strcmp(word_of(e, "name"), kinds[i].name))
            return (kinds[i].text ? json_is_string(arg) : json_is_integer(arg)) ? NULL : "its args do not say what it names";
    }
    return "no metadata is called so";
}

/* "Counter Events": every arg is a series. */
static const char *check_counter(const json_t *e)
{
    const char *series;
    json_t *value, *args = json_object_get(e, "args");
    json_object_foreach(args, series, value)
        if (!json_is_number(value))
            return "a series that is no number";
    return json_object_size(args) ? NULL : "a counter without a series";
}

static const char *check_complete(const json_t *e) { return is_time(e, "dur") ? NULL : "no duration"; }
static const char *check_instant(const json_t *e)
{
    const char *scope = word_of(e, "s");
    return *scope && !scope[1] && strchr("gpt", *scope) ? NULL : "its scope is none of g, p, t";
}

/* Any other phase would need rules of its own here: B and E that pair, flows and asynchronous events that have an id. */
static const struct { const char *phase; const char *(*check)(const json_t *e); } phases[] = {
    { "X", check_complete }, { "i", check_instant }, { "C", check_counter }, { "M", check_metadata },
};

/* NULL, or what is wrong with the element by itself. */
static const char *breach(const json_t *e)
{
    if (!json_is_object(e) || !is_count(e, "pid") || !is_count(e, "tid") || !is_time(e, "ts"))
        return "pid, tid and ts are required";
    if (!*word_of(e, "name") || !json_is_object(json_object_get(e, "args")))
        return "a name and args are required";
    if (json_object_get(e, "cat") && !json_is_string(json_object_get(e, "cat")))
        return "cat is no text";
    for (unsigned i = 0; i < ARRAY_LEN(phases); i++)
        if (!strcmp(word_of(e, "ph"), phases[i].phase))
            return phases[i].check(e);
    return "no phase that this test knows";
}

enum { PROCESSES = 16, THREADS = 64 /* more than any run here has */ };

/* Who is used must have been named: with each process its name, with each of its threads too. */
static const char *unnamed(const json_t *e, bool *process, bool *thread)
{
    u64 pid = number_of(e, "pid"), tid = number_of(e, "tid");
    if (pid >= PROCESSES || tid >= THREADS)
        return "more processes or threads than this test expects";
    process[pid] |= !strcmp(word_of(e, "name"), "process_name");
    thread[pid * THREADS + tid] |= !strcmp(word_of(e, "name"), "thread_name");
    if (!strcmp(word_of(e, "ph"), "M"))
        return NULL;
    return !process[pid] ? "its process has no name" : strcmp(word_of(e, "ph"), "C") && !thread[pid * THREADS + tid] ? "its thread has no name" : NULL;
}

static void check_rules(const char *path)
{
    bool process[PROCESSES] = { 0 }, thread[PROCESSES * THREADS] = { 0 };
    json_error_t why;
    json_t *trace = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!trace) {
        FAIL("line %d: %s", why.line, why.text);
        return;
    }
    const json_t *events = json_object_get(trace, "traceEvents");
    const char *unit = word_of(trace, "displayTimeUnit");
    CHECK(!strcmp(unit, "ms") || !strcmp(unit, "ns"));
    CHECK(json_is_object(json_object_get(trace, "otherData")));
    CHECK(json_array_size(events) > 100);
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *e = json_array_get(events, i);
        const char *what = breach(e);
        what = what ? what : unnamed(e, process, thread);
        if (what) {
            char *text = json_dumps(e, 0);
            FAIL("element %zu: %s: %s", i, what, text);
            free(text);
            break;
        }
    }
    json_decref(trace);
}

/* Of a run with everything in it: all engines; trace points of all kinds; a limit, whose note is an element too. */
static void test_trace_rules(void)
{
    NEED_GUESTS();
    CHECK_EQ(run("compare guests/nano guests/tick -until nothing --max-cycles=40000000 --trace-json %s/r.json >/dev/null"), 0);
    check_rules(path_of("r.json"));
    CHECK_EQ(run("--engine=kvm --kvm=model guests/nano -serial none -trace '*' --trace-json %s/r.json"), 0);
    check_rules(path_of("r.json"));
    CHECK_EQ(run("--engine=bt guests/nano -serial none --trace-json %s/r.json --trace-json-limit=150"), 0);
    check_rules(path_of("r.json"));
}

/* Whatever ends it, what is there is a document: a triple fault, a signal that asks, one that does not. */
static void ends_by(const char *args, int signal)
{
    char command[300];
    snprintf(command, sizeof command, "%s/k.json", folder);
    unlink(command);
    snprintf(command, sizeof command, "exec %s %s --trace-json %s/k.json -serial none </dev/null >/dev/null 2>&1", emu(), args, folder);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    for (int i = 0; signal && i < 100 && access(path_of("k.json"), R_OK); i++)
        usleep(20000);
    usleep(signal ? 300000 : 0);
    if (signal)
        kill(pid, signal);
    waitpid(pid, NULL, 0);
    json_error_t why;
    json_t *trace = json_load_file(path_of("k.json"), 0, &why);
    if (!trace)
        FAIL("%s, signal %d: line %d: %s", args, signal, why.line, why.text);
    CHECK(json_array_size(json_object_get(trace, "traceEvents")) > 0);
    json_decref(trace);
}

static void test_trace_ends(void)
{
    char args[200];
    NEED_GUESTS();
    write_file("triple", "\x0f\x01\x1d\x00\x00\x18\x00\xcc", 8);    /* lidt [180000h]; int3 */
    write_file("ports", "\xe4\x61\xeb\xfc", 4);                     /* in al, 61h; jmp: an event all the time */
    snprintf(args, sizeof args, "-no-reboot %s/triple", folder);
    ends_by(args, 0);
    snprintf(args, sizeof args, "--engine=kvm --kvm=model --max-seconds=20 %s/ports", folder);
    ends_by(args, SIGTERM);
    ends_by(args, SIGKILL);
    ends_by(args, SIGABRT);
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "trace_sums", test_trace_sums }, { "trace_idle", test_trace_idle }, { "trace_limit", test_trace_limit },
        { "trace_ends", test_trace_ends }, { "trace_rules", test_trace_rules },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "trace_json", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
