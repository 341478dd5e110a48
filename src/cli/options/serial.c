/* SPDX-License-Identifier: MIT */
#include "cli/options/serial.h"

#include <stdlib.h>
#include <string.h>

/* Shown, but nothing can be typed: the terminal's input is somebody else's. */
static void stdout_write(struct chardev *c, u8 byte) { putchar(byte); }
static void stdout_poll(struct chardev *c) { fflush(stdout); }
static void stdout_close(struct chardev *c) { free(c); }
static int stdout_read(struct chardev *c) { return -1; }

static struct chardev *stdout_new(void)
{
    struct chardev *c = calloc(1, sizeof *c);
    if (c)
        *c = (struct chardev){ .write = stdout_write, .read = stdout_read, .poll = stdout_poll, .close = stdout_close, .fd = -1 };
    return c;
}

static struct chardev *terminal_new(bool with_monitor, const struct serial_keys *k, struct error *err)
{
    struct chardev *c = chardev_stdio_new(k->quit, k->opaque, err);
    if (c)
        chardev_stdio_set_keys(c, &(struct chardev_keys){ k->escape, .in_pipes = with_monitor, .signals = k->signals && !with_monitor });
    return c;
}

struct chardev *serial_open(const char *spec, const struct serial_keys *keys, struct error *err)
{
    if (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0)
        return terminal_new(*spec == 'm', keys, err);
    if (strcmp(spec, "stdout") == 0)
        return stdout_new();
    if (strncmp(spec, "file:", 5) == 0)
        return chardev_file_new(spec + 5, err);
    if (strcmp(spec, "none") == 0 || strcmp(spec, "null") == 0 || strncmp(spec, "vc", 2) == 0)
        return chardev_null_new();
    error_set(err, "-serial %s: give stdio, mon:stdio, stdout, none or file:NAME", spec);
    return NULL;
}
