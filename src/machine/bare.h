/* SPDX-License-Identifier: MIT */
/* The engine `bare`: the same machine with no monitor. */
#ifndef EMU_MACHINE_BARE_H
#define EMU_MACHINE_BARE_H

#include "machine/engine.h"

extern const struct engine_ops bare_engine;

#endif
