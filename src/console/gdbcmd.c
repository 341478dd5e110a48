/* SPDX-License-Identifier: MIT */
/* The packets: a table of first letters, and tables of the q, Q and v names (GDB manual, E.2 to E.4). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/gdbstub.h"

static struct debugger *debugger_of(struct gdb *g) { return &g->console->debugger; }
static void ok(struct gdb *g) { gdb_put(&g->reply, "OK"); }
static void error(struct gdb *g, unsigned number) { gdb_put(&g->reply, "E%02x", number); }
enum { ERROR_MEMORY = 14, ERROR_SYNTAX = 22, ERROR_FULL = 28 };

/* A hexadecimal number and the character behind it. Blanks may stand before it: graders of courses send "m f0100000,4" with one. */
static bool number(const char **at, u64 *value, char behind)
{
    char *end;
    *at += strspn(*at, " ");
    *value = strtoull(*at, &end, 16);
    if (end == *at || **at == '-' || **at == '+' || *end != behind)
        return false;
    *at = end + (behind != 0);
    return true;
}

/* --- threads are processors: thread n is processor n - 1. The one that registers are read of is the machine's current one --- */

static unsigned current_thread(struct gdb *g) { return debugger_of(g)->vm->current + 1; }

/* Select it; 0 and -1 are any. False: there is no such thread. */
static bool choose_thread(struct gdb *g, const char *id)
{
    struct vm *vm = debugger_of(g)->vm;
    u64 n = strtoull(id, NULL, 16);
    if (*id == '-' || n == 0)
        return true;
    if (n > vm->nvcpus)
        return false;
    vm->current = n - 1;
    return true;
}

/* --- stop replies --- */

enum { SIGNAL_INT = 2, SIGNAL_TRAP = 5, SIGNAL_SEGV = 11 };

static void describe_points(struct gdb *g)
{
    static const char *const watch[] = { [ACCESS_READ] = "rwatch", [ACCESS_WRITE] = "watch", "awatch" };
    struct debugger *d = debugger_of(g);
    if (d->why == WHY_WATCHPOINT)
        gdb_put(&g->reply, "%s:%" PRIx64 ";", watch[d->watch_access], d->watch_gva);
    if (d->why != WHY_BREAKPOINT || !g->told_break)
        return;
    for (unsigned i = 0; i < d->points.nbreak; i++)
        if (d->points.brk[i] == d->points.hit) {
            gdb_put(&g->reply, d->break_owner[i] == OWNER_GDB_HARD ? "hwbreak:;" : "swbreak:;");
            return;
        }
}

void gdb_describe_stop(struct gdb *g)
{
    struct debugger *d = debugger_of(g);
    if (d->vm->status == VM_ENDED && !g->dead) {
        gdb_put(&g->reply, "W%02x", d->vm->exit_status & 0xff);
        return;
    }
    gdb_put(&g->reply, "T%02xthread:%02x;", g->dead ? SIGNAL_SEGV : d->why == WHY_ASKED ? SIGNAL_INT : SIGNAL_TRAP, current_thread(g));
    if (!g->dead)
        describe_points(g);
}

static void on_why(struct gdb *g, const char *arg)
{
    debugger_pause(debugger_of(g));
    if (debugger_of(g)->vm->status == VM_ENDED || g->dead)
        gdb_describe_stop(g);
    else
        gdb_put(&g->reply, "T%02xthread:%02x;", SIGNAL_TRAP, current_thread(g));
}

/* --- registers --- */

static void on_get_all(struct gdb *g, const char *arg)
{
    struct cpu_state s;
    u8 buf[16];
    debugger_get_state(debugger_of(g), &s);
    for (unsigned n = 0; n < g->layout->count; n++)
        gdb_put_hex(&g->reply, buf, gdb_register_get(g->layout, &s, n, buf));
}

static void on_set_all(struct gdb *g, const char *hex)
{
    struct cpu_state s;
    u8 buf[16];
    debugger_get_state(debugger_of(g), &s);
    for (unsigned n = 0; n < g->layout->count; n++) {
        unsigned size = gdb_register_get(g->layout, &s, n, buf);
        if (gdb_from_hex(hex, buf, size) != size)
            break; /* gdb may send a prefix of them */
        gdb_register_set(g->layout, &s, n, buf);
        hex += 2 * size;
    }
    debugger_set_state(debugger_of(g), &s);
    ok(g);
}

static void on_get_one(struct gdb *g, const char *arg)
{
    struct cpu_state s;
    u8 buf[16];
    u64 n;
    debugger_get_state(debugger_of(g), &s);
    unsigned size = number(&arg, &n, 0) && n < g->layout->count ? gdb_register_get(g->layout, &s, n, buf) : 0;
    if (!size)
        error(g, ERROR_SYNTAX);
    gdb_put_hex(&g->reply, buf, size);
}

static void on_set_one(struct gdb *g, const char *arg)
{
    struct cpu_state s;
    u8 buf[16];
    u64 n;
    debugger_get_state(debugger_of(g), &s);
    unsigned size = number(&arg, &n, '=') && n < g->layout->count ? gdb_register_get(g->layout, &s, n, buf) : 0;
    if (!size || gdb_from_hex(arg, buf, size) != size) {
        error(g, ERROR_SYNTAX);
        return;
    }
    gdb_register_set(g->layout, &s, n, buf);
    debugger_set_state(debugger_of(g), &s);
    ok(g);
}

/* --- memory --- */

static void on_read(struct gdb *g, const char *arg)
{
    u8 buf[GDB_PACKET / 2];
    u64 address, len;
    if (!number(&arg, &address, ',') || !number(&arg, &len, 0)) {
        error(g, ERROR_SYNTAX);
        return;
    }
    if (len > sizeof buf)
        len = sizeof buf; /* gdb asks for the rest again */
    u64 got = (g->physical ? debugger_read_physical : debugger_read)(debugger_of(g), address, buf, len);
    if (!got && len)
        error(g, ERROR_MEMORY);
    gdb_put_hex(&g->reply, buf, got);
}

static void write_memory(struct gdb *g, u64 address, const u8 *bytes, u64 len)
{
    u64 done = (g->physical ? debugger_write_physical : debugger_write)(debugger_of(g), address, bytes, len);
    if (done == len)
        ok(g);
    else
        error(g, ERROR_MEMORY);
}

static void on_write(struct gdb *g, const char *arg)
{
    u8 buf[GDB_PACKET / 2];
    u64 address, len;
    if (number(&arg, &address, ',') && number(&arg, &len, ':') && len <= sizeof buf && gdb_from_hex(arg, buf, len) == len)
        write_memory(g, address, buf, len);
    else
        error(g, ERROR_SYNTAX);
}

static void on_write_binary(struct gdb *g, const char *arg)
{
    u64 address, len;
    const char *end = g->framer.body + g->framer.len;
    if (number(&arg, &address, ',') && number(&arg, &len, ':') && len <= (u64)(end - arg))
        write_memory(g, address, (const u8 *)arg, len);
    else
        error(g, ERROR_SYNTAX);
}

/* --- going on: the answer comes when the guest stops --- */

static void resume(struct gdb *g, bool step)
{
    if (g->dead) { /* it cannot go on: now it has really ended */
        g->dead = false;
        gdb_describe_stop(g);
        return;
    }
    g->waiting = g->silent = true;
    (step ? debugger_step : debugger_continue)(debugger_of(g));
}

static void resume_at(struct gdb *g, const char *address, bool step)
{
    struct cpu_state s;
    u64 at;
    if (number(&address, &at, 0)) {
        debugger_get_state(debugger_of(g), &s);
        s.rip = state_long(&s) ? at : (u32)at;
        debugger_set_state(debugger_of(g), &s);
    }
    resume(g, step);
}

static void on_continue(struct gdb *g, const char *arg) { resume_at(g, arg, false); }
static void on_step(struct gdb *g, const char *arg) { resume_at(g, arg, true); }

/* C and S: a signal for the guest, which has none; then as c and s. */
static const char *behind_signal(const char *arg)
{
    const char *address = strchr(arg, ';');
    return address ? address + 1 : "";
}
static void on_continue_signal(struct gdb *g, const char *arg) { resume_at(g, behind_signal(arg), false); }
static void on_step_signal(struct gdb *g, const char *arg) { resume_at(g, behind_signal(arg), true); }

/* An action for each thread; the first one counts. A step is one of that processor, while the others stand. */
static void on_vcont(struct gdb *g, const char *actions)
{
    const char *id = strchr(actions, ':'), *next = *actions ? strchr(actions + 1, ';') : NULL;
    if (id && (!next || id < next) && !choose_thread(g, id + 1))
        error(g, ERROR_SYNTAX);
    else if (*actions == ';' && strchr("cCsS", actions[1]) && actions[1])
        resume(g, (actions[1] | 0x20) == 's');
    else
        error(g, ERROR_SYNTAX);
}
static void on_vcont_query(struct gdb *g, const char *arg) { gdb_put(&g->reply, "vCont;c;C;s;S"); }

/* The answer goes out before what it is about. */
static void answer_now(struct gdb *g)
{
    ok(g);
    gdb_send(g);
    g->silent = true;
}

static void on_detach(struct gdb *g, const char *arg)
{
    answer_now(g);
    gdb_drop(g);
}

static void on_kill(struct gdb *g, const char *arg)
{
    g->silent = true;
    vm_stop(debugger_of(g)->vm, STATUS_POWEROFF, "gdb ended the guest");
    gdb_drop(g);
}

static void on_vkill(struct gdb *g, const char *arg)
{
    answer_now(g);
    on_kill(g, arg);
}

/* --- points: Z0 and Z1 differ only in name, neither writes to the guest --- */

struct point { u64 type, address, kind; };

static bool parse_point(const char *arg, struct point *p)
{
    char behind = strchr(arg, ';') ? ';' : 0;   /* conditions may follow: gdb checks them itself */
    return number(&arg, &p->type, ',') && number(&arg, &p->address, ',') && number(&arg, &p->kind, behind) && p->type <= 4;
}

static const u8 watch_access[] = { [2] = ACCESS_WRITE, [3] = ACCESS_READ, [4] = 2 };

static void answer(struct gdb *g, int result)
{
    if (result)
        error(g, ERROR_FULL);
    else
        ok(g);
}

static void on_insert(struct gdb *g, const char *arg)
{
    struct debugger *d = debugger_of(g);
    struct point p;
    if (!parse_point(arg, &p) || (p.type >= 2 && p.kind > PAGE_SIZE))
        error(g, ERROR_SYNTAX);
    else if (p.type <= 1)
        answer(g, debugger_add_break(d, p.type ? OWNER_GDB_HARD : OWNER_GDB_SOFT, p.address));
    else
        answer(g, debugger_add_watch(d, OWNER_GDB_HARD, p.address, p.kind, watch_access[p.type]));
}

static void on_remove(struct gdb *g, const char *arg)
{
    struct debugger *d = debugger_of(g);
    struct point p;
    if (!parse_point(arg, &p)) {
        error(g, ERROR_SYNTAX);
        return;
    }
    if (p.type <= 1)
        debugger_remove_break(d, p.type ? OWNER_GDB_HARD : OWNER_GDB_SOFT, p.address);
    else
        debugger_remove_watch(d, OWNER_GDB_HARD, p.address, p.kind, watch_access[p.type]);
    ok(g);
}

/* --- queries --- */

static void on_supported(struct gdb *g, const char *arg)
{
    g->told_break = strstr(arg, "swbreak+") && strstr(arg, "hwbreak+");
    gdb_put(&g->reply, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+", GDB_PACKET);
}

static void on_no_ack(struct gdb *g, const char *arg)
{
    answer_now(g);
    g->no_ack = true;
}

static void on_features(struct gdb *g, const char *arg)
{
    u64 offset, len;
    char *xml = gdb_target_xml(g->layout);
    if (!xml || strncmp(arg, "target.xml:", 11) || (arg += 11, !number(&arg, &offset, ',')) || !number(&arg, &len, 0)) {
        error(g, 0);
    } else {
        u64 size = strlen(xml), from = offset < size ? offset : size, n = len < size - from ? len : size - from;
        gdb_put(&g->reply, "l");
        if (gdb_put_binary(&g->reply, xml + from, n) < size - from)
            g->reply.text[0] = 'm';
    }
    free(xml);
}

static void on_attached(struct gdb *g, const char *arg) { gdb_put(&g->reply, "1"); }
static void on_thread(struct gdb *g, const char *arg) { gdb_put(&g->reply, "QC%02x", current_thread(g)); }
static void on_threads(struct gdb *g, const char *arg)
{
    for (unsigned n = 1; n <= debugger_of(g)->vm->nvcpus; n++)
        gdb_put(&g->reply, "%s%02x", n == 1 ? "m" : ",", n);
}
static void on_no_more_threads(struct gdb *g, const char *arg) { gdb_put(&g->reply, "l"); }

static void on_thread_name(struct gdb *g, const char *arg)
{
    static const char *const activity[] = { [CPU_ACTIVE] = "running", [CPU_HALTED] = "halted", [CPU_SHUT_DOWN] = "shut down", [CPU_WAIT_SIPI] = "waits for SIPI" };
    struct vm *vm = debugger_of(g)->vm;
    struct cpu_state s;
    char name[40];
    u64 n = strtoull(arg, NULL, 16);
    if (n < 1 || n > vm->nvcpus) {
        error(g, ERROR_SYNTAX);
        return;
    }
    vm->engine->get_state(vm->vcpu[n - 1], &s);
    snprintf(name, sizeof name, "CPU#%u [%s]", (unsigned)n - 1, activity[s.activity <= CPU_WAIT_SIPI ? s.activity : CPU_ACTIVE]);
    gdb_put_hex(&g->reply, name, strlen(name));
}

/* Hg: registers of that thread; Hc: as old debuggers say which one goes on. */
static void on_choose_thread(struct gdb *g, const char *arg)
{
    if (*arg && choose_thread(g, arg + 1))
        ok(g);
    else
        error(g, ERROR_SYNTAX);
}

static void on_alive(struct gdb *g, const char *arg)
{
    u64 n = strtoull(arg, NULL, 16);
    if (n >= 1 && n <= debugger_of(g)->vm->nvcpus)
        ok(g);
    else
        error(g, ERROR_SYNTAX);
}

/* Text of any length goes as console output; the answer itself says that it is over. */
static void send_text(struct gdb *g, const char *text, size_t size)
{
    for (size_t done = 0, n; done < size && g->out >= 0; done += n) {
        n = size - done < GDB_PACKET / 2 - 1 ? size - done : GDB_PACKET / 2 - 1;
        g->reply.len = 0;
        gdb_put(&g->reply, "O");
        gdb_put_hex(&g->reply, text + done, n);
        gdb_send(g);
    }
    g->reply.len = 0;
}

static void on_monitor(struct gdb *g, const char *arg)
{
    char line[256], *text = NULL;
    size_t size = 0;
    FILE *out = g->monitor ? open_memstream(&text, &size) : NULL;
    line[gdb_from_hex(arg, line, sizeof line - 1)] = 0;
    if (!out)
        return;
    g->monitor(g->monitor_opaque, line, out);
    fclose(out);
    send_text(g, text, size);
    free(text);
    ok(g);
}

/* QEMU's own: may interrupts come while stepping (bit 1: they are held), are addresses physical? */
static void on_sstep(struct gdb *g, const char *arg) { gdb_put(&g->reply, "0x%x", debugger_of(g)->irqs ? 5 : 7); }
static void on_sstep_bits(struct gdb *g, const char *arg) { gdb_put(&g->reply, "ENABLE=1,NOIRQ=2,NOTIMER=4"); }
static void on_set_sstep(struct gdb *g, const char *arg)
{
    debugger_of(g)->irqs = !(strtoul(arg, NULL, 0) & 2);
    ok(g);
}
static void on_physical(struct gdb *g, const char *arg) { gdb_put(&g->reply, "%d", g->physical); }
static void on_set_physical(struct gdb *g, const char *arg)
{
    g->physical = *arg == '1';
    ok(g);
}

/* --- tables --- */

static const struct { const char *name; void (*run)(struct gdb *g, const char *arg); } named[] = {
    { "qSupported", on_supported },         { "QStartNoAckMode", on_no_ack },      { "qXfer:features:read:", on_features },
    { "qAttached", on_attached },           { "qfThreadInfo", on_threads },        { "qsThreadInfo", on_no_more_threads },
    { "qThreadExtraInfo,", on_thread_name }, { "qRcmd,", on_monitor },             { "qqemu.sstepbits", on_sstep_bits },
    { "qqemu.sstep", on_sstep },            { "Qqemu.sstep=", on_set_sstep },      { "qqemu.PhyMemMode", on_physical },
    { "Qqemu.PhyMemMode:", on_set_physical }, { "vCont?", on_vcont_query },        { "vCont", on_vcont },
    { "vKill;", on_vkill },                 { "qC", on_thread },
};

static void on_named(struct gdb *g, const char *arg)
{
    const char *body = g->framer.body;
    for (unsigned i = 0; i < ARRAY_LEN(named); i++) {
        size_t len = strlen(named[i].name);
        if (strncmp(body, named[i].name, len) == 0) {
            named[i].run(g, body + len);
            return;
        }
    }
}

static void (*const lettered[128])(struct gdb *g, const char *arg) = {
    ['?'] = on_why,     ['g'] = on_get_all,  ['G'] = on_set_all,         ['p'] = on_get_one,     ['P'] = on_set_one, ['m'] = on_read,
    ['M'] = on_write,   ['X'] = on_write_binary, ['c'] = on_continue,    ['s'] = on_step,        ['C'] = on_continue_signal,
    ['S'] = on_step_signal, ['Z'] = on_insert, ['z'] = on_remove,        ['D'] = on_detach,      ['k'] = on_kill,
    ['H'] = on_choose_thread, ['T'] = on_alive, ['q'] = on_named, ['Q'] = on_named,      ['v'] = on_named,
};

/* What is not known is answered by an empty packet. */
void gdb_command(struct gdb *g)
{
    u8 letter = g->framer.body[0];
    g->reply.len = 0;
    g->reply.text[0] = 0;
    g->silent = false;
    if (letter < 128 && lettered[letter])
        lettered[letter](g, g->framer.body + 1);
    if (!g->silent)
        gdb_send(g);
}
