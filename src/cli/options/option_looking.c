/* SPDX-License-Identifier: MIT */
/* Looking inside, scripting, and what becomes of the process itself. One handler an option, in the order of options.def. */
#include "cli/options/option_handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace_json.h"

int opt_gdb(struct options *o, const char *arg, struct error *err)
{
    o->gdb = strcmp(arg, "none") ? arg : NULL;
    return 0;
}
int opt_p(struct options *o, const char *arg, struct error *err)
{
    snprintf(o->gdb_port, sizeof o->gdb_port, "tcp::%s", arg);
    return opt_gdb(o, o->gdb_port, err);
}
int opt_s(struct options *o, const char *arg, struct error *err) { return opt_gdb(o, "tcp::1234", err); }
int opt_S(struct options *o, const char *arg, struct error *err)
{
    o->stopped = true;
    return 0;
}

static int add_step(struct options *o, enum script_kind kind, const char *text, struct error *err)
{
    struct script_plan *p = &o->script;
    if (p->count == SCRIPT_MAX)
        return error_set(err, "--expect, --then, --type: at most %d together", SCRIPT_MAX);
    if (!*text || strlen(text) > 500)
        return error_set(err, "--expect, --then, --type: give a text of 1 to 500 characters");
    p->step[p->count].kind = kind;
    p->step[p->count++].text = text;
    return 0;
}
int opt_expect(struct options *o, const char *arg, struct error *err) { return add_step(o, SCRIPT_EXPECT, arg, err); }
int opt_type(struct options *o, const char *arg, struct error *err) { return add_step(o, SCRIPT_TYPE, arg, err); }
int opt_then(struct options *o, const char *arg, struct error *err)
{
    const struct script_plan *p = &o->script;
    if (!p->count || p->step[p->count - 1].kind != SCRIPT_EXPECT)
        return error_set(err, "--then %s: must stand behind an --expect, as in --expect login: --then 'root\\n'", arg);
    return add_step(o, SCRIPT_THEN, arg, err);
}

int opt_D(struct options *o, const char *arg, struct error *err)
{
    if (o->trace_file)
        fclose(o->trace_file);
    o->trace_file = fopen(arg, "w");
    if (!o->trace_file)
        return error_set(err, "-D %s: %s", arg, strerror(errno));
    o->trace_path = arg;
    o->vm.tracer.out = o->trace_file;
    return 0;
}
int opt_trace(struct options *o, const char *arg, struct error *err) { return trace_enable(&o->vm.tracer, arg, err); }

int opt_trace_json(struct options *o, const char *arg, struct error *err)
{
    o->trace_json = arg;
    return 0;
}
int opt_trace_json_limit(struct options *o, const char *arg, struct error *err)
{
    if (parse_number(arg, &o->trace_json_limit) || !o->trace_json_limit)
        return error_set(err, "-trace-json-limit %s: give a number of elements above 0", arg);
    return 0;
}

/* QEMU's log items, and the trace points that show the same. */
static const struct { const char *item, *traces; } log_items[] = {
    { "in_asm", "insn" }, { "int", "exc" },          { "exec", "bt" },           { "cpu", "insn" },       { "cpu_reset", "mode" }, { "pcall", "mode" },
    { "op", "bt" },       { "out_asm", "bt" },       { "guest_errors", "unclaimed" }, { "unimp", "unclaimed" }, { "mmu", "shadow" },     { "page", "shadow" },
};

static int enable_log_item(struct options *o, const char *item, struct error *err)
{
    if (strncmp(item, "trace:", 6) == 0)
        return trace_enable(&o->vm.tracer, item + 6, err);
    for (unsigned i = 0; i < ARRAY_LEN(log_items); i++)
        if (strcmp(item, log_items[i].item) == 0)
            return trace_enable(&o->vm.tracer, log_items[i].traces, err);
    if (trace_enable(&o->vm.tracer, item, NULL))
        return error_set(err, "-d %s: no such log item; `emu list traces` prints the names of ours", item);
    return 0;
}

int opt_d(struct options *o, const char *arg, struct error *err)
{
    char copy[256], *save;
    snprintf(copy, sizeof copy, "%s", arg);
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save))
        if (enable_log_item(o, item, err))
            return -1;
    return 0;
}

int opt_stats(struct options *o, const char *arg, struct error *err)
{
    o->stats = true;
    return 0;
}
int opt_dump_bt(struct options *o, const char *arg, struct error *err)
{
    if (o->dump_bt && o->dump_bt != stdout)
        fclose(o->dump_bt);
    o->dump_bt = strcmp(arg, "-") ? fopen(arg, "w") : stdout;
    o->dump_path = arg;
    return o->dump_bt ? 0 : error_set(err, "-dump-bt %s: %s", arg, strerror(errno));
}
int opt_screen_text(struct options *o, const char *arg, struct error *err)
{
    o->screen_text = true;
    return 0;
}

int opt_pidfile(struct options *o, const char *arg, struct error *err)
{
    o->pidfile = arg;
    return 0;
}
int opt_daemonize(struct options *o, const char *arg, struct error *err)
{
    o->daemonize = true;
    return 0;
}
int opt_monitor(struct options *o, const char *arg, struct error *err)
{
    if (strncmp(arg, "vc", 2) == 0 || strcmp(arg, "null") == 0)
        arg = "none"; /* a window has no pages beside the guest's screen */
    o->monitor = strcmp(arg, "stdio") == 0;
    o->monitor_said = true;
    return CHOICE("monitor", "stdio", "none");
}
int opt_help(struct options *o, const char *arg, struct error *err)
{
    o->action = ACTION_HELP;
    return 0;
}
int opt_help_all(struct options *o, const char *arg, struct error *err)
{
    o->action = ACTION_HELP_ALL;
    return 0;
}
int opt_version(struct options *o, const char *arg, struct error *err)
{
    o->action = ACTION_VERSION;
    return 0;
}
