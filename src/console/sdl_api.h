/* SPDX-License-Identifier: MIT */
/*
 * SDL2, loaded when a window is asked for and not before: with the fifty libraries that it brings it would double the time in which
 * emu starts. A call of SDL_X is api->X here.
 */
#ifndef EMU_CONSOLE_SDL_API_H
#define EMU_CONSOLE_SDL_API_H

#include <SDL2/SDL.h>

#include "base/error.h"

#define SDL_FUNCTIONS(X) \
    X(Init) X(Quit) X(GetError) X(SetHint) X(StopTextInput) \
    X(CreateWindow) X(DestroyWindow) X(SetWindowTitle) X(SetWindowSize) X(SetWindowFullscreen) X(GetWindowFlags) X(GetWindowID) \
    X(GetWindowSurface) X(UpdateWindowSurfaceRects) X(CreateRGBSurfaceWithFormat) X(FreeSurface) X(UpperBlit) \
    X(PollEvent) X(SetRelativeMouseMode) X(GetClipboardText) X(free)

struct sdl_api {
    void *library;
#define FIELD(name) __typeof__(&SDL_##name) name;
    SDL_FUNCTIONS(FIELD)
#undef FIELD
};

/* 0, or -1 with *err when the library or one of the functions is missing. */
int sdl_api_load(struct sdl_api *api, struct error *err);
void sdl_api_unload(struct sdl_api *api);

#endif
