/* SPDX-License-Identifier: MIT */
/* The window. Sixty times a second of the host it takes what has happened, and shows what has changed; nothing changed costs nothing. */
#include <stdlib.h>
#include <string.h>

#include "console/sdl_window.h"

#define FRAME_NS 16666667u
#define HUD_NS 100000000u
#define BLINK_NS 267000000u     /* 16 frames of 60 Hz, as the VGA blinks its cursor */

/* --- the window --- */

static int make_window(struct sdl_window *w)
{
    struct sdl_api *a = &w->api;
    w->window = a->CreateWindow("emu", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 720, 400, SDL_WINDOW_RESIZABLE);
    w->renderer = w->window ? a->CreateRenderer(w->window, -1, 0) : NULL;
    w->overlay = w->renderer ? a->CreateTexture(w->renderer, SDL_PIXELFORMAT_ARGB8888, SDL_TEXTUREACCESS_STREAMING, HUD_WIDTH, HUD_HEIGHT) : NULL;
    if (!w->overlay)
        return -1;
    a->SetTextureBlendMode(w->overlay, SDL_BLENDMODE_BLEND);
    a->StopTextInput();
    return 0;
}

static void drop_window(struct sdl_window *w)
{
    if (w->screen)
        w->api.DestroyTexture(w->screen);
    if (w->overlay)
        w->api.DestroyTexture(w->overlay);
    if (w->renderer)
        w->api.DestroyRenderer(w->renderer);
    if (w->window)
        w->api.DestroyWindow(w->window);
    w->screen = w->overlay = NULL;
    w->renderer = NULL;
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
    if (w->screen)
        w->api.DestroyTexture(w->screen);
    w->screen = w->api.CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, p->width, p->height);
    w->texture_width = p->width;
    w->texture_height = p->height;
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

static void present(struct sdl_window *w)
{
    int width, height;
    w->api.GetRendererOutputSize(w->renderer, &width, &height);
    SDL_Rect screen = sdl_place(w->picture.width, w->picture.height, width, height, w->fit);
    SDL_Rect overlay = { width - HUD_WIDTH - 8, 8, HUD_WIDTH, HUD_HEIGHT };
    w->api.SetRenderDrawColor(w->renderer, 0, 0, 0, 255);
    w->api.RenderClear(w->renderer);
    w->api.RenderCopy(w->renderer, w->screen, NULL, &screen);
    if (w->show_hud)
        w->api.RenderCopy(w->renderer, w->overlay, NULL, &overlay);
    w->api.RenderPresent(w->renderer);
    w->stale = false;
}

/* Upload the lines that changed. */
static void update_screen(struct sdl_window *w, u64 now)
{
    struct vga_picture *p = &w->picture;
    struct device *vga = display_find(w->console->vm, &vga_ops);
    unsigned first, last;
    if (!vga_picture_update(p, vga, now / BLINK_NS % 2 == 0, &first, &last))
        return;
    if (p->width != w->texture_width || p->height != w->texture_height)
        resize(w);
    SDL_Rect lines = { 0, first, p->width, last - first + 1 };
    w->api.UpdateTexture(w->screen, &lines, p->pixels + (size_t)first * p->width, p->width * sizeof *p->pixels);
    w->stale = true;
}

static void update_hud(struct sdl_window *w, u64 now)
{
    if (!w->show_hud || now < w->next_hud_ns)
        return;
    w->next_hud_ns = now + HUD_NS;
    hud_sample(&w->hud, w->console->vm, now);
    hud_draw(&w->hud, w->console->vm, w->hud_pixels);
    w->api.UpdateTexture(w->overlay, NULL, w->hud_pixels, HUD_WIDTH * sizeof *w->hud_pixels);
    w->stale = true;
}

/* --- the console's client --- */

static void frame(struct sdl_window *w, u64 now)
{
    update_title(w);
    update_screen(w, now);
    update_hud(w, now);
    if (w->stale)
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
