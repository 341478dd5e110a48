/* SPDX-License-Identifier: MIT */
/* The commands that steer, and the table of all. */
#include "console/monitor_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "console/display.h"
#include "devices/display/vga.h"
#include "machine/switch.h"

#define MAX_STEPS 1000000u

struct monitor *monitor_new(struct console *c)
{
    struct monitor *m = calloc(1, sizeof *m);
    if (m)
        m->console = c;
    return m;
}

void monitor_free(struct monitor *m) { free(m); }

static struct debugger *debugger_of(struct monitor *m) { return &m->console->debugger; }

struct vm *monitor_vm(struct monitor *m, FILE *out)
{
    if (!m->console->vm)
        fprintf(out, "there is no machine yet\n");
    return m->console->vm;
}

void monitor_print_place(struct monitor *m, FILE *out)
{
    struct debugger *d = debugger_of(m);
    struct cpu_state s;
    u8 bytes[15];
    char place[80], text[96];
    debugger_get_state(d, &s);
    gva_t at = s.seg[CS].base + s.rip;
    u64 got = debugger_read(d, at, bytes, sizeof bytes);
    fprintf(out, "%s: %s\n", vm_describe_place(d->vm, place, sizeof place),
            got ? disassemble(bytes, got, state_code_bits(&s), s.rip, text, sizeof text) : "not mapped");
}

/* --- stop and go --- */

static void run_stop(struct monitor *m, char *args, FILE *out)
{
    m->steps = 0;
    debugger_pause(debugger_of(m));
}

static void run_cont(struct monitor *m, char *args, FILE *out)
{
    if (m->console->vm->status != VM_PAUSED) {
        fprintf(out, "the guest is running\n");
        return;
    }
    m->waits = true;
    debugger_pass_break(debugger_of(m));
    debugger_continue(debugger_of(m));
}

static void run_step(struct monitor *m, char *args, FILE *out)
{
    u64 n = 1;
    if (*args && !monitor_evaluate(m, args, &n, out))
        return;
    if (m->console->vm->status != VM_PAUSED)
        fprintf(out, "the guest is running; stop it first\n");
    else if (n == 0 || n > (m->terminal ? MAX_STEPS : 1))
        fprintf(out, "give a number of steps from 1 to %u\n", m->terminal ? MAX_STEPS : 1);
    else {
        m->waits = true;
        m->steps = n - 1;
        debugger_step(debugger_of(m));
    }
}

static void run_cpu(struct monitor *m, char *args, FILE *out)
{
    u64 n;
    if (!*args)
        monitor_info(m, (char[]){ "cpus" }, out);
    else if (!monitor_evaluate(m, args, &n, out))
        return;
    else if (n >= m->console->vm->nvcpus)
        fprintf(out, "there are processors 0 to %u\n", m->console->vm->nvcpus - 1);
    else
        m->console->vm->current = n;
}

static void run_engine(struct monitor *m, char *args, FILE *out)
{
    struct vm *vm = m->console->vm;
    struct engine_choice c;
    struct error err;
    if (!*args)
        fprintf(out, "%s: %s\n", vm->engine->name, vm->engine->help);
    else if (vm->status != VM_PAUSED)
        fprintf(out, "the guest is running; stop it first\n");
    else if (!vm->config.find_engine)
        fprintf(out, "this machine has the one engine %s\n", vm->engine->name);
    else if (vm->config.find_engine(vm, args, &c, &err) || vm_switch_engine(vm, &c, &err))
        fprintf(out, "%s\n", err.text);
}

static void run_reset(struct monitor *m, char *args, FILE *out) { m->console->vm->reset_requested = true; }
static void run_quit(struct monitor *m, char *args, FILE *out) { vm_stop(m->console->vm, STATUS_POWEROFF, "ended by the monitor"); }

/* --- points --- */

static void run_break(struct monitor *m, char *args, FILE *out)
{
    u64 gva;
    if (!*args)
        monitor_info(m, (char[]){ "breakpoints" }, out);
    else if (monitor_evaluate(m, args, &gva, out) && debugger_add_break(debugger_of(m), OWNER_MONITOR, gva))
        fprintf(out, "no more breakpoints can be set; delete some\n");
}

static void run_watch(struct monitor *m, char *args, FILE *out)
{
    char *save, *address = strtok_r(args, " ", &save), *length = strtok_r(NULL, " ", &save), *how = strtok_r(NULL, " ", &save);
    u64 gva, len = 4;
    u8 access = !how || strcmp(how, "w") == 0 ? ACCESS_WRITE : strcmp(how, "r") == 0 ? ACCESS_READ : 2;
    if (!address || !monitor_evaluate(m, address, &gva, out) || (length && !monitor_evaluate(m, length, &len, out)))
        return;
    if (!len || len > PAGE_SIZE)
        fprintf(out, "a watchpoint has 1 to 4096 bytes\n");
    else if (debugger_add_watch(debugger_of(m), OWNER_MONITOR, gva, len, access))
        fprintf(out, "no more watchpoints can be set; delete some\n");
}

static void run_delete(struct monitor *m, char *args, FILE *out)
{
    u64 gva;
    if (!*args)
        debugger_remove_all(debugger_of(m), OWNER_MONITOR);
    else if (monitor_evaluate(m, args, &gva, out) && !debugger_remove_at(debugger_of(m), OWNER_MONITOR, gva))
        fprintf(out, "there is none at 0x%" PRIx64 "; info breakpoints lists them\n", gva);
}

/* --- the screen --- */

static void run_screen(struct monitor *m, char *args, FILE *out)
{
    char text[8192];
    for (unsigned i = 0; i < m->console->vm->ndevices; i++)
        if (m->console->vm->device[i]->ops == &vga_ops)
            fwrite(text, 1, vga_text(m->console->vm->device[i], text, sizeof text), out);
}

static void run_screenshot(struct monitor *m, char *args, FILE *out)
{
    struct error err;
    if (!*args)
        fprintf(out, "screenshot FILE: a name is missing, as in screenshot shot.png\n");
    else if (screenshot_take(m->console->vm, args, &err))
        fprintf(out, "%s\n", err.text);
}

/* --- the table --- */

static monitor_fn run_help;
#define run_info monitor_info
#define run_x monitor_x
#define run_xp monitor_xp
#define run_print monitor_print
#define run_sendkey monitor_sendkey
#define run_type monitor_type
#define run_mouse_move monitor_mouse_move
#define run_balloon monitor_balloon

const struct monitor_command monitor_commands[] = {
#define COMMAND(id, name, alias, args, help) { name, alias, args, help, run_##id },
#include "console/monitor.def"
#undef COMMAND
};
const unsigned monitor_command_count = ARRAY_LEN(monitor_commands);

static const struct monitor_command *find(const char *name)
{
    for (unsigned i = 0; i < monitor_command_count; i++) {
        const struct monitor_command *c = &monitor_commands[i];
        if (strcmp(c->name, name) == 0 || (c->alias && strcmp(c->alias, name) == 0))
            return c;
    }
    return NULL;
}

static void run_help(struct monitor *m, char *args, FILE *out)
{
    for (unsigned i = 0; i < monitor_command_count; i++) {
        const struct monitor_command *c = &monitor_commands[i];
        char head[60];
        if (*args && c != find(args))
            continue;
        snprintf(head, sizeof head, "%s%s%s %s", c->name, c->alias ? "|" : "", c->alias ? c->alias : "", c->args);
        fprintf(out, "%-32s %s\n", head, c->help);
    }
}

/* "x/4i" is "x" with the argument "/4i". */
void monitor_run(void *monitor, const char *line, FILE *out)
{
    struct monitor *m = monitor;
    char copy[512], name[32];
    snprintf(copy, sizeof copy, "%s", line + strspn(line, " \t"));
    for (size_t len = strlen(copy); len && strchr(" \t\r\n", copy[len - 1]);)
        copy[--len] = 0;
    size_t end = strcspn(copy, " \t/"), args = end + strspn(copy + end, " \t");
    if (!end || !monitor_vm(m, out))
        return;
    snprintf(name, sizeof name, "%.*s", (int)end, copy);
    const struct monitor_command *c = find(name);
    if (c)
        c->run(m, copy + args, out);
    else
        fprintf(out, "%s: no such command; help lists them\n", name);
}
