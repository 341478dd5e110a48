/* SPDX-License-Identifier: MIT */
/* The window. Sixty times a second of the host it takes what has happened, and shows what has changed; nothing changed costs nothing. */
#include <stdlib.h>
#include <string.h>

#include "console/canvas.h"
#include "console/sdl_window.h"

#define FRAME_NS 16666667u
#define HUD_NS 100000000u
#define BLINK_NS 267000000u     /* 16 frames of 60 Hz, as the VGA blinks its cursor */

/* --- the window --- */

static int make_window(struct sdl_window *w)
{
    struct sdl_api *a = &w->api;
    w->window = a->CreateWindow("emu", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 720, 400, SDL_WINDOW_RESIZABLE);
    if (!w->window || !a->GetWindowSurface(w->window))
        return -1;
    a->StopTextInput();
    return 0;
}

static void drop_window(struct sdl_window *w)
{
    if (w->shadow)
        w->api.FreeSurface(w->shadow);
    if (w->window)
        w->api.DestroyWindow(w->window);
    w->shadow = NULL;
    w->window = NULL;
}

/* The title always says how the mouse is got and got rid of. */
static void update_title(struct sdl_window *w)
{
    char title[sizeof w->title];
    snprintf(title, sizeof title, "emu: %s%s - %s", w->console->vm->engine->name, w->console->vm->status == VM_PAUSED ? ", paused" : "",
             w->grabbed ? "Ctrl+Alt+G releases the mouse" : "click, or Ctrl+Alt+G, to grab the mouse; Ctrl+Alt+H shows the engine");
    if (strcmp(title, w->title) == 0)
        return;
    memcpy(w->title, title, sizeof title);
    w->api.SetWindowTitle(w->window, title);
}

/* --- the picture --- */

/* The guest has changed its mode: small pictures are shown twice as large. */
static void resize(struct sdl_window *w)
{
    const struct vga_picture *p = &w->picture;
    int scale = p->width <= 400 ? 2 : 1;
    w->shown_width = p->width;
    w->shown_height = p->height;
    w->stale = true;
    if (!w->full_screen && !(w->api.GetWindowFlags(w->window) & SDL_WINDOW_MAXIMIZED))
        w->api.SetWindowSize(w->window, p->width * scale, p->height * scale);
}

SDL_Rect sdl_place(unsigned width, unsigned height, int window_width, int window_height, bool fit)
{
    double x = (double)window_width / width, y = (double)window_height / height, scale = x < y ? x : y;
    if (!fit && scale >= 1)
        scale = (int)scale;
    SDL_Rect r = { .w = width * scale, .h = height * scale };
    r.x = (window_width - r.w) / 2;
    r.y = (window_height - r.h) / 2;
    return r;
}

/* What is drawn to: the window's own pixels, if they are of our kind. */
static SDL_Surface *drawing(struct sdl_window *w, SDL_Surface *window)
{
    if (window->format->BytesPerPixel == 4 && window->format->Rmask == 0xff0000 && window->format->Bmask == 0xff)
        return window;
    if (w->shadow && (w->shadow->w != window->w || w->shadow->h != window->h)) {
        w->api.FreeSurface(w->shadow);
        w->shadow = NULL;
    }
    if (!w->shadow) {
        w->shadow = w->api.CreateRGBSurfaceWithFormat(0, window->w, window->h, 32, SDL_PIXELFORMAT_RGB888);
        w->stale = true;
    }
    return w->shadow;
}

static SDL_Rect draw_all(struct sdl_window *w, struct canvas *c, const struct canvas_rect *place)
{
    const struct vga_picture *p = &w->picture;
    canvas_clear(c);
    canvas_draw(c, p->pixels, p->width, p->height, place, 0, p->height - 1);
    if (w->show_hud)
        canvas_blend(c, w->hud_pixels, HUD_WIDTH, HUD_HEIGHT, (int)c->width - HUD_WIDTH - 8, 8);
    return (SDL_Rect){ 0, 0, c->width, c->height };
}

static SDL_Rect draw_lines(struct sdl_window *w, struct canvas *c, const struct canvas_rect *place)
{
    const struct vga_picture *p = &w->picture;
    struct canvas_rect drawn = canvas_draw(c, p->pixels, p->width, p->height, place, w->first, w->last);
    return (SDL_Rect){ drawn.x, drawn.y, drawn.width, drawn.height };
}

/* Without a graphics processor in between: a text screen is a megabyte, and the lines that have changed are fewer. Under a
 * heads-up display, which shines through, everything is drawn. */
static void present(struct sdl_window *w)
{
    SDL_Surface *window = w->api.GetWindowSurface(w->window), *to = window ? drawing(w, window) : NULL;
    if (!to)
        return;
    struct canvas c = { to->pixels, to->w, to->h, to->pitch / sizeof *c.pixels };
    SDL_Rect place = sdl_place(w->picture.width, w->picture.height, to->w, to->h, w->fit);
    bool moved = memcmp(&place, &w->place, sizeof place) != 0;
    const struct canvas_rect there = { place.x, place.y, place.w, place.h };
    SDL_Rect drawn = (w->stale || moved || w->show_hud ? draw_all : draw_lines)(w, &c, &there);
    if (to != window)
        w->api.UpperBlit(to, &drawn, window, &(SDL_Rect){ drawn.x, drawn.y });
    w->api.UpdateWindowSurfaceRects(w->window, &drawn, 1);
    w->place = place;
    w->stale = false;
    w->first = 1;
    w->last = 0;
}

static void update_screen(struct sdl_window *w, u64 now)
{
    struct vga_picture *p = &w->picture;
    struct device *vga = display_find(w->console->vm, &vga_ops);
    if (!vga_picture_update(p, vga, now / BLINK_NS % 2 == 0, &w->first, &w->last))
        return;
    if (p->width != w->shown_width || p->height != w->shown_height)
        resize(w);
}

static void update_hud(struct sdl_window *w, u64 now)
{
    if (!w->show_hud || now < w->next_hud_ns)
        return;
    w->next_hud_ns = now + HUD_NS;
    hud_sample(&w->hud, w->console->vm, now);
    hud_draw(&w->hud, w->console->vm, w->hud_pixels);
    w->stale = true;
}

/* --- the console's client --- */

static void frame(struct sdl_window *w, u64 now)
{
    update_title(w);
    update_screen(w, now);
    update_hud(w, now);
    if (w->stale || w->first <= w->last)
        present(w);
}

static void pump(void *window)
{
    struct sdl_window *w = window;
    u64 now = pace_host_ns();
    if (!w->console->vm || now < w->next_frame_ns)
        return;
    w->next_frame_ns = w->next_frame_ns + FRAME_NS > now ? w->next_frame_ns + FRAME_NS : now + FRAME_NS;
    if (!w->window && make_window(w)) {
        vm_stop(w->console->vm, STATUS_STOPPED, "no window: %s; --display none runs without one", w->api.GetError());
        return;
    }
    sdl_handle_events(w);
    frame(w, now);
}

/* Only where somebody can see it: left alone, SDL would take a driver that shows nothing. SDL_VIDEODRIVER still decides if it is set. */
static int start_video(struct sdl_window *w, struct error *err)
{
    w->api.SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    w->api.SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0"); /* pixels by shared memory: OpenGL without its hardware costs ten times as much */
    w->api.SetHint(SDL_HINT_VIDEODRIVER, getenv("WAYLAND_DISPLAY") ? "wayland,x11" : "x11");
    if (w->api.Init(SDL_INIT_VIDEO) == 0)
        return 0;
    error_set(err, "no window can be opened here (%s; DISPLAY is %s); --display none runs without one", w->api.GetError(),
              getenv("DISPLAY") ? getenv("DISPLAY") : "not set");
    w->api.Quit();
    return -1;
}

struct sdl_window *sdl_open(struct console *c, struct error *err)
{
    struct sdl_window *w = calloc(1, sizeof *w);
    w->console = c;
    w->first = 1;
    if (sdl_api_load(&w->api, err) || start_video(w, err)) {
        sdl_api_unload(&w->api);
        free(w);
        return NULL;
    }
    console_add(c, &(struct console_client){ .name = "window", .opaque = w, .pump = pump });
    return w;
}

void sdl_close(void *window)
{
    struct sdl_window *w = window;
    w->api.free(w->paste);
    drop_window(w);
    vga_picture_fini(&w->picture);
    w->api.Quit();
    sdl_api_unload(&w->api);
    free(w);
}
