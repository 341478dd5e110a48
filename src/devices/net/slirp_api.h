/* SPDX-License-Identifier: MIT */
/*
 * libslirp, loaded when a user-mode network is asked for and not before: who needs none need not have it.
 * A call of slirp_X is api->X here.
 */
#ifndef EMU_DEVICES_SLIRP_API_H
#define EMU_DEVICES_SLIRP_API_H

#include <slirp/libslirp.h>

#include "base/error.h"

#define SLIRP_FUNCTIONS(X) \
    X(new) X(cleanup) X(pollfds_fill) X(pollfds_poll) X(input) X(add_hostfwd)

struct slirp_api {
    void *library;
#define FIELD(name) __typeof__(&slirp_##name) name;
    SLIRP_FUNCTIONS(FIELD)
#undef FIELD
};

/* 0, or -1 with *err when the library or one of the functions is missing. */
int slirp_api_load(struct slirp_api *api, struct error *err);
void slirp_api_unload(struct slirp_api *api);

#endif
