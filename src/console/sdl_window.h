/* SPDX-License-Identifier: MIT */
/* Between sdl.c (the window and what is drawn in it) and sdl_input.c (keys and mouse). */
#ifndef EMU_CONSOLE_SDL_WINDOW_H
#define EMU_CONSOLE_SDL_WINDOW_H

#include "console/display.h"
#include "console/hud.h"
#include "console/sdl_api.h"
#include "devices/display/vga.h"

struct sdl_window {
    struct sdl_api api;
    struct console *console;
    SDL_Window *window;             /* made when the guest begins to run; NULL before */
    SDL_Surface *shadow;            /* of a screen whose pixels are not ours: drawn here and converted; NULL: drawn in the window's */
    SDL_Rect place;                 /* where the picture was drawn last */
    unsigned shown_width, shown_height; /* of the guest's picture, for which the window was made so large */
    struct vga_picture picture;
    unsigned first, last;           /* lines that have changed and are to be drawn; first > last: none */
    struct hud hud;
    u32 hud_pixels[HUD_WIDTH * HUD_HEIGHT];
    u64 next_frame_ns, next_hud_ns; /* host time */
    bool stale;                     /* the window must be drawn whole again */
    bool show_hud, grabbed, full_screen, fit;   /* fit: any scale; otherwise whole ones */
    bool held[SDL_NUM_SCANCODES];   /* keys that the guest sees pressed */
    unsigned buttons;               /* of the mouse, as mouse_move() has them */
    int dx, dy;                     /* moved since the last frame */
    char *paste;                    /* SDL's; typed up to paste_at */
    size_t paste_at;
    unsigned shots;                 /* screenshots taken */
    char title[160];
};

/* Everything that has happened since the last call, to the guest. */
void sdl_handle_events(struct sdl_window *w);
/* Where the picture stands in the window. */
SDL_Rect sdl_place(unsigned width, unsigned height, int window_width, int window_height, bool fit);

#endif
