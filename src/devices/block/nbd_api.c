/* SPDX-License-Identifier: MIT */
#include "devices/block/nbd_api.h"

#include <dlfcn.h>
#include <stddef.h>

static const struct { const char *symbol; size_t field; } functions[] = {
#define ROW(name) { "nbd_" #name, offsetof(struct nbd_api, name) },
    NBD_FUNCTIONS(ROW)
#undef ROW
};

int nbd_api_load(struct nbd_api *api, struct error *err)
{
    api->library = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!api->library)
        return error_set(err, "a disk behind an NBD server needs libnbd (package libnbd0)");
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(api->library, functions[i].symbol);
        *(void **)((char *)api + functions[i].field) = found;
        if (!found) {
            nbd_api_unload(api);
            return error_set(err, "this libnbd has no %s: it is too old (package libnbd0)", functions[i].symbol);
        }
    }
    return 0;
}

void nbd_api_unload(struct nbd_api *api)
{
    if (api->library)
        dlclose(api->library);
    api->library = NULL;
}
