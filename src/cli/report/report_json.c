/* SPDX-License-Identifier: MIT */
/* A comparison as JSON for programs: schema "emu.compare", version 1, described in docs/reports.md. */
#include "cli/report/compare.h"

#include <jansson.h>

#include "base/text.h"

enum { SCHEMA_VERSION = 1 };

/* Text that came from outside: jansson takes nothing but UTF-8. */
static json_t *text(const char *s)
{
    char clean[4096];
    return json_string(text_clean(clean, sizeof clean, s));
}

static json_t *number(u64 n) { return json_integer((json_int_t)n); }

static json_t *operations_json(const struct column *c)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < c->noperations; i++) {
        const struct operation *o = &c->operation[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "name", text(o->name), "count", number(o->count), "cycles", number(o->cycles)));
    }
    return list;
}

static json_t *families_json(const struct column *c)
{
    json_t *object = json_object();
    for (int f = 0; f < FAMILY_COUNT; f++)
        json_object_set_new(object, family_rows[f].name,
                            json_pack("{s:o, s:o}", "count", number(ledger_family_count(&c->ledger, f)), "cycles",
                                      number(ledger_family_cycles(&c->ledger, f))));
    return object;
}

static json_t *event_json(const struct ledger *l, int e)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "name", event_rows[e].name, "family", family_rows[event_rows[e].family].name,
                     "count", number(l->count[e]), "cycles", number(l->cycles[e]), "cost", number(l->cost[e]), "formula",
                     event_rows[e].formula);
}

static json_t *events_json(const struct column *c)
{
    json_t *list = json_array();
    for (int e = 0; e < EV_COUNT; e++)
        if (c->ledger.count[e])
            json_array_append_new(list, event_json(&c->ledger, e));
    return list;
}

static json_t *slices_json(const struct timeline *t, enum family f)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < t->used; i++)
        json_array_append_new(list, number(t->count[i][f]));
    return list;
}

/* Only the families that have events. */
static json_t *timeline_json(const struct timeline *t)
{
    json_t *counts = json_object();
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (timeline_sum(t, f))
            json_object_set_new(counts, family_rows[f].name, slices_json(t, f));
    return json_pack("{s:o, s:o}", "slice", number(timeline_slice(t)), "counts", counts);
}

static void add_results(json_t *object, const struct column *c)
{
    json_object_set_new(object, "measured", json_boolean(c->measured));
    json_object_set_new(object, "status", json_integer(c->status));
    json_object_set_new(object, "program", text(c->program));
    json_object_set_new(object, "operations", operations_json(c));
    json_object_set_new(object, "families", families_json(c));
    json_object_set_new(object, "events", events_json(c));
    json_object_set_new(object, "guest", json_pack("{s:o, s:o}", "instructions", number(c->ledger.guest_insns), "cycles",
                                                   number(c->ledger.guest_cycles)));
    json_object_set_new(object, "cycles", number(column_cycles(c)));
    json_object_set_new(object, "virtual_time", number(c->now));
    json_object_set_new(object, "timeline", timeline_json(&c->timeline));
}

static json_t *column_json(const struct column *c)
{
    json_t *object = json_pack("{s:o, s:b, s:o}", "engine", text(c->label), "ran", c->ran, "note", text(c->note));
    if (c->ran)
        add_results(object, c);
    return object;
}

/* The literature's figures for this profile and the program that ran. */
static json_t *published_json(const struct comparison *c)
{
    json_t *list = json_array();
    const char *program = "";
    for (unsigned i = 0; i < c->ncolumns && !*program; i++)
        program = c->column[i].program;
    for (unsigned r = 0; r < published_count; r++) {
        const struct published_row *p = &published_rows[r];
        if (published_find(c->profile.name, program, p->operation) == p)
            json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "operation", p->operation, "native", number(p->native), "bt",
                                                  number(p->bt), "vt", number(p->vt)));
    }
    return list;
}

static json_t *comparison_json(const struct comparison *c)
{
    json_t *columns = json_array();
    for (unsigned i = 0; i < c->ncolumns; i++)
        json_array_append_new(columns, column_json(&c->column[i]));
    return json_pack("{s:o, s:{s:o, s:o, s:o}, s:o, s:o}", "guest", text(c->guest), "profile", "name", text(c->profile.name), "title",
                     text(c->profile.title), "hz", number(c->profile.value[COMP_CPU_HZ]), "columns", columns, "published", published_json(c));
}

void report_json(const struct comparison *c, unsigned n, FILE *out)
{
    json_t *guests = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(guests, comparison_json(&c[i]));
    json_t *document = json_pack("{s:s, s:i, s:o}", "schema", "emu.compare", "version", SCHEMA_VERSION, "guests", guests);
    json_dumpf(document, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(document);
}
