/* SPDX-License-Identifier: MIT */
/* Keys and mouse. Ctrl+Alt with one of the keys of the table is for the window; everything else is for the guest. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console/keymap.h"
#include "console/paste.h"
#include "console/sdl_window.h"
#include "devices/input/i8042.h"

static struct device *keyboard(const struct sdl_window *w) { return display_find(w->console->vm, &i8042_ops); }

/* --- keys of the guest --- */

static void send_key(struct sdl_window *w, SDL_Scancode key, bool down)
{
    u16 code = keymap_set1(key);
    if (!code || (!down && !w->held[key]))
        return;
    w->held[key] = down;
    keyboard_key(keyboard(w), code, down);
}

static void release_all(struct sdl_window *w)
{
    for (unsigned key = 0; key < SDL_NUM_SCANCODES; key++)
        if (w->held[key])
            send_key(w, key, false);
}

/* --- keys of the window --- */

static void toggle_grab(struct sdl_window *w)
{
    w->grabbed = !w->grabbed;
    w->api.SetRelativeMouseMode(w->grabbed);
}

static void toggle_full_screen(struct sdl_window *w)
{
    w->full_screen = !w->full_screen;
    w->api.SetWindowFullscreen(w->window, w->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    w->stale = true;
}

static void toggle_fit(struct sdl_window *w)
{
    w->fit = !w->fit;
    w->stale = true;
}

static void toggle_hud(struct sdl_window *w)
{
    w->show_hud = !w->show_hud;
    w->next_hud_ns = 0;
    w->stale = true;
}

static void toggle_pause(struct sdl_window *w)
{
    struct debugger *d = &w->console->debugger;
    (w->console->vm->status == VM_PAUSED ? debugger_continue : debugger_pause)(d);
}

static void reset_guest(struct sdl_window *w) { w->console->vm->reset_requested = true; }

/* emu-1.png, emu-2.png..: the first that is not there yet. */
static void take_screenshot(struct sdl_window *w)
{
    char path[32];
    struct error err;
    do
        snprintf(path, sizeof path, "emu-%u.png", ++w->shots);
    while (access(path, F_OK) == 0);
    if (screenshot_take(w->console->vm, path, &err))
        fprintf(stderr, "emu: %s\n", err.text);
    else
        fprintf(stderr, "emu: screenshot in %s\n", path);
}

/* The guest must not see the text typed with Ctrl and Alt held, which are still down. */
static void start_paste(struct sdl_window *w)
{
    release_all(w);
    w->api.free(w->paste);
    w->paste = w->api.GetClipboardText();
    w->paste_at = 0;
    unsigned left_out = w->paste ? paste_to_ascii(w->paste) : 0;
    if (left_out)
        fprintf(stderr, "emu: %u character%s of the clipboard %s on no key of a US keyboard and left out\n", left_out, left_out > 1 ? "s" : "", left_out > 1 ? "are" : "is");
}

static const struct { SDL_Scancode key; void (*act)(struct sdl_window *w); } window_keys[] = {
    { SDL_SCANCODE_G, toggle_grab }, { SDL_SCANCODE_F, toggle_full_screen }, { SDL_SCANCODE_I, toggle_fit },
    { SDL_SCANCODE_H, toggle_hud },  { SDL_SCANCODE_P, toggle_pause },       { SDL_SCANCODE_R, reset_guest },
    { SDL_SCANCODE_S, take_screenshot }, { SDL_SCANCODE_V, start_paste },
};

/* `mods` as they were when the key was pressed: it may have been let go since. */
static bool window_key(struct sdl_window *w, SDL_Scancode key, unsigned mods)
{
    if (!(mods & KMOD_CTRL) || !(mods & KMOD_ALT))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(window_keys); i++) {
        if (window_keys[i].key != key)
            continue;
        window_keys[i].act(w);
        return true;
    }
    return false;
}

/* --- both --- */

static void on_key_down(struct sdl_window *w, const SDL_Event *e)
{
    SDL_Scancode key = e->key.keysym.scancode;
    if (key < SDL_NUM_SCANCODES && (e->key.repeat || !window_key(w, key, e->key.keysym.mod)))
        send_key(w, key, true);
}

static void on_key_up(struct sdl_window *w, const SDL_Event *e)
{
    if (e->key.keysym.scancode < SDL_NUM_SCANCODES)
        send_key(w, e->key.keysym.scancode, false);
}

/* As much of the clipboard as the keyboard's buffer takes. */
static void go_on_pasting(struct sdl_window *w)
{
    if (!w->paste || w->console->vm->status != VM_RUNNING)
        return;
    w->paste_at += keyboard_type(keyboard(w), w->paste + w->paste_at);
    if (w->paste[w->paste_at])
        return;
    w->api.free(w->paste);
    w->paste = NULL;
}

/* --- mouse --- */

static void on_motion(struct sdl_window *w, const SDL_Event *e)
{
    if (!w->grabbed)
        return;
    w->dx += e->motion.xrel;
    w->dy += e->motion.yrel;
}

static unsigned button_bit(u8 button) { return button == SDL_BUTTON_LEFT ? 1 : button == SDL_BUTTON_RIGHT ? 2 : button == SDL_BUTTON_MIDDLE ? 4 : 0; }

static void report_mouse(struct sdl_window *w)
{
    mouse_move(keyboard(w), w->dx, w->dy, w->buttons);
    w->dx = w->dy = 0;
}

/* The click that grabs is not for the guest. */
static void on_button(struct sdl_window *w, const SDL_Event *e)
{
    unsigned bit = button_bit(e->button.button);
    bool down = e->type == SDL_MOUSEBUTTONDOWN;
    if (!w->grabbed && down) {
        toggle_grab(w);
        return;
    }
    w->buttons = down ? w->buttons | bit : w->buttons & ~bit;
    report_mouse(w);
}

/* --- the window itself --- */

static void on_window(struct sdl_window *w, const SDL_Event *e)
{
    w->stale = true;
    if (e->window.event != SDL_WINDOWEVENT_FOCUS_LOST)
        return;
    release_all(w);
    if (w->grabbed)
        toggle_grab(w);
}

static void on_quit(struct sdl_window *w, const SDL_Event *e) { vm_stop(w->console->vm, STATUS_POWEROFF, "the window was closed"); }

static const struct { u32 type; void (*handle)(struct sdl_window *w, const SDL_Event *e); } events[] = {
    { SDL_KEYDOWN, on_key_down },     { SDL_KEYUP, on_key_up },       { SDL_MOUSEMOTION, on_motion }, { SDL_MOUSEBUTTONDOWN, on_button },
    { SDL_MOUSEBUTTONUP, on_button }, { SDL_WINDOWEVENT, on_window }, { SDL_QUIT, on_quit },
};

void sdl_handle_events(struct sdl_window *w)
{
    SDL_Event e;
    while (w->api.PollEvent(&e))
        for (unsigned i = 0; i < ARRAY_LEN(events); i++)
            if (events[i].type == e.type)
                events[i].handle(w, &e);
    if (w->dx || w->dy)
        report_mouse(w);
    go_on_pasting(w);
}
