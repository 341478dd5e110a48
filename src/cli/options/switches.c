/* SPDX-License-Identifier: MIT */
#include "cli/options/switches.h"

#include <errno.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "cli/engines.h"

/* Names that say more than the engine. */
static const struct special { const char *name, *engine, *kvm; bool interpreted; } specials[] = {
    { "kvm-host", "kvm", "host", false }, { "kvm-model", "kvm", "model", false }, { "interpreter", "bare", NULL, true },
};

static const struct special *find_special(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(specials); i++)
        if (strcmp(specials[i].name, name) == 0)
            return &specials[i];
    return NULL;
}

int switch_by_name(const struct vm *vm, const char *name, struct engine_choice *c, struct error *err)
{
    const struct special *s = find_special(name);
    *c = (struct engine_choice){ engine_find(s ? s->engine : name, err), s && s->kvm ? s->kvm : vm ? vm->config.kvm : NULL,
                                 s && s->interpreted ? NULL : &bt_accel };
    return c->ops ? 0 : -1;
}

/* "12.5s" or "1000000", up to the colon. */
static bool parse_time(const char *text, struct engine_at *at)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    at->cycles = strtoull(text, &end, 10);
    at->seconds = -1;
    if (*end == ':')
        return errno == 0;
    at->seconds = strtod(text, &end);
    return strncmp(end, "s:", 2) == 0 && at->seconds < 1e6;
}

int switches_add(struct switches *s, const char *spec, struct error *err)
{
    struct engine_choice c;
    struct engine_at at = { .name = strchr(spec, ':') ? strchr(spec, ':') + 1 : "" };
    if (s->count == MAX_SWITCHES)
        return error_set(err, "-switch-engine-at: at most %d switches", MAX_SWITCHES);
    if (!parse_time(spec, &at) || !*at.name)
        return error_set(err, "-switch-engine-at %s: give SECONDSs:ENGINE or CYCLES:ENGINE, as 2.5s:bt", spec);
    if (switch_by_name(NULL, at.name, &c, err))
        return -1;
    if (strcmp(c.ops->image, "native"))
        return error_set(err, "-switch-engine-at %s: %s runs guests that were ported to it; take bare, bt or kvm", spec, at.name);
    s->at[s->count++] = at;
    return 0;
}

static void on_time(void *opaque, cycles_t when)
{
    struct engine_at *at = opaque;
    struct engine_choice c;
    struct error err;
    if (switch_by_name(at->vm, at->name, &c, &err) || vm_switch_engine(at->vm, &c, &err)) {
        fprintf(stderr, "emu: -switch-engine-at %s: %s\n", at->name, err.text);
        vm_stop(at->vm, STATUS_USER, "no switch to %s: %s", at->name, err.text);
    }
}

void switches_start(struct switches *s, struct vm *vm)
{
    for (struct engine_at *at = s->at; at < s->at + s->count; at++) {
        at->vm = vm;
        at->timer = (struct timer){ .fire = on_time, .opaque = at };
        timer_set(&vm->clock, &at->timer, at->seconds < 0 ? at->cycles : (cycles_t)(at->seconds * vm->clock.hz));
    }
}

void switches_finish(struct switches *s)
{
    for (struct engine_at *at = s->at; at < s->at + s->count; at++) {
        if (at->vm && timer_armed(&at->timer))
            fprintf(stderr, "emu: the guest ended before the switch to %s was due\n", at->name);
        if (at->vm)
            timer_cancel(&at->vm->clock, &at->timer);
        at->vm = NULL;
    }
}
