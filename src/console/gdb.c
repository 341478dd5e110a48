/* SPDX-License-Identifier: MIT */
/* The connection: listening, reading, sending; and what happens when the guest stops or the peer goes away. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "console/gdbstub.h"

#define SEND_SECONDS 2      /* a peer that does not read for so long is dropped */

/* --- sending --- */

static bool send_all(struct gdb *g, const char *data, size_t len)
{
    while (len) {
        ssize_t n = g->is_stdio ? write(g->out, data, len) : send(g->out, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= n;
    }
    return true;
}

static void send_or_drop(struct gdb *g, const char *data, size_t len)
{
    if (g->out >= 0 && !send_all(g, data, len))
        gdb_drop(g);
}

void gdb_send(struct gdb *g)
{
    u8 sum = 0;
    for (unsigned i = 0; i < g->reply.len; i++)
        sum += g->reply.text[i];
    g->last[0] = '$';
    memcpy(g->last + 1, g->reply.text, g->reply.len);
    g->last_len = g->reply.len + 1 + snprintf(g->last + 1 + g->reply.len, 4, "#%02x", sum);
    send_or_drop(g, g->last, g->last_len);
}

/* --- the peer --- */

static void forget_points(struct gdb *g)
{
    debugger_remove_all(&g->console->debugger, OWNER_GDB_SOFT);
    debugger_remove_all(&g->console->debugger, OWNER_GDB_HARD);
}

void gdb_drop(struct gdb *g)
{
    if (g->in < 0)
        return;
    if (!g->is_stdio)
        close(g->in);
    g->in = g->out = -1;
    g->dead = false;
    if (!g->console->vm)
        return;
    forget_points(g);
    if (g->spoke || !g->found_stopped) /* whoever only looked whether the port is open leaves it as it was */
        debugger_continue(&g->console->debugger);
    if (g->is_stdio) /* whoever started us is gone */
        vm_stop(g->console->vm, STATUS_POWEROFF, "gdb closed the connection");
}

/* What the processor can ever show decides, not what it is doing now: 64-bit registers if it has long mode. (To gdb a 32-bit kernel
 * on a 64-bit processor has no stack that it could walk, and other instructions; so a processor without long mode is an i386.) */
static const struct gdb_layout *choose_layout(const struct gdb *g)
{
    u32 leaf[4] = { 0 };
    if (g->wanted)
        return g->wanted;
    if (g->console->vm)
        cpu_cpuid(&g->console->vm->vcpu[0]->cpu, 0x80000001, 0, leaf);
    return leaf[3] >> 29 & 1 ? gdb_layout_wide : gdb_layout_narrow;
}

/* A new peer: it finds the guest stopped. */
static void welcome(struct gdb *g, int fd)
{
    struct timeval patience = { .tv_sec = SEND_SECONDS };
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    g->in = g->out = fd;
    g->spoke = false;
    g->found_stopped = g->console->vm && g->console->vm->status == VM_PAUSED;
    g->no_ack = g->told_break = g->physical = g->waiting = g->dead = false;
    g->framer = (struct gdb_framer){ 0 };
    g->last_len = 0;
    g->layout = NULL;
    if (g->console->vm)
        debugger_pause(&g->console->debugger);
}

static void accept_peer(struct gdb *g)
{
    int fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        welcome(g, fd);
}

/* --- receiving --- */

static void on_frame(struct gdb *g, enum gdb_frame_event event)
{
    if ((event == FRAME_PACKET || event == FRAME_BAD) && !g->no_ack)
        send_or_drop(g, event == FRAME_PACKET ? "+" : "-", 1);
    if (event == FRAME_RESEND && !g->no_ack)
        send_or_drop(g, g->last, g->last_len);
    if (event == FRAME_INTERRUPT)
        debugger_pause(&g->console->debugger);
    g->spoke |= event != FRAME_NOTHING;
    if (event == FRAME_PACKET)
        gdb_command(g);
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return fd >= 0 && poll(&p, 1, 0) > 0;
}

/* One chunk; the rest waits for the next turn, so that a peer that never stops talking does not stop the guest. */
static void receive(struct gdb *g)
{
    u8 chunk[2048];
    if (!g->layout)
        g->layout = choose_layout(g);
    ssize_t n = read(g->in, chunk, sizeof chunk);
    if (n == 0 || (n < 0 && errno != EINTR))
        gdb_drop(g);
    for (ssize_t i = 0; i < n && g->in >= 0; i++)
        on_frame(g, gdb_framer_feed(&g->framer, chunk[i]));
}

/* --- the console's client --- */

static void pump(void *opaque)
{
    struct gdb *g = opaque;
    if (g->in < 0 && readable(g->listener))
        accept_peer(g);
    if (readable(g->in))
        receive(g);
}

static int fd_of(void *opaque)
{
    struct gdb *g = opaque;
    return g->in >= 0 ? g->in : g->listener;
}

/* The guest's last words, on gdb's screen. */
static void send_reason(struct gdb *g)
{
    const char *reason = g->console->vm->reason;
    g->reply.len = 0;
    gdb_put(&g->reply, "O");
    gdb_put_hex(&g->reply, reason, strnlen(reason, GDB_PACKET / 2 - 8));
    gdb_put_hex(&g->reply, "\n", 1);
    gdb_send(g);
}

static void stopped(void *opaque)
{
    struct gdb *g = opaque;
    const struct vm *vm = g->console->vm;
    if (g->in < 0 || !g->waiting)
        return;
    g->waiting = false;
    if (vm->status == VM_ENDED && vm->exit_status == STATUS_STOPPED && !vm->interrupt) {
        g->dead = true;
        send_reason(g);
    }
    g->reply.len = 0;
    gdb_describe_stop(g);
    gdb_send(g);
}

static bool holds(void *opaque)
{
    struct gdb *g = opaque;
    return g->in >= 0 && g->dead;
}

/* --- opening --- */

static struct gdb *gdb_new(struct console *c, struct error *err)
{
    struct gdb *g = calloc(1, sizeof *g);
    if (!g) {
        error_set(err, "-gdb: no memory");
        return NULL;
    }
    g->console = c;
    g->listener = g->in = g->out = -1;
    return g;
}

static struct gdb *add_client(struct gdb *g)
{
    console_add(g->console, &(struct console_client){ .name = "gdb", .opaque = g, .pump = pump, .stopped = stopped, .holds = holds, .fd = fd_of });
    return g;
}

struct gdb *gdb_open_fd(struct console *c, int fd)
{
    struct gdb *g = gdb_new(c, NULL);
    if (!g)
        return NULL;
    welcome(g, fd);
    return add_client(g);
}

static int bind_to(const struct addrinfo *a)
{
    int yes = 1, fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 1) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* "HOST:PORT" (and perhaps ",..."); without a host only this machine reaches it: a debugger may do anything to the guest. */
static int listen_at(const char *where, const char *given, struct error *err)
{
    char host[128], *end;
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *a;
    const char *port = strchr(where, ':');
    unsigned long number = port ? strtoul(port + 1, &end, 10) : 0;
    if (!port || port[1] < '0' || port[1] > '9' || number > 65535 || (*end && *end != ',') || port - where >= (long)sizeof host)
        return error_set(err, "-gdb %s: give tcp::PORT, as -gdb tcp::1234, or stdio", given);
    snprintf(host, sizeof host, "%.*s", (int)(port - where), where);
    char service[8];
    snprintf(service, sizeof service, "%lu", number);
    int bad = getaddrinfo(*host ? host : "127.0.0.1", service, &hints, &a);
    if (bad)
        return error_set(err, "-gdb %s: %s", given, gai_strerror(bad));
    int fd = bind_to(a);
    freeaddrinfo(a);
    return fd >= 0 ? fd : error_set(err, "-gdb %s: %s; give another port, as -gdb tcp::%lu", given, strerror(errno), number % 65535 + 1);
}

/* ",arch=NAME" behind the place. */
static int parse_arch(struct gdb *g, const char *where, struct error *err)
{
    const char *option = strchr(where, ',');
    if (!option)
        return 0;
    for (unsigned i = 0; i < 2; i++)
        if (strncmp(option, ",arch=", 6) == 0 && strcmp(option + 6, gdb_layouts[i].name) == 0)
            g->wanted = &gdb_layouts[i];
    return g->wanted ? 0 : error_set(err, "-gdb %s: behind the comma there can be arch=i386 or arch=x86-64", where);
}

static int start(struct gdb *g, const char *where, struct error *err)
{
    if (parse_arch(g, where, err))
        return -1;
    if (strncmp(where, "stdio", 5) == 0 && (!where[5] || where[5] == ',')) {
        g->is_stdio = true;
        signal(SIGPIPE, SIG_IGN);
        welcome(g, STDIN_FILENO);
        g->out = STDOUT_FILENO;
        return 0;
    }
    if (strncmp(where, "tcp:", 4))
        return error_set(err, "-gdb %s: give tcp::PORT, as -gdb tcp::1234, or stdio", where);
    g->listener = listen_at(where + 4, where, err);
    return g->listener < 0 ? -1 : 0;
}

struct gdb *gdb_open(struct console *c, const char *where, struct error *err)
{
    struct gdb *g = gdb_new(c, err);
    if (g && start(g, where, err)) {
        free(g);
        return NULL;
    }
    return g ? add_client(g) : NULL;
}

unsigned gdb_port(const struct gdb *g)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    return g->listener >= 0 && getsockname(g->listener, (struct sockaddr *)&a, &len) == 0 ? ntohs(a.sin_port) : 0;
}

void gdb_set_monitor(struct gdb *g, void (*run)(void *opaque, const char *line, FILE *out), void *opaque)
{
    g->monitor = run;
    g->monitor_opaque = opaque;
}

void gdb_close(struct gdb *g)
{
    if (!g)
        return;
    if (g->in >= 0 && !g->is_stdio)
        close(g->in);
    if (g->listener >= 0)
        close(g->listener);
    free(g);
}
