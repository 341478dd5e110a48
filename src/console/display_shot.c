/* SPDX-License-Identifier: MIT */
/* Screenshots, at once or at a moment of virtual time, so that the same run gives the same picture. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/display.h"
#include "devices/display/vga.h"

int screenshot_take(const struct vm *vm, const char *path, struct error *err)
{
    struct vga_picture p = { 0 };
    unsigned first, last;
    struct device *vga = display_find(vm, &vga_ops);
    if (!vga)
        return error_set(err, "screenshot %s: the machine has no display", path);
    vga_picture_update(&p, vga, true, &first, &last);
    int result = png_write(path, p.pixels, p.width, p.height, err);
    vga_picture_fini(&p);
    return result;
}

/* A time behind the last colon: "12.5s" or "1000000". False: that is no time. */
static bool parse_time(const char *text, struct screenshot *s)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    s->cycles = strtoull(text, &end, 10);
    s->seconds = -1;
    if (!*end)
        return errno == 0;
    s->seconds = strtod(text, &end);
    return strcmp(end, "s") == 0 && s->seconds < 1e6;
}

int screenshots_add(struct screenshots *s, const char *spec, struct error *err)
{
    const char *colon = strrchr(spec, ':');
    struct screenshot shot = { .at_end = true };
    if (s->count == MAX_SCREENSHOTS)
        return error_set(err, "-screenshot-at: at most %d screenshots", MAX_SCREENSHOTS);
    if (colon && parse_time(colon + 1, &shot))
        shot.at_end = false;
    size_t len = shot.at_end ? strlen(spec) : (size_t)(colon - spec);
    if (!len)
        return error_set(err, "-screenshot-at %s: give FILE (at the end), FILE:SECONDSs or FILE:CYCLES, as shot.png:2.5s", spec);
    shot.path = strndup(spec, len);
    s->shot[s->count++] = shot;
    return 0;
}

static void take(struct screenshot *s)
{
    struct error err;
    s->lost = screenshot_take(s->vm, s->path, &err) != 0;
    if (s->lost)
        fprintf(stderr, "emu: %s\n", err.text);
}

static void on_time(void *shot, cycles_t when) { take(shot); }

void screenshots_start(struct screenshots *s, struct vm *vm)
{
    for (struct screenshot *shot = s->shot; shot < s->shot + s->count; shot++) {
        shot->vm = vm;
        shot->timer = (struct timer){ .fire = on_time, .opaque = shot };
        if (!shot->at_end)
            timer_set(&vm->clock, &shot->timer, shot->seconds < 0 ? shot->cycles : (cycles_t)(shot->seconds * vm->clock.hz));
    }
}

bool screenshots_finish(struct screenshots *s)
{
    bool lost = false;
    for (struct screenshot *shot = s->shot; shot < s->shot + s->count; shot++) {
        if (!shot->vm)
            continue;
        if (shot->at_end)
            take(shot);
        else if (timer_armed(&shot->timer))
            fprintf(stderr, "emu: the guest ended before screenshot %s was due\n", shot->path);
        timer_cancel(&shot->vm->clock, &shot->timer);
        shot->vm = NULL;
        lost |= shot->lost;
    }
    return !lost;
}

void screenshots_fini(struct screenshots *s)
{
    while (s->count)
        free(s->shot[--s->count].path);
}
