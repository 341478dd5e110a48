/* SPDX-License-Identifier: MIT */
/* The network adapters of the modelled host, as the user names them: --host-nic. */
#ifndef EMU_DEVICES_VFIO_HOST_CARD_H
#define EMU_DEVICES_VFIO_HOST_CARD_H

#include "base/types.h"

enum { HOST_CARDS = 4, HOST_CARD_FUNCTIONS = 2, HOST_CARD_VFS = 7 };
enum card_model { CARD_NONE, CARD_82576, CARD_82540EM };
struct host_card {
    enum card_model model;
    u8 functions;               /* 82540EM: adapters behind the same bridge, 1 to HOST_CARD_FUNCTIONS */
    u8 vfs;                     /* 82576: 1 to HOST_CARD_VFS */
};

#endif
