/* SPDX-License-Identifier: MIT */
#include "base/trace_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonfile.h"
#include "base/text.h"

/* Tracks of a machine. Families and trace points follow their first. */
enum { TRACK_GUEST = 1, TRACK_FAMILY = 2, TRACK_POINT = TRACK_FAMILY + FAMILY_COUNT,
    TRACK_COUNT = TRACK_POINT + TRACE_COUNT };

#define PICOSECONDS 1000000000000u
#define SAMPLES_PER_SECOND 10000    /* of the counters: a sample is 100 us of virtual time */

struct span { cycles_t begin, end; u64 insns; };

struct trace_json {
    struct ledger_observer observer;
    struct trace_recorder recorder;
    struct jsonfile *file;
    u64 limit, written, dropped;
    unsigned pid;
    bool named[TRACK_COUNT];        /* tracks get their name when they are first used */
    /* the guest's work since the last event, not yet written; insns 0 and begin == end: none */
    struct span guest;
    cycles_t sample;                /* beginning of the sample */
    u64 count[FAMILY_COUNT];        /* within it */
    /* of the machine's clock, which may be gone at the end; 0 before its first charge */
    u64 hz;
};

/* --- time: virtual cycles as microseconds with six decimals ---------------------------------------- */

#define MICROSECONDS "%" PRIu64 ".%06" PRIu64
#define MICROSECONDS_OF(ps) (ps) / 1000000, (ps) % 1000000

static u64 picoseconds(u64 hz, cycles_t cycles)
{
    return clock_cycles_to_ticks(&(struct clock){ .hz = hz }, cycles, PICOSECONDS);
}

/* --- one element ---------------------------------------------------------------------------------- */

static void add_name(struct trace_json *t, const char *what, unsigned tid, const char *name)
{
    char quoted[400];
    jsonfile_add(t->file, "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"ts\":0,\"name\":\"%s\",\"args\":{\"name\":\"%s\"}}",
                 t->pid, tid, what,
                 text_json(quoted, sizeof quoted, name));
}

static void add_order(struct trace_json *t, unsigned tid)
{
    jsonfile_add(t->file,
                 "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"ts\":0,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}", t->pid, tid, tid);
}

static void track_name(unsigned track, char *buf, size_t size)
{
    static const char *const titles[FAMILY_COUNT] = {
        [FAMILY_CPU] = "exits: cpu", [FAMILY_MEM] = "exits: mem", [FAMILY_IO] = "device work: io",
        [FAMILY_IRQ] = "interrupts: irq",
        [FAMILY_CALL] = "exits: call", [FAMILY_IDLE] = "exits: idle", [FAMILY_XLATE] = "translations: xlate", [FAMILY_HOST] = "threads of the host: host",
        [FAMILY_DEVICE] = "beside the processor: device",
    };
    if (track == TRACK_GUEST)
        snprintf(buf, size, "guest instructions");
    else if (track < TRACK_POINT)
        snprintf(buf, size, "%s", titles[track - TRACK_FAMILY]);
    else
        snprintf(buf, size, "trace: %s", trace_rows[track - TRACK_POINT].name);
}

/* Is there room for one more? The first for which there is none leaves a note in its place. */
static bool room(struct trace_json *t, unsigned track, u64 ts)
{
    char name[40];
    if (t->written == t->limit && !t->dropped++) {
        jsonfile_add(t->file,
                     "{\"ph\":\"i\",\"s\":\"g\",\"pid\":%u,\"tid\":%u,\"ts\":" MICROSECONDS ",\"name\":\"cut off here\",\"args\":{\"limit\":%" PRIu64 "}}",
                     t->pid, track, MICROSECONDS_OF(ts), t->limit);
        return false;
    }
    if (t->written == t->limit)
        return t->dropped++, false;
    t->written++;
    if (t->named[track])
        return true;
    track_name(track, name, sizeof name);
    add_name(t, "thread_name", track, name);
    add_order(t, track);
    return t->named[track] = true;
}

static void add_guest(struct trace_json *t)
{
    struct span g = t->guest;
    u64 from, to;
    t->guest = (struct span){ 0 };
    if (!g.insns && g.begin == g.end)
        return;
    from = picoseconds(t->hz, g.begin);
    to = picoseconds(t->hz, g.end);
    if (room(t, TRACK_GUEST, from))
        jsonfile_add(t->file,
                     "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":" MICROSECONDS ",\"dur\":" MICROSECONDS ",\"name\":\"guest\",\"args\":"
                     "{\"instructions\":%" PRIu64 ",\"cycles\":%" PRIu64 "}}",
                     t->pid, TRACK_GUEST, MICROSECONDS_OF(from), MICROSECONDS_OF(to - from), g.insns, g.end - g.begin);
}

static void add_event(struct trace_json *t, enum event e, u64 n, cycles_t begin, cycles_t cycles)
{
    const struct event_row *row = &event_rows[e];
    u64 from = picoseconds(t->hz, begin), to = picoseconds(t->hz, begin + cycles);
    unsigned track = TRACK_FAMILY + row->family;
    if (room(t, track, from))
        jsonfile_add(t->file,
                     "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":" MICROSECONDS ",\"dur\":" MICROSECONDS ",\"name\":\"%s\",\"cat\":\"%s\",\"args\":"
                     "{\"count\":%" PRIu64 ",\"cycles\":%" PRIu64 "}}",
                     t->pid, track, MICROSECONDS_OF(from), MICROSECONDS_OF(to - from), row->name,
                     family_rows[row->family].name, n, cycles);
}

/* The counters of a sample in which something happened. Their sums are the ledger's, as long as nothing is cut off. */
static void add_sample(struct trace_json *t)
{
    char series[512];
    int len = 0;
    u64 ts = picoseconds(t->hz, t->sample), all = 0;
    for (int f = 0; f < FAMILY_COUNT; f++) {
        all += t->count[f];
        len += snprintf(series + len, sizeof series - len, "%s\"%s\":%" PRIu64, f ? "," : "", family_rows[f].name,
                        t->count[f]);
    }
    if (all && t->written < t->limit)
        jsonfile_add(t->file,
                     "{\"ph\":\"C\",\"pid\":%u,\"tid\":0,\"ts\":" MICROSECONDS ",\"name\":\"events\",\"args\":{%s}}",
                     t->pid, MICROSECONDS_OF(ts), series);
    t->written += all && t->written < t->limit;
    memset(t->count, 0, sizeof t->count);
}

/* --- what the ledger and the trace points tell ------------------------------------------------------ */

static void count_event(struct trace_json *t, cycles_t now, enum family f, u64 n)
{
    cycles_t length = t->hz / SAMPLES_PER_SECOND + 1;
    if (now - t->sample >= length) {
        add_sample(t);
        t->sample = now - now % length;
    }
    t->count[f] += n;
}

static void on_event(struct ledger_observer *o, const struct ledger *l, enum event e, u64 n, cycles_t cycles)
{
    struct trace_json *t = (struct trace_json *)o;
    t->hz = l->clock->hz;
    add_event(t, e, n, l->clock->now, cycles);
    count_event(t, l->clock->now, event_rows[e].family, n);
}

/* Work without a gap is one span; an event that costs something is such a gap. */
static void on_guest(struct ledger_observer *o, const struct ledger *l, u64 insns, cycles_t cycles)
{
    struct trace_json *t = (struct trace_json *)o;
    cycles_t now = l->clock->now;
    t->hz = l->clock->hz;
    if (t->guest.end != now)
        add_guest(t);
    if (!t->guest.end)
        t->guest.begin = now;
    t->guest.end = now + cycles;
    t->guest.insns += insns;
}

/* "op=write dev=pic addr=..": the first two words are the name, all of it is shown when it is clicked. */
static void on_line(struct trace_recorder *r, const struct tracer *tracer, enum trace_point p, const char *text)
{
    struct trace_json *t = (struct trace_json *)((char *)r - offsetof(struct trace_json, recorder));
    char quoted[800], name[200];
    unsigned track = TRACK_POINT + p, words;
    u64 ts = picoseconds(tracer->clock->hz, tracer->clock->now);
    if (!room(t, track, ts))
        return;
    words = strcspn(text, " ");
    words += text[words] ? 1 + strcspn(text + words + 1, " ") : 0;
    snprintf(quoted, sizeof quoted, "%.*s", words < 60 ? (int)words : 60, text);
    text_json(name, sizeof name, quoted);
    jsonfile_add(t->file,
                 "{\"ph\":\"i\",\"s\":\"t\",\"pid\":%u,\"tid\":%u,\"ts\":" MICROSECONDS ",\"name\":\"%s\",\"args\":{\"text\":\"%s\"}}", t->pid,
                 track, MICROSECONDS_OF(ts), name, text_json(quoted, sizeof quoted, text));
}

/* --- the file ------------------------------------------------------------------------------------- */

struct trace_json *trace_json_open(const char *path, u64 limit, struct error *err)
{
    static const char head[] = "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"schema\":\"emu.trace\",\"version\":1,\"clock\":\"virtual time\"},\"traceEvents\":[";
    struct jsonfile *file = jsonfile_open(path, head, "\n]}\n", err);
    if (!file)
        return NULL;
    struct trace_json *t = calloc(1, sizeof *t);
    t->file = file;
    t->limit = limit;
    t->observer.event = on_event;
    t->observer.guest = on_guest;
    t->recorder.record = on_line;
    return t;
}

void trace_json_begin(struct trace_json *t, const char *name, struct ledger_observer **chain, struct tracer *tracer)
{
    t->pid++;
    t->written = t->dropped = t->sample = 0;
    memset(t->named, 0, sizeof t->named);
    t->observer.next = *chain;
    *chain = &t->observer;
    trace_record(tracer, &t->recorder);
    add_name(t, "process_name", 0, name);
}

void trace_json_end(struct trace_json *t)
{
    if (!t->hz)
        return;
    add_guest(t);
    add_sample(t);
    if (t->dropped)
        jsonfile_add(t->file,
                     "{\"ph\":\"M\",\"pid\":%u,\"tid\":0,\"ts\":0,\"name\":\"process_labels\",\"args\":{\"labels\":\"cut off: %" PRIu64
                     " more\",\"dropped\":%" PRIu64 "}}", t->pid, t->dropped, t->dropped);
    t->hz = 0;
}

int trace_json_close(struct trace_json *t, struct error *err)
{
    if (!t)
        return 0;
    int status = jsonfile_close(t->file, err);
    free(t);
    return status;
}
