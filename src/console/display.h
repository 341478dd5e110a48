/* SPDX-License-Identifier: MIT */
/*
 * The guest's screen for people: in a window (SDL2), on a terminal, or in PNG files. All of them only look at the display device,
 * so that a run with a screen and one without count the same.
 */
#ifndef EMU_CONSOLE_DISPLAY_H
#define EMU_CONSOLE_DISPLAY_H

#include "console/console.h"

/* A display is a client of the console, opened before the machine is there. */
struct display {
    const char *name;
    void *opaque;
    void (*close)(void *opaque);    /* NULL: nothing is open */
};

/* kind: "none", "sdl", "text"; "auto": a window if there can be one, else a line that says why not, and none. 0, or -1 with *err.
 * Pair with display_close(), also after a failure; *d is zeroed storage. */
int display_open(struct display *d, struct console *c, const char *kind, struct error *err);
void display_close(struct display *d);

/* The backends; NULL with *err. */
struct sdl_window;
struct sdl_window *sdl_open(struct console *c, struct error *err);
void sdl_close(void *window);
struct terminal;
struct terminal *terminal_open(struct console *c, struct error *err);
void terminal_close(void *terminal);

/* The first device of these ops, NULL: the machine has none. */
struct device *display_find(const struct vm *vm, const struct device_ops *ops);

/* --- screenshots --- */

/* Write pixels of 0x00RRGGBB to a PNG file. 0 or -1 with *err. */
int png_write(const char *path, const u32 *pixels, unsigned width, unsigned height, struct error *err);
/* What the guest's screen shows now, the cursor and blinking characters visible. 0 or -1 with *err. */
int screenshot_take(const struct vm *vm, const char *path, struct error *err);

#define MAX_SCREENSHOTS 16
struct screenshot {
    char *path;                 /* owned */
    bool at_end, lost;          /* lost: it could not be written */
    double seconds;             /* virtual; negative: `cycles` says when */
    cycles_t cycles;
    struct timer timer;
    struct vm *vm;
};
struct screenshots {
    struct screenshot shot[MAX_SCREENSHOTS];
    unsigned count;
};
/* "FILE", at the end of the run; "FILE:12.5s", after so many virtual seconds; "FILE:1000000", after so many cycles. 0 or -1. */
int screenshots_add(struct screenshots *s, const char *spec, struct error *err);
/* Once the machine is there; and before it goes, which takes those of the end. A file that cannot be written is a line on stderr. */
void screenshots_start(struct screenshots *s, struct vm *vm);
bool screenshots_finish(struct screenshots *s);  /* false: one could not be written, which has been said */
void screenshots_fini(struct screenshots *s);

#endif
