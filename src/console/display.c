/* SPDX-License-Identifier: MIT */
#include "console/display.h"

#include <string.h>

static int open_sdl(struct display *d, struct console *c, struct error *err)
{
    *d = (struct display){ "sdl", sdl_open(c, err), sdl_close };
    return d->opaque ? 0 : -1;
}

static int open_text(struct display *d, struct console *c, struct error *err)
{
    *d = (struct display){ "text", terminal_open(c, err), terminal_close };
    return d->opaque ? 0 : -1;
}

static int open_none(struct display *d, struct console *c, struct error *err)
{
    *d = (struct display){ "none", NULL, NULL };
    return 0;
}

static int open_auto(struct display *d, struct console *c, struct error *err)
{
    if (open_sdl(d, c, err) == 0)
        return 0;
    fprintf(stderr, "emu: %s\n", err->text);
    return open_none(d, c, err);
}

int display_open(struct display *d, struct console *c, const char *kind, struct error *err)
{
    static const struct { const char *kind; int (*open)(struct display *d, struct console *c, struct error *err); } kinds[] = {
        { "none", open_none }, { "sdl", open_sdl }, { "text", open_text }, { "auto", open_auto },
    };
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].open(d, c, err);
    return error_set(err, "-display %s: give none, sdl, text or auto", kind);
}

void display_close(struct display *d)
{
    if (d->close && d->opaque)
        d->close(d->opaque);
    *d = (struct display){ 0 };
}

struct device *display_find(const struct vm *vm, const struct device_ops *ops)
{
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == ops)
            return vm->device[i];
    return NULL;
}
