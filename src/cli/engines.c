/* SPDX-License-Identifier: MIT */
#include "cli/engines.h"

#include <stddef.h>
#include <string.h>

#include "bt/bt.h"
#include "cli/nearest.h"
#include "hwassist/hwassist.h"
#include "machine/bare.h"
#include "paravirt/pv.h"

const struct engine_ops *const engines[] = { &bare_engine, &bt_engine, &pv_engine, &kvm_engine, NULL };

static const struct engine_ops *by_name(const char *name)
{
    for (const struct engine_ops *const *e = engines; *e; e++)
        if (strcmp((*e)->name, name) == 0)
            return *e;
    return NULL;
}

const struct engine_ops *engine_find(const char *name, struct error *err)
{
    const struct engine_ops *found = by_name(name);
    struct nearest near;
    if (found)
        return found;
    nearest_init(&near, name);
    for (const struct engine_ops *const *e = engines; *e; e++)
        nearest_offer(&near, (*e)->name);
    error_set(err, "--engine=%s: no engine is called so%s%s%s; `emu list engines` prints them", name, near.best ? "; did you mean " : "",
              near.best ? near.best : "", near.best ? "?" : "");
    return NULL;
}

const struct engine_ops *engine_auto(void)
{
    char detail[160];
    const struct engine_ops *bt = by_name("bt");
    return bt && bt->probe(detail, sizeof detail, NULL) == 0 ? bt : &bare_engine;
}
