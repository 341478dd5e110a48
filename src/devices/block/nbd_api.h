/* SPDX-License-Identifier: MIT */
/* libnbd, loaded when a disk is behind an NBD server and not before. A call of nbd_x is api->x here. */
#ifndef EMU_DEVICES_NBD_API_H
#define EMU_DEVICES_NBD_API_H

#include <libnbd.h>

#include "base/error.h"

#define NBD_FUNCTIONS(X) \
    X(create) X(close) X(get_error) X(poll) X(set_export_name) \
    X(aio_connect_uri) X(aio_connect_unix) X(aio_connect_tcp) X(aio_is_connecting) X(aio_is_ready) \
    X(get_size) X(get_block_size) X(is_read_only) X(can_flush) \
    X(aio_pread) X(aio_pwrite) X(aio_flush) X(aio_command_completed)

struct nbd_api {
    void *library;
#define FIELD(name) __typeof__(&nbd_##name) name;
    NBD_FUNCTIONS(FIELD)
#undef FIELD
};

/* 0, or -1 with *err when the library or one of the functions is missing. */
int nbd_api_load(struct nbd_api *api, struct error *err);
void nbd_api_unload(struct nbd_api *api);

#endif
