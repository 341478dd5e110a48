/* SPDX-License-Identifier: MIT */
/* The face of src/bt: the engine of VMware's kind, 1998 to 2010. */
#ifndef EMU_BT_BT_H
#define EMU_BT_BT_H

#include "machine/engine.h"

extern const struct engine_ops bt_engine;

#endif
