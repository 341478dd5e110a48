/* SPDX-License-Identifier: MIT */
/*
 * The inner process of the grader: one image, one engine, so many guest instructions; then one JSON document on standard output.
 * It knows neither the test nor the answers. No clock of the host has a part in it: the same image gives the same bytes.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/engines.h"
#include "cli/grade/grade.h"
#include "cli/grade/grade_service.h"
#include "devices/serial/chardev.h"
#include "machine/vm.h"

enum { GUEST_RAM = 128 << 20, SAID = 4096 /* bytes that a service may add to the console */ };
#define CYCLES_PER_INSN 1000u   /* the clock's limit, for guests that sleep for ever instead of executing */

struct watch {
    struct ledger_observer observer; /* first */
    struct vm *vm;
    struct chardev *console;
    u64 max_insns;
    const char *over;               /* which limit; NULL: none yet */
};

static void stop(struct watch *w, const char *over)
{
    if (!w->vm || w->over)
        return;
    w->over = over;
    vm_stop(w->vm, STATUS_LIMIT, "%s", over);
}

static void on_guest(struct ledger_observer *o, const struct ledger *l, u64 insns, cycles_t cycles)
{
    struct watch *w = (struct watch *)o;
    if (l->guest_insns + insns > w->max_insns)
        stop(w, "time-out");
}

static void on_event(struct ledger_observer *o, const struct ledger *l, enum event e, u64 n, cycles_t cycles)
{
    struct watch *w = (struct watch *)o;
    size_t len;
    if (!w->console)
        return;
    chardev_buffer_text(w->console, &len);
    if (len > GRADE_CONSOLE)
        stop(w, "flood");
}

/* Also between slices: bare charges no event for a port. */
static void pump(struct vm *vm, void *opaque) { on_event(opaque, &vm->ledger, 0, 0, 0); }

/* Of the machine, and of what its guest drives by a service. */
static json_t *counts(const struct ledger *l, const struct service *s)
{
    json_t *o = json_object();
    for (int e = 0; e < EV_COUNT; e++) {
        u64 n = l->count[e] + (s && s->ledger ? s->ledger->count[e] : 0);
        if (n)
            json_object_set_new(o, event_rows[e].name, json_integer(n));
    }
    return o;
}

/* The guest's words, and behind them the service's own. */
static json_t *console_text(const struct chardev *console, struct service *s)
{
    size_t len, room = 3 * (GRADE_CONSOLE + 1) + SAID;
    const char *text = chardev_buffer_text(console, &len);
    char *raw = calloc(1, GRADE_CONSOLE + 1), *clean = calloc(1, room), *to = clean;
    memcpy(raw, text, len < GRADE_CONSOLE ? len : GRADE_CONSOLE);
    for (char *line = raw; *line;) {    /* control characters go, but for the lines' ends */
        size_t n = strcspn(line, "\n");
        bool more = line[n] == '\n';
        line[n] = 0;
        if (n && line[n - 1] == '\r')
            line[n - 1] = 0;
        text_clean(to, room - SAID - (to - clean) - 1, line);
        to += strlen(to);
        if (more)
            *to++ = '\n';
        line += n + more;
    }
    if (s && s->ops->say && to > clean && to[-1] != '\n')
        *to++ = '\n';
    if (s && s->ops->say)
        s->ops->say(s, to, room - (to - clean));
    json_t *all = json_string(clean);
    free(raw);
    free(clean);
    return all;
}

static int print_document(const struct vm *vm, int status, const struct watch *w, struct service *s)
{
    u64 insns = vm->ledger.guest_insns + (s ? service_insns(s) : 0);
    json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:I, s:o, s:o}", "status", status, "over", w->over ? w->over : status == STATUS_LIMIT ? "time-out" : "",
                          "reason", "", "insns", (json_int_t)insns, "monitor", (json_int_t)ledger_event_cycles(&vm->ledger), "counts", counts(&vm->ledger, s), "console", console_text(w->console, s));
    char reason[400], line[400];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(vm->reason, "\n"), vm->reason);
    json_object_set_new(o, "reason", json_string(text_clean(reason, sizeof reason, line)));
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(o);
    return 0;
}

static int refuse(const struct error *err)
{
    json_t *o = json_pack("{s:s}", "refused", err->text);
    json_dumpf(o, stdout, JSON_COMPACT);
    json_decref(o);
    return 0;
}

int cli_grade_worker(int argc, char **argv)
{
    struct error err = { "" };
    struct vm_config c;
    const struct service_ops *ops = argc == 5 ? service_find(argv[4]) : NULL;
    struct service *service = NULL;
    if (argc != 4 && !ops)
        return fprintf(stderr, "emu: grade-worker is a part of emu grade, and nothing to be called\n"), STATUS_USER;
    struct watch w = { .observer = { on_event, on_guest, NULL }, .console = chardev_buffer_new(), .max_insns = strtoull(argv[3], NULL, 10) };
    vm_config_defaults(&c);
    c.engine = engine_find(argv[1], &err);
    c.kernel = argv[2];
    c.ram_size = GUEST_RAM;
    c.serial[0] = w.console;
    c.kvm = "model";
    c.observer = &w.observer;
    c.pump = pump;
    c.pump_opaque = &w;
    if (ops && ops->machine)
        ops->machine(&c);
    c.max_cycles = w.max_insns * CYCLES_PER_INSN;
    struct vm *vm = c.engine ? vm_new(&c, &err) : NULL;
    if (ops && vm)
        service = service_new(ops, w.max_insns, &err);
    if (!vm || (ops && (!service || service_attach(service, vm, &err)))) {
        refuse(&err);
    } else {
        w.vm = vm;
        int status = vm_run(vm);
        print_document(vm, status, &w, service);
    }
    service_free(service);
    vm_free(vm);
    chardev_close(w.console);
    return 0;
}
