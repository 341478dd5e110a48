/* SPDX-License-Identifier: MIT */
/* `emu bench net -json`: every load with its counts, and every published figure with what came out. */
#include <jansson.h>

#include "cli/bench/bench_load.h"

static json_t *reasons(const struct load_result *r)
{
    json_t *o = json_object();
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (r->ledger.count[e])
            json_object_set_new(o, event_rows[e].name, json_integer(r->ledger.count[e]));
    return o;
}

static json_t *load_json(const struct load_results *all, const struct load_result *r)
{
    json_t *o = json_pack("{ss ss ss si si}", "path", r->path->name, "engine", r->engine, "load", r->kind->name, "size", (int)r->size, "batch", (int)r->batch);
    if (!r->ran) {
        json_object_set_new(o, "skipped", json_string(r->why));
        return o;
    }
    json_object_set_new(o, "operations", json_integer(r->operations));
    json_object_set_new(o, "cycles", json_integer(r->cycles));
    json_object_set_new(o, "exits", json_integer(load_exits(r)));
    json_object_set_new(o, "exits_with_work", json_integer(load_data_exits(r)));
    json_object_set_new(o, "to_user_space", json_integer(load_user(r)));
    json_object_set_new(o, "per_second", json_real(load_rate(r)));
    json_object_set_new(o, "gbits", json_real(load_gbits(all, r)));
    json_object_set_new(o, "us_each", json_real(load_us(r)));
    json_object_set_new(o, "cpu_percent", json_real(load_cpu(r)));
    json_object_set_new(o, "events", reasons(r));
    return o;
}

static json_t *claim_json(const struct load_results *all, const struct load_claim *c)
{
    const struct load_result *r = load_find(all, c->path, c->kind, c->batch);
    if (!r || !r->ran)
        return NULL;
    double value = load_claim_value(all, c, r);
    return json_pack("{ss ss ss sf sf sf sb}", "source", c->source, "path", c->path, "what", c->text, "low", c->band.low, "high", c->band.high, "here", value, "met",
                     load_claim_met(c, value));
}

void bench_load_json(const struct load_results *all, FILE *out)
{
    json_t *loads = json_array(), *claims = json_array();
    for (unsigned i = 0; i < all->count; i++)
        json_array_append_new(loads, load_json(all, &all->result[i]));
    for (const struct load_claim *c = all->bench->claims; c->source; c++) {
        json_t *o = claim_json(all, c);
        if (o)
            json_array_append_new(claims, o);
    }
    json_t *doc = json_pack("{ss ss so so}", "bench", all->bench->name, "profile", "curriculum", "loads", loads, "published", claims);
    json_dumpf(doc, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    fputc('\n', out);
    json_decref(doc);
}
