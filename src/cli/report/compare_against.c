/* SPDX-License-Identifier: MIT */
/*
 * `emu compare --against FILE.json`: what is counted differently than in an earlier report. Counts repeat exactly, so any
 * difference is one of the guest, of its options or of emu. Cycles follow from counts and the profile: they are shown, not judged.
 */
#include "cli/report/compare.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/report/report_values.h"

struct against {
    FILE *out;
    const char *place;          /* "guests/nano on bt" */
    unsigned compared, differ;  /* columns; counts */
};

/* --- reading JSON that anybody may have written -------------------------------------------------------- */

static const char *word(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static u64 number(const json_t *object, const char *key) { return json_integer_value(json_object_get(object, key)); }

/* The element of an array of objects that has this word under that key, or NULL. */
static const json_t *find(const json_t *array, const char *key, const char *value)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(word(json_array_get(array, i), key), value) == 0)
            return json_array_get(array, i);
    return NULL;
}

json_t *against_load(const char *path, struct error *err)
{
    json_error_t e;
    json_t *report = json_load_file(path, 0, &e);
    if (!report)
        error_set(err, "--against %s: %s", path, e.text);
    else if (strcmp(word(report, "schema"), "emu.compare") || number(report, "version") != 1)
        error_set(err, "--against %s: is no report of emu compare --json, version 1", path);
    else
        return report;
    json_decref(report);
    return NULL;
}

/* --- differences ----------------------------------------------------------------------------------------- */

static void differs(struct against *a, const char *name, u64 then, u64 now)
{
    char was[32], is[32], by[32];
    a->differ++;
    fprintf(a->out, "  %s: %s %s, was %s (%c%s)\n", a->place, name, report_grouped(now, is), report_grouped(then, was),
            now > then ? '+' : '-',
            report_grouped(now > then ? now - then : then - now, by));
}

static void count(struct against *a, const char *name, u64 then, u64 now)
{
    if (then != now)
        differs(a, name, then, now);
}

/* Lists of { name, count }: those of now against then, and those that are no more. */
static void counts(struct against *a, const char *kind, const json_t *then, const json_t *now)
{
    char name[128], clean[100];
    for (size_t i = 0; i < json_array_size(now); i++) {
        const json_t *o = json_array_get(now, i);
        snprintf(name, sizeof name, "%s%s", kind, text_clean(clean, sizeof clean, word(o, "name")));
        count(a, name, number(find(then, "name", word(o, "name")), "count"), number(o, "count"));
    }
    for (size_t i = 0; i < json_array_size(then); i++) {
        const json_t *o = json_array_get(then, i);
        snprintf(name, sizeof name, "%s%s", kind, text_clean(clean, sizeof clean, word(o, "name")));
        if (!find(now, "name", word(o, "name")))
            count(a, name, number(o, "count"), 0);
    }
}

static void columns(struct against *a, const json_t *then, const json_t *now)
{
    bool ran_then = json_is_true(json_object_get(then, "ran")), ran_now = json_is_true(json_object_get(now, "ran"));
    if (json_is_true(json_object_get(now, "measured")) || json_is_true(json_object_get(then, "measured")))
        return; /* on the host's processor nothing repeats exactly */
    a->compared++;
    count(a, "runs", ran_then, ran_now);
    if (!ran_then || !ran_now)
        return;
    count(a, "exit status", number(then, "status"), number(now, "status"));
    count(a, "guest instructions", number(json_object_get(then, "guest"), "instructions"),
          number(json_object_get(now, "guest"), "instructions"));
    counts(a, "", json_object_get(then, "events"), json_object_get(now, "events"));
    counts(a, "operation ", json_object_get(then, "operations"), json_object_get(now, "operations"));
}

/* A difference of prices alone is no drift of what happened. */
static void cycles(struct against *a, const json_t *then, const json_t *now)
{
    char was[32], is[32];
    if (number(then, "cycles") != number(now, "cycles"))
        fprintf(a->out, "  %s: %s cycles, were %s\n", a->place, report_grouped(number(now, "cycles"), is),
                report_grouped(number(then, "cycles"), was));
}

static void guests(struct against *a, const json_t *then, const json_t *now)
{
    const json_t *list = json_object_get(now, "columns");
    char place[400], guest[256], engine[100];
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i),
            *earlier = find(json_object_get(then, "columns"), "engine", word(c, "engine"));
        snprintf(place, sizeof place, "%s on %s", text_clean(guest, sizeof guest, word(now, "guest")),
                 text_clean(engine, sizeof engine, word(c, "engine")));
        a->place = place;
        if (!earlier) {
            fprintf(a->out, "  %s: not in the earlier report\n", place);
            continue;
        }
        columns(a, earlier, c);
        cycles(a, earlier, c);
    }
}

/* This comparison as the document that it would be. */
static json_t *as_json(const struct comparison *c, unsigned n)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    report_json(c, n, f);
    fclose(f);
    json_t *document = json_loadb(text, size, 0, NULL);
    free(text);
    return document;
}

int against_report(const json_t *then, const char *path, const struct comparison *c, unsigned n, FILE *out,
                   struct error *err)
{
    struct against a = { .out = out };
    json_t *now = as_json(c, n);
    const json_t *list = json_object_get(now, "guests");
    fprintf(out, "\nagainst %s:\n", path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *guest = json_array_get(list, i),
            *earlier = find(json_object_get(then, "guests"), "guest", word(guest, "guest"));
        guests(&a, earlier, guest);
    }
    json_decref(now);
    if (!a.compared)
        return error_set(err, "--against %s: it has none of these guests on these engines", path);
    fprintf(out, "  %u counts differ in %u runs\n", a.differ, a.compared);
    return a.differ;
}
