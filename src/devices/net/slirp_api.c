/* SPDX-License-Identifier: MIT */
#include "devices/net/slirp_api.h"

#include <dlfcn.h>
#include <stddef.h>

static const struct { const char *symbol; size_t field; } functions[] = {
#define ROW(name) { "slirp_" #name, offsetof(struct slirp_api, name) },
    SLIRP_FUNCTIONS(ROW)
#undef ROW
};

int slirp_api_load(struct slirp_api *api, struct error *err)
{
    api->library = dlopen("libslirp.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!api->library)
        return error_set(err, "-netdev user needs libslirp; install package libslirp0 (apt install libslirp0), or take -netdev none");
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(api->library, functions[i].symbol);
        *(void **)((char *)api + functions[i].field) = found;
        if (!found) {
            slirp_api_unload(api);
            return error_set(err, "-netdev user: this libslirp has no %s: it is too old", functions[i].symbol);
        }
    }
    return 0;
}

void slirp_api_unload(struct slirp_api *api)
{
    if (api->library)
        dlclose(api->library);
    api->library = NULL;
}
