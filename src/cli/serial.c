/* SPDX-License-Identifier: MIT */
#include "cli/serial.h"

#include <string.h>

struct chardev *serial_open(const char *spec, void (*quit)(void *opaque), void *opaque, struct error *err)
{
    if (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0)
        return chardev_stdio_new(quit, opaque, err);
    if (strncmp(spec, "file:", 5) == 0)
        return chardev_file_new(spec + 5, err);
    if (strcmp(spec, "none") == 0 || strcmp(spec, "null") == 0)
        return chardev_null_new();
    error_set(err, "-serial %s: give stdio, mon:stdio, none or file:NAME", spec);
    return NULL;
}
