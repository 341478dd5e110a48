/* SPDX-License-Identifier: MIT */
/* The guest's text screen on a terminal: lines that changed are printed again; what is typed becomes keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/display.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "devices/serial/chardev.h"

#define FRAME_NS 50000000u
enum { TEXT_SIZE = 65536, INPUT_SIZE = 256 };

struct terminal {
    struct console *console;
    struct chardev *tty;
    u64 next_ns;
    char shown[TEXT_SIZE], now[TEXT_SIZE];
};

/* --- out --- */

/* Length of the line at text, without its newline. */
static size_t line_len(const char *text) { return strcspn(text, "\n"); }

static const char *next_line(const char *text)
{
    size_t len = line_len(text);
    return text[len] ? text + len + 1 : text + len;
}

static void print_changes(struct terminal *t)
{
    const char *was = t->shown, *is = t->now;
    for (unsigned row = 1; *is || *was; row++, was = next_line(was), is = next_line(is)) {
        size_t len = line_len(is);
        if (len != line_len(was) || memcmp(is, was, len))
            printf("\033[%u;1H%.*s\033[K", row, (int)len, is);
    }
    memcpy(t->shown, t->now, sizeof t->shown);
}

static void place_cursor(const struct device *vga)
{
    struct vga_look l;
    vga_look(vga, &l);
    if (l.kind == VGA_TEXT && l.cursor_row >= 0)
        printf("\033[%d;%dH", l.cursor_row + 1, l.cursor_column + 1);
    fflush(stdout);
}

static void draw(struct terminal *t, const struct vm *vm)
{
    const struct device *vga = display_find(vm, &vga_ops);
    if (!vga)
        return;
    vga_text(vga, t->now, sizeof t->now);
    print_changes(t);
    place_cursor(vga);
}

/* --- in --- */

static const struct { const char *bytes; u16 key; } escapes[] = {
    { "\033[A", 0xe048 }, { "\033[B", 0xe050 }, { "\033[C", 0xe04d }, { "\033[D", 0xe04b }, { "\033[H", 0xe047 }, { "\033[F", 0xe04f },
    { "\033[5~", 0xe049 }, { "\033[6~", 0xe051 }, { "\033[2~", 0xe052 }, { "\033[3~", 0xe053 }, { "\033OP", 0x3b }, { "\033OQ", 0x3c },
};

/* A key that terminals send as several bytes; how many, 0: none such. */
static size_t type_escape(struct device *keyboard, const char *text)
{
    for (unsigned i = 0; i < ARRAY_LEN(escapes); i++) {
        size_t len = strlen(escapes[i].bytes);
        if (strncmp(text, escapes[i].bytes, len))
            continue;
        keyboard_key(keyboard, escapes[i].key, true);
        keyboard_key(keyboard, escapes[i].key, false);
        return len;
    }
    return 0;
}

static void type(struct device *keyboard, const char *text)
{
    for (size_t len; *text; text += len) {
        char one[2] = { *text == '\r' ? '\n' : *text == 0x7f ? '\b' : *text, 0 };
        len = type_escape(keyboard, text);
        if (!len)
            len = (keyboard_type(keyboard, one), 1);
    }
}

/* The console's terminal has bytes. */
static void on_input(void *terminal)
{
    struct terminal *t = terminal;
    struct device *keyboard = t->console->vm ? display_find(t->console->vm, &i8042_ops) : NULL;
    char text[INPUT_SIZE];
    unsigned len = 0;
    for (int c; len < sizeof text - 1 && (c = t->tty->read(t->tty)) >= 0;)
        text[len++] = c;
    text[len] = 0;
    if (keyboard)
        type(keyboard, text);
}

static void pump(void *terminal)
{
    struct terminal *t = terminal;
    u64 now = pace_host_ns();
    if (!t->console->vm || now < t->next_ns)
        return;
    t->next_ns = now + FRAME_NS;
    chardev_poll(t->tty);
    draw(t, t->console->vm);
}

static void stopped(void *terminal)
{
    struct terminal *t = terminal;
    draw(t, t->console->vm);
}

static void quit(void *terminal)
{
    struct terminal *t = terminal;
    if (t->console->vm)
        vm_stop(t->console->vm, STATUS_POWEROFF, "Ctrl-A x");
}

struct terminal *terminal_open(struct console *c, struct error *err)
{
    struct terminal *t = calloc(1, sizeof *t);
    t->console = c;
    t->tty = chardev_stdio_new(quit, t, err);
    if (!t->tty) {
        free(t);
        return NULL;
    }
    t->tty->ready = on_input;
    t->tty->dev = t;
    console_add(c, &(struct console_client){ .name = "display", .opaque = t, .pump = pump, .stopped = stopped });
    printf("\033[H\033[2J");
    return t;
}

void terminal_close(void *terminal)
{
    struct terminal *t = terminal;
    unsigned rows = 1;
    for (const char *p = t->shown; *p; p++)
        rows += *p == '\n';
    printf("\033[%u;1H\n", rows);
    chardev_close(t->tty);
    free(t);
}
