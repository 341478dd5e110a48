/* SPDX-License-Identifier: MIT */
#include "console/console.h"

#include <assert.h>

#include "devices/serial/chardev.h"

#define POLL_NS 1000000u        /* between two looks at the clients while the guest runs */
#define WAIT_MS 50              /* of a stopped guest: then signals and serial ports are looked at */
#define WAIT_WINDOW_MS 10       /* the same with a client that has nothing to wait on */

void console_add(struct console *c, const struct console_client *client)
{
    assert(c->nclients < CONSOLE_MAX_CLIENTS);
    c->client[c->nclients++] = *client;
}

static void pump_clients(struct console *c)
{
    for (unsigned i = 0; i < c->nclients; i++)
        if (c->client[i].pump)
            c->client[i].pump(c->client[i].opaque);
}

static void pump(struct vm *vm, void *opaque)
{
    struct console *c = opaque;
    u64 now = pace_host_ns();
    if (now < c->next_poll_ns)
        return;
    c->next_poll_ns = now + POLL_NS;
    pump_clients(c);
}

bool console_is_served(const struct console *c)
{
    for (unsigned i = 0; i < c->nclients; i++)
        if (c->client[i].pump)
            return true;
    return false;
}

void console_configure(struct console *c, struct vm_config *config)
{
    if (!console_is_served(c))
        return;
    config->pump = pump;
    config->pump_opaque = c;
}

void console_attach(struct console *c, struct vm *vm)
{
    if (c->vm)
        debugger_fini(&c->debugger);
    c->vm = vm;
    if (vm)
        debugger_init(&c->debugger, vm);
}

/* Wait for one of the clients, or a while. */
static void wait_for_client(struct console *c)
{
    struct pollfd fds[CONSOLE_MAX_CLIENTS];
    int ms = WAIT_MS;
    for (unsigned i = 0; i < c->nclients; i++) {
        fds[i] = (struct pollfd){ .fd = c->client[i].fd ? c->client[i].fd(c->client[i].opaque) : -1, .events = POLLIN };
        if (fds[i].fd < 0)
            ms = WAIT_WINDOW_MS;
    }
    poll(fds, c->nclients, ms);
}

static void tell_stopped(struct console *c)
{
    for (unsigned i = 0; i < c->nclients; i++)
        if (c->client[i].stopped)
            c->client[i].stopped(c->client[i].opaque);
}

static bool anybody_holds(struct console *c)
{
    bool holds = false;
    for (unsigned i = 0; i < c->nclients; i++)
        holds |= c->client[i].holds && c->client[i].holds(c->client[i].opaque);
    return holds;
}

/* Keys for emu itself (Ctrl-A x, Ctrl-A c) come through the serial port that has the terminal. */
static void poll_serial_ports(struct vm *vm)
{
    for (unsigned i = 0; i < ARRAY_LEN(vm->config.serial); i++)
        chardev_poll(vm->config.serial[i]);
}

/* The clients are pumped. "Go on" and "stop" may have come together; who said it waits to be told that it stopped. */
static void pump_stopped(struct console *c)
{
    unsigned goes = c->debugger.goes;
    pump_clients(c);
    if (c->vm->status == VM_PAUSED && c->debugger.goes != goes) {
        debugger_note_stop(&c->debugger);
        tell_stopped(c);
    }
}

/* The guest stands still; its processor can be looked at and changed. */
static void serve_stopped(struct console *c)
{
    while (c->vm->status == VM_PAUSED) {
        wait_for_client(c);
        poll_serial_ports(c->vm);
        pump_stopped(c);
        if (c->vm->interrupt)
            vm_stop(c->vm, STATUS_STOPPED, "interrupted by signal %d while it was stopped", (int)c->vm->interrupt);
    }
}

/* It will not go on, but a debugger may still want to see where it ended. */
static void serve_ended(struct console *c)
{
    while (!c->vm->interrupt && anybody_holds(c)) {
        wait_for_client(c);
        pump_clients(c);
    }
}

int console_run(struct console *c, bool stopped)
{
    if (stopped)
        vm_pause(c->vm);
    while (c->vm->status != VM_ENDED) {
        serve_stopped(c);
        vm_run(c->vm);
        debugger_note_stop(&c->debugger);
        tell_stopped(c);
    }
    serve_ended(c);
    return c->vm->exit_status;
}
