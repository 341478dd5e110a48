/* SPDX-License-Identifier: MIT */
/* The monitor's prompt on stdin and stdout. */
#include <editline/readline.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/monitor_internal.h"
#include "devices/serial/chardev.h"

#define PROMPT "(emu) "

/* libedit's callbacks get no argument of ours: the one monitor that has the terminal. */
static struct monitor *at_terminal;

static void run_line(struct monitor *m, const char *line)
{
    monitor_run(m, line, stdout);
    fflush(stdout);
}

/* --- plain lines --- */

static bool input_waits(const struct monitor *m)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    return !m->ended && poll(&p, 1, 0) > 0;
}

/* Take the first line, or what there is of it when no more can come, out of the buffer, and carry it out. */
static void run_first_line(struct monitor *m, size_t len, size_t used)
{
    char line[sizeof m->line];
    memcpy(line, m->line, len);
    line[len] = 0;
    m->len -= used;
    memmove(m->line, m->line + used, m->len);
    run_line(m, line);
}

static bool run_buffered_line(struct monitor *m)
{
    const char *end = memchr(m->line, '\n', m->len);
    if (end)
        run_first_line(m, end - m->line, end - m->line + 1);
    else if (m->len && (m->ended || m->len == sizeof m->line - 1))
        run_first_line(m, m->len, m->len);
    else
        return false;
    return true;
}

/* Lines behind a cont or step are for the guest as it has stopped again. */
static void read_plain(struct monitor *m)
{
    ssize_t n;
    while (!m->waits && run_buffered_line(m))
        ;
    if (m->waits || !input_waits(m))
        return;
    n = read(STDIN_FILENO, m->line + m->len, sizeof m->line - 1 - m->len);
    m->ended = n <= 0;
    m->len += n > 0 ? n : 0;
}

/* --- libedit --- */

/* What can stand behind "info": rows of its table, then devices that have something to say. NULL behind the last. */
static const char *info_name(unsigned i)
{
    const struct vm *vm = at_terminal->console->vm;
    if (i < monitor_info_count)
        return monitor_info_rows[i].name;
    i -= monitor_info_count;
    for (unsigned d = 0; vm && d < vm->ndevices; d++)
        if (vm->device[d]->ops->info && i-- == 0)
            return vm->device[d]->ops->name;
    return NULL;
}

static const char *command_name(unsigned i) { return i < monitor_command_count ? monitor_commands[i].name : NULL; }

/* Names that begin with text: of commands, or behind "info" of what it shows. Called with state 0, 1... */
static char *complete(const char *text, int state)
{
    bool info = strncmp(rl_line_buffer, "info ", 5) == 0 || strncmp(rl_line_buffer, "i ", 2) == 0;
    const char *name;
    for (unsigned i = 0; (name = (info ? info_name : command_name)(i)); i++) {
        if (strncmp(name, text, strlen(text)) == 0 && state-- == 0)
            return strdup(name);
    }
    return NULL;
}

static char **attempt(const char *text, int start, int end)
{
    rl_attempted_completion_over = 1; /* no file names */
    return rl_completion_matches(text, complete);
}

/* Back to the guest's serial line. */
static void leave_prompt(struct monitor *m)
{
    m->away = true;
    m->leaving = false;
    rl_callback_handler_remove();
    puts("");
    chardev_stdio_lend(m->shared, false);
}

static void on_line(char *line)
{
    struct monitor *m = at_terminal;
    if (m->leaving || (!line && m->shared)) {
        free(line);
        leave_prompt(m);
        return;
    }
    m->ended = !line;
    if (!line)
        return;
    if (*line)
        add_history(line);
    run_line(m, line);
    free(line);
    rl_callback_handler_install(PROMPT, on_line); /* libedit takes the terminal for one line at a time */
}

/* Ctrl-A c is the end of the prompt, and of the line in it; Ctrl-A and half a second of nothing goes to the line's beginning. */
static int read_key(FILE *in)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    u8 key[2];
    if (read(STDIN_FILENO, key, 1) != 1)
        return -1;
    if (!at_terminal->shared || key[0] != chardev_stdio_escape(at_terminal->shared) || poll(&p, 1, 500) <= 0 || read(STDIN_FILENO, key + 1, 1) != 1)
        return key[0];
    at_terminal->leaving = key[1] == 'c';
    return at_terminal->leaving ? '\n' : key[1];
}

static void enter_prompt(void *monitor)
{
    struct monitor *m = monitor;
    m->away = false;
    chardev_stdio_lend(m->shared, true);
    printf("\n");
    rl_callback_handler_install(PROMPT, on_line);
    fflush(stdout);
}

/* --- a pipe that the guest's serial line has, too: Ctrl-A c, lines, Ctrl-A c --- */

static void prompt_in_pipe(const struct monitor *m)
{
    if (!m->away && !m->waits)
        fputs(PROMPT, stdout);
}

static void take_byte(void *monitor, int byte)
{
    struct monitor *m = monitor;
    struct vm *vm = m->console->vm;
    if (byte >= 0 && m->len < sizeof m->line - 1)
        m->line[m->len++] = byte == '\r' ? '\n' : byte;
    m->ended = byte < 0;
    while (!m->waits && run_buffered_line(m))
        prompt_in_pipe(m);
    if (m->ended && vm->status == VM_PAUSED && !m->waits) /* nobody is left to let it go on */
        vm_stop(vm, STATUS_POWEROFF, "the monitor's input ended");
}

static void toggle_pipe(void *monitor)
{
    struct monitor *m = monitor;
    m->away = !m->away;
    m->waits = false; /* whoever comes back does not wait for a stop */
    chardev_stdio_divert(m->shared, m->away ? NULL : take_byte, m);
    puts("");
    prompt_in_pipe(m);
}

/* --- the console's client --- */

static void pump(void *opaque)
{
    struct monitor *m = opaque;
    struct vm *vm = m->console->vm;
    if (m->away)
        return;
    if (!m->editing)
        read_plain(m);
    else if (input_waits(m))
        rl_callback_read_char();
    if (m->ended && !m->len && vm->status == VM_PAUSED && !m->waits) /* nobody is left to let it go on */
        vm_stop(vm, STATUS_POWEROFF, "the monitor's input ended");
}

/* Lines that came while the guest ran. */
static void go_on_in_pipe(struct monitor *m)
{
    if (!m->piped || m->away)
        return;
    prompt_in_pipe(m);
    while (!m->waits && run_buffered_line(m))
        prompt_in_pipe(m);
}

static void stopped(void *opaque)
{
    struct monitor *m = opaque;
    static const char *const why[] = { [WHY_ASKED] = "stopped", [WHY_BREAKPOINT] = "breakpoint", [WHY_WATCHPOINT] = "watchpoint", [WHY_STEPPED] = "", [WHY_ENDED] = "" };
    struct debugger *d = &m->console->debugger;
    if (d->why == WHY_ENDED)
        return;
    if (m->steps && d->why == WHY_STEPPED) {
        m->steps--;
        debugger_step(d);
        return;
    }
    m->steps = 0;
    m->waits = false;
    printf("%s%s%s", m->editing && !m->away ? "\r" : "", why[d->why], *why[d->why] ? ": " : "");
    monitor_print_place(m, stdout);
    if (m->editing && !m->away)
        rl_forced_update_display();
    go_on_in_pipe(m);
    fflush(stdout);
}

static int fd_of(void *opaque)
{
    const struct monitor *m = opaque;
    return m->ended || m->away ? -1 : STDIN_FILENO;
}

static int take_terminal(struct monitor *m, struct error *err)
{
    if (at_terminal)
        return error_set(err, "-monitor: only one monitor can have the terminal");
    at_terminal = m;
    m->terminal = true;
    m->editing = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (m->editing) {
        rl_readline_name = "emu";
        rl_attempted_completion_function = attempt;
        rl_getc_function = read_key;
        using_history(); /* libedit looks at the terminal here */
    }
    console_add(m->console, &(struct console_client){ .name = "monitor", .opaque = m, .pump = pump, .stopped = stopped, .fd = fd_of });
    return 0;
}

int monitor_open_terminal(struct monitor *m, struct error *err)
{
    if (take_terminal(m, err))
        return -1;
    if (m->editing)
        rl_callback_handler_install(PROMPT, on_line);
    return 0;
}

static int share_pipe(struct monitor *m, struct chardev *stdio)
{
    m->shared = stdio;
    m->piped = m->away = true;
    chardev_stdio_on_monitor(stdio, toggle_pipe, m);
    console_add(m->console, &(struct console_client){ .name = "monitor", .opaque = m, .stopped = stopped, .fd = fd_of });
    return 0;
}

int monitor_share_terminal(struct monitor *m, struct chardev *stdio, struct error *err)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return share_pipe(m, stdio);
    chardev_stdio_lend(stdio, true); /* libedit does not edit on a terminal that it finds without echo */
    if (take_terminal(m, err))
        return -1;
    m->shared = stdio;
    m->away = true;
    chardev_stdio_lend(stdio, false);
    chardev_stdio_on_monitor(stdio, enter_prompt, m);
    return 0;
}

void monitor_close_terminal(struct monitor *m)
{
    if (!m->terminal)
        return;
    if (m->editing && !m->away)
        rl_callback_handler_remove();
    m->terminal = false;
    at_terminal = NULL;
}
