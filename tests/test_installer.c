/* SPDX-License-Identifier: MIT */
/*
 * Debian's installer, from a CD that GRUB starts, to its first screens: text in a frame buffer that the BIOS's display routines set up,
 * and the graphical one (an X server on the kernel's driver for Bochs' display). Both are driven by keys, the second also by the mouse;
 * what they did is judged by where the marked line of the language list is. Pictures are left in the build folder.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "console/display.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "machine/vm.h"

enum { DOWN_KEY = 0xe050, TAB_KEY = 0x0f };
#define LOOK_NS 200000000u      /* of virtual time, between looks at the screen */

/* --- what is seen --- */

/* Colours of a theme: how the marked line looks (its left part, where no text is). */
struct theme { u32 marked; unsigned least; };
static const struct theme text_theme = { 0xaa0000, 250 }, gtk_theme = { 0x29857e, 300 };

struct view {
    struct vga_picture picture;
    int marked;                 /* the line in the middle of the marked one, -1: none is seen */
};

static bool alike(u32 a, u32 b)
{
    for (int shift = 0; shift < 24; shift += 8)
        if (abs((int)(a >> shift & 255) - (int)(b >> shift & 255)) > 10)
            return false;
    return true;
}

/* The middle of the lines that have at least so many pixels of the colour. */
static int find_marked(const struct vga_picture *p, const struct theme *t)
{
    unsigned first = 0, n = 0;
    for (unsigned y = 0; y < p->height; y++) {
        unsigned pixels = 0;
        for (unsigned x = 0; x < p->width; x++)
            pixels += alike(p->pixels[y * p->width + x], t->marked);
        if (pixels < t->least)
            continue;
        first = n ? first : y;
        n++;
    }
    return n ? (int)(first + n / 2) : -1;
}

/* --- the run: steps, each done when what it waits for is there --- */

struct drive;
struct step { const char *what; bool (*done)(struct drive *d); };

struct drive {
    const struct theme *theme;
    const struct step *step;
    struct vm *vm;
    struct device *keyboard, *vga;
    struct view view;
    cycles_t next;
    int before;                 /* the marked line when a key was pressed */
    unsigned looks;             /* since the step began */
    const char *name;
};

static void picture(struct drive *d, const char *when)
{
    const char *build = getenv("EMU_BUILD");
    char path[160];
    struct error err;
    snprintf(path, sizeof path, "%s/tests/installer-%s-%s.png", build ? build : "build", d->name, when);
    if (png_write(path, d->view.picture.pixels, d->view.picture.width, d->view.picture.height, &err))
        FAIL("%s", err.text);
}

static void press(struct drive *d, u16 key)
{
    keyboard_key(d->keyboard, key, true);
    keyboard_key(d->keyboard, key, false);
}

static bool sees_list(struct drive *d)
{
    if (d->view.marked < 0 || d->looks < 10)    /* it is being drawn */
        return false;
    picture(d, "list");
    d->before = d->view.marked;
    press(d, DOWN_KEY);
    return true;
}

static bool moved_down(struct drive *d)
{
    bool moved = d->view.marked > d->before;
    if (moved)
        picture(d, "down");
    return moved;
}

/* Up to the list's upper end: the pointer begins in the middle of the screen. */
static bool points(struct drive *d)
{
    d->before = d->view.marked;
    mouse_move(d->keyboard, -100, -50, 0);
    return d->looks >= 3;
}

/* A click marks the line under the pointer. */
static bool clicks(struct drive *d)
{
    mouse_move(d->keyboard, 0, 0, d->looks == 1);
    if (d->looks < 2 || d->view.marked < 0 || abs(d->view.marked - d->before) < 10)
        return false;
    picture(d, "click");
    return true;
}

static void look(struct vm *vm, void *opaque)
{
    struct drive *d = opaque;
    unsigned first, last;
    if (vm->clock.now < d->next || !d->step->what)
        return;
    d->vm = vm;
    d->keyboard = display_find(vm, &i8042_ops);
    d->vga = display_find(vm, &vga_ops);
    d->next = vm->clock.now + clock_ns_to_cycles(&vm->clock, LOOK_NS);
    vga_picture_update(&d->view.picture, d->vga, true, &first, &last);
    d->view.marked = find_marked(&d->view.picture, d->theme);
    d->looks = d->view.marked < 0 ? 0 : d->looks + 1;
    if (!d->step->done(d))
        return;
    d->looks = 0;
    if (!(++d->step)->what)
        vm_stop(vm, STATUS_POWEROFF, "seen");
}

static int host(const char *format, ...)
{
    char command[400];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command);
}

static void install(const char *name, const char *initrd, unsigned mib, const struct theme *theme, const struct step *steps)
{
    char cd[80];
    struct error err = { "" };
    struct drive d = { .theme = theme, .step = steps, .name = name };
    struct vm_config c;
    snprintf(cd, sizeof cd, "build/tests/installer-%s.iso", name);
    if (host("tools/fetch-guests linux32 %s && tools/make-grub-cd %s guests/real/linux32 guests/real/%s mode=800x600", initrd, cd, initrd))
        SKIP("the CD cannot be made: packages seabios, grub-pc-bin, grub-common, xorriso, mtools and debian-installer-12-netboot-i386");
    vm_config_defaults(&c);
    c.engine = engine_find("bt", NULL);
    c.bios = VM_BIOS;
    c.ram_size = (u64)mib << 20;
    c.drive[c.ndrives++] = (struct vm_drive){ .file = cd, .media = DRIVE_CDROM, .index = -1 };
    c.max_seconds = 600;
    c.max_cycles = 400000000000u;
    c.pump = look;
    c.pump_opaque = &d;
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return;
    }
    vm_run(vm);
    if (d.step->what) {
        FAIL("waited for %s in vain (%s), see build/tests/installer-%s-end.png", d.step->what, vm->reason, name);
        picture(&d, "end");
    }
    vm_free(vm);
    vga_picture_fini(&d.view.picture);
    unlink(cd);
}

static void test_text(void)
{
    static const struct step steps[] = { { "the list of languages", sees_list }, { "a line further down", moved_down }, { NULL, NULL } };
    install("text", "initrd32.gz", 512, &text_theme, steps);
}

static void test_graphical(void)
{
    static const struct step steps[] = {
        { "the list of languages", sees_list }, { "a line further down", moved_down }, { "the pointer", points }, { "the clicked line", clicks }, { NULL, NULL },
    };
    install("gtk", "initrd-gtk.gz", 800, &gtk_theme, steps);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "text", test_text }, { "graphical", test_graphical }, { NULL, NULL } };
    return check_main(argc, argv, "installer", tests);
}
