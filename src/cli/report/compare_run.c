/* SPDX-License-Identifier: MIT */
/* One column of a comparison: one guest on one engine, its console caught and read. */
#include "cli/report/compare.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/engines.h"
#include "cli/guest_path.h"
#include "devices/serial/chardev.h"

/* The engines of the default set, which a build may lack; any other name is the user's mistake. */
static const char *const known_engines[] = { "bare", "bt", "pv", "kvm" };

static bool is_known(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(known_engines); i++)
        if (strcmp(name, known_engines[i]) == 0)
            return true;
    return false;
}

int column_parse(struct column *c, const char *spec, struct error *err)
{
    char name[sizeof c->label];
    memset(c, 0, sizeof *c);
    if (strlen(spec) >= sizeof c->label)
        return error_set(err, "--engines: '%s' is too long for ENGINE[:FEATURES]", spec);
    strcpy(c->label, spec);
    strcpy(name, spec);
    char *colon = strchr(name, ':');
    if (colon) {
        *colon++ = 0;
        strcpy(c->hw, colon);
    }
    c->engine = engine_find(name, err);
    if (!c->engine && !is_known(name))
        return -1;
    if (!c->engine)
        snprintf(c->note, sizeof c->note, "this build has no engine %s", name);
    return 0;
}

/* --- what the guest said ---------------------------------------------------------------------- */

/* A guest must not steer the terminal or break a document: what is not printable ASCII becomes '?'. */
static void make_printable(char *word)
{
    for (; *word; word++)
        if (*word <= ' ' || *word > '~')
            *word = '?';
}

static void parse_operation(struct column *c, const char *line)
{
    struct operation o = { 0 };
    char program[sizeof c->program];
    if (c->noperations == COMPARE_MAX_OPERATIONS ||
        sscanf(line, "@%23s %23s %" SCNu64 " %" SCNu64, program, o.name, &o.count, &o.cycles) != 4 || !o.count)
        return;
    make_printable(strcpy(c->program, program));
    make_printable(o.name);
    c->operation[c->noperations++] = o;
}

void column_parse_console(struct column *c, const char *text)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == '@')
            parse_operation(c, line);
    }
}

const struct operation *column_operation(const struct column *c, const char *name)
{
    for (unsigned i = 0; i < c->noperations; i++)
        if (strcmp(c->operation[i].name, name) == 0)
            return &c->operation[i];
    return NULL;
}

/* --- running it ------------------------------------------------------------------------------- */

/* "NATIVE,XEN": one image for each kind; a single word is left to guest_path(). */
static int find_image(const struct column *c, const char *guest, char *path, size_t size, struct error *err)
{
    char one[PATH_MAX];
    const char *comma = strchr(guest, ',');
    if (!comma)
        return guest_path(guest, c->engine, path, size, err);
    if (strcmp(c->engine->image, "native"))
        return guest_path(comma + 1, c->engine, path, size, err);
    if (snprintf(one, sizeof one, "%.*s", (int)(comma - guest), guest) >= (int)sizeof one)
        return error_set(err, "%s: the name is too long", guest);
    return guest_path(one, c->engine, path, size, err);
}

/* The first line of the reason, and of a guest's own exit status its code. */
static void note_end(struct column *c, const struct vm *vm)
{
    if (c->status == STATUS_POWEROFF)
        return;
    if (c->status & 1)
        snprintf(c->note, sizeof c->note, "the guest ended with code %d", c->status >> 1);
    else
        snprintf(c->note, sizeof c->note, "%.*s", (int)strcspn(vm->reason, "\n"), vm->reason);
}

static void collect(struct column *c, struct vm *vm, const struct chardev *console)
{
    c->ran = true;
    c->ledger = vm->ledger;
    c->ledger.clock = NULL;
    c->ledger.observer = NULL;
    c->timeline.observer = (struct ledger_observer){ 0 };
    c->now = vm->clock.now;
    c->wall_ns = vm->wall_ns;
    note_end(c, vm);
    column_parse_console(c, chardev_buffer_text(console, NULL));
}

/* Virtual time, the console into a buffer, and of kvm the model unless the user wants the host. */
static struct vm_config column_config(const struct column *c, const struct vm_config *base, const char *kernel,
                                      struct chardev *console)
{
    struct vm_config config = *base;
    config.engine = c->engine;
    config.kernel = kernel;
    config.realtime = false;
    config.snapshot = true;         /* every engine sees the same disks */
    memset(config.serial, 0, sizeof config.serial);
    config.serial[0] = console;
    if (*c->hw)
        config.hw = c->hw;
    if (c->profile)
        config.profile = c->profile;
    if (!config.kvm)
        config.kvm = "model";
    return config;
}

/* --- a run that ends with a text --- */

/* Stands before the console's buffer and listens. */
struct ear {
    struct chardev c;
    struct chardev *console;
    const char *until;
    size_t matched;
    struct vm *vm;
};

static void ear_write(struct chardev *c, u8 byte)
{
    struct ear *e = (struct ear *)c;
    e->console->write(e->console, byte);
    e->matched = byte == (u8)e->until[e->matched] ? e->matched + 1 : byte == (u8)e->until[0];
    if (e->until[e->matched] || !e->vm)
        return;
    e->matched = 0;
    vm_stop(e->vm, STATUS_POWEROFF, "the guest said: %s", e->until);
    e->vm->engine->kick(vm_current(e->vm));
}

static int ear_read(struct chardev *c) { return -1; }

void column_run(struct column *c, const char *guest, const struct vm_config *base)
{
    char kernel[PATH_MAX];
    struct error err = { "" };
    if (!c->engine)
        return;
    if (find_image(c, guest, kernel, sizeof kernel, &err)) {
        snprintf(c->note, sizeof c->note, "%.255s", err.text);
        return;
    }
    struct chardev *console = chardev_buffer_new();
    struct ear ear = { .c = { .write = ear_write, .read = ear_read, .fd = -1 }, .console = console, .until = c->until };
    struct vm_config config = column_config(c, base, kernel, c->until ? &ear.c : console);
    timeline_init(&c->timeline);
    c->timeline.observer.next = config.observer;
    config.observer = &c->timeline.observer;
    struct vm *vm = vm_new(&config, &err);
    if (vm) {
        ear.vm = vm;
        c->measured = !strcmp(c->engine->name, "kvm") && !strcmp(config.kvm, "host");
        c->status = vm_run(vm);
        collect(c, vm, console);
        vm_free(vm);
    } else {
        snprintf(c->note, sizeof c->note, "%.255s", err.text);
    }
    chardev_close(console);
}

cycles_t column_cycles(const struct column *c) { return c->ledger.guest_cycles + ledger_event_cycles(&c->ledger); }

/* --- the literature --------------------------------------------------------------------------- */

const struct published_row published_rows[] = {
#define PUBLISHED(profile, program, operation, native, bt, vt) { profile, program, operation, native, bt, vt },
#include "cli/report/published.def"
#undef PUBLISHED
};
const unsigned published_count = ARRAY_LEN(published_rows);

const struct published_row *published_find(const char *profile, const char *program, const char *operation)
{
    for (const struct published_row *r = published_rows; r < published_rows + published_count; r++)
        if (!strcmp(r->profile, profile) && !strcmp(r->program, program) && !strcmp(r->operation, operation))
            return r;
    return NULL;
}
