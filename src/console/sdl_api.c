/* SPDX-License-Identifier: MIT */
#include "console/sdl_api.h"

#include <dlfcn.h>
#include <stddef.h>

static const struct { const char *symbol; size_t field; } functions[] = {
#define ROW(name) { "SDL_" #name, offsetof(struct sdl_api, name) },
    SDL_FUNCTIONS(ROW)
#undef ROW
};

int sdl_api_load(struct sdl_api *api, struct error *err)
{
    api->library = dlopen("libSDL2-2.0.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!api->library)
        return error_set(err, "a window needs SDL2 (package libsdl2-2.0-0); --display none runs without one");
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(api->library, functions[i].symbol);
        *(void **)((char *)api + functions[i].field) = found;
        if (!found) {
            sdl_api_unload(api);
            return error_set(err, "this SDL2 has no %s: it is too old; --display none runs without a window", functions[i].symbol);
        }
    }
    return 0;
}

void sdl_api_unload(struct sdl_api *api)
{
    if (api->library)
        dlclose(api->library);
    api->library = NULL;
}
